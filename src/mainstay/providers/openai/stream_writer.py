"""A streamed answer as OpenAI's server-sent events.

Frames of the same wire pass through with their bytes; frames of another, and those that were changed or put right on
the way, are written from their events. One stream may mix both, so what a stream must keep (one id, one model, the
role once, ``[DONE]`` once) is remembered here.
"""

from typing import Any

import msgspec

from mainstay.core.errors import MainstayError
from mainstay.core.events import (
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
from mainstay.providers.openai.citations import grounding_delta
from mainstay.providers.openai.errors import render
from mainstay.providers.openai.wire import LEGACY_ID, finish_word, read_fields, read_list
from mainstay.providers.openai.written import write_usage

__all__ = ["OpenAIStreamWriter"]

_encode = msgspec.json.encode
_NULL_USAGE = b',"usage":null}'
_TOOLS = (ToolStarted, ToolDelta, Finished)


class _Choice:
    """What was written of one choice."""

    __slots__ = ("begun", "blocks", "called", "thinking", "word")

    def __init__(self) -> None:
        self.begun = False
        self.called = False
        #: ``tool_calls`` or ``function_call``.
        self.word = "tool_calls"
        self.thinking: list[str] = []
        self.blocks = 0


class OpenAIStreamWriter:
    """Writes one stream; see :class:`~mainstay.line.streaming.StreamWriter`.

    Args:
        include_usage: the caller asked for the usage chunk; otherwise all usage is taken out.
        model: named when the upstream names none.
        id: makes the id when the upstream gives none of OpenAI's form.
        created: seconds since 1970, when the upstream gives none.
        legacy_functions: write ``function_call`` for tool calls.
        running_usage: the caller asked for the usage so far in every chunk, as some servers give it.
    """

    def __init__(
        self,
        include_usage: bool,
        *,
        model: str,
        id: str,  # noqa: A002  # the wire's own word, as the SDKs have it
        created: int,
        legacy_functions: bool = False,
        running_usage: bool = False,
    ) -> None:
        self._include_usage = include_usage
        self._running_usage = running_usage
        self._legacy = legacy_functions
        self._id = id if id.startswith("chatcmpl-") else f"chatcmpl-{id}"
        self._model = model
        self._created = created
        self._head = b""
        self._null_usage = _NULL_USAGE[:-1] if include_usage else b""
        self._choices: dict[int, _Choice] = {}
        self._passed = False
        #: Top-level fields for the next chunk written.
        self._extra: dict[str, Any] = {}
        self._usage: Usage | None = None
        #: The usage chunk as the upstream wrote it: sent last, and once, however often it comes.
        self._usage_wire = b""
        self._ended = False

    def frame(self, frame: Frame) -> bytes:
        """Return the server-sent events that say ``frame``; may be empty."""
        wire = frame.wire
        events = frame.events
        if not wire or frame.dialect is not Dialect.OPENAI or (self._legacy and self._is_about_tools(events)):
            return self._write(events, ours=frame.dialect is Dialect.OPENAI)
        if not self._passed:
            self._passed = True
            if events and isinstance(events[0], Started):
                self._start(events[0], keep_id=True)
        if b'"usage"' in wire:
            if not self._include_usage:
                wire = _without_usage(wire)
                if not wire:
                    return b""
            elif events and isinstance(events[-1], Metered):
                self._usage, self._usage_wire = events[-1].usage, b""
                if _is_usage_only(wire):
                    self._usage_wire = wire
                    return b""
                if not self._running_usage:
                    # Clients that add up what every chunk says would count it twice.
                    wire = _encode({**read_fields(wire), "usage": None})
        return _event(wire)

    def end(self) -> bytes:
        """Return what closes a complete stream: the usage chunk if it is owed, and ``[DONE]``; empty from then on."""
        if self._ended:
            return b""
        self._ended = True
        last = b""
        if self._include_usage and self._usage is not None:
            chunk = {**self._base(), "choices": [], "usage": write_usage(self._usage), **self._extra}
            last = _event(self._usage_wire or _encode(chunk))
        return last + b"data: [DONE]\n\n"

    def error(self, error: MainstayError) -> bytes:
        """Return the error event that ends a stream which broke off; no ``[DONE]`` follows it."""
        self._ended = True
        return b"data: " + render(error) + b"\n\n"

    def ping(self) -> bytes:
        """Return a comment: it keeps connections alive, and no client takes it for content."""
        return b": ping\n\n"

    def _is_about_tools(self, events: tuple[Event, ...]) -> bool:
        return any(isinstance(event, _TOOLS) for event in events)

    def _start(self, started: Started, *, keep_id: bool) -> None:
        if started.id and (keep_id or started.id.startswith("chatcmpl-")):
            self._id = started.id
        self._model = started.model or self._model
        self._created = started.created or self._created
        self._head = b""

    def _base(self) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._model,
        }

    def _write(self, events: tuple[Event, ...], *, ours: bool) -> bytes:
        out: list[bytes] = []
        for event in events:
            if isinstance(event, TextDelta):
                out.append(self._chunk(event.choice, b'"content":' + _encode(event.text), event.logprobs))
            elif isinstance(event, ToolDelta):
                out.append(self._write_arguments(event))
            elif isinstance(event, ThinkingDelta):
                self._choice(event.choice).thinking.append(event.text)
                out.append(self._chunk(event.choice, b'"reasoning_content":' + _encode(event.text)))
            elif isinstance(event, ToolStarted):
                out.append(self._write_call(event))
            elif isinstance(event, RefusalDelta):
                out.append(self._chunk(event.choice, b'"refusal":' + _encode(event.text)))
            elif isinstance(event, Finished):
                out.append(self._write_finish(event))
            elif isinstance(event, Metered):
                self._usage, self._usage_wire = event.usage, b""
            elif isinstance(event, Started):
                self._start(event, keep_id=ours)
            elif isinstance(event, ThinkingSealed):
                out.append(self._write_seal(event))
            elif isinstance(event, Grounded):
                out.append(self._chunk(event.choice, grounding_delta(event)))
            elif isinstance(event, Opaque) and event.dialect is Dialect.OPENAI:
                out.append(self._write_opaque(event))
        return b"".join(out)

    def _choice(self, index: int) -> _Choice:
        state = self._choices.get(index)
        if state is None:
            state = self._choices[index] = _Choice()
        return state

    def _chunk(
        self, index: int, delta: bytes, logprobs: msgspec.Raw | None = None, finish: bytes = b"null", more: bytes = b""
    ) -> bytes:
        """Return one chunk; ``delta`` is the inside of its object, ``more`` further fields of the choice."""
        if not self._head:
            self._head = b"data: " + _encode(self._base())[:-1] + b',"choices":[{"index":'
        state = self._choice(index)
        if not state.begun:
            state.begun = True
            # Clients append strings, so the role stands once; a chunk that was passed on has brought it.
            if not self._passed:
                delta = b'"role":"assistant",' + delta if delta else b'"role":"assistant"'
        return b"".join(
            (
                self._head,
                b"%d" % index,
                b',"delta":{',
                delta,
                b'},"logprobs":',
                b"null" if logprobs is None else bytes(logprobs),
                b',"finish_reason":',
                finish,
                more,
                b"}]",
                self._take_extra() if self._extra else b"",
                self._null_usage,
                b"}\n\n",
            )
        )

    def _take_extra(self) -> bytes:
        extra, self._extra = self._extra, {}
        return b"," + _encode(extra)[1:-1]

    def _write_call(self, event: ToolStarted) -> bytes:
        state = self._choice(event.choice)
        state.called = True
        function = {"name": event.name, "arguments": ""}
        if self._legacy or event.id.startswith(LEGACY_ID):
            state.word = "function_call"
            return self._chunk(event.choice, b'"function_call":' + _encode(function))
        call = {"index": event.index, "id": event.id, "type": "function", "function": function}
        return self._chunk(event.choice, b'"tool_calls":[' + _encode(call) + b"]")

    def _write_arguments(self, event: ToolDelta) -> bytes:
        arguments = b'{"arguments":' + _encode(event.arguments) + b"}"
        if self._legacy or self._choice(event.choice).word == "function_call":
            return self._chunk(event.choice, b'"function_call":' + arguments)
        return self._chunk(event.choice, b'"tool_calls":[{"index":%d,"function":%b}]' % (event.index, arguments))

    def _write_finish(self, event: Finished) -> bytes:
        state = self._choice(event.choice)
        word = finish_word(event.reason, event.raw, called=state.called)
        if word == "tool_calls":
            word = "function_call" if self._legacy else state.word
        return self._chunk(event.choice, b"", finish=_encode(word))

    def _write_seal(self, event: ThinkingSealed) -> bytes:
        """Write a finished block of reasoning in full: what the caller sends back in its next turn."""
        state = self._choice(event.choice)
        block: dict[str, Any] = {"index": state.blocks, "type": "redacted_thinking", "data": event.redacted}
        if not event.redacted:
            text = "".join(state.thinking)
            state.thinking = []
            block = {"index": state.blocks, "type": "thinking", "thinking": text, "signature": event.signature}
        state.blocks += 1
        return self._chunk(event.choice, b'"thinking_blocks":[' + _encode(block) + b"]")

    def _write_opaque(self, event: Opaque) -> bytes:
        levels = read_fields(event.payload)
        if "answer" in levels:
            self._extra.update(read_fields(levels["answer"]))
        delta = bytes(levels["message"])[1:-1] if "message" in levels else b""
        more = b"," + bytes(levels["choice"])[1:-1] if "choice" in levels else b""
        return self._chunk(event.choice, delta, more=more) if delta or more else b""


def _event(wire: bytes) -> bytes:
    """Return a payload as a server-sent event."""
    if b"\n" in wire:
        wire = wire.replace(b"\n", b"\ndata: ")
    return b"data: " + wire + b"\n\n"


def _without_usage(wire: bytes) -> bytes:
    """Return a chunk without its ``usage``, or nothing when it held nothing else."""
    if wire.endswith(_NULL_USAGE):
        # The last field before the last brace is one of the top level.
        return wire[: -len(_NULL_USAGE)] + b"}"
    fields = read_fields(wire)
    usage = fields.pop("usage", None)
    if usage is None:
        return wire
    if bytes(usage) != b"null" and not read_list(fields.get("choices", b"[]")):
        return b""
    return msgspec.json.encode(fields)


def _is_usage_only(wire: bytes) -> bool:
    return not read_list(read_fields(wire).get("choices", b"[]"))
