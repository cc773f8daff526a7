"""OpenAI's Responses wire from the server's side: an answer as JSON, and as the events that would bring it.

Written from the published protocol, apart from the code under test; the official SDK's types read it in the tests.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["USAGE", "answer", "body", "call", "events", "message", "part", "reasoning", "sse", "whole_piece"]

Json = dict[str, Any]
Cut = Callable[[str], list[str]]

USAGE: Json = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 15,
}
_BASE: Json = {
    "object": "response",
    "created_at": 1700000000,
    "model": "gpt-test-2026-01-01",
    "background": False,
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "store": False,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
}


def part(text: str, **fields: Any) -> Json:
    """Return a part of visible text."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": [], **fields}


def message(*parts: Json, id: str = "msg_1") -> Json:  # noqa: A002  # the wire's own word
    """Return a message."""
    return {"id": id, "type": "message", "status": "completed", "role": "assistant", "content": list(parts)}


def reasoning(*summary: str, encrypted: str | None = None, id: str = "rs_1") -> Json:  # noqa: A002  # the wire's own word
    """Return a block of reasoning with the paragraphs of its summary."""
    item: Json = {"id": id, "type": "reasoning", "summary": [{"type": "summary_text", "text": one} for one in summary]}
    return item if encrypted is None else {**item, "encrypted_content": encrypted}


def call(name: str, arguments: str, call_id: str, id: str = "fc_1") -> Json:  # noqa: A002  # the wire's own word
    """Return a call of a function."""
    return {
        "id": id,
        "type": "function_call",
        "status": "completed",
        "arguments": arguments,
        "call_id": call_id,
        "name": name,
    }


def answer(*items: Json, status: str = "completed", usage: Any = USAGE, **fields: Any) -> Json:
    """Return a complete response."""
    return {"id": "resp_up", **_BASE, "status": status, "output": list(items), "usage": usage, **fields}


def body(said: object) -> bytes:
    """Return a response as the body of an answer."""
    return json.dumps(said).encode()


def whole_piece(text: str) -> list[str]:
    """Cut nothing."""
    return [text] if text else []


def events(said: Json, cut: Cut = whole_piece) -> list[Json]:
    """Return the events that stream a response; ``cut`` says into which pieces a text falls."""
    head = {**said, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    found: list[Json] = [{"type": "response.created", "response": head}]
    found.append({"type": "response.in_progress", "response": head})
    for index, item in enumerate(said["output"]):
        found.append({"type": "response.output_item.added", "output_index": index, "item": _opening(item)})
        found += [{**one, "item_id": item["id"], "output_index": index} for one in _inside(item, cut)]
        found.append({"type": "response.output_item.done", "output_index": index, "item": item})
    found.append({"type": f"response.{said['status']}", "response": said})
    return [{**one, "sequence_number": number} for number, one in enumerate(found)]


def sse(stream: Iterable[Json]) -> bytes:
    """Return events as the bytes of a stream."""
    return b"".join(b"event: %s\ndata: %s\n\n" % (one["type"].encode(), json.dumps(one).encode()) for one in stream)


def _opening(item: Json) -> Json:
    opened = {**item, "status": "in_progress"}
    for name, empty in (("content", []), ("summary", []), ("arguments", "")):
        if name in opened:
            opened[name] = empty
    if item["type"] == "reasoning":
        del opened["status"]
    return opened


def _inside(item: Json, cut: Cut) -> Iterable[Json]:
    if item["type"] == "function_call":
        for piece in cut(item["arguments"]):
            yield {"type": "response.function_call_arguments.delta", "delta": piece}
        yield {
            "type": "response.function_call_arguments.done",
            "arguments": item["arguments"],
            "name": item["name"],
        }
    for index, one in enumerate(item.get("summary", ())):
        at = {"summary_index": index}
        yield {"type": "response.reasoning_summary_part.added", **at, "part": {**one, "text": ""}}
        for piece in cut(one["text"]):
            yield {"type": "response.reasoning_summary_text.delta", **at, "delta": piece}
        yield {"type": "response.reasoning_summary_text.done", **at, "text": one["text"]}
        yield {"type": "response.reasoning_summary_part.done", **at, "part": one}
    if item["type"] == "message":
        for index, one in enumerate(item["content"]):
            yield from _part(one, {"content_index": index}, cut)


def _part(one: Json, at: Json, cut: Cut) -> Iterable[Json]:
    name = "refusal" if one["type"] == "refusal" else "text"
    kind = "refusal" if name == "refusal" else "output_text"
    more: Json = {} if name == "refusal" else {"logprobs": []}
    opened = {**one, name: "", **({} if name == "refusal" else {"annotations": []})}
    yield {"type": "response.content_part.added", **at, "part": opened}
    for piece in cut(one[name]):
        yield {"type": f"response.{kind}.delta", **at, "delta": piece, **more}
    for number, note in enumerate(one.get("annotations", ())):
        noted = {"annotation_index": number, "annotation": note}
        yield {"type": "response.output_text.annotation.added", **at, **noted}
    yield {"type": f"response.{kind}.done", **at, name: one[name], **more}
    yield {"type": "response.content_part.done", **at, "part": one}
