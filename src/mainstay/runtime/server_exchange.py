"""One request and its response, as the ASGI app sees them: ``receive`` and ``send``, and the task that runs apps.

Stands between a connection, which reads and orders requests, and the app. Knows no parser and no timer.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Protocol

from mainstay.core.errors import Internal, MainstayError
from mainstay.runtime.http1 import BODILESS, CHUNKED, NO_BODY, Limits, response_head, whole_head

__all__ = ["App", "Exchange", "Link", "OnRefused", "Refuse", "Runner", "Site"]

Message = MutableMapping[str, Any]
#: An ASGI 3 application.
App = Callable[
    [dict[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

#: Renders an error that the server answers itself: error, path ("" when it was not read) and request id → the status,
#: a JSON body, and headers beside those that every answer has.
Refuse = Callable[[MainstayError, str, str], tuple[int, bytes, Sequence[tuple[bytes, bytes]]]]
#: Told of each request refused before the app saw it: error, monotonic second of its first byte, method and path (""
#: when they were not read), and the request id that is shown, the caller's own or a new one.
OnRefused = Callable[[MainstayError, float, str, str, str], None]

#: Heads and bodies up to this size leave as one piece; a larger body is not copied to join its head.
_JOIN = 64 * 1024


class Site:
    """What all connections of one server share: the app, the limits, and what runs now."""

    def __init__(self, app: App, limits: Limits, refuse: Refuse, on_refused: OnRefused) -> None:
        self.app = app
        self.limits = limits
        self.refuse = refuse
        self.on_refused = on_refused
        self.loop: asyncio.AbstractEventLoop
        #: The ``date`` header line, renewed by the server's sweep.
        self.date = b""
        self.draining = False
        self.running: set[Exchange] = set()
        #: Called whenever something ended, so that a drain can look whether all has.
        self.settled: Callable[[], None] = lambda: None

    def fault(self, what: str, error: BaseException) -> None:
        """Report a fault of the app to the loop's exception handler, which logs it."""
        self.loop.call_exception_handler({"message": what, "exception": error})


class Link(Protocol):
    """What an exchange needs of its connection."""

    def write(self, data: bytes) -> None: ...
    def writable(self) -> bool: ...
    async def drained(self) -> None: ...
    def may_keep(self, exchange: "Exchange") -> bool: ...
    def body_taken(self) -> None: ...
    def send_continue(self, exchange: "Exchange") -> None: ...
    def response_done(self, exchange: "Exchange") -> None: ...
    def answer(self, error: MainstayError, exchange: "Exchange") -> None: ...
    def break_off(self, exchange: "Exchange") -> None: ...


class Exchange:
    """One request and its response. The connection fills the request side; the app drives the rest."""

    # One is made per request: slots are cheaper than defaults on the class.
    __slots__ = (
        "_delivered",
        "_error",
        "_link",
        "_news",
        "_site",
        "_start",
        "body",
        "body_clock",
        "buffered",
        "complete",
        "done",
        "expects_continue",
        "framing",
        "gone",
        "head_sent",
        "http10",
        "keep",
        "parts",
        "received",
        "scope",
        "task",
    )

    def __init__(self, link: Link, site: Site, scope: dict[str, Any], body: int, http10: bool, keep: bool) -> None:
        self.scope = scope
        #: Bytes of body announced, 0 for none, or ``CHUNKED``.
        self.body = body
        self.http10 = http10
        self.keep = keep
        #: What runs the app, while it does.
        self.task: asyncio.Task[None] | None = None
        #: Request: body pieces not yet taken, bytes buffered and received so far, whether it all came.
        self.parts: list[bytes] = []
        self.buffered = self.received = 0
        self.complete = self.expects_continue = self._delivered = False
        #: When the body began to count as late, in monotonic seconds; moved on while we do not read.
        self.body_clock = 0.0
        #: Response: ``framing`` is the number of bytes still owed, or one of http1's framings.
        self.framing = NO_BODY
        self.head_sent = self.done = self.gone = False
        self._link = link
        self._site = site
        self._error: MainstayError | None = None
        self._news: asyncio.Event | None = None
        self._start: Message | None = None

    # The request, filled by the connection.

    def feed(self, data: bytes) -> None:
        """Take a piece of the body; it is dropped when the response is already complete."""
        self.received += len(data)
        if not self.done:
            self.parts.append(data)
            self.buffered += len(data)
        if self._news is not None:
            self._news.set()

    def finish(self) -> None:
        """The body is complete."""
        self.complete = True
        if self._news is not None:
            self._news.set()

    def fail(self, error: MainstayError) -> None:
        """The rest of the body will not come: ``receive`` raises ``error`` after what came."""
        self._error = error
        self.keep = False
        if self._news is not None:
            self._news.set()

    def vanish(self, why: str) -> None:
        """Nobody waits for the response any more: cancel the app, once, unless it has already answered."""
        if self.gone:
            return
        self.gone = True
        if self._news is not None:
            self._news.set()
        if self.task is not None and not self.done:
            self.task.cancel(why)

    def hand_over(self) -> None:
        """The body is complete before the app begins: let the app find it beside the scope, without asking for it."""
        parts = self.parts
        if len(parts) > 1:
            self.parts = parts = [b"".join(parts)]
        self.scope["extensions"]["mainstay"]["body"] = parts[0] if parts else b""

    # The app's side.

    def cut(self) -> None:
        """The app was cancelled: what it has sent must not look complete."""
        self._link.break_off(self)

    def failed(self, cause: Exception, shown: MainstayError) -> None:
        """The app raised ``cause``: report it, unless it was raised to be shown, and answer if it is not too late."""
        if cause is not shown and not (self.gone and isinstance(cause, ConnectionError)):
            self._site.fault("the app failed while answering a request", cause)
        if self.gone or self.done:
            return
        if self.head_sent:
            self._link.break_off(self)
        else:
            self._link.answer(shown, self)

    async def receive(self) -> Message:
        """ASGI's receive: a whole body in one message when it is there, else what came; then ``http.disconnect``.

        Raises:
            MainstayError: the body broke a limit or the protocol; unless the app answers, the server does.
        """
        while not (self.gone or self.done):
            if not self._delivered:
                if self.parts or self.complete:
                    return self._take()
                if self._error is not None:
                    raise self._error
                if self.expects_continue:
                    self._link.send_continue(self)
            if self._news is None:
                self._news = asyncio.Event()
            self._news.clear()
            await self._news.wait()
        return {"type": "http.disconnect"}

    def _take(self) -> Message:
        parts = self.parts
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        self.parts = []
        self.buffered = 0
        self._delivered = self.complete
        if not self.complete:
            self._link.body_taken()
        return {"type": "http.request", "body": body, "more_body": not self.complete}

    async def send(self, message: Message) -> None:
        """ASGI's send. Waits while the client reads too slowly.

        Raises:
            ConnectionError: the client has left.
            ValueError: the head is not sendable, or the body does not fit the content length.
            RuntimeError: the message is out of order.
        """
        kind = message["type"]
        if kind == "mainstay.response":
            for step in self._respond(message):
                await self.send(step)
            return
        if kind == "http.response.start":
            if self._start is not None:
                raise RuntimeError("http.response.start was sent twice")
            self._start = message
            return
        if kind != "http.response.body" or self._start is None or self.done:
            raise RuntimeError(f"{kind} is out of order")
        if self.gone:
            raise ConnectionError("the client has left")
        body = message.get("body", b"")
        more = message.get("more_body", False)
        link = self._link
        data = self._frame(body, more) if self.head_sent else self._open(self._start, body, more)
        if data:
            link.write(data)
        if not more:
            self.done = True
            self.parts = []
            self.buffered = 0
            if self._news is not None:
                self._news.set()
            link.response_done(self)
        elif not link.writable():
            await link.drained()

    def _respond(self, message: Message) -> Sequence[Message]:
        """Our own ``mainstay.response``: header lines, each ended by CRLF and no length among them, and all the body.

        A whole response in one message and one write. HEAD and HTTP/1.0 go the long way round: the messages to send
        instead are returned.
        """
        status, lines, body = message["status"], message["lines"], message["body"]
        if self._start is not None or self.done:
            raise RuntimeError("mainstay.response is out of order")
        if self.gone:
            raise ConnectionError("the client has left")
        if self.http10 or self.scope["method"] == "HEAD" or status in BODILESS:
            headers = [tuple(line.split(b": ", 1)) for line in lines.split(b"\r\n")[:-1]]
            start = {"type": "http.response.start", "status": status, "headers": headers}
            return start, {"type": "http.response.body", "body": body}
        link = self._link
        self.keep = self.keep and link.may_keep(self)
        head = whole_head(status, lines, len(body), keep=self.keep, date=self._site.date)
        self.head_sent = self.done = True
        self.parts = []
        self.buffered = 0
        if self._news is not None:
            self._news.set()
        if len(body) <= _JOIN:
            link.write(head + body)
        else:
            link.write(head)
            link.write(body)
        link.response_done(self)
        return ()

    def _open(self, start: Message, body: bytes, more: bool) -> bytes:
        head, self.framing, self.keep = response_head(
            start["status"],
            start.get("headers", ()),
            whole=None if more else len(body),
            head_only=self.scope["method"] == "HEAD",
            http10=self.http10,
            keep=self.keep and self._link.may_keep(self),
            date=self._site.date,
        )
        data = self._frame(body, more)
        self.head_sent = True
        if len(data) <= _JOIN:
            return head + data
        self._link.write(head)
        return data

    def _frame(self, body: bytes, more: bool) -> bytes:
        framing = self.framing
        if framing >= 0:
            left = framing - len(body)
            if left < 0 or (left and not more):
                raise ValueError("the body does not have the length its content-length says")
            self.framing = left
            return body
        if framing == CHUNKED:
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            return chunk if more else chunk + b"0\r\n\r\n"
        return b"" if framing == NO_BODY else body


