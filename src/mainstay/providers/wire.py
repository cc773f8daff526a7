"""What every wire must survive: counts that are no counts, text that is no text, and signatures of other vendors.

Stands under the codecs. Knows no vendor's field.
"""

import re

__all__ = ["count", "is_foreign", "mend"]

#: Above this a number of JSON is no longer exact everywhere, and no answer has so many tokens.
_MOST = 2**53

#: An escape of a JSON text: a surrogate, with its other half if that follows, or any other two characters.
_ESCAPE = re.compile(
    rb"\\(?:(?P<pair>u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
#: A surrogate encoded as if it were a character, which UTF-8 forbids.
_ENCODED = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")

#: A vendor's name before a signature: it is that vendor's, on its way through another dialect.
_FOREIGN = re.compile(r"[a-z]{3,20}:")


def is_foreign(signature: str) -> bool:
    """Return whether a signature of thoughts is marked as one that only another wire's vendor accepts.

    Signatures are base64, which has no colon; a wire whose signatures travel through other dialects marks them.
    """
    return _FOREIGN.match(signature) is not None


def count(value: object) -> int | None:
    """Return a number of tokens as the whole number it is, or None for what is none.

    None are text, true and false, what is below zero or above 2**53. A fraction is dropped.
    """
    if type(value) is not int and type(value) is not float:
        return None
    return int(value) if 0 <= value <= _MOST else None


def mend(data: bytes) -> bytes:
    """Return a JSON text with every half of a surrogate pair that stands alone replaced by U+FFFD.

    Such halves come from servers that cut a character in two; they are no text, and no encoder takes them. All else,
    valid or not, stays as it is.
    """
    data = _ENCODED.sub(b"\xef\xbf\xbd", data)
    return _ESCAPE.sub(_mended, data) if b"\\u" in data else data


def _mended(match: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if match["lone"] is not None else match[0]
