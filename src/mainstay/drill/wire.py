"""What a scripted provider writes: answers, streams and errors as the two vendors' servers write them.

Pure bytes. Does not know when they are sent, nor what becomes of them.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal

from mainstay.drill.faults import Play

__all__ = ["GARBAGE", "TOKENS", "Kind", "Refusal", "Speech", "Stream", "ping", "refusal", "stream", "whole"]

#: The wire a provider speaks: its ``kind`` in the configuration.
Kind = Literal["openai", "anthropic"]

#: Tokens of every scripted answer.
TOKENS = 60
#: Stands in what must never reach a caller.
GARBAGE = "drill-garbage"
#: Status, type and code on OpenAI's wire, type on Anthropic's, words.
_FAILURES = {
    Play.LIMITED: (429, "rate_limit_exceeded", "rate_limit_error", "Rate limit reached"),
    Play.LIMITED_BARE: (429, "rate_limit_exceeded", "rate_limit_error", "Rate limit reached"),
    Play.FAILED: (500, "server_error", "api_error", "The server had an error"),
    Play.UNAVAILABLE: (503, "service_unavailable", "overloaded_error", "Overloaded"),
    Play.OUTAGE: (503, "service_unavailable", "overloaded_error", "Overloaded"),
}
_PREFILL = "This model does not support assistant message prefill. The conversation must end with a user message."


@dataclass(frozen=True, slots=True)
class Speech:
    """What one target answers: its words tell it from every other target, its counts of tokens too.

    ``upstream`` is the model's name at the provider.
    """

    tag: str
    upstream: str
    input: int

    @property
    def output(self) -> int:
        """Tokens written."""
        return TOKENS

    @property
    def words(self) -> tuple[str, ...]:
        """The tokens, which joined are the text."""
        return tuple(f"{' ' if number > 1 else ''}{self.tag}{number:02d}" for number in range(1, TOKENS + 1))

    @property
    def text(self) -> str:
        """The whole answer."""
        return "".join(self.words)


@dataclass(frozen=True, slots=True)
class Stream:
    """A streamed answer, cut where faults cut: events before the text, one event per token, the end, the end mark."""

    opening: bytes
    tokens: tuple[bytes, ...]
    finish: bytes
    usage: bytes
    mark: bytes
    garbage: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error as a whole response."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def stream(kind: Kind, speech: Speech, identity: str, *, usage: bool) -> Stream:
    """Return the answer as a stream; ``usage`` says whether the caller asked for the counts (OpenAI's wire only)."""
    return _openai_stream(speech, identity, usage) if kind == "openai" else _anthropic_stream(speech, identity)


def whole(kind: Kind, speech: Speech, identity: str) -> bytes:
    """Return the answer as one JSON object."""
    if kind == "openai":
        message = {"role": "assistant", "content": speech.text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        head = {"id": f"chatcmpl-{identity}", "object": "chat.completion", "created": 1700000000}
        body = {**head, "model": speech.upstream, "choices": [choice], "usage": _openai_usage(speech)}
    else:
        body = {
            **_anthropic_head(speech, identity),
            "content": [{"type": "text", "text": speech.text}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": speech.input, "output_tokens": speech.output},
        }
    return json.dumps(body).encode()


def ping(kind: Kind) -> bytes:
    """Return a sign of life that is no token."""
    return b": alive\n\n" if kind == "openai" else _named({"type": "ping"})


def refusal(kind: Kind, play: Play, retry_after: float, tempting: str) -> Refusal | None:
    """Return the error response of ``play``, or None when it is no such thing.

    ``tempting`` is what vendors have been seen to repeat and no caller must read: a key, an address.
    """
    headers = (("retry-after", f"{retry_after:g}"),) if play is Play.LIMITED else ()
    if play is Play.FILTERED or play is Play.TOO_LONG or play is Play.NO_PREFILL:
        return Refusal(400, headers, _encode(_refused(kind, play)))
    if play not in _FAILURES:
        return None
    status, openai, anthropic, words = _FAILURES[play]
    message = f"{words} while serving {tempting}."
    if kind == "openai":
        return Refusal(status, headers, _encode(_openai_error(message, openai, openai)))
    return Refusal(529 if status == 503 else status, headers, _encode(_anthropic_error(anthropic, message)))


def _refused(kind: Kind, play: Play) -> dict[str, Any]:
    if play is Play.NO_PREFILL:
        openai = _openai_error(_PREFILL, "invalid_request_error", None)
        return openai if kind == "openai" else _anthropic_error("invalid_request_error", _PREFILL)
    if play is Play.TOO_LONG:
        if kind == "anthropic":
            return _anthropic_error("invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum")
        message = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens."
        return _openai_error(message, "invalid_request_error", "context_length_exceeded", "messages")
    if kind == "anthropic":
        return _anthropic_error("invalid_request_error", "Output blocked by content filtering policy")
    result = {"violence": {"filtered": True, "severity": "medium"}}
    error = _openai_error("The prompt triggered the content management policy.", None, "content_filter", "prompt")
    error["error"]["innererror"] = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": result}
    return error


def _openai_stream(speech: Speech, identity: str, usage: bool) -> Stream:
    head = {
        "id": f"chatcmpl-{identity}",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": speech.upstream,
    }
    counts = {"usage": None} if usage else {}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _bare({**head, "choices": [choice], **counts})

    return Stream(
        chunk({"role": "assistant", "content": ""}),
        tuple(chunk({"content": word}) for word in speech.words),
        chunk({}, "stop"),
        _bare({**head, "choices": [], "usage": _openai_usage(speech)}) if usage else b"",
        b"data: [DONE]\n\n",
        f'data: {{"id": "chatcmpl-{identity}", "choices": [{{"delta": {{"content": "{GARBAGE}\n\n'.encode(),
    )


def _anthropic_stream(speech: Speech, identity: str) -> Stream:
    counts = {"input_tokens": speech.input, "output_tokens": 1}
    message = {
        **_anthropic_head(speech, identity),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": counts,
    }
    opening = _named({"type": "message_start", "message": message})
    opening += _named({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
    opening += _named({"type": "ping"})
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    finish = _named({"type": "content_block_stop", "index": 0})
    finish += _named({"type": "message_delta", "delta": delta, "usage": {"output_tokens": speech.output}})
    return Stream(
        opening,
        tuple(
            _named({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}})
            for word in speech.words
        ),
        finish,
        b"",
        _named({"type": "message_stop"}),
        f'event: content_block_delta\ndata: {{"type": "content_block_delta", "delta": {{"{GARBAGE}\n\n'.encode(),
    )


def _openai_usage(speech: Speech) -> dict[str, int]:
    total = speech.input + speech.output
    return {"prompt_tokens": speech.input, "completion_tokens": speech.output, "total_tokens": total}


def _anthropic_head(speech: Speech, identity: str) -> dict[str, Any]:
    return {"id": f"msg_{identity}", "type": "message", "role": "assistant", "model": speech.upstream}


def _openai_error(message: str, kind: str | None, code: str | None, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _anthropic_error(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_drill"}


def _encode(value: object) -> bytes:
    return json.dumps(value).encode()


def _bare(value: object) -> bytes:
    return b"data: " + _encode(value) + b"\n\n"


def _named(value: dict[str, Any]) -> bytes:
    return f"event: {value['type']}\ndata: ".encode() + _encode(value) + b"\n\n"
