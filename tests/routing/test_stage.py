"""The loop over attempts: who is asked, in which order, when it stops, and what the record says of it."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from mainstay.core.answer import Answer
from mainstay.core.call import Call, Caller
from mainstay.core.clock import monotonic
from mainstay.core.errors import (
    CallerError,
    ContentFiltered,
    ContextOverflow,
    MainstayError,
    PolicyDenied,
    Unavailable,
    Unsupported,
    UpstreamCredential,
    UpstreamFailed,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from mainstay.core.events import Frame, TextDelta
from mainstay.core.record import Record
from mainstay.core.seal import mark
from mainstay.core.target import Target
from mainstay.core.timeouts import Timeouts
from mainstay.core.usage import Usage
from mainstay.providers.openai import read_ask
from mainstay.routing.first import First
from mainstay.routing.progress import Rules
from mainstay.routing.resort import LastModel, LastWords
from mainstay.routing.single_flight import SingleFlight
from mainstay.routing.stage import Route
from mainstay.routing.standing import Credential, Standing

A, B, C = (Target(name, f"p-{name}", "openai", name) for name in "abc")
WIDE = Target("wide", "p-w", "openai", "wide", window=100_000)


def make_call(stream: bool = False, left: float = 10.0) -> Call:
    body = {"model": "r", "messages": [{"role": "user", "content": "x"}], "stream": stream}
    started = monotonic()
    record = Record.opened("chat", "POST", "/v1/chat/completions")
    return Call(read_ask(json.dumps(body).encode()), record, Caller("k"), "r", (), started, started + left, Timeouts())


class Wire:
    """The rest of the line: answers, or raises what is scripted for the target: one thing per attempt, or always."""

    def __init__(self, **scripts: MainstayError | BaseException | list[MainstayError | None]) -> None:
        self.scripts = scripts
        self.asked: list[str] = []

    async def __call__(self, call: Call) -> Answer:
        assert call.target is not None
        assert call.attempt is call.record.attempts[-1]
        self.asked.append(call.target.model)
        script = self.scripts.get(call.target.model)
        if isinstance(script, list):
            script = script.pop(0) if len(script) > 1 else script[0]
        if script is not None:
            if not isinstance(script, CallerError) and isinstance(script, MainstayError):
                call.attempt.status = script.status
            raise script
        return Answer(call.target)


class Pauses:
    """Notes each wait and does not wait."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def standing(target: Target) -> Standing:
    return Standing(target, Credential(), draw=lambda: 0.5)


def make_route(
    *fallback: Target,
    targets: Sequence[Target] = (A,),
    attempts: int = 4,
    last_resort: str | None = None,
    pauses: Pauses | None = None,
    standings: dict[str, Standing] | None = None,
    **more: Any,
) -> Route:
    return Route(
        First(),
        targets,
        standings or {target.model: standing(target) for target in (A, B, C, WIDE)},
        fallback,
        Rules(attempts, **{name: more.pop(name) for name in ("patience", "filtered_elsewhere") if name in more}),
        resort=LastWords(last_resort) if last_resort is not None else None,
        draw=lambda: 0.5,
        pause=pauses or Pauses(),
        **more,
    )


def go(route: Route, wire: Wire, call: Call | None = None) -> Answer:
    return asyncio.run(route(call or make_call(), wire))


def attempts(call: Call) -> list[tuple[str, str, str, str]]:
    return [(a.target, a.provider, a.cause, a.outcome) for a in call.record.attempts]


def test_with_one_attempt_a_target_is_asked_once_and_its_error_is_the_callers() -> None:
    wire, call = Wire(a=UpstreamFailed("no")), make_call()
    with pytest.raises(UpstreamFailed):
        go(make_route(attempts=1), wire, call)
    assert wire.asked == ["a"]
    assert attempts(call) == [("a", "p-a", "first", "upstream_failed")]
    assert call.record.attempts[0].total_ms >= 0


def test_targets_then_fallbacks_are_asked_until_one_answers() -> None:
    wire, call = Wire(a=UpstreamFailed("no"), b=UpstreamRateLimited("no")), make_call()
    answer = go(make_route(C, targets=(A, B), attempts=3), wire, call)
    assert answer.target is C
    assert attempts(call) == [
        ("a", "p-a", "first", "upstream_failed"),
        ("b", "p-b", "fallback", "upstream_rate_limited"),
        ("c", "p-c", "fallback", ""),
    ]
    assert (call.record.target, call.record.provider, call.record.vendor) == ("c", "p-c", "openai")


