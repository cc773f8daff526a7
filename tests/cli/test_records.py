import json
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mainstay.cli import keys
from mainstay.cli.records import app
from mainstay.core.clock import wall_ms
from mainstay.core.errors import SetupError
from mainstay.core.record import Attempt, CitedSpan, Content, Grounding, RailSpan, RailVerdict, Record, SourceRow
from mainstay.core.usage import Usage
from mainstay.store.journal import Journal
from support.records import line, make_record

CONFIG = """
store: {url: "sqlite:///var/mainstay.db"}
providers: {local: {kind: echo}}
models: {parrot: {provider: local}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "mainstay.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "var" / "journal", 0)
    yield journal
    journal.close()


def run(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--config", str(config)])


def listed(config: Path, *arguments: str) -> list[str]:
    result = run(config, "list", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return [record["id"] for record in json.loads(result.stdout)]


def test_list_sees_what_is_only_in_the_journal_yet(config: Path, journal: Journal) -> None:
    old, new = make_record(at=1), make_record(at=2)
    journal.append(line(old))
    assert listed(config) == [old.id]
    journal.append(line(new))
    assert listed(config) == [new.id, old.id]
    assert listed(config, "--limit", "1") == [new.id]
    assert listed(config, "--before", new.id) == [old.id]


@pytest.mark.parametrize(
    ("option", "fields"),
    [
        (("--route", "other"), {"route": "other"}),
        (("--model", "big"), {"target": "big"}),
        (("--key", "key_9"), {"key": "key_9"}),
        (("--team", "ops"), {"team": "ops"}),
        (("--outcome", "failed"), {"outcome": "failed"}),
        (("--status", "502"), {"status": 502}),
        (("--error", "upstream_failed"), {"error": "upstream_failed"}),
        (("--since", "1h"), {"at": wall_ms()}),
        (("--since", "2099-01-01T00:00"), {"at": 4_100_000_000_000}),
    ],
)
def test_filters_keep_what_fits(
    config: Path, journal: Journal, option: tuple[str, str], fields: dict[str, object]
) -> None:
    fitting = make_record(**fields)
    for record in (make_record(), fitting, make_record()):
        journal.append(line(record))
    assert listed(config, *option) == [fitting.id]


def test_a_key_is_shown_and_asked_for_by_its_name(config: Path, journal: Journal) -> None:
    made = json.loads(CliRunner().invoke(keys.app, ["create", "alice", "--json", "--config", str(config)]).stdout)
    records = [make_record(key="alice"), make_record(key=made["id"])]
    for record in (*records, make_record(key="key_other")):
        journal.append(line(record))
    expected = [record.id for record in reversed(records)]
    assert listed(config, "--key", "alice") == listed(config, "--key", made["id"]) == expected
    assert run(config, "list", "--key", "alice").stdout.split("\t")[5] == "alice"


def test_a_line_elsewhere_than_on_a_terminal_has_its_values_in_order(config: Path, journal: Journal) -> None:
    record = make_record(
        at=1_795_000_000_123, first_ms=3.21, error="upstream_failed", status=502, outcome="failed", asked="x"
    )
    journal.append(line(record))
    time, *values = run(config, "list").stdout.rstrip("\n").split("\t")
    assert time == "2026-11-18 11:06:40.123"
    assert values == [
        *["502", "failed", "assistant", "small", "key_alice", "10", "20", "3.2", "13.2", "1", "upstream_failed"],
        record.id,
    ]


def test_hostile_names_neither_break_a_line_nor_command_a_terminal(config: Path, journal: Journal) -> None:
    journal.append(line(make_record(route="a\nb\t\x1b[2J", request_id="r\x1b]0;x\x07")))
    out = run(config, "list").stdout
    assert out.count("\n") == 1
    assert out.count("\t") == 12
    assert "\x1b" not in out
    assert "\x1b" not in run(config, "show", "r\x1b]0;x\x07").stdout


FULL: Record = make_record(
    request_id="req-42",
    outcome="ok",
    first_ms=40.0,
    cost_usd="0.000123",
    usage=Usage(input=10, output=20, cache_read=4),
    attempts=[
        Attempt(target="big", provider="openai", outcome="upstream_timeout", headers_ms=None, total_ms=8000.0),
        Attempt(
            target="small", provider="house", cause="fallback", outcome="ok", status=200, offset_ms=8001.0,
            headers_ms=12.0, first_ms=30.5, total_ms=99.0, upstream_id="cmpl-1", detail="why",
        ),
    ],
    content=Content('{"messages":[]}', '{"choices":[]}'),
)  # fmt: skip


@pytest.mark.parametrize("reference", ["", "req-42"], ids=["its id", "the id of the request"])
def test_show_prints_every_attempt_with_its_reason_and_timings(config: Path, journal: Journal, reference: str) -> None:
    journal.append(line(FULL))
    out = run(config, "show", reference or FULL.id).stdout
    assert "first: big at openai, upstream_timeout, from 0.0 ms: total 8000.0 ms" in out
    assert (
        "fallback: small at house, ok 200, from 8001.0 ms: headers 12.0, first 30.5, total 99.0 ms (cmpl-1; why)" in out
    )
    for words in ("tokens.cache_read", "0.000123", '{"messages":[]}', '{"choices":[]}', "c0ffee"):
        assert words in out


def test_show_as_json_is_the_whole_record(config: Path, journal: Journal) -> None:
    journal.append(line(FULL))
    shown = json.loads(run(config, "show", "req-42", "--json").stdout)
    assert set(shown) == set(Record.__struct_fields__)
    assert shown["content"] == {"request": '{"messages":[]}', "response": '{"choices":[]}'}
    assert shown["attempts"][1]["first_ms"] == 30.5
    assert shown["usage"]["cache_read"] == 4


def test_show_prints_what_rails_said_without_a_word_of_the_text(config: Path, journal: Journal) -> None:
    spans = [RailSpan("email", 9, 26, "0.0")]
    verdict = RailVerdict(
        "people", "input", "masked", enforced=False, kinds={"email": 1}, score=0.97, spans=spans, ms=0.5
    )
    journal.append(line(make_record(request_id="req-7", verdicts=[verdict, RailVerdict("keys", "output")])))
    out = run(config, "show", "req-7").stdout
    assert "people at input: masked (monitored), 1 email, score 0.97, 0.5 ms, at 0.0:9-26" in out
    assert "keys at output: passed, 0.0 ms" in out
    shown = json.loads(run(config, "show", "req-7", "--json").stdout)["verdicts"]
    assert shown[0]["kinds"] == {"email": 1}
    assert shown[0]["spans"] == [{"kind": "email", "start": 9, "end": 26, "place": "0.0"}]


def test_show_prints_what_an_answer_rests_on_without_a_word_of_it(config: Path, journal: Journal) -> None:
    span = CitedSpan(0, 0, 25, "p1", (100, 121), "ab", "marked", "supported", 0.91)
    rests = Grounding("handbook", "main", 7, [SourceRow("p1", 2, 0.5, "cd")], [span], {"supported": 1}, 1, ["dense"])
    rests.dropped, rests.oldest_ms, rests.ms, rests.did = {"injection": 2}, 2 * 86_400_000, 12.4, "stripped"
    journal.append(line(make_record(request_id="req-8", grounding=rests, cache="miss")))
    out = run(config, "show", "req-8").stdout
    assert "handbook@main step 7: 1 passages in 12 ms, 1 supported, 1 invented marks, 2 dropped (injection)" in out
    assert "late: dense, oldest source 2.0 days, stripped" in out
    assert "0.text:0-25 rests on p1:100-121, supported 0.91" in out
    shown = json.loads(run(config, "show", "req-8", "--json").stdout)["grounding"]
    assert shown["citations"][0]["source"] == [100, 121]


def test_a_list_never_prints_content(config: Path, journal: Journal) -> None:
    journal.append(line(FULL))
    assert "messages" not in run(config, "list", "--json").stdout
    assert "messages" not in run(config, "list").stdout


def test_an_unknown_record_fails_with_1(config: Path) -> None:
    result = run(config, "show", "nothing")
    assert isinstance(result.exception, SetupError)
    assert result.exception.exit_code == 1


@pytest.mark.parametrize("option", [("--since", "yesterday"), ("--limit", "0"), ("--status", "teapot")])
def test_bad_usage_exits_with_2(config: Path, option: tuple[str, str]) -> None:
    assert run(config, "list", *option).exit_code == 2


def test_on_a_terminal_a_list_is_a_table(config: Path, journal: Journal) -> None:
    record = make_record()
    journal.append(line(record))
    ours, theirs = pty.openpty()
    program = "import sys; from mainstay.cli.records import app; app(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", program, "list", "--config", str(config)],
        stdout=theirs,
        env={**os.environ, "COLUMNS": "200", "TERM": "xterm"},
        check=True,
    )
    os.close(theirs)
    out = os.read(ours, 65536).decode()
    os.close(ours)
    assert done.returncode == 0
    assert "outcome" in out
    assert record.id in out


def test_tail_prints_what_arrives_until_it_is_interrupted(config: Path, journal: Journal) -> None:
    journal.append(line(make_record(route="before")))
    program = "import sys; from mainstay.cli.records import app; app(sys.argv[1:])"
    tail = subprocess.Popen(
        [sys.executable, "-c", program, "tail", "--config", str(config), "--json", "--route", "mine"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert tail.stdout is not None
    try:
        # It says nothing until something comes: keep calls coming, and have them loaded as a server would.
        while not select.select([tail.stdout], [], [], 0)[0]:
            journal.append(line(make_record(route="mine")))
            listed(config)
        first = json.loads(tail.stdout.readline())
        tail.send_signal(signal.SIGINT)
        assert tail.wait(60) == 0
    finally:
        tail.kill()
        tail.wait()
        tail.stdout.close()
    assert first["route"] == "mine"


def test_on_a_terminal_tail_has_columns(config: Path, journal: Journal) -> None:
    ours, theirs = pty.openpty()
    program = "import sys; from mainstay.cli.records import app; app(sys.argv[1:])"
    tail = subprocess.Popen(
        [sys.executable, "-c", program, "tail", "--config", str(config)],
        stdout=theirs,
        env={**os.environ, "COLUMNS": "80", "TERM": "xterm"},
    )
    os.close(theirs)
    try:
        out = b""
        while out.count(b"\n") < 2:
            journal.append(line(make_record(route="a-route-with-a-long-name")))
            listed(config)
            if select.select([ours], [], [], 0)[0]:
                out += os.read(ours, 4096)
    finally:
        tail.kill()
        tail.wait()
        os.close(ours)
    head, row = out.decode().splitlines()[:2]
    assert head.split() == ["time", "status", "route", "total", "id"]
    assert row[head.index("route") :].startswith("a-route-wit…  ")
    assert len(row[head.index("id") :]) == 36
