"""``mainstay check``: is this configuration right? Every problem at once, nothing started."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import typer

from mainstay.cli.options import AsJson, ConfigFile, find_config
from mainstay.cli.output import print_json
from mainstay.config import Loaded, Problem
from mainstay.config import check as check_config

__all__ = ["check"]


def check(file: ConfigFile = None, as_json: AsJson = False) -> None:
    """Find every problem of a configuration; start nothing.

    Each comes with its file, line and the nearest right name. Ends with exit code 0 when the configuration is right
    and 2 when it is not.

    \b
    Examples:
      mainstay check
      mainstay check /etc/mainstay/ --json
    """
    path = find_config(file)
    checked = check_config(path, os.environ)
    warnings = checked.loaded.warnings if checked.loaded else ()
    if as_json:
        report: dict[str, Any] = {
            "ok": checked.loaded is not None,
            "problems": [_fields(problem) for problem in checked.problems],
            "warnings": [_fields(warning) for warning in warnings],
        }
        if checked.loaded is not None:
            config = checked.loaded.config
            report["hash"] = checked.loaded.hash
            report |= {part: sorted(getattr(config, part)) for part in ("routes", "models", "providers")}
        print_json(report)
    else:
        for problem in checked.problems:
            typer.echo(str(problem), err=True)
        for warning in warnings:
            typer.echo(f"warning: {warning}", err=True)
        if checked.loaded is not None:
            typer.echo(_summary(path, checked.loaded))
        else:
            count = len(checked.problems)
            typer.echo(f"{path}: {count} problem{'s' if count != 1 else ''}; nothing was started", err=True)
    if checked.loaded is None:
        raise typer.Exit(2)


def _fields(problem: Problem) -> dict[str, Any]:
    return dataclasses.asdict(problem)


def _summary(path: Path, loaded: Loaded) -> str:
    config = loaded.config
    lines = [f"{path}: no problems (config {loaded.hash})"]
    for name, route in config.routes.items():
        targets = ", ".join(target.model for target in route.targets)
        fallback = f", then {', '.join(route.fallback)}" if route.fallback else ""
        lines.append(f"  route     {name}: {route.choose} of {targets}{fallback}")
    for name, model in config.models.items():
        lines.append(f"  model     {name}: {model.name or name} at {model.provider}")
    for name, provider in config.providers.items():
        lines.append(f"  provider  {name}: {provider.kind}")
    return "\n".join(lines)
