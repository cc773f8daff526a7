"""Answers as a terminal shows them: a sentence first, tables, a picture in characters.

Renders to a Rich console that is handed in. Decides nothing.
"""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mainstay.planning.answer import Answer, Comparison
from mainstay.planning.capacity import Capacity
from mainstay.planning.charts import Line, bars_text, lines_text, short, stacked_text
from mainstay.planning.memory import Fit
from mainstay.planning.sensitivity import Swing
from mainstay.planning.throughput import Interval, Speed

__all__ = ["memory_parts", "show_answer", "show_capacity", "show_cost", "show_fit", "show_speed", "span"]

_VERDICTS = {"fits": "green", "tight": "yellow", "no": "red"}


def span(value: Interval, form: str = ",.0f", unit: str = "") -> str:
    """Return an estimate with its interval: ``1,127 (755 to 1,575) tokens/s``."""
    tail = f" {unit}" if unit else ""
    return f"{value.mid:{form}}{tail} ({value.low:{form}} to {value.high:{form}})"


def memory_parts(fit: Fit) -> list[tuple[str, float]]:
    """Return the parts of a device's memory: name and GiB."""
    return [
        ("weights", fit.weights_gib),
        ("key-value cache", fit.kv_gib),
        ("activations", fit.activations_gib),
        ("engine", fit.engine_gib),
        ("left to others", max(0.0, fit.memory_gib - fit.usable_gib)),
    ]


def _pairs(console: Console, title: str, rows: Sequence[tuple[str, str]]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False, title=title, title_justify="left", title_style="bold")
    table.add_column(no_wrap=True)
    table.add_column()
    for name, value in rows:
        table.add_row(Text(name, style="dim"), Text(value))
    console.print(table)
    console.print()


def show_fit(console: Console, name: str, fit: Fit) -> None:
    """Print whether it fits, and what stands in the memory of each device."""
    console.print(Text.assemble((fit.verdict.upper(), f"bold {_VERDICTS[fit.verdict]}"), f"  {name}. {fit.why}"))
    console.print()
    console.print(Text(stacked_text(memory_parts(fit), fit.memory_gib)))
    rows = [(part, f"{gib:,.1f} GiB") for part, gib in memory_parts(fit)]
    rows += [
        ("of each device", f"{fit.memory_gib:,.1f} GiB"),
        ("cache per token", f"{fit.kv_bytes_per_token:,.0f} B on each device"),
        ("cached tokens", f"{fit.kv_tokens:,} in the replica"),
        ("sequences", f"{fit.sequences:,} of {fit.context:,} tokens at once; {fit.cautious_sequences:,} for sure"),
    ]
    _pairs(console, "Memory of each device", rows)
    for note in fit.notes:
        console.print(Text(f"- {note}"))


def show_speed(console: Console, name: str, rows: Sequence[Speed]) -> None:
    """Print speeds for several batches."""
    console.print(Text(f"{name}, one replica; in brackets 80 % intervals", style="bold"))
    table = Table(box=None, pad_edge=False)
    for head in ("batch", "ms per token", "first token, ms", "tokens/s", "requests/s", "bound by"):
        table.add_column(head, justify="left" if head == "bound by" else "right")
    for row in rows:
        table.add_row(
            f"{row.batch:,}",
            span(row.itl_ms, ".1f"),
            span(row.ttft_ms, ",.0f"),
            span(row.tokens_per_s, ",.0f"),
            f"{row.requests_per_s.mid:,.2f}",
            row.bound.replace("_", " "),
        )
    console.print(table)


def show_cost(console: Console, title: str, by_use: Sequence[tuple[float, Interval]], useful: float | None) -> None:
    """Print dollars per million tokens against how busy the devices are."""
    console.print(Text(title, style="bold"))
    rows = [(f"{share:.0%} busy", cost.mid, f"${span(cost, ',.2f')}") for share, cost in by_use]
    for line in bars_text(rows, 36):
        console.print(Text(line))
    if useful is not None:
        console.print(Text(f"With this traffic the devices would be {useful:.0%} busy."))


def show_capacity(console: Console, name: str, need: Capacity) -> None:
    """Print how many replicas, and what decided."""
    console.print(
        Text.assemble(
            (f"{need.serving} replica{'' if need.serving == 1 else 's'}", "bold"),
            f" of {name} for the peak ({need.interval[0]} to {need.interval[1]}), {need.spares} to spare.",
        )
    )
    wait = need.waiting
    rows = [
        ("decided by", {"load": "how busy a replica may be", "waiting": "how long callers may wait"}[need.decided_by]),
        ("sequences at once", f"{need.slots:,} on each replica"),
        ("speed of one", f"{span(need.speed.tokens_per_s)} tokens/s, {need.speed.requests_per_s.mid:,.2f} requests/s"),
        ("ms per token", span(need.speed.itl_ms, ".1f")),
        ("first token", f"{span(need.speed.ttft_ms)} ms, before waiting"),
        ("waiting at the peak", f"{wait.waiting_share:.1%} of callers; p95 {wait.p95_s * 1000:,.0f} ms"),
        ("busy", f"{need.busy_at_peak:.0%} at the peak, {need.busy_on_average:.0%} on average"),
    ]
    _pairs(console, "", rows)


