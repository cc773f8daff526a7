"""What it costs to say a call in another vendor's words: `translate.py`, in a process of its own.

For each vendor the dearest of the callers' dialects counts.
"""

import asyncio
import json
import sys

from bench.processes import ROOT, on_cores
from bench.rows.port import OwnRow, Trial

__all__ = ["ROW", "dearest"]

_ROUNDS = 40
_PATIENCE = 120.0


def dearest(found: dict[str, dict[str, float]]) -> dict[str, float]:
    """Seconds by `request_VENDOR` and `event_VENDOR`, of the caller for whom it costs most."""
    figures: dict[str, float] = {}
    for kind, pairs in found.items():
        for pair, micros in pairs.items():
            name = f"{kind}_{pair.rpartition(' ')[2]}"
            figures[name] = max(figures.get(name, 0.0), micros / 1e6)
    return figures


async def _run(trial: Trial) -> None:
    with on_cores(trial.cores):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "bench.translate", str(trial.many(_ROUNDS))),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    async with asyncio.timeout(_PATIENCE):
        said, problems = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"bench.translate ended with code {process.returncode}: {problems.decode()[-200:]}")
    trial.figures.update({f"translate_{name}": value for name, value in dearest(json.loads(said)).items()})


ROW = OwnRow("translate", _run)
