"""Requests per second on one core: small bodies, sixteen kept connections, closed loop."""

from bench.rows.port import Row, Visit

__all__ = ["ROW"]


async def _run(visit: Visit) -> None:
    before = visit.cpu()
    result = visit.keep("throughput", await visit.closed(visit.running.fixed.request(), visit.plan.connections))
    visit.figures["requests_per_second"] = result.rate
    if result.latency is not None:
        visit.figures["p50_at_16"] = result.latency.p50
    after = visit.cpu()
    if before is not None and after is not None and result.requests:
        visit.figures["cpu_per_1000"] = (after - before) / result.requests * 1000
        visit.figures["busy"] = (after - before) / result.seconds


ROW = Row("throughput", _run)
