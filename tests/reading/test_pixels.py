"""Pictures made small for what looks at them."""

import base64
import io

import pytest

from mainstay.core.errors import Unreadable
from mainstay.reading.extract import extract
from mainstay.reading.pixels import read_pixels
from mainstay.reading.port import Limits, Work

image = pytest.importorskip("PIL.Image", reason="the extra 'modalities' is not installed")


def png(colour: str, size: tuple[int, int] = (300, 90), mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    image.new(mode, size, colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("size", [(300, 90), (1, 1), (2000, 3)])
def test_any_picture_becomes_a_square_of_its_colours(size: tuple[int, int]) -> None:
    found = read_pixels(png("#ff0000", size), Limits())
    pixels = base64.b64decode(found.text)
    assert len(pixels) == 224 * 224 * 3
    red, green, blue = pixels[:3]
    assert red > 240 > 20 > max(green, blue)
    assert found.how == "pixels"


def test_pixels_are_had_of_images_alone() -> None:
    assert extract(Work("pixels", png("white"))).how == "pixels"
    with pytest.raises(Unreadable, match="no image of a kind"):
        extract(Work("pixels", b"%PDF-1.7"))
    with pytest.raises(Unreadable, match="pixels and this route"):
        extract(Work("pixels", png("white"), limits=Limits(pixels=1000)))
