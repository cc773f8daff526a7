"""``mainstay knowledge``: documents that answers rest on. Works whether or not a server runs: what a command changes,
the next question to a running gateway finds."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from mainstay.cli import knowledge_change as change
from mainstay.cli import knowledge_find as find
from mainstay.cli import knowledge_versions as versions
from mainstay.cli.knowledge_options import (
    Base,
    VersionOption,
    opened_knowledge,
    print_text,
    progress,
    rows_of,
    seconds,
    time_of,
)
from mainstay.cli.options import AsJson, ConfigOption
from mainstay.cli.output import print_json, print_rows, printable
from mainstay.core.config import format_duration, format_size

if TYPE_CHECKING:  # what searches and embeds costs a tenth of a second, which 'mainstay --help' should not
    from mainstay.grounding.reports import Report
    from mainstay.grounding.service import Knowledge

__all__ = ["app"]

_TIMES = ("dated", "read_at", "expires")

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Places = Annotated[
    list[str] | None,
    typer.Argument(metavar="[PATH|URL]...", help="Files, folders, addresses; what the configuration says otherwise."),
]
NameOfPlace = Annotated[
    str, typer.Option("--name", help="What the place is called, and its documents' names begin with.")
]
GroupsOf = Annotated[
    list[str] | None, typer.Option("--group", "-g", help="Who may see them; may be repeated. Everyone otherwise.")
]
FieldsOf = Annotated[
    list[str] | None, typer.Option("--field", metavar="NAME=VALUE", help="Kept with them, to search by.")
]
Include = Annotated[list[str] | None, typer.Option("--include", help="Of a folder only these: *.md, guides/**.")]
Texts = Annotated[
    list[str] | None, typer.Option("--text", metavar="FIELD", help="Of rows of CSV and JSONL, this is the text.")
]


@app.callback()
def _knowledge() -> None:
    """Knowledge bases: documents that answers rest on.

    Fill, search, correct and swap them while the gateway runs.

    \b
    Examples:
      mainstay knowledge add handbook docs/
      mainstay knowledge search handbook "How long is the warranty?"
      mainstay knowledge ask handbook "How long is the warranty?"
      mainstay knowledge edit handbook docs/warranty.md --replace "two years" --by "three years" --why "New terms."
    """


@app.command("add")
def _add(
    base: Base,
    places: Places = None,
    config: ConfigOption = None,
    urls: Annotated[Path | None, typer.Option("--urls", help="A file of addresses, one a line.")] = None,
    version: VersionOption = "",
    name: NameOfPlace = "",
    group: GroupsOf = None,
    field: FieldsOf = None,
    licence: Annotated[str, typer.Option(help="Under which licence they stand.")] = "",
    consent: Annotated[str, typer.Option(help="By whose consent they are used.")] = "",
    ttl: Annotated[str, typer.Option(help="How long they may be used after they were read: 90d.")] = "",
    include: Include = None,
    exclude: Annotated[list[str] | None, typer.Option("--exclude", help="Of a folder not these.")] = None,
    text: Texts = None,
    row_id: Annotated[
        str, typer.Option("--id", metavar="FIELD", help="What rows of CSV and JSONL are called by.")
    ] = "",
    whole: Annotated[bool, typer.Option("--whole", help="Take CSV and JSONL as one document, not row by row.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Read what is unchanged, too.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 if any file failed, not only all.")] = False,
    why: Annotated[str, typer.Option("--why", help="Why; kept with the change.")] = "",
    as_json: AsJson = False,
) -> None:
    """Read documents into a knowledge base.

    Makes the base if there is none. Only what changed is read again, and a command that was cut off goes on when it is
    given again. A file that cannot be read is a line of its own and stops nothing. Each row of CSV and JSONL is a
    document of its own, FILE#ID.

    \b
    Examples:
      mainstay knowledge add handbook docs/
      mainstay knowledge add handbook https://example.com/terms.html --ttl 30d
      mainstay knowledge add handbook salaries.xlsx --group hr --why "The new scale."
    """
    given = [*(places or ()), *_lines(urls)]
    said = {
        "name": name,
        "groups": tuple(group or ()),
        "include": tuple(include or ()),
        "exclude": tuple(exclude or ()),
        "ttl": seconds(ttl, "--ttl"),
        "licence": licence,
        "consent": consent,
        "fields": rows_of(field, "--field"),
    }
    if text or row_id or whole:
        said["rows"] = {"split": not whole, "text": tuple(text or ()), "id": row_id}
    with opened_knowledge(config, changing=True) as (knowledge, _), progress("Reading") as told:
        reports = knowledge.add(base, given, said, version=version, again=again, why=why, told=told)
    if as_json:
        print_json(msgspec.to_builtins(reports))
    else:
        _print_reports(reports)
    failed = sum(len(one.problems) for one in reports)
    fine = sum(one.added + one.changed + one.unchanged for one in reports)
    if failed and (strict or not fine):
        raise typer.Exit(1)


def _print_reports(reports: "Sequence[Report]") -> None:
    for one in reports:
        for problem in one.problems:
            typer.echo(printable(f"{problem.document} {problem.message}"), err=True)
        counts = {
            "added": one.added,
            "changed": one.changed,
            "unchanged": one.unchanged,
            "gone": one.closed,
            "retracted before": one.refused,
            "of no kind that is read": one.skipped,
            "failed": len(one.problems),
        }
        told = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count) or "nothing to read"
        flags = "".join(f"; {count:,} passages flagged {flag}" for flag, count in one.flags.items())
        typer.echo(f"{printable(one.source)}: {told}; {one.passages:,} passages in {one.seconds:.1f} s{flags}.")


@app.command("list")
def _list(config: ConfigOption = None, as_json: AsJson = False) -> None:
    """List knowledge bases.

    \b
    Examples:
      mainstay knowledge list
      mainstay knowledge list --json
    """
    with opened_knowledge(config) as (knowledge, _):
        found = knowledge.bases()
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    columns = ("base", "version", "documents", "passages", "size", "changed", "stale")
    cells = [
        (
            one.name,
            one.version,
            f"{one.documents:,}",
            f"{one.passages:,}",
            format_size(one.size),
            time_of(one.changed),
            f"{one.stale:,}" if one.stale else "",
        )
        for one in found
    ]
    print_rows(columns, cells, "There is no knowledge yet; begin with: mainstay knowledge add NAME FOLDER")


@app.command("show")
def _show(
    base: Base,
    name: Annotated[
        str, typer.Argument(metavar="[DOCUMENT|PASSAGE]", help="One document, or one passage; all when not given.")
    ] = "",
    config: ConfigOption = None,
    version: VersionOption = "",
    after: Annotated[str, typer.Option("--after", help="Go on after this document.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="The most that are listed.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Show the documents of a base, or one of them.

    One document with its passages; a passage with what stands around it, as it was even when it was corrected since,
    unless it was retracted.

    \b
    Examples:
      mainstay knowledge show handbook
      mainstay knowledge show handbook docs/warranty.md
    """
    from mainstay.grounding.service.shelves import PASSAGE

    with opened_knowledge(config) as (knowledge, _):
        if not name:
            _show_all(knowledge, base, version, after, limit, as_json=as_json)
        elif PASSAGE.fullmatch(name):
            _show_passage(knowledge, base, name, as_json=as_json)
        else:
            _show_one(knowledge, base, name, version, as_json=as_json)


