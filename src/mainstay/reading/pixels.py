"""Pictures opened by Pillow, within limits, and made small for what looks at them rather than reads them.

Runs in a process of its own only (``child``): what decodes images meets files made to break it.
"""

import base64
from importlib.util import find_spec
from io import BytesIO
from typing import Any, Final

from mainstay.core.errors import Unreadable
from mainstay.reading.port import Limits, Text

__all__ = ["is_installed", "open_picture", "read_pixels"]

#: Formats that are decoded, of the many that Pillow knows.
_FORMATS: Final = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")
#: Side of the square that a picture is squeezed into, and of its middle that is kept.
_SQUARE, _MIDDLE = 256, 224


def is_installed() -> bool:
    """Return whether pictures can be opened, without loading anything."""
    return find_spec("PIL") is not None


def open_picture(data: bytes, limits: Limits) -> Any:
    """Return an image file as a Pillow image in RGB, upright and on white; of several frames the first.

    Raises:
        Unreadable: it is damaged, of another format, or too large.
        ImportError: Pillow is not installed.
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
    return picture


def read_pixels(data: bytes, limits: Limits) -> Text:
    """Return the middle of a picture, 224 by 224 pixels of red, green and blue, a byte each, as base64.

    Squeezed to 256 by 256, written as JPEG and read again, as open_nsfw's own authors prepare what it looks at.
    Raises as :func:`open_picture`.
    """
    from PIL import Image

    edge = (_SQUARE - _MIDDLE) // 2
    small = open_picture(data, limits).resize((_SQUARE, _SQUARE), Image.Resampling.BILINEAR)
    with BytesIO() as file:
        small.crop((edge, edge, edge + _MIDDLE, edge + _MIDDLE)).save(file, format="JPEG")
        with Image.open(file) as again:
            pixels = again.convert("RGB").tobytes()
    return Text(base64.b64encode(pixels).decode("ascii"), "pixels")
