"""Text files as text, whatever their encoding. Pure."""

import codecs
import re
from typing import Final

from mainstay.core.errors import Unreadable

__all__ = ["decode"]

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: What no text holds: control characters but for tab, line ends, form feed and escape.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")


def decode(data: bytes, charset: str = "") -> str:
    """Return the text of ``data``: by its mark, then by ``charset``, then as UTF-8, at last as Windows-1252.

    Raises:
        Unreadable: it is no text.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _checked(data[len(mark) :], encoding)
    for encoding in (charset, "utf-8"):
        try:
            return _checked(data, encoding)
        except (Unreadable, LookupError):
            continue
    return _checked(data, "cp1252")


def _checked(data: bytes, encoding: str) -> str:
    try:
        # Not every codec of Python makes text: "zip" and "hex" are refused by decode() itself.
        text = data.decode(encoding)
    except (UnicodeError, LookupError):
        raise Unreadable("is no text in an encoding that is known; send it as UTF-8") from None
    if len(_CONTROL.findall(text)) * 50 > len(text):
        raise Unreadable("is no text; send a file of a kind that can be read")
    return text.replace("\r\n", "\n").replace("\r", "\n")
