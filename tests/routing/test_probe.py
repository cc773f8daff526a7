"""When an upstream is probed, what a probe says to it, and what is learnt from its answer."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.clock import monotonic
from mainstay.core.errors import UpstreamCredential
from mainstay.core.ports import Origin
from mainstay.core.target import Target
from mainstay.line.line import compile_line
from mainstay.providers.http import Endpoint, HttpProvider
from mainstay.providers.openai import OpenAICodec, read_ask
from mainstay.providers.stage import CallProvider
from mainstay.routing.probe import Probe, Probes, Turn
from mainstay.routing.standing import Credential, Standing
from mainstay.runtime.transport import open_transport
from support.gateway import completion, sse_chunks
from support.upstream import Chunk, Cut, Head, Reply, Silence, Upstream, json_reply

pytestmark = pytest.mark.anyio

A = Target("a", "p", "openai", "a-upstream")
HTML = (("content-type", "text/html"),)
ASK = read_ask(b'{"model":"a","messages":[{"role":"user","content":"Hi"}],"max_tokens":1}')


def fresh() -> Standing:
    return Standing(A, Credential(), draw=lambda: 0.5)


def failing(at: float = 0.0) -> Standing:
    standing = fresh()
    for _ in range(3):
        standing.breaker.failure(at)
    return standing


def turn(**options: Any) -> Turn:
    return Turn(Probe(A, ASK, **options), draw=lambda: 0.5)


def test_a_target_that_is_well_is_not_probed() -> None:
    assert not turn().due(fresh(), 1e6)


def test_a_failing_target_is_probed_at_the_interval() -> None:
    standing, asked = failing(), turn(every=2.0)
    assert not asked.due(standing, 0.0)
    assert not asked.due(standing, 1.9)
    assert asked.due(standing, 2.0)
    asked.over(2.5, failed=True)
    assert not asked.due(standing, 4.4)
    assert asked.due(standing, 4.5)


def test_a_target_that_passes_probes_and_fails_calls_is_left_for_longer_and_longer() -> None:
    standing, asked, now = fresh(), turn(every=2.0), 0.0
    waited = []
    for _ in range(4):
        for _ in range(3):
            standing.breaker.failure(now)
        opened = now
        while not asked.due(standing, now):
            now += 0.1
        waited.append(round(now - opened))
        asked.over(now, failed=False)
        standing.answered(None, now)
        assert not asked.due(standing, now)
    assert waited == [2, 10, 15, 15]


def test_no_call_is_the_probe_while_probes_keep_coming() -> None:
    standing, asked = failing(), turn(every=10.0, timeout=1.0)
    now = 0.0
    while now < 100.0:
        if asked.due(standing, now):
            asked.over(now + 1.0, failed=True)
        assert not standing.usable(now)
        now += 0.2


def test_a_call_is_the_probe_after_all_when_no_probe_comes() -> None:
    standing = failing()
    turn(every=10.0, timeout=1.0).due(standing, 0.0)
    assert not standing.usable(12.9)
    assert standing.usable(13.0)


def test_a_call_that_is_the_probe_needs_no_other() -> None:
    standing, asked = failing(), turn(every=2.0)
    assert not asked.due(standing, 0.0)
    standing.breaker.until = inf
    assert not asked.due(standing, 5.0)


def test_what_the_upstream_wants_left_alone_is_not_probed() -> None:
    limited, refused = failing(), failing()
    limited.clock = 15.0
    refused.credential.refuse(0.0)
    for standing in (limited, refused):
        asked = turn(every=1.0)
        assert not asked.due(standing, 0.0)
        assert not asked.due(standing, 14.9)
        assert asked.due(standing, 15.0)


def test_an_idle_target_is_probed_only_where_that_is_asked_for() -> None:
    standing = fresh()
    standing.begin(1, 100.0)
    standing.end(1)
    standing.answered(None, 100.0)
    asked = turn(idle=60.0)
    assert not turn().due(standing, 1e9)
    assert not asked.due(standing, 159.9)
    assert asked.due(standing, 160.0)


def test_after_an_idle_probe_failed_the_next_comes_soon() -> None:
    standing, asked = fresh(), turn(idle=60.0, every=5.0)
    standing.begin(1, 100.0)
    standing.breaker.failure(101.0)
    asked.over(101.0, failed=True)
    assert not asked.due(standing, 105.9)
    assert asked.due(standing, 106.0)
    standing.begin(1, 106.0)
    asked.over(106.5, failed=False)
    assert not asked.due(standing, 165.9)
    assert asked.due(standing, 166.0)


@given(
    every=st.floats(1, 15),
    timeout=st.floats(0.1, 60),
    takes=st.floats(0, 60),
    draws=st.lists(st.floats(0, 1, exclude_max=True), min_size=1),
)
def test_whatever_the_settings_probes_keep_their_distance(
    every: float, timeout: float, takes: float, draws: list[float]
) -> None:
    standing = failing()
    asked = Turn(Probe(A, ASK, every, None, timeout), draw=lambda: draws[0])
    ended, now, sent = 0.0, 0.0, 0
    while now < 120.0:
        if asked.due(standing, now):
            assert now - ended >= every * 0.9 - 1e-9
            sent += 1
            now = ended = now + min(takes, timeout)
            asked.over(now, failed=True)
        now += 0.2
    assert sent <= 120 / (every * 0.9) + 1


class Told:
    """What was said of probes that ended."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []
        self.came = asyncio.Event()

    def __call__(self, model: str, outcome: str, ms: float) -> None:
        assert model == "a"
        assert ms >= 0
        self.outcomes.append(outcome)
        self.came.set()


