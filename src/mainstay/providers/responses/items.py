"""The items of an answer while they are written: each opens, is filled and is closed, event by event.

An item of the output is a message, a block of reasoning or one call of a tool. Everything here is of one item; which
item comes when is the stream writer's.
"""

from typing import Any, Protocol

import msgspec

from mainstay.providers.responses.argument import InputText, parse_object
from mainstay.providers.responses.sealed import seal
from mainstay.providers.responses.tools import FUNCTION, Offer

__all__ = ["CallItem", "CustomItem", "HeldItem", "Item", "MessageItem", "Pen", "ReasoningItem", "open_call"]

_encode = msgspec.json.encode
Fields = dict[str, Any]


class Pen:
    """Writes events and numbers them: by one, without gaps."""

    __slots__ = ("sequence",)

    def __init__(self) -> None:
        #: The number of the next event.
        self.sequence = 0

    def event(self, kind: str, fields: Fields) -> bytes:
        """Return an event of ``kind`` with ``fields``."""
        data = _encode({"type": kind, **fields, "sequence_number": self.sequence})
        self.sequence += 1
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)

    def delta(self, head: bytes, text: str, tail: bytes = b"") -> bytes:
        """Return an event that adds ``text``; ``head`` comes from ``_delta_head``."""
        number = self.sequence
        self.sequence = number + 1
        return b'%b%b%b,"sequence_number":%d}\n\n' % (head, _encode(text), tail, number)


def _delta_head(kind: str, fields: Fields) -> bytes:
    """Return all of a delta's event up to its text."""
    head = _encode({"type": kind, **fields})[:-1]
    return b'event: %b\ndata: %b,"delta":' % (kind.encode(), head)


class Item(Protocol):
    """One item of the output."""

    #: Its place in the output; -1 while it is not written.
    index: int

    def close(self, pen: Pen, status: str) -> bytes:
        """Return the events that end it: ``completed``, or ``incomplete`` when the answer was cut."""
        ...

    def shape(self, status: str) -> Fields:
        """Return the item as it is now."""
        ...


def _added(pen: Pen, index: int, item: Fields) -> bytes:
    return pen.event("response.output_item.added", {"output_index": index, "item": item})


def _done(pen: Pen, index: int, item: Fields) -> bytes:
    return pen.event("response.output_item.done", {"output_index": index, "item": item})


class _Part:
    """A part of a message: ``output_text`` or ``refusal``."""

    __slots__ = ("annotations", "head", "kind", "logprobs", "pieces")

    def __init__(self, kind: str, head: bytes) -> None:
        self.kind = kind
        self.head = head
        self.pieces: list[str] = []
        self.logprobs: list[Fields] = []
        self.annotations: list[Any] = []

    def shape(self) -> Fields:
        text = "".join(self.pieces)
        if self.kind == "refusal":
            return {"type": "refusal", "refusal": text}
        return {"type": "output_text", "text": text, "annotations": self.annotations, "logprobs": self.logprobs}


class MessageItem:
    """What the model says: visible text, and text in which it declines."""

    def __init__(self, id: str, index: int) -> None:  # noqa: A002  # the wire's own word
        self.id = id
        self.index = index
        self._parts: list[_Part] = []

    def open(self, pen: Pen) -> bytes:
        """Return the event that opens it."""
        return _added(pen, self.index, self.shape("in_progress"))

    def say(self, pen: Pen, kind: str, text: str, logprobs: list[Fields]) -> bytes:
        """Return the events that add ``text`` of ``kind``."""
        opening = b""
        if not self._parts or self._parts[-1].kind != kind:
            opening = self._close_part(pen) + self._open_part(pen, kind)
        part = self._parts[-1]
        part.pieces.append(text)
        if kind == "refusal":
            return opening + pen.delta(part.head, text)
        if logprobs:
            part.logprobs += logprobs
        return opening + pen.delta(part.head, text, b',"logprobs":' + _encode(logprobs))

    def note(self, pen: Pen, annotation: Any) -> bytes:
        """Return the events that add an annotation to the text."""
        opening = b""
        if not self._parts or self._parts[-1].kind != "output_text":
            opening = self._close_part(pen) + self._open_part(pen, "output_text")
        part = self._parts[-1]
        part.annotations.append(annotation)
        fields = {**self._place(), "annotation_index": len(part.annotations) - 1, "annotation": annotation}
        return opening + pen.event("response.output_text.annotation.added", fields)

    def adopt(self, kind: str) -> None:
        """Take a part of ``kind`` for open, whose events another wrote."""
        self._parts.append(_Part(kind, self._head(kind, len(self._parts))))

    def hear(self, text: str) -> None:
        """Take note of text that another wrote."""
        if self._parts:
            self._parts[-1].pieces.append(text)

    def close(self, pen: Pen, status: str) -> bytes:
        """Return the events that end it; see :class:`Item`."""
        return self._close_part(pen) + _done(pen, self.index, self.shape(status))

    def shape(self, status: str) -> Fields:
        """Return the item; see :class:`Item`."""
        content = [part.shape() for part in self._parts]
        return {"id": self.id, "type": "message", "status": status, "role": "assistant", "content": content}

    def _place(self) -> Fields:
        return {"item_id": self.id, "output_index": self.index, "content_index": len(self._parts) - 1}

    def _head(self, kind: str, position: int) -> bytes:
        place = {"item_id": self.id, "output_index": self.index, "content_index": position}
        return _delta_head("response.refusal.delta" if kind == "refusal" else "response.output_text.delta", place)

    def _open_part(self, pen: Pen, kind: str) -> bytes:
        self.adopt(kind)
        return pen.event("response.content_part.added", {**self._place(), "part": self._parts[-1].shape()})

    def _close_part(self, pen: Pen) -> bytes:
        if not self._parts:
            return b""
        part, place = self._parts[-1], self._place()
        shape = part.shape()
        if part.kind == "refusal":
            text = pen.event("response.refusal.done", {**place, "refusal": shape["refusal"]})
        else:
            said = {"text": shape["text"], "logprobs": shape["logprobs"]}
            text = pen.event("response.output_text.done", {**place, **said})
        return text + pen.event("response.content_part.done", {**place, "part": shape})


