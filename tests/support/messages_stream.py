"""Reads a stream of Anthropic's Messages wire as the official SDK does, and as its protocol demands."""

import json
from typing import Any

from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from pydantic import TypeAdapter

from mainstay.core.sse import SseDecoder

__all__ = ["read_events", "read_message"]

_event: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


def read_events(stream: bytes) -> list[dict[str, Any]]:
    """Return the events of a complete stream; each must be named as its data says, and in the protocol's order."""
    decoder = SseDecoder()
    events = []
    for one in decoder.feed(stream):
        data = json.loads(one.data)
        assert one.name.decode() == data["type"]
        events.append(data)
    assert decoder.close() == []
    _check_order([event for event in events if event["type"] != "ping"])
    return events


def read_message(stream: bytes) -> dict[str, Any]:
    """Return the message that the official SDK makes of a complete stream."""
    snapshot: Any = None
    buffers: dict[int, bytes] = {}
    for data in read_events(stream):
        if data["type"] != "ping":
            event = _event.validate_python(data)
            snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=buffers)
    return dict(snapshot.to_dict())


def _check_order(events: list[dict[str, Any]]) -> None:
    kinds = [event["type"] for event in events]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    assert kinds.count("message_start") == kinds.count("message_delta") == kinds.count("message_stop") == 1
    assert events[-2]["usage"]["output_tokens"] >= 0
    opened = None
    count = 0
    for event in events[1:-2]:
        if event["type"] == "content_block_start":
            assert opened is None
            assert event["index"] == count
            opened = count
            count += 1
        else:
            assert event["index"] == opened
            if event["type"] == "content_block_stop":
                opened = None
    assert opened is None
