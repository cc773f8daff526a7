"""From the bytes of a file to a document: its text without front matter, its passages, and what is known of it."""

import json

import pytest

from mainstay.core.errors import Unreadable
from mainstay.grounding.chunks import Sizes
from mainstay.grounding.config import IngestLimitsConfig, SourceConfig
from mainstay.grounding.documents import Document, NotRead, is_same, read_document
from mainstay.grounding.matter import Matter
from mainstay.grounding.shelf import Extracted, Mark
from support.files import docx, pdf

SOURCE = SourceConfig(path="kb", groups=("staff",), licence="ours", fields={"owner": "hr"})
DAY = 86_400_000
NONE = Matter()


class Says:
    """An extractor that found this."""

    def __init__(self, text: str, *marks: Mark, **properties: str) -> None:
        self.found = Extracted(text, "pdf", 1, marks, properties)
        self.asked: list[str] = []

    def extract(self, data: bytes, name: str, media_type: str) -> Extracted:
        self.asked.append(media_type)
        return self.found


def read(data: bytes, name: str, beside: Matter = NONE, extractor: Says | None = None, **more: object) -> Document:
    options: dict[str, object] = {"sizes": Sizes(), "limits": IngestLimitsConfig(), "dated": 5, "now": 7, **more}
    return read_document(data, name, "", beside, SOURCE, extractor=extractor, **options)  # type: ignore[arg-type]  # as given


MARKDOWN = b"---\ntitle: Leave\ngroups: [hr]\nttl: 30d\nteam: people\n---\n\n# Paid leave\n\nTwenty five days.\n"


def test_front_matter_is_known_and_is_no_text() -> None:
    document = read(MARKDOWN, "kb/leave.md")
    assert document.text == "\n# Paid leave\n\nTwenty five days.\n"
    (only,) = document.slices
    assert document.text[only.start : only.end] == "# Paid leave\n\nTwenty five days."
    meta = document.meta
    assert (meta.title, meta.groups, meta.ttl, meta.licence) == ("Leave", ("hr",), 30 * 86400, "ours")
    assert meta.fields == {"owner": "hr", "team": "people", "source": "kb"}
    assert (meta.kind, meta.dated, meta.read_at) == ("text/markdown", 5, 7)


def test_what_stands_beside_a_document_counts_before_what_it_says_itself() -> None:
    beside = Matter(title="Other", groups=("legal",), fields={"team": "law"}, dated=3)
    meta = read(MARKDOWN, "leave.md", beside).meta
    assert (meta.title, meta.groups, meta.ttl, meta.dated) == ("Other", ("legal",), 30 * 86400, 3)
    assert meta.fields == {"owner": "hr", "team": "law", "source": "kb"}


@pytest.mark.parametrize(
    ("data", "name", "title"),
    [
        (b"Some words.\n\n# First heading\n\nMore.", "a.md", "First heading"),
        (b"Only words.", "notes/plan.txt", "plan"),
        (b"def run():\n    pass\n", "run.py", "run"),
        (b"name,age\nAnn,31\n", "staff.csv", "staff"),
    ],
)
def test_a_document_is_called_by_its_heading_or_its_name(data: bytes, name: str, title: str) -> None:
    assert read(data, name).meta.title == title


def test_json_that_is_escaped_is_stored_as_it_reads() -> None:
    data = (json.dumps({"word": "Größe"}) + "\nno json \\u0041\n").encode()
    assert read(b'{"a": 1}\n' + data, "a.jsonl").text == '{"a": 1}\n{"word": "Größe"}\nno json \\u0041\n'


def test_what_is_no_text_is_read_by_the_extractor_and_marks_keep_their_places() -> None:
    text = "Home | About\r\nTitel\r\ne\u0301 body of the page, which is long enough to count for most of it.\r\nSecond"
    marks = [
        Mark(0, "aside", end=12),
        Mark(14, "page", 1),
        Mark(14, "heading", 1, "Titel"),
        Mark(text.index("Second"), "page", 2),
    ]
    says = Says(text, *marks, title="A page", date="2025-01-31")
    document = read(pdf("x"), "a.pdf", extractor=says)
    assert says.asked == ["application/pdf"]
    assert "About" not in document.text
    first, second = document.slices
    assert document.text[first.start : first.end].startswith("Titel\né body")
    assert (first.page, first.heading, second.page) == (1, ("Titel",), 2)
    assert document.text[second.start : second.end] == "Second"
    assert (document.meta.title, document.meta.dated) == ("A page", 1738281600000)


def test_a_page_that_is_all_navigation_is_kept() -> None:
    assert read(b"<html>", "a.html", extractor=Says("Home | About", Mark(0, "aside", end=12))).text == "Home | About"


@pytest.mark.parametrize(
    ("data", "name", "said"),
    [
        (pdf("x"), "a.pdf", "holds no text; if it is scanned"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a.doc", "Office before 2007"),
        (b"{\\rtf1 x}", "a.rtf", "Rich Text"),
        (b"x" * 2_000, "a.txt", "more than the 1000 characters"),
        (b"---\ngroups: [?]\n---\nx", "a.md", "no names"),
    ],
)
def test_what_cannot_be_read_is_told(data: bytes, name: str, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        read(data, name, extractor=Says(" \n"), limits=IngestLimitsConfig(characters=1000))


def test_without_an_extractor_only_text_is_read() -> None:
    with pytest.raises(Unreadable, match="extra 'modalities'"):
        read(docx(""), "a.docx")


@pytest.mark.parametrize(
    ("data", "name"), [(b"\x89PNG\r\n\x1a\n", "a.png"), (b"\0\1", "a.bin"), (b" \n", "__init__.py")]
)
def test_what_holds_no_text_to_be_found_is_passed_over(data: bytes, name: str) -> None:
    with pytest.raises(NotRead):
        read(data, name)


def test_a_file_is_read_again_only_when_it_or_its_terms_changed() -> None:
    known = read(MARKDOWN, "leave.md", now=10 * DAY).meta
    assert is_same(MARKDOWN, NONE, SOURCE, known, 11 * DAY)
    assert not is_same(MARKDOWN + b"!", NONE, SOURCE, known, 11 * DAY)
    assert not is_same(MARKDOWN, Matter(title="New"), SOURCE, known, 11 * DAY)
    assert not is_same(MARKDOWN, Matter(fields={"a": "b"}), SOURCE, known, 11 * DAY)
    changed = SOURCE.model_copy(update={"licence": "CC0"})
    assert not is_same(MARKDOWN, NONE, changed, known, 11 * DAY)
    # It was looked at and is as it was: so it is put anew before its thirty days are over.
    assert not is_same(MARKDOWN, NONE, SOURCE, known, 18 * DAY)
