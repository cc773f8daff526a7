"""Vectors as numbers and as base64."""

import json
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import MainstayError, UpstreamBroken
from mainstay.core.target import Target
from mainstay.providers.tasks.embeddings import EmbeddingsExchange, pack, read_embeddings, unpack

floats = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=20)
values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
TARGET = Target("m", "p", "openai", "m")


def exchange(**fields: Any) -> EmbeddingsExchange:
    ask = read_embeddings(json.dumps({"model": "m", "input": "x", **fields}).encode())
    return EmbeddingsExchange(ask, TARGET, "/embeddings")


@given(floats)
def test_a_vector_survives_base64(vector: list[float]) -> None:
    assert unpack(pack(vector)) == vector


@given(floats)
def test_both_forms_become_the_one_that_is_asked_for(vector: list[float]) -> None:
    for sent in (vector, pack(vector)):
        body = json.dumps({"data": [{"embedding": sent, "index": 0, "more": 1}], "kept": [1.5]}).encode()
        for form in (None, "float", "base64"):
            told = json.loads(exchange(encoding_format=form).whole(body).wire)
            assert told["kept"] == [1.5]
            assert told["data"][0]["more"] == 1
            assert told["data"][0]["embedding"] == (pack(vector) if form == "base64" else vector)


@given(st.text(max_size=30))
def test_what_is_no_base64_of_floats_is_no_vector(text: str) -> None:
    try:
        vector = unpack(text)
    except UpstreamBroken:
        return
    assert struct.pack(f"<{len(vector)}f", *vector) is not None


@given(values)
def test_no_shape_of_an_answer_breaks_the_reader(value: Any) -> None:
    shapes = (value, {"data": value}, {"data": [value]}, {"data": [{"embedding": value}]}, {"data": [], "usage": value})
    for shape in shapes:
        try:
            exchange().whole(json.dumps(shape).encode())
        except MainstayError:
            continue


def test_a_number_too_large_for_32_bits_is_no_vector() -> None:
    with pytest.raises(UpstreamBroken):
        pack([1e300])
    assert math.isinf(unpack(pack([math.inf]))[0])


def test_an_own_word_for_the_form_passes_unread() -> None:
    body = b'{"data":[{"embedding":[1,2],"index":0}]}'
    assert exchange(encoding_format="int8", dimensions=7).whole(body).wire == body


def test_vectors_that_are_numbered_wrongly_are_refused() -> None:
    body = b'{"data":[{"embedding":[1],"index":1},{"embedding":[1],"index":1}]}'
    with pytest.raises(UpstreamBroken):
        exchange(input=["a", "b"]).whole(body)


def test_usage_is_estimated_where_there_is_none() -> None:
    usage = exchange(input=["twelve bytes"]).whole(b'{"data":[{"embedding":[1]}]}').usage
    assert usage is not None
    assert (usage.input, usage.estimated) == (3, True)
