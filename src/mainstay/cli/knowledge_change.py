"""``mainstay knowledge edit``, ``retract`` and ``history``: what is wrong is put right, or taken out for good, and who
did that."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from mainstay.cli.knowledge_options import Base, VersionOption, Why, opened_knowledge, time_of
from mainstay.cli.options import AsJson, ConfigOption
from mainstay.cli.output import print_json, print_rows
from mainstay.core.errors import StartError

if TYPE_CHECKING:  # what searches and embeds costs a tenth of a second, which 'mainstay --help' should not
    from mainstay.grounding.port import Written

__all__ = ["edit", "history", "retract", "retractions"]

Name = Annotated[str, typer.Argument(metavar="DOCUMENT|PASSAGE", help="A document, or a passage by its name.")]


def edit(
    base: Base,
    name: Name,
    why: Why,
    config: ConfigOption = None,
    text_file: Annotated[
        Path | None, typer.Option("--file", "-f", help="All of its new text; '-' reads standard input.")
    ] = None,
    text: Annotated[str | None, typer.Option("--text", help="All of its new text.")] = None,
    replace: Annotated[str, typer.Option("--replace", metavar="WORDS", help="These words of it only.")] = "",
    by: Annotated[str | None, typer.Option("--by", metavar="WORDS", help="What takes their place.")] = None,
    version: VersionOption = "",
    as_json: AsJson = False,
) -> None:
    """Correct a document, a passage, or a fact in it.

    The next question finds the correction, in every process; kept answers that rest on what was corrected are dropped
    before this returns. What was there stays to be asked for with 'asof'.

    \b
    Examples:
      mainstay knowledge edit handbook docs/warranty.md --replace "two years" --by "three years" --why "New terms."
      mainstay knowledge edit handbook docs/warranty.md --file warranty.md --why "Rewritten."
    """
    given = [text_file is not None, text is not None, bool(replace)]
    if sum(given) != 1:
        raise typer.BadParameter("say one of --file, --text, or --replace with --by.", param_hint="--replace")
    if bool(replace) != (by is not None):
        raise typer.BadParameter("--replace and --by go together.", param_hint="--by")
    whole = _read(text_file) if text_file is not None else text
    with opened_knowledge(config, changing=True) as (knowledge, _):
        if whole is not None:
            written = knowledge.edit(base, name, whole, why=why, version=version)
        else:
            written = knowledge.correct(base, name, replace, by or "", why=why, version=version)
    _say("Corrected", written, as_json=as_json)


def retract(
    base: Base,
    why: Why,
    name: Annotated[
        str, typer.Argument(metavar="[DOCUMENT|PASSAGE]", help="A document, or a passage by its name.")
    ] = "",
    config: ConfigOption = None,
    fact: Annotated[str, typer.Option("--fact", metavar="WORDS", help="Every passage that says this.")] = "",
    erase: Annotated[bool, typer.Option("--erase", help="Blank the words, too: they are in no past either.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Let a document in again that was retracted.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take something out for good.

    Of every version: no rollback, import or reading again brings it back. Kept answers that rest on it are dropped
    before this returns. With --undo a document may be added again, what was erased excepted.

    \b
    Examples:
      mainstay knowledge retract handbook docs/old.md --why "Superseded."
      mainstay knowledge retract handbook --fact "Jane Roe" --erase --why "Asked to be forgotten."
      mainstay knowledge retract handbook docs/old.md --undo --why "A mistake."
    """
    if bool(name) == bool(fact):
        raise typer.BadParameter("name a document or a passage, or say --fact.", param_hint="--fact")
    if undo and (fact or erase):
        raise typer.BadParameter("--undo is of one document, by its name.", param_hint="--undo")
    with opened_knowledge(config, changing=True) as (knowledge, _):
        if undo:
            written = knowledge.unretract(base, name, why=why)
        else:
            written = knowledge.retract(base, name, fact=fact, erase=erase, why=why)
    _say("Let in again" if undo else "Retracted", written, as_json=as_json)


def history(
    base: Base,
    name: Annotated[str, typer.Argument(metavar="[DOCUMENT]", help="Of one document; all changes otherwise.")] = "",
    config: ConfigOption = None,
    limit: Annotated[int, typer.Option(min=1, help="The most that are listed.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List changes: who, why and when.

    Newest first. A change that took out or added documents has a line for each.

    \b
    Examples:
      mainstay knowledge history handbook
      mainstay knowledge history handbook docs/warranty.md --json
    """
    with opened_knowledge(config) as (knowledge, _):
        found = knowledge.history(base, name, limit=limit)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    cells = [(str(one.seq), time_of(one.at), one.what, one.document, one.version, one.who, one.why) for one in found]
    print_rows(("step", "when", "what", "document", "version", "who", "why"), cells, "Nothing was changed.")


def retractions(base: Base, config: ConfigOption = None, as_json: AsJson = False) -> None:
    """List what was retracted.

    Oldest first: who, why and when, without its words. 'retract --undo' takes the number of a fact.

    \b
    Examples:
      mainstay knowledge retractions handbook
    """
    with opened_knowledge(config) as (knowledge, _):
        found = knowledge.retracted(base)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    cells = [
        (str(one.id), one.kind, one.name or one.sha256[:12], time_of(one.at), one.who, one.why, "erased" * one.erased)
        for one in found
    ]
    print_rows(("number", "what", "name", "when", "who", "why", ""), cells, "Nothing was retracted.")


def _say(what: str, written: "Written", *, as_json: bool) -> None:
    if as_json:
        print_json(msgspec.to_builtins(written))
        return
    typer.echo(f"{what}: {len(written.closed)} passages closed, {len(written.opened)} new, at step {written.seq}.")


def _read(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text()
    except (OSError, UnicodeDecodeError):
        raise StartError(f"'{file}' cannot be read as text.") from None
