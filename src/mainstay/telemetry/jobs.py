"""The loader: moves records from the workers' journals into the database, exactly once.

Runs in the control process. A file's offset moves in the same transaction that inserts its records, and only
from where the loader found it, so a loader that is killed, doubled or retried neither loses nor repeats a
record. While the database is down the journals grow and nothing is lost. Does not know who reads the records.
"""

import logging
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from mainstay.core.clock import wall_ms
from mainstay.core.record import Record
from mainstay.store.journal import Chunk, is_final, journal_files, read_chunk
from mainstay.store.sql import is_settled, reading, writing
from mainstay.telemetry.store import advance, forget, insert_records, offsets, to_picousd

__all__ = ["REJECTED", "Loader", "Post", "together"]

#: Lines that are no records end here, one JSON object each, for a person to look at.
REJECTED = "rejected.jsonl"

_log = logging.getLogger("mainstay.telemetry.loader")
_decode = msgspec.json.Decoder(Record).decode
#: What one record, and not the state of the database, can be to blame for.
_ROW_FAULTS = (DataError, IntegrityError, OverflowError, ValueError)


#: Does what else is to be done with records, in the transaction that inserts them.
Post = Callable[[Engine, Connection, Sequence[Record]], None]


def together(*posts: Post) -> Post:
    """Return what does several things with records, in order."""

    def post(engine: Engine, connection: Connection, records: Sequence[Record]) -> None:
        for each in posts:
            each(engine, connection, records)

    return post


class _Moved(Exception):
    """Another loader moved the file's offset first."""


