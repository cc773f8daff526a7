"""A server of tools that is a program: the Model Context Protocol over its standard input and output.

One process for each owner, so that what it remembers stays apart; it is started when it is first needed, ends when it
was not needed for a while, and is killed when it must go. It knows nothing of the operator's environment but what the
configuration gives it, and what it prints beside the protocol is kept nowhere. Believes nothing, as ``mcp`` does.
"""

import asyncio
import contextlib
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from mainstay import __version__
from mainstay.core.clock import monotonic
from mainstay.tools.errors import ToolTrouble
from mainstay.tools.port import Offer, Result
from mainstay.tools.protocol import (
    HANDSHAKE,
    METHOD_NOT_FOUND,
    UNREADABLE,
    Fault,
    Message,
    read_message,
    write_error,
    write_notification,
    write_request,
    write_result,
)
from mainstay.tools.results import Scrub, decoded, list_offers, read_fields, read_result

__all__ = ["McpProgram", "Program"]

#: What a program may know of its surroundings: never the operator's keys.
_PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "USER", "SHELL")
#: Bytes of one message, and characters of a fault that the model is told.
_MOST: Final = 8 * 1024 * 1024
_MOST_WORDS: Final = 500
#: Seconds that a program has to end by itself; a life that was long enough to forgive a death; the longest pause.
_GRACE: Final = 1.0
_CALM: Final = 10.0
_LONGEST_PAUSE: Final = 60.0
#: Has the program end with the worker that started it, where the system can: a killed worker leaves nothing behind.
_LEASHED: Final = (
    "import ctypes, os, sys\n"
    "if sys.platform == 'linux': ctypes.CDLL(None).prctl(1, 9)\n"
    "os.execvp(sys.argv[1], sys.argv[1:])"
)


_Found = TypeVar("_Found")


class Program(msgspec.Struct, frozen=True):
    """What is run: ``most`` is the size of a result that a model is shown, ``processes`` how many there may be."""

    command: tuple[str, ...]
    folder: str
    environment: tuple[tuple[str, str], ...] = ()
    idle: float = 300.0
    most: int = 64 * 1024
    processes: int = 8


class _Gone(Exception):
    """The process ended, or said what cannot be read."""


class McpProgram:
    """One program; a :class:`~mainstay.tools.port.ToolServer`. One event loop only.

    Args:
        program: what is run.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._scrub = Scrub([value for _, value in program.environment])
        self._running: dict[str, _Process] = {}
        self._starting = asyncio.Lock()
        self._deaths = 0
        self._pause = 0.0

    async def offers(self, limit: float) -> Sequence[Offer]:
        """Return the tools it lists and a model can be offered; see :class:`~mainstay.tools.port.ToolServer`."""
        found, _ = await self._within(limit, "", lambda process: list_offers(process.page, self._scrub))
        return found

    async def run(self, tool: str, arguments: Mapping[str, Any], owner: str, limit: float, *, hops: int = 0) -> Result:
        """Run a tool; see :class:`~mainstay.tools.port.ToolServer`."""
        params = {"name": tool, "arguments": arguments}
        raw = await self._within(limit, owner, lambda process: process.ask("tools/call", params))
        return read_result(raw, self._program.most, self._scrub)

    async def aclose(self) -> None:
        """End every process."""
        running, self._running = list(self._running.values()), {}
        await asyncio.gather(*(process.end() for process in running))

    async def _within(self, limit: float, owner: str, work: Callable[["_Process"], Awaitable[_Found]]) -> _Found:
        """Return what ``work`` does with the owner's process within ``limit`` seconds."""
        try:
            async with asyncio.timeout(limit):
                return await work(await self._process(owner))
        except TimeoutError as error:
            raise ToolTrouble("timeout", f"The tool did not answer within {limit:g} seconds.") from error
        except _Gone as error:
            raise ToolTrouble("unreachable", "The tool's program ended; call the tool again.") from error
        except _Refused as error:
            words = self._scrub(error.fault.message)[:_MOST_WORDS] or "no reason given"
            raise ToolTrouble("refused", f"The tool's server refused the call: {words}") from error

    async def _process(self, owner: str) -> "_Process":
        async with self._starting:
            found = self._running.get(owner)
            if found is not None and found.alive:
                return found
            self._bury()
            if monotonic() < self._pause:
                raise ToolTrouble("unreachable", "The tool's program cannot be run now.")
            await self._make_room()
            process = await _start(self._program)
            begun = False
            try:
                await process.shake_hands()
                begun = True
            finally:
                if not begun:
                    self._died()
                    await process.end()
            self._running[owner] = process
            process.rest(self._program.idle)
            return process

    def _bury(self) -> None:
        """Forget the processes that ended; one that did not live long makes the next wait."""
        for owner, process in list(self._running.items()):
            if not process.alive:
                del self._running[owner]
                if process.failed and monotonic() - process.born < _CALM:
                    self._died()
                else:
                    self._deaths = 0

    def _died(self) -> None:
        self._pause = monotonic() + min(_LONGEST_PAUSE, 0.25 * 2**self._deaths)
        self._deaths += 1

    async def _make_room(self) -> None:
        if len(self._running) < self._program.processes:
            return
        free = [(process.used, owner) for owner, process in self._running.items() if not process.waiting]
        if not free:
            raise ToolTrouble("unreachable", "The tool's program serves too many others now; try again shortly.")
        await self._running.pop(min(free)[1]).end()


