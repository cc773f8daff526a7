"""What must agree before one question's answer is given to another."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.caching.gates import GATES, stopped

#: Each with its twin, which asks something else.
QUESTIONS = [
    "How do I lose 5 kg?",
    "How do I lose 6 kg?",
    "Is Rome older than Paris?",
    "is Paris older than Rome",
    "should I not sleep",
    "should I sleep",
    "turn it on",
    "turn it off",
    "What is C++?",
    "What is C?",
]


@pytest.mark.parametrize(
    ("one", "other", "gate"),
    [
        ("How do I lose 5 kg?", "How do I lose 6 kg?", "numbers"),
        ("How is life in Rome?", "How is life in Oslo?", "names"),
        ("turn it on", "turn it off", "polarity"),
        ("How do I sleep in 5 minutes in Rome", "How do I sleep in 6 minutes in Oslo", "numbers"),
    ],
)
def test_the_first_gate_that_is_not_passed_is_named(one: str, other: str, gate: str) -> None:
    found = stopped(one, other)
    assert found is not None
    assert found[0] == gate
    assert found[1]


@settings(deadline=None)
@given(st.integers(0, len(QUESTIONS) // 2 - 1), st.booleans(), st.booleans())
def test_a_question_passes_for_itself_and_not_for_its_twin(pair: int, one: bool, other: bool) -> None:
    first, second = QUESTIONS[2 * pair + one], QUESTIONS[2 * pair + other]
    assert (stopped(first, second) is None) == (one == other)


@settings(deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_it_does_not_matter_which_comes_first(one: str, other: str) -> None:
    assert (stopped(one, other) is None) == (stopped(other, one) is None)


@settings(deadline=None)
@given(st.text())
def test_a_text_passes_every_gate_against_itself(text: str) -> None:
    assert stopped(text, text) is None


def test_gates_stand_in_the_order_that_is_promised() -> None:
    assert [name for name, _ in GATES] == ["numbers", "names", "polarity", "matter"]
