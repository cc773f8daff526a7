"""One gateway for every test of an operation that is no conversation, and one for the wire of conversations."""

from collections.abc import Iterator

import httpx
import pytest
from openai import OpenAI

from support.gateway import Gateway
from support.tasks import KEY, task_config
from support.upstream import Upstream
from support.wires import Talk


@pytest.fixture(scope="session")
def task_upstreams() -> Iterator[tuple[Upstream, Upstream]]:
    """Two scripted upstreams; see ``support.tasks`` for who is behind which."""
    with Upstream() as first, Upstream() as second:
        yield first, second


@pytest.fixture(scope="session")
def task_gateway(
    tmp_path_factory: pytest.TempPathFactory, task_upstreams: tuple[Upstream, Upstream]
) -> Iterator[Gateway]:
    """A running gateway in front of them."""
    first, second = task_upstreams
    home = tmp_path_factory.mktemp("tasks")
    with Gateway(home, task_config(first.url, second.url), env={"UPSTREAM_KEY": KEY}) as running:
        yield running


@pytest.fixture
def first(task_upstreams: tuple[Upstream, Upstream]) -> Upstream:
    """The first upstream, with nothing scripted yet."""
    task_upstreams[0].forget()
    return task_upstreams[0]


@pytest.fixture
def second(task_upstreams: tuple[Upstream, Upstream]) -> Upstream:
    """The second upstream, with nothing scripted yet."""
    task_upstreams[1].forget()
    return task_upstreams[1]


@pytest.fixture
def sdk(task_gateway: Gateway, first: Upstream, second: Upstream) -> Iterator[OpenAI]:
    """The official OpenAI SDK, talking to the gateway."""
    with OpenAI(base_url=f"{task_gateway.url}/v1", api_key=task_gateway.key, max_retries=0) as client:
        yield client


@pytest.fixture(scope="session")
def wire_upstream() -> Iterator[Upstream]:
    """The scripted upstream behind :func:`wire_gateway`."""
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="session")
def wire_gateway(tmp_path_factory: pytest.TempPathFactory, wire_upstream: Upstream) -> Iterator[Gateway]:
    """A running gateway that asks each model once, over the wire of OpenAI's chat completions."""
    url = f"{wire_upstream.url}/v1"
    limits = {"headers": "10s", "first_token": "10s", "idle": "10s", "total": "30s"}
    models = ["plain", "other", "broken", "huge", "refusing", "spent", "renamed"]
    config = {
        "vendors": {"strict": {"base_url": url, "key": "optional", "rejects": ["temperature", "top_k"]}},
        "providers": {
            "openai": {"kind": "openai", "base_url": url, "api_key": "sk-upstream-secret"},
            "strict": {"kind": "strict"},
        },
        "models": {
            **{name: {"provider": "openai"} for name in models},
            "renamed": {"provider": "openai", "name": "up-name"},
            "priced": {"provider": "openai", "price": {"input": 2, "output": 8}},
            "picky": {"provider": "strict"},
        },
        "routes": {
            **{name: {"targets": [name], "attempts": 1, "timeouts": limits} for name in models},
            "priced": {"targets": ["priced"], "attempts": 1, "timeouts": limits},
            "picky": {"targets": ["picky"], "attempts": 1},
            "backed": {"targets": ["refusing"], "fallback": ["spent"], "attempts": 2, "timeouts": limits},
        },
    }
    with Gateway(tmp_path_factory.mktemp("wires"), config) as running:
        yield running


@pytest.fixture
def talk(wire_gateway: Gateway, wire_upstream: Upstream) -> Iterator[Talk]:
    """A caller of chat completions who scripts the upstream and sees every byte."""
    wire_upstream.forget()
    headers = {"authorization": f"Bearer {wire_gateway.key}"}
    with httpx.Client(base_url=wire_gateway.url, headers=headers, timeout=60) as client:
        yield Talk(wire_gateway, wire_upstream, client)
