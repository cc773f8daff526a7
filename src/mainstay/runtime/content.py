"""Undoes a content-encoding that an upstream applied although it was asked not to.

Stands under ``runtime.connection``. Output is made in bounded pieces, so that a small body which unpacks to a huge
one costs no more memory than its reader allows. Knows gzip and deflate; anything else is refused.
"""

import zlib

from mainstay.core.errors import UpstreamBroken

__all__ = ["Decoder", "decoder_for"]


def decoder_for(encoding: bytes) -> "Decoder | None":
    """Return a decoder for a content-encoding header, or None for ``identity``.

    Raises:
        UpstreamBroken: the encoding is not one we can undo.
    """
    name = encoding.strip().lower()
    if name in (b"", b"identity"):
        return None
    if name in (b"gzip", b"x-gzip", b"deflate"):
        return Decoder()
    raise UpstreamBroken("The upstream compressed its answer in a way that was not asked for; try again.")


class Decoder:
    """Decodes gzip (several members too), zlib and raw deflate; tells them apart by their first byte."""

    __slots__ = ("_input", "_started", "_zlib")

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(zlib.MAX_WBITS | 32)
        self._input = b""
        self._started = False

    @property
    def pending(self) -> bool:
        """Whether more output may come without more input."""
        return bool(self._input)

    def feed(self, data: bytes, limit: int) -> bytes:
        """Add input, return at most ``limit`` bytes of output (at least 1); call again with ``b""`` while ``pending``.

        Raises:
            UpstreamBroken: the data is not what its header says.
        """
        data = self._input + data
        if not data:
            return b""
        if not self._started:
            self._started = True
            # RFC 9110 wants the zlib wrapping for "deflate"; some servers send the bare stream. Byte 0 of a zlib
            # stream has 8 in its low half, that of gzip is 0x1f.
            if data[0] != 0x1F and data[0] & 0x0F != 8:
                self._zlib = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            out = self._zlib.decompress(data, limit)
        except zlib.error as error:
            raise UpstreamBroken("The upstream's answer could not be unpacked; try again.") from error
        if self._zlib.eof:
            self._input = self._zlib.unused_data
            if self._input:
                self._zlib = zlib.decompressobj(zlib.MAX_WBITS | 32)
        else:
            self._input = self._zlib.unconsumed_tail
        return out

    def finish(self) -> None:
        """Check that the end of the input was the end of the data.

        Raises:
            UpstreamBroken: it was not.
        """
        if self._started and not self._zlib.eof:
            raise UpstreamBroken("The upstream's packed answer has no end; try again.")
