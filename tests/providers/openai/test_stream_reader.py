"""A stream is read event by event: cheaply where it is plain, rightly where the upstream is not."""

import json
from typing import Any

import pytest

from mainstay.core.errors import (
    ContextOverflow,
    MainstayError,
    UpstreamBroken,
    UpstreamCredential,
    UpstreamFailed,
    UpstreamInterrupted,
    UpstreamRateLimited,
)
from mainstay.core.events import (
    Finished,
    FinishReason,
    Frame,
    Metered,
    Opaque,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSealed,
    ToolDelta,
    ToolStarted,
)
from mainstay.core.sse import SseEvent
from mainstay.core.usage import Usage
from mainstay.providers.openai import OpenAIStreamReader
from support.openai_chunks import chunk, events_of, finish, frames_of, relay

STARTED = Started("chatcmpl-1", "m-1", 1700000000)
ROLE = chunk({"role": "assistant", "content": ""})
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def after_role(*chunks: bytes) -> list[Frame]:
    """Return the frames behind the first of a stream that has begun."""
    return frames_of([ROLE, *chunks, finish()])[1:-1]


def test_a_plain_stream_keeps_its_bytes_beside_its_events() -> None:
    chunks = [ROLE, chunk({"content": "He"}), chunk({"content": "llo"}), finish(usage=USAGE)]
    assert frames_of([*chunks, b"[DONE]"]) == [
        Frame((STARTED,), chunks[0]),
        Frame((TextDelta("He"),), chunks[1]),
        Frame((TextDelta("llo"),), chunks[2]),
        Frame((Finished(FinishReason.STOP, 0, "stop"), Metered(Usage(7, 3))), chunks[3]),
    ]


@pytest.mark.parametrize("delta", [{"role": "assistant"}, {"role": "assistant", "content": None}, {"content": ""}, {}])
def test_a_delta_without_content_is_no_content(delta: dict[str, Any]) -> None:
    assert OpenAIStreamReader().feed(SseEvent(chunk(delta))) == Frame((STARTED,), chunk(delta))


@pytest.mark.parametrize(
    ("delta", "event"),
    [
        ({"reasoning_content": "why"}, ThinkingDelta("why")),
        ({"reasoning_content": "why", "content": None}, ThinkingDelta("why")),
        ({"reasoning": "why"}, ThinkingDelta("why")),
        ({"reasoning": "why", "reasoning_content": "why"}, ThinkingDelta("why")),
        ({"refusal": "no"}, RefusalDelta("no")),
        ({"thinking_blocks": [{"type": "thinking", "signature": "sig", "thinking": ""}]}, ThinkingSealed("sig")),
        ({"thinking_blocks": [{"type": "redacted_thinking", "data": "xyz"}]}, ThinkingSealed(redacted="xyz")),
        ({"content": [{"type": "text", "text": "hi"}]}, TextDelta("hi")),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "why"}]}]}, ThinkingDelta("why")),
    ],
)
def test_each_kind_of_delta_becomes_its_event(delta: dict[str, Any], event: object) -> None:
    assert after_role(chunk(delta)) == [Frame((event,), chunk(delta))]  # type: ignore[arg-type]  # any event will do


def test_reasoning_and_text_in_one_delta_come_in_that_order() -> None:
    assert events_of([ROLE, chunk({"content": "b", "reasoning_content": "a"}), finish()])[1:3] == [
        ThinkingDelta("a"),
        TextDelta("b"),
    ]


def test_choices_interleave_and_end_alone() -> None:
    chunks = [
        ROLE,
        chunk({"role": "assistant", "content": "b"}, index=1),
        chunk({"content": "a"}),
        finish("length", 1),
        chunk({"content": "c"}),
        finish("stop", 0),
    ]
    assert events_of(chunks) == [
        STARTED,
        TextDelta("b", 1),
        TextDelta("a"),
        Finished(FinishReason.LENGTH, 1, "length"),
        TextDelta("c"),
        Finished(FinishReason.STOP, 0, "stop"),
    ]


