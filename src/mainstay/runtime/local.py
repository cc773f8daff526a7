"""Sockets between the processes of one machine: a file under ``run/`` that only their owner can reach.

Stands beside ``sockets``, which has those of the network. Does not know what is said over them.
"""

import os
import socket
import sys
from pathlib import Path

from mainstay.core.errors import StartError

__all__ = ["listen_local", "reach_local"]

_BACKLOG = 512
#: The kernel takes 108 bytes on Linux and 104 elsewhere, and one of them ends the text.
_LONGEST = 100


def listen_local(path: Path) -> socket.socket:
    """Return a listening, non-blocking socket at ``path``, with mode 0600.

    Whoever listened there before keeps the connections it has; from now on new ones come here, and none is refused in
    between. The file outlives the socket: it is replaced by the next one.

    Raises:
        StartError: it cannot be made, or the path is longer than this system allows.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    sock = socket.socket(socket.AF_UNIX)
    try:
        beside.unlink(missing_ok=True)
        where, folder = _short(beside)
        try:
            sock.bind(where)
        finally:
            if folder is not None:
                os.close(folder)
        beside.chmod(0o600)
        sock.listen(_BACKLOG)
        beside.replace(path)
    except OSError as error:
        sock.close()
        raise StartError(
            f"Cannot make the socket {path} ({error.strerror}); see that this user may write there."
        ) from None
    sock.setblocking(False)
    return sock


def reach_local(path: Path) -> str:
    """Return how a socket at ``path`` is named to connect to it. For a long path this keeps its folder open.

    Raises:
        StartError: the path is longer than this system allows, or its folder is not there.
    """
    try:
        return _short(path)[0]
    except OSError as error:
        raise StartError(f"Cannot open {path.parent} ({error.strerror}).") from None


def _short(path: Path) -> tuple[str, int | None]:
    """Return a name for ``path`` that fits into a socket's address, and what must stay open meanwhile."""
    if len(os.fsencode(path)) <= _LONGEST:
        return str(path), None
    if sys.platform != "linux":
        raise StartError(f"{path} is too long a path for a socket; set MAINSTAY_HOME to a shorter one.")
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    return f"/proc/self/fd/{folder}/{path.name}", folder