class _Refused(Exception):
    """The program answered with an error of JSON-RPC."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.code)
        self.fault = fault


class _Process:
    """One process, and who waits for which of its answers."""

    def __init__(self, process: subprocess.Popen[bytes], reader: asyncio.StreamReader, writer: Any) -> None:
        self._process, self._writer = process, writer
        self._numbers = itertools.count(1)
        self.waiting: dict[int, asyncio.Future[Message]] = {}
        self.born = self.used = monotonic()
        self.alive, self.failed = True, False
        self._ending: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._listening = asyncio.get_running_loop().create_task(self._listen(reader))

    async def shake_hands(self) -> None:
        """Begin. Raises as :meth:`ask`."""
        about = {"name": "mainstay", "version": __version__}
        params = {"protocolVersion": HANDSHAKE[-1], "capabilities": {}, "clientInfo": about}
        said = read_fields(await self.ask("initialize", params))
        if decoded(said.get("protocolVersion", msgspec.Raw(b"null")), str | None) not in HANDSHAKE:
            raise ToolTrouble("broken", "The tool's server speaks no revision of the protocol that is known here.")
        self._say(write_notification("notifications/initialized"))

    async def page(self, params: Mapping[str, Any]) -> msgspec.Raw:
        """Return one page of the tools there are."""
        return await self.ask("tools/list", params)

    async def ask(self, method: str, params: Mapping[str, Any]) -> msgspec.Raw:
        """Return the result of one request.

        Raises:
            _Gone: the process ended first.
            _Refused: it answered with an error.
            ToolTrouble: it gave no result.
        """
        if not self.alive or self._writer.get_write_buffer_size() > _MOST:
            # It has ended, or takes nothing in.
            raise _Gone
        number = next(self._numbers)
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self.waiting[number] = answer
        try:
            self._say(write_request(number, method, params))
            message = await answer
        except asyncio.CancelledError:
            self._say(write_notification("notifications/cancelled", {"requestId": number, "reason": "given up"}))
            raise
        finally:
            del self.waiting[number]
            self.used = monotonic()
        if isinstance(message.error, Fault):
            raise _Refused(message.error)
        if isinstance(message.result, msgspec.UnsetType):
            raise ToolTrouble("broken", "The tool's server sent an answer without a result.")
        return message.result

    def rest(self, idle: float) -> None:
        """End once nobody has needed it for ``idle`` seconds."""
        left = self.used + idle - monotonic()
        if left <= 0 and not self.waiting:
            self.alive = False
            self._ending = asyncio.get_running_loop().create_task(self.end())
        elif self.alive:
            self._timer = asyncio.get_running_loop().call_later(max(left, idle / 10), self.rest, idle)

    async def end(self) -> None:
        """Ask it to go, wait a moment, kill it with all that it started, and take its exit status."""
        self.alive = False
        if self._timer is not None:
            self._timer.cancel()
        self._writer.close()
        await asyncio.wait((self._listening,), timeout=_GRACE)
        self._listening.cancel()
        self._kill()

    def _kill(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            # It holds nothing that the kernel must wait for: this returns at once.
            self._process.wait()

    def _say(self, message: bytes) -> None:
        if self.alive:
            self._writer.write(message + b"\n")

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        """Hand answers to those who wait for them, until there are no more."""
        try:
            while line := await reader.readline():
                self._take(line)
        except (ValueError, OSError):
            # A line without an end.
            pass
        finally:
            self.failed, self.alive = self.alive, False
            self._writer.close()
            self._kill()
            for answer in self.waiting.values():
                if not answer.done():
                    answer.set_exception(_Gone())

    def _take(self, line: bytes) -> None:
        try:
            message = read_message(line)
        except UNREADABLE:
            # What a program prints beside the protocol is nobody's answer.
            return
        if isinstance(message.method, str):
            if message.method == "ping" and isinstance(message.id, int | str):
                self._say(write_result(message.id, {}))
            elif isinstance(message.id, int | str):
                self._say(write_error(message.id, METHOD_NOT_FOUND, "Nobody here can answer this."))
        elif isinstance(message.id, int) and (answer := self.waiting.get(message.id)) is not None and not answer.done():
            answer.set_result(message)


async def _start(program: Program) -> _Process:
    """Start a process. Raises ToolTrouble where that cannot be done."""
    try:
        process = _spawn(program)
    except OSError as error:
        raise ToolTrouble("unreachable", "The tool's program cannot be started.") from error
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_MOST)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), process.stdout)
    writer, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, process.stdin)
    return _Process(process, reader, writer)


def _spawn(program: Program) -> subprocess.Popen[bytes]:
    surroundings = {name: value for name, value in os.environ.items() if name in _PASSED_ON}
    # On the loop's own thread: a child that asks to end with its parent ends with the thread that started it.
    return subprocess.Popen(  # noqa: S603 - the command is the operator's own, never a caller's
        [sys.executable, "-I", "-S", "-c", _LEASHED, *program.command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=program.folder,
        env={**surroundings, **dict(program.environment)},
        start_new_session=True,
    )
