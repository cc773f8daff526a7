from pathlib import Path

from bench.cache import measure_drops


def test_nothing_dropped_is_found(tmp_path: Path) -> None:
    assert measure_drops(tmp_path, 60, 20).stale == 0
