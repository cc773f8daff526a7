"""Streams in the vendor's form, whole, cut and broken."""

import json
from typing import Any

import anthropic
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core import errors
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
from mainstay.core.fold import fold
from mainstay.core.sse import SseDecoder, SseEvent
from mainstay.core.usage import Usage
from mainstay.providers.anthropic import AnthropicCodec
from support.messages_wire import body, events, message, sse
from support.upstream import Chunk, Head, Upstream

TOOL = {"type": "tool_use", "id": "toolu_1", "name": "get", "input": {"city": "Köln", "n": 1.0}}
THINKING = {"type": "thinking", "thinking": "Let me see.", "signature": "EqQBCg+/=="}


def read(stream: list[dict[str, Any]]) -> list[Frame]:
    reader = AnthropicCodec().reader()
    frames = [reader.feed(SseEvent(json.dumps(one).encode(), one["type"].encode())) for one in stream]
    frames.append(reader.finish())
    return [frame for frame in frames if frame is not None]


def said(frames: list[Frame]) -> list[Event]:
    return [event for frame in frames for event in frame.events]


def settled(found: tuple[Event, ...]) -> list[object]:
    """Return folded events in a form that does not depend on the spaces inside carried JSON."""
    return [msgspec.json.decode(one.payload) if isinstance(one, Opaque) else one for one in fold(found).events]


def only(found: list[Event], kind: type[Event]) -> list[Event]:
    return [event for event in found if isinstance(event, kind)]


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
some_json = st.dictionaries(
    st.text("abc", max_size=4),
    st.one_of(words, st.integers(), st.booleans(), st.lists(st.none(), max_size=2)),
    max_size=3,
)
citation = st.fixed_dictionaries({"type": st.just("char_location"), "cited_text": words})
block = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": words, "citations": st.lists(citation, max_size=2)}),
    st.fixed_dictionaries({"type": st.just("text"), "text": words}),
    st.fixed_dictionaries(
        {"type": st.just("thinking"), "thinking": words, "signature": st.text("abcXYZ+/=", max_size=9)}
    ),
    st.fixed_dictionaries({"type": st.just("redacted_thinking"), "data": st.text("abcXYZ+/=", min_size=1)}),
    st.fixed_dictionaries(
        {"type": st.just("tool_use"), "id": st.just("toolu_9"), "name": st.just("get"), "input": some_json}
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("server_tool_use"),
            "id": st.just("srvtoolu_1"),
            "name": st.just("web_search"),
            "input": some_json,
        }
    ),
    st.fixed_dictionaries(
        {"type": st.just("web_search_tool_result"), "tool_use_id": st.just("srvtoolu_1"), "content": st.just([])}
    ),
)
counts = st.integers(0, 10**6)
usages = st.fixed_dictionaries(
    {"input_tokens": counts, "output_tokens": counts},
    optional={
        "cache_read_input_tokens": st.none() | counts,
        "cache_creation_input_tokens": st.none() | counts,
        "cache_creation": st.fixed_dictionaries(
            {"ephemeral_5m_input_tokens": counts, "ephemeral_1h_input_tokens": counts}
        ),
    },
)
reasons = st.sampled_from(
    [
        "end_turn",
        "max_tokens",
        "stop_sequence",
        "tool_use",
        "pause_turn",
        "refusal",
        "model_context_window_exceeded",
        "new",
    ]
)


@st.composite
def cut_stream(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    whole = message(*draw(st.lists(block, max_size=5)), stop_reason=draw(reasons), usage=draw(usages))

    def cut(text: str) -> list[str]:
        places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
        return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]

    stream = events(whole, cut)
    for place in draw(st.lists(st.integers(1, len(stream) - 1), max_size=2)):
        stream.insert(place, {"type": "ping"})
    return whole, stream


