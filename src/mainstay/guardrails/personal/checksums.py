"""Check digits: whether a number can be what it looks like. Pure; the formulas are those of the standards named."""

import hashlib
from collections.abc import Sequence
from typing import Final

__all__ = ["base58check", "bech32", "digits", "iban", "luhn", "mod11_10", "mod97", "verhoeff", "weighted"]

_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VERHOEFF: Final = (
    "0123456789",
    "1234067895",
    "2340178956",
    "3401289567",
    "4012395678",
    "5987604321",
    "6598710432",
    "7659821043",
    "8765932104",
    "9876543210",
)
_TURNS: Final = (
    "0123456789",
    "1576283094",
    "5803796142",
    "8916043527",
    "9453126870",
    "4286573901",
    "2793806415",
    "7046913258",
)
#: Length of an IBAN by country (SWIFT's registry of IBANs).
_LENGTHS: Final = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 "
    "ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 "
    "LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 "
    "QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
)
_IBANS: Final = {entry[:2]: int(entry[2:]) for entry in _LENGTHS.split()}


def digits(text: str) -> list[int]:
    """Return the digits of ``text``, whatever stands between them."""
    return [ord(mark) - 48 for mark in text if "0" <= mark <= "9"]


def luhn(text: str) -> bool:
    """Whether the digits of ``text`` pass the check of ISO/IEC 7812-1."""
    total = 0
    for place, digit in enumerate(reversed(digits(text))):
        twice = digit * 2 if place % 2 else digit
        total += twice - 9 if twice > 9 else twice
    return total % 10 == 0


def mod97(text: str) -> int:
    """Return letters and digits of ``text`` as a number (``A`` is 10) modulo 97 (ISO/IEC 7064)."""
    return int("".join(str(int(mark, 36)) for mark in text if mark.isalnum())) % 97


def iban(text: str) -> bool:
    """Whether ``text``, with or without spaces, is an account by ISO 13616: its country's length, and modulo 97."""
    plain = text.replace(" ", "").replace("-", "").upper()
    return _IBANS.get(plain[:2]) == len(plain) and mod97(plain[4:] + plain[:4]) == 1


def verhoeff(text: str) -> bool:
    """Whether the digits of ``text`` pass Verhoeff's check."""
    check = 0
    for place, digit in enumerate(reversed(digits(text))):
        check = int(_VERHOEFF[check][int(_TURNS[place % 8][digit])])
    return check == 0


def mod11_10(text: str) -> bool:
    """Whether the digits of ``text`` pass the hybrid check of ISO/IEC 7064, modulo 11 and 10."""
    product = 10
    *body, last = digits(text)
    for digit in body:
        total = (digit + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == last


def weighted(text: str | Sequence[int], weights: Sequence[int], modulus: int) -> int:
    """Return the sum of digits times ``weights``, modulo ``modulus``; further digits do not count."""
    numbers = digits(text) if isinstance(text, str) else text
    return sum(digit * weight for digit, weight in zip(numbers, weights, strict=False)) % modulus


def base58check(text: str) -> bool:
    """Whether ``text`` is base58 with four bytes of double SHA-256 at its end (addresses of Bitcoin and its kin)."""
    number = 0
    for mark in text:
        value = _BASE58.find(mark)
        if value < 0:
            return False
        number = number * 58 + value
    zeros = len(text) - len(text.lstrip("1"))
    data = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8)
    return len(data) == 25 and hashlib.sha256(hashlib.sha256(data[:-4]).digest()).digest()[:4] == data[-4:]


def bech32(text: str) -> bool:
    """Whether ``text`` passes the checksum of BIP 173 or BIP 350."""
    human, mark, data = text.lower().rpartition("1")
    if not mark or any(letter not in _BECH32 for letter in data):
        return False
    check = 1
    high = [ord(letter) >> 5 for letter in human]
    low = [ord(letter) & 31 for letter in human]
    for value in (*high, 0, *low, *(_BECH32.index(letter) for letter in data)):
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> bit & 1 else 0
    return check in (1, 0x2BC830A3)
