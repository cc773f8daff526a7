import pytest
from bench.rows.engine import compare


def test_what_a_way_costs_more_is_compared_within_each_round() -> None:
    rounds = [{"off": 1.0, "auto": 1.5}, {"off": 10.0, "auto": 10.2}, {"off": 2.0, "auto": 2.4}]
    more, ratio = compare(rounds, "auto", "off")
    assert more == pytest.approx(0.4)
    assert ratio == pytest.approx(1.2)
