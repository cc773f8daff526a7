"""The bench of personal data: halves that share no template, tokens counted as they should be, round trips."""

import json
from pathlib import Path

import pytest
from bench.personal import Row, main, read, round_trips, score

from mainstay.guardrails.personal import PersonalConfig, open_personal
from mainstay.guardrails.port import Finding


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [
        {
            "template_id": number % 20,
            "full_text": f"Mail no{number}@example.com or call +44 20 7946 0958.",
            "spans": [{"start_position": 5, "end_position": 15, "entity_type": "EMAIL_ADDRESS"}],
        }
        for number in range(40)
    ]
    (tmp_path / "synth_dataset_v2.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    return tmp_path


def test_a_template_is_in_one_half_only(folder: Path) -> None:
    tune, report = ({row.template for row in read(folder, part)} for part in ("tune", "report"))
    assert tune
    assert report
    assert tune.isdisjoint(report)
    assert len(read(folder, "all")) == 40


def test_tokens_are_counted_whatever_their_kind() -> None:
    row = Row("Anna Bo lives in Rome", 1, [(0, 7, "PERSON")])
    counts, kinds = score(row, [Finding(0, 4, "place", 1.0, "x"), Finding(17, 21, "place", 1.0, "x")])
    assert counts == (1, 1, 1)
    assert kinds == {"+PERSON": 2, "-PERSON": 1, "false place (x)": 1}
    assert counts.figures() == pytest.approx((0.5, 0.5, 0.5))


def test_conversations_come_back_and_nothing_is_shared(folder: Path) -> None:
    scanner = open_personal(PersonalConfig(names=False))
    trips = round_trips(read(folder, "all"), scanner, documents=4, turns=3)
    assert trips.cuts > 100
    assert trips[1:] == (0, 0, 0)


def test_it_says_what_it_found(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["bench.personal", "--data", str(folder), "--documents", "2", "--turns", "2"])
    assert main() == 0
    shown = capsys.readouterr().out
    assert "EMAIL_ADDRESS      recall 1.000" in shown
    assert "0 not exact" in shown


def test_without_the_data_it_says_where_to_get_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["bench.personal", "--data", str(tmp_path)])
    assert main() == 2
    assert "synth_dataset_v2.jsonl" in capsys.readouterr().err
