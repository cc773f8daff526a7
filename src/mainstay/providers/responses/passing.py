"""Events of an upstream of this wire on their way to the caller: passed with their bytes, and noted.

Bytes change only where they must: a number where events were added or left out, and ``previous_response_id`` where the
upstream was sent the conversation instead. The event that ends the response is held back.
"""

from typing import Any

import msgspec

from mainstay.core.events import Frame, RefusalDelta, TextDelta, ThinkingDelta, ToolDelta
from mainstay.providers.responses.door import NOTHING, UNREADABLE, present
from mainstay.providers.responses.items import Pen

__all__ = ["Heard", "Passing"]

_TERMINAL = frozenset({"response.completed", "response.incomplete", "response.failed", "response.done"})
_WHOLE = frozenset({"response.created", "response.queued", "response.in_progress"})
_TEXTS = (TextDelta, RefusalDelta, ThinkingDelta)
Fields = dict[str, msgspec.Raw]


class _Event(msgspec.Struct, gc=False):
    type: str = ""
    sequence_number: int | None = None
    output_index: int = 0
    item: msgspec.Raw = NOTHING
    part: msgspec.Raw = NOTHING
    response: msgspec.Raw = NOTHING


class _Response(msgspec.Struct, gc=False):
    id: str = ""
    model: str = ""
    created_at: float = 0
    status: str = ""


class _Item(msgspec.Struct, gc=False):
    type: str = ""
    id: str = ""
    call_id: str = ""
    name: str = ""


class Heard:
    """An item that was opened by the upstream: what is known of it and what it says so far."""

    __slots__ = ("call_id", "id", "index", "kind", "name", "part", "pieces")

    def __init__(self, index: int, item: _Item) -> None:
        self.index = index
        self.kind, self.id, self.call_id, self.name = item.type, item.id, item.call_id, item.name
        #: The kind of its open part.
        self.part = ""
        self.pieces: list[str] = []


_event = msgspec.json.Decoder(_Event)
_response = msgspec.json.Decoder(_Response)
_item = msgspec.json.Decoder(_Item)
_fields = msgspec.json.Decoder(Fields)


class Passing:
    """Passes the events of one answer.

    Args:
        pen: numbers what passes, together with what is written.
        previous: the response that the caller continues, of which the upstream does not know.
    """

    def __init__(self, pen: Pen, previous: str | None) -> None:
        self._pen = pen
        self._previous = previous
        #: Of the response as the upstream names it.
        self.response_id = ""
        self.model = ""
        self.created = 0
        #: The event that ends the response, and its kind.
        self.last: bytes | None = None
        self._kind = ""
        #: Items that are complete, and those that are open, by their place.
        self.output: dict[int, object] = {}
        self.open: dict[int, Heard] = {}

    def add(self, frame: Frame) -> bytes:
        """Return the event that ``frame`` brought; empty when it is not for the caller, or held."""
        wire = frame.wire
        try:
            event = _event.decode(wire)
        except UNREADABLE:
            # The [DONE] of other servers, most likely.
            return b""
        kind = event.type or frame.name
        if kind in _TERMINAL:
            self.last, self._kind = wire, kind
            self._read(event.response)
            return b""
        if kind in _WHOLE:
            self._read(event.response)
            if self._previous is not None:
                wire = self._with_previous(wire)
        else:
            self._note(kind, event, frame)
        return self._send(kind, event.sequence_number, wire)

    def close(self) -> bytes:
        """Return the event that ends the response."""
        assert self.last is not None
        kind, wire = self._kind, self.last
        event = _event.decode(wire)
        if kind == "response.done":
            status = _response.decode(event.response).status if present(event.response) else ""
            kind = f"response.{status}" if f"response.{status}" in _TERMINAL else "response.completed"
            wire = _patched(wire, type=kind)
        if self._previous is not None:
            wire = self._with_previous(wire)
        return self._send(kind, event.sequence_number, wire)

    def response(self) -> bytes:
        """Return the response as it is told at the end; empty unless it is complete or cut by a limit."""
        assert self.last is not None
        wire = self._with_previous(self.last) if self._previous is not None else self.last
        response = _event.decode(wire).response
        status = _response.decode(response).status if present(response) else ""
        return bytes(response) if status in ("completed", "incomplete") else b""

    def _send(self, kind: str, number: int | None, wire: bytes) -> bytes:
        pen = self._pen
        if number != pen.sequence:
            wire = _patched(wire, sequence_number=pen.sequence)
        pen.sequence += 1
        if b"\n" in wire:
            wire = wire.replace(b"\n", b"\ndata: ")
        return b"event: %b\ndata: %b\n\n" % (kind.replace("\r", "").replace("\n", "").encode(), wire)

    def _read(self, raw: msgspec.Raw) -> None:
        try:
            response = _response.decode(raw)
        except UNREADABLE:
            return
        self.response_id, self.model = response.id or self.response_id, response.model or self.model
        self.created = int(response.created_at) or self.created

    def _note(self, kind: str, event: _Event, frame: Frame) -> None:
        index = event.output_index
        if kind == "response.output_item.done":
            self.open.pop(index, None)
            self.output[index] = event.item
        elif kind == "response.output_item.added":
            try:
                self.open[index] = Heard(index, _item.decode(event.item))
            except UNREADABLE:
                return
        elif (heard := self.open.get(index)) is not None:
            if kind.endswith("part.added"):
                try:
                    heard.part = _item.decode(event.part).type
                except UNREADABLE:
                    heard.part = ""
                heard.pieces.clear()
            for one in frame.events:
                if isinstance(one, _TEXTS):
                    heard.pieces.append(one.text)
                elif isinstance(one, ToolDelta):
                    heard.pieces.append(one.arguments)

    def _with_previous(self, wire: bytes) -> bytes:
        """Return an event whose response names the one it continues."""
        fields = _fields.decode(wire)
        if not present(fields.get("response", NOTHING)):
            return wire
        response = _patched(bytes(fields["response"]), previous_response_id=self._previous)
        return msgspec.json.encode({**fields, "response": msgspec.Raw(response)})


def _patched(wire: bytes, **changes: Any) -> bytes:
    fields: dict[str, Any] = dict(_fields.decode(wire))
    return msgspec.json.encode({**fields, **changes})
