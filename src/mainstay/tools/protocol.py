"""The Model Context Protocol as values: its revisions, its messages, and what its HTTP transport says in headers.

Shared by the gateway as a server (``api``) and as a client (``mcp``). Two ways of beginning exist: up to 2025-11-25 a
handshake (``initialize``), from 2026-07-28 none, and every request says for itself which revision it speaks. No I/O.
"""

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import msgspec

__all__ = [
    "ASSUMED",
    "CAPABILITIES",
    "CLIENT_INFO",
    "HANDSHAKE",
    "HEADER_MISMATCH",
    "INTERNAL_ERROR",
    "INVALID_PARAMS",
    "INVALID_REQUEST",
    "METHOD_NOT_FOUND",
    "MODERN",
    "PARSE_ERROR",
    "SERVER_INFO",
    "UNREADABLE",
    "UNSUPPORTED_VERSION",
    "VERSION",
    "Fault",
    "Message",
    "decode_header",
    "encode_header",
    "parameter_headers",
    "read_message",
    "write_error",
    "write_notification",
    "write_request",
    "write_result",
]

#: Revisions that begin with a handshake, oldest first; those that need none; what silence about it means.
HANDSHAKE: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
MODERN: Final = ("2026-07-28",)
ASSUMED: Final = "2025-03-26"

#: What a request without a handshake says of itself, in ``params._meta``.
VERSION: Final = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES: Final = "io.modelcontextprotocol/clientCapabilities"
CLIENT_INFO: Final = "io.modelcontextprotocol/clientInfo"
SERVER_INFO: Final = "io.modelcontextprotocol/serverInfo"

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
HEADER_MISMATCH: Final = -32020
UNSUPPORTED_VERSION: Final = -32022

#: What decoding raises for bytes that are no JSON, or are nested beyond reason.
UNREADABLE: Final = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)

_BASE64 = re.compile(r"=\?base64\?(.*)\?=")
_PLAIN = re.compile(r"[\x20-\x7e]*")
#: A header's name (RFC 9110, 5.6.2).
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_MIRRORED = frozenset({"string", "integer", "boolean"})
_ANNOTATION = "x-mcp-header"
#: Properties of one schema that are looked at, and how deep.
_MOST_PROPERTIES = 1000
_DEEPEST = 16

Unset = msgspec.UnsetType


class Fault(msgspec.Struct, frozen=True):
    """The error of a JSON-RPC response."""

    code: int
    message: str = ""
    data: Any = None


class Message(msgspec.Struct):
    """One JSON-RPC message: a request (``id`` and ``method``), a notification (``method``), or a response (the rest).

    ``id`` of a response may be None: the other side could not read which request it answers.
    """

    jsonrpc: Literal["2.0"]
    id: int | str | Unset | None = msgspec.UNSET
    method: str | Unset = msgspec.UNSET
    params: dict[str, msgspec.Raw] | Unset | None = msgspec.UNSET
    result: msgspec.Raw | Unset = msgspec.UNSET
    error: Fault | Unset = msgspec.UNSET


_messages = msgspec.json.Decoder(Message)


def read_message(data: bytes) -> Message:
    """Return the message that ``data`` holds. Raises one of :data:`UNREADABLE`."""
    return _messages.decode(data)


def write_request(number: int, method: str, params: Mapping[str, Any]) -> bytes:
    """Return a request."""
    return msgspec.json.encode({"jsonrpc": "2.0", "id": number, "method": method, "params": params})


def write_notification(method: str, params: Mapping[str, Any] | None = None) -> bytes:
    """Return a notification."""
    return msgspec.json.encode({"jsonrpc": "2.0", "method": method, **({"params": params} if params else {})})


def write_result(number: int | str | None, result: Mapping[str, Any]) -> bytes:
    """Return the response to request ``number`` that succeeded."""
    return msgspec.json.encode({"jsonrpc": "2.0", "id": number, "result": result})


def write_error(number: int | str | None, code: int, message: str, data: Any = None) -> bytes:
    """Return the response to request ``number`` that failed; None: the request could not be read."""
    error = {"code": code, "message": message, **({"data": data} if data is not None else {})}
    return msgspec.json.encode({"jsonrpc": "2.0", "id": number, "error": error})


def encode_header(value: str) -> bytes:
    """Return ``value`` as a header carries it: itself, or in base64 where a header would not keep it as it is."""
    if _PLAIN.fullmatch(value) and value == value.strip() and not _BASE64.fullmatch(value):
        return value.encode()
    return b"=?base64?" + base64.b64encode(value.encode("utf-8", "replace")) + b"?="


def decode_header(value: bytes) -> str | None:
    """Return what :func:`encode_header` wrapped; None when it is damaged."""
    text = value.decode("latin-1")
    found = _BASE64.fullmatch(text)
    if found is None:
        return text
    try:
        raw = base64.b64decode(found[1], validate=True)
        return raw.decode() if base64.b64encode(raw).decode() == found[1] else None
    except ValueError:
        # No base64, or no UTF-8 in it.
        return None


def parameter_headers(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> list[tuple[bytes, bytes]]:
    """Return the headers in which a call must repeat those arguments that ``schema`` marks with ``x-mcp-header``.

    Raises:
        ValueError: a mark is not where or what it may be; such a tool must not be called.
    """
    headers: dict[bytes, bytes] = {}
    for path, prop in _properties(schema):
        if _ANNOTATION not in prop:
            continue
        token, kind = prop[_ANNOTATION], prop.get("type")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token) or not isinstance(kind, str):
            raise ValueError("a parameter's header has no name that a header can have")
        name = b"mcp-param-" + token.lower().encode()
        if kind not in _MIRRORED or name in headers:
            raise ValueError("a parameter's header is of a kind that no header can carry, or is there twice")
        headers[name] = b""
        value = _value_at(arguments, path)
        if isinstance(value, bool):
            headers[name] = b"true" if value else b"false"
        elif isinstance(value, str | int):
            headers[name] = encode_header(str(value))
        elif isinstance(value, float):
            headers[name] = str(value).encode()
    return [(name, value) for name, value in headers.items() if value]


def _properties(schema: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Yield every property that is reached through ``properties`` alone, with its path."""
    waiting: list[tuple[tuple[str, ...], Mapping[str, Any]]] = [((), schema)]
    seen = 0
    while waiting:
        path, node = waiting.pop()
        properties = node.get("properties")
        if not isinstance(properties, dict) or len(path) >= _DEEPEST:
            continue
        for name, prop in properties.items():
            seen += 1
            if seen > _MOST_PROPERTIES:
                return
            if isinstance(prop, dict):
                yield (*path, name), prop
                waiting.append(((*path, name), prop))


def _value_at(arguments: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = arguments
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value
