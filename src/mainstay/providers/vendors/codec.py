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
from mainstay.core.target import Target
from mainstay.providers.port import Codec, Decoder, Framed, StreamReader
from mainstay.providers.vendors.quirks import AnswerEdits, RequestEdits
from mainstay.providers.vendors.row import MODEL, VendorRow

__all__ = ["VendorCodec", "make_vendor_codec", "vendor_credentials"]

_MODEL = f"{{{MODEL}}}"


def make_vendor_codec(row: VendorRow, codec: Codec, path: str | None) -> Codec:
    """Return ``codec`` with the differences of ``row`` around it, or itself where there are none.

    ``path`` stands in for the wire's own; its parameters but ``{model}`` are filled in.
    """
    asked, answered = RequestEdits(row), AnswerEdits(row)
    if asked.is_needed or answered.is_needed or answered.knows_errors or path is not None:
        kind = _FramedVendorCodec if isinstance(codec, Framed) else VendorCodec
        return kind(codec, asked, answered, path)
    return codec


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
        if self._asked.is_needed:
            body = self._asked.apply(body, target.model, ask.dialect)
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
