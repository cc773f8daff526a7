"""Bedrock's Converse wire from the server's side: an answer as JSON, and as the binary stream that would bring it.

Written from the published framing and service model, apart from the code under test; botocore reads it in the tests.
"""

import json
import struct
from binascii import crc32
from collections.abc import Callable, Iterable
from typing import Any

from support.upstream import Chunk, Head, Step

__all__ = ["answer", "event", "events", "exception", "frame", "streamed", "whole_piece"]

Json = dict[str, Any]
Cut = Callable[[str], list[str]]

USAGE = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}
CONTENT_TYPE = "application/vnd.amazon.eventstream"


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """Return one message of the framing; all headers are strings."""
    head = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value.encode())) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    prelude += struct.pack(">I", crc32(prelude))
    body = prelude + head + payload
    return body + struct.pack(">I", crc32(body))


def event(name: str, payload: Json) -> bytes:
    """Return one event."""
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, json.dumps(payload).encode())


def exception(name: str, message: str, **fields: Any) -> bytes:
    """Return one exception."""
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return frame(headers, json.dumps({"message": message, **fields}).encode())


def answer(*content: Json, stop: str = "end_turn", **fields: Any) -> Json:
    """Return a whole answer with this content."""
    return {
        "output": {"message": {"role": "assistant", "content": list(content)}},
        "stopReason": stop,
        "usage": dict(USAGE),
        "metrics": {"latencyMs": 100},
        **fields,
    }


def whole_piece(text: str) -> list[str]:
    """Cut nothing."""
    return [text] if text else []


def events(said: Json, cut: Cut = whole_piece) -> list[tuple[str, Json]]:
    """Return the events that stream an answer; ``cut`` says into which pieces a text falls."""
    found: list[tuple[str, Json]] = [("messageStart", {"role": "assistant", "p": "abcdef"})]
    for index, block in enumerate(said["output"]["message"]["content"]):
        at = {"contentBlockIndex": index}
        if "toolUse" in block:
            use = {name: value for name, value in block["toolUse"].items() if name != "input"}
            found.append(("contentBlockStart", {"start": {"toolUse": use}, **at}))
        found += [("contentBlockDelta", {"delta": delta, **at, "p": "ab"}) for delta in _deltas(block, cut)]
        found.append(("contentBlockStop", at))
    more = {name: said[name] for name in ("additionalModelResponseFields",) if name in said}
    found.append(("messageStop", {"stopReason": said["stopReason"], **more}))
    found.append(("metadata", {"usage": said["usage"], "metrics": said["metrics"]}))
    return found


def streamed(said: Json | Iterable[bytes], cut: Cut = whole_piece) -> list[Step]:
    """Return the steps that stream an answer, or messages of the framing, one write each."""
    frames = [event(*one) for one in events(said, cut)] if isinstance(said, dict) else said
    return [Head(200, (("content-type", CONTENT_TYPE), ("x-amzn-requestid", "req-1"))), *map(Chunk, frames)]


def _deltas(block: Json, cut: Cut) -> list[Json]:
    if "text" in block:
        return [{"text": piece} for piece in cut(block["text"])]
    if "toolUse" in block:
        return [{"toolUse": {"input": piece}} for piece in cut(json.dumps(block["toolUse"]["input"]))]
    if "citationsContent" in block:
        said = block["citationsContent"]
        texts = [{"text": piece} for part in said["content"] for piece in cut(part["text"])]
        return texts + [{"citation": citation} for citation in said["citations"]]
    reasoning = block["reasoningContent"]
    if "redactedContent" in reasoning:
        return [{"reasoningContent": {"redactedContent": reasoning["redactedContent"]}}]
    text = reasoning["reasoningText"]
    deltas = [{"reasoningContent": {"text": piece}} for piece in cut(text["text"])]
    if "signature" in text:
        deltas.append({"reasoningContent": {"signature": text["signature"]}})
    return deltas