class ReasoningItem:
    """A block of the model's reasoning: as a ``summary`` where the caller asked for one, else as its ``content``."""

    def __init__(self, id: str, index: int, *, summary: bool) -> None:  # noqa: A002  # the wire's own word
        self.id = id
        self.index = index
        self._summary = summary
        self._pieces: list[str] = []
        self._begun = False
        self._sealed: str | None = None
        name, count = ("reasoning_summary_text", "summary_index") if summary else ("reasoning_text", "content_index")
        self._name = name
        self._place = {"item_id": id, "output_index": index, count: 0}
        self._head = _delta_head(f"response.{name}.delta", self._place)

    def open(self, pen: Pen) -> bytes:
        """Return the event that opens it."""
        return _added(pen, self.index, {"id": self.id, "type": "reasoning", "summary": []})

    def say(self, pen: Pen, text: str) -> bytes:
        """Return the events that add ``text``."""
        opening = b""
        if not self._begun:
            self._begun = True
            opening = pen.event(self._part_event("added"), {**self._place, "part": self._part("")})
        self._pieces.append(text)
        return opening + pen.delta(self._head, text)

    def seal(self, signature: str, redacted: str) -> None:
        """Remember what proves the block to its vendor."""
        self._sealed = seal("".join(self._pieces), signature, redacted)

    @property
    def is_sealed(self) -> bool:
        """Whether nothing can follow in this block."""
        return self._sealed is not None

    def close(self, pen: Pen, status: str) -> bytes:
        """Return the events that end it; see :class:`Item`."""
        text = b""
        if self._begun:
            said = "".join(self._pieces)
            text = pen.event(f"response.{self._name}.done", {**self._place, "text": said})
            text += pen.event(self._part_event("done"), {**self._place, "part": self._part(said)})
        return text + _done(pen, self.index, self.shape(status))

    def shape(self, status: str) -> Fields:
        """Return the item; see :class:`Item`."""
        part = [self._part("".join(self._pieces))] if self._begun else []
        item: Fields = {"id": self.id, "type": "reasoning", "summary": part if self._summary else []}
        if part and not self._summary:
            item["content"] = part
        if self._sealed is not None:
            item["encrypted_content"] = self._sealed
        return item

    def _part(self, text: str) -> Fields:
        return {"type": "summary_text" if self._summary else "reasoning_text", "text": text}

    def _part_event(self, what: str) -> str:
        return f"response.reasoning_summary_part.{what}" if self._summary else f"response.content_part.{what}"


class CallItem:
    """A call of a function."""

    def __init__(self, id: str, index: int, call_id: str, offer: Offer) -> None:  # noqa: A002  # the wire's own word
        self.id = id
        self.index = index
        self._call_id = call_id
        self._offer = offer
        self.pieces: list[str] = []
        self._head = _delta_head("response.function_call_arguments.delta", {"item_id": id, "output_index": index})

    def open(self, pen: Pen) -> bytes:
        """Return the event that opens it."""
        return _added(pen, self.index, self.shape("in_progress"))

    def argue(self, pen: Pen, arguments: str) -> bytes:
        """Return the event that adds to its arguments."""
        self.pieces.append(arguments)
        return pen.delta(self._head, arguments)

    def close(self, pen: Pen, status: str) -> bytes:
        """Return the events that end it; see :class:`Item`."""
        item = self.shape(status)
        said = {"item_id": self.id, "output_index": self.index, "name": self._offer.name}
        done = pen.event("response.function_call_arguments.done", {**said, "arguments": item["arguments"]})
        return done + _done(pen, self.index, item)

    def shape(self, status: str) -> Fields:
        """Return the item; see :class:`Item`."""
        arguments = "".join(self.pieces)
        if status == "completed" and not arguments.strip():
            # Models that call a tool without arguments write nothing as often as "{}".
            arguments = "{}"
        item = {"id": self.id, "type": "function_call", "status": status, "arguments": arguments}
        return {**item, "call_id": self._call_id, **_named(self._offer)}


