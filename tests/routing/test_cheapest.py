"""``choose: cheapest``: order by what the answer will probably cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.routing.cheapest import Cheapest
from support.routing import make_call, make_target

DEAR_TO_ASK = make_target("ask", prices=(10.0, 1.0))
DEAR_TO_HEAR = make_target("hear", prices=(1.0, 10.0))


def order(body: dict[str, object], *targets: object) -> list[str]:
    return [target.model for target in Cheapest().order(make_call(body), targets)]  # type: ignore[arg-type]  # targets


def test_the_cheaper_goes_first_and_equal_costs_stay_as_written() -> None:
    targets = [make_target(n, prices=p) for n, p in (("a", (3.0, 9.0)), ("b", (1.0, 2.0)), ("c", (3.0, 9.0)))]
    assert order({}, *targets) == ["b", "a", "c"]


def test_an_unknown_price_goes_last_and_free_goes_first() -> None:
    targets = [make_target("a"), make_target("b", prices=(1.0, 1.0)), make_target("c"), make_target("d", prices=(0, 0))]
    assert order({}, *targets) == ["d", "b", "a", "c"]


@pytest.mark.parametrize(
    ("body", "first"),
    [
        ({"max_tokens": 1000}, "ask"),
        ({"max_completion_tokens": 1000}, "ask"),
        ({"max_tokens": 1}, "hear"),
        ({}, "ask"),
        ({"messages": [{"role": "user", "content": "word " * 1000}]}, "hear"),
        ({"messages": [{"role": "user", "content": "word " * 1000}], "max_tokens": 10_000}, "ask"),
    ],
)
def test_the_length_decides_between_cheap_to_ask_and_cheap_to_hear(body: dict[str, object], first: str) -> None:
    for targets in ((DEAR_TO_ASK, DEAR_TO_HEAR), (DEAR_TO_HEAR, DEAR_TO_ASK)):
        assert order(body, *targets)[0] == first


@given(st.lists(st.none() | st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=1, max_size=8))
def test_no_target_is_left_out_and_costs_rise(prices: list[tuple[float, float] | None]) -> None:
    targets = [make_target(str(i), prices=price) for i, price in enumerate(prices)]
    call = make_call({"max_tokens": 300})
    ordered = Cheapest().order(call, targets)
    assert sorted(t.model for t in ordered) == [t.model for t in targets]
    given_tokens = len(call.ask.raw) // 4
    costs = [t.prices[0] * given_tokens + t.prices[1] * 300 if t.prices else float("inf") for t in ordered]
    assert costs == sorted(costs)
