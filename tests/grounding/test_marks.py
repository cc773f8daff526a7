"""Marks in answers: found in prose, left alone in code and links, never invented."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.grounding.marks import Mark, Marks


def read(text: str, most: int = 3, cuts: tuple[int, ...] = ()) -> list[str | Mark]:
    marks = Marks(most)
    found: list[str | Mark] = []
    last = 0
    for cut in (*sorted(cuts), len(text)):
        found += marks.feed(text[last:cut])
        last = cut
    joined: list[str | Mark] = []
    for one in [*found, *marks.finish()]:
        if isinstance(one, str) and joined and isinstance(joined[-1], str):
            joined[-1] += one
        else:
            joined.append(one)
    return joined


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("[1]", (1,)),
        ("[1, 3]", (1, 3)),
        ("[3,1,3]", (3, 1)),
        ("[1; 2]", (1, 2)),
        ("[1-3]", (1, 2, 3)),
        ("[source 2]", (2,)),
        ("[Sources 1, source 2]", (1, 2)),
        ("[ 2 ]", (2,)),
    ],
)
def test_a_mark_names_sources_by_number(text: str, numbers: tuple[int, ...]) -> None:
    assert read(f"Yes {text}.") == ["Yes ", Mark(numbers, text), "."]


@pytest.mark.parametrize(
    "text",
    [
        "[2024]", "[a]", "[1", "[]", "[1 2]", "[1](https://a.example)", "[1]: https://a.example", "\\[1]", "`x[1]`",
        "``a ` [1]``", "```\nx[1]\n```", "~~~py\nx[1]\n~~~", "[1.5]", "[" + "1, " * 40 + "1]",
    ],
)  # fmt: skip
def test_what_is_no_mark_stays_as_it_is(text: str) -> None:
    assert read(f"{text} so") == [f"{text} so"]


def test_code_ends_where_it_ends() -> None:
    assert read("`a` [1]\n```\n[2]\n``` \n[3] `b [1]\n[2]") == [
        "`a` ", Mark((1,), "[1]"), "\n```\n[2]\n``` \n", Mark((3,), "[3]"), " `b [1]\n", Mark((2,), "[2]"),
    ]  # fmt: skip


def test_numbers_that_were_never_offered_are_counted_and_taken_out() -> None:
    assert read("[0] [9] [1, 9] [2-4]") == [
        Mark((), "", 1), " ", Mark((), "", 1), " ", Mark((1,), "[1]", 1), " ", Mark((2, 3), "[2, 3]", 1),
    ]  # fmt: skip


@given(
    st.lists(st.sampled_from(["[", "]", "1", "3", "9", ",", " ", "`", "```", "~", "\n", "a", "(", ":", "\\", "-"])).map(
        "".join
    ),
    st.data(),
)
def test_marks_are_the_same_however_the_text_is_cut(text: str, data: st.DataObject) -> None:
    cuts = tuple(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    assert read(text, cuts=cuts) == read(text)


@given(st.text("[]13 ,ax", max_size=90))
def test_nothing_is_held_back_but_an_open_bracket(text: str) -> None:
    marks = Marks(3)
    said = "".join(one if isinstance(one, str) else "[]" for one in marks.feed(text + "x"))
    assert said.endswith("x") or "[" in text
