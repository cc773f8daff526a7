"""Equal calls in flight share one upstream call: what becomes of their records and of those who leave early.

Which calls are equal is the key's to say; how frames are shared is the port's (``Flights``). The first to come leads:
its record has the attempts. Who follows was answered from another's call, as by a hit.
"""

from asyncio import CancelledError
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Final

from msgspec.structs import replace

from mainstay.caching.keeping import Candidate
from mainstay.caching.port import Flights, Start
from mainstay.core.answer import Answer, Frames
from mainstay.core.call import Call
from mainstay.core.clock import monotonic, since_ms
from mainstay.core.errors import MainstayError
from mainstay.core.events import Frame
from mainstay.core.record import Attempt, Record

__all__ = ["Sharing"]

#: What the steps below write on a leader's record that holds for who follows.
_TAKEN: Final = ("prompt", "grounding")


class Sharing:
    """The flights of one route.

    Args:
        flights: shares frames.
    """

    def __init__(self, flights: Flights) -> None:
        self._flights = flights
        #: By key: what becomes of the answer of each flight that can be joined.
        self._leading: dict[bytes, Candidate] = {}

    async def join(self, key: bytes, call: Call, start: Start, own: Candidate) -> tuple[Answer, Candidate | None]:
        """Return the answer of the flight of ``key``, opened with ``start`` where there is none, and what becomes of
        it: ``own`` for who leads, the leader's for who follows, None where that one has gone.

        Raises:
            MainstayError: what ``start`` raised.
        """
        record, began = call.record, monotonic()
        leads = False

        async def lead() -> Answer:
            nonlocal leads
            leads = True
            self._leading[key] = own
            return await start()

        candidate = self._leading.get(key)
        answer: Answer | None = None
        try:
            answer = await self._flights.join(key, lead)
        except CancelledError:
            if leads:
                record.attempts = _left(record.attempts, call)
            raise
        finally:
            if not leads:
                record.queued_ms += since_ms(began)
            elif answer is None or answer.frames is None:
                self._land(key, own)
        if leads:
            candidate = own
        else:
            record.cache, record.cost_usd = "hit", "0"
            _take(record, candidate)
        if answer.frames is not None:
            landed = partial(self._land, key, own) if leads else None
            answer.frames = _Shared(answer.frames, call, candidate, landed)
        return answer, candidate

    def _land(self, key: bytes, own: Candidate) -> None:
        if self._leading.get(key) is own:
            del self._leading[key]


class _Shared:
    """One listener's frames: its waiting for another's upstream is no time of ours, and leaving early ends its part.

    ``landed`` is called at the end of who leads; None: the call follows.
    """

    __slots__ = ("_began", "_call", "_candidate", "_ended", "_inner", "_landed", "_next")

    def __init__(
        self, inner: Frames, call: Call, candidate: Candidate | None, landed: Callable[[], None] | None
    ) -> None:
        self._inner = inner
        self._next = inner.__anext__
        self._call = call
        self._candidate = candidate
        self._landed = landed
        self._began = monotonic()
        self._ended = False

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        try:
            return await self._next()
        except (StopAsyncIteration, MainstayError):
            self._end(left=False)
            raise

    async def aclose(self) -> None:
        self._end(left=True)
        await self._inner.aclose()

    def _end(self, *, left: bool) -> None:
        if self._ended:
            return
        self._ended = True
        record = self._call.record
        if self._landed is None:
            record.queued_ms += since_ms(self._began)
            _take(record, self._candidate)
        else:
            self._landed()
            if left:
                # The attempt may go on for others: in this record it ends here.
                record.attempts = _left(record.attempts, self._call)


def _take(record: Record, candidate: Candidate | None) -> None:
    if candidate is not None:
        for name in _TAKEN:
            setattr(record, name, getattr(candidate.record, name))


def _left(attempts: Sequence[Attempt], call: Call) -> list[Attempt]:
    """Return the attempts of a call whose caller has left: what is not over goes on for others, or is let go."""
    return [
        attempt
        if attempt.outcome
        else replace(attempt, outcome="caller_gone", total_ms=max(0.0, since_ms(call.started) - attempt.offset_ms))
        for attempt in attempts
    ]
