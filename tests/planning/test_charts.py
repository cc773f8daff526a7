import math
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.planning.charts import Line, bars, bars_text, lines, lines_text, short, stacked, stacked_text

POINTS = [(float(x), float(x * x)) for x in range(1, 20)]


@pytest.mark.parametrize(
    ("value", "text"), [(1234567, "1.23M"), (999_600, "1M"), (350_000, "350k"), (0.084, "0.084"), (0, "0"), (2e9, "2B")]
)
def test_numbers_on_axes_are_short(value: float, text: str) -> None:
    assert short(value) == text


def test_a_line_chart_is_well_formed_and_escapes_names() -> None:
    series = [Line("<buy> & more", POINTS, [(x, y * 0.8, y * 1.2) for x, y in POINTS]), Line("build", POINTS[::-1])]
    root = ElementTree.fromstring(lines(series, x_name="x", y_name="y", marks=[(5.0, "now"), (1e9, "far")]))
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert "<buy> & more" in texts
    assert "now" in texts
    assert "far" not in texts


@given(st.lists(st.tuples(st.floats(0, 1e12), st.floats(0, 1e12)), max_size=20))
def test_any_points_make_a_chart(points: list[tuple[float, float]]) -> None:
    ElementTree.fromstring(lines([Line("a", points)], x_name="x", y_name="y"))
    assert lines_text([Line("a", points)])


def test_a_tornado_runs_off_the_chart_where_there_is_no_outcome() -> None:
    svg = bars([("price", 10.0, math.inf, "x0.5", "never"), ("people", 40.0, 60.0, "x0.5", "x2")], 50.0, x_name="n")
    root = ElementTree.fromstring(svg)
    rects = [element for element in root.iter() if element.tag.endswith("rect")]
    assert len(rects) == 4
    for rect in rects:
        assert 0 <= float(rect.attrib["x"]) + float(rect.attrib["width"]) <= 720


@given(st.floats(1e-3, 1e12), st.floats(1e-3, 1e12), st.floats(1e-3, 1e12))
def test_any_tornado_stays_on_its_page(low: float, middle: float, high: float) -> None:
    root = ElementTree.fromstring(bars([("a", low, high, "", "")], middle, x_name="n"))
    for rect in (element for element in root.iter() if element.tag.endswith("rect")):
        assert float(rect.attrib["x"]) >= 100


def test_a_memory_bar_shows_what_is_over() -> None:
    root = ElementTree.fromstring(stacked([("weights", 100.0), ("cache", 20.0)], 80.0, unit="GiB"))
    rects = [element for element in root.iter() if element.tag.endswith("rect")]
    frame = next(rect for rect in rects if rect.attrib["class"] == "frame")
    assert float(rects[0].attrib["width"]) > float(frame.attrib["width"])


def test_bars_in_characters_keep_their_proportion() -> None:
    full, half, none = bars_text([("a", 10.0, "ten"), ("bb", 5.0, "five"), ("c", 0.0, "nothing")], 20)
    assert full.count("█") == 20
    assert half.count("█") == 10
    assert none.split() == ["c", "nothing"]


def test_a_stacked_bar_in_characters_has_every_part() -> None:
    assert stacked_text([("a", 5.0), ("b", 2.5), ("c", 2.5)], 10.0, 20) == "[██████████▓▓▓▓▓▒▒▒▒▒]"


def test_a_chart_in_characters_shows_where_two_lines_meet() -> None:
    text = "\n".join(lines_text([Line("up", [(0, 0), (10, 10)]), Line("flat", [(0, 10), (10, 10)])]))
    assert "●" in text
    assert "○" in text
    assert "◍" in text
