"""The text in pictures. The package ``rapidocr`` brings code and weights; ``pixels`` opens the picture.

Runs in a process of its own only (``child``): a picture takes seconds of computing and half a gigabyte.
"""

from functools import cache
from importlib.util import find_spec
from typing import Any, Final

from mainstay.reading.pixels import open_picture
from mainstay.reading.port import Limits, Text

__all__ = ["is_installed", "read_image", "read_picture"]

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
    return Text(read_picture(open_picture(data, limits)), "ocr")


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
