"""Streams of a Responses upstream: read event by event, however they are cut, short or broken."""

import json
from itertools import pairwise
from typing import Any

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
    Opaque,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    ToolStarted,
)
from mainstay.core.fold import fold
from mainstay.core.sse import SseDecoder, SseEvent
from mainstay.providers.responses import ResponsesStreamWriter, read_ask
from mainstay.providers.responses.codec import ResponsesCodec
from mainstay.providers.responses.stream_reader import ResponsesStreamReader
from support import responses_vendor as wire
from support.responses_wire import read_response, read_stream

SEARCH = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "q"}}
CITED = {"type": "url_citation", "start_index": 0, "end_index": 2, "url": "https://x", "title": "X"}
FULL = wire.answer(
    wire.reasoning("First.", "Second.", encrypted="gAAA"),
    SEARCH,
    wire.message(wire.part("Hé \U0001f600", annotations=[CITED]), {"type": "refusal", "refusal": "No."}),
    wire.call("get", '{"city":"K\\u00f6ln \\ud83d\\ude00"}', "call_1"),
    wire.call("now", "{}", "call_2", id="fc_2"),
)
Json = dict[str, Any]


def frames(stream: list[Json] | bytes, reader: ResponsesStreamReader | None = None) -> list[Frame]:
    reader = reader or ResponsesStreamReader()
    decoder = SseDecoder()
    data = stream if isinstance(stream, bytes) else wire.sse(stream)
    found = [reader.feed(one) for one in (*decoder.feed(data), *decoder.close())]
    found.append(reader.finish())
    return [frame for frame in found if frame is not None]


def events(stream: list[Json] | bytes) -> list[Event]:
    return [event for frame in frames(stream) for event in frame.events]


def settled(found: list[Event] | tuple[Event, ...]) -> list[object]:
    return [msgspec.json.decode(one.payload) if isinstance(one, Opaque) else one for one in fold(found).events]


def test_the_scripted_stream_is_one_that_the_sdk_follows() -> None:
    assert read_response(wire.sse(wire.events(FULL, list))) == FULL


@given(st.data())
def test_any_cutting_gives_what_the_whole_answer_gives(data: st.DataObject) -> None:
    def cut(text: str) -> list[str]:
        places = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=4)) | {0, len(text)})
        return [text[a:b] for a, b in pairwise(places)]

    assert settled(events(wire.events(FULL, cut))) == settled(ResponsesCodec().whole(wire.body(FULL)).events)


def test_bytes_and_names_stay_beside_the_events() -> None:
    stream = wire.events(FULL, list)
    found = frames(stream)
    assert [json.loads(frame.wire) for frame in found] == stream
    assert [frame.name for frame in found] == [one["type"] for one in stream]
    assert {frame.dialect for frame in found} == {Dialect.RESPONSES}


@pytest.mark.parametrize("left", ["added", "delta", "part", "item", "all"])
def test_what_deltas_leave_unsaid_is_taken_from_what_repeats_it(left: str) -> None:
    """Servers leave out levels of the protocol; the answer is the same, once."""
    dropped = {
        "added": (".added",),
        "delta": (".delta", "annotation.added"),
        "part": (".delta", "annotation.added", "text.done", "refusal.done", "arguments.done", "part.done"),
        "item": ("output_item.done",),
        "all": (".added", ".delta", ".done"),
    }[left]
    stream = [one for one in wire.events(FULL, list) if not one["type"].endswith(dropped)]
    if left == "added":
        # Arguments belong to a call that was opened.
        stream = [one for one in stream if "arguments" not in one["type"]]
    expected = settled(ResponsesCodec().whole(wire.body(FULL)).events)
    assert sorted(map(str, settled(events(stream)))) == sorted(map(str, expected))


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ({"type": "response.completed", "response": wire.answer()}, FinishReason.STOP),
        ({"type": "response.done", "response": wire.answer()}, FinishReason.STOP),
        ({"type": "response.done"}, FinishReason.STOP),
        (
            {
                "type": "response.done",
                "response": wire.answer(status="incomplete", incomplete_details={"reason": "content_filter"}),
            },
            FinishReason.FILTERED,
        ),
        (
            {
                "type": "response.incomplete",
                "response": wire.answer(status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
            },
            FinishReason.LENGTH,
        ),
    ],
)
def test_every_terminal_event_ends_the_answer_and_what_follows_says_nothing(end: Json, reason: FinishReason) -> None:
    stream = wire.sse([*wire.events(wire.answer())[:2], end, *wire.events(FULL)]) + b"data: [DONE]\n\n"
    found = events(stream)
    assert [event.reason for event in found if isinstance(event, Finished)] == [reason]
    assert not any(isinstance(event, TextDelta) for event in found)