def test_log_probabilities_travel_with_their_text() -> None:
    def data(content: str | None) -> bytes:
        logprobs = {"content": [{"token": "x", "logprob": -1.0}], "refusal": None}
        return chunk(choices=[{"index": 0, "delta": {"content": content}, "logprobs": logprobs, "finish_reason": None}])

    for content in ("x", None):
        (frame,) = after_role(data(content))
        (event,) = frame.events
        assert isinstance(event, TextDelta)
        assert event.text == (content or "")
        assert event.logprobs is not None
        assert bytes(event.logprobs) == b'{"content": [{"token": "x", "logprob": -1.0}], "refusal": null}'


@pytest.mark.parametrize("place", ["alone", "with the end", "cumulative", "twice", "without choices"])
def test_usage_is_read_wherever_it_stands_and_the_last_counts(place: str) -> None:
    less = {"prompt_tokens": 7, "completion_tokens": 1}
    streams = {
        "alone": [ROLE, finish(usage=None), chunk(choices=[], usage=USAGE)],
        "with the end": [ROLE, finish(usage=USAGE)],
        "cumulative": [chunk(usage=less), finish(usage=USAGE)],
        "twice": [ROLE, finish(), chunk(choices=[], usage=less), chunk(choices=[], usage=USAGE)],
        "without choices": [ROLE, finish(), json.dumps({"id": "x", "usage": USAGE}).encode()],
    }
    metered = [event for event in events_of(streams[place]) if isinstance(event, Metered)]
    assert metered[-1] == Metered(Usage(7, 3))


def test_counts_of_an_unknown_shape_do_not_cost_the_answer() -> None:
    data = chunk({"content": "x"}, usage={"prompt_tokens": "many"})
    assert after_role(data) == [Frame((TextDelta("x"),), data)]


def test_an_id_that_changes_is_kept_as_it_began_and_the_rest_survives() -> None:
    (frame,) = after_role(chunk({"content": "x"}, id="chatcmpl-2", model="m-2", created=9, new=[1.0]))
    assert frame.events == (TextDelta("x"),)
    assert json.loads(frame.wire) == json.loads(chunk({"content": "x"}, new=[1.0]))


def test_an_id_that_comes_late_is_not_taken_away() -> None:
    first = chunk(choices=[], id="", model="", created=0, prompt_filter_results=[])
    frames = frames_of([first, ROLE, finish()])
    assert [frame.wire for frame in frames] == [first, ROLE, finish()]


def test_unknown_fields_of_the_first_and_last_chunks_are_kept_as_events() -> None:
    first = chunk({"role": "assistant", "odd": 1.0}, system_fingerprint="fp")
    last = chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop", "filter": {}}], timings={"ms": 1.5})
    found = [json.loads(bytes(event.payload)) for event in events_of([first, last]) if isinstance(event, Opaque)]
    assert found == [
        {"answer": {"system_fingerprint": "fp"}},
        {"message": {"odd": 1.0}},
        {"answer": {"timings": {"ms": 1.5}}},
        {"choice": {"filter": {}}},
    ]


def test_a_whole_answer_in_one_chunk_is_read() -> None:
    assert events_of([chunk({"content": "x"}, finish="stop")]) == [
        STARTED,
        TextDelta("x"),
        Finished(FinishReason.STOP, 0, "stop"),
    ]


@pytest.mark.parametrize("end", [[b"[DONE]"], [b"[DONE]", b"[DONE]"], [b" [DONE]"], []])
def test_done_may_come_once_twice_or_never(end: list[bytes]) -> None:
    assert len(frames_of([ROLE, finish(), *end])) == 2


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [b"[DONE]"],
        [ROLE],
        [ROLE, chunk({"content": "x"}), b"[DONE]"],
        [ROLE, chunk({"content": "x"}, index=1), finish()],
        [ROLE, chunk(choices=[], usage=USAGE)],
        [ROLE, chunk(finish="")],
    ],
)
def test_without_a_finish_reason_for_every_choice_the_answer_is_cut(chunks: list[bytes]) -> None:
    with pytest.raises(UpstreamInterrupted):
        frames_of(chunks)


