"""Texts are cut along their structure; nothing is lost but blanks, and every passage is where it says it is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.grounding.chunks import Sizes, chunk, embedded, sizes_of
from mainstay.grounding.normal import normalise
from mainstay.grounding.port import Slice
from mainstay.grounding.shelf import Mark

KINDS = [
    "text/markdown",
    "text/plain",
    "text/x-rst",
    "text/x-python",
    "text/csv",
    "text/tab-separated-values",
    "application/jsonl",
    "application/json",
    "application/pdf",
    "text/html",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
]
SMALL = Sizes(100, 20)
#: What documents are made of, and what trips those who cut them.
PARTS = st.sampled_from([
    "# A\n", "## B b\n", "Title\n=====\n", "---\n", "```py\n", "```\n", "| a | b |\n", "|---|---|\n", "- item\n",
    "1. x\n", "\n", "\n\n", " ", "\t", "word ", "A sentence. ", "Dr. Who? ", "日本語。", 'x,"a\nb",2\n', '"',
    "def f():\n", "    x = 1\n", "}\n", "class A:\n", "@d\n", '{"a": 1}\n', "e\u0301\u0301", "👩\u200d🔬", "z" * 130,
    "\u3000", "a b " * 40,
])  # fmt: skip
TEXTS = st.lists(PARTS, max_size=25).map(lambda parts: normalise("".join(parts)))


def words(text: str, slices: list[Slice]) -> list[str]:
    return [text[one.start : one.end] for one in slices]


@given(TEXTS, st.sampled_from(KINDS), st.data())
@settings(max_examples=200, deadline=None)
def test_nothing_is_lost_or_said_twice_and_nothing_is_too_long(text: str, kind: str, data: st.DataObject) -> None:
    places = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    kinds = st.sampled_from(["page", "heading", "whole"])
    marks = [Mark(at, data.draw(kinds), 1, "t", min(len(text), at + 30)) for at in places]
    slices = chunk(text, kind, SMALL, marks)
    end = 0
    for one in slices:
        assert end <= one.start < one.end <= len(text)
        assert not text[end : one.start].strip()
        passage = text[one.start : one.end]
        assert len(passage) <= SMALL.characters
        assert passage.strip()
        assert passage == passage.rstrip()
        end = one.end
    assert not text[end:].strip()
    assert slices == chunk(text, kind, SMALL, marks)


def test_passages_of_markdown_stand_under_their_headings() -> None:
    text = (
        "# Leave\n\nIntro of some length, so that it stands alone.\n\n## Sick leave\n\nCall in before nine o'clock.\n\n"
        "## Paid `leave` ##\n\nTwenty five days a year, for all of us.\n"
    )
    slices = chunk(text, "text/markdown", Sizes(100, 10))
    assert [one.heading for one in slices] == [("Leave",), ("Leave", "Sick leave"), ("Leave", "Paid leave")]
    assert words(text, slices)[1] == "## Sick leave\n\nCall in before nine o'clock."


def test_a_heading_without_text_goes_with_what_stands_under_it() -> None:
    text = "# Handbook\n\n## Holidays\n\nTwenty five days."
    (only,) = chunk(text, "text/markdown", Sizes(200, 10))
    assert only.heading == ("Handbook", "Holidays")
    assert only.start == 0


def test_short_sections_are_joined_under_what_they_have_in_common() -> None:
    text = "# T\n\nSome words of introduction.\n\n## A\n\nOne.\n\n## B\n\nTwo."
    assert [one.heading for one in chunk(text, "text/markdown", Sizes(200, 100))] == [("T",)]
    assert [one.heading for one in chunk(text, "text/markdown", Sizes(200, 0))] == [("T",), ("T", "A"), ("T", "B")]


def test_code_and_tables_stay_whole_where_they_fit() -> None:
    fence = "```python\n# no heading\n\nx = 1\n\ny = 2\n```"
    table = "| name | age |\n|---|---|\n| Ann | 31 |\n| Bob | 32 |"
    text = f"# T\n\n{'Prose of one kind. ' * 6}\n\n{fence}\n\n{'Prose of another. ' * 6}\n\n{table}\n"
    passages = words(text, chunk(text, "text/markdown", Sizes(130, 10)))
    assert sum(fence in passage for passage in passages) == 1
    assert sum(table in passage for passage in passages) == 1


def test_rows_of_a_long_table_carry_its_header_as_a_heading() -> None:
    text = "name,town\n" + "".join(f'Person {number},"Town, of\nwater {number}"\n' for number in range(20))
    slices = chunk(text, "text/csv", SMALL)
    assert len(slices) > 3
    assert [one.heading for one in slices] == [(), *[("name,town",)] * (len(slices) - 1)]
    # A line end within quotes ends no row.
    assert all(text[one.start : one.end].count('"') % 2 == 0 for one in slices)


def test_rows_without_a_header_have_none_to_repeat() -> None:
    text = "".join(f"{number},{number * 2}\n" for number in range(60))
    assert {one.heading for one in chunk(text, "text/csv", SMALL)} == {()}
    lines = "".join(f'{{"id": {number}, "text": "some words"}}\n' for number in range(20))
    for one in chunk(lines, "application/jsonl", SMALL):
        assert lines[one.start : one.end].startswith('{"id"')
        assert lines[one.start : one.end].endswith('"}')


def test_programs_are_cut_between_their_definitions() -> None:
    body = "".join(f"    value_{number} = {number}\n" for number in range(4))
    text = (
        f"import os\n\n# What it does.\n@wraps\ndef first():\n{body}\n\nclass Second:\n{body}\n\nasync def third():\n"
    )
    text += body
    slices = chunk(text, "text/x-python", Sizes(160, 0))
    assert [one.heading for one in slices] == [(), ("first",), ("Second",), ("third",)]
    assert words(text, slices)[1].startswith("# What it does.\n@wraps\ndef first")


@pytest.mark.parametrize(
    ("line", "name"),
    [("func (s *Store) Put(x int) {", "Put"), ("pub async fn run() {", "run"), ("export default class App {", "App"),
     ("public interface Shape {", "Shape"), ("CREATE TABLE users (", "users"), ("const total = () => {", "total")],
)  # fmt: skip
def test_definitions_are_known_in_many_languages(line: str, name: str) -> None:
    (only,) = chunk(f"{line}\n  body\n}}\n", "text/x-go", Sizes())
    assert only.heading == (name,)


def test_long_prose_is_cut_between_sentences_into_about_equal_parts() -> None:
    text = "It was seen by Dr. Who at 3 p.m. in Fig. 4 of the book. " * 12
    passages = words(text, chunk(text, "text/plain", Sizes(200, 20)))
    assert all(passage.endswith("book.") for passage in passages)
    assert max(map(len, passages)) <= 2 * min(map(len, passages))


def test_a_word_that_is_too_long_is_cut_but_no_letter_loses_its_marks() -> None:
    text = "👩\u200d🔬" * 50
    assert all(not passage.startswith("\u200d") for passage in words(text, chunk(text, "text/plain", SMALL)))
    text = "e\u0316\u0317" * 60
    assert all(passage.startswith("e") for passage in words(text, chunk(text, "text/plain", SMALL)))


def test_pages_and_headings_come_from_who_read_the_file() -> None:
    text = "First page of it.\n\nSecond page\ngoes on here."
    marks = [Mark(0, "page", 1), Mark(0, "heading", 1, "Start"), Mark(19, "page", 2)]
    slices = chunk(text, "application/pdf", Sizes(200, 50), marks)
    assert [(one.page, one.heading) for one in slices] == [(1, ("Start",)), (2, ("Start",))]


def test_the_sizes_of_a_version_are_read_from_its_name() -> None:
    assert sizes_of(Sizes(900, 150).name) == Sizes(900, 150)
    assert sizes_of("") is None
    assert sizes_of("structure:many:0") is None
    assert sizes_of("other:900:150") is None


def test_what_is_embedded_names_the_document_and_the_headings_once() -> None:
    assert embedded("Leave", ("Leave", "Sick"), "Call in.") == "Leave > Sick\nCall in."
    assert embedded("Leave", ("Leave",), "# Leave\n\nDays.") == "# Leave\n\nDays."
    assert embedded("", (), "Days.") == "Days."
