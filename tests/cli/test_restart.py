"""``mainstay restart``: what it says when there is nothing to restart, when it works, and when it does not."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mainstay.runtime.state import Lock, read_state, write_state
from support.command import ECHO
from support.supervised import eventually


@pytest.fixture
def serving(command) -> subprocess.Popen[str]:
    """Return a gateway that is ready."""
    process = command.start("serve", "--config", "mainstay.yaml")
    assert process.stderr is not None
    while json.loads(process.stderr.readline())["event"] != "ready":
        pass
    return process


def state(folder: Path) -> dict[str, Any]:
    found = read_state(folder / "var" / "run")
    assert found is not None
    return found


def pids(folder: Path) -> dict[str, int]:
    return {name: part["pid"] for name, part in state(folder)["parts"].items()}


def test_every_process_is_replaced_and_named(command, serving) -> None:
    before = pids(command.folder)
    code, out, said = command.run("restart")
    after = pids(command.folder)
    assert (code, said) == (0, "")
    assert out.splitlines()[:3] == [
        f"{name}: process {before[name]} is replaced by {after[name]}" for name in ("worker-0", "ledger", "control")
    ]
    assert out.splitlines()[-1] == "Done: the old processes have finished what they were answering."
    assert serving.poll() is None


def test_a_script_reads_who_was_replaced_by_whom(command, serving) -> None:
    before = pids(command.folder)
    code, out, said = command.run("restart", "--json", "--config", str(command.folder / "mainstay.yaml"))
    after = pids(command.folder)
    assert (code, said) == (0, "")
    assert json.loads(out) == {name: {"old": before[name], "new": after[name]} for name in before}


def test_a_configuration_that_is_refused_replaces_nothing(command, serving) -> None:
    before = pids(command.folder)
    (command.folder / "mainstay.yaml").write_text(ECHO + "  other: {targets: [parot]}\n")
    code, out, said = command.run("restart")
    assert (code, out) == (2, "")
    assert said.startswith("mainstay: Nothing was replaced, because the configuration is refused; correct it first:\n")
    assert "parrot" in said.splitlines()[1]
    assert pids(command.folder) == before


def test_a_new_process_that_cannot_start_is_told_with_its_reason(command, serving) -> None:
    before = pids(command.folder)
    store = command.folder / "other.db"
    (command.folder / "mainstay.yaml").write_text(f'{ECHO}store: {{url: "sqlite:///{store}"}}\n')
    code, out, said = command.run("restart")
    assert code == 1
    assert out.startswith("worker-0: process ")
    why = f"the new control did not become ready (The database '{store}' is not there"
    assert f"mainstay: worker-0, ledger replaced, the others go on as they were: {why}" in said
    assert said.endswith("; see the gateway's log.\n")
    assert pids(command.folder)["control"] == before["control"]
    assert state(command.folder)["ready"]


def test_an_edit_that_a_restart_does_not_take_in_is_told(command, serving) -> None:
    (command.folder / "mainstay.yaml").write_text(ECHO.replace("port: 0,", "port: 0, workers: 2,"))
    code, _, said = command.run("restart")
    assert code == 0
    assert said == (
        "server.host, server.port and server.workers stay as they were: for an edit of these, stop the gateway and"
        " start it again.\n"
    )
    assert set(pids(command.folder)) == {"worker-0", "ledger", "control"}


def test_a_gateway_that_is_stopped_meanwhile_ends_the_wait(command, serving) -> None:
    old = pids(command.folder)["control"]
    os.kill(old, signal.SIGSTOP)
    restart = command.start("restart")
    eventually(lambda: state(command.folder)["restart"]["number"] == 1)
    serving.send_signal(signal.SIGTERM)
    _, said = restart.communicate(timeout=30)
    assert restart.returncode == 1
    assert "the gateway was stopped" in said
    os.kill(old, signal.SIGCONT)
    serving.communicate(timeout=30)
    assert serving.returncode == 0


def test_a_gateway_that_vanishes_ends_the_wait(here, tmp_path, monkeypatch) -> None:
    run = tmp_path / "var" / "run"
    run.mkdir(parents=True)
    lock = Lock(run)
    write_state(run, {"pid": os.getpid(), "restart": {"number": 0, "state": "", "reason": "", "replaced": {}}})

    def vanish(pid: int, number: int) -> None:
        assert (pid, number) == (os.getpid(), signal.SIGUSR2)
        lock.release()

    monkeypatch.setattr("os.kill", vanish)
    code, out, said = here("restart")
    assert (code, out) == (1, "")
    assert said == "mainstay: The gateway was stopped before it was restarted; start it with 'mainstay serve'.\n"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (PermissionError, "belongs to another user; run this as that user."),
        (ProcessLookupError, "cannot be reached from here; run this on its machine, in its container."),
    ],
)
def test_a_gateway_out_of_reach_is_told(here, tmp_path, monkeypatch, error: type[OSError], sentence: str) -> None:
    run = tmp_path / "var" / "run"
    run.mkdir(parents=True)
    lock = Lock(run)
    write_state(run, {"pid": os.getpid()})

    def refuse(pid: int, number: int) -> None:
        raise error

    monkeypatch.setattr("os.kill", refuse)
    assert here("restart") == (1, "", f"mainstay: The gateway (pid {os.getpid()}) {sentence}\n")
    lock.release()


def test_no_gateway_is_told(here, tmp_path) -> None:
    expected = f"mainstay: No gateway runs on {tmp_path / 'var'}; start one with 'mainstay serve'.\n"
    assert here("restart") == (1, "", expected)


def test_what_a_gateway_left_behind_is_not_signalled(here, tmp_path) -> None:
    run = tmp_path / "var" / "run"
    run.mkdir(parents=True)
    write_state(run, {"pid": os.getpid(), "restart": {"number": 3, "state": "done", "reason": "", "replaced": {}}})
    (run / "mainstay.pid").write_text(f"{os.getpid()}\n")
    code, _, said = here("restart")
    assert code == 1
    assert "No gateway runs on" in said


def test_a_configuration_that_is_not_there_is_told(here, tmp_path) -> None:
    assert here("restart --config other.yaml")[0::2] == (
        2,
        "mainstay: There is no other.yaml; name the configuration that the gateway was started with by --config.\n",
    )
    (tmp_path / "mainstay.yaml").unlink()
    code, _, said = here("restart")
    assert code == 2
    assert "There is no mainstay.yaml in this folder" in said
