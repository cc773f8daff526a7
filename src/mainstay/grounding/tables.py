"""The file of a knowledge base: its tables, and connections to it.

SQLite with a write-ahead log, shared by threads and processes: a transaction that reads sees one state throughout, one
that writes waits for the other that does. Stands behind ``rows.Transactions``; does not know what the rows mean.
"""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import structlog

from mainstay.core.errors import NotFound, StartError, Unavailable
from mainstay.core.ids import uuid7
from mainstay.grounding.fts5 import Fts5
from mainstay.grounding.layout import FORMAT, LAYOUT
from mainstay.grounding.terms import TOKENIZER, indexable
from mainstay.store.files import private_dir
from mainstay.store.wal import make_file, write_ahead

__all__ = ["Connections"]

_log = structlog.get_logger("mainstay.grounding")
#: Seconds that a statement waits for another connection.
_BUSY = 15.0
#: Idle connections that are kept.
_IDLE = 16
_SCHEMA = f"""{LAYOUT}CREATE VIRTUAL TABLE words USING fts5 (context, text, content = 'passages', content_rowid = 'id',
    tokenize = "{TOKENIZER}");
"""


class Connections:
    """Connections to one file, each used by one thread at a time; the file is made, with mode 0600, when it is first
    opened and may be.

    A file that is moved away or replaced while it is open is noticed. Connections never cross a fork: a child opens its
    own.
    """

    def __init__(self, path: Path, name: str, *, make: bool) -> None:
        self.words = Fts5()
        self._path = path
        self._name = name
        self._idle: list[sqlite3.Connection] = []
        self._taken: dict[int, tuple[int, int]] = {}
        self._lock = threading.Lock()
        self._writer = threading.Lock()
        self._pid = os.getpid()
        self._stamp = (0, 0)
        self._shut = False
        if make and not path.exists():
            private_dir(path.parent)
            make_file(path)
        self._stamp = self._seen()
        with self.guarded():
            self.give(self.take())

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Turn faults of the file into ``Unavailable``."""
        try:
            yield
        except sqlite3.Error as error:
            _log.error("knowledge_unreachable", base=self._name, reason=str(error))
            raise Unavailable(
                f"The knowledge base '{self._name}' cannot be reached; try again shortly.", retry_after=1
            ) from error

    def take(self) -> sqlite3.Connection:
        """Return a connection that nobody else uses until it is given back."""
        if self._shut:
            raise Unavailable(f"The knowledge base '{self._name}' is closed; try again shortly.", retry_after=1)
        self._own()
        seen = self._seen()
        with self._lock:
            if seen != self._stamp:
                stale, self._idle, self._stamp = self._idle, [], seen
            else:
                stale = []
            db = self._idle.pop() if self._idle else None
        for one in stale:
            one.close()
        if db is None:
            db = self._open()
        with self._lock:
            self._taken[id(db)] = seen
        return db

    def give(self, db: sqlite3.Connection) -> None:
        """Give a connection back; whatever it had begun is undone."""
        with self._lock:
            seen = self._taken.pop(id(db), None)
        try:
            if db.in_transaction:
                db.execute("ROLLBACK").close()
        except sqlite3.Error:
            db.close()
            return
        with self._lock:
            kept = seen == self._stamp and len(self._idle) < _IDLE and not self._shut
            if kept:
                self._idle.append(db)
        if not kept:
            db.close()

    @contextlib.contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Return a connection within a transaction that reads: one state throughout."""
        with self.guarded():
            db = self.take()
            try:
                db.execute("BEGIN").close()
                yield db
            finally:
                self.give(db)

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Return a connection within the only transaction that writes; committed at the end, or wholly undone."""
        with self.guarded():
            self._own()
            # SQLite asks again ever more slowly; threads of one process need not.
            if not self._writer.acquire(timeout=_BUSY):
                raise sqlite3.OperationalError("other changes take too long")
            try:
                db = self.take()
                try:
                    db.execute("BEGIN IMMEDIATE").close()
                    yield db
                    db.execute("COMMIT").close()
                finally:
                    self.give(db)
            finally:
                self._writer.release()

    def checkpoint(self, patience: float = 0.0) -> bool:
        """Bring the log into the file and empty it, so that what was erased is in neither. Return whether it could be:
        who is pinned is not waited for longer than ``patience`` seconds."""
        with self.guarded():
            db = self.take()
            try:
                db.execute(f"PRAGMA busy_timeout = {int(patience * 1000)}").close()
                ((busy, _, _),) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                return not busy
            finally:
                db.execute(f"PRAGMA busy_timeout = {int(_BUSY * 1000)}").close()
                self.give(db)

    def size(self) -> int:
        """Return the bytes of the file and its log."""
        files = (self._path, self._path.with_name(f"{self._path.name}-wal"))
        return sum(one.stat().st_size for one in files if one.exists())

    def shut(self) -> None:
        """Close idle connections; those in use close when they are given back."""
        with self._lock:
            idle, self._idle, self._shut = self._idle, [], True
        if self._pid == os.getpid():
            for db in idle:
                db.close()

    def _own(self) -> None:
        if self._pid != os.getpid():
            # Left open on purpose: closing what a parent opened could drop its locks or its log.
            _inherited.append(self._idle)
            self._pid, self._idle, self._taken = os.getpid(), [], {}
            self._lock, self._writer = threading.Lock(), threading.Lock()

    def _seen(self) -> tuple[int, int]:
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            raise NotFound(f"There is no knowledge base '{self._name}'.") from None
        except OSError as error:
            _log.error("knowledge_unreachable", base=self._name, reason=str(error))
            raise Unavailable(f"The knowledge base '{self._name}' cannot be reached; try again shortly.") from error
        return (found.st_dev, found.st_ino)

    def _open(self) -> sqlite3.Connection:
        where = f"file:{quote(str(self._path))}?mode=rw"
        db = sqlite3.connect(
            where, _BUSY, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        try:
            write_ahead(db, _BUSY)
            # What is put into the index of words, and taken out of it, goes through this.
            db.create_function("indexable", 1, indexable, deterministic=True)
            # Each commit is on the disk before it returns, and what is deleted is overwritten: these are people's
            # words. A log that one long reader let grow is cut again.
            for pragma in ("synchronous = FULL", "secure_delete = ON", "journal_size_limit = 67108864"):
                db.execute(f"PRAGMA {pragma}").close()
            (found,) = db.execute("PRAGMA user_version").fetchone()
            if found == 0:
                _fill(db)
            elif found != FORMAT:
                raise StartError(f"The knowledge base '{self._name}' was written by a newer Mainstay: update this one.")
        except (sqlite3.Error, StartError):
            db.close()
            raise
        return db


#: Connections that a parent opened before a fork.
_inherited: list[list[sqlite3.Connection]] = []


def _fill(db: sqlite3.Connection) -> None:
    db.execute("BEGIN IMMEDIATE").close()
    try:
        (found,) = db.execute("PRAGMA user_version").fetchone()
        if found == 0:
            for statement in _SCHEMA.split(";\n"):
                if statement.strip():
                    db.execute(statement).close()
            db.execute("INSERT INTO base VALUES (1, ?, 0, 0, 0, 0)", (uuid7(),)).close()
            db.execute(f"PRAGMA user_version = {FORMAT}").close()
    except sqlite3.Error:
        db.execute("ROLLBACK").close()
        raise
    db.execute("COMMIT").close()
