"""Latency as a caller feels it: one connection at a time, and a fixed rate that does not wait for answers."""

from bench import load, schedule
from bench.rows.port import Row, Visit

__all__ = ["FIXED_RATE", "ONE_CONNECTION"]

_HEADROOM = 1.25


async def _one(visit: Visit) -> None:
    result = await load.closed_loop(visit.running.fixed.request(), connections=1, seconds=visit.plan.seconds)
    visit.keep("one connection", result)
    if result.latency is not None:
        visit.figures["p50_at_1"] = result.latency.p50
        visit.figures["p99_at_1"] = result.latency.p99


async def _fixed_rate(visit: Visit) -> None:
    rate, seconds = visit.plan.rate, visit.plan.seconds
    capacity = visit.figures.get("requests_per_second")
    if capacity is None:
        probe = await load.closed_loop(visit.running.fixed.request(), connections=16, seconds=min(seconds, 1.0))
        capacity = probe.rate
    if capacity < rate * _HEADROOM:
        # Past its capacity an open loop measures the length of the run, not the gateway.
        visit.notes.append(f"fixed rate: it cannot hold {rate:.0f} requests per second")
        return
    before = visit.cpu()
    due = schedule.poisson(rate, seconds, seed=1)
    result = visit.keep("fixed rate", await load.open_loop(visit.running.fixed.request(), due, rate=rate))
    after = visit.cpu()
    if result.latency is not None:
        visit.figures["p50_at_rate"] = result.latency.p50
        visit.figures["p90_at_rate"] = result.latency.p90
        visit.figures["p99_at_rate"] = result.latency.p99
        visit.figures["p999_at_rate"] = result.latency.p999
    if result.schedule_error is not None:
        visit.figures["schedule_error_p99"] = result.schedule_error.p99
    if before is not None and after is not None and result.requests:
        visit.figures["cpu_per_1000_at_rate"] = (after - before) / result.requests * 1000


ONE_CONNECTION = Row("one", _one)
FIXED_RATE = Row("rate", _fixed_rate)
