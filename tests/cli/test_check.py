"""``mainstay check``."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from mainstay.cli.check import check

app = typer.Typer()
app.command()(check)

GOOD = "providers: {e: {kind: echo}}\nmodels: {m: {provider: e}}\nroutes: {r: {targets: [m], fallback: [m]}}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mainstay.yaml"


def test_a_right_configuration_is_summed_up(file: Path) -> None:
    file.write_text(GOOD)
    result = CliRunner().invoke(app, [str(file)])
    assert result.exit_code == 0
    assert result.stderr == ""
    for line in ("no problems", "route     r: first of m, then m", "model     m: m at e", "provider  e: echo"):
        assert line in result.stdout


def test_a_wrong_one_has_every_problem_on_standard_error_and_exit_code_2(file: Path) -> None:
    file.write_text(GOOD.replace("kind", "knid") + "server:\n  prot: 1\n")
    result = CliRunner().invoke(app, [str(file)])
    assert result.exit_code == 2
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert lines[0].startswith(f"{file}:1: providers.e.kind: is required")
    assert lines[1] == f"{file}:5: server.prot: unknown field; did you mean 'port'?"
    assert lines[2] == f"{file}: 2 problems; nothing was started"


def test_a_missing_file_is_a_problem(file: Path) -> None:
    result = CliRunner().invoke(app, [str(file)])
    assert result.exit_code == 2
    assert f"{file}: cannot be read: no such file or directory" in result.stderr


def test_warnings_are_shown_and_change_nothing(file: Path) -> None:
    file.write_text("server: {port: 1}")
    result = CliRunner().invoke(app, [str(file)])
    assert result.exit_code == 0
    assert "warning: " in result.stderr


def test_a_script_reads_the_same_as_json(file: Path) -> None:
    file.write_text(GOOD)
    report = json.loads(CliRunner().invoke(app, [str(file), "--json"]).stdout)
    assert (report["ok"], report["routes"], report["models"], report["providers"]) == (True, ["r"], ["m"], ["e"])
    file.write_text("server: {port: 0x}")
    result = CliRunner().invoke(app, [str(file), "--json"])
    assert result.exit_code == 2
    assert json.loads(result.stdout) == {
        "ok": False,
        "problems": [
            {"file": str(file), "line": 1, "path": "server.port", "message": "must be a whole number", "hint": ""}
        ],
        "warnings": [],
    }
