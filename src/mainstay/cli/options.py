"""What several commands take: the configuration they are about, a port, whether a script reads what they print.

Defined once, so that the same words mean the same everywhere. Does not know any command.
"""

from pathlib import Path
from typing import Annotated

import typer

from mainstay.core.errors import ConfigError

__all__ = ["DEFAULT", "AsJson", "ConfigFile", "ConfigOption", "Port", "find_config"]

#: The configuration that ``mainstay up`` writes.
DEFAULT = Path("mainstay.yaml")
_NAMES = ("mainstay.yaml", "mainstay.yml")
_HELP = "A YAML file, or a folder of them; ./mainstay.yaml when not given."

ConfigOption = Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help=_HELP)]
ConfigFile = Annotated[Path | None, typer.Argument(metavar="FILE", help=_HELP)]
Port = Annotated[
    int | None,
    typer.Option(min=0, max=65535, help="Listen on this port instead of server.port; 0 takes a free one."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def find_config(given: Path | None) -> Path:
    """Return the configuration to use: what was given, or the one of this folder.

    Raises:
        ConfigError: there is none here.
    """
    if given is not None:
        return given
    for name in _NAMES:
        if Path(name).is_file():
            return Path(name)
    raise ConfigError(
        "There is no mainstay.yaml in this folder; name a configuration with --config, or let 'mainstay up' write one."
    )
