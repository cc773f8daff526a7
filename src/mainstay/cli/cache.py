"""``mainstay cache``: what is kept of answers, how it is let go, and how each semantic cache stands.

Works whether or not a server runs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from msgspec import structs

from mainstay.caching.service import Shelf, open_shelf
from mainstay.caching.standing import Tiers, TierStanding
from mainstay.cli.options import AsJson, ConfigOption, find_config
from mainstay.cli.output import print_json
from mainstay.config import load_config
from mainstay.core.config import format_size
from mainstay.core.errors import ConfigError, NotFound, StartError, Unavailable

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


RouteArgument = Annotated[str, typer.Argument(metavar="ROUTE", help="The route.")]


@app.callback()
def _cache() -> None:
    """Kept answers, and how each semantic cache stands.

    \b
    Examples:
      mainstay cache stats
      mainstay cache evict --route support
      mainstay cache status
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


@app.command("status")
def _status(config: ConfigOption = None, as_json: AsJson = False) -> None:
    """Say how each route's semantic cache stands.

    What it has shown, and why it is off.

    \b
    Examples:
      mainstay cache status
      mainstay cache status --json
    """
    with _open_tiers(config) as tiers:
        standings = tiers.standings()
    if as_json:
        print_json([structs.asdict(one) for one in standings])
        return
    for one in standings:
        _tell(one)
    if not standings:
        typer.echo("No route has a semantic cache.")


@app.command("off")
def _off(
    route: RouteArgument,
    why: Annotated[str, typer.Option(help="The reason, for whoever looks at it later.")] = "",
    config: ConfigOption = None,
) -> None:
    """Switch the semantic cache of a route off.

    No worker uses it from its next call on.

    \b
    Examples:
      mainstay cache off support --why "wrong answers about refunds"
    """
    with _open_tiers(config) as tiers:
        _tell(tiers.halt(route, why))


@app.command("on")
def _on(route: RouteArgument, config: ConfigOption = None) -> None:
    """Switch a semantic cache on again.

    It was switched off by hand; what it has shown still counts.

    \b
    Examples:
      mainstay cache on support
    """
    with _open_tiers(config) as tiers:
        _tell(tiers.resume(route))


@app.command("reset")
def _reset(route: RouteArgument, config: ConfigOption = None) -> None:
    """Begin a semantic cache anew.

    What it has shown counts no more, and it has to prove itself again.

    \b
    Examples:
      mainstay cache reset support
    """
    with _open_tiers(config) as tiers:
        _tell(tiers.reset(route))


@contextmanager
def _open_tiers(config: Path | None) -> Iterator[Tiers]:
    loaded = load_config(find_config(config))
    try:
        yield Tiers(loaded.home, {name: row.cache for name, row in loaded.config.routes.items()})
    except NotFound as error:
        raise ConfigError(error.message) from None
    except Unavailable as error:
        raise StartError(error.message) from None


def _tell(one: TierStanding) -> None:
    state = f"off ({one.reason})" if one.state == "off" else one.state
    shown = f"{one.disagreements} of {one.compared} compared hits disagreed"
    typer.echo(f"{one.route}: {state}; {shown}, at most {one.upper:.2%} are wrong, {one.error:.2%} may be.")


def _told(gone: int, as_json: bool) -> None:
    if as_json:
        print_json({"evicted": gone})
    else:
        typer.echo(f"{gone} answers were let go.")
