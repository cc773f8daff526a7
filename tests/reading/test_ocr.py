"""Pictures are opened within limits, and what was recognised is put in the order of reading."""

import io
import struct
import zlib

import pytest

from mainstay.core.errors import Unreadable
from mainstay.reading import ocr
from mainstay.reading.ocr import read_image
from mainstay.reading.port import Limits
from support.files import picture

image = pytest.importorskip("PIL.Image", reason="the extra 'modalities' is not installed")


def png(width: int, height: int) -> bytes:
    """Return a picture that says it is so large, and is very small."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    data = zlib.compress(b"\0" * 100)
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_unpacked() -> None:
    for size in ((100_000, 100_000), (20_000, 3_000)):
        with pytest.raises(Unreadable, match=f"has {size[0]} by {size[1]} pixels"):
            read_image(png(*size), Limits(pixels=50_000_000))


@pytest.mark.parametrize(
    "data", [png(100, 100)[:40], picture("x")[:200], b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff"]
)
def test_a_damaged_picture_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable, match="damaged image"):
        read_image(data, Limits())


def test_a_format_that_is_not_read_is_refused() -> None:
    buffer = io.BytesIO()
    image.new("RGB", (9, 9)).save(buffer, "PPM")
    with pytest.raises(Unreadable, match="none of PNG"):
        read_image(buffer.getvalue(), Limits())


def test_transparent_pictures_are_on_paper_and_turned_ones_upright(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    monkeypatch.setattr(
        ocr, "read_picture", lambda picture: seen.append((picture.size, picture.getpixel((0, 0)))) or "x"
    )
    clear, held = io.BytesIO(), io.BytesIO()
    image.new("RGBA", (40, 20), (0, 0, 0, 0)).save(clear, "PNG")
    exif = image.Exif()
    exif[0x0112] = 6
    image.new("RGB", (40, 20), "red").save(held, "PNG", exif=exif)
    assert read_image(clear.getvalue(), Limits()).text == "x"
    read_image(held.getvalue(), Limits())
    assert seen == [((40, 20), (255, 255, 255)), ((20, 40), (255, 0, 0))]


def test_pieces_are_put_in_rows_and_rows_in_order() -> None:
    pieces = [
        ocr._Piece("right", 300, 52, 20),
        ocr._Piece("below", 10, 90, 20),
        ocr._Piece("left", 10, 50, 20),
        ocr._Piece("top", 10, 10, 20),
    ]
    assert ocr._lines(pieces) == "top\nleft\tright\nbelow"
    assert ocr._lines([]) == ""
