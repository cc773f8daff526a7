"""Questions by partition."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.caching.index import Index, Known, read_reading, write_reading
from mainstay.caching.verifier import Read
from mainstay.encoders.minilm import DIMENSIONS
from mainstay.encoders.tensors import pack

_READ = Read(np.array([1], np.int32), np.zeros((1, 2), np.float16))


def _vector(seed: int) -> Any:
    vector = np.random.default_rng(seed).normal(size=DIMENSIONS).astype(np.float32)
    return vector / np.linalg.norm(vector)


def _known(key: int, expires: float = 100.0) -> Known:
    return Known(b"%d" % key, f"text {key}", _READ, expires)


def test_the_nearest_come_first_and_none_below_the_least() -> None:
    index = Index(10)
    for at in range(5):
        index.add(b"p", _known(at), _vector(at))
    found = index.near(b"p", _vector(3), 0.5, 4, 0.0)
    assert [known.key for _, known in found] == [b"3"]
    assert len(index.near(b"p", _vector(3), -1.0, 4, 0.0)) == 4


def test_another_partition_is_never_looked_at() -> None:
    index = Index(10)
    index.add(b"p", _known(1), _vector(1))
    assert index.near(b"q", _vector(1), -1.0, 4, 0.0) == []
    assert not index.has(b"q")


def test_what_expired_is_dropped() -> None:
    index = Index(10)
    index.add(b"p", _known(1, 5.0), _vector(1))
    assert index.near(b"p", _vector(1), 0.5, 4, 5.0) == []
    assert len(index) == 0
    assert not index.has(b"p")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["add", "forget"]), st.integers(0, 8), st.integers(0, 1)), max_size=40))
def test_any_run_of_changes_leaves_what_a_plain_list_would_hold(steps: list[tuple[str, int, int]]) -> None:
    index = Index(5)
    held: dict[bytes, int] = {}
    for what, key, part in steps:
        known = _known(key)
        held.pop(known.key, None)
        if what == "add":
            while len(held) >= 5:
                del held[next(iter(held))]
            held[known.key] = part
            index.add(b"%d" % part, known, _vector(key))
        else:
            index.forget(known.key)
    assert len(index) == len(held)
    for part in (0, 1):
        there = {known.key for _, known in index.near(b"%d" % part, _vector(0), -1.0, 99, 0.0)}
        assert there == {name for name, where in held.items() if where == part}
        for name in there:
            nearest = index.near(b"%d" % part, _vector(int(name)), 0.9, 1, 0.0)
            assert nearest[0][1].key == name


def test_a_key_that_comes_again_takes_the_place_of_the_old_one() -> None:
    index = Index(10)
    index.add(b"p", _known(1), _vector(1))
    index.add(b"p", _known(1), _vector(2))
    assert len(index) == 1
    assert index.near(b"p", _vector(1), 0.9, 4, 0.0) == []


def test_clearing_leaves_nothing() -> None:
    index = Index(10)
    index.add(b"p", _known(1), _vector(1))
    index.clear()
    assert len(index) == 0


def test_only_what_is_left_is_retained() -> None:
    index = Index(10)
    for at in range(4):
        index.add(b"p", _known(at, 50.0 + at), _vector(at))
    index.retain({b"1", b"3", b"9"})
    assert [index.expires(b"%d" % at) for at in range(4)] == [0.0, 51.0, 0.0, 53.0]
    assert len(index) == 2


def test_a_reading_is_written_and_read_again() -> None:
    read = Read(np.array([7, 9], np.int32), np.ones((2, 3), np.float16))
    vector, again = read_reading(write_reading(_vector(1), read))
    assert np.array_equal(vector, _vector(1))
    assert again.pieces.tolist() == [7, 9]
    assert np.array_equal(again.inner, read.inner)


@pytest.mark.parametrize("lost", ["vector", "pieces", "inner"])
def test_a_reading_of_another_shape_is_refused(lost: str) -> None:
    parts: dict[str, Any] = {
        "vector": _vector(1),
        "pieces": np.array([7], np.int32),
        "inner": np.ones((1, 3), np.float16),
    }
    with pytest.raises(ValueError, match=r"shape|lacks"):
        read_reading(pack({name: part for name, part in parts.items() if name != lost}, {}))
    with pytest.raises(ValueError, match="shape"):
        read_reading(pack({**parts, lost: np.ones((2, 2, 2), np.float16)}, {}))
