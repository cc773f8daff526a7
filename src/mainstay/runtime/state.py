"""What the supervisor leaves under ``run/`` for others: the lock that keeps a second server out, and the state file.

``state.json`` says which parts are up, so that any worker can answer ``/health/ready`` and any command can show it,
without asking the supervisor. Written by renaming, so a reader never sees half of it.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainstay.core.errors import StartError

__all__ = [
    "Lock",
    "has_begun",
    "is_running",
    "make_private",
    "read_state",
    "running_pid",
    "write_private",
    "write_state",
]

_STATE = "state.json"
_LOCK = "mainstay.pid"


def make_private(directory: Path) -> None:
    """Create ``directory`` (mode 0700) unless it is there, and make sure that it can be written.

    Raises:
        StartError: it cannot be created or written.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        writable = os.access(directory, os.W_OK | os.X_OK)
    except OSError:
        writable = False
    if not writable:
        raise StartError(
            f"Cannot write to {directory}; give this user write permission there, or set MAINSTAY_HOME to a directory"
            " that it may write."
        )


def write_private(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data`` in one step, readable by its owner only.

    Raises:
        OSError: the disk or the permissions do not allow it.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
    os.replace(part, path)


def write_state(run: Path, state: Mapping[str, object]) -> None:
    """Publish ``state`` as ``run/state.json``. A full disk is let be: the state in memory goes on."""
    with contextlib.suppress(OSError):
        write_private(run / _STATE, json.dumps(state).encode())


def read_state(run: Path) -> dict[str, Any] | None:
    """Return what the supervisor last published, or None when none has run or what is there cannot be read.

    Shape: ``{"pid", "url", "ready", "begun", "generation", "config_error", "parts": {name: {"kind", "state",
    "restarts", "reason", "pid"}}, "restart": {"number", "state", "reason", "replaced": {name: [old pid or 0, new
    pid]}, "listen_differs"}}``. ``ready``: calls are answered as they should be; ``begun``: every part was up once. A
    part's ``state`` is ``starting``, ``up``, ``failing``, ``draining`` or ``stopped``; that of the latest rolling
    restart ``replacing``, ``draining``, ``done`` or ``failed``, and ``""`` when there was none. ``listen_differs``: an
    edit asks for an address or a number of workers that only a stop and a start give.
    """
    try:
        state = json.loads((run / _STATE).read_bytes())
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) else None


def is_running(run: Path) -> bool:
    """Return whether a supervisor holds the lock of ``run`` now."""
    try:
        descriptor = os.open(run / _LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def running_pid(run: Path) -> int | None:
    """Return the process id of the supervisor that runs on ``run`` and takes signals, or None.

    A supervisor that has only just begun does not take signals yet: one that it takes before would end it.
    """
    if not is_running(run):
        return None
    try:
        pid = int((run / _LOCK).read_text())
    except (OSError, ValueError):
        return None
    # What another one left there says nothing of this one.
    return pid if (read_state(run) or {}).get("pid") == pid else None


def has_begun(run: Path) -> bool:
    """Return whether a server runs on ``run`` that had every part up before: what it needs was there then."""
    return running_pid(run) is not None and bool((read_state(run) or {}).get("begun"))


class Lock:
    """Held while a server runs on one home: ``run/mainstay.pid``. The kernel lets go of it when the holder dies."""

    def __init__(self, run: Path) -> None:
        """Take the lock.

        Raises:
            StartError: another server holds it, or it cannot be written.
        """
        try:
            self._fd = os.open(run / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            raise StartError(f"Cannot write to {run}; give this user write permission there.") from None
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pid = os.read(self._fd, 32).decode(errors="replace").strip()
            os.close(self._fd)
            raise StartError(
                f"Another Mainstay (pid {pid or 'unknown'}) already runs on {run.parent}; stop it, or set MAINSTAY_HOME"
                " to another directory."
            ) from None
        os.ftruncate(self._fd, 0)
        os.write(self._fd, f"{os.getpid()}\n".encode())

    def forget(self) -> None:
        """Close this process's copy; a forked child calls it so that the lock dies with the supervisor."""
        os.close(self._fd)

    def release(self) -> None:
        """Let go of the lock; the next server may start."""
        # The file stays: removing it would let a third server lock a new file while a second holds the old one.
        os.ftruncate(self._fd, 0)
        os.close(self._fd)
