"""The page: it asks nobody for anything, and shows an answer as text whatever it holds."""

import re
from html import unescape
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from mainstay.redteam.gate import Gate
from mainstay.redteam.page import page
from support.redteam import NASTY, summary_of


class Reader(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]


@pytest.mark.parametrize("compared", [True, False])
def test_it_fetches_and_runs_nothing(compared: bool) -> None:
    text = page(summary_of(compared=compared))
    reader = Reader(text)
    assert not {"script", "link", "img", "iframe", "object"} & set(reader.tags)
    assert not {name for name in reader.attributes if name in ("src", "href", "style") or name.startswith("on")}
    assert not re.search(r"url\(|@import|https?:", text.partition("</style>")[0])


def test_an_answer_is_shown_as_text() -> None:
    text = page(summary_of())
    assert "<script>alert" not in text
    assert NASTY in unescape(text)


def test_the_picture_is_well_formed_and_has_both_sides() -> None:
    (picture,) = re.findall(r"<svg.*?</svg>", page(summary_of()), re.DOTALL)
    root = ElementTree.fromstring(picture)
    kinds = [circle.attrib["class"] for circle in root.iter("circle")]
    assert kinds.count("c0") == kinds.count("c1") == 3
    for circle in root.iter("circle"):
        assert 0 <= float(circle.attrib["cx"]) <= 860


def test_the_verdict_is_said() -> None:
    assert "Attacks succeed too often" in page(summary_of(Gate(max_success=0.1)))
    assert "FAILED" not in page(summary_of())
