"""Asks a running gateway as any application would: OpenAI's wire over HTTP, whole or streamed, and nothing else.

Waits and asks again where the gateway is busy; keeps to a pace where one is set. Speaks to the one address that it was
given. Does not judge.
"""

import asyncio
import json
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from mainstay.core.clock import monotonic
from mainstay.core.errors import ConfigError, StartError, UpstreamError
from mainstay.core.ports import Origin, Outgoing, Transport
from mainstay.core.sse import SseDecoder
from mainstay.core.timeouts import Timeouts
from mainstay.redteam.judge import Reply, ToolCall

__all__ = ["Caller", "parse_answer"]

_BUSY: Final = (429, 503)
#: Codes of a 429 that asking later does not change.
_FINAL: Final = ("insufficient_quota", "budget_exceeded")
#: Times that a busy gateway is asked again; seconds of the first wait and of the longest.
_AGAIN, _FIRST, _LONGEST = 6, 0.5, 30.0
_MOST: Final = 64 * 1024 * 1024
#: Statuses of a request that may not be answered for what it says, and words of the codes that say so.
_STOPS: Final = (400, 403, 422, 451)
_STOPPED: Final = ("blocked", "filter", "guard", "polic", "moderation", "not_allowed")
_NOT_STOPPED: Final = ("route_not_allowed",)


class Caller:
    """Asks one gateway.

    Args:
        transport: sends the requests.
        url: where the gateway is, ``http://127.0.0.1:8080`` or the like.
        key: the key to call with, or "".
        rate: calls a second at most; 0 for no limit.
        stream: ask for streams.
        most_tokens: bound on the length of each answer.

    Raises:
        ConfigError: ``url`` is no address.
    """

    def __init__(
        self, transport: Transport, url: str, key: str, *, rate: float = 0.0, stream: bool = False, most_tokens: int
    ) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        tls = parts.scheme == "https"
        try:
            port = parts.port if parts.port is not None else 443 if tls else 80
        except ValueError:
            port = 0
        if parts.scheme not in ("http", "https") or not parts.hostname or not port:
            raise ConfigError("The gateway's address must be like http://127.0.0.1:8080.")
        self._transport = transport
        self._origin = Origin(parts.hostname, port, tls)
        self._path = parts.path.rstrip("/").removesuffix("/v1")
        own = ((b"authorization", b"Bearer " + key.encode()),) if key else ()
        self._headers = ((b"content-type", b"application/json"), *own)
        self._timeouts = Timeouts(connect=10.0, headers=300.0, first_token=300.0, idle=300.0, total=600.0)
        self._pause = 1.0 / rate if rate else 0.0
        self._next = 0.0
        self._stream = stream
        self._most_tokens = most_tokens
        #: Requests sent so far, those a busy gateway sent back not counted.
        self.calls = 0

    async def models(self) -> list[str]:
        """Return the routes and models that the key may call.

        Raises:
            StartError: nobody answers, or the key is refused.
        """
        try:
            status, _, body = await self._send(b"GET", "/v1/models", b"")
        except UpstreamError:
            raise StartError("Nothing answers at the gateway's address; start it with: mainstay up") from None
        found = _decoded(body)
        if status != 200 or not isinstance(found.get("data"), list):
            hint = " Give a key with --key or MAINSTAY_API_KEY." if status in (401, 403) else ""
            raise StartError(f"The gateway answered with status {status} when asked for its models.{hint}")
        return [str(row["id"]) for row in found["data"] if isinstance(row, dict) and "id" in row]

    async def ask(self, model: str, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]]) -> Reply:
        """Return the answer to ``messages``; never raises for what the gateway does."""
        body: dict[str, Any] = {
            "model": model,
            "messages": list(messages),
            "max_tokens": self._most_tokens,
            "temperature": 0,
            "stream": self._stream,
        }
        if tools:
            body["tools"] = list(tools)
        data = json.dumps(body).encode()
        self.calls += 1
        wait = _FIRST
        reply = Reply()
        for _ in range(_AGAIN):
            await self._keep_pace()
            try:
                status, headers, answer = await self._send(b"POST", "/v1/chat/completions", data)
            except UpstreamError as error:
                return Reply(fault=f"no answer: {error.code}")
            reply = parse_answer(status, headers, answer)
            if status not in _BUSY or reply.code in _FINAL:
                return reply
            advice = headers.get("retry-after", "")
            await asyncio.sleep(min(float(advice) if advice.isdigit() else wait, _LONGEST))
            wait = min(wait * 2, _LONGEST)
        return reply

    async def _send(self, method: bytes, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        request = Outgoing(method, (self._path + path).encode(), self._headers, body)
        answer = await self._transport.send(self._origin, request, self._timeouts)
        try:
            data = await answer.read(_MOST)
        finally:
            answer.close()
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in answer.headers}
        return answer.status, headers, data

    async def _keep_pace(self) -> None:
        if self._pause:
            now = monotonic()
            due = max(now, self._next)
            self._next = due + self._pause
            await asyncio.sleep(due - now)


