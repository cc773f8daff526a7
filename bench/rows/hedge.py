"""Hedging: two routes on one upstream at the same time, alike but for `hedge: 0.03`; then the upstream turns slow.

Two in a hundred answers begin ten times as late as the others. In the second half all do: what a hedge may then not do
is add its copies to the trouble.
"""

import asyncio
from collections import Counter
from typing import Any

from bench import load, schedule
from bench.peers.gateway import serving
from bench.rows.port import OwnRow, Trial
from bench.upstream import Script, serve
from bench.visitors import Visitor

__all__ = ["ROW"]

_USUAL = Script(latency=0.03, spread=0.1, slow=0.02, slow_latency=0.3, tokens=4, seed=5)
_SLOW = Script(latency=0.3, spread=0.1, tokens=4, seed=6)
_CALLS = 2000
_SLOW_CALLS = 1000
_WARM_CALLS = 300
_RATE = 200.0
_CONNECTIONS = 256


def _settings(base_url: str) -> dict[str, Any]:
    # Each route has models of its own, whose upstream names say at the upstream which route asked.
    models = {
        f"{name}-{place}": {"provider": "scripted", "name": name} for name in ("plain", "hedged") for place in "ab"
    }
    return {
        "providers": {"scripted": {"kind": "openai", "base_url": base_url, "api_key": "sk-none"}},
        "models": models,
        "routes": {
            "plain": {"targets": ["plain-a", "plain-b"]},
            "hedged": {"targets": ["hedged-a", "hedged-b"], "hedge": 0.03},
        },
    }


async def _run(trial: Trial) -> None:
    asked: Counter[str] = Counter()

    def watch(visitor: Visitor) -> None:
        asked["hedged" if b'"hedged"' in visitor.body else "plain"] += 1

    upstream = await serve(_USUAL, 0, watch=watch)
    try:
        with serving(_settings(upstream.base_url), trial.cores, trial.scratch) as gateway:

            async def ask(route: str, count: int, seed: int) -> load.Load:
                request = gateway.endpoint(route).request(stream_events=_USUAL.tokens)
                due = schedule.poisson(_RATE, count / _RATE, seed=seed)
                return await load.open_loop(request, due, connections=_CONNECTIONS, rate=_RATE)

            await asyncio.gather(ask("plain", _WARM_CALLS, 1), ask("hedged", _WARM_CALLS, 2))
            asked.clear()
            calls = trial.many(_CALLS)
            plain, hedged = await asyncio.gather(ask("plain", calls, 3), ask("hedged", calls, 4))
            _compare(trial, plain, hedged)
            trial.figures["hedge_extra"] = _extra(asked["hedged"], hedged)
            trial.figures["hedge_plain_extra"] = _extra(asked["plain"], plain)
            asked.clear()
            upstream.change(_SLOW)
            slow = await ask("hedged", trial.many(_SLOW_CALLS), 5)
            trial.figures["hedge_extra_when_slow"] = _extra(asked["hedged"], slow)
            for name, result in (("plain", plain), ("hedged", hedged), ("all slow", slow)):
                if result.errors:
                    trial.notes.append(f"hedge, {name}: failed {result.errors} of {result.requests}")
    finally:
        upstream.close()


def _compare(trial: Trial, plain: load.Load, hedged: load.Load) -> None:
    if plain.first_event is None or hedged.first_event is None:
        return
    trial.figures["hedge_plain_first_p50"] = plain.first_event.p50
    trial.figures["hedge_first_p50"] = hedged.first_event.p50
    trial.figures["hedge_plain_first_p99"] = plain.first_event.p99
    trial.figures["hedge_first_p99"] = hedged.first_event.p99
    trial.figures["hedge_first_p99_ratio"] = hedged.first_event.p99 / plain.first_event.p99


def _extra(asked: int, result: load.Load) -> float:
    """Upstream calls beyond one for each call, as a share of the calls."""
    return asked / max(result.requests + sum(result.errors.values()), 1) - 1


ROW = OwnRow("hedge", _run)
