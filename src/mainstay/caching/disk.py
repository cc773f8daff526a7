"""Kept answers in an SQLite file that all processes of a machine share. Blocks: called in threads.

An answer is here or it is not: what a process was writing when it was killed is not. Each answer is listed under every
passage that it rests on; dropping a passage deletes its answers before it returns, and turns away those that were made
before it and come later. Does not know what is in an answer.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote

import msgspec

from mainstay.caching.generation import Generation
from mainstay.caching.port import Counts
from mainstay.core.clock import wall_ms
from mainstay.core.errors import StartError
from mainstay.store.files import private_dir
from mainstay.store.wal import write_ahead

__all__ = ["FILE", "MARK", "Disk", "DiskLost", "Row", "Told"]

FILE: Final = "cache.db"
MARK: Final = "cache.mark"
_T = TypeVar("_T")
_VERSION: Final = 2
#: Seconds that SQLite waits for another writer.
_BUSY: Final = 5.0
#: Of the limit, what is left when answers had to go.
_LOW: Final = 0.9
#: Seconds for which a dropped passage is remembered: no call takes longer.
_REMEMBERED: Final = 86_400.0
#: What a row takes besides its value, about.
_EACH: Final = 256
_AT_ONCE: Final = 500
_TABLES: Final = (
    "CREATE TABLE kept (key BLOB PRIMARY KEY, source TEXT NOT NULL, route TEXT NOT NULL, value BLOB NOT NULL,"
    " size INTEGER NOT NULL, expires REAL NOT NULL, used REAL NOT NULL)",
    "CREATE INDEX kept_source ON kept (source)",
    "CREATE INDEX kept_route ON kept (route)",
    "CREATE INDEX kept_expires ON kept (expires)",
    "CREATE INDEX kept_used ON kept (used)",
    "CREATE TABLE rests (passage TEXT NOT NULL, key BLOB NOT NULL, PRIMARY KEY (passage, key)) WITHOUT ROWID",
    "CREATE INDEX rests_key ON rests (key)",
    "CREATE TABLE told (number INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB UNIQUE NOT NULL, route TEXT NOT NULL,"
    " value BLOB NOT NULL)",
    "CREATE INDEX told_route ON told (route, number)",
    "CREATE TABLE dropped (passage TEXT PRIMARY KEY, age INTEGER NOT NULL, at REAL NOT NULL) WITHOUT ROWID",
    "CREATE TABLE totals (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    "INSERT INTO totals VALUES ('bytes', 0), ('cleared', 0)",
    "CREATE TRIGGER kept_in AFTER INSERT ON kept BEGIN"
    " UPDATE totals SET value = value + NEW.size WHERE name = 'bytes'; END",
    "CREATE TRIGGER kept_out AFTER DELETE ON kept BEGIN"
    " UPDATE totals SET value = value - OLD.size WHERE name = 'bytes';"
    " DELETE FROM rests WHERE key = OLD.key; DELETE FROM told WHERE key = OLD.key; END",
    "CREATE TRIGGER told_in AFTER INSERT ON told BEGIN"
    " UPDATE totals SET value = value + length(NEW.value) WHERE name = 'bytes'; END",
    "CREATE TRIGGER told_out AFTER DELETE ON told BEGIN"
    " UPDATE totals SET value = value - length(OLD.value) WHERE name = 'bytes'; END",
)


class DiskLost(Exception):
    """The file cannot be read or written."""


class Row(msgspec.Struct, frozen=True):
    """An answer to be kept. ``rests`` are passages as :func:`Disk.drop` names them; ``age`` as in ``Entry``."""

    key: bytes
    source: str
    route: str
    value: bytes
    expires: float
    rests: tuple[str, ...] = ()
    age: int = 0


class Told(msgspec.Struct, frozen=True):
    """What workers tell each other of the question of a kept answer: goes when the answer goes."""

    key: bytes
    route: str
    value: bytes


class Disk:
    """The file, with one connection; for one thread at a time. Several of these may have it open.

    Args:
        home: the folder of the file.
        generation: grows with each drop; the file beside is its number.
        limit: bytes of values; those used longest ago go first.
    """

    def __init__(self, home: Path, generation: Generation, limit: int) -> None:
        self._path = home / FILE
        self._generation = generation
        self.limit = limit
        self._open: sqlite3.Connection | None = None
        self._stamp: tuple[int, int] | None = None
        #: How often it was opened.
        self._opened = 0

    def get(self, key: bytes, now: float) -> bytes | None:
        """Return what is kept under ``key`` and has not expired."""
        question = "SELECT value FROM kept WHERE key = ? AND expires > ?"
        row = self._do(lambda db: db.execute(question, (key, now)).fetchone())
        return None if row is None else row[0]

    def put(self, rows: Sequence[Row], used: Iterable[bytes], now: float, told: Sequence[Told] = ()) -> tuple[int, int]:
        """Keep answers and what is ``told`` of them, note which were ``used``, and let go of what has expired or is too
        much; return the bytes that are then kept, and how many answers had to go for others."""

        def work(db: sqlite3.Connection) -> tuple[int, int]:
            db.executemany("UPDATE kept SET used = ? WHERE key = ?", [(now, key) for key in used])
            cleared = _total(db, "cleared")
            for row in rows:
                if row.age < cleared or _was_dropped(db, row):
                    continue
                db.execute("DELETE FROM kept WHERE key = ?", (row.key,))
                db.execute(
                    "INSERT INTO kept VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (row.key, row.source, row.route, row.value, len(row.value) + _EACH, row.expires, now),
                )
                db.executemany("INSERT OR IGNORE INTO rests VALUES (?, ?)", [(one, row.key) for one in row.rests])
            for one in told:
                db.execute("DELETE FROM told WHERE key = ?", (one.key,))
                # Only of what is kept: an answer that was turned away leaves nothing behind.
                db.execute(
                    "INSERT INTO told (key, route, value) SELECT key, ?, ? FROM kept WHERE key = ?",
                    (one.route, one.value, one.key),
                )
            db.execute("DELETE FROM kept WHERE key IN (SELECT key FROM kept WHERE expires <= ? LIMIT 500)", (now,))
            gone = self._shrink(db)
            return _total(db, "bytes"), gone

        return self._change(work)

    def told(self, route: str, after: int, most: int) -> list[tuple[int, bytes, bytes]]:
        """Return what was told of the questions of a route after a number: numbers that rise, keys and values."""
        question = "SELECT number, key, value FROM told WHERE route = ? AND number > ? ORDER BY number LIMIT ?"
        return self._do(lambda db: db.execute(question, (route, after, most)).fetchall())

    def before(self, route: str, most: int) -> int:
        """Return the number after which the newest ``most`` questions of a route lie."""
        question = "SELECT number FROM told WHERE route = ? ORDER BY number DESC LIMIT 1 OFFSET ?"
        row = self._do(lambda db: db.execute(question, (route, most)).fetchone())
        return row[0] if row else 0

    def living(self, route: str) -> set[bytes]:
        """Return the keys of a route of whose questions is told."""
        return self._do(lambda db: {key for (key,) in db.execute("SELECT key FROM told WHERE route = ?", (route,))})

    def change(self) -> tuple[int, int]:
        """Return the file's number of opening and that of its state: another one once somebody else has written."""
        version: int = self._do(lambda db: db.execute("PRAGMA data_version").fetchone()[0])
        return self._opened, version

    def drop(self, passages: Iterable[str]) -> int:
        """Delete all answers that rest on any of these passages; return how many there were.

        When it has returned no process gives any of them again, and none that was made before is kept any more.
        """
        names = list(dict.fromkeys(passages))
        now = wall_ms() / 1000

        def work(db: sqlite3.Connection) -> int:
            age = self._generation.begin()
            db.executemany("INSERT OR REPLACE INTO dropped VALUES (?, ?, ?)", [(name, age, now) for name in names])
            db.execute("DELETE FROM dropped WHERE at < ?", (now - _REMEMBERED,))
            gone = 0
            for start in range(0, len(names), _AT_ONCE):
                part = names[start : start + _AT_ONCE]
                marks = ",".join("?" * len(part))
                gone += db.execute(
                    f"DELETE FROM kept WHERE key IN (SELECT key FROM rests WHERE passage IN ({marks}))",  # noqa: S608  # question marks only
                    part,
                ).rowcount
            return gone

        return self._drop(work)

    def evict(self, *, source: str = "", route: str = "") -> int:
        """Delete the answer that was made for the record ``source``, or all of a route; return how many there were."""
        column, value = ("source", source) if source else ("route", route)

        def work(db: sqlite3.Connection) -> int:
            self._generation.begin()
            return db.execute(f"DELETE FROM kept WHERE {column} = ?", (value,)).rowcount  # noqa: S608  # one of two names

        return self._drop(work)

    def clear(self) -> int:
        """Delete all answers, and turn away those that are being made; return how many there were."""

        def work(db: sqlite3.Connection) -> int:
            age = self._generation.begin()
            db.execute("UPDATE totals SET value = ? WHERE name = 'cleared'", (age,))
            return db.execute("DELETE FROM kept").rowcount

        return self._drop(work)

    def remove(self, keys: Sequence[bytes]) -> int:
        """Delete the answers of ``keys``; return how many there were."""

        def work(db: sqlite3.Connection) -> int:
            self._generation.begin()
            return sum(db.execute("DELETE FROM kept WHERE key = ?", (key,)).rowcount for key in keys)

        return self._drop(work)

    def page(self, after: bytes, most: int) -> list[tuple[bytes, bytes]]:
        """Return keys and values by key, after one."""
        question = "SELECT key, value FROM kept WHERE key > ? ORDER BY key LIMIT ?"
        return self._do(lambda db: db.execute(question, (after, most)).fetchall())

    def counts(self) -> Counts:
        """Return what is kept."""

        def work(db: sqlite3.Connection) -> Counts:
            routes = dict(db.execute("SELECT route, count(*) FROM kept GROUP BY route ORDER BY route").fetchall())
            return Counts(sum(routes.values()), _total(db, "bytes"), routes)

        return self._do(work)

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _shrink(self, db: sqlite3.Connection) -> int:
        too_much = _total(db, "bytes") - self.limit
        if too_much <= 0:
            return 0
        too_much += int(self.limit * (1 - _LOW))
        gone = []
        for key, size in db.execute("SELECT key, size FROM kept ORDER BY used").fetchall():
            gone.append((key,))
            too_much -= size
            if too_much <= 0:
                break
        db.executemany("DELETE FROM kept WHERE key = ?", gone)
        return len(gone)

    def _drop(self, work: Callable[[sqlite3.Connection], int]) -> int:
        """Delete within one transaction; what others have in memory counts again only once it is committed."""

        def transact(db: sqlite3.Connection) -> int:
            with _writing(db):
                gone = work(db)
            # After the commit, still before anybody is told that it is done. Should another drop have begun since, it
            # has made the number odd again, or larger.
            self._settle(db)
            return gone

        return self._do(transact)

    def _settle(self, db: sqlite3.Connection) -> None:
        with _writing(db):
            self._generation.mend()

    def _change(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        def transact(db: sqlite3.Connection) -> _T:
            with _writing(db):
                return work(db)

        return self._do(transact)

    def _do(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            return work(self._connection())
        except (sqlite3.Error, OSError, StartError) as error:
            self.close()
            if type(error) is sqlite3.DatabaseError:
                # It is no database any more. What was kept can be asked again.
                self._remove()
            raise DiskLost(str(error)) from error

    def _connection(self) -> sqlite3.Connection:
        if self._open is not None and self._stamp == self._seen():
            return self._open
        self.close()
        private_dir(self._path.parent)
        with suppress(FileExistsError):
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        where = f"file:{quote(str(self._path))}?mode=rw"
        db = sqlite3.connect(where, _BUSY, uri=True, isolation_level=None, check_same_thread=False)
        try:
            _prepare(db, self._generation)
        except sqlite3.Error:
            db.close()
            raise
        self._open, self._stamp = db, self._seen()
        self._opened += 1
        return db

    def _seen(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return None
        return (found.st_dev, found.st_ino)

    def _remove(self) -> None:
        for end in ("", "-wal", "-shm"):
            with suppress(OSError):
                os.unlink(f"{self._path}{end}")


@contextmanager
def _writing(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def _prepare(db: sqlite3.Connection, generation: Generation) -> None:
    """Make what is not there yet, and set right what a process left that died in the middle of a drop."""
    write_ahead(db, _BUSY)
    # What is deleted is overwritten: these are people's words.
    for pragma in ("synchronous = NORMAL", "secure_delete = ON"):
        db.execute(f"PRAGMA {pragma}").close()
    with _writing(db):
        if db.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
            for kind, name in db.execute("SELECT type, name FROM sqlite_master WHERE type = 'table'").fetchall():
                db.execute(f"DROP {kind} {name}")
            for statement in _TABLES:
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {_VERSION}")
        generation.mend()


def _total(db: sqlite3.Connection, name: str) -> int:
    found: int = db.execute("SELECT value FROM totals WHERE name = ?", (name,)).fetchone()[0]
    return found


def _was_dropped(db: sqlite3.Connection, row: Row) -> bool:
    """Whether something that an answer rests on was dropped after its sources were found."""
    return any(
        db.execute("SELECT 1 FROM dropped WHERE passage = ? AND age > ?", (one, row.age)).fetchone()
        for one in row.rests
    )