def show_answer(console: Console, answer: Answer) -> None:
    """Print the whole report."""
    if answer.question:
        console.print(Text(answer.question, style="bold underline"))
    if answer.comparison is not None:
        console.print(Text(answer.comparison.verdict, style="bold"))
    console.print()
    name = f"{answer.model} in {answer.precision} on {answer.devices} x {answer.device}"
    load = answer.traffic
    _pairs(
        console,
        "Traffic",
        [
            ("requests", f"{load.requests_per_month:,.0f} a month, {load.peak_per_s:,.2f} per second at the peak"),
            ("tokens", f"{load.input_tokens:,.0f} in, {load.cached_share:.0%} cached; {load.output_tokens:,.0f} out"),
            ("peak to mean", f"{load.peak_to_mean:.1f}"),
            ("from", load.source),
        ],
    )
    show_fit(console, name, answer.fit)
    console.print()
    show_capacity(console, name, answer.capacity)
    if answer.by_use:
        title = f"Per million tokens written, prompts included, at ${answer.usd_per_device_hour:,.2f} a device and hour"
        show_cost(console, title, answer.by_use, answer.useful)
        console.print()
    if answer.comparison is not None:
        _show_comparison(console, answer.comparison)
    for warning in answer.warnings:
        console.print(Text(f"! {warning}", style="yellow"))
    console.print(Text(f"Speed from {answer.calibration}.", style="dim"))


def _show_comparison(console: Console, found: Comparison) -> None:
    table = Table(box=None, pad_edge=False, title="Dollars a month", title_justify="left", title_style="bold")
    for head, side in (("build", "left"), ("", "right"), ("once", "right"), (f"  {found.buy_name}", "left"),
                       ("", "right"), ("once", "right")):  # fmt: skip
        table.add_column(head, justify="right" if side == "right" else "left")
    for index in range(max(len(found.built_items), len(found.bought_items))):
        cells: list[str] = []
        for items, indent in ((found.built_items, ""), (found.bought_items, "  ")):
            item = items[index] if index < len(items) else None
            cells += ["", "", ""] if item is None else [indent + item.name, _usd(item.monthly), _usd(item.once)]
        table.add_row(*cells)
    table.add_row("with what is paid once", f"{found.built_monthly:,.0f}", "", "  the same",
                  f"{found.bought_monthly:,.0f}", "", style="bold")  # fmt: skip
    console.print(table)
    console.print()
    _pairs(console, "Break-even", _break_even_rows(found))
    marks = [Line("buy", [(p[0], p[1]) for p in found.curve]), Line("build", [(p[0], p[3]) for p in found.curve])]
    console.print(Text(f"Dollars a month over requests a month: ● {found.buy_name}  ○ build  ◍ both"))
    for line in lines_text(marks):
        console.print(Text(line))
    console.print()
    console.print(Text("What moves the break-even (requests a month)", style="bold"))
    rows = [(swing.name, swing.width, _swing(swing)) for swing in found.swings]
    for line in bars_text(rows, 30):
        console.print(Text(line))
    console.print()


def _usd(value: float) -> str:
    return f"{value:,.0f}" if value else ""


def _swing(swing: Swing) -> str:
    return f"{_where(swing.at_low)} at x{swing.low:.2f}, {_where(swing.at_high)} at x{swing.high:.2f}"


def _where(value: float | None) -> str:
    return "never" if value is None else short(value)


def _break_even_rows(found: Comparison) -> list[tuple[str, str]]:
    even, draws = found.break_even, found.draws
    first = "never" if even.first is None else f"{even.first:,} requests a month"
    if even.first is not None and even.always != even.first:
        first += f"; at every volume from {even.always:,} on" if even.always else "; not at every larger volume"
    paid = found.payback.month
    return [
        ("now", f"{found.volume:,.0f} requests a month"),
        ("building pays from", first),
        ("80 % interval", f"{_where(draws.low)} to {_where(draws.high)}, by {draws.count} draws of all inputs"),
        ("building cheaper now", f"in {draws.cheaper:.0%} of the draws"),
        ("payback", "not within the horizon" if paid is None else f"in month {paid}"),
        (
            "a million in and out",
            f"build ${found.built_blended:,.2f}, list price ${found.bought_blended:,.2f}",
        ),
        ("per good answer", f"build ${found.built_success_usd:,.5f}, buy ${found.bought_success_usd:,.5f}"),
    ]
