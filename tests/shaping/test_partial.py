"""JSON read while it is written: any cut gives the same, and nonsense ends at the first character that proves it."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.shaping.partial import PartialJson
from mainstay.shaping.schema import parse_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def cut(text: str, places: list[int]) -> list[str]:
    bounds = [0, *sorted({place % (len(text) + 1) for place in places}), len(text)]
    return [text[a:b] for a, b in pairwise(bounds)]


@given(VALUES, st.lists(st.integers(min_value=0), max_size=8), st.booleans(), st.sampled_from([None, 1]))
def test_any_cut_of_a_json_text_is_taken_and_gives_its_members(
    value: Any, places: list[int], ascii_only: bool, indent: int | None
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    partial = PartialJson()
    members = [member for piece in cut(text, places) for member in partial.feed(piece)]
    assert members == (list(value.items()) if isinstance(value, dict) else [])


@given(VALUES, st.booleans())
def test_a_text_given_character_by_character_gives_the_same(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    partial = PartialJson()
    members = [member for character in text for member in partial.feed(character)]
    assert members == (list(value.items()) if isinstance(value, dict) else [])


@pytest.mark.parametrize(
    "text",
    [
        "Sure", "```json", "{a", "{'a'", '{"a" 1', '{"a":,', "[1 2", "[,", "{,", '{"a":1,}', "[1,]", "tru3", "+1",
        "01x", "1.x", '"\n', '"\\x', "{}{", "[]]", "]", "}", ":", '{"a":1]', "[1}", "nulll", "-a", "1e+x", '"\\u00g',
    ],
)  # fmt: skip
def test_what_can_become_no_json_is_found_at_once(text: str) -> None:
    def read() -> None:
        partial = PartialJson()
        for character in text + " ":
            list(partial.feed(character))

    with pytest.raises(ValueError, match=r"\w"):
        read()


@given(st.text(max_size=40))
def test_whatever_parses_is_never_found_wrong(text: str) -> None:
    try:
        parse_json(text)
    except ValueError:
        return
    list(PartialJson().feed(text))


def test_a_member_comes_as_soon_as_it_is_complete() -> None:
    partial = PartialJson()
    assert list(partial.feed('{"a": [1, {"x": "},{"}], "b"')) == [("a", [1, {"x": "},{"}])]
    assert list(partial.feed(": 12")) == []
    assert list(partial.feed("3}")) == [("b", 123)]
