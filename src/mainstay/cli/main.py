"""``mainstay``: puts the verbs together and turns errors into sentences and exit codes."""

import sys
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Annotated, Final

import typer

from mainstay import __version__
from mainstay.core.errors import SetupError

__all__ = ["COMMANDS", "build", "main"]

#: Every command, in the order of the help, and whether it has commands of its own. Each stands in the module of its
#: name, which is imported only when it is asked for: a gateway starts in half the time.
COMMANDS: Final[Mapping[str, bool]] = {
    "up": False,
    "serve": False,
    "restart": False,
    "check": False,
    "drill": False,
    "redteam": False,
    "chat": False,
    "replay": False,
    "keys": True,
    "organisations": True,
    "teams": True,
    "people": True,
    "models": True,
    "batches": True,
    "knowledge": True,
    "cache": True,
    "records": True,
    "reviews": True,
    "audit": True,
    "privacy": True,
    "policy": True,
    "novelty": True,
    "spend": True,
    "prices": True,
    "energy": True,
    "plan": True,
    "config": True,
}


def build(names: Iterable[str] = COMMANDS) -> typer.Typer:
    """Return the command line with the commands of these names."""
    app = typer.Typer(
        name="mainstay",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_root)
    for name in names:
        module = import_module(f"mainstay.cli.{name}")
        if COMMANDS[name]:
            app.add_typer(module.app, name=name)
        else:
            app.command()(getattr(module, name))
    return app


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"mainstay {__version__}")
        raise typer.Exit


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
    # What is asked for comes first, but for --help and --version; whatever else it is, all commands are there to tell.
    asked = [word for word in sys.argv[1:2] if word in COMMANDS]
    try:
        build(asked or COMMANDS)(prog_name="mainstay")
    except SetupError as error:
        sys.stderr.write(f"mainstay: {error.message}\n")
        raise SystemExit(error.exit_code) from None
