"""Files of callers and batches, as a place that is searched for a subject.

Lines of a file that are about a subject are taken out of it; all of a key's own files go. A file that an unfinished
batch reads stays until that has ended.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
from sqlalchemy import Engine

from mainstay.batches import store
from mainstay.batches.port import FileRow
from mainstay.batches.service import blob, node_of, team_of
from mainstay.core.subject import Subject, Trace
from mainstay.store.sealed_file import open_file, write_file
from mainstay.store.sealing import Seal, SealLost
from mainstay.store.sql import reading, writing

__all__ = ["FilePlace"]

_FIELDS = ("user", "safety_identifier")


class FilePlace:
    """Files below ``var/files`` of this machine."""

    name = "files"

    def __init__(self, engine: Engine, home: Path, seal: Seal) -> None:
        self._engine = engine
        self._home = home
        self._seal = seal

    def find(self, subject: Subject) -> Iterator[Trace]:
        """Yield lines, or whole files; see :class:`~mainstay.core.subject.Place`."""
        for row in self._rows():
            if self._owns(row, subject):
                yield self._whole(row)
                continue
            for number, line in enumerate(self._lines(row), 1):
                if _is_about(line, subject):
                    yield _line(row, number, line)

    def erase(self, subject: Subject, removed: Callable[[Trace], None]) -> None:
        """Take the lines out, or remove the files."""
        for row in self._rows():
            with reading(self._engine) as connection:
                if store.is_in_use(connection, row.id):
                    continue
            if self._owns(row, subject):
                trace = self._whole(row)
                with writing(self._engine) as connection:
                    store.remove_files(connection, [row.id])
                blob(self._home, row.id).unlink(missing_ok=True)
                removed(trace)
                continue
            lines = list(self._lines(row))
            gone = [_line(row, number, line) for number, line in enumerate(lines, 1) if _is_about(line, subject)]
            if gone:
                rest = b"".join(line for line in lines if not _is_about(line, subject))
                write_file(blob(self._home, row.id), rest, row.id, self._seal, team_of(row.owner))
                with writing(self._engine) as connection:
                    store.resize_file(connection, row.id, len(rest))
            for trace in gone:
                removed(trace)

    def _rows(self) -> list[FileRow]:
        with reading(self._engine) as connection:
            return store.files_of_node(connection, node_of(self._home))

    def _lines(self, row: FileRow) -> Iterator[bytes]:
        # What no key opens any more says nothing of anyone.
        with suppress(FileNotFoundError, SealLost), open_file(blob(self._home, row.id), row.id, self._seal) as file:
            yield from file

    def _owns(self, row: FileRow, subject: Subject) -> bool:
        return subject.kind == "key" and row.owner in {f"key/{key}" for key in subject.keys}

    def _whole(self, row: FileRow) -> Trace:
        text = b"".join(self._lines(row)).decode("utf-8", "replace")
        data = {"filename": row.filename, "purpose": row.purpose, "content": text}
        return Trace(self.name, row.id, "file", row.created_at * 1000, data)


def _line(row: FileRow, number: int, line: bytes) -> Trace:
    data = {"filename": row.filename, "purpose": row.purpose, "line": line.decode("utf-8", "replace").rstrip("\r\n")}
    return Trace("files", f"{row.id}:{number}", "line of a file", row.created_at * 1000, data)


def _is_about(line: bytes, subject: Subject) -> bool:
    text = line.decode("utf-8", "replace")
    if subject.kind == "text":
        inner = msgspec.json.encode(subject.value).decode()[1:-1]
        return subject.is_in(text) or inner.casefold() in text.casefold()
    if subject.kind != "user":
        return False
    said = msgspec.json.encode(subject.value).decode()
    return any(f'"{field}":{gap}{said}' in text for field in _FIELDS for gap in ("", " "))
