"""What the attempt engine costs a request that nothing happens to.

Twice: as CPU of a whole worker, between ways to reach one upstream in turns (without an adaptive limit, with one, and
with a fallback besides), and within a process, around a provider that answers at once (`inside.py`). The second is the
figure to hold: a worker's CPU per request moves by more than the engine from one minute to the next.
"""

import asyncio
import json
import sys

from bench import load
from bench.peers.gateway import Gateway, serving
from bench.processes import ROOT, on_cores
from bench.rows.port import OwnRow, Trial
from bench.stats import median

__all__ = ["ROW", "compare"]

_WAYS = ("off", "auto", "fallback")
_CONNECTIONS = 8
_SLICE = 1500
_ROUNDS = 7
_INSIDE_ROUNDS = 20
_PATIENCE = 60.0


def compare(rounds: list[dict[str, float]], way: str, base: str) -> tuple[float, float]:
    """How much more `way` costs than `base`, and its ratio: each within a round, the median over rounds."""
    return median([row[way] - row[base] for row in rounds]), median([row[way] / row[base] for row in rounds])


async def _run(trial: Trial) -> None:
    provider = {"kind": "openai", "base_url": trial.upstreams.fixed, "api_key": "sk-none"}
    settings = {
        "providers": {"fixed": provider, "other": provider},
        "models": {
            "off": {"provider": "fixed", "concurrency": "off"},
            "auto": {"provider": "fixed"},
            "guarded": {"provider": "fixed"},
            "spare": {"provider": "other"},
        },
        # Asked for a whole answer, so that all three ways carry the same bytes.
        "routes": {"fallback": {"targets": ["guarded"], "fallback": ["spare"], "stream_upstream": "never"}},
    }
    rounds: list[dict[str, float]] = []
    with serving(settings, trial.cores, trial.scratch) as gateway:
        for number in range(trial.many(_ROUNDS) + 1):
            turn = _WAYS[number % 3 :] + _WAYS[: number % 3]
            found = {way: await _cost(gateway, way) for way in turn}
            if number:  # the first round warms up
                rounds.append(found)
    for way in _WAYS:
        trial.figures[f"engine_{way}"] = median([row[way] for row in rounds])
    for way in _WAYS[1:]:
        more, ratio = compare(rounds, way, "off")
        trial.figures[f"engine_{way}_more"] = more
        trial.figures[f"engine_{way}_ratio"] = ratio
    for way, micros in (await _inside(trial)).items():
        trial.figures[f"engine_inside_{way}"] = micros / 1e6


async def _cost(gateway: Gateway, way: str) -> float:
    """CPU seconds of the worker per request, the worker being the process that worked most."""
    request = gateway.endpoint(way).request()
    before = gateway.cpu()
    result = await load.closed_loop(request, connections=_CONNECTIONS, seconds=10.0, limit=_SLICE)
    after = gateway.cpu()
    if result.errors:
        raise RuntimeError(f"{result.errors} of {_SLICE} calls failed, of the kind '{way}'")
    return max(used - before.get(pid, 0.0) for pid, used in after.items()) / max(result.requests, 1)


async def _inside(trial: Trial) -> dict[str, float]:
    command = ["-m", "bench.inside", str(trial.many(_INSIDE_ROUNDS))]
    with on_cores(trial.cores):
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
    async with asyncio.timeout(_PATIENCE):
        said, problems = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"bench.inside ended with code {process.returncode}: {problems.decode()[-200:]}")
    found: dict[str, float] = json.loads(said)
    return found


ROW = OwnRow("engine", _run)
