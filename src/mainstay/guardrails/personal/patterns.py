"""Personal data that is known by how it is written: addresses of mail and networks, cards, accounts, dates, numbers.

Each rule is a pattern, a check, and words that make a weak match sure. No match is longer than 280 characters or
depends on more than 100 around it. It knows neither names nor addresses; dates and papers are in ``papers``.
"""

import re
from collections.abc import Callable
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

import msgspec

from mainstay.guardrails.personal.checksums import base58check, bech32, digits, iban, luhn

__all__ = ["PATTERNS", "PatternRule"]


class PatternRule(msgspec.Struct, frozen=True):
    """How one kind of value is written.

    ``needs``: one of these must stand in the text for a match to be possible, empty when nothing is known.
    ``score``: how sure a match is that passes ``check``; ``near``: the same beside a word of context for ``context``.
    The place is the group ``value`` where the pattern has one.
    """

    kind: str
    name: str
    pattern: str
    score: float
    check: Callable[[str], bool] | None = None
    needs: str = ""
    context: str = ""
    near: float = 0.0


def _ipv4(text: str) -> bool:
    try:
        IPv4Address(text)
    except AddressValueError:
        return False
    return True


def _ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return text.count(":") > 1 and len(text) > 4


def _card(text: str) -> bool:
    plain = "".join(map(str, digits(text)))
    return 13 <= len(plain) <= 19 and plain[0] in "3456" and len(set(plain)) > 1 and luhn(plain)


def _luhn(text: str) -> bool:
    return _long(text) and luhn(text)


def _long(text: str) -> bool:
    return 12 <= len(digits(text)) <= 19


def _phone(text: str) -> bool:
    """Whether the digits and their groups are those of a telephone number rather than of a date, a sum or a range."""
    count = len(digits(text))
    if not 7 <= count <= 15 or _NUMBERS.fullmatch(text):
        return False
    groups = re.findall(r"\d+", text)
    if text[0] == "+":
        return True
    if len(groups) == 1:
        return 9 <= count <= 12
    return len(groups) <= 6 and len(groups[0]) <= 5 and len(groups[-1]) >= 2 and max(map(len, groups)) <= 8


#: Dates, decimals, years from one to another: as many digits as a telephone number has.
_NUMBERS: Final = re.compile(
    r"\d{4}[-./ ]\d{1,2}[-./ ]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./]\d{4}|\d{1,3}(?:[.,]\d{3})+|\d+\.\d+"
    r"|(?:19|20)\d{2} ?- ?(?:19|20)\d{2}|\d{1,3}(?:\.\d{1,3}){3}"
)
#: Neither in a longer number nor after one.
_FREE: Final = r"(?<![\w.,/:#-])(?<!\d )"
_EXTENSION: Final = r"(?:(?: ?x| ?ext\.? ?)\d{1,6})?"
#: What ends a link is punctuation of the sentence.
_PATH: Final = r"[^\s<>\"'`|\\^{}]"
_FULL_STOP: Final = r"(?<![.,;:!?)\]])"
_CARD: Final = rf"{_FREE}\d(?:[ -]?\d){{11,18}}(?![\w-]|[ .,]\d)"
_TOP: Final = (
    "com|org|net|edu|gov|int|io|co|ai|app|dev|info|biz|eu|uk|us|de|fr|es|it|nl|be|ch|at|pl|se|no|dk|fi|pt|cz|ru|jp|cn|"
    "in|br|au|ca|nz|ie|mx"
)
_DOMAIN: Final = rf"(?:[a-z\d](?:[a-z\d-]{{0,40}}[a-z\d])?\.){{1,4}}(?:{_TOP})(?![\w@-]|\.\w)"

PATTERNS: Final = (
    PatternRule(
        "credentials", "url_credentials",
        r"\b[a-z][a-z\d+.-]{1,15}://(?P<value>[^\s/:@'\"<>]{1,60}:[^\s/@'\"<>]{1,80})@", 1.0, needs="://",
    ),
    PatternRule(
        "email", "email", r"(?<![\w.+-])[\w.+%-]{1,64}@(?:[\w-]{1,60}\.){1,3}[^\W\d_]{2,24}(?![\w@])", 0.99, needs="@"
    ),
    PatternRule("url", "url", rf"\bhttps?://{_PATH}{{3,180}}{_FULL_STOP}", 0.98, needs="://"),
    PatternRule(
        "url", "www", rf"\bwww\.[\w-]{{1,60}}(?:\.[\w-]{{1,60}}){{1,2}}(?:/{_PATH}{{0,60}}{_FULL_STOP})?", 0.98,
        needs="www.",
    ),
    PatternRule(
        "url", "domain", rf"(?i:(?<![\w@./-]){_DOMAIN}(?:/{_PATH}{{0,60}}{_FULL_STOP})?)", 0.6, needs="."
    ),
    PatternRule("ip", "ipv4", r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)", 0.95, _ipv4, "."),
    PatternRule("ip", "ipv6", r"(?<![\w:])[\da-fA-F]{0,4}(?::[\da-fA-F]{0,4}){2,7}(?![\w:])", 0.95, _ipv6, ":"),
    PatternRule(
        "mac", "mac", r"(?<![\w:-])[\da-fA-F]{2}(?P<by>[:-])[\da-fA-F]{2}(?:(?P=by)[\da-fA-F]{2}){4}(?![\w:-])", 0.97
    ),
    PatternRule("iban", "iban", r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z\d]{4}){2,7}(?: ?[A-Z\d]{1,3})?(?!\w)", 0.99, iban),
    PatternRule("card", "card", _CARD, 0.92, _card, "", "card", 0.99),
    PatternRule("card", "card_other", _CARD, 0.4, _luhn, "", "card", 0.95),
    PatternRule("card", "card_unchecked", _CARD, 0.1, _long, "", "card", 0.85),
    PatternRule("crypto", "bitcoin", r"(?<!\w)[13][1-9A-HJ-NP-Za-km-z]{25,34}(?!\w)", 0.99, base58check),
    PatternRule("crypto", "litecoin", r"(?<!\w)[LMD][1-9A-HJ-NP-Za-km-z]{26,33}(?!\w)", 0.99, base58check),
    PatternRule("crypto", "segwit", r"(?<!\w)(?:bc|ltc|tb)1[ac-hj-np-z02-9]{11,71}(?!\w)", 0.99, bech32, "1"),
    PatternRule("crypto", "ethereum", r"(?<!\w)0x[\da-fA-F]{40}(?!\w)", 0.95, None, "0x"),
    PatternRule(
        "phone", "phone",
        rf"(?<![\w./:#$€£-])(?<!\d )\(?\d{{1,8}}\)?(?:[ .\-/]{{0,2}}\(?\d{{1,8}}\)?){{0,6}}+{_EXTENSION}"
        r"(?!\w|[.,:/%-]\d|[ .-]\d)", 0.45, _phone, "", "phone", 0.93,
    ),
    PatternRule(
        "phone", "phone_international",
        rf"(?<![\w.])\+(?:\d[ .\-/()]{{0,3}}){{7,14}}\d{_EXTENSION}(?!\w|[ .\-/(]{{1,2}}\d)", 0.95, _phone, "+",
    ),
    PatternRule(
        "phone", "phone_grouped",
        r"(?<![\w./:-])(?<!\d )(?:1[ .-])?(?:\(\d{2,4}\) ?|0\d{1,4}[ .-]|\d{3}[.-])\d{2,4}(?:[ .-]\d{2,4}){1,3}"
        rf"{_EXTENSION}(?!\w|[ .,-]\d)", 0.8, _phone,
    ),
)  # fmt: skip
