"""``mainstay privacy``: what is kept of someone, a copy, its erasure with a proof; and the keys of sealed content.

Works whether or not a server runs; the newest records are loaded first.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from mainstay.cli.database import actor, load_newest, opened
from mainstay.cli.options import AsJson, ConfigOption, find_config
from mainstay.cli.output import print_json, print_rows, printable
from mainstay.config import Loaded, load_config
from mainstay.core.errors import StartError
from mainstay.core.subject import KINDS, Subject, Trace

if TYPE_CHECKING:  # SQLAlchemy costs a quarter of a second, which 'mainstay --help' should not
    from sqlalchemy import Engine

    from mainstay.governance.privacy import Desk
    from mainstay.governance.vault import Vault

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
_WHO = "user:ID (as callers send it), key:NAME, or text:WORDS to look for; without a kind, a user."
Who = Annotated[str, typer.Argument(metavar="SUBJECT", help=_WHO)]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.callback()
def _privacy() -> None:
    """What is kept of someone.

    Find it, hand it over, erase it; and how content is sealed.

    \b
    Examples:
      mainstay privacy find user:u-1001
      mainstay privacy erase user:u-1001 --yes > proof.json
      mainstay privacy report
    """


@app.command("find")
def _find(who: Who, config: ConfigOption = None, as_json: AsJson = False) -> None:
    """Find where something is kept of a subject.

    Looks through records, content, journals, stored responses, files and reviews.

    \b
    Examples:
      mainstay privacy find user:u-1001
      mainstay privacy find text:jane@example.com
    """
    with _opened(config) as session:
        desk, subject = session.ask(who)
        found = [_bare(trace) for trace in desk.find(subject)]
    if as_json:
        print_json([{"place": t.place, "what": t.what, "id": t.id, "at": t.at} for t in found])
        return
    rows = [(t.place, t.what, printable(t.id), _time(t.at)) for t in found]
    print_rows(("place", "what", "id", "since"), rows, "Nothing is kept.")


@app.command("export")
def _export(who: Who, config: ConfigOption = None) -> None:
    """Print all that is kept of a subject.

    One JSON object a line.

    \b
    Examples:
      mainstay privacy export user:u-1001 > u-1001.jsonl
    """
    with _opened(config) as session:
        desk, subject = session.ask(who)
        for trace in desk.find(subject, purpose="export"):
            sys.stdout.buffer.write(msgspec.json.encode(trace) + b"\n")
        sys.stdout.flush()


@app.command("erase")
def _erase(who: Who, config: ConfigOption = None, yes: Yes = False) -> None:
    """Erase what is kept of a subject.

    Prints the signed proof as JSON.

    What calls cost stays in the ledger, which has no content and no user. Interrupted, it is ended by being run again.

    \b
    Examples:
      mainstay privacy erase user:u-1001 --yes > proof.json
      mainstay privacy erase key:alice
    """
    with _opened(config) as session:
        desk, subject = session.ask(who)
        if not yes:
            typer.confirm(f"Erase all that is kept of {printable(who)}? This cannot be undone.", abort=True, err=True)
        proof = desk.erase(subject)
    print_json(msgspec.to_builtins(proof))
    for place, count in proof.left.items():
        typer.echo(f"{count} in {place} are in use: run it again when they are not.", err=True)
    if proof.left:
        raise typer.Exit(1)


@app.command("verify")
def _verify(
    proof: Annotated[Path, typer.Argument(metavar="FILE", help="The proof that 'erase' printed.")],
    config: ConfigOption = None,
    who: Annotated[str, typer.Option("--subject", metavar="SUBJECT", help="That it is of this subject, too.")] = "",
    public_key: Annotated[str, typer.Option(metavar="HEX", help="The public key as it was written down.")] = "",
) -> None:
    """Check a proof of erasure.

    That it was signed here, and of whom it is.

    \b
    Examples:
      mainstay privacy verify proof.json --subject user:u-1001
    """
    from mainstay.governance.checkpoints import Signer
    from mainstay.governance.privacy import Proof, check_proof

    try:
        found = msgspec.json.decode(proof.read_bytes(), type=Proof)
        public = bytes.fromhex(public_key)
    except (OSError, ValueError) as error:
        raise StartError(f"There is no proof or no key there ({type(error).__name__}).") from None
    if not public:
        public = Signer(load_config(find_config(config), os.environ).home).public
    if not check_proof(found, public, _subject(who) if who else None):
        raise StartError("The proof is not good: it was changed, is signed by another, or is of another subject.")
    count = sum(one.count for one in found.removed)
    typer.echo(f"The proof is good: {count} things were erased at {_time(found.at)} UTC.")


@app.command("report")
def _report(config: ConfigOption = None, as_json: AsJson = False) -> None:
    """Say what is kept, why, and until when.

    Also how much, and how much of it is sealed.

    \b
    Examples:
      mainstay privacy report
    """
    from mainstay.assembly.kept import report

    loaded = load_config(find_config(config), os.environ)
    with opened(loaded) as engine:
        load_newest(engine, loaded)
        found = report(engine, loaded)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    rows = [(k.what, k.where, k.why, k.until, "" if k.count is None else str(k.count), k.sealed) for k in found]
    print_rows(("what", "where", "why", "until", "how many", "sealed"), rows, "Nothing is kept.")


@app.command("seals")
def _seals(config: ConfigOption = None, as_json: AsJson = False) -> None:
    """List the data keys.

    Whose they are, since when, and which master key wraps them.

    \b
    Examples:
      mainstay privacy seals
    """
    with _vault(config) as vault:
        found = vault.rows()
    if as_json:
        print_json([{"id": r.id, "tenant": r.tenant, "master": r.master, "created_at": r.created_at} for r in found])
        return
    rows = [(r.tenant or "installation", r.id, r.master, _time(r.created_at)) for r in found]
    print_rows(("tenant", "key", "master", "since"), rows, "Nothing is sealed.")


@app.command("rotate")
def _rotate(config: ConfigOption = None) -> None:
    """Replace the master key.

    Makes a new one in var/master.key and wraps the data keys by it, while calls go on.

    A master key that the configuration names is rotated there: see governance.sealing.

    \b
    Examples:
      mainstay privacy rotate
    """
    with _vault(config) as vault:
        done = vault.rotate(actor())
    typer.echo(f"{done} data keys are wrapped by a new master key.")


@app.command("shred")
def _shred(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="team:NAME or organisation:NAME.")],
    config: ConfigOption = None,
    yes: Yes = False,
) -> None:
    """Destroy a tenant's data keys.

    What they seal is erased, wherever a copy of it lies.

    \b
    Examples:
      mainstay privacy shred team:shop --yes
    """
    kind, _, name = tenant.partition(":")
    if kind not in ("team", "organisation") or not name:
        raise typer.BadParameter("write team:NAME or organisation:NAME.", param_hint="TENANT")
    if not yes:
        typer.confirm(f"Destroy the keys of {tenant}? Its sealed content is then lost for good.", abort=True, err=True)
    with _vault(config) as vault:
        count = vault.shred(tenant, actor())
    if not count:
        raise StartError(f"{tenant} has no data keys: 'mainstay privacy seals' lists them.")
    typer.echo(f"{count} data keys of {tenant} are destroyed.")


class _Session:
    """The database and its places, for one command."""

    def __init__(self, engine: "Engine", loaded: Loaded) -> None:
        from mainstay.assembly.kept import open_places, open_seal
        from mainstay.governance.checkpoints import Signer
        from mainstay.governance.privacy import Desk

        self._engine = engine
        self._seal = open_seal(engine, loaded)
        self._desk = Desk(engine, Signer(loaded.home), open_places(engine, loaded, self._seal), actor())

    def ask(self, who: str) -> "tuple[Desk, Subject]":
        """Return what answers, and the subject with all that is known of it."""
        from mainstay.assembly.kept import resolve

        return self._desk, resolve(self._engine, _subject(who), self._seal)


@contextmanager
def _opened(config: Path | None) -> Iterator[_Session]:
    from mainstay.store.port import TableLost

    loaded = load_config(find_config(config), os.environ)
    with opened(loaded) as engine:
        load_newest(engine, loaded)
        try:
            yield _Session(engine, loaded)
        except TableLost as error:
            raise StartError(f"The stored responses cannot be reached: {error}.") from None


@contextmanager
def _vault(config: Path | None) -> "Iterator[Vault]":
    from mainstay.assembly.kept import open_vault

    loaded = load_config(find_config(config), os.environ)
    with opened(loaded) as engine:
        yield open_vault(engine, loaded)


def _subject(text: str) -> Subject:
    kind, mark, value = text.partition(":")
    if not mark or kind not in KINDS:
        kind, value = "user", text
    if not value:
        raise typer.BadParameter(_WHO, param_hint="SUBJECT")
    return Subject(kind, value)


def _bare(trace: Trace) -> Trace:
    """Return a trace without the words: of many, they would take much memory."""
    return msgspec.structs.replace(trace, data={})


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S") if ms else ""
