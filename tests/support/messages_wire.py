"""Anthropic's Messages wire from the server's side: a message as the stream that would bring it.

Written from the published protocol, apart from the code under test; ``test_stream`` checks it against the official
SDK's own accumulator.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

Message = dict[str, Any]
Cut = Callable[[str], list[str]]

USAGE = {"input_tokens": 10, "output_tokens": 5}


def message(*content: Message, stop_reason: str | None = "end_turn", **fields: Any) -> Message:
    """Return a complete message with this content."""
    return {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude-test",
        "content": list(content),
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": dict(USAGE),
        **fields,
    }


def body(said: Message) -> bytes:
    """Return a message as the body of an answer."""
    return json.dumps(said).encode()


def whole_piece(text: str) -> list[str]:
    """Cut nothing."""
    return [text] if text else []


def events(said: Message, cut: Cut = whole_piece) -> list[Message]:
    """Return the events that stream a message; ``cut`` says into which pieces a text falls."""
    head = {**said, "content": [], "stop_reason": None, "stop_sequence": None}
    head["usage"] = {**said["usage"], "output_tokens": 1}
    found: list[Message] = [{"type": "message_start", "message": head}]
    for index, block in enumerate(said["content"]):
        found.append({"type": "content_block_start", "index": index, "content_block": _opening(block)})
        found += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in _deltas(block, cut)]
        found.append({"type": "content_block_stop", "index": index})
    delta = {"stop_reason": said["stop_reason"], "stop_sequence": said["stop_sequence"]}
    if "stop_details" in said:
        delta["stop_details"] = said["stop_details"]
    found.append({"type": "message_delta", "delta": delta, "usage": {"output_tokens": said["usage"]["output_tokens"]}})
    found.append({"type": "message_stop"})
    return found


def sse(stream: Iterable[Message]) -> bytes:
    """Return events as the bytes of a stream."""
    return b"".join(b"event: %s\ndata: %s\n\n" % (one["type"].encode(), json.dumps(one).encode()) for one in stream)


def _opening(block: Message) -> Message:
    kind = block["type"]
    if kind == "text":
        return {"type": "text", "text": "", **({"citations": []} if "citations" in block else {})}
    if kind == "thinking":
        return {"type": "thinking", "thinking": "", "signature": ""}
    if kind in ("tool_use", "server_tool_use"):
        return {**block, "input": {}}
    return block


def _deltas(block: Message, cut: Cut) -> Iterable[Message]:
    kind = block["type"]
    if kind == "text":
        yield from ({"type": "text_delta", "text": piece} for piece in cut(block["text"]))
        yield from ({"type": "citations_delta", "citation": one} for one in block.get("citations") or ())
    elif kind == "thinking":
        yield from ({"type": "thinking_delta", "thinking": piece} for piece in cut(block["thinking"]))
        if block["signature"]:
            yield {"type": "signature_delta", "signature": block["signature"]}
    elif kind in ("tool_use", "server_tool_use"):
        yield {"type": "input_json_delta", "partial_json": ""}
        if block["input"]:
            pieces = cut(json.dumps(block["input"]))
            yield from ({"type": "input_json_delta", "partial_json": piece} for piece in pieces)
