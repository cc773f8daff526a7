"""Lets calls through to one upstream as its limit allows; those that must wait, wait here. One per worker and upstream.

The asynchronous edge of ``limit`` and ``queue``: it holds futures and timers of the running loop, no task and no lock.
Each worker has its own, so an upstream sees the sum of them. It does not know why a call failed, nor whom else it could
ask.
"""

import asyncio
from collections.abc import Callable, Mapping
from math import ceil

from mainstay.core.call import Call, Priority
from mainstay.core.clock import monotonic
from mainstay.core.errors import Unavailable
from mainstay.routing.limit import BINDING, Limit, Outcome, Sample
from mainstay.routing.queue import Waiter, WaitingRoom, cost

__all__ = ["Admission", "Lag", "Ticket"]

#: Waiting calls keep their bodies: about 32 MiB of prompt at four bytes per token.
_TOKENS = 8_000_000
#: How fast the time and size of a typical call are forgotten.
_SMOOTH = 0.05
#: Seconds in which one answer is enough to learn from: a busy upstream gives thousands a second.
_MOMENT = 0.001
_OK = Outcome.OK
#: Seconds between two looks at how far behind the loop is, and how fast a look is forgotten.
_LOOK = 0.02
_FADE = 0.2


class Lag:
    """How far behind this process's loop is: what arrives lies for about so long before anyone takes it.

    Measured now and then, while calls go out, by how long the loop takes to come round. One for all upstreams.
    """

    __slots__ = ("_clock", "_next", "seconds")

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self.seconds = 0.0
        self._clock = clock
        self._next = 0.0

    def look(self, now: float) -> None:
        """Measure again if it is time to."""
        if now >= self._next:
            self._next = now + _LOOK
            asyncio.get_running_loop().call_soon(self._came_round, now)

    def _came_round(self, since: float) -> None:
        self.seconds += _FADE * (self._clock() - since - self.seconds)


class Ticket:
    """The right of one call to be in flight, to be given back with :meth:`leave`.

    ``sent`` is when it was given (monotonic seconds), ``waited`` how long it was waited for.
    """

    __slots__ = ("_admission", "_in_flight", "_tokens", "_waiter", "sent", "waited")

    def __init__(
        self,
        admission: "Admission",
        tokens: int,
        sent: float,
        in_flight: int,
        waited: float = 0.0,
        waiter: "Waiter[_Place] | None" = None,
    ) -> None:
        self._admission: Admission | None = admission
        self._tokens, self._in_flight, self._waiter = tokens, in_flight, waiter
        self.sent, self.waited = sent, waited

    def leave(
        self,
        outcome: Outcome,
        *,
        first_token: float | None,
        seconds: float,
        tokens_in: int | None,
        tokens_out: int | None,
    ) -> None:
        """Give the room back and say how it went; only the first time counts.

        Args:
            outcome: what it says of the upstream.
            first_token: seconds from sending to the first token; None when it was not streamed or none came.
            seconds: from sending to the end.
            tokens_in: tokens of the prompt, None when they are not known.
            tokens_out: tokens of the answer, None when they are not known.
        """
        admission = self._admission
        if admission is None:
            return
        self._admission = None
        admission._left(self, outcome, first_token, seconds, tokens_in, tokens_out)


class _Place:
    """Where a waiting call is woken."""

    __slots__ = ("future", "since")

    def __init__(self, future: "asyncio.Future[Ticket]", since: float) -> None:
        self.future, self.since = future, since


