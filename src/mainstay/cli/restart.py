"""``mainstay restart``: replace the processes of a running gateway one by one, with no request lost.

Asks the supervisor by a signal and follows what it publishes. Does not know how one is replaced.
"""

import os
import signal
import time
from pathlib import Path
from typing import Any

import typer

from mainstay.cli.options import AsJson, ConfigOption, find_config
from mainstay.cli.output import print_json
from mainstay.config import config_home
from mainstay.core.errors import ConfigError, StartError
from mainstay.runtime.state import is_running, read_state, running_pid

__all__ = ["restart"]

_LOOK_EVERY = 0.05


def restart(config: ConfigOption = None, as_json: AsJson = False) -> None:
    """Replace the running workers one by one; lose no call.

    A new worker starts beside the old one, on the same port, and the old one goes once the new one serves: what it
    was answering it finishes, within server.drain, and its clients are told to connect anew.

    The new processes read the configuration afresh: also what a running one does not take in, which is server (save
    host, port and workers), telemetry and store. They run the code that the gateway was started with. After an
    upgrade of Mainstay, or an edit of server.host, server.port or server.workers, stop the gateway and start it again.
    Engines of local models run on; an edit of theirs needs no restart.

    If a new process does not become ready, the old ones go on, and this exits with 1.

    \b
    Examples:
      mainstay restart
      mainstay restart --config /etc/mainstay
    """
    path = find_config(config)
    run = config_home(path) / "run"
    pid = _supervisor(path, run)
    before = _latest(run).get("number", 0)
    _ask(pid)
    told: set[str] = set()
    while True:
        # Asked in this order, a gateway that ends is not waited for, and its last word is heard.
        alive, latest = is_running(run), _latest(run)
        if latest.get("number", 0) > before:
            if not as_json:
                _tell(latest, told)
            if latest["state"] == "done":
                break
            if latest["state"] == "failed":
                raise _failure(run, latest)
        if not alive:
            raise StartError("The gateway was stopped before it was restarted; start it with 'mainstay serve'.")
        time.sleep(_LOOK_EVERY)
    if as_json:
        print_json({name: {"old": old or None, "new": new} for name, (old, new) in latest["replaced"].items()})
    else:
        typer.echo("Done: the old processes have finished what they were answering.")
    if latest["listen_differs"]:
        typer.echo(
            "server.host, server.port and server.workers stay as they were: for an edit of these, stop the gateway and"
            " start it again.",
            err=True,
        )


def _supervisor(path: Path, run: Path) -> int:
    if not path.exists():
        raise ConfigError(f"There is no {path}; name the configuration that the gateway was started with by --config.")
    while is_running(run):
        if (pid := running_pid(run)) is not None:
            return pid
        time.sleep(_LOOK_EVERY)
    raise StartError(f"No gateway runs on {run.parent}; start one with 'mainstay serve'.")


def _ask(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGUSR2)
    except PermissionError:
        raise StartError(f"The gateway (pid {pid}) belongs to another user; run this as that user.") from None
    except ProcessLookupError:
        raise StartError(
            f"The gateway (pid {pid}) cannot be reached from here; run this on its machine, in its container."
        ) from None


def _latest(run: Path) -> dict[str, Any]:
    latest = (read_state(run) or {}).get("restart")
    return latest if isinstance(latest, dict) else {}


def _tell(latest: dict[str, Any], told: set[str]) -> None:
    lines = {
        name: f"{name}: process {old or '(none)'} is replaced by {new}"
        for name, (old, new) in latest["replaced"].items()
    }
    if latest["state"] == "draining":
        lines["draining"] = "All new processes serve; the old ones finish what they are answering."
    for name, line in lines.items():
        if name not in told:
            typer.echo(line)
    told.update(lines)


def _failure(run: Path, latest: dict[str, Any]) -> ConfigError | StartError:
    refused = (read_state(run) or {}).get("config_error")
    if refused and not latest["replaced"]:
        return ConfigError(f"Nothing was replaced, because the configuration is refused; correct it first:\n{refused}")
    replaced = ", ".join(latest["replaced"])
    what = f"{replaced} replaced, the others go on as they were" if replaced else "Nothing was replaced"
    return StartError(f"{what}: {latest['reason']}; see the gateway's log.")
