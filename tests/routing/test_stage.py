"""The loop over attempts: who is asked, in which order, when it stops, and what the record says of it."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from mainstay.core.answer import Answer
from mainstay.core.call import Call, Caller
from mainstay.core.clock import monotonic
from mainstay.core.errors import (
    ContextOverflow,
    MainstayError,
    Unavailable,
    Unsupported,
    UpstreamCredential,
    UpstreamFailed,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamTimeout,
)
from mainstay.core.events import TextDelta
from mainstay.core.record import Record
from mainstay.core.target import Target
from mainstay.core.timeouts import Timeouts
from mainstay.core.usage import Usage
from mainstay.providers.openai import read_ask
from mainstay.routing.first import First
from mainstay.routing.stage import Route

A, B, C = (Target(name, f"p-{name}", "openai", name) for name in "abc")


def make_call(stream: bool = False, left: float = 10.0) -> Call:
    body = {"model": "r", "messages": [{"role": "user", "content": "x"}], "stream": stream}
    started = monotonic()
    record = Record.opened("chat", "POST", "/v1/chat/completions")
    return Call(read_ask(json.dumps(body).encode()), record, Caller("k"), "r", (), started, started + left, Timeouts())


class Wire:
    """The rest of the line: answers, or raises what is scripted for the target."""

    def __init__(self, **errors: MainstayError | BaseException) -> None:
        self.errors = errors
        self.asked: list[str] = []

    async def __call__(self, call: Call) -> Answer:
        assert call.target is not None
        assert call.attempt is call.record.attempts[-1]
        self.asked.append(call.target.model)
        error = self.errors.get(call.target.model)
        if error is not None:
            raise error
        return Answer(call.target)


def go(route: Route, wire: Wire, call: Call | None = None) -> Answer:
    return asyncio.run(route(call or make_call(), wire))


def attempts(call: Call) -> list[tuple[str, str, str, str]]:
    return [(a.target, a.provider, a.cause, a.outcome) for a in call.record.attempts]


def test_one_target_is_asked_once_and_its_error_is_the_callers() -> None:
    wire, call = Wire(a=UpstreamFailed("no")), make_call()
    with pytest.raises(UpstreamFailed):
        go(Route(First(), [A], attempts=4), wire, call)
    assert wire.asked == ["a"]
    assert attempts(call) == [("a", "p-a", "first", "upstream_failed")]
    assert call.record.attempts[0].total_ms >= 0


def test_targets_then_fallbacks_are_asked_until_one_answers() -> None:
    wire, call = Wire(a=UpstreamFailed("no"), b=UpstreamRateLimited("no")), make_call()
    answer = go(Route(First(), [A, B], [C], attempts=4), wire, call)
    assert answer.target is C
    assert attempts(call) == [
        ("a", "p-a", "first", "upstream_failed"),
        ("b", "p-b", "fallback", "upstream_rate_limited"),
        ("c", "p-c", "fallback", ""),
    ]
    assert (call.record.target, call.record.provider, call.record.vendor) == ("c", "p-c", "openai")


def test_no_model_is_asked_twice() -> None:
    wire = Wire(a=UpstreamFailed("no"))
    with pytest.raises(UpstreamFailed):
        go(Route(First(), [A], [A, A], attempts=4), wire)
    assert wire.asked == ["a"]


def test_there_are_no_more_attempts_than_allowed() -> None:
    wire = Wire(a=UpstreamFailed("no"), b=UpstreamFailed("no"))
    with pytest.raises(UpstreamFailed):
        go(Route(First(), [A], [B, C], attempts=2), wire)
    assert wire.asked == ["a", "b"]


@pytest.mark.parametrize("error", [UpstreamRefused("bad field"), ContextOverflow("too long")])
def test_a_fault_of_the_callers_is_told_at_once(error: MainstayError) -> None:
    wire = Wire(a=error)
    with pytest.raises(type(error)):
        go(Route(First(), [A], [B], attempts=4, last_resort="sorry"), wire)
    assert wire.asked == ["a"]


@pytest.mark.parametrize(
    "error", [Unsupported("no tools"), UpstreamCredential("key"), UpstreamTimeout("late"), Unavailable("starting")]
)
def test_what_another_target_could_do_goes_on_to_it(error: MainstayError) -> None:
    wire = Wire(a=error)
    assert go(Route(First(), [A], [B], attempts=4), wire).target is B


def test_the_first_cause_is_what_the_caller_hears() -> None:
    wire = Wire(a=UpstreamRateLimited("first", retry_after=7), b=UpstreamFailed("second"))
    with pytest.raises(UpstreamRateLimited) as caught:
        go(Route(First(), [A], [B], attempts=4), wire)
    assert caught.value.retry_after == 7


def test_after_the_deadline_nobody_is_asked() -> None:
    for route in (Route(First(), [A]), Route(First(), [A], [B], attempts=4)):
        wire, call = Wire(), make_call(left=0.0)
        with pytest.raises(UpstreamTimeout):
            go(route, wire, call)
        assert wire.asked == []
        assert call.record.attempts == []


def test_a_caller_who_leaves_ends_the_loop_and_is_noted() -> None:
    wire, call = Wire(a=asyncio.CancelledError()), make_call()
    with pytest.raises(asyncio.CancelledError):
        go(Route(First(), [A], [B], attempts=4, last_resort="sorry"), wire, call)
    assert wire.asked == ["a"]
    assert attempts(call) == [("a", "p-a", "first", "caller_gone")]


def test_an_engine_that_starts_is_noted_as_a_503() -> None:
    call = make_call()
    with pytest.raises(Unavailable):
        go(Route(First(), [A]), Wire(a=Unavailable("starting")), call)
    assert call.record.attempts[0].status == 503


@pytest.mark.parametrize("stream", [False, True])
def test_the_last_words_of_a_route_are_nobodys_model(stream: bool) -> None:
    call = make_call(stream)
    answer = go(
        Route(First(), [A], [B], attempts=4, last_resort="Sorry."),
        Wire(a=UpstreamFailed("no"), b=UpstreamFailed("no")),
        call,
    )
    assert (answer.target.model, answer.target.provider, answer.target.vendor) == (
        "last_resort",
        "mainstay",
        "mainstay",
    )
    assert len(call.record.attempts) == 2

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
        go(Route(First(), [A], [B], attempts=4, last_resort="Sorry."), Wire(a=Unsupported("no"), b=Unsupported("no")))