def parse_answer(status: int, headers: dict[str, str], body: bytes) -> Reply:
    """Return what an answer says; ``headers`` have small names. Bytes that are no answer are a fault."""
    request_id = headers.get("x-request-id", "")
    if status == 200 and headers.get("content-type", "").startswith("text/event-stream"):
        return _streamed(body, request_id)
    found = _decoded(body)
    if status == 200 and isinstance(found.get("choices"), list) and found["choices"]:
        choice = found["choices"][0]
        message = choice.get("message") or {}
        calls = tuple(_call(one.get("function") or {}) for one in message.get("tool_calls") or ())
        text = str(message.get("content") or message.get("refusal") or "")
        finish = str(choice.get("finish_reason") or "")
        return Reply(200, text, calls, finish, blocked=finish == "content_filter", request_id=request_id)
    return _refused(status, found.get("error"), request_id)


def _refused(status: int, error: Any, request_id: str, text: str = "") -> Reply:
    code = str(error.get("code") or error.get("type") or "") if isinstance(error, dict) else ""
    # 202: a person decides first.
    blocked = status == 202 or (
        status in _STOPS and code not in _NOT_STOPPED and any(word in code for word in _STOPPED)
    )
    fault = "" if blocked else f"status {status}" + (f", {code}" if code else "")
    message = str(error.get("message") or "") if isinstance(error, dict) else ""
    return Reply(status, text, code=code, blocked=blocked, fault=fault, message=message, request_id=request_id)


def _streamed(body: bytes, request_id: str) -> Reply:
    text, finish = "", ""
    calls: dict[int, list[str]] = {}
    decoder = SseDecoder()
    for event in decoder.feed(body):
        if event.data == b"[DONE]":
            blocked = finish == "content_filter"
            done = tuple(ToolCall(name, arguments) for name, arguments in calls.values())
            return Reply(200, text, done, finish, blocked=blocked, request_id=request_id)
        found = _decoded(event.data)
        if error := found.get("error"):
            # What was stopped in the middle has the status of a success.
            return _refused(400, error, request_id, text)
        for choice in found.get("choices") or ():
            delta = choice.get("delta") or {}
            text += delta.get("content") or delta.get("refusal") or ""
            finish = choice.get("finish_reason") or finish
            for piece in delta.get("tool_calls") or ():
                _add(calls, piece)
    return Reply(200, text, finish=finish, fault="the stream broke off", request_id=request_id)


def _add(calls: dict[int, list[str]], piece: dict[str, Any]) -> None:
    call = calls.setdefault(int(piece.get("index") or 0), ["", ""])
    function = piece.get("function") or {}
    call[0] = call[0] or str(function.get("name") or "")
    call[1] += str(function.get("arguments") or "")


def _call(function: dict[str, Any]) -> ToolCall:
    return ToolCall(str(function.get("name") or ""), str(function.get("arguments") or ""))


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