@pytest.mark.parametrize("word", ["error", "abort", "insufficient_system_resource"])
def test_a_finish_reason_that_means_failure_is_no_end(word: str) -> None:
    with pytest.raises(UpstreamInterrupted):
        frames_of([ROLE, finish(word)])


ERRORS: list[tuple[bytes, type[MainstayError]]] = [
    (b'{"error":{"message":"m","type":"x","code":429}}', UpstreamRateLimited),
    (b'{"error":{"message":"m","code":"context_length_exceeded"}}', ContextOverflow),
    (b'{"error":{"message":"m","type":"authentication_error"}}', UpstreamCredential),
    (b'{"error":{"message":"m","type":"server_error"}}', UpstreamFailed),
    (b'{"error":"gone"}', UpstreamFailed),
    (b'{"object":"error","message":"m","type":"InternalServerError","code":500}', UpstreamFailed),
    (chunk(finish="error", error={"code": 502, "message": "m"}), UpstreamFailed),
    (b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}', UpstreamFailed),
    (b'{"type":"error","error":{"type":"rate_limit_error","message":"m"}}', UpstreamRateLimited),
    (b'{"type":"error","error":{"type":"rate_limit_error","message":"\\ud83d"}}', UpstreamRateLimited),
    (b'{"type":"error","message":"m"}', UpstreamFailed),
    (b'{"error":{"message":"m","code":429},"id":5}', UpstreamRateLimited),
    (b'{"code":429,"message":"slow down"}', UpstreamRateLimited),
    (b'{"choices":[{"finish_reason":"error","error":{"code":429,"message":"m"}}]}', UpstreamRateLimited),
]


@pytest.mark.parametrize(("data", "kind"), ERRORS)
@pytest.mark.parametrize("begun", [False, True])
def test_an_error_inside_a_stream_is_raised_as_what_it_is(data: bytes, kind: type[MainstayError], begun: bool) -> None:
    reader = OpenAIStreamReader()
    if begun:
        reader.feed(SseEvent(ROLE))
    with pytest.raises(kind) as caught:
        reader.feed(SseEvent(data))
    assert type(caught.value) is kind


def test_an_event_named_error_is_one() -> None:
    with pytest.raises(UpstreamFailed):
        OpenAIStreamReader().feed(SseEvent(b'{"message":"m"}', b"error"))


@pytest.mark.parametrize("data", [b"the model is overloaded", b'{"message":', b"7"])
def test_an_event_named_error_is_one_whatever_it_says(data: bytes) -> None:
    with pytest.raises(UpstreamFailed):
        OpenAIStreamReader().feed(SseEvent(data, b"error"))


def contents(*chunks: bytes) -> list[str | None]:
    """Return what callers see of ``chunks`` after the first of a stream that has begun."""
    return [data["choices"][0]["delta"].get("content") for data in relay(after_role(*chunks))]


def test_a_character_cut_in_two_between_events_is_whole_again() -> None:
    assert contents(chunk({"content": "a \ud83d"}), chunk({"content": "\ude00 b"}, odd="\udfff")) == [
        "a ",
        "\U0001f600 b",
    ]
    assert contents(chunk({"content": "\ud83d"}), chunk(), chunk({"content": "\ude00"})) == ["", None, "\U0001f600"]


def test_half_a_character_becomes_a_sign_that_can_be_written() -> None:
    assert contents(chunk({"content": "\ude00 b"})) == ["\ufffd b"]
    assert contents(chunk({"content": "a \ud83d b"})) == ["a \ufffd b"]
    assert contents(chunk({"content": "a \ud83d"}), chunk({"content": "b"})) == ["a ", "\ufffdb"]
    assert contents(chunk({"content": "\ud83d"}), chunk({"content": "\ud83d\ude00"})) == ["", "\ufffd\U0001f600"]
    ended = frames_of([ROLE, chunk({"content": "a \ud83d"}), finish()])
    assert [data["choices"][0]["delta"].get("content") for data in relay(ended)][-2:] == ["a ", "\ufffd"]
    assert TextDelta("\ufffd") in ended[-1].events


