"""A streamed answer of the Messages wire, event by event.

The order is ``message_start``; for each block ``content_block_start``, its deltas and ``content_block_stop``;
``message_delta`` with the stop reason and the final counts; ``message_stop``. ``ping`` may stand anywhere.
Servers in the field break this in ways that lose nothing, and those are read as meant: a second
``message_start``, one that already holds content, blocks without a start or a stop or side by side, no
``message_delta``, no ``usage``. Clients cannot follow all of that: where the order breaks, frames lose their
bytes and are written anew from their events. Whatever nobody here needs to read passes as a frame with its bytes
and no events.

The answer is complete once ``message_stop`` came. A body that ends before it is complete only if
``message_delta`` gave a stop reason: after that nothing of the answer can follow, and the missing event is
supplied. Any other end is an interruption.
"""

import msgspec

from mainstay.core.errors import MainstayError, UpstreamInterrupted
from mainstay.core.events import (
    ClaimEnded,
    Dialect,
    Event,
    Frame,
    Metered,
    Opaque,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSealed,
    ToolDelta,
)
from mainstay.core.sse import SseEvent
from mainstay.providers.anthropic.answers import arguments, block_events, ending, read_block, tool_started
from mainstay.providers.anthropic.errors import broken, classify, fault_of
from mainstay.providers.anthropic.wire import (
    UNREADABLE,
    Meter,
    StopDetails,
    WireBlock,
    WireDelta,
    WireEvent,
    WireKind,
    WireMessage,
    present,
)
from mainstay.providers.wire import mend

__all__ = ["MessageReader"]

_STOP = Frame((), b'{"type":"message_stop"}', Dialect.ANTHROPIC, "message_stop")

_event = msgspec.json.Decoder(WireEvent)
_message = msgspec.json.Decoder(WireMessage)


class _LooseEvent(msgspec.Struct):
    type: str = ""
    delta: msgspec.Raw = msgspec.Raw(b"")


_loose = msgspec.json.Decoder(_LooseEvent)
_kind = msgspec.json.Decoder(WireKind)

_EVENTS = frozenset(
    ("message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta")
)
#: Events that have a place in the order.
_ORDERED = _EVENTS | {"message_stop"}
_DELTAS = frozenset(("text_delta", "thinking_delta", "input_json_delta", "signature_delta", "citations_delta", ""))
#: Reasons that leave the last block unfinished.
_CUT = ("max_tokens", "model_context_window_exceeded")


class _Open:
    """A block that has begun and not ended."""

    __slots__ = ("block", "call", "pieces", "raw", "signature", "wrote")

    def __init__(self, block: WireBlock, raw: msgspec.Raw, call: int) -> None:
        self.block = block
        self.raw = raw
        self.call = call
        self.signature = block.signature or ""
        #: Input of a server's own tool, held until its end; a caller's tool gets each piece at once.
        self.pieces: list[str] = []
        self.wrote = False


