"""The text in pictures. The package ``rapidocr`` brings code and weights; Pillow opens the picture, within limits.

Runs in a process of its own only (``child``): a picture takes seconds of computing and half a gigabyte.
"""

from functools import cache
from importlib.util import find_spec
from io import BytesIO
from typing import Any, Final

from mainstay.core.errors import Unreadable
from mainstay.reading.port import Limits, Text

__all__ = ["is_installed", "read_image", "read_picture"]

#: Formats that are decoded, of the many that Pillow knows.
_FORMATS: Final = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")
#: Recognised text less sure than this is left out.
_SURE: Final = 0.6
#: Lines whose middles are nearer than this part of their height stand on one row.
_ROW: Final = 0.5
#: Processor cores that one picture keeps busy; calls need the others.
_THREADS: Final = 2


def is_installed() -> bool:
    """Return whether pictures can be read, without loading anything."""
    return find_spec("rapidocr") is not None and find_spec("onnxruntime") is not None


def read_image(data: bytes, limits: Limits) -> Text:
    """Return the text in an image file; of several frames the first is read.

    Raises:
        Unreadable: it is damaged, of another format, or too large.
        ImportError: a package is not installed.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    # The route's limit holds, checked below before a pixel is unpacked; Pillow's own would only warn.
    Image.MAX_IMAGE_PIXELS = None
    try:
        with Image.open(BytesIO(data), formats=_FORMATS) as opened:
            width, height = opened.size
            if width * height > limits.pixels:
                raise Unreadable(
                    f"has {width} by {height} pixels and this route reads at most {limits.pixels}; send a smaller image"
                )
            # Turned as it was held, and what is transparent taken for paper.
            turned = ImageOps.exif_transpose(opened).convert("RGBA")
        picture = Image.new("RGB", turned.size, "white")
        picture.paste(turned, mask=turned.getchannel("A"))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError):
        raise Unreadable("is a damaged image, or none of PNG, JPEG, GIF, WebP, BMP and TIFF; send it again") from None
    return Text(read_picture(picture), "ocr")


def read_picture(picture: Any) -> str:
    """Return the text in a Pillow image, line by line from the top, pieces of one row apart by tabs."""
    import numpy

    found = _engine()(numpy.asarray(picture)[:, :, ::-1])
    if found.txts is None:
        return ""
    pieces = [
        _Piece(text, *_extent(box))
        for text, box, score in zip(found.txts, found.boxes.tolist(), found.scores, strict=True)
        if score >= _SURE and text.strip()
    ]
    return _lines(pieces)


class _Piece:
    __slots__ = ("height", "left", "middle", "text")

    def __init__(self, text: str, left: float, middle: float, height: float) -> None:
        self.text, self.left, self.middle, self.height = text, left, middle, height


def _extent(box: list[list[float]]) -> tuple[float, float, float]:
    """Return left edge, middle from the top, and height of a quadrangle."""
    heights = [point[1] for point in box]
    return min(point[0] for point in box), sum(heights) / len(heights), max(heights) - min(heights)


def _lines(pieces: list[_Piece]) -> str:
    rows: list[list[_Piece]] = []
    for piece in sorted(pieces, key=lambda piece: piece.middle):
        last = rows[-1][-1] if rows else None
        if last is not None and piece.middle - last.middle < _ROW * min(piece.height, last.height):
            rows[-1].append(piece)
        else:
            rows.append([piece])
    return "\n".join(
        "\t".join(piece.text.strip() for piece in sorted(row, key=lambda piece: piece.left)) for row in rows
    )


@cache
def _engine() -> Any:
    from rapidocr import RapidOCR

    return RapidOCR(
        params={
            "Global.log_level": "critical",
            "EngineConfig.onnxruntime.intra_op_num_threads": _THREADS,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )
