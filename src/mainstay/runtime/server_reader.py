"""Bytes of one connection into requests: the parser's callbacks, and the limits on what they may cost.

Stands between httptools and a connection, which orders and runs the exchanges made here. A client that asks again
with the head it sent before is read without the parser. Knows no transport and no clock but the time it is given.
"""

from typing import Any, Final, Protocol

import httptools

from mainstay.core.errors import HeadTooLarge, InvalidRequest, MainstayError
from mainstay.runtime.heads import LENGTH, body_at
from mainstay.runtime.http1 import CHUNKED, check_body_size, request_body, request_target
from mainstay.runtime.server_exchange import Exchange, Link, Site

__all__ = ["Address", "RequestReader", "Taker"]

#: Bytes given to the parser at once outside a body of known length: bounds how many requests one read can queue.
_PIECE = 4096
_ASGI: Final = {"version": "3.0", "spec_version": "2.4"}
#: Headers that make more of a request than a head and a body of known length.
_NOT_PLAIN: Final = frozenset((b"transfer-encoding", b"upgrade", b"expect"))


class Taker(Link, Protocol):
    """The connection, as the reader sees it."""

    def opened(self, exchange: Exchange) -> None: ...
    def completed(self, exchange: Exchange) -> None: ...
    def busy(self) -> bool: ...


class Address:
    """Both ends of a connection, as ASGI's scope names them."""

    __slots__ = ("client", "scheme", "server")

    def __init__(self, peer: object, here: object, tls: bool) -> None:
        # A Unix socket's peer has no name and its own address is a path.
        self.client = peer[:2] if isinstance(peer, tuple) else None
        self.server = here[:2] if isinstance(here, tuple) else (here, None)
        self.scheme = "https" if tls else "http"


class _Known:
    """The head of a request that was read whole in one piece: what may differ next time is the length of the body.

    ``before`` ends where the digits of the content length begin, ``after`` begins behind them and ends with the head.
    """

    __slots__ = ("after", "before", "fields", "headers", "notes", "place", "scope")

    def __init__(self, before: bytes, after: bytes, scope: dict[str, Any]) -> None:
        self.before = before
        self.after = after
        # The app may change what it is given.
        self.scope = scope.copy()
        self.headers: list[tuple[bytes, bytes]] = scope["headers"].copy()
        about = scope["extensions"]["mainstay"]
        self.fields: dict[bytes, bytes] = about["headers"].copy()
        self.notes: dict[str, Any] = about["notes"]
        self.place = [name for name, _ in self.headers].index(b"content-length")


