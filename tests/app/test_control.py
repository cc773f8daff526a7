"""Nobody who asks notices: restarts, reloads, killed workers and a database that is away, all under load."""

import http.client
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from sqlalchemy import text

from mainstay.store.sql import reading
from support.gateway import Gateway, completion, sse_chunks
from support.load import HeldStream, Load, ports_of
from support.supervised import eventually
from support.upstream import Chunk, Head, Received, Steps, Upstream, Wait, json_reply

ECHO: dict[str, Any] = {"providers": {"echo": {"kind": "echo"}}, "models": {"echo": {"provider": "echo"}}}


@contextmanager
def held_streams() -> Iterator[tuple[dict[str, Any], threading.Event]]:
    """Yield a configuration with a model whose streams go on when the event is set, and the event."""
    go_on = threading.Event()
    events = sse_chunks("One", " two")

    def answer(request: Received) -> Steps:
        if not request.json().get("stream"):
            return json_reply(completion())
        return [Head(200), Chunk(events[0] + events[1]), Wait(go_on), *map(Chunk, events[2:])]

    with Upstream(answer) as vendor:
        provider = {"kind": "openai", "base_url": f"{vendor.url}/v1", "api_key": "k"}
        yield (
            {
                "providers": {**ECHO["providers"], "vendor": provider},
                "models": {**ECHO["models"], "m": {"provider": "vendor"}},
            },
            go_on,
        )


