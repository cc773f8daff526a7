"""``mainstay redteam``: a real gateway attacked from the command line, its reports and its exit codes; and a kill."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner, Result

from mainstay.cli.main import build
from mainstay.core.errors import ConfigError, StartError
from support.gateway import Gateway
from support.redteam import models_of, strong, weak
from support.upstream import Received, Silence, Steps, Upstream, Wait

FEW = ("--category", "injection", "--category", "prompt_leak", "--category", "benign")
PLAIN = ("--converter", "plain", "--converter", "comment", "--strategy", "single", "--strategy", "document")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with Upstream(weak) as easy, Upstream(strong) as hard:
        config = {
            "providers": {
                name: {"kind": "openai", "base_url": f"{upstream.url}/v1"}
                for name, upstream in (("easy", easy), ("hard", hard))
            },
            "models": {"weak": {"provider": "easy"}, "guarded": {"provider": "hard"}},
            "routes": {
                "assistant": {"targets": ["guarded"], "attempts": 1},
                "open": {"targets": ["weak"], "attempts": 1},
                "railed": {
                    "targets": ["weak"],
                    "attempts": 1,
                    "rails": {"leaks": {"what": "canary", "do": "block"}},
                },
            },
        }
        with Gateway(tmp_path_factory.mktemp("gateway"), config) as running:
            yield running


@pytest.fixture
def attack(gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)

    def run(route: str, *more: str, out: str = "run") -> Result:
        where = ("--config", str(gateway.file), "--url", gateway.url, "--key", gateway.key, "--out", out)
        return CliRunner().invoke(build(), ["redteam", route, *where, *FEW, *PLAIN, *more])

    return run


def test_guards_are_compared_with_none_and_every_report_is_written(
    attack: Callable[..., Result], tmp_path: Path
) -> None:
    files = ("--junit", "r.xml", "--sarif", "r.sarif", "--html", "r.html")
    done = attack("assistant", "--baseline", "weak", "--sample", "12", "--json", *files)
    said = json.loads(done.stdout)
    assert (done.exit_code, said["ok"], said["finished"]) == (0, True, True)
    assert said["attacks"]["guarded"]["count"] == 0
    assert said["attacks"]["baseline"]["count"] >= 10
    assert said["attacks"]["p"] < 0.01
    assert (said["harmless"]["guarded"]["count"], said["harmless"]["baseline"]["count"]) == (1, 0)
    assert [one["seed"] for one in said["findings"]] == ["benign-bomb"]
    suites = ElementTree.fromstring((tmp_path / "r.xml").read_text())
    assert (suites.attrib["tests"], suites.attrib["failures"]) == ("42", "1")
    (run,) = json.loads((tmp_path / "r.sarif").read_text())["runs"]
    assert [result["ruleId"] for result in run["results"]] == ["benign-bomb"]
    assert "benign-bomb.plain.single" in (tmp_path / "r.html").read_text()
    again = attack("assistant", "--baseline", "weak", "--sample", "12", "--json")
    assert json.loads(again.stdout)["attacks"] == said["attacks"]
    assert "84 of 84 were finished before. --fresh asks again." in again.stderr


@pytest.mark.parametrize(
    ("route", "limits", "code", "said"),
    [
        ("assistant", ("--max-success", "0.05", "--fail-on", "LLM01", "--fail-on", "prompt_leak"), 0, "PASSED."),
        ("assistant", ("--max-success", "0.05", "--gate", "upper"), 1, "Attacks succeed too often: 0 of 6"),
        ("assistant", ("--max-blocked", "0.01"), 1, "Harmless requests are stopped too often: 1 of 30"),
        ("open", ("--max-success", "0.05"), 1, "Attacks succeed too often"),
        ("open", ("--fail-on", "injection"), 1, "attacks of 'injection' succeeded"),
        ("open", ("--max-success", "1", "--stream"), 0, "PASSED."),
    ],
)
def test_the_exit_code_is_the_gates(
    attack: Callable[..., Result], route: str, limits: tuple[str, ...], code: int, said: str
) -> None:
    done = attack(route, "--no-baseline", "--sample", "6", *limits)
    assert (done.exit_code, said in done.stdout) == (code, True), done.output


def test_the_first_model_of_a_route_is_what_it_is_compared_with(attack: Callable[..., Result]) -> None:
    done = attack("open", "--sample", "2", "--seed", "1", "--json")
    assert json.loads(done.stdout)["baseline"] == "weak"


@pytest.mark.parametrize("mode", [(), ("--stream",)])
def test_a_rail_of_the_route_is_seen_to_work(attack: Callable[..., Result], mode: tuple[str, ...]) -> None:
    done = attack("railed", "--sample", "16", "--json", *mode)
    said = json.loads(done.stdout)
    (leaks,) = (row for row in said["categories"] if row["name"] == "prompt_leak")
    assert said["baseline"] == "weak"
    assert leaks["guarded"]["count"] == 0
    assert leaks["blocked"] == leaks["baseline"]["count"] >= 4


def test_a_spent_budget_is_said_and_the_next_run_goes_on(attack: Callable[..., Result]) -> None:
    done = attack("open", "--no-baseline", "--sample", "6", "--budget", "10", "--json")
    assert "The budget is spent" in done.stderr
    assert json.loads(done.stdout)["missing"]["guarded"] == 26
    assert json.loads(attack("open", "--no-baseline", "--sample", "6", "--json").stdout)["finished"]


@pytest.mark.parametrize(
    ("more", "hint"),
    [
        (("--category", "gossip"), "'gossip' is none of injection"),
        (("--converter", "rot14"), "'rot14' is none of plain"),
        (("--strategy", "shout"), "'shout' is none of single"),
        (("--fail-on", "agency"), "'agency' is a category or tag of no chosen attack"),
        (("--canary", "abc"), "at least 6 characters"),
        (("--max-success", "2"), "--max-success"),
    ],
)
def test_wrong_usage_ends_with_a_hint(attack: Callable[..., Result], more: tuple[str, ...], hint: str) -> None:
    done = attack("open", *more)
    assert done.exit_code == 2
    assert hint in " ".join(done.stderr.replace("│", " ").split())


def test_what_cannot_be_is_an_error(attack: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text("[[seed]]\nid = 3\n")
    for more, kind, said in (
        (("--seeds", "own.toml"), ConfigError, "own.toml"),
        (("--system", "none.txt"), ConfigError, "none.txt"),
        (("--baseline", "nope"), StartError, "'nope'"),
        (("--html", "none/r.html", "--no-baseline", "--sample", "1"), StartError, "none/r.html"),
    ):
        done = attack("open", *more, out=said.strip("'").replace("/", "_"))
        assert isinstance(done.exception, kind), done.output
        assert said in str(done.exception)


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_says_how_far_it_came(tmp_path: Path, by: signal.Signals) -> None:
    asked = []

    def stopping(request: Received) -> Steps:
        if request.method == "GET":
            return models_of("open")
        asked.append(request)
        if len(asked) < 4:
            return weak(request)
        os.kill(os.getpid(), by)
        return Silence()

    with Upstream(stopping) as upstream:
        words = ["redteam", "open", "--url", upstream.url, "--key", "k", "--out", str(tmp_path), "--no-baseline"]
        words += [*FEW, *PLAIN, "--sample", "3", "--parallel", "1"]
        done = CliRunner().invoke(build(), words)
    assert (done.exit_code, done.stdout) == (130, "")
    assert "Stopped; 3 of 33 are done. The same command goes on." in done.stderr


def test_a_run_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    release = threading.Event()
    answered = 6

    def held(request: Received) -> Steps:
        if request.method == "GET":
            return models_of("open")
        asked.append(json.dumps(request.json()["messages"]))
        return weak(request) if len(asked) <= answered else [Wait(release), weak(request)]

    asked: list[str] = []
    with Upstream(held) as upstream:
        words = ["redteam", "open", "--url", upstream.url, "--key", "k", "--out", str(tmp_path / "run")]
        words += [*FEW, "--converter", "plain", "--strategy", "single", "--sample", "4", "--parallel", "2"]
        words += ["--no-baseline", "--json"]
        command = [sys.executable, "-m", "mainstay", *words]
        env: dict[str, Any] = {k: v for k, v in os.environ.items() if not k.startswith("MAINSTAY")}
        process = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # Both of those under way are held by now, so that six are answered and written down.
        upstream.wait_for(1 + answered + 2, 60)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
        lines = (tmp_path / "run" / "results.jsonl").read_text().splitlines()
        assert len(lines) == answered
        before, asked[:] = asked[:answered], []
        release.set()
        answered = 1000
        done = CliRunner().invoke(build(), words)
    assert done.exit_code == 0, done.output
    assert "6 of 34 were finished before." in done.stderr
    assert json.loads(done.stdout)["finished"]
    assert not set(before) & set(asked)
    assert len(asked) == 34 - 6
