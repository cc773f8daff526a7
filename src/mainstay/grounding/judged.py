"""How well questions find what people judged to answer them: nDCG, recall and MRR, and whether one version finds better
than another.

Pure. Two versions are compared question by question (paired bootstrap), never by two means.
"""

import json
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from mainstay.core.errors import InvalidRequest

__all__ = ["Comparison", "Judged", "Report", "compare", "evaluate", "interval", "mrr", "ndcg", "parse", "recall"]

_DEPTH: Final = 10
_RESAMPLES: Final = 2000
#: Fixed, so that a report reads the same when it is made again.
_SEED: Final = 7


class Judged(msgspec.Struct, frozen=True):
    """A question, and what answers it: ids of documents or names of passages, with a grade from 1 up."""

    question: str
    relevant: Mapping[str, int]


class Report(msgspec.Struct, frozen=True):
    """What a run over judged questions found, as means, with the 95 % interval of nDCG; ``each`` is nDCG@10 by
    question."""

    questions: int
    ndcg: float
    low: float
    high: float
    recall: float
    mrr: float
    each: tuple[float, ...] = ()


class Comparison(msgspec.Struct, frozen=True):
    """What ``after`` gains over ``before`` in mean nDCG@10, with its 95 % interval, and the share of resamples in which
    it does not gain."""

    gain: float
    low: float
    high: float
    p: float


def ndcg(ranking: Sequence[str], relevant: Mapping[str, int], depth: int = _DEPTH) -> float:
    """Return nDCG at ``depth``, 0 to 1, with linear gain as trec_eval has it. 0 if nothing is relevant."""
    gain = sum(relevant.get(name, 0) / math.log2(at + 2) for at, name in enumerate(ranking[:depth]))
    best = sorted(relevant.values(), reverse=True)[:depth]
    ideal = sum(grade / math.log2(at + 2) for at, grade in enumerate(best))
    return gain / ideal if ideal > 0 else 0.0


def recall(ranking: Sequence[str], relevant: Mapping[str, int], depth: int = _DEPTH) -> float:
    """Return the share of what is relevant among the first ``depth``."""
    wanted = {name for name, grade in relevant.items() if grade > 0}
    return len(wanted.intersection(ranking[:depth])) / len(wanted) if wanted else 0.0


def mrr(ranking: Sequence[str], relevant: Mapping[str, int], depth: int = _DEPTH) -> float:
    """Return one over the rank of the first that is relevant, 0 if none is among the first ``depth``."""
    return next((1 / rank for rank, name in enumerate(ranking[:depth], 1) if relevant.get(name, 0) > 0), 0.0)


def evaluate(judged: Sequence[Judged], find: Callable[[str], Sequence[str]], depth: int = _DEPTH) -> Report:
    """Return how well ``find`` does: a question to ids, best first; repeated ids count once.

    Raises:
        InvalidRequest: there are no judged questions.
    """
    if not judged:
        raise InvalidRequest("There are no judged questions; give at least one with what answers it.")
    rankings = [list(dict.fromkeys(find(one.question))) for one in judged]
    pairs = list(zip(rankings, judged, strict=True))
    each = tuple(ndcg(ranking, one.relevant, depth) for ranking, one in pairs)
    low, high = interval(each)
    return Report(
        questions=len(judged),
        ndcg=_mean(each),
        low=low,
        high=high,
        recall=_mean([recall(ranking, one.relevant, depth) for ranking, one in pairs]),
        mrr=_mean([mrr(ranking, one.relevant, depth) for ranking, one in pairs]),
        each=each,
    )


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean; of one value, or of none, that value or 0 twice."""
    means = _resampled(values)
    return (means[int(0.025 * len(means))], means[int(0.975 * len(means))]) if means else (0.0, 0.0)


def compare(before: Sequence[float], after: Sequence[float]) -> Comparison:
    """Compare two runs over the same questions, value by value.

    Raises:
        InvalidRequest: they are not of the same questions.
    """
    if len(before) != len(after) or not before:
        raise InvalidRequest("Two runs can be compared only over the same questions.")
    gains = [b - a for a, b in zip(before, after, strict=True)]
    means = _resampled(gains)
    low, high = means[int(0.025 * len(means))], means[int(0.975 * len(means))]
    return Comparison(_mean(gains), low, high, sum(mean <= 0 for mean in means) / len(means))


def parse(lines: Iterable[str]) -> list[Judged]:
    """Return judged questions from JSONL: ``{"question": ..., "relevant": ["id", ...] or {"id": grade}}`` a line.

    Raises:
        InvalidRequest: a line is not of this form; the message numbers it.
    """
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            relevant = row["relevant"]
            grades = {str(name): int(relevant[name]) if isinstance(relevant, dict) else 1 for name in relevant}
            if not isinstance(row["question"], str) or isinstance(relevant, str) or not grades:
                raise ValueError
        except (ValueError, TypeError, KeyError):
            raise InvalidRequest(
                f'Line {number} of the judged questions is not {{"question": "...", "relevant": ["id", ...]}}; correct'
                " it."
            ) from None
        found.append(Judged(row["question"], grades))
    return found


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0


def _resampled(values: Sequence[float]) -> list[float]:
    chance = random.Random(_SEED)  # noqa: S311  # resampling keeps no secret
    count = len(values)
    return sorted(math.fsum(chance.choices(values, k=count)) / count for _ in range(_RESAMPLES)) if count else []
