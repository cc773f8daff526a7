"""Fixtures of this directory."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mainstay.cli.main import main
from support.command import ECHO, command
from support.database import engine, home

__all__ = ["Here", "command", "engine", "here", "home"]

#: Runs a command line; returns exit code, output and errors.
Here = Callable[[str], tuple[int, str, str]]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    """Return ``mainstay`` in this process, in a folder with an echo configuration: for what forks nothing."""
    (tmp_path / "mainstay.yaml").write_text(ECHO)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MAINSTAY_HOME", raising=False)

    def run(line: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mainstay", *line.split()])
        with pytest.raises(SystemExit) as ended:
            main()
        out, errors = capsys.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0 if code is None else 1), out, errors

    return run
