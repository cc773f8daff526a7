"""``mainstay config``: the schema of the configuration, and what a file comes to with every default."""

import os

import typer
import yaml

from mainstay.cli.options import AsJson, ConfigFile, find_config
from mainstay.cli.output import print_json
from mainstay.config import load_config
from mainstay.config.publish import json_schema

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _config() -> None:
    """The configuration's schema, and what a file comes to.

    \b
    Examples:
      mainstay config show
      mainstay config schema > mainstay.schema.json
    """


@app.command("schema")
def _schema() -> None:
    """Print the JSON Schema of the configuration, for editors.

    An editor completes and checks a file whose first line is
    `# yaml-language-server: $schema=mainstay.schema.json`.

    \b
    Examples:
      mainstay config schema > mainstay.schema.json
    """
    print_json(json_schema())


@app.command("show")
def _show(file: ConfigFile = None, as_json: AsJson = False) -> None:
    """Print what a configuration comes to.

    Defaults filled in, references followed, secrets masked.

    \b
    Examples:
      mainstay config show
      mainstay config show /etc/mainstay/ --json
    """
    values = load_config(find_config(file), os.environ).config.model_dump(mode="json")
    if as_json:
        print_json(values)
    else:
        typer.echo(yaml.safe_dump(values, sort_keys=False, allow_unicode=True).rstrip())
