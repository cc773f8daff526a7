"""Where rows of keys and values are: what the key-value store asks of a database."""

from collections.abc import Mapping, Sequence
from typing import Protocol

__all__ = ["Table", "TableLost"]


class TableLost(Exception):
    """The table cannot be used now; the message says why, for the log."""


class Table(Protocol):
    """Where the rows are: blocking, used by one thread only. Every method raises :class:`TableLost`."""

    def read(self, keys: Sequence[str], now: float) -> dict[str, bytes]: ...

    def write(self, values: Mapping[str, bytes], expires: float) -> None: ...

    def remove(self, keys: Sequence[str]) -> None: ...

    def sweep(self, now: float, most: int) -> None:
        """Remove at most ``most`` rows that expired before ``now`` (seconds since 1970)."""
        ...

    def scan(self, after: str, most: int) -> list[tuple[str, bytes, float]]:
        """Return at most ``most`` rows by their keys, after the key ``after``: key, value, when it expires."""
        ...

    def swap(self, key: str, old: bytes, new: bytes) -> None:
        """Put ``new`` in the place of ``old``, if that is still what ``key`` has."""
        ...

    def clip(self, expires: float) -> None:
        """Have what would expire later than ``expires`` (seconds since 1970) expire then."""
        ...

    def close(self) -> None: ...
