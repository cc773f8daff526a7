"""What a caller makes of an answer: the bytes read as strictly as the most delicate client would.

Pure: from what was heard to what it says, with every breach of the dialect named. ``problems`` are breaches that break
clients or deceive them; ``lacks`` is what else the gateway's contract promises on every answer. Does not know which
fault was played, nor whether the answer is the right one.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from mainstay.drill.caller import Dialect, Heard
from mainstay.drill.wire import GARBAGE

__all__ = ["Reply", "Said", "read_reply"]

_OURS = ("route", "model", "provider", "attempts", "cache", "cost-usd", "overhead-ms")


@dataclass(frozen=True, slots=True)
class Said:
    """An error as the caller reads it; ``event`` when it came inside a stream that had begun."""

    type: str
    code: str
    message: str
    event: bool = False
    #: Whether it carries the categories of a content filter.
    categories: bool = False


@dataclass(slots=True)
class Reply:
    """One answer as the caller understands it. Times are seconds since the request was sent.

    ``complete`` is whether the dialect's own signs of a whole answer were all there, so that a client takes it for one.
    """

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""
    first: float | None = None
    ended: float = 0.0
    complete: bool = False
    hung: bool = False
    finish: str = ""
    model: str = ""
    #: Tokens in and out; None when the answer has none.
    usage: tuple[int, int] | None = None
    error: Said | None = None
    problems: list[str] = field(default_factory=list)
    lacks: list[str] = field(default_factory=list)
    #: Seconds on the clock of the fault at which the request was sent.
    sent: float = 0.0
    request_id: str = ""


def read_reply(
    heard: Heard, dialect: Dialect, *, stream: bool, request_id: str = "", secrets: tuple[str, ...] = ()
) -> Reply:
    """Return what ``heard`` says to a caller of ``dialect``; ``secrets`` must stand nowhere in it."""
    reply = Reply(heard.status, dict(heard.headers), ended=heard.ended, hung=heard.hung, request_id=request_id)
    if not heard.status:
        return reply
    _read_headers(reply, request_id)
    everything = heard.body + "\n".join(f"{name}: {value}" for name, value in heard.headers).encode()
    for secret in secrets:
        if secret.encode() in everything:
            reply.problems.append(f"tells the caller '{secret}', which is the provider's")
    if GARBAGE.encode() in heard.body:
        reply.problems.append("forwards the event of invalid JSON")
    kind = heard.header("content-type").partition(";")[0].strip().lower()
    if heard.status != 200:
        _read_refusal(reply, heard, dialect, kind)
    elif stream:
        if kind != "text/event-stream":
            reply.problems.append(f"the stream calls itself {kind or 'nothing'}")
        read = _OpenAIStream(reply) if dialect == "openai" else _AnthropicStream(reply)
        _read_stream(read, heard, reply)
    else:
        if kind != "application/json":
            reply.problems.append(f"the answer calls itself {kind or 'nothing'}")
        _read_whole(reply, heard, dialect)
    return reply


def _read_headers(reply: Reply, request_id: str) -> None:
    if reply.headers.get("x-request-id", "") != request_id:
        reply.lacks.append("x-request-id is not the caller's own")
    missing = [name for name in _OURS if f"x-mainstay-{name}" not in reply.headers]
    if missing:
        reply.lacks.append(f"no header {', '.join(f'x-mainstay-{name}' for name in missing)}")
    if reply.status in (429, 503) and not reply.headers.get("retry-after", "").isdigit():
        reply.lacks.append(f"{reply.status} without retry-after")


def _load(data: bytes, reply: Reply, what: str) -> dict[str, Any] | None:
    try:
        value = json.loads(data)
    except ValueError:
        reply.problems.append(f"{what} is no JSON")
        return None
    if not isinstance(value, dict):
        reply.problems.append(f"{what} is no object")
        return None
    return value


def _read_refusal(reply: Reply, heard: Heard, dialect: Dialect, kind: str) -> None:
    if not heard.whole:
        reply.problems.append("the error is cut off")
    if kind != "application/json":
        reply.problems.append(f"the error calls itself {kind or 'nothing'}")
    body = _load(heard.body, reply, "the error")
    if body is not None:
        reply.error = _read_error(body, reply, dialect, event=False)


def _read_error(body: dict[str, Any], reply: Reply, dialect: Dialect, *, event: bool) -> Said | None:
    error = body.get("error")
    if not isinstance(error, dict) or not isinstance(error.get("message"), str) or not error["message"].strip():
        reply.problems.append("the error has no error.message")
        return None
    if dialect == "openai":
        absent = [name for name in ("type", "param", "code") if name not in error]
        if absent:
            reply.problems.append(f"the error has no {', '.join(absent)}")
    elif body.get("type") != "error" or not isinstance(error.get("type"), str):
        reply.problems.append('the error is not {"type": "error", "error": {"type", "message"}}')
    code, kind = error.get("code"), error.get("type")
    categories = any(name.startswith("content_filter_result") for name in error) or "innererror" in error
    return Said(str(kind or ""), str(code or ""), error["message"], event, categories)


def _read_whole(reply: Reply, heard: Heard, dialect: Dialect) -> None:
    if not heard.whole:
        reply.problems.append("the answer is cut off")
        return
    if not heard.body:
        return
    body = _load(heard.body, reply, "the answer")
    if body is None:
        return
    if body.get("error") is not None:
        reply.error = _read_error(body, reply, dialect, event=False)
        reply.problems.append("an error under status 200")
        return
    reply.model = str(body.get("model") or "")
    try:
        if dialect == "openai":
            _expect(reply, body.get("object") == "chat.completion", "object is not chat.completion")
            choice = body["choices"][0]
            _expect(reply, choice["message"].get("role") == "assistant", "the message's role is not assistant")
            reply.text, reply.finish = choice["message"].get("content") or "", str(choice.get("finish_reason") or "")
            reply.usage = _openai_usage(body.get("usage"))
        else:
            _expect(reply, body.get("type") == "message", "type is not message")
            _expect(reply, body.get("role") == "assistant", "role is not assistant")
            reply.text = "".join(block["text"] for block in body["content"] if block["type"] == "text")
            reply.finish = str(body.get("stop_reason") or "")
            reply.usage = _anthropic_usage(body.get("usage"))
    except (LookupError, TypeError, AttributeError):
        reply.problems.append("the answer has not the shape of one")
        return
    reply.first = heard.pieces[0][0]
    reply.complete = bool(reply.finish)


def _read_stream(stream: "_OpenAIStream | _AnthropicStream", heard: Heard, reply: Reply) -> None:
    rest = b""
    for at, piece in heard.pieces:
        *events, rest = (rest + piece).split(b"\n\n")
        for event in events:
            _read_event(stream, event, reply)
            if reply.text and reply.first is None:
                reply.first = at
    if rest.strip():
        reply.problems.append("the last event has no blank line, so clients drop it")
    reply.complete = stream.is_complete() and heard.whole
    if stream.is_complete() and not heard.whole:
        reply.problems.append("the body is cut off after its last event")


def _read_event(stream: "_OpenAIStream | _AnthropicStream", event: bytes, reply: Reply) -> None:
    name, data = "", []
    for line in event.split(b"\n"):
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif line.startswith(b"event:") and stream.named:
            name = line[6:].strip().decode()
        elif line and not line.startswith(b":"):
            reply.problems.append(f"the stream has the line '{line[:40].decode(errors='replace')}'")
    if data:
        if reply.complete or reply.error is not None:
            reply.problems.append("something follows the end of the stream")
        stream.take(name, b"\n".join(data))
        reply.complete = stream.is_complete()


def _expect(reply: Reply, holds: bool, problem: str) -> None:
    if not holds and problem not in reply.problems:
        reply.problems.append(problem)


class _OpenAIStream:
    """Chunks of a chat completion."""

    named = False

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._id = ""
        self._done = False
        self._begun = False

    def is_complete(self) -> bool:
        return self._done and bool(self._reply.finish)

    def take(self, name: str, data: bytes) -> None:
        reply = self._reply
        if data == b"[DONE]":
            _expect(reply, not self._done, "[DONE] came twice")
            _expect(reply, bool(reply.finish), "[DONE] without a finish reason")
            self._done = True
            return
        event = _load(data, reply, "an event")
        if event is None:
            return
        if event.get("error") is not None:
            reply.error = _read_error(event, reply, "openai", event=True)
            return
        try:
            self._chunk(event)
        except (LookupError, TypeError, AttributeError):
            reply.problems.append("a chunk has not the shape of one")

    def _chunk(self, event: dict[str, Any]) -> None:
        reply = self._reply
        _expect(reply, event.get("object") == "chat.completion.chunk", "object is not chat.completion.chunk")
        self._id, reply.model = self._id or event["id"], reply.model or event["model"]
        _expect(reply, event["id"] == self._id, "the id changes within the stream")
        _expect(reply, event["model"] == reply.model, "the model changes within the stream")
        reply.usage = _openai_usage(event.get("usage")) or reply.usage
        for choice in event["choices"]:
            delta = choice["delta"]
            _expect(reply, self._begun or delta.get("role") == "assistant", "the first delta has no role")
            self._begun = True
            _expect(reply, not reply.finish, "a choice goes on after its finish reason")
            reply.text += delta.get("content") or ""
            reply.finish = str(choice.get("finish_reason") or "")


class _AnthropicStream:
    """Events of a message."""

    named = True

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._begun = False
        self._open: int | None = None
        self._stopped = False
        self._usage: dict[str, Any] = {}

    def is_complete(self) -> bool:
        return self._stopped and bool(self._reply.finish)

    def take(self, name: str, data: bytes) -> None:
        reply = self._reply
        event = _load(data, reply, "an event")
        if event is None:
            return
        kind = str(event.get("type"))
        _expect(reply, name == kind, "an event's name is not its type, so clients ignore it")
        if kind == "error":
            reply.error = _read_error(event, reply, "anthropic", event=True)
            return
        try:
            self._event(kind, event)
        except (LookupError, TypeError, AttributeError):
            reply.problems.append(f"a {kind} has not the shape of one")

    def _event(self, kind: str, event: dict[str, Any]) -> None:
        reply = self._reply
        if kind == "message_start":
            _expect(reply, not self._begun, "message_start came twice")
            self._begun = True
            reply.model = event["message"]["model"]
            _expect(reply, event["message"]["role"] == "assistant", "role is not assistant")
            self._usage |= event["message"]["usage"]
        elif kind != "ping":
            _expect(reply, self._begun, f"{kind} came before message_start")
        if kind == "content_block_start":
            _expect(reply, self._open is None, "a content block opens inside another")
            self._open = event["index"]
        elif kind == "content_block_delta":
            _expect(reply, self._open == event["index"], "a delta belongs to no open content block")
            if event["delta"]["type"] == "text_delta":
                reply.text += event["delta"]["text"]
        elif kind == "content_block_stop":
            _expect(reply, self._open == event["index"], "a content block stops that is not open")
            self._open = None
        elif kind == "message_delta":
            _expect(reply, self._open is None, "message_delta came before its content block stopped")
            reply.finish = str(event["delta"].get("stop_reason") or "")
            self._usage |= {name: count for name, count in event["usage"].items() if count is not None}
            reply.usage = _anthropic_usage(self._usage)
        elif kind == "message_stop":
            _expect(reply, bool(reply.finish), "message_stop without a stop reason")
            self._stopped = True


def _openai_usage(usage: Any) -> tuple[int, int] | None:
    return (usage["prompt_tokens"], usage["completion_tokens"]) if usage else None


def _anthropic_usage(usage: Any) -> tuple[int, int] | None:
    return (usage["input_tokens"], usage["output_tokens"]) if usage else None
