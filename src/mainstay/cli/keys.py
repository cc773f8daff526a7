"""``mainstay keys``: make, list, revoke and rotate the keys that callers present.

Works on the database, whether or not a server runs; a running one follows within a second.
"""

import difflib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainstay.cli.database import actor, opened
from mainstay.cli.options import AsJson, ConfigOption, find_config
from mainstay.cli.output import print_json, print_rows
from mainstay.config import load_config
from mainstay.core.clock import wall_ms
from mainstay.core.config import parse_duration
from mainstay.core.errors import InvalidRequest, NotFound, StartError

if TYPE_CHECKING:  # SQLAlchemy costs a quarter of a second, which 'mainstay --help' should not
    from mainstay.identity.service import Keys, Minted
    from mainstay.identity.store import KeyRow

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Reference = Annotated[str, typer.Argument(metavar="NAME_OR_ID", help="The key's name, or its id (key_…).")]


@app.callback()
def _keys() -> None:
    """Keys that callers present: create, list, revoke, rotate.

    \b
    Examples:
      mainstay keys create alice --expires 90d
      mainstay keys list
      mainstay keys rotate alice --grace 1h
      mainstay keys revoke alice
    """


@app.command("create")
def _create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who or what will use the key.")],
    config: ConfigOption = None,
    team: Annotated[str, typer.Option(help="The team that the key belongs to.")] = "",
    routes: Annotated[str, typer.Option(help="Routes it may call, comma-separated; all by default.")] = "",
    expires: Annotated[str, typer.Option(help="How long it works: 12h, 90d; for ever by default.")] = "",
    budget: Annotated[str, typer.Option(help="US dollars it may spend per period: 20/month.")] = "",
    rpm: Annotated[int | None, typer.Option(help="Requests it may make in any minute.")] = None,
    tpm: Annotated[int | None, typer.Option(help="Tokens it may use in any minute, in and out.")] = None,
    role: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROLE[@SCOPE]", help="What it may do in the admin API; nothing by default. May be repeated."
        ),
    ] = None,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="Take an existing key from standard input instead of making one.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it, once. Only its hash is kept.

    The key alone goes to standard output, everything else to standard error.

    \b
    Examples:
      mainstay keys create alice
      mainstay keys create shop --team web --routes assistant --expires 90d
      mainstay keys create console --role owner
      mainstay keys create ci --team web --role developer
      KEY=$(mainstay keys create ci --expires 1h)
    """
    lasts = _duration("--expires", expires) if expires else None
    wanted = tuple(part.strip() for part in routes.split(",") if part.strip())
    with _opened(config, wanted) as keys:
        from mainstay.identity.roles import Scope, parse_grant

        # A key of a team is for the team unless it says otherwise.
        grants = [parse_grant(text, Scope(team=team)) for text in role or ()]
        minted = keys.create(
            name,
            team=team,
            routes=wanted or None,
            lasts=lasts,
            budget=budget or None,
            rpm=rpm,
            tpm=tpm,
            key=sys.stdin.readline().strip() if stdin else None,
            grants=grants,
            by=actor(),
        )
    _show(minted, as_json, f"Key '{name}' ({minted.row.id}) is made. It is shown only now:")


@app.command("list")
def _list(
    config: ConfigOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Show revoked keys too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List keys: who, for what, until when. A key itself cannot be shown again.

    \b
    Examples:
      mainstay keys list
      mainstay keys list --all --json
    """
    with _opened(config) as keys:
        rows = keys.list(revoked=everything)
    if as_json:
        print_json([_public(row) for row in rows])
        return
    cells = [
        (row.name, row.id, row.hint, row.team, ",".join(row.routes or ()) or "all", _state(row), _time(row.expires_at))
        for row in rows
    ]
    columns = ("name", "id", "key", "team", "routes", "state", "expires")
    print_rows(columns, cells, "No keys yet: 'mainstay keys create NAME' makes one.")


@app.command("revoke")
def _revoke(reference: Reference, config: ConfigOption = None, as_json: AsJson = False) -> None:
    """Revoke a key, for good. Every worker refuses it within a second.

    \b
    Examples:
      mainstay keys revoke alice
      mainstay keys revoke key_3fQ9aZ0bT7xk
    """
    with _opened(config) as keys:
        row = keys.revoke(reference, by=actor())
    if as_json:
        print_json(_public(row))
    else:
        typer.echo(f"Key '{row.name}' ({row.id}) is revoked.")


@app.command("rotate")
def _rotate(
    reference: Reference,
    config: ConfigOption = None,
    grace: Annotated[str, typer.Option(help="How long the old key still works: 1h, 7d; not at all by default.")] = "",
    as_json: AsJson = False,
) -> None:
    """Replace a key by a fresh one and print it, once.

    The fresh one has the same name, routes and limits. A second rotation within the grace ends the oldest key at once.

    \b
    Examples:
      mainstay keys rotate alice
      mainstay keys rotate alice --grace 1h
    """
    seconds = _duration("--grace", grace) if grace else 0.0
    with _opened(config) as keys:
        minted = keys.rotate(reference, grace=seconds, by=actor())
    until = f"The old key works until {_time(minted.row.old_expires_at)}." if seconds else "The old key is dead."
    _show(
        minted, as_json, f"Key '{minted.row.name}' ({minted.row.id}) is rotated. {until} The new one, shown only now:"
    )


@contextmanager
def _opened(config: Path | None, routes: tuple[str, ...] = ()) -> Iterator["Keys"]:
    from mainstay.identity.service import Keys

    loaded = load_config(find_config(config), os.environ)
    known = {*loaded.config.routes, *loaded.config.models}
    for route in routes:
        if route not in known:
            near = difflib.get_close_matches(route, known, 1)
            raise typer.BadParameter(
                f"there is no route '{route}'" + (f"; did you mean '{near[0]}'?" if near else "."),
                param_hint="--routes",
            )
    with opened(loaded) as engine:
        try:
            yield Keys(engine, loaded.home)
        except NotFound as error:
            raise StartError(error.message) from None
        except InvalidRequest as error:
            if error.status == 409:
                raise StartError(error.message) from None
            raise typer.BadParameter(error.message, param_hint=error.param) from None


def _duration(option: str, text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}.", param_hint=option) from None


def _show(minted: "Minted", as_json: bool, sentence: str) -> None:
    if as_json:
        print_json({"key": minted.key, **_public(minted.row)})
        return
    typer.echo(sentence, err=True)
    typer.echo(minted.key)


def _public(row: "KeyRow") -> dict[str, object]:
    return {
        "id": row.id,
        "name": row.name,
        "hint": row.hint,
        "team": row.team,
        "routes": row.routes,
        "state": _state(row),
        "created_at": row.created_at,
        "rotated_at": row.rotated_at,
        "expires_at": row.expires_at,
        "revoked_at": row.revoked_at,
        "budget": row.budget,
        "rpm": row.rpm,
        "tpm": row.tpm,
    }


def _state(row: "KeyRow") -> str:
    if row.revoked_at is not None:
        return "revoked"
    if row.expires_at is not None and row.expires_at <= wall_ms():
        return "expired"
    return "alive"


def _time(at: int | None) -> str:
    return "never" if at is None else datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
