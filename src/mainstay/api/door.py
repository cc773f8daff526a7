"""The door every request comes through: who is it, what record is opened, and how an error leaves.

Knows ASGI and records; knows no dialect but by its endpoint.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from functools import cached_property, lru_cache
from math import ceil
from typing import Any

from mainstay.core.clock import monotonic, since_ms, wall_ms
from mainstay.core.errors import InvalidRequest, MainstayError, Unauthenticated, Unavailable, UnsupportedMediaType
from mainstay.core.ids import uuid7
from mainstay.core.record import Record
from mainstay.providers.tasks.form import Form, FormReader

__all__ = ["Head", "Receive", "Request", "Scope", "Send", "presented_key"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = Mapping[bytes, bytes]

_SANE_ID = re.compile(rb"[A-Za-z0-9._:/@+=-]{1,128}")
_UPWARD = (b"openai-", b"anthropic-", b"x-stainless-", b"idempotency-key")
#: Who pays upstream is the operator's to say.
_OPERATORS = frozenset((b"openai-organization", b"openai-project", b"anthropic-workspace-id"))
_MAX_HOPS = 4
_SANE_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_MAX_TAGS = 8


class Head:
    """What the head of a request says, each thing worked out once: most clients send one head again and again.

    Nothing here depends on the length of the body.
    """

    def __init__(self, headers: Headers, pairs: Sequence[tuple[bytes, bytes]]) -> None:
        self._headers = headers
        self._pairs = pairs
        self._is_json = False

    @cached_property
    def request_id(self) -> bytes | None:
        """The caller's own id for the request, if it may be used as it is."""
        given = self._headers.get(b"x-request-id")
        return given if given is not None and _SANE_ID.fullmatch(given) else None

    @cached_property
    def key(self) -> bytes:
        """The key that was presented; see :func:`presented_key`."""
        return presented_key(self._headers)

    @cached_property
    def upward(self) -> tuple[tuple[bytes, bytes], ...]:
        """The caller's headers that may go to an upstream."""
        return tuple([pair for pair in self._pairs if pair[0].startswith(_UPWARD) and pair[0] not in _OPERATORS])

    @cached_property
    def hops(self) -> int:
        """How many Mainstays this request has already passed.

        Raises:
            InvalidRequest: too many: a base_url probably points back at this gateway.
        """
        given = self._headers.get(b"x-mainstay-hops")
        if given is None:
            return 0
        hops = int(given) if given.isdigit() and len(given) < 4 else _MAX_HOPS + 1
        if hops > _MAX_HOPS:
            raise InvalidRequest(
                "The request goes in a circle: a provider's base_url points back at this gateway.",
                code="loop_detected",
                status=508,
            )
        return hops

    @cached_property
    def priority(self) -> bytes | None:
        """How much the caller says that the request matters."""
        return self._headers.get(b"x-mainstay-priority")

    @cached_property
    def tags(self) -> tuple[str, ...]:
        """What the caller wants the request counted under: ``x-mainstay-tags: project-x,nightly``.

        Raises:
            InvalidRequest: there are too many, or one is no name.
        """
        given = self._headers.get(b"x-mainstay-tags")
        if not given:
            return ()
        tags = dict.fromkeys(tag.strip() for tag in given.decode("latin-1").split(",") if tag.strip())
        if len(tags) > _MAX_TAGS or not all(_SANE_TAG.fullmatch(tag) for tag in tags):
            raise InvalidRequest(
                f"'x-mainstay-tags' takes up to {_MAX_TAGS} tags of 1 to 64 letters, digits and . _ : - , with commas "
                "between them."
            )
        return tuple(sorted(tags))

    def check_json(self) -> None:
        """Refuse a body that is not JSON as it stands.

        Raises:
            UnsupportedMediaType: it is not JSON, or it is compressed.
        """
        if self._is_json:
            return
        kind = self._headers.get(b"content-type", b"application/json")
        if not kind.lower().startswith(b"application/json"):
            raise UnsupportedMediaType("Send the body as JSON with the header 'content-type: application/json'.")
        if self._headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise UnsupportedMediaType("Send the body uncompressed: content-encoding is not supported.")
        self._is_json = True


