"""``mainstay drill``: does this configuration bear what upstreams do? Sixteen faults, played and judged."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstay.cli.options import AsJson, ConfigOption, find_config
from mainstay.cli.output import print_json
from mainstay.core.errors import ConfigError, StartError
from mainstay.drill.faults import FAULTS, Fault

if TYPE_CHECKING:  # loaded when a drill runs: the other commands start without
    from mainstay.drill.caller import Dialect
    from mainstay.drill.run import Plan, Result

__all__ = ["drill"]


class _Dialect(StrEnum):
    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    ALL = "all"


class _Mode(StrEnum):
    STREAM = "stream"
    WHOLE = "whole"
    ALL = "all"


def drill(
    config: ConfigOption = None,
    route: Annotated[
        list[str] | None, typer.Option("--route", "-r", help="Only this route; may be given again. All by default.")
    ] = None,
    dialect: Annotated[_Dialect, typer.Option(help="The wire of the caller.")] = _Dialect.ALL,
    mode: Annotated[_Mode, typer.Option(help="Answers streamed, whole, or both.")] = _Mode.ALL,
    fault: Annotated[
        list[str] | None, typer.Option("--fault", help="Only this fault, 1 to 16; may be given again, or as 1,4,8.")
    ] = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="Cut the routes' timers to a second, to be done within a minute.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the timeline of every fault.")] = False,
    as_json: AsJson = False,
) -> None:
    """Play sixteen faults against a configuration; keep score.

    A real gateway runs on a copy of the configuration in which every provider is a scripted one on this machine: no
    key is needed, nothing is sent anywhere, and a gateway that runs here is not touched. Without a route that has a
    fallback or a second target, a built-in demonstration is drilled. Ends with exit code 0 when every fault passes and
    1 when one does not.

    \b
    Examples:
      mainstay drill --fast
      mainstay drill --config shop.yaml --route assistant --fault 8,9 --mode stream -v
      mainstay drill --fast --json > drill.json
    """
    from mainstay.drill import card

    plan, about = _plan(config, route or [], dialect, mode, _faults(fault or []), fast)
    typer.echo(about, err=True)
    with _progress(len(plan)) as done:
        results = _run(plan, done)
    if as_json:
        print_json(card.to_json(results, drilled=about, fast=fast))
    else:
        from rich.console import Console

        card.show(results, Console(width=None if sys.stdout.isatty() else 160), verbose=verbose)
    if not card.is_passed(results):
        raise typer.Exit(1)


def _faults(given: Sequence[str]) -> list[Fault]:
    numbers = [part.strip() for words in given for part in words.split(",")]
    known = {str(fault.number): fault for fault in FAULTS}
    for number in numbers:
        if number not in known:
            raise typer.BadParameter(f"'{number}' is no fault; there are 1 to {len(FAULTS)}.", param_hint="--fault")
    return [fault for number, fault in known.items() if number in numbers or not numbers]


def _plan(
    config: Path | None, routes: Sequence[str], dialect: _Dialect, mode: _Mode, faults: list[Fault], fast: bool
) -> tuple["Plan", str]:
    """Return what is to be drilled, and a sentence that says so."""
    from mainstay.drill import rewrite
    from mainstay.drill.run import Plan

    document: dict[str, Any] = {}
    try:
        path = find_config(config)
    except ConfigError:
        if routes:
            raise
        about = "There is no configuration here: drilling a built-in demonstration."
    else:
        document = rewrite.read_document(path, os.environ)
        about = f"{path} has no route with a fallback or a second target: drilling a built-in demonstration."
    chosen = rewrite.choose_routes(document, routes)
    if chosen:
        about = f"Drilling {', '.join(chosen)} of {path}."
    else:
        document, chosen = rewrite.DEMO, list(rewrite.DEMO["routes"])
    dialects: list[Dialect] = ["openai", "anthropic"]
    if dialect is not _Dialect.ALL:
        dialects = ["openai"] if dialect is _Dialect.OPENAI else ["anthropic"]
    modes = [True, False] if mode is _Mode.ALL else [mode is _Mode.STREAM]
    return Plan(rewrite.with_routes(document, fast=fast), chosen, dialects, modes, faults, fast), about


def _run(plan: "Plan", done: Callable[[], None]) -> "list[Result]":
    from mainstay.drill.run import drill as run

    async def conduct() -> "list[Result]":
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        # Asked to go, the drill first ends the gateways it started.
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
        return await run(plan, done)

    try:
        return asyncio.run(conduct())
    except asyncio.CancelledError:
        raise StartError("The drill was stopped.") from None


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Drilling", total=total)
        yield lambda: progress.advance(task)
