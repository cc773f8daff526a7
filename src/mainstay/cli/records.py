"""``mainstay records``: list, show and follow the records of calls.

``list`` and ``show`` first load what the workers' journals hold, server running or not, so that they never
miss an answered call; ``tail`` does so once and then follows what the running server loads.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from mainstay.cli.database import load_newest, opened
from mainstay.cli.options import AsJson, ConfigOption, find_config
from mainstay.cli.output import print_json, printable
from mainstay.config import load_config
from mainstay.core.clock import wall_ms
from mainstay.core.config import parse_duration
from mainstay.core.errors import StartError
from mainstay.core.record import Grounding, RailVerdict, Record
from mainstay.cost.rates import to_usd

if TYPE_CHECKING:  # SQLAlchemy costs a quarter of a second, which 'mainstay --help' should not
    from sqlalchemy import Engine

    from mainstay.telemetry.store import RecordFilter

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


class _Outcome(StrEnum):
    OK = "ok"
    REFUSED = "refused"
    FAILED = "failed"
    GONE = "gone"


Since = Annotated[str, typer.Option(help="Not older than this: 15m, 1h, 7d, or a time such as 2026-11-21T08:00.")]
Route = Annotated[str | None, typer.Option(help="Only calls of this route.")]
Model = Annotated[str | None, typer.Option(help="Only calls this model served, by its name in 'models'.")]
Key = Annotated[str | None, typer.Option(help="Only calls with this key, by its name or id.")]
Team = Annotated[str | None, typer.Option(help="Only calls of this team.")]
Outcome = Annotated[_Outcome | None, typer.Option(help="Only this outcome: ok, refused, failed or gone.")]
Status = Annotated[int | None, typer.Option(help="Only this HTTP status.")]
Error = Annotated[str | None, typer.Option(help="Only this error code, for example upstream_timeout.")]

#: The values of a line. On a terminal: how wide it must be to show each, and how wide each is while following.
_COLUMNS = (
    ("time", 0, 8),
    ("status", 0, 6),
    ("outcome", 170, 7),
    ("route", 0, 12),
    ("model", 110, 12),
    ("key", 120, 10),
    ("in", 150, 6),
    ("out", 150, 6),
    ("first", 130, 8),
    ("total", 0, 9),
    ("tries", 160, 5),
    ("error", 100, 12),
    ("id", 0, 36),
)


@app.callback()
def _records() -> None:
    """Records of calls: list, show, follow.

    \b
    Examples:
      mainstay records list --since 1h --outcome failed
      mainstay records show req-42
      mainstay records tail --route assistant
    """


@app.command("list")
def _list(
    config: ConfigOption = None,
    since: Since = "",
    route: Route = None,
    model: Model = None,
    key: Key = None,
    team: Team = None,
    outcome: Outcome = None,
    status: Status = None,
    error: Error = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    before: Annotated[str | None, typer.Option(help="Go on after this record id (the last one shown).")] = None,
    as_json: AsJson = False,
) -> None:
    """List records, newest first.

    A table on a terminal, lines of tab-separated values elsewhere. The values are: time (UTC), status, outcome, route,
    model, key, tokens in, tokens out, ms to the first event, ms in all, attempts, error, id.

    \b
    Examples:
      mainstay records list --since 1h --outcome failed
      mainstay records list --key alice --limit 10 --json
    """
    from mainstay.telemetry.service import list_records

    with _opened(config) as (engine, names):
        where = _filter(names, since, route, model, key, team, outcome, status, error)
        records = list_records(engine, where, limit=limit, before=before)
    if as_json:
        print_json([_full(record) for record in records])
    elif sys.stdout.isatty():
        _table([_cells(record, names) for record in records])
    else:
        for record in records:
            typer.echo("\t".join(_cells(record, names)))


@app.command("show")
def _show(
    reference: Annotated[str, typer.Argument(metavar="ID", help="The record's id, or the request id.")],
    config: ConfigOption = None,
    as_json: AsJson = False,
) -> None:
    """Show one record whole.

    Who, what, every attempt with its reason and timings, and the content if it was kept.

    \b
    Examples:
      mainstay records show 0199c0de-7a01-7b3c-8d4e-5f6071829304
      mainstay records show req-42 --json
    """
    from mainstay.assembly.kept import open_seal
    from mainstay.telemetry.service import get_record

    with _opened(config) as (engine, names):
        seal = open_seal(engine, load_config(find_config(config), os.environ))
        record = get_record(engine, reference, seal)
    if record is None:
        raise StartError(f"There is no record with the id or request id '{reference}'.")
    if as_json:
        print_json({**_full(record), "content": _builtin(record.content)})
        return
    for line in _lines(record, names):
        typer.echo(line)


@app.command("tail")
def _tail(
    config: ConfigOption = None,
    route: Route = None,
    model: Model = None,
    key: Key = None,
    team: Team = None,
    outcome: Outcome = None,
    status: Status = None,
    error: Error = None,
    as_json: AsJson = False,
) -> None:
    """Follow records as the running server loads them, until Ctrl-C.

    One line each, with the values of `records list`.

    \b
    Examples:
      mainstay records tail
      mainstay records tail --outcome failed --json
    """
    from mainstay.telemetry.service import tail_records

    with _opened(config) as (engine, names):
        where = _filter(names, "", route, model, key, team, outcome, status, error)
        terminal = sys.stdout.isatty() and not as_json
        if terminal:
            typer.echo(_aligned([name for name, _, _ in _COLUMNS]))
        try:
            for record in tail_records(engine, where):
                cells = _cells(record, names)
                if terminal:
                    line = _aligned([cells[0][11:19], *cells[1:]])
                else:
                    line = json.dumps(_full(record)) if as_json else "\t".join(cells)
                sys.stdout.write(line + "\n")
                sys.stdout.flush()
        except KeyboardInterrupt:
            return


@contextmanager
def _opened(config: Path | None) -> Iterator[tuple["Engine", dict[str, str]]]:
    from mainstay.identity.service import key_names

    loaded = load_config(find_config(config), os.environ)
    with opened(loaded) as engine:
        load_newest(engine, loaded)
        yield engine, key_names(engine)


def _filter(
    names: dict[str, str],
    since: str,
    route: str | None,
    model: str | None,
    key: str | None,
    team: str | None,
    outcome: _Outcome | None,
    status: int | None,
    error: str | None,
) -> "RecordFilter":
    from mainstay.telemetry.store import RecordFilter

    return RecordFilter(
        since=_since(since) if since else None,
        route=route,
        target=model,
        keys=() if key is None else _aliases(key, names),
        team=team,
        outcome=None if outcome is None else outcome.value,
        status=status,
        error=error,
    )


def _aliases(key: str, names: dict[str, str]) -> tuple[str, ...]:
    return (key, *(id_ for id_, name in names.items() if name == key), *([names[key]] if key in names else []))


def _since(text: str) -> int:
    try:
        return wall_ms() - round(parse_duration(text) * 1000)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            "write 15m, 1h, 7d, or a time such as 2026-11-21T08:00 (UTC).", param_hint="--since"
        ) from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _cells(record: Record, names: dict[str, str]) -> tuple[str, ...]:
    usage = record.usage
    cells = (
        _time(record.at),
        str(record.status or ""),
        record.outcome,
        record.route,
        record.target,
        names.get(record.key, record.key),
        "" if usage is None else str(usage.input),
        "" if usage is None else str(usage.output),
        _ms(record.first_ms),
        _ms(record.total_ms),
        str(len(record.attempts)),
        record.error,
        record.id,
    )
    # What a caller chose must not break a line nor command a terminal.
    return tuple(printable(cell) for cell in cells)


def _table(rows: list[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not rows:
        console.print("No records.")
        return
    shown = _shown(console.width)
    table = Table(box=None, pad_edge=False)
    for index in shown:
        name = _COLUMNS[index][0]
        # The id must come out whole, to be copied into 'show'.
        table.add_column(name, no_wrap=True, min_width=36 if name == "id" else None)
    colours = {"ok": "green", "refused": "yellow", "failed": "red", "gone": "dim"}
    for row in rows:
        cells = (row[0][5:19], *row[1:])  # the month to the second
        table.add_row(*(Text(cells[index]) for index in shown), style=colours.get(row[2], ""))
    console.print(table)


def _shown(width: int) -> list[int]:
    return [index for index, (_, needed, _) in enumerate(_COLUMNS) if width >= needed]


def _aligned(cells: list[str]) -> str:
    """Return a line for a terminal whose columns stand under those of the line before; long values are cut."""
    parts = []
    for index in _shown(shutil.get_terminal_size().columns):
        width = _COLUMNS[index][2]
        parts.append(cells[index].ljust(width) if len(cells[index]) <= width else cells[index][: width - 1] + "…")
    return "  ".join(parts).rstrip()


def _lines(record: Record, names: dict[str, str]) -> Iterator[str]:
    for name, value in _full(record).items():
        if name in ("attempts", "usage", "verdicts", "grounding") or value in ("", None, [], {}):
            continue
        shown = _time(record.at) if name == "at" else names.get(record.key, value) if name == "key" else value
        yield f"{name:<16}{printable(str(shown))}"
    for name, value in _builtin(record.usage).items() if record.usage else ():
        if value:
            yield f"{'tokens.' + name if name != 'estimated' else name:<16}{value}"
    for number, attempt in enumerate(record.attempts, 1):
        timings = [f"headers {_ms(attempt.headers_ms)}"] if attempt.headers_ms is not None else []
        timings += [f"first {_ms(attempt.first_ms)}"] if attempt.first_ms is not None else []
        ids = [part for part in (attempt.upstream_model, attempt.upstream_id, attempt.detail) if part]
        yield printable(
            f"attempt {number:<8}{attempt.cause}: {attempt.target} at {attempt.provider}, "
            f"{attempt.outcome or 'unfinished'} {attempt.status or ''}".rstrip()
            + f", from {_ms(attempt.offset_ms)} ms: "
            + ", ".join((*timings, f"total {_ms(attempt.total_ms)} ms"))
            + (f", {to_usd(attempt.cost):f} dollars ({attempt.priced})" if attempt.cost is not None else "")
            + (f" ({'; '.join(ids)})" if ids else "")
        )
    for verdict in record.verdicts:
        yield printable(_said(verdict))
    if record.grounding is not None:
        yield from (printable(line) for line in _rests(record.grounding))
    if record.content is not None:
        yield "request         " + printable(record.content.request)
        yield "response        " + printable(record.content.response)


def _said(verdict: RailVerdict) -> str:
    found = ", ".join(f"{count} {kind}" for kind, count in sorted(verdict.kinds.items()))
    score = f", score {verdict.score:.2f}" if verdict.score is not None else ""
    places = " ".join(f"{span.place}:{span.start}-{span.end}" for span in verdict.spans)
    return (
        f"rail            {verdict.rail} at {verdict.where}: {verdict.outcome}"
        + ("" if verdict.enforced else " (monitored)")
        + (f", {found}{score}" if found else "")
        + f", {verdict.ms:.1f} ms"
        + (f", at {places}" if places else "")
    )


def _rests(grounding: Grounding) -> Iterator[str]:
    """Yield what an answer rests on, a line for each citation."""
    at = f"{grounding.base}@{grounding.version} step {grounding.seq}"
    facts = [f"{len(grounding.sources)} passages in {grounding.ms:.0f} ms"]
    facts += [f"{count} {name.replace('_', ' ')}" for name, count in sorted(grounding.verdicts.items())]
    facts += [f"{grounding.invented} invented marks"] if grounding.invented else []
    facts += [f"{count} dropped ({why})" for why, count in sorted(grounding.dropped.items())]
    facts += [f"late: {', '.join(grounding.late)}"] if grounding.late else []
    facts += ["nothing found"] if grounding.nothing else []
    facts += [f"oldest source {grounding.oldest_ms / 86_400_000:.1f} days"] if grounding.oldest_ms is not None else []
    yield f"{'grounding':<16}{at}: {', '.join((*facts, *filter(None, (grounding.did,))))}"
    for span in grounding.citations:
        score = f" {span.score:.2f}" if span.score is not None else ""
        where = f"{span.choice}.text:{span.start}-{span.end}"
        yield f"{'cited':<16}{where} rests on {span.passage}:{span.source[0]}-{span.source[1]}, {span.verdict}{score}"


def _full(record: Record) -> dict[str, Any]:
    """Return every field but the content, defaults too: a script should not have to guess."""
    values = {name: getattr(record, name) for name in record.__struct_fields__ if name != "content"}
    values["attempts"] = [{**_builtin(attempt), "usage": _builtin(attempt.usage)} for attempt in record.attempts]
    values["usage"] = _builtin(record.usage)
    values["verdicts"] = [
        {**_builtin(verdict), "spans": [_builtin(span) for span in verdict.spans]} for verdict in record.verdicts
    ]
    values["grounding"] = msgspec.to_builtins(record.grounding)
    return values


def _builtin(value: msgspec.Struct | None) -> Any:
    return None if value is None else msgspec.structs.asdict(value)


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(sep=" ", timespec="milliseconds")[:23]


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