@asynccontextmanager
async def probing(
    upstream: Upstream, standing: Standing, told: Told, *, timeout: float = 5.0, idle: float | None = None
) -> AsyncIterator[tuple[Probes, Callable[[float], None]]]:
    """Probes of one upstream over a real socket, and a tick at so many seconds from now."""
    transport = open_transport()
    endpoint = Endpoint(Origin("127.0.0.1", upstream.port), b"/v1", ((b"authorization", b"Bearer k"),))
    call = CallProvider({"p": HttpProvider(OpenAICodec(), endpoint, transport)})
    probe = Probe(A, ASK, every=5.0, idle=idle, timeout=timeout)
    probes = Probes({"a": probe}, {"a": standing}, compile_line((call,)), told)
    start = monotonic()
    probes.tick(start)
    try:
        yield probes, lambda seconds: probes.tick(start + seconds)
    finally:
        await probes.aclose()
        await transport.aclose()


def shut_for_good() -> Standing:
    standing = failing(monotonic())
    standing.breaker.hold(monotonic() + 1000)
    return standing


async def settled(told: Told) -> str:
    async with asyncio.timeout(10):
        await told.came.wait()
    told.came.clear()
    # Its task ends in this turn of the loop.
    await asyncio.sleep(0)
    return told.outcomes[-1]


