"""Goodput under overload: streams offered at 1, 2, 5 and 10 times what an upstream of sixteen slots can serve.

The gateway is told nothing of the upstream, whose line is endless: it has to find the limit itself. Goodput is the
streams that were read to their end, per second, counted at the upstream; the best is what any of these reached, or a
model whose slots the gateway knows. How late first tokens may be follows from the route's limit for them.
"""

import time

from bench import load, schedule
from bench.connection import UNTOLD
from bench.peers.gateway import serving
from bench.peers.port import Endpoint
from bench.rows.port import OwnRow, Trial
from bench.upstream import Script, serve
from bench.visitors import Visitor

__all__ = ["LIMIT", "ROW", "TIMES", "finished"]

#: Seconds that the route allows for the first token.
LIMIT = 2.0
TIMES = (1, 2, 5, 10)
_SCRIPT = Script(slots=16, latency=0.2, spread=0.5, tokens=10, tokens_per_second=50.0, seed=3)
_SERVICE = _SCRIPT.latency + (_SCRIPT.tokens - 1) / _SCRIPT.tokens_per_second
_CAPACITY = _SCRIPT.slots / _SERVICE
_CONNECTIONS = 512
_SETTLING = 6.0
_SECONDS = 10.0


async def _run(trial: Trial) -> None:
    served: list[Visitor] = []
    upstream = await serve(_SCRIPT, 0, watch=served.append)
    provider = {"kind": "openai", "base_url": upstream.base_url, "api_key": "sk-none"}
    limits = {"timeouts": {"first_token": f"{LIMIT:g}s"}}
    settings = {
        # One each, so that what is learnt of one says nothing of the other.
        "providers": {"scripted": provider, "known": provider},
        "models": {
            "model": {"provider": "scripted"},
            "told-model": {"provider": "known", "concurrency": _SCRIPT.slots},
        },
        "routes": {"busy": {"targets": ["model"], **limits}, "told": {"targets": ["told-model"], **limits}},
    }
    seconds = _SECONDS * max(trial.plan.scale, 0.5)
    rates: dict[int, float] = {}
    try:
        with serving(settings, trial.cores, trial.scratch) as gateway:
            told, _ = await _offer(gateway.endpoint("told"), served, 2, seconds)
            for times in TIMES:
                rates[times], result = await _offer(gateway.endpoint("busy"), served, times, seconds)
                _book(trial, times, result)
    finally:
        upstream.close()
    peak = max(told, *rates.values(), 1e-9)
    trial.figures.update(goodput_capacity=_CAPACITY, goodput_told=told, goodput_peak=peak)
    trial.figures.update({f"goodput_{times}_share": rate / peak for times, rate in rates.items()})


async def _offer(endpoint: Endpoint, served: list[Visitor], times: int, seconds: float) -> tuple[float, load.Load]:
    """Offer so many times the capacity: what came to a good end per second once it had settled, and the whole load."""
    served.clear()
    rate, whole = times * _CAPACITY, _SETTLING + seconds
    began = time.perf_counter()
    due = schedule.poisson(rate, whole, seed=times)
    result = await load.open_loop(
        endpoint.request(stream_events=_SCRIPT.tokens), due, connections=_CONNECTIONS, rate=rate
    )
    return finished(served, began + _SETTLING, began + whole) / seconds, result


def finished(served: list[Visitor], since: float, until: float) -> int:
    """How many requests the upstream answered in full, to somebody who was still there, between these times."""
    return sum(since <= visitor.until < until and not visitor.left for visitor in served)


def _book(trial: Trial, times: int, result: load.Load) -> None:
    failed = sum(result.errors.values())
    trial.figures[f"goodput_{times}_refused"] = failed / max(failed + result.requests, 1)
    if result.first_event is not None:
        trial.figures[f"goodput_{times}_p99"] = result.first_event.p99
    untold = sum(count for kind, count in result.errors.items() if kind.endswith(UNTOLD))
    trial.figures["goodput_untold"] = trial.figures.get("goodput_untold", 0.0) + untold
    odd = {kind: count for kind, count in result.errors.items() if not kind.startswith("status 503")}
    if odd:
        trial.notes.append(f"goodput, {times} times: {odd} beside 503")


ROW = OwnRow("goodput", _run)
