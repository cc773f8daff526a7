"""A streamed answer of Cohere's chat wire, event by event.

The order is ``message-start``; ``content-start``, its deltas and ``content-end`` for each block; ``tool-plan-delta``;
``tool-call-start``, its deltas and ``tool-call-end`` for each call; ``citation-start`` where a citation belongs;
``message-end`` with the reason and the counts. The answer is complete once ``message-end`` came.
"""

import msgspec

from mainstay.core.errors import UpstreamInterrupted
from mainstay.core.events import Dialect, Event, Finished, Frame, Metered, Started, ThinkingDelta, ToolDelta
from mainstay.core.sse import SseEvent
from mainstay.providers.cohere.errors import fault_of, gave_up
from mainstay.providers.cohere.wire import (
    Call,
    Content,
    broken,
    carried,
    content_events,
    finish_reason,
    read_usage,
    tool_started,
)
from mainstay.providers.wire import NOTHING, UNREADABLE, mend, present

__all__ = ["ChatReader"]


class _Message(msgspec.Struct):
    content: Content | list[Content] | None = None
    tool_plan: str | None = None
    #: One call; the list, always empty, is what a stream begins with.
    tool_calls: Call | list[msgspec.Raw] | None = None
    citations: msgspec.Raw = NOTHING


class _Delta(msgspec.Struct):
    message: _Message | None = None
    finish_reason: str | None = None
    usage: msgspec.Raw = NOTHING
    error: str | None = None


class _Event(msgspec.Struct):
    type: str = ""
    id: str | None = None
    index: int = 0
    delta: _Delta | None = None


_event = msgspec.json.Decoder(_Event)
_NO_DELTA = _Delta()
_NO_MESSAGE = _Message()


def _one(calls: Call | list[msgspec.Raw] | None) -> Call | None:
    return calls if isinstance(calls, Call) else None


class ChatReader:
    """Reads one stream; see the module for its order."""

    def __init__(self) -> None:
        self._started = False
        self._finished = False
        self._calls = 0
        #: Calls that have begun and not ended, by the wire's index: ours, and whether arguments came.
        self._open: dict[int, tuple[int, bool]] = {}

    def feed(self, event: SseEvent) -> Frame | None:
        """Return what ``event`` says, or None when it says nothing.

        Raises:
            MainstayError: it is an error.
            UpstreamBroken: it cannot be read.
        """
        data = event.data
        if self._finished or data.strip() == b"[DONE]":
            return None
        try:
            if not data.isascii():
                data.decode()
            wire = _event.decode(data)
        except UNREADABLE:
            mended = mend(data)
            if mended != data:
                return self.feed(SseEvent(mended, event.name))
            raise fault_of(data) or broken("an event that cannot be read") from None
        name = wire.type or event.name.decode("latin-1")
        if not name and (error := fault_of(data)) is not None:
            raise error
        events = self._read(name, wire)
        if events and not self._started:
            self._started = True
            events = [Started(id=wire.id or ""), *(one for one in events if not isinstance(one, Started))]
        return Frame(tuple(events), data, Dialect.COHERE, name)

    def finish(self) -> Frame | None:
        """Called at the end of the body.

        Raises:
            UpstreamInterrupted: the answer is not complete.
        """
        if not self._finished:
            raise UpstreamInterrupted("The upstream broke off its answer; ask again.")
        return None

    def _read(self, name: str, wire: _Event) -> list[Event]:
        delta = wire.delta or _NO_DELTA
        message = delta.message or _NO_MESSAGE
        if name in ("content-delta", "content-start"):
            content = message.content
            pieces = content if isinstance(content, list) else [content] if content is not None else []
            return [event for piece in pieces for event in content_events(piece)]
        if name == "tool-call-delta":
            return self._arguments(wire.index, _one(message.tool_calls))
        if name == "tool-call-start":
            return self._call(wire.index, _one(message.tool_calls))
        if name == "tool-call-end":
            return self._close(wire.index)
        if name == "tool-plan-delta":
            return [ThinkingDelta(message.tool_plan)] if message.tool_plan else []
        if name == "citation-start":
            return [carried(message.citations)] if present(message.citations) else []
        if name == "message-start":
            return [] if self._started else [Started(id=wire.id or "")]
        if name == "message-end":
            return self._end(delta)
        return []

    def _call(self, index: int, call: Call | None) -> list[Event]:
        if call is None:
            raise broken("a tool call without content")
        events = [*self._close(index), tool_started(call, self._calls)]
        self._open[index] = (self._calls, False)
        self._calls += 1
        return events + self._arguments(index, call)

    def _arguments(self, index: int, call: Call | None) -> list[Event]:
        piece = call.function.arguments if call is not None and call.function is not None else None
        if not piece:
            return []
        if index not in self._open:
            raise broken("arguments of a tool call that was never opened")
        ours, _ = self._open[index]
        self._open[index] = (ours, True)
        return [ToolDelta(piece, ours)]

    def _close(self, index: int) -> list[Event]:
        ours, wrote = self._open.pop(index, (0, True))
        return [] if wrote else [ToolDelta("{}", ours)]

    def _end(self, delta: _Delta) -> list[Event]:
        word = delta.finish_reason or ""
        if (error := gave_up(word, delta.error)) is not None:
            raise error
        # A call that the limit cut before its first argument stays cut; it is not a call without arguments.
        held = () if word == "MAX_TOKENS" else tuple(self._open)
        events = [event for index in held for event in self._close(index)]
        self._finished = True
        events.append(Finished(finish_reason(word, tools=self._calls > 0), raw=word))
        usage = read_usage(delta.usage)
        return [*events, Metered(usage)] if usage is not None else events
