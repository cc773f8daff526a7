"""What every wire must survive: counts that are no counts, text that is no text, and signatures of other vendors.
Also the two words that several wires have beside their counts: what an answer cost, and from which tier it came.

Stands under the codecs. Knows no vendor's field.
"""

import re
from decimal import ROUND_HALF_UP, Decimal

import msgspec

__all__ = ["NOTHING", "UNREADABLE", "count", "is_foreign", "json_object", "mend", "money", "present", "service"]

#: What decoding raises for bytes that are not what was expected, or are nested beyond reason.
UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
#: A raw field that was not there.
NOTHING = msgspec.Raw(b"")

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])

#: Above this a number of JSON is no longer exact everywhere, and no answer has so many tokens.
_MOST = 2**53

_LONGEST = 40
#: Names of the tier that nobody has to ask for.
_USUAL = frozenset({"", "auto", "default", "on_demand", "standard", "traffic_type_unspecified", "unspecified"})

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


def present(value: msgspec.Raw) -> bool:
    """Return whether a raw field was there and not null."""
    data = bytes(value)
    return data != b"" and data != b"null"


def json_object(text: bytes) -> dict[str, msgspec.Raw] | None:
    """Return the fields of a JSON object with their bytes kept, or None when ``text`` is not one."""
    try:
        return _object.decode(text)
    except UNREADABLE:
        return None


def count(value: object) -> int | None:
    """Return a number of tokens as the whole number it is, or None for what is none.

    None are text, true and false, what is below zero or above 2**53. A fraction is dropped.
    """
    if type(value) is not int and type(value) is not float:
        return None
    return int(value) if 0 <= value <= _MOST else None


def money(value: object, *, ticks: bool = False) -> int | None:
    """Return an amount that a vendor reports in units of 1e-12 US dollars, or None for what is none.

    A number is US dollars, with ``ticks`` ten-thousand-millionths of one; of an object its ``total_cost`` counts. The
    shortest decimal that reads as the number is taken to be what the vendor wrote.
    """
    if isinstance(value, dict):
        value = value.get("total_cost")
    if type(value) is not int and type(value) is not float:
        return None
    if not 0 <= value <= _MOST:
        return None
    return int(Decimal(repr(value)).scaleb(2 if ticks else 12).to_integral_value(ROUND_HALF_UP))


def service(value: object) -> str:
    """Return the tier that a vendor says it served from, "" for its usual one and for what is no word."""
    if not isinstance(value, str) or not value.isascii() or len(value) > _LONGEST:
        return ""
    word = value.lower()
    return "" if word in _USUAL else word


def mend(data: bytes) -> bytes:
    """Return a JSON text with every half of a surrogate pair that stands alone replaced by U+FFFD.

    Such halves come from servers that cut a character in two; they are no text, and no encoder takes them. All else,
    valid or not, stays as it is.
    """
    data = _ENCODED.sub(b"\xef\xbf\xbd", data)
    return _ESCAPE.sub(_mended, data) if b"\\u" in data else data


def _mended(match: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if match["lone"] is not None else match[0]
