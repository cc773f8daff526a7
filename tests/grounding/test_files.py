"""What a file is, is seen in it; its name only tells kinds of text apart, where the text bears it out."""

import pytest

from mainstay.grounding.files import kind_of
from support.files import docx, pdf, pptx, xlsx, zipped

OFFICE = "application/vnd.openxmlformats-officedocument."


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (pdf("x"), "notes.txt", "application/pdf"),
        (docx(""), "a.zip", OFFICE + "wordprocessingml.document"),
        (pptx("x"), "", OFFICE + "presentationml.presentation"),
        (xlsx(("a", "")), "a.csv", OFFICE + "spreadsheetml.sheet"),
        (zipped({"a.txt": "x"}), "a.docx", "application/zip"),
        (b"\x89PNG\r\n\x1a\n....", "a.md", "image/png"),
        (b"  <!DOCTYPE html><p>x", "a.md", "text/html"),
        (b"<p>a piece</p>", "a.html", "text/html"),
        (b"# Title", "README.MD", "text/markdown"),
        (b"# Title\n\nSee [this](x.md).\n", "README", "text/markdown"),
        (b"# Title\n\nSee [this](x.md).\n", "notes.txt", "text/plain"),
        (b"a,b\n1,2\n", "t.csv", "text/csv"),
        (b"a;b\n1;2\n", "t.csv", "text/csv"),
        (b"no table at all\n", "t.csv", "text/plain"),
        (b"a\tb\n1\t2\n", "t.tsv", "text/tab-separated-values"),
        (b'{"a": 1}\n{"a": 2}\n', "t.jsonl", "application/jsonl"),
        (b"no json", "t.jsonl", "text/plain"),
        (b"def f(): ...", "a.py", "text/x-python"),
        (b"FROM scratch", "build/Dockerfile", "text/x-dockerfile"),
        (b"Title\n=====", "a.rst", "text/x-rst"),
        (b"\x00\x01\x02", "a.txt", ""),
        ("weit".encode("utf-16"), "a.txt", "text/plain"),
        (b"", "a.md", "text/markdown"),
    ],
)
def test_a_file_is_what_it_holds(data: bytes, name: str, kind: str) -> None:
    assert kind_of(data, name) == kind


def test_a_server_is_believed_where_the_name_says_nothing() -> None:
    assert kind_of(b"# Title", "page", "text/markdown; charset=utf-8") == "text/markdown"
    assert kind_of(b"<p>x", "page", "application/xhtml+xml") == "text/html"
    assert kind_of(b"words", "page", "application/pdf") == "text/plain"
