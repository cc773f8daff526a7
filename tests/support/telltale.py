"""Upstreams that tell everything they know when they fail: the key, the address, the model's own name, a stack.

One scripted upstream speaks every vendor's wire; the first part of the path says whose, and how it fails.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support import converse, gemini_wire
from support.gateway import Gateway
from support.upstream import Chunk, Head, Received, Reply, Step, Upstream
from support.vendors import VENDORS, Said

__all__ = ["HARMLESS", "INTERNAL", "KEY", "STATUSES", "TROUBLES", "Telltale", "telltales"]

KEY = "unguessable.example/key+7-with=signs"
INTERNAL = "acme-internal-70b.v3"
#: What an error may say after all.
HARMLESS = "The knob must be at most two"
STATUSES = (400, 401, 402, 403, 404, 408, 409, 413, 415, 422, 429, 499, 500, 502, 503, 504, 529)
TROUBLES = (*(f"s{status}" for status in STATUSES), "text", "html", "stack", "inside", "first", "middle")
_GEMINI = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
_STACK = (
    'Traceback (most recent call last):\n  File "/opt/serving/engine.py", line 7, in forward\n'
    "    at forward (/opt/serving/engine.js:7:9)\nRuntimeError: out of memory"
)


class Telltale:
    """A running gateway in front of them, and what no answer may contain."""

    def __init__(self, gateway: Gateway, upstream: Upstream) -> None:
        self.gateway = gateway
        self.upstream = upstream
        self.forbidden = (
            KEY,
            "unguessable",
            INTERNAL,
            "127.0.0.1",
            f":{upstream.port}",
            "tenant-4711",
            "/opt/",
            "engine.",
            "Traceback",
            "gpu-7",
            "10.0.0.7",
        )


@contextmanager
def telltales(home: Path) -> Iterator[Telltale]:
    """Run both."""
    with Upstream(_answer) as upstream, Gateway(home, _config(upstream.url), env={"KEY": KEY}) as gateway:
        yield Telltale(gateway, upstream)


def _config(url: str) -> dict[str, Any]:
    providers: dict[str, Any] = {}
    models: dict[str, Any] = {}
    for name in VENDORS:
        for trouble in TROUBLES:
            kind = "openai-responses" if name == "responses" else name
            row = {"kind": kind, "base_url": f"{url}/{name}-{trouble}/tenant-4711", "api_key": "${KEY}"}
            providers[f"{name}-{trouble}"] = {**row, "region": "eu-central-1"} if kind == "bedrock" else row
            models[f"{name}-{trouble}"] = {"provider": f"{name}-{trouble}", "name": INTERNAL, "concurrency": "off"}
    routes: dict[str, Any] = {name: {"targets": [name], "attempts": 1} for name in models}
    # Whatever a test scripts, by a wire: rows of their own for what is remembered of a model.
    for name, kind in (("gpt", "openai"), ("claude", "anthropic")):
        providers[name] = {"kind": kind, "base_url": f"{url}/{name}-", "api_key": "${KEY}"}
        for number in range(10):
            models[f"{name}-{number}"] = {"provider": name, "name": f"{name}-{number}", "concurrency": "off"}
            routes[f"only-{name}-{number}"] = {"targets": [f"{name}-{number}"], "attempts": 1}
        routes[f"backed-{name}"] = {"targets": [f"{name}-8"], "fallback": [f"{name}-9"], "attempts": 2}
    return {"providers": providers, "models": models, "routes": routes}


def _answer(request: Received) -> Step | list[Step]:
    name, _, trouble = request.path.split("/")[1].partition("-")
    words = _words(request)
    plain = (("content-type", "application/json"),)
    if trouble == "text":
        return Reply(400, (("content-type", "text/plain"),), words.encode())
    if trouble == "html":
        return Reply(500, (("content-type", "text/html"),), f"<html><p>{words}</p>{_STACK}</html>".encode())
    if trouble == "stack":
        return Reply(422, plain, _envelope(name, 422, f"{words}\n{_STACK}"))
    if trouble.startswith("s"):
        status = int(trouble[1:])
        kind = (("x-amzn-errortype", "ValidationException"),) if name == "bedrock" and status == 400 else ()
        return Reply(status, (*plain, *kind), _envelope(name, status, words))
    if trouble == "inside":
        return Reply(200, plain, _envelope(name, 400, words))
    kind = "application/vnd.amazon.eventstream" if name == "bedrock" else "text/event-stream"
    pieces = VENDORS[name].pieces(Said("One two three."), list)
    begun = pieces[: len(pieces) // 2] if trouble == "middle" else []
    return [Head(200, (("content-type", kind),)), *map(Chunk, begun), Chunk(_event(name, words))]


def _words(request: Received) -> str:
    values = " ".join(value for key, value in request.headers if key not in ("content-type", "accept"))
    place = f"http://{request.header('host')}{request.path}"
    return (
        f"{HARMLESS}: POST {place} for model '{INTERNAL}' ({INTERNAL}) with {values}"
        f" failed in /opt/serving/engine.py on gpu-7.cluster.internal and 10.0.0.7:9000."
    )


def _envelope(name: str, status: int, words: str) -> bytes:
    """Return an error as the vendor writes one, with details where it has room for them."""
    if name in ("openai", "responses"):
        inner = {"code": "x", "content_filter_results": {"hate": {"why": words}}}
        said: Any = {"error": {"message": words, "type": words, "param": words, "code": words, "innererror": inner}}
    elif name == "anthropic":
        said = {"type": "error", "error": {"type": "invalid_request_error", "message": words}, "request_id": "req_1"}
    elif name == "gemini":
        details = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": words, "metadata": {"service": words}}
        said = gemini_wire.status(status, _GEMINI.get(status, "INTERNAL"), words, details)
    elif name == "bedrock":
        said = {"message": words, **({"__type": "ValidationException"} if status == 400 else {})}
    else:
        said = {"id": "1", "message": words}
    return json.dumps(said).encode()


def _event(name: str, words: str) -> bytes:
    """Return an error as the vendor sends one within a stream."""
    if name == "bedrock":
        return converse.exception("validationException", words)
    if name == "cohere":
        delta = {"finish_reason": "ERROR", "error": words, "usage": None}
        return b"data: %s\n\n" % json.dumps({"type": "message-end", "delta": delta}).encode()
    line = {"anthropic": b"event: error\n", "responses": b"event: error\n"}.get(name, b"")
    said = _envelope(name, 400, words)
    if name == "responses":
        said = json.dumps(
            {"type": "error", "code": "invalid_prompt", "message": words, "param": words, "sequence_number": 1}
        ).encode()
    return line + b"data: %s\n\n" % said
