"""Gateways that behave badly, each in its own way, for tests of what judges gateways.

A behaviour is a coroutine that is given the request's body, a way to ask the providers, and a way to write to the
caller. It speaks OpenAI's wire on both sides.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

__all__ = ["Asked", "Behaviour", "fake_gateway"]


class Asked:
    """One request under way: ``ask`` calls a provider, the rest writes the answer."""

    def __init__(self, body: dict[str, Any], targets: list[tuple[int, str]], writer: asyncio.StreamWriter, id_: str):
        self.body = body
        #: Port and model of each target, the primary first.
        self.targets = targets
        self._writer = writer
        self._id = id_
        self.attempts = 0

    async def ask(self, target: int) -> tuple[int, bytes]:
        """Return status and body as far as it came; a status of 0 when there was none."""
        self.attempts += 1
        port, model = self.targets[target]
        data = json.dumps({**self.body, "model": model}).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: %d\r\n\r\n%b" % (len(data), data))
            head = await reader.readuntil(b"\r\n\r\n")
            status, body = int(head.split(b" ")[1]), b""
            with contextlib.suppress(asyncio.IncompleteReadError):
                if b"chunked" in head:
                    while size := int(await reader.readuntil(b"\r\n"), 16):
                        body += (await reader.readexactly(size + 2))[:-2]
                else:
                    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                    body = await reader.readexactly(length)
            return status, body
        except (ConnectionError, asyncio.IncompleteReadError):
            return 0, b""
        finally:
            writer.close()

    def answer(self, status: int, body: bytes, *, target: str = "first", kind: str = "application/json") -> None:
        """Write a whole answer with every header that is promised."""
        ours = {"route": "r", "model": target, "provider": "p", "attempts": self.attempts, "cache": "off"}
        ours |= {"cost-usd": "unknown", "overhead-ms": "0.1"}
        lines = [f"HTTP/1.1 {status} X", f"content-type: {kind}", f"content-length: {len(body)}"]
        lines += [f"x-request-id: {self._id}", *(f"x-mainstay-{name}: {value}" for name, value in ours.items())]
        self._writer.write("\r\n".join([*lines, "", ""]).encode() + body)

    def stream(self, body: bytes, *, target: str = "first") -> None:
        """Write a stream, all at once."""
        self.answer(200, body, target=target, kind="text/event-stream")


Behaviour = Callable[[Asked], Awaitable[None]]


@contextlib.asynccontextmanager
async def fake_gateway(behaviour: Behaviour, targets: list[tuple[int, str]]) -> AsyncIterator[int]:
    """Serve ``behaviour`` for the block; yield the port."""
    tasks: set[asyncio.Task[None]] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:-2])
            body = json.loads(await reader.readexactly(int(fields["content-length"])))
            await behaviour(Asked(body, targets, writer, fields["x-request-id"]))
            await writer.drain()
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(converse(reader, writer))
        tasks.add(task)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
