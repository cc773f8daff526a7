"""What a file and a batch are, as values that workers and the control process share; and what is counted of them."""

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

__all__ = ["BatchRow", "Begin", "FileRow", "Meter", "Meters"]


#: Returns when to begin work of so many seconds, now being the second and the third the end of it; seconds since 1970.
Begin = Callable[[float, float, float], Awaitable[float]]


class FileRow(msgspec.Struct, frozen=True):
    """A file as it is kept. Times are seconds since 1970; ``node`` is the machine whose disk has it."""

    id: str
    owner: str
    node: str
    purpose: str
    filename: str
    bytes: int
    created_at: int
    expires_at: int


class BatchRow(msgspec.Struct, frozen=True):
    """A batch as it is kept. ``key`` is the id of the key that made it; ``metadata`` and ``errors`` are JSON."""

    id: str
    owner: str
    node: str
    key: str
    endpoint: str
    input_file_id: str
    completion_window: str
    status: str
    created_at: int
    expires_at: int
    output_lifetime: int
    in_progress_at: int | None = None
    finalizing_at: int | None = None
    completed_at: int | None = None
    failed_at: int | None = None
    expired_at: int | None = None
    cancelling_at: int | None = None
    cancelled_at: int | None = None
    total: int = 0
    completed: int = 0
    failed: int = 0
    output_file_id: str | None = None
    error_file_id: str | None = None
    metadata: str | None = None
    errors: str | None = None


class Meter(Protocol):
    """A number that somebody reads: a counter, or a gauge."""

    def add(self, value: float = 1.0, /) -> None:
        """Add ``value``."""
        ...

    def set(self, value: float, /) -> None:
        """Replace the value."""
        ...


class _Unread:
    """A number that nobody reads."""

    def add(self, value: float = 1.0, /) -> None:
        """Do nothing."""

    def set(self, value: float, /) -> None:
        """Do nothing."""


class Meters(msgspec.Struct, frozen=True):
    """What is counted of the work on batches; by default, for nobody."""

    #: Rows that got an answer, and rows that got none.
    completed: Meter = _Unread()
    failed: Meter = _Unread()
    #: Rows that are asked now.
    in_flight: Meter = _Unread()
    #: Batches that are not finished, and the seconds for which the oldest of those that nobody works on has waited.
    unfinished: Meter = _Unread()
    waiting: Meter = _Unread()