def test_the_streams_of_these_tests_are_what_the_official_sdk_reads(upstream: Upstream) -> None:
    whole = message({"type": "text", "text": "See: "}, THINKING, TOOL, stop_reason="tool_use")
    upstream.script([Head(), Chunk(sse(events(whole, lambda text: [text[:3], text[3:]])))])
    client = anthropic.Anthropic(base_url=upstream.url, api_key="key", max_retries=0)
    with client, client.messages.stream(model="m", max_tokens=9, messages=[]) as stream:
        found = stream.get_final_message().to_dict()
    assert [{name: one[name] for name in one if name != "parsed_output"} for one in found["content"]] == whole[
        "content"
    ]
    assert found["stop_reason"] == "tool_use"
    assert found["usage"] == whole["usage"]


@given(cut_stream())
def test_a_stream_cut_anywhere_says_what_the_whole_message_says(
    given_: tuple[dict[str, Any], list[dict[str, Any]]],
) -> None:
    whole, stream = given_
    assert settled(tuple(said(read(stream)))) == settled(AnthropicCodec().whole(body(whole)).events)


@given(cut_stream(), st.data())
def test_bytes_cut_anywhere_give_the_same_frames(
    given_: tuple[dict[str, Any], list[dict[str, Any]]], data: st.DataObject
) -> None:
    _, stream = given_
    raw = sse(stream)
    places = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    decoder, reader = SseDecoder(), AnthropicCodec().reader()
    frames = [
        frame
        for start, end in zip([0, *places], [*places, len(raw)], strict=True)
        for event in decoder.feed(raw[start:end])
        if (frame := reader.feed(event)) is not None
    ]
    assert reader.finish() is None
    assert frames == read(stream)


@given(cut_stream(), st.data())
def test_a_stream_that_ends_early_is_never_taken_for_a_whole_one(
    given_: tuple[dict[str, Any], list[dict[str, Any]]], data: st.DataObject
) -> None:
    _, stream = given_
    end = data.draw(st.integers(0, len(stream) - 1))
    if any(one["type"] == "message_delta" for one in stream[:end]):
        assert read(stream[:end])[-1].name == "message_stop"
    else:
        with pytest.raises(errors.UpstreamInterrupted):
            read(stream[:end])


def test_every_event_passes_with_its_bytes_and_its_name() -> None:
    stream = events(message({"type": "text", "text": "Hi", "x": 1}))
    frames = read(stream)
    assert [frame.wire for frame in frames] == [json.dumps(one).encode() for one in stream]
    assert [frame.name for frame in frames] == [one["type"] for one in stream]
    assert {frame.dialect for frame in frames} == {Dialect.ANTHROPIC}


def test_text_becomes_started_deltas_finished_and_metered() -> None:
    frames = read(events(message({"type": "text", "text": "Hello!"}), lambda text: [text[:2], text[2:]]))
    assert said(frames) == [
        Started(id="msg_01", model="claude-test"),
        Metered(Usage(input=10, output=1)),
        TextDelta("He"),
        TextDelta("llo!"),
        Finished(FinishReason.STOP, raw="end_turn"),
        Metered(Usage(input=10, output=5)),
    ]


def test_thinking_is_sealed_with_its_signature_byte_for_byte() -> None:
    found = said(read(events(message(THINKING, {"type": "redacted_thinking", "data": "EmwKA="}))))
    assert found[2:5] == [
        ThinkingDelta("Let me see."),
        ThinkingSealed(signature="EqQBCg+/=="),
        ThinkingSealed(redacted="EmwKA="),
    ]


def test_parallel_tool_calls_are_numbered_from_zero_whatever_their_block() -> None:
    second = {**TOOL, "id": "toolu_2", "input": {}}
    stream = events(message({"type": "text", "text": "On it."}, TOOL, second, stop_reason="tool_use"))
    assert said(read(stream))[3:-1] == [
        ToolStarted("toolu_1", "get", 0),
        ToolDelta(json.dumps(TOOL["input"]), 0),
        ToolStarted("toolu_2", "get", 1),
        ToolDelta("{}", 1),
        Finished(FinishReason.TOOLS, raw="tool_use"),
    ]


