"""The page of a citation: nothing that a document says is markup, and the quote is marked to the letter."""

import re
from html import unescape
from html.parser import HTMLParser

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.api.knowledge_page import HEADERS, page_of, prefers_page
from mainstay.core.sources import Pin, Source
from mainstay.grounding.listing import Opened
from mainstay.grounding.pages import Page

HOSTILE = '</div><script>alert(1)</script><img src=x onerror="alert(2)">&lt;b&gt;'
SOURCE = Source(Pin("kb", "main", 7), "docs/a.md", 2, "p" + "0" * 24, 10, 30, 10, 30, "The wick burns low.\n", "00")


class Seen(HTMLParser):
    """What a page is made of: its tags, their attributes, and the text of its passage."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.depth = 0
        self.text = ""
        self.marked = ""
        self.marking = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "div":
            self.depth += 1
        self.marking = self.marking or tag == "mark"

    def handle_endtag(self, tag: str) -> None:
        if tag == "div":
            self.depth -= 1
        if tag == "mark":
            self.marking = False

    def handle_data(self, data: str) -> None:
        if self.depth:
            self.text += data
        if self.marking:
            self.marked += data


def seen(page: Page, start: int, end: int) -> Seen:
    found = Seen()
    found.feed(page_of(page, (start, end)).decode())
    return found


def page_with(text: str, before: str = "", after: str = "", **more: object) -> Page:
    source = msgspec.structs.replace(SOURCE, text=text, start=len(before), end=len(before) + len(text), **more)
    return Page(Opened(source, "alive"), before, after)


def test_the_quote_is_marked_and_what_stands_around_it_is_there() -> None:
    page = page_with("The wick burns low.", "Before. ", " After.")
    found = seen(page, 12, 16)
    assert (found.text, found.marked) == ("Before. The wick burns low. After.", "wick")
    assert seen(page, 8, 27).marked == "The wick burns low."
    # What is quoted may reach beyond the passage, and beyond what is shown.
    assert seen(page, 0, 12).marked == "Before. The "
    assert seen(page, 20, 999).marked == "ns low. After."
    assert seen(page, 500, 600).marked == ""


def test_what_a_document_says_is_never_markup() -> None:
    terms = {"title": HOSTILE, "document": HOSTILE, "heading": (HOSTILE,), "uri": f"javascript:{HOSTILE}"}
    page = page_with(HOSTILE, HOSTILE, HOSTILE, **terms)
    page = msgspec.structs.replace(page, licence=HOSTILE, previous="p1", next="p2")
    found = seen(page, len(HOSTILE), 2 * len(HOSTILE))
    assert found.tags.isdisjoint({"script", "img", "b"})
    assert found.attributes <= {
        *("charset", "name", "content", "lang", "class", "dir", "id", "rel", "href", "role", "datetime"),
    }
    assert found.text == HOSTILE * 3
    assert not re.search(r'href="(?!p1"|p2")', page_of(page, (0, 1)).decode())


def test_only_web_addresses_are_links_and_they_tell_nobody_where_from() -> None:
    shown = page_of(page_with("a", uri="https://a.test/?a=1&b='2'"), (0, 1)).decode()
    (link,) = re.findall(r'<a href="(.*?)" rel="noopener noreferrer nofollow"', shown)
    assert unescape(link) == "https://a.test/?a=1&b='2'"


@pytest.mark.parametrize(
    ("state", "said"), [("alive", ""), ("superseded", "corrected or replaced"), ("expired", "over")]
)
def test_what_is_no_longer_so_says_so(state: str, said: str) -> None:
    page = page_with("a", flags=("injection",) if state == "alive" else ())
    page = msgspec.structs.replace(page, opened=msgspec.structs.replace(page.opened, state=state))
    shown = page_of(page, (0, 1)).decode()
    assert said in shown
    assert ("instructions for models" in shown) == (state == "alive")


def test_nothing_is_loaded_or_run_and_the_style_is_the_one_that_is_allowed() -> None:
    headers = dict(HEADERS)
    policy = headers[b"content-security-policy"].decode()
    assert "default-src 'none'" in policy
    assert "script" not in policy
    shown = page_of(page_with("a"), (0, 1)).decode()
    assert "<script" not in shown
    assert shown.count("<style>") == 1


@given(st.text(max_size=80), st.text(max_size=20), st.text(max_size=20), st.integers(0, 130), st.integers(0, 130))
def test_whatever_is_quoted_the_text_is_the_text(text: str, before: str, after: str, one: int, two: int) -> None:
    page = page_with(text, before, after)
    start, end = min(one, two), max(one, two) + 1
    shown = page_of(page, (start, end)).decode("utf-8", "surrogatepass")
    (body,) = re.findall(r'<div class="text" dir="auto">(.*?)</div>', shown, re.S)
    whole = before + text + after
    assert unescape(re.sub(r"</?(?:mark|span)[^>]*>", "", body)) == unescape_of(whole)
    assert "".join(unescape(part) for part in re.findall(r"<mark[^>]*>(.*?)</mark>", body, re.S)) == unescape_of(
        whole[start:end]
    )


def unescape_of(text: str) -> str:
    """Return what a browser makes of characters that no text has (there are none in a store)."""
    return unescape(re.sub("[&<>]", lambda found: f"&#{ord(found[0])};", text))


@pytest.mark.parametrize(
    ("accept", "page"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("text/html", True),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("application/json, text/html", False),
        ("application/json;q=0.5, text/html", True),
        ("text/html;q=0.3, */*", False),
        ("text/html;q=zero", False),
        ("TEXT/HTML ; Q=1.0", True),
    ],
)
def test_a_page_is_for_who_would_rather_have_one(accept: str, page: bool) -> None:
    assert prefers_page(accept) is page
