"""The supervisor with stand-in workers, control and engines: starts, restarts, reloads, stops in order."""

import contextlib
import http.client
import json
import os
import re
import signal
import stat
from pathlib import Path

import pytest

from mainstay.runtime.state import read_state
from support.supervised import alive, eventually


def test_it_serves_and_says_that_every_part_is_up(start) -> None:
    running = start(workers=2, engines={"house": {}})
    assert running.get()["payload"] == "first"
    state = read_state(running.home / "run")
    assert state is not None
    assert state["ready"]
    assert state["url"] == running.url
    assert {name: part["state"] for name, part in state["parts"].items()} == {
        "control": "up",
        "worker-0": "up",
        "worker-1": "up",
        "house": "up",
    }
    assert stat.S_IMODE(running.home.stat().st_mode) == 0o700
    assert stat.S_IMODE((running.home / "run" / "state.json").stat().st_mode) == 0o600


def test_connections_spread_over_the_workers(start) -> None:
    running = start(workers=2)
    assert {running.get()["slot"] for _ in range(60)} == {0, 1}


def test_a_killed_worker_is_replaced_and_nobody_is_refused(start) -> None:
    running = start(workers=2)
    victim, other = running.part("worker-0")["pid"], running.part("worker-1")["pid"]
    os.kill(victim, signal.SIGKILL)
    # The dead worker's share of the port stays open: whoever comes now waits for the next one.
    seen = {running.get()["pid"] for _ in range(60)}
    assert seen <= {other, running.part("worker-0")["pid"]}
    assert len(seen) == 2
    eventually(lambda: running.part("worker-0").get("state") == "up")
    assert running.part("worker-0")["restarts"] == 1
    assert running.part("worker-1")["restarts"] == 0


def test_a_killed_engine_comes_back_and_the_rest_never_notices(start) -> None:
    running = start(engines={"house": {}})
    worker, engine = running.part("worker-0")["pid"], running.part("house")["pid"]
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: running.part("house")["restarts"] == 1 and running.part("house")["state"] == "up")
    assert running.part("house")["pid"] != engine
    assert running.get()["pid"] == worker
    assert running.state("ready")
    running.process.send_signal(signal.SIGTERM)
    log = [json.loads(line) for line in running.end()[1].splitlines()]
    told = [(line["event"], line["child"]) for line in log if line["event"] in ("child_died", "child_up")]
    assert told == [("child_died", "house"), ("child_up", "house")]


def test_an_engine_without_a_sign_of_life_is_replaced(start) -> None:
    running = start(engines={"house": {"hangs": True}})
    eventually(lambda: running.part("house").get("restarts"))
    assert running.get()["payload"] == "first"


def test_a_control_process_that_stays_away_is_named_and_makes_nothing_unready(start) -> None:
    running = start()
    running.edit(control="crash")
    eventually(lambda: running.state("generation") == 2)
    os.kill(running.part("control")["pid"], signal.SIGKILL)
    eventually(lambda: running.part("control")["restarts"] > 1)
    assert running.part("control")["state"] != "up"
    assert running.state("ready")
    assert running.get()["slot"] == 0


def test_a_stop_finishes_open_answers_and_goes_in_order(start) -> None:
    running = start(engines={"house": {}})
    held = running.hold()
    running.process.send_signal(signal.SIGTERM)
    eventually(lambda: running.part("worker-0").get("state") == "draining")
    with pytest.raises(ConnectionRefusedError):
        eventually(lambda: running.get() and None)
    (running.home / "release").touch()
    assert held.read() == b"done\n"
    assert running.end()[0] == 0
    assert running.story() == ["worker stopped", "control stopped", "engine house stopped"]


def test_an_answer_that_does_not_end_in_time_is_cut(start) -> None:
    running = start(drain=0.1)
    held = running.hold()
    running.process.send_signal(signal.SIGTERM)
    code, log = running.end()
    assert code == 0
    assert "did not stop in time" in log
    with contextlib.suppress(http.client.HTTPException, ConnectionError):
        assert held.read() == b""


def test_a_second_interrupt_stops_at_once(start) -> None:
    running = start(engines={"house": {}}, drain=1000)
    running.hold()
    running.process.send_signal(signal.SIGINT)
    eventually(lambda: running.part("worker-0").get("state") == "draining")
    running.process.send_signal(signal.SIGINT)
    assert running.end()[0] == 0
    assert "worker stopped" not in running.story()


def test_nothing_outlives_a_killed_supervisor(start) -> None:
    running = start(workers=2, engines={"house": {}})
    pids = [part["pid"] for part in running.state("parts").values()]
    assert all(alive(pid) for pid in pids)
    running.process.kill()
    running.process.communicate()
    eventually(lambda: not any(alive(pid) for pid in pids))
    again = start(workers=2, port=int(running.url.rpartition(":")[2]))
    assert again.get()["payload"] == "first"


