"""Coefficients from measurements: fitted to many models, or corrected by the few that an operator has of its own.

Least squares on logarithms, each coefficient at or above its physical bound, by damped Gauss-Newton in plain Python.
Does not know where measurements come from.
"""

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from mainstay.planning.deployment import Deployment
from mainstay.planning.throughput import SHIPPED, TERMS, Coefficients, prefill_ms, step_terms

__all__ = ["Measurement", "Residual", "corrected", "estimate", "fit_coefficients", "leave_one_out", "spread_of"]

#: What physics allows at best: nine tenths of the bandwidth, five sixths of the peak, 20 microseconds a layer.
_BOUNDS: Final = {"weights": 1.1, "compute": 1.2, "cache": 1.0, "exchange": 1.0, "layers": 2.0}
#: How far models, and runs of one model, lie from the fit: standard deviations of logarithms.
_BETWEEN, _WITHIN = 0.20, 0.15
_TENTH = 1.2816  # standard deviations from the median to the ninetieth percentile
_PRIOR = 1e-3


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody measured: ``itl_ms`` between tokens, ``tokens_per_s`` of the whole replica, either or both.

    ``group`` is what must not be in the data a prediction for it is made from: the model.
    """

    plan: Deployment
    batch: float
    input_tokens: float
    output_tokens: float
    itl_ms: float | None = None
    tokens_per_s: float | None = None
    group: str = ""


class Residual(msgspec.Struct, frozen=True):
    """Logarithms of truth over estimate for one measurement; None where nothing was measured."""

    group: str
    itl: float | None
    rate: float | None


def estimate(row: Measurement, coefficients: Coefficients) -> tuple[float, float]:
    """Return the inter-token latency in ms and the tokens per second that ``coefficients`` give for ``row``."""
    sizes = step_terms(row.plan, row.batch, row.input_tokens + row.output_tokens / 2.0)
    itl = sum(size * factor for size, factor in zip(sizes, coefficients.terms, strict=True))
    alone = prefill_ms(row.plan, row.input_tokens, coefficients.prefill)
    return itl, row.batch / (itl + row.batch * alone / row.output_tokens) * 1000.0


def fit_coefficients(rows: Sequence[Measurement], start: Coefficients | None = None, rounds: int = 60) -> Coefficients:
    """Return coefficients fitted to the rows that have an inter-token latency.

    ``start`` is where the search begins; far fewer ``rounds`` then do.

    Raises:
        ValueError: there are fewer such rows than terms.
    """
    known = [(row, row.itl_ms) for row in rows if row.itl_ms]
    if len(known) < len(TERMS):
        raise ValueError(f"a fit needs at least {len(TERMS)} measurements of inter-token latency, not {len(known)}")
    table = [step_terms(row.plan, row.batch, row.input_tokens + row.output_tokens / 2.0) for row, _ in known]
    truth = [math.log(itl) for _, itl in known]
    lows = [_BOUNDS.get(name, 0.0) for name in TERMS]
    first = [math.log(max(c - low, 1e-4)) for c, low in zip((start or SHIPPED).terms, lows, strict=True)]
    found = _minimise(table, truth, lows, first, rounds)
    terms = tuple(low + math.exp(value) for low, value in zip(lows, found, strict=True))
    return Coefficients(terms=terms, prefill=(start or SHIPPED).prefill, source=f"{len(known)} measurements")


def _loss(table: list[tuple[float, ...]], truth: list[float], lows: list[float], at: list[float]) -> float:
    factors = [low + math.exp(value) for low, value in zip(lows, at, strict=True)]
    total = 0.0
    for sizes, wanted in zip(table, truth, strict=True):
        error = math.log(sum(map(float.__mul__, sizes, factors))) - wanted
        total += error * error
    return total / len(truth) + _PRIOR * sum(value * value for value in at) / len(at)


def _minimise(
    table: list[tuple[float, ...]], truth: list[float], lows: list[float], at: list[float], rounds: int
) -> list[float]:
    damping, current, count = 1e-2, _loss(table, truth, lows, at), len(at)
    for _ in range(rounds):
        matrix, slope = _normal(table, truth, lows, at)
        moved = False
        while damping < 1e8 and not moved:
            damped = [row[:] for row in matrix]
            for i in range(count):
                damped[i][i] += damping * (matrix[i][i] + 1e-6)
            step = _solve(damped, slope)
            tried = [min(6.0, max(-12.0, v - min(2.0, max(-2.0, s)))) for v, s in zip(at, step, strict=True)]
            loss = _loss(table, truth, lows, tried)
            if loss < current:
                moved, at = True, tried
                gain, current, damping = current - loss, loss, damping / 3
            else:
                damping *= 3
        if not moved or gain < 1e-9:
            break
    return at


def _normal(
    table: list[tuple[float, ...]], truth: list[float], lows: list[float], at: list[float]
) -> tuple[list[list[float]], list[float]]:
    count, rows = len(at), len(truth)
    grown = [math.exp(value) for value in at]
    factors = list(map(float.__add__, lows, grown))
    matrix = [[0.0] * count for _ in range(count)]
    slope = [0.0] * count
    for sizes, wanted in zip(table, truth, strict=True):
        made = sum(map(float.__mul__, sizes, factors))
        error = math.log(made) - wanted
        lean = [size * grow / made for size, grow in zip(sizes, grown, strict=True)]
        for i, one in enumerate(lean):
            if one:
                slope[i] += one * error
                line = matrix[i]
                for j in range(i, count):
                    line[j] += one * lean[j]
    for i in range(count):
        slope[i] = slope[i] / rows + _PRIOR * at[i] / count
        for j in range(i, count):
            matrix[i][j] = matrix[j][i] = matrix[i][j] / rows + (_PRIOR / count if i == j else 0.0)
    return matrix, slope


def _solve(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Solve a small positive definite system by elimination; its damping keeps every pivot above zero."""
    a, b, count = [row[:] for row in matrix], right[:], len(right)
    for i in range(count):
        pivot = a[i][i]
        for k in range(i + 1, count):
            share = a[k][i] / pivot
            if share:
                for j in range(i, count):
                    a[k][j] -= share * a[i][j]
                b[k] -= share * b[i]
    for i in reversed(range(count)):
        b[i] = (b[i] - sum(a[i][j] * b[j] for j in range(i + 1, count))) / a[i][i]
    return b


