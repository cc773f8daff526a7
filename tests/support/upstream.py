r"""A scripted HTTP/1.1 upstream on a real socket, in its own thread with its own event loop.

Tests of any style (plain, threaded, async) may use it. It answers each request with *steps*: say what the
bytes on the wire do, one by one, and the upstream does just that, faults included::

    with Upstream() as upstream:
        upstream.script(Reply(500, body=b"no"), [Head(200), Chunk(b"data: 1\n\n"), Cut()])
        ...  # the first request gets the 500, the second a stream that breaks
        upstream.requests[1].closed.wait(60)

``script`` queues answers; when the queue is empty, ``handler`` is asked: a callable from request to steps (a
generator is run step by step, so code between its yields happens between the writes). A step is written
before the next begins.
"""

import asyncio
import json
import os
import socket
import ssl
import struct
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import httptools

from support.upstream_http2 import Http2Peer

__all__ = [
    "Chunk",
    "Cut",
    "End",
    "Goaway",
    "Head",
    "Received",
    "Refuse",
    "Reply",
    "Reset",
    "Silence",
    "Step",
    "Upstream",
    "Wait",
    "json_reply",
    "sse",
]


@dataclass(frozen=True)
class Reply:
    """A whole answer with a content-length, head and body in one write."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True)
class Head:
    """Status line and headers. ``framing`` says how the body that follows is delimited.

    ``chunked`` adds the transfer-encoding, ``eof`` ends the body with the connection, ``raw`` adds nothing:
    give a content-length among ``headers`` and send exactly or less than that.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("content-type", "text/event-stream"),)
    framing: str = "chunked"


@dataclass(frozen=True)
class Chunk:
    """A piece of body in one write, framed as the Head said."""

    data: bytes


@dataclass(frozen=True)
class Wait:
    """Hold the next step until the event is set, or the connection is gone, or the upstream stops."""

    event: threading.Event


@dataclass(frozen=True)
class Silence:
    """Say nothing, with the socket open, until the client leaves or the upstream stops."""


@dataclass(frozen=True)
class End:
    """End the body properly: the last chunk, or the end of the connection. Implied when steps run out."""


@dataclass(frozen=True)
class Cut:
    """Close the connection cleanly (FIN) here and now, whatever is owed."""


@dataclass(frozen=True)
class Refuse:
    """HTTP/2 only: reset this stream with an error code; 7 means that nothing was done about the request."""

    code: int = 7


@dataclass(frozen=True)
class Goaway:
    """HTTP/2 only: announce that no stream after ``last`` will be answered on this connection."""

    last: int


@dataclass(frozen=True)
class Reset:
    """Reset the connection (RST) here and now."""


#: Plain ``bytes`` are written as they are.
Step = Reply | Head | Chunk | Wait | Silence | End | Cut | Reset | Refuse | Goaway | bytes
Steps = Step | Iterable[Step]


@dataclass
class Received:
    """A request as it arrived, body included."""

    method: str
    #: Path and query as sent.
    path: str
    #: Names in lower case, in order of arrival.
    headers: list[tuple[str, str]]
    body: bytes
    #: ``time.monotonic()`` when the request was complete.
    at: float
    #: Serial number of the connection it came on; equal for reused connections.
    connection: int
    #: Set when the connection it came on has been closed by either side.
    closed: threading.Event = field(default_factory=threading.Event)
    #: Set when every step of its answer has been written (not: has been read).
    answered: threading.Event = field(default_factory=threading.Event)
    #: Bytes of the answer that the kernel has taken so far.
    written: int = 0

    def header(self, name: str) -> str | None:
        """Return the first header of this name, or None."""
        return next((value for key, value in self.headers if key == name.lower()), None)

    def json(self) -> Any:
        """Return the body decoded."""
        return json.loads(self.body)


def json_reply(value: object, status: int = 200, **headers: str) -> Reply:
    """Return a whole JSON answer; header names are written with underscores (``retry_after="2"``)."""
    pairs = [("content-type", "application/json"), *((k.replace("_", "-"), v) for k, v in headers.items())]
    return Reply(status, tuple(pairs), json.dumps(value).encode())


