"""The runner: works through every open batch, in a thread of the control process with an event loop of its own.

One runner at a time for one ``var`` (a lock on a file says which), so that a control process and its successor never
ask the same row. What goes wrong with one batch is logged and tried again later; the others go on. Also removes what
has expired.
"""

import asyncio
import fcntl
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from mainstay.batches import store
from mainstay.batches.config import BatchesConfig
from mainstay.batches.port import BatchRow, Begin, Meter, Meters
from mainstay.batches.sender import Sender
from mainstay.batches.service import blob, folder, node_of
from mainstay.batches.work import Work
from mainstay.core.clock import monotonic
from mainstay.core.ports import Origin, Transport
from mainstay.store.files import private_dir
from mainstay.store.sealing import Seal
from mainstay.store.sql import reading, writing

__all__ = ["Runner", "meters_of", "origin_of"]

_log = structlog.get_logger("mainstay.batches")
#: Seconds between two looks at the database, and the most batches at work at once.
_LOOK = 0.5
_AT_ONCE = 16
#: Seconds until a batch, or the runner itself, that met a fault is tried again.
_AGAIN = 5.0
#: Seconds between two removals, files of one, and how old a file must be before nobody can be about to name it.
_SWEEP = 60.0
_SWEEP_FILES = 500
_YOUNG = 3600.0


