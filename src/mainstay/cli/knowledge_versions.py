"""Verbs of ``mainstay knowledge`` about whole states of a base: its versions, what differs between two, and files of
it."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from mainstay.cli.knowledge_options import Base, moment, opened_knowledge, progress, seconds, time_of
from mainstay.cli.options import AsJson, ConfigOption
from mainstay.cli.output import print_json, print_rows
from mainstay.core.config import format_size

__all__ = ["build", "collect", "diff", "export", "import_", "rollback", "swap", "versions"]

NameOfVersion = Annotated[str, typer.Argument(metavar="VERSION", help="A version, by its name.")]
Archive = Annotated[Path, typer.Argument(metavar="FILE", help="The file that holds the base.")]
State = "a version, or a moment: 7d, 2026-11-21T08:00"


def versions(base: Base, config: ConfigOption = None, as_json: AsJson = False) -> None:
    """List the versions of a base.

    \b
    Examples:
      mainstay knowledge versions handbook
    """
    with opened_knowledge(config) as (knowledge, _):
        found = knowledge.versions(base)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    cells = [
        (
            one.name,
            one.state,
            one.embedder or "(words only)",
            one.chunker,
            one.parent,
            str(one.seq),
            time_of(one.created),
        )
        for one in found
    ]
    print_rows(("version", "state", "embedder", "chunker", "made from", "step", "made"), cells, "It has no version.")


def diff(
    base: Base,
    one: Annotated[str, typer.Argument(metavar="ONE", help=f"The state to begin with: {State}.")],
    other: Annotated[
        str, typer.Argument(metavar="[OTHER]", help=f"The state to compare it with: {State}; now when not given.")
    ] = "",
    config: ConfigOption = None,
    as_json: AsJson = False,
) -> None:
    """Compare two states of a base.

    Documents that are new, gone or changed from ONE to OTHER.

    \b
    Examples:
      mainstay knowledge diff handbook 7d
      mainstay knowledge diff handbook main next
    """
    with opened_knowledge(config) as (knowledge, _):
        names = {version.name for version in knowledge.versions(base)}
        pins = [
            knowledge.resolve(base, version=state)
            if state in names or not state
            else knowledge.resolve(base, at=moment(state, "ONE" if state == one else "OTHER"))
            for state in (one, other)
        ]
        found = knowledge.diff(base, *pins)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    cells = [(change.what, change.document, str(change.before or ""), str(change.after or "")) for change in found]
    print_rows(("what", "document", "revision before", "revision after"), cells, "They are the same.")


def build(
    base: Base,
    version: NameOfVersion,
    config: ConfigOption = None,
    embedder: Annotated[
        str | None,
        typer.Option("--embedder", help="minilm, static, none, or a model of 'models'; as configured otherwise."),
    ] = None,
    why: Annotated[str, typer.Option("--why", help="Why; kept with the change.")] = "",
    as_json: AsJson = False,
) -> None:
    """Build a version beside the live one.

    With other embeddings or other passages, from the documents of the live one. Questions go on to that until 'swap'.
    What was cut off goes on when it is given again, and so does what was edited meanwhile.

    \b
    Examples:
      mainstay knowledge build handbook next --embedder minilm
    """
    wanted = embedder if embedder in (None, "minilm", "static", "none") else {"model": embedder}
    with opened_knowledge(config, changing=True) as (knowledge, _), progress("Building") as told:
        made = knowledge.build(base, version, embedder=wanted, told=told, why=why)
    if as_json:
        print_json(msgspec.to_builtins(made))
        return
    typer.echo(f"'{made.name}' is {made.state}; compare it with 'eval --against', then 'swap'.")


def swap(
    base: Base,
    version: NameOfVersion,
    config: ConfigOption = None,
    why: Annotated[str, typer.Option("--why", help="Why; kept with the change.")] = "",
    as_json: AsJson = False,
) -> None:
    """Send questions to another version.

    In one step: each answer is made from one version, the old or the new. Nothing is restarted.

    \b
    Examples:
      mainstay knowledge swap handbook next
    """
    with opened_knowledge(config, changing=True) as (knowledge, _):
        made = knowledge.swap(base, version, why=why)
    if as_json:
        print_json(msgspec.to_builtins(made))
    else:
        typer.echo(f"'{made.name}' is live.")


def rollback(
    base: Base,
    config: ConfigOption = None,
    why: Annotated[str, typer.Option("--why", help="Why; kept with the change.")] = "",
    as_json: AsJson = False,
) -> None:
    """Send questions to the version before.

    Undoes the last swap, in one step. What was corrected or retracted meanwhile stays so.

    \b
    Examples:
      mainstay knowledge rollback handbook --why "Worse answers."
    """
    with opened_knowledge(config, changing=True) as (knowledge, _):
        made = knowledge.rollback(base, why=why)
    if as_json:
        print_json(msgspec.to_builtins(made))
    else:
        typer.echo(f"'{made.name}' is live again.")


def collect(
    base: Base,
    config: ConfigOption = None,
    keep: Annotated[str, typer.Option("--keep", help="Leave what was superseded within this time.")] = "7d",
    as_json: AsJson = False,
) -> None:
    """Remove what was superseded long ago.

    What 'asof' may ask for, and what 'rollback' may go back to, reaches as far as --keep.

    \b
    Examples:
      mainstay knowledge gc handbook
    """
    with opened_knowledge(config, changing=True) as (knowledge, _):
        found = knowledge.gc(base, window=seconds(keep, "--keep"))
    if as_json:
        print_json(msgspec.to_builtins(found))
    else:
        typer.echo(f"Removed {found.passages:,} passages; the file has {format_size(found.size)}.")


def export(base: Base, archive: Archive, config: ConfigOption = None, as_json: AsJson = False) -> None:
    """Write a base to a file.

    With its documents, versions, vectors and changes; what was retracted is named by its hash only.

    \b
    Examples:
      mainstay knowledge export handbook handbook.mainstay
    """
    with opened_knowledge(config, changing=True) as (knowledge, _):
        size = knowledge.export(base, archive)
    if as_json:
        print_json({"base": base, "file": str(archive), "bytes": size})
    else:
        typer.echo(f"Wrote {format_size(size)} to {archive}.")


def import_(
    base: Base,
    archive: Archive,
    config: ConfigOption = None,
    why: Annotated[str, typer.Option("--why", help="Why; kept with the change.")] = "",
    as_json: AsJson = False,
) -> None:
    """Read a base from a file.

    Into a base that is empty or not there yet. What was retracted here stays out.

    \b
    Examples:
      mainstay knowledge import handbook handbook.mainstay
    """
    with opened_knowledge(config, changing=True) as (knowledge, _):
        knowledge.import_(base, archive, why=why)
        (found,) = [one for one in knowledge.bases() if one.name == base]
    if as_json:
        print_json(msgspec.to_builtins(found))
    else:
        typer.echo(f"'{base}' has {found.documents:,} documents, {found.passages:,} passages.")
    sys.stdout.flush()
