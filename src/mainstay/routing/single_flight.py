"""One upstream call for identical requests in flight: the first asks, the others listen.

Stands around the attempt engine, within one worker. Not a cache: when the answer is complete the flight is over.
Knows answers and frames; which requests are identical is :func:`flight_key`'s to say.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from copy import copy
from hashlib import blake2b
from typing import Final

import msgspec

from mainstay.core.answer import Answer
from mainstay.core.call import Call
from mainstay.core.errors import MainstayError, UpstreamInterrupted
from mainstay.core.events import Frame
from mainstay.core.target import Operation

__all__ = ["SingleFlight", "flight_key"]

_SHARED: Final = frozenset({Operation.CHAT, Operation.COMPLETION})
_LIMIT: Final = 16 * 1024 * 1024
#: How far an upstream is read ahead of the fastest listener.
_AHEAD: Final = 256 * 1024
#: What a frame and its events take besides their bytes.
_FRAME: Final = 256
#: Headers that say which library asks and how often it tried: they change no answer.
_IDLE_HEADERS: Final = b"x-stainless-"
#: Kinds of tools that a model only proposes to call; the others run at the vendor and may do something each time.
_PROPOSED: Final = frozenset({None, "function", "custom"})


class _Tool(msgspec.Struct, gc=False):
    type: str | None = None


class _Fields(msgspec.Struct, gc=False):
    temperature: float | None = None
    store: bool | None = None
    tools: list[_Tool] | None = None
    mcp_servers: msgspec.Raw = msgspec.Raw(b"")
    web_search_options: msgspec.Raw = msgspec.Raw(b"")


_read_fields = msgspec.json.Decoder(_Fields).decode
Start = Callable[[], Awaitable[Answer]]


def flight_key(call: Call) -> bytes | None:
    """Return what identical calls of one tenant have in common, or None when ``call`` must be asked by itself.

    Only calls that leave nothing to chance are shared: those that give a ``temperature`` of 0. A ``seed`` alone does
    not do, since most upstreams ignore it or promise little for it. Calls that do something at the vendor (its own
    tools, ``store``) are never shared.

    The tenant is the team, or the key that has none. Two keys of a team both have leave for the route by then. Hops
    are part of it, or a call that comes round in a circle would wait for itself; priority is, since a call that may
    be shed must not take one along that may not.
    """
    raw = call.ask.raw
    if call.ask.operation not in _SHARED or b'"temperature"' not in raw:
        return None
    try:
        fields = _read_fields(raw)
    except msgspec.DecodeError:
        return None
    if fields.temperature != 0 or fields.store:
        return None
    if bytes(fields.mcp_servers) or bytes(fields.web_search_options):
        return None
    if fields.tools and any(tool.type not in _PROPOSED for tool in fields.tools):
        return None
    caller = call.caller
    found = blake2b(digest_size=32)
    pieces = [
        b"team" if caller.team else b"key",
        (caller.team or caller.key).encode(),
        call.route.encode(),
        b"%b %d %d %d" % (call.ask.dialect.encode(), call.ask.stream, call.hops, call.priority),
        raw,
    ]
    for name, value in call.headers:
        if not name.startswith(_IDLE_HEADERS):
            pieces += (name, value)
    for piece in pieces:
        found.update(b"%d:" % len(piece))
        found.update(piece)
    return found.digest()


class SingleFlight:
    """Lets identical calls share one upstream call.

    What the caller of :meth:`join` must see to:

    * ``start`` runs in a task of its own, once and only for the call that opens the flight, which so learns that it
      leads. It outlives the leader when others listen: it must work on a ``Call`` with a ``Record`` of its own. The
      leader's record takes over that record's ``attempts``, ``target``, ``provider`` and ``vendor`` when ``join``
      returns or raises; of an attempt that goes on without the leader, a copy whose outcome is ``caller_gone``.
    * A follower's record gets ``target``, ``provider`` and ``vendor`` from ``answer.target`` and no attempts: no
      upstream was called for it. Its usage is read from the frames as ever, and costs nothing upstream. The time it
      spent waiting in ``join`` and for frames is no overhead of ours.
    * Everyone gets an ``Answer`` and ``frames`` of its own; ``Whole`` and ``Frame`` objects are shared and must be
      replaced, never changed. Each closes its own frames; the upstream is let go when the last has.
    * The deadline in force is the leader's, which is never later than a follower's on the same route.

    Args:
        limit: bytes of a stream kept for those who join later, and how far a listener may fall behind the others.
    """

    def __init__(self, limit: int = _LIMIT) -> None:
        self._limit = limit
        self._flights: dict[bytes, _Flight] = {}

    def __len__(self) -> int:
        """How many flights can be joined."""
        return len(self._flights)

    async def join(self, key: bytes, start: Start) -> Answer:
        """Return the answer of the flight of ``key``, opening one with ``start`` when there is none to join.

        A stream is heard from its first frame, however late one joins. A listener that falls behind by more than the
        limit gets ``UpstreamInterrupted``, so that it holds up nobody.

        Raises:
            MainstayError: what ``start`` raised, as an object of this waiter's own.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = _Flight(self._flights, key, self._limit)
            flight.open(start)
        share = flight.listen()
        answer: Answer | None = None
        try:
            answer = await share.answer()
        finally:
            if answer is None or answer.frames is None:
                await share.aclose()
        return answer


