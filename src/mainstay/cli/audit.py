"""``mainstay audit``: who did what, and whether the log of it is whole. Works whether or not a server runs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from mainstay.cli.database import opened
from mainstay.cli.options import AsJson, ConfigOption, find_config
from mainstay.cli.output import print_json, print_rows, printable
from mainstay.config import load_config
from mainstay.core.clock import wall_ms
from mainstay.core.config import parse_duration
from mainstay.core.errors import NotFound, StartError

if TYPE_CHECKING:  # SQLAlchemy costs a quarter of a second, which 'mainstay --help' should not
    from sqlalchemy import Engine

    from mainstay.core.audit import LogEntry
    from mainstay.governance.audit import Report
    from mainstay.governance.service import AuditLog

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _audit() -> None:
    """The audit log: who did what, and whether the log is whole.

    \b
    Examples:
      mainstay audit list --since 7d
      mainstay audit verify
    """


@app.command("list")
def _list(
    config: ConfigOption = None,
    since: Annotated[str, typer.Option(help="Not older than this: 15m, 1h, 7d.")] = "",
    actor: Annotated[
        str | None, typer.Option(help="Only what this one did: key:key_…, person:per_…, uid:1000.")
    ] = None,
    action: Annotated[str | None, typer.Option(help="Only this action, or this first word of one: keys.")] = None,
    subject: Annotated[str | None, typer.Option(help="Only what was done to this: key:key_…, team:shop.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 50,
    before: Annotated[int | None, typer.Option(help="Go on before this number.")] = None,
    checkpoints: Annotated[bool, typer.Option("--checkpoints", help="The checkpoints instead of the events.")] = False,
    as_json: AsJson = False,
) -> None:
    """List events, newest first.

    \b
    Examples:
      mainstay audit list --since 7d --action keys
      mainstay audit list --subject team:shop --json
    """
    from mainstay.store.audit import select_entries
    from mainstay.store.sql import reading

    start = _since(since) if since else None
    with _opened(config) as (engine, log):
        if checkpoints:
            _show_checkpoints(log, limit, as_json)
            return
        with reading(engine) as connection:
            found = select_entries(
                connection, since=start, actor=actor, action=action, subject=subject, before=before, limit=limit
            )
    if as_json:
        print_json([_builtin(entry) for entry in found])
        return
    rows = [(str(e.seq), _time(e.at), e.actor, e.action, e.subject, _details(e)) for e in found]
    print_rows(("number", "time", "who", "what", "to", "more"), rows, "Nothing was done.")


@app.command("verify")
def _verify(
    config: ConfigOption = None,
    anchor: Annotated[Path | None, typer.Option(help="Check against this copy of the anchor.")] = None,
    public_key: Annotated[
        str, typer.Option(metavar="HEX", help="The public key as it was written down elsewhere.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Check the whole log.

    Every event, their order, every checkpoint, and the anchor.

    Finds any edit, deletion, reordering or truncation. The exit code is 1 if something is found.

    \b
    Examples:
      mainstay audit verify
      mainstay audit verify --anchor /mnt/archive/mainstay.anchor --json
    """
    public = _hex(public_key) if public_key else None
    with _opened(config) as (_, log):
        report = log.verify(anchor, public)
        key = (public or log.public).hex()
    if as_json:
        print_json({**msgspec.to_builtins(report), "ok": report.ok, "public_key": key})
    else:
        _tell(report, key)
    if not report.ok:
        raise typer.Exit(1)


@app.command("checkpoint")
def _checkpoint(config: ConfigOption = None, as_json: AsJson = False) -> None:
    """Sign the log as it stands now.

    And add that to the anchor. A running server does so by itself.

    \b
    Examples:
      mainstay audit checkpoint --json > checkpoint.json
    """
    with _opened(config) as (_, log):
        try:
            found = log.checkpoint()
        except OSError as error:
            raise StartError(f"The anchor cannot be written ({error.strerror}): see governance.audit.anchor.") from None
    if found is None:
        raise StartError("The log has no events yet.")
    if as_json:
        print_json(msgspec.to_builtins(found))
    else:
        typer.echo(f"{found.size} events, root {found.root}, signed with key {found.key}.")


@app.command("proof")
def _proof(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="The event's number; with --growth, a log's size.")],
    config: ConfigOption = None,
    growth: Annotated[
        bool, typer.Option("--growth", help="That the newest checkpoint's log begins with that of NUMBER events.")
    ] = False,
) -> None:
    """Print a proof from the signed log.

    That an event is in it, or that it only grew. It is JSON.

    Whoever has the checkpoint and the public key checks it without the log; the guide to the audit log says how.

    \b
    Examples:
      mainstay audit proof 42 > proof.json
      mainstay audit proof 1000 --growth
    """
    with _opened(config) as (_, log):
        try:
            found = log.prove_growth(number) if growth else log.prove(number)
        except NotFound as error:
            raise StartError(error.message) from None
    print_json(msgspec.to_builtins(found))


def _tell(report: "Report", key: str) -> None:
    for finding in report.findings:
        typer.echo(f"{finding.kind}: {finding.message}")
    if report.count > len(report.findings):
        typer.echo(f"and {report.count - len(report.findings)} more")
    if report.ok:
        typer.echo(f"The log is whole: {report.size} events, root {report.root}, public key {key}.")
        open_end = report.size - report.anchored
        if open_end:
            typer.echo(
                f"The last {open_end} are not anchored yet: if they were cut off, nothing would tell. "
                "'mainstay audit checkpoint' anchors them."
            )
    else:
        typer.echo(f"The log is not whole: {report.count} findings among {report.size} events.")


def _show_checkpoints(log: "AuditLog", limit: int, as_json: bool) -> None:
    found = log.checkpoints()[-limit:][::-1]
    if as_json:
        print_json([msgspec.to_builtins(one) for one in found])
        return
    rows = [(str(one.size), _time(one.at), one.root, one.key) for one in found]
    print_rows(("events", "time", "root", "key"), rows, "No checkpoints.")


@contextmanager
def _opened(config: Path | None) -> "Iterator[tuple[Engine, AuditLog]]":
    from mainstay.governance.service import AuditLog, anchor_path

    loaded = load_config(find_config(config), os.environ)
    with opened(loaded) as engine:
        anchor = anchor_path(loaded.home, loaded.config.governance.audit.anchor)
        yield engine, AuditLog(engine, loaded.home, anchor)


def _builtin(entry: "LogEntry") -> dict[str, Any]:
    event: dict[str, Any] = msgspec.json.decode(entry.body)
    return {**event, "hash": entry.hash.hex()}


def _details(entry: "LogEntry") -> str:
    details = msgspec.json.decode(entry.body)["details"]
    shown = (f"{name}={_plain(value)}" for name, value in details.items() if value not in (None, "", [], False))
    return printable(" ".join(shown))


def _plain(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _since(text: str) -> int:
    try:
        return wall_ms() - round(parse_duration(text) * 1000)
    except ValueError:
        raise typer.BadParameter("write 15m, 1h or 7d.", param_hint="--since") from None


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise typer.BadParameter(
            "write it in hex, as 'mainstay audit verify' prints it.", param_hint="--public-key"
        ) from None