def test_who_sealed_reasoning_last_is_asked_first_among_the_targets_and_not_among_the_fallbacks() -> None:
    for makers, asked in ((("p-b",), ["b", "a", "c"]), (("p-b", "p-a"), ["a", "b", "c"]), (("p-c",), ["a", "b", "c"])):
        blocks = [{"type": "thinking", "thinking": "", "signature": f"responses:rs:{mark(one, 'g')}"} for one in makers]
        said = {"role": "assistant", "content": "x", "thinking_blocks": blocks}
        body = {"model": "r", "messages": [{"role": "user", "content": "x"}, said]}
        ask = read_ask(json.dumps(body).encode())
        for one in (ask, ask.asking(ask.prompt)):
            wire = Wire(**{name: UpstreamFailed("no") for name in "abc"})
            with contextlib.suppress(UpstreamFailed):
                go(make_route(C, targets=(A, B), attempts=3), wire, replace(make_call(), ask=one))
            assert wire.asked == asked


def test_a_fallback_to_the_same_model_is_no_other_target() -> None:
    wire = Wire(a=UpstreamFailed("no"))
    with pytest.raises(UpstreamFailed):
        go(make_route(A, A, attempts=1), wire)
    assert wire.asked == ["a"]


def test_there_are_no_more_attempts_than_allowed() -> None:
    wire = Wire(a=UpstreamFailed("no"), b=UpstreamFailed("no"))
    with pytest.raises(UpstreamFailed):
        go(make_route(B, C, attempts=2), wire)
    assert wire.asked == ["a", "b"]


@pytest.mark.parametrize("error", [UpstreamRefused("bad field"), ContentFiltered("not this")])
def test_a_fault_of_the_callers_is_told_at_once(error: MainstayError) -> None:
    wire = Wire(a=error)
    with pytest.raises(type(error)):
        go(make_route(B, last_resort="sorry"), wire)
    assert wire.asked == ["a"]


@pytest.mark.parametrize(
    "error", [Unsupported("no tools"), UpstreamCredential("key"), UpstreamTimeout("late"), Unavailable("starting")]
)
def test_what_another_target_could_do_goes_on_to_it(error: MainstayError) -> None:
    wire = Wire(a=error)
    assert go(make_route(B), wire).target is B


def test_the_first_cause_is_what_the_caller_hears() -> None:
    wire = Wire(a=UpstreamRateLimited("first", retry_after=7), b=UpstreamFailed("second"))
    with pytest.raises(UpstreamRateLimited) as caught:
        go(make_route(B), wire)
    assert caught.value.retry_after == 7


def test_after_the_deadline_nobody_is_asked() -> None:
    for route in (make_route(), make_route(B)):
        wire, call = Wire(), make_call(left=0.0)
        with pytest.raises(UpstreamTimeout):
            go(route, wire, call)
        assert wire.asked == []
        assert call.record.attempts == []


def test_a_caller_who_leaves_ends_the_loop_and_is_noted() -> None:
    wire, call = Wire(a=asyncio.CancelledError()), make_call()
    with pytest.raises(asyncio.CancelledError):
        go(make_route(B, last_resort="sorry"), wire, call)
    assert wire.asked == ["a"]
    assert attempts(call) == [("a", "p-a", "first", "caller_gone")]


def test_an_engine_that_starts_is_noted_as_a_503() -> None:
    call = make_call()
    with pytest.raises(Unavailable):
        go(make_route(), Wire(a=Unavailable("starting")), call)
    assert [attempt.status for attempt in call.record.attempts] == [503, 503, 503]


