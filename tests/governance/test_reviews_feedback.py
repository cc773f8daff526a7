import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.governance.reviews_feedback import example_of, stats_of, wilson
from mainstay.governance.reviews_store import ReviewRow

ROW = ReviewRow(
    *("rev_1", 1000, "shop", "web", "key_a", "jane", "r", "cards", "input", '{"card":2}', "d", "m", "denied", "rec"),
    content="words",
    score=0.75,
    reason="No cards.",
    label="true_positive",
)


def test_a_rails_precision_is_of_what_reviewers_labelled() -> None:
    counts = {
        ("cards", "approved", "false_positive"): 2,
        ("cards", "approved", "true_positive"): 1,
        ("cards", "denied", "true_positive"): 7,
        ("cards", "open", ""): 4,
        ("new", "expired", ""): 3,
    }
    cards, new = stats_of(counts)
    assert (cards.rail, cards.held, cards.open, cards.approved, cards.denied, cards.expired) == (
        "cards",
        14,
        4,
        3,
        7,
        0,
    )
    assert (cards.right, cards.wrong, cards.precision) == (8, 2, 0.8)
    # Wilson (1927) by hand: (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n) with p = 0.8, n = 10.
    assert (cards.low, cards.high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))
    assert (new.held, new.expired, new.precision, new.low, new.high) == (3, 3, None, None, None)
    assert stats_of({}) == []


@given(st.integers(0, 10_000), st.integers(1, 10_000))
def test_an_interval_holds_its_proportion_and_narrows_with_more(successes: int, more: int) -> None:
    trials = successes + more
    found = wilson(successes, trials)
    assert found is not None
    low, high = found
    assert 0 <= low <= successes / trials <= high <= 1
    many = wilson(successes * 4, trials * 4)
    assert many is not None
    assert many[1] - many[0] < high - low
    other = wilson(more, trials)
    assert other is not None
    assert math.isclose(other[0], 1 - high, abs_tol=1e-9)


def test_nothing_can_be_said_of_nothing() -> None:
    assert wilson(0, 0) is None


def test_an_example_has_no_words_unless_they_are_given() -> None:
    plain = example_of(ROW)
    assert (plain["kinds"], plain["score"], plain["label"]) == ({"card": 2}, 0.75, "true_positive")
    said = msgspec.json.encode(plain)
    assert not any(word in said for word in (b"words", b"jane", b"key_a"))
    assert example_of(ROW, "words") == plain | {"text": "words"}
