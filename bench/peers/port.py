"""What a competitor must offer to take part: how to get it, start it on given cores, and speak to it.

Each implementation is one file named as on the command line. A peer knows nothing of rows and measures nothing but
its own start.
"""

import http.client
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bench import wire
from bench.processes import Process

__all__ = ["Endpoint", "Peer", "Running", "Upstreams", "get_ok", "post_ok"]


@dataclass(frozen=True, slots=True)
class Upstreams:
    """Base URLs, each ending in /v1, of the fixed-answer and of the streaming upstream."""

    fixed: str
    stream: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how one model is asked: a base URL ending in /v1, the model's name, extra request headers."""

    base_url: str
    model: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def request(self, *, stream_events: int = 0, size: int = 0) -> wire.Request:
        """A request for one answer: streamed with that many content events, or whole when 0."""
        body = wire.question(self.model, stream=stream_events > 0, size=size)
        return wire.post(self.base_url, body, dict(self.headers), stream_events)


@dataclass(frozen=True, slots=True)
class Running:
    """A started peer. `process` is None for a peer that is no process of its own."""

    fixed: Endpoint
    stream: Endpoint
    process: Process | None = None
    ready: Callable[[], bool] = field(default=lambda: True)


class Peer(Protocol):
    """One system to be measured."""

    name: str
    patience: float  # seconds it may take to become ready
    setup: str  # one sentence on how it is configured, for the report

    def prepare(self, *, allow_install: bool) -> str:
        """Make sure it can be started and return its version; raises install.Unavailable with the reason."""
        ...

    def start(self, upstreams: Upstreams, cores: frozenset[int], scratch: Path) -> Running:
        """Start it on these cores with its files in `scratch`, without waiting until it is ready."""
        ...

    def import_command(self) -> tuple[str, str] | None:
        """A Python and the statement that imports the peer's own package in it, where it is a Python package."""
        ...


def get_ok(port: int, path: str) -> bool:
    """Whether a GET on the loopback port is answered with 200 at once."""
    return _ask(port, "GET", path, None, {})


def post_ok(endpoint: Endpoint) -> bool:
    """Whether the endpoint answers one whole completion."""
    base, _, _ = endpoint.base_url.partition("/v1")
    port = int(base.rpartition(":")[2])
    headers = {"content-type": "application/json", **endpoint.headers}
    return _ask(port, "POST", "/v1/chat/completions", wire.question(endpoint.model), headers)


def _ask(port: int, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return answer.status == 200
