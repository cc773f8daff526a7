"""The door every request comes through: who is it, what record is opened, and how an error leaves.

Knows ASGI and records; knows no dialect but by its endpoint.
"""

import re
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from functools import lru_cache
from typing import Any

from mainstay.core.clock import monotonic, since_ms, wall_ms
from mainstay.core.errors import InvalidRequest, MainstayError, Unauthenticated, UnsupportedMediaType
from mainstay.core.ids import uuid7
from mainstay.core.record import Record

__all__ = ["Receive", "Request", "Scope", "Send", "presented_key", "reason_headers"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_SANE_ID = re.compile(rb"[A-Za-z0-9._:/@+=-]{1,128}")
_UPWARD = (b"openai-", b"anthropic-", b"x-stainless-", b"idempotency-key")
_MAX_HOPS = 4


class Request:
    """One HTTP request and its record.

    ``started`` is the monotonic second at which its first byte was read, where the server says so.
    """

    __slots__ = ("_receive", "_send", "headers", "id_header", "method", "path", "record", "scope", "started")

    def __init__(self, scope: Scope, receive: Receive, send: Send, route: str, operation: str, dialect: str) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        extension = (scope.get("extensions") or {}).get("mainstay")
        if extension is not None:
            self.started: float = extension["started"]
            self.headers: dict[bytes, bytes] = extension["headers"]
        else:
            self.started = monotonic()
            self.headers = dict(scope["headers"])
        identity = uuid7()
        given = self.headers.get(b"x-request-id")
        if given is not None and _SANE_ID.fullmatch(given):
            self.id_header = given
        else:
            self.id_header = identity.encode()
        self.record = Record(
            identity,
            self.id_header.decode(),
            wall_ms(),
            operation,
            dialect,
            method=scope["method"],
            path=route,
        )

    async def body(self) -> bytes:
        """Return the whole body; the server enforces its limit.

        Raises:
            UnsupportedMediaType: it is not JSON, or it is compressed.
        """
        kind = self.headers.get(b"content-type", b"application/json")
        if not kind.lower().startswith(b"application/json"):
            raise UnsupportedMediaType("Send the body as JSON with the header 'content-type: application/json'.")
        if self.headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise UnsupportedMediaType("Send the body uncompressed: content-encoding is not supported.")
        begun = monotonic()
        message = await self._receive()
        body: bytes = message.get("body", b"")
        if message.get("more_body"):
            pieces = [body]
            while message.get("more_body"):
                message = await self._receive()
                pieces.append(message.get("body", b""))
            body = b"".join(pieces)
        self.record.waited_ms = since_ms(begun)
        self.record.request_bytes = len(body)
        return body

    def upward(self) -> tuple[tuple[bytes, bytes], ...]:
        """Return the caller's headers that may go to an upstream."""
        return tuple([pair for pair in self.scope["headers"] if pair[0].startswith(_UPWARD)])

    def hops(self) -> int:
        """Return how many Mainstays this request has already passed.

        Raises:
            InvalidRequest: too many: a base_url probably points back at this gateway.
        """
        given = self.headers.get(b"x-mainstay-hops")
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

    async def respond(
        self,
        status: int,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes,
        kind: bytes = b"application/json",
    ) -> None:
        """Send a whole response with its length and request id."""
        self.record.status = status
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (b"content-type", kind),
                    (b"content-length", b"%d" % len(body)),
                    (b"x-request-id", self.id_header),
                    *headers,
                ],
            }
        )
        await self._send({"type": "http.response.body", "body": body})

    async def open_stream(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Send the head of a stream of server-sent events."""
        await self._send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [
                    (b"content-type", b"text/event-stream; charset=utf-8"),
                    (b"cache-control", b"no-cache"),
                    (b"x-accel-buffering", b"no"),
                    (b"x-request-id", self.id_header),
                    *headers,
                ],
            }
        )

    async def write(self, data: bytes) -> None:
        """Send a piece of a stream; waits while the caller is slow."""
        self.record.response_bytes += len(data)
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def close(self, data: bytes) -> None:
        """Send the last piece of a stream."""
        self.record.response_bytes += len(data)
        await self._send({"type": "http.response.body", "body": data})


def presented_key(headers: MutableMapping[bytes, bytes]) -> bytes:
    """Return the key from ``Authorization: Bearer`` or ``x-api-key``, or b"" when there is none.

    Raises:
        Unauthenticated: there is an Authorization header of another scheme and no ``x-api-key``.
    """
    authorization = headers.get(b"authorization")
    if authorization is not None:
        scheme, _, key = authorization.partition(b" ")
        if scheme.lower() == b"bearer":
            return key.strip()
        if b"x-api-key" not in headers:
            raise Unauthenticated("Send the key as 'Authorization: Bearer ms-…' or 'x-api-key: ms-…'.")
    return headers.get(b"x-api-key", b"").strip()


def reason_headers(record: Record, started: float, error: MainstayError | None = None) -> list[tuple[bytes, bytes]]:
    """Return the headers that say how an answer came about; every answer carries them, error or not."""
    waited = record.waited_ms
    for attempt in record.attempts:
        waited += attempt.total_ms or attempt.first_ms or 0.0
    overhead = max(0.0, (monotonic() - started) * 1000 - waited)
    headers = [
        *_served_headers(record.route, record.target, record.provider),
        (b"x-mainstay-attempts", b"%d" % len(record.attempts)),
        (b"x-mainstay-cost-usd", record.cost_usd.encode() if record.cost_usd is not None else b"unknown"),
        (b"x-mainstay-overhead-ms", b"%.3f" % overhead),
    ]
    if error is not None and error.status in (429, 503):
        headers.append((b"retry-after", b"%d" % max(1, round(error.retry_after or 1))))
    return headers


@lru_cache(maxsize=4096)
def _served_headers(route: str, target: str, provider: str) -> tuple[tuple[bytes, bytes], ...]:
    return (
        (b"x-mainstay-route", route.encode()),
        (b"x-mainstay-model", target.encode()),
        (b"x-mainstay-provider", provider.encode()),
        (b"x-mainstay-cache", b"off"),
    )