def _show_one(knowledge: "Knowledge", base: str, name: str, version: str, *, as_json: bool) -> None:
    shown = knowledge.document(base, name, version=version)
    if as_json:
        print_json(msgspec.to_builtins(shown))
        return
    row = shown.document
    told = {"document": row.document, "revision": row.revision, "sha256": row.sha256}
    told |= msgspec.structs.asdict(row.meta) | {"sha256 of the file": row.meta.sha256, "expires": row.expires}
    _print_told(told | {"sha256": row.sha256})
    for passage in shown.passages:
        where = [f"{passage.start} to {passage.end}", f"page {passage.page}" if passage.page else ""]
        where += [" › ".join(passage.heading), *passage.flags]
        typer.echo(printable(f"\n{passage.name}  {', '.join(part for part in where if part)}".strip()))
        print_text(passage.text)


def _show_passage(knowledge: "Knowledge", base: str, name: str, *, as_json: bool) -> None:
    shown = knowledge.open_passage(base, name)
    if as_json:
        print_json(msgspec.to_builtins(shown))
        return
    source = shown.source
    told = {"passage": source.passage, "state": shown.state} | msgspec.structs.asdict(source)
    _print_told({name: value for name, value in told.items() if name not in ("pin", "text", "score")})
    print_text(f"{shown.before}⟦{source.text}⟧{shown.after}")


