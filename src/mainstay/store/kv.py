"""Values by key for a time: what workers keep for callers who come back (a response that the next one continues).

Stands beside the main database and apart from it: one more SQLite file, or a table of the same PostgreSQL. A worker
thread does the waiting, so that the event loop never does. Does not know what is in a value.

A value that was put is there for every process once :meth:`KeyValues.put` has returned, and survives ``kill -9``. What
cannot be reached fails as ``Unavailable`` within seconds, and then at once for a moment, so that a broken store never
holds up calls that could do without it.
"""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import quote

import structlog

from mainstay.core.clock import monotonic
from mainstay.core.errors import StartError, Unavailable
from mainstay.store.files import private_dir
from mainstay.store.port import Table, TableLost
from mainstay.store.wal import make_file, write_ahead

__all__ = ["FileTable", "KeyValues", "NullKeyValues", "StoredKeyValues", "open_key_values", "open_table"]

_T = TypeVar("_T")
_log = structlog.get_logger("mainstay.store")
#: Seconds: the most a call waits for the store, the most SQLite waits for another writer, and how long a failure stands
#: for the calls that follow it.
_PATIENCE = 3.0
_BUSY = 1.5
_DOWN = 1.0
#: Operations that may wait for the thread; more means that it hangs.
_MOST_WAITING = 256
#: Seconds between two removals of what has expired, and the most rows of one.
_SWEEP = 60.0
_SWEEP_ROWS = 500
#: Keys of one look-up: SQLite's oldest limit is 999.
_AT_ONCE = 500
_TABLE = (
    "CREATE TABLE IF NOT EXISTS kv (key TEXT PRIMARY KEY, value BLOB NOT NULL, expires REAL NOT NULL)",
    "CREATE INDEX IF NOT EXISTS kv_expires ON kv (expires)",
)
_ADVICE = "The store of responses cannot be reached; try again shortly, or send the whole conversation in 'input'."


