"""An event of the audit log: who did what to whom, as canonical bytes that hang on the event before.

Pure. The bytes of an event name the hash of the one before it, so that none can be changed, left out, put in or moved
without every later one telling. Its hash is also a leaf of the Merkle tree (RFC 6962) that ``governance`` has.
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

import msgspec

__all__ = ["GENESIS", "Details", "Event", "LogEntry", "canonical", "entry_of", "leaf_hash", "read_event"]

#: What the first event hangs on.
GENESIS: Final = ""
#: More of an event: ids, names of settings, counts. No personal data, no secret, no fraction.
Details = Mapping[str, str | int | bool | list[str] | None]

_WORD: Final = re.compile(r"[a-z_]+(\.[a-z_]+)+")
_LONGEST: Final = 512
#: Our own keys and tokens, exactly: what only resembles one may be a team's name.
_SECRET: Final = re.compile(r"\bmss?-[A-Za-z0-9]{43}")
_encode = msgspec.json.Encoder(order="sorted").encode


class Event(msgspec.Struct, frozen=True):
    """``actor`` did ``action`` to ``subject`` at ``at`` (wall-clock ms); ``previous`` is the hash of the event before.

    ``actor`` and ``subject`` are a kind and an id: ``key:key_…``, ``person:per_…``, ``team:shop``.
    """

    seq: int
    at: int
    actor: str
    action: str
    subject: str
    details: dict[str, str | int | bool | list[str] | None]
    previous: str


class LogEntry(msgspec.Struct, frozen=True):
    """An event as it is kept: the bytes that count, their hash, and what is looked for beside them."""

    seq: int
    at: int
    actor: str
    action: str
    subject: str
    body: str
    hash: bytes


_read = msgspec.json.Decoder(Event, strict=True).decode


def canonical(value: object) -> bytes:
    """Return JSON with sorted names and no spaces: the same value is always the same bytes."""
    return _encode(value)


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf: SHA-256 of a zero byte and ``data`` (RFC 6962, 2.1)."""
    return sha256(b"\x00" + data).digest()


def entry_of(seq: int, at: int, actor: str, action: str, subject: str, details: Details, previous: str) -> LogEntry:
    """Return an event as it is to be kept.

    Raises:
        ValueError: it says something that an audit log must not hold, or is no event.
    """
    if not _WORD.fullmatch(action):
        raise ValueError(f"'{action}' is no action: write 'noun.verb'")
    _check(actor)
    _check(subject)
    for name, value in details.items():
        for text in (name, *(value if isinstance(value, list) else (value,))):
            if isinstance(text, float):
                raise ValueError(f"'{name}' is a fraction: its bytes would not be the same everywhere")
            if isinstance(text, str):
                _check(text)
    body = _encode(Event(seq, at, actor, action, subject, dict(details), previous))
    return LogEntry(seq, at, actor, action, subject, body.decode(), leaf_hash(body))


def read_event(body: str) -> Event:
    """Return the event of its canonical text.

    Raises:
        ValueError: it is none.
    """
    return _read(body)


def _check(text: str) -> None:
    if len(text) > _LONGEST:
        raise ValueError("an event holds ids and names, no text this long")
    if _SECRET.search(text):
        raise ValueError("an event holds no secret")
