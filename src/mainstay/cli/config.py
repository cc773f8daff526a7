"""``mainstay config``: the schema of the configuration, and what a file comes to with every default."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer
import yaml

from mainstay.config import load_config
from mainstay.config.publish import json_schema

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Show the configuration's schema, or what a file comes to.")


@app.command("schema")
def _schema() -> None:
    """Print the JSON Schema of the configuration, for editors.

    An editor completes and checks a file whose first line is
    `# yaml-language-server: $schema=mainstay.schema.json`.

    \b
    Examples:
      mainstay config schema > mainstay.schema.json
    """
    typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


@app.command("show")
def _show(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A YAML file, or a folder of YAML files.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print the configuration in force under a file: defaults filled in, references followed, secrets masked.

    \b
    Examples:
      mainstay config show mainstay.yaml
      mainstay config show /etc/mainstay/ --json
    """
    values = load_config(path, os.environ).config.model_dump(mode="json")
    typer.echo(json.dumps(values, indent=2) if as_json else yaml.safe_dump(values, sort_keys=False).rstrip())
