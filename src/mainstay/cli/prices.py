"""``mainstay prices``: what models cost by the catalogue, where its sources differ, and how it is renewed."""

import csv
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from mainstay.assembly.prices import catalogue_path, prices_of
from mainstay.cli.database import actor, opened
from mainstay.cli.options import DEFAULT, AsJson, ConfigOption, find_config
from mainstay.cli.output import print_json, print_rows
from mainstay.config import config_home, load_config
from mainstay.core.clock import wall_ms
from mainstay.core.errors import ConfigError
from mainstay.cost.catalogue import Catalogue, Found, packed
from mainstay.cost.matching import find_name
from mainstay.cost.reconcile import Merged
from mainstay.cost.sources import GENAI_URL, LITELLM_URL, build, difference, load
from mainstay.providers.config import VendorConfig
from mainstay.providers.vendors.catalogue import find_row

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
_Seller = Annotated[str, typer.Option("--seller", "-s", metavar="NAME", help="Only this seller's models.")]
_COLUMNS = ("seller", "model", "input", "output", "cache read", "more", "from", "disputed")
_SHOWN = ("input", "output", "cache_read")


@app.callback()
def _prices() -> None:
    """What models cost: the catalogue and its sources.

    Prices are US dollars: for a million tokens or characters, an hour of sound, a thousand calls or searches, an image.

    \b
    Examples:
      mainstay prices check
      mainstay prices show gpt-4o-mini
      mainstay prices update --dry-run
    """


@app.command(name="list")
def _list(
    search: Annotated[str, typer.Argument(metavar="[TEXT]", help="Only models with this in their name.")] = "",
    seller: _Seller = "",
    config: ConfigOption = None,
    as_json: AsJson = False,
) -> None:
    """List the models of the catalogue.

    \b
    Examples:
      mainstay prices list --seller openai
      mainstay prices list haiku
      mainstay prices list --json > prices.json
    """
    found = [one for one in _all(_open(config), seller) if search.lower() in one.name]
    if as_json:
        print_json([_as_json(one) for one in found])
    else:
        print_rows(_COLUMNS, [_row(one) for one in found], "No model has that in its name.")


@app.command(name="show")
def _show(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The seller's own name for it.")],
    seller: _Seller = "",
    config: ConfigOption = None,
    as_json: AsJson = False,
) -> None:
    """Show all that is known of a model's price.

    At every seller that has it.

    Names are matched as those of configured models are: a date or a region that has no price of its own is left out.

    \b
    Examples:
      mainstay prices show gpt-4o
      mainstay prices show claude-haiku-4-5 --seller bedrock
    """
    catalogue = _open(config)
    contents = catalogue.contents()
    found = []
    for name, models in contents.models.items():
        key = find_name(model, models, contents.aliases.get(name, {})) if seller in ("", name) else None
        if key is not None:
            found.append(Found(name, key, models[key]))
    if as_json:
        print_json([_as_json(one) for one in found])
    for one in () if as_json else found:
        typer.echo(f"{one.name} of {one.seller}, from {_source(one.merged)}, as of {catalogue.version}")
        for row in one.merged.rows:
            typer.echo(f"  {_words(row)}")
        for line in _disputes(one):
            typer.echo(f"  disputed: {' '.join(line[2:])}")
    if not found:
        typer.echo(f"Nobody lists a price for '{model}'; set models.NAME.price.", err=True)
        raise typer.Exit(1)


@app.command(name="check")
def _check(config: ConfigOption = None, as_json: AsJson = False) -> None:
    """Say where each configured price is from.

    Ends with exit code 1 if nobody knows one.

    \b
    Examples:
      mainstay prices check
      mainstay prices check --config production.yaml --json
    """
    loaded = load_config(find_config(config), os.environ)
    vendors = {
        name: vendor
        for name, provider in loaded.config.providers.items()
        if isinstance(provider, VendorConfig) and (vendor := find_row(provider.kind, loaded.config.vendors)) is not None
    }
    now = wall_ms()
    report: list[dict[str, Any]] = []
    for name, priced in prices_of(loaded, vendors).items():
        row = priced.tariff.row(now)
        rates = {kind: format(rate, "f") for kind, rate in row.rates().items()}
        report.append(
            {"model": name, "from": row.source, "version": row.version, "known": priced.known, "rates": rates}
        )
    if as_json:
        print_json(report)
    else:
        lines = [(str(one["model"]), str(one["from"]), str(one["version"]), _words(one["rates"])) for one in report]
        print_rows(("model", "from", "as of", "prices"), lines, "No models yet: add some.")
    unknown = [str(one["model"]) for one in report if not one["known"]]
    if unknown:
        typer.echo(f"Nobody knows what {', '.join(unknown)} cost; set models.NAME.price.", err=True)
        raise typer.Exit(1)