def mainstay(gateway: Gateway, *line: str) -> subprocess.Popen[str]:
    """Start a command on the gateway's configuration."""
    command = [sys.executable, "-m", "mainstay", *line, "--config", str(gateway.file)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def recorded(gateway: Gateway, ids: list[str]) -> bool:
    """Whether every one of these calls is in the database."""
    with reading(gateway.engine) as connection:
        found = set(connection.execute(text("SELECT request_id FROM records")).scalars())
    return found >= set(ids)


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_rolling_restart_under_load_loses_no_request_and_no_stream(tmp_path: Path, workers: int) -> None:
    with held_streams() as (config, go_on), Gateway(tmp_path, config, workers=workers) as gateway:
        first = gateway.pids("worker")
        with Load(gateway) as load:
            load.more(100)
            streams = [HeldStream(gateway, "m") for _ in range(3)]
            restart = mainstay(gateway, "restart")
            gateway.until(lambda: gateway.state()["restart"]["state"] == "draining")
            # The new ones serve while the old ones still stream.
            assert not set(gateway.pids("worker")) & set(first)
            assert gateway.status("/health/ready") == 200
            load.more(300)
            go_on.set()
            assert all(stream.rest().endswith(b"data: [DONE]\n\n") for stream in streams)
            out, errors = restart.communicate(timeout=30)
            assert (restart.returncode, errors) == (0, "")
            lines = out.splitlines()
            everyone = [*(f"worker-{slot}" for slot in range(workers)), "ledger", "control"]
            assert [line.split(":")[0] for line in lines if " is replaced by " in line] == everyone
            assert lines[-2:] == [
                "All new processes serve; the old ones finish what they are answering.",
                "Done: the old processes have finished what they were answering.",
            ]
            again = mainstay(gateway, "restart")
            again.communicate(timeout=30)
            assert again.returncode == 0
            load.more(100)
        assert load.failures == []
        assert load.told_to_close > 0
        ids = [*load.answered, *(stream.request_id for stream in streams)]
        gateway.until(lambda: recorded(gateway, ids))


def test_a_caller_whose_stream_began_before_a_restart_may_use_its_connection_once_more(tmp_path: Path) -> None:
    with held_streams() as (config, go_on), Gateway(tmp_path, config) as gateway:
        stream = HeldStream(gateway, "m")
        restart = mainstay(gateway, "restart")
        gateway.until(lambda: gateway.state()["restart"]["state"] == "draining")
        go_on.set()
        # Its head was sent when nothing was to be closed; now the caller is told.
        assert stream.asks_again(gateway) == (200, "close")
        restart.communicate(timeout=30)
        assert restart.returncode == 0


def test_a_restart_takes_in_what_only_a_new_worker_reads(tmp_path: Path) -> None:
    def large(gateway: Gateway) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
        connection.request("POST", "/v1/chat/completions", b" " * 5000, {"authorization": f"Bearer {gateway.key}"})
        status = connection.getresponse().status
        connection.close()
        return status

    with Gateway(tmp_path, ECHO) as gateway:
        assert large(gateway) == 400
        server = {**gateway.config["server"], "max_body": "2KiB"}
        gateway.write({**gateway.config, "server": server, "telemetry": {"log": {"access": True}}})
        restart = mainstay(gateway, "restart")
        restart.communicate(timeout=30)
        assert restart.returncode == 0
        assert large(gateway) == 413
        page = gateway.get("/metrics").decode().splitlines()
        assert sum(line.startswith("mainstay_worker_resident_memory_bytes{") for line in page) == 1


def test_reloads_under_load_lose_no_request_and_no_stream(tmp_path: Path) -> None:
    with held_streams() as (config, go_on), Gateway(tmp_path, config, workers=2) as gateway, Load(gateway) as load:
        streams = [HeldStream(gateway, "m") for _ in range(3)]
        for number in range(5):
            gateway.write({**gateway.config, "routes": {f"route-{number}": {"targets": ["echo"]}}})
            os.kill(gateway.pid, signal.SIGHUP)
            gateway.until(lambda number=number: gateway.state()["generation"] == number + 2)
            load.more(50)
            gateway.write({**gateway.config, "routes": {"wrong": {"targets": ["nobody"]}}})
            os.kill(gateway.pid, signal.SIGHUP)
            gateway.until(lambda: "nobody" in gateway.state()["config_error"])
            load.more(20)
        go_on.set()
        assert all(stream.rest().endswith(b"data: [DONE]\n\n") for stream in streams)
        load.stop()
        assert load.failures == []


def stand_still(pid: int) -> None:
    """Stop a process; return when nothing moves in it any more."""
    os.kill(pid, signal.SIGSTOP)
    threads = Path(f"/proc/{pid}/task")
    eventually(
        lambda: all((thread / "stat").read_text().rpartition(")")[2].split()[0] == "T" for thread in threads.iterdir())
    )


def test_a_killed_worker_breaks_only_its_own_calls_and_those_uncleanly(tmp_path: Path) -> None:
    with held_streams() as (config, go_on), Gateway(tmp_path, config, workers=2) as gateway, Load(gateway) as load:
        load.more(100)
        victim, other = gateway.pids("worker")
        streams = [HeldStream(gateway, "m") for _ in range(8)]
        stand_still(victim)
        # What it holds now is what it takes with it.
        theirs, others = ports_of(victim), ports_of(other)
        os.kill(victim, signal.SIGKILL)
        gateway.until(lambda: victim not in gateway.pids("worker") and gateway.state()["ready"])
        load.more(200)
        go_on.set()
        spared = [stream for stream in streams if stream.port in others]
        assert all(stream.rest().endswith(b"data: [DONE]\n\n") for stream in spared)
        for stream in streams:
            if stream.port in theirs:
                with pytest.raises((http.client.IncompleteRead, ConnectionError)):
                    stream.rest()
        load.stop()
        assert {failure.port for failure in load.failures} <= theirs
        assert gateway.state()["parts"]["worker-0"]["restarts"] == 1
        ids = [*load.answered, *(stream.request_id for stream in spared)]
        gateway.until(lambda: recorded(gateway, ids))


def test_a_stream_of_a_killed_worker_raises_in_the_official_clients(tmp_path: Path) -> None:
    with held_streams() as (config, go_on), Gateway(tmp_path, config) as gateway:
        asked: Any = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "one two"}]}
        one = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0)
        two = anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0)
        with one, two:
            streams = [iter(one.chat.completions.create(**asked)), iter(two.messages.create(max_tokens=9, **asked))]
            for stream in streams:
                next(stream)
            worker = gateway.pids("worker")[0]
            os.kill(worker, signal.SIGKILL)
            for stream in streams:
                with pytest.raises(Exception, match=r"Connection error|without sending complete"):
                    list(stream)
            go_on.set()
            gateway.until(lambda: worker not in gateway.pids("worker") and gateway.state()["ready"])
            assert one.chat.completions.create(**{**asked, "stream": False}).choices[0].message.content


