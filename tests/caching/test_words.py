"""Texts as words that can be compared."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.caching.words import is_content, split, stem, unify


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("don't", "do not"),
        ("I\u2019m", "i am"),
        ("what's", "What is"),
        ("can't", "cannot"),
        ("dogs", "dog"),
        ("studies", "study"),
        ("making", "make"),
        ("used", "using"),
        ("bought", "buy"),
        ("children", "child"),
        ("stopped", "stopping"),
    ],
)
def test_two_ways_to_write_a_word_are_one(one: str, other: str) -> None:
    assert [word.stem for word in split(one)] == [word.stem for word in split(other)]


@pytest.mark.parametrize(
    ("one", "other"), [("bus", "but"), ("class", "clas"), ("C", "C++"), ("C#", "C"), ("thing", "th")]
)
def test_different_words_stay_different(one: str, other: str) -> None:
    assert [word.stem for word in split(one)] != [word.stem for word in split(other)]


def test_words_that_only_hold_a_question_together_carry_no_matter() -> None:
    assert [word.lower for word in split("How do I reset the router?") if is_content(word)] == ["reset", "router"]


@settings(deadline=None)
@given(st.text())
def test_any_text_is_split_and_unified_text_stays_as_it_is(text: str) -> None:
    assert all(word.lower for word in split(text))
    assert unify(unify(text)) == unify(text)


@settings(deadline=None)
@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=12))
def test_a_word_keeps_its_beginning(word: str) -> None:
    assert stem(word)
