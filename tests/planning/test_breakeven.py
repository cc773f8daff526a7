import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.planning.breakeven import Bought, BreakEven, Built, draw, find_break_even, payback

TOP = 4_000


def _enumerated(bought: Bought, built: Built) -> tuple[int | None, int]:
    """Return the first volume at which building is cheaper, and the last at which it is not."""
    cheaper = [bought.at(volume) >= built.at(volume) for volume in range(1, TOP + 1)]
    first = next((volume for volume, good in enumerate(cheaper, 1) if good), None)
    return first, max((volume for volume, good in enumerate(cheaper, 1) if not good), default=0)


_SIDES = st.tuples(
    st.builds(
        Bought,
        fixed=st.floats(0, 200),
        unit=st.floats(0.5, 3),
        commitment=st.one_of(st.just(0.0), st.floats(0, 2000)),
    ),
    st.builds(
        Built,
        fixed=st.floats(0, 800),
        replica=st.floats(5, 400),
        volume=st.floats(20, 400),
        unit=st.floats(0, 0.4),
        spares=st.integers(0, 2),
        autoscale=st.floats(0, 1),
        peak_to_mean=st.floats(1, 5),
    ),
)


@settings(max_examples=60, deadline=None)
@given(_SIDES)
def test_the_scan_finds_what_enumeration_finds(sides: tuple[Bought, Built]) -> None:
    bought, built = sides
    found = find_break_even(bought, built)
    first, last_dearer = _enumerated(bought, built)
    assert (found.first if found.first is not None and found.first <= TOP else None) == first
    if (found.always is not None and found.always < TOP - built.volume) or last_dearer < TOP - 2 * built.volume:
        assert found.always == last_dearer + 1


def test_a_step_may_make_building_dearer_again() -> None:
    found = find_break_even(Bought(fixed=0, unit=1.0), Built(fixed=50, replica=80, volume=100))
    # One replica: 130 for at most 100 requests. Two: 210. The margin of a full step is 20, so three steps pay for 50.
    assert found == BreakEven(first=290, always=610)
    assert Bought(fixed=0, unit=1.0).at(301) < Built(fixed=50, replica=80, volume=100).at(301)


def test_what_saves_nothing_never_breaks_even() -> None:
    assert find_break_even(Bought(fixed=0, unit=0.5), Built(fixed=10, replica=100, volume=100)) == BreakEven(
        first=None, always=None
    )


def test_what_is_cheaper_from_the_start_breaks_even_at_once() -> None:
    assert find_break_even(Bought(fixed=500, unit=2.0), Built(fixed=10, replica=10, volume=100)) == BreakEven(
        first=1, always=1
    )


def test_a_far_break_even_is_found_without_walking_there() -> None:
    found = find_break_even(Bought(fixed=0, unit=1.0), Built(fixed=1_000_000, replica=40, volume=100))
    # A full step saves 60: the 16,667th is the first to pay for all before it, near its end.
    assert found.first == 1_000_000 + 40 * 16_667


def test_a_commitment_may_make_building_cheaper_at_small_volumes_only() -> None:
    found = find_break_even(Bought(fixed=0, unit=0.5, commitment=200), Built(fixed=10, replica=100, volume=100, unit=0))
    assert found == BreakEven(first=1, always=None)


def test_spares_and_scaling_are_paid_for_as_they_are_used() -> None:
    built = Built(fixed=0, replica=10, volume=100, spares=2, autoscale=1.0, peak_to_mean=4)
    assert built.at(400) == pytest.approx(10 * (1 + 2))
    rigid = Built(fixed=0, replica=10, volume=100, spares=2, peak_to_mean=4)
    assert rigid.at(400) == 10 * (4 + 2)


@given(_SIDES, st.integers(1, 3000))
def test_costs_never_fall_with_volume(sides: tuple[Bought, Built], volume: int) -> None:
    for side in sides:
        assert side.at(volume + 1) >= side.at(volume) - 1e-9


def test_payback_is_the_month_from_which_building_stays_cheaper() -> None:
    found = payback(
        lambda _, volume: 2.0 * volume,
        lambda _, volume: volume,
        volume=100,
        growth=0.0,
        months=12,
        once_built=450,
    )
    assert found.month == 5
    assert found.bought[4] == 1000
    assert found.built[4] == 950


def test_what_falls_in_price_may_never_be_paid_back() -> None:
    found = payback(
        lambda month, volume: 2.0 * volume * 0.7**month,
        lambda _, volume: volume,
        volume=100,
        growth=0.0,
        months=12,
        once_built=450,
    )
    assert found.month is None


def test_draws_give_an_interval_around_the_middle() -> None:
    def sides(factors: dict[str, float]) -> tuple[Bought, Built]:
        return (
            Bought(fixed=0, unit=factors.get("price", 1.0)),
            Built(fixed=1000, replica=20 * factors.get("device", 1.0), volume=100),
        )

    found = draw(sides, {"price": (0.7, 1.3), "device": (0.8, 1.2)}, volume=1300)
    middle = find_break_even(*sides({})).first
    assert middle is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < middle < found.high
    assert 0 < found.cheaper < 1
    assert found == draw(sides, {"price": (0.7, 1.3), "device": (0.8, 1.2)}, volume=1300)


def test_draws_that_mostly_never_break_even_have_no_upper_end() -> None:
    found = draw(
        lambda factors: (Bought(fixed=0, unit=0.1 * factors["price"]), Built(fixed=0, replica=100, volume=100)),
        {"price": (0.5, 1.5)},
        volume=100,
        count=50,
    )
    assert (found.low, found.mid, found.high, found.cheaper) == (None, None, None, 0.0)
    assert not math.isnan(found.cheaper)
