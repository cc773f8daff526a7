"""``python -m bench.energy --data configs.csv``: how far off the modelled energy of a token is, for unseen models.

The file holds public measurements (ML.ENERGY leaderboard v3, one row per configuration). They have no licence, so they
do not come with Mainstay: say where yours are. Each model's configurations are foretold by a fit of all the others.
"""

import argparse
import csv
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.text import table
from mainstay.energy.ecologits import impacts
from mainstay.energy.modelled import COEFFICIENTS, Coefficients, Deployment, Machine, Size, roofline, token_energy

__all__ = ["Measured", "Verdict", "fit", "judge", "leave_one_out", "main", "published", "read", "report", "shipped"]

_MACHINES = {
    "H100": Machine(3350, 989, 500, 700, 0.0, fitted=True),
    "B200": Machine(8000, 2250, 799, 1000, 1.0, fitted=True),
}
_BITS = {"bfloat16": 16.0, "fp8": 8.0, "mxfp4": 4.25}
#: Tokens of a typical prompt of each task; answers are in the file.
_PROMPTS = {"lm-arena-chat": 100.0, "gpqa": 250.0, "sourcegraph-fim": 600.0}
#: Keeps the fit of few rows from running away.
_RIDGE = 1e-3
#: At most this median error, at least this share within a factor of two, and intervals that hold so often.
_MEDIAN, _WITHIN, _COVERED = 0.24, 0.94, (0.75, 0.85)


class Measured(NamedTuple):
    """One measured configuration; joules for an output token, context in tokens before it."""

    model: str
    deployment: Deployment
    context: float
    joules: float


class Verdict(NamedTuple):
    """How far off predictions are: median of the relative error, shares within two times and within the interval."""

    rows: int
    median: float
    within_two: float
    covered: float | None = None


def read(path: Path) -> list[Measured]:
    """Return the configurations in ``path``.

    Raises:
        OSError: it cannot be read. ValueError, KeyError: it is not that file.
    """
    with path.open(newline="") as file:
        return [_measured(row) for row in csv.DictReader(file)]


def _measured(row: dict[str, str]) -> Measured:
    size = Size(
        float(row["total_params_billions"]), float(row["activated_params_billions"]), _BITS[row["weight_precision"]]
    )
    deployment = Deployment(size, _MACHINES[row["gpu_model"]], int(row["num_gpus"]), float(row["avg_batch_size"]))
    context = _PROMPTS[row["task"]] + float(row["avg_output_len"]) / 2
    return Measured(row["model_id"], deployment, context, float(row["energy_per_token_joules"]))


def _features(row: Measured) -> list[float]:
    """Return what the power law is a sum over, in the order of ``Coefficients``."""
    deployment = row.deployment
    ideal, later = math.log(roofline(deployment, row.context)), deployment.machine.generation
    return [1.0, ideal, math.log(deployment.count), math.log(deployment.batch), later, later * ideal]


def fit(rows: Sequence[Measured]) -> Coefficients:
    """Return the coefficients that fit ``rows`` best, by least squares of logarithms."""
    features = [_features(row) for row in rows]
    targets = [math.log(row.joules) for row in rows]
    width = len(features[0])
    # The normal equations, solved by elimination: six unknowns need no library.
    system = [
        [sum(each[i] * each[j] for each in features) + (_RIDGE if i == j else 0.0) for j in range(width)]
        + [sum(each[i] * target for each, target in zip(features, targets, strict=True))]
        for i in range(width)
    ]
    for i in range(width):
        pivot = max(range(i, width), key=lambda row: abs(system[row][i]))
        system[i], system[pivot] = system[pivot], system[i]
        for row in range(width):
            if row != i:
                factor = system[row][i] / system[i][i]
                system[row] = [a - factor * b for a, b in zip(system[row], system[i], strict=True)]
    return Coefficients(*(system[i][width] / system[i][i] for i in range(width)))


def leave_one_out(rows: Sequence[Measured]) -> list[float]:
    """Return the foretold joules of each row, by a fit of every model but its own."""
    fits = {
        model: fit([row for row in rows if row.model != model]) for model in dict.fromkeys(row.model for row in rows)
    }
    return [token_energy(row.deployment, fits[row.model]).joules(0, 1, row.context) for row in rows]


