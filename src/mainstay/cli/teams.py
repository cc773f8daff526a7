"""``mainstay teams``: make, list and delete what keys belong to. Works whether or not a server runs."""

from typing import Annotated

import typer

from mainstay.cli.database import actor
from mainstay.cli.options import AsJson, ConfigOption
from mainstay.cli.organisations import open_directory
from mainstay.cli.output import print_json, print_rows

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _teams() -> None:
    """Teams that keys belong to: create, list, delete.

    \b
    Examples:
      mainstay teams create web --organisation shop
      mainstay teams list
    """


@app.command("create")
def _create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name, in the whole installation.")],
    config: ConfigOption = None,
    organisation: Annotated[str, typer.Option(help="The organisation that it belongs to.")] = "default",
    title: Annotated[str, typer.Option(help="What people call it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a team.

    ``keys create --team`` also makes one that is not there, in the default organisation.

    \b
    Examples:
      mainstay teams create web --organisation shop
    """
    with open_directory(config) as directory:
        row = directory.add_team(name, organisation, title, by=actor())
    if as_json:
        print_json(
            {"name": row.name, "organisation": row.organisation, "title": row.title, "created_at": row.created_at}
        )
    else:
        typer.echo(f"Team '{name}' of '{organisation}' is made.")


@app.command("list")
def _list(config: ConfigOption = None, as_json: AsJson = False) -> None:
    """List teams.

    \b
    Examples:
      mainstay teams list
    """
    with open_directory(config) as directory:
        rows = directory.teams()
    if as_json:
        print_json(
            [
                {"name": row.name, "organisation": row.organisation, "title": row.title, "created_at": row.created_at}
                for row in rows
            ]
        )
        return
    cells = [(row.name, row.organisation, row.title) for row in rows]
    print_rows(("name", "organisation", "title"), cells, "No teams yet: 'mainstay teams create NAME' makes one.")


@app.command("delete")
def _delete(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The team's name.")], config: ConfigOption = None
) -> None:
    """Delete a team without living keys, and the roles in it.

    \b
    Examples:
      mainstay teams delete web
    """
    with open_directory(config) as directory:
        directory.remove_team(name, by=actor())
    typer.echo(f"Team '{name}' is deleted.")