def _show_all(knowledge: "Knowledge", base: str, version: str, after: str, limit: int, *, as_json: bool) -> None:
    rows = knowledge.documents(base, version=version, after=after, limit=limit + 1)
    if as_json:
        print_json({"data": msgspec.to_builtins(rows[:limit]), "has_more": len(rows) > limit})
        return
    columns = ("document", "revision", "title", "passages", "groups", "dated", "read", "too old from")
    cells = [
        (
            row.document,
            str(row.revision),
            row.meta.title,
            str(row.passages),
            " ".join(row.meta.groups),
            time_of(row.meta.dated)[:10],
            time_of(row.meta.read_at),
            time_of(row.expires),
        )
        for row in rows[:limit]
    ]
    print_rows(columns, cells, "It has no document.")
    if len(rows) > limit:
        typer.echo(f"There are more: --after '{printable(rows[limit - 1].document)}' goes on.", err=True)


@app.command("sources")
def _sources(base: Base, config: ConfigOption = None, as_json: AsJson = False) -> None:
    """List the sources of a base.

    Those that the configuration gives it: when each was last read whole, and when it is next.

    \b
    Examples:
      mainstay knowledge sources handbook
    """
    with opened_knowledge(config) as (knowledge, _):
        found = knowledge.sources(base)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    cells = [
        (
            one.name,
            one.path or f"{len(one.urls)} addresses",
            format_duration(one.every) if one.every else "",
            time_of(one.listed) or "never",
            time_of(one.due),
            f"{one.documents:,}",
            f"{one.problems:,}" if one.problems else "",
            "stale" if one.stale else "",
        )
        for one in found
    ]
    columns = ("source", "where", "every", "read", "next", "documents", "failed", "")
    print_rows(columns, cells, f"'knowledge.{base}' of the configuration has no sources.")


@app.command("stale")
def _stale(
    base: Annotated[str, typer.Argument(metavar="[BASE]", help="One knowledge base; all when not given.")] = "",
    config: ConfigOption = None,
    as_json: AsJson = False,
) -> None:
    """List what is too old.

    Documents past their limit, and sources that were not read whole for longer than they should be. Exit code 1 when
    there is any.

    \b
    Examples:
      mainstay knowledge stale
      mainstay knowledge stale handbook --json
    """
    with opened_knowledge(config) as (knowledge, _):
        found = [one for name in ([base] if base else knowledge.names()) for one in knowledge.stale(name)]
    if as_json:
        print_json(msgspec.to_builtins(found))
    else:
        cells = [
            (one.base, one.what, one.name, time_of(one.since) or "never", format_duration(round(one.seconds)))
            for one in found
        ]
        print_rows(("base", "what", "name", "since", "ago"), cells, "Nothing is too old.")
    if found:
        raise typer.Exit(1)


def _print_told(told: dict[str, Any]) -> None:
    for name, value in told.items():
        if not value:
            continue
        said = ", ".join(value) if isinstance(value, tuple) else value
        if isinstance(value, dict):
            said = ", ".join(f"{key}={one}" for key, one in value.items())
        typer.echo(f"{name}: {printable(time_of(value) if name in _TIMES else str(said))}")


def _lines(path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        lines = [line.strip() for line in path.read_text().splitlines()]
    except (OSError, UnicodeDecodeError):
        raise typer.BadParameter(f"'{path}' cannot be read as text.", param_hint="--urls") from None
    return [line for line in lines if line and not line.startswith("#")]


for _name, _verb in (
    ("search", find.search),
    ("ask", find.ask),
    ("asof", find.asof),
    ("eval", find.evaluate),
    ("edit", change.edit),
    ("retract", change.retract),
    ("retractions", change.retractions),
    ("history", change.history),
    ("diff", versions.diff),
    ("versions", versions.versions),
    ("build", versions.build),
    ("swap", versions.swap),
    ("rollback", versions.rollback),
    ("gc", versions.collect),
    ("export", versions.export),
    ("import", versions.import_),
):
    app.command(_name)(_verb)
