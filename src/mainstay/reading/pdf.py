"""The text of PDF files, page by page; a page that is a picture is read as one. The package is ``pypdfium2``.

Runs in a process of its own only (``child``): the library is C++ and meets files made to break it.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Final

from mainstay.core.errors import Unreadable
from mainstay.reading.port import Limits, Text

__all__ = ["is_installed", "read_pdf"]

#: Pixels per point that a page is drawn with to be read as a picture: 144 to the inch.
_SCALE: Final = 2.0
#: Characters below which a page counts as a picture: a page number is no text.
_FEW: Final = 8


def is_installed() -> bool:
    """Return whether PDF can be read, without loading anything."""
    return find_spec("pypdfium2") is not None


def read_pdf(data: bytes, limits: Limits, picture: Callable[[Any], str] | None) -> Text:
    """Return the text of a PDF; ``picture`` reads a drawn page (a Pillow image), None leaves such pages empty.

    Raises:
        Unreadable: it is damaged, protected, or over a limit.
        ImportError: the package is not installed.
    """
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == 4:
            raise Unreadable("is protected with a password; send it without one") from None
        raise Unreadable("is a damaged PDF; save it again and send that") from None
    try:
        count = len(document)
        if count > limits.pages:
            raise Unreadable(f"has {count} pages and this route reads at most {limits.pages}; send fewer")
        texts: list[str] = []
        left = limits.characters
        for number in range(count):
            text = _page(document, number, limits, picture)
            left -= len(text)
            if left < 0:
                raise Unreadable("has more text than this route reads; send fewer pages")
            texts.append(text)
    except pypdfium2.PdfiumError:
        raise Unreadable("is a damaged PDF; save it again and send that") from None
    finally:
        document.close()
    return Text("\n\n".join(text for text in texts if text), "pdf", count)


def _page(document: Any, number: int, limits: Limits, picture: Callable[[Any], str] | None) -> str:
    page = document[number]
    try:
        words = page.get_textpage()
        try:
            text = words.get_text_bounded().replace("\r\n", "\n").replace("\ufffe", "").strip()
        finally:
            words.close()
        if picture is None or len(text) >= _FEW or not any(True for _ in page.get_objects(max_depth=2)):
            return str(text)
        width, height = page.get_size()
        # A page may be a mile wide.
        scale = min(_SCALE, (limits.pixels / max(1.0, width * height)) ** 0.5)
        bitmap = page.render(scale=scale)
        try:
            return picture(bitmap.to_pil().convert("RGB")) or str(text)
        finally:
            bitmap.close()
    finally:
        page.close()
