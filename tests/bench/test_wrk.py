from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from bench.upstream import Script

from bench import wire, wrk

_SUMMARY = {
    "requests": 1000,
    "micros": 2_000_000,
    "bytes": 1,
    "connect": 0,
    "read": 0,
    "write": 0,
    "status": 100,
    "timeout": 2,
    "mean": 150.0,
    "p50": 100.0,
    "p90": 200.0,
    "p99": 300.0,
    "p999": 400.0,
    "max": 500.0,
}


def test_answers_with_an_error_status_are_taken_off_the_rate() -> None:
    result = wrk._load(_SUMMARY, wire.Request("host", 1, b"", 50), 16)
    assert (result.requests, result.rate, result.events_rate) == (900, 450.0, 22_500.0)
    assert result.errors == {"status": 100, "timeout": 2}
    assert result.latency is not None
    assert result.latency.p99 == pytest.approx(0.0003)


@pytest.mark.anyio
@pytest.mark.skipif(not wrk.available(), reason="wrk is not installed")
async def test_wrk_sends_the_very_request_and_reads_its_answers(
    upstream: Callable[[Script], Awaitable[str]], ask: Callable[..., wire.Request], tmp_path: Path
) -> None:
    result = await wrk.closed_loop(ask(await upstream(Script())), connections=2, seconds=1, scratch=tmp_path)
    assert result.errors == {}
    assert result.requests > 0
    assert result.tool == "wrk"