class Admission:
    """The door to one upstream.

    Args:
        limit: how many calls may be in flight.
        calls: how many may wait.
        tokens: how many tokens they may have together.
        wait: the longest that a call waits, in seconds; its deadline and its first-token limit may allow less.
        shares: weight of a team or of a key without one (by name or id); 1 for all others.
        clock: monotonic seconds.
        lag: how far behind the loop is; None takes it never to be.
    """

    def __init__(
        self,
        limit: Limit,
        *,
        calls: int = 1024,
        tokens: int = _TOKENS,
        wait: float = 10.0,
        shares: Mapping[str, float] | None = None,
        clock: Callable[[], float] = monotonic,
        lag: Lag | None = None,
    ) -> None:
        self.clock = clock
        self._limit = limit
        self._lag = lag
        self._room: WaitingRoom[_Place] = WaitingRoom(calls, tokens)
        self._wait = wait
        self._shares = shares or {}
        self._in_flight = 0
        self._look_at = 0.0
        # Of a typical call; 0 until one was seen.
        self._seconds = self._tokens = self._first = 0.0

    @property
    def limit(self) -> int:
        """Calls that may be in flight."""
        return self._limit.size

    @property
    def in_flight(self) -> int:
        """Calls in flight."""
        return self._in_flight

    @property
    def waiting(self) -> int:
        """Calls that wait."""
        return self._room.count

    def enter(self, call: Call, tokens: int) -> Ticket | None:
        """Let ``call`` through if there is room and nobody waits; None otherwise.

        Args:
            call: who asks.
            tokens: what the call is expected to cost, as ``queue.cost`` counts.
        """
        if self._in_flight >= self._limit.size or self._room.count:
            return None
        self._in_flight += 1
        now = self.clock()
        if self._lag is not None:
            self._lag.look(now)
        return Ticket(self, tokens, now, self._in_flight)

    async def wait(self, call: Call, tokens: int) -> Ticket:
        """Wait until there is room for ``call``.

        Raises:
            Unavailable: ``overloaded``: too many wait, it would be too late, or a call that matters more came.
                ``retry_after`` is when there should be room.
        """
        ticket = self.enter(call, tokens)
        if ticket is not None:
            return ticket
        loop = asyncio.get_running_loop()
        place = _Place(loop.create_future(), self.clock())
        until, waiter = self._queue(call, tokens, place)
        timer = loop.call_later(until - place.since, self._expire, waiter)
        try:
            return await place.future
        except asyncio.CancelledError:
            future = place.future
            # Its turn had come, or it had been refused, before it could notice that it is gone.
            over = not self._room.drop(waiter) and future.done() and not future.cancelled()
            if over and future.exception() is None:
                future.result().leave(Outcome.IGNORED, first_token=None, seconds=0.0, tokens_in=0, tokens_out=0)
            raise
        finally:
            timer.cancel()

    def _queue(self, call: Call, tokens: int, place: _Place) -> tuple[float, Waiter[_Place]]:
        """Give ``call`` a place and say until when it may wait."""
        caller, room = call.caller, self._room
        tenant = caller.team or caller.key
        weight = self._shares.get(caller.team or caller.name) or self._shares.get(tenant, 1.0)
        # Its first token has to come in time after it was let through.
        first_token = call.timeouts.first_token
        patience = min(self._wait, max(first_token - self._first, first_token / 2))
        until = min(place.since + patience, call.deadline)
        expected = self._expected(call.priority, tenant, weight, tokens)
        if until <= place.since:
            raise _overloaded("The call's time ran out before a model had room for it.", expected)
        if place.since + expected > until and not room.lower(call.priority):
            raise _overloaded("The model is overloaded and would answer too late; retry later.", expected)
        if not room.has_room(tokens):
            victims = room.victims(call.priority, tenant, weight, tokens)
            if not victims:
                raise _overloaded("The model is overloaded and too many calls wait for it; retry later.", expected)
            for victim in victims:
                _refuse(
                    victim, _overloaded("The model is overloaded and other calls went first; retry later.", expected)
                )
        return until, room.put(place, call.priority, tenant, weight, tokens, until)

    def _expected(self, priority: Priority, tenant: str, weight: float, tokens: int) -> float:
        """Seconds until a call that begins to wait now is let through; 0 while nothing is known."""
        if not self._tokens:
            return 0.0
        # Little's law: as many as may be in flight, each for its time.
        rate = self._limit.size * self._tokens / self._seconds
        return self._room.ahead(priority, tenant, weight, tokens) / rate

    def _expire(self, waiter: Waiter[_Place]) -> None:
        if self._room.drop(waiter):
            expected = self._room.tokens * self._seconds / (self._limit.size * self._tokens) if self._tokens else 0.0
            _refuse(waiter, _overloaded("The model is overloaded and had no room in time; retry later.", expected))

    def _left(
        self,
        ticket: Ticket,
        outcome: Outcome,
        first_token: float | None,
        seconds: float,
        tokens_in: int | None,
        tokens_out: int | None,
    ) -> None:
        """Take back a ticket, learn from it and let the next ones through."""
        now, in_flight, tokens = self.clock(), ticket._in_flight, ticket._tokens
        self._in_flight -= 1
        # While the limit holds nobody back, some answers teach as much as all of them.
        binding = self._room.count or in_flight >= self._limit.size * BINDING
        if binding or now >= self._look_at or outcome is not _OK:
            self._look_at = now + _MOMENT
            lag = self._lag.seconds if self._lag is not None else 0.0
            self._limit.settle(
                Sample(outcome, ticket.sent, now, in_flight, first_token, seconds, tokens_in, tokens_out, lag)
            )
            if outcome is not Outcome.DROPPED and seconds > 0:
                self._learn(tokens, first_token, seconds)
        if ticket._waiter is not None:
            if tokens_in is not None and tokens_out is not None:
                tokens = cost(tokens_in, tokens_out)
            self._room.settle(ticket._waiter, tokens)
        if self._room.count:
            self._let_through()

    def _learn(self, tokens: int, first_token: float | None, seconds: float) -> None:
        """Remember what a call is like."""
        if not self._tokens:
            self._seconds, self._tokens = seconds, tokens or 1
        self._seconds += _SMOOTH * (seconds - self._seconds)
        self._tokens += _SMOOTH * ((tokens or 1) - self._tokens)
        if first_token is not None:
            self._first += _SMOOTH * (first_token - self._first)

    def _let_through(self) -> None:
        now = self.clock()
        while self._in_flight < self._limit.size:
            waiter = self._room.pick()
            if waiter is None:
                return
            place = waiter.item
            if place.future.done():
                # Cancelled, and not yet run to say so.
                self._room.settle(waiter, 0)
                continue
            self._in_flight += 1
            place.future.set_result(Ticket(self, waiter.tokens, now, self._in_flight, now - place.since, waiter))


def _overloaded(message: str, expected: float) -> Unavailable:
    return Unavailable(message, code="overloaded", retry_after=float(max(1, ceil(expected))))


def _refuse(waiter: Waiter[_Place], error: Unavailable) -> None:
    future = waiter.item.future
    if not future.done():
        future.set_exception(error)
