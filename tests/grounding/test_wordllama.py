"""Tests of embeddings that are looked up."""

import importlib.util

import numpy as np
import pytest

from mainstay.core.errors import Unavailable
from mainstay.grounding import wordllama
from mainstay.grounding.wordllama import Pieces, WordLlama

_installed = pytest.mark.skipif(importlib.util.find_spec("wordllama") is None, reason="wordllama is not installed")


def _pieces() -> Pieces:
    vocabulary = {piece: at for at, piece in enumerate(["<unk>", "▁", "a", "b", "ab", "▁ab", "▁a", "<0xC3>", "<0xA9>"])}
    return Pieces(vocabulary, ["a b", "▁ ab", "▁ a"])


def test_pairs_are_merged_in_the_order_of_their_ranks() -> None:
    """A lower rank first, whatever stands before it."""
    assert _pieces().encode("ab") == [5]
    assert _pieces().encode("a") == [6]
    assert _pieces().encode("aab") == [6, 4]


def test_signs_that_are_unknown_come_as_bytes() -> None:
    """And bytes that are unknown as what is unknown."""
    assert _pieces().encode("é") == [1, 7, 8]
    assert _pieces().encode("x") == [1, 0]


def test_blanks_part_words_and_count_for_nothing() -> None:
    """Whatever they are."""
    assert _pieces().encode("  ab\n\tab ") == [5, 5]
    assert _pieces().encode("") == []


def test_without_its_package_it_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install."""
    monkeypatch.setattr(wordllama, "is_installed", lambda: False)
    with pytest.raises(Unavailable, match="pip install wordllama"):
        WordLlama()


@_installed
def test_a_question_is_nearer_to_what_answers_it() -> None:
    """Vectors have length 1, and an empty text has none."""
    embedder = WordLlama()
    (asked,) = embedder.embed(["getting a refund of money"], "question")
    rows = embedder.embed(["Refunds are paid in cash.", "Lunch is served at noon.", " "], "passage")
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), [1, 1, 0], atol=1e-5)
    assert asked @ rows[0] > asked @ rows[1] + 0.1
