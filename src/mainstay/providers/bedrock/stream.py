"""A streamed answer of the Converse wire, event by event.

The order is ``messageStart``; for each block ``contentBlockStart`` (which text and reasoning go without), its deltas
and ``contentBlockStop``; ``messageStop`` with the reason; ``metadata`` with the counts. An exception may stand
anywhere and ends the stream. The answer is complete once ``messageStop`` came; any other end is an interruption.
"""

import base64
import binascii
from typing import Any

import msgspec

from mainstay.core.errors import UpstreamInterrupted
from mainstay.core.events import (
    Dialect,
    Event,
    Finished,
    Frame,
    Metered,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSealed,
    ToolDelta,
)
from mainstay.core.sse import SseEvent
from mainstay.providers.bedrock.answers import tool_started
from mainstay.providers.bedrock.errors import exception
from mainstay.providers.bedrock.eventstream import EXCEPTION
from mainstay.providers.bedrock.wire import (
    Delta,
    Reasoning,
    Start,
    ToolUse,
    broken,
    carried,
    finish_reason,
    named_sequence,
    read_usage,
)
from mainstay.providers.wire import NOTHING, UNREADABLE, mend, present

__all__ = ["ConverseReader"]

#: Reasons that leave the last block unfinished.
_CUT = ("max_tokens", "model_context_window_exceeded")


class _DeltaEvent(msgspec.Struct, rename="camel"):
    delta: Delta
    content_block_index: int = 0


class _RawEvent(msgspec.Struct, rename="camel"):
    delta: msgspec.Raw = NOTHING
    start: msgspec.Raw = NOTHING


class _StartEvent(msgspec.Struct, rename="camel"):
    start: Start
    content_block_index: int = 0


class _StopEvent(msgspec.Struct, rename="camel"):
    content_block_index: int = 0


class _EndEvent(msgspec.Struct, rename="camel"):
    stop_reason: str | None = None
    additional_model_response_fields: msgspec.Raw = NOTHING


class _MetadataEvent(msgspec.Struct, rename="camel"):
    usage: msgspec.Raw = NOTHING
    service_tier: Any = None


_delta = msgspec.json.Decoder(_DeltaEvent)
_raw = msgspec.json.Decoder(_RawEvent)
_start = msgspec.json.Decoder(_StartEvent)
_stop = msgspec.json.Decoder(_StopEvent)
_end = msgspec.json.Decoder(_EndEvent)
_metadata = msgspec.json.Decoder(_MetadataEvent)


class _Call:
    """A tool call that has begun and not ended; ``index`` is -1 for one that the vendor's own server makes."""

    __slots__ = ("index", "pieces", "use", "wrote")

    def __init__(self, use: ToolUse, index: int) -> None:
        self.use = use
        self.index = index
        self.wrote = False
        #: Input of a server's own call, held until its end.
        self.pieces: list[str] = []


