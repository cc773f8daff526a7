"""The processes that read files, seen from the worker whose calls need it: started, fed, timed and ended.

One file at a time for each. A process that takes too long, or whose caller has left, is killed: nothing else stops
what is going on in it. Knows nothing of files.
"""

import asyncio
import contextlib
import os
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from typing import Final

import msgspec

from mainstay.core.errors import Unavailable, Unreadable
from mainstay.reading.port import Job, Result, Text, Work

__all__ = ["Helper"]

_LENGTH: Final = struct.Struct(">I")
#: What a process may know of its surroundings: never the operator's keys.
_PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV", "TZ")
#: Seconds beyond a job's own after which a process without a parent ends itself.
_GRACE: Final = 5
_encode = msgspec.msgpack.Encoder().encode
_results = msgspec.msgpack.Decoder(Result)


class Helper:
    """See :class:`~mainstay.reading.port.Reader`. One event loop only.

    Args:
        processes: how many there may be.
        memory: address space of each, in bytes.
        queue: files that may wait.
        idle: seconds after which an unused process ends.
        program: what to run; tests pass their own.
    """

    def __init__(
        self,
        processes: int = 1,
        *,
        memory: int = 4 * 1024**3,
        queue: int = 32,
        idle: float = 300.0,
        program: tuple[str, ...] = (sys.executable, "-m", "mainstay.reading.child"),
    ) -> None:
        self._room = asyncio.Semaphore(processes)
        self._free: list[_Child] = []
        self._all: set[_Child] = set()
        self._command = (*program, str(memory))
        self._most = processes + queue
        self._asked = 0
        self._idle = idle
        self._retired = self._closed = False

    async def read(self, work: Work, seconds: float) -> Text:
        """Have a file read; waiting for a process counts towards ``seconds``."""
        if self._closed or self._asked >= self._most:
            raise Unavailable("Too many files are being read already; try again shortly.", retry_after=1.0)
        self._asked += 1
        try:
            async with asyncio.timeout(seconds), self._room, self._child() as child:
                result = await child.ask(Job(work, int(seconds) + _GRACE))
        except TimeoutError:
            raise Unreadable(
                f"takes longer than the {seconds:g} s that reading may take; send a smaller file"
            ) from None
        finally:
            self._asked -= 1
        if result.read is None:
            raise Unreadable(result.problem)
        return result.read

    @contextlib.asynccontextmanager
    async def _child(self) -> AsyncIterator["_Child"]:
        """Lend a process; one that was not done with its file is killed."""
        child = self._free.pop() if self._free else None
        if child is None:
            child = await _start(self._command)
            self._all.add(child)
        child.wake()
        done = False
        try:
            yield child
            done = True
        except (asyncio.IncompleteReadError, ConnectionError):
            raise Unreadable("cannot be read; reading it ended the process that tried") from None
        finally:
            if done and not self._closed and not self._retired:
                self._free.append(child)
                child.sleep(self._idle, self._expire)
            else:
                self._end(child)

    def _expire(self, child: "_Child") -> None:
        if child in self._free:
            self._free.remove(child)
            self._all.discard(child)
            child.kill()

    def _end(self, child: "_Child") -> None:
        self._all.discard(child)
        child.kill()

    def retire(self) -> None:
        """Keep no process from now on; what is still read is read to its end."""
        self._retired = True
        for child in self._free:
            self._end(child)
        self._free.clear()

    async def aclose(self) -> None:
        """End every process; files being read fail."""
        self._closed = True
        for child in list(self._all):
            self._end(child)
        self._free.clear()


class _Child:
    """A process and the socket to it."""

    def __init__(
        self, process: subprocess.Popen[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process, self._reader, self._writer = process, reader, writer
        self._timer: asyncio.TimerHandle | None = None

    async def ask(self, job: Job) -> Result:
        data = _encode(job)
        self._writer.writelines((_LENGTH.pack(len(data)), data))
        await self._writer.drain()
        size = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))[0]
        return _results.decode(await self._reader.readexactly(size))

    def sleep(self, seconds: float, retire: Callable[["_Child"], None]) -> None:
        """Call ``retire`` with this child after ``seconds``."""
        self._timer = asyncio.get_running_loop().call_later(seconds, retire, self)

    def wake(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def kill(self) -> None:
        """End the process now and take its exit status, so that no zombie stays."""
        self.wake()
        self._writer.transport.abort()
        self._process.kill()
        # It holds nothing that the kernel must wait for: this returns at once.
        self._process.wait()


async def _start(command: tuple[str, ...]) -> _Child:
    ours, theirs = socket.socketpair()
    try:
        process = _spawn(command, theirs)
    except OSError:
        ours.close()
        raise Unavailable("The process that reads files cannot be started; the operator must look.") from None
    finally:
        theirs.close()
    child = None
    try:
        reader, writer = await asyncio.open_connection(sock=ours)
        child = _Child(process, reader, writer)
    finally:
        if child is None:
            # The caller has left already.
            ours.close()
            process.kill()
            process.wait()
    return child


def _spawn(command: tuple[str, ...], theirs: socket.socket) -> subprocess.Popen[bytes]:
    # On the loop's own thread: a child that asks to end with its parent ends with the thread that started it.
    return subprocess.Popen(  # noqa: S603 - the command is Mainstay's own, never a caller's
        command,
        stdin=theirs.fileno(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if name in _PASSED_ON},
        start_new_session=True,
    )