class CustomItem:
    """A call of a custom tool, which the model made as a function of one string."""

    def __init__(self, id: str, index: int, call_id: str, offer: Offer) -> None:  # noqa: A002  # the wire's own word
        self.id = id
        self.index = index
        self._call_id = call_id
        self._offer = offer
        self.pieces: list[str] = []
        self._input = InputText()
        self._said: list[str] = []
        self._head = _delta_head("response.custom_tool_call_input.delta", {"item_id": id, "output_index": index})

    def open(self, pen: Pen) -> bytes:
        """Return the event that opens it."""
        return _added(pen, self.index, self.shape("in_progress"))

    def argue(self, pen: Pen, arguments: str) -> bytes:
        """Return the event that adds to its input, if ``arguments`` do."""
        self.pieces.append(arguments)
        return self._say(pen, self._input.feed(arguments))

    def close(self, pen: Pen, status: str) -> bytes:
        """Return the events that end it; see :class:`Item`."""
        rest = self._say(pen, self._input.finish())
        place = {"item_id": self.id, "output_index": self.index, "input": "".join(self._said)}
        done = pen.event("response.custom_tool_call_input.done", place)
        return rest + done + _done(pen, self.index, self.shape(status))

    def shape(self, status: str) -> Fields:
        """Return the item; see :class:`Item`."""
        item = {"id": self.id, "type": "custom_tool_call", "status": status, "call_id": self._call_id}
        return {**item, "input": "".join(self._said), **_named(self._offer)}

    def _say(self, pen: Pen, text: str) -> bytes:
        if not text:
            return b""
        self._said.append(text)
        return pen.delta(self._head, text)


class HeldItem:
    """A call of another kind of tool, whose item shows nothing before it is whole: written when it ends."""

    def __init__(self, id: str, call_id: str, offer: Offer) -> None:  # noqa: A002  # the wire's own word
        self.id = id
        self.index = -1
        self._call_id = call_id
        self._offer = offer
        self.pieces: list[str] = []

    def argue(self, pen: Pen, arguments: str) -> bytes:
        """Return nothing: it waits."""
        self.pieces.append(arguments)
        return b""

    def close(self, pen: Pen, status: str) -> bytes:
        """Return the events that open and end it; see :class:`Item`."""
        opened = _added(pen, self.index, self.shape("in_progress" if status == "completed" else status))
        return opened + _done(pen, self.index, self.shape(status))

    def shape(self, status: str) -> Fields:
        """Return the item; see :class:`Item`. Arguments of the wrong form make it a function's call, as it is."""
        text = "".join(self.pieces)
        item: Fields = {"id": self.id, "status": status, "call_id": self._call_id}
        said = parse_object(text)
        kind = self._offer.kind
        if kind == "local_shell" and said is not None and isinstance(said.get("command"), list):
            return {**item, "type": "local_shell_call", "action": {"type": "exec", "env": {}, **said}}
        if kind == "shell" and said is not None and isinstance(said.get("commands"), list):
            return {**item, "type": "shell_call", "action": said}
        if kind == "apply_patch" and said is not None and isinstance(said.get("operation"), dict):
            return {**item, "type": "apply_patch_call", "operation": said["operation"]}
        if kind == "tool_search" and said is not None:
            return {**item, "type": "tool_search_call", "execution": "client", "arguments": said}
        return {**item, "type": "function_call", "name": self._offer.name, "arguments": text}


def open_call(id: str, index: int, call_id: str, offer: Offer) -> CallItem | CustomItem | HeldItem:  # noqa: A002  # the wire's own word
    """Return the item of a call of what ``offer`` says."""
    if offer.kind == FUNCTION:
        return CallItem(f"fc_{id}", index, call_id, offer)
    if offer.kind == "custom":
        return CustomItem(f"ctc_{id}", index, call_id, offer)
    return HeldItem(f"fc_{id}", call_id, offer)


def _named(offer: Offer) -> Fields:
    return {"name": offer.name, "namespace": offer.namespace} if offer.namespace else {"name": offer.name}
