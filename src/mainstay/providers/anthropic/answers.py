"""A whole answer of the Messages wire: its summary at once, its events when asked for.

One block of content gives the same events here and in a stream, so whoever works on events need not care
which of the two it was. Between two blocks of text a claim ends: what the first cites is not said of the second.
"""

import msgspec

from mainstay.core.answer import Whole
from mainstay.core.errors import UpstreamBroken
from mainstay.core.events import (
    ClaimEnded,
    Dialect,
    Event,
    Finished,
    Metered,
    Opaque,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSealed,
    ToolDelta,
    ToolStarted,
)
from mainstay.core.ids import uuid7
from mainstay.providers.anthropic.errors import broken, classify, fault_of
from mainstay.providers.anthropic.wire import (
    UNREADABLE,
    Meter,
    StopDetails,
    WireBlock,
    WireKind,
    WireMessage,
    finish_reason,
    present,
)
from mainstay.providers.wire import mend

__all__ = ["arguments", "block_events", "ending", "read_block", "tool_started", "whole"]

_message = msgspec.json.Decoder(WireMessage)
_block = msgspec.json.Decoder(WireBlock)
_kind = msgspec.json.Decoder(WireKind)


def whole(body: bytes) -> Whole:
    """Read the body of a successful answer.

    Raises:
        MainstayError: it is an error under a status of 200 (classified like any other).
        UpstreamBroken: it is not a message.
    """
    try:
        message = _read(body)
    except UpstreamBroken:
        mended = mend(body)
        if mended == body:
            raise
        body, message = mended, _read(mended)
    tools = any(_is_tool(raw) for raw in message.content or ())
    meter = Meter()
    meter.read(message.usage)
    return Whole(
        wire=body,
        dialect=Dialect.ANTHROPIC,
        id=message.id or "",
        model=message.model or "",
        finish=(finish_reason(message.stop_reason, tools=tools),),
        usage=meter.usage,
        decode=_events,
    )


def _read(body: bytes) -> WireMessage:
    try:
        message = _message.decode(body)
    except UNREADABLE:
        if (fault := fault_of(body)) is not None:
            raise classify(None, fault) from None
        raise broken("an answer that is not a message") from None
    if message.type == "error" or present(message.error):
        raise classify(None, fault_of(body))
    if message.content is None:
        if (fault := fault_of(body)) is not None:
            raise classify(None, fault)
        raise broken("an answer without content")
    return message


def _is_tool(raw: msgspec.Raw) -> bool:
    # The substring decides for nearly every block; only a text that mentions it is read twice.
    return b"tool_use" in bytes(raw) and read_block(raw).type == "tool_use"


def _events(body: bytes) -> tuple[Event, ...]:
    message = _read(body)
    events: list[Event] = [Started(id=message.id or "", model=message.model or "")]
    calls, before = 0, ""
    for raw in message.content or ():
        block = read_block(raw)
        if block.type == before == "text":
            events.append(ClaimEnded())
        events += block_events(block, raw, calls)
        calls += block.type == "tool_use"
        before = block.type
    events += ending(message.stop_reason, message.stop_sequence, message.stop_details, tools=calls > 0)
    meter = Meter()
    if (usage := meter.read(message.usage)) is not None:
        events.append(Metered(usage))
    return tuple(events)


def read_block(raw: msgspec.Raw) -> WireBlock:
    """Decode one block of content.

    Raises:
        UpstreamBroken: it is not a block.
    """
    try:
        return _block.decode(raw)
    except UNREADABLE:
        pass
    # A kind we do not know may use our names for other shapes; it is carried, not read.
    try:
        kind = _kind.decode(raw).type
    except UNREADABLE:
        kind = ""
    if kind in ("", "text", "thinking", "redacted_thinking", "tool_use"):
        raise broken("a block of content that cannot be read")
    return WireBlock(type=kind)


def block_events(block: WireBlock, raw: msgspec.Raw, calls: int) -> list[Event]:
    """Return the events of one complete block; ``calls`` is the number of tool calls before it."""
    events: list[Event] = []
    if block.type == "text":
        if block.text:
            events.append(TextDelta(block.text))
        events += [Opaque(citation, Dialect.ANTHROPIC) for citation in block.citations or ()]
    elif block.type == "thinking":
        if block.thinking:
            events.append(ThinkingDelta(block.thinking))
        if block.signature:
            events.append(ThinkingSealed(signature=block.signature))
    elif block.type == "redacted_thinking":
        if block.data:
            events.append(ThinkingSealed(redacted=block.data))
    elif block.type == "tool_use":
        events += (tool_started(block, calls), ToolDelta(arguments(block), index=calls))
    else:
        events.append(Opaque(raw, Dialect.ANTHROPIC))
    return events


def arguments(block: WireBlock) -> str:
    """Return the input of a tool call as the JSON text it is on the wire; without one it is an empty object.

    Raises:
        UpstreamBroken: it is not UTF-8.
    """
    if not present(block.input):
        return "{}"
    try:
        return bytes(block.input).decode()
    except UnicodeDecodeError:
        raise broken("a tool call that cannot be read") from None


def tool_started(block: WireBlock, index: int) -> ToolStarted:
    """Return the opening of a tool call; a call without an id gets one."""
    return ToolStarted(id=block.id or f"toolu_{uuid7()}", name=block.name or "", index=index)


def ending(word: str | None, stop_sequence: str | None, details: StopDetails | None, *, tools: bool) -> list[Event]:
    """Return the events that end the answer; why the model declined comes before the end itself."""
    events: list[Event] = []
    if details is not None and details.explanation:
        events.append(RefusalDelta(details.explanation))
    events.append(
        Finished(finish_reason(word, tools=tools), raw=word or "", stop_sequence=stop_sequence),
    )
    return events
