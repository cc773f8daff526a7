"""What one worker keeps in memory: the answers used last, up to a number of bytes. No clock and no lock."""

from collections import OrderedDict
from typing import Final

import msgspec

from mainstay.caching.port import Entry

__all__ = ["Memory"]

#: What an entry takes besides its bytes, about.
_EACH: Final = 1024
#: The largest share of the memory that one answer may have.
_SHARE: Final = 8


class _Kept(msgspec.Struct):
    entry: Entry
    size: int
    age: int


class Memory:
    """Answers by key.

    An answer is good only for the age that it was put under: a drop anywhere makes the number grow, and then what is
    here must be looked up again where drops are known.

    Args:
        limit: bytes.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self.bytes = 0
        #: Answers that had to go for others, since the start.
        self.evictions = 0

    def __len__(self) -> int:
        """How many answers there are."""
        return len(self._kept)

    def get(self, key: bytes, age: int, now: float) -> Entry | None:
        """Return what is kept under ``key`` if it is good at wall-clock second ``now`` and of this ``age``."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.age != age or kept.entry.expires <= now:
            self.forget(key)
            return None
        self._kept.move_to_end(key)
        return kept.entry

    def put(self, key: bytes, entry: Entry, size: int, age: int) -> None:
        """Keep an answer of ``size`` bytes; those used longest ago go."""
        self.forget(key)
        size += _EACH
        if size * _SHARE > self._limit:
            return
        self._kept[key] = _Kept(entry, size, age)
        self.bytes += size
        self._shrink()

    def resize(self, limit: int) -> None:
        """Keep so many bytes from now on."""
        self._limit = limit
        self._shrink()

    def _shrink(self) -> None:
        while self.bytes > self._limit:
            _, oldest = self._kept.popitem(last=False)
            self.bytes -= oldest.size
            self.evictions += 1

    def forget(self, key: bytes) -> None:
        """Let an answer go; harmless where it is not there."""
        old = self._kept.pop(key, None)
        if old is not None:
            self.bytes -= old.size
