"""``/v1/audio/…``: transcriptions and translations of files that callers send, and speech."""

from mainstay.api.tasks import TaskWire
from mainstay.core.answer import Answer
from mainstay.core.call import Ask
from mainstay.core.errors import UnsupportedMediaType
from mainstay.core.record import Record
from mainstay.core.target import Operation
from mainstay.line.streaming import StreamWriter
from mainstay.providers.tasks.audio import SpeechAsked, is_plain, read_speech, read_transcript
from mainstay.providers.tasks.form import Form
from mainstay.providers.tasks.streams import MediaWriter, TaskWriter

__all__ = ["SpeechWire", "TranscriptWire"]

_EVENTS = b"text/event-stream; charset=utf-8"


class TranscriptWire(TaskWire):
    """Speech to text, as the official OpenAI SDKs ask for it.

    Args:
        operation: a transcription, or a translation into English.
    """

    def __init__(self, operation: Operation) -> None:
        self._operation = operation

    def read(self, body: bytes) -> Ask:
        """Refuse JSON, which holds no file."""
        raise UnsupportedMediaType("Send the file as a form: 'content-type: multipart/form-data; boundary=…'.")

    def read_form(self, form: Form) -> Ask:
        """Return what a form asks."""
        return read_transcript(form, self._operation)

    def kind(self, answer: Answer, ask: Ask) -> bytes:
        """Return the content type of an answer."""
        if answer.frames is not None:
            return _EVENTS
        return b"text/plain; charset=utf-8" if is_plain(ask) else b"application/json"


class SpeechWire(TaskWire):
    """Text to speech, as the official OpenAI SDKs ask for it."""

    def read(self, body: bytes) -> Ask:
        """Return what a request asks."""
        return read_speech(body)

    def read_form(self, form: Form) -> Ask:
        """Refuse a form."""
        raise UnsupportedMediaType("Send the body as JSON with the header 'content-type: application/json'.")

    def kind(self, answer: Answer, ask: Ask) -> bytes:
        """Return the content type of the audio, as the upstream named it."""
        if _wants_events(ask):
            return _EVENTS
        return answer.kind or b"application/octet-stream"

    def writer(self, ask: Ask, record: Record) -> StreamWriter:
        """Return a writer of events, or of bytes."""
        return TaskWriter() if _wants_events(ask) else MediaWriter()


def _wants_events(ask: Ask) -> bool:
    return isinstance(ask.found, SpeechAsked) and ask.found.events
