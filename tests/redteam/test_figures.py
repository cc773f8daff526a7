"""Figures: intervals and tests as they are in tables, and groups that count what was answered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.redteam.figures import Rate, mcnemar, wilson
from support.redteam import summary_of


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    # By hand from Wilson's formula with z = 1.959964.
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (1, 100, 0.0018, 0.0545), (0, 0, 0.0, 1.0)],
)
def test_intervals_are_wilsons(count: int, total: int, low: float, high: float) -> None:
    assert wilson(count, total) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 500).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_an_interval_holds_its_share_and_lies_between_nothing_and_all(pair: tuple[int, int]) -> None:
    rate = Rate(*pair)
    assert 0.0 <= rate.low <= rate.share <= rate.high <= 1.0


@pytest.mark.parametrize(
    ("one", "other", "p"), [(0, 0, 1.0), (3, 3, 1.0), (0, 5, 0.0625), (1, 9, 22 / 1024), (2, 12, 212 / 16384)]
)
def test_pairs_are_compared_exactly(one: int, other: int, p: float) -> None:
    assert mcnemar(one, other) == pytest.approx(p) == mcnemar(other, one)


def test_many_pairs_do_not_overflow() -> None:
    assert 0.0 < mcnemar(900, 1100) < 0.001


def test_a_run_is_counted_by_hand() -> None:
    found = summary_of().figures
    assert (found.attacks.guarded, found.attacks.baseline) == (Rate(2, 6), Rate(6, 8))
    assert found.attacks.blocked == 3
    pair = found.attacks.pair
    assert pair is not None
    assert (pair.both, pair.only_guarded, pair.only_baseline, pair.neither) == (2, 0, 3, 1)
    assert pair.difference == pytest.approx(-0.5)
    assert pair.p == pytest.approx(0.25)
    assert (found.seeds.guarded, found.seeds.baseline) == (Rate(2, 2), Rate(2, 2))
    assert (found.harmless.guarded, found.harmless.baseline) == (Rate(1, 2), Rate(0, 2))
    assert found.errors == {"guarded": 1, "baseline": 0}
    assert found.missing == {"guarded": 1, "baseline": 0}
    assert {row.name: row.guarded.total for row in found.categories} == {"injection": 3, "prompt_leak": 3}
    assert {row.name: row.guarded.total for row in found.converters} == {"plain": 4, "base64": 2}
    assert "LLM07:2025" in {row.name for row in found.tags}


def test_without_a_baseline_nothing_is_compared() -> None:
    found = summary_of(compared=False).figures
    assert (found.attacks.baseline, found.attacks.pair) == (None, None)
    assert set(found.errors) == {"guarded"}
