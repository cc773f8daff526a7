"""The benchmark is a package beside the tests, not an installed one."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

_ROOT = str(Path(__file__).resolve().parents[2])
if _ROOT not in sys.path:
    sys.path.insert(0, _ROOT)

from bench.upstream import Script, serve  # noqa: E402
from bench.visitors import Visitor  # noqa: E402

from bench import wire  # noqa: E402 - the path has to be set first

Upstream = Callable[[Script], Awaitable[str]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    """Starts scripted upstreams on the test's own loop and gives their base URLs."""
    servers = []

    async def start(script: Script) -> str:
        server = await serve(script, 0)
        servers.append(server)
        return server.base_url

    yield start
    for server in servers:
        server.close()


@pytest.fixture
async def watched() -> AsyncIterator[Callable[[Script], Awaitable[tuple[str, list[Visitor]]]]]:
    """Starts scripted upstreams as above, and gives with each the list of those who come to it."""
    servers = []

    async def start(script: Script) -> tuple[str, list[Visitor]]:
        seen: list[Visitor] = []
        server = await serve(script, 0, watch=seen.append)
        servers.append(server)
        return server.base_url, seen

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def ask() -> Callable[..., wire.Request]:
    """Makes a request for one answer of the upstream at a base URL."""

    def make(base_url: str, *, events: int = 0, size: int = 0) -> wire.Request:
        body = wire.question(wire.MODEL_STREAM, stream=events > 0, size=size)
        return wire.post(base_url, body, {}, events)

    return make
