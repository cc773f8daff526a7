"""The ``mainstay`` command as a user runs it: a process of its own in a folder of its own."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

__all__ = ["ECHO", "Command", "command"]

#: A configuration that needs no model file, no network and no key of anyone else.
ECHO = """\
server: {port: 0, drain: 1s}
providers:
  echo: {kind: echo}
models:
  parrot: {provider: echo}
routes:
  assistant: {targets: [parrot]}
"""


class Command:
    """Runs ``mainstay`` in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str, **options: object) -> subprocess.Popen[str]:
        """Start the command with its output in pipes."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MAINSTAY")}
        process = subprocess.Popen(
            [sys.executable, "-c", "from mainstay.cli.main import main; main()", *arguments],
            cwd=self.folder,
            env=environment,
            text=True,
            stdin=options.get("stdin", subprocess.DEVNULL),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def run(self, *arguments: str, said: str | None = None) -> tuple[int, str, str]:
        """Run the command to its end with ``said`` on standard input; return exit code, output and errors."""
        process = self.start(*arguments, stdin=subprocess.DEVNULL if said is None else subprocess.PIPE)
        out, errors = process.communicate(said, timeout=60)
        return process.returncode, out, errors

    def up(self, *arguments: str) -> tuple[subprocess.Popen[str], str]:
        """Start ``mainstay up`` and return it with what it printed until it was ready."""
        process = self.start("up", *arguments)
        assert process.stdout is not None
        banner = ""
        while line := process.stdout.readline():
            banner += line
            if "Ctrl-C" in line:
                return process, banner
        raise AssertionError(f"it ended: {process.communicate()[1]}")

    def end(self) -> None:
        """End whatever still runs."""
        for process in self.started:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def url_in(banner: str) -> str:
    """Return the address that ``mainstay up`` printed."""
    found = re.search(r"ready at (http://\S+) after", banner)
    assert found is not None
    return found[1]


@pytest.fixture
def command(tmp_path: Path):
    """Return the command in a folder with an echo configuration."""
    (tmp_path / "mainstay.yaml").write_text(ECHO)
    command = Command(tmp_path)
    yield command
    command.end()
