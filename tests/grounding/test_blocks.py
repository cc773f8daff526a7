"""Texts are taken apart into headings, paragraphs, code and tables, in order."""

import pytest

from mainstay.grounding.blocks import Block, blocks_of, rows
from mainstay.grounding.shelf import Mark


def shapes(text: str, kind: str = "text/markdown") -> list[tuple[str, str]]:
    return [(block.shape, text[block.start : block.end]) for block in blocks_of(text, kind)]


def test_markdown_is_told_apart() -> None:
    text = "Title *here*\n=====\npara\nof two\n\n~~~\ncode\n\n# no heading\n~~~\n| a |\n|---|\n| 1 |\nafter\n\n    in"
    assert shapes(text) == [
        ("heading", "Title *here*\n====="),
        ("prose", "para\nof two"),
        ("code", "~~~\ncode\n\n# no heading\n~~~"),
        ("table", "| a |\n|---|\n| 1 |"),
        ("prose", "after"),
        ("prose", "in"),
    ]


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("# Plain", "Plain"),
        ("## Closed ##", "Closed"),
        ("# About C#", "About C#"),
        ("### [Linked](x.md) and `code`", "Linked and code"),
        ("# my_own_name and _more_", "my_own_name and more"),
        ("#\tTab", "Tab"),
    ],
)
def test_a_heading_is_read_without_its_marks(line: str, title: str) -> None:
    (block,) = blocks_of(line, "text/markdown")
    assert block.section.heading == (title,)


@pytest.mark.parametrize("line", ["#hashtag", "    # in code", "####### seven", "| a - b |", "text\n- item\n---"])
def test_what_only_looks_like_a_heading_is_none(line: str) -> None:
    assert all(block.section.heading == () for block in blocks_of(line, "text/markdown"))


def test_a_deeper_heading_stands_under_the_ones_above_it() -> None:
    text = "# A\n## B\n### C\n## D\n# E"
    assert [block.section.heading for block in blocks_of(text, "text/markdown")] == [
        ("A",), ("A", "B"), ("A", "B", "C"), ("A", "D"), ("E",),
    ]  # fmt: skip


def test_restructured_text_has_levels_in_the_order_of_its_lines() -> None:
    text = "Top\n===\n\nPart\n----\n\nx\n\nNext\n====\n\ny"
    headings = {block.section.heading for block in blocks_of(text, "text/x-rst")}
    assert headings == {("Top",), ("Top", "Part"), ("Next",)}


def test_tables_and_kept_stretches_of_pages_are_told_by_their_reader() -> None:
    text = "Intro\nName\tAge\nAnn\t31\ncode\n\nmore code\nend"
    start = text.index("code")
    marks = [Mark(start, "whole", end=text.index("\nend"))]
    found = [(block.shape, text[block.start : block.end]) for block in blocks_of(text, "text/html", marks)]
    assert found == [
        ("prose", "Intro"), ("table", "Name\tAge\nAnn\t31"), ("code", "code\n\nmore code"), ("prose", "end"),
    ]  # fmt: skip


def test_lines_of_a_printed_page_flow_and_lines_of_a_document_are_paragraphs() -> None:
    text = "one\ntwo\n\nthree"
    assert [text[one.start : one.end] for one in blocks_of(text, "application/pdf")] == ["one\ntwo", "three"]
    assert [text[one.start : one.end] for one in blocks_of(text, "text/html")] == ["one", "two", "three"]


def test_records_end_where_no_quote_is_open() -> None:
    text = 'a,"b\nc"\nd,e\n"open\nto the end'
    assert [text[start:end] for start, end in rows(text, 0, len(text))] == ['a,"b\nc"', "d,e", '"open\nto the end']


def test_a_long_line_of_blanks_or_dashes_takes_no_time() -> None:
    text = "# " + " " * 200_000 + "x\n" + "-|" * 100_000 + "\n" + "[" * 100_000 + "\n===\n"
    assert isinstance(next(iter(blocks_of(text, "text/markdown"))), Block)
    assert sum(1 for _ in blocks_of(text, "text/markdown")) > 1
