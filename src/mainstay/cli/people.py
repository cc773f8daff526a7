"""``mainstay people``: who has signed in and what they may do. Works whether or not a server runs."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstay.cli.database import actor
from mainstay.cli.options import AsJson, ConfigOption
from mainstay.cli.organisations import open_directory
from mainstay.cli.output import print_json, print_rows
from mainstay.core.errors import StartError

if TYPE_CHECKING:  # SQLAlchemy costs a quarter of a second, which 'mainstay --help' should not
    from mainstay.identity.directory import Directory
    from mainstay.identity.store import PersonRow

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Person = Annotated[str, typer.Argument(metavar="EMAIL_OR_ID", help="The person's address, or id (per_…).")]
Role = Annotated[
    str,
    typer.Argument(metavar="ROLE[@SCOPE]", help="viewer, developer@team:web, admin@organisation:shop, …"),
]


@app.callback()
def _people() -> None:
    """People who have signed in: list, roles, disable.

    \b
    Examples:
      mainstay people list
      mainstay people grant ann@example.com developer@team:web
      mainstay people disable bob@example.com
    """


@app.command("list")
def _list(config: ConfigOption = None, as_json: AsJson = False) -> None:
    """List who has signed in, with their roles.

    \b
    Examples:
      mainstay people list --json
    """
    with open_directory(config) as directory:
        shown = [_public(directory, row) for row in directory.people()]
    if as_json:
        print_json(shown)
        return
    cells = [
        (row["email"], row["name"], row["id"], ",".join(row["roles"]), row["state"], _time(row["seen_at"]))
        for row in shown
    ]
    columns = ("email", "name", "id", "roles", "state", "seen")
    print_rows(columns, cells, "Nobody has signed in yet: see identity.oidc in the configuration.")


@app.command("grant")
def _grant(person: Person, role: Role, config: ConfigOption = None, as_json: AsJson = False) -> None:
    """Give a person a role: in the installation or a scope.

    \b
    Examples:
      mainstay people grant ann@example.com owner
      mainstay people grant ann@example.com developer@team:web
    """
    from mainstay.identity.roles import parse_grant

    with open_directory(config) as directory:
        grant = parse_grant(role)
        directory.grant("person", person, grant, by=actor())
        row = directory.person(person)
        if as_json:
            print_json(_public(directory, row))
            return
    typer.echo(f"{row.email or row.id} is {grant}.")


@app.command("revoke")
def _revoke(person: Person, role: Role, config: ConfigOption = None, as_json: AsJson = False) -> None:
    """Take a role away. One that the provider's groups give comes back at the next sign-in.

    \b
    Examples:
      mainstay people revoke ann@example.com developer@team:web
    """
    from mainstay.identity.roles import parse_grant

    with open_directory(config) as directory:
        grant = parse_grant(role)
        row = directory.person(person)
        given = (grant.role, "" if grant.scope.team else grant.scope.organisation, grant.scope.team)
        found = [g for g in directory.grants("person", row.id) if (g.role, g.organisation, g.team) == given]
        if not found:
            raise StartError(f"{row.email or row.id} is not {grant}.")
        for one in found:
            directory.take(one.id, by=actor())
        if as_json:
            print_json(_public(directory, row))
            return
    typer.echo(f"{row.email or row.id} is no longer {grant}.")
    if any(one.source == "oidc" for one in found):
        typer.echo("The provider's groups gave it: it comes back at the next sign-in.", err=True)


@app.command("disable")
def _disable(person: Person, config: ConfigOption = None, as_json: AsJson = False) -> None:
    """Let a person in no more and end their sessions at once.

    \b
    Examples:
      mainstay people disable bob@example.com
    """
    _switch(person, config, as_json, again=False)


@app.command("enable")
def _enable(person: Person, config: ConfigOption = None, as_json: AsJson = False) -> None:
    """Let a person in again.

    \b
    Examples:
      mainstay people enable bob@example.com
    """
    _switch(person, config, as_json, again=True)


def _switch(person: str, config: ConfigOption, as_json: bool, *, again: bool) -> None:
    with open_directory(config) as directory:
        row = directory.disable(person, again=again, by=actor())
        if as_json:
            print_json(_public(directory, row))
            return
    typer.echo(f"{row.email or row.id} is {'enabled' if again else 'disabled'}.")


def _public(directory: "Directory", row: "PersonRow") -> dict[str, Any]:
    return {
        "id": row.id,
        "email": row.email,
        "name": row.name,
        "issuer": row.issuer,
        "state": "disabled" if row.disabled_at is not None else "active",
        "roles": [str(grant) for grant, _ in directory.held("person", row.id)],
        "created_at": row.created_at,
        "seen_at": row.seen_at,
    }


def _time(at: int | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
