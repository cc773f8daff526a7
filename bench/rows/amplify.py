"""Retries while an upstream fails every call: how many upstream calls each call of a caller costs.

On a route with a healthy fallback behind the dead upstream, and on a model that has nothing but the dead one: there
once with callers who are as many and as quick as the errors allow, and once with few calls per second, where a budget
of retries that fills with time has most to give.
"""

from collections import Counter
from typing import Any

from bench import load, schedule
from bench.peers.gateway import serving
from bench.rows.port import OwnRow, Trial
from bench.upstream import Script, serve
from bench.visitors import Visitor, Watch

__all__ = ["ROW"]

_REQUESTS = 2000
_CONNECTIONS = 16
_SECONDS = 30.0
_SLOW_RATE = 40.0
_SLOW_SECONDS = 10.0


def _settings(dead: str, sound: str) -> dict[str, Any]:
    return {
        "providers": {
            "dead": {"kind": "openai", "base_url": dead, "api_key": "sk-none"},
            "sound": {"kind": "openai", "base_url": sound, "api_key": "sk-none"},
        },
        "models": {"first": {"provider": "dead"}, "spare": {"provider": "sound"}, "sole": {"provider": "dead"}},
        "routes": {"route": {"targets": ["first"], "fallback": ["spare"]}},
    }


async def _run(trial: Trial) -> None:
    asked: Counter[str] = Counter()

    def counted(name: str) -> Watch:
        def watch(_: Visitor) -> None:
            asked[name] += 1

        return watch

    dead = await serve(Script(fault="503", latency=0.002), 0, watch=counted("dead"))
    sound = await serve(Script(latency=0.002), 0, watch=counted("sound"))
    settings = _settings(dead.base_url, sound.base_url)
    try:
        # A gateway each: what it has learnt of the dead one would spare the next.
        for name, slowly in (("route", False), ("sole", False), ("sole", True)):
            with serving(settings, trial.cores, trial.scratch) as gateway:
                asked.clear()
                request = gateway.endpoint(name).request()
                if slowly:
                    due = schedule.poisson(_SLOW_RATE, _SLOW_SECONDS, seed=9)
                    result = await load.open_loop(request, due, rate=_SLOW_RATE)
                else:
                    count = trial.many(_REQUESTS)
                    result = await load.closed_loop(request, connections=_CONNECTIONS, seconds=_SECONDS, limit=count)
            _book(trial, f"amplify_{name}{'_slowly' if slowly else ''}", asked, result)
    finally:
        dead.close()
        sound.close()


def _book(trial: Trial, name: str, asked: Counter[str], result: load.Load) -> None:
    calls = max(sum(result.errors.values()) + result.requests, 1)
    trial.figures[name] = asked.total() / calls
    if name == "amplify_route":
        trial.figures[f"{name}_dead"] = asked["dead"] / calls
        trial.figures[f"{name}_answered"] = result.requests / calls
    odd = {kind: count for kind, count in result.errors.items() if kind not in ("status 502", "status 503")}
    if odd:
        trial.notes.append(f"{name.replace('_', ', ')}: {odd} beside 502 and 503")


ROW = OwnRow("amplify", _run)
