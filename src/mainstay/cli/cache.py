"""``mainstay cache``: what is kept of answers, and how it is let go. Works whether or not a server runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from mainstay.caching.service import Shelf, open_shelf
from mainstay.cli.options import AsJson, ConfigOption, find_config
from mainstay.cli.output import print_json
from mainstay.config import load_config
from mainstay.core.config import format_size
from mainstay.core.errors import ConfigError, StartError, Unavailable

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _cache() -> None:
    """Kept answers: how many there are, and letting go of them.

    \b
    Examples:
      mainstay cache stats
      mainstay cache evict --route support
      mainstay cache clear
    """


@contextmanager
def _open(config: Path | None) -> Iterator[Shelf]:
    loaded = load_config(find_config(config))
    shelf = open_shelf(loaded.config.cache, loaded.home)
    try:
        yield shelf
    except Unavailable as error:
        raise StartError(error.message) from None
    finally:
        shelf.close()


@app.command("stats")
def _stats(config: ConfigOption = None, as_json: AsJson = False) -> None:
    """Say what is kept.

    \b
    Examples:
      mainstay cache stats --json
    """
    with _open(config) as shelf:
        counts = shelf.counts()
    if as_json:
        print_json({"answers": counts.answers, "bytes": counts.bytes, "routes": dict(counts.routes)})
        return
    typer.echo(f"{counts.answers} answers are kept, {format_size(counts.bytes)}.")
    for route, answers in counts.routes.items():
        typer.echo(f"  {route}: {answers}")


@app.command("evict")
def _evict(
    record: Annotated[
        str, typer.Argument(metavar="[RECORD]", help="The record of the call that the answer was made for.")
    ] = "",
    route: Annotated[str, typer.Option(help="All answers of this route.")] = "",
    base: Annotated[str, typer.Option("--knowledge", help="The knowledge base of the passages.")] = "",
    passage: Annotated[list[str] | None, typer.Option(help="All answers that rest on this passage.")] = None,
    config: ConfigOption = None,
    as_json: AsJson = False,
) -> None:
    """Let go of some answers, by record, route or passage.

    A call that was answered from the cache says in its own record, under 'steps', whose answer it got.

    \b
    Examples:
      mainstay cache evict 01900000-0000-7000-8000-000000000000
      mainstay cache evict --route support
      mainstay cache evict --knowledge handbook --passage p-17
    """
    if sum((bool(record), bool(route), bool(passage))) != 1 or bool(base) != bool(passage):
        raise ConfigError("Name one of these: a record, --route, or --knowledge with --passage.")
    with _open(config) as shelf:
        gone = shelf.drop(base, passage) if passage else shelf.evict(source=record, route=route)
    _told(gone, as_json)


@app.command("clear")
def _clear(config: ConfigOption = None, as_json: AsJson = False) -> None:
    """Let go of all answers.

    \b
    Examples:
      mainstay cache clear
    """
    with _open(config) as shelf:
        gone = shelf.clear()
    _told(gone, as_json)


def _told(gone: int, as_json: bool) -> None:
    if as_json:
        print_json({"evicted": gone})
    else:
        typer.echo(f"{gone} answers were let go.")
