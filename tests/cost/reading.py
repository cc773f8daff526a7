"""Vendors' answers read as the product reads them: whole, and as the stream that would have brought them."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from mainstay.core.call import Ask
from mainstay.core.events import Metered
from mainstay.core.sse import SseEvent
from mainstay.core.target import Operation, Target
from mainstay.core.usage import Usage
from mainstay.providers.port import Codec
from mainstay.providers.tasks.audio import read_speech, read_transcript
from mainstay.providers.tasks.catalogue import make_task
from mainstay.providers.tasks.embeddings import read_embeddings
from mainstay.providers.tasks.form import FormReader
from mainstay.providers.tasks.images import read_images
from mainstay.providers.tasks.rerank import read_rerank
from mainstay.providers.vendors.catalogue import packaged_names, packaged_row
from mainstay.providers.vendors.codec import make_vendor_codec
from mainstay.providers.vendors.wires import make_codec

__all__ = ["encode", "streamed", "whole"]

Case = dict[str, Any]


def encode(value: Any) -> bytes:
    """Return JSON as a vendor writes it; decimals are written as the numbers they are."""
    return json.dumps(value, default=_number).encode()


def _number(value: object) -> float:
    assert isinstance(value, Decimal)
    return float(value)


def _codec(kind: str) -> Codec:
    if kind in packaged_names():
        row = packaged_row(kind)
        return make_vendor_codec(row, make_codec(row.wire), None)
    return make_codec(kind)


def whole(case: Case) -> Usage:
    """Return the usage of a whole answer, as the codec of its vendor reads it."""
    if case["operation"] != "chat":
        return _task(case)
    usage = _codec(case["kind"]).whole(encode(case["answer"])).usage
    assert usage is not None
    return usage


def streamed(case: Case) -> Usage:
    """Return the usage of the same answer, streamed: the last that the reader of its vendor meters."""
    codec = _codec(case["kind"])
    reader = codec.reader()
    found = None
    for name, data in _STREAMS[case["shape"]](case["answer"]):
        frame = reader.feed(SseEvent(encode(data), name.encode()))
        for event in frame.events if frame is not None else ():
            if isinstance(event, Metered):
                found = event.usage
    assert found is not None
    return found


def _task(case: Case) -> Usage:
    target = Target("m", "p", case["kind"], case["model"])
    operation = Operation(case["operation"])
    asked = case.get("asked", {})
    wire = "cohere" if case["kind"] == "cohere" else "openai"
    codec = make_task(wire, operation).about(_ask(operation, {"model": case["model"], **asked}), target)
    if operation is Operation.SPEECH:
        reader = codec.reader()
        frames = [reader.feed(SseEvent(b"ID3...")), reader.finish()]
        return next(e.usage for frame in frames if frame for e in frame.events if isinstance(e, Metered))
    usage = codec.whole(encode(case["answer"])).usage
    assert usage is not None
    return usage


def _ask(operation: Operation, asked: dict[str, Any]) -> Ask:
    if operation is Operation.TRANSCRIPTION:
        parts = [
            f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}' for name, value in asked.items()
        ]
        parts.append('--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n\r\nsound')
        body = "\r\n".join([*parts, "--b--", ""]).encode()
        reader = FormReader(b"multipart/form-data; boundary=b")
        reader.feed(body)
        return read_transcript(reader.finish(), operation)
    body = encode(asked)
    if operation is Operation.EMBEDDING:
        return read_embeddings(body)
    if operation is Operation.RERANK:
        return read_rerank(body)
    return read_speech(body) if operation is Operation.SPEECH else read_images(body)


_Events = Iterator[tuple[str, Any]]


def _openai(answer: Case) -> _Events:
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": answer["model"]}
    if "service_tier" in answer:
        head["service_tier"] = answer["service_tier"]
    delta = {"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": None}
    yield "", {**head, "choices": [delta], "usage": None}
    yield "", {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": None}
    yield "", {**head, "choices": [], "usage": answer["usage"]}


def _responses(answer: Case) -> _Events:
    begun = {**answer, "status": "in_progress", "output": [], "usage": None}
    yield "", {"type": "response.created", "response": begun, "sequence_number": 0}
    for place, item in enumerate(answer["output"]):
        yield (
            "",
            {"type": "response.output_item.done", "output_index": place, "item": item, "sequence_number": place + 1},
        )
    yield "", {"type": "response.completed", "response": answer, "sequence_number": 99}


def _anthropic(answer: Case) -> _Events:
    usage = answer["usage"]
    first = {**usage, "output_tokens": 1}
    first.pop("server_tool_use", None)
    message = {**answer, "content": [], "stop_reason": None, "usage": first}
    yield "message_start", {"type": "message_start", "message": message}
    text = {"type": "text", "text": ""}
    yield "content_block_start", {"type": "content_block_start", "index": 0, "content_block": text}
    said = {"type": "text_delta", "text": "Hi"}
    yield "content_block_delta", {"type": "content_block_delta", "index": 0, "delta": said}
    yield "content_block_stop", {"type": "content_block_stop", "index": 0}
    last = {name: value for name, value in usage.items() if name not in ("cache_creation", "service_tier")}
    yield "message_delta", {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": last}
    yield "message_stop", {"type": "message_stop"}


def _gemini(answer: Case) -> _Events:
    usage = answer["usageMetadata"]
    part = {**answer["candidates"][0]}
    part.pop("finishReason")
    early = {name: value for name, value in usage.items() if name.startswith("prompt")}
    yield "", {**answer, "candidates": [part], "usageMetadata": {**early, "totalTokenCount": usage["promptTokenCount"]}}
    yield "", answer


def _bedrock(answer: Case) -> _Events:
    yield "messageStart", {"role": "assistant"}
    yield "contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hi"}}
    yield "contentBlockStop", {"contentBlockIndex": 0}
    yield "messageStop", {"stopReason": "end_turn"}
    tier = {"serviceTier": answer["serviceTier"]} if "serviceTier" in answer else {}
    yield "metadata", {"usage": answer["usage"], "metrics": {"latencyMs": 5}, **tier}


def _cohere(answer: Case) -> _Events:
    start = {"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}}
    yield "message-start", {"id": "c1", "type": "message-start", "delta": start}
    content = {"message": {"content": {"type": "text", "text": ""}}}
    yield "content-start", {"type": "content-start", "index": 0, "delta": content}
    said = {"message": {"content": {"text": "Hi"}}}
    yield "content-delta", {"type": "content-delta", "index": 0, "delta": said}
    yield "content-end", {"type": "content-end", "index": 0}
    yield "message-end", {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": answer["usage"]}}


_STREAMS = {
    "openai": _openai,
    "deepseek": _openai,
    "xai": _openai,
    "stated": _openai,
    "responses": _responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "bedrock": _bedrock,
    "cohere": _cohere,
}
