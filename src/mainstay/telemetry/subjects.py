"""Where records keep something of a subject: in the database, in the workers' journals, and among rejected lines.

Records come last when something is erased: what else belongs to a call is found by its record. A journal's line that
is loaded already stays in its file until the worker ends or begins another; it is written over in place, with as many
bytes, so that the worker that appends and the loader that reads behind it notice nothing.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Engine

from mainstay.core.record import Record
from mainstay.core.subject import Subject, Trace
from mainstay.store.files import write_atomic
from mainstay.store.journal import journal_files
from mainstay.store.sealing import Seal, SealLost, request_about, response_about
from mainstay.store.sql import reading, writing
from mainstay.telemetry.erasing import RecordRow, erase_records, records_of, upstream_ids
from mainstay.telemetry.jobs import REJECTED
from mainstay.telemetry.store import offsets

__all__ = ["JournalPlace", "RecordPlace", "RejectedPlace", "ids_of"]

_PAGE = 200
_decode = msgspec.json.Decoder(Record).decode
_LOST = "(sealed; its key is gone)"


def ids_of(engine: Engine, subject: Subject, seal: Seal) -> frozenset[str]:
    """Return the ids that a subject's records have, here and upstream; of a text, those whose content has it."""
    found: set[str] = set()
    with reading(engine) as connection:
        page = [row.id for row in records_of(connection, subject) if _concerns(row, subject, seal)]
        for start in range(0, len(page), _PAGE):
            found |= upstream_ids(connection, page[start : start + _PAGE])
    return frozenset(found.union(page))


class RecordPlace:
    """Records in the database, with their content."""

    name = "records"

    def __init__(self, engine: Engine, seal: Seal) -> None:
        self._engine = engine
        self._seal = seal

    def find(self, subject: Subject) -> Iterator[Trace]:
        """Yield records; see :class:`~mainstay.core.subject.Place`."""
        with reading(self._engine) as connection:
            for row in records_of(connection, subject):
                if _concerns(row, subject, self._seal):
                    yield _trace(row, self._seal)

    def erase(self, subject: Subject, removed: Callable[[Trace], None]) -> None:
        """Take content, user and tags away, some records at a time."""
        after = 0
        while True:
            page: list[tuple[int, Trace]] = []
            with reading(self._engine) as connection:
                for row in records_of(connection, subject, after):
                    after = row.seq
                    # What is erased already has nothing left that could be.
                    if (row.request is not None or row.user or row.tags) and _concerns(row, subject, self._seal):
                        page.append((row.seq, _trace(row, self._seal)))
                    if len(page) == _PAGE:
                        break
            if not page:
                return
            with writing(self._engine) as connection:
                erase_records(connection, [trace.id for _, trace in page])
            for _, trace in page:
                removed(trace)


class JournalPlace:
    """Lines of the workers' journals that are loaded, and so written twice."""

    name = "journals"

    def __init__(self, engine: Engine, directory: Path, seal: Seal) -> None:
        self._engine = engine
        self._directory = directory
        self._seal = seal

    def find(self, subject: Subject) -> Iterator[Trace]:
        """Yield lines; see :class:`~mainstay.core.subject.Place`."""
        for path, loaded in self._files():
            with open(path, "rb") as file:
                for start, _, record in _lines(file.read(loaded)):
                    if _says(record, subject, self._seal):
                        yield Trace(self.name, f"{path.name}:{start}", "line", record.at, _shown(record, self._seal))

    def erase(self, subject: Subject, removed: Callable[[Trace], None]) -> None:
        """Write over the lines what they say of nobody."""
        for path, loaded in self._files():
            descriptor = os.open(path, os.O_RDWR)
            try:
                data = os.pread(descriptor, loaded, 0)
                for start, end, record in _lines(data):
                    if not _says(record, subject, self._seal):
                        continue
                    trace = Trace(self.name, f"{path.name}:{start}", "line", record.at, _shown(record, self._seal))
                    os.pwrite(descriptor, _blank(record, end - start), start)
                    os.fsync(descriptor)
                    removed(trace)
            finally:
                os.close(descriptor)

    def _files(self) -> Iterator[tuple[Path, int]]:
        paths = journal_files(self._directory)
        with reading(self._engine) as connection:
            loaded = offsets(connection, [path.name for path in paths])
        for path in paths:
            # A file may end while we look; then the database has all of it.
            if path.exists() and loaded.get(path.name):
                yield path, loaded[path.name]


