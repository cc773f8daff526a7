"""Tests of fusing two rankings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.grounding.fusion import fuse, reciprocal, scaled

_SCORES = st.dictionaries(st.integers(0, 30), st.floats(0, 50), max_size=20)
_COSINES = st.dictionaries(st.integers(0, 30), st.floats(-1, 1), max_size=20)


@given(_SCORES, _COSINES, st.floats(0, 1))
def test_every_row_is_there_once_best_first_within_0_and_1(
    lexical: dict[int, float], dense: dict[int, float], weight: float
) -> None:
    """Whatever the scores are."""
    hits = fuse(lexical, dense, weight)
    assert sorted(hit.row for hit in hits) == sorted({*lexical, *dense})
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert all(-1e-9 <= hit.score <= 1 + 1e-9 for hit in hits)


@given(st.dictionaries(st.integers(0, 30), st.sampled_from([1.0, 2.0, 4.0, 8.0]), min_size=1), _COSINES)
def test_a_weight_of_0_ranks_by_words(lexical: dict[int, float], dense: dict[int, float]) -> None:
    """The order of the words' scores stays."""
    ranked = [hit.row for hit in fuse(lexical, dense, 0.0) if hit.row in lexical]
    assert ranked == sorted(lexical, key=lambda row: (-lexical[row], row))


@given(st.dictionaries(st.integers(0, 30), st.sampled_from([-0.5, 0.0, 0.25, 0.75])), _SCORES)
def test_a_weight_of_1_ranks_by_meaning(dense: dict[int, float], lexical: dict[int, float]) -> None:
    """The order of the cosines stays."""
    if dense:
        ranked = [hit.row for hit in fuse(lexical, dense, 1.0) if hit.row in dense]
        assert ranked == sorted(dense, key=lambda row: (-dense[row], row))


def test_without_vectors_words_count_alone() -> None:
    """A late search by meaning costs nothing but itself."""
    assert [(hit.row, hit.score) for hit in fuse({1: 4.0, 2: 2.0}, {}, 0.6)] == [(1, 1.0), (2, 0.5)]


def test_a_row_without_the_words_has_none_of_their_score() -> None:
    """Zero, not the least of those that were found."""
    hits = {hit.row: hit.score for hit in fuse({1: 4.0, 2: 3.0}, {1: 0.2, 2: 0.4, 3: 0.4}, 0.5)}
    assert hits == {1: 0.5, 2: pytest.approx(0.875), 3: 0.5}


def test_scores_that_are_all_alike_are_all_best() -> None:
    """None is preferred."""
    assert scaled({1: 0.3, 2: 0.3}) == {1: 1.0, 2: 1.0}


@given(st.lists(st.lists(st.integers(0, 9), unique=True), max_size=3))
def test_reciprocal_ranks_add_up(rankings: list[list[int]]) -> None:
    """As their formula says."""
    for hit in reciprocal(rankings):
        parts = [1 / (60 + ranking.index(hit.row) + 1) for ranking in rankings if hit.row in ranking]
        assert hit.score == pytest.approx(sum(parts))
