"""A page's text is what its reader would see."""

from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import Unreadable
from mainstay.reading.html import read_html

PAGE = """<!doctype html><html><head><meta charset="utf-8"><title>Prices &amp; more</title>
<style>p { color: red }</style><script>if (a < b) document.write("<p>no</p>")</script></head>
<body><h1>Our   prices</h1><p>From <b>today</b> on,<br>all <a href="/x">items</a> cost&nbsp;more.</p>
<ul><li>tea</li><li>milk</li></ul>
<table><tr><th>Item</th><th>Price</th></tr><tr><td>Tea</td><td>2 €</td></tr></table>
<pre>a   b
  c</pre><img src="x" alt="A cup"><noscript>hidden</noscript><svg><text>hidden</text></svg></body></html>"""


def test_a_page_becomes_lines_without_styles_and_scripts() -> None:
    lines = [line for line in read_html(PAGE.encode()).split("\n") if line]
    assert lines == [
        "Prices & more",
        "Our prices",
        "From today on,",
        "all items cost more.",
        "- tea",
        "- milk",
        "Item\tPrice",
        "Tea\t2 €",
        "a   b",
        "c",
        "A cup",
    ]


def test_the_pages_own_encoding_is_used() -> None:
    page = '<meta http-equiv="content-type" content="text/html; charset=koi8-r"><p>дом'
    assert read_html(page.encode("koi8-r")) == "дом"


def test_what_is_never_closed_hides_the_rest_and_nothing_breaks() -> None:
    assert read_html(b"<p>seen<script>never <b>closed") == "seen"
    assert read_html(b"<p>a</p></td></ul></script>b") == "a\n\nb"


@given(st.text(alphabet="<>/abcp! &;=\"'-\n", max_size=200))
def test_any_markup_is_read(text: str) -> None:
    try:
        found = read_html(text.encode())
    except Unreadable:
        return
    assert "\n\n\n" not in found
