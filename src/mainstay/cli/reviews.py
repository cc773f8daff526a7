"""``mainstay reviews``: requests that wait for a person, and deciding them. Works whether or not a server runs."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from mainstay.cli.database import actor, opened
from mainstay.cli.options import AsJson, ConfigOption, find_config
from mainstay.cli.output import print_json, print_rows, printable
from mainstay.config import load_config
from mainstay.core.errors import InvalidRequest, NotFound, StartError

if TYPE_CHECKING:  # SQLAlchemy costs a quarter of a second, which 'mainstay --help' should not
    from mainstay.governance.reviews_desk import ReviewDesk
    from mainstay.governance.reviews_store import ReviewRow

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
_STATES = ("open", "approved", "denied", "expired")

Review = Annotated[str, typer.Argument(metavar="REVIEW", help="The review's id (rev_…).")]
Reason = Annotated[str, typer.Option(help="Why; the caller of a denied request is told.")]
Wrong = Annotated[bool, typer.Option("--wrong", help="The rail was wrong: it should not have held this.")]
Again = Annotated[bool, typer.Option("--again", help="Replace an earlier decision.")]
Rail = Annotated[str | None, typer.Option(help="Of this rail only.")]


@app.callback()
def _reviews() -> None:
    """Requests that wait for a person.

    List, show, approve, deny; and what that says of the rails.

    \b
    Examples:
      mainstay reviews list
      mainstay reviews approve rev_0199c0de7a017b3c8d4e5f6071829304
      mainstay reviews stats
    """


@app.command("list")
def _list(
    config: ConfigOption = None,
    status: Annotated[str, typer.Option(help="open, approved, denied, expired, or all.")] = "open",
    rail: Rail = None,
    route: Annotated[str | None, typer.Option(help="Of this route only.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The most that are listed.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List reviews, newest first.

    \b
    Examples:
      mainstay reviews list
      mainstay reviews list --status denied --rail secrets --json
    """
    from mainstay.governance.reviews_store import ReviewFilter

    if status not in (*_STATES, "all"):
        raise typer.BadParameter(f"it is one of: {', '.join(_STATES)}, all.", param_hint="--status")
    with _opened(config) as desk:
        rows = desk.search(ReviewFilter(None if status == "all" else status, rail, route), limit=limit)
    if as_json:
        print_json([_public(row) for row in rows])
        return
    cells = [
        (row.id, row.status, row.rail, _counted(row), row.route, row.team, row.key, _time(row.at), row.reason)
        for row in rows
    ]
    print_rows(("review", "status", "rail", "found", "route", "team", "key", "since", "reason"), cells, "None.")


@app.command("show")
def _show(review: Review, config: ConfigOption = None, as_json: AsJson = False) -> None:
    """Show a review, with what the request says.

    \b
    Examples:
      mainstay reviews show rev_0199c0de7a017b3c8d4e5f6071829304
    """
    with _opened(config) as desk:
        row = desk.find(review)
        text = None if row.content is None else desk.text_of(row)
    if as_json:
        print_json(_public(row) | {"request": text})
        return
    for name, value in (_public(row) | {"kinds": _counted(row), "at": _time(row.at)}).items():
        if value not in (None, ""):
            typer.echo(f"{name}: {printable(str(value))}")
    typer.echo("")
    # Line by line: what a terminal would take for a command is written out.
    for line in ("(kept no longer)" if text is None else text).split("\n"):
        typer.echo(printable(line))


@app.command("approve")
def _approve(
    review: Review,
    config: ConfigOption = None,
    reason: Reason = "",
    wrong: Wrong = False,
    again: Again = False,
    as_json: AsJson = False,
) -> None:
    """Let a request pass when it is sent again.

    For its key, past that rail, as long as governance.reviews.valid says.

    \b
    Examples:
      mainstay reviews approve rev_0199c0de7a017b3c8d4e5f6071829304 --wrong
    """
    _decide(review, config, as_json, approve=True, reason=reason, wrong=wrong, again=again)


@app.command("deny")
def _deny(
    review: Review,
    config: ConfigOption = None,
    reason: Reason = "",
    wrong: Wrong = False,
    again: Again = False,
    as_json: AsJson = False,
) -> None:
    """Refuse a request when it is sent again.

    \b
    Examples:
      mainstay reviews deny rev_0199c0de7a017b3c8d4e5f6071829304 --reason "Take the card number out."
    """
    _decide(review, config, as_json, approve=False, reason=reason, wrong=wrong, again=again)


@app.command("export")
def _export(
    config: ConfigOption = None,
    rail: Rail = None,
    content: Annotated[bool, typer.Option("--content", help="With what the requests say, as long as kept.")] = False,
) -> None:
    """Print decisions with their labels.

    One JSON object a line: the rail, what it found, its score, and whether it was right.

    \b
    Examples:
      mainstay reviews export --rail injection > labels.jsonl
    """
    from mainstay.governance.reviews_feedback import example_of

    with _opened(config) as desk:
        for row in desk.exported(actor(), rail, content):
            line = example_of(row, desk.text_of(row) if content and row.content is not None else None)
            sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
        sys.stdout.flush()


@app.command("stats")
def _stats(config: ConfigOption = None, as_json: AsJson = False) -> None:
    """Say how often reviewers found each rail right.

    Precision with its 95 % interval (Wilson's score).

    \b
    Examples:
      mainstay reviews stats
    """
    from mainstay.governance.reviews_feedback import stats_of

    with _opened(config) as desk:
        found = stats_of(desk.counts())
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    columns = ("rail", "held", "open", "approved", "denied", "expired", "right", "wrong", "precision", "95 %")
    cells = []
    for one in found:
        counts = (one.held, one.open, one.approved, one.denied, one.expired, one.right, one.wrong)
        part = "" if one.precision is None else f"{one.precision:.3f}"
        interval = "" if one.low is None else f"{one.low:.3f} to {one.high:.3f}"
        cells.append((one.rail, *map(str, counts), part, interval))
    print_rows(columns, cells, "No rail has held a request.")


def _decide(review: str, config: Path | None, as_json: bool, **decision: Any) -> None:
    with _opened(config) as desk:
        row = desk.decide(review, by=actor(), **decision)
    if as_json:
        print_json(_public(row))
    else:
        typer.echo(f"{row.id} is {row.status}.")


@contextmanager
def _opened(config: Path | None) -> "Iterator[ReviewDesk]":
    """Open the reviews, with what workers have handed over last."""
    from mainstay.assembly.kept import open_reviews, open_seal

    loaded = load_config(find_config(config), os.environ)
    with opened(loaded) as engine:
        desk = open_reviews(engine, loaded, open_seal(engine, loaded))
        try:
            desk.take_in()
            yield desk
        except (InvalidRequest, NotFound) as error:
            raise StartError(error.message) from None


def _public(row: "ReviewRow") -> dict[str, Any]:
    hidden = ("content", "mark", "digest", "data_key", "version", "kinds")
    shown = {name: getattr(row, name) for name in row.__struct_fields__ if name not in hidden}
    return shown | {"kinds": msgspec.json.decode(row.kinds)}


def _counted(row: "ReviewRow") -> str:
    return ", ".join(f"{kind} {count}" for kind, count in msgspec.json.decode(row.kinds).items())


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