def sse(*payloads: object, done: bool = True, event_lines: bool = False) -> list[Step]:
    """Return the steps of a stream: one write per payload (a string as it is, else JSON), then ``[DONE]``.

    With ``event_lines`` each payload's ``type`` is repeated in an ``event:`` line, as Anthropic does.
    """
    steps: list[Step] = [Head()]
    for payload in payloads:
        text = payload if isinstance(payload, str) else json.dumps(payload)
        name = f"event: {payload['type']}\n" if event_lines and isinstance(payload, dict) else ""
        steps.append(Chunk(f"{name}data: {text}\n\n".encode()))
    if done:
        steps.append(Chunk(b"data: [DONE]\n\n"))
    return [*steps, End()]


class Upstream:
    """The server. Use as a context manager; ``start`` and ``stop`` may be called by hand.

    Args:
        handler: answers what ``script`` has not queued; without it, ``{}`` with status 200.
        tls: an SSL context for the server side, or None for plain TCP.
        uds: listen on a Unix socket (``self.uds`` is its path) instead of TCP.
        http2: speak HTTP/2 (``tls`` must offer ``h2``); requests at once on a connection then are ``max_streams``.
    """

    received_class = Received

    def __init__(
        self,
        handler: Callable[[Received], Steps] | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        uds: bool = False,
        http2: bool = False,
        max_streams: int = 100,
    ) -> None:
        self.handler = handler
        self.max_streams = max_streams
        self._protocol = Http2Peer if http2 else _Peer
        self.requests: list[Received] = []
        #: Connections accepted so far, and those now open.
        self.connections = 0
        self.open = 0
        #: What handlers raised; ``stop`` raises the first.
        self.errors: list[Exception] = []
        self.host = "127.0.0.1"
        self.port = 0
        self.uds = ""
        self._want_uds = uds
        self._tls = tls
        self._queue: deque[Steps] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._peers: set[Any] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="upstream", daemon=True)
        self._ready = threading.Event()

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``, without a slash at the end."""
        return f"{'https' if self._tls else 'http'}://{'localhost' if self._tls else self.host}:{self.port}"

    def script(self, *answers: Steps) -> None:
        """Queue one answer per coming request: a step or an iterable of steps each."""
        self._queue.extend(answers)

    def forget(self) -> None:
        """Drop queued answers and received requests, between two tests that share this upstream."""
        self._queue.clear()
        self.requests.clear()

    def wait_for(self, count: int, timeout: float = 60.0) -> list[Received]:
        """Block until ``count`` requests have arrived; return all. For sync code, or a worker thread."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.requests) >= count, timeout):
                raise TimeoutError(f"{len(self.requests)} of {count} requests came within {timeout} s")
            return list(self.requests)

    def close_idle(self) -> None:
        """Close, cleanly, every connection that has no request under way; return when that is done."""

        async def close() -> None:
            for peer in [peer for peer in self._peers if not peer.busy]:
                peer.transport.close()
            await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(60)

    def start(self) -> "Upstream":
        """Listen; return when connections are accepted."""
        self._thread.start()
        self._ready.wait(60)
        return self

    def stop(self) -> None:
        """Release every wait, close every connection and end the thread."""
        self._stopping = True
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(60)
        if self.errors:
            raise self.errors[0]

    def __enter__(self) -> "Upstream":
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _run(self) -> None:
        loop = self._loop
        asyncio.set_event_loop(loop)
        with tempfile.TemporaryDirectory(prefix="upstream-") as folder:
            server = loop.run_until_complete(self._listen(folder))
            self._ready.set()
            loop.run_forever()
            for listener in server.sockets:
                loop.remove_reader(listener.fileno())
            for _ in range(10):  # turns in which accepted connections arrive and transports let go of their sockets
                for peer in list(self._peers):
                    peer.transport.abort()
                loop.run_until_complete(asyncio.sleep(0))
            # Last: a server that is closed drops what it has accepted and not yet handed on.
            server.close()
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            loop.close()

    async def _listen(self, folder: str) -> asyncio.AbstractServer:
        if self._want_uds:
            self.uds = os.path.join(folder, "s")
            return await self._loop.create_unix_server(lambda: self._protocol(self), self.uds, ssl=self._tls)
        server = await self._loop.create_server(lambda: self._protocol(self), self.host, 0, ssl=self._tls, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        return server

    @staticmethod
    def each(steps: Steps) -> Iterable[Step]:
        """Return the steps of an answer, one step or many."""
        return [steps] if isinstance(steps, Step) else steps

    def _received(self, request: Received) -> Steps:
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
        if self._queue:
            return self._queue.popleft()
        return self.handler(request) if self.handler else json_reply({})


class _Peer(asyncio.Protocol):
    """One accepted connection: parses requests, answers them one after the other."""

    transport: asyncio.Transport

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._parser = httptools.HttpRequestParser(self)
        self._url, self._headers, self._body = b"", [], []
        self._mine: list[Received] = []
        self._waiting: asyncio.Queue[Received] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._framing = "raw"
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # TCP, TLS and Unix transports all fit
        if self._upstream._tls is None:  # asyncio's TLS transport never resumes from a limit of nothing
            self.transport.set_write_buffer_limits(high=0)
        self._upstream.connections += 1
        self._upstream.open += 1
        self._serial = self._upstream.connections
        self._upstream._peers.add(self)
        self._task = self._upstream._loop.create_task(self._answer_all())

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass
        except httptools.HttpParserError:
            self.transport.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
            self.transport.close()

    def eof_received(self) -> None:
        self._leave()

    def connection_lost(self, exc: Exception | None) -> None:
        self._upstream._peers.discard(self)
        self._upstream.open -= 1
        self._leave()
        if not self.busy:
            self._task.cancel()

    def _leave(self) -> None:
        self._gone.set()
        self._writable.set()
        for request in self._mine:
            request.closed.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        request = Received(
            method=self._parser.get_method().decode(),
            path=self._url.decode("latin-1"),
            headers=self._headers,
            body=b"".join(self._body),
            at=time.monotonic(),
            connection=self._serial,
        )
        self._url, self._headers, self._body = b"", [], []
        self._mine.append(request)
        self.busy = True
        self._waiting.put_nowait(request)

    async def _answer_all(self) -> None:
        while not self._gone.is_set():
            request = await self._waiting.get()
            try:
                await self._answer(request)
            except Exception as error:  # a mistake in a test's handler: stop() raises it
                self._upstream.errors.append(error)
                self.transport.abort()
            self.busy = not self._waiting.empty()

    async def _answer(self, request: Received) -> None:
        steps = self._upstream._received(request)
        self._framing = "raw"
        for step in self._upstream.each(steps):
            await self._step(step, request)
            if self._gone.is_set() or self.transport.is_closing():
                return
        if self._framing != "raw":
            await self._step(End(), request)
        request.answered.set()

    async def _step(self, step: Step, request: Received) -> None:
        match step:
            case bytes():
                await self._write(step, request)
            case Reply(status, headers, body):
                length = (("content-length", str(len(body))),)
                await self._write(_head(status, headers + length) + body, request)
            case Head(status, headers, framing):
                self._framing = framing
                extra = {
                    "chunked": (("transfer-encoding", "chunked"),),
                    "eof": (("connection", "close"),),
                    "raw": (),
                }[framing]
                await self._write(_head(status, headers + extra), request)
            case Chunk(data):
                framed = b"%x\r\n%b\r\n" % (len(data), data) if self._framing == "chunked" else data
                await self._write(framed, request)
            case End():
                if self._framing == "chunked":
                    await self._write(b"0\r\n\r\n", request)
                elif self._framing == "eof":
                    self.transport.close()
                self._framing = "raw"
            case Wait(event):
                await self._hold(event.is_set)
            case Silence():
                await self._hold(lambda: False)
            case Cut():
                request.answered.set()
                self.transport.close()
            case Reset():
                request.answered.set()
                # With a linger of nothing the kernel answers what it holds with RST instead of FIN.
                raw = self.transport.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.transport.abort()

    async def _write(self, data: bytes, request: Received) -> None:
        for start in range(0, len(data), 65536):
            piece = data[start : start + 65536]
            self.transport.write(piece)
            await self._writable.wait()
            if self._gone.is_set():
                return
            request.written += len(piece)

    async def _hold(self, released: Callable[[], bool]) -> None:
        # A test's event belongs to another thread, so it is looked at rather than awaited.
        while not (released() or self._gone.is_set() or self._upstream._stopping):
            try:
                await asyncio.wait_for(self._gone.wait(), 0.003)
            except TimeoutError:
                continue


def _head(status: int, headers: tuple[tuple[str, str], ...]) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")
