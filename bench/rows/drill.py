"""The drill: `mainstay drill --fast` plays its faults against real gateways; how many it bears as it should."""

import asyncio
import json
import time
from collections import Counter

from bench.peers.gateway import COMMAND
from bench.rows.port import OwnRow, Trial

__all__ = ["ROW", "tally"]

_PATIENCE = 180.0


def tally(card: dict[str, object]) -> tuple[dict[str, float], list[str]]:
    """The figures and the notes of a score card, as `mainstay drill --json` prints it."""
    results = card["results"]
    assert isinstance(results, list)
    figures: dict[str, float] = {"drill_runs": float(len(results))}
    modes: Counter[str] = Counter()
    notes = []
    for row in results:
        mode = f"{row['dialect']}_{row['mode']}"
        modes[mode] += row["score"] == "pass"
        if row["score"] != "pass":
            reason = "; ".join(row["reasons"])
            notes.append(f"drill: {row['score']}: {row['fault']}. {row['name']} ({mode.replace('_', ', ')}): {reason}")
    figures["drill_passed"] = float(sum(modes.values()))
    figures["drill_share"] = figures["drill_passed"] / max(len(results), 1)
    figures.update({f"drill_{mode}": float(count) for mode, count in modes.items()})
    return figures, notes


async def _run(trial: Trial) -> None:
    started = time.perf_counter()
    place = trial.scratch / "drill"
    place.mkdir()
    # In a folder without a configuration: the built-in demonstration is drilled.
    process = await asyncio.create_subprocess_exec(
        COMMAND, "drill", "--fast", "--json", cwd=place, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(_PATIENCE):
            said, problems = await process.communicate()
    except TimeoutError:
        process.terminate()
        await process.wait()
        raise
    if process.returncode not in (0, 1) or not said:
        raise RuntimeError(f"it ended with code {process.returncode}: {problems.decode(errors='replace')[-200:]}")
    figures, notes = tally(json.loads(said))
    trial.figures.update(figures)
    trial.figures["drill_seconds"] = time.perf_counter() - started
    trial.notes += notes


ROW = OwnRow("drill", _run)