class Request:
    """One HTTP request and its record.

    ``started`` is the monotonic second at which its first byte was read, where the server says so.
    """

    __slots__ = (
        "_body",
        "_receive",
        "_send",
        "_short",
        "head",
        "headers",
        "id_header",
        "record",
        "scope",
        "started",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send, route: str, operation: str, dialect: str) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        extension = (scope.get("extensions") or {}).get("mainstay")
        #: Whether the server takes a whole response in one message.
        self._short = extension is not None
        if extension is not None:
            self.started: float = extension["started"]
            self.headers: Headers = extension["headers"]
            #: All of the body, if it is there already.
            self._body: bytes | None = extension.get("body")
            notes = extension["notes"]
            head = notes.get("head")
            if head is None:
                head = notes["head"] = Head(self.headers, scope["headers"])
            self.head: Head = head
        else:
            self.started = monotonic()
            self.headers = dict(scope["headers"])
            self._body = None
            self.head = Head(self.headers, scope["headers"])
        identity = uuid7()
        given = self.head.request_id
        self.id_header = identity.encode() if given is None else given
        self.record = Record(
            identity,
            identity if given is None else given.decode(),
            wall_ms(),
            operation,
            dialect,
            scope["method"],
            route,
        )

    @property
    def is_form(self) -> bool:
        """Whether the body is a form with files."""
        return self.headers.get(b"content-type", b"").lower().startswith(b"multipart/")

    async def form(self) -> Form:
        """Return the body, a form, read while it arrives; the server enforces its limit.

        Raises:
            UnsupportedMediaType: it is no form, or it is compressed.
            InvalidRequest: the form is damaged or over a limit.
        """
        if self.headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise UnsupportedMediaType("Send the body uncompressed: content-encoding is not supported.")
        reader = FormReader(self.headers.get(b"content-type", b""))
        begun = monotonic()
        if self._body is not None:
            reader.feed(self._body)
        else:
            more = True
            while more:
                message = await self._receive()
                reader.feed(message.get("body", b""))
                more = message.get("more_body", False)
        form = reader.finish()
        self.record.waited_ms = since_ms(begun)
        self.record.request_bytes = len(form.raw)
        return form

    async def body(self) -> bytes:
        """Return the whole body; the server enforces its limit.

        Raises:
            UnsupportedMediaType: it is not JSON, or it is compressed.
        """
        self.head.check_json()
        body = self._body
        if body is None:
            begun = monotonic()
            message = await self._receive()
            body = message.get("body", b"")
            if message.get("more_body"):
                pieces = [body]
                while message.get("more_body"):
                    message = await self._receive()
                    pieces.append(message.get("body", b""))
                body = b"".join(pieces)
            self._body = body
            self.record.waited_ms = since_ms(begun)
        self.record.request_bytes = len(body)
        return body

    def respond(
        self,
        status: int,
        body: bytes,
        *,
        extra: Sequence[tuple[bytes, bytes]] = (),
        error: MainstayError | None = None,
        kind: bytes = b"application/json",
    ) -> Awaitable[None]:
        """Send a whole response; ``extra`` are further headers, ``error`` what it tells of."""
        self.record.status = status
        lines = b"content-type: " + kind + b"\r\n" + self.reasons(error)
        if error is not None and error.headers:
            # When to ask again is said above, and only where asking again makes sense.
            extra = (*extra, *(pair for pair in error.headers if not pair[0].startswith(b"retry-after")))
        for name, value in extra:
            # An upstream's word must stay one header.
            if b"\n" not in value and b"\r" not in value:
                lines += b"%b: %b\r\n" % (name, value)
        if self._short:
            return self._send({"type": "mainstay.response", "status": status, "lines": lines, "body": body})
        return self._respond(status, lines, body)

    async def _respond(self, status: int, lines: bytes, body: bytes) -> None:
        """Send a whole response to a server that speaks ASGI and no more."""
        headers = [*_pairs(lines), (b"content-length", b"%d" % len(body))]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    def reasons(self, error: MainstayError | None = None) -> bytes:
        """Return the header lines that say how an answer came about; every answer carries them, error or not."""
        record = self.record
        # A record that is settled has the word; a stream's is not yet, and a page's never.
        overhead = record.overhead_ms if record.outcome else self._overhead()
        lines = b"x-request-id: %b\r\n%bx-mainstay-attempts: %d\r\nx-mainstay-overhead-ms: %.3f\r\n" % (
            self.id_header,
            _served(record.route, record.target, record.provider, record.cache, record.cost_usd),
            len(record.attempts),
            overhead,
        )
        if record.dialect == "anthropic":
            # Where that vendor's SDK looks for it.
            lines += b"request-id: %b\r\n" % self.id_header
        if error is not None and error.status == 401:
            # RFC 9110, 11.6.1: how to do it right.
            lines += b"www-authenticate: Bearer\r\n"
        if error is not None and error.status in (429, 503):
            lines += b"retry-after: %d\r\n" % max(1, ceil(error.retry_after or 1))
            if error.retry_after:
                # Whole seconds are what every client reads; the official SDKs read this first.
                lines += b"retry-after-ms: %d\r\n" % max(1, ceil(error.retry_after * 1000))
        if record.attempts and error is not None and error.status != 429 and not isinstance(error, Unavailable):
            # Mainstay has tried what made sense; a client that tries again multiplies the load.
            lines += b"x-should-retry: false\r\n"
        return lines

    def _overhead(self) -> float:
        """Milliseconds since the request began that were not spent waiting for the caller or an upstream."""
        record = self.record
        waited = record.waited_ms + record.queued_ms
        for attempt in record.attempts:
            waited += attempt.total_ms or attempt.first_ms or 0.0
        return max(0.0, since_ms(self.started) - waited)

    async def open_stream(
        self, extra: Sequence[tuple[bytes, bytes]], kind: bytes = b"text/event-stream; charset=utf-8"
    ) -> None:
        """Send the head of a stream: of server-sent events, or of media of another ``kind``."""
        headers = [
            (b"content-type", kind),
            (b"cache-control", b"no-cache"),
            (b"x-accel-buffering", b"no"),
            *_pairs(self.reasons()),
            *extra,
        ]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    async def write(self, data: bytes) -> None:
        """Send a piece of a stream; waits while the caller is slow."""
        self.record.response_bytes += len(data)
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def close(self, data: bytes) -> None:
        """Send the last piece of a stream."""
        self.record.response_bytes += len(data)
        await self._send({"type": "http.response.body", "body": data})


