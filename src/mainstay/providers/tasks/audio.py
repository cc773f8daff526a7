"""``/v1/audio/…``: speech to text, from a form with a file to JSON, text or subtitles; and text to speech, as bytes."""

from typing import Any

import msgspec

from mainstay.core.answer import Whole
from mainstay.core.call import Ask
from mainstay.core.errors import InvalidRequest
from mainstay.core.events import Dialect, Event, Finished, FinishReason, Metered, TextDelta
from mainstay.core.sse import SseDecoder
from mainstay.core.target import Operation
from mainstay.core.usage import Usage
from mainstay.providers.openai.door import read_body
from mainstay.providers.openai.errors import inner_error
from mainstay.providers.port import Decoder, StreamReader
from mainstay.providers.tasks.exchange import (
    UNREADABLE,
    Exchange,
    broken,
    make_ask,
    milliseconds,
    read_body_usage,
    refuse_answer,
)
from mainstay.providers.tasks.form import Form
from mainstay.providers.tasks.streams import MediaDecoder, MediaReader, TaskReader

__all__ = ["SpeechAsked", "SpeechExchange", "TranscriptExchange", "is_plain", "read_speech", "read_transcript"]

_PLAIN = frozenset({"text", "srt", "vtt"})
_TRANSCRIBED = ("transcript.text.done",)
_SPOKEN = ("speech.audio.done",)
_NOTHING = msgspec.Raw(b"")


class SpeechAsked(msgspec.Struct, frozen=True):
    """How speech is wanted: as events, or as the bytes of a file."""

    events: bool
    #: How long the text is that is to be spoken, which is what some are paid for.
    characters: int = 0


class _Door(msgspec.Struct, gc=False):
    model: str
    input: str
    stream_format: str | None = None


class _Transcript(msgspec.Struct, gc=False):
    text: str
    usage: msgspec.Raw = _NOTHING
    duration: Any = None


_door = msgspec.json.Decoder(_Door)
_transcript = msgspec.json.Decoder(_Transcript)


def read_transcript(form: Form, operation: Operation) -> Ask:
    """Read a request for a transcription or a translation.

    Raises:
        InvalidRequest: the file or the model is missing.
    """
    model = form.field("model")
    if model is None:
        raise InvalidRequest("'model' is missing; it is required.", param="model")
    files = form.files("file")
    if len(files) != 1 or files[0].filename is None:
        raise InvalidRequest("'file' must be one file; send it as a part with a file name.", param="file")
    stream = (form.field("stream") or "").lower() == "true"
    return make_ask(form.raw, operation, model, form, stream=stream, kind=form.kind)


def is_plain(ask: Ask) -> bool:
    """Return whether a transcript is wanted as text, and not as JSON."""
    return isinstance(ask.found, Form) and ask.found.field("response_format") in _PLAIN


class TranscriptExchange(Exchange):
    """One call for a transcription or a translation."""

    def whole(self, body: bytes) -> Whole:
        """Read a transcript.

        Raises:
            UpstreamBroken: it has not the form that was asked for.
            MainstayError: it is an error under a status of 200.
        """
        if is_plain(self._ask):
            return self._plain(body)
        try:
            transcript = _transcript.decode(body)
            body.decode()
        except UNREADABLE:
            refuse_answer(body, "a transcript that cannot be read")
        usage = read_body_usage(transcript.usage)
        if usage is None and (heard := milliseconds(transcript.duration)):
            usage = Usage(audio_ms=heard)
        events: list[Event] = [TextDelta(transcript.text)]
        if usage is not None:
            events.append(Metered(usage))
        events.append(Finished(FinishReason.STOP))
        finish = (FinishReason.STOP,)
        return Whole(body, Dialect.OPENAI, "", "", finish, usage, decode=lambda _: tuple(events))

    def _plain(self, body: bytes) -> Whole:
        start = body.lstrip()[:15].lower()
        if start.startswith(b"{") and (error := inner_error(body)) is not None:
            raise error
        if start.startswith((b"<!doctype html", b"<html")):
            raise broken("a web page where a transcript was asked for")
        return self.answered(body, None)

    def reader(self) -> StreamReader:
        """Return a reader of a transcript's events."""
        return TaskReader(_TRANSCRIBED) if self._ask.stream else super().reader()


def read_speech(body: bytes) -> Ask:
    """Read the body of a request for speech.

    Raises:
        InvalidRequest: it is not what the wire allows; ``param`` names the field.
    """
    door = read_body(_door, body, "")
    asked = SpeechAsked(door.stream_format == "sse", len(door.input))
    return make_ask(body, Operation.SPEECH, door.model, asked, stream=True, again=read_speech)


class SpeechExchange(Exchange):
    """One call for speech, which always comes as a stream: of bytes, or of events where these were asked for."""

    @property
    def _events(self) -> bool:
        assert isinstance(self._ask.found, SpeechAsked)
        return self._ask.found.events

    def whole(self, body: bytes) -> Whole:
        """Refuse JSON, which is no speech.

        Raises:
            MainstayError: always.
        """
        refuse_answer(body, "no speech")

    def decoder(self) -> Decoder:
        """Return what cuts the answer into pieces."""
        return SseDecoder() if self._events else MediaDecoder()

    def reader(self) -> StreamReader:
        """Return a reader of its pieces."""
        if self._events:
            return TaskReader(_SPOKEN)
        assert isinstance(self._ask.found, SpeechAsked)
        return MediaReader(Usage(characters=self._ask.found.characters))
