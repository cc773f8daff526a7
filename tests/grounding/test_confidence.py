"""Tests of how sure a search is."""

from hypothesis import given
from hypothesis import strategies as st

from mainstay.encoders.minilm import MODEL
from mainstay.grounding.confidence import Signals, confidence, margin
from mainstay.grounding.port import Hit

_SHARE = st.floats(0, 1)


@given(_SHARE, _SHARE, _SHARE, st.sampled_from([MODEL, "", "other"]), st.floats(0, 0.5))
def test_more_of_a_sign_is_never_less_sure(
    coverage: float, ahead: float, cosine: float, embedder: str, more: float
) -> None:
    """And it stays within 0 and 1."""
    sure = confidence(Signals(coverage, ahead, cosine, embedder))
    for better in (
        Signals(coverage + more, ahead, cosine, embedder),
        Signals(coverage, ahead + more, cosine, embedder),
        Signals(coverage, ahead, cosine + more, embedder),
    ):
        assert 0 <= sure <= confidence(better) <= 1


def test_nothing_found_is_not_sure_at_all() -> None:
    """Exactly 0."""
    assert confidence(Signals(0.0, 0.9, 0.0)) == 0.0


def test_the_cosine_of_an_unknown_embedder_says_nothing() -> None:
    """Each has its own scale."""
    assert confidence(Signals(0.5, 0.3, 0.9, "other")) == confidence(Signals(0.5, 0.3, 0.1, "other"))


def test_the_best_of_a_few_has_no_margin_that_counts() -> None:
    """It always stands out."""
    few = [Hit(row, 1.0 - row / 10) for row in range(6)]
    many = [Hit(row, 1.0 - row / 100) for row in range(30)]
    assert margin(few) == margin([]) == 0.25
    assert round(margin(many), 6) == 0.05
