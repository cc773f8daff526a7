from pathlib import Path

from mainstay.telemetry.gauges import read_gauge
from mainstay.telemetry.metrics import Slab


def test_a_gauge_is_read_back_with_its_labels_as_they_were(tmp_path: Path) -> None:
    slab = Slab(tmp_path, "ledger")
    slab.counter("mainstay_budget_used_ratio", "small", "").set(0.25)
    slab.counter("mainstay_budget_used_ratio", 'a"b\\c\nd', "web/u1").set(1.0)
    slab.counter("mainstay_budget_limit_usd", "small", "").set(7)
    assert read_gauge(tmp_path, "mainstay_budget_used_ratio") == {("small", ""): 0.25, ('a"b\\c\nd', "web/u1"): 1.0}


def test_nobody_tells_anything_where_nobody_runs(tmp_path: Path) -> None:
    assert read_gauge(tmp_path, "mainstay_budget_used_ratio") == {}
