"""A whole answer of the Converse wire: its summary at once, its events when asked for."""

from typing import Any

import msgspec

from mainstay.core.answer import Whole
from mainstay.core.events import (
    Dialect,
    Event,
    Finished,
    Metered,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSealed,
    ToolDelta,
    ToolStarted,
)
from mainstay.core.ids import uuid7
from mainstay.providers.bedrock.errors import fault_of
from mainstay.providers.bedrock.wire import (
    Block,
    Reasoning,
    ToolUse,
    broken,
    carried,
    finish_reason,
    named_sequence,
    read_usage,
)
from mainstay.providers.wire import NOTHING, UNREADABLE, mend, present

__all__ = ["arguments", "reasoning_events", "tool_started", "whole"]


class _Message(msgspec.Struct):
    content: list[msgspec.Raw] | None = None


class _Output(msgspec.Struct):
    message: _Message | None = None


class _Answer(msgspec.Struct, rename="camel"):
    output: _Output | None = None
    stop_reason: str | None = None
    usage: msgspec.Raw = NOTHING
    service_tier: Any = None
    additional_model_response_fields: msgspec.Raw = NOTHING


_answer = msgspec.json.Decoder(_Answer)
_block = msgspec.json.Decoder(Block)


def whole(body: bytes) -> Whole:
    """Read the body of a successful answer.

    Raises:
        UpstreamBroken: it is not an answer.
        MainstayError: it is an error under a status of 200.
    """
    try:
        answer, content = _read(body)
    except UNREADABLE:
        mended = mend(body)
        try:
            answer, content = _read(mended)
        except UNREADABLE:
            raise broken("an answer that cannot be read") from None
        body = mended
    tools = any(b'"toolUse"' in bytes(raw) and _is_call(_read_block(raw)) for raw in content)
    finish = finish_reason(answer.stop_reason or "", tools=tools)
    return Whole(body, Dialect.BEDROCK, "", "", (finish,), read_usage(answer.usage, answer.service_tier), _events)


def _read(body: bytes) -> tuple[_Answer, list[msgspec.Raw]]:
    answer = _answer.decode(body)
    body.decode()
    message = answer.output.message if answer.output is not None else None
    if message is None or message.content is None:
        raise fault_of(body) or broken("an answer without a message")
    return answer, message.content


def _is_call(block: Block) -> bool:
    return block.tool_use is not None and not block.tool_use.type


def _read_block(raw: msgspec.Raw) -> Block:
    try:
        return _block.decode(raw)
    except UNREADABLE:
        raise broken("a block of content that cannot be read") from None


def _events(body: bytes) -> tuple[Event, ...]:
    answer, content = _read(body)
    events: list[Event] = [Started()]
    calls = 0
    for raw in content:
        block = _read_block(raw)
        if _is_call(block):
            assert block.tool_use is not None
            events += (tool_started(block.tool_use, calls), ToolDelta(arguments(block.tool_use), calls))
            calls += 1
        else:
            events += _block_events(block, raw)
    word = answer.stop_reason or ""
    sequence = named_sequence(answer.additional_model_response_fields)
    events.append(Finished(finish_reason(word, tools=calls > 0), raw=word, stop_sequence=sequence))
    if (usage := read_usage(answer.usage, answer.service_tier)) is not None:
        events.append(Metered(usage))
    return tuple(events)


def _block_events(block: Block, raw: msgspec.Raw) -> list[Event]:
    if block.text is not None:
        return [TextDelta(block.text)] if block.text else []
    if block.reasoning_content is not None:
        return reasoning_events(block.reasoning_content)
    cited = block.citations_content
    if cited is not None:
        text = "".join(piece.text or "" for piece in cited.content or ())
        events: list[Event] = [TextDelta(text)] if text else []
        return events + [carried(citation) for citation in cited.citations or ()]
    return [carried(raw)]


def reasoning_events(block: Reasoning) -> list[Event]:
    """Return the events of a complete block of reasoning; what proves it keeps every byte."""
    events: list[Event] = []
    text = block.reasoning_text
    if text is not None:
        if text.text:
            events.append(ThinkingDelta(text.text))
        if text.signature:
            events.append(ThinkingSealed(signature=text.signature))
    if block.redacted_content:
        events.append(ThinkingSealed(redacted=block.redacted_content))
    return events


def tool_started(call: ToolUse, index: int) -> ToolStarted:
    """Return the opening of a tool call; one without an id gets one.

    Raises:
        UpstreamBroken: it has no name.
    """
    if not call.name:
        raise broken("a tool call without a name")
    return ToolStarted(call.tool_use_id or f"tooluse_{uuid7()}", call.name, index)


def arguments(call: ToolUse) -> str:
    """Return the input of a call as the JSON text it is on the wire; without one it is an empty object."""
    return bytes(call.input).decode() if present(call.input) else "{}"
