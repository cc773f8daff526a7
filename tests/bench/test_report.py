import json
from pathlib import Path

import pytest
from bench.report import FIGURES, cells, document, markdown, write
from bench.run import Finding, Outcome, Settings

from bench.rows import Plan

_SETTINGS = Settings(
    peers=["direct", "nginx", "mainstay"],
    rows=["throughput"],
    rounds=2,
    plan=Plan(1.0),
    gateway_cores=frozenset({0}),
    load_cores=frozenset({1}),
)
_RATE, _OF_DIRECT = FIGURES[0], FIGURES[1]
_ADDED = next(figure for figure in FIGURES if figure.key == "p50_at_1")


def _outcome(**figures: list[tuple[str, float]]) -> Outcome:
    """Figures by name: for each the peers' values, peer after peer, round after round."""
    outcome = Outcome(versions={"direct": "-", "nginx": "1.0", "mainstay": "0.1"})
    for key, values in figures.items():
        seen: dict[str, int] = {}
        for peer, value in values:
            seen[peer] = seen.get(peer, 0) + 1
            outcome.findings.append(Finding(peer, seen[peer], {key: value}, {}, []))
    return outcome


def test_a_ratio_is_made_within_its_round_and_the_median_taken_over_rounds() -> None:
    values = [
        ("nginx", 100.0),
        ("mainstay", 50.0),
        ("nginx", 10.0),
        ("mainstay", 4.0),
        ("nginx", 10.0),
        ("mainstay", 3.0),
    ]
    line = cells(_outcome(requests_per_second=values), _RATE)
    assert line["mainstay"].ratio == pytest.approx(0.4)
    assert line["mainstay"].value == 4.0
    assert line["nginx"].ratio == 1.0
    assert line["mainstay"].rounds == 3


def test_added_latency_takes_off_the_direct_run_and_compares_what_is_left() -> None:
    line = cells(_outcome(p50_at_1=[("direct", 1.0), ("nginx", 1.5), ("mainstay", 3.0)]), _ADDED)
    assert line["mainstay"].value == pytest.approx(2.0)
    assert line["mainstay"].ratio == pytest.approx(4.0)
    assert "direct" not in line


def test_a_ratio_to_nothing_is_left_out() -> None:
    line = cells(_outcome(p50_at_1=[("direct", 1.0), ("nginx", 0.9), ("mainstay", 3.0)]), _ADDED)
    assert line["mainstay"].value == pytest.approx(2.0)
    assert line["mainstay"].ratio is None


def test_without_the_peer_to_compare_with_the_value_stands_alone() -> None:
    outcome = _outcome(requests_per_second=[("mainstay", 50.0)])
    assert cells(outcome, _RATE)["mainstay"].ratio is None
    assert cells(outcome, _OF_DIRECT)["mainstay"].value == 50.0


def test_the_table_shows_ratios_first_and_names_who_is_missing() -> None:
    outcome = _outcome(requests_per_second=[("direct", 200.0), ("nginx", 100.0), ("mainstay", 30.0)])
    outcome.skipped["litellm"] = "pip could not install it"
    text = markdown(outcome, _SETTINGS)
    assert "0.30 (30/s)" in text
    assert "0.15 (30/s)" in text
    assert "litellm was left out: pip could not install it" in text
    assert len({len(line) for line in text.splitlines() if line.startswith("|")}) == 1


def test_figures_of_mainstay_alone_have_a_table_of_their_own_with_what_is_kept() -> None:
    outcome = Outcome(versions={"mainstay": "0.1"}, own={"amplify_sole": 1.2})
    text = markdown(outcome, _SETTINGS)
    assert "MISSED" in text
    assert "Versions: mainstay 0.1." in text
    assert "Ratios first" not in text
    assert document(outcome, _SETTINGS, "2026-01-01")["kept"] == {"amplify_sole": False}


def test_results_are_never_written_over(tmp_path: Path) -> None:
    outcome = _outcome(requests_per_second=[("nginx", 100.0)])
    first = write(outcome, _SETTINGS, tmp_path, "2026-01-01")
    second = write(outcome, _SETTINGS, tmp_path, "2026-01-01")
    assert first != second
    assert first.name.startswith("2026-01-01-")
    assert json.loads(second.read_text())["format"] == 1
    assert second.with_suffix(".md").read_text().startswith("# Benchmark of 2026-01-01")


def test_the_document_holds_every_finding_and_names_no_path() -> None:
    outcome = _outcome(requests_per_second=[("nginx", 100.0), ("mainstay", 25.0)])
    found = document(outcome, _SETTINGS, "2026-01-01")
    assert found["table"]["requests_per_second:ratio"]["mainstay"]["ratio"] == 0.25
    assert [one["peer"] for one in found["findings"]] == ["nginx", "mainstay"]
    assert str(Path(__file__).resolve().parents[2]) not in json.dumps(found)
