"""Memory after many requests, and whether it still climbs at the end; what it was before is noted in run.py.

Only on the first visit to a peer: bytes vary little from round to round, and the row is long. The worker is the
process that used most CPU meanwhile. The slope is fitted to the second half of the samples: caches and pools fill in
the first.
"""

import time

from bench import load
from bench.processes import Weight
from bench.rows.port import Row, Visit
from bench.stats import slope

__all__ = ["ROW", "mebibytes"]

_SLICES = 20
_MEBIBYTE = 1024.0 * 1024.0


async def _run(visit: Visit) -> None:
    plan = visit.plan
    start = visit.weigh()
    if not start or not visit.first:
        return
    request = visit.running.fixed.request()
    until = time.perf_counter() + plan.memory_seconds
    samples: list[tuple[int, list[Weight]]] = [(0, start)]
    done = 0
    while done < plan.memory_requests and time.perf_counter() < until:
        limit = min(max(plan.memory_requests // _SLICES, 1), plan.memory_requests - done)
        result = await load.closed_loop(request, connections=plan.connections, seconds=10.0, limit=limit)
        done += result.requests
        samples.append((done, visit.weigh()))
        if result.errors or not result.requests:
            visit.keep("memory", result)
            break
    worker = _busiest(start, samples[-1][1])
    visit.figures["memory_after"] = mebibytes(samples[-1][1])
    visit.figures["worker_after"] = _of(samples[-1][1], worker) / _MEBIBYTE
    visit.figures["memory_requests"] = float(done)
    late = samples[len(samples) // 2 :]
    climb = slope([(count / 1000, _of(weights, worker) / 1024) for count, weights in late])
    if climb is not None:
        visit.figures["worker_slope"] = climb


def mebibytes(weights: list[Weight]) -> float:
    """Memory of a whole tree; shared pages count once, where the system tells (PSS), else as often as seen."""
    shared = sum(weight.pss for weight in weights)
    return (shared or sum(weight.rss for weight in weights)) / _MEBIBYTE


def _of(weights: list[Weight], pid: int) -> float:
    return float(sum(weight.rss for weight in weights if weight.pid == pid))


def _busiest(before: list[Weight], after: list[Weight]) -> int:
    used = {weight.pid: weight.cpu for weight in before}
    return max(after, key=lambda weight: weight.cpu - used.get(weight.pid, 0.0)).pid


ROW = Row("memory", _run)
