"""OpenAI's Responses wire from the client's side: a stream held to the protocol's grammar, and to the SDK's types.

Written from the published protocol, apart from the code under test.
"""

import json
from typing import Any, get_args

from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import ResponseStreamEvent
from openai.types.responses.response import Response

from mainstay.core.sse import SseDecoder

__all__ = ["check_response", "read_response", "read_stream"]

_ENDS = {"response.completed": "completed", "response.incomplete": "incomplete", "response.failed": "failed"}
#: The SDK's types by the name of the event.
_TYPES = {get_args(one.model_fields["type"].annotation)[0]: one for one in get_args(get_args(ResponseStreamEvent)[0])}
Event = dict[str, Any]


def read_stream(stream: bytes, *, first: int = 0) -> list[Event]:
    """Return the events of a stream whose names, numbers and types are right."""
    decoder = SseDecoder()
    found = []
    for event in decoder.feed(stream):
        data = json.loads(event.data)
        assert event.name.decode() == data["type"]
        found.append(data)
    assert decoder.close() == []
    assert [event["sequence_number"] for event in found] == list(range(first, first + len(found)))
    for event in found:
        _TYPES[event["type"]].model_validate(event)
    return found


def read_response(stream: bytes) -> Event:
    """Return the response of a complete stream, checked level by level: opened, filled, closed, repeated at the end."""
    events = read_stream(stream)
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    assert {event["response"]["status"] for event in events[:2]} == {"in_progress"}
    items: dict[int, Event] = {}
    closed: dict[int, Event] = {}
    for event in events[2:-1]:
        _step(event, items, closed)
    last = events[-1]
    response: Event = last["response"]
    assert last["type"] in _ENDS
    assert response["status"] == _ENDS[last["type"]]
    assert {event["response"]["id"] for event in (*events[:2], last)} == {response["id"]}
    assert not items, "every item is closed"
    assert response["output"] == [closed[index] for index in sorted(closed)]
    assert sorted(closed) == list(range(len(closed)))
    check_response(response)
    if last["type"] == "response.completed":
        _accumulate(events)
    return response


def check_response(response: Event) -> None:
    """Hold a response object to the SDK's types."""
    Response.model_validate(response)
    assert response["object"] == "response"
    assert (response["incomplete_details"] is not None) == (response["status"] == "incomplete")


def _step(event: Event, items: dict[int, Event], closed: dict[int, Event]) -> None:
    kind, index = event["type"], event["output_index"]
    if kind == "response.output_item.added":
        assert index not in items
        assert index not in closed
        items[index] = {"item": event["item"], "parts": {}, "text": {}}
        return
    held = items[index]
    if kind == "response.output_item.done":
        item = event["item"]
        assert (item["id"], item["type"]) == (held["item"]["id"], held["item"]["type"])
        assert not held["parts"], "every part is closed"
        closed[index] = item
        del items[index]
        return
    assert event["item_id"] == held["item"]["id"]
    place = event.get("content_index", event.get("summary_index", 0))
    if kind.endswith("part.added"):
        assert place not in held["parts"]
        held["parts"][place] = event["part"]["type"]
        held["text"][place] = ""
    elif kind.endswith(".delta"):
        held["text"][place] = held["text"].get(place, "") + event["delta"]
    elif kind.endswith("part.done"):
        assert held["parts"].pop(place) == event["part"]["type"]
        text = event["part"].get("text", event["part"].get("refusal"))
        assert text == held["text"][place]
    elif kind.endswith(".done"):
        said = next(event[name] for name in ("text", "refusal", "arguments", "input") if name in event)
        # A call without arguments is whole with an empty object.
        assert said == held["text"].get(place, "") or (said, held["text"].get(place, "")) == ("{}", "")


def _accumulate(events: list[Event]) -> None:
    """Let the SDK's own accumulator read the stream: it raises on what it cannot follow."""
    from openai._types import omit

    state: Any = ResponseStreamState(input_tools=omit, text_format=omit)
    for event in events:
        state.handle_event(_built(event))


def _built(event: Event) -> Any:
    from openai._models import construct_type

    return construct_type(type_=_TYPES[event["type"]], value=event)