class _Flight:
    """One upstream call and those who listen to it."""

    def __init__(self, flights: dict[bytes, "_Flight"], key: bytes, limit: int) -> None:
        self._flights = flights
        self._key = key
        self._limit = limit
        self._task: asyncio.Task[None] | None = None
        self._shares: set[_Share] = set()
        #: Everything so far, for those who join later; dropped at the limit.
        self._history: list[tuple[Sequence[Frame], int]] = []
        self._size = 0
        self._hungry: asyncio.Future[None] | None = None
        self.answer: Answer | None = None
        self.over = False
        self.error: BaseException | None = None

    def open(self, start: Start) -> None:
        self._flights[self._key] = self
        self._task = asyncio.get_running_loop().create_task(self._fly(start))
        self._task.add_done_callback(self._land)

    def listen(self) -> "_Share":
        share = _Share(self, self._history)
        self._shares.add(share)
        return share

    async def leave(self, share: "_Share") -> None:
        """Let ``share`` go. The last one out stops the upstream, and returns when it has stopped."""
        self._shares.discard(share)
        self.resume()
        if not self._shares:
            self._close_door()
            if self._task is not None and not self._task.done():
                self._task.cancel()
                await asyncio.wait((self._task,))

    def resume(self) -> None:
        """Read on, if the upstream was waiting for its listeners."""
        if self._hungry is not None and not self._hungry.done():
            self._hungry.set_result(None)

    async def _fly(self, start: Start) -> None:
        answer = await start()
        self.answer = answer
        frames = answer.frames
        if frames is None:
            return
        self._wake()
        try:
            async for batch in frames:
                self._hand_on(tuple(batch))
                while min((share.queued for share in self._shares), default=0) > _AHEAD:
                    self._hungry = asyncio.get_running_loop().create_future()
                    await self._hungry
        finally:
            await frames.aclose()

    def _hand_on(self, batch: Sequence[Frame]) -> None:
        size = sum([_FRAME + (len(frame.wire) or _spoken(frame)) for frame in batch])
        self._size += size
        if self._size <= self._limit:
            self._history.append((batch, size))
        else:
            self._close_door()
            self._history.clear()
        for share in self._shares:
            share.put(batch, size)
        least = min((share.queued for share in self._shares), default=0)
        # The upstream waits for the fastest, which is never cut off.
        for share in [share for share in self._shares if share.queued - least > self._limit]:
            self._shares.discard(share)
            share.cut()

    def _land(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            self.error = UpstreamInterrupted("The shared answer was stopped before its end; ask again.")
        else:
            self.error = task.exception()
        self.over = True
        self._close_door()
        self._history.clear()
        self._wake()

    def _close_door(self) -> None:
        if self._flights.get(self._key) is self:
            del self._flights[self._key]

    def _wake(self) -> None:
        for share in self._shares:
            share.wake()


class _Share:
    """One listener's part in a flight: its frames."""

    __slots__ = ("_error", "_flight", "_left", "_queue", "_waiter", "queued")

    def __init__(self, flight: _Flight, history: list[tuple[Sequence[Frame], int]]) -> None:
        self._flight = flight
        self._queue = deque(history)
        #: Bytes handed on and not yet taken.
        self.queued = sum([size for _, size in history])
        self._waiter: asyncio.Future[None] | None = None
        self._error: MainstayError | None = None
        self._left = False

    async def answer(self) -> Answer:
        flight = self._flight
        while flight.answer is None:
            if flight.over:
                assert flight.error is not None
                _raise(flight.error)
            await self._wait()
        frames = None if flight.answer.frames is None else self
        return msgspec.structs.replace(flight.answer, frames=frames)

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        while not self._queue:
            if self._error is not None:
                raise self._error
            if self._left:
                raise StopAsyncIteration
            if self._flight.over:
                if self._flight.error is not None:
                    _raise(self._flight.error)
                raise StopAsyncIteration
            await self._wait()
        batch, size = self._queue.popleft()
        self.queued -= size
        self._flight.resume()
        return batch

    async def aclose(self) -> None:
        if not self._left:
            self._left = True
            self._queue.clear()
            await self._flight.leave(self)

    def put(self, batch: Sequence[Frame], size: int) -> None:
        self._queue.append((batch, size))
        self.queued += size
        self.wake()

    def cut(self) -> None:
        self._queue.clear()
        self._error = UpstreamInterrupted("The answer was read too slowly to be kept any longer; ask again.")

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None


def _raise(error: BaseException) -> None:
    # Objects of one's own: a traceback grows with every raise, and the stages above may change what they catch.
    if isinstance(error, MainstayError):
        raise copy(error) from error
    raise error


def _spoken(frame: Frame) -> int:
    return sum([len(getattr(event, "text", "")) + len(getattr(event, "arguments", "")) for event in frame.events])
