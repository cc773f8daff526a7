"""What the verbs of ``mainstay knowledge`` share: what they are about, knowledge as it stands, moments, progress."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainstay.cli.database import actor, opened
from mainstay.cli.options import find_config
from mainstay.cli.output import printable
from mainstay.config import Loaded, load_config
from mainstay.core.clock import monotonic, wall_ms
from mainstay.core.config import parse_duration
from mainstay.core.errors import MainstayError, StartError

if TYPE_CHECKING:  # what searches and embeds costs a tenth of a second, which 'mainstay --help' should not
    from mainstay.core.sources import Found
    from mainstay.grounding.reports import Progress
    from mainstay.grounding.service import Knowledge

__all__ = [
    "At",
    "Base",
    "Fields",
    "Groups",
    "Most",
    "Public",
    "VersionOption",
    "Why",
    "moment",
    "opened_knowledge",
    "print_found",
    "print_text",
    "progress",
    "rows_of",
    "seconds",
    "time_of",
    "viewer",
]

Base = Annotated[str, typer.Argument(metavar="BASE", help="The knowledge base, by its name in 'knowledge'.")]
Why = Annotated[str, typer.Option("--why", help="Why; kept with the change, with who made it and when.")]
VersionOption = Annotated[str, typer.Option("--version", help="Of this version; of the live one when not given.")]
Groups = Annotated[
    list[str] | None,
    typer.Option("--group", "-g", help="As someone of this group sees it; may be repeated. All is seen otherwise."),
]
Public = Annotated[bool, typer.Option("--public", help="As someone of no group sees it.")]
Most = Annotated[int, typer.Option("--most", min=1, max=100, help="At most so many passages.")]
At = Annotated[str, typer.Option("--at", help="As it was then: 2h ago, 7d ago, or 2026-11-21T08:00 (UTC).")]
Fields = Annotated[list[str] | None, typer.Option("--field", metavar="NAME=VALUE", help="Documents with this field.")]


@contextmanager
def opened_knowledge(config: Path | None, *, changing: bool = False) -> Iterator[tuple["Knowledge", Loaded]]:
    """Open the knowledge of a configuration; a change is also noted in the audit log.

    Raises:
        StartError: what the block asks for cannot be done; the message says why.
    """
    from mainstay.assembly.bases import auditor, open_knowledge

    loaded = load_config(find_config(config), os.environ)
    try:
        if changing:
            with opened(loaded) as engine, open_knowledge(loaded, actor(), auditor(engine, actor())) as knowledge:
                yield knowledge, loaded
        else:
            with open_knowledge(loaded, actor()) as knowledge:
                yield knowledge, loaded
    except MainstayError as error:
        raise StartError(error.message) from None


def moment(text: str, option: str) -> int:
    """Return wall-clock ms for ``7d`` or ``7d ago`` (so long ago) or ``2026-11-21T08:00``; 0 for nothing."""
    if not text:
        return 0
    try:
        return wall_ms() - round(parse_duration(text.removesuffix("ago")) * 1000)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            "write 15m, 1h, 7d, or a time such as 2026-11-21T08:00 (UTC).", param_hint=option
        ) from None
    return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def seconds(text: str, option: str) -> float:
    """Return the seconds of ``12h`` or ``90d``; 0 for nothing."""
    try:
        return parse_duration(text) if text else 0.0
    except ValueError:
        raise typer.BadParameter("write a time such as 12h or 90d.", param_hint=option) from None


def viewer(groups: Sequence[str] | None, *, public: bool) -> frozenset[str] | None:
    """Return the groups that are looked with, None for all there are."""
    if public and groups:
        raise typer.BadParameter("say either --public or --group.", param_hint="--public")
    return frozenset() if public else frozenset(groups) if groups else None


def rows_of(given: Sequence[str] | None, option: str) -> dict[str, str]:
    """Return ``NAME=VALUE`` words as a mapping."""
    found = {}
    for word in given or ():
        name, mark, value = word.partition("=")
        if not mark or not name:
            raise typer.BadParameter(f"'{word}' is not NAME=VALUE.", param_hint=option)
        found[name] = value
    return found


def time_of(ms: int) -> str:
    """Return a moment as people read it, "" for 0."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S") if ms else ""


def print_found(found: "Found", about: str = "") -> None:
    """Print passages as a reader wants them: numbered, with where they stand, then their words."""
    if not found.sources:
        typer.echo(f"Nothing is found{about}.")
    for number, source in enumerate(found.sources, 1):
        where = " › ".join(source.heading)
        page = f"page {source.page}" if source.page else ""
        told = [source.title if source.title != source.document else "", page, where, *source.flags]
        parts = ", ".join(part for part in told if part)
        typer.echo(printable(f"[{number}] {source.document}{f' ({parts})' if parts else ''}  {source.score:.3f}"))
        typer.echo(f"    passage {source.passage}, revision {source.revision}, {source.start} to {source.end}")
        print_text(source.text)


def print_text(text: str) -> None:
    """Print a text, indented; what a terminal would take for a command is written out."""
    for line in text.strip().split("\n"):
        typer.echo(f"    {printable(line)}")


@contextmanager
def progress(what: str) -> "Iterator[Callable[[Progress], None]]":
    """Yield what is told how far it is: a bar on a terminal, a plain line each second at most elsewhere."""
    if not sys.stderr.isatty():
        told = 0.0

        def plain(at: "Progress") -> None:
            nonlocal told
            if at.done < at.total and (not told or monotonic() - told >= 1):
                told = monotonic()
                typer.echo(f"{what} {at.done + 1}/{at.total} {printable(at.current)}", err=True)

        yield plain
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda at: bar.update(task, completed=at.done, total=at.total)
