"""Files and batches as their callers use them: blocking, for a thread.

A file's bytes lie in ``var/files`` under its id, written whole or not at all before the database knows of it. To
whoever is not its owner a file or batch does not exist. Knows no HTTP.
"""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import msgspec
from sqlalchemy import Engine

from mainstay.batches import store
from mainstay.batches.config import BatchesConfig
from mainstay.batches.port import BatchRow, FileRow
from mainstay.core.errors import BodyTooLarge, InvalidRequest, NotFound, Unavailable
from mainstay.core.ids import uuid7
from mainstay.store.files import create_once, private_dir
from mainstay.store.sealed_file import open_file, write_file
from mainstay.store.sealing import NullSeal, Seal, SealLost
from mainstay.store.sql import open_engine, reading, writing

__all__ = ["Service", "blob", "folder", "node_of", "open_service", "team_of"]

_WINDOW = re.compile(r"([1-9][0-9]{0,3})(m|h|d)")
_UNITS = {"m": 60, "h": 3600, "d": 86400}
_LONGEST_WINDOW = 14 * 86400
#: Seconds of ``expires_after``, as OpenAI has them.
_SHORTEST_LIFE, _LONGEST_LIFE = 3600, 30 * 86400


def folder(home: Path) -> Path:
    """Return where files lie."""
    return home / "files"


def blob(home: Path, name: str) -> Path:
    """Return where the bytes of the file ``name`` lie; ``name`` was made here."""
    return folder(home) / name


def node_of(home: Path) -> str:
    """Return the name of the machine, or rather of this ``var``: several may share a database, but not their files.

    Raises:
        StartError: it can be neither read nor made.
    """
    return create_once(folder(home) / "node", uuid7().encode()).decode("ascii", "replace")


