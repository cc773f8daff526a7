"""What a caller of a stream sees: bytes passed on where they are right, events the SDK accepts where they are made."""

import json
from collections.abc import Iterable
from itertools import zip_longest
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from mainstay.core.errors import Unavailable, UpstreamBroken, UpstreamInterrupted
from mainstay.core.events import (
    Dialect,
    Event,
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
from mainstay.core.sse import SseDecoder
from mainstay.core.usage import Usage
from mainstay.providers.anthropic import AnthropicStreamWriter
from mainstay.providers.anthropic.stream import MessageReader
from support import messages_wire as wire
from support.messages_stream import read_events, read_message
from support.openai_chunks import chunk, frames_of

STOP = Finished(FinishReason.STOP)


def writer() -> AnthropicStreamWriter:
    return AnthropicStreamWriter(model="fallback", id="abc", request_id="req-1")


def relay(frames: Iterable[Frame]) -> bytes:
    to = writer()
    return b"".join(to.frame(frame) for frame in frames) + to.end()


def made(*events: Event) -> dict[str, Any]:
    """Return the message of a stream made of events, one frame each."""
    return read_message(relay(Frame((event,), b"x", Dialect.OPENAI) for event in events))


def passed(stream: bytes) -> list[Frame]:
    """Return the frames that the reader of an upstream makes of a stream."""
    reader = MessageReader()
    frames = [frame for event in SseDecoder().feed(stream) if (frame := reader.feed(event)) is not None]
    tail = reader.finish()
    return frames if tail is None else [*frames, tail]


def test_frames_of_the_same_wire_pass_byte_for_byte() -> None:
    said = wire.message(
        {"type": "thinking", "thinking": "Hm", "signature": "s=="},
        {"type": "text", "text": "Hé\u2028", "citations": [{"type": "char_location", "cited_text": "x"}]},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"q": 1}},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": [1.0, None]}},
        novelty={"x": 1.0},
    )
    stream = wire.sse([*wire.events(said)[:1], {"type": "ping"}, *wire.events(said)[1:]])
    assert relay(passed(stream)) == stream


def test_an_event_of_a_kind_nobody_knows_passes() -> None:
    stream = wire.sse([*wire.events(wire.message())[:1], {"type": "new", "x": 1}, *wire.events(wire.message())[1:]])
    assert relay(passed(stream)) == stream


def test_a_payload_of_several_lines_stays_one_event() -> None:
    frame = Frame((), b'{\n"type": "message_start"\n}', Dialect.ANTHROPIC, "message_start")
    assert writer().frame(frame) == b'event: message_start\ndata: {\ndata: "type": "message_start"\ndata: }\n\n'


def test_the_end_is_told_with_usage_also_when_the_upstream_forgot_it() -> None:
    events = wire.events(wire.message({"type": "text", "text": "x"}))
    without_delta = [event for event in events if event["type"] != "message_delta"]
    without_usage = [{key: value for key, value in event.items() if key != "usage"} for event in events]
    for broken in (without_delta, without_usage):
        assert read_message(relay(passed(wire.sse(broken))))["stop_reason"] is not None


def test_a_stream_of_another_wire_is_a_message() -> None:
    message = made(
        Started("chatcmpl-1", "gpt-5"),
        ThinkingDelta("Let me"),
        ThinkingDelta(" see"),
        TextDelta("Hello"),
        TextDelta(" you"),
        Finished(FinishReason.STOP_SEQUENCE, stop_sequence="END"),
        Metered(Usage(input=30, output=7, cache_read=10, cache_write=5, cache_write_1h=2, reasoning=3)),
    )
    assert message["content"] == [
        {"type": "thinking", "thinking": "Let me see", "signature": ""},
        {"type": "text", "text": "Hello you"},
    ]
    assert (message["id"], message["model"]) == ("msg_abc", "gpt-5")
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "END")
    usage = message["usage"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (15, 7)
    assert (usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]) == (10, 5)
    assert usage["output_tokens_details"] == {"thinking_tokens": 3}