class RequestReader:
    """Reads requests. ``incoming`` is the one whose body is being read; ``in_head`` tells that a head is."""

    def __init__(self, taker: Taker, site: Site, address: Address) -> None:
        self.incoming: Exchange | None = None
        self.in_head = False
        #: Monotonic seconds at which the latest head's first byte was read.
        self.began = 0.0
        self._taker = taker
        self._site = site
        self._limits = site.limits
        self._piece = min(_PIECE, site.limits.max_head)
        self._address = address
        self._parser: Any = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._overhead = 0
        self._now = 0.0
        self._upgrading = False
        self._problem: MainstayError | None = None
        #: The latest head, while all that the latest read brought was one plain request; else None.
        self._known: _Known | None = None
        #: The request that was completed last, if in this read.
        self._whole: Exchange | None = None

    def feed(self, data: bytes, now: float) -> bytes:
        """Read ``data``, which came at ``now``; requests go to the taker as their heads and bodies are complete.

        Returns what was left unread because the taker is busy with a request that was read whole.

        Raises:
            MainstayError: the bytes are no request that may be served; nothing can be read after them.
        """
        self._now = now
        known = self._known
        if known is not None:
            if self._again(known, data):
                return b""
            self._known = None
        between = not self.in_head and self.incoming is None
        rest = self._read(data)
        if between and self._whole is not None:
            self._remember(data, self._whole)
        self._whole = None
        return rest

    def _again(self, known: _Known, data: bytes) -> bool:
        """Read a request whose head is the known one but for its length, if ``data`` is that and nothing else.

        The parser stands between two requests and is not told. What it would make of these bytes is known: other
        digits in this place change the length of the body and nothing else.
        """
        body = body_at(known.before, known.after, data)
        if body < 0 or (length := len(data) - body) > self._limits.max_body:
            return False
        digits = data[len(known.before) : body - len(known.after)]
        self.began = self._now
        headers = known.headers.copy()
        headers[known.place] = (b"content-length", digits)
        fields = known.fields.copy()
        fields[b"content-length"] = digits
        scope = known.scope.copy()
        scope["headers"] = headers
        scope["extensions"] = {"mainstay": {"started": self._now, "headers": fields, "notes": known.notes}}
        taker = self._taker
        exchange = Exchange(taker, self._site, scope, length, False, True)
        if length:
            exchange.parts.append(data[body:])
            exchange.received = exchange.buffered = length
        exchange.complete = True
        taker.opened(exchange)
        taker.completed(exchange)
        return True

    def _remember(self, data: bytes, exchange: Exchange) -> None:
        """Keep the head of ``exchange``, the last one in ``data``, if ``data`` is all of that one and it is plain.

        ``data`` begins where a request does. If the first head in it is followed by just the body of the last request,
        these two are the same: a later one would have its own head in between.
        """
        if exchange.http10 or not exchange.keep or not data.startswith(b"POST "):
            return
        end = data.find(b"\r\n\r\n", 0, _PIECE) + 4
        found = LENGTH.search(data, 0, end)
        if found is None or len(data) - end != exchange.body:
            return
        fields = exchange.scope["extensions"]["mainstay"]["headers"]
        if found[1] == fields[b"content-length"] and _NOT_PLAIN.isdisjoint(fields):
            self._known = _Known(data[: found.start(1)], data[found.end(1) : end], exchange.scope)

    def _read(self, data: bytes) -> bytes:
        """Give ``data`` to the parser; return what it was not given because the taker is busy."""
        if len(data) <= self._piece:
            self._parse(data)
            return b""
        view = memoryview(data)
        at = 0
        while at < len(data):
            if self._taker.busy():
                return data[at:]
            incoming = self.incoming
            left = 0 if incoming is None else incoming.body - incoming.received
            end = at + (left if left > 0 else self._piece)
            self._parse(view[at:end])
            at = end
        return b""

    def _parse(self, data: "bytes | memoryview") -> None:
        before = self.incoming
        received = before.received if before is not None else 0
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as stop:
            # The parser would leave HTTP here. We stay in it: the body and the next request follow as usual.
            self._upgrading = False
            self._parser = self._parser_after_upgrade()
            if len(data) > stop.args[0]:
                self._parse(data[stop.args[0] :])
        except httptools.HttpParserError as error:
            if self._problem is not None:
                raise self._problem from None
            if isinstance(error, httptools.HttpParserCallbackError):
                raise  # ours, not the client's
            raise InvalidRequest(f"The request is not valid HTTP/1.1: {error}.") from None
        if self.in_head or (before is not None and before is self.incoming and before.received == received):
            self._count_overhead(len(data))

    def _count_overhead(self, size: int) -> None:
        """Bound what is not body: a head, or the framing and trailers around the chunks of a body."""
        self._overhead += size
        if self.in_head:
            if self._overhead >= self._limits.max_head or len(self._headers) > self._limits.max_headers:
                raise self._head_too_large()
        elif self._overhead >= self._limits.max_head:
            raise InvalidRequest("The body has more chunk framing than content; send larger chunks.")

    def _head_too_large(self) -> MainstayError:
        limits = self._limits
        return HeadTooLarge(
            f"The request head is over {limits.max_head} bytes or {limits.max_headers} headers; send less of it."
        )

    def unfinished(self) -> tuple[str, str, dict[bytes, bytes]]:
        """Return method, path and headers of a head that was refused, as far as they were read."""
        if not self._url:
            return "", "", {}
        path = self._url.partition(b"?")[0].decode("ascii", "replace")
        return self._parser.get_method().decode(), path, dict(self._headers)

    def _parser_after_upgrade(self) -> Any:
        """Return a parser that stands right behind the head of the request being read."""
        body = self.incoming.body if self.incoming is not None else 0
        framing = b"transfer-encoding: chunked" if body == CHUNKED else b"content-length: %d" % body
        parser = httptools.HttpRequestParser(_Relay(self))
        parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n\r\n" % framing)
        return parser

    # Called by the parser.

    def on_message_begin(self) -> None:
        """A head begins."""
        self.in_head = True
        self.began = self._now
        self._overhead = 0
        self._url = b""
        self._headers = []

    def on_url(self, url: bytes) -> None:
        """Take a piece of the request target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what comes behind a body is a trailer, which nobody reads."""
        if self.in_head:
            self._headers.append((name.lower(), value.rstrip()))

    def on_headers_complete(self) -> None:
        """The head is complete: hand on an exchange, or refuse."""
        try:
            exchange = self._admit()
        except MainstayError as error:
            self._problem = error
            raise
        self.in_head = False
        self._overhead = 0
        self.incoming = exchange
        self._upgrading = self._parser.should_upgrade()
        self._taker.opened(exchange)

    def on_body(self, data: bytes) -> None:
        """Take a piece of a body."""
        exchange = self.incoming
        assert exchange is not None
        exchange.feed(data)
        self._overhead = 0
        if exchange.body == CHUNKED:
            try:
                check_body_size(exchange.received, self._limits.max_body)
            except MainstayError as error:
                self._problem = error
                raise

    def on_message_complete(self) -> None:
        """The request is complete."""
        exchange = self.incoming
        if exchange is not None and not self._upgrading:
            self.incoming = None
            self._whole = exchange
            exchange.finish()
            self._taker.completed(exchange)

    def _admit(self) -> Exchange:
        """Make an exchange of the head just read.

        Raises:
            MainstayError: what is wrong with it.
        """
        parser, headers, limits = self._parser, self._headers, self._limits
        version = parser.get_http_version()
        http10 = version == "1.0"
        method = parser.get_method().decode()
        fields = dict(headers)
        if not http10 and version != "1.1":
            raise InvalidRequest("Only HTTP/1.1 and HTTP/1.0 are spoken here; use one of them.", status=505)
        if len(headers) > limits.max_headers:
            raise self._head_too_large()
        if method == "CONNECT":
            raise InvalidRequest("This is no forward proxy; send the request itself.", status=405)
        if b"host" not in fields:
            if not http10:
                raise InvalidRequest("The request has no Host header; send one.")
        elif len(fields) != len(headers) and [name for name, _ in headers].count(b"host") > 1:
            raise InvalidRequest("The request has several Host headers; send one.")
        body = request_body(fields, http10, limits.max_body)
        path, raw_path, query = request_target(self._url)
        address = self._address
        scope = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "method": method,
            "scheme": address.scheme,
            "path": path,
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": headers,
            "client": address.client,
            "server": address.server,
            "extensions": {"mainstay": {"started": self.began, "headers": fields, "notes": {}}},
        }
        exchange = Exchange(self._taker, self._site, scope, body, http10, parser.should_keep_alive())
        if body:
            exchange.body_clock = self._now
            expect = fields.get(b"expect")
            if expect is not None and not http10:
                if expect.lower() != b"100-continue":
                    what = "The only expectation understood is 100-continue; leave the Expect header out."
                    raise InvalidRequest(what, status=417, code="expectation_failed")
                exchange.expects_continue = True
        return exchange


class _Relay:
    """The callbacks of a stand-in parser: swallows its made-up head and passes on what follows."""

    def __init__(self, reader: RequestReader) -> None:
        self._reader = reader
        self._armed = False
        self.on_body = reader.on_body
        self.on_message_complete = reader.on_message_complete

    def on_message_begin(self) -> None:
        if self._armed:
            self._reader.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if self._armed:
            self._reader.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._armed:
            self._reader.on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._armed:
            self._reader.on_headers_complete()
        self._armed = True