def leave_one_out(rows: Sequence[Measurement], rounds: int = 12) -> list[Residual]:
    """Return the error for each row of coefficients that were fitted without any row of its group."""
    whole = fit_coefficients(rows)
    residuals: dict[int, Residual] = {}
    for group in dict.fromkeys(row.group for row in rows):
        rest = [row for row in rows if row.group != group]
        coefficients = fit_coefficients(rest, whole, rounds)
        for index, row in enumerate(rows):
            if row.group == group:
                residuals[index] = _residual(row, coefficients)
    return [residuals[index] for index in range(len(rows))]


def _residual(row: Measurement, coefficients: Coefficients) -> Residual:
    itl, rate = estimate(row, coefficients)
    return Residual(
        row.group,
        math.log(row.itl_ms / itl) if row.itl_ms else None,
        math.log(row.tokens_per_s / rate) if row.tokens_per_s else None,
    )


def spread_of(errors: Sequence[float]) -> tuple[float, float]:
    """Return the tenth and the ninetieth percentile of ``errors``, by linear interpolation."""
    ranked = sorted(errors)
    if not ranked:
        return SHIPPED.itl_spread

    def at(share: float) -> float:
        place = share * (len(ranked) - 1)
        below = math.floor(place)
        above = min(below + 1, len(ranked) - 1)
        return ranked[below] + (ranked[above] - ranked[below]) * (place - below)

    return at(0.1), at(0.9)


def corrected(coefficients: Coefficients, own: Sequence[Measurement]) -> Coefficients:
    """Return ``coefficients`` moved towards an operator's own measurements of the deployment in question.

    The model's error has a part that all runs of one deployment share and a part of each run. The first is estimated
    from the mean of the operator's errors, shrunk towards none by what few runs can tell; the interval narrows
    accordingly. Without measurements nothing changes.
    """
    residuals = [_residual(row, coefficients) for row in own]
    errors = [r.itl for r in residuals if r.itl is not None] or [r.rate for r in residuals if r.rate is not None]
    if not errors:
        return coefficients
    count = len(errors)
    trust = _BETWEEN**2 / (_BETWEEN**2 + _WITHIN**2 / count)
    by_rate = not any(r.itl is not None for r in residuals)
    shift = trust * sum(errors) / count * (-1.0 if by_rate else 1.0)
    # A known median of the shipped spread counts as error that measurements remove.
    wide = _TENTH * math.sqrt(_BETWEEN**2 * (1.0 - trust) + _WITHIN**2)
    factor = math.exp(shift)
    return Coefficients(
        terms=tuple(term * factor for term in coefficients.terms),
        prefill=coefficients.prefill * factor,
        itl_spread=(-wide, wide),
        rate_spread=(-wide, wide),
        source=f"{coefficients.source}, corrected by {count} of your own",
    )
