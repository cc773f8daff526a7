"""Files only their owner may read, written whole or not at all.

Stands under everything that keeps a file in ``var/``. Does not know what is inside them.
"""

import contextlib
import os
from pathlib import Path

from mainstay.core.errors import StartError
from mainstay.core.ids import uuid7

__all__ = ["create_once", "private_dir", "write_atomic"]


def private_dir(path: Path) -> Path:
    """Return ``path`` as a directory we may write in, made with mode 0700 (parents too) when it is missing.

    Raises:
        StartError: it cannot be made or written; the message says what to do.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise StartError(f"'{path}' is a file where a directory is needed: move it away.") from None
    except OSError as error:
        raise StartError(_advice("make the directory", path, error)) from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise StartError(f"No permission to write in '{path}': give this user the directory, or set MAINSTAY_HOME.")
    return path


def write_atomic(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path`` with mode 0600: a reader sees the old bytes or the new ones, also after a
    power cut.

    Raises:
        OSError: it could not be written; ``path`` is as it was.
    """
    scratch = _scratch(path, data)
    try:
        scratch.replace(path)
    except OSError:
        scratch.unlink(missing_ok=True)
        raise


def create_once(path: Path, data: bytes) -> bytes:
    """Make ``path`` with ``data`` unless it exists, and return what it holds; of several processes one wins.

    Raises:
        StartError: it can be neither made nor read.
    """
    with contextlib.suppress(FileNotFoundError):
        return _read(path)
    private_dir(path.parent)
    try:
        scratch = _scratch(path, data)
        try:
            # A link, unlike a rename, fails when someone else was first.
            os.link(scratch, path)
        finally:
            scratch.unlink(missing_ok=True)
    except FileExistsError:
        pass
    except OSError as error:
        raise StartError(_advice("write", path, error)) from None
    return _read(path)


def _scratch(path: Path, data: bytes) -> Path:
    scratch = path.with_name(f".{path.name}.{uuid7()}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
    except OSError:
        scratch.unlink(missing_ok=True)
        raise
    return scratch


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StartError(_advice("read", path, error)) from None


def _advice(verb: str, path: Path, error: OSError) -> str:
    why = error.strerror or type(error).__name__
    return f"Cannot {verb} '{path}' ({why}): check its owner and the free space, or set MAINSTAY_HOME."
