"""The text of PDF files, page by page."""

from typing import Any

import pytest

from mainstay.core.errors import Unreadable
from mainstay.reading.pdf import is_installed, read_pdf
from mainstay.reading.port import Limits
from support.files import locked_pdf, pdf, scanned_pdf

pytest.importorskip("pypdfium2", reason="the extra 'modalities' is not installed")


def test_pages_come_in_order_and_are_counted() -> None:
    assert is_installed()
    read = read_pdf(pdf("The first page", "The second page"), Limits(), None)
    assert (read.text, read.how, read.pages) == ("The first page\n\nThe second page", "pdf", 2)


def test_a_page_that_is_a_picture_is_drawn_and_read_as_one() -> None:
    pytest.importorskip("PIL", reason="the extra 'modalities' is not installed")
    sizes: list[Any] = []

    def picture(image: Any) -> str:
        sizes.append(image.size)
        return "read off"

    assert read_pdf(scanned_pdf("x"), Limits(), picture).text == "read off"
    assert read_pdf(scanned_pdf("x"), Limits(), None).text == ""
    assert read_pdf(scanned_pdf("x"), Limits(pixels=1000), picture).text == "read off"
    assert sizes[0][0] * sizes[0][1] > 100_000
    assert sizes[1][0] * sizes[1][1] <= 1100
    # A page of text, or an empty one, needs no picture.
    read_pdf(pdf("Enough text to be text", ""), Limits(), picture)
    assert len(sizes) == 2


@pytest.mark.parametrize(
    ("data", "limits", "said"),
    [
        (pdf("a", "b", "c"), Limits(pages=2), "has 3 pages and this route reads at most 2"),
        (pdf("a long line of text"), Limits(characters=5), "more text than this route reads"),
        (locked_pdf(), Limits(), "protected with a password"),
        (b"%PDF-1.4\nnothing more", Limits(), "damaged PDF"),
    ],
)
def test_what_cannot_be_read_is_told(data: bytes, limits: Limits, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        read_pdf(data, limits, None)


def test_pages_and_the_headings_of_the_outline_are_told() -> None:
    made = pdf(
        "Paid leave and more", "", "Sick Leave", "The end",
        outline=(("sick leave", 2), ("Not on its page", 3), ("Paid leave", 0), ("Empty", 1)),
        info="/Title (Handbook) /ModDate (D:20250131120000+01'00') /CreationDate (D:2020)",
    )  # fmt: skip
    read = read_pdf(made, Limits(), None)
    assert [(mark.kind, mark.number, mark.title, read.text[mark.offset :][:4]) for mark in read.marks] == [
        ("page", 1, "", "Paid"),
        ("heading", 1, "Paid leave", "Paid"),
        ("page", 3, "", "Sick"),
        ("heading", 1, "sick leave", "Sick"),
        ("page", 4, "", "The "),
        ("heading", 1, "Not on its page", "The "),
    ]
    assert read.properties == {"title": "Handbook", "date": "D:20250131120000+01'00'"}


def test_titles_that_a_program_gave_are_none() -> None:
    for title in ("Microsoft Word - a.docx", "Untitled", "report_final.doc", "Document1"):
        assert "title" not in read_pdf(pdf("x", info=f"/Title ({title})"), Limits(), None).properties