@pytest.mark.parametrize("count", [-5, 2**60, 1e300, "7", True, [7], {"n": 7}])
def test_counts_that_are_none_cost_nothing_and_are_not_believed(count: Any) -> None:
    last = chunk(choices=[], usage={"prompt_tokens": count, "completion_tokens": 3})
    assert events_of([ROLE, finish(), last])[-1] == Metered(Usage(0, 3))


def test_an_error_of_null_is_no_error() -> None:
    data = chunk({"content": "x"}, error=None)
    assert after_role(data) == [Frame((TextDelta("x"),), data)]


BROKEN = [
    b"{",
    b"not json",
    b"[]",
    b'{"choices":7}',
    b'{"choices":[{"index":0,"delta":{"content":7}}]}',
    b'{"choices":[{"index":0,"delta":{"content":[7]}}]}',
    b'{"choices":[],"x":"\xff"}',
    b"[" * 100_000,
]


@pytest.mark.parametrize("data", BROKEN)
def test_an_unreadable_event_breaks_the_answer_and_nothing_else(data: bytes) -> None:
    reader = OpenAIStreamReader()
    reader.feed(SseEvent(ROLE))
    with pytest.raises(UpstreamBroken):
        reader.feed(SseEvent(data))
    assert reader.feed(SseEvent(chunk({"content": "x"}))) == Frame((TextDelta("x"),), chunk({"content": "x"}))


def test_what_is_unreadable_after_the_end_does_no_harm() -> None:
    reader = OpenAIStreamReader()
    for data in (ROLE, finish()):
        reader.feed(SseEvent(data))
    assert reader.feed(SseEvent(b"{")) is None
    assert reader.finish() is None


def test_a_stream_that_does_not_begin_like_one_is_broken() -> None:
    with pytest.raises(UpstreamBroken):
        OpenAIStreamReader().feed(SseEvent(b'{"message":"Network connection lost."}'))


def test_an_event_nobody_knows_shows_only_life() -> None:
    assert after_role(b'{"type":"ping"}') == [Frame()]


def test_stop_after_a_call_becomes_tool_calls_in_event_and_bytes() -> None:
    opening = {"index": 0, "id": "c1", "function": {"name": "f", "arguments": "{}"}}
    frame = frames_of([ROLE, chunk({"tool_calls": [opening]}), finish("stop", new=1.0)])[-1]
    assert Finished(FinishReason.TOOLS, 0, "stop") in frame.events
    assert json.loads(frame.wire) == json.loads(finish("tool_calls", new=1.0))


def test_a_stop_string_that_ended_the_text_is_known() -> None:
    last = chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop", "stop_reason": "###"}])
    assert events_of([ROLE, last])[-1] == Finished(FinishReason.STOP_SEQUENCE, 0, "stop", "###")


def test_a_legacy_function_call_is_a_call_and_keeps_its_bytes() -> None:
    chunks = [
        chunk({"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": ""}}),
        chunk({"function_call": {"arguments": "{}"}}),
        finish("function_call"),
    ]
    frames = frames_of(chunks)
    assert [frame.wire for frame in frames] == chunks
    opened = frames[0].events[1]
    assert isinstance(opened, ToolStarted)
    assert (opened.name, bool(opened.id)) == ("f", True)
    assert frames[1].events == (ToolDelta("{}"),)
    assert frames[2].events == (Finished(FinishReason.TOOLS, 0, "function_call"),)


def test_a_custom_tool_call_passes_and_counts_as_a_call() -> None:
    call = {"index": 0, "id": "c1", "type": "custom", "custom": {"name": "g", "input": "x"}}
    data = chunk({"tool_calls": [call]})
    frames = frames_of([ROLE, data, finish("stop")])
    assert frames[1].wire == data
    assert isinstance(frames[1].events[0], Opaque)
    assert Finished(FinishReason.TOOLS, 0, "stop") in frames[2].events
