"""From a question to sources, at one pin: words and meaning, fused, read again, made diverse, and cut to a budget.

Blocks; called in a thread, with a snapshot of its own. What is slow (embedding, rerank, rewrite) runs in ``pool`` when
one is given, and is not waited for past the question's time; what came too late is named in ``Found.late``.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

import msgspec

from mainstay.core.clock import monotonic
from mainstay.core.errors import MainstayError, Unavailable
from mainstay.core.sources import Found, Source
from mainstay.grounding.confidence import Signals, confidence, margin
from mainstay.grounding.config import SearchConfig
from mainstay.grounding.fusion import fuse
from mainstay.grounding.port import Embedder, Hit, Question, Reranker, Snapshot
from mainstay.grounding.rewriting import Rewriter, standalone
from mainstay.grounding.spread import diverse, fitting, likeness, windows
from mainstay.grounding.terms import coverage, terms

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Manner", "Tuning", "manner_of", "search"]

_P = ParamSpec("_P")
_T = TypeVar("_T")
#: Passages read beyond those that are wanted: some say the same, some do not fit.
_SPARE: Final = 14
#: Seconds that are kept of a question's time for what follows a wait.
_REST: Final = 0.01


class Tuning(msgspec.Struct, frozen=True):
    """How a knowledge base is searched.

    ``candidates`` of each kind are fused with ``weight`` of meaning against words (None: the version's own).
    ``diversity`` (0 to 1) trades score against likeness, ``reach`` adds so many neighbours on each side of a hit, and
    ``reranked`` is how many passages a reranker reads.
    """

    candidates: int = 100
    weight: float | None = None
    diversity: float = 0.1
    reach: int = 0
    reranked: int = 20


class Manner(msgspec.Struct, frozen=True):
    """How a base is searched, and what reads question and passage together after that."""

    tuning: Tuning = Tuning()
    reranker: Reranker | None = None


def manner_of(config: SearchConfig, reranker: Reranker | None = None) -> Manner:
    """Return how a row of the configuration wants its base searched."""
    return Manner(
        Tuning(
            config.candidates,
            config.meaning,
            config.diversity,
            config.neighbours,
            config.rerank.most if config.rerank is not None else 0,
        ),
        reranker,
    )


class _Time:
    """What is left of a question's time, and who was late."""

    def __init__(self, seconds: float, pool: Executor | None, clock: Callable[[], float]) -> None:
        self._pool = pool
        self._clock = clock
        self.start = clock()
        self._end = self.start + seconds
        self.late: list[str] = []

    def begin(self, act: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> "Future[_T]":
        if self._pool is not None:
            return self._pool.submit(act, *args, **kwargs)
        done: Future[_T] = Future()
        try:
            done.set_result(act(*args, **kwargs))
        except MainstayError as error:
            done.set_exception(error)
        return done

    def wait(self, part: str, future: "Future[_T]") -> _T | None:
        """Return what came in time, else None: the part is late."""
        try:
            return future.result(max(0.0, self._end - _REST - self._clock()))
        except (FutureTimeout, Unavailable):
            future.cancel()
            self.late.append(part)
            return None

    def spent(self) -> float:
        return (self._clock() - self.start) * 1000


def search(
    snapshot: Snapshot,
    question: Question,
    embedder: Embedder | None = None,
    *,
    reranker: Reranker | None = None,
    rewriter: Rewriter | None = None,
    tuning: Tuning = Tuning(),  # noqa: B008  # a frozen struct
    pool: Executor | None = None,
    clock: Callable[[], float] = monotonic,
) -> Found:
    """Return what ``question`` finds at the snapshot's pin.

    ``embedder`` must be the one that the version is built with: vectors of another are not compared, and ``dense`` is
    named as late then, as is what cannot be reached. Without ``pool`` everything is waited for.
    """
    time = _Time(question.seconds, pool, clock)
    asked, more = _understand(time, question, rewriter)
    vector = _begin(time, snapshot, embedder, asked)
    words = terms(question.text if more else asked, more)
    lexical = {hit.row: hit.score for hit in snapshot.lexical(words, question.access, tuning.candidates)}
    dense = _dense(time, snapshot, question, vector, lexical, tuning.candidates)
    weight = snapshot.version.dense if tuning.weight is None else tuning.weight
    hits = fuse(lexical, dense, weight)
    wanted = max(question.most + _SPARE, tuning.reranked if reranker else 0)
    kept, sources = _gate(snapshot, question, hits, wanted)
    if reranker is not None and kept:
        kept = _rerank(time, reranker, asked, kept, sources, tuning.reranked)
    rows = [hit.row for hit in kept]
    alike = likeness(rows, sources, snapshot.vectors(rows) if dense else {})
    kept = diverse(kept, alike, tuning.diversity, question.most * 2)
    sure = confidence(
        Signals(
            coverage(words, (sources[hit.row].text for hit in kept[:1])),
            margin(hits),
            max(0.0, *dense.values()) if dense else 0.0,
            snapshot.version.embedder if dense else "",
        )
    )
    found = fitting(_widened(snapshot, question, kept, sources, tuning.reach), question.tokens, question.most)
    return Found(snapshot.pin, tuple(found), sure, tuple(time.late), time.spent())


def _understand(time: _Time, question: Question, rewriter: Rewriter | None) -> tuple[str, tuple[str, ...]]:
    """Return the question to embed, and words to look for besides those of the question itself."""
    if rewriter is not None and question.before:
        rewritten = time.wait("rewrite", time.begin(rewriter.rewrite, question.text, question.before))
        if rewritten and rewritten.strip():
            return rewritten, ()
    return standalone(question.text, question.before)


def _begin(
    time: _Time, snapshot: Snapshot, embedder: Embedder | None, asked: str
) -> "Future[NDArray[np.float32]] | None":
    version = snapshot.version
    if embedder is None or not version.embedder:
        return None
    if embedder.name != version.embedder:
        time.late.append("dense")
        return None
    return time.begin(embedder.embed, [asked], "question")


def _dense(
    time: _Time,
    snapshot: Snapshot,
    question: Question,
    vector: "Future[NDArray[np.float32]] | None",
    lexical: Mapping[int, float],
    candidates: int,
) -> dict[int, float]:
    """Return the scores by meaning: of the best by meaning, and of what was found by words."""
    came = time.wait("dense", vector) if vector is not None else None
    if came is None:
        return {}
    scores = {hit.row: hit.score for hit in snapshot.dense(came[0], question.access, candidates)}
    missing = [row for row in lexical if row not in scores]
    return scores | dict(snapshot.dots(came[0], missing))


def _gate(
    snapshot: Snapshot, question: Question, hits: Sequence[Hit], wanted: int
) -> tuple[list[Hit], dict[int, Source]]:
    """Return the best hits that may be used, and what they say, as they are read again at the pin."""
    kept: list[Hit] = []
    sources: dict[int, Source] = {}
    for first in range(0, len(hits), wanted):
        part = hits[first : first + wanted]
        read = snapshot.read([hit.row for hit in part], question.access)
        sources |= read
        kept += [hit for hit in part if hit.row in read]
        if len(kept) >= wanted:
            break
    return kept[:wanted], sources


def _rerank(
    time: _Time, reranker: Reranker, asked: str, kept: list[Hit], sources: Mapping[int, Source], most: int
) -> list[Hit]:
    """Return ``kept`` with the first ``most`` in the reranker's order, and the rest below them as they stood."""
    read = kept[:most]
    scores = time.wait("rerank", time.begin(reranker.rank, asked, [sources[hit.row].text for hit in read]))
    if scores is None:
        return kept
    order = sorted(range(len(read)), key=lambda at: -scores[at])
    low = min(scores)
    rest = [Hit(hit.row, low) for hit in kept[most:]]
    return [Hit(read[at].row, float(scores[at])) for at in order] + rest


def _widened(
    snapshot: Snapshot, question: Question, kept: Sequence[Hit], sources: dict[int, Source], reach: int
) -> list[Source]:
    """Return the sources of ``kept`` with their scores, each amid its neighbours if these are wanted."""
    scores = {hit.row: hit.score for hit in kept}
    near: dict[int, Sequence[int]] = {}
    if reach > 0:
        near = {hit.row: snapshot.near(hit.row, reach) for hit in kept[: question.most]}
        further = [row for rows in near.values() for row in rows if row not in sources]
        sources = sources | dict(snapshot.read(further, question.access))
        for hit in kept[: question.most]:
            for row in near[hit.row]:
                scores.setdefault(row, hit.score)
    return [msgspec.structs.replace(sources[row], score=scores[row]) for row in windows(kept, near) if row in sources]
