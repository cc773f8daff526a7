"""Tests of choosing among what was found."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mainstay.grounding.port import Hit
from mainstay.grounding.spread import diverse, fitting, likeness, source_tokens, windows
from support.snapshots import source

_SOURCES = st.lists(st.text(max_size=200).map(source), max_size=12)


@given(_SOURCES, st.integers(0, 300), st.integers(0, 8))
def test_what_is_kept_fits_and_keeps_its_order(sources: list[object], tokens: int, most: int) -> None:
    """And no source that still fits after the last one was left out."""
    kept = fitting(sources, tokens, most)  # type: ignore[arg-type]  # made of sources
    used = sum(map(source_tokens, kept))
    assert used <= tokens
    assert len(kept) <= most
    places = [next(at for at, one in enumerate(sources) if one is chosen) for chosen in kept]
    assert places == sorted(set(places))
    if len(kept) < most:
        last = places[-1] if places else -1
        assert all(source_tokens(one) > tokens - used for one in sources[last + 1 :])  # type: ignore[arg-type]


def test_a_passage_too_large_leaves_room_for_smaller_ones() -> None:
    """It is left out, not cut."""
    large, small = source("x" * 400), source("y" * 40)
    assert fitting([large, small], 40, 5) == [small]


def test_without_diversity_the_order_stays() -> None:
    """However alike passages are."""
    hits = [Hit(1, 0.9), Hit(2, 0.8), Hit(3, 0.1)]
    alike = [[0, 0.9, 0], [0.9, 0, 0], [0, 0, 0]]
    assert diverse(hits, alike, 0.0, 3) == hits


def test_with_diversity_another_thing_said_comes_before_the_same_again() -> None:
    """A little of the score is given for it."""
    hits = [Hit(1, 0.9), Hit(2, 0.8), Hit(3, 0.7)]
    alike = [[0, 0.9, 0], [0.9, 0, 0], [0, 0, 0]]
    assert [hit.row for hit in diverse(hits, alike, 0.5, 3)] == [1, 3, 2]


def test_the_same_passage_again_is_left_out() -> None:
    """A copy takes no place."""
    hits = [Hit(1, 0.9), Hit(2, 0.9), Hit(3, 0.1)]
    alike = [[0, 1.0, 0], [1.0, 0, 0], [0, 0, 0]]
    assert [hit.row for hit in diverse(hits, alike, 0.0, 3)] == [1, 3]


@given(st.lists(st.floats(0, 1), max_size=8), st.floats(0, 1), st.integers(1, 8))
def test_the_best_is_always_kept_and_none_comes_twice(scores: list[float], diversity: float, most: int) -> None:
    """Whatever the weight."""
    hits = [Hit(row, score) for row, score in enumerate(sorted(scores, reverse=True))]
    kept = diverse(hits, [[0.5] * len(hits) for _ in hits], diversity, most)
    assert len({hit.row for hit in kept}) == len(kept) == min(most, len(hits))
    if hits and diversity < 1:
        assert kept[0] == hits[0]


def test_likeness_is_by_vectors_where_there_are_some_and_else_by_words() -> None:
    """The third has no vector."""
    rows = {1: source("red car"), 2: source("blue bus"), 3: source("red car")}
    vectors = {1: np.array([1, 0], np.float32), 2: np.array([0.6, 0.8], np.float32)}
    alike = likeness([1, 2, 3], rows, vectors)
    assert round(alike[0][1], 5) == 0.6
    assert alike[0][2] == 1.0
    assert alike[1][2] == 0.0


def test_windows_bring_neighbours_once_in_the_order_of_their_document() -> None:
    """A hit within an earlier window stays there."""
    hits = [Hit(5, 0.9), Hit(9, 0.8), Hit(6, 0.7)]
    assert windows(hits, {5: [4, 5, 6], 9: [9, 10]}) == [4, 5, 6, 9, 10]
