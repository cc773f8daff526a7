"""Keys as values: how one is made, hashed and judged, and what people write about one.

A key is shown once, when it is made. Only its HMAC under a secret of this installation (the pepper) is kept,
so a copy of the database neither shows a key nor lets one be guessed. Does not know where hashes are kept.
"""

import hmac
import itertools
import re
import secrets
import string
import zlib
from decimal import Decimal
from pathlib import Path

from mainstay.core.errors import InvalidRequest, StartError
from mainstay.store.files import create_once

__all__ = [
    "check_key",
    "check_name",
    "digest",
    "fingerprint",
    "hint",
    "load_pepper",
    "mint_pass",
    "new_id",
    "new_key",
    "new_token",
    "parse_budget",
    "read_pass",
]

_ALPHABET = string.ascii_letters + string.digits
#: 43 characters of 62: 256 bits.
_LENGTH = 43
_PEPPER_BYTES = 32
#: What a pass begins with; no key that people make or bring may.
_PASS = b"msp."
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}")
_LOOKS_LIKE_A_KEY = re.compile(r"(?:ms|sk)-[A-Za-z0-9_-]{16,}")
_BUDGET = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*/\s*(hour|day|week|month|year)\s*")
#: Found in the examples and tutorials of our field, and so the first that anyone tries.
_EXAMPLES = (
    "changeme", "change-me", "changethis", "change-this", "example", "placeholder", "replace-me",
    "replaceme", "your-key", "yourkey", "your-api-key", "your_api_key", "yourapikey", "my-key",
    "mykey", "my-secret", "mysecret", "insert-key", "api-key-here", "key-here", "xxxxxx", "123456",
    "abcdef", "abc123", "qwerty", "password", "passw0rd", "letmein", "not-needed", "notneeded",
    "no-key", "dummy", "foobar", "anything", "test-key", "testkey", "test-secret", "master-key",
    "masterkey", "deadbeef", "mainstay",
)  # fmt: skip


def new_key() -> str:
    """Return a fresh key: ``ms-`` and 43 letters and digits (256 bits of chance)."""
    return "ms-" + "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def new_id() -> str:
    """Return a fresh id for a key: ``key_`` and 12 letters and digits; no secret."""
    return "key_" + "".join(secrets.choice(_ALPHABET) for _ in range(12))


def new_token() -> str:
    """Return a fresh token of a session: ``mss-`` and 43 letters and digits (256 bits of chance)."""
    return "mss-" + "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def hint(key: str) -> str:
    """Return what may be shown of ``key`` so that its owner knows it again."""
    return f"ms-…{key[-4:]}" if key.startswith("ms-") else f"…{key[-4:]}"


def digest(pepper: bytes, key: bytes) -> bytes:
    """Return the 32 bytes under which ``key`` is kept: HMAC-SHA256 (RFC 2104). About 1 µs."""
    return hmac.digest(pepper, key, "sha256")


def mint_pass(pepper: bytes, key_id: str, expires: int) -> bytes:
    """Return a pass: what stands for the key ``key_id`` until the second ``expires`` (since 1970), and no longer than
    the key itself is alive. For work that Mainstay does on a caller's behalf; the key's own text is kept nowhere.

    Only who holds ``pepper``, which never leaves the installation, can make one.
    """
    said = b"%d.%b" % (expires, key_id.encode())
    return _PASS + said + b"." + _seal(pepper, said)


def read_pass(pepper: bytes, presented: bytes, now: float) -> str | None:
    """Return the id of the key that a pass stands for; None when it is none, is forged or has expired."""
    if not presented.startswith(_PASS):
        return None
    said, _, seal = presented[len(_PASS) :].rpartition(b".")
    if not hmac.compare_digest(_seal(pepper, said), seal):
        return None
    expires, _, key_id = said.partition(b".")
    return key_id.decode() if int(expires) > now else None


def _seal(pepper: bytes, said: bytes) -> bytes:
    # Under a word of its own, so that no seal is ever the digest of a key.
    return hmac.digest(pepper, b"mainstay.pass\0" + said, "sha256").hex().encode()


def fingerprint(pepper: bytes) -> str:
    """Return a name for ``pepper`` that does not give it away."""
    return hmac.digest(pepper, b"mainstay.pepper", "sha256").hex()[:16]


def load_pepper(home: Path) -> bytes:
    """Return the secret in ``secret.key`` under ``home``; the first process that asks makes it, with mode
    0600.

    Raises:
        StartError: the file cannot be read or made, or does not hold 32 bytes.
    """
    path = home / "secret.key"
    pepper = create_once(path, secrets.token_bytes(_PEPPER_BYTES))
    if len(pepper) != _PEPPER_BYTES:
        raise StartError(
            f"'{path}' is damaged (not {_PEPPER_BYTES} bytes): restore it from a backup; "
            "if there is none, remove it and make new keys."
        )
    return pepper


def check_name(name: str, param: str = "name") -> str:
    """Return ``name`` when a key (or, as ``param`` says, a team) may have it.

    Raises:
        InvalidRequest: it may not; the message says what may.
    """
    if _LOOKS_LIKE_A_KEY.fullmatch(name):
        raise InvalidRequest("That is a key, not a name: give the name of who uses it.", param=param)
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            "A name is up to 128 letters, digits and . _ : / @ - and begins with a letter or digit.",
            param=param,
        )
    return name


def check_key(key: str) -> str:
    """Return ``key`` when it is fit to be brought along from elsewhere: long, of one word, and not to be
    guessed.

    Raises:
        InvalidRequest: it is an example from a tutorial, or too plain.
    """
    advice = "let Mainstay make one, or bring one of at least 32 random characters."
    if key.startswith(_PASS.decode()):
        raise InvalidRequest(f"A key must not begin with '{_PASS.decode()}': {advice}", param="key")
    if any(example in key.lower() for example in _EXAMPLES):
        raise InvalidRequest(f"This is a well-known example key, which anyone would try first: {advice}", param="key")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise InvalidRequest("A key is made of printable ASCII characters without spaces.", param="key")
    steps = sum(abs(ord(a) - ord(b)) <= 1 for a, b in itertools.pairwise(key))
    repeats = len(zlib.compress(key.encode(), 9)) < 0.8 * len(key)
    if len(key) < 32 or len(set(key)) < 12 or 2 * steps > len(key) or repeats:
        raise InvalidRequest(f"This key is too easy to guess: {advice}", param="key")
    return key


def parse_budget(text: str) -> str:
    """Return a budget such as ``20/month`` in its plain form.

    Raises:
        InvalidRequest: it is not an amount of US dollars per hour, day, week, month or year.
    """
    match = _BUDGET.fullmatch(text)
    if match is None:
        raise InvalidRequest(
            "A budget is US dollars per period: 20/month, 0.50/day (hour, day, week, month, year).",
            param="budget",
        )
    return f"{Decimal(match[1]):f}/{match[2]}"
