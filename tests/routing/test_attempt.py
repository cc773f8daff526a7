"""One upstream call: let in or not, noted in the record, told to its target's standing, however it ends."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from mainstay.core.answer import Answer, Whole
from mainstay.core.call import Call
from mainstay.core.errors import (
    ContextOverflow,
    MainstayError,
    Unavailable,
    Unsupported,
    UpstreamBroken,
    UpstreamFailed,
    UpstreamInterrupted,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamTimeout,
)
from mainstay.core.events import Dialect, FinishReason, Frame, TextDelta
from mainstay.core.target import Operation
from mainstay.core.usage import Usage
from mainstay.routing.admission import Admission
from mainstay.routing.attempt import Attempts
from mainstay.routing.limit import Fixed, Outcome, Sample
from mainstay.routing.standing import Credential, Standing
from mainstay.routing.streams import Held
from support.routing import make_call, make_target

A = make_target("a")
WHOLE = Whole(b"{}", Dialect.OPENAI, "id", "m", (FinishReason.STOP,), Usage(70, 30))


class Learns(Fixed):
    """A limit that keeps what it is told."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.samples: list[Sample] = []

    def settle(self, sample: Sample) -> None:
        self.samples.append(sample)


class Clock:
    """Time that goes when it is told to; calls begin at 0."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        for module in ("core.clock", "routing.attempt", "routing.standing"):
            monkeypatch.setattr(f"mainstay.{module}.monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


class Stream:
    """Frames of one word each; an error among them breaks it."""

    def __init__(self, clock: Clock, *steps: str | MainstayError) -> None:
        self.clock, self.steps, self.closed = clock, list(steps), 0

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        self.clock.now += 1.0
        if not self.steps:
            raise StopAsyncIteration
        step = self.steps.pop(0)
        if isinstance(step, MainstayError):
            raise step
        return (Frame((TextDelta(step),), b"{}"),)

    async def aclose(self) -> None:
        self.closed += 1


class Wire:
    """The rest of the line: takes ``seconds``, then answers with ``script`` or raises it."""

    def __init__(self, clock: Clock, script: object = WHOLE, *, seconds: float = 2.0, **attempt: Any) -> None:
        self.clock, self.script, self.seconds, self.fields = clock, script, seconds, attempt
        self.calls: list[Call] = []
        #: What the target's standing said while the call was under way.
        self.in_flight: list[tuple[int, int]] = []
        self.standing: Standing | None = None

    async def __call__(self, call: Call) -> Answer:
        self.calls.append(call)
        assert call.target is not None
        assert call.attempt is not None
        if self.standing is not None:
            self.in_flight.append((self.standing.in_flight, self.standing.outstanding))
        self.clock.now += self.seconds
        for name, value in self.fields.items():
            setattr(call.attempt, name, value)
        if isinstance(self.script, BaseException):
            raise self.script
        if isinstance(self.script, Whole):
            return Answer(call.target, whole=self.script)
        assert isinstance(self.script, Stream)
        return Answer(call.target, frames=self.script)


class Desk:
    """One target with everything that is known of it."""

    def __init__(self, clock: Clock, size: int = 0, **options: Any) -> None:
        self.limit = Learns(size)
        self.door = Admission(self.limit, clock=lambda: clock.now, calls=0) if size else None
        self.standing = Standing(A, Credential(), self.door, draw=lambda: 0.5)
        self.attempts = Attempts({"a": self.standing}, **options)

    async def make(self, call: Call, wire: Wire, cause: str = "first") -> Answer:
        wire.standing = self.standing
        return await self.attempts.make(call, wire, A, cause)

    def run(self, call: Call, wire: Wire, cause: str = "first") -> Answer:
        return asyncio.run(self.make(call, wire, cause))

    def idle(self) -> bool:
        return (self.standing.in_flight, self.standing.outstanding, self.door.in_flight if self.door else 0) == (
            0,
            0,
            0,
        )


def call_at(clock: Clock, **fields: Any) -> Call:
    """A call that began a second ago."""
    call = replace(make_call(fields), started=clock.now, deadline=clock.now + 10.0)
    clock.now += 1.0
    return call


def outcomes(desk: Desk) -> list[Outcome]:
    return [sample.outcome for sample in desk.limit.samples]


def test_a_call_is_noted_before_it_is_sent_and_goes_with_its_target_and_attempt(clock: Clock) -> None:
    desk, wire, call = Desk(clock), Wire(clock), call_at(clock)
    assert desk.run(call, wire, "fallback").target is A
    [sent] = wire.calls
    assert sent.target is A
    assert sent.attempt is call.record.attempts[0]
    assert not sent.paced
    attempt = call.record.attempts[0]
    assert (attempt.target, attempt.provider, attempt.cause, attempt.offset_ms) == ("a", "p-a", "fallback", 1000.0)
    assert (call.record.target, call.record.provider, call.record.vendor) == ("a", "p-a", "openai")


def test_a_paced_route_asks_for_a_stream_whatever_the_caller_wants(clock: Clock) -> None:
    desk, wire = Desk(clock, paced=True), Wire(clock)
    desk.run(call_at(clock), wire)
    assert wire.calls[0].paced


def test_load_counts_while_the_call_is_under_way_and_no_longer(clock: Clock) -> None:
    desk, wire, call = Desk(clock), Wire(clock), call_at(clock, pad="x" * 4000)
    desk.run(call, wire)
    assert wire.in_flight == [(1, len(call.ask.raw) // 4 + 256)]
    assert desk.idle()


def test_past_its_deadline_a_call_asks_nobody(clock: Clock) -> None:
    desk, wire, call = Desk(clock, size=1), Wire(clock), call_at(clock)
    clock.now = call.deadline
    with pytest.raises(UpstreamTimeout):
        desk.run(call, wire)
    assert wire.calls == []
    assert call.record.attempts == []
    assert desk.idle()


def test_a_whole_answer_is_a_success_measured_by_its_first_token_or_else_by_all_of_it(clock: Clock) -> None:
    desk = Desk(clock, size=4)
    desk.run(call_at(clock), Wire(clock, first_ms=500.0))
    assert desk.standing.first_token == pytest.approx(0.5)
    desk.run(call_at(clock), Wire(clock))
    assert desk.standing.first_token == pytest.approx(2.0, abs=0.2)
    first, second = desk.limit.samples
    assert (first.outcome, first.first_token, first.seconds) == (Outcome.OK, 0.5, 2.0)
    assert (first.tokens_in, first.tokens_out) == (70, 30)
    assert (second.first_token, second.seconds) == (None, 2.0)


def test_a_count_of_tokens_says_nothing_of_how_fast_answers_are(clock: Clock) -> None:
    desk = Desk(clock, size=4)
    call = call_at(clock)
    call.ask.operation = Operation.COUNT
    desk.run(call, Wire(clock))
    assert desk.standing.first_token is None
    assert outcomes(desk) == [Outcome.IGNORED]


def test_a_stream_is_alive_at_its_first_token_and_a_success_at_its_end(clock: Clock) -> None:
    desk, call = Desk(clock, size=1), call_at(clock)
    desk.standing.breaker.until = clock.now

    async def go() -> None:
        answer = await desk.make(call, Wire(clock, Stream(clock, "a", "b"), first_ms=250.0))
        assert desk.standing.breaker.state == "closed"
        assert not desk.idle()
        assert answer.frames is not None
        call.record.usage = Usage(7, 3)
        assert len([batch async for batch in answer.frames]) == 2
        await answer.frames.aclose()

    asyncio.run(go())
    assert desk.idle()
    [sample] = desk.limit.samples
    assert (sample.outcome, sample.first_token, sample.seconds) == (Outcome.OK, 0.25, 5.0)
    assert (sample.tokens_in, sample.tokens_out) == (7, 3)


def test_a_stream_that_breaks_is_a_failure_and_an_interruption(clock: Clock) -> None:
    desk = Desk(clock, size=1)

    async def go() -> None:
        answer = await desk.make(call_at(clock), Wire(clock, Stream(clock, "a", UpstreamBroken("junk"))))
        assert answer.frames is not None
        await answer.frames.__anext__()
        with pytest.raises(UpstreamInterrupted) as caught:
            await answer.frames.__anext__()
        assert isinstance(caught.value.__cause__, UpstreamBroken)
        await answer.frames.aclose()

    for opens in (0, 0, 1):
        asyncio.run(go())
        assert desk.standing.breaker.opens == opens
        assert desk.idle()
    assert outcomes(desk) == [Outcome.IGNORED] * 3


def test_a_stream_that_is_left_teaches_nothing_and_is_noted_as_left(clock: Clock) -> None:
    desk, call, stream = Desk(clock, size=1), call_at(clock), Stream(clock, "a", "b")

    async def go() -> None:
        answer = await desk.make(call, Wire(clock, stream))
        assert answer.frames is not None
        await answer.frames.__anext__()
        await answer.frames.aclose()

    asyncio.run(go())
    assert stream.closed == 1
    assert [(a.outcome, a.total_ms) for a in call.record.attempts] == [("caller_gone", 3000.0)]
    assert (desk.standing.breaker.state, desk.standing.first_token) == ("closed", None)
    assert outcomes(desk) == [Outcome.IGNORED]
    assert desk.idle()


def test_what_is_held_back_comes_only_when_it_is_complete(clock: Clock) -> None:
    desk = Desk(clock, size=1, held=True)
    answer = desk.run(call_at(clock), Wire(clock, Stream(clock, "a", "b")))
    assert isinstance(answer.frames, Held)
    assert desk.idle()
    assert outcomes(desk) == [Outcome.OK]


def test_what_is_held_back_and_breaks_is_a_failed_attempt_like_any_other(clock: Clock) -> None:
    desk, call = Desk(clock, size=1, held=True), call_at(clock)
    stream = Stream(clock, "a", UpstreamInterrupted("cut"))
    with pytest.raises(UpstreamInterrupted):
        desk.run(call, Wire(clock, stream))
    assert stream.closed == 1
    assert [(a.outcome, a.total_ms) for a in call.record.attempts] == [("upstream_interrupted", 4000.0)]
    assert desk.idle()


@pytest.mark.parametrize(
    ("error", "outcome", "opens"),
    [
        (UpstreamFailed("x"), Outcome.IGNORED, 1),
        (UpstreamFailed("x", status=503), Outcome.DROPPED, 1),
        (UpstreamTimeout("x"), Outcome.DROPPED, 1),
        (UpstreamRateLimited("x"), Outcome.DROPPED, 0),
        (UpstreamRefused("x"), Outcome.IGNORED, 0),
        (Unavailable("starting"), Outcome.IGNORED, 0),
    ],
)
def test_a_failure_is_noted_and_weighed_by_what_it_is(
    clock: Clock, error: MainstayError, outcome: Outcome, opens: int
) -> None:
    desk = Desk(clock, size=1)
    for _ in range(3):
        call = call_at(clock)
        with pytest.raises(type(error)):
            desk.run(call, Wire(clock, error))
        [attempt] = call.record.attempts
        assert (attempt.outcome, attempt.total_ms) == (error.code, 2000.0)
    assert outcomes(desk) == [outcome] * 3
    assert desk.standing.breaker.opens == opens
    assert desk.idle()


def test_a_timeout_counts_as_a_first_token_at_least_so_late(clock: Clock) -> None:
    desk = Desk(clock)
    with pytest.raises(UpstreamTimeout):
        desk.run(call_at(clock), Wire(clock, UpstreamTimeout("x"), seconds=8.0))
    assert desk.standing.first_token == pytest.approx(8.0)


def test_what_the_provider_noted_of_a_failure_stays(clock: Clock) -> None:
    desk, call = Desk(clock), call_at(clock)
    with pytest.raises(UpstreamFailed):
        desk.run(call, Wire(clock, UpstreamFailed("x", status=504), status=529, total_ms=1500.0))
    [attempt] = call.record.attempts
    assert (attempt.outcome, attempt.status, attempt.total_ms) == ("upstream_failed", 529, 1500.0)


def test_an_engine_that_starts_is_noted_as_the_503_it_is(clock: Clock) -> None:
    desk, call = Desk(clock), call_at(clock)
    with pytest.raises(Unavailable):
        desk.run(call, Wire(clock, Unavailable("starting")))
    assert call.record.attempts[0].status == 503


def test_a_call_that_was_refused_before_it_was_sent_is_no_attempt(clock: Clock) -> None:
    desk, call = Desk(clock, size=1), call_at(clock)
    with pytest.raises(Unsupported):
        desk.run(call, Wire(clock, Unsupported("no tools")))
    assert call.record.attempts == []
    assert desk.idle()
    assert outcomes(desk) == [Outcome.IGNORED]


def test_a_callers_fault_that_the_upstream_found_is_an_attempt(clock: Clock) -> None:
    desk, call = Desk(clock), call_at(clock)
    with pytest.raises(ContextOverflow):
        desk.run(call, Wire(clock, ContextOverflow("too long"), status=400))
    assert [(a.outcome, a.status) for a in call.record.attempts] == [("context_length_exceeded", 400)]


def test_a_caller_who_leaves_before_the_answer_is_noted_and_frees_the_room(clock: Clock) -> None:
    desk, call = Desk(clock, size=1), call_at(clock)
    desk.standing.breaker.until = clock.now
    with pytest.raises(asyncio.CancelledError):
        desk.run(call, Wire(clock, asyncio.CancelledError()))
    assert [(a.outcome, a.total_ms) for a in call.record.attempts] == [("caller_gone", 2000.0)]
    assert desk.standing.breaker.state == "open", "the call was the probe, and told nothing: the next one is"
    assert desk.standing.usable(clock.now)
    assert outcomes(desk) == [Outcome.IGNORED]
    assert desk.idle()


def test_where_there_is_no_room_nothing_is_sent_or_noted(clock: Clock) -> None:
    desk, call = Desk(clock, size=1), call_at(clock)
    assert desk.door is not None
    ticket = desk.door.enter(make_call(), 1)
    wire = Wire(clock)
    with pytest.raises(Unavailable) as caught:
        desk.run(call, wire)
    assert caught.value.code == "overloaded"
    assert (wire.calls, call.record.attempts, desk.standing.in_flight) == ([], [], 0)
    assert ticket is not None


def test_waiting_for_room_is_counted_as_waiting() -> None:
    async def go() -> None:
        door = Admission(Fixed(1), clock=asyncio.get_running_loop().time)
        attempts = Attempts({"a": Standing(A, Credential(), door)})
        call, held = make_call(), door.enter(make_call(), 1)
        assert held is not None

        async def onward(call: Call) -> Answer:
            return Answer(A, whole=WHOLE)

        waiting = asyncio.ensure_future(attempts.make(call, onward, A, "first"))
        while not door.waiting:
            await asyncio.sleep(0)
        assert call.record.attempts == []
        held.leave(Outcome.OK, first_token=None, seconds=1.0, tokens_in=1, tokens_out=1)
        await waiting
        assert call.record.queued_ms > 0
        # The wait is not the upstream's: it lies before the attempt.
        assert call.record.attempts[0].offset_ms >= call.record.queued_ms

    asyncio.run(go())
