"""``mainstay``: puts the verbs together and turns errors into sentences and exit codes."""

import sys
from typing import Annotated

import typer

from mainstay import __version__
from mainstay.cli import (
    audit,
    batches,
    config,
    energy,
    keys,
    models,
    organisations,
    people,
    plan,
    prices,
    privacy,
    records,
    spend,
    teams,
)
from mainstay.cli.chat import chat
from mainstay.cli.check import check
from mainstay.cli.drill import drill
from mainstay.cli.replay import replay
from mainstay.cli.restart import restart
from mainstay.cli.serve import serve
from mainstay.cli.up import up
from mainstay.core.errors import SetupError

__all__ = ["app", "main"]

app = typer.Typer(
    name="mainstay",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(up)
app.command()(serve)
app.command()(restart)
app.command()(check)
app.command()(drill)
app.command()(chat)
app.command()(replay)
app.add_typer(keys.app, name="keys")
app.add_typer(organisations.app, name="organisations")
app.add_typer(teams.app, name="teams")
app.add_typer(people.app, name="people")
app.add_typer(models.app, name="models")
app.add_typer(batches.app, name="batches")
app.add_typer(records.app, name="records")
app.add_typer(audit.app, name="audit")
app.add_typer(privacy.app, name="privacy")
app.add_typer(spend.app, name="spend")
app.add_typer(prices.app, name="prices")
app.add_typer(energy.app, name="energy")
app.add_typer(plan.app, name="plan")
app.add_typer(config.app, name="config")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"mainstay {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Runs language models in production: one endpoint, every model, one record of every call.

    \b
    Examples:
      mainstay up                            from nothing to an answer
      mainstay chat                          talk to it, in another terminal
      mainstay keys create alice             a key for someone else
      mainstay records list --since 1h       what was asked, and how it went
    """


def main() -> None:
    """Run the command line; a ``SetupError`` becomes one sentence on standard error and its exit code."""
    try:
        app(prog_name="mainstay")
    except SetupError as error:
        sys.stderr.write(f"mainstay: {error.message}\n")
        raise SystemExit(error.exit_code) from None
