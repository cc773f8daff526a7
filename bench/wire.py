"""The bytes that cross the wire in every row: request bodies, the fixed completion, one streamed event.

All gateways get the same bytes. The content of each streamed event opens with MARK, so that a client can count what
arrived without parsing, however a gateway rewrites the JSON around it.
"""

import json
from dataclasses import dataclass
from urllib.parse import urlsplit

__all__ = [
    "DONE",
    "MARK",
    "MODEL_FIXED",
    "MODEL_STREAM",
    "Request",
    "completion",
    "event",
    "post",
    "question",
    "usage_event",
]

MARK = b"~w"
DONE = b"data: [DONE]\n\n"
MODEL_FIXED = "bench-fixed"
MODEL_STREAM = "bench-stream"

_ID = "chatcmpl-bench0000000000000000000000001"
_CREATED = 1_790_000_000
_PROMPT = "Say in one sentence why the sky is blue, for a child of seven years who likes trains."
_ANSWER = (
    "Sunlight is made of many colours, and when it travels through the air the blue part bounces around much more "
    "than the rest, a little like a small train that takes every branch line, so blue light reaches your eyes "
    "from every corner of the sky at once."
)


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, ready to write, and what a whole answer to it holds."""

    host: str
    port: int
    data: bytes
    events: int = 0  # content events of a streamed answer; 0 for an answer in one piece


def question(model: str, *, stream: bool = False, size: int = 0, **fields: object) -> bytes:
    """A chat-completion request body with these further fields; padded until it has about `size` bytes."""
    body: dict[str, object] = {
        "model": model,
        "messages": [
            {"role": "system", "content": "You are a patient teacher."},
            {"role": "user", "content": _PROMPT},
        ],
    }
    body.update(fields)
    if stream:
        body["stream"] = True
    padding = size - len(json.dumps(body))
    if padding > 0:
        words = "All trains leave on time. " * (padding // 26 + 1)
        body["messages"] = [{"role": "user", "content": words[:padding] + _PROMPT}]
    return json.dumps(body).encode()


def post(base_url: str, body: bytes, headers: dict[str, str], events: int = 0) -> Request:
    """A POST of `body` to the chat endpoint below `base_url` (which ends in /v1), over a kept connection."""
    parts = urlsplit(base_url)
    if parts.hostname is None or parts.port is None:
        raise ValueError("a base URL names its host and its port")
    lines = [
        f"POST {parts.path}/chat/completions HTTP/1.1",
        f"host: {parts.netloc}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
        "",
        "",
    ]
    return Request(parts.hostname, parts.port, "\r\n".join(lines).encode() + body, events)


def completion(model: str, tokens: int = 57) -> bytes:
    """The fixed answer, about 700 bytes, which claims to have that many tokens."""
    return json.dumps(
        {
            "id": _ID,
            "object": "chat.completion",
            "created": _CREATED,
            "model": model,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": _ANSWER, "refusal": None},
                    "logprobs": None,
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 41, "completion_tokens": tokens, "total_tokens": 41 + tokens},
            "system_fingerprint": "fp_bench",
        }
    ).encode()


def event(model: str, text: str | None, *, finish: str | None = None, role: bool = False) -> bytes:
    """One server-sent event of a streamed answer; None as text makes a delta without content."""
    delta: dict[str, str] = {"role": "assistant"} if role else {}
    if text is not None:
        delta["content"] = text
    return _event(model, choices=[{"index": 0, "delta": delta, "finish_reason": finish}])


def usage_event(model: str, tokens: int) -> bytes:
    """The event that follows the last choice when the caller asked for `stream_options.include_usage`."""
    usage = {"prompt_tokens": 41, "completion_tokens": tokens, "total_tokens": 41 + tokens}
    return _event(model, choices=[], usage=usage)


def _event(model: str, **fields: object) -> bytes:
    chunk = {"id": _ID, "object": "chat.completion.chunk", "created": _CREATED, "model": model, **fields}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"
