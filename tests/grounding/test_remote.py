"""Tests of embeddings of a model elsewhere."""

from collections.abc import Sequence

import numpy as np
import pytest

from mainstay.core.errors import InvalidRequest, Unavailable, UpstreamRateLimited
from mainstay.grounding.remote import Remote


class _Model:
    """Answers with the length of a text, and fails as told before."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.asked: list[list[str]] = []

    def __call__(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        self.asked.append(list(texts))
        if self.failures:
            raise self.failures.pop(0)
        return [[len(text), 0.0] for text in texts]


def test_vectors_have_length_1_and_the_order_of_the_texts() -> None:
    """Whatever the model's lengths."""
    rows = Remote("m", 2, lambda texts: [[3.0 * len(text), 4.0 * len(text)] for text in texts]).embed(
        ["a", "bb"], "passage"
    )
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0.6, 0.8]], rtol=1e-6)
    assert rows.dtype == np.float32


def test_texts_are_asked_for_in_batches() -> None:
    """None is asked for twice."""
    model = _Model()
    assert Remote("m", 2, model, batch=2).embed(["a", "bb", "ccc"], "passage").shape == (3, 2)
    assert model.asked == [["a", "bb"], ["ccc"]]


def test_questions_and_passages_have_the_prefixes_their_model_wants() -> None:
    """Long texts are cut, empty ones have a blank."""
    model = _Model()
    remote = Remote("m", 2, model, prefixes=("query: ", "passage: "), characters=3)
    remote.embed(["abcdef"], "question")
    remote.embed([""], "passage")
    assert model.asked == [["query: abc"], ["passage:  "]]


def test_a_model_that_is_busy_is_asked_again_when_it_says() -> None:
    """Or after a pause that grows."""
    waits: list[float] = []
    model = _Model(UpstreamRateLimited("busy"), UpstreamRateLimited("busy", retry_after=3))
    assert Remote("m", 2, model, sleep=waits.append).embed(["a"], "question").shape == (1, 2)
    assert waits == [0.2, 3]


def test_a_model_that_stays_busy_is_unavailable() -> None:
    """After some attempts."""
    model = _Model(*[UpstreamRateLimited("busy")] * 3)
    with pytest.raises(Unavailable, match="cannot be reached"):
        Remote("m", 2, model, sleep=lambda _: None).embed(["a"], "question")
    assert len(model.asked) == 3


def test_a_refusal_is_not_asked_again() -> None:
    """It would be refused again."""
    model = _Model(InvalidRequest("no"))
    with pytest.raises(Unavailable):
        Remote("m", 2, model, sleep=lambda _: None).embed(["a"], "question")
    assert len(model.asked) == 1


@pytest.mark.parametrize("rows", [[[1.0]], [], [[1.0, float("nan")]], [["x", "y"]], [[1.0, 2.0], [3.0]], None])
def test_what_are_no_vectors_is_refused(rows: object) -> None:
    """With what to look at."""
    with pytest.raises(Unavailable, match="vectors of 2 numbers"):
        Remote("m", 2, lambda _: rows).embed(["a"], "question")  # type: ignore[arg-type, return-value]  # wrong on purpose