@pytest.mark.parametrize("stream", [False, True])
def test_the_last_words_of_a_route_are_nobodys_model(stream: bool) -> None:
    call = make_call(stream)
    answer = go(
        make_route(B, last_resort="Sorry."),
        Wire(a=UpstreamFailed("no"), b=UpstreamFailed("no")),
        call,
    )
    assert (answer.target.model, answer.target.provider, answer.target.vendor) == (
        "last_resort",
        "mainstay",
        "mainstay",
    )
    assert len(call.record.attempts) == 4

    async def events() -> Sequence[Any]:
        if answer.whole is not None:
            return answer.whole.events
        assert answer.frames is not None
        return [event async for batch in answer.frames for frame in batch for event in frame.events]

    found = asyncio.run(events())
    assert TextDelta("Sorry.") in found
    assert found[-1].usage == Usage()
    assert (answer.whole is None) is stream


def test_a_caller_who_asks_what_no_target_can_do_gets_no_last_words() -> None:
    with pytest.raises(Unsupported):
        go(make_route(B, last_resort="Sorry."), Wire(a=Unsupported("no"), b=Unsupported("no")))


# What the sixteen faults demand of one call.


def test_a_rate_limit_is_waited_out_and_the_same_target_asked_again() -> None:
    wire, pauses = Wire(a=[UpstreamRateLimited("no", retry_after=2.0), None]), Pauses()
    assert go(make_route(B, pauses=pauses), wire).target is A
    assert wire.asked == ["a", "a"]
    assert len(pauses.seconds) == 1
    assert 2.0 <= pauses.seconds[0] < 2.2


def test_a_rate_limit_beyond_patience_goes_elsewhere_at_once_and_shuts_the_target_for_all() -> None:
    wire, pauses, call = Wire(a=UpstreamRateLimited("no", retry_after=30.0)), Pauses(), make_call()
    route = make_route(B, pauses=pauses)
    assert go(route, wire, call).target is B
    assert pauses.seconds == []
    assert go(route, wire).target is B
    assert wire.asked == ["a", "b", "b"]


def test_a_target_that_wants_more_patience_than_there_is_is_not_asked_and_the_caller_told_when() -> None:
    wire = Wire(a=UpstreamRateLimited("no", retry_after=30.0))
    route = make_route()
    for _ in range(2):
        with pytest.raises(UpstreamRateLimited) as caught:
            go(route, wire)
        assert 25 < (caught.value.retry_after or 0) <= 30
    assert wire.asked == ["a"]


def test_a_rate_limit_without_a_time_is_backed_off_from_and_never_hammered() -> None:
    wire, pauses = Wire(a=UpstreamRateLimited("no")), Pauses()
    assert go(make_route(B, pauses=pauses), wire).target is B
    assert wire.asked == ["a", "a", "a", "b"]
    assert all(seconds >= 0.25 for seconds in pauses.seconds)


def test_one_failure_is_tried_once_more_on_the_same_target() -> None:
    wire = Wire(a=[UpstreamFailed("no"), None])
    assert go(make_route(B), wire).target is A
    assert wire.asked == ["a", "a"]


def test_a_lost_connection_is_tried_again_without_waiting() -> None:
    wire, pauses = Wire(a=[UpstreamUnreachable("no"), None]), Pauses()
    assert go(make_route(B, pauses=pauses), wire).target is A
    assert pauses.seconds == []


def test_one_attempt_is_kept_for_each_fallback() -> None:
    wire = Wire(a=UpstreamFailed("no"), b=UpstreamFailed("no"))
    assert go(make_route(B, C, attempts=4), wire).target is C
    assert wire.asked == ["a", "a", "b", "c"]


def test_a_silent_target_is_not_asked_again() -> None:
    wire = Wire(a=UpstreamTimeout("late"))
    with pytest.raises(UpstreamTimeout):
        go(make_route(attempts=16), wire)
    assert wire.asked == ["a"]


def test_a_context_too_small_goes_to_a_larger_window_only() -> None:
    wire = Wire(a=ContextOverflow("too long"), b=UpstreamFailed("never asked"))
    assert go(make_route(B, WIDE), wire).target is WIDE
    assert wire.asked == ["a", "wide"]


def test_a_filtered_request_is_shown_to_nobody_else_unless_the_route_says_so() -> None:
    wire = Wire(a=ContentFiltered("no"))
    with pytest.raises(ContentFiltered):
        go(make_route(B), wire)
    assert wire.asked == ["a"]
    assert go(make_route(B, filtered_elsewhere=True), Wire(a=ContentFiltered("no"))).target is B


