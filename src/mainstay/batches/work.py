"""One batch being worked through, from where it stands to its end.

What is done is what stands in two files of results (answers, errors): a row's line is appended as soon as there is one,
and counts once it is whole. So there is one truth of which rows are done, and after ``kill -9`` only those that were
under way are asked again. The database has the batch's state and counts, which may lag by a second.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec
import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from mainstay.batches import store
from mainstay.batches.config import BatchesConfig
from mainstay.batches.lines import Flaw, Row, check, read_rows, recover, write_fault
from mainstay.batches.port import BatchRow, Begin, FileRow, Meters
from mainstay.batches.sender import Sender
from mainstay.batches.service import blob, team_of
from mainstay.core.ids import uuid7
from mainstay.store.sealed_file import open_file, plain_size, seal_file
from mainstay.store.sealing import NullSeal, Seal, SealLost
from mainstay.store.sql import reading, writing

__all__ = ["Results", "Work"]

_log = structlog.get_logger("mainstay.batches")
#: Seconds between two updates of the counts; then, too, results are brought to the disk.
_PROGRESS = 0.5
#: Seconds that a row is thought to take at most, on average, and the longest until what is foretold is looked at anew.
_ROW = 30.0
_LOOK = 60.0
_EXPIRED = "This request could not be executed before the completion window expired."


class Work:
    """Works through one batch.

    Args:
        row: the batch as it stands.
        engine: the database.
        home: the folder Mainstay writes to.
        rules: limits.
        sender: asks rows.
        meters: count them.
        begin: tells when to begin; None: at once.
        seal: opens the file of requests and seals those of results; while rows are asked, results lie plain.
    """

    def __init__(
        self,
        row: BatchRow,
        engine: Engine,
        home: Path,
        rules: BatchesConfig,
        sender: Sender,
        meters: Meters | None = None,
        begin: Begin | None = None,
        seal: Seal | None = None,
    ) -> None:
        self._seal = seal or NullSeal()
        self._row = row
        self._engine = engine
        self._home = home
        self._rules = rules
        self._sender = sender
        self._meters = meters or Meters()
        self._begin = begin
        self._halt = asyncio.Event()
        self._late = False
        self._good = Results(home / "files" / f".{row.id}.output")
        self._bad = Results(home / "files" / f".{row.id}.errors")

    def cancel(self) -> None:
        """Ask no further row."""
        self._halt.set()

    async def run(self) -> None:
        """Bring the batch to its end.

        Raises:
            sqlalchemy.exc.SQLAlchemyError, OSError: the database or disk fails; to be run anew later.
        """
        try:
            # What the runner saw may be from before an earlier run of the same batch ended.
            await asyncio.to_thread(self._refresh)
            if self._row.status == "validating":
                await asyncio.to_thread(self._validate)
            if self._row.status in ("in_progress", "cancelling") and not self._is_ending():
                await self._ask_all()
            if self._row.status in store.OPEN:
                await asyncio.to_thread(self._finish)
        finally:
            self._good.close()
            self._bad.close()

    def _refresh(self) -> None:
        with reading(self._engine) as connection:
            self._row = store.find_batch(connection, self._row.id) or self._row

    def _is_ending(self) -> bool:
        """Whether its results were about to be made files before; then no row is left to be asked."""
        return self._row.output_file_id is not None or self._row.error_file_id is not None

    def _open(self) -> BinaryIO:
        return open_file(blob(self._home, self._row.input_file_id), self._row.input_file_id, self._seal)

    def _validate(self) -> None:
        now = int(time.time())
        try:
            with self._open() as file:
                total, flaws = check(file, self._row.endpoint, self._rules)
        except (FileNotFoundError, SealLost):
            total, flaws = 0, [_gone()]
        if flaws:
            return self._fail(flaws)
        self._change(("validating",), {"status": "in_progress", "in_progress_at": now, "total": total})
        return None

    async def _ask_all(self) -> None:
        try:
            file = self._open()
        except FileNotFoundError:
            await asyncio.to_thread(self._fail, [_gone()])
            return
        done = await asyncio.to_thread(lambda: self._good.open() | self._bad.open())
        rows = (row for row in read_rows(file) if row.custom_id not in done)
        left = self._row.expires_at - time.time()
        timer = asyncio.get_running_loop().call_later(max(0.0, left), self._halt.set)
        if left <= 0 or self._row.status == "cancelling":
            self._halt.set()
        await self._hold()
        lanes = [asyncio.create_task(self._lane(rows)) for _ in range(self._rules.concurrency)]
        try:
            await self._watch(lanes)
        finally:
            timer.cancel()
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)
            file.close()
        self._late = self._halt.is_set() and self._row.status == "in_progress" and time.time() >= self._row.expires_at
        if self._late:
            await asyncio.to_thread(self._expire)

    async def _hold(self) -> None:
        """Wait until it is time to begin. What has begun goes on, and as much time is kept in hand as it may take."""
        if self._begin is None or self._good.count or self._bad.count:
            return
        seconds = self._row.total / self._rules.concurrency * _ROW
        while not self._halt.is_set():
            now = time.time()
            start = await self._begin(seconds, now, self._row.expires_at - seconds)
            if start <= now:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._halt.wait(), min(start - now, _LOOK))

    async def _watch(self, lanes: Sequence[asyncio.Task[None]]) -> None:
        """Wait until every lane has ended, and tell of progress meanwhile."""
        pending = set(lanes)
        noted = (-1, -1)
        while pending:
            ended, pending = await asyncio.wait(pending, timeout=_PROGRESS, return_when=asyncio.FIRST_EXCEPTION)
            for lane in ended:
                lane.result()
            counts = (self._good.count, self._bad.count)
            if counts != noted:
                # Answers under way are not given up because the database is away: results lie in files of their own.
                with contextlib.suppress(DBAPIError):
                    await asyncio.to_thread(self._note)
                    noted = counts
        # Whether it was cancelled is to be known now, also where nothing new was to be told.
        await asyncio.to_thread(self._note)

    async def _lane(self, rows: Iterator[Row]) -> None:
        while not self._halt.is_set():
            row = next(rows, None)
            if row is None:
                return
            self._meters.in_flight.add(1)
            try:
                result = await self._sender.ask(row, self._row.key, self._halt)
            finally:
                self._meters.in_flight.add(-1)
            if result is not None:
                (self._good if result.good else self._bad).add(result.line)
                (self._meters.completed if result.good else self._meters.failed).add()

    def _note(self) -> None:
        """Bring results to the disk, and their number to the database."""
        values: dict[str, object] = {"completed": self._good.count, "failed": self._bad.count}
        self._good.sync()
        self._bad.sync()
        self._change(store.OPEN, values)

    def _expire(self) -> None:
        """Say of every row that was not asked in time that it was not."""
        with self._open() as file:
            done = self._good.open() | self._bad.open()
            for row in read_rows(file):
                if row.custom_id not in done:
                    self._bad.add(write_fault(row.custom_id, "batch_expired", _EXPIRED))
                    self._meters.failed.add()
        self._note()

    def _finish(self) -> None:
        """Make files of the results, in steps each of which may be repeated."""
        # Somebody may cancel it in this very moment; then that is what it was.
        while (values := self._names()) and not self._change((self._row.status,), values):
            pass
        if self._row.status not in store.OPEN:
            return
        state, now = self._end(), int(time.time())
        files = [
            self._file(self._good, self._row.output_file_id, "output", now),
            self._file(self._bad, self._row.error_file_id, "error", now),
        ]
        with writing(self._engine) as connection:
            for file in files:
                if file is not None:
                    store.add_file(self._engine, connection, file)
            store.change_batch(connection, self._row.id, store.OPEN, {"status": state, f"{state}_at": now})
        _log.info("batch_ended", batch=self._row.id, status=state)

    def _names(self) -> dict[str, object]:
        """Return what to note before results become files; nothing, once that is done."""
        values: dict[str, object] = {}
        if self._is_ending() or self._row.status not in ("in_progress", "cancelling"):
            return values
        if self._good.size():
            values["output_file_id"] = f"file-{uuid7().replace('-', '')}"
        if self._bad.size():
            values["error_file_id"] = f"file-{uuid7().replace('-', '')}"
        if self._end() == "completed":
            values |= {"status": "finalizing", "finalizing_at": int(time.time())}
        return values

    def _end(self) -> str:
        """Return the state that it ends in."""
        if self._row.status == "cancelling":
            return "cancelled"
        # One that completes is finalizing before its results are named.
        late = self._late or (self._row.status == "in_progress" and self._is_ending())
        return "expired" if late else "completed"

    def _file(self, results: "Results", name: str | None, kind: str, now: int) -> FileRow | None:
        row = self._row
        if name is None:
            results.drop()
            return None
        path = blob(self._home, name)
        size = results.rename(path, self._seal, team_of(row.owner))
        return FileRow(
            name,
            row.owner,
            row.node,
            "batch_output",
            f"{row.id}_{kind}.jsonl",
            size,
            now,
            now + row.output_lifetime,
        )

    def _fail(self, flaws: Sequence[Flaw]) -> None:
        errors = msgspec.json.encode({"object": "list", "data": flaws}).decode()
        self._change(store.OPEN, {"status": "failed", "failed_at": int(time.time()), "errors": errors})
        _log.info("batch_ended", batch=self._row.id, status=self._row.status)

    def _change(self, states: Sequence[str], values: dict[str, object]) -> bool:
        """Set ``values`` if it is in one of ``states``, and see how it stands now; return whether it was."""
        with writing(self._engine) as connection:
            changed = store.change_batch(connection, self._row.id, states, values)
            self._row = store.find_batch(connection, self._row.id) or self._row
        return changed


class Results:
    """A file of results: lines appended, whole or not at all. Made with mode 0600."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1
        self._length = 0
        self._synced = 0
        #: Lines in it.
        self.count = 0

    def open(self) -> set[str]:
        """Open it to go on where it ends; return the ``custom_id`` of every line in it."""
        self.close()
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            self._length, done = recover(file)
        os.ftruncate(self._descriptor, self._length)
        self.count = len(done)
        return done

    def add(self, line: bytes) -> None:
        """Append a line.

        Raises:
            OSError: it could not be; the file is as it was.
        """
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            os.ftruncate(self._descriptor, self._length)
            raise
        self._length += len(line)
        self.count += 1

    def sync(self) -> None:
        """Bring it to the disk: what is appended outlives ``kill -9`` at once, a power cut after this."""
        if self._descriptor >= 0 and self._synced != self._length:
            length = self._length
            os.fsync(self._descriptor)
            self._synced = length

    def size(self) -> int:
        """Return its bytes."""
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def rename(self, path: Path, seal: Seal, team: str) -> int:
        """Put it at ``path``, sealed where that is wanted, unless that was done before; return its bytes.

        Raises:
            OSError: it cannot be; to be tried again.
        """
        self.sync()
        with contextlib.suppress(FileNotFoundError):
            if seal.enabled:
                try:
                    seal_file(self._path, path, path.name, seal, team)
                except SealLost:
                    raise OSError("there is no key to seal results with") from None
                self._path.unlink()
            else:
                self._path.rename(path)
        return plain_size(path)

    def drop(self) -> None:
        """Remove it."""
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close it; it may be opened again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _gone() -> Flaw:
    return Flaw("file_not_found", "The file of requests is gone; upload it again.")