def test_parallel_calls_are_blocks_one_after_the_other() -> None:
    message = made(
        TextDelta("I call."),
        ToolStarted("a", "get", 0),
        ToolDelta('{"x"', 0),
        ToolDelta(":1}", 0),
        ToolStarted("b", "put", 1),
        ToolDelta('{"y":2}', 1),
        Finished(FinishReason.TOOLS),
    )
    assert message["content"] == [
        {"type": "text", "text": "I call."},
        {"type": "tool_use", "id": "a", "name": "get", "input": {"x": 1}},
        {"type": "tool_use", "id": "b", "name": "put", "input": {"y": 2}},
    ]
    assert message["stop_reason"] == "tool_use"


def test_a_whole_call_makes_room_for_the_next_at_once() -> None:
    to = writer()
    for event in (ToolStarted("a", "f", 0), ToolDelta("{}", 0)):
        to.frame(Frame((event,)))
    assert b'"content_block_start"' in to.frame(Frame((ToolStarted("b", "g", 1),)))
    assert b'"input_json_delta"' in to.frame(Frame((ToolDelta('{"', 1),)))


@st.composite
def mixed_calls(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[Event]]:
    """Return the inputs of parallel calls, and their arguments cut anywhere and dealt in any mixture."""
    values = st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3))
    inputs = draw(st.lists(st.dictionaries(st.text(max_size=5), values, max_size=3), min_size=1, max_size=4))
    queues: list[list[Event]] = []
    for index, value in enumerate(inputs):
        text = json.dumps(value, ensure_ascii=draw(st.booleans()))
        cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        queues.append([ToolStarted(f"call_{index}", "f", index), *(ToolDelta(piece, index) for piece in pieces)])
    events: list[Event] = []
    begun = 0
    while any(queues):
        # Calls open in order; a server that has opened one goes on with any of those.
        choices = [i for i in range(begun) if queues[i]]
        if begun < len(queues):
            choices.append(begun)
        pick = draw(st.sampled_from(choices))
        begun = max(begun, pick + 1)
        events.append(queues[pick].pop(0))
    return inputs, events


@settings(max_examples=60, deadline=None)
@given(mixed_calls(), st.lists(st.integers(1, 5), min_size=1))
def test_calls_cut_and_mixed_in_any_way_are_the_same_calls(
    calls: tuple[list[dict[str, Any]], list[Event]], batches: list[int]
) -> None:
    inputs, events = calls
    frames, rest, turn = [], list(events), 0
    while rest:
        size = batches[turn % len(batches)]
        frames.append(Frame(tuple(rest[:size])))
        rest = rest[size:]
        turn += 1
    message = read_message(relay([*frames, Frame((Finished(FinishReason.TOOLS),))]))
    assert [block["input"] for block in message["content"]] == inputs
    assert [block["id"] for block in message["content"]] == [f"call_{i}" for i in range(len(inputs))]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_an_openai_stream_cut_anywhere_is_the_same_message(data: st.DataObject) -> None:
    text = data.draw(st.text(min_size=1, max_size=40))
    thought = data.draw(st.text(max_size=20))

    def cut(whole: str) -> list[str]:
        places = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
        return [whole[a:b] for a, b in zip([0, *places], [*places, len(whole)], strict=True)]

    chunks = [chunk({"role": "assistant", "content": ""})]
    chunks += [chunk({"reasoning_content": piece}) for piece in cut(thought)]
    chunks += [chunk({"content": piece}) for piece in cut(text)]
    chunks += [chunk(finish="stop")]
    message = read_message(relay(frames_of(chunks)))
    blocks = [{"type": "thinking", "thinking": thought, "signature": ""}] if thought else []
    assert message["content"] == [*blocks, {"type": "text", "text": text}]


