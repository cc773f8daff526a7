"""Tests of questions that lean on what was said before."""

import pytest

from mainstay.grounding.rewriting import Turn, carried, leans, standalone

_BEFORE: tuple[Turn, ...] = (
    ("user", "Who founded Siemens AG?"),
    ("assistant", "Siemens was founded in Berlin by Werner von Siemens in 1847."),
)


@pytest.mark.parametrize(
    "question",
    ["When was it founded?", "And in 2024?", "What about revenue?", "Why?", "What is that?", "Wann wurde er geboren?",
     "Où habite-t-elle aujourd'hui avec sa famille ?", "它的首都在哪里？", ""],
)  # fmt: skip
def test_questions_that_point_back_or_go_on_lean(question: str) -> None:
    """They cannot be understood alone."""
    assert leans(question)


@pytest.mark.parametrize(
    "question",
    ["Which companies that filed in 2023 were later acquired?", "Why is the sky blue during the day?",
     "How many employees does Siemens have worldwide?", "Wie hoch ist die Kaution für eine Wohnung in Berlin?"],
)  # fmt: skip
def test_questions_that_name_what_they_are_about_stand_alone(question: str) -> None:
    """Nothing is carried over to them."""
    assert not leans(question)
    assert carried(question, _BEFORE) == ()
    assert standalone(question, _BEFORE) == (question, ())


def test_names_come_first_then_words_then_names_of_the_answer() -> None:
    """Each once."""
    assert carried("When was it opened?", _BEFORE) == ("Siemens", "AG", "founded", "Berlin", "Werner", "1847")


def test_what_the_question_says_itself_is_not_carried_over() -> None:
    """In whatever case."""
    assert "Siemens" not in carried("And siemens, when?", _BEFORE)


def test_without_earlier_turns_a_question_is_what_it_is() -> None:
    """However short."""
    assert standalone("Why?", ()) == ("Why?", ())


def test_what_is_carried_over_is_embedded_with_the_question_and_looked_for() -> None:
    """As words."""
    assert standalone("When was it?", (("user", "Tell me about the ERR-12 fault"),)) == (
        "When was it? (ERR-12, fault)",
        ("err", "12", "fault"),
    )


def test_no_more_than_a_few_words_are_carried_over() -> None:
    """Of the last turns only."""
    long = " ".join(f"about Name{at}" for at in range(50))
    assert len(carried("Why?", (("user", long),))) == 8
    old: tuple[Turn, ...] = (("user", "about Zanzibar"), *[("user", "hm, I see")] * 6)
    assert "Zanzibar" not in carried("Why?", old)