class MessageReader:
    """Reads one stream; see the module for the order and what of it may be broken."""

    def __init__(self) -> None:
        self._meter = Meter()
        self._open: dict[int, _Open] = {}
        #: Blocks begun so far, and the one that is open as the order has it.
        self._blocks = 0
        self._at: int | None = None
        #: The kind of the last block.
        self._before = ""
        #: The order was broken: frames go without their bytes.
        self._loose = False
        self._calls = 0
        self._started = False
        self._finished = False
        self._stopped = False
        self._reason: str | None = None
        self._stop_sequence: str | None = None
        self._details: StopDetails | None = None

    def feed(self, event: SseEvent) -> Frame | None:
        """Return what ``event`` says, or None when it says nothing.

        Raises:
            MainstayError: it is an ``error`` event, classified like an error response.
            UpstreamBroken: it cannot be read.
        """
        data = event.data
        if self._stopped or data in (b"", b"[DONE]"):
            return None
        try:
            wire = _event.decode(data)
        except msgspec.ValidationError:
            return self._strange(event)
        except UNREADABLE:
            mended = mend(data)
            if mended == data:
                raise self._unreadable(event) from None
            return self.feed(SseEvent(mended, event.name))
        kind = wire.type
        second = False
        if kind == "content_block_delta":
            if wire.index != self._at:
                self._loose = True
            events = self._delta(wire, data)
            if not self._loose:
                return Frame(tuple(events), data, Dialect.ANTHROPIC, kind)
        elif kind in _ORDERED:
            second = kind == "message_start" and self._started
            self._loose = self._loose or not self._follows(kind, wire.index)
            events = self._ordered(kind, wire)
        elif kind == "error" or event.name == b"error":
            raise classify(None, fault_of(data))
        else:
            # What has no kind of this wire may be another wire's form of an error.
            if (not kind or wire.object == "error") and (fault := fault_of(data)) is not None:
                raise classify(None, fault)
            events = ()
        if second or (self._loose and kind in _ORDERED):
            return Frame(tuple(events))
        return Frame(tuple(events), data, Dialect.ANTHROPIC, kind or event.name.decode("latin-1"))

    def _ordered(self, kind: str, wire: WireEvent) -> list[Event]:
        """Return what an event says that has a place in the order, and is no delta of a block."""
        if kind == "content_block_start":
            return self._block(wire.index, wire.content_block)
        if kind == "content_block_stop":
            return self._close(wire.index)
        if kind == "message_delta":
            return self._message_delta(wire)
        if kind == "message_start":
            return self._message_start(wire.message)
        events = self._finish()
        self._stopped = True
        return events

    def _follows(self, kind: str, index: int) -> bool:
        """Return whether an event of ``kind`` may stand here, and take note of it."""
        if kind == "message_start":
            return True
        if not self._started:
            return False
        if kind == "content_block_start":
            begins = self._at is None and index == self._blocks
            self._at, self._blocks = index, self._blocks + 1
            return begins
        if kind == "content_block_stop":
            ends, self._at = index == self._at, None
            return ends
        return self._at is None

    def finish(self) -> Frame | None:
        """Called at the end of the body: the missing ``message_stop`` of a complete answer, or None.

        Raises:
            UpstreamInterrupted: the answer is not complete.
        """
        if self._stopped:
            return None
        if not self._finished:
            raise UpstreamInterrupted("The upstream broke off its answer; ask again.")
        self._stopped = True
        return None if self._loose else _STOP

    def _strange(self, event: SseEvent) -> Frame:
        # Valid JSON whose fields are not of our types: at fault only if we claim to know its kind.
        try:
            wire = _loose.decode(event.data)
            delta = _kind.decode(wire.delta).type if present(wire.delta) else ""
        except UNREADABLE:
            raise self._unreadable(event) from None
        if event.name == b"error" or wire.type == "error":
            raise classify(None, fault_of(event.data))
        if not wire.type and (fault := fault_of(event.data)) is not None:
            raise classify(None, fault)
        if wire.type in _EVENTS and delta in _DELTAS:
            raise broken("an event that cannot be read")
        events = (Opaque(wire.delta, Dialect.ANTHROPIC),) if wire.type == "content_block_delta" else ()
        return Frame(events, event.data, Dialect.ANTHROPIC, wire.type or event.name.decode("latin-1"))

    def _unreadable(self, event: SseEvent) -> MainstayError:
        fault = fault_of(event.data)
        if event.name == b"error" or fault is not None:
            return classify(None, fault)
        return broken("an event that is not JSON")

    def _message_start(self, raw: msgspec.Raw) -> list[Event]:
        events: list[Event] = []
        if not present(raw):
            return events
        try:
            message = _message.decode(raw)
        except UNREADABLE:
            raise broken("the start of a message that cannot be read") from None
        if not self._started:
            self._started = True
            events.append(Started(id=message.id or "", model=message.model or ""))
            for held in message.content or ():
                block = read_block(held)
                if block.type == self._before == "text":
                    events.append(ClaimEnded())
                self._before = block.type
                events += block_events(block, held, self._calls)
                self._calls += block.type == "tool_use"
            self._blocks = len(message.content or ())
            self._reason = message.stop_reason
            self._stop_sequence = message.stop_sequence
        if (usage := self._meter.read(message.usage)) is not None:
            events.append(Metered(usage))
        return events

    def _block(self, index: int, raw: msgspec.Raw) -> list[Event]:
        events = self._close(index)
        block = read_block(raw)
        if block.type == self._before == "text":
            events.append(ClaimEnded())
        self._before = block.type
        opened = _Open(block, raw, self._calls)
        if block.type == "tool_use":
            self._calls += 1
            events.append(tool_started(block, opened.call))
        elif block.type in ("text", "thinking"):
            block.signature = None  # it may still come; sealed at the end
            events += block_events(block, raw, 0)
        elif block.type != "server_tool_use" and block.type != "mcp_tool_use":
            return events + block_events(block, raw, 0)
        self._open[index] = opened
        return events

    def _delta(self, wire: WireEvent, data: bytes) -> list[Event] | tuple[Event, ...]:
        delta = wire.delta
        if delta is None:
            raise broken("a delta without content")
        kind = delta.type
        if kind == "text_delta":
            return (TextDelta(delta.text),) if delta.text else ()
        if kind == "input_json_delta":
            return self._input(wire.index, delta.partial_json or "")
        if kind == "thinking_delta":
            return (ThinkingDelta(delta.thinking),) if delta.thinking else ()
        if kind == "signature_delta":
            return self._sign(wire.index, delta)
        if kind == "citations_delta" and present(delta.citation):
            return (Opaque(delta.citation, Dialect.ANTHROPIC),)
        return (Opaque(_loose.decode(data).delta, Dialect.ANTHROPIC),)

    def _input(self, index: int, piece: str) -> tuple[Event, ...]:
        opened = self._open.get(index)
        if opened is None:
            raise broken("arguments of a tool call that was never opened")
        if not piece:
            return ()
        opened.wrote = True
        if opened.block.type == "tool_use":
            return (ToolDelta(piece, index=opened.call),)
        opened.pieces.append(piece)
        return ()

    def _sign(self, index: int, delta: WireDelta) -> tuple[Event, ...]:
        opened = self._open.get(index)
        signature = delta.signature or ""
        if opened is None:
            return (ThinkingSealed(signature=signature),) if signature else ()
        opened.signature = signature
        return ()

    def _close(self, index: int) -> list[Event]:
        opened = self._open.pop(index, None)
        if opened is None:
            return []
        kind = opened.block.type
        if kind == "thinking":
            return [ThinkingSealed(signature=opened.signature)] if opened.signature else []
        if kind == "text":
            return []
        if kind == "tool_use":
            if opened.wrote:
                return []
            text = arguments(opened.block)
            # A call that the limit cut before its first argument stays cut; it is not a call without arguments.
            return [] if text == "{}" and self._reason in _CUT else [ToolDelta(text, index=opened.call)]
        return [Opaque(_filled(opened), Dialect.ANTHROPIC)]

    def _message_delta(self, wire: WireEvent) -> list[Event]:
        events: list[Event] = []
        delta = wire.delta
        if delta is not None and delta.stop_reason is not None:
            self._reason = delta.stop_reason
            self._stop_sequence = delta.stop_sequence
            self._details = delta.stop_details
            events += self._finish()
        if (usage := self._meter.read(wire.usage)) is not None:
            events.append(Metered(usage))
        return events

    def _finish(self) -> list[Event]:
        if self._finished:
            return []
        self._finished = True
        events = [event for index in tuple(self._open) for event in self._close(index)]
        return events + ending(self._reason, self._stop_sequence, self._details, tools=self._calls > 0)


def _filled(opened: _Open) -> msgspec.Raw:
    """Return the block of a server's own tool with the input that its deltas brought."""
    if not opened.pieces:
        return opened.raw
    text = "".join(opened.pieces)
    fields = msgspec.json.decode(opened.raw, type=dict[str, msgspec.Raw])
    try:
        msgspec.json.decode(text)
        fields["input"] = msgspec.Raw(text)
    except UNREADABLE:
        # Cut or never valid: kept as the text it is, never repaired.
        fields["input"] = msgspec.Raw(msgspec.json.encode(text))
    return msgspec.Raw(msgspec.json.encode(fields))
