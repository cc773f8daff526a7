"""What a question is about does not change with its words; what is not the same is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.caching.matter import matter, matter_differs

SAME = [
    "How do I reset my router? | What is the best way to reset a router?",
    "How can I improve my English? | What should I do to improve English?",
    "What are some ways to save energy? | How to save energy",
    "Can you tell me how to peel garlic? | How does one peel garlic?",
    "What is the best laptop under 500? | Which are the best laptops to buy under 500?",
    "What does bicameral legislature mean? | What is a bicameral legislature?",
    "How do I get rid of acne? | How can I remove acne?",
    "Where do I find the manual? | Where can one find the manual?",
    "What is the worst thing you have ever done? | What was the worst thing you ever did?",
    "What is it like to be a pilot? | What does it feel like to be a pilot?",
    "What are the different types of art? | Types of art?",
    "How do I prepare for the exam? | What is the best way of preparing for the examination?",
    "What is demonetisation in India? | What is demonetisaton in India?",
    "Wie setze ich den Router zurück? | wie setze ich den router zurück",
]
OTHER = [
    ("How do I get rid of acne? | How do I get rid of acne naturally?", "naturally"),
    ("What are good novels of 2015? | What are good thrillers of 2015?", "novel"),
    ("How do I become a manager? | How do I become a football manager?", "footbal"),
    ("What is brute force? | What is brute force used for?", "use"),
    ("What are pivot cups? | What are pivot cups for?", "for"),
    ("What is a combustion engine? | What does a combustion engine do?", "do"),
    ("How long will it last? | How long has it lasted?", "future or done"),
    ("Is she a good president? | Will she be a good president?", "now or future"),
    ("How did you start playing tennis? | How do I start playing tennis?", "past or now"),
    ("How does the site make money? | How do I make money with the site?", "manner or method"),
    ("What are online banks? | What are the best online banks?", "the best"),
    ("What are interesting disorders? | What are the most interesting disorders?", "the best"),
    ("Books like those of Ada Lane? | Books by Ada Lane?", "lik"),
    ("How do I solve this? | How can I solve this?", "what is not in it"),
    ("What are gamma rays? How are they produced? | How are gamma rays produced?", "?"),
    ("Where and how do I apply? | Where do I apply?", "and"),
    ("How many hours have you spent on it? | How many hours do you spend on it?", "done or now"),
    ("What is it like to have a strict mother? | What is it like to be a strict mother?", "like to have"),
    ("Why do people hurt? | Why do hurt people hurt people?", "hurt"),
]


@pytest.mark.parametrize("pair", SAME)
def test_one_question_in_other_words_is_about_the_same(pair: str) -> None:
    first, second = pair.split(" | ")
    assert matter_differs(first, second) is None
    assert matter_differs(second, first) is None


@pytest.mark.parametrize(("pair", "reason"), OTHER)
def test_what_one_question_has_more_or_other_is_told(pair: str, reason: str) -> None:
    first, second = pair.split(" | ")
    told = matter_differs(first, second)
    assert told is not None
    assert reason in told
    assert matter_differs(second, first) is not None


@given(st.text(max_size=200))
def test_every_text_is_about_what_it_is_about(text: str) -> None:
    assert matter_differs(text, text) is None
    assert matter(text) == matter(text)
