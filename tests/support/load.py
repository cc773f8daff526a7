"""Callers that ask without pause, and whoever holds a stream open meanwhile: what they saw is counted, never timed."""

import asyncio
import http.client
import json
import os
import threading
from pathlib import Path
from typing import NamedTuple

from support.gateway import Gateway

__all__ = ["Failure", "HeldStream", "Load", "ports_of"]

_PATH = "/v1/chat/completions"
#: What a caller waits for an answer, in seconds.
_PATIENCE = 30


class Failure(NamedTuple):
    """What went wrong for a caller, and the port it called from (0 when it had no connection)."""

    port: int
    what: str


class Load:
    """Requests that come at a steady ``rate`` a second, whether or not those before them are answered.

    Every fifth has a connection of its own. The others share a pool, as the clients of the official SDKs do: they take
    the connection that was used last and make one when all are busy. Every third answer is a stream. Nobody ever asks
    twice: whatever is not a whole answer with status 200 is in ``failures``.
    """

    def __init__(self, gateway: Gateway, model: str = "echo", *, rate: float = 100) -> None:
        self._gateway = gateway
        self._model = model
        self._rate = rate
        self._pool: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._arrive()))
        #: The request ids of answers, in the order they came.
        self.answered: list[str] = []
        self.failures: list[Failure] = []
        #: Answers that told the caller to come on another connection.
        self.told_to_close = 0

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ask nothing more, and wait until everything is answered."""
        self._stop.set()
        self._thread.join()

    def more(self, count: int) -> None:
        """Return when ``count`` more answers have come."""
        goal = len(self.answered) + count
        self._gateway.until(lambda: len(self.answered) >= goal, 60)

    async def _arrive(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        number = 0
        async with asyncio.TaskGroup() as group:
            while not self._stop.is_set():
                group.create_task(self._call(number))
                number += 1
                await asyncio.sleep(began + number / self._rate - loop.time())
        for _, writer in self._pool:
            writer.close()

    async def _call(self, number: int) -> None:
        port = 0
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(_PATIENCE):
                reader, writer = await self._connection(alone=number % 5 == 0)
                port = writer.get_extra_info("sockname")[1]
                await self._ask(reader, writer, streamed=number % 3 == 0, alone=number % 5 == 0)
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            self.failures.append(Failure(port, repr(error)))
            if writer is not None:
                writer.close()

    async def _connection(self, *, alone: bool) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._pool and not alone:
            reader, writer = self._pool.pop()
            # A client that uses a connection after it saw its end would have itself to blame.
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        return await asyncio.open_connection("127.0.0.1", self._gateway.port)

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, streamed: bool, alone: bool
    ) -> None:
        asked = {"model": self._model, "stream": streamed, "messages": [{"role": "user", "content": "one two"}]}
        body = json.dumps(asked).encode()
        head = f"POST {_PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self._gateway.key}\r\n"
        writer.write(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        if "content-length" in fields:
            answer = await reader.readexactly(int(fields["content-length"]))
            whole = b'"finish_reason"' in answer
        else:
            answer = await reader.readuntil(b"\r\n0\r\n\r\n")
            whole = b"data: [DONE]" in answer
        if " 200 " not in status or not whole:
            raise ValueError(f"{status} {answer[:300]!r}")
        self.answered.append(fields["x-request-id"])
        last = fields.get("connection") == "close"
        self.told_to_close += last
        if last or alone:
            writer.close()
        else:
            self._pool.append((reader, writer))


class HeldStream:
    """A stream of ``model`` that has begun: its head and first event were read."""

    def __init__(self, gateway: Gateway, model: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
        body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "one two"}]}
        headers = {"authorization": f"Bearer {gateway.key}", "content-type": "application/json"}
        self._connection.request("POST", _PATH, json.dumps(body), headers)
        self.port = self._connection.sock.getsockname()[1]
        self._answer = self._connection.getresponse()
        self.request_id = str(self._answer.getheader("x-request-id"))
        self.first = self._answer.readline()

    def rest(self) -> bytes:
        """Return what comes after the first line, to the end; raises when the end was no proper one."""
        try:
            return self._answer.read()
        finally:
            self._connection.close()

    def close(self) -> None:
        """Leave."""
        self._answer.close()
        self._connection.close()

    def asks_again(self, gateway: Gateway) -> tuple[int, str | None]:
        """Read to the end, ask for the models on the same connection; return status and ``connection``."""
        self._answer.read()
        self._connection.auto_open = False
        self._connection.request("GET", "/v1/models", headers={"authorization": f"Bearer {gateway.key}"})
        answer = self._connection.getresponse()
        answer.read()
        self._connection.close()
        return answer.status, answer.getheader("connection")


def ports_of(pid: int) -> set[int]:
    """Return the far ports of the connections that a process has (Linux)."""
    held = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            held.add(os.readlink(fd))
        except OSError:
            continue
    rows: list[list[str]] = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(row[2].rpartition(":")[2], 16) for row in rows if f"socket:[{row[9]}]" in held and row[3] == "01"}
