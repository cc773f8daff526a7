"""What keeps the rows of a knowledge base, as protocols: connections, transactions, and the index of words beside them.

Rows are SQL, the same for every store; :mod:`~mainstay.grounding.tables` (SQLite) and
:mod:`~mainstay.grounding.postgres` stand behind this. Placeholders are ``?``, ``?1`` or ``:name``; a set of values is
one placeholder: ``IN (SELECT value FROM json_each(?))`` over :func:`many`.

Rows that are revisioned carry ``[lo, hi)``: they are alive at step ``s`` when ``lo <= s < hi``.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

__all__ = ["FOREVER", "Many", "Packed", "Result", "Rows", "Transactions", "WordIndex", "many"]

#: ``hi`` of a row that is alive.
FOREVER = 1 << 62


class Packed(bytes):
    """A vector as it is kept: float32, little-endian."""

    __slots__ = ()


class Many(str):
    """Values as one: JSON, as ``json_each`` takes it. ``values`` are they themselves, numbers or texts."""

    values: tuple[Any, ...]


def many(values: Iterable[object]) -> Many:
    """Return values as one, so that a statement stays the same for any number of them."""
    own = tuple(values)
    made = Many(json.dumps(own))
    made.values = own
    return made


class Result(Protocol):
    """What a statement found or did."""

    @property
    def rowcount(self) -> int:
        """How many rows it changed."""
        ...

    @property
    def lastrowid(self) -> int | None:
        """The number of the row it made."""
        ...

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""
        ...

    def fetchmany(self, size: int = ..., /) -> list[Any]:
        """Return the next rows, none at the end."""
        ...

    def __iter__(self) -> Iterator[Any]: ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Rows(Protocol):
    """A connection within a transaction, used by one thread."""

    def execute(self, statement: str, values: Any = ..., /) -> Result:
        """Run a statement."""
        ...

    def executemany(self, statement: str, values: Iterable[Any], /) -> Result:
        """Run a statement for each of several values."""
        ...


class WordIndex(Protocol):
    """The index of words: of passages that are in the rows, whatever they are alive in."""

    def add(self, db: Rows, passages: Sequence[tuple[int, str, str]]) -> None:
        """Have passages be found by their words: row, context, text."""
        ...

    def drop(self, db: Rows, passages: Sequence[int]) -> None:
        """Forget passages; called while their rows still say what they say. One that is not in it is passed over."""
        ...

    def tidy(self, db: Rows) -> None:
        """Have nothing be left of what was forgotten."""
        ...


class Transactions(Protocol):
    """Transactions of one base. Safe to share by threads; a fork begins anew."""

    @property
    def words(self) -> WordIndex:
        """The index of words."""
        ...

    def guarded(self) -> AbstractContextManager[None]:
        """Turn faults of what keeps the rows into ``Unavailable``."""
        ...

    def read(self) -> AbstractContextManager[Rows]:
        """Return a connection within a transaction that reads: one state throughout."""
        ...

    def write(self) -> AbstractContextManager[Rows]:
        """Return a connection within the only transaction that writes; committed at the end, or wholly undone."""
        ...

    def checkpoint(self, patience: float = 0.0) -> bool:
        """Have what was erased be gone from logs, too, as far as it can be; return whether it is. Whoever reads what
        was is not waited for longer than ``patience`` seconds."""
        ...

    def size(self) -> int:
        """Return the bytes it takes on the disk."""
        ...

    def shut(self) -> None:
        """Close what is idle; what is in use is closed when it is given back."""
        ...
