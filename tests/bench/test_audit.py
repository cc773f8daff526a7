from pathlib import Path

import pytest
from bench.audit import main, make_log, measure, tampers, try_tampers

from mainstay.governance.audit import verify


def test_the_log_that_is_tampered_with_is_whole_before(tmp_path: Path) -> None:
    log = make_log(tmp_path, 30)
    assert verify(log.entries, log.checkpoints, log.checkpoints, log.public).ok


def test_every_tamper_of_every_kind_is_found(tmp_path: Path) -> None:
    assert try_tampers(make_log(tmp_path, 30), 50) == dict.fromkeys(tampers, 50)


def test_what_is_measured_is_a_whole_log_with_a_short_proof(tmp_path: Path) -> None:
    speeds = measure(tmp_path / "var", 600)
    assert speeds.ok
    assert speeds.proof < 1536


def test_the_table_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--events", "600", "--tampers", "5", "--size", "10"])
    assert "5 of 5" in capsys.readouterr().out
