"""Children: when one may start again, what it inherits, how its end is put in words."""

import json
import os
import select
import signal
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import ConfigError
from mainstay.runtime.children import Backoff, Child, Program, Start, describe_exit, execute, fork
from mainstay.runtime.leash import Leash, Message

TALKER = """
import json, os, select, sys
from mainstay.runtime.leash import Leash
leash = Leash(os.dup(0), os.dup(1))
while not (messages := leash.receive()):
    select.select([leash], [], [])
leash.send("told", json.dumps([messages[0].payload.decode(), sorted(os.environ), sys.argv]).encode())
"""


def hear(start: Start) -> Message:
    while not (messages := start.leash.receive()):
        assert select.select([start.leash], [], [], 20)[0]
        assert not start.leash.parted
    return messages[0]


def end(start: Start) -> int:
    while (status := start.wait()) is None:
        time.sleep(0.005)
    start.leash.close()
    return status


def test_the_first_restart_is_at_once_and_waits_double_up_to_the_longest() -> None:
    backoff = Backoff(first=0.05, longest=1.0, breaker=100)
    waits = [backoff.died(now, 1.0) for now in range(8)]
    assert waits == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0]


def test_a_calm_life_forgives() -> None:
    backoff = Backoff(first=0.05, calm=30.0)
    assert [backoff.died(0.0, 1.0), backoff.died(1.0, 1.0), backoff.died(50.0, 49.0)] == [0.05, 0.1, 0.05]


def test_many_deaths_in_a_short_time_are_a_crash_loop_until_a_calm_life() -> None:
    backoff = Backoff(breaker=3, window=60.0, longest=30.0)
    assert [backoff.died(now, 0.1) for now in (0.0, 1.0, 2.0)] == [0.05, 0.1, 30.0]
    assert backoff.looping
    backoff.died(100.0, 60.0)
    assert not backoff.looping


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), max_size=40))
def test_a_wait_is_never_negative_nor_longer_than_the_longest(lives) -> None:
    backoff, now = Backoff(), 0.0
    for pause, lived in lives:
        now += pause + lived
        assert 0 < backoff.died(now, lived) <= 30.0


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "exited with code 0"),
        (3 << 8, "exited with code 3"),
        (signal.SIGKILL, "killed by SIGKILL"),
        (64 - 1, "signal 63"),
    ],
)
def test_an_end_is_put_in_words(status, words) -> None:
    assert describe_exit(status).endswith(words)


def test_a_child_is_overdue_when_it_is_silent_or_never_ready() -> None:
    child = Child("worker-0", "worker", lambda: pytest.fail("not asked"), start_within=10, silence=5)
    assert child.overdue(1000.0) == ""
    leash = Leash(*os.pipe())
    child.running = Start(1, leash, lambda: None)
    child.started = child.heard = 100.0
    assert child.overdue(109.0) == ""
    assert child.overdue(111.0) == "not ready within 10 s"
    child.state = "up"
    assert child.overdue(104.0) == ""
    assert child.overdue(106.0) == "no sign of life for 5 s"
    leash.close()


def test_a_program_gets_its_settings_and_none_of_our_secrets(monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    started = execute(Program("talker", (sys.executable, "-c", TALKER), b"the settings", env=(("EXTRA", "1"),)))
    settings, environment, argv = json.loads(hear(started).payload)
    assert settings == "the settings"
    assert argv == ["-c"]
    assert "OPENAI_API_KEY" not in environment
    assert {"CUDA_VISIBLE_DEVICES", "EXTRA", "PATH"} <= set(environment)
    assert describe_exit(end(started)) == "exited with code 0"


def test_a_program_that_is_not_there_is_an_os_error() -> None:
    with pytest.raises(OSError):
        execute(Program("nothing", ("/no/such/program",), b""))


def test_a_forked_child_runs_and_ends_with_its_code() -> None:
    released = []

    def main(leash: Leash) -> int:
        leash.send("told", json.dumps([released, signal.getsignal(signal.SIGINT) == signal.SIG_IGN]).encode())
        return 7

    started = fork(main, lambda: released.append("released"))
    assert json.loads(hear(started).payload) == [["released"], True]
    assert released == []
    assert describe_exit(end(started)) == "exited with code 7"


def test_a_forked_child_says_why_it_cannot_start() -> None:
    def main(_: Leash) -> int:
        raise ConfigError("The wheel is square.")

    started = fork(main, lambda: None)
    assert hear(started) == Message("failed", {"reason": "The wheel is square.", "exit_code": 2})
    assert describe_exit(end(started)) == "exited with code 2"


def test_an_unforeseen_error_of_a_forked_child_is_printed(capfd) -> None:
    def main(_: Leash) -> int:
        raise ZeroDivisionError("by the wheel")

    assert describe_exit(end(fork(main, lambda: None))) == "exited with code 70"
    assert "ZeroDivisionError: by the wheel" in capfd.readouterr().err
