"""What Mainstay promises of itself, and the table that sets each measured figure beside its promise.

Pure: it knows the names of figures, not how they are measured. README.md says what each is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.text import table

__all__ = ["GOALS", "Goal", "markdown", "verdicts"]

_MS, _US, _SHARE = 1e3, 1e6, 100.0


@dataclass(frozen=True, slots=True)
class Goal:
    """One line of the table: a figure, and between which bounds it should lie; without bounds it explains another.

    Bounds are in the figure's own unit; both are shown multiplied by `scale`, in `unit`. The name of a figure starts
    with that of its row.
    """

    key: str
    title: str
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None
    scale: float = 1.0
    digits: int = 0

    def holds(self, value: float) -> bool | None:
        """Whether the value lies within the bounds; None where there are none."""
        if self.at_most is None and self.at_least is None:
            return None
        return (self.at_most is None or value <= self.at_most) and (self.at_least is None or value >= self.at_least)

    def text(self, value: float) -> str:
        """The value as it is shown."""
        return f"{value * self.scale:,.{self.digits}f} {self.unit}".rstrip()

    def bounds(self) -> str:
        """The bounds as they are shown, empty where there are none."""
        low = "" if self.at_least is None else self.text(self.at_least)
        high = "" if self.at_most is None else self.text(self.at_most)
        if low and high:
            return low if low == high else f"{low} to {high}"
        return f"≥ {low}" if low else f"≤ {high}" if high else ""


def _drill() -> list[Goal]:
    modes = [(f"drill_{dialect}_{mode}", f"{dialect}, {mode}") for dialect in ("openai", "anthropic") for mode in (
        "stream", "whole"
    )]  # fmt: skip
    return [Goal(key, f"faults of 16 passed: {title}", at_least=16) for key, title in modes]


def _cancel() -> list[Goal]:
    found = []
    for name in ("stream", "whole"):
        found += [
            Goal(
                f"cancel_{name}_in_time",
                f"{name}: upstream knew within 100 ms",
                "%",
                at_least=1,
                scale=_SHARE,
                digits=1,
            ),
            Goal(f"cancel_{name}_trials", f"{name}: trials"),
            Goal(f"cancel_{name}_unsent", f"{name}: others that left before the upstream was asked"),
            Goal(f"cancel_{name}_p50", f"{name}: until it knew, p50", "ms", scale=_MS, digits=1),
            Goal(f"cancel_{name}_p99", f"{name}: until it knew, p99", "ms", scale=_MS, digits=1),
            Goal(f"cancel_{name}_max", f"{name}: until it knew, longest", "ms", scale=_MS, digits=1),
        ]
    return found


def _goodput() -> list[Goal]:
    found = [
        Goal("goodput_capacity", "answers per second that the upstream can give", "/s", digits=1),
        Goal("goodput_told", "the same through a limit that knows its slots", "/s", digits=1),
        Goal("goodput_peak", "answers per second at the best", "/s", digits=1),
    ]
    for times in (1, 2, 5, 10):
        found += [
            Goal(
                f"goodput_{times}_share", f"{times} x: goodput, of the best", "%", at_least=0.9, scale=_SHARE, digits=1
            ),
            Goal(f"goodput_{times}_p99", f"{times} x: first token of the admitted, p99", "s", at_most=3.0, digits=2),
            Goal(f"goodput_{times}_refused", f"{times} x: refused", "%", scale=_SHARE, digits=1),
        ]
    found.append(Goal("goodput_untold", "refusals without retry-after", at_most=0))
    return found


def _translate() -> list[Goal]:
    vendors = ("openai", "responses", "anthropic", "gemini", "bedrock", "cohere")
    kinds = (("request", "a request of 2 KB", 100e-6), ("event", "a streamed event", 5e-6))
    return [
        Goal(f"translate_{kind}_{vendor}", f"{title}, {vendor}", "µs", at_most=most, scale=_US, digits=1)
        for kind, title, most in kinds
        for vendor in vendors
    ]


def _grpc() -> list[Goal]:
    kinds = (("without", "HTTP, no listener"), ("idle", "HTTP, idle listener"), ("beside", "HTTP, 50 calls/s beside"))
    found = [
        Goal(f"grpc_{kind}_{at}", f"{title}: {at}", "ms", scale=_MS, digits=2)
        for kind, title in kinds
        for at in ("p50", "p99")
    ]
    # What an unquiet machine adds to a 99th percentile is more than what is looked for: bounds are for the median.
    found += [
        Goal("grpc_idle_more_p50", "an idle listener adds to HTTP, p50", "ms", at_most=0.1e-3, scale=_MS, digits=2),
        Goal("grpc_idle_more_p99", "the same, p99", "ms", scale=_MS, digits=2),
        Goal("grpc_beside_more_p50", "50 calls a second add to HTTP, p50", "ms", at_most=0.2e-3, scale=_MS, digits=2),
        Goal("grpc_beside_more_p99", "the same, p99", "ms", scale=_MS, digits=2),
        Goal("grpc_memory", "the listener adds to a worker", "MB", at_most=25e6, scale=1e-6, digits=1),
    ]
    for kind, title in (("call", "a call over gRPC"), ("http", "a call over HTTP")):
        found += [Goal(f"grpc_{kind}_{at}", f"{title}, {at}", "ms", scale=_MS, digits=2) for at in ("p50", "p99")]
    return found


def _batches() -> list[Goal]:
    found = []
    for name, title in (("usual", "8 at a time"), ("many", "64 at a time")):
        found += [
            Goal(f"batches_{name}_rows", f"rows a second, {title}", "/s"),
            Goal(f"batches_{name}_cpu", f"CPU of all processes per row, {title}", "ms", scale=_MS, digits=2),
        ]
    return found


GOALS: tuple[Goal, ...] = (
    Goal(
        "engine_inside_fallback",
        "added to an undisturbed call: limit and fallback",
        "µs",
        at_most=10e-6,
        scale=_US,
        digits=1,
    ),
    Goal("engine_inside_auto", "the same: adaptive limit alone", "µs", at_most=10e-6, scale=_US, digits=1),
    Goal("engine_inside_off", "the same: neither", "µs", at_most=10e-6, scale=_US, digits=1),
    Goal(
        "ledger_all",
        "ledger: a limit and two budgets, reserved and settled, a call",
        "µs",
        at_most=15e-6,
        scale=_US,
        digits=1,
    ),
    Goal("ledger_all_busy", "the same, 16 calls at a time", "µs", scale=_US, digits=1),
    Goal("ledger_prices", "the same: nothing but the price", "µs", scale=_US, digits=1),
    Goal("ledger_messages", "messages to the bank, per 1,000 calls", digits=1),
    Goal("engine_off", "a worker's CPU per request: neither", "µs", scale=_US, digits=1),
    Goal("engine_auto_more", "more with the adaptive limit", "µs", scale=_US, digits=1),
    Goal("engine_fallback_more", "more with both", "µs", scale=_US, digits=1),
    *_cancel(),
    Goal("hedge_first_p99_ratio", "p99 of the first token, of that without", "%", at_most=0.6, scale=_SHARE, digits=1),
    Goal("hedge_plain_first_p99", "p99 of the first token, not hedged", "ms", scale=_MS, digits=1),
    Goal("hedge_first_p99", "p99 of the first token, hedged", "ms", scale=_MS, digits=1),
    Goal("hedge_plain_first_p50", "p50 of the first token, not hedged", "ms", scale=_MS, digits=1),
    Goal("hedge_first_p50", "p50 of the first token, hedged", "ms", scale=_MS, digits=1),
    Goal("hedge_extra", "extra upstream calls", "%", at_most=0.03, scale=_SHARE, digits=2),
    Goal("hedge_extra_when_slow", "extra upstream calls when all are slow", "%", at_most=0.03, scale=_SHARE, digits=2),
    Goal("amplify_route", "calls per request, first of two upstreams dead", at_most=1.1, digits=3),
    Goal("amplify_route_dead", "of these to the dead one", digits=3),
    Goal("amplify_route_answered", "of these requests answered", "%", at_least=1, scale=_SHARE, digits=1),
    Goal("amplify_sole", "calls per request, the only upstream dead", at_most=1.1, digits=3),
    Goal("amplify_sole_slowly", "the same at 40 requests per second", at_most=1.1, digits=3),
    Goal(
        "fair_same_ratio",
        "tokens of the small tenant, of the large one's: equal calls",
        at_least=0.95,
        at_most=1.05,
        digits=3,
    ),
    Goal("fair_mixed_ratio", "the same, its calls thrice as long", at_least=0.95, at_most=1.05, digits=3),
    *_goodput(),
    *_drill(),
    *_translate(),
    *_grpc(),
    *_batches(),
)


def verdicts(figures: Mapping[str, float]) -> dict[str, bool]:
    """For each promised figure that was measured, whether the promise is kept."""
    found = {goal.key: goal.holds(figures[goal.key]) for goal in GOALS if goal.key in figures}
    return {key: kept for key, kept in found.items() if kept is not None}


def markdown(figures: Mapping[str, float]) -> str:
    """The table of what was measured, fit for a terminal too."""
    rows: list[Sequence[str]] = [("row", "figure", "measured", "target", "")]
    last = ""
    for goal in GOALS:
        if goal.key not in figures:
            continue
        name = goal.key.partition("_")[0]
        kept = goal.holds(figures[goal.key])
        mark = "" if kept is None else "kept" if kept else "MISSED"
        rows.append((name if name != last else "", goal.title, goal.text(figures[goal.key]), goal.bounds(), mark))
        last = name
    return table(rows, left=2)
