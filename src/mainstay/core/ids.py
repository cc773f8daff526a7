"""Identifiers: UUID version 7 (RFC 9562, section 5.7), ordered by time of creation."""

import os
import time

__all__ = ["uuid7"]

_last = 0


def uuid7() -> str:
    """Return a new UUIDv7 in its canonical text form.

    48 bits of milliseconds, 12 bits of sub-millisecond fraction (RFC 9562, section 6.2, method 3) and 62 random bits.
    The time part never goes back inside a process, also when the wall clock does.
    """
    global _last
    # 2**-12 ms steps: nanoseconds * 4096 / 1e6
    stamp = time.time_ns() * 4096 // 1_000_000
    if stamp <= _last:
        stamp = _last + 1
    _last = stamp
    tail = int.from_bytes(os.urandom(8), "big") & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
    text = f"{stamp >> 12:012x}7{stamp & 0xFFF:03x}{tail:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
