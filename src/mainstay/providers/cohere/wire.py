"""The parts of Cohere's v2 chat wire that Mainstay reads, and what its words mean."""

from typing import Any

import msgspec

from mainstay.core.errors import UpstreamBroken
from mainstay.core.events import Dialect, Event, FinishReason, Opaque, TextDelta, ThinkingDelta, ToolStarted
from mainstay.core.ids import uuid7
from mainstay.core.usage import Usage
from mainstay.providers.wire import UNREADABLE, count, present

__all__ = [
    "Call",
    "Content",
    "broken",
    "carried",
    "content_events",
    "finish_reason",
    "read_usage",
    "tool_started",
]

_FINISH = {
    "COMPLETE": FinishReason.STOP,
    "STOP_SEQUENCE": FinishReason.STOP_SEQUENCE,
    "MAX_TOKENS": FinishReason.LENGTH,
    "TOOL_CALL": FinishReason.TOOLS,
    "ERROR_LIMIT": FinishReason.CONTEXT,
    "ERROR_TOXIC": FinishReason.FILTERED,
}


class Content(msgspec.Struct, gc=False):
    """A block of content, or a piece of one."""

    type: str | None = None
    text: str | None = None
    thinking: str | None = None


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class Call(msgspec.Struct, gc=False):
    """A tool call, or a piece of one."""

    id: str | None = None
    function: _Function | None = None


class _Counts(msgspec.Struct, gc=False):
    input_tokens: Any = None
    output_tokens: Any = None
    search_units: Any = None


class _Usage(msgspec.Struct, gc=False):
    billed_units: _Counts | None = None
    tokens: _Counts | None = None
    cached_tokens: Any = None


_usage = msgspec.json.Decoder(_Usage)


def broken(what: str) -> UpstreamBroken:
    """Return the error for an answer that cannot be read; ``what`` completes the sentence."""
    return UpstreamBroken(f"The upstream sent {what}; ask again.")


def carried(payload: msgspec.Raw) -> Opaque:
    """Return content that only this wire can express, as sent."""
    return Opaque(payload, Dialect.COHERE)


def content_events(content: Content) -> list[Event]:
    """Return what a block or a piece of one says."""
    events: list[Event] = []
    if content.thinking:
        events.append(ThinkingDelta(content.thinking))
    if content.text:
        events.append(TextDelta(content.text))
    return events


def tool_started(call: Call, index: int) -> ToolStarted:
    """Return the opening of a tool call; one without an id gets one.

    Raises:
        UpstreamBroken: it has no name.
    """
    if call.function is None or not call.function.name:
        raise broken("a tool call without a name")
    return ToolStarted(call.id or f"call_{uuid7()}", call.function.name, index)


def finish_reason(word: str, *, tools: bool) -> FinishReason:
    """Return what ``finish_reason`` means; ``tools`` says whether the answer called any."""
    if tools and word in ("", "COMPLETE"):
        return FinishReason.TOOLS
    return _FINISH.get(word, FinishReason.OTHER)


def read_usage(report: msgspec.Raw) -> Usage | None:
    """Return the counts of a ``usage`` object, or None where it says nothing that can be read.

    What is billed counts before what the model saw: Cohere adds tokens of its own to every prompt and asks no money
    for them. What is not billed in tokens is counted as the model saw it.
    """
    try:
        said = _usage.decode(report) if present(report) else None
    except UNREADABLE:
        return None
    if said is None:
        return None
    searches = count(said.billed_units.search_units) or 0 if said.billed_units is not None else 0
    for counts in (said.billed_units, said.tokens):
        if counts is None:
            continue
        given, output = count(counts.input_tokens), count(counts.output_tokens)
        if given is not None or output is not None:
            total = given or 0
            read = min(count(said.cached_tokens) or 0, total)
            return Usage(input=total, output=output or 0, cache_read=read, rerank_units=searches)
    return None
