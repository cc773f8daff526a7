import shutil
import sys
from pathlib import Path

import pytest
from bench.install import Unavailable
from bench.peers import PEERS, Running, Upstreams
from bench.peers.direct import Direct
from bench.processes import ROOT, start
from bench.run import Settings, run

from bench import run as running
from bench.rows import OWN_ROWS, OwnRow, Plan, Trial

pytestmark = pytest.mark.anyio


class _Broken(Direct):
    """Starts a process that dies at once, with a place of this machine in its last words."""

    name = "broken"

    def start(self, upstreams: Upstreams, cores: frozenset[int], scratch: Path) -> Running:
        process = start(
            [sys.executable, "-c", f"raise SystemExit('{ROOT}/gone')"], cores=cores, log=scratch / "output.log"
        )
        endpoints = super().start(upstreams, cores, scratch)
        return Running(endpoints.fixed, endpoints.stream, process, lambda: False)


class _Absent(Direct):
    name = "absent"

    def prepare(self, *, allow_install: bool) -> str:
        raise Unavailable("it is not sold here")


def _settings(*peers: str, rows: tuple[str, ...]) -> Settings:
    plan = Plan(0.1, connections=2, memory_requests=40, memory_seconds=300.0, warm_seconds=0.1)
    return Settings(list(peers), list(rows), 1, plan, frozenset(), frozenset(), allow_install=False)


async def test_a_whole_run_fills_the_figures_of_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    # A crowded machine would leave a note.
    monkeypatch.setattr("os.getloadavg", lambda: (0.0, 0.0, 0.0))
    outcome = await run(_settings("direct", "nginx", rows=("one", "first-token", "memory")), lambda _: None)
    found = {finding.peer: finding for finding in outcome.findings}
    assert found["direct"].notes == []
    assert {"p50_at_1", "p99_at_1", "first_p50"} <= set(found["direct"].figures)
    assert "memory_after" not in found["direct"].figures
    if shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin"):
        assert found["nginx"].notes == []
        assert {"p50_at_1", "first_p50", "ready", "memory_before", "memory_after"} <= set(found["nginx"].figures)
        assert found["nginx"].figures["memory_requests"] == 40


async def test_peers_that_are_absent_or_break_are_left_out_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PEERS, "broken", _Broken)
    monkeypatch.setitem(PEERS, "absent", _Absent)
    said: list[str] = []
    outcome = await run(_settings("broken", "absent", "direct", rows=("one",)), said.append)
    assert [finding.peer for finding in outcome.findings] == ["direct"]
    assert outcome.skipped["absent"] == "it is not sold here"
    assert "it ended with code 1: ./gone" in outcome.skipped["broken"]
    assert any("broken is left out" in line for line in said)


async def test_rows_of_mainstay_alone_fill_their_own_figures_and_a_failed_one_leaves_a_note(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def good(trial: Trial) -> None:
        trial.figures["amplify_sole"] = 1.0

    async def bad(trial: Trial) -> None:
        raise RuntimeError(f"lost {trial.scratch}")

    monkeypatch.setitem(OWN_ROWS, "amplify", OwnRow("amplify", good))
    monkeypatch.setitem(OWN_ROWS, "cancel", OwnRow("cancel", bad))
    monkeypatch.setattr("os.getloadavg", lambda: (0.0, 0.0, 0.0))
    outcome = await run(_settings(rows=("amplify", "cancel")), lambda _: None)
    assert outcome.findings == []
    assert outcome.own == {"amplify_sole": 1.0}
    assert outcome.own_notes == ["cancel: lost …"]


def test_an_error_is_told_without_the_places_of_this_machine(tmp_path: Path) -> None:
    error = RuntimeError(f"{tmp_path}/conf and {ROOT}/bench\nfailed")
    assert running._plain(error, tmp_path) == "…/conf and ./bench failed"
