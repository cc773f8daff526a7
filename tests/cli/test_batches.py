"""``mainstay batches run``: a file of requests in, answers beside it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mainstay.cli.main import build
from support.gateway import Gateway


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config: dict[str, Any] = {"providers": {"echo": {"kind": "echo"}}, "models": {"echo": {"provider": "echo"}}}
    with Gateway(tmp_path_factory.mktemp("gateway"), config) as running:
        yield running


def row(custom_id: str, model: str = "echo") -> str:
    body = {"model": model, "messages": [{"role": "user", "content": "Hi"}]}
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body})


def run(gateway: Gateway, file: Path, *more: str) -> Any:
    arguments = ["batches", "run", str(file), "--config", str(gateway.file), "--key", gateway.key, *more]
    return CliRunner().invoke(build(), arguments)


def test_answers_are_written_beside_the_file(gateway: Gateway, tmp_path: Path) -> None:
    file = tmp_path / "in put.jsonl"
    file.write_text("\n".join([row("a"), row("b")]))
    done = run(gateway, file)
    assert done.exit_code == 0, done.output
    lines = (tmp_path / "in put.jsonl.out").read_text().splitlines()
    assert {json.loads(line)["custom_id"] for line in lines} == {"a", "b"}
    assert "2 answered, 0 failed" in done.stderr


def test_rows_that_failed_go_to_a_file_of_their_own(gateway: Gateway, tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text("\n".join([row("a"), row("b", "none")]))
    done = run(gateway, file, "--output", str(tmp_path / "out"))
    assert done.exit_code == 1
    assert json.loads((tmp_path / "out").read_text())["custom_id"] == "a"
    assert json.loads((tmp_path / "out.errors").read_text())["custom_id"] == "b"


def test_what_is_wrong_with_a_file_is_told_by_line(gateway: Gateway, tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text("\n".join([row("a"), row("a")]))
    done = run(gateway, file)
    assert done.exit_code == 1
    assert "line 2: This 'custom_id' is that of line 1, too." in done.stderr
    file.write_text("nonsense")
    assert run(gateway, file).exit_code == 1
