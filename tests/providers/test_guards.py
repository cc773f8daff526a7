"""What a request for verdicts may hold, and what our own guards are handed of it."""

import base64
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mainstay.core.errors import InvalidRequest, MainstayError
from mainstay.core.ports import Material
from mainstay.providers.config import GuardsConfig
from mainstay.providers.guards import read_inputs

DATA = "data:image/png;base64," + base64.b64encode(b"pixels").decode()


def read(given: Any) -> list[Material]:
    return read_inputs(msgspec.json.encode({"input": given, "model": "m"}))


def test_texts_have_a_verdict_each_and_parts_one_together() -> None:
    assert read("x") == [Material(("x",))]
    assert read("") == [Material(("",))]
    assert read(["x", "y"]) == [Material(("x",)), Material(("y",))]
    parts = [
        {"type": "text", "text": "x"},
        {"type": "image_url", "image_url": {"url": DATA, "detail": "low"}},
        {"type": "text", "text": "y"},
    ]
    assert read(parts) == [Material(("x", "y"), (b"pixels",))]


@pytest.mark.parametrize(
    ("given", "param"),
    [
        (["x", {"type": "text", "text": "y"}], "input[0]"),
        ([{"type": "text"}], "input[0]"),
        ([{"type": "text", "text": "x"}, {"type": "audio"}], "input[1]"),
        ([{"type": "image_url", "image_url": {"url": "https://x.example/y"}}], "input[0].image_url.url"),
        ([{"type": "image_url", "image_url": {"url": "data:image/png,plain"}}], "input[0].image_url.url"),
        ([{"type": "image_url", "image_url": {"url": "data:image/png;base64,%"}}], "input[0].image_url.url"),
        (["x" * 399_999, "yy"], "input"),
        ([{"type": "image_url", "image_url": {"url": DATA}}] * 17, "input"),
        ([1], "input[0]"),
    ],
)
def test_what_is_no_text_and_no_image_is_refused_by_its_place(given: Any, param: str) -> None:
    with pytest.raises(MainstayError) as caught:
        read(given)
    assert caught.value.param == param
    assert caught.value.status == 400


leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
parts = st.fixed_dictionaries(
    {}, optional={"type": st.sampled_from(["text", "image_url"]) | leaves, "text": leaves, "image_url": leaves}
)


@given(st.lists(parts | leaves, min_size=1, max_size=4))
def test_whatever_is_sent_is_read_or_refused(given: list[Any]) -> None:
    try:
        found = read(given)
    except InvalidRequest:
        return
    assert len(found) in (1, len(given))


def test_thresholds_are_of_categories_that_there_are_and_probabilities() -> None:
    row = GuardsConfig(thresholds={"hate": 0.4, "profanity": None}, teams={"kids": {"sexual": 0.1}})
    assert row.teams["kids"] == {"sexual": 0.1}
    for wrong in ({"hat": 0.4}, {"hate": 1.2}):
        with pytest.raises(ValidationError):
            GuardsConfig.model_validate({"thresholds": wrong})
