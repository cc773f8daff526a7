"""The gateway as a server of the Model Context Protocol: ``POST /mcp``, its streamable HTTP transport.

Stateless: no session is opened, so any worker answers any request, and nothing is sent that was not asked for. Clients
of the revisions with a handshake and of those without are served at the same address. Keys, routes, records and limits
are those of every other call.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from mainstay import __version__
from mainstay.api.calls import Calls
from mainstay.api.door import Request
from mainstay.api.gate import Gate, Served
from mainstay.api.mcp_tool import ASK, AskWire, describe_ask
from mainstay.core.clock import monotonic
from mainstay.core.config import is_loopback
from mainstay.core.errors import Forbidden, MainstayError, Unauthenticated
from mainstay.telemetry.stage import Observer
from mainstay.tools.protocol import (
    ASSUMED,
    CAPABILITIES,
    HANDSHAKE,
    HEADER_MISMATCH,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    MODERN,
    PARSE_ERROR,
    SERVER_INFO,
    UNREADABLE,
    UNSUPPORTED_VERSION,
    VERSION,
    Message,
    decode_header,
    read_message,
    write_error,
    write_result,
)

__all__ = ["McpEndpoint"]

Params = Mapping[str, msgspec.Raw]

_ABOUT: Final = {"name": "mainstay", "title": "Mainstay", "version": __version__}
_INSTRUCTIONS: Final = (
    "A gateway to language models. Call 'ask' with a 'route' (tools/list names those you may use) and a 'prompt'; "
    "every call stands for itself."
)
_CAN: Final = {"tools": {"listChanged": False}}
#: HTTP statuses of JSON-RPC errors, as the transport wants them without a handshake.
_STATUSES: Final = {METHOD_NOT_FOUND: 404}


class _Wrong(Exception):
    """A request that the protocol does not allow."""

    def __init__(self, code: int, message: str, data: Any = None, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data
        self.status = status


class McpEndpoint:
    """Answers the protocol's requests; those that ask a model go down the line.

    Args:
        gate: returns the generation in force.
        observer: settles records, and counts what asks no model.
    """

    def __init__(self, gate: Callable[[], Gate], observer: Observer) -> None:
        self._gate = gate
        self._observer = observer

    async def serve(self, request: Request) -> None:
        """Answer one POST."""
        message: Message | None = None
        code = ""
        try:
            self._check_origin(request)
            message = _read(await request.body())
            modern = _era(request, message)
            if message.method == "tools/call" and message.id is not msgspec.UNSET:
                await self._call(request, message, modern)
                return
            await self._answer(request, message, modern)
        except _Wrong as wrong:
            code = "invalid_request"
            number = _number(message)
            status = wrong.status or (_STATUSES.get(wrong.code, 400) if _modern(request) or number is None else 200)
            await request.respond(status, write_error(number, wrong.code, wrong.message, wrong.data))
        except MainstayError as error:
            code = error.code
            status, body = AskWire(None).error(error, request.record)
            await request.respond(status, body, error=error)
        seconds = monotonic() - request.started
        self._observer.count_page("POST", request.record.path, request.record.status, seconds, code)

    def _check_origin(self, request: Request) -> None:
        """Refuse pages of the web that the operator has not named: a rebound name must not reach a local gateway.

        Raises:
            Forbidden: the request comes from such a page.
        """
        given = request.headers.get(b"origin")
        if given is None:
            return
        origin = given.decode("latin-1")
        try:
            local = is_loopback(urlsplit(origin).hostname or "")
        except ValueError:
            local = False
        if not local and origin not in self._gate().origins:
            raise Forbidden("Pages of this origin may not call /mcp; add it to mcp.origins.", code="origin_not_allowed")

    async def _answer(self, request: Request, message: Message, modern: bool) -> None:
        """Answer what asks no model.

        Raises:
            Unauthenticated: the key is not good.
            _Wrong: the protocol does not allow it.
        """
        gate = self._gate()
        caller = gate.keys.find(request.head.key)
        if message.method is msgspec.UNSET or message.id is msgspec.UNSET:
            # A notification, or a response to what was never asked: taken and dropped, as there is no session.
            if message.method is msgspec.UNSET and modern:
                raise _Wrong(INVALID_REQUEST, "Send one request or notification at a time.")
            await request.respond(202, b"")
            return
        params = _params(message)
        method, result = message.method, {}
        if method == "initialize" and not modern:
            result = _initialized(params)
        elif method == "server/discover" and modern:
            versions = [*MODERN, *reversed(HANDSHAKE)]
            result = {"supportedVersions": versions, "capabilities": _CAN, "instructions": _INSTRUCTIONS}
            result |= _cached(0) | {"_meta": {SERVER_INFO: _ABOUT}}
        elif method == "tools/list":
            if bytes(params.get("cursor", b"null")) != b"null":
                raise _Wrong(INVALID_PARAMS, "There is one page of tools; leave the cursor out.")
            result = {"tools": [describe_ask(_askable(gate.visible(caller)))]}
            result |= _cached(60_000) if modern else {}
        elif method != "ping" or modern:
            raise _Wrong(METHOD_NOT_FOUND, f"There is no method '{method[:100]}' here.")
        await request.respond(200, write_result(message.id, result))

    async def _call(self, request: Request, message: Message, modern: bool) -> None:
        """Take a call of a tool down the line.

        Raises:
            _Wrong: there is no such tool, or the request is not of the right form.
        """
        params = _params(message)
        try:
            name = msgspec.json.decode(params.get("name", b"null"), type=str)
        except UNREADABLE:
            raise _Wrong(INVALID_PARAMS, "Name the tool in 'name'.") from None
        if name != ASK:
            raise _Wrong(INVALID_PARAMS, f"There is no tool '{name[:100]}'; tools/list names those there are.")
        arguments = params.get("arguments", msgspec.Raw(b"{}"))
        gate = self._gate()
        try:
            visible = _askable(gate.visible(gate.keys.find(request.head.key)))
        except Unauthenticated:
            # Refused further on, where a record is kept of it.
            visible = []
        wire = AskWire(
            _number(message),
            None if bytes(arguments) == b"null" else arguments,
            only=visible[0].name if len(visible) == 1 else "",
            progress=_progress(params) if _takes_stream(request) else None,
            complete={"resultType": "complete"} if modern else None,
        )
        await Calls(self._gate, self._observer, wire).serve(request)


def _read(body: bytes) -> Message:
    try:
        return read_message(body)
    except msgspec.ValidationError:
        words = "Send one JSON-RPC 2.0 request or notification; batches are not taken."
        raise _Wrong(INVALID_REQUEST, words, status=400) from None
    except UNREADABLE:
        raise _Wrong(PARSE_ERROR, "The body is not JSON.", status=400) from None


def _modern(request: Request) -> bool:
    version = request.headers.get(b"mcp-protocol-version", ASSUMED.encode()).decode("latin-1")
    return version not in HANDSHAKE


def _era(request: Request, message: Message) -> bool:
    """Return whether the request is of a revision without a handshake.

    Raises:
        _Wrong: its headers and its body do not agree, or nobody here speaks its revision.
    """
    if not _accepts(request, b"application/json"):
        raise _Wrong(INVALID_REQUEST, "Accept application/json and text/event-stream.", status=406)
    if not _modern(request):
        return False
    asked = request.headers[b"mcp-protocol-version"].decode("latin-1")
    unsupported = {"supported": list(MODERN), "requested": asked[:100]}
    if message.id is msgspec.UNSET:
        if asked not in MODERN:
            raise _Wrong(UNSUPPORTED_VERSION, "Unsupported protocol version", unsupported, 400)
        return True
    meta = _meta(message)
    missing = [key for key in (VERSION, CAPABILITIES) if key not in meta]
    if missing:
        raise _Wrong(INVALID_PARAMS, f"'params._meta' lacks {' and '.join(missing)}.", status=400)
    if _text(meta[VERSION]) != asked:
        raise _Wrong(HEADER_MISMATCH, "MCP-Protocol-Version is not what the body says.", status=400)
    if request.headers.get(b"mcp-method", b"").decode("latin-1") != message.method:
        raise _Wrong(HEADER_MISMATCH, "Mcp-Method is not what the body says.", status=400)
    named = _text(_params(message).get("name", msgspec.Raw(b"null"))) if message.method == "tools/call" else None
    if named is not None and decode_header(request.headers.get(b"mcp-name", b"")) != named:
        raise _Wrong(HEADER_MISMATCH, "Mcp-Name is not what the body says.", status=400)
    if asked not in MODERN:
        raise _Wrong(UNSUPPORTED_VERSION, "Unsupported protocol version", unsupported, 400)
    return True


def _initialized(params: Params) -> dict[str, Any]:
    asked = _text(params.get("protocolVersion", msgspec.Raw(b"null")))
    if asked is None:
        raise _Wrong(INVALID_PARAMS, "Name the 'protocolVersion' that you speak.")
    return {
        # What the client asked for, or the newest that begins this way: it may then leave.
        "protocolVersion": asked if asked in HANDSHAKE else HANDSHAKE[-1],
        "capabilities": _CAN,
        "serverInfo": _ABOUT,
        "instructions": _INSTRUCTIONS,
    }


def _cached(milliseconds: int) -> dict[str, Any]:
    """Return what a result says of how long, and for whom, it may be kept: what is listed depends on the key."""
    return {"resultType": "complete", "ttlMs": milliseconds, "cacheScope": "private"}


def _askable(visible: list[Served]) -> list[Served]:
    return [served for served in visible if served.talks]


def _params(message: Message) -> Params:
    return message.params if isinstance(message.params, dict) else {}


def _number(message: Message | None) -> int | str | None:
    return None if message is None or isinstance(message.id, msgspec.UnsetType) else message.id


def _meta(message: Message) -> Params:
    try:
        return msgspec.json.decode(_params(message).get("_meta", b"{}"), type=dict[str, msgspec.Raw])
    except UNREADABLE:
        return {}


def _text(raw: msgspec.Raw) -> str | None:
    try:
        return msgspec.json.decode(raw, type=str)
    except UNREADABLE:
        return None


def _progress(params: Params) -> int | str | None:
    """Return the token that the caller wants progress under, if it wants any."""
    try:
        meta = msgspec.json.decode(params.get("_meta", b"{}"), type=dict[str, msgspec.Raw])
        return msgspec.json.decode(meta.get("progressToken", b"null"), type=int | str | None)
    except UNREADABLE:
        return None


def _accepts(request: Request, kind: bytes) -> bool:
    given = request.headers.get(b"accept", b"*/*").lower()
    return kind in given or b"*/*" in given or kind.partition(b"/")[0] + b"/*" in given


def _takes_stream(request: Request) -> bool:
    return b"text/event-stream" in request.headers.get(b"accept", b"").lower()
