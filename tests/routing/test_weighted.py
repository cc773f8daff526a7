"""``choose: weighted`` gives each target its share."""

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.target import Target
from mainstay.routing.weighted import Weighted

NO_CALL: Any = None


def target(name: str, weight: float) -> Target:
    return Target(name, "p", "openai", name, weight)


def test_each_target_gets_its_share() -> None:
    targets = [target("a", 9), target("b", 1)]
    draws = iter([i / 1000 for i in range(1000)])
    chooser = Weighted(lambda: next(draws))
    firsts = Counter(chooser.order(NO_CALL, targets)[0].model for _ in range(1000))
    assert firsts == {"a": 900, "b": 100}


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=8), st.floats(0, 1, exclude_max=True))
def test_no_target_is_left_out(weights: list[float], mark: float) -> None:
    targets = [target(str(i), weight) for i, weight in enumerate(weights)]
    order = Weighted(lambda: mark).order(NO_CALL, targets)
    assert sorted(t.model for t in order) == sorted(t.model for t in targets)


def test_those_not_drawn_follow_by_weight() -> None:
    targets = [target("a", 1), target("b", 5), target("c", 3)]
    assert [t.model for t in Weighted(lambda: 0.0).order(NO_CALL, targets)] == ["a", "b", "c"]