def test_a_second_server_on_the_same_home_is_refused(start) -> None:
    running = start()
    code, said = start().end()
    assert code == 1
    assert re.fullmatch(rf"Another Mainstay \(pid {running.process.pid}\) already runs on .*; stop it, .*\n", said)
    assert running.get()["payload"] == "first"


def test_a_busy_port_names_who_has_it(start, tmp_path) -> None:
    running = start(workers=2)
    (tmp_path / "other").mkdir()
    port = running.url.rpartition(":")[2]
    code, said = start(tmp_path / "other", port=int(port), workers=2).end()
    assert code == 1
    assert f"Port {port} is already in use by " in said
    assert "choose another with --port" in said


def test_a_home_that_cannot_be_written_is_a_sentence(start, tmp_path) -> None:
    (tmp_path / "var").write_text("")
    code, said = start().end()
    assert code == 1
    assert said.startswith(f"Cannot write to {tmp_path / 'var'};")


def test_an_edit_reaches_every_worker_and_the_ones_that_start_later(start) -> None:
    running = start(workers=2)
    running.edit(payload="second", hup=False)
    eventually(lambda: running.state("generation") == 2)
    eventually(lambda: {running.get()["payload"] for _ in range(20)} == {"second"})
    os.kill(running.part("worker-0")["pid"], signal.SIGKILL)
    eventually(lambda: running.part("worker-0").get("restarts") and running.part("worker-0")["state"] == "up")
    assert {running.get()["payload"] for _ in range(20)} == {"second"}


def test_a_refused_edit_changes_nothing_and_is_told(start) -> None:
    running = start()
    why = "line 3: no such wheel\nline 4: no such spoke"
    running.edit(payload="second", refuse=why)
    eventually(lambda: running.state("config_error") == why)
    assert running.get()["payload"] == "first"
    running.edit(refuse=None)
    eventually(lambda: running.get()["payload"] == "second")
    eventually(lambda: running.state("config_error") == "")
    running.process.send_signal(signal.SIGTERM)
    log = [json.loads(line) for line in running.end()[1].splitlines()]
    (refused,) = (line for line in log if line["event"] == "config_refused")
    assert refused["problems"] == why.splitlines()


def test_a_changed_engine_runs_before_callers_move_and_the_old_one_goes_after(start) -> None:
    running = start(engines={"house": {"size": 1}}, drain=0.2)
    before = running.part("house")["pid"]
    running.edit(payload="second", engines={"house": {"size": 2}, "barn": {}})
    eventually(lambda: running.get()["payload"] == "second")
    assert running.part("house")["state"] == running.part("barn")["state"] == "up"
    assert running.part("house")["pid"] != before
    eventually(lambda: not alive(before))
    assert running.part("house")["restarts"] == 0


def test_an_edit_whose_engine_cannot_start_is_refused(start) -> None:
    running = start(engines={"house": {}})
    before = running.part("house")["pid"]
    running.edit(payload="second", engines={"house": {}, "barn": {"broken": True}})
    eventually(lambda: "barn cannot start: The engine is out of steam." in running.state("config_error"))
    assert running.get()["payload"] == "first"
    assert running.part("house")["pid"] == before
    eventually(lambda: running.part("barn") == {})


def test_an_edit_of_the_address_waits_for_a_restart(start) -> None:
    running = start()
    running.edit(payload="second", port=1)
    eventually(lambda: running.get()["payload"] == "second")
    running.process.send_signal(signal.SIGTERM)
    assert "restart_needed" in running.end()[1]


@pytest.mark.parametrize(
    ("part", "how", "code", "sentence"),
    [("worker", "start", 1, "no such wheel"), ("control", "config", 2, "wheel is square")],
)
def test_a_part_that_cannot_start_ends_the_command_with_its_reason(start, part, how, code, sentence) -> None:
    got, said = start(**{part: how}, engines={"house": {}}).end()
    assert got == code
    assert sentence in said.splitlines()[-1]


def test_an_engine_that_cannot_start_ends_the_command_with_its_reason(start) -> None:
    code, said = start(engines={"house": {"broken": True}}).end()
    assert (code, said.splitlines()[-1]) == (1, "The engine is out of steam.")


def test_a_worker_that_crashes_at_the_start_is_given_up(start) -> None:
    code, said = start(worker="crash").end()
    assert code == 1
    assert "worker-0 cannot start: killed by SIGABRT" in said


def test_a_child_holds_no_one_elses_sockets(start) -> None:
    running = start(workers=2)

    def listening(pid: int) -> int:
        links = {os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir() if fd.exists() or fd.is_symlink()}
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return sum(row[3] == "0A" and f"socket:[{row[9]}]" in links for row in rows)

    assert listening(running.part("worker-0")["pid"]) == 1
    assert listening(running.part("control")["pid"]) == 0