def test_a_refusal_after_a_failure_is_not_what_the_caller_hears() -> None:
    with pytest.raises(UpstreamFailed):
        go(make_route(B), Wire(a=UpstreamFailed("down"), b=UpstreamRefused("prefill is not supported")))


def test_a_target_that_fails_three_times_is_left_alone_while_another_serves() -> None:
    wire, route = Wire(a=UpstreamFailed("down")), make_route(B)
    for _ in range(5):
        assert go(route, wire).target is B
    assert wire.asked.count("a") == 3


def test_with_every_breaker_open_the_least_bad_target_is_still_asked_once() -> None:
    standings = {target.model: standing(target) for target in (A, B)}
    route, wire = make_route(B, standings=standings), Wire(a=UpstreamFailed("no"), b=UpstreamFailed("no"))
    for _ in range(4):
        with pytest.raises(UpstreamFailed):
            go(route, wire)
    assert {standings[name].breaker.state for name in "ab"} == {"open"}
    before = len(wire.asked)
    with pytest.raises(UpstreamFailed):
        go(route, wire)
    assert before < len(wire.asked) <= before + 2


def test_under_total_failure_retries_add_less_than_a_tenth() -> None:
    wire, route = Wire(a=UpstreamFailed("down")), make_route()

    async def many() -> None:
        for _ in range(1000):
            with pytest.raises(UpstreamFailed):
                await route(make_call(), wire)

    asyncio.run(many())
    assert 1000 <= len(wire.asked) <= 1100


def test_ten_thousand_faults_of_callers_open_nothing() -> None:
    standings = {"a": standing(A)}
    wire, route = Wire(a=UpstreamRefused("bad field")), make_route(standings=standings)

    async def many() -> None:
        for _ in range(10_000):
            with pytest.raises(UpstreamRefused):
                await route(make_call(), wire)

    asyncio.run(many())
    assert standings["a"].breaker.state == "closed"


def test_a_refused_credential_shuts_every_model_behind_it() -> None:
    credential = Credential()
    standings = {target.model: Standing(target, credential) for target in (A, B)} | {"c": standing(C)}
    wire = Wire(a=UpstreamCredential("key"))
    route = make_route(B, C, standings=standings)
    assert go(route, wire).target is C
    assert go(route, wire).target is C
    assert wire.asked == ["a", "c", "c"]


def test_nothing_is_in_flight_after_calls_of_every_kind() -> None:
    standings = {target.model: standing(target) for target in (A, B)}
    for script in (UpstreamFailed("x"), UpstreamRefused("x"), Unsupported("x"), asyncio.CancelledError(), None):
        with contextlib.suppress(MainstayError, asyncio.CancelledError):
            go(make_route(B, standings=standings), Wire(a=[script] if script is None else script))
    assert [(s.in_flight, s.outstanding) for s in standings.values()] == [(0, 0), (0, 0)]


# Identical calls that share one upstream call.


class Clock:
    """Time that goes when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        for module in ("core.clock", "routing.stage", "routing.attempt", "routing.standing"):
            monkeypatch.setattr(f"mainstay.{module}.monotonic", lambda: self.now)


class Flow:
    """A stream that yields what is put, until None."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[str | None] = asyncio.Queue()

    async def __call__(self, call: Call) -> Answer:
        assert call.target is not None
        return Answer(call.target, frames=self)

    def __aiter__(self) -> "Flow":
        return self

    async def __anext__(self) -> Sequence[Frame]:
        text = await self.queue.get()
        if text is None:
            raise StopAsyncIteration
        return (Frame((TextDelta(text),)),)

    async def aclose(self) -> None:
        pass


async def hear(answer: Answer, batches: int | None = None) -> int:
    """Read so many batches, or all; return how many there were."""
    assert answer.frames is not None
    heard = 0
    while batches is None or heard < batches:
        try:
            await answer.frames.__anext__()
        except StopAsyncIteration:
            break
        heard += 1
    return heard


