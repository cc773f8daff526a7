"""Marks of who made a sealed piece."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.seal import last_maker, mark, opened, unmark

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}", fullmatch=True)


@given(NAMES, st.text(min_size=1))
def test_a_piece_comes_back_to_its_maker_as_it_was(maker: str, sealed: str) -> None:
    assert unmark(mark(maker, sealed)) == (maker, sealed)
    assert opened(mark(maker, sealed), maker) == sealed
    assert opened(mark(maker, sealed), maker + "x") is None


@pytest.mark.parametrize("sealed", ["", "gAAAA", "mainstay:", "mainstay:open", "mainstay-1.abc", "responses:rs_1:gA"])
def test_a_piece_without_a_mark_is_anybodys(sealed: str) -> None:
    assert unmark(sealed) == ("", sealed)
    assert opened(sealed, "a") == sealed
    assert mark("", sealed) == sealed


def test_a_piece_that_passed_two_gateways_has_two_marks() -> None:
    assert opened(mark("outer", mark("inner", "gA")), "outer") == mark("inner", "gA")


def test_the_last_maker_of_a_request_is_found_wherever_its_piece_travels() -> None:
    for piece in (mark("b.c:d", "gA"), f"responses:rs_1:{mark('b.c:d', 'gA')}", f"gemini:call:0:{mark('b.c:d', 'gA')}"):
        for spaces in (None, (",", ":")):
            raw = json.dumps([{"x": mark("a", "gA")}, {"y": piece}, {"z": "plain"}], separators=spaces)
            assert last_maker(raw.encode()) == "b.c:d"
    assert last_maker(b'{"x": "mainstay"}') == ""


def test_words_that_look_like_a_mark_are_none() -> None:
    talk = 'they said "mainstay:other|gA" and mainstay:other|gA'
    assert last_maker(json.dumps({"content": talk, "key": mark("a", "gA")}).encode()) == "a"
    assert last_maker(json.dumps({"content": talk}).encode()) == ""