class Runner:
    """Runs the app for one request of a connection after another, in one task: waking one costs less than making one.

    An app may go on after its response. What comes next is then run by another task, and the first ends with its app.
    What an app leaves in its context variables, the next request of the connection finds there.
    """

    __slots__ = ("_next", "_site", "_task", "_waiter")

    def __init__(self, site: Site) -> None:
        self._site = site
        #: The task that runs what comes, what it waits on when it has nothing to do, and what it is woken for.
        self._task: asyncio.Task[None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._next: Exchange | None = None

    def begin(self, exchange: Exchange) -> None:
        """Start the app for ``exchange``."""
        self._site.running.add(exchange)
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            self._next = exchange
            waiter.set_result(None)
        else:
            self._waiter = None
            self._task = self._site.loop.create_task(self._run(exchange))

    def end(self) -> None:
        """Nothing more will come: let the task end once its app has."""
        self._task = None
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _run(self, exchange: Exchange | None) -> None:
        site = self._site
        task = asyncio.current_task()
        while exchange is not None:
            exchange.task = task
            try:
                # One whose client left before its turn is not begun.
                if not exchange.gone:
                    if exchange.complete:
                        exchange.hand_over()
                    await site.app(exchange.scope, exchange.receive, exchange.send)
                if not exchange.done and not exchange.gone:
                    raise RuntimeError("the app returned before it completed its response")
            except asyncio.CancelledError:
                exchange.cut()
                raise
            except MainstayError as error:
                exchange.failed(error, error)
            except Exception as error:  # noqa: BLE001  # the boundary between the app and the wire
                exchange.failed(
                    error, Internal("Mainstay failed to answer; try again, and report the request id if it persists.")
                )
            finally:
                exchange.task = None
                site.running.discard(exchange)
                site.settled()
            # Nothing of a request outlives it.
            exchange = None
            if self._task is task:
                self._waiter = site.loop.create_future()
                await self._waiter
                exchange, self._next = self._next, None