def test_a_stream_that_stops_before_its_end_is_interrupted() -> None:
    stream = wire.events(FULL)[:-1]
    with pytest.raises(errors.UpstreamInterrupted):
        frames(wire.sse(stream) + b"data: [DONE]\n\n")
    with pytest.raises(errors.UpstreamInterrupted):
        frames([])


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"type": "error", "code": "server_error", "message": "x", "param": None}, errors.UpstreamFailed),
        ({"type": "error", "code": "rate_limit_exceeded", "message": "x"}, errors.UpstreamRateLimited),
        ({"type": "error", "error": {"type": "invalid_request_error", "message": "x"}}, errors.UpstreamRefused),
        ({"type": "error", "error": {"code": "context_length_exceeded", "message": "x"}}, errors.ContextOverflow),
        ({"type": "", "error": {"message": "x", "code": 429}}, errors.UpstreamRateLimited),
        (
            {"type": "response.failed", "response": {"error": {"code": "server_error", "message": "x"}}},
            errors.UpstreamFailed,
        ),
        ({"type": "response.failed", "response": None}, errors.UpstreamFailed),
        (
            {"type": "response.completed", "response": {"status": "x", "error": {"code": "server_error"}}},
            errors.UpstreamFailed,
        ),
        ({"type": "response.cancelled", "response": {}}, errors.UpstreamInterrupted),
        ({"type": "response.output_text.delta", "delta": 3}, errors.UpstreamBroken),
        ({"type": "response.output_item.added", "output_index": 0, "item": {}}, errors.UpstreamBroken),
        ({"type": "response.function_call_arguments.delta", "output_index": 7, "delta": "x"}, errors.UpstreamBroken),
    ],
)
def test_what_is_an_error_is_raised_before_and_within_an_answer(event: Json, kind: type[errors.MainstayError]) -> None:
    data = SseEvent(json.dumps(event).encode(), event["type"].encode())
    for before in ([], wire.events(FULL)[:8]):
        reader = ResponsesStreamReader()
        for one in before:
            reader.feed(SseEvent(json.dumps(one).encode()))
        with pytest.raises(kind):
            reader.feed(data)


def test_a_kind_is_taken_from_the_events_name_and_an_unknown_one_passes() -> None:
    reader = ResponsesStreamReader()
    head = {"response": {"id": "r"}}
    first = reader.feed(SseEvent(json.dumps(head).encode(), b"response.created"))
    assert first is not None
    assert first.events == (Started("r"),)
    new = SseEvent(b'{"type":"response.new.thing","delta":{"a":1}}', b"response.new.thing")
    assert reader.feed(new) == Frame((), new.data, Dialect.RESPONSES, "response.new.thing")


def test_a_call_gets_its_name_whenever_it_comes() -> None:
    added = {"type": "function_call", "id": "fc_1", "call_id": "", "name": "", "arguments": ""}
    done = {**added, "call_id": "c", "name": "get", "arguments": '{"a":1}'}
    stream = [
        {"type": "response.created", "response": wire.answer()},
        {"type": "response.output_item.added", "output_index": 0, "item": added},
        {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": '{"a":'},
        {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": "1}"},
        {"type": "response.output_item.done", "output_index": 0, "item": done},
        {"type": "response.completed", "response": wire.answer(done)},
    ]
    found = events(stream)
    assert found[1:3] == [ToolStarted("c", "get"), ToolDelta('{"a":1}')]
    with pytest.raises(errors.UpstreamBroken):
        frames([*stream[:4], {"type": "response.completed", "response": wire.answer()}])


def test_a_stream_that_no_client_could_follow_is_written_anew() -> None:
    call = wire.call("get", "{}", "")
    loose = [one for one in wire.events(wire.answer(call)) if one["type"] != "response.created"]
    for stream in (loose, wire.events(wire.answer(call)), wire.events(FULL)[2:]):
        writer = ResponsesStreamWriter(
            read_ask(b'{"model":"m","input":"Hi"}'), model="m", id="0190f3c2-1111-7000-8000-000000000001", created=5
        )
        sent = b"".join(writer.frame(frame) for frame in frames(stream)) + writer.end()
        said = read_stream(sent)
        assert said[0]["type"] == "response.created"
        calls = [item for item in said[-1]["response"]["output"] if item["type"] == "function_call"]
        assert all(item["call_id"] for item in calls)


def test_paragraphs_of_a_summary_stay_apart() -> None:
    found = events(wire.events(wire.answer(wire.reasoning("One.", "Two.")), list))
    assert "".join(event.text for event in found if isinstance(event, ThinkingDelta)) == "One.\n\nTwo."


def test_an_unreadable_event_leaves_the_reader_as_it_was() -> None:
    reader = ResponsesStreamReader()
    stream = [SseEvent(json.dumps(one).encode()) for one in wire.events(wire.answer(wire.message(wire.part("Hi"))))]
    found: list[Event] = []
    for one in stream:
        with pytest.raises(errors.UpstreamBroken):
            reader.feed(SseEvent(b'{"type":"response.output_text.delta","delta":"\xff"}'))
        frame = reader.feed(one)
        assert frame is not None
        found += frame.events
        if isinstance(found[-1], Finished) or len(found) > 3:
            break
    assert TextDelta("Hi") in found