def shipped(rows: Sequence[Measured]) -> list[float]:
    """Return the joules of each row by the coefficients that come with Mainstay."""
    return [token_energy(row.deployment, COEFFICIENTS).joules(0, 1, row.context) for row in rows]


def published(rows: Sequence[Measured]) -> list[float]:
    """Return the joules of each row by EcoLogits' formula for its cards, at its own count of cards and batch of 64."""
    found = []
    for row in rows:
        size = row.deployment.size
        cards = impacts(size.active_b, size.total_b, 1.0, pue=1.0, wue=0.0, grid_kg=0.0, seconds=0.0)
        found.append(cards.energy_kwh * 3.6e6)
    return found


def judge(rows: Sequence[Measured], foretold: Sequence[float], *, interval: bool = False) -> Verdict:
    """Return how far off ``foretold`` is; with ``interval``, how often the truth lies in the interval given with it."""
    ratios = [joules / row.joules for row, joules in zip(rows, foretold, strict=True)]
    errors = sorted(abs(ratio - 1) for ratio in ratios)
    middle = len(errors) // 2
    median = errors[middle] if len(errors) % 2 else (errors[middle - 1] + errors[middle]) / 2
    within = sum(0.5 <= ratio <= 2 for ratio in ratios) / len(ratios)
    covered = None
    if interval:
        spreads = [token_energy(row.deployment).spread for row in rows]
        held = [spread.low <= 1 / ratio <= spread.high for spread, ratio in zip(spreads, ratios, strict=True)]
        covered = sum(held) / len(held)
    return Verdict(len(ratios), median, within, covered)


def report(rows: Sequence[Measured]) -> tuple[str, bool]:
    """Return a table of all methods, and whether what is promised is kept."""
    foretold = leave_one_out(rows)
    pairs = [(row, joules) for row, joules in zip(rows, foretold, strict=True) if not row.deployment.machine.generation]
    h100 = [row for row, _ in pairs]
    ours = judge(rows, foretold, interval=True)
    verdicts = {
        "modelled, models unseen": ours,
        "  of these on H100": judge(h100, [joules for _, joules in pairs]),
        "modelled, as shipped": judge(rows, shipped(rows)),
        "EcoLogits' formula, H100": judge(h100, published(h100)),
    }
    lines = [("method", "configurations", "median error", "within 2x", "80 % interval holds")]
    for name, one in verdicts.items():
        held = "" if one.covered is None else f"{one.covered:.1%}"
        lines.append((name, str(one.rows), f"{one.median:.1%}", f"{one.within_two:.1%}", held))
    assert ours.covered is not None
    kept = ours.median <= _MEDIAN and ours.within_two >= _WITHIN and _COVERED[0] <= ours.covered <= _COVERED[1]
    return table(lines, left=1), kept


def main(arguments: list[str] | None = None) -> int:
    """Print the table and the coefficients of all rows; returns 1 when a promise is not kept, 2 without the data."""
    parser = argparse.ArgumentParser(prog="python -m bench.energy", description=__doc__, allow_abbrev=False)
    parser.add_argument("--data", type=Path, help="configs.csv of the measurements")
    chosen = parser.parse_args(arguments)
    if chosen.data is None or not chosen.data.is_file():
        print("The measurements do not come with Mainstay; give their configs.csv with --data.", file=sys.stderr)
        return 2
    rows = read(chosen.data)
    text, kept = report(rows)
    print(text)
    print("fit of all:", ", ".join(f"{number:.3f}" for number in _numbers(fit(rows))))
    print("shipped:   ", ", ".join(f"{number:.3f}" for number in _numbers(COEFFICIENTS)))
    print(f"promised: median at most {_MEDIAN:.0%}, at least {_WITHIN:.0%} within 2x: {'kept' if kept else 'MISSED'}")
    return int(not kept)


def _numbers(coefficients: Coefficients) -> tuple[float, ...]:
    return tuple(getattr(coefficients, name) for name in Coefficients.__struct_fields__)


if __name__ == "__main__":
    sys.exit(main())
