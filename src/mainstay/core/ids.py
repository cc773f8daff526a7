"""Identifiers: UUID version 7 (RFC 9562, section 5.7), ordered by time of creation."""

import os
import time

__all__ = ["uuid7"]

#: How many random endings are made at once: asking the kernel costs more than all the rest of an id.
_BATCH = 256
#: The first digit of an ending by a random one: the two highest bits say which layout of UUID it is.
_HIGH = dict(zip("0123456789abcdef", 4 * "89ab", strict=True))

_last = 0
#: A recent millisecond and the text that says it; one value, so that no thread sees half of a change.
_recent = (0, "")
#: Random endings not used yet, as text.
_endings: list[str] = []

# Two processes must not end their ids alike.
os.register_at_fork(after_in_child=_endings.clear)


def uuid7() -> str:
    """Return a new UUIDv7 in its canonical text form (about 0.4 µs).

    48 bits of milliseconds, 12 bits of sub-millisecond fraction (RFC 9562, section 6.2, method 3) and 62 random bits.
    The time part never goes back inside a process, also when the wall clock does.
    """
    global _last, _recent
    # 2**-12 ms steps: nanoseconds * 4096 / 1e6
    stamp = time.time_ns() * 4096 // 1_000_000
    if stamp <= _last:
        stamp = _last + 1
    _last = stamp
    millisecond, prefix = _recent
    if stamp >> 12 != millisecond:
        text = f"{stamp >> 12:012x}"
        prefix = f"{text[:8]}-{text[8:]}-7"
        _recent = (stamp >> 12, prefix)
    try:
        ending = _endings.pop()
    except IndexError:
        ending = _more_endings()
    return f"{prefix}{stamp & 0xFFF:03x}-{ending}"


def _more_endings() -> str:
    """Fill the store of random endings; return one that is not in it."""
    texts = os.urandom(8 * _BATCH).hex("-", 8).split("-")
    made = [f"{_HIGH[text[0]]}{text[1:4]}-{text[4:]}" for text in texts]
    ending = made.pop()
    _endings.extend(made)
    return ending
