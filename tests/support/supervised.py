"""A supervisor of stand-ins in a process of its own, for the tests of whatever it does."""

import contextlib
import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from mainstay.runtime.state import read_state

__all__ = ["Running", "alive", "eventually", "start"]

STAND_IN = Path(__file__).with_name("stand_in.py")
PATIENCE = 20.0


def eventually(found: Callable[[], Any]) -> Any:
    """Return the first true result of ``found``; fail when none comes."""
    until = time.monotonic() + PATIENCE
    while not (result := found()):
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.01)
    return result


class Running:
    """A server of stand-ins in a process of its own."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        self.home = directory / "var"
        self.file = directory / "settings.json"
        self.settings = {"home": str(self.home), "port": 0, "payload": "first", **settings}
        self.file.write_text(json.dumps(self.settings))
        self.process = subprocess.Popen(
            [sys.executable, STAND_IN, self.file], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def edit(self, *, hup: bool = True, **changes: Any) -> None:
        """Change the settings on disk, in one step, and say so (or let it be found)."""
        self.settings |= changes
        part = self.file.with_suffix(".part")
        part.write_text(json.dumps({name: value for name, value in self.settings.items() if value is not None}))
        part.replace(self.file)
        if hup:
            self.process.send_signal(signal.SIGHUP)

    def get(self) -> dict[str, Any]:
        connection = self.connect()
        connection.request("GET", "/")
        return json.loads(connection.getresponse().read())

    def connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)

    def hold(self) -> http.client.HTTPResponse:
        """Begin an answer that is not finished."""
        connection = self.connect()
        connection.request("GET", "/hold")
        response = connection.getresponse()
        assert response.readline() == b"begun\n"
        return response

    def part(self, name: str) -> dict[str, Any]:
        return (read_state(self.home / "run") or {}).get("parts", {}).get(name, {})

    def state(self, name: str) -> Any:
        return (read_state(self.home / "run") or {}).get(name)

    def story(self) -> list[str]:
        with contextlib.suppress(FileNotFoundError):
            return (self.home / "story").read_text().splitlines()
        return []

    def end(self) -> tuple[int, str]:
        """Return exit code and standard error."""
        _, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, errors


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def go(directory: Path = tmp_path, **settings: Any) -> Running:
        started.append(Running(directory, **settings))
        return started[-1]

    yield go
    for running in started:
        if running.process.poll() is None:
            pids = [part["pid"] for part in (running.state("parts") or {}).values()]
            running.process.kill()
            running.process.communicate()
            eventually(lambda pids=pids: not any(alive(pid) for pid in pids))


def alive(pid: int | None) -> bool:
    """Whether a process runs (one that waits to be buried does not)."""
    with contextlib.suppress(OSError):
        return pid is not None and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False
