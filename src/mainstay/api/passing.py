"""Passes requests for the admin API on to the control process, and its answers back, as they come.

A worker has neither the database nor the web framework; callers see one address all the same. Knows HTTP, and of the
admin API only where it listens. What it says of a request (``x-mainstay-host`` and the like) no caller can say itself.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from mainstay.core.errors import Unavailable, UpstreamError, UpstreamUnreachable
from mainstay.core.ports import Incoming, Origin, Outgoing, Transport
from mainstay.core.timeouts import Timeouts
from mainstay.runtime.local import reach_local

__all__ = ["Passing", "admin_socket"]

#: Of one connection, or written by whoever sends: never passed on.
_HOPS = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"expect")
) | {b"host", b"content-length", b"accept-encoding", b"x-request-id"}
_BACK = frozenset((b"connection", b"keep-alive", b"transfer-encoding", b"date", b"server"))
#: What only we say.
_OURS = b"x-mainstay-"
#: The control process yields to the workers: under full load it may take its time. A stream may be open for a day.
_TIMEOUTS = Timeouts(connect=5.0, headers=60.0, idle=600.0, total=86400.0)

Message = MutableMapping[str, Any]


def admin_socket(home: Path) -> Path:
    """Return where the control process listens."""
    return home / "run" / "admin.sock"


class Passing:
    """Passes requests on over one worker's own connections.

    Args:
        home: the folder Mainstay writes to.
        transport: returns what sends; called at the first request.
    """

    def __init__(self, home: Path, transport: Callable[[], Transport]) -> None:
        self._home = home
        self._open = transport
        self._transport: Transport | None = None
        self._origin: Origin | None = None

    async def serve(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
        request_id: bytes,
    ) -> int:
        """Pass a request on and return the status of its answer.

        Raises:
            Unavailable: the control process is not there; nothing was answered yet.
            MainstayError: the body breaks a limit.
        """
        body = await _body(receive)
        if self._transport is None or self._origin is None:
            self._transport = self._open()
            self._origin = Origin("mainstay", 80, uds=reach_local(admin_socket(self._home)))
        target: bytes = scope.get("raw_path") or scope["path"].encode()
        if scope["query_string"]:
            target += b"?" + scope["query_string"]
        request = Outgoing(scope["method"].encode(), target, _headers(scope, request_id), body)
        try:
            answer = await self._transport.send(self._origin, request, _TIMEOUTS)
        except UpstreamUnreachable:
            raise Unavailable("The admin API is starting, or being replaced; try again shortly.") from None
        except UpstreamError:
            raise Unavailable("The admin API did not answer in time; try again shortly.") from None
        try:
            await _relay(answer, send)
        finally:
            answer.close()
        return answer.status

    async def aclose(self) -> None:
        """Close every connection."""
        if self._transport is not None:
            await self._transport.aclose()


async def _body(receive: Callable[[], Awaitable[Message]]) -> bytes:
    """Return the whole body; the server enforces its limit."""
    pieces, more = [], True
    while more:
        message = await receive()
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(pieces)


def _headers(scope: MutableMapping[str, Any], request_id: bytes) -> tuple[tuple[bytes, bytes], ...]:
    given: list[tuple[bytes, bytes]] = scope["headers"]
    passed = [pair for pair in given if pair[0] not in _HOPS and not pair[0].startswith(_OURS)]
    host = next((value for name, value in given if name == b"host"), b"")
    client = scope.get("client") or ("", 0)
    ours = ((b"x-request-id", request_id), (_OURS + b"host", host), (_OURS + b"client", str(client[0]).encode()))
    return (*passed, *ours)


async def _relay(answer: Incoming, send: Callable[[Message], Awaitable[None]]) -> None:
    headers = [pair for pair in answer.headers if pair[0] not in _BACK]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    while piece := await answer.chunk():
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