class Runner:
    """Works through batches until told to stop.

    Args:
        engine: the database, migrated.
        home: the folder Mainstay writes to.
        rules: limits.
        pepper: what passes are sealed with.
        origin: returns where the gateway listens, None while it is not up.
        connect: returns a transport, for the event loop it is called in.
        meters: count the work; used in the runner's thread only.
        begin: returns what tells when batches begin; None: all do at once.
        seal: seals and opens files.
    """

    def __init__(
        self,
        engine: Engine,
        home: Path,
        rules: BatchesConfig,
        pepper: bytes,
        origin: Callable[[], Origin | None],
        connect: Callable[[], Transport],
        meters: Meters | None = None,
        begin: Callable[[Transport], Begin] | None = None,
        seal: Seal | None = None,
    ) -> None:
        self._seal = seal
        self._engine = engine
        self._home = home
        self._rules = rules
        self._pepper = pepper
        self._origin = origin
        self._connect = connect
        self._meters = meters or Meters()
        self._connect_begin = begin
        self._begin: Begin | None = None
        self._works: dict[str, tuple[Work, asyncio.Task[None]]] = {}
        #: When a batch that met a fault may be tried again, in monotonic seconds.
        self._again: dict[str, float] = {}
        self._swept = 0.0

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set. Rows under way then are asked again by the next runner."""
        while not stop.is_set():
            try:
                asyncio.run(self._run(stop))
            except Exception:  # noqa: BLE001  # a fault in batches must never take the loader of records along
                _log.exception("batches_failed")
                stop.wait(_AGAIN)

    async def _run(self, stop: threading.Event) -> None:
        node = node_of(self._home)
        lock = os.open(private_dir(folder(self._home)) / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        transport = self._connect()
        try:
            while not stop.is_set() and not _taken(lock):
                await asyncio.to_thread(stop.wait, _LOOK)
            # A runner that was killed may have left rows counted as under way.
            self._meters.in_flight.set(0)
            sender = Sender(transport, self._origin, self._pepper, self._rules)
            self._begin = self._connect_begin(transport) if self._connect_begin is not None else None
            while not stop.is_set():
                try:
                    await self._look(node, sender)
                except (SQLAlchemyError, OSError) as error:
                    # Not the error's own text: it may quote a row.
                    _log.warning("batches_wait", reason=type(getattr(error, "orig", None) or error).__name__)
                    await asyncio.to_thread(stop.wait, _AGAIN)
                await asyncio.to_thread(stop.wait, _LOOK)
        finally:
            tasks = [task for _, task in self._works.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._works.clear()
            await transport.aclose()
            os.close(lock)

    async def _look(self, node: str, sender: Sender) -> None:
        """Begin and end work as the database has it."""
        rows, count = await asyncio.to_thread(self._open_batches, node)
        self._reap()
        now = monotonic()
        for row in rows:
            at_work = self._works.get(row.id)
            if at_work is not None:
                if row.status == "cancelling":
                    at_work[0].cancel()
            elif len(self._works) < _AT_ONCE and self._again.get(row.id, 0.0) <= now:
                work = Work(row, self._engine, self._home, self._rules, sender, self._meters, self._begin, self._seal)
                self._works[row.id] = (work, asyncio.create_task(work.run()))
        self._meters.unfinished.set(count)
        waiting = [row.created_at for row in rows if row.id not in self._works]
        self._meters.waiting.set(max(0.0, time.time() - min(waiting)) if waiting else 0.0)
        if now - self._swept > _SWEEP or not self._swept:
            self._swept = now
            await asyncio.to_thread(self.sweep)

    def _reap(self) -> None:
        """Forget what has ended, and note what must be tried again."""
        for name, (_, task) in list(self._works.items()):
            if not task.done():
                continue
            del self._works[name]
            self._again.pop(name, None)
            error = None if task.cancelled() else task.exception()
            if error is not None:
                self._again[name] = monotonic() + _AGAIN
                reason = type(getattr(error, "orig", None) or error).__name__
                _log.error("batch_interrupted", batch=name, reason=reason)

    def _open_batches(self, node: str) -> tuple[list[BatchRow], int]:
        """Return the oldest batches that are not finished, one more than can be at work, and how many there are."""
        with reading(self._engine) as connection:
            rows = store.open_batches(connection, node, _AT_ONCE + 1)
            return rows, len(rows) if len(rows) <= _AT_ONCE else store.count_open(connection, node=node)

    def sweep(self) -> None:
        """Remove files that have expired, files that nobody knows of, and batches of long ago.

        Raises:
            sqlalchemy.exc.SQLAlchemyError, OSError: the database or disk fails; the rest is for next time.
        """
        now, node = int(time.time()), node_of(self._home)
        with writing(self._engine) as connection:
            old = store.expired_files(connection, node, now, _SWEEP_FILES)
            store.remove_files(connection, old)
            store.forget_batches(connection, now - 2 * int(self._rules.expire))
        for name in old:
            blob(self._home, name).unlink(missing_ok=True)
        with reading(self._engine) as connection:
            for path in self._unknown(connection, now):
                path.unlink(missing_ok=True)

    def _unknown(self, connection: Connection, now: int) -> list[Path]:
        """Return files that were written and never named, or whose name was removed and they were not."""
        old = [
            path
            for path in folder(self._home).iterdir()
            if path.name.startswith(("file-", ".file-", ".batch_")) and path.stat().st_mtime < now - _YOUNG
        ]
        found: list[Path] = []
        for path in old:
            if path.name.startswith(".batch_"):
                row = store.find_batch(connection, path.name[1:].partition(".")[0])
                if row is None or row.status not in store.OPEN:
                    found.append(path)
            elif not store.known_files(connection, [path.name]):
                found.append(path)
        return found


def meters_of(counter: Callable[..., Meter]) -> Meters:
    """Return what counts the work, each opened by the name of its metric and the values of its labels."""
    return Meters(
        counter("mainstay_batch_rows_total", "completed"),
        counter("mainstay_batch_rows_total", "failed"),
        counter("mainstay_batch_rows_in_flight"),
        counter("mainstay_batches_unfinished"),
        counter("mainstay_batch_oldest_waiting_seconds"),
    )


def origin_of(url: str) -> Origin | None:
    """Return where ``http://HOST:PORT`` leads."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    return Origin(host.strip("[]"), int(port)) if host and port.isdigit() else None


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