@pytest.mark.slow
def test_a_locked_database_stops_no_request_and_the_command_line_says_so(tmp_path: Path) -> None:
    with Gateway(tmp_path, ECHO, workers=2) as gateway:
        gateway.keys.create("old")
        blocker = sqlite3.connect(gateway.var / "mainstay.db", isolation_level=None)
        with Load(gateway) as load:
            load.more(50)
            blocker.execute("BEGIN EXCLUSIVE")
            commands = [mainstay(gateway, "keys", "create", "new"), mainstay(gateway, "keys", "revoke", "old")]
            load.more(100)
            for command in commands:
                out, said = command.communicate(timeout=30)
                assert (command.returncode, out) == (1, "")
                assert "is locked by another program: close that program and try again." in said
            gateway.until(lambda: "records wait in the journal" in gateway.log())
            load.more(50)
            blocker.execute("ROLLBACK")
            blocker.close()
        assert load.failures == []
        gateway.until(lambda: recorded(gateway, load.answered))


@pytest.mark.slow
def test_a_database_that_was_moved_away_and_back_stops_no_request_and_loses_no_record(tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.mkdir()
    with Gateway(tmp_path, ECHO, workers=2) as gateway, Load(gateway) as load:
        load.more(50)
        before = list(load.answered)
        gateway.until(lambda: recorded(gateway, before))
        for file in gateway.var.glob("mainstay.db*"):
            file.rename(away / file.name)
        load.more(50)
        command = mainstay(gateway, "keys", "create", "new")
        _, said = command.communicate(timeout=30)
        assert command.returncode == 1
        assert "is not there" in said
        # Nor does a control process that starts meanwhile begin a new one, with no key in it.
        control = gateway.pids("control")
        os.kill(control[0], signal.SIGKILL)
        gateway.until(lambda: "is not there" in gateway.state()["parts"]["control"]["reason"])
        # Whoever sends it calls may go on.
        assert gateway.status("/health/ready") == 200
        assert "is not there" in json.loads(gateway.get("/health/ready"))["parts"]["control"]
        assert not (gateway.var / "mainstay.db").exists()
        for file in away.iterdir():
            file.rename(gateway.var / file.name)
        load.stop()
        assert load.failures == []
        gateway.until(lambda: gateway.state()["parts"]["control"]["state"] == "up")
        gateway.until(lambda: recorded(gateway, load.answered))


@pytest.fixture
def bound_by_permissions(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make commands started from here obey file permissions, which root does not."""
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root may write anywhere")
        wrapper = tmp_path_factory.mktemp("bin") / "python"
        wrapper.write_text(f'#!/bin/sh\nexec setpriv --bounding-set -dac_override {sys.executable} "$@"\n')
        wrapper.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(wrapper))


@pytest.mark.slow
@pytest.mark.usefixtures("bound_by_permissions")
def test_a_database_made_read_only_stops_no_request_and_loses_no_record(tmp_path: Path) -> None:
    with Gateway(tmp_path, ECHO, workers=2) as gateway, Load(gateway) as load:
        load.more(50)
        files = list(gateway.var.glob("mainstay.db*"))
        for file in files:
            file.chmod(0o444)
        command = mainstay(gateway, "keys", "create", "new")
        _, said = command.communicate(timeout=30)
        assert command.returncode == 1
        assert "No permission to open or write the database" in said
        gateway.until(lambda: "records wait in the journal" in gateway.log())
        load.more(50)
        for file in files:
            file.chmod(0o600)
        load.stop()
        assert load.failures == []
        gateway.until(lambda: recorded(gateway, load.answered))


@pytest.mark.slow
def test_a_control_process_killed_again_and_again_stops_no_request_and_loses_no_record(tmp_path: Path) -> None:
    with Gateway(tmp_path, ECHO, workers=2) as gateway, Load(gateway) as load:
        for number in range(4):
            load.more(50)
            os.kill(gateway.pids("control")[0], signal.SIGKILL)
            goal = {"restarts": number + 1, "state": "up"}
            gateway.until(lambda goal=goal: gateway.state()["parts"]["control"].items() >= goal.items())
        load.stop()
        assert load.failures == []
        gateway.until(lambda: recorded(gateway, load.answered))
