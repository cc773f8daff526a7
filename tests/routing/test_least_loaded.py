"""``choose: least-loaded``: two draws by weight, the lighter one."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.routing.least_loaded import LeastLoaded
from support.routing import FixedLoad, make_call, make_target

CALL = make_call()


@pytest.mark.parametrize("seed", range(5))
def test_many_picks_at_once_spread_evenly(seed: int) -> None:
    rng = random.Random(seed)
    loads = {str(i): FixedLoad() for i in range(8)}
    targets = [make_target(name) for name in loads]
    chooser = LeastLoaded(loads, rng.random)
    picks: Counter[str] = Counter()
    for _ in range(256):
        name = chooser.order(CALL, targets)[0].model
        picks[name] += 1
        loads[name].outstanding += 500
    assert max(picks.values()) <= 1.25 * 32


def test_long_calls_are_spread_by_tokens_not_by_number() -> None:
    rng = random.Random(1)
    loads = {str(i): FixedLoad() for i in range(4)}
    targets = [make_target(name) for name in loads]
    chooser = LeastLoaded(loads, rng.random)
    for _ in range(2000):
        loads[chooser.order(CALL, targets)[0].model].outstanding += int(rng.lognormvariate(6, 1))
    tokens = [load.outstanding for load in loads.values()]
    assert max(tokens) <= 1.1 * sum(tokens) / 4


def test_outstanding_tokens_follow_the_weights() -> None:
    rng = random.Random(1)
    loads = {name: FixedLoad() for name in "abc"}
    targets = [make_target("a", weight=6.0), make_target("b", weight=3.0), make_target("c", weight=1.0)]
    chooser = LeastLoaded(loads, rng.random)
    for _ in range(5000):
        loads[chooser.order(CALL, targets)[0].model].outstanding += 100
    shares = [load.outstanding / 500_000 for load in loads.values()]
    assert shares == pytest.approx([0.6, 0.3, 0.1], rel=0.05)


def test_idle_targets_take_turns() -> None:
    rng = random.Random(1)
    loads = {name: FixedLoad() for name in "abcd"}
    targets = [make_target(name) for name in loads]
    chooser = LeastLoaded(loads, rng.random)
    firsts = Counter(chooser.order(CALL, targets)[0].model for _ in range(4000))
    assert min(firsts.values()) > 900


def test_those_not_drawn_follow_the_lightest_first() -> None:
    loads = {"a": FixedLoad(outstanding=30), "b": FixedLoad(outstanding=20), "c": FixedLoad(outstanding=10)}
    draws = iter([0.0, 0.0])  # a, then b
    order = LeastLoaded(loads, lambda: next(draws)).order(CALL, [make_target(name) for name in "abc"])
    assert [target.model for target in order] == ["b", "c", "a"]


@given(
    st.lists(st.tuples(st.floats(1e-6, 1e6), st.integers(0, 10**9)), min_size=1, max_size=8),
    st.randoms(use_true_random=False),
)
def test_no_target_is_left_out_and_the_heaviest_is_never_first(
    rows: list[tuple[float, int]], rng: random.Random
) -> None:
    targets = [make_target(str(i), weight=weight) for i, (weight, _) in enumerate(rows)]
    loads = {str(i): FixedLoad(outstanding=tokens) for i, (_, tokens) in enumerate(rows)}
    order = LeastLoaded(loads, rng.random).order(CALL, targets)
    assert sorted(t.model for t in order) == [t.model for t in targets]
    burdens = [loads[t.model].outstanding / t.weight for t in order]
    assert len(set(burdens)) < len(burdens) or len(burdens) == 1 or burdens[0] < max(burdens)
