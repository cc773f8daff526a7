"""Request bodies of 1 KB, 50 KB and 1 MB, one connection: what each costs on its way through."""

from bench import load
from bench.rows.port import Row, Visit

__all__ = ["ROW", "SIZES"]

SIZES = {"1kb": 1024, "50kb": 50 * 1024, "1mb": 1024 * 1024}


async def _run(visit: Visit) -> None:
    for name, size in SIZES.items():
        request = visit.running.fixed.request(size=size)
        result = await load.closed_loop(request, connections=1, seconds=max(visit.plan.seconds / 2, 0.5))
        visit.keep(f"bodies of {name}", result)
        if result.latency is not None:
            visit.figures[f"p50_body_{name}"] = result.latency.p50


ROW = Row("bodies", _run)
