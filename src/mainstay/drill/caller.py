"""A caller over a plain socket: sends one request, writes down every byte of the answer and when it came.

Knows HTTP/1.1 and how the two dialects ask; what the bytes mean is for ``reading``.
"""

import asyncio
import contextlib
import json
from dataclasses import dataclass
from typing import Any, Literal

from mainstay.core.clock import monotonic

__all__ = ["Dialect", "Heard", "ask", "request_body"]

#: The wire the caller speaks.
Dialect = Literal["openai", "anthropic"]

_PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}


@dataclass(frozen=True, slots=True)
class Heard:
    """One response as bytes. Times are seconds since the request was sent.

    ``status`` is 0 when none came. ``pieces`` are the pieces of the body as they came, each with its time. ``whole``
    is whether the body ended as its framing says; ``hung`` whether the caller gave up waiting.
    """

    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    pieces: tuple[tuple[float, bytes], ...] = ()
    ended: float = 0.0
    whole: bool = False
    hung: bool = False

    @property
    def body(self) -> bytes:
        """The body, all pieces joined."""
        return b"".join(piece for _, piece in self.pieces)

    def header(self, name: str) -> str:
        """Return the first header of this name, or ""."""
        return next((value for key, value in self.headers if key == name), "")


def request_body(dialect: Dialect, route: str, prompt: str, *, stream: bool) -> dict[str, Any]:
    """Return a plain request: one user's message."""
    body: dict[str, Any] = {
        "model": route,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": 200,
        "temperature": 0,
        "stream": stream,
    }
    if stream and dialect == "openai":
        body["stream_options"] = {"include_usage": True}
    return body


async def ask(
    port: int, dialect: Dialect, key: str, request_id: str, body: dict[str, Any], limit: float
) -> tuple[float, Heard]:
    """Ask the gateway on ``port``; return the monotonic second of sending, and what was heard within ``limit``."""
    data = json.dumps(body).encode()
    lines = [
        f"POST {_PATHS[dialect]} HTTP/1.1",
        f"host: 127.0.0.1:{port}",
        "content-type: application/json",
        f"content-length: {len(data)}",
        f"x-request-id: {request_id}",
    ]
    own = {
        "openai": [f"authorization: Bearer {key}"],
        "anthropic": [f"x-api-key: {key}", "anthropic-version: 2023-06-01"],
    }
    head = "\r\n".join([*lines, *own[dialect], "", ""]).encode()
    ear = _Ear()
    writer = None
    try:
        async with asyncio.timeout(limit):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            ear.sent = monotonic()
            writer.write(head + data)
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
                await ear.listen(reader)
    except TimeoutError:
        ear.hung = True
    except OSError:
        ear.sent = ear.sent or monotonic()
    finally:
        if writer is not None:
            writer.transport.abort()
    return ear.sent, ear.heard()


class _Ear:
    """Reads one response, however it is framed, and keeps what came when it broke."""

    def __init__(self) -> None:
        self.sent = 0.0
        self.hung = False
        self._status = 0
        self._headers: list[tuple[str, str]] = []
        self._pieces: list[tuple[float, bytes]] = []
        self._whole = False

    async def listen(self, reader: asyncio.StreamReader) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head[:-4].decode("latin-1").split("\r\n")
        self._headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        self._status = int(first.split(" ")[1])
        fields = dict(self._headers)
        if fields.get("transfer-encoding", "").lower() == "chunked":
            while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
                self._take((await reader.readexactly(size + 2))[:-2])
            self._whole = await reader.readexactly(2) == b"\r\n"
        elif "content-length" in fields:
            left = int(fields["content-length"])
            while left and (piece := await reader.read(min(left, 65536))):
                self._take(piece)
                left -= len(piece)
            self._whole = left == 0
        else:
            while piece := await reader.read(65536):
                self._take(piece)
            self._whole = True

    def _take(self, piece: bytes) -> None:
        self._pieces.append((monotonic() - self.sent, piece))

    def heard(self) -> Heard:
        return Heard(
            self._status,
            tuple(self._headers),
            tuple(self._pieces),
            monotonic() - self.sent if self.sent else 0.0,
            self._whole,
            self.hung,
        )
