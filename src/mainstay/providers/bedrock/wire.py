"""The parts of Bedrock's Converse wire that Mainstay reads, and what its words mean.

Only fields that some step of the line needs are typed; the rest stays in the bytes that an answer carries.
"""

from typing import Any

import msgspec

from mainstay.core.errors import UpstreamBroken
from mainstay.core.events import Dialect, FinishReason, Opaque
from mainstay.core.usage import Usage
from mainstay.providers.wire import NOTHING, UNREADABLE, count, json_object, present, service

__all__ = [
    "Block",
    "Delta",
    "Reasoning",
    "ReasoningText",
    "Start",
    "ToolUse",
    "broken",
    "carried",
    "finish_reason",
    "mark_of",
    "named_sequence",
    "read_usage",
]

_FINISH = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP_SEQUENCE,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.CONTEXT,
    "tool_use": FinishReason.TOOLS,
    "guardrail_intervened": FinishReason.FILTERED,
    "content_filtered": FinishReason.FILTERED,
    # Words of Anthropic's own wire, should its models' reasons pass through.
    "refusal": FinishReason.REFUSED,
    "pause_turn": FinishReason.PAUSED,
}
#: The model wrote what its vendor could not read: no end of an answer.
_MALFORMED = frozenset({"malformed_model_output", "malformed_tool_use"})


class ReasoningText(msgspec.Struct, gc=False):
    """Reasoning that is shown, and the signature that proves it."""

    text: str | None = None
    signature: str | None = None


class Reasoning(msgspec.Struct, gc=False, rename="camel"):
    """Reasoning in a whole answer (``reasoningText``) or in a stream; ``redactedContent`` is base64."""

    reasoning_text: ReasoningText | None = None
    redacted_content: str | None = None
    text: str | None = None
    signature: str | None = None


class ToolUse(msgspec.Struct, rename="camel"):
    """A call; ``type`` is set where the vendor's own server makes it."""

    tool_use_id: str | None = None
    name: str | None = None
    input: msgspec.Raw = NOTHING
    type: str | None = None


class _Text(msgspec.Struct, gc=False):
    text: str | None = None


class _Citations(msgspec.Struct):
    content: list[_Text] | None = None
    citations: list[msgspec.Raw] | None = None


class Block(msgspec.Struct, rename="camel"):
    """One block of content: one of its fields is set, or it is of a kind that is only carried."""

    text: str | None = None
    tool_use: ToolUse | None = None
    reasoning_content: Reasoning | None = None
    citations_content: _Citations | None = None


class _Piece(msgspec.Struct, gc=False):
    input: str | None = None


class Delta(msgspec.Struct, rename="camel"):
    """The ``delta`` of ``contentBlockDelta``."""

    text: str | None = None
    tool_use: _Piece | None = None
    reasoning_content: Reasoning | None = None
    citation: msgspec.Raw = NOTHING


class Start(msgspec.Struct, rename="camel"):
    """The ``start`` of ``contentBlockStart``."""

    tool_use: ToolUse | None = None


class _Usage(msgspec.Struct, rename="camel"):
    input_tokens: Any = None
    output_tokens: Any = None
    cache_read_input_tokens: Any = None
    cache_write_input_tokens: Any = None
    cache_details: Any = None


_usage = msgspec.json.Decoder(_Usage)


def broken(what: str) -> UpstreamBroken:
    """Return the error for an answer that cannot be read; ``what`` completes the sentence."""
    return UpstreamBroken(f"The upstream sent {what}; ask again.")


def carried(payload: msgspec.Raw) -> Opaque:
    """Return content that only this wire can express, as sent."""
    return Opaque(payload, Dialect.BEDROCK)


def finish_reason(word: str, *, tools: bool) -> FinishReason:
    """Return what ``stopReason`` means; ``tools`` says whether the answer called any.

    Raises:
        UpstreamBroken: the answer ended because it could not be read.
    """
    if word in _MALFORMED:
        raise broken("an answer that its own model had garbled")
    if tools and word in ("", "end_turn"):
        return FinishReason.TOOLS
    return _FINISH.get(word, FinishReason.OTHER)


def named_sequence(fields: msgspec.Raw) -> str | None:
    """Return the stop string that ended the answer, from ``additionalModelResponseFields``, or None."""
    try:
        found = msgspec.json.decode(fields) if present(fields) else None
    except UNREADABLE:
        return None
    word = found.get("stop_sequence") if isinstance(found, dict) else None
    return word if isinstance(word, str) else None


def mark_of(cache_control: msgspec.Raw) -> dict[str, object]:
    """Return the ``cachePoint`` that stands for a ``cache_control``."""
    hour = bytes((json_object(bytes(cache_control)) or {}).get("ttl", b"")) == b'"1h"'
    return {"cachePoint": {"type": "default", "ttl": "1h"} if hour else {"type": "default"}}


def read_usage(report: msgspec.Raw, tier: Any = None) -> Usage | None:
    """Return the counts of a ``usage`` object, or None where it says nothing that can be read.

    ``tier`` is the answer's ``serviceTier``. Bedrock, like Anthropic, counts the input without what was read from or
    written to a cache; here it is a total.
    """
    try:
        said = _usage.decode(report) if present(report) else None
    except UNREADABLE:
        return None
    if said is None:
        return None
    given = count(said.input_tokens)
    output = count(said.output_tokens)
    read = count(said.cache_read_input_tokens) or 0
    write = count(said.cache_write_input_tokens) or 0
    if given is None and output is None and not read and not write:
        return None
    hour = sum(
        count(detail.get("inputTokens")) or 0
        for detail in (said.cache_details if isinstance(said.cache_details, list) else ())
        if isinstance(detail, dict) and detail.get("ttl") == "1h"
    )
    return Usage(
        input=(given or 0) + read + write,
        output=output or 0,
        cache_read=read,
        cache_write=write,
        cache_write_1h=min(hour, write),
        service=service(tier.get("type")) if isinstance(tier, dict) else "",
    )
