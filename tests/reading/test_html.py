"""A page's text is what its reader would see."""

from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import Unreadable
from mainstay.reading.html import read_html, read_page

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


def test_a_page_tells_where_its_headings_code_tables_and_navigation_stand() -> None:
    page = b"""<html><head><title>Leave &amp; more</title><meta property="article:modified_time" content="2025-03-04">
    <meta name="date" content="2020-01-01"></head><body><nav><a>Home</a></nav><div role="banner">Logo</div>
    <h1>Paid  <em>leave</em></h1><p>Days.</p><h2> </h2><table><tr><td>a</td></tr></table><pre>x

    y</pre><nav>never closed"""
    read = read_page(page)
    assert read.text == read_html(page)
    assert read.properties == {"title": "Leave & more", "date": "2025-03-04"}
    found = [
        (mark.kind, mark.number, mark.title, read.text[mark.offset : mark.end or mark.offset + 12])
        for mark in read.marks
    ]
    assert found == [
        ("aside", 0, "", "Leave & more"),
        ("aside", 0, "", "Home"),
        ("aside", 0, "", "Logo"),
        ("heading", 1, "Paid leave", "Paid leave\n\n"),
        ("whole", 0, "", "a"),
        ("whole", 0, "", "x\n\ny"),
    ]


@given(st.lists(st.sampled_from(
    ["<h1>", "</h1>", "<pre>", "</pre>", "<nav>", "</nav>", "<table>", "</table>", "<td>", "<p>", "<li>", "<title>",
     "</title>", " a ", "\n", "\t", "\n\n\n", "\u3000", "b", "<br>", "<script>", "</script>", "&#xD800;"]
), max_size=30).map("".join))  # fmt: skip
def test_marks_stand_within_the_text_and_headings_say_what_stands_there(page: str) -> None:
    read = read_page(page.encode())
    assert [mark.offset for mark in read.marks] == sorted(mark.offset for mark in read.marks)
    for mark in read.marks:
        if mark.kind == "heading":
            assert read.text[mark.offset :].split()[0] == mark.title.split()[0]
        else:
            assert 0 <= mark.offset < mark.end <= len(read.text)


def test_navigation_ends_where_it_ends_whatever_is_within_it() -> None:
    page = (
        b'<div role="navigation"><div>Home</div><nav>More</nav></div><div>Words</div><table><table>a</table>b</table>c'
    )
    read = read_page(page)
    assert [(mark.kind, read.text[mark.offset : mark.end]) for mark in read.marks] == [
        ("aside", "Home\n\nMore"),
        ("whole", "a\nb"),
    ]


def test_a_page_of_elements_that_are_never_closed_is_read_in_time_that_grows_with_its_length() -> None:
    page = (b"<h1>" * 6_000 + b"x" + b"</h1>" * 6_000 + b"<nav>" * 6_000 + b"y</table>" * 6_000) * 3
    assert read_page(page).text.count("y") == 18_000
