import re
from html.parser import HTMLParser

import pytest

from mainstay.planning.answer import answer
from mainstay.planning.config import Scenario
from mainstay.planning.page import page

VOID = {"meta", "link", "br", "line", "rect", "polyline", "polygon"}


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def _page(**more: object) -> str:
    value = {
        "question": "Do <b>we</b> build?",
        "model": {"name": "llama-3.3-70b", "precision": "fp8", "gpu": "H100"},
        "traffic": {"requests_per_day": 200_000},
        **more,
    }
    return page(answer(Scenario.model_validate(value)))


BUY = {"name": "Vendor & Co", "price": {"input": 2, "output": 8}}


@pytest.mark.parametrize("more", [{}, {"buy": BUY}, {"model": {"name": "llama-3.1-8b", "gpu": "MI300X"}}])
def test_a_page_is_well_formed_and_needs_nothing_from_outside(more: dict[str, object]) -> None:
    html = _page(**more)
    tags = _Tags()
    tags.feed(html)
    assert tags.open == []
    assert not {"script", "link", "img", "iframe"} & tags.seen
    assert re.findall(r"https?://[^\"\s<]+", html.replace('xmlns="http://www.w3.org/2000/svg"', "")) == []


def test_what_a_scenario_says_is_escaped() -> None:
    html = _page(buy=BUY)
    assert "Do &lt;b&gt;we&lt;/b&gt; build?" in html
    assert "Vendor &amp; Co" in html
    assert "Vendor & Co" not in html


def test_a_comparison_has_its_five_pictures() -> None:
    assert _page(buy=BUY).count("<svg") == 5
    assert _page().count("<svg") == 2


def test_where_nothing_breaks_even_there_is_no_tornado() -> None:
    html = _page(buy={"price": {"input": 0.01, "output": 0.01}})
    assert "There is no break-even to move." in html
    assert "never" in html