def presented_key(headers: Headers) -> bytes:
    """Return the key from ``Authorization: Bearer`` or ``x-api-key``, or b"" when there is none.

    Clients of Anthropic's wire may send both, one of them meant for somebody else: then the one of our form counts.

    Raises:
        Unauthenticated: there is an Authorization header of another scheme and no ``x-api-key``.
    """
    authorization = headers.get(b"authorization")
    if authorization is not None:
        scheme, _, key = authorization.partition(b" ")
        if scheme.lower() == b"bearer":
            key = key.strip()
            if key.startswith(b"ms-") or b"x-api-key" not in headers:
                return key
        elif b"x-api-key" not in headers:
            raise Unauthenticated("Send the key as 'Authorization: Bearer ms-…' or 'x-api-key: ms-…'.")
    return headers.get(b"x-api-key", b"").strip()


def _pairs(lines: bytes) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, _, value in (line.partition(b": ") for line in lines.split(b"\r\n")[:-1])]


@lru_cache(maxsize=4096)
def _served(route: str, target: str, provider: str, cache: str, cost: str | None) -> bytes:
    paid = cost.encode() if cost is not None else b"unknown"
    values = (route.encode(), target.encode(), provider.encode(), cache.encode() or b"off", paid)
    return (
        b"x-mainstay-route: %b\r\nx-mainstay-model: %b\r\nx-mainstay-provider: %b\r\n"
        b"x-mainstay-cache: %b\r\nx-mainstay-cost-usd: %b\r\n" % values
    )
