"""The report on a terminal: rates with their intervals, by what was tried. Decides nothing."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from mainstay.redteam.figures import Rate, Row
from mainstay.redteam.summary import Summary, named

if TYPE_CHECKING:  # rich costs a tenth of a second, which a script does not need
    from rich.console import Console

__all__ = ["probability", "rate_text", "show"]

#: Cases that are listed.
_LISTED: Final = 10
_METHODS: Final = {"model": "a model of ours", "phrases": "phrases (with 'mainstay[guards]' a model does it)"}


def rate_text(rate: Rate | None) -> str:
    """Return a rate with its interval: ``12.5 % (6.1 to 23.8)``."""
    if rate is None or not rate.total:
        return "-"
    return f"{rate.share:.1%} ({rate.low * 100:.1f} to {rate.high * 100:.1f})"


def probability(row: Row) -> str:
    """Return the p of a row's pairs in three places."""
    if row.pair is None or not row.pair.total:
        return "-"
    return "< 0.001" if row.pair.p < 0.001 else f"{row.pair.p:.3f}"


def show(summary: Summary, console: "Console") -> None:
    """Print the report."""
    from rich.text import Text

    def say(line: str = "") -> None:
        console.print(Text(line))

    about, found = summary.about, summary.figures
    against = f", compared with {about.baseline}" if about.baseline else ""
    say(f"{len(summary.cases)} cases against {about.route}{against}. Shares that succeed, with 95 % intervals.")
    say()
    _table("", [found.attacks, found.seeds, found.harmless], console, compared=bool(about.baseline))
    for title in ("categories", "strategies", "converters", "tags"):
        rows: Sequence[Row] = getattr(found, title)
        if rows:
            say()
            _table(title, rows, console, compared=bool(about.baseline))
    say()
    if about.refusals in _METHODS:
        say(f"Refusals are told by {_METHODS[about.refusals]}.")
    for side in found.errors:
        if found.errors[side] or found.missing[side]:
            say(f"{side}: {found.errors[side]} without an answer, {found.missing[side]} not played.")
    _findings(summary, console)
    for problem in summary.problems:
        say(f"FAILED: {problem}")
    if summary.gated and not summary.problems:
        say("PASSED.")


def _findings(summary: Summary, console: "Console") -> None:
    from rich.text import Text

    findings = summary.findings()
    if not findings:
        return
    console.print(
        Text(f"\nCame out wrong: {len(findings)}" + (", the first of them:" if len(findings) > _LISTED else ":"))
    )
    for one in findings[:_LISTED]:
        excerpt = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(one.result.excerpt.split()))
        console.print(Text(f"  {one.case.id}  {one.case.seed.goal}"))
        console.print(
            Text(f"      {one.result.outcome}: {excerpt[:100]}" if excerpt else f"      {one.result.outcome}")
        )


def _table(title: str, rows: Sequence[Row], console: "Console", *, compared: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for name in (title, "with guards", "of", "stopped", *(("without", "p") if compared else ())):
        table.add_column(name, no_wrap=True, justify="left" if name == title else "right")
    for row in rows:
        without = (rate_text(row.baseline), probability(row)) if compared else ()
        name = named(row.name) if title == "tags" else row.name
        cells = (name, rate_text(row.guarded), str(row.guarded.total), str(row.blocked), *without)
        table.add_row(*map(Text, cells))
    console.print(table)
