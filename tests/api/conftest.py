"""One gateway for every test of an operation that is no conversation."""

from collections.abc import Iterator

import pytest
from openai import OpenAI

from support.gateway import Gateway
from support.tasks import KEY, task_config
from support.upstream import Upstream


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
