"""``python -m bench.planning``: how near the planner's figures come to what was measured, and to brute force.

``accuracy`` needs the public measurements of ML.ENERGY's leaderboard (``configs.csv``), which are not part of this
repository; every model is predicted by coefficients fitted without it. ``breakeven`` compares the scan with
enumeration.
"""

import argparse
import csv
import math
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from mainstay.core.hardware import find_accelerator
from mainstay.core.sizes import find_size
from mainstay.planning.breakeven import Bought, BreakEven, Built, find_break_even
from mainstay.planning.calibration import Measurement, Residual, fit_coefficients, leave_one_out, spread_of
from mainstay.planning.deployment import Deployment, find_precision

__all__ = ["accuracy", "brute_force", "coverage", "draw_sides", "main", "read_measurements"]

#: What the leaderboard's tasks ask, in tokens; it does not publish lengths of prompts, so these are assumptions.
_PROMPTS = {"lm-arena-chat": 150, "gpqa": 250, "sourcegraph-fim": 1500}
_GOALS = {"itl": 0.20, "rate": 0.23}
_NAMES = {"itl": "inter-token latency", "rate": "tokens per second"}


def read_measurements(path: Path) -> list[Measurement]:
    """Return the rows of ``configs.csv``; rows of one size of model are one group, whatever their variant."""
    rows = []
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            size = find_size(row["model_id"])
            plan = Deployment(
                size=size,
                device=find_accelerator(row["gpu_model"]),
                devices=int(row["num_gpus"]),
                precision=find_precision(row["weight_precision"]),
            )
            rows.append(
                Measurement(
                    plan=plan,
                    batch=float(row["avg_batch_size"]),
                    input_tokens=_PROMPTS[row["task"]],
                    output_tokens=float(row["avg_output_len"]),
                    itl_ms=float(row["median_itl_ms"]),
                    tokens_per_s=float(row["output_throughput_tokens_per_sec"]),
                    group=size.name,
                )
            )
    return rows


def _errors(residuals: Sequence[Residual], kind: str, *, without: str = "", only: str = "") -> list[float]:
    return [
        error
        for residual in residuals
        if residual.group != without and (not only or residual.group == only)
        if (error := getattr(residual, kind)) is not None
    ]


def coverage(residuals: Sequence[Residual], kind: str) -> float:
    """Return the share of truths within the 80 % interval that the other groups' errors give."""
    inside = total = 0
    for group in {residual.group for residual in residuals}:
        low, high = spread_of(_errors(residuals, kind, without=group))
        own = _errors(residuals, kind, only=group)
        inside += sum(low <= error <= high for error in own)
        total += len(own)
    return inside / total


def accuracy(path: Path) -> bool:
    """Print errors, intervals and the coefficients that all rows give; return whether the goals are met."""
    rows = read_measurements(path)
    residuals = leave_one_out(rows)
    good = True
    groups = len({row.group for row in rows})
    print(f"{len(rows)} configurations, {groups} sizes of model, each predicted without its own rows")
    for kind, goal in _GOALS.items():
        errors = _errors(residuals, kind)
        middle = median(abs(1 - math.exp(-error)) for error in errors)
        twice = sum(abs(error) < math.log(2) for error in errors) / len(errors)
        covered = coverage(residuals, kind)
        met = middle <= goal and 0.75 <= covered <= 0.85
        good &= met
        low, high = spread_of(errors)
        print(
            f"  {_NAMES[kind]:20} median error {middle:6.1%} (goal {goal:.0%}), within twice {twice:.0%}, "
            f"80 % interval covers {covered:.0%}, spread {low:+.3f} {high:+.3f}  {'ok' if met else 'MISSED'}"
        )
    devices = leave_one_out([_by_device(row) for row in rows])
    middle = median(abs(1 - math.exp(-error)) for error in _errors(devices, "itl"))
    print(f"  {'a device not seen':20} median error {middle:6.1%} of inter-token latency")
    found = fit_coefficients(rows)
    print("  coefficients:", ", ".join(f"{term:.3f}" for term in found.terms))
    return good


def _by_device(row: Measurement) -> Measurement:
    return Measurement(
        plan=row.plan,
        batch=row.batch,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        itl_ms=row.itl_ms,
        tokens_per_s=row.tokens_per_s,
        group=row.plan.device.name,
    )


def draw_sides(source: random.Random) -> tuple[Bought, Built]:
    """Return a random case whose break-even, if any, mostly lies below 20,000 requests."""
    volume, unit = source.uniform(20, 400), source.uniform(0.5, 3)
    built = Built(
        fixed=source.uniform(0, 800),
        replica=source.uniform(0.2, 1.4) * volume * unit,
        volume=volume,
        unit=source.choice([0.0, source.uniform(0, 0.3) * unit]),
        spares=source.choice([0, 0, 1, 2]),
        autoscale=source.choice([0.0, 0.0, source.random()]),
        peak_to_mean=source.uniform(1, 5),
    )
    bought = Bought(
        fixed=source.uniform(0, 200), unit=unit, commitment=source.choice([0.0, 0.0, source.uniform(0, 2000)])
    )
    return bought, built


def brute_force(bought: Bought, built: Built, top: int) -> BreakEven:
    """Return the break-even by looking at every whole volume up to ``top``."""
    first = None
    last_dearer = 0
    for volume in range(1, top + 1):
        if bought.at(volume) >= built.at(volume):
            first = volume if first is None else first
        else:
            last_dearer = volume
    return BreakEven(first=first, always=last_dearer + 1 if last_dearer < top else None)


def breakeven(cases: int, top: int = 20_000) -> bool:
    """Compare the scan with enumeration on random cases; print how many differ, and return whether none does."""
    source = random.Random(7)
    wrong = 0
    kinds = {"never": 0, "at once for good": 0, "with gaps": 0}
    start = time.perf_counter()
    for _ in range(cases):
        bought, built = draw_sides(source)
        scanned, counted = find_break_even(bought, built), brute_force(bought, built, top)
        # Near the end of what was enumerated, the enumeration cannot know what comes after.
        edge = top - 2 * built.volume - 1
        same = _within(scanned.first, top) == counted.first
        same &= _within(scanned.always, edge) == _within(counted.always, edge)
        wrong += not same
        if counted.first is None:
            kinds["never"] += 1
        else:
            kinds["at once for good" if counted.first == counted.always else "with gaps"] += 1
    took = time.perf_counter() - start
    print(f"{cases} random cases, every whole volume up to {top:,}: {wrong} differ ({took:.0f} s)")
    print("  " + ", ".join(f"{name}: {count}" for name, count in kinds.items()))
    return wrong == 0


def _within(volume: int | None, top: float) -> int | None:
    return volume if volume is not None and volume <= top else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one comparison; 0 when its goals are met, 1 when not, 2 when its data is not there."""
    parser = argparse.ArgumentParser(prog="python -m bench.planning", description=__doc__)
    parser.add_argument("what", choices=("accuracy", "breakeven"))
    parser.add_argument("--data", type=Path, help="accuracy: the leaderboard's measurements, configs.csv")
    parser.add_argument("--cases", type=int, default=1000, help="breakeven: how many random cases")
    given = parser.parse_args(arguments)
    if given.what == "breakeven":
        return 0 if breakeven(given.cases) else 1
    if given.data is None or not given.data.is_file():
        print("accuracy needs --data FILE, the configs.csv of measured configurations; it is not shipped with Mainstay")
        return 2
    return 0 if accuracy(given.data) else 1


if __name__ == "__main__":
    sys.exit(main())