def test_text_behind_an_unfinished_call_waits_for_it() -> None:
    message = made(
        ToolStarted("a", "f", 0), ToolDelta('{"x":', 0), TextDelta("so "), TextDelta("far"), ToolDelta("1}", 0), STOP
    )
    assert [block["type"] for block in message["content"]] == ["tool_use", "text"]
    assert message["content"][1]["text"] == "so far"


def test_a_call_without_arguments_is_an_empty_object() -> None:
    assert made(ToolStarted("a", "f"), Finished(FinishReason.TOOLS))["content"][0]["input"] == {}


def test_arguments_that_a_limit_cut_stay_cut() -> None:
    events = read_events(relay([Frame((ToolStarted("a", "f"), ToolDelta('{"x": "ha'), Finished(FinishReason.LENGTH)))]))
    assert "".join(e["delta"]["partial_json"] for e in events if e["type"] == "content_block_delta") == '{"x": "ha'
    assert events[-2]["delta"]["stop_reason"] == "max_tokens"


def test_arguments_behind_a_complete_call_are_an_error() -> None:
    to = writer()
    to.frame(Frame((ToolStarted("a", "f", 0), ToolDelta("{}", 0), ToolStarted("b", "g", 1))))
    assert to.frame(Frame((ToolDelta(" \n", 0),))) == b""
    with pytest.raises(UpstreamBroken):
        to.frame(Frame((ToolDelta("{}", 0),)))


def test_thinking_keeps_its_seals_and_its_blocks() -> None:
    message = made(
        ThinkingDelta("one"),
        ThinkingSealed(signature="s1"),
        ThinkingDelta("two"),
        ThinkingSealed(signature="s2"),
        ThinkingSealed(redacted="xyz"),
        ThinkingSealed(signature="s3"),
        TextDelta("done"),
        STOP,
    )
    assert message["content"] == [
        {"type": "thinking", "thinking": "one", "signature": "s1"},
        {"type": "thinking", "thinking": "two", "signature": "s2"},
        {"type": "redacted_thinking", "data": "xyz"},
        {"type": "thinking", "thinking": "", "signature": "s3"},
        {"type": "text", "text": "done"},
    ]


def test_what_only_this_wire_can_say_is_written_from_its_events() -> None:
    citation = {
        "type": "char_location",
        "cited_text": "x",
        "document_index": 0,
        "document_title": None,
        "file_id": None,
        "start_char_index": 0,
        "end_char_index": 1,
    }
    result = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
    message = made(
        TextDelta("said"),
        Opaque(Raw(json.dumps(citation, indent=1).encode()), Dialect.ANTHROPIC),
        Opaque(Raw(json.dumps(result).encode()), Dialect.ANTHROPIC),
        Opaque(Raw(b'{"answer":{"x":1}}'), Dialect.OPENAI),
        STOP,
    )
    text, block = message["content"]
    assert text["citations"][0]["cited_text"] == "x"
    assert block["type"] == "web_search_tool_result"


def test_a_refusal_is_a_reason_with_its_words() -> None:
    message = made(RefusalDelta("I will "), RefusalDelta("not."), STOP)
    assert message["stop_reason"] == "refusal"
    assert message["stop_details"]["explanation"] == "I will not."


@pytest.mark.parametrize(
    ("reason", "raw", "word"),
    [
        (FinishReason.STOP, "", "end_turn"),
        (FinishReason.LENGTH, "length", "max_tokens"),
        (FinishReason.CONTEXT, "", "model_context_window_exceeded"),
        (FinishReason.TOOLS, "", "tool_use"),
        (FinishReason.FILTERED, "content_filter", "refusal"),
        (FinishReason.PAUSED, "", "pause_turn"),
    ],
)
def test_each_reason_has_its_word(reason: FinishReason, raw: str, word: str) -> None:
    assert made(TextDelta("x"), Finished(reason, raw=raw))["stop_reason"] == word


