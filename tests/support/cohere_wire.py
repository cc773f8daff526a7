"""Cohere's v2 chat wire from the server's side: an answer as JSON, and as the events that would bring it.

Written from the published protocol, apart from the code under test; the official SDK reads it in the tests.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

from support.upstream import Chunk, Head, Step

__all__ = ["USAGE", "answer", "events", "sse", "streamed", "whole_piece"]

Json = dict[str, Any]
Cut = Callable[[str], list[str]]

USAGE = {"billed_units": {"input_tokens": 10, "output_tokens": 5}, "tokens": {"input_tokens": 75, "output_tokens": 6}}


def answer(*content: Json, finish: str = "COMPLETE", usage: Any = USAGE, **message: Any) -> Json:
    """Return a whole answer with this content; ``message`` holds tool_plan, tool_calls and citations."""
    said = {"role": "assistant", **({"content": list(content)} if content else {}), **message}
    return {"id": "c14c80c3", "message": said, "finish_reason": finish, "usage": usage}


def whole_piece(text: str) -> list[str]:
    """Cut nothing."""
    return [text] if text else []


def events(said: Json, cut: Cut = whole_piece) -> list[Json]:
    """Return the events that stream an answer; ``cut`` says into which pieces a text falls."""
    message = said["message"]
    found: list[Json] = [_event("message-start", id=said["id"], message={"role": "assistant", "content": []})]
    for index, block in enumerate(message.get("content", ())):
        kind = block["type"]
        found.append(_event("content-start", index, message={"content": {"type": kind, kind: ""}}))
        found += [_event("content-delta", index, message={"content": {kind: piece}}) for piece in cut(block[kind])]
        found.append(_event("content-end", index))
    found += [_event("tool-plan-delta", message={"tool_plan": piece}) for piece in cut(message.get("tool_plan", ""))]
    for index, call in enumerate(message.get("tool_calls", ())):
        opening = {**call, "function": {"name": call["function"]["name"], "arguments": ""}}
        found.append(_event("tool-call-start", index, message={"tool_calls": opening}))
        for piece in cut(call["function"]["arguments"]):
            found.append(_event("tool-call-delta", index, message={"tool_calls": {"function": {"arguments": piece}}}))
        found.append(_event("tool-call-end", index))
    for index, citation in enumerate(message.get("citations", ())):
        found.append(_event("citation-start", index, message={"citations": citation}))
        found.append(_event("citation-end", index))
    found.append({"type": "message-end", "delta": {"finish_reason": said["finish_reason"], "usage": said["usage"]}})
    return found


def sse(found: Iterable[Json]) -> list[bytes]:
    """Return events as a stream's bytes, one item an event."""
    return [f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in found]


def streamed(said: Json | Iterable[Json], cut: Cut = whole_piece) -> list[Step]:
    """Return the steps that stream an answer, or events, one write each."""
    found = events(said, cut) if isinstance(said, dict) else said
    return [Head(200), *(Chunk(piece) for piece in sse(found))]


def _event(kind: str, index: int | None = None, id: str | None = None, **delta: Any) -> Json:  # noqa: A002  # the wire's own word
    head = {"type": kind, "id": id, "index": index, "delta": delta or None}
    return {name: value for name, value in head.items() if value is not None}
