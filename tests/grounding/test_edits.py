"""Claims turned round."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.grounding.edits import DIRECTIONS, exchanged, is_negated, negated, turned


@pytest.mark.parametrize(
    ("claim", "other"),
    [
        ("Aspirin reduces the risk.", "Aspirin increases the risk."),
        ("Higher doses were used.", "Lower doses were used."),
        ("The drug is safe.", "The drug is unsafe."),
        ("Paris is a city.", "Paris is not a city."),
        ("Cats do not swim.", "Cats swim."),
        ("It cannot fly.", "It can fly."),
        ("They lack money.", "They have money."),
        ("Wine contains sulphur.", None),
    ],
)
def test_a_claim_is_turned_by_its_direction_else_by_a_negation(claim: str, other: str | None) -> None:
    assert turned(claim) == other


def test_each_word_of_direction_has_an_opposite_that_is_another_word() -> None:
    assert all(word != other and other for word, other in DIRECTIONS.items())


def test_every_place_is_offered() -> None:
    assert exchanged("More is more.", {"more": "less"}) == ["Less is more.", "More is less."]
    assert negated("It is and was.") == ["It is not and was.", "It is and was not."]
    assert is_negated("It is not so.")
    assert not is_negated("It is so.")


@given(st.text())
def test_a_turned_claim_is_never_the_same(claim: str) -> None:
    assert turned(claim) != claim
