"""A streamed response of an upstream, read event by event.

The common event costs one typed decoding and becomes one :class:`TextDelta` beside its bytes. Numbers are not looked
at, and of the protocol's many levels only those that bring something new: whatever the deltas left unsaid is taken
from the ``done`` of its part, of its item, or from the response at the end. What nobody here needs to read passes as
a frame with its bytes and no events.

The answer is complete once a terminal event came: ``response.completed``, ``response.incomplete`` or ``response.done``.
``response.failed`` and ``error`` are errors, and any other end is an interruption. A stream that no client could
follow, since it does not begin with its response or calls tools without a ``call_id``, loses its bytes: its frames are
then written anew from their events.
"""

import msgspec

from mainstay.core.errors import UpstreamBroken, UpstreamFailed, UpstreamInterrupted
from mainstay.core.events import (
    Dialect,
    Event,
    Frame,
    Metered,
    Opaque,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    ToolStarted,
)
from mainstay.core.sse import SseEvent
from mainstay.providers.openai.errors import classify_inner, inner_error
from mainstay.providers.openai.wire import is_text, mint_call_id
from mainstay.providers.responses.answers import BETWEEN, part_events, read_response, seal_events
from mainstay.providers.responses.door import UNREADABLE, present
from mainstay.providers.responses.sealed import seal_answer
from mainstay.providers.responses.tools import alias
from mainstay.providers.responses.wire import (
    WireEvent,
    WireItem,
    annotation_event,
    arguments_text,
    broken,
    ending,
    failure,
    read_item,
    read_usage,
    token_logprobs,
    waits_for_caller,
)
from mainstay.providers.wire import mend

__all__ = ["ResponsesStreamReader"]

_UNREADABLE = "an event that cannot be read"
_BEGINS = frozenset({"response.created", "response.queued", "response.in_progress"})
_ENDS = {"response.completed": "completed", "response.incomplete": "incomplete", "response.done": ""}
#: Deltas of reasoning, shown in full or in summary, by the names they have and had.
_THOUGHTS = {
    "response.reasoning_text.delta": "thought",
    "response.reasoning.delta": "thought",
    "response.reasoning_summary_text.delta": "summary",
    "response.reasoning_summary.delta": "summary",
}
_TEXT, _REFUSAL, _ARGUMENTS = "text", "refusal", "arguments"
#: What ends a part, and which of its fields repeats the part.
_DONES = {
    "response.output_text.done": _TEXT,
    "response.refusal.done": _REFUSAL,
    "response.reasoning_text.done": "thought",
    "response.reasoning_summary_text.done": "summary",
    "response.function_call_arguments.done": _ARGUMENTS,
}


class _Kind(msgspec.Struct, gc=False):
    type: str = ""


_decode = msgspec.json.Decoder(WireEvent).decode
_kind = msgspec.json.Decoder(_Kind)


class _Call:
    """A call of a function while it comes."""

    __slots__ = ("index", "pieces", "started")

    def __init__(self, index: int) -> None:
        self.index = index
        self.started = False
        #: What came before the call had its name.
        self.pieces: list[str] = []


