"""What budgets and limits cost a request on the line: the stages that hold and charge, and its settlement.

Within a process, around a provider that answers at once; see `inside_ledger.py`.
"""

import asyncio
import json
import sys

from bench.processes import ROOT, on_cores
from bench.rows.port import OwnRow, Trial

__all__ = ["ROW"]

_ROUNDS = 20
_PATIENCE = 120.0


async def _run(trial: Trial) -> None:
    command = ["-m", "bench.inside_ledger", str(trial.many(_ROUNDS))]
    with on_cores(trial.cores):
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
    async with asyncio.timeout(_PATIENCE):
        said, problems = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"bench.inside_ledger ended with code {process.returncode}: {problems.decode()[-200:]}")
    for name, value in json.loads(said).items():
        trial.figures[f"ledger_{name}"] = value if name == "messages" else value / 1e6


ROW = OwnRow("ledger", _run)
