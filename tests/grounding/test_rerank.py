"""Tests of rerankers that are asked."""

from collections.abc import Sequence

import pytest

from mainstay.core.errors import Unavailable, UpstreamFailed
from mainstay.grounding.rerank import Asked


def test_scores_are_the_models_and_long_passages_are_cut() -> None:
    """An empty passage has a blank, since servers refuse none."""
    asked: list[tuple[str, list[str]]] = []

    def ask(question: str, passages: Sequence[str]) -> Sequence[float]:
        asked.append((question, list(passages)))
        return [0.1, 0.9]

    assert Asked("r", ask, characters=3).rank("q", ["abcdef", ""]) == [0.1, 0.9]
    assert asked == [("q", ["abc", " "])]


def test_nothing_is_asked_about_nothing() -> None:
    """No passage, no question."""
    assert Asked("r", lambda *_: [1.0]).rank("q", []) == ()


@pytest.mark.parametrize("scores", [[0.1], [0.1, float("nan")], [0.1, 0.2, 0.3]])
def test_what_are_no_scores_is_refused(scores: list[float]) -> None:
    """A number for each, or none."""
    with pytest.raises(Unavailable, match="score for each"):
        Asked("r", lambda *_: scores).rank("q", ["a", "b"])


def test_a_model_that_fails_is_unavailable() -> None:
    """Whatever its error."""

    def ask(question: str, passages: Sequence[str]) -> Sequence[float]:
        raise UpstreamFailed("no")

    with pytest.raises(Unavailable, match="cannot be reached"):
        Asked("r", ask).rank("q", ["a"])