class RejectedPlace:
    """Lines that were no records, kept for a person to look at."""

    name = "rejected lines"

    def __init__(self, directory: Path) -> None:
        self._path = directory / REJECTED

    def find(self, subject: Subject) -> Iterator[Trace]:
        """Yield lines; see :class:`~mainstay.core.subject.Place`."""
        for number, line in enumerate(self._read(), 1):
            if _mentions(line, subject):
                yield Trace(self.name, f"{REJECTED}:{number}", "line", 0, {"line": line.decode("utf-8", "replace")})

    def erase(self, subject: Subject, removed: Callable[[Trace], None]) -> None:
        """Write the file anew without them."""
        lines = self._read()
        gone = list(self.find(subject))
        if gone:
            write_atomic(self._path, b"".join(line for line in lines if not _mentions(line, subject)))
        for trace in gone:
            removed(trace)

    def _read(self) -> list[bytes]:
        try:
            return self._path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return []


def _concerns(row: RecordRow, subject: Subject, seal: Seal) -> bool:
    """Say whether a record that the database found is the subject's: for a text, whether it says it."""
    if subject.kind != "text":
        return True
    if subject.is_in(row.user) or subject.is_in(row.tags):
        return True
    return row.request is not None and any(subject.is_in(text) for text in _opened(row, seal))


def _opened(row: RecordRow, seal: Seal) -> tuple[str, str]:
    try:
        request = seal.open_text(row.request or "", request_about(row.id))
        return request, seal.open_text(row.response or "", response_about(row.id))
    except SealLost:
        return _LOST, _LOST


def _trace(row: RecordRow, seal: Seal) -> Trace:
    data: dict[str, Any] = {
        name: getattr(row, name) for name in ("request_id", "organisation", "team", "key", "user", "tags", "route")
    }
    if row.request is not None:
        data["request"], data["response"] = _opened(row, seal)
    return Trace("records", row.id, "record" if row.request is None else "record with content", row.at, data)


def _lines(data: bytes) -> Iterator[tuple[int, int, Record]]:
    """Yield where each line begins and ends (before its newline), and its record."""
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        if end > start:
            # A line that is none: the loader has put it among the rejected.
            with suppress(ValueError):
                yield start, end, _decode(data[start:end])
        start = end + 1


def _says(record: Record, subject: Subject, seal: Seal) -> bool:
    if subject.kind == "user":
        return record.user == subject.value
    if subject.kind == "key":
        return record.key in subject.keys and bool(record.content or record.user or record.tags)
    texts = [record.user, *record.tags]
    if record.content is not None:
        try:
            texts.append(seal.open_text(record.content.request, request_about(record.id)))
            texts.append(seal.open_text(record.content.response, response_about(record.id)))
        except SealLost:
            pass
    return any(subject.is_in(text) for text in texts)


def _shown(record: Record, seal: Seal) -> dict[str, Any]:
    shown: dict[str, Any] = {"record": record.id, "user": record.user, "tags": record.tags, "key": record.key}
    if record.content is not None:
        try:
            shown["request"] = seal.open_text(record.content.request, request_about(record.id))
            shown["response"] = seal.open_text(record.content.response, response_about(record.id))
        except SealLost:
            shown["request"] = shown["response"] = _LOST
    return shown


def _blank(record: Record, length: int) -> bytes:
    """Return the line of a record without what it says of anyone, filled up with newlines, which readers pass over."""
    record.content, record.user, record.tags = None, "", []
    for attempt in record.attempts:
        attempt.detail = ""
    line = msgspec.json.encode(record)
    return line.ljust(length, b"\n") if len(line) <= length else b"\n" * length


def _mentions(line: bytes, subject: Subject) -> bool:
    text = line.decode("utf-8", "replace")
    # The line is a text in JSON, and what it quotes is one again.
    inner = text.replace('\\\\"', '"').replace('\\"', '"')
    if subject.kind == "user":
        return f'"user":"{subject.value}"' in inner
    if subject.kind == "key":
        return any(f'"key":"{key}"' in inner for key in subject.keys)
    return subject.is_in(text) or subject.is_in(inner)
