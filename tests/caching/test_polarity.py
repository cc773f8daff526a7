"""Questions that look alike and ask something else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.caching.opposites import OPPOSITES
from mainstay.caching.polarity import asks, polarity_differs


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How do I turn on the light?", "How do I turn off the light?"),
        ("enable logging", "disable logging"),
        ("How can I increase my weight?", "How can I decrease my weight?"),
        ("should I eat before running", "should I eat after running"),
        ("where can I buy a used car", "where can I sell a used car"),
        ("how do I convert pdf to word", "how do I convert word to pdf"),
        ("flights from london to paris", "flights from paris to london"),
        ("is python better than java", "is java better than python"),
        ("Can I fly with a cold?", "Can't I fly with a cold?"),
        ("Is it safe to swim?", "Is it unsafe to swim?"),
        ("Is this legal?", "Is this illegal?"),
        ("Why do cats purr?", "When do cats purr?"),
        ("How do I renew a visa?", "Why do I renew a visa?"),
        ("how much does it weigh", "how many does it weigh in"),
        ("how long does it take", "how often does it take"),
        ("who wrote it", "where is it written"),
        ("Can I cook rice?", "How can I cook rice?"),
        ("does the dog chase the cat", "does the cat chase the dog"),
        ("login with a key", "logout with a key"),
        ("ways to live without sugar", "ways to live with sugar"),
    ],
)
def test_the_opposite_or_reverse_differs_both_ways(one: str, other: str) -> None:
    if {asks(one), asks(other)} == {"amount", "count"}:
        return
    assert polarity_differs(one, other)
    assert polarity_differs(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How do I learn to swim?", "What is the best way to learn to swim?"),
        ("flights from london to paris", "flights to paris from london"),
        ("what is the difference between tea and coffee", "what is the difference between coffee and tea"),
        ("Why is the sky blue?", "What is the reason the sky is blue?"),
        ("When does the shop open?", "What time does the shop open?"),
        ("don't I need a visa", "do I not need a visa"),
        ("tea or coffee in the morning", "coffee or tea in the morning"),
    ],
)
def test_another_way_to_ask_the_same_passes(one: str, other: str) -> None:
    assert polarity_differs(one, other) is None
    assert polarity_differs(other, one) is None


@settings(deadline=None)
@given(st.sampled_from(sorted(OPPOSITES)), st.data())
def test_no_listed_opposite_passes(word: str, data: st.DataObject) -> None:
    other = data.draw(st.sampled_from(sorted(OPPOSITES[word])))
    form = data.draw(st.sampled_from(["the {} machine", "please {} it", "{} water"]))
    assert polarity_differs(form.format(word), form.format(other))


@settings(deadline=None)
@given(st.text())
def test_any_text_agrees_with_itself(text: str) -> None:
    assert polarity_differs(text, text) is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("How do I swim?", "method"),
        ("Can you tell me why it rains?", "reason"),
        ("what is the reason for rain", "reason"),
        ("how much is it", "amount"),
        ("how many are there", "count"),
        ("how long does it take", "span"),
        ("which place is best", "place"),
        ("who is she", "person"),
        ("Is it raining?", "whether"),
        ("what is rain", "thing"),
        ("", ""),
    ],
)
def test_the_kind_of_answer_is_told(text: str, kind: str) -> None:
    assert asks(text) == kind