def test_tool_calls_that_run_side_by_side_keep_their_arguments_apart() -> None:
    stream = events(message(TOOL, {**TOOL, "id": "toolu_2", "input": {"b": 2}}, stop_reason="tool_use"))
    first, second = stream[1:5], stream[5:9]
    stream[1:9] = [first[0], second[0], second[1], first[1], second[2], first[2], second[3], first[3]]
    calls = only(list(fold(said(read(stream))).events), ToolDelta)
    assert calls == [ToolDelta(json.dumps(TOOL["input"]), 0), ToolDelta('{"b": 2}', 1)]


def test_a_call_whose_arguments_are_cut_stays_cut() -> None:
    stream = events(message(TOOL, stop_reason="max_tokens"))
    stream[3]["delta"]["partial_json"] = '{"city": "K'
    found = said(read(stream))
    assert only(found, ToolDelta) == [ToolDelta('{"city": "K', 0)]
    assert only(found, Finished) == [Finished(FinishReason.LENGTH, raw="max_tokens")]


def test_a_call_cut_before_its_first_argument_is_not_a_call_without_arguments() -> None:
    stream = events(message({**TOOL, "input": {}}, stop_reason="max_tokens"))
    found = said(read([one for one in stream if one["type"] != "content_block_stop"]))
    assert only(found, ToolStarted) != []
    assert only(found, ToolDelta) == []


def test_input_given_at_the_start_of_a_call_counts_when_no_delta_follows() -> None:
    stream = events(message(TOOL, stop_reason="tool_use"))
    stream[1]["content_block"] = TOOL
    del stream[2:4]
    assert only(said(read(stream)), ToolDelta) == [ToolDelta(json.dumps(TOOL["input"]), 0)]


def test_a_call_without_an_id_gets_one() -> None:
    stream = events(message({**TOOL, "id": ""}, stop_reason="tool_use"))
    (started,) = only(said(read(stream)), ToolStarted)
    assert isinstance(started, ToolStarted)
    assert started.id.startswith("toolu_")


def test_calls_are_reported_as_the_reason_even_if_the_upstream_says_it_is_done() -> None:
    found = said(read(events(message(TOOL, stop_reason="end_turn"))))
    assert only(found, Finished) == [Finished(FinishReason.TOOLS, raw="end_turn")]


def test_a_servers_own_tool_is_carried_as_one_block_with_its_input() -> None:
    used = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
    found = only(said(read(events(message(used), lambda text: [text[:4], text[4:]]))), Opaque)
    assert [msgspec.json.decode(one.payload) for one in found if isinstance(one, Opaque)] == [used]


def test_a_servers_own_tool_whose_input_is_cut_keeps_it_as_text() -> None:
    used = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
    stream = events(message(used))
    stream[3]["delta"]["partial_json"] = '{"que'
    found = only(said(read(stream)), Opaque)
    assert [msgspec.json.decode(one.payload)["input"] for one in found if isinstance(one, Opaque)] == ['{"que']


def test_deltas_of_kinds_nobody_knows_are_carried() -> None:
    stream = events(message({"type": "compaction", "content": None}))
    delta = {"type": "compaction_delta", "content": "Earlier.", "text": {"odd": 1}}
    stream.insert(2, {"type": "content_block_delta", "index": 0, "delta": delta})
    found = only(said(read(stream)), Opaque)
    assert [msgspec.json.decode(one.payload) for one in found if isinstance(one, Opaque)] == [
        {"type": "compaction", "content": None},
        delta,
    ]


def test_pings_and_unknown_events_pass_without_events() -> None:
    reader = AnthropicCodec().reader()
    assert reader.feed(SseEvent(b'{"type": "ping"}', b"ping")) == Frame(
        (), b'{"type": "ping"}', Dialect.ANTHROPIC, "ping"
    )
    odd = b'{"type":"new_event","index":"seven"}'
    assert reader.feed(SseEvent(odd, b"new_event")) == Frame((), odd, Dialect.ANTHROPIC, "new_event")


