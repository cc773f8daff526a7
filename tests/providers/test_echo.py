"""The echo says what it was told, keeps to its limits, and costs no more than what it says."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.answer import Answer
from mainstay.core.call import Call, Caller
from mainstay.core.clock import monotonic
from mainstay.core.errors import InvalidRequest
from mainstay.core.events import Event, Finished, FinishReason, Metered, Started, TextDelta
from mainstay.core.record import Attempt, Record
from mainstay.core.target import Target
from mainstay.core.timeouts import Timeouts
from mainstay.core.usage import Usage
from mainstay.providers.echo import Echo
from mainstay.providers.openai import read_ask

TARGET = Target("echo", "echo", "echo", "echo-1")


def make_call(content: Any, stream: bool = False, **fields: Any) -> Call:
    messages = content if isinstance(content, list) else [{"role": "user", "content": content}]
    body = {"model": "echo", "messages": messages, "stream": stream, **fields}
    started = monotonic()
    record = Record.opened("chat", "POST", "/v1/chat/completions")
    return Call(read_ask(json.dumps(body).encode()), record, Caller("k"), "echo", (), started, started + 9, Timeouts())


def echo(content: Any, stream: bool = False, **fields: Any) -> tuple[tuple[Event, ...], Attempt]:
    """Return the events of an answer, whole or streamed, and its attempt."""
    attempt = Attempt("echo", "echo", "first")

    async def main() -> tuple[Event, ...]:
        answer = await Echo().answer(make_call(content, stream, **fields), TARGET, attempt)
        if answer.whole is not None:
            return answer.whole.events
        assert answer.frames is not None
        return tuple([event async for batch in answer.frames for frame in batch for event in frame.events])

    return asyncio.run(main()), attempt


def text(events: tuple[Event, ...], choice: int = 0) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta) and event.choice == choice)


BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@BOTH
def test_the_last_user_message_comes_back_and_all_words_are_counted(stream: bool) -> None:
    said = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "first"},
        {"role": "user", "content": [{"type": "text", "text": "one two"}, {"type": "text", "text": " three"}]},
    ]
    events, attempt = echo(said, stream)
    assert text(events) == "one two three"
    assert isinstance(events[0], Started)
    assert (events[0].model, events[-1]) == ("echo-1", Metered(Usage(input=7, output=3)))
    assert (attempt.outcome, attempt.upstream_model) == ("ok", "echo-1")


@BOTH
def test_limits_cut_it_and_say_so(stream: bool) -> None:
    events, _ = echo("one two three four", stream, max_tokens=2)
    assert text(events) == "one two"
    assert Finished(FinishReason.LENGTH) in events
    assert Metered(Usage(input=4, output=2)) in events
    assert text(echo("one two", stream, max_tokens=0)[0]) == ""
    assert Finished(FinishReason.STOP) in echo("one two", stream, max_tokens=2)[0]


@BOTH
def test_a_stop_string_ends_it(stream: bool) -> None:
    events, _ = echo("one STOP two", stream, stop=["", "STOP"])
    assert text(events) == "one "
    assert Finished(FinishReason.STOP_SEQUENCE, stop_sequence="STOP") in events


@BOTH
def test_each_choice_says_the_same(stream: bool) -> None:
    events, _ = echo("one two", stream, n=3)
    assert [text(events, choice) for choice in range(3)] == ["one two"] * 3
    assert [event.choice for event in events if isinstance(event, Finished)] == [0, 1, 2]
    assert events[-1] == Metered(Usage(input=2, output=6))


@pytest.mark.parametrize("n", [129, 1_000_000_000])
def test_a_small_request_cannot_ask_for_a_huge_answer(n: int) -> None:
    with pytest.raises(InvalidRequest) as caught:
        echo("one", n=n)
    assert caught.value.param == "n"


@BOTH
def test_nothing_said_is_nothing_answered(stream: bool) -> None:
    for silence in ("", [{"role": "system", "content": "be brief"}]):
        events, _ = echo(silence, stream)
        assert [type(event) for event in events] == [Started, Finished, Metered]
        assert events[-1].usage.output == 0  # type: ignore[attr-defined]  # it is Metered, see above


@given(st.text(max_size=60), st.booleans(), st.none() | st.integers(0, 8))
def test_whole_and_streamed_say_the_same(words: str, stream: bool, limit: int | None) -> None:
    fields = {} if limit is None else {"max_tokens": limit}
    # A lone surrogate is no JSON that the door lets in.
    content = words.encode("utf-8", "ignore").decode()
    whole, _ = echo(content, False, **fields)
    streamed, _ = echo(content, True, **fields)
    assert text(whole) == text(streamed)
    assert content.startswith(text(whole))
    assert whole[-1] == streamed[-1]
    pieces = sum(isinstance(event, TextDelta) for event in streamed)
    assert isinstance(streamed[-1], Metered)
    assert pieces == streamed[-1].usage.output
    if limit is None:
        assert text(whole) == content


def test_a_stream_that_is_left_early_says_so() -> None:
    attempt = Attempt("echo", "echo", "first")

    async def main() -> Answer:
        answer = await Echo().answer(make_call("one two three", True), TARGET, attempt)
        assert answer.frames is not None
        await anext(answer.frames)
        await answer.frames.aclose()
        await answer.frames.aclose()
        return answer

    asyncio.run(main())
    assert attempt.outcome == "caller_gone"


@BOTH
def test_it_can_be_slow_and_still_be_left(stream: bool) -> None:
    attempt = Attempt("echo", "echo", "first")

    async def take() -> None:
        answer = await Echo(gap=3600).answer(make_call("one two", stream), TARGET, attempt)
        assert answer.frames is not None
        async for _ in answer.frames:
            pass

    async def main() -> None:
        task = asyncio.ensure_future(take())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert attempt.outcome != "ok"