async def test_a_probe_that_is_answered_closes_the_breaker_at_once(upstream: Upstream) -> None:
    upstream.script([Head(200), *map(Chunk, sse_chunks("Hi"))])
    standing, told = shut_for_good(), Told()
    async with probing(upstream, standing, told) as (_, tick):
        assert standing.breaker.state == "open"
        tick(6)
        assert await settled(told) == "ok"
    assert standing.breaker.state == "closed"
    assert standing.usable(monotonic())
    assert (standing.in_flight, standing.outstanding) == (0, 0)
    assert standing.first_token is None
    [asked] = upstream.requests
    assert asked.path == "/v1/chat/completions"
    assert asked.json() == {
        "model": "a-upstream",
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 1,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_an_upstream_that_does_not_stream_may_answer_a_probe_whole(upstream: Upstream) -> None:
    upstream.script(json_reply(completion()))
    standing, told = shut_for_good(), Told()
    async with probing(upstream, standing, told) as (_, tick):
        tick(6)
        assert await settled(told) == "ok"


async def test_a_stream_that_breaks_off_is_no_answer_to_a_probe(upstream: Upstream) -> None:
    upstream.script([Head(200), *map(Chunk, sse_chunks("Hi", "you")[:2]), Cut()])
    standing, told = shut_for_good(), Told()
    async with probing(upstream, standing, told) as (_, tick):
        tick(6)
        assert await settled(told) == "upstream_interrupted"
    assert standing.breaker.state == "open"


async def test_a_probe_that_fails_leaves_the_breaker_open(upstream: Upstream) -> None:
    upstream.script(json_reply({"error": {"message": "no"}}, 500), Reply(200, HTML, b"<html>"))
    standing, told = shut_for_good(), Told()
    async with probing(upstream, standing, told) as (_, tick):
        tick(6)
        assert await settled(told) == "upstream_failed"
        tick(20)
        assert await settled(told) == "upstream_broken"
    assert standing.breaker.state == "open"
    assert standing.breaker.opens == 1


async def test_an_upstream_that_refuses_a_probe_lives(upstream: Upstream) -> None:
    upstream.script(json_reply({"error": {"message": "max_tokens is too small", "code": "x"}}, 400))
    standing, told = shut_for_good(), Told()
    async with probing(upstream, standing, told) as (_, tick):
        tick(6)
        assert await settled(told) == "x"
    assert standing.breaker.state == "closed"


async def test_a_silent_upstream_costs_one_probe_at_a_time(upstream: Upstream) -> None:
    upstream.script(Silence(), Silence())
    standing, told = shut_for_good(), Told()
    async with probing(upstream, standing, told, timeout=0.2) as (_, tick):
        for seconds in range(6, 60):
            tick(seconds)
        assert await settled(told) == "upstream_timeout"
        assert len(upstream.requests) == 1
    assert standing.breaker.state == "open"
    assert standing.in_flight == 0


async def test_stopping_cancels_a_probe_and_its_upstream_and_sends_no_more(upstream: Upstream) -> None:
    upstream.script(Silence())
    standing, told = shut_for_good(), Told()
    async with probing(upstream, standing, told) as (probes, tick):
        tick(6)
        await asyncio.to_thread(upstream.wait_for, 1)
        assert standing.in_flight == 1
        await probes.aclose()
        assert await asyncio.to_thread(upstream.requests[0].closed.wait, 5)
        tick(100)
        tick(200)
    assert told.outcomes == []
    assert len(upstream.requests) == 1
    assert standing.in_flight == 0
    assert standing.breaker.state == "open"


async def test_a_probe_that_was_stopped_while_it_was_the_breakers_own_makes_the_next_call_the_probe(
    upstream: Upstream,
) -> None:
    upstream.script(Silence())
    standing, told = shut_for_good(), Told()
    async with probing(upstream, standing, told) as (probes, tick):
        tick(6)
        await asyncio.to_thread(upstream.wait_for, 1)
        standing.breaker.until = inf
        await probes.aclose()
    assert standing.usable(monotonic())


async def test_a_refused_credential_is_the_credentials_matter(upstream: Upstream) -> None:
    upstream.script(json_reply({"error": {"message": "no"}}, 401))
    standing, told = shut_for_good(), Told()
    async with probing(upstream, standing, told) as (_, tick):
        tick(6)
        assert await settled(told) == UpstreamCredential.code
    assert standing.breaker.state == "closed"
    assert "credential refused" in standing.describe(monotonic())


async def test_failed_probes_of_an_idle_target_open_its_breaker(upstream: Upstream) -> None:
    upstream.script(*[json_reply({"error": {"message": "no"}}, 500)] * 3)
    standing, told = fresh(), Told()
    async with probing(upstream, standing, told, idle=60.0) as (_, tick):
        for seconds in (0, 10, 20):
            assert standing.breaker.state == "closed"
            tick(seconds)
            assert await settled(told) == "upstream_failed"
    assert standing.breaker.state == "open"