def test_further_choices_are_not_mixed_in() -> None:
    message = made(TextDelta("a"), TextDelta("b", choice=1), STOP, Finished(FinishReason.LENGTH, choice=1))
    assert message["content"] == [{"type": "text", "text": "a"}]
    assert message["stop_reason"] == "end_turn"


def test_text_changed_on_its_way_stands_where_it_stood() -> None:
    frames = passed(
        wire.sse(wire.events(wire.message({"type": "text", "text": "secret"}, {"type": "text", "text": "b"})))
    )
    changed = [
        Frame((TextDelta("******"),), b"", Dialect.ANTHROPIC) if TextDelta("secret") in frame.events else frame
        for frame in frames
    ]
    assert [block["text"] for block in read_message(relay(changed))["content"]] == ["******", "b"]


def test_an_end_changed_on_its_way_is_told_once() -> None:
    frames = passed(wire.sse(wire.events(wire.message({"type": "text", "text": "x"}))))
    changed = [
        Frame(frame.events, b"", Dialect.ANTHROPIC) if frame.name == "message_delta" else frame for frame in frames
    ]
    message = read_message(relay(changed))
    assert (message["stop_reason"], message["usage"]["output_tokens"]) == ("end_turn", 5)


def test_a_break_is_an_error_event_and_no_end() -> None:
    to = writer()
    to.frame(Frame((TextDelta("x"),)))
    (event,) = SseDecoder().feed(to.error(UpstreamInterrupted("It broke off.")))
    assert event.name == b"error"
    body = json.loads(event.data)
    assert body["type"] == "error"
    assert body["error"]["type"] == "api_error"
    assert body["error"]["code"] == "upstream_interrupted"
    assert body["request_id"] == "req-1"
    assert to.end() == b""
    assert b"overloaded_error" in writer().error(Unavailable("Wait."))


def test_a_ping_is_what_clients_of_this_wire_expect() -> None:
    assert writer().ping() == b'event: ping\ndata: {"type":"ping"}\n\n'


def test_a_stream_whose_order_is_broken_is_written_as_clients_follow_it() -> None:
    """``read_message`` holds what is written to the order, and lets the official SDK read it."""
    text, used = {"type": "text", "text": "Hello"}, {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}
    events = wire.events(wire.message(text, used, stop_reason="tool_use"), list)
    starts = [i for i, event in enumerate(events) if event["type"] == "content_block_start"]
    stops = [i for i, event in enumerate(events) if event["type"] == "content_block_stop"]
    first, second = events[starts[0] : stops[0] + 1], events[starts[1] : stops[1] + 1]
    head, tail = events[: starts[0]], events[stops[1] + 1 :]
    mixed = [one for pair in zip_longest(first[:-1], second[:-1]) for one in pair if one is not None]
    broken = {
        "a second start": [events[0], *events],
        "a second start behind some text": [*events[:3], events[0], *events[3:]],
        "no start": events[1:],
        "blocks without a stop": [event for event in events if event["type"] != "content_block_stop"],
        "a text without a start": [event for event in events if event is not first[0]],
        "blocks side by side": [*head, *mixed, first[-1], second[-1], *tail],
        "numbers with a gap": [{**one, "index": one["index"] * 3 + 1} if "index" in one else one for one in events],
        "one number for both": [{**one, "index": 0} if "index" in one else one for one in events],
        "an end before the last stop": [*events[: stops[1]], *tail[:1], events[stops[1]], *tail[1:]],
        "a ping anywhere": [one for event in events for one in (event, {"type": "ping"})][:-1],
    }
    for name, stream in broken.items():
        message = read_message(relay(passed(wire.sse(stream))))
        assert "".join(block.get("text", "") for block in message["content"]) == "Hello", name
        calls = [block for block in message["content"] if block["type"] == "tool_use"]
        assert [(block["id"], block["input"]) for block in calls] == [("t", {"a": 1})], name
        assert (message["stop_reason"], message["usage"]["output_tokens"]) == ("tool_use", 5), name
