"""Whatever process dies in the middle of it: the books balance, nothing is overspent, and calls go on."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.gateway import Gateway
from support.ledger import COST, answer, ask, books, config_of, many
from support.upstream import Chunk, Head, Received, Silence, Step, Upstream

pytestmark = pytest.mark.slow

KINDS = ("chat", "chat stream", "messages", "completions")


@pytest.fixture
def vendor() -> Iterator[Upstream]:
    with Upstream(answer) as upstream:
        yield upstream


def pid_of(gateway: Gateway, part: str) -> int:
    return int(gateway.state()["parts"][part]["pid"])


def kill(gateway: Gateway, part: str) -> None:
    """Kill a part, and return when another is in its place."""
    gateway.until(lambda: gateway.state()["parts"].get(part, {}).get("pid"))
    pid = pid_of(gateway, part)
    os.kill(pid, signal.SIGKILL)
    gateway.until(lambda: gateway.state()["parts"][part].get("pid") not in (None, pid))


def spend_while(gateway: Gateway, happens: object, count: int = 400) -> list[int]:
    """Ask many times while something happens; return the statuses."""
    statuses: list[int] = []
    caller = threading.Thread(target=lambda: statuses.extend(many(gateway, count, KINDS, at_once=40)))
    caller.start()
    try:
        happens()  # type: ignore[operator]  # a callable
    finally:
        caller.join()
    return statuses


@pytest.mark.parametrize("part", ["worker-0", "ledger", "control"])
def test_a_part_that_is_killed_under_load_overspends_and_loses_nothing(
    tmp_path: Path, vendor: Upstream, part: str
) -> None:
    limit = 1.5
    with Gateway(tmp_path, config_of(vendor.url, {"budgets": {"b": f"{limit}/year"}}), workers=2) as gateway:
        spend_while(gateway, lambda: (kill(gateway, part), kill(gateway, part)))
        found = books(gateway)
        assert 0 < found.balances <= limit * 1e12
        # What the dead held is free again: all of the budget can be used.
        gateway.until(lambda: 402 in many(gateway, 40, KINDS), 60)
        found = books(gateway)
        assert limit * 0.9e12 < found.balances <= limit * 1e12
        assert found.cost == found.balances


def test_everything_killed_at_once_leaves_books_that_balance(tmp_path: Path, vendor: Upstream) -> None:
    limit = 1.0
    config = config_of(vendor.url, {"budgets": {"b": f"{limit}/year"}})
    gateway = Gateway(tmp_path, config, workers=2)
    with gateway:

        def all_die() -> None:
            gateway.until(lambda: len(vendor.requests) > 40)
            pids = [int(part["pid"]) for part in gateway.state()["parts"].values() if part.get("pid")]
            os.kill(gateway.pid, signal.SIGKILL)
            for pid in pids:
                os.kill(pid, signal.SIGKILL)

        statuses = spend_while(gateway, all_die)
        assert 200 in statuses
        gateway.stop()
        with gateway:
            many(gateway, 300, KINDS)
            found = books(gateway)
            assert limit * 0.9e12 < found.balances <= limit * 1e12
            assert found.cost == found.balances
            # An answered call's record is written before its answer ends.
            assert found.records >= statuses.count(200)


def test_a_call_that_dies_with_its_worker_gives_its_hold_back(tmp_path: Path, vendor: Upstream) -> None:
    # Room for one answer at most, and a call that never ends.
    limit = 0.02

    def stuck(request: Received) -> list[Step]:
        return [Head(), Chunk(b": wait\n\n"), Silence()]

    with Gateway(tmp_path, config_of(vendor.url, {"budgets": {"b": f"{limit}/year"}}), workers=1) as gateway:
        vendor.script(stuck(None), stuck(None))  # type: ignore[arg-type]  # it does not look at the request
        with httpx.Client() as client, pytest.raises(httpx.HTTPError):
            body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True, "max_tokens": 3}
            headers = {"authorization": f"Bearer {gateway.key}"}
            killer = threading.Thread(target=lambda: (vendor.wait_for(1), kill(gateway, "worker-0")))
            killer.start()
            client.post(gateway.url + "/v1/chat/completions", json=body, headers=headers, timeout=30)
        killer.join()
        vendor.script()
        vendor._queue.clear()
        gateway.until(lambda: ask(gateway).status_code == 200)
        assert books(gateway).balances == pytest.approx(COST * 1e12)


def test_a_rolling_restart_under_load_loses_and_doubles_nothing(tmp_path: Path, vendor: Upstream) -> None:
    limit = 100.0
    with Gateway(tmp_path, config_of(vendor.url, {"budgets": {"b": f"{limit}/year"}}), workers=2) as gateway:

        def restart() -> None:
            command = [sys.executable, "-m", "mainstay", "restart", "--config", str(gateway.file)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 0, done.stderr

        statuses = spend_while(gateway, restart, 500)
        assert set(statuses) == {200}
        found = books(gateway)
        assert found.records >= 500
        assert found.balances == found.cost == pytest.approx(500 * COST * 1e12)


def test_a_budget_survives_a_restart_of_everything(tmp_path: Path, vendor: Upstream) -> None:
    gateway = Gateway(tmp_path, config_of(vendor.url, {"budgets": {"b": "0.05/year"}}), workers=1)
    with gateway:
        first = many(gateway, 20, KINDS, at_once=1).count(200)
    with gateway:
        assert many(gateway, 20, KINDS, at_once=1).count(200) == 0
    assert 0 < first * COST <= 0.05
