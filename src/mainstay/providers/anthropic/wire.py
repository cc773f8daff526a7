"""The parts of Anthropic's Messages wire that Mainstay reads, and what its words mean.

Only fields that some step of the line needs are typed; everything else stays in the bytes that a frame or a
whole answer carries. Nothing here knows a request, a stream's order or an error's class.
"""

from typing import Any

import msgspec

from mainstay.core.events import FinishReason
from mainstay.core.usage import Usage
from mainstay.providers.wire import count, service

__all__ = [
    "UNREADABLE",
    "Meter",
    "StopDetails",
    "WireBlock",
    "WireDelta",
    "WireEvent",
    "WireFault",
    "WireKind",
    "WireMessage",
    "finish_reason",
    "present",
]

#: What decoding raises for bytes that are not what was expected, or are nested beyond reason.
UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)

_NOTHING = msgspec.Raw(b"")

_FINISH = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP_SEQUENCE,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.CONTEXT,
    "tool_use": FinishReason.TOOLS,
    "refusal": FinishReason.REFUSED,
    "pause_turn": FinishReason.PAUSED,
}


#: Whatever was sent: it goes through :func:`count` before it is believed.
Count = Any


class _CacheCreation(msgspec.Struct, gc=False):
    ephemeral_5m_input_tokens: Count = None
    ephemeral_1h_input_tokens: Count = None


class _OutputDetails(msgspec.Struct, gc=False):
    thinking_tokens: Count = None


class _ServerTools(msgspec.Struct, gc=False):
    web_search_requests: Count = None


class _Usage(msgspec.Struct, gc=False):
    input_tokens: Count = None
    output_tokens: Count = None
    cache_creation_input_tokens: Count = None
    cache_read_input_tokens: Count = None
    cache_creation: _CacheCreation | None = None
    output_tokens_details: _OutputDetails | None = None
    server_tool_use: _ServerTools | None = None
    service_tier: Any = None


class StopDetails(msgspec.Struct, gc=False):
    """Why the model declined, in the vendor's words."""

    explanation: str | None = None


class WireBlock(msgspec.Struct):
    """One block of content. ``input`` and ``citations`` keep their bytes."""

    type: str
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = _NOTHING
    citations: list[msgspec.Raw] | None = None


class WireKind(msgspec.Struct, gc=False):
    """The kind of anything, when the rest of it is not ours to read."""

    type: str = ""


class WireDelta(msgspec.Struct, gc=False):
    """The ``delta`` of ``content_block_delta`` and of ``message_delta``: one flat view of every kind."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    signature: str | None = None
    citation: msgspec.Raw = _NOTHING
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None


class WireEvent(msgspec.Struct, gc=False):
    """One server-sent event's data, whatever its kind."""

    type: str = ""
    index: int = 0
    delta: WireDelta | None = None
    content_block: msgspec.Raw = _NOTHING
    message: msgspec.Raw = _NOTHING
    usage: msgspec.Raw = _NOTHING
    #: No field of this wire: compatible servers write ``error`` here.
    object: Any = None


class WireMessage(msgspec.Struct):
    """A message: the whole answer, or the head of a stream (``message_start``)."""

    type: str = ""
    id: str | None = None
    model: str | None = None
    content: list[msgspec.Raw] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None
    usage: msgspec.Raw = _NOTHING
    error: msgspec.Raw = _NOTHING


class WireFault(msgspec.Struct, gc=False):
    """The ``error`` object of the error envelope. ``code`` is OpenAI's: a word, or the number of a status."""

    type: str | None = None
    message: str | None = None
    code: str | int | float | None = None


_usage = msgspec.json.Decoder(_Usage)


def present(value: msgspec.Raw) -> bool:
    """Return whether a raw field was there and not null."""
    data = bytes(value)
    return data != b"" and data != b"null"


def finish_reason(word: str | None, *, tools: bool) -> FinishReason:
    """Return what ``stop_reason`` means; ``tools`` says whether the answer called any.

    Compatible servers end a message that calls tools with ``end_turn`` or with nothing at all; a caller who
    waits for tool calls must see them all the same.
    """
    if tools and (word is None or word == "end_turn"):
        return FinishReason.TOOLS
    return _FINISH.get(word or "", FinishReason.OTHER)


class Meter:
    """Adds up the usage reports of one answer into totals.

    Counts on the wire are cumulative: a later report replaces what it mentions and leaves the rest (so does
    the official SDK), nothing is ever summed over events. ``input`` becomes a total: Anthropic reports it
    without its cached parts.
    """

    __slots__ = ("_seen", "usage")

    def __init__(self) -> None:
        self._seen = _Usage()
        #: The totals so far, None until a report came.
        self.usage: Usage | None = None

    def read(self, report: msgspec.Raw) -> Usage | None:
        """Take one ``usage`` object as sent; return the totals if it said anything, else None.

        A report that cannot be read, or a number that is no count, is as good as none: the answer itself is not at
        fault.
        """
        if not present(report):
            return None
        try:
            new = _usage.decode(report)
        except UNREADABLE:
            return None
        seen = self._seen
        heard = wrong = False
        for field in _Usage.__struct_fields__:
            value = getattr(new, field)
            if value is None:
                continue
            if field == "service_tier":
                setattr(seen, field, value)
                continue
            if not isinstance(value, _CacheCreation | _OutputDetails | _ServerTools):
                value = count(value)
            if value is None:
                wrong = True
            else:
                heard = True
                setattr(seen, field, value)
        if wrong and not heard:
            return None
        self.usage = self._total()
        return self.usage

    def _total(self) -> Usage:
        seen = self._seen
        made = seen.cache_creation or _CacheCreation()
        hour = count(made.ephemeral_1h_input_tokens) or 0
        write = seen.cache_creation_input_tokens
        if write is None:
            write = hour + (count(made.ephemeral_5m_input_tokens) or 0)
        read = seen.cache_read_input_tokens or 0
        output = seen.output_tokens or 0
        details = seen.output_tokens_details or _OutputDetails()
        tools = seen.server_tool_use or _ServerTools()
        return Usage(
            input=(seen.input_tokens or 0) + read + write,
            output=output,
            cache_read=read,
            cache_write=write,
            cache_write_1h=min(hour, write),
            reasoning=min(count(details.thinking_tokens) or 0, output),
            searches=count(tools.web_search_requests) or 0,
            service=service(seen.service_tier),
        )
