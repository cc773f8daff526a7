"""``choose: fastest``: order by expected time to the first token, probing one at a time."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.target import Target
from mainstay.routing.fastest import Fastest
from support.routing import FixedLoad, make_call, make_target

CALL = make_call()
LOADS = st.builds(
    FixedLoad,
    first_token=st.none() | st.floats(0.001, 60.0),
    outstanding=st.integers(0, 1000),
    in_flight=st.integers(0, 20),
)


def names(targets: object) -> str:
    assert isinstance(targets, list | tuple)
    return "".join(target.model for target in targets)


def make(**loads: FixedLoad) -> tuple[Fastest, list[Target], dict[str, FixedLoad]]:
    return Fastest(loads, lambda: 0.5), [make_target(name) for name in loads], loads


def test_targets_are_ordered_by_their_time_to_the_first_token() -> None:
    chooser, targets, _ = make(a=FixedLoad(2.0), b=FixedLoad(0.5), c=FixedLoad(1.0))
    assert names(chooser.order(CALL, targets)) == "bca"


def test_calls_in_flight_count_against_a_target() -> None:
    chooser, targets, _ = make(a=FixedLoad(0.5, in_flight=3), b=FixedLoad(1.0))
    assert names(chooser.order(CALL, targets)) == "ba"


def test_an_unmeasured_target_is_probed_by_one_call_at_a_time() -> None:
    chooser, targets, loads = make(a=FixedLoad(0.5), b=FixedLoad())
    assert names(chooser.order(CALL, targets)) == "ba"
    loads["b"].in_flight = 1
    assert names(chooser.order(CALL, targets)) == "ab"
    loads["b"].in_flight, loads["b"].first_token = 0, 3.0
    assert names(chooser.order(CALL, targets)) == "ab"


def test_a_target_of_which_there_is_no_load_is_probed() -> None:
    chooser = Fastest({"a": FixedLoad(0.5)}, lambda: 0.5)
    assert names(chooser.order(CALL, [make_target("a"), make_target("b")])) == "ba"


def test_workers_that_know_nothing_do_not_all_begin_with_the_same_target() -> None:
    rng = random.Random(1)
    targets = [make_target(name) for name in "abcd"]
    firsts = Counter(Fastest({}, rng.random).order(CALL, targets)[0].model for _ in range(400))
    assert min(firsts.values()) > 60
    assert len(firsts) == 4


def test_a_recovered_target_is_found_again_within_two_percent_of_calls() -> None:
    rng = random.Random(1)
    loads = {"a": FixedLoad(0.3), "b": FixedLoad(5.0), "c": FixedLoad(6.0)}
    targets = [make_target(name) for name in loads]
    chooser = Fastest(loads, rng.random)
    firsts = Counter(chooser.order(CALL, targets)[0].model for _ in range(10_000))
    assert firsts["b"] > 0
    assert firsts["c"] > 0
    assert firsts["b"] + firsts["c"] <= 200


def test_a_busy_target_is_not_explored() -> None:
    loads = {"a": FixedLoad(0.3), "b": FixedLoad(5.0, in_flight=1)}
    targets = [make_target(name) for name in loads]
    assert names(Fastest(loads, lambda: 0.0).order(CALL, targets)) == "ab"


def test_among_many_alike_no_worker_herds_and_the_slow_are_left_alone() -> None:
    rng = random.Random(1)
    loads = {name: FixedLoad(0.30 + 0.01 * i) for i, name in enumerate("abcdef")} | {"x": FixedLoad(9.0)}
    targets = [make_target(name) for name in loads]
    chooser = Fastest(loads, rng.random)
    firsts = Counter(chooser.order(CALL, targets)[0].model for _ in range(10_000))
    assert firsts["a"] < 4000
    assert min(firsts[name] for name in "abcde") > 300
    assert firsts["x"] <= 100


def test_the_faster_of_two_targets_ends_up_with_nearly_all_calls_until_it_is_crowded() -> None:
    loads = {"a": FixedLoad(0.2), "b": FixedLoad(0.6)}
    targets = [make_target(name) for name in loads]
    chooser = Fastest(loads, lambda: 0.5)
    for _ in range(40):
        loads[chooser.order(CALL, targets)[0].model].in_flight += 1
    assert (loads["a"].in_flight, loads["b"].in_flight) == (30, 10)


@given(st.lists(LOADS, min_size=1, max_size=9), st.randoms(use_true_random=False))
def test_no_target_is_left_out(loads: list[FixedLoad], rng: random.Random) -> None:
    targets = [make_target(str(i)) for i in range(len(loads))]
    chooser = Fastest({str(i): load for i, load in enumerate(loads)}, rng.random)
    assert sorted(t.model for t in chooser.order(CALL, targets)) == [t.model for t in targets]
