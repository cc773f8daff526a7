"""``mainstay spend verify``, ``differences`` and ``unpriced``: whether the books are right, and the prices."""

import sys
from typing import Annotated

import msgspec
import typer

from mainstay.cli.options import AsJson, ConfigOption
from mainstay.cli.output import print_json, print_rows
from mainstay.cli.spend_options import Since, Until, Zone, opened_books, said, short
from mainstay.config import Loaded
from mainstay.core.clock import wall_ms

__all__ = ["differences", "unpriced", "verify"]


def verify(config: ConfigOption = None, as_json: AsJson = False) -> None:
    """Look through the books.

    Ends with exit code 1 if anything is wrong.

    For every record: its cost is the sum of its attempts, each is owed to its provider, and no budget is charged more
    than that. For every budget: it stands where its entries put it. And nothing was entered that is in no record, nor
    can entries be changed.

    \b
    Examples:
      mainstay spend verify
      mainstay spend verify --json
    """
    from mainstay.cost.amounts import dollars
    from mainstay.cost.audit import audit

    def show(count: int) -> None:
        if sys.stderr.isatty():
            typer.echo(f"\r{count:,} records", err=True, nl=False)

    with opened_books(config) as books:
        found = audit(books.engine, show, kept_since=_kept_since(books.loaded))
    if sys.stderr.isatty() and found.records:
        typer.echo("", err=True)
    if as_json:
        made = msgspec.structs.asdict(found)
        made["cost_usd"] = dollars(made.pop("picousd"))
        print_json(made | {"right": not found.wrong})
    else:
        for fault in found.faults:
            typer.echo(fault)
        if found.wrong > len(found.faults):
            typer.echo(f"and {found.wrong - len(found.faults)} more")
        counts = f"{found.records:,} records, {found.entries:,} entries, {found.accounts:,} accounts of budgets"
        spent = f"{dollars(found.picousd)} USD"
        typer.echo(f"{f'{found.wrong} faults' if found.wrong else 'The books are right'}: {counts}, {spent}.")
    if found.wrong:
        raise typer.Exit(1)


def _kept_since(loaded: Loaded) -> int | None:
    """Return from when on every record must be there; None where records are kept for ever."""
    config = loaded.config
    rules = [config.governance.retention, *(route.retention for route in config.routes.values())]
    kept = [rule.records for rule in rules if rule is not None and rule.records is not None]
    shortest = min(kept, default=None)
    return None if shortest is None else wall_ms() - round(shortest * 1000)


def differences(
    since: Since = "30d",
    until: Until = "",
    zone: Zone = "UTC",
    least: Annotated[float, typer.Option(min=0, help="Only those at least so many percent apart.")] = 0,
    config: ConfigOption = None,
    as_json: AsJson = False,
) -> None:
    """Where providers and the price list differ.

    What they report and what the list says, by model.

    What a provider reports is what is charged. A difference says that the price list is wrong, or that the provider
    bills what it does not list.

    \b
    Examples:
      mainstay spend differences
      mainstay spend differences --since 90d --least 1 --json
    """
    from mainstay.cost.amounts import dollars
    from mainstay.cost.audit import differences as find_differences
    from mainstay.store.sql import reading

    with opened_books(config) as books, reading(books.engine) as connection:
        found = find_differences(connection, books.question((), since, until, zone, {}))
    found = [one for one in found if one.ratio is None or abs(one.ratio - 1) * 100 >= least]
    if as_json:
        rows = []
        for one in found:
            amounts = {"reported_usd": one.reported, "computed_usd": one.computed}
            amounts["difference_usd"] = one.reported - one.computed
            of = {"provider": one.provider, "model": one.model, "attempts": one.attempts}
            rows.append(of | {name: dollars(amount) for name, amount in amounts.items()} | {"ratio": one.ratio})
        print_json(rows)
        return
    none = "No provider has reported a cost in this time that is apart."
    said(found, none)
    shown = [
        (
            one.provider,
            one.model,
            str(one.attempts),
            short(one.reported),
            short(one.computed),
            "" if one.ratio is None else f"{100 * (one.ratio - 1):+.2f}%",
        )
        for one in found
    ]
    if shown:
        print_rows(("provider", "model", "calls", "reported USD", "price list USD", "apart"), shown, none)


def unpriced(
    since: Since = "30d", until: Until = "", zone: Zone = "UTC", config: ConfigOption = None, as_json: AsJson = False
) -> None:
    """Calls of models without a known price.

    And what they were charged at: the dearest price of their vendor.

    \b
    Examples:
      mainstay spend unpriced
      mainstay spend unpriced --since 90d --json
    """
    from mainstay.cost.service import report, row_as_json

    with opened_books(config) as books:
        question = books.question(("provider", "model"), since, until, zone, {})
        question = msgspec.structs.replace(question, where=(("priced", ("ceiling",)),))
        found = report(books.engine, question)
    if as_json:
        print_json([row_as_json(found.by, row, {}) for row in found.rows])
        return
    none = "Every call in this time has a price."
    said(found.rows, none)
    if found.rows:
        print_rows(
            ("provider", "model", "calls", "tokens in", "tokens out", "charged USD"),
            [
                (*row.keys, str(row.calls), str(row.tokens["input"]), str(row.tokens["output"]), short(row.picousd))
                for row in found.rows
            ],
            none,
        )
        typer.echo("Set models.NAME.price for each, or run 'mainstay prices update'.", err=True)
