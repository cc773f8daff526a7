from pathlib import Path

import pytest
from bench.install import Unavailable, npm_package, pip_package, system_tool

from bench import install


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout where no peer has been installed yet."""
    monkeypatch.setattr(install, "PEERS", tmp_path)
    return tmp_path


def test_a_missing_package_is_a_reason_when_nothing_may_be_installed(empty: Path) -> None:
    with pytest.raises(Unavailable, match="some-thing is not installed, and --no-install was given"):
        pip_package("peer", "some-thing", "some_thing", install=False)
    assert list(empty.iterdir()) == []


def test_a_missing_tool_is_a_reason(empty: Path) -> None:
    with pytest.raises(Unavailable, match="no-such-tool-here is not installed"):
        system_tool("no-such-tool-here", (), install=False)


def test_a_missing_node_is_a_reason(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(empty))
    with pytest.raises(Unavailable, match="node is not installed"):
        npm_package("peer", "some-thing", "start.js", install=True)


def test_a_command_that_fails_gives_its_last_line_as_the_reason() -> None:
    with pytest.raises(Unavailable, match="it did not work: no such thing"):
        install._run(["sh", "-c", "echo first >&2; echo no such thing >&2; exit 3"], "it did not work")
