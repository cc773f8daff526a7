"""``mainstay spend``: what was spent, by whom and for what, as a table, JSON, CSV or the format of finance tools."""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainstay.cli.options import AsJson, ConfigOption
from mainstay.cli.output import print_json, print_rows, printable
from mainstay.cli.spend_books import differences, unpriced, verify
from mainstay.cli.spend_options import (
    Books,
    By,
    Key,
    Model,
    Organisation,
    Provider,
    Route,
    Since,
    Tag,
    Team,
    Until,
    User,
    Zone,
    dimensions,
    opened_books,
    said,
    short,
)
from mainstay.cli.spend_outlook import anomalies, budgets, forecast

if TYPE_CHECKING:  # SQLAlchemy costs a quarter of a second, which 'mainstay --help' should not
    from mainstay.cost.reports import Question, Report, Row

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None, invoke_without_command=True)
app.command()(budgets)
app.command()(forecast)
app.command()(anomalies)
app.command()(verify)
app.command()(differences)
app.command()(unpriced)

_NONE = "Nothing was asked in this time that fits."
_COLUMNS = ("calls", "errors", "tokens in", "cached", "tokens out", "USD", "share", "Wh", "from-to", "g CO2e")
_FOCUS = "Write it for finance tools, as CSV by the FinOps Open Cost and Usage Specification; - is standard output."
_EXACT = (
    *("calls", "errors", "refused", "attempts", "unpriced", "estimated"),
    *("input", "output", "cache_read", "cache_write", "reasoning"),
    *("cost_usd", "energy_wh", "energy_low_wh", "energy_high_wh", "carbon_g", "carbon_market_g"),
)


@app.callback()
def _spend(
    context: typer.Context,
    by: By = "model",
    since: Since = "30d",
    until: Until = "",
    zone: Zone = "UTC",
    organisation: Organisation = None,
    team: Team = None,
    key: Key = None,
    user: User = None,
    route: Route = None,
    model: Model = None,
    provider: Provider = None,
    vendor: Annotated[list[str] | None, typer.Option(help="Only this vendor, such as openai.")] = None,
    tag: Tag = None,
    operation: Annotated[list[str] | None, typer.Option(help="Only this operation: chat, embeddings.")] = None,
    config: ConfigOption = None,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, for spreadsheets.")] = False,
    focus: Annotated[Path | None, typer.Option(metavar="FILE", help=_FOCUS)] = None,
    focus_version: Annotated[str, typer.Option(help="Of that specification: 1.2, 1.3 or 1.4.")] = "1.2",
) -> None:
    """What was spent, by whom and for what.

    Sums may be made by organisation, team, key, user, route, model, provider, vendor, tag, operation, priced (where the
    price is from), hour, day, week and month. A fall-back's cost is that of the model which made it; the lowest line
    counts each call once.

    \b
    Examples:
      mainstay spend --by team,model
      mainstay spend --by day --since 7d --zone Europe/Zurich
      mainstay spend --by month,tag --since 2026-01-01 --csv > tags.csv
      mainstay spend --since 2026-11-01 --until 2026-12-01 --focus november.csv
      mainstay spend budgets                 # how each budget stands
      mainstay spend verify                  # whether the books are right
    """
    if context.invoked_subcommand is not None:
        return
    where = {"organisation": organisation, "team": team, "key": key, "user": user, "route": route, "model": model}
    where |= {"provider": provider, "vendor": vendor, "tag": tag, "operation": operation}
    names = dimensions(by)
    with opened_books(config) as books:
        question = books.question(names, since, until, zone, where)
        if focus is not None:
            _focus(books, question, focus, focus_version)
            return
        from mainstay.cost.service import report, row_as_json

        found = report(books.engine, question)
    if as_json:
        rows = [row_as_json(found.by, row, books.names) for row in found.rows]
        total = row_as_json((), found.total, {})
        asked = {"by": found.by, "since": question.since, "until": question.until, "zone": zone}
        print_json({**asked, "rows": rows, "total": total})
    elif as_csv:
        _csv(found, books.names)
    else:
        _table(found, books.names)


def _table(found: "Report", names: dict[str, str]) -> None:
    said(found.rows, _NONE)
    total = found.total
    rows = [(*_named(found.by, row, names), *_cells(row, total.picousd)) for row in found.rows]
    if sys.stdout.isatty() and len(rows) > 1:
        rows.append((*("total" if place == 0 else "" for place in range(len(found.by))), *_cells(total, total.picousd)))
    if rows:
        print_rows((*found.by, *_COLUMNS), rows, _NONE)
    if total.unpriced:
        typer.echo(
            f"Nobody knows the price of {total.unpriced} upstream calls; 'mainstay spend unpriced' lists them.",
            err=True,
        )


def _named(by: tuple[str, ...], row: "Row", names: dict[str, str]) -> Iterator[str]:
    for name, value in zip(by, row.keys, strict=True):
        yield names.get(value, value) if name == "key" else value


def _cells(row: "Row", total: int) -> tuple[str, ...]:
    tokens = row.tokens
    counts = (row.errors, tokens["input"], tokens["cache_read"], tokens["output"])
    return (
        str(row.calls),
        *(str(count) if count else "" for count in counts),
        short(row.picousd),
        f"{100 * row.picousd / total:.1f}%" if total else "",
        f"{row.energy_wh:.3g}" if row.energy_calls else "",
        f"{row.energy_low_wh:.3g}-{row.energy_high_wh:.3g}" if row.energy_calls else "",
        f"{row.carbon_g:.3g}" if row.carbon_calls else "",
    )


def _csv(found: "Report", names: dict[str, str]) -> None:
    from mainstay.cost.service import row_as_json

    by = [name for part in found.by for name in ((part, "key_name") if part == "key" else (part,))]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([*by, *_EXACT])
    for row in found.rows:
        flat = row_as_json(found.by, row, names)
        flat |= flat.pop("tokens")
        writer.writerow([_safe(flat[name]) for name in (*by, *_EXACT)])


def _safe(value: object) -> object:
    """Return a value that no spreadsheet takes for a formula: users and tags are named by callers."""
    if isinstance(value, str):
        text = printable(value)
        return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
    return value


def _focus(books: Books, question: "Question", file: Path, version: str) -> None:
    from mainstay.assembly.sellers import sellers_of, skus_of
    from mainstay.cost.focus import columns, focus_rows, write_focus
    from mainstay.store.sql import reading

    try:
        columns(version)
    except ValueError as error:
        raise typer.BadParameter(f"{error}.", param_hint="--focus-version") from None
    sellers, models = sellers_of(books.loaded), skus_of(books.loaded)
    with reading(books.engine) as connection:
        rows = focus_rows(connection, question, sellers, models, books.names)
        if str(file) == "-":
            count = write_focus(rows, sys.stdout, version)
        else:
            with file.open("w", newline="", encoding="utf-8") as target:
                count = write_focus(rows, target, version)
    typer.echo(f"{count} rows of FOCUS {version}.", err=True)