@app.command(name="disagreements")
def _disagreements(
    seller: _Seller = "",
    config: ConfigOption = None,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, for spreadsheets.")] = False,
) -> None:
    """List where the two sources differ.

    By more than a hundredth.

    \b
    Examples:
      mainstay prices disagreements
      mainstay prices disagreements --csv > disputed.csv
    """
    listed = list(_all(_open(config), seller))
    columns = ("seller", "model", "kind", "above", "genai-prices", "litellm", "counts")
    rows = [line for one in listed for line in _disputes(one)]
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    elif as_csv:
        csv.writer(sys.stdout).writerows([columns, *rows])
    else:
        print_rows(columns, rows, "Both sources agree.")
        compared = sum(one.merged.is_compared for one in listed)
        disputed = sum(bool(one.merged.disputed) for one in listed)
        typer.echo(f"{len(listed)} models, {compared} of them in both sources; {disputed} disputed.", err=True)


@app.command(name="update")
def _update(
    litellm: Annotated[str, typer.Option(metavar="FILE|URL", help="litellm's table, or its package.")] = LITELLM_URL,
    genai: Annotated[str, typer.Option(metavar="FILE|URL", help="genai-prices' data, or its package.")] = GENAI_URL,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the catalogue here instead.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    config: ConfigOption = None,
) -> None:
    """Make a catalogue of newer sources.

    Fetches both and says what changes.

    It is written beside the configuration, under var/prices, and used from the next start on. Nothing else ever fetches
    prices.

    \b
    Examples:
      mainstay prices update
      mainstay prices update --dry-run
      mainstay prices update --litellm litellm.whl --genai genai_prices.whl    # without the web
    """
    before = _open(config).contents()
    after = build(load(litellm), load(genai), datetime.now(UTC).date())
    changes = difference(before, after)
    print_rows(("change", "seller", "model", "before", "after"), changes, "No price has changed.")
    counts = [f"{sum(change[0] == word for change in changes)} {word}" for word in ("new", "changed", "gone")]
    typer.echo(", ".join(counts), err=True)
    if not dry_run:
        path = out or catalogue_path(_home(config))
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_bytes(packed(after))
        typer.echo(f"Written to {path}; it is used from the next start or reload on.", err=True)
        if out is None:
            _note(config, len(changes))


def _note(config: Path | None, changes: int) -> None:
    """Note in the audit log that prices are others, where there is an installation that has one."""
    try:
        loaded = load_config(find_config(config), os.environ)
    except ConfigError:
        return
    from mainstay.store.audit import record_event
    from mainstay.store.sql import writing

    with opened(loaded) as engine, writing(engine) as connection:
        record_event(engine, connection, actor(), "prices.update", "prices", {"changes": changes})


def _home(config: Path | None) -> Path:
    try:
        path = find_config(config)
    except ConfigError:
        path = DEFAULT
    return config_home(path, os.environ)


def _open(config: Path | None) -> Catalogue:
    return Catalogue.open(catalogue_path(_home(config)))


def _all(catalogue: Catalogue, seller: str) -> Iterator[Found]:
    for name, models in catalogue.contents().models.items():
        if seller in ("", name):
            yield from (Found(name, model, merged) for model, merged in models.items())


def _source(merged: Merged) -> str:
    return "genai-prices and litellm" if merged.source == "both" else merged.source


def _row(found: Found) -> tuple[str, ...]:
    row = found.merged.rows[-1]
    plain = [kind for kind in row if kind not in _SHOWN]
    rates = [str(row.get(kind, "")) for kind in _SHOWN]
    source = found.merged.source
    return (found.seller, found.name, *rates, " ".join(plain), source, "yes" if found.merged.disputed else "")


def _words(row: dict[str, Any]) -> str:
    """Return a row as words: what it says of each kind, tiers and the rest in brackets."""
    words = []
    for name, value in row.items():
        if isinstance(value, dict):
            inner = "; ".join(f"{key}: {_words(one) if isinstance(one, dict) else one}" for key, one in value.items())
            words.append(f"{name} ({inner})")
        elif isinstance(value, list | tuple):
            listed = "; ".join(_words(one) if isinstance(one, dict) else str(one) for one in value)
            words.append(f"{name} ({listed})")
        else:
            words.append(f"{name} {value}")
    return ", ".join(words)


def _disputes(found: Found) -> Iterator[tuple[str, ...]]:
    counts = "litellm" if found.merged.like else "genai-prices"
    for one in found.merged.disputed:
        sides = ("none" if side is None else format(side, "f") for side in (one.genai, one.litellm))
        yield (found.seller, found.name, one.kind, str(one.above or ""), *sides, counts)


def _as_json(found: Found) -> dict[str, Any]:
    merged: dict[str, Any] = msgspec.to_builtins(found.merged, builtin_types=(), enc_hook=str)
    return {"seller": found.seller, "name": found.name, **merged}
