"""The picture of the line: well-formed, every stage in it, standing ones solid and planned ones faint."""

import importlib.util
import xml.etree.ElementTree as ET
from types import ModuleType

import pytest

from support.pages import ROOT

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def drawing() -> ModuleType:
    spec = importlib.util.spec_from_file_location("line_picture", ROOT / "docs" / "line_picture.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _parts(svg: str, kind: str) -> list[ET.Element]:
    return [element for element in ET.fromstring(svg).iter() if element.get("class") == kind]


def test_a_stage_that_stands_is_solid_and_a_planned_one_faint(drawing: ModuleType) -> None:
    places = [drawing.Place("a", "One", "does it", True), drawing.Place("b", "Two", "", False)]
    svg = drawing.draw(places, ["curl"], ["a model"])
    legend = 1
    assert len(_parts(svg, "tile")) == 1 + legend
    assert len(_parts(svg, "post")) == 1 + legend
    words = " ".join("".join(text.itertext()) for text in ET.fromstring(svg).iter(f"{SVG}text"))
    for word in ("One", "does it", "b · Two", "curl", "a model"):
        assert word in words


def test_names_cannot_break_the_picture(drawing: ModuleType) -> None:
    svg = drawing.draw([drawing.Place("<r>", 'A&"B', "x < y", True)], ["<caller>"], ["&model"])
    assert any(text.text == 'A&"B' for text in ET.fromstring(svg).iter(f"{SVG}text"))


def test_everything_lies_inside_the_picture(drawing: ModuleType) -> None:
    places = [drawing.Place("room", f"Stage{n}", "says what it does here", n % 2 == 0) for n in range(10)]
    root = ET.fromstring(drawing.draw(places, ["a"], ["b"]))
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    for rect in root.iter(f"{SVG}rect"):
        x, y, wide, high = (float(rect.get(field, 0)) for field in ("x", "y", "width", "height"))
        assert x >= 0
        assert x + wide <= width
        assert y >= 0
        assert y + high <= height


def test_the_picture_asks_for_nothing_from_elsewhere() -> None:
    svg = (ROOT / "docs" / "line.svg").read_text().replace("http://www.w3.org/2000/svg", "")
    for word in ("http", "//", "@import", "<image", "<script", "href"):
        assert word not in svg
