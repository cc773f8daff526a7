"""Repair: the same value in other clothes, and nothing that has to be guessed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.shaping.repair import readings


def meant(text: str) -> Any:
    for reading in readings(text):
        try:
            return json.loads(reading)
        except ValueError:
            continue
    return None


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"a": 1}\n```',
        '```\n{"a": 1}\n```\n',
        'Here it is:\n```json\n{"a": 1}\n```\nAnything else?',
        'Sure! {"a": 1} Hope this helps.',
        '\ufeff{"a": 1}',
        '  {"a": 1,}\n',
        '{"a": 1\n,\n}',
    ],
)
def test_clothes_are_taken_off(text: str) -> None:
    assert meant(text) == {"a": 1}


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1',
        '{"a": "x',
        "[1, 2",
        '{"a": 1} or {"a": 2}',
        '```json\n{"a": 1}\n```\n```json\n{"a": 2}\n```',
        '```json\n{"a": 1}',
        "{'a': 1}",
        "{a: 1}",
        '{"a": True}',
        "nothing here",
        "",
    ],
)
def test_what_has_to_be_guessed_stays(text: str) -> None:
    assert meant(text) is None


@given(st.dictionaries(st.text(), st.text() | st.integers()), st.text(alphabet="abc ,.!\n", max_size=20))
def test_words_around_an_object_never_change_it(value: Any, words: str) -> None:
    assert meant(f"{words}{json.dumps(value)}{words}") == value


def test_commas_and_fences_inside_strings_stay() -> None:
    assert meant('{"a": ",}", "b": ",]",}') == {"a": ",}", "b": ",]"}
