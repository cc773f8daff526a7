"""Events of an upstream of the same wire: bytes pass, numbers stay without gaps, and a change on the way holds on."""

import json
from typing import Any

import pytest

from mainstay.core.errors import UpstreamInterrupted
from mainstay.core.events import (
    Dialect,
    Event,
    Finished,
    FinishReason,
    Frame,
    Metered,
    TextDelta,
    ToolDelta,
    ToolStarted,
)
from mainstay.core.usage import Usage
from mainstay.providers.responses import ResponsesStreamWriter, read_ask
from support.responses_wire import read_response, read_stream

STOP = Finished(FinishReason.STOP)
HEAD = {"id": "resp_up", "object": "response", "created_at": 9, "model": "gpt-up", "previous_response_id": None}


def writer(previous: str | None = None) -> ResponsesStreamWriter:
    ask = read_ask(b'{"model":"m","input":"Hi"}')
    ask.previous = previous
    return ResponsesStreamWriter(ask, model="m", id="0190f3c2-1111-7000-8000-000000000001", created=5)


def answer(status: str, **fields: Any) -> dict[str, Any]:
    base = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "error": None, "incomplete_details": None}
    return {**HEAD, "status": status, "output": [], **base, **fields}


def upstream(end: str = "response.completed") -> list[tuple[dict[str, Any], tuple[Event, ...]]]:
    """Return the events of an upstream's stream with what their frames say."""
    item = {"id": "msg_up", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    place = {"item_id": "msg_up", "output_index": 0, "content_index": 0}
    done = {**item, "status": "completed", "content": [{**part, "text": "Hello"}]}
    said: list[tuple[dict[str, Any], tuple[Event, ...]]] = [
        ({"type": "response.created", "response": answer("in_progress")}, ()),
        ({"type": "response.in_progress", "response": answer("in_progress")}, ()),
        ({"type": "response.output_item.added", "output_index": 0, "item": item}, ()),
        ({"type": "response.content_part.added", **place, "part": part}, ()),
        ({"type": "response.output_text.delta", **place, "delta": "Hel", "logprobs": []}, (TextDelta("Hel"),)),
        (
            {"type": "response.output_text.delta", **place, "delta": "lo", "logprobs": [], "new": 1.0},
            (TextDelta("lo"),),
        ),
        ({"type": "response.output_text.done", **place, "text": "Hello", "logprobs": []}, ()),
        ({"type": "response.content_part.done", **place, "part": {**part, "text": "Hello"}}, ()),
        ({"type": "response.output_item.done", "output_index": 0, "item": done}, ()),
        ({"type": end, "response": answer("completed", output=[done])}, (STOP, Metered(Usage(1, 2)))),
    ]
    return [({**event, "sequence_number": i}, events) for i, (event, events) in enumerate(said)]


def frames(said: list[tuple[dict[str, Any], tuple[Event, ...]]]) -> list[Frame]:
    return [Frame(events, json.dumps(event).encode(), Dialect.RESPONSES, event["type"]) for event, events in said]


def wires(stream: bytes) -> list[bytes]:
    return [line.removeprefix(b"data: ") for line in stream.split(b"\n") if line.startswith(b"data: ")]


def test_a_stream_passes_byte_for_byte() -> None:
    to = writer()
    sent = frames(upstream())
    stream = b"".join(to.frame(frame) for frame in sent)
    assert b"response.completed" not in stream, "the end waits until the answer is kept"
    stream += to.end()
    assert wires(stream) == [frame.wire for frame in sent]
    read_response(stream)
    assert json.loads(to.said)["output"][0]["id"] == "msg_up"
    assert to.response_id == "resp_up"


def test_numbers_stay_without_gaps_when_an_event_is_left_out() -> None:
    to = writer()
    sent = frames(upstream())
    stream = b"".join(to.frame(frame) for frame in sent[:1] + sent[2:]) + to.end()
    assert [event["type"] for event in read_stream(stream)][1] == "response.output_item.added"


def test_the_response_that_is_continued_is_named_though_the_upstream_does_not_know_it() -> None:
    to = writer("resp_before")
    events = read_stream(b"".join(to.frame(frame) for frame in frames(upstream())) + to.end())
    named = [event["response"]["previous_response_id"] for event in events if "response" in event]
    assert named == ["resp_before"] * 3
    assert json.loads(to.said)["previous_response_id"] == "resp_before"


def test_an_end_called_done_is_told_by_its_status() -> None:
    to = writer()
    stream = b"".join(to.frame(frame) for frame in frames(upstream("response.done"))) + to.end()
    assert read_response(stream)["status"] == "completed"


def test_an_upstreams_own_done_marker_does_not_pass() -> None:
    assert writer().frame(Frame((), b"[DONE]", Dialect.RESPONSES)) == b""


def test_a_count_that_is_added_on_the_way_lets_the_bytes_pass() -> None:
    to = writer()
    sent = frames(upstream())
    stream = b"".join(to.frame(frame) for frame in sent)
    assert to.frame(Frame((Metered(Usage(9, 9)),))) == b""
    assert wires(stream + to.end()) == [frame.wire for frame in sent]


def test_what_was_changed_on_the_way_does_not_come_back_in_later_events() -> None:
    to = writer()
    sent = frames(upstream())
    sent[5] = Frame((TextDelta("[hidden]"),))
    response = read_response(b"".join(to.frame(frame) for frame in sent) + to.end())
    assert response["id"] == "resp_up"
    assert response["output"][0]["content"][0]["text"] == "Hel[hidden]"
    assert response["output"][0]["id"] == "msg_up"


def test_a_call_that_was_changed_on_the_way_goes_on_as_the_same_call() -> None:
    to = writer()
    item = {
        "id": "fc_up",
        "type": "function_call",
        "call_id": "c",
        "name": "f",
        "arguments": "",
        "status": "in_progress",
    }
    head = frames(upstream())[:2]
    added = {"type": "response.output_item.added", "output_index": 0, "item": item, "sequence_number": 2}
    more = {"type": "response.function_call_arguments.delta", "item_id": "fc_up", "output_index": 0, "delta": '{"a":'}
    head.append(Frame((ToolStarted("c", "f"),), json.dumps(added).encode(), Dialect.RESPONSES))
    head.append(Frame((ToolDelta('{"a":'),), json.dumps({**more, "sequence_number": 3}).encode(), Dialect.RESPONSES))
    head.append(Frame((ToolDelta("1}"), Finished(FinishReason.TOOLS))))
    response = read_response(b"".join(to.frame(frame) for frame in head) + to.end())
    assert response["output"][0]["arguments"] == '{"a":1}'
    assert response["output"][0]["id"] == "fc_up"


def test_a_break_after_some_events_goes_on_with_their_numbers() -> None:
    to = writer()
    stream = b"".join(to.frame(frame) for frame in frames(upstream())[:6])
    events = read_stream(stream + to.error(UpstreamInterrupted("It broke off.")))
    assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
    assert events[-1]["response"]["id"] == "resp_up"
    assert to.said == b""


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_response_that_is_no_answer_is_not_to_be_kept(status: str) -> None:
    to = writer()
    sent = upstream("response.failed")
    sent[-1][0]["response"]["status"] = status
    for frame in frames(sent):
        to.frame(frame)
    to.end()
    assert to.said == b""