class Loader:
    """Loads the journals in ``directory`` into the database behind ``engine``. For one thread.

    ``enrich`` puts into each record what nobody waited for; ``post`` is given the records of each transaction, in it.

    ``loaded`` and ``rejected`` count lines since the start; ``backlog`` is the bytes that were waiting after
    the last round.
    """

    def __init__(
        self,
        engine: Engine,
        directory: Path,
        *,
        batch_bytes: int = 1024 * 1024,
        max_rejected: int = 64 * 1024 * 1024,
        post: Post = lambda *_: None,
        enrich: Callable[[Record], None] = lambda _: None,
    ) -> None:
        self._post = post
        self._enrich = enrich
        self._engine = engine
        self._directory = directory
        self._batch_bytes = batch_bytes
        self._max_rejected = max_rejected
        self._known: dict[str, int] = {}
        self.loaded = 0
        self.rejected = 0
        self.backlog = 0

    def load_once(self) -> int:
        """Load what stands in the journals now and return the number of records; remove files that are
        finished.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database refuses; what was not loaded stays in the journal.
            OSError: a journal cannot be read.
        """
        files = journal_files(self._directory)
        self._known = {path.name: self._known[path.name] for path in files if path.name in self._known}
        before, backlog = self.loaded, 0
        try:
            for path in files:
                with suppress(FileNotFoundError, _Moved):  # another loader was faster; the next round sees its work
                    self._load_file(path)
        finally:
            for path in files:
                with suppress(FileNotFoundError):
                    backlog += path.stat().st_size - self._known.get(path.name, 0)
            self.backlog = backlog
        return self.loaded - before

    def run(self, stop: threading.Event, *, interval: float = 0.2, patience: float = 5.0) -> None:
        """Load until ``stop`` is set, then once more; an outage is waited out, asking at most ``patience`` s
        apart.
        """
        pause = interval
        while not stop.wait(pause):
            pause = self._try(interval, pause, patience)
        self._try(interval, pause, patience)

    def _try(self, interval: float, pause: float, patience: float) -> float:
        try:
            self.load_once()
        except (SQLAlchemyError, OSError) as error:
            if pause == interval:
                # Not the error's own text: it may quote a row.
                _log.warning("records wait in the journal: %s", type(getattr(error, "orig", error)).__name__)
            return min(pause * 2, patience)
        if pause != interval:
            _log.info("records are being loaded again")
        return interval

    def _load_file(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            # Asked before the size is read: what is final then does not grow any more.
            final = is_final(descriptor)
            size = os.fstat(descriptor).st_size
            if size and self._known.get(path.name) != size:
                self._load_lines(path.name, descriptor, size)
            if final:
                self._finish(path, descriptor, size)
        finally:
            os.close(descriptor)

    def _load_lines(self, name: str, descriptor: int, size: int) -> None:
        offset = self._known.pop(name, None)
        if offset is None:
            with reading(self._engine) as connection:
                offset = offsets(connection, [name]).get(name, 0)
        while True:
            chunk = read_chunk(descriptor, offset, size, want=self._batch_bytes)
            if chunk.end == offset:
                break
            self._store(name, descriptor, offset, chunk)
            offset = chunk.end
        self._known[name] = offset

    def _store(self, name: str, descriptor: int, start: int, chunk: Chunk) -> None:
        records, lines, bad = [], [], []
        for line in chunk.lines:
            try:
                record = _decode(line)
                if record.cost_usd is not None:
                    to_picousd(record.cost_usd)
                self._enrich(record)
            except ValueError as error:  # msgspec's errors and bad UTF-8 are ValueErrors
                bad.append((line, str(error)))
                continue
            records.append(record)
            lines.append(line)
        try:
            with writing(self._engine) as connection:
                self._advance(connection, name, descriptor, start, chunk.end)
                insert_records(self._engine, connection, records)
                self._post(self._engine, connection, records)
        except _ROW_FAULTS:
            bad += self._store_singly(name, descriptor, start, chunk.end, records, lines)
        self.loaded += len(chunk.lines) - len(bad)
        self._reject(name, bad)

    def _store_singly(
        self,
        name: str,
        descriptor: int,
        start: int,
        end: int,
        records: Sequence[Record],
        lines: Sequence[bytes],
    ) -> list[tuple[bytes, str]]:
        bad = []
        with writing(self._engine) as connection:
            self._advance(connection, name, descriptor, start, end)
            for record, line in zip(records, lines, strict=True):
                try:
                    with connection.begin_nested():
                        insert_records(self._engine, connection, [_without_nul(record)])
                        self._post(self._engine, connection, [record])
                except _ROW_FAULTS as error:
                    bad.append((line, type(error).__name__))
        return bad

    def _advance(self, connection: Connection, name: str, descriptor: int, start: int, end: int) -> None:
        # A file that is gone was loaded whole, and its offset is forgotten or about to be: asked inside the
        # transaction, because whoever removes a file forgets its offset afterwards, in a transaction of its own.
        gone = os.fstat(descriptor).st_nlink == 0
        if gone or not advance(self._engine, connection, name, start, end):
            raise _Moved

    def _finish(self, path: Path, descriptor: int, size: int) -> None:
        offset = self._known.get(path.name, 0)
        if offset and not is_settled(self._engine):
            return
        if offset < size:  # the writer was killed, or its disk was full, in the middle of this line
            self._reject(path.name, [(os.pread(descriptor, size - offset, offset), "torn")])
        path.unlink(missing_ok=True)
        if offset:
            with writing(self._engine) as connection:
                forget(connection, path.name)

    def _reject(self, name: str, bad: Sequence[tuple[bytes, str]]) -> None:
        if not bad:
            return
        self.rejected += len(bad)
        _log.error("%d lines of journal %s are no records: see %s", len(bad), name, REJECTED)
        path = self._directory / REJECTED
        lines = b"".join(
            msgspec.json.encode(
                {
                    "at": wall_ms(),
                    "file": name,
                    "reason": reason,
                    "line": line.decode(errors="backslashreplace"),
                }
            )
            + b"\n"
            for line, reason in bad
        )
        # Best effort: what cannot even be kept as rubbish is still counted.
        with suppress(OSError):
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                if os.fstat(descriptor).st_size + len(lines) <= self._max_rejected:
                    os.write(descriptor, lines)
            finally:
                os.close(descriptor)


def _without_nul(record: Record) -> Record:
    # PostgreSQL has no NUL in text; a prompt may.
    for part in (record, *record.attempts, record.content):
        if part is not None:
            for name in part.__struct_fields__:
                value = getattr(part, name)
                if isinstance(value, str) and "\0" in value:
                    setattr(part, name, value.replace("\0", "\ufffd"))
    return record
