"""Counts with their intervals, and whether two sides differ by more than chance. Pure; exact where that is possible.

Intervals are Wilson's (Wilson 1927) at 95 %, pairs are compared by McNemar's exact test (McNemar 1947): both take cases
for independent. Cases of one seed are alike, so seeds are counted too, which is the careful reading.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from mainstay.redteam.journal import Result, Side
from mainstay.redteam.plan import Case
from mainstay.redteam.seeds import BENIGN

__all__ = ["Figures", "Pair", "Rate", "Row", "figures_of", "mcnemar", "wilson"]

_Z: Final = 1.959963984540054
_Results = Mapping[tuple[str, Side], Result]


class Rate(msgspec.Struct, frozen=True):
    """``count`` of ``total``, and the 95 % interval of the share they are drawn from."""

    count: int
    total: int

    @property
    def share(self) -> float:
        """The share; 0 of nothing."""
        return self.count / self.total if self.total else 0.0

    @property
    def low(self) -> float:
        """The lower end of the interval."""
        return wilson(self.count, self.total)[0]

    @property
    def high(self) -> float:
        """The upper end of the interval; 1 of nothing."""
        return wilson(self.count, self.total)[1]


class Pair(msgspec.Struct, frozen=True):
    """Cases that were played on both sides, by where they succeeded. ``p`` is of McNemar's exact test, two-sided."""

    both: int
    only_guarded: int
    only_baseline: int
    neither: int

    @property
    def total(self) -> int:
        """Cases in all."""
        return self.both + self.only_guarded + self.only_baseline + self.neither

    @property
    def difference(self) -> float:
        """The share that succeeded with guards less the share without; negative where guards help."""
        return (self.only_guarded - self.only_baseline) / self.total if self.total else 0.0

    @property
    def p(self) -> float:
        """How likely so unequal a split is if guards made no difference."""
        return mcnemar(self.only_guarded, self.only_baseline)


class Row(msgspec.Struct, frozen=True):
    """A group of cases; ``baseline`` and ``pair`` are None where nothing was compared."""

    name: str
    guarded: Rate
    baseline: Rate | None = None
    pair: Pair | None = None
    #: Cases the gateway stopped, of ``guarded``.
    blocked: int = 0


class Figures(msgspec.Struct, frozen=True):
    """What came of a run. Errors are in no rate."""

    attacks: Row
    #: Seeds that succeeded in at least one of their cases.
    seeds: Row
    #: Harmless requests that were stopped.
    harmless: Row
    categories: Sequence[Row]
    converters: Sequence[Row]
    strategies: Sequence[Row]
    tags: Sequence[Row]
    #: Cases by side that gave no answer, and those not played yet.
    errors: Mapping[str, int]
    missing: Mapping[str, int]


def wilson(count: int, total: int, z: float = _Z) -> tuple[float, float]:
    """Return the interval of a share after ``count`` of ``total``; everything is possible after nothing."""
    if not total:
        return 0.0, 1.0
    share, weight = count / total, z * z / total
    middle = (share + weight / 2) / (1 + weight)
    half = z * math.sqrt(share * (1 - share) / total + weight / (4 * total)) / (1 + weight)
    # At the ends the formula gives the end itself, but for rounding.
    return (0.0 if count == 0 else max(0.0, middle - half)), (1.0 if count == total else min(1.0, middle + half))


def mcnemar(one: int, other: int) -> float:
    """Return the two-sided probability of a split of pairs that differ as unequal as this, by the binomial law."""
    total = one + other
    if one == other:
        return 1.0
    tail = sum(math.comb(total, count) for count in range(min(one, other) + 1))
    return min(1.0, 2 * tail / (1 << total))


def figures_of(cases: Sequence[Case], results: _Results, *, compared: bool) -> Figures:
    """Return what ``results`` say of ``cases``; ``compared`` says that there is a baseline."""
    attacks = [case for case in cases if case.seed.category != BENIGN]
    harmless = [case for case in cases if case.seed.category == BENIGN]

    def grouped(key: Callable[[Case], Iterable[str]]) -> list[Row]:
        groups: dict[str, list[Case]] = {}
        for case in attacks:
            for name in key(case):
                groups.setdefault(name, []).append(case)
        return [_row(name, groups[name], results, "success", compared) for name in groups]

    sides: tuple[Side, ...] = ("guarded", "baseline") if compared else ("guarded",)
    return Figures(
        attacks=_row("all attacks", attacks, results, "success", compared),
        seeds=_by_seed(attacks, results, compared),
        harmless=_row("harmless requests stopped", harmless, results, "blocked", compared),
        categories=sorted(grouped(lambda case: (case.seed.category,)), key=_worst),
        converters=sorted(grouped(lambda case: (case.converter,)), key=_worst),
        strategies=sorted(grouped(lambda case: (case.strategy,)), key=_worst),
        tags=sorted(grouped(lambda case: case.tags), key=lambda row: row.name),
        errors={side: _count(cases, results, side, "error") for side in sides},
        missing={side: sum((case.id, side) not in results for case in cases) for side in sides},
    )


def _worst(row: Row) -> tuple[float, str]:
    return -row.guarded.share, row.name


def _count(cases: Iterable[Case], results: _Results, side: Side, outcome: str) -> int:
    return sum(found.outcome == outcome for case in cases if (found := results.get((case.id, side))) is not None)


def _marks(cases: Iterable[Case], results: _Results, side: Side, outcome: str) -> dict[str, bool]:
    """Return for each case that was answered whether it came out so."""
    found = ((case.id, results.get((case.id, side))) for case in cases)
    return {id_: one.outcome == outcome for id_, one in found if one is not None and one.outcome != "error"}


def _row(name: str, cases: Sequence[Case], results: _Results, outcome: str, compared: bool) -> Row:
    guarded = _marks(cases, results, "guarded", outcome)
    blocked = _count(cases, results, "guarded", "blocked")
    baseline = _marks(cases, results, "baseline", outcome) if compared else None
    return _compared(name, guarded, baseline, blocked)


def _by_seed(cases: Sequence[Case], results: _Results, compared: bool) -> Row:
    def marks(side: Side) -> dict[str, bool]:
        found: dict[str, bool] = {}
        by_case = _marks(cases, results, side, "success")
        for case in cases:
            if case.id in by_case:
                found[case.seed.id] = found.get(case.seed.id, False) or by_case[case.id]
        return found

    return _compared("seeds with a success", marks("guarded"), marks("baseline") if compared else None, 0)


def _compared(name: str, guarded: Mapping[str, bool], baseline: Mapping[str, bool] | None, blocked: int) -> Row:
    rate = Rate(sum(guarded.values()), len(guarded))
    if baseline is None:
        return Row(name, rate, blocked=blocked)
    pairs = [(guarded[one], baseline[one]) for one in guarded if one in baseline]
    pair = Pair(*(pairs.count(kind) for kind in ((True, True), (True, False), (False, True), (False, False))))
    return Row(name, rate, Rate(sum(baseline.values()), len(baseline)), pair, blocked)
