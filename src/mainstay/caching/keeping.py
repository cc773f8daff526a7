"""From an answer on its way out to a kept one: noted in passing, kept once its record is settled, or not at all.

What rails find in an answer, and whether its caller got all of it, is known when its record is settled; so nothing is
kept before, and the work of keeping is done after the answer has gone.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

import structlog

from mainstay.caching.key import says_one_thing
from mainstay.caching.port import Asked, Entry, Near, Neighbours, Tier
from mainstay.caching.replay import is_whole_answer, only_of, said
from mainstay.core.answer import Answer, Frames
from mainstay.core.call import Call
from mainstay.core.errors import MainstayError
from mainstay.core.events import Event, Frame, Metered
from mainstay.core.fold import Fold
from mainstay.core.record import Grounding, Record
from mainstay.core.sources import Found
from mainstay.core.target import Target

__all__ = ["Candidate", "Keeping"]

_log = structlog.get_logger("mainstay.caching")
#: Calls whose records are not settled yet, at most; more are not kept.
_MOST: Final = 10_000
#: How an attempt ended whose answer went on, if it did, from another model's.
_BROKEN: Final = frozenset({"upstream_interrupted"})
#: Why an attempt is made whose answer is not the model's to this request alone.
_PASSING: Final = frozenset({"last_resort", "tools"})
_MARK: Final = b"x-mainstay-last-resort"
#: Of a claim: such answers are not given twice.
_UNSUPPORTED: Final = frozenset({"contradicted", "not_found"})
#: What may have come of a check besides the answer, where the answer is still the model's.
_SPOKEN: Final = frozenset({"", "reasked"})


class Candidate:
    """An answer that may be kept.

    Args:
        call: who is asked for it; its record tells how it came about.
        asked: what it answers.
        tier, neighbours: where it goes.
        lifetime: seconds.
        age: of the tier, from before its sources were found.
        shadow: what it would have been answered instead, and that answer's text, to be compared.
    """

    __slots__ = (
        "_age",
        "_asked",
        "_call",
        "_events",
        "_fold",
        "_found",
        "_lifetime",
        "_neighbours",
        "_shadow",
        "_target",
        "_tier",
        "done",
        "record",
    )

    def __init__(
        self,
        call: Call,
        asked: Asked,
        tier: Tier,
        neighbours: Neighbours,
        *,
        lifetime: float,
        age: int,
        shadow: tuple[Near, str] | None = None,
    ) -> None:
        self._call = call
        self._asked = asked
        self._tier = tier
        self._neighbours = neighbours
        self._lifetime = lifetime
        self._age = age
        self._shadow = shadow
        self._found: Found | None = call.found
        self._fold: Fold | None = Fold()
        self._events: Callable[[], Sequence[Event]] | None = None
        self._target: Target | None = None
        self.record = call.record
        self.done = False

    def watch(self, answer: Answer) -> Answer:
        """Return ``answer`` such that it is noted in passing."""
        if any(name == _MARK for name, _ in answer.headers):
            self.done = True
            return answer
        self._target = answer.target
        whole = answer.whole
        if whole is not None:
            self._events = lambda: whole.events
        elif answer.frames is not None:
            answer.frames = _Noted(answer.frames, self)
        return answer

    def add(self, batch: Sequence[Frame]) -> None:
        """Take frames of a stream."""
        if self._fold is not None:
            for frame in batch:
                if frame.events:
                    self._fold.add(frame.events)

    def end(self, *, complete: bool) -> None:
        """Take note that the stream has ended."""
        fold, self._fold = self._fold, None
        if complete and fold is not None:
            self._events = fold.events

    def settled(self, record: Record) -> bool:
        """Whether the answer may be kept, now that a record of a call that got it is settled; once, if at all."""
        if self.done or self._events is None or record.outcome != "ok":
            return False
        self.done = True
        return _is_sound(record) and (record is self.record or _is_sound(self.record))

    def keep(self) -> None:
        """Keep the answer, if it is one to be kept. Takes some 100 µs: called when nobody waits for it."""
        assert self._events is not None
        events, asked, raw = tuple(self._events()), self._asked, self._call.ask.raw
        if self._shadow is not None:
            near, kept = self._shadow
            self._neighbours.compare(asked, near, said(events), kept)
        if not is_whole_answer(events) or _is_weak(self.record.grounding) or (raw and not says_one_thing(raw)):
            return
        now = time.time()
        until = self._until(now)
        if until > now:
            self._tier.put(asked.key, self._entry(events, now, until))
            if asked.text:
                self._neighbours.kept(asked, until - now)

    def _until(self, now: float) -> float:
        """Return when the answer ends: nothing is told again that rests on what is too old by then."""
        sources = self._found.sources if self._found is not None else ()
        return min([now + self._lifetime, *(source.expires / 1000 for source in sources if source.expires)])

    def _entry(self, events: tuple[Event, ...], now: float, until: float) -> Entry:
        target, caller, found = self._target, self._call.caller, self._found
        assert target is not None
        return Entry(
            self.record.id,
            self._asked.route,
            caller.organisation,
            caller.team,
            target.model,
            target.provider,
            target.vendor,
            target.upstream,
            now,
            until,
            events,
            next((event.usage for event in events if isinstance(event, Metered)), None),
            only_of(events),
            found.pin.base if found is not None else "",
            tuple(source.passage for source in found.sources) if found is not None else (),
            self._age,
            self.record.grounding,
        )


class Keeping:
    """Answers whose records are not settled yet. Implements :class:`~mainstay.core.ports.Settler`."""

    def __init__(self) -> None:
        self._waiting: dict[str, Candidate] = {}

    def expect(self, record: Record, candidate: Candidate) -> None:
        """Note that the call of ``record`` gets the answer of ``candidate``."""
        if len(self._waiting) < _MOST:
            self._waiting[record.id] = candidate

    def settle(self, record: Record) -> None:
        """Keep the answer of a record, a little later."""
        if not self._waiting:
            return
        candidate = self._waiting.pop(record.id, None)
        if candidate is not None and candidate.settled(record):
            asyncio.get_running_loop().call_soon(_keep, candidate)


def _keep(candidate: Candidate) -> None:
    try:
        candidate.keep()
    except MainstayError:
        # Only the full reading shows that it is no answer.
        _log.warning("answer_not_kept", request_id=candidate.record.request_id)


def _is_sound(record: Record) -> bool:
    """Whether nothing on a record speaks against giving its answer to another call."""
    if any(verdict.outcome != "passed" for verdict in record.verdicts):
        # What a rail has found may be personal, and what it changed was changed for this call.
        return False
    return not any(attempt.cause in _PASSING or attempt.outcome in _BROKEN for attempt in record.attempts)


def _is_weak(grounding: Grounding | None) -> bool:
    """Whether an answer from knowledge rests on nothing, says what its sources do not, or is none at all."""
    if grounding is None:
        return False
    unsupported = any(grounding.verdicts.get(verdict) for verdict in _UNSUPPORTED)
    return grounding.nothing or unsupported or grounding.did not in _SPOKEN


class _Noted:
    """Frames on their way out; see :class:`~mainstay.core.answer.Frames`."""

    __slots__ = ("_candidate", "_inner", "_next")

    def __init__(self, inner: Frames, candidate: Candidate) -> None:
        self._inner = inner
        self._next = inner.__anext__
        self._candidate = candidate

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        try:
            batch = await self._next()
        except StopAsyncIteration:
            self._candidate.end(complete=True)
            raise
        self._candidate.add(batch)
        return batch

    async def aclose(self) -> None:
        self._candidate.end(complete=False)
        await self._inner.aclose()
