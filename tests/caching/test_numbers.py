"""Numbers, units and dates of two questions."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.caching.numbers import numbers, numbers_differ


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,000 g of flour", "1 kg of flour"),
        ("a thousand grams", "1000 grams"),
        ("5 million dollars", "$5m"),
        ("25%", "twenty-five percent"),
        ("on 3 May 2024", "on May 3rd, 2024"),
        ("2024-05-03", "3 May 2024"),
        ("at 5pm", "at 17:00"),
        ("24 hours", "1 day"),
        ("2 years", "24 months"),
        ("the 10th class", "the tenth class"),
        ("Rs 500", "500 rupees"),
        ("one hundred and five", "105"),
        ("under 10k", "under 10,000"),
        ("which one is it", "which is it"),
        ("May I go?", "Can I go?"),
    ],
)
def test_one_value_written_in_two_ways_is_the_same(one: str, other: str) -> None:
    assert numbers_differ(one, other) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("iPhone 6", "iPhone 7"),
        ("iPhone 6", "iPhone 6s"),
        ("5 kg", "5 g"),
        ("5 kg", "5 lb"),
        ("$5", "5 euros"),
        ("Python 3.1", "Python 3.10"),
        ("version 3.11.2", "version 3.11.3"),
        ("on 3 May", "on 4 May"),
        ("in 2015", "in 2016"),
        ("next week", "last week"),
        ("today", "tomorrow"),
        ("on Monday", "on Tuesday"),
        ("in January", "in June"),
        ("-5 degrees", "5 degrees"),
        ("the first one", "the second one"),
        ("twice", "once"),
        ("top 5 films", "top films"),
        ("at 5am", "at 5pm"),
        ("a 16:9 screen", "a 4:3 screen"),
    ],
)
def test_another_value_unit_or_date_differs_both_ways(one: str, other: str) -> None:
    assert numbers_differ(one, other)
    assert numbers_differ(other, one)


@settings(deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 10**9), st.sampled_from(["{} people", "the year {}", "{} kg of rice"]))
def test_two_different_whole_numbers_never_pass(one: int, other: int, form: str) -> None:
    assert (numbers_differ(form.format(one), form.format(other)) is None) == (one == other)


@settings(deadline=None)
@given(st.integers(1000, 10**9))
def test_separators_of_thousands_say_nothing(number: int) -> None:
    assert numbers_differ(f"{number:,} people", f"{number} people") is None


@settings(deadline=None)
@given(st.text())
def test_any_text_agrees_with_itself(text: str) -> None:
    assert numbers_differ(text, text) is None
    assert numbers(text) == numbers(text)
