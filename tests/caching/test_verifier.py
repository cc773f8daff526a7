"""Whether two questions ask the same, as the shipped weights say."""

import hashlib
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.caching.verifier import FILE, SHA256, Read, Verifier, check, open_verifier
from mainstay.core.errors import StartError
from mainstay.encoders.minilm import Reading, is_installed, open_encoder
from mainstay.encoders.tensors import pack

VERIFIER = open_verifier()


def _read(length: int, first: int) -> Read:
    states = np.random.default_rng(first).normal(size=(length, 384)).astype(np.float32)
    return VERIFIER.read(Reading(states[0], list(range(first, first + length)), states))


def test_the_weights_are_the_ones_that_are_known_and_small() -> None:
    data = files("mainstay.caching").joinpath(FILE).read_bytes()
    assert hashlib.sha256(data).hexdigest() == SHA256
    assert len(data) < 1_000_000


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 9), st.floats(-1, 1))
def test_it_does_not_matter_which_text_comes_first(one: int, other: int, apart: int, cosine: float) -> None:
    first, second = _read(one, 5), _read(other, 5 + apart)
    found = VERIFIER.same(first, second, cosine)
    assert 0 <= found <= 1
    assert VERIFIER.same(second, first, cosine) == pytest.approx(found, abs=1e-4)


def test_an_empty_text_asks_nothing() -> None:
    nothing = Read(np.empty(0, np.int32), np.empty((0, 96), np.float16))
    assert VERIFIER.same(nothing, nothing, 1.0) == 0.0


@pytest.mark.parametrize("data", [b"", pack({"in_weight": np.zeros((1, 1), np.float32)}, {})])
def test_damaged_weights_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="weights"):
        Verifier(data)


@pytest.mark.skipif(not is_installed(), reason="needs the extra 'guards'")
def test_it_gives_its_known_answers_and_notices_when_it_does_not() -> None:
    encoder = open_encoder()
    assert VERIFIER.known
    read = [(encoder.read(one), encoder.read(other)) for one, other, *_ in VERIFIER.known]
    check(VERIFIER, read)
    with pytest.raises(StartError, match="do not work"):
        check(VERIFIER, [(one, Reading(other.vector, other.pieces, -other.states)) for one, other in read])


@pytest.mark.skipif(not is_installed(), reason="needs the extra 'guards'")
def test_a_text_that_is_read_alone_has_the_vector_it_has_among_others() -> None:
    encoder = open_encoder()
    reading = encoder.read("How do I reset my router?")
    among = encoder.encode(["How do I reset my router?", "Anything longer than that, to be padded to."])[0]
    assert np.allclose(reading.vector, among, atol=1e-5)
    assert len(reading.pieces) == len(reading.states)
