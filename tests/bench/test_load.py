import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from bench.load import closed_loop, open_loop
from bench.schedule import constant
from bench.upstream import Script

from bench import wire

pytestmark = pytest.mark.anyio

Upstream = Callable[[Script], Awaitable[str]]
Ask = Callable[..., wire.Request]
_STALL = 1.0


class _Stalling(asyncio.Protocol):
    """Answers at once, but for one stall: whatever arrives within it is answered at its end."""

    stall_after = 20
    seen = 0
    stalled_until = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        _Stalling.seen += 1
        if _Stalling.seen == self.stall_after:
            _Stalling.stalled_until = loop.time() + _STALL
        wait = _Stalling.stalled_until - loop.time()
        answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
        if wait > 0:
            loop.call_later(wait, self.transport.write, answer)
        else:
            self.transport.write(answer)


@asynccontextmanager
async def _stalling_server() -> AsyncIterator[str]:
    _Stalling.seen, _Stalling.stalled_until = 0, 0.0
    server = await asyncio.get_running_loop().create_server(_Stalling, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()


@pytest.mark.parametrize("connections", [1, 64])
async def test_a_stall_of_a_second_shows_in_every_request_that_was_due_in_it(ask: Ask, connections: int) -> None:
    async with _stalling_server() as url:
        result = await open_loop(ask(url), constant(100, 1.5), connections=connections, rate=100)
    assert result.latency is not None
    assert result.requests == 150
    assert result.errors == {}
    # Of 150 requests some 100 fell due in the stall, a tenth of them in its first tenth.
    assert result.latency.max >= 0.95 * _STALL
    assert result.latency.p99 >= 0.9 * _STALL
    assert result.latency.p90 >= 0.7 * _STALL


async def test_a_closed_loop_hides_that_same_stall_from_all_but_its_last_rank(ask: Ask) -> None:
    async with _stalling_server() as url:
        result = await closed_loop(ask(url), connections=1, seconds=10, limit=150)
    assert result.latency is not None
    assert result.latency.max >= 0.95 * _STALL
    assert result.latency.p99 < 0.9 * _STALL


async def test_what_is_never_answered_is_an_error_and_weighs_on_the_quantiles(upstream: Upstream, ask: Ask) -> None:
    url = await upstream(Script(fault="stall", fault_every=2))
    result = await open_loop(ask(url), constant(50, 0.4), connections=32, grace=0.3)
    assert result.errors == {"unanswered": 10}
    assert result.requests == 10
    assert result.latency is not None
    assert result.latency.count == 20
    assert result.latency.max >= 0.3


async def test_every_scheduled_request_is_sent_though_all_connections_are_busy(upstream: Upstream, ask: Ask) -> None:
    url = await upstream(Script(latency=0.02))
    result = await open_loop(ask(url), constant(500, 0.2), connections=4)
    assert result.requests == 100
    assert result.latency is not None
    assert result.schedule_error is not None
    assert result.schedule_error.count == 100
    # Four connections answer 200 a second: the last of 100 requests waits some 0.3 s past its turn.
    assert result.latency.max >= 0.2


async def test_a_closed_loop_stops_at_its_limit(upstream: Upstream, ask: Ask) -> None:
    url = await upstream(Script())
    result = await closed_loop(ask(url), connections=8, seconds=10, limit=200)
    assert result.requests == 200
    assert result.schedule_error is None
    assert result.rate == pytest.approx(200 / result.seconds)


async def test_streams_are_counted_event_by_event(upstream: Upstream, ask: Ask) -> None:
    url = await upstream(Script(tokens=50))
    result = await closed_loop(ask(url, events=50), connections=4, seconds=10, limit=20)
    assert result.errors == {}
    assert result.events == 1000
    assert result.first_event is not None
    assert result.gaps is not None
    assert result.gaps.count == 20 * 49
    assert result.latency is not None
    assert result.first_event.p50 <= result.latency.p50


async def test_a_first_token_that_is_held_back_shows_in_the_first_event(upstream: Upstream, ask: Ask) -> None:
    url = await upstream(Script(tokens=5, latency=0.05, tokens_per_second=100))
    result = await closed_loop(ask(url, events=5), connections=1, seconds=10, limit=3)
    assert result.first_event is not None
    assert result.gaps is not None
    assert result.latency is not None
    assert result.first_event.p50 >= 0.049
    assert result.latency.p50 >= 0.088


@pytest.mark.parametrize(
    ("fault", "error"),
    [("429", "status 429"), ("500", "status 500"), ("cut", "closed")],
)
async def test_a_fault_is_booked_as_what_it_was(upstream: Upstream, ask: Ask, fault: str, error: str) -> None:
    url = await upstream(Script(fault=fault, fault_every=4))
    result = await closed_loop(ask(url), connections=1, seconds=10, limit=40)
    assert result.errors == {error: 10}
    assert result.requests == 30


async def test_a_reset_is_booked_and_the_connection_replaced(upstream: Upstream, ask: Ask) -> None:
    url = await upstream(Script(fault="reset", fault_every=4))
    result = await closed_loop(ask(url), connections=2, seconds=10, limit=40)
    assert sum(result.errors.values()) == 10
    assert result.requests == 30


async def test_a_stream_that_is_cut_counts_as_failed(upstream: Upstream, ask: Ask) -> None:
    url = await upstream(Script(tokens=10, fault="cut", fault_every=2))
    result = await closed_loop(ask(url, events=10), connections=1, seconds=10, limit=10)
    assert result.errors == {"closed": 5}
    assert result.events == 50


async def test_a_server_that_is_not_there_is_told_at_once(ask: Ask) -> None:
    with pytest.raises(OSError, match="Connect"):
        await closed_loop(ask("http://127.0.0.1:1/v1"), connections=1, seconds=1)


class _Tired(asyncio.Protocol):
    """Closes each connection as soon as it has rested for a moment, answered or not."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.timer = asyncio.get_running_loop().call_later(0.05, transport.close)

    def data_received(self, data: bytes) -> None:
        self.timer.cancel()
        self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        self.timer = asyncio.get_running_loop().call_later(0.05, self.transport.close)


async def test_a_connection_that_the_server_closed_while_it_rested_costs_no_request(ask: Ask) -> None:
    server = await asyncio.get_running_loop().create_server(_Tired, "127.0.0.1", 0)
    try:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        result = await open_loop(ask(url), constant(5, 1.0), connections=4, rate=5)
    finally:
        server.close()
    assert (result.requests, result.errors) == (5, {})
