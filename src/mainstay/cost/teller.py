"""The worker's line to the bank: a Unix socket that is opened again whenever it is lost.

Lives on the worker's event loop. What is said over it is in ``notes``; who says what, in ``purse``.
"""

import asyncio
import fcntl
import os
import resource
import socket
from contextlib import suppress
from pathlib import Path
from typing import Final, cast

from mainstay.core.clock import monotonic, wall_ms
from mainstay.cost.notes import Ask, Bye, Give, Grant, Hello, Level, Notes, Recall, pack
from mainstay.cost.purse import Purses
from mainstay.runtime.local import reach_local
from mainstay.store.files import private_dir

__all__ = ["Teller", "bank_path", "holders_path", "living"]

_RETRY: Final = 0.05
#: The mark of a worker has a number for its descriptor below this, with so many left for what else wants the highest.
_MOST: Final = 65536
_SPARE: Final = 16


def living(home: Path) -> frozenset[str]:
    """Return the names of all workers that live, whether they have reached the bank or not."""
    found = set()
    for path in holders_path(home).glob("*"):
        with suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDWR)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Whose lock can be had is gone; the kernel lets go of it, however a process ends.
                path.unlink()
            except BlockingIOError:
                found.add(path.name)
            finally:
                os.close(descriptor)
    return frozenset(found)


def holders_path(home: Path) -> Path:
    """Return the folder in which each living worker holds a lock on a file of its name."""
    return home / "run" / "holders"


def bank_path(home: Path) -> Path:
    """Return where the bank listens."""
    return home / "run" / "ledger.sock"


def _mark(path: Path) -> int:
    """Hold a lock on the file at ``path``, and return its descriptor."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        # Who looked between the open and the lock took it for the mark of one that is gone, and removed it.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        is_there = os.fstat(descriptor).st_nlink
        # The kernel closes what a dead process had open in order of the numbers. A name that went before the journal
        # would have its holder gone while its last records look like those of a living one.
        last = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _highest()) if is_there else None
        os.close(descriptor)
        if last is not None:
            return last


def _highest() -> int:
    """Return a number for a descriptor above all that a worker opens."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return (min(most, _MOST) if most != resource.RLIM_INFINITY else _MOST) - _SPARE


class Teller(asyncio.Protocol):
    """Keeps ``purses`` in touch with the bank.

    Args:
        home: the folder of Mainstay's own files.
        holder: this process's name, new for each.
    """

    def __init__(self, home: Path, holder: str) -> None:
        self._address = reach_local(bank_path(home))
        self._holder = holder
        self._mark = private_dir(holders_path(home)) / holder
        self._lock = _mark(self._mark)
        self._transport: asyncio.WriteTransport | None = None
        self._notes = Notes()
        self._stopped = False
        self._task: asyncio.Task[None] | None = None
        self.purses = Purses(self._say)
        self.purses.away = monotonic()

    def start(self) -> None:
        """Reach for the bank now and whenever it is lost."""
        self._task = asyncio.get_running_loop().create_task(self._reach())

    def tick(self) -> None:
        """To be called several times a second."""
        self.purses.tick(wall_ms())

    async def aclose(self) -> None:
        """Give back what is not spent, say so, and go."""
        self._stopped = True
        self.purses.close()
        if self._transport is not None:
            # What is on its way from the bank does not come any more.
            self._transport.write(pack(Hello(self._holder, tuple(self.purses.held()))) + pack(Bye()))
            self._transport.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._mark.unlink(missing_ok=True)
        os.close(self._lock)

    async def _reach(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._stopped:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.setblocking(False)
            try:
                await loop.sock_connect(sock, self._address)
                await loop.create_unix_connection(lambda: self, sock=sock)
            except OSError:
                sock.close()
                await asyncio.sleep(_RETRY)
                continue
            return

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The bank is there: say who calls, and what is held already."""
        self._notes = Notes()
        # Not every loop's transports are of asyncio's classes.
        self._transport = cast("asyncio.WriteTransport", transport)
        self.purses.away = 0.0
        self._transport.write(pack(Hello(self._holder, tuple(self.purses.held()))))
        self.purses.reconnected()

    def data_received(self, data: bytes) -> None:
        """The bank has spoken."""
        for note in self._notes.feed(data):
            if isinstance(note, Grant):
                self.purses.granted(note)
            elif isinstance(note, Recall):
                self.purses.recalled(note)
            elif isinstance(note, Level):
                self.purses.told(note)

    def connection_lost(self, exc: Exception | None) -> None:
        """The bank is gone; what is in the purses can be spent meanwhile."""
        self._transport = None
        self.purses.away = monotonic()
        if not self._stopped:
            self.start()

    def _say(self, note: Ask | Give) -> bool:
        if self._transport is None:
            return False
        self._transport.write(pack(note))
        return True