class ResponsesStreamReader:
    """Reads one stream; see :class:`~mainstay.providers.port.StreamReader`.

    After an :class:`UpstreamBroken` for one unreadable event the reader is as it was before that event.

    Args:
        maker: the provider whose answer it is; see :class:`~mainstay.providers.responses.codec.ResponsesCodec`.
    """

    __slots__ = ("_calls", "_done", "_ended", "_ids", "_loose", "_maker", "_said", "_started", "_waits")

    def __init__(self, maker: str = "") -> None:
        self._maker = maker
        self._started = False
        self._ended = False
        #: Frames go without their bytes.
        self._loose = False
        self._waits = False
        self._calls: dict[int, _Call] = {}
        #: What was said already: the place of an item, what of it, and the place of the part.
        self._said: set[tuple[int, str, int]] = set()
        #: Items that are complete, by their places and by their ids.
        self._done: set[int] = set()
        self._ids: set[str] = set()

    def feed(self, event: SseEvent) -> Frame | None:
        """Return what one event says, or None when it says nothing.

        Raises:
            MainstayError: it is an error, or it tells that the response failed.
            UpstreamBroken: it cannot be read.
        """
        data = event.data
        if self._ended:
            return None
        try:
            wire = _decode(data)
            if not data.isascii():
                data.decode()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._retry(event)
        kind = wire.type or event.name.decode("latin-1")
        first = not self._started
        try:
            if kind == "response.output_text.delta":
                events: list[Event] = self._text(wire)
            elif kind == "error" or event.name == b"error":
                raise classify_inner(data)
            else:
                if (marked := seal_answer(data, self._maker)) is not data:
                    data, wire = marked, _decode(marked)
                events = self._read(kind, wire, data)
        except UNREADABLE as error:
            raise broken(_UNREADABLE) from error
        if first and kind != "response.created":
            if not events:
                # Nothing may stand before the response itself; but the other side lives.
                return Frame()
            self._loose = True
            if not self._started:
                self._started = True
                events.insert(0, Started())
        if self._loose:
            return Frame(tuple(events)) if events else None
        return Frame(tuple(events), data, Dialect.RESPONSES, kind)

    def finish(self) -> Frame | None:
        """Say that the body has ended.

        Raises:
            UpstreamInterrupted: no event ended the response.
        """
        if not self._ended:
            raise UpstreamInterrupted("The upstream's answer broke off before its end; try again.")
        return None

    def _retry(self, event: SseEvent) -> Frame | None:
        """Read what the common path could not: ``[DONE]``, mended text, or an event of a new kind."""
        data = event.data
        if data.strip() == b"[DONE]":
            return None
        mended = mend(data)
        if mended != data:
            return self.feed(SseEvent(mended, event.name))
        if event.name == b"error":
            raise classify_inner(data)
        try:
            kind = _kind.decode(data).type or event.name.decode("latin-1")
        except UNREADABLE:
            kind = ""
        if kind == "error":
            raise classify_inner(data)
        if not kind or kind in _KNOWN or not is_text(data):
            raise inner_error(data) or broken(_UNREADABLE)
        return None if self._loose else Frame((), data, Dialect.RESPONSES, kind)

    def _read(self, kind: str, wire: WireEvent, data: bytes) -> list[Event]:
        if kind == "response.function_call_arguments.delta":
            return self._argue(wire.output_index, wire.delta or "")
        if (what := _THOUGHTS.get(kind)) is not None:
            return self._think(wire, what, wire.delta)
        if kind == "response.refusal.delta":
            self._said.add((wire.output_index, _REFUSAL, wire.content_index))
            return [RefusalDelta(wire.delta)] if wire.delta else []
        if kind in _DONES:
            return self._part_done(wire, _DONES[kind])
        if kind == "response.output_item.added":
            return self._added(wire.output_index, read_item(wire.item))
        if kind == "response.output_item.done":
            return self._item_done(wire.output_index, wire.item)
        if kind == "response.output_text.annotation.added":
            self._said.add((wire.output_index, "annotation", wire.content_index))
            note = annotation_event(wire.annotation)
            return [] if note is None else [note]
        if kind in _BEGINS:
            return self._begin(wire.response)
        if kind in _ENDS:
            return self._end(_ENDS[kind], wire.response)
        if kind == "response.failed":
            raise failure(bytes(wire.response))
        if kind == "response.cancelled":
            raise UpstreamInterrupted("The upstream cancelled its answer; try again.")
        if not kind.startswith("response.") and (error := inner_error(data)) is not None:
            # What has no kind of this wire may be another wire's form of an error.
            raise error
        return []

    def _begin(self, raw: msgspec.Raw) -> list[Event]:
        if self._started:
            return []
        response = read_response(raw)
        self._started = True
        return [Started(response.id or "", response.model or "", int(response.created_at or 0))]

    def _text(self, wire: WireEvent) -> list[Event]:
        self._said.add((wire.output_index, _TEXT, wire.content_index))
        logprobs = token_logprobs(wire.logprobs)
        if logprobs is None and not wire.delta:
            return []
        return [TextDelta(wire.delta or "", 0, logprobs)]

    def _think(self, wire: WireEvent, what: str, text: str | None) -> list[Event]:
        if not text:
            return []
        part = wire.summary_index if what == "summary" else wire.content_index
        place = (wire.output_index, what, part)
        if place in self._said:
            return [ThinkingDelta(text)]
        self._said.add(place)
        follows = part > 0 and (wire.output_index, what, part - 1) in self._said
        return [ThinkingDelta(BETWEEN + text if follows else text)]

    def _part_done(self, wire: WireEvent, what: str) -> list[Event]:
        """Say a part that came without deltas."""
        index = wire.output_index
        if what == _ARGUMENTS:
            return self._argue_rest(index, arguments_text(wire.arguments))
        if what in ("thought", "summary"):
            part = wire.summary_index if what == "summary" else wire.content_index
            return [] if (index, what, part) in self._said else self._think(wire, what, wire.text)
        if (index, what, wire.content_index) in self._said:
            return []
        if what == _REFUSAL:
            self._said.add((index, what, wire.content_index))
            return [RefusalDelta(wire.refusal)] if wire.refusal else []
        return self._text(WireEvent(delta=wire.text, output_index=index, content_index=wire.content_index))

    def _added(self, index: int, item: WireItem) -> list[Event]:
        if item.type != "function_call" or index in self._calls:
            return []
        call = self._calls[index] = _Call(len(self._calls))
        return self._open(call, item) if item.name else []

    def _open(self, call: _Call, item: WireItem) -> list[Event]:
        call.started = True
        self._waits = True
        if not item.call_id:
            self._loose = True
        called = item.call_id or item.id or mint_call_id()
        events: list[Event] = [ToolStarted(called, alias(item.name or "", item.namespace or ""), call.index)]
        if text := "".join(call.pieces):
            events.append(ToolDelta(text, call.index))
        return events

    def _argue(self, index: int, text: str) -> list[Event]:
        call = self._calls.get(index)
        if call is None:
            raise broken("arguments of a tool call that was never opened")
        if not text:
            return []
        self._said.add((index, _ARGUMENTS, 0))
        if not call.started:
            call.pieces.append(text)
            return []
        return [ToolDelta(text, call.index)]

    def _argue_rest(self, index: int, text: str) -> list[Event]:
        if index not in self._calls or (index, _ARGUMENTS, 0) in self._said:
            return []
        return self._argue(index, text)

    def _item_done(self, index: int, raw: msgspec.Raw) -> list[Event]:
        """Say what the events before left unsaid of an item that is complete."""
        item = read_item(raw)
        if index in self._done or item.id in self._ids:
            return []
        events: list[Event] = []
        if item.type == "function_call":
            if not item.name:
                raise broken("a tool call without a name")
            if index not in self._calls:
                self._calls[index] = _Call(len(self._calls))
            call = self._calls[index]
            events += self._argue_rest(index, arguments_text(item.arguments)) if call.started else []
            if not call.started:
                if (index, _ARGUMENTS, 0) not in self._said and (text := arguments_text(item.arguments)):
                    call.pieces.append(text)
                events += self._open(call, item)
        elif item.type == "message":
            events += self._message(index, item)
        elif item.type == "reasoning":
            for what, parts in (("summary", item.summary), ("thought", item.content)):
                for i, part in enumerate(parts or ()):
                    if (index, what, i) not in self._said:
                        place = WireEvent(output_index=index, content_index=i, summary_index=i)
                        events += self._think(place, what, part.text)
            events += seal_events(item)
        else:
            self._waits = self._waits or waits_for_caller(item.type)
            events.append(Opaque(raw, Dialect.RESPONSES))
        self._done.add(index)
        if item.id:
            self._ids.add(item.id)
        return events

    def _message(self, index: int, item: WireItem) -> list[Event]:
        events: list[Event] = []
        for i, part in enumerate(item.content or ()):
            if (index, _TEXT, i) in self._said:
                part.text = None
                part.logprobs = msgspec.Raw(b"")
            if (index, _REFUSAL, i) in self._said:
                part.refusal = None
            if (index, "annotation", i) in self._said:
                part.annotations = None
            events += part_events(part)
        return events

    def _end(self, status: str, raw: msgspec.Raw) -> list[Event]:
        if not present(raw):
            if not self._started:
                raise UpstreamBroken("The upstream's stream does not begin like a response.")
            self._ended = True
            return [ending(status or "completed", None, waits=self._waits)]
        response = read_response(raw)
        status = status or response.status or "completed"
        if response.error or status == "failed":
            raise failure(bytes(raw))
        if status == "cancelled":
            raise UpstreamFailed("The upstream cancelled its answer; try again.")
        events = self._begin(raw)
        for index, one in enumerate(response.output or ()):
            events += self._item_done(index, one)
        if any(not call.started for call in self._calls.values()):
            raise broken("a tool call without a name")
        self._ended = True
        events.append(ending(status, response.incomplete_details, waits=self._waits))
        if (usage := read_usage(response)) is not None:
            events.append(Metered(usage))
        return events


#: Kinds whose events must be readable.
_KNOWN = frozenset(
    {
        "response.output_text.delta",
        "response.function_call_arguments.delta",
        "response.refusal.delta",
        "response.output_item.added",
        "response.output_item.done",
        "response.failed",
        *_THOUGHTS,
        *_DONES,
        *_BEGINS,
        *_ENDS,
    }
)
