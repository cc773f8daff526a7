"""Streams of tasks: events of a wire of their own, passed on, and media, which are no events at all."""

from collections.abc import Collection
from typing import Any

import msgspec

from mainstay.core.errors import MainstayError, UpstreamInterrupted
from mainstay.core.events import Event, Finished, FinishReason, Frame, Metered, Piece, TextDelta
from mainstay.core.sse import SseDecoder, SseEvent
from mainstay.core.usage import Usage
from mainstay.providers.openai.errors import classify_inner, inner_error, render
from mainstay.providers.tasks.exchange import UNREADABLE, broken, read_body_usage
from mainstay.providers.wire import mend

__all__ = ["MediaDecoder", "MediaReader", "MediaWriter", "TaskReader", "TaskWriter"]

_NOTHING = msgspec.Raw(b"")
#: How a stream of events begins, and no file of sound.
_EVENTS = (b"data:", b"event:")


class _Event(msgspec.Struct, gc=False):
    type: str = ""
    delta: Any = None
    error: Any = None
    usage: msgspec.Raw = _NOTHING


_event = msgspec.json.Decoder(_Event)


class TaskReader:
    """Reads events that name their ``type``: of a transcription, an image, or speech.

    Args:
        last: the types that end a stream.
    """

    def __init__(self, last: Collection[str]) -> None:
        self._last = last
        self._ended = False

    def feed(self, event: SseEvent) -> Frame | None:
        """Return what one event says, or None when it says nothing."""
        if event.data.strip() == b"[DONE]":
            return None
        wire = event.data
        try:
            said = _event.decode(wire)
            wire.decode()
        except UNREADABLE:
            wire = mend(wire)
            try:
                said = _event.decode(wire)
                wire.decode()
            except UNREADABLE:
                raise inner_error(event.data) or broken("an event that cannot be read") from None
        if said.error or event.name == b"error" or said.type == "error":
            raise classify_inner(wire)
        name = event.name.decode("utf-8", "replace")
        events: list[Event] = []
        if isinstance(said.delta, str) and said.delta:
            events.append(TextDelta(said.delta))
        elif said.type not in self._last:
            events.append(Piece(len(wire)))
        if said.type in self._last:
            self._ended = True
            if (usage := read_body_usage(said.usage)) is not None:
                events.append(Metered(usage))
            events.append(Finished(FinishReason.STOP))
        return Frame(tuple(events), wire, name=name)

    def finish(self) -> None:
        """Say that the body has ended.

        Raises:
            UpstreamInterrupted: the answer has not.
        """
        if not self._ended:
            raise UpstreamInterrupted("The upstream's answer broke off before its end; try again.")


class TaskWriter:
    """Writes such a stream: events pass with their names, text made here becomes a transcription's events."""

    def __init__(self) -> None:
        self._text: list[str] = []

    def frame(self, frame: Frame) -> bytes:
        """Return the server-sent events that say ``frame``."""
        if frame.wire:
            name = b"event: " + frame.name.encode() + b"\n" if frame.name else b""
            return name + b"data: " + frame.wire.replace(b"\n", b"\ndata: ") + b"\n\n"
        written = b""
        for event in frame.events:
            if isinstance(event, TextDelta):
                self._text.append(event.text)
                written += _data({"type": "transcript.text.delta", "delta": event.text})
            elif isinstance(event, Finished):
                written += _data({"type": "transcript.text.done", "text": "".join(self._text)})
        return written

    def end(self) -> bytes:
        """Return what closes a complete stream."""
        return b"data: [DONE]\n\n"

    def error(self, error: MainstayError) -> bytes:
        """Return the error event that ends a stream which broke off."""
        return b"data: " + render(error) + b"\n\n"

    def ping(self) -> bytes:
        """Return a comment, which no client takes for content."""
        return b": ping\n\n"


def _data(fields: dict[str, str]) -> bytes:
    return b"data: " + msgspec.json.encode(fields) + b"\n\n"


class MediaDecoder:
    """Takes every piece of a body as it comes; see :class:`~mainstay.providers.port.Decoder`."""

    alive = 0

    def feed(self, piece: bytes) -> list[SseEvent]:
        """Return the piece as one event."""
        return [SseEvent(piece)]

    def close(self) -> list[SseEvent]:
        """Nothing is held."""
        return []


class MediaReader:
    """Reads media: any bytes, as long as there are some. That none are missing is for HTTP's framing to say.

    ``usage`` is what is known of it beforehand, since media do not tell.
    """

    def __init__(self, usage: Usage | None = None) -> None:
        self._begun = False
        self._usage = usage

    def feed(self, event: SseEvent) -> Frame:
        """Return a piece.

        Raises:
            MainstayError: events come in place of media, one of which may be an error.
        """
        if not self._begun and event.data.startswith(_EVENTS):
            first = next(iter(SseDecoder().feed(event.data)), None)
            raise (inner_error(first.data) if first else None) or broken("events where a file was asked for")
        self._begun = True
        return Frame((Piece(len(event.data)),), event.data)

    def finish(self) -> Frame:
        """Say that the body has ended.

        Raises:
            UpstreamBroken: there was nothing in it.
        """
        if not self._begun:
            raise broken("an empty answer")
        ending = Finished(FinishReason.STOP)
        return Frame((ending,) if self._usage is None else (Metered(self._usage), ending))


class MediaWriter:
    """Writes media: pieces as they came. There is no way to tell of an error in them, so the connection is cut."""

    def frame(self, frame: Frame) -> bytes:
        """Return the bytes of ``frame``."""
        return frame.wire

    def end(self) -> bytes:
        """Return nothing: the body ends as HTTP has it."""
        return b""

    def error(self, error: MainstayError) -> bytes:
        """Raise ``error``, so that the body does not seem complete."""
        raise error

    def ping(self) -> bytes:
        """Return nothing."""
        return b""
