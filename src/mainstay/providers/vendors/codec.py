"""A wire's own codec with one vendor's differences around it.

Everything a vendor does otherwise is in its row; this file only says when each part of the row is used. A vendor
without differences gets the wire's codec itself, and pays nothing.
"""

from collections.abc import Sequence
from urllib.parse import quote

from mainstay.core.answer import Whole
from mainstay.core.call import Ask
from mainstay.core.errors import MainstayError
from mainstay.core.events import Frame
from mainstay.core.sse import SseEvent
from mainstay.core.target import Operation, Target
from mainstay.providers.port import Codec, Decoder, Framed, StreamReader
from mainstay.providers.tasks.exchange import Task
from mainstay.providers.tasks.form import Form
from mainstay.providers.vendors.quirks import AnswerEdits, RequestEdits
from mainstay.providers.vendors.row import MODEL, TaskRow, VendorRow

__all__ = ["VendorCodec", "make_vendor_codec", "make_vendor_completions", "make_vendor_task", "vendor_credentials"]

_MODEL = f"{{{MODEL}}}"


def make_vendor_codec(row: VendorRow, codec: Codec, path: str | None) -> Codec:
    """Return ``codec`` with the differences of ``row`` around it, or itself where there are none.

    ``path`` stands in for the wire's own; its parameters but ``{model}`` are filled in.
    """
    asked, answered = RequestEdits(row), AnswerEdits(row)
    return _wrapped(codec, asked, answered, path) if _differs(asked, answered) or path is not None else codec


def _differs(asked: RequestEdits, answered: AnswerEdits) -> bool:
    return asked.is_needed or answered.is_needed or answered.knows_errors


def _wrapped(codec: Codec, asked: RequestEdits, answered: AnswerEdits, path: str | None = None) -> Codec:
    kind = _FramedVendorCodec if isinstance(codec, Framed) else VendorCodec
    return kind(codec, asked, answered, path)


class _VendorTask:
    """One task with a vendor's differences around it; see :class:`~mainstay.providers.tasks.exchange.Task`."""

    def __init__(self, task: Task, asked: RequestEdits, answered: AnswerEdits) -> None:
        self._task = task
        self._asked = asked
        self._answered = answered

    def about(self, ask: Ask, target: Target) -> Codec:
        """Return the codec of one call."""
        return _wrapped(self._task.about(ask, target), self._asked, self._answered)


def make_vendor_task(row: VendorRow, operation: Operation, task: Task) -> Task:
    """Return ``task``, which is ``operation``, with the differences of ``row`` around it, or itself without any."""
    about = _about(row, operation)
    asked, answered = RequestEdits(about), AnswerEdits(about)
    return _VendorTask(task, asked, answered) if _differs(asked, answered) else task


def make_vendor_completions(row: VendorRow, codec: Codec) -> Codec:
    """Return ``codec``, which is one of completions, with the differences of ``row`` around it."""
    return make_vendor_codec(_about(row, Operation.COMPLETION), codec, None)


def _about(row: VendorRow, operation: Operation) -> VendorRow:
    """Return what of ``row`` is true of ``operation``, as a row whose conversations are that operation."""
    own = row.tasks.get(operation) or TaskRow()
    said: dict[str, object] = {"rejects": own.rejects, "renames": own.renames, "drops_null": own.drops_null}
    said |= {"limit": "either", "tool_id_length": None, "reasoning": ""}
    if operation is not Operation.COMPLETION:
        said |= {"stream_options": True, "usage": (), "finish_reasons": {}}
    return row.model_copy(update=said)


def vendor_credentials(row: VendorRow, codec: Codec, key: str) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers that carry ``key`` as the vendor wants it, and those it needs besides."""
    always = tuple((name.encode(), value.encode()) for name, value in row.headers.items())
    if row.auth == "wire":
        return (*codec.credentials(key), *always)
    own = codec.credentials("")
    if row.auth == "none" or not key:
        return (*own, *always)
    if row.auth == "bearer":
        return (*own, (b"authorization", b"Bearer " + key.encode()), *always)
    return (*own, ((row.key_header or "").encode(), key.encode()), *always)


class VendorCodec:
    """See :class:`~mainstay.providers.port.Codec`."""

    def __init__(self, codec: Codec, asked: RequestEdits, answered: AnswerEdits, path: str | None) -> None:
        self.dialect = codec.dialect
        self._codec = codec
        self._asked = asked
        self._answered = answered
        self._path = path

    def request(self, ask: Ask, target: Target, *, stream: bool) -> tuple[bytes, bytes]:
        """Return the vendor's path and the body as it takes it.

        Raises:
            Unsupported: the wire cannot say it, or the vendor refuses a field of it; ``param`` names it.
            InvalidRequest: the caller's body is wrong in a way only a full reading shows.
        """
        path, body = self._codec.request(ask, target, stream=stream)
        if self._asked.is_needed and isinstance(ask.found, Form):
            body = self._asked.apply_form(body, ask.kind, target.model, ask.dialect)
        elif self._asked.is_needed:
            translated = ask.dialect is not self.dialect
            body = self._asked.apply(body, target.model, ask.dialect, translated=translated)
        if self._path is not None:
            # Names of models may hold slashes and colons, which belong into a path.
            path = self._path.replace(_MODEL, quote(target.upstream or ask.model, safe="/:@")).encode()
        return path, body

    def credentials(self, api_key: str) -> tuple[tuple[bytes, bytes], ...]:
        """Return the wire's own headers; :func:`vendor_credentials` knows the vendor's."""
        return self._codec.credentials(api_key)

    def whole(self, body: bytes) -> Whole:
        """Read the body of a successful answer."""
        return self._codec.whole(self._answered.apply(body) if self._answered.is_needed else body)

    def reader(self) -> StreamReader:
        """Return a reader for one streamed answer."""
        reader = self._codec.reader()
        return _Reader(reader, self._answered) if self._answered.is_needed else reader

    def error(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> MainstayError:
        """Return the error that a response with ``status`` >= 400 means."""
        if self._answered.knows_errors:
            status, body = self._answered.error(status, body)
        return self._codec.error(status, headers, body)


class _FramedVendorCodec(VendorCodec):
    """The same for a wire whose streams have a framing of their own."""

    def decoder(self) -> Decoder:
        """Return a decoder for one streamed answer."""
        assert isinstance(self._codec, Framed)
        return self._codec.decoder()


class _Reader:
    """A reader that is given every event as its wire has it."""

    __slots__ = ("_edits", "_reader")

    def __init__(self, reader: StreamReader, edits: AnswerEdits) -> None:
        self._reader = reader
        self._edits = edits

    def feed(self, event: SseEvent) -> Frame | None:
        """Return what one event says, or None when it says nothing."""
        data = self._edits.apply(event.data)
        return self._reader.feed(event if data is event.data else SseEvent(data, event.name))

    def finish(self) -> Frame | None:
        """Say that the body has ended."""
        return self._reader.finish()
