"""The listening sockets: made once by the supervisor, inherited by every worker.

Each worker slot has its own socket on the same address (``SO_REUSEPORT``), so the kernel spreads connections evenly;
one shared socket would feed the worker that slept last (epoll wakes in that order) and leave the others idle. The
supervisor keeps every socket open, so connections that wait for a dead worker are served by its successor instead of
being reset. Where the kernel does not balance (not Linux) the slots share one socket.
"""

import contextlib
import errno
import os
import socket
import sys
from pathlib import Path

from mainstay.core.errors import StartError

__all__ = ["holder", "listen", "local_url"]

_BACKLOG = 4096


def listen(host: str, port: int, slots: int) -> list[socket.socket]:
    """Return one listening socket per slot, non-blocking and inheritable.

    ``port`` 0 lets the kernel choose; the sockets' own address then tells which.

    Raises:
        StartError: the port is taken or may not be used, or the address is not this machine's.
    """
    family, address = _resolve(host, port)
    separate = slots > 1 and sys.platform == "linux"
    # A bind with SO_REUSEPORT joins a stranger's sockets in silence when the user is the same; one without finds out.
    probe = _bind(family, address, host, reuse_port=False)
    if not separate:
        return [_open(probe)] * slots
    bound = probe.getsockname()
    probe.close()
    return [_open(_bind(family, bound, host, reuse_port=True)) for _ in range(slots)]


def _resolve(host: str, port: int) -> tuple[int, tuple[object, ...]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror:
        raise StartError(f"server.host {host} is not an address of this machine; use 127.0.0.1 or 0.0.0.0.") from None
    except OverflowError:
        raise StartError(f"server.port {port} is not a port; choose one from 1 to 65535.") from None
    family, _, _, _, address = found[0]
    return family, address


def _bind(family: int, address: tuple[object, ...], host: str, *, reuse_port: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(address)
    except OSError as error:
        sock.close()
        raise _refusal(error, host, address[1]) from None
    return sock


def _open(sock: socket.socket) -> socket.socket:
    sock.listen(_BACKLOG)
    sock.setblocking(False)
    sock.set_inheritable(True)
    return sock


def _refusal(error: OSError, host: str, port: object) -> StartError:
    if error.errno == errno.EADDRINUSE:
        by = holder(int(str(port)))
        who = f" by {by}" if by else ""
        return StartError(f"Port {port} is already in use{who}; choose another with --port, or stop it.")
    if error.errno in (errno.EACCES, errno.EPERM):
        return StartError(f"Port {port} needs more rights than this user has; choose one above 1023 with --port.")
    if error.errno == errno.EADDRNOTAVAIL:
        return StartError(f"server.host {host} is not an address of this machine; use 127.0.0.1 or 0.0.0.0.")
    return StartError(f"Cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}.")


def local_url(sock: socket.socket) -> str:
    """Return the address at which a program on this machine reaches a listening socket."""
    host, port = sock.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - looked up, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def holder(port: int) -> str:
    """Return ``name (pid N)`` of the process that listens on ``port``, or "" when it cannot be seen (Linux only)."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            for line in Path(table).read_text().splitlines()[1:]:
                columns = line.split()
                if columns[3] == "0A" and int(columns[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{columns[9]}]")
    if not inodes:
        return ""
    with contextlib.suppress(OSError):
        for process in Path("/proc").iterdir():
            if process.name.isdigit() and _holds(process / "fd", inodes):
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
    return ""


def _holds(fds: Path, links: set[str]) -> bool:
    try:
        return any(os.readlink(fd) in links for fd in fds.iterdir())
    except OSError:
        return False