def test_events_without_a_name_are_read_by_their_type() -> None:
    reader = AnthropicCodec().reader()
    frame = reader.feed(SseEvent(json.dumps(events(message())[0]).encode()))
    assert frame is not None
    assert frame.name == "message_start"


def test_what_follows_the_end_says_nothing() -> None:
    reader = AnthropicCodec().reader()
    for one in events(message()):
        reader.feed(SseEvent(json.dumps(one).encode()))
    assert reader.feed(SseEvent(b'{"type":"message_stop"}')) is None
    assert reader.feed(SseEvent(b"[DONE]")) is None
    assert reader.finish() is None


def test_later_counts_replace_earlier_ones_and_are_never_added() -> None:
    stream = events(message(usage={"input_tokens": 7, "cache_read_input_tokens": 90, "output_tokens": 3}))
    stream[-2]["usage"] = {
        "input_tokens": 8,
        "cache_creation_input_tokens": 20,
        "cache_read_input_tokens": 100,
        "output_tokens": 30,
        "output_tokens_details": {"thinking_tokens": 12},
    }
    *_, last = only(said(read(stream)), Metered)
    assert last == Metered(Usage(input=128, output=30, cache_read=100, cache_write=20, reasoning=12))


def test_counts_that_only_the_start_gives_survive_to_the_end() -> None:
    start = {
        "input_tokens": 25,
        "cache_creation_input_tokens": 10,
        "cache_read_input_tokens": 5,
        "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 6},
        "output_tokens": 8,
    }
    *_, last = only(said(read(events(message(usage=start)))), Metered)
    assert last == Metered(Usage(input=40, output=8, cache_read=5, cache_write=10, cache_write_1h=6))


def test_a_stream_without_usage_is_complete_but_unmetered() -> None:
    stream = events(message({"type": "text", "text": "hi"}))
    del stream[0]["message"]["usage"], stream[-2]["usage"]
    found = said(read(stream))
    assert only(found, Metered) == []
    assert found[-1] == Finished(FinishReason.STOP, raw="end_turn")


def test_a_second_start_does_not_start_a_second_answer() -> None:
    stream = events(message({"type": "text", "text": "ok"}))
    stream.insert(1, stream[0])
    found = said(read(stream))
    assert len(only(found, Started)) == 1
    assert only(found, TextDelta) == [TextDelta("ok")]


def test_content_that_the_start_already_holds_is_read() -> None:
    stream = events(message())
    stream[0]["message"] = message(TOOL, stop_reason="tool_use")
    del stream[1]
    found = said(read(stream))
    assert only(found, ToolStarted) == [ToolStarted("toolu_1", "get", 0)]
    assert only(found, Finished) == [Finished(FinishReason.TOOLS, raw="tool_use")]


def test_a_stop_without_a_reason_ends_the_answer_with_an_unknown_one() -> None:
    stream = events(message({"type": "text", "text": "a"}))
    del stream[-2]
    assert said(read(stream))[-1] == Finished(FinishReason.OTHER)


def test_blocks_left_open_are_closed_by_the_end() -> None:
    stream = events(message(THINKING, {**TOOL, "input": {}}, stop_reason="tool_use"))
    kept = [one for one in stream if one["type"] != "content_block_stop"]
    found = said(read(kept))
    assert ThinkingSealed(signature="EqQBCg+/==") in found
    assert found[-3:-1] == [ToolDelta("{}", 0), Finished(FinishReason.TOOLS, raw="tool_use")]


def test_a_reason_without_the_last_event_is_complete_and_the_event_is_supplied() -> None:
    frames = read(events(message({"type": "text", "text": "a"}))[:-1])
    assert frames[-1] == Frame((), b'{"type":"message_stop"}', Dialect.ANTHROPIC, "message_stop")


def test_an_empty_stream_is_an_interruption() -> None:
    with pytest.raises(errors.UpstreamInterrupted):
        AnthropicCodec().reader().finish()


def test_a_refusal_says_why_before_it_ends() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "Refused by policy."}
    whole = message(stop_reason="refusal", stop_details=details)
    found = said(read(events(whole)))
    assert found[-3:-1] == [RefusalDelta("Refused by policy."), Finished(FinishReason.REFUSED, raw="refusal")]


