"""A Server on a free port of this loop, and a client that speaks raw bytes to it."""

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

from mainstay.core.errors import MainstayError
from mainstay.runtime.server import Limits, Server
from mainstay.runtime.server_exchange import App

#: No test waits longer than this for something that must happen.
PATIENCE = 10.0


class Response(NamedTuple):
    """One response as read from the wire."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        """Return the only header called ``name``, or None."""
        found = [value for key, value in self.headers if key == name]
        assert len(found) < 2, f"{name!r} was sent {len(found)} times"
        return found[0] if found else None

    @property
    def error(self) -> dict[str, Any]:
        """The error object of the body."""
        return json.loads(self.body)["error"]


class Peer:
    """A client connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Write bytes."""
        self.writer.write(data)
        await self.writer.drain()

    async def response(self, *, head_only: bool = False) -> Response:
        """Read one whole response.

        Raises:
            asyncio.IncompleteReadError: it was cut.
        """
        async with asyncio.timeout(PATIENCE):
            head = await self.reader.readuntil(b"\r\n\r\n")
            first, *rest = head[:-4].split(b"\r\n")
            status = int(first.split(b" ")[1])
            pairs = [line.partition(b": ")[::2] for line in rest]
            if status < 200:
                return Response(status, pairs, b"")
            fields = dict(pairs)
            body = b""
            if head_only or status in (204, 304):
                pass
            elif b"content-length" in fields:
                body = await self.reader.readexactly(int(fields[b"content-length"]))
            elif fields.get(b"transfer-encoding") == b"chunked":
                pieces = []
                while size := int(await self.reader.readuntil(b"\r\n"), 16):
                    pieces.append((await self.reader.readexactly(size + 2))[:-2])
                body = b"".join(pieces)
                assert await self.reader.readexactly(2) == b"\r\n"
            else:
                body = await self.reader.read()
            return Response(status, pairs, body)

    async def rest(self) -> bytes:
        """Read until the server closes."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read()

    def leave(self) -> None:
        """Close the connection."""
        self.writer.close()

    def reset(self) -> None:
        """Drop the connection without a word."""
        self.writer.transport.abort()


class Refused(NamedTuple):
    """What ``on_refused`` was told."""

    error: MainstayError
    started: float
    method: str
    path: str
    shown: str


class Serving:
    """A running server, its address, and what it refused."""

    def __init__(self, server: Server, sock: socket.socket, refused: list[Refused], faults: list[Any]) -> None:
        self.server = server
        self.refused = refused
        self.faults = faults
        self.address = sock.getsockname()

    @property
    def port(self) -> int:
        """The TCP port."""
        return self.address[1]

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.port}"

    @contextlib.asynccontextmanager
    async def connect(self, **options: Any) -> AsyncIterator[Peer]:
        """Open a client connection."""
        if isinstance(self.address, str):
            reader, writer = await asyncio.open_unix_connection(self.address)
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port, **options)
        try:
            yield Peer(reader, writer)
        finally:
            writer.transport.abort()

    async def ask(self, data: bytes, *, head_only: bool = False) -> Response:
        """Send bytes on a fresh connection and read one response."""
        async with self.connect() as peer:
            await peer.send(data)
            return await peer.response(head_only=head_only)


@contextlib.asynccontextmanager
async def serving(
    app: App,
    limits: Limits | None = None,
    *,
    sock: socket.socket | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Serving]:
    """Serve ``app``. Faults reported to the loop are collected rather than logged."""
    refused: list[Refused] = []
    faults: list[Any] = []

    def on_refused(error: MainstayError, started: float, method: str, path: str, shown: str) -> None:
        refused.append(Refused(error, started, method, path, shown))

    def refuse(error: MainstayError, path: str, shown: str) -> tuple[int, bytes, tuple[tuple[bytes, bytes], ...]]:
        detail = {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
        return error.status, json.dumps({"error": detail}).encode(), ((b"x-refused", path.encode()),)

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: faults.append(context["exception"]))
    if sock is None:
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    server = Server(app, limits, refuse=refuse, on_refused=on_refused)
    await server.start(sock, ssl=tls)
    try:
        yield Serving(server, sock, refused, faults)
    finally:
        await server.drain(0)
        loop.set_exception_handler(None)


async def soon(done: Awaitable[Any]) -> Any:
    """Await what must happen, but not for ever."""
    async with asyncio.timeout(PATIENCE):
        return await done


async def until(condition: Callable[[], bool]) -> None:
    """Yield to the loop until ``condition`` holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.001)


async def whole_body(receive: Callable[[], Awaitable[Any]]) -> bytes:
    """Read a request body through ASGI's receive."""
    pieces = []
    more = True
    while more:
        message = await receive()
        assert message["type"] == "http.request", message
        pieces.append(message["body"])
        more = message["more_body"]
    return b"".join(pieces)


async def respond(send: Callable[[Any], Awaitable[None]], body: bytes, *headers: tuple[bytes, bytes]) -> None:
    """Answer 200 through ASGI's send."""
    await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


async def mirror(scope: Any, receive: Any, send: Any) -> None:
    """An app that answers with what it was asked, as JSON."""
    body = await whole_body(receive)
    seen = {
        "method": scope["method"],
        "path": scope["path"],
        "query": scope["query_string"].decode(),
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]],
        "version": scope["http_version"],
        "body": body.decode("latin-1"),
    }
    await respond(send, json.dumps(seen).encode(), (b"content-type", b"application/json"))
