"""The journal: records of answered calls as lines of JSON, kept by the kernel before the answer closes.

Each worker appends to a file of its own in ``var/journal``; the control process loads the lines into the
database and removes files whose writer is gone. One ``write`` per record: a process killed right after it
loses nothing, because the bytes are the kernel's. (A power cut may cost the last seconds: there is no fsync
on the request path.)

A writer holds an exclusive ``flock`` on its file for as long as it may write; the kernel lets go of it when
the process ends, however it ends. So whoever can share the lock knows that the file is final.

Does not know what a record is: a line is bytes without a newline.
"""

import fcntl
import os
import re
from pathlib import Path

import msgspec

from mainstay.core.errors import StartError
from mainstay.core.ids import uuid7
from mainstay.store.files import private_dir

__all__ = ["Chunk", "Journal", "has_final", "is_final", "journal_files", "read_chunk"]

_NAME = re.compile(r"[A-Za-z0-9_]+-[0-9a-f]{8}-[0-9a-f-]{27}\.jsonl")


class Journal:
    """Appends lines to ``<directory>/<worker>-<uuid7>.jsonl``; implements ``core.ports.JournalPort``.

    Open it in the process that writes, after any fork: a child that inherits the descriptor would keep the
    file's lock alive. Not for several threads at once.

    Args:
        directory: made with mode 0700 when missing; must be on a local file system.
        worker: the number of the worker; part of the file's name.
        max_bytes: a file this long or longer is left to the loader and another one begun.

    Raises:
        StartError: no file can be opened there.
    """

    def __init__(self, directory: Path, worker: int, *, max_bytes: int = 64 * 1024 * 1024) -> None:
        self._directory = private_dir(directory)
        self._worker = worker
        self._max_bytes = max_bytes
        self._size = 0
        self._torn = False
        try:
            self._descriptor = self._open()
        except OSError as error:
            raise StartError(
                f"Cannot open a journal in '{directory}' ({error.strerror}): it must be a writable directory "
                "with free space on a local disk; MAINSTAY_HOME moves it."
            ) from None

    def append(self, line: bytes) -> bool:
        """Append ``line`` and a newline in one ``write`` (about 2 µs).

        Returns False when the line could not be written whole (a full disk, a closed journal). What was
        written of it stands alone on its line: the next append begins a new one, and the reader skips it.
        """
        data = b"\n" + line + b"\n" if self._torn else line + b"\n"
        try:
            written = os.write(self._descriptor, data)
            # A disk that fills up takes a part first and refuses the rest.
            while written < len(data):
                self._torn = True
                self._size += written
                data = data[written:]
                written = os.write(self._descriptor, data)
        except OSError:
            return False
        self._torn = False
        self._size += written
        if self._size >= self._max_bytes:
            self._rotate()
        return True

    def close(self) -> None:
        """Let go of the file, so that the loader can finish it. Appending afterwards returns False."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _rotate(self) -> None:
        try:
            fresh = self._open()
        except OSError:
            return  # the old file still takes lines; the next append tries again
        os.close(self._descriptor)
        self._descriptor = fresh
        self._size = 0

    def _open(self) -> int:
        while True:
            path = self._directory / f"{self._worker}-{uuid7()}.jsonl"
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # A loader that looked between the open and the lock took the file for an abandoned one.
                if os.fstat(descriptor).st_nlink:
                    return descriptor
            except BlockingIOError:
                pass
            except OSError:
                os.close(descriptor)
                raise
            os.close(descriptor)


def has_final(directory: Path) -> bool:
    """Say whether a journal waits to be loaded whose writer is gone."""
    for path in journal_files(directory):
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            if is_final(descriptor):
                return True
        finally:
            os.close(descriptor)
    return False


class Chunk(msgspec.Struct, frozen=True):
    """Whole lines (without newlines, blank ones left out) and the offset right behind the last of them."""

    lines: tuple[bytes, ...]
    end: int


def journal_files(directory: Path) -> list[Path]:
    """Return the journal files in ``directory``, oldest first; none when there is no such directory."""
    try:
        names = [name for name in os.listdir(directory) if _NAME.fullmatch(name)]
    except FileNotFoundError:
        return []
    return [directory / name for name in sorted(names, key=lambda name: name.partition("-")[2])]


def is_final(descriptor: int) -> bool:
    """Say whether no one can write to this open journal file any more; if so, no one will until it is closed.

    Any number of readers may know so at once: to one that is still loading it, it is no less final than to others.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def read_chunk(descriptor: int, start: int, stop: int, *, want: int = 1024 * 1024) -> Chunk:
    """Read whole lines between the offsets ``start`` and ``stop``.

    About ``want`` bytes, more when a single line is longer. An unfinished last line is left for the next
    reading: then ``end`` stands before it, and equals ``start`` when there was no whole line at all.
    """
    while True:
        span = min(want, stop - start)
        data = os.pread(descriptor, span, start) if span > 0 else b""
        cut = data.rfind(b"\n") + 1
        if cut:
            return Chunk(tuple(line for line in data[:cut].split(b"\n") if line), start + cut)
        if len(data) < want:
            return Chunk((), start)
        want *= 2
