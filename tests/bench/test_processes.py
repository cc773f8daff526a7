import os
import sys
from pathlib import Path

import pytest
from bench.processes import ROOT, cores_busy, free_port, on_cores, start, wait_until

from bench import processes

_FAMILY = (
    "import subprocess, sys, time; "
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
    "print('up', flush=True); time.sleep(60)"
)


def _up(log: Path) -> bool:
    return b"up" in log.read_bytes()


@pytest.mark.skipif(sys.platform != "linux", reason="the tree is read from /proc")
def test_a_process_is_weighed_with_its_children_and_stopped_with_them(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start([sys.executable, "-c", _FAMILY], cores=frozenset(), log=log)
    try:
        assert wait_until(lambda: _up(log), process, 20) > 0
        weights = process.weigh()
        assert len(weights) == 2
        assert all(weight.rss > 1_000_000 for weight in weights)
    finally:
        process.stop()
    assert not process.running
    assert [weight.pid for weight in weights if processes._birth(weight.pid) is not None] == []


def test_a_process_that_dies_early_is_reported_with_its_last_words(tmp_path: Path) -> None:
    program = f"import sys; sys.exit('{ROOT}/x is broken')"
    process = start([sys.executable, "-c", program], cores=frozenset(), log=tmp_path / "log")
    with pytest.raises(RuntimeError, match=r"code 1: \./x is broken"):
        wait_until(lambda: False, process, 20)


def test_a_process_that_is_never_ready_is_given_up(tmp_path: Path) -> None:
    process = start([sys.executable, "-c", "import time; time.sleep(60)"], cores=frozenset(), log=tmp_path / "log")
    try:
        with pytest.raises(RuntimeError, match="not ready within"):
            wait_until(lambda: False, process, 0.05)
    finally:
        process.stop()


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system cannot place processes")
def test_a_process_starts_on_its_core_and_the_starter_stays_where_it_was(tmp_path: Path) -> None:
    before = os.sched_getaffinity(0)
    core = min(before)
    process = start([sys.executable, "-c", "import time; time.sleep(60)"], cores=frozenset({core}), log=tmp_path / "l")
    try:
        assert os.sched_getaffinity(process.popen.pid) == {core}
        assert os.sched_getaffinity(0) == before
    finally:
        process.stop()
    with on_cores(frozenset({core})):
        assert os.sched_getaffinity(0) == {core}
    assert os.sched_getaffinity(0) == before


def test_a_free_port_is_a_port() -> None:
    assert 1024 <= free_port() <= 65535


@pytest.mark.skipif(sys.platform != "linux", reason="the count is read from /proc")
def test_the_work_of_cores_only_grows_and_that_of_no_core_is_unknown() -> None:
    core = frozenset({min(os.sched_getaffinity(0))})
    before = cores_busy(core)
    after = cores_busy(core)
    assert before is not None
    assert after is not None
    assert 0 < before <= after
    assert cores_busy(frozenset()) is None
