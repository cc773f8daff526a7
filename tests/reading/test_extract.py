"""Each kind of file goes to what reads it, by what it is and not by what it is called."""

import pytest

from mainstay.core.errors import Unreadable
from mainstay.reading import ocr, pdf
from mainstay.reading.extract import extract
from mainstay.reading.port import MISSING, Limits, Text, Work
from support.files import docx, pptx, xlsx


def test_documents_are_read_by_what_they_are() -> None:
    for data, how in (
        (b"A line.", "text"),
        (b"<html><p>x", "html"),
        (docx(""), "docx"),
        (pptx("x"), "pptx"),
        (xlsx(("S", "")), "xlsx"),
    ):
        assert extract(Work("document", data, "application/pdf", "x.pdf")).how == how


def test_a_picture_sent_as_a_document_is_read_where_pictures_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "read_image", lambda data, limits: Text("seen", "ocr"))
    work = Work("document", b"\x89PNG\r\n\x1a\n")
    assert extract(work).text == "seen"
    with pytest.raises(Unreadable, match="no document of a kind"):
        extract(Work("document", work.data, ocr=False))
    with pytest.raises(Unreadable, match="HEIF"):
        extract(Work("image", b"\0\0\0\x20ftypheic"))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> Text:
        raise ImportError("no such package")

    monkeypatch.setattr(pdf, "read_pdf", missing)
    with pytest.raises(Unreadable) as refused:
        extract(Work("document", b"%PDF-1.4"))
    assert refused.value.message == MISSING


def test_text_beyond_the_limit_is_refused_and_not_cut() -> None:
    with pytest.raises(Unreadable, match="more text"):
        extract(Work("document", b"x" * 101, limits=Limits(characters=100)))
    assert len(extract(Work("document", b"x" * 100, limits=Limits(characters=100))).text) == 100
