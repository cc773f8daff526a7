"""``mainstay redteam``: attack a route over its own port, with guards and without, and say what got through."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mainstay.cli import redteam_options as o
from mainstay.cli.client import default_url, kept_key
from mainstay.cli.options import AsJson, ConfigOption, find_config
from mainstay.cli.output import print_json
from mainstay.config import config_home, load_config
from mainstay.core.clock import wall_ms
from mainstay.core.errors import ConfigError, StartError

if TYPE_CHECKING:  # loaded when a route is attacked: the other commands start without
    from mainstay.redteam.caller import Caller
    from mainstay.redteam.gate import Gate
    from mainstay.redteam.journal import Journal, Result
    from mainstay.redteam.plan import Case
    from mainstay.redteam.refusals import Refusals
    from mainstay.redteam.run import Limits
    from mainstay.redteam.summary import Summary

__all__ = ["redteam"]

_Told = Callable[["Result"], None]


def redteam(
    route: o.Route,
    baseline: o.Baseline = None,
    no_baseline: o.NoBaseline = False,
    category: o.Category = None,
    converter: o.Converter = None,
    strategy: o.Strategies = None,
    seeds: o.SeedFiles = None,
    sample: o.Sample = 200,
    seed: o.Number = 0,
    out: o.Out = None,
    fresh: o.Fresh = False,
    keep: o.Keep = False,
    parallel: o.Parallel = 8,
    rate: o.Rate = 0.0,
    budget: o.Budget = 0,
    stream: o.Stream = False,
    max_tokens: o.Tokens = 512,
    system: o.System = None,
    canary: o.Canary = None,
    max_success: o.MaxSuccess = None,
    max_blocked: o.MaxBlocked = None,
    gate: o.GateBy = o.By.RATE,
    fail_on: o.FailOn = None,
    junit: o.Junit = None,
    sarif: o.Sarif = None,
    html: o.Html = None,
    url: o.Url = None,
    key: o.Key = None,
    config: ConfigOption = None,
    as_json: AsJson = False,
) -> None:
    """Attack a route; say what gets through.

    Asks the running gateway as an application would; nothing is sent anywhere else. What is finished is kept, and the
    same command goes on from there. Ends with exit code 1 when a limit is not kept.

    \b
    Examples:
      mainstay redteam assistant
      mainstay redteam assistant --category injection --sample 0 --html report.html
      mainstay redteam assistant --max-success 0.05 --gate upper --fail-on prompt_leak --junit redteam.xml
    """
    path = _found(config)
    cases = _cases(seeds or [], (category or [], converter or [], strategy or []), sample, seed)
    names = route, "" if no_baseline else (_first_model(path, route) if baseline is None else baseline)
    job = _Job(path, cases, *names, _text(system), _words(canary or []), max_tokens, stream)
    limits = job.limits(max_success, max_blocked, gate, fail_on or [])
    with job.opened(out, keep=keep, fresh=fresh) as journal:
        finished = job.play(journal, (url or default_url(path), key or kept_key(path)), rate, parallel, budget)
        summary = job.summary(journal, limits)
    _write(summary, junit, sarif, html)
    _print(summary, as_json=as_json)
    if not finished:
        typer.echo("The budget is spent; the same command goes on from here.", err=True)
    if summary.problems:
        raise typer.Exit(1)


class _Job:
    """What is attacked, with what, and how it is asked."""

    def __init__(
        self,
        config: Path | None,
        cases: "Sequence[Case]",
        route: str,
        baseline: str,
        system: str,
        canaries: list[str],
        tokens: int,
        stream: bool,
    ) -> None:
        from mainstay.redteam.refusals import open_refusals
        from mainstay.redteam.run import Sides

        self._config = config
        self._cases = cases
        self._sides: Sides = Sides(route, baseline)
        self._system = system
        self._canaries = canaries
        self._tokens, self._stream = tokens, stream
        self._refusals: Refusals = open_refusals(needed=any(case.seed.test == "compliance" for case in cases))

    def limits(self, success: float | None, blocked: float | None, by: o.By, fail_on: Sequence[str]) -> "Gate":
        """Return the gate that the options describe."""
        from mainstay.redteam.gate import Gate

        known = {case.seed.category for case in self._cases} | {tag for case in self._cases for tag in case.tags}
        names = [f"{name}:2025" if re.fullmatch(r"LLM\d\d", name) else name for name in fail_on]
        for name in names:
            if name not in known:
                raise typer.BadParameter(f"'{name}' is a category or tag of no chosen attack.", param_hint="--fail-on")
        return Gate(success, blocked, by.value, names)

    @contextmanager
    def opened(self, out: Path | None, *, keep: bool, fresh: bool) -> "Iterator[Journal]":
        """Open the folder in which what is finished is kept."""
        from mainstay.redteam.journal import About, Journal
        from mainstay.redteam.plan import digest_of

        digest = digest_of(self._cases, self._system, *self._canaries, str(self._tokens), str(self._stream))
        sides = self._sides
        about = About(sides.guarded, sides.baseline, digest, len(self._cases), self._refusals.method, wall_ms())
        if out is None:
            home = config_home(self._config, os.environ) if self._config is not None else Path()
            out = home / "redteam" / f"{re.sub(r'[^A-Za-z0-9._-]', '_', sides.guarded)}-{digest[:8]}"
        journal = Journal(out, about, keep=keep, fresh=fresh)
        typer.echo(f"What is finished is kept in {out}.", err=True)
        try:
            yield journal
        finally:
            journal.close()

    def play(self, journal: "Journal", gateway: tuple[str, str], rate: float, parallel: int, budget: int) -> bool:
        """Play what is not finished; return whether everything is."""
        from mainstay.redteam.caller import Caller
        from mainstay.redteam.run import Limits
        from mainstay.runtime.client import LeanTransport

        total = len(self._cases) * len(list(self._sides))
        before = sum((case.id, side) in journal.results for case in self._cases for side, _ in self._sides)
        if before:
            again = " --fresh asks again." if before == total else ""
            typer.echo(f"{before} of {total} were finished before.{again}", err=True)

        async def conduct(told: _Told) -> bool:
            loop, task = asyncio.get_running_loop(), asyncio.current_task()
            assert task is not None
            loop.add_signal_handler(signal.SIGTERM, task.cancel)
            transport = LeanTransport()
            try:
                url, key = gateway
                caller = Caller(transport, url, key, rate=rate, stream=self._stream, most_tokens=self._tokens)
                return await self._attack(caller, journal, Limits(parallel, budget), told)
            finally:
                await transport.aclose()

        try:
            with _progress(total, before) as told:
                return asyncio.run(conduct(told))
        except (KeyboardInterrupt, asyncio.CancelledError):
            typer.echo(f"Stopped; {len(journal.results)} of {total} are done. The same command goes on.", err=True)
            raise typer.Exit(130) from None

    async def _attack(self, caller: "Caller", journal: "Journal", limits: "Limits", told: _Told) -> bool:
        from mainstay.redteam.run import attack

        return await attack(
            self._cases,
            self._sides,
            caller,
            journal,
            self._refusals,
            limits=limits,
            system=self._system,
            canaries=self._canaries,
            done=told,
        )

    def summary(self, journal: "Journal", limits: "Gate") -> "Summary":
        """Return what came of it."""
        from mainstay.redteam.figures import figures_of
        from mainstay.redteam.gate import problems
        from mainstay.redteam.summary import Summary

        figures = figures_of(self._cases, journal.results, compared=bool(self._sides.baseline))
        config = self._config.as_posix() if self._config is not None and not self._config.is_absolute() else ""
        return Summary(
            journal.about, self._cases, journal.results, figures, problems(limits, figures), limits.is_set, config
        )


def _found(config: Path | None) -> Path | None:
    try:
        return find_config(config)
    except ConfigError:
        return None  # a caller needs none: the gateway may be anywhere


def _first_model(config: Path | None, route: str) -> str:
    """Return the first model of a route, which has no rails of its own; "" where nobody here knows the route."""
    if config is None:
        return ""
    try:
        found = load_config(config, os.environ).config.routes.get(route)
    except ConfigError as error:
        # A caller may lack the secrets that the gateway has.
        typer.echo(f"Compared with nothing, unless --baseline says with what: {error.message}", err=True)
        return ""
    return found.targets[0].model if found is not None else ""


def _cases(
    files: Sequence[Path], only: tuple[list[str], list[str], list[str]], count: int, number: int
) -> "Sequence[Case]":
    from mainstay.redteam.converters import CONVERTERS
    from mainstay.redteam.plan import cases_of, sampled
    from mainstay.redteam.seeds import CATEGORIES, STRATEGIES, all_seeds, read_seeds

    known = (("--category", CATEGORIES), ("--converter", tuple(CONVERTERS)), ("--strategy", STRATEGIES))
    for given, (option, names) in zip(only, known, strict=True):
        for one in given:
            if one not in names:
                raise typer.BadParameter(f"'{one}' is none of {', '.join(names)}.", param_hint=option)
    seeds = {seed.id: seed for seed in all_seeds()}
    for file in files:
        # A team's own seed may stand in place of one of ours.
        seeds |= {seed.id: seed for seed in read_seeds(file)}
    categories, converters, strategies = only
    found = cases_of(list(seeds.values()), categories=categories, converters=converters, strategies=strategies)
    if not found:
        raise ConfigError("No attack fits the chosen categories, converters and strategies together.")
    return sampled(found, count, number)


def _text(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"The system prompt '{path}' cannot be read.") from None


def _words(canaries: list[str]) -> list[str]:
    for word in canaries:
        if len(word) < 6:
            raise typer.BadParameter("must have at least 6 characters.", param_hint="--canary")
    return canaries


@contextmanager
def _progress(total: int, before: int) -> "Iterator[_Told]":
    if not sys.stderr.isatty():
        yield lambda result: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Attacking", total=total, completed=before)
        counts = {"success": 0, "blocked": 0, "error": 0}

        def told(result: "Result") -> None:
            if result.side == "guarded" and result.outcome in counts:
                counts[result.outcome] += 1
            said = f"Attacking: {counts['success']} got through, {counts['blocked']} stopped, {counts['error']} errors"
            progress.update(task, advance=1, description=said)

        yield told


def _write(summary: "Summary", junit: Path | None, sarif: Path | None, html: Path | None) -> None:
    texts: dict[Path, str] = {}
    if junit is not None:
        from mainstay.redteam.junit import junit as to_junit

        texts[junit] = to_junit(summary)
    if sarif is not None:
        from mainstay.redteam.sarif import sarif as to_sarif

        texts[sarif] = json.dumps(to_sarif(summary), indent=2, ensure_ascii=False) + "\n"
    if html is not None:
        from mainstay.redteam.page import page

        texts[html] = page(summary)
    for path, text in texts.items():
        try:
            path.write_text(text, "utf-8")
        except OSError as error:
            raise StartError(f"The report '{path}' cannot be written ({error.strerror}).") from None


def _print(summary: "Summary", *, as_json: bool) -> None:
    if as_json:
        from mainstay.redteam.summary import to_json

        print_json(to_json(summary))
        return
    from rich.console import Console

    from mainstay.redteam.text import show

    show(summary, Console(width=None if sys.stdout.isatty() else 160))