class KeyValues(Protocol):
    """Values by key, each for a time."""

    async def get(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return the values of those of ``keys`` that are there and have not expired.

        Raises:
            Unavailable: the store cannot be reached.
        """
        ...

    async def put(self, values: Mapping[str, bytes], lifetime: float, owner: tuple[str, str] = ("", "")) -> None:
        """Keep ``values`` for ``lifetime`` seconds, all or none of them; what a key had before is replaced.

        ``owner`` is the organisation and team whose they are.

        Raises:
            Unavailable: the store cannot be reached.
        """
        ...

    async def delete(self, keys: Sequence[str]) -> None:
        """Forget ``keys``; one that is not there is no error.

        Raises:
            Unavailable: the store cannot be reached.
        """
        ...

    async def aclose(self) -> None:
        """Finish what was begun and close."""
        ...


class NullKeyValues:
    """Keeps nothing."""

    async def get(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return nothing."""
        return {}

    async def put(self, values: Mapping[str, bytes], lifetime: float, owner: tuple[str, str] = ("", "")) -> None:
        """Forget at once."""

    async def delete(self, keys: Sequence[str]) -> None:
        """Nothing to forget."""

    async def aclose(self) -> None:
        """Nothing to close."""


class StoredKeyValues:
    """Key-values in a table, reached through a thread of their own."""

    def __init__(self, table: Table, *, clock: Callable[[], float] = time.time) -> None:
        self._table = table
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "mainstay-kv")
        self._waiting = 0
        self._down_until = 0.0
        self._swept = 0.0

    async def get(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return the values; see :class:`KeyValues`."""
        found: dict[str, bytes] = {}
        for start in range(0, len(keys), _AT_ONCE):
            part = keys[start : start + _AT_ONCE]
            found |= await self._run(lambda part=part: self._table.read(part, self._clock()))  # type: ignore[misc]  # a default binds the loop's value
        return found

    async def put(self, values: Mapping[str, bytes], lifetime: float, owner: tuple[str, str] = ("", "")) -> None:
        """Keep the values; see :class:`KeyValues`."""
        await self._run(lambda: self._table.write(values, self._clock() + lifetime))
        now = monotonic()
        if now - self._swept > _SWEEP or not self._swept:
            self._swept = now
            self._thread.submit(self._sweep)

    async def delete(self, keys: Sequence[str]) -> None:
        """Forget the keys; see :class:`KeyValues`."""
        if keys:
            await self._run(lambda: self._table.remove(keys))

    async def aclose(self) -> None:
        """Let the thread finish, and close the table."""
        self._thread.submit(self._table.close)
        await asyncio.get_running_loop().run_in_executor(None, self._thread.shutdown)

    async def _run(self, work: Callable[[], _T]) -> _T:
        if self._waiting >= _MOST_WAITING or monotonic() < self._down_until:
            raise Unavailable(_ADVICE, retry_after=_DOWN)
        self._waiting += 1
        done = asyncio.get_running_loop().run_in_executor(self._thread, work)
        done.add_done_callback(self._count_off)
        try:
            async with asyncio.timeout(_PATIENCE):
                # Whoever stops waiting does not stop the thread; what it has begun it ends.
                return await asyncio.shield(done)
        except (TableLost, TimeoutError) as error:
            self._down_until = monotonic() + _DOWN
            _log.error("store_unreachable", reason=str(error) or "it does not answer")
            raise Unavailable(_ADVICE, retry_after=_DOWN) from error

    def _count_off(self, done: "asyncio.Future[_T]") -> None:
        self._waiting -= 1
        if not done.cancelled():
            # Nobody may be left to ask how it ended.
            done.exception()

    def _sweep(self) -> None:
        try:
            self._table.sweep(self._clock(), _SWEEP_ROWS)
        except TableLost as error:
            _log.warning("store_not_swept", reason=str(error))


class FileTable:
    """A table in an SQLite file that all workers share, made with mode 0600 when it is first opened.

    A file that is moved away or replaced while it is open is noticed: what is written to it would be lost with it. It
    is never made anew by a process that had it open, so that nobody mistakes an empty one for the old.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: sqlite3.Connection | None = None
        self._stamp: tuple[int, int] | None = None
        self._made = False

    def read(self, keys: Sequence[str], now: float) -> dict[str, bytes]:
        """Return the rows of ``keys`` that have not expired."""
        marks = ",".join("?" * len(keys))
        question = f"SELECT key, value FROM kv WHERE key IN ({marks}) AND expires > ?"  # noqa: S608  # question marks only
        return self._do(lambda db: dict(db.execute(question, (*keys, now)).fetchall()))

    def write(self, values: Mapping[str, bytes], expires: float) -> None:
        """Write all rows in one transaction."""
        rows = [(key, value, expires) for key, value in values.items()]
        self._change(lambda db: db.executemany("INSERT OR REPLACE INTO kv VALUES (?, ?, ?)", rows))

    def remove(self, keys: Sequence[str]) -> None:
        """Remove the rows of ``keys``."""
        self._change(lambda db: db.executemany("DELETE FROM kv WHERE key = ?", [(key,) for key in keys]))

    def scan(self, after: str, most: int) -> list[tuple[str, bytes, float]]:
        """Return rows by their keys, after one, expired ones too."""
        question = "SELECT key, value, expires FROM kv WHERE key > ? ORDER BY key LIMIT ?"
        return self._do(lambda db: db.execute(question, (after, most)).fetchall())

    def swap(self, key: str, old: bytes, new: bytes) -> None:
        """Put a value in the place of another, if that is still there; it expires when it would have."""
        self._change(lambda db: db.execute("UPDATE kv SET value = ? WHERE key = ? AND value = ?", (new, key, old)))

    def clip(self, expires: float) -> None:
        """Have what would expire later than ``expires`` expire then."""
        self._change(lambda db: db.execute("UPDATE kv SET expires = ? WHERE expires > ?", (expires, expires)))

    def sweep(self, now: float, most: int) -> None:
        """Remove rows that have expired."""
        old = "DELETE FROM kv WHERE rowid IN (SELECT rowid FROM kv WHERE expires <= ? LIMIT ?)"
        self._change(lambda db: db.execute(old, (now, most)))

    def close(self) -> None:
        """Close the file."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _change(self, work: Callable[[sqlite3.Connection], object]) -> None:
        def transact(db: sqlite3.Connection) -> None:
            db.execute("BEGIN IMMEDIATE")
            try:
                work(db)
            except sqlite3.Error:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

        self._do(transact)

    def _do(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            return work(self._connection())
        except (sqlite3.Error, OSError, StartError) as error:
            # A connection that met a fault may keep it; the next one sees the file as it is then.
            self.close()
            raise TableLost(str(error)) from error

    def _connection(self) -> sqlite3.Connection:
        if self._open is not None and self._stamp == self._seen():
            return self._open
        self.close()
        if not self._made:
            private_dir(self._path.parent)
            make_file(self._path)
        where = f"file:{quote(str(self._path))}?mode=rw"
        db = sqlite3.connect(where, _BUSY, uri=True, isolation_level=None, check_same_thread=False)
        try:
            write_ahead(db, _BUSY)
            # What is deleted is overwritten: these are people's words.
            for pragma in ("synchronous = NORMAL", "secure_delete = ON"):
                db.execute(f"PRAGMA {pragma}").close()
            db.execute(
                "CREATE TABLE IF NOT EXISTS kv (key TEXT PRIMARY KEY, value BLOB NOT NULL, expires REAL NOT NULL)"
            )
            db.execute("CREATE INDEX IF NOT EXISTS kv_expires ON kv (expires)")
        except sqlite3.Error:
            db.close()
            raise
        self._open, self._stamp, self._made = db, self._seen(), True
        return db

    def _seen(self) -> tuple[int, int] | None:
        found = os.stat(self._path)
        return (found.st_dev, found.st_ino)


def open_key_values(url: str, home: Path) -> KeyValues:
    """Return the key-values of an installation whose database is ``url``: beside it in PostgreSQL, else a file.

    Nothing is opened before the first use, so that a store that is away keeps no gateway from starting.
    """
    return StoredKeyValues(open_table(url, home))


def open_table(url: str, home: Path) -> Table:
    """Return the table behind the key-values of an installation; opened at its first use."""
    if url.startswith("postgresql"):
        # Its driver and the database library cost a worker a third of a second and 30 MB.
        from mainstay.store.kv_postgresql import PostgresTable

        return PostgresTable(url)
    return FileTable(home / "kv.db")
