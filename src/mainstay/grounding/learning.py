"""The weight of meaning against words, learnt from a team's own judged questions.

Pure: works on what a search found. Chosen on most of the questions, and taken only if it does not lose on those that
were held out; with few questions the default stays, since what fits thirty of them fits little else.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from mainstay.grounding.fusion import fuse
from mainstay.grounding.judged import Comparison, compare, ndcg
from mainstay.grounding.port import Access, Embedder, Snapshot
from mainstay.grounding.terms import terms

__all__ = ["LEAST", "Candidates", "Learned", "gather", "learn"]

#: Questions below which the default stays.
LEAST: Final = 50
_HELD: Final = 0.3
_SEED: Final = 11
_GRID: Final = tuple(step / 20 for step in range(21))


class Candidates(msgspec.Struct, frozen=True):
    """What a question found by words and by meaning (scores by row), and what of it was judged to answer: grades by
    row. ``dense`` has a score for each row of ``lexical``. ``missed`` are grades of what neither found."""

    lexical: Mapping[int, float]
    dense: Mapping[int, float]
    relevant: Mapping[int, int]
    missed: tuple[int, ...] = ()
    #: Rows that are one document: only the first of them counts. Rows that are not in it are themselves.
    same: Mapping[int, str] = {}


class Learned(msgspec.Struct, frozen=True):
    """A weight, why it is this one, and what it gains over ``before`` on the questions held out (None where nothing was
    learnt)."""

    weight: float
    before: float
    questions: int
    why: str
    gain: Comparison | None = None


def gather(
    snapshot: Snapshot,
    question: str,
    relevant: Mapping[str, int],
    embedder: Embedder | None,
    access: Access,
    candidates: int = 200,
) -> Candidates:
    """Return what ``question`` finds at a pin; ``relevant`` are grades of documents or of passages, by name."""
    lexical = {hit.row: hit.score for hit in snapshot.lexical(terms(question), access, candidates)}
    dense: dict[int, float] = {}
    if embedder is not None and embedder.name == snapshot.version.embedder:
        vector = embedder.embed([question], "question")[0]
        dense = {hit.row: hit.score for hit in snapshot.dense(vector, access, candidates)}
        dense |= snapshot.dots(vector, [row for row in lexical if row not in dense])
    grades: dict[int, int] = {}
    seen: set[str] = set()
    same: dict[int, str] = {}
    for row, source in snapshot.read(list(dict.fromkeys((*lexical, *dense))), access).items():
        # A judgement names a document or a passage.
        name = source.passage if source.passage in relevant else source.document
        same[row] = name
        if name in relevant:
            grades[row] = relevant[name]
            seen.add(name)
    missed = tuple(grade for name, grade in relevant.items() if name not in seen)
    return Candidates(lexical, dense, grades, missed, same)


def learn(found: Sequence[Candidates], before: float) -> Learned:
    """Return the weight to use from now on, given the one in use: ``before``."""
    usable = [one for one in found if one.dense and (one.relevant or one.missed)]
    if len(usable) < LEAST:
        return Learned(before, before, len(usable), f"fewer than {LEAST} judged questions: the weight stays")
    order = random.Random(_SEED).sample(range(len(usable)), len(usable))  # noqa: S311  # keeps no secret
    cut = round(len(usable) * (1 - _HELD))
    fit, held = [usable[at] for at in order[:cut]], [usable[at] for at in order[cut:]]
    means = [sum(_each(fit, weight)) / len(fit) for weight in _GRID]
    # Neighbours on the grid have a say: a single peak is chance.
    smooth = [sum(means[max(0, at - 1) : at + 2]) / len(means[max(0, at - 1) : at + 2]) for at in range(len(means))]
    best = max(range(len(_GRID)), key=lambda at: (smooth[at], -abs(_GRID[at] - before)))
    weight = _GRID[best]
    gain = compare(_each(held, before), _each(held, weight))
    if weight == before or gain.gain < 0:
        why = "the weight in use is the best" if weight == before else "another weight loses on the questions held out"
        return Learned(before, before, len(usable), why, gain)
    return Learned(weight, before, len(usable), "it finds more, also on the questions held out", gain)


def _each(found: Sequence[Candidates], weight: float) -> list[float]:
    return [_ndcg(one, weight) for one in found]


def _ndcg(one: Candidates, weight: float) -> float:
    ranking = list(dict.fromkeys(one.same.get(hit.row, str(hit.row)) for hit in fuse(one.lexical, one.dense, weight)))
    grades = {one.same.get(row, str(row)): grade for row, grade in one.relevant.items()}
    # What was not found counts among what there is to find.
    return ndcg(ranking, grades | {f"\0{at}": grade for at, grade in enumerate(one.missed)})
