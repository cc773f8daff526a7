from pathlib import Path

import pytest
from bench.sealing import main, measure_rotation


def test_no_read_fails_while_keys_are_wrapped_anew(tmp_path: Path) -> None:
    assert measure_rotation(tmp_path / "var", 50).failed == 0


def test_the_table_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--keys", "20", "--texts", "10"])
    assert "failed reads meanwhile" in capsys.readouterr().out
