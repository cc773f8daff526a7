"""``mainstay serve``: the gateway, in the foreground, until a signal stops it."""

import dataclasses
import os
import secrets
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated, NamedTuple

import structlog
import typer

from mainstay.cli.options import ConfigOption, Port, find_config
from mainstay.config import Loaded, Watcher, load_config, may_listen
from mainstay.core.errors import ConfigError
from mainstay.runtime.supervisor import Plan, Ready, Service, supervise
from mainstay.store.files import private_dir
from mainstay.telemetry.logs import configure_logs

__all__ = ["Overrides", "run", "serve"]

_log = structlog.get_logger("mainstay.serve")


class Overrides(NamedTuple):
    """What the command line puts over ``server:``; None leaves the configuration's own."""

    host: str | None = None
    port: int | None = None
    workers: int | None = None

    def apply(self, loaded: Loaded) -> Loaded:
        """Return ``loaded`` with these in place.

        Raises:
            ConfigError: the address may not be listened on without keys.
        """
        given = {name: value for name, value in self._asdict().items() if value is not None}
        if not given:
            return loaded
        server = loaded.config.server.model_copy(update=given)
        if not may_listen(server.host, loaded.config.identity.required):
            raise ConfigError(
                f"--host {server.host} can be reached from other machines, and identity.required is false; set it to"
                " true, or listen on 127.0.0.1."
            )
        return dataclasses.replace(loaded, config=loaded.config.model_copy(update={"server": server}))


def serve(
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option(help="Listen on this address instead of server.host.")] = None,
    port: Port = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Run this many workers instead of server.workers.")
    ] = None,
) -> None:
    """Run the gateway and what is configured beside it.

    Ctrl-C or SIGTERM finishes open answers and stops; a second Ctrl-C stops at once. SIGHUP reads the configuration
    again at once; an edit is noticed within a second anyway.

    \b
    Examples:
      mainstay serve
      mainstay serve --config /etc/mainstay --host 0.0.0.0 --port 80 --workers 4
    """

    def say(ready: Ready) -> None:
        _log.info("ready", url=ready.url, seconds=round(ready.seconds, 3))

    raise typer.Exit(run(find_config(config), Overrides(host, port, workers), say))


def run(path: Path, overrides: Overrides, ready: Callable[[Ready], None]) -> int:
    """Serve the configuration at ``path`` until a signal stops it; return the exit code.

    Raises:
        ConfigError: the configuration is wrong.
        StartError: something it needs is missing or taken.
    """
    # Everything is loaded here, once, before the forks: the children share these pages and start in milliseconds.
    from mainstay import app

    loaded = overrides.apply(load_config(path, os.environ))
    private_dir(loaded.home)
    log = loaded.config.telemetry.log
    configure_logs(log.format, log.level, worker="supervisor")
    if loaded.warnings:
        _log.warning("config_warning", problems=[str(warning) for warning in loaded.warnings])
    secret = secrets.token_bytes(32)
    watcher = Watcher(path, os.environ, loaded)

    def watch() -> Plan | None:
        found = watcher.poll()
        if isinstance(found, ConfigError):
            raise found
        return None if found is None else app.plan(overrides.apply(found), secret)

    plan = app.plan(loaded, secret)
    # Control and the ledger need the library of the database: imported before they are forked, it is loaded once.
    import_module("sqlalchemy")
    return supervise(Service(loaded.home, plan, app.worker_main, app.control_main, watch, app.ledger_main), ready)
