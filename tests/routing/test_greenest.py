"""``choose: greenest``: order by what the answer will probably emit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.routing.greenest import Greenest
from support.routing import make_call, make_target

DIRTY_TO_ASK = make_target("ask", footprint=(10.0, 1.0))
DIRTY_TO_HEAR = make_target("hear", footprint=(1.0, 10.0))


def order(body: dict[str, object], *targets: object) -> list[str]:
    return [target.model for target in Greenest().order(make_call(body), targets)]  # type: ignore[arg-type]  # targets


def test_the_greener_goes_first_equals_stay_and_the_unknown_go_last() -> None:
    rows = (("a", None), ("b", (3.0, 9.0)), ("c", (1.0, 2.0)), ("d", None), ("e", (3.0, 9.0)))
    targets = [make_target(name, footprint=footprint) for name, footprint in rows]
    assert order({}, *targets) == ["c", "b", "e", "a", "d"]
    assert order({}, targets[0]) == ["a"]


@pytest.mark.parametrize(
    ("body", "first"),
    [
        ({"max_tokens": 1000}, "ask"),
        ({"max_tokens": 1}, "hear"),
        ({}, "ask"),
        ({"messages": [{"role": "user", "content": "word " * 1000}]}, "hear"),
    ],
)
def test_the_length_decides_between_green_to_ask_and_green_to_hear(body: dict[str, object], first: str) -> None:
    for targets in ((DIRTY_TO_ASK, DIRTY_TO_HEAR), (DIRTY_TO_HEAR, DIRTY_TO_ASK)):
        assert order(body, *targets)[0] == first


@given(st.lists(st.none() | st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=1, max_size=8))
def test_no_target_is_left_out_and_grams_rise(rows: list[tuple[float, float] | None]) -> None:
    targets = [make_target(str(place), footprint=row) for place, row in enumerate(rows)]
    call = make_call({"max_tokens": 300})
    ordered = Greenest().order(call, targets)
    assert sorted(target.model for target in ordered) == [target.model for target in targets]
    asked = len(call.ask.raw) // 4
    grams = [t.footprint[0] * asked + t.footprint[1] * 300 if t.footprint else float("inf") for t in ordered]
    assert grams == sorted(grams)