class Service:
    """Files and batches of all owners. An owner is a text: who may see what was made.

    Args:
        engine: the database.
        home: the folder Mainstay writes to.
        rules: limits.
        clock: seconds since 1970.
        seal: seals and opens files.
    """

    def __init__(
        self,
        engine: Engine,
        home: Path,
        rules: BatchesConfig,
        clock: Callable[[], float] = time.time,
        seal: Seal | None = None,
    ) -> None:
        self._seal = seal or NullSeal()
        self._engine = engine
        self._home = home
        self._rules = rules
        self._clock = clock
        self._node = node_of(home)

    def add_file(self, owner: str, purpose: str, filename: str, data: bytes, lifetime: int | None) -> FileRow:
        """Keep a file for ``lifetime`` seconds, or as long as is usual.

        Raises:
            BodyTooLarge: the owner's files take too much.
            InvalidRequest: there is no such lifetime.
            OSError: it cannot be written.
        """
        now = int(self._clock())
        life = self._life(lifetime, "expires_after[seconds]")
        with reading(self._engine) as connection:
            taken = store.total_bytes(connection, owner)
        if taken + len(data) > self._rules.max_storage:
            raise BodyTooLarge(
                f"Your files would take more than {self._rules.max_storage} bytes; delete some first.",
                code="storage_limit_exceeded",
            )
        row = FileRow(
            f"file-{uuid7().replace('-', '')}", owner, self._node, purpose, filename, len(data), now, now + life
        )
        private_dir(folder(self._home))
        try:
            write_file(blob(self._home, row.id), data, row.id, self._seal, team_of(owner))
        except SealLost:
            raise Unavailable("Files cannot be sealed yet; try again shortly.", retry_after=1.0) from None
        with writing(self._engine) as connection:
            store.add_file(self._engine, connection, row)
        return row

    def file(self, owner: str, name: str) -> FileRow:
        """Return a file.

        Raises:
            NotFound: there is none of this name for this owner.
        """
        with reading(self._engine) as connection:
            row = store.find_file(connection, owner, name, int(self._clock()))
        if row is None:
            raise _no_file(name)
        return row

    def files(
        self, owner: str, *, purpose: str | None, after: str | None, limit: int, newest: bool
    ) -> tuple[list[FileRow], bool]:
        """Return a page of files, and whether there are more."""
        now = int(self._clock())
        with reading(self._engine) as connection:
            rows = store.list_files(
                connection, owner, now, purpose=purpose, after=after, limit=limit + 1, newest=newest
            )
        return rows[:limit], len(rows) > limit

    def content(self, owner: str, name: str) -> BinaryIO:
        """Open what is in a file; whoever reads it closes it.

        Raises:
            NotFound: there is no such file for this owner, or another machine has it.
        """
        row = self.file(owner, name)
        path = blob(self._home, row.id)
        if row.node != self._node:
            raise NotFound(f"The content of '{name[:100]}' lies on another machine of this gateway; ask that one.")
        try:
            file = open_file(path, row.id, self._seal)
        except FileNotFoundError:
            raise _no_file(name) from None
        try:
            # A key that is gone shows here, before anything is sent.
            file.peek(1)  # type: ignore[attr-defined]  # both kinds are buffered
        except SealLost:
            file.close()
            raise _no_file(name) from None
        return file

    def remove_file(self, owner: str, name: str) -> None:
        """Delete a file.

        Raises:
            NotFound: there is none of this name for this owner.
            InvalidRequest: a batch reads it.
        """
        row = self.file(owner, name)
        with writing(self._engine) as connection:
            if store.is_in_use(connection, row.id):
                raise InvalidRequest(
                    "A batch that is not finished reads this file; cancel the batch first.",
                    param="file_id",
                    code="file_in_use",
                    status=409,
                )
            store.remove_files(connection, [row.id])
        blob(self._home, row.id).unlink(missing_ok=True)

    def add_batch(
        self,
        owner: str,
        key: str,
        *,
        endpoint: str,
        input_file_id: str,
        window: str,
        metadata: dict[str, str] | None,
        lifetime: int | None,
    ) -> BatchRow:
        """Begin a batch.

        Raises:
            InvalidRequest: the file is not there, is not for batches, or there is no such window.
        """
        now = int(self._clock())
        found = _WINDOW.fullmatch(window)
        seconds = int(found[1]) * _UNITS[found[2]] if found is not None else 0
        if not 0 < seconds <= _LONGEST_WINDOW:
            raise InvalidRequest(
                "'completion_window' is a time such as '24h' or '90m', of 14 days at most.", param="completion_window"
            )
        life = self._life(lifetime, "output_expires_after.seconds")
        encoded = None if metadata is None else msgspec.json.encode(metadata).decode()
        with writing(self._engine) as connection:
            file = store.find_file(connection, owner, input_file_id, now)
            if file is None:
                raise InvalidRequest(
                    f"There is no file '{input_file_id[:100]}' for this key; upload it with purpose 'batch'.",
                    param="input_file_id",
                )
            if file.purpose != "batch":
                raise InvalidRequest("The file must be uploaded with purpose 'batch'.", param="input_file_id")
            if store.count_open(connection, owner=owner) >= self._rules.max_open:
                raise InvalidRequest(
                    f"{self._rules.max_open} of your batches are not finished; wait for one of them.",
                    code="too_many_batches",
                    status=429,
                )
            row = BatchRow(
                f"batch_{uuid7().replace('-', '')}",
                owner,
                file.node,
                key,
                endpoint,
                file.id,
                window,
                "validating",
                now,
                now + seconds,
                life,
                metadata=encoded,
            )
            store.add_batch(connection, row)
        return row

    def batch(self, owner: str, name: str) -> BatchRow:
        """Return a batch.

        Raises:
            NotFound: there is none of this name for this owner.
        """
        with reading(self._engine) as connection:
            row = store.find_batch(connection, name, owner)
        if row is None:
            raise NotFound(f"There is no batch '{name[:100]}' for this key.", param="batch_id")
        return row

    def batches(self, owner: str, *, after: str | None, limit: int) -> tuple[list[BatchRow], bool]:
        """Return a page of batches, the newest first, and whether there are more."""
        with reading(self._engine) as connection:
            rows = store.list_batches(connection, owner, after=after, limit=limit + 1)
        return rows[:limit], len(rows) > limit

    def cancel(self, owner: str, name: str) -> BatchRow:
        """Begin to cancel a batch: no further row is asked. One that is being cancelled already stays so.

        Raises:
            NotFound: there is none of this name for this owner.
            InvalidRequest: it is finished, or all but finished.
        """
        self.batch(owner, name)
        values: dict[str, object] = {"status": "cancelling", "cancelling_at": int(self._clock())}
        with writing(self._engine) as connection:
            store.change_batch(connection, name, ("validating", "in_progress"), values)
            row = store.find_batch(connection, name)
        if row is None or row.status not in ("cancelling", "cancelled"):
            state = "gone" if row is None else row.status
            raise InvalidRequest(
                f"The batch cannot be cancelled any more: it is {state}.", code="batch_not_cancellable", status=409
            )
        return row

    def _life(self, asked: int | None, param: str) -> int:
        usual = int(self._rules.expire)
        if asked is None:
            return usual
        if not _SHORTEST_LIFE <= asked <= _LONGEST_LIFE:
            raise InvalidRequest(
                f"A file is kept from {_SHORTEST_LIFE} to {_LONGEST_LIFE} seconds; give one of them.", param=param
            )
        return min(asked, usual)


def team_of(owner: str) -> str:
    """Return the team whose an owner's files are; "" for a key's own."""
    return owner.removeprefix("team/") if owner.startswith("team/") else ""


def open_service(url: str, home: Path, rules: BatchesConfig, seal: Seal | None = None) -> Service:
    """Return the service of an installation.

    Raises:
        StartError: the database or the folder cannot be used.
    """
    return Service(open_engine(url, create=False), home, rules, seal=seal)


def _no_file(name: str) -> NotFound:
    return NotFound(
        f"There is no file '{name[:100]}' for this key; it was never there, has expired or was deleted.",
        param="file_id",
        code="file_not_found",
    )
