"""Rolling restarts with stand-in workers and control: who is started, who goes, and what is left when it fails."""

import json
import os
import signal
from typing import Any

import pytest

from mainstay.runtime.state import running_pid
from support.supervised import Running, alive, eventually


def roll(running: Running) -> None:
    running.process.send_signal(signal.SIGUSR2)


def ended(running: Running, number: int) -> dict[str, Any]:
    """Return the restart of this number once it is over."""

    def found() -> Any:
        restart = running.state("restart")
        return restart["number"] == number and restart["state"] in ("done", "failed") and restart

    return eventually(found)


def pids(running: Running) -> dict[str, int]:
    return {name: part["pid"] for name, part in running.state("parts").items()}


@pytest.mark.parametrize("workers", [1, 2])
def test_every_worker_and_control_is_replaced_and_engines_run_on(start, workers) -> None:
    running = start(workers=workers, engines={"house": {}})
    before = pids(running)
    roll(running)
    restart = ended(running, 1)
    after = pids(running)
    assert restart["state"] == "done"
    assert list(restart["replaced"]) == [*(f"worker-{slot}" for slot in range(workers)), "control"]
    assert restart["replaced"] == {name: [before[name], after[name]] for name in before if name != "house"}
    assert all(before[name] != after[name] for name in restart["replaced"])
    assert after["house"] == before["house"]
    assert not any(alive(before[name]) for name in restart["replaced"])
    assert {running.get()["pid"] for _ in range(40)} == {after[f"worker-{slot}"] for slot in range(workers)}
    assert all(part["restarts"] == 0 for part in running.state("parts").values())


def test_an_answer_under_way_is_finished_while_the_new_worker_serves(start) -> None:
    running = start()
    before = pids(running)
    held = running.hold()
    roll(running)
    eventually(lambda: running.state("restart")["state"] == "draining")
    assert running.state("ready")
    assert {running.get()["pid"] for _ in range(10)} == {running.part("worker-0")["pid"]}
    assert running.part("worker-0")["pid"] != before["worker-0"]
    assert alive(before["worker-0"])
    (running.home / "release").touch()
    assert held.read() == b"done\n"
    assert ended(running, 1)["state"] == "done"


def test_a_new_worker_that_cannot_start_leaves_the_old_ones(start) -> None:
    running = start(workers=2)
    before = pids(running)
    running.edit(worker="start")
    eventually(lambda: running.state("generation") == 2)
    roll(running)
    restart = ended(running, 1)
    assert restart["state"] == "failed"
    assert "worker-0 did not become ready (There is no such wheel." in restart["reason"]
    assert restart["replaced"] == {}
    assert pids(running) == before
    assert running.state("ready")
    running.edit(worker=None)
    roll(running)
    assert ended(running, 2)["state"] == "done"


def test_a_control_process_that_cannot_start_leaves_the_old_one_beside_new_workers(start) -> None:
    running = start()
    before = pids(running)
    running.edit(control="crash")
    eventually(lambda: running.state("generation") == 2)
    roll(running)
    restart = ended(running, 1)
    assert restart["state"] == "failed"
    assert "control did not become ready (killed by SIGABRT)" in restart["reason"]
    assert list(restart["replaced"]) == ["worker-0"]
    assert pids(running)["control"] == before["control"]
    assert pids(running)["worker-0"] != before["worker-0"]


def test_an_edit_saved_just_before_is_what_the_new_workers_start_with(start) -> None:
    running = start()
    running.edit(payload="second", hup=False)
    roll(running)
    assert ended(running, 1)["state"] == "done"
    assert running.get() == {"slot": 0, "pid": running.part("worker-0")["pid"], "payload": "second"}


def test_nothing_is_replaced_while_the_configuration_is_refused(start) -> None:
    running = start()
    before = pids(running)
    running.edit(refuse="line 3: no such wheel", hup=False)
    roll(running)
    restart = ended(running, 1)
    assert (restart["state"], restart["reason"]) == ("failed", "line 3: no such wheel")
    assert pids(running) == before


def test_a_restart_asked_for_during_another_comes_after_it(start) -> None:
    running = start()
    held = running.hold()
    roll(running)
    eventually(lambda: running.state("restart")["state"] == "draining")
    between = pids(running)
    roll(running)
    assert running.state("restart")["number"] == 1
    (running.home / "release").touch()
    held.read()
    restart = ended(running, 2)
    assert restart["state"] == "done"
    assert restart["replaced"]["worker-0"][0] == between["worker-0"]


def test_an_old_worker_that_dies_meanwhile_is_replaced_all_the_same(start) -> None:
    running = start()
    os.kill(running.part("worker-0")["pid"], signal.SIGKILL)
    roll(running)
    assert ended(running, 1)["state"] == "done"
    assert running.get()["pid"] == running.part("worker-0")["pid"]


def test_a_stop_ends_a_restart_and_everyone(start) -> None:
    running = start()
    first = running.part("worker-0")["pid"]
    held = running.hold()
    roll(running)
    eventually(lambda: running.state("restart")["state"] == "draining")
    running.process.send_signal(signal.SIGTERM)
    eventually(lambda: running.state("restart")["state"] == "failed")
    assert running.state("restart")["reason"] == "the gateway was stopped"
    (running.home / "release").touch()
    assert held.read() == b"done\n"
    code, log = running.end()
    assert code == 0
    assert not alive(first)
    assert running.story().count("worker stopped") == 2
    assert running.story()[-1] == "control stopped"
    assert "restart_failed" in [json.loads(line)["event"] for line in log.splitlines()]


def test_only_a_supervisor_that_takes_signals_is_told_to_run(start, tmp_path) -> None:
    running = start()
    run = running.home / "run"
    assert running_pid(run) == running.process.pid
    (run / "state.json").write_text('{"pid": 1}')
    assert running_pid(run) is None
    assert running_pid(tmp_path) is None
