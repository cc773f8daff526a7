"""From an answer to its claims."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.grounding.claims import Claims, claims, clauses, is_checkable, question_of

ANSWER = """Hello! Here is what I found:

## What the study says

- The drug cut deaths by 12% [1], and the dose was 5 mg [2]. It was safe.
- Is it approved?
1. Paris is the capital of France; Berlin is the capital of Germany.

```python
x = "This is code. It is no claim."
```

| City | People |
|------|--------|
| Paris | 2.1 million |

Dr. Smith (e.g. in Fig. 3) agreed with that. **Bold claims count.** Let me know!
"""


def said(text: str) -> list[str]:
    return [text[one.start : one.end] for one in claims(text) if one.checkable]


def test_claims_are_sentences_items_rows_and_clauses_with_their_own_verb() -> None:
    assert said(ANSWER) == [
        "The drug cut deaths by 12% [1], and the dose was 5 mg [2].",
        "It was safe.",
        "Paris is the capital of France",
        "Berlin is the capital of Germany.",
        "Paris | 2.1 million |",
        "Dr. Smith (e.g. in Fig. 3) agreed with that.",
        "Bold claims count.**",
    ]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Sales rose by 4%, and costs were lower.", ["Sales rose by 4%", "costs were lower."]),
        ("The net is small, but it has limits.", ["The net is small", "it has limits."]),
        ("One is red; two are blue; three are green.", ["One is red", "two are blue", "three are green."]),
        ("If it rains, and the road is wet, cars may slip.", None),
        ("Apples, pears, and plums are fruit.", None),
        ("It was built in 1900, and was sold later.", None),
        ("He met Ann, who is a judge, and which was known.", None),
        ("The law (it is old; it was changed) is in force.", None),
        ('She said "it is late, and we are tired" to them.', None),
    ],
)
def test_clauses_are_cut_only_where_both_can_stand_alone(text: str, parts: list[str] | None) -> None:
    assert [text[start:end] for start, end in clauses(text)] == (parts or [text])


@pytest.mark.parametrize(
    "text",
    [
        "Is it so?",
        "Hello there, my friend.",
        "The causes are:",
        "I'm sorry, I cannot help with that.",
        "The provided sources do not mention it.",
        "Let me know if you need more.",
        "[1]",
        "**",
        "",
    ],
)
def test_questions_greetings_and_talk_about_the_sources_are_not_checkable(text: str) -> None:
    assert not is_checkable(text)


@pytest.mark.parametrize(
    "text", ["Water boils at 100 °C.", "Aspirin thins blood.", "High pressure is a risk.", "巴黎是法国的首都。"]
)
def test_a_statement_is_checkable(text: str) -> None:
    assert is_checkable(text)


def test_a_claim_that_points_back_is_asked_with_the_sentence_before_it() -> None:
    assert question_of("It was **safe** [2].", "The drug works [1].") == "The drug works. It was safe."
    assert question_of("Items were safe.", "The drug works.") == "Items were safe."
    assert question_of("| Paris | 2.1 million |") == "Paris, 2.1 million"
    assert question_of("It was safe.") == "It was safe."


def test_code_within_a_list_and_an_open_fence_are_no_claims() -> None:
    assert said("Do it so.\n- ```\n  This is code here.\n  ```\nThat is all there is.") == [
        "Do it so.",
        "That is all there is.",
    ]
    assert said("~~~\nThis is code here.\n```\nStill code it is.") == []


def test_without_cuts_claims_are_whole_sentences() -> None:
    text = "Sales rose by 4%, and costs were lower."
    assert [text[one.start : one.end] for one in claims(text, cut=False)] == [text]


def streamed(text: str, places: list[int]) -> list[object]:
    found = Claims()
    cuts = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    pieces = [text[start:end] for start, end in pairwise(cuts)]
    result: list[object] = [claim for piece in pieces for claim in found.feed(piece)]
    return result + list(found.finish())


@settings(max_examples=100)
@given(st.lists(st.integers(min_value=0, max_value=600), max_size=40))
def test_an_answer_has_the_same_claims_however_it_is_cut(places: list[int]) -> None:
    assert streamed(ANSWER, places) == claims(ANSWER)


PIECES = (
    "a is b", "A was c, and the d is e", ". ", ".", "? ", "\n", "\n\n", "```", "| x | y |\n", "- ", "1. ", "## ",
    " [1]", "[2, 3]", "; it is f", "**", '"', "(", ")", "e.g. ", "3.5", "。", "他", " ", "\t", "~~~\n",
    "|--|--|\n", "😀",
)  # fmt: skip


@settings(max_examples=150)
@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join), st.lists(st.integers(0, 200), max_size=12))
def test_any_text_has_the_same_claims_however_it_is_cut(text: str, places: list[int]) -> None:
    whole = claims(text)
    assert streamed(text, places) == whole
    at = 0
    for one in whole:
        assert at <= one.start < one.end <= len(text)
        assert text[one.start : one.end].strip()
        at = one.end