def make_flight(monkeypatch: pytest.MonkeyPatch) -> tuple[Clock, Flow, Route, Call, Call]:
    clock = Clock(monkeypatch)
    calls = [make_call(stream=True) for _ in range(2)]
    raw = calls[0].ask.raw.replace(b'"stream"', b'"temperature":0,"stream"')
    leader, follower = (replace(call, ask=read_ask(raw), started=clock.now, deadline=clock.now + 10) for call in calls)
    return clock, Flow(), make_route(flights=SingleFlight()), leader, follower


def test_waiting_for_frames_that_another_call_pays_for_is_no_overhead(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, flow, route, leader, follower = make_flight(monkeypatch)

    async def main() -> None:
        led, followed = await route(leader, flow), await route(follower, flow)
        for text in ("a", "b", None):
            clock.now += 1.0
            flow.queue.put_nowait(text)
            assert await hear(led, 1) == await hear(followed, 1) == (text is not None)

    asyncio.run(main())
    assert follower.record.attempts == []
    assert follower.record.queued_ms == pytest.approx(3000)
    assert leader.record.queued_ms == 0
    assert [attempt.cause for attempt in leader.record.attempts] == ["first"]


def test_a_listener_that_leaves_has_waited_until_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, flow, route, leader, follower = make_flight(monkeypatch)

    async def main() -> None:
        led, followed = await route(leader, flow), await route(follower, flow)
        assert led.frames is not None
        assert followed.frames is not None
        clock.now += 1.0
        flow.queue.put_nowait("a")
        assert await hear(led, 1) == await hear(followed, 1) == 1
        await followed.frames.aclose()
        clock.now += 1.0
        flow.queue.put_nowait(None)
        assert await hear(led) == 0

    asyncio.run(main())
    assert follower.record.queued_ms == pytest.approx(1000)


def test_the_first_of_them_may_leave_and_its_attempt_ends_there_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, flow, route, leader, follower = make_flight(monkeypatch)

    async def main() -> None:
        led, followed = await route(leader, flow), await route(follower, flow)
        assert led.frames is not None
        clock.now += 2.0
        flow.queue.put_nowait("a")
        assert await hear(led, 1) == 1
        await led.frames.aclose()
        clock.now += 1.0
        flow.queue.put_nowait(None)
        assert await hear(followed) == 1

    asyncio.run(main())
    assert [(a.outcome, a.total_ms) for a in leader.record.attempts] == [("caller_gone", pytest.approx(2000))]
    assert follower.record.queued_ms == pytest.approx(3000)


def forbids(*names: str) -> Callable[[Target], PolicyDenied | None]:
    return lambda target: PolicyDenied(f"not {target.model}") if target.model in names else None


def test_a_target_that_policies_forbid_is_never_asked_whatever_else_fails() -> None:
    wire, call = Wire(a=UpstreamFailed("no"), c=UpstreamFailed("no")), replace(make_call(), forbids=forbids("b"))
    with pytest.raises(UpstreamFailed):
        go(make_route(C, targets=(A, B), attempts=9), wire, call)
    assert set(wire.asked) == {"a", "c"}


def test_the_only_target_the_wished_one_and_the_last_resort_are_forbidden_alike() -> None:
    last = Route(First(), (C,), {"c": standing(C), "a": standing(A)}, rules=Rules(1), resort=LastModel(A))
    for route, call, error in (
        (make_route(), make_call(), PolicyDenied),
        (make_route(wished={"b": B}), replace(make_call(), wished_model="b"), PolicyDenied),
        (last, make_call(), UpstreamFailed),
    ):
        wire = Wire(c=UpstreamFailed("no"))
        with pytest.raises(error):
            go(route, wire, replace(call, forbids=forbids("a", "b")))
        assert set(wire.asked) <= {"c"}


def test_an_answer_is_not_shared_with_a_caller_who_may_not_ask_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    _, flow, route, leader, follower = make_flight(monkeypatch)
    leader, same = replace(leader, forbids=forbids()), replace(follower, forbids=forbids())

    async def main() -> None:
        led, followed = await route(leader, flow), await route(same, flow)
        with pytest.raises(PolicyDenied):
            await route(replace(follower, forbids=forbids("a")), flow)
        flow.queue.put_nowait("x")
        assert await hear(led, 1) == await hear(followed, 1) == 1
        for answer in (led, followed):
            assert answer.frames is not None
            await answer.frames.aclose()

    asyncio.run(main())
    assert same.record.attempts == []
