"""A server made of stand-ins, run as a script by the supervisor's tests: ``stand_in.py SETTINGS``.

SETTINGS is a JSON file: ``home``, ``port``, ``workers``, ``payload``, ``engines`` ({name: {field: value}}), ``drain``,
and ``worker`` or ``control`` to make one fail. It is read again when it changes; a ``refuse`` in it is a refused edit.
Workers answer every request with one JSON object; ``/hold`` begins an answer and ends it when ``HOME/release`` exists.
"""

import asyncio
import json
import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from socket import socket

from mainstay.core.errors import ConfigError, SetupError, StartError
from mainstay.runtime.children import Program
from mainstay.runtime.leash import Leash
from mainstay.runtime.supervisor import Listen, Plan, Ready, Service, supervise
from mainstay.telemetry.logs import configure_logs


def note(home: Path, line: str) -> None:
    """Append a line to the story of this run."""
    with (home / "story").open("a") as story:
        story.write(f"{line}\n")


def fail(how: str | None) -> None:
    """Fail as the settings say."""
    if how == "start":
        raise StartError("There is no such wheel.")
    if how == "config":
        raise ConfigError("The wheel is square.")
    if how == "crash":
        os.abort()


class Worker:
    """A gateway of three lines."""

    def __init__(self, payload: bytes, slot: int, leash: Leash) -> None:
        self.payload, self.slot, self.leash = json.loads(payload), slot, leash
        self.home = Path(self.payload["home"])
        self.open = 0
        self.stop = asyncio.Event()

    async def serve(self, sock: socket) -> None:
        server = await asyncio.start_server(self.answer, sock=sock)
        self.leash.attach(asyncio.get_running_loop(), on_config=self.apply, on_drain=lambda _: self.stop.set())
        self.leash.ready()
        await self.stop.wait()
        server.close()
        while self.open:
            await asyncio.sleep(0.01)
        note(self.home, "worker stopped")

    def apply(self, generation: int, payload: bytes) -> None:
        self.payload = json.loads(payload)
        self.leash.applied(generation)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            await self.reply(reader, writer)
        except (OSError, EOFError):
            pass  # whoever asked has left
        finally:
            writer.close()
            self.open -= 1

    async def reply(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
        if head.startswith(b"GET /hold"):
            writer.write(b"begun\n")
            await writer.drain()
            # Nobody releases what outlived its test.
            while not (self.home / "release").exists() and not self.leash.parted:
                await asyncio.sleep(0.01)
            writer.write(b"done\n")
        else:
            writer.write(
                json.dumps({"slot": self.slot, "pid": os.getpid(), "payload": self.payload["payload"]}).encode()
            )
        await writer.drain()


def worker(payload: bytes, slot: int, sockets: Sequence[socket], leash: Leash) -> int:
    """Be a worker."""
    fail(json.loads(payload).get("worker"))

    async def main() -> None:
        await Worker(payload, slot, leash).serve(sockets[0])

    asyncio.run(main())
    return 0


def control(payload: bytes, leash: Leash) -> int:
    """Be the control process."""
    fail(json.loads(payload).get("control"))
    leash.ready()
    while not leash.parted:
        select.select([leash], [], [], 0.5)
        kinds = [message.kind for message in leash.receive()]
        leash.beat()
        if "drain" in kinds:
            break
    note(Path(json.loads(payload)["home"]), "control stopped")
    return 0


def engine() -> int:
    """Be an engine: beat, unless told to hang or to fail."""
    leash = Leash(os.dup(0), os.dup(1))
    while not (messages := leash.receive()):
        select.select([leash], [], [])
    settings = json.loads(messages[0].payload)
    home = Path(settings["home"])
    if settings.get("broken"):
        leash.failed("The engine is out of steam.")
        return 1
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    leash.ready()
    if settings.get("hangs"):
        time.sleep(1000)
    while not leash.parted:
        select.select([leash], [], [], 0.2)
        if any(message.kind == "drain" for message in leash.receive()):
            break
        leash.beat()
    note(home, f"engine {settings['name']} stopped")
    return 0


def plan(file: Path) -> Plan:
    """Return what the settings ask for."""
    settings = json.loads(file.read_text())
    if "refuse" in settings:
        raise ConfigError(settings["refuse"])
    programs = tuple(
        Program(
            name,
            (sys.executable, __file__, "engine"),
            json.dumps({"name": name, "home": settings["home"], **row}).encode(),
            silence=0.5 if row.get("hangs") else 30.0,
        )
        for name, row in settings.get("engines", {}).items()
    )
    listen = Listen("127.0.0.1", settings["port"], settings.get("workers", 1))
    return Plan(json.dumps(settings).encode(), programs, listen, settings.get("drain", 30.0))


def main(file: Path) -> int:
    """Run the server."""
    seen = file.stat().st_mtime_ns

    def watch() -> Plan | None:
        nonlocal seen
        if (now := file.stat().st_mtime_ns) == seen:
            return None
        seen = now
        return plan(file)

    def say(ready: Ready) -> None:
        print(ready.url, flush=True)

    configure_logs("json", "debug")
    try:
        home = Path(json.loads(file.read_text())["home"])
        return supervise(Service(home, plan(file), worker, control, watch), say)
    except SetupError as error:
        print(error.message, file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(engine() if sys.argv[1] == "engine" else main(Path(sys.argv[1])))
