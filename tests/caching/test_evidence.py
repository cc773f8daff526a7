"""What compared answers have shown, kept for all workers."""

from pathlib import Path

import pytest

from mainstay.caching.evidence import Evidence


def _evidence(path: Path | None, rules: str = "r", error: float = 0.1) -> Evidence:
    return Evidence(path, rules, 0.05, error)


def test_a_tier_proves_itself_before_it_is_on() -> None:
    evidence = _evidence(None)
    seen = [evidence.state]
    for _ in range(60):
        evidence.add(0.0)
    assert [*seen, evidence.state] == ["proving", "on"]
    assert evidence.upper <= 0.1


def test_errors_take_a_proven_tier_back_and_many_switch_it_off() -> None:
    evidence = _evidence(None)
    for _ in range(60):
        evidence.add(0.0)
    seen = []
    for _ in range(60):
        evidence.add(1.0)
        seen.append(evidence.state)
    assert "proving" in seen
    assert seen[-1] == "off"
    assert evidence.lower > 0.1


def test_off_stays_off_until_somebody_resets_it() -> None:
    evidence = _evidence(None)
    for _ in range(30):
        evidence.add(1.0)
    for _ in range(500):
        evidence.add(0.0)
    assert evidence.state == "off"
    evidence.reset()
    assert (evidence.state, evidence.count) == ("proving", 0)


def test_all_workers_and_the_next_start_come_to_the_same(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "route.jsonl"
    one, other = _evidence(path), _evidence(path)
    for at in range(40):
        (one if at % 2 else other).add(float(at % 20 == 0))
    one.refresh()
    other.refresh()
    later = _evidence(path)
    later.refresh()
    assert one.count == other.count == later.count == 40
    assert one.upper == other.upper == later.upper


def test_a_reset_by_one_worker_reaches_the_others(tmp_path: Path) -> None:
    one, other = _evidence(tmp_path / "f"), _evidence(tmp_path / "f")
    for _ in range(30):
        one.add(1.0)
    other.refresh()
    seen = [other.state]
    one.reset()
    other.refresh()
    assert [*seen, other.state] == ["off", "proving"]


def test_what_other_rules_have_shown_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "f"
    old = _evidence(path, "lax")
    for _ in range(30):
        old.add(1.0)
    new = _evidence(path, "strict")
    new.refresh()
    assert (new.state, new.count) == ("proving", 0)


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"rules": "r"}', b'{"rules": "r", "apart": 7}', b"\xff", b"null"])
def test_a_torn_line_says_nothing(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "f"
    path.write_bytes(line + b"\n")
    evidence = _evidence(path)
    evidence.refresh()
    evidence.add(0.0)
    assert evidence.count == 1


def test_a_line_that_is_not_whole_yet_is_read_later(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b'{"rules": "r", "apart": 0.0}\n{"rules": "r", ')
    evidence = _evidence(path)
    evidence.refresh()
    assert evidence.count == 1
    with path.open("ab") as file:
        file.write(b'"apart": 1.0}\n')
    evidence.refresh()
    assert evidence.count == 2


def test_a_file_that_was_emptied_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "f"
    evidence = _evidence(path)
    for _ in range(5):
        evidence.add(0.0)
    path.write_bytes(b"")
    evidence.refresh()
    assert evidence.count == 0


def test_the_file_is_for_its_owner_alone_and_holds_no_text(tmp_path: Path) -> None:
    path = tmp_path / "f"
    _evidence(path).add(0.0)
    assert path.stat().st_mode & 0o777 == 0o600
    assert set(path.read_text().split('"')[1::2]) == {"at", "rules", "r", "apart"}


def test_that_others_have_written_shows_without_reading(tmp_path: Path) -> None:
    one, other = _evidence(tmp_path / "f"), _evidence(tmp_path / "f")
    seen = [other.moved()]
    one.add(0.0)
    seen.append(other.moved())
    other.refresh()
    assert [*seen, other.moved()] == [False, True, False]
    (tmp_path / "f").unlink()
    assert other.moved()
    other.refresh()
    assert (other.count, other.moved()) == (0, False)


def test_somebody_switches_a_tier_off_and_on_again(tmp_path: Path) -> None:
    one, other = _evidence(tmp_path / "f"), _evidence(tmp_path / "f", "other rules")
    one.halt("it lies")
    other.refresh()
    assert (other.state, other.reason) == ("off", "switched off: it lies")
    other.resume()
    one.refresh()
    assert (one.state, one.reason) == ("proving", "")
