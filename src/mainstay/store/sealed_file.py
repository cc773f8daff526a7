"""Files that are sealed piece by piece, so that one of any length is written and read in little memory.

Format 1: ``\\0msf1``, then for each piece of up to 64 KiB its sealed length in four bytes (big-endian) and the sealed
piece. A piece is bound to the file, its number and whether it is the last: none can be moved, left out or cut off.
"""

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from mainstay.store.files import write_atomic
from mainstay.store.sealing import Seal, SealLost

__all__ = ["is_sealed_file", "open_file", "plain_size", "seal_file", "sealed_pieces", "write_file"]

_MARK = b"\0msf1"
_PIECE = 64 * 1024
#: What sealing adds to a piece: its own mark, the key's id, the nonce and the tag.
_OVERHEAD = 4 + 16 + 12 + 16


def sealed_pieces(source: BinaryIO, name: str, seal: Seal, team: str) -> Iterator[bytes]:
    """Yield the bytes of the sealed file for what ``source`` has. Raises SealLost."""
    yield _MARK
    number, piece = 0, source.read(_PIECE)
    while True:
        following = source.read(_PIECE)
        sealed = seal.seal(piece, _about(name, number, not following), "", team)
        yield len(sealed).to_bytes(4, "big") + sealed
        if not following:
            return
        number, piece = number + 1, following


def write_file(path: Path, data: bytes, name: str, seal: Seal, team: str) -> None:
    """Put ``data`` at ``path``, sealed where that is wanted, whole or not at all; see ``files.write_atomic``.

    Raises:
        SealLost: there is no key to seal with.
    """
    write_atomic(path, b"".join(sealed_pieces(io.BytesIO(data), name, seal, team)) if seal.enabled else data)


def seal_file(source: Path, target: Path, name: str, seal: Seal, team: str) -> None:
    """Put what ``source`` has at ``target``, sealed, whole or not at all; both may be one.

    Raises:
        OSError, SealLost: it cannot be; ``target`` is as it was.
    """
    scratch = target.with_name(f".{target.name}.sealing")
    try:
        with open(source, "rb") as plain, open(scratch, "wb", opener=_private) as sealed:
            for piece in sealed_pieces(plain, name, seal, team):
                sealed.write(piece)
            sealed.flush()
            _sync(sealed)
        scratch.replace(target)
    except (OSError, SealLost):
        scratch.unlink(missing_ok=True)
        raise


def is_sealed_file(path: Path) -> bool:
    """Say whether a file is sealed. Raises OSError."""
    with open(path, "rb") as file:
        return file.read(len(_MARK)) == _MARK


def open_file(path: Path, name: str, seal: Seal) -> BinaryIO:
    """Open a file to be read from its beginning, sealed or not.

    Reading raises SealLost where it does not open.

    Raises:
        OSError: it cannot be opened.
    """
    file = open(path, "rb")  # noqa: SIM115  # the reader closes it
    if file.read(len(_MARK)) == _MARK:
        return cast("BinaryIO", io.BufferedReader(_Opening(file, name, seal), _PIECE))
    file.seek(0)
    return file


def plain_size(path: Path) -> int:
    """Return the bytes of what a file holds, sealed or not. Raises OSError."""
    with open(path, "rb") as file:
        if file.read(len(_MARK)) != _MARK:
            return path.stat().st_size
        size = 0
        while head := file.read(4):
            length = int.from_bytes(head, "big")
            size += length - _OVERHEAD
            file.seek(length, io.SEEK_CUR)
        return size


class _Opening(io.RawIOBase):
    """The opened pieces of a sealed file, one after the other."""

    def __init__(self, file: BinaryIO, name: str, seal: Seal) -> None:
        self._file = file
        self._name = name
        self._seal = seal
        self._number = 0
        self._rest = memoryview(b"")
        self._head = file.read(4)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]  # any writable buffer
        if not self._rest and self._head:
            self._rest = memoryview(self._piece())
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    def close(self) -> None:
        self._file.close()
        super().close()

    def _piece(self) -> bytes:
        length = int.from_bytes(self._head, "big")
        sealed = self._file.read(length)
        self._head = self._file.read(4)
        about = _about(self._name, self._number, not self._head)
        self._number += 1
        if len(sealed) != length or length < _OVERHEAD:
            raise SealLost
        return self._seal.open(sealed, about)


def _about(name: str, number: int, last: bool) -> str:
    return f"file {name} {number}{' end' if last else ''}"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync(file: BinaryIO) -> None:
    os.fsync(file.fileno())