class ConverseReader:
    """Reads one stream; see the module for its order."""

    def __init__(self) -> None:
        self._started = False
        self._finished = False
        self._calls = 0
        self._open: dict[int, _Call] = {}
        #: By block: the signature, or the pieces of redacted content, that came so far.
        self._signatures: dict[int, str] = {}
        self._redacted: dict[int, list[str]] = {}

    def feed(self, event: SseEvent) -> Frame | None:
        """Return what ``event`` says.

        Raises:
            MainstayError: it is an exception, classified like an error response.
            UpstreamBroken: it cannot be read.
        """
        name, data = event.name, event.data
        if name.startswith(EXCEPTION):
            raise exception(name[len(EXCEPTION) :].decode("latin-1"), data)
        try:
            if not data.isascii():
                data.decode()
            events = self._read(name, data)
        except UNREADABLE:
            mended = mend(data)
            if mended == data:
                raise broken("an event that cannot be read") from None
            return self.feed(SseEvent(mended, name))
        if events and not self._started:
            # A stream may begin with its content; the frame says then that it has begun.
            self._started = True
            events = [Started(), *(one for one in events if not isinstance(one, Started))]
        return Frame(tuple(events), data, Dialect.BEDROCK, name.decode("latin-1"))

    def finish(self) -> Frame | None:
        """Called at the end of the body.

        Raises:
            UpstreamInterrupted: the answer is not complete.
        """
        if not self._finished:
            raise UpstreamInterrupted("The upstream broke off its answer; ask again.")
        return None

    def _read(self, name: bytes, data: bytes) -> list[Event]:
        if name == b"contentBlockDelta":
            event = _delta.decode(data)
            delta = event.delta
            if delta.text is not None:
                return [TextDelta(delta.text)] if delta.text else []
            return self._delta(event, data)
        if name == b"contentBlockStart":
            return self._block(_start.decode(data), data)
        if name == b"contentBlockStop":
            return self._close(_stop.decode(data).content_block_index, "")
        if name == b"messageStart":
            return [] if self._started else [Started()]
        if name == b"messageStop":
            return self._end(_end.decode(data))
        if name == b"metadata":
            metadata = _metadata.decode(data)
            usage = read_usage(metadata.usage, metadata.service_tier)
            return [Metered(usage)] if usage is not None else []
        return []

    def _delta(self, event: _DeltaEvent, data: bytes) -> list[Event]:
        delta, index = event.delta, event.content_block_index
        if delta.tool_use is not None:
            return self._input(index, delta.tool_use.input or "")
        if delta.reasoning_content is not None:
            return self._reason(index, delta.reasoning_content)
        if present(delta.citation):
            return [carried(delta.citation)]
        return [carried(_raw.decode(data).delta)]

    def _block(self, event: _StartEvent, data: bytes) -> list[Event]:
        index, use = event.content_block_index, event.start.tool_use
        events = self._close(index, "")
        if use is None:
            return [*events, carried(_raw.decode(data).start)]
        if use.type:
            self._open[index] = _Call(use, -1)
            return events
        self._open[index] = _Call(use, self._calls)
        events.append(tool_started(use, self._calls))
        self._calls += 1
        return events

    def _input(self, index: int, piece: str) -> list[Event]:
        call = self._open.get(index)
        if call is None:
            raise broken("arguments of a tool call that was never opened")
        if not piece:
            return []
        call.wrote = True
        if call.index >= 0:
            return [ToolDelta(piece, call.index)]
        call.pieces.append(piece)
        return []

    def _reason(self, index: int, reasoning: Reasoning) -> list[Event]:
        if reasoning.signature:
            self._signatures[index] = self._signatures.get(index, "") + reasoning.signature
        if reasoning.redacted_content:
            self._redacted.setdefault(index, []).append(reasoning.redacted_content)
        return [ThinkingDelta(reasoning.text)] if reasoning.text else []

    def _close(self, index: int, reason: str) -> list[Event]:
        events: list[Event] = []
        if signature := self._signatures.pop(index, ""):
            events.append(ThinkingSealed(signature=signature))
        if pieces := self._redacted.pop(index, None):
            events.append(ThinkingSealed(redacted=_joined(pieces)))
        call = self._open.pop(index, None)
        if call is None:
            return events
        if call.index < 0:
            return [*events, carried(_written(call))]
        # A call that the limit cut before its first argument stays cut; it is not a call without arguments.
        if not call.wrote and reason not in _CUT:
            events.append(ToolDelta("{}", call.index))
        return events

    def _end(self, event: _EndEvent) -> list[Event]:
        if self._finished:
            return []
        word = event.stop_reason or ""
        reason = finish_reason(word, tools=self._calls > 0)
        held = {*self._open, *self._signatures, *self._redacted}
        events = [one for index in sorted(held) for one in self._close(index, word)]
        self._finished = True
        sequence = named_sequence(event.additional_model_response_fields)
        return [*events, Finished(reason, raw=word, stop_sequence=sequence)]


def _joined(pieces: list[str]) -> str:
    """Return redacted content that came in several pieces of base64 as one; a single piece keeps every byte."""
    if len(pieces) == 1:
        return pieces[0]
    try:
        return base64.b64encode(b"".join(base64.b64decode(piece, validate=True) for piece in pieces)).decode()
    except (binascii.Error, ValueError):
        raise broken("reasoning that cannot be read") from None


def _written(call: _Call) -> msgspec.Raw:
    """Return the block of a server's own call, with the input that its deltas brought; what is no JSON stays text."""
    text = "".join(call.pieces)
    given: object = {}
    if text:
        try:
            msgspec.json.decode(text)
            given = msgspec.Raw(text.encode())
        except UNREADABLE:
            given = text
    use = call.use
    said = {"toolUseId": use.tool_use_id, "name": use.name, "input": given, "type": use.type}
    return msgspec.Raw(msgspec.json.encode({"toolUse": said}))
