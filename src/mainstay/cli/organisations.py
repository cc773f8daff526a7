"""``mainstay organisations``: make, list and delete what teams belong to. Works whether or not a server runs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainstay.cli.database import actor, opened
from mainstay.cli.options import AsJson, ConfigOption, find_config
from mainstay.cli.output import print_json, print_rows
from mainstay.config import load_config
from mainstay.core.errors import InvalidRequest, NotFound, StartError

if TYPE_CHECKING:  # SQLAlchemy costs a quarter of a second, which 'mainstay --help' should not
    from mainstay.identity.directory import Directory

__all__ = ["app", "open_directory"]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _organisations() -> None:
    """Organisations that teams belong to: create, list, delete.

    \b
    Examples:
      mainstay organisations create shop --title "The shop"
      mainstay organisations list
    """


@app.command("create")
def _create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name for commands and configuration.")],
    config: ConfigOption = None,
    title: Annotated[str, typer.Option(help="What people call it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make an organisation.

    \b
    Examples:
      mainstay organisations create shop --title "The shop"
    """
    with open_directory(config) as directory:
        row = directory.add_organisation(name, title, by=actor())
    if as_json:
        print_json({"name": row.name, "title": row.title, "created_at": row.created_at})
    else:
        typer.echo(f"Organisation '{name}' is made.")


@app.command("list")
def _list(config: ConfigOption = None, as_json: AsJson = False) -> None:
    """List organisations.

    \b
    Examples:
      mainstay organisations list
    """
    with open_directory(config) as directory:
        rows = directory.organisations()
        teams = directory.teams()
    if as_json:
        print_json([{"name": row.name, "title": row.title, "created_at": row.created_at} for row in rows])
        return
    homes = [team.organisation for team in teams]
    cells = [(row.name, row.title, str(homes.count(row.name))) for row in rows]
    print_rows(("name", "title", "teams"), cells, "No organisations.")


@app.command("delete")
def _delete(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The organisation's name.")], config: ConfigOption = None
) -> None:
    """Delete an organisation without teams, and the roles in it.

    \b
    Examples:
      mainstay organisations delete shop
    """
    with open_directory(config) as directory:
        directory.remove_organisation(name, by=actor())
    typer.echo(f"Organisation '{name}' is deleted.")


@contextmanager
def open_directory(config: Path | None) -> Iterator["Directory"]:
    """Open the directory of a configuration for the block.

    Raises:
        StartError: what the block asks for is not there or cannot be done.
    """
    from mainstay.identity.directory import Directory

    with opened(load_config(find_config(config), os.environ)) as engine:
        try:
            yield Directory(engine)
        except NotFound as error:
            raise StartError(error.message) from None
        except InvalidRequest as error:
            if error.param is None or error.status == 409:
                raise StartError(error.message) from None
            raise typer.BadParameter(error.message, param_hint=error.param) from None