def test_the_stop_string_that_was_hit_is_named() -> None:
    found = said(read(events(message(stop_reason="stop_sequence", stop_sequence="END"))))
    assert only(found, Finished) == [Finished(FinishReason.STOP_SEQUENCE, raw="stop_sequence", stop_sequence="END")]


@pytest.mark.parametrize(
    ("kind", "expected", "status"),
    [
        ("overloaded_error", errors.UpstreamFailed, 503),
        ("api_error", errors.UpstreamFailed, 502),
        ("timeout_error", errors.UpstreamFailed, 504),
        ("rate_limit_error", errors.UpstreamRateLimited, 429),
        ("invalid_request_error", errors.UpstreamRefused, 400),
        ("authentication_error", errors.UpstreamCredential, 502),
        ("brand_new_error", errors.UpstreamFailed, 502),
    ],
)
def test_an_error_inside_the_stream_is_classified_by_its_type(
    kind: str, expected: type[errors.MainstayError], status: int
) -> None:
    reader = AnthropicCodec().reader()
    envelope = {"type": "error", "error": {"type": kind, "message": "No."}}
    with pytest.raises(expected) as caught:
        reader.feed(SseEvent(json.dumps(envelope).encode(), b"error"))
    assert caught.value.status == status


@pytest.mark.parametrize(
    "data", [b'{"error":{"type":"overloaded_error","message":"x"}}', b"upstream connect error", b'{"type":7}']
)
def test_an_error_event_in_any_shape_is_an_error(data: bytes) -> None:
    with pytest.raises(errors.UpstreamFailed):
        AnthropicCodec().reader().feed(SseEvent(data, b"error"))


@pytest.mark.parametrize(
    "data",
    [
        b"<html>",
        b"[1]",
        b'{"type":"content_block_delta","index":0}',
        b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":5}}',
        b'{"type":"content_block_start","index":0,"content_block":{"type":"text","text":[]}}',
        b'{"type":"content_block_delta","index":4,"delta":{"type":"input_json_delta","partial_json":"{"}}',
        b'{"type":"message_start","message":{"id":5}}',
        b'{"type":"content_block_delta","delta":{"type":"text_delta","text":"\xff"}}',
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_events_that_cannot_be_read_break_the_answer(data: bytes) -> None:
    with pytest.raises(errors.UpstreamBroken):
        AnthropicCodec().reader().feed(SseEvent(data))


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_but_the_errors_of_the_tree(data: bytes) -> None:
    try:
        frame = AnthropicCodec().reader().feed(SseEvent(data))
    except errors.UpstreamError:
        return
    assert frame is None or frame.wire == data


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'{"error":{"message":"m","type":"requests","code":"rate_limit_exceeded"}}', errors.UpstreamRateLimited),
        (b'{"error":{"message":"m","code":429},"delta":5}', errors.UpstreamRateLimited),
        (b'{"error":{"message":"m","code":"insufficient_quota"}}', errors.UpstreamCredential),
        (b'{"object":"error","message":"m","type":"BadRequestError","code":400}', errors.UpstreamRefused),
        (b'{"type":"error","error":{"type":"rate_limit_error","message":"\\ud83d"}}', errors.UpstreamRateLimited),
    ],
)
def test_an_error_in_another_wires_form_is_that_error(data: bytes, kind: type[errors.MainstayError]) -> None:
    with pytest.raises(kind) as caught:
        AnthropicCodec().reader().feed(SseEvent(data))
    assert type(caught.value) is kind


def test_half_a_character_becomes_a_sign_that_can_be_written() -> None:
    frames = read(events(message({"type": "text", "text": "a \ud83d b"})))
    assert only(said(frames), TextDelta) == [TextDelta("a \ufffd b")]
    assert all(json.loads(frame.wire) for frame in frames)
    assert not any(b"\\ud83d" in frame.wire for frame in frames)
