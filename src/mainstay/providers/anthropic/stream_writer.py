"""A streamed answer as this wire's server-sent events.

Frames of the same wire pass through with their bytes; frames of another, and those that were changed on the way, are
written from their events. This wire opens, fills and closes one block of content after the other. Other wires mix the
arguments of parallel tool calls: what belongs to a later block waits until the arguments before it are whole.
"""

from typing import Any

import msgspec

from mainstay.core.errors import MainstayError, UpstreamBroken
from mainstay.core.events import (
    Cited,
    ClaimEnded,
    Dialect,
    Event,
    Finished,
    FinishReason,
    Frame,
    Grounded,
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
from mainstay.core.usage import Usage
from mainstay.providers.anthropic.citations import UNCITED, location
from mainstay.providers.anthropic.errors import render
from mainstay.providers.anthropic.wire import UNREADABLE
from mainstay.providers.anthropic.written import (
    is_citation,
    kind_of,
    message_id,
    stop_details,
    stop_reason,
    write_usage,
)
from mainstay.providers.citations import summary

__all__ = ["AnthropicStreamWriter"]

_encode = msgspec.json.encode
#: A block of text whose claim has ended.
_CLAIM = "claim"
_PING = b'event: ping\ndata: {"type":"ping"}\n\n'
_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
#: The heads of events that pass; any other name is written with care.
_HEADS = {
    name: b"event: %b\ndata: " % name.encode()
    for name in (
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "ping",
    )
}


class _PassedBlock(msgspec.Struct, frozen=True, gc=False):
    type: str = ""


class _PassedStart(msgspec.Struct, gc=False):
    index: int = 0
    content_block: _PassedBlock = _PassedBlock()


_passed_start = msgspec.json.Decoder(_PassedStart)


class _Block:
    """A block of content: the open one, or one that waits. ``call`` is the index of a tool call, else -1."""

    __slots__ = ("call", "kind", "opening", "pieces")

    def __init__(self, kind: str, opening: bytes, call: int = -1) -> None:
        self.kind = kind
        #: The ``content_block`` that opens it.
        self.opening = opening
        self.call = call
        #: Arguments of a call; of a block that waits, the insides of its deltas.
        self.pieces: list[Any] = []

    def is_whole(self) -> bool:
        """Return whether nothing can follow in this block when another begins."""
        if self.call < 0:
            return True
        if not self.pieces or not self.pieces[-1].rstrip().endswith("}"):
            return False
        try:
            msgspec.json.decode("".join(self.pieces), type=msgspec.Raw)
        except UNREADABLE:
            return False
        return True


class AnthropicStreamWriter:
    """Writes one stream; see :class:`~mainstay.line.streaming.StreamWriter`.

    Args:
        model: named when the upstream names none.
        id: makes the id when the upstream gives none of this wire's form.
        request_id: told in the error event.
        uncited: citations were asked for, and whoever answers gives none.
    """

    def __init__(self, *, model: str, id: str, request_id: str, uncited: bool = False) -> None:  # noqa: A002  # the wire's own word
        self._model = model
        self._id = id
        self._request_id = request_id
        self._uncited = uncited
        self._begun = False
        #: Whether the message_delta has passed, which tells why the answer ended and what it used.
        self._told = False
        self._ended = False
        #: Index of the next block, and the one that is open.
        self._next = 0
        self._open: _Block | None = None
        self._waiting: list[_Block] = []
        self._calls: dict[int, _Block] = {}
        self._refusal: list[str] = []
        self._finished: Finished | None = None
        self._usage: Usage | None = None
        self._grounded: Grounded | None = None

    def frame(self, frame: Frame) -> bytes:
        """Return the server-sent events that say ``frame``; may be empty.

        Raises:
            UpstreamBroken: more arguments came for a tool call that was complete.
        """
        if frame.wire and frame.dialect is Dialect.ANTHROPIC:
            return self._pass(frame)
        return b"".join([self._write(event) for event in frame.events])

    def end(self) -> bytes:
        """Return what closes a complete stream, unless the upstream's own end has passed; empty from then on."""
        if self._ended:
            return b""
        self._ended = True
        finished = self._finished or Finished(FinishReason.STOP)
        explanation = "".join(self._refusal)
        delta: dict[str, Any] = {
            "stop_reason": stop_reason(finished, refused=bool(explanation)),
            "stop_sequence": finished.stop_sequence,
            **stop_details(explanation),
        }
        data = {"type": "message_delta", "delta": delta, "usage": write_usage(self._usage or Usage())}
        if self._grounded is not None:
            data["mainstay"] = summary(self._grounded, citations=True)
        elif self._uncited:
            data["mainstay"] = UNCITED
        return self._begin() + self._close_all() + _HEADS["message_delta"] + _encode(data) + b"\n\n" + _STOP

    def error(self, error: MainstayError) -> bytes:
        """Return the error event that ends a stream which broke off."""
        self._ended = True
        return b"event: error\ndata: " + render(error, self._request_id) + b"\n\n"

    def ping(self) -> bytes:
        """Return a ping, which clients of this wire expect."""
        return _PING

    def _pass(self, frame: Frame) -> bytes:
        name, wire = frame.name, frame.wire
        if name != "content_block_delta":
            self._note(name, frame)
            if name == "message_stop" and not self._told:
                return self.end()
            if name == "message_delta" and not self._told:
                return b""
        head = _HEADS.get(name) or b"event: %b\ndata: " % name.replace("\r", "").replace("\n", "").encode()
        if b"\n" in wire:
            wire = wire.replace(b"\n", b"\ndata: ")
        return head + wire + b"\n\n"

    def _note(self, name: str, frame: Frame) -> None:
        """Remember what has passed, so that what is written between fits in."""
        if name == "content_block_start":
            try:
                start = _passed_start.decode(frame.wire)
            except UNREADABLE:
                start = _PassedStart(self._next)
            self._next = start.index + 1
            call = next((event.index for event in frame.events if isinstance(event, ToolStarted)), -1)
            self._open = _Block(start.content_block.type, b"", call)
        elif name == "content_block_stop":
            self._open = None
        elif name == "message_start":
            self._begun = True
        elif name == "message_delta":
            # Official clients break on one without usage; ours comes at the end.
            self._told = b'"usage"' in frame.wire
        elif name == "message_stop":
            self._ended = self._told
        for event in frame.events:
            if isinstance(event, Metered):
                self._usage = event.usage
            elif isinstance(event, Finished):
                self._finished = event

    def _write(self, event: Event) -> bytes:
        if isinstance(event, TextDelta) and event.choice == 0:
            said = self._say("text", b'"text_delta","text":', event.text)
            return said if self._begun else self._begin() + said
        if isinstance(event, Started):
            self._id, self._model = message_id(event.id, self._id), event.model or self._model
            return b""
        if isinstance(event, Metered):
            self._usage = event.usage
            return b""
        if getattr(event, "choice", 0) != 0:
            return b""
        begin = b"" if self._begun else self._begin()
        if isinstance(event, ToolDelta):
            return begin + self._argue(event)
        if isinstance(event, ThinkingDelta):
            return begin + self._say("thinking", b'"thinking_delta","thinking":', event.text)
        if isinstance(event, ToolStarted):
            opening = {"type": "tool_use", "id": event.id, "name": event.name, "input": {}}
            block = self._calls[event.index] = _Block("tool_use", _encode(opening), event.index)
            return begin + self._add(block)
        if isinstance(event, ThinkingSealed):
            return begin + self._seal(event)
        if isinstance(event, RefusalDelta):
            self._refusal.append(event.text)
        elif isinstance(event, Finished):
            self._finished = event
        elif isinstance(event, Grounded):
            self._grounded = event
        elif isinstance(event, Cited | ClaimEnded):
            return begin + self._claim(event)
        elif isinstance(event, Opaque) and event.dialect is Dialect.ANTHROPIC:
            return begin + self._carry(event.payload)
        return begin

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        message: dict[str, Any] = {
            "id": message_id(self._id, self._id),
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            # Other wires count at the end; the counts of message_delta replace these.
            "usage": write_usage(self._usage or Usage()),
        }
        return _HEADS["message_start"] + _encode({"type": "message_start", "message": message}) + b"\n\n"

    def _say(self, kind: str, delta: bytes, text: str) -> bytes:
        if not text:
            return b""
        inside = delta + _encode(text)
        last = self._waiting[-1] if self._waiting else self._open
        if last is not None and last.kind == _CLAIM and kind == "text" and text.isspace():
            # No block may be blank.
            return self._fill(last, inside)
        if last is None or last.kind != kind:
            signature = b',"signature":""' if kind == "thinking" else b""
            opening = b'{"type":"%b","%b":""%b}' % (kind.encode(), kind.encode(), signature)
            return self._add(_Block(kind, opening), inside)
        return self._fill(last, inside)

    def _argue(self, event: ToolDelta) -> bytes:
        block = self._calls.get(event.index)
        if block is None and self._open is not None and self._open.call == event.index:
            block = self._open  # its start has passed
        if block is None or (block is not self._open and block not in self._waiting):
            if not event.arguments.strip():
                return b""
            raise UpstreamBroken("The upstream added to a tool call that was complete; ask again.")
        if not event.arguments:
            return b""
        block.pieces.append(event.arguments)
        if block is not self._open:
            return b""
        written = self._delta(b'"input_json_delta","partial_json":' + _encode(event.arguments))
        return written + self._advance() if self._waiting else written

    def _seal(self, event: ThinkingSealed) -> bytes:
        if event.redacted:
            return self._add(
                _Block("redacted_thinking", _encode({"type": "redacted_thinking", "data": event.redacted}))
            )
        inside = b'"signature_delta","signature":' + _encode(event.signature)
        last = self._waiting[-1] if self._waiting else self._open
        if last is None or last.kind != "thinking":
            last = _Block("thinking", b'{"type":"thinking","thinking":"","signature":""}')
            written = self._add(last, inside)
        else:
            written = self._fill(last, inside)
        # What is thought after a seal is another block.
        last.kind = "sealed"
        return written

    def _carry(self, payload: msgspec.Raw) -> bytes:
        kind, data = kind_of(payload), bytes(payload)
        if b"\n" in data:
            # One line of data is one line of JSON.
            data = msgspec.json.format(data, indent=-1)
        last = self._waiting[-1] if self._waiting else self._open
        if is_citation(kind):
            inside = b'"citations_delta","citation":' + data
            if last is None or last.kind != "text":
                return self._add(_Block("text", b'{"type":"text","text":""}'), inside)
            return self._fill(last, inside)
        if kind.endswith("_delta"):
            return self._fill(last, data) if last is not None else b""
        return self._add(_Block(kind, data))

    def _claim(self, event: Cited | ClaimEnded) -> bytes:
        """Cite the open block of text, or end it: what is said next is another claim's."""
        last = self._waiting[-1] if self._waiting else self._open
        if last is None or last.kind not in ("text", _CLAIM) or (isinstance(event, Cited) and event.late):
            # What comes late is of an earlier block: the end tells it.
            return b""
        if isinstance(event, ClaimEnded):
            last.kind = _CLAIM
            return b""
        return self._fill(last, b'"citations_delta","citation":' + _encode(location(event.citation)))

    def _add(self, block: _Block, *insides: bytes) -> bytes:
        """Open ``block``, or let it wait for the open one."""
        if block.call < 0:
            block.pieces.extend(insides)
        self._waiting.append(block)
        return self._advance()

    def _fill(self, block: _Block, inside: bytes) -> bytes:
        if block is self._open:
            return self._delta(inside)
        block.pieces.append(inside)
        return b""

    def _advance(self) -> bytes:
        """Close what is whole and open what waits, as far as that goes."""
        out: list[bytes] = []
        while self._waiting and (self._open is None or self._open.is_whole()):
            out.append(self._close())
            out.append(self._start(self._waiting.pop(0)))
        return b"".join(out)

    def _start(self, block: _Block) -> bytes:
        self._open = block
        index = self._next
        self._next += 1
        out = [b'%b{"type":"content_block_start","index":%d,"content_block":' % (_HEADS["content_block_start"], index)]
        out += (block.opening, b"}\n\n")
        if block.call >= 0:
            if text := "".join(block.pieces):
                out.append(self._delta(b'"input_json_delta","partial_json":' + _encode(text)))
        else:
            out += [self._delta(inside) for inside in block.pieces]
            block.pieces = []
        return b"".join(out)

    def _delta(self, inside: bytes) -> bytes:
        """Return a delta of the open block; ``inside`` follows its ``type``, or is the whole object."""
        delta = inside if inside[:1] == b"{" else b'{"type":' + inside + b"}"
        return b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":%b}\n\n' % (
            self._next - 1,
            delta,
        )

    def _close(self) -> bytes:
        if self._open is None:
            return b""
        self._open = None
        return b'%b{"type":"content_block_stop","index":%d}\n\n' % (_HEADS["content_block_stop"], self._next - 1)

    def _close_all(self) -> bytes:
        """Close the open block and write what waits, cut or not: nothing can follow."""
        out = [self._close()]
        for block in self._waiting:
            out += (self._start(block), self._close())
        self._waiting = []
        return b"".join(out)
