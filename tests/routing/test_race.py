"""Two copies of one call: the first to answer serves, the other is stopped and both are told of."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from mainstay.core.answer import Answer
from mainstay.core.call import Call
from mainstay.core.clock import monotonic
from mainstay.core.errors import MainstayError, UpstreamFailed
from mainstay.core.events import Frame, TextDelta
from mainstay.core.record import Attempt
from mainstay.core.target import Target
from mainstay.routing.hedge import Hedge
from mainstay.routing.race import race
from support.routing import make_call, make_target

A, B = make_target("a"), make_target("b")


class Open:
    """Frames of an answer; notes that it was let go."""

    closed = False

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        return [Frame((TextDelta("a"),))]

    async def aclose(self) -> None:
        self.closed = True


class Upstreams:
    """Each cause of a call has an event that lets it answer, and what it answers with."""

    def __init__(self, call: Call, **outcomes: MainstayError | None) -> None:
        self.call = call
        self.outcomes = outcomes
        self.go = {"first": asyncio.Event(), "hedge": asyncio.Event()}
        self.asked: list[tuple[str, str]] = []
        self.stopped: list[str] = []
        self.frames = {"first": Open(), "hedge": Open()}

    async def ask(self, target: Target, cause: str) -> Answer:
        self.asked.append((target.model, cause))
        attempt = Attempt(target=target.model, cause=cause)
        self.call.record.attempts.append(attempt)
        if cause == "hedge" and "asked" in self.go:
            self.go["asked"].set()
        try:
            await self.go[cause].wait()
        except asyncio.CancelledError:
            self.stopped.append(cause)
            attempt.outcome = "caller_gone"
            raise
        outcome = self.outcomes.get(cause)
        if outcome is not None:
            attempt.outcome = outcome.code
            raise outcome
        attempt.first_ms = 1.0
        return Answer(target, frames=self.frames[cause])


def learnt() -> Hedge:
    """A hedge that knows first tokens to come within 20 ms, and has copies to spend."""
    hedge = Hedge(0.5)
    for _ in range(100):
        hedge.delay("a", monotonic())
        hedge.observe("a", 0.001)
    return hedge


def test_a_call_that_begins_in_time_is_sent_once() -> None:
    async def run() -> None:
        call = make_call()
        upstreams = Upstreams(call)
        upstreams.go["first"].set()
        answer = await race(call, upstreams.ask, learnt(), A, B)
        assert answer.target is A
        assert upstreams.asked == [("a", "first")]

    asyncio.run(run())


def test_a_late_call_is_sent_again_and_the_first_to_answer_serves() -> None:
    async def run() -> None:
        call = make_call()
        upstreams = Upstreams(call)
        upstreams.go["hedge"].set()
        answer = await race(call, upstreams.ask, learnt(), A, B)
        assert answer.target is B
        assert upstreams.asked == [("a", "first"), ("b", "hedge")]
        assert upstreams.stopped == ["first"]
        assert [(a.target, a.outcome) for a in call.record.attempts] == [("a", "outrun"), ("b", "")]

    asyncio.run(run())


def test_the_first_copy_may_still_win_and_then_stands_last_in_the_record() -> None:
    async def run() -> None:
        call = make_call()
        upstreams = Upstreams(call)
        upstreams.go["asked"] = upstreams.go["first"]
        answer = await race(call, upstreams.ask, learnt(), A, B)
        assert answer.target is A
        assert upstreams.stopped == ["hedge"]
        assert [(a.target, a.outcome) for a in call.record.attempts] == [("b", "outrun"), ("a", "")]

    asyncio.run(run())


def test_when_one_copy_fails_the_other_is_waited_for() -> None:
    async def run() -> None:
        call = make_call()
        upstreams = Upstreams(call, hedge=UpstreamFailed("second"))
        upstreams.go["hedge"].set()
        racing = asyncio.ensure_future(race(call, upstreams.ask, learnt(), A, B))
        while not any(attempt.outcome for attempt in call.record.attempts):
            await asyncio.sleep(0)
        upstreams.go["first"].set()
        assert (await racing).target is A

    asyncio.run(run())


def test_when_both_fail_the_first_cause_is_told() -> None:
    async def run() -> None:
        call = make_call()
        upstreams = Upstreams(call, first=UpstreamFailed("first"), hedge=UpstreamFailed("second"))
        upstreams.go["hedge"].set()
        upstreams.go["asked"] = upstreams.go["first"]
        with pytest.raises(UpstreamFailed, match="first"):
            await race(call, upstreams.ask, learnt(), A, B)

    asyncio.run(run())


def test_a_caller_who_leaves_stops_both() -> None:
    async def run() -> None:
        call = make_call()
        upstreams = Upstreams(call)
        asked = upstreams.go["asked"] = asyncio.Event()
        racing = asyncio.ensure_future(race(call, upstreams.ask, learnt(), A, B))
        await asked.wait()
        racing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await racing
        assert sorted(upstreams.stopped) == ["first", "hedge"]

    asyncio.run(run())


def test_an_answer_that_came_too_late_to_be_stopped_is_let_go() -> None:
    async def run() -> None:
        call = make_call()
        upstreams = Upstreams(call)
        # Both answer in the same turn of the loop.
        upstreams.go["asked"] = upstreams.go["first"]
        upstreams.go["hedge"].set()
        answer = await race(call, upstreams.ask, learnt(), A, B)
        losing = "hedge" if answer.target is A else "first"
        assert upstreams.frames[losing].closed or upstreams.stopped == [losing]

    asyncio.run(run())
