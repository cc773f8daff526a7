"""A streamed answer as this wire's server-sent events.

Frames of the same wire pass through with their bytes; frames of another, and those that were changed on the way, are
written from their events. Once an event had to be written, all that follows is: this wire repeats at the end what it
said in pieces, and what was changed on the way must not come back. Events are numbered by one without gaps. The event
that ends the answer comes from :meth:`ResponsesStreamWriter.end` alone: what must be kept of the answer is kept before
the caller sees it.
"""

import time
from typing import Any

import msgspec

from mainstay.core.errors import MainstayError, UpstreamBroken
from mainstay.core.events import (
    Cited,
    Dialect,
    Event,
    Finished,
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
from mainstay.providers.citations import summary
from mainstay.providers.responses.argument import is_whole
from mainstay.providers.responses.asks import ResponsesAsk
from mainstay.providers.responses.citations import annotation_of, with_verdicts
from mainstay.providers.responses.envelope import Envelope, ending
from mainstay.providers.responses.items import (
    CallItem,
    CustomItem,
    HeldItem,
    Item,
    MessageItem,
    Pen,
    ReasoningItem,
    open_call,
)
from mainstay.providers.responses.notes import annotations_of, called_by, item_of, logprobs_of
from mainstay.providers.responses.passing import Heard, Passing
from mainstay.providers.responses.tools import FUNCTION, Offer, Toolbox

__all__ = ["ResponsesStreamWriter"]

_DONE = b"data: [DONE]\n\n"
_PING = b": ping\n\n"
#: What says nothing that the caller sees: beside it, bytes may still pass.
_SILENT = (Metered, Started, Finished)
Call = CallItem | CustomItem | HeldItem


class ResponsesStreamWriter:
    """Writes one stream; see :class:`~mainstay.line.streaming.StreamWriter`.

    Args:
        ask: what was asked.
        model: named when the upstream names none.
        id: a UUID, of which the ids of the response and its items are made.
        created: seconds since 1970.
    """

    def __init__(self, ask: ResponsesAsk, *, model: str, id: str, created: int) -> None:  # noqa: A002  # the wire's own word
        self._ask = ask
        self._key = id.replace("-", "")
        self._model = model
        self._created = created
        self._pen = Pen()
        self._passing: Passing | None = None
        #: What is said around the answer; None until something is written.
        self._envelope: Envelope | None = None
        #: The tools that were asked for, once a call is to be held against them.
        self._allowed: Toolbox | None = None
        self._wants_check = b'"allowed_tools"' in ask.raw
        self._ended = False
        self._finished: Finished | None = None
        self._usage: Usage | None = None
        #: Items that are complete, by their place; those still open; the one that goes on; calls by their index.
        self._output: dict[int, object] = {}
        self._open: list[Item] = []
        self._current: Item | None = None
        self._calls: dict[int, Call] = {}
        self._items = 0
        #: Annotations of our own, and what they are part of.
        self._cited: list[dict[str, Any]] = []
        self._grounded: Grounded | None = None
        #: The complete response as :meth:`end` tells it; empty when there is none.
        self.said = b""

    @property
    def response_id(self) -> str:
        """The id by which the caller knows the response."""
        return (self._passing.response_id if self._passing is not None else "") or f"resp_{self._key}"

    def frame(self, frame: Frame) -> bytes:
        """Return the server-sent events that say ``frame``; may be empty.

        Raises:
            UpstreamBroken: the model called a tool that it may not call, or added to a call that was complete.
        """
        events = frame.events
        if self._wants_check:
            self.check(events)
        if self._envelope is None:
            if frame.wire and frame.dialect is Dialect.RESPONSES:
                self._passing = self._passing or Passing(self._pen, self._ask.previous)
                return self._passing.add(frame)
            if self._passing is not None and all(isinstance(event, _SILENT) for event in events):
                return b""
        if len(events) == 1:
            return self._write(events[0])
        return b"".join([self._write(event) for event in events])

    def end(self) -> bytes:
        """Return what closes a complete stream; empty from then on."""
        if self._ended:
            return b""
        self._ended = True
        done = _DONE if self._ask.done_marker else b""
        passing = self._passing
        if self._envelope is None and passing is not None and passing.last is not None:
            self.said = passing.response()
            return passing.close() + done
        head = self._begin() + self._close_all()
        status, reason = ending(self._finished)
        usage = self._usage or Usage()
        completed = int(time.time()) if status == "completed" else None
        response = self._said_around().shape(status, self._items_now(), usage=usage, reason=reason, completed=completed)
        if self._grounded is not None:
            response["mainstay"] = summary(self._grounded)
        self.said = msgspec.json.encode(response)
        return head + self._pen.event(f"response.{status}", {"response": msgspec.Raw(self.said)}) + done

    def error(self, error: MainstayError) -> bytes:
        """Return the events that end a stream which broke off."""
        self._ended = True
        head = self._begin()
        told = self._pen.event("error", {"code": error.code, "message": error.message, "param": error.param})
        output = self._items_now()
        output += [item.shape("incomplete") for item in self._open if item.index >= 0]
        response = self._said_around().shape("failed", output, usage=self._usage, error=error)
        return head + told + self._pen.event("response.failed", {"response": response})

    def ping(self) -> bytes:
        """Return a comment."""
        return _PING

    def check(self, events: tuple[Event, ...]) -> None:
        """Hold the calls in ``events`` against the tools that ``tool_choice`` allows.

        Raises:
            UpstreamBroken: one of them is not allowed.
        """
        for event in events:
            if isinstance(event, ToolStarted):
                called: tuple[str, str, str] | None = (FUNCTION, event.name, "")
            else:
                called = called_by(event) if isinstance(event, Opaque) else None
            if called is None:
                continue
            if self._allowed is None:
                self._allowed = self._around().tools
            if not self._allowed.allows(*called):
                raise UpstreamBroken("The model called a tool that 'tool_choice' does not allow; ask again.")

    def _around(self) -> Envelope:
        passing = self._passing
        return Envelope(
            self._ask,
            id=self.response_id,
            created=(passing.created if passing is not None else 0) or self._created,
            model=(passing.model if passing is not None else "") or self._model,
        )

    def _said_around(self) -> Envelope:
        assert self._envelope is not None
        return self._envelope

    def _items_now(self) -> list[object]:
        return [item for _, item in sorted(self._output.items())]

    def _write(self, event: Event) -> bytes:
        if isinstance(event, TextDelta) and event.choice == 0:
            current = self._current
            if type(current) is MessageItem and event.text and event.logprobs is None:
                return current.say(self._pen, "output_text", event.text, [])
            return self._begin() + self._say("output_text", event.text, logprobs_of(event.logprobs))
        if isinstance(event, Metered):
            self._usage = event.usage
            return b""
        if isinstance(event, Started):
            self._model = event.model or self._model
            return b""
        if getattr(event, "choice", 0) != 0:
            return b""
        begin = b"" if self._envelope is not None else self._begin()
        if isinstance(event, ToolDelta):
            return begin + self._argue(event)
        if isinstance(event, ThinkingDelta):
            return begin + self._think(event.text)
        if isinstance(event, ToolStarted):
            return begin + self._call(event)
        if isinstance(event, ThinkingSealed):
            return begin + self._seal(event)
        if isinstance(event, RefusalDelta):
            return begin + self._say("refusal", event.text, [])
        if isinstance(event, Finished):
            self._finished = event
        elif isinstance(event, Cited):
            return begin + self._cite(event)
        elif isinstance(event, Grounded):
            self._grounded = event
            with_verdicts(self._cited, event.citations)
        elif isinstance(event, Opaque):
            return begin + self._carry(event)
        return begin

    def _begin(self) -> bytes:
        if self._envelope is not None:
            return b""
        self._envelope = envelope = self._around()
        if self._passing is not None:
            self._adopt(self._passing)
            if self._pen.sequence:
                return b""
        kinds = ("response.created", "response.in_progress")
        response = msgspec.Raw(msgspec.json.encode(envelope.shape("in_progress")))
        return b"".join([self._pen.event(kind, {"response": response}) for kind in kinds])

    def _adopt(self, passing: Passing) -> None:
        """Go on behind what has passed."""
        self._output |= passing.output
        self._items = max([-1, *passing.output, *passing.open]) + 1
        for heard in passing.open.values():
            item = _adopted(heard)
            if item is not None:
                self._open.append(item)
                self._current = item
                if isinstance(item, CallItem):
                    self._calls[len(self._calls)] = item

    def _say(self, kind: str, text: str, logprobs: list[dict[str, Any]]) -> bytes:
        if not text:
            return b""
        opening, item = self._message()
        return opening + item.say(self._pen, kind, text, logprobs)

    def _message(self) -> tuple[bytes, MessageItem]:
        if isinstance(self._current, MessageItem):
            return b"", self._current
        settled = self._settle()
        item = MessageItem(f"msg_{self._next_key()}", self._place())
        self._add(item)
        return settled + item.open(self._pen), item

    def _think(self, text: str) -> bytes:
        if not text:
            return b""
        opening, item = self._reasoning()
        return opening + item.say(self._pen, text)

    def _reasoning(self) -> tuple[bytes, ReasoningItem]:
        current = self._current
        if isinstance(current, ReasoningItem) and not current.is_sealed:
            return b"", current
        settled = self._settle()
        summary = self._said_around().wants_summary
        item = ReasoningItem(f"rs_{self._next_key()}", self._place(), summary=summary)
        self._add(item)
        return settled + item.open(self._pen), item

    def _seal(self, event: ThinkingSealed) -> bytes:
        if event.redacted and isinstance(self._current, ReasoningItem):
            # What is withheld is a block of its own.
            opening, self._current = self._settle(), None
        else:
            opening = b""
        begun, item = self._reasoning()
        item.seal(event.signature, event.redacted)
        return opening + begun

    def _call(self, event: ToolStarted) -> bytes:
        offer = self._said_around().tools.offer(event.name)
        settled = self._settle()
        key = self._next_key()
        # A call whose item is written at its end takes its place then.
        direct = offer.kind in (FUNCTION, "custom")
        item = open_call(key, self._place() if direct else -1, event.id, offer)
        self._calls[event.index] = item
        self._add(item)
        return settled if isinstance(item, HeldItem) else settled + item.open(self._pen)

    def _argue(self, event: ToolDelta) -> bytes:
        item = self._calls.get(event.index)
        if item is None or item not in self._open:
            if not event.arguments.strip():
                return b""
            raise UpstreamBroken("The upstream added to a tool call that was complete; ask again.")
        return item.argue(self._pen, event.arguments) if event.arguments else b""

    def _carry(self, event: Opaque) -> bytes:
        if (payload := item_of(event)) is not None:
            settled, place = self._settle(), self._place()
            self._current = None
            self._output[place] = payload
            fields = {"output_index": place, "item": payload}
            added = self._pen.event("response.output_item.added", fields)
            return settled + added + self._pen.event("response.output_item.done", fields)
        out = b""
        for annotation in annotations_of(event):
            opening, item = self._message()
            out += opening + item.note(self._pen, annotation)
        return out

    def _cite(self, event: Cited) -> bytes:
        told = annotation_of(event.citation)
        self._cited.append(told)
        opening, item = self._message()
        return opening + item.note(self._pen, told)

    def _add(self, item: Item) -> None:
        self._open.append(item)
        self._current = item

    def _next_key(self) -> str:
        """Return what the next item's id is made of: the response's own, so that the item leads back to it."""
        self._items += 1
        return f"{self._key}{self._items - 1:04x}"

    def _place(self) -> int:
        return max([-1, *self._output, *[item.index for item in self._open]]) + 1

    def _settle(self) -> bytes:
        """Close what cannot go on when another item begins: all but calls whose arguments are not whole."""
        out: list[bytes] = []
        waiting: list[Item] = []
        for item in self._open:
            if isinstance(item, CallItem | CustomItem | HeldItem) and not is_whole(item.pieces):
                waiting.append(item)
            else:
                out.append(self._close(item, "completed"))
        self._open = waiting
        return b"".join(out)

    def _close(self, item: Item, status: str) -> bytes:
        if item.index < 0:
            item.index = self._place()
        data = item.close(self._pen, status)
        self._output[item.index] = item.shape(status)
        return data

    def _close_all(self) -> bytes:
        """Close what is open; where a limit cut the answer, the last of it is incomplete."""
        cut, _ = ending(self._finished)
        still = list(self._open)
        out = [self._close(item, cut if item is still[-1] else "completed") for item in still]
        self._open, self._current = [], None
        return b"".join(out)


def _adopted(heard: Heard) -> Item | None:
    """Return an item that goes on where the upstream's own left off, or None for one that only it can go on with."""
    text = "".join(heard.pieces)
    if heard.kind == "message":
        message = MessageItem(heard.id, heard.index)
        if heard.part:
            message.adopt(heard.part)
            message.hear(text)
        return message
    if heard.kind == "function_call":
        call = CallItem(heard.id, heard.index, heard.call_id, Offer(FUNCTION, heard.name))
        if text:
            call.pieces.append(text)
        return call
    return None
