"""Tests of searching: a question to sources, at a snapshot in memory."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from mainstay.core.errors import Unavailable
from mainstay.core.sources import Found
from mainstay.grounding.config import SearchConfig
from mainstay.grounding.port import Access, Question
from mainstay.grounding.search import Manner, Tuning, manner_of, search
from support.snapshots import Letters, MemorySnapshot, source

_TEXTS = (
    source("Paris is the capital of France.", "france", 0),
    source("The city has 2.1 million people.", "france", 40),
    source("Berlin is the capital of Germany.", "germany", 0),
    source("The cat sat on the mat.", "pets", 0),
    source("Dogs chase cats in the park.", "pets", 30),
)


class _Slow(Letters):
    """Does not answer before it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def embed(self, texts: Sequence[str], kind: Literal["question", "passage"]) -> NDArray[np.float32]:
        if kind == "question":
            self.go.wait(60)
        return super().embed(texts, kind)


class _Gone(Letters):
    """Cannot be reached."""

    def embed(self, texts: Sequence[str], kind: Literal["question", "passage"]) -> NDArray[np.float32]:
        if kind == "question":
            raise Unavailable("no")
        return super().embed(texts, kind)


class _Longest:
    """A reranker that likes long passages."""

    def rank(self, question: str, passages: Sequence[str]) -> Sequence[float]:
        return [float(len(passage)) for passage in passages]


def _texts(found: Found) -> list[str]:
    return [one.text for one in found.sources]


def test_words_and_meaning_find_what_a_question_asks_for() -> None:
    """The best comes first, with its score; nothing was late."""
    embedder = Letters()
    with MemorySnapshot(_TEXTS, embedder) as snapshot:
        found = search(snapshot, Question("What is the capital of France?"), embedder)
    assert _texts(found)[0] == _TEXTS[0].text
    assert found.sources[0].score == max(one.score for one in found.sources) > 0
    assert found.late == ()
    assert found.pin == snapshot.pin
    assert found.ms >= 0


def test_a_version_without_vectors_is_searched_by_words() -> None:
    """What holds none of them is not found."""
    snapshot = MemorySnapshot(_TEXTS)
    assert _texts(search(snapshot, Question("capital of Germany?"), Letters())) == [_TEXTS[2].text, _TEXTS[0].text]
    assert "dense" not in snapshot.asked


def test_rows_found_by_words_alone_have_their_cosine_computed() -> None:
    """A missing score is not the worst."""
    embedder = Letters()
    snapshot = MemorySnapshot(_TEXTS, embedder)
    search(snapshot, Question("capital park"), embedder, tuning=Tuning(candidates=2))
    assert "dots" in snapshot.asked


def test_what_is_not_alive_any_more_is_not_returned() -> None:
    """Each row is read again at the pin, and the next one takes the place."""
    embedder = Letters()
    snapshot = MemorySnapshot(_TEXTS, embedder, gone=frozenset({0}))
    found = search(snapshot, Question("What is the capital of France?", most=1), embedder)
    assert len(found.sources) == 1
    assert _TEXTS[0].text not in _texts(found)


def test_what_others_may_read_is_not_found() -> None:
    """Neither by words, nor by meaning, nor as a neighbour."""
    embedder = Letters()
    snapshot = MemorySnapshot(_TEXTS, embedder, secret=frozenset({1}))
    asked = Question("How many million people live in the city of Paris?", most=5)
    open_to_all = search(snapshot, asked, embedder, tuning=Tuning(reach=1))
    assert _TEXTS[1].text not in _texts(open_to_all)
    staff = Question(asked.text, access=Access(frozenset({"staff"})))
    assert _TEXTS[1].text in _texts(search(snapshot, staff, embedder))


def test_neighbours_stand_with_their_hit_in_the_order_of_the_document() -> None:
    """Each is a source of its own."""
    embedder = Letters()
    snapshot = MemorySnapshot(_TEXTS, embedder)
    found = search(snapshot, Question("How many people?", most=2), embedder, tuning=Tuning(reach=1))
    assert [one.passage for one in found.sources] == ["france:0", "france:40"]


def test_an_embedder_that_is_too_slow_is_not_waited_for() -> None:
    """Words are searched meanwhile."""
    embedder = _Slow()
    snapshot = MemorySnapshot(_TEXTS, embedder)
    with ThreadPoolExecutor(1) as pool:
        found = search(snapshot, Question("capital of France", seconds=0.05), embedder, pool=pool)
        embedder.go.set()
    assert found.late == ("dense",)
    assert _texts(found)[0] == _TEXTS[0].text


@pytest.mark.parametrize("pooled", [False, True])
def test_an_embedder_that_cannot_be_reached_leaves_words(pooled: bool) -> None:
    """With a pool and without."""
    embedder = _Gone()
    snapshot = MemorySnapshot(_TEXTS, embedder)
    with ThreadPoolExecutor(1) as pool:
        found = search(snapshot, Question("capital of France", seconds=60), embedder, pool=pool if pooled else None)
    assert found.late == ("dense",)
    assert _texts(found)[0] == _TEXTS[0].text


def test_vectors_of_another_embedder_are_not_compared() -> None:
    """The version says whose its vectors are."""
    other = Letters()
    other.name = "other"
    snapshot = MemorySnapshot(_TEXTS, Letters())
    found = search(snapshot, Question("capital of France"), other)
    assert found.late == ("dense",)
    assert other.asked == []


def test_a_reranker_orders_what_was_found() -> None:
    """Its scores are the sources'."""
    embedder = Letters()
    asked = Question("Which city is the capital?", most=3)
    found = search(MemorySnapshot(_TEXTS, embedder), asked, embedder, reranker=_Longest(), tuning=Tuning(diversity=0.0))
    assert [one.score for one in found.sources] == [33.0, 32.0, 31.0]


def test_a_reranker_that_is_too_slow_leaves_the_order() -> None:
    """It is named as late."""
    go = threading.Event()

    class Stuck:
        def rank(self, question: str, passages: Sequence[str]) -> Sequence[float]:
            go.wait(60)
            return [0.0 for _ in passages]

    snapshot = MemorySnapshot(_TEXTS)
    with ThreadPoolExecutor(1) as pool:
        found = search(snapshot, Question("capital of France", seconds=0.05), None, reranker=Stuck(), pool=pool)
        go.set()
    assert found.late == ("rerank",)
    assert _texts(found)[0] == _TEXTS[0].text


def test_a_question_that_leans_on_earlier_turns_is_searched_with_them() -> None:
    """Their names are looked for, and embedded."""
    embedder = Letters()
    before = (("user", "Tell me about Germany, please."), ("assistant", "Germany is a country in Europe."))
    found = search(MemorySnapshot(_TEXTS, embedder), Question("And what is its capital?", before=before), embedder)
    assert _texts(found)[0] == _TEXTS[2].text
    assert "Germany" in embedder.asked[-1][1]


def test_a_model_may_rewrite_the_question() -> None:
    """What it says is searched for; the words of earlier turns are not."""

    class Model:
        def rewrite(self, question: str, before: object) -> str:
            return "cat mat"

    asked = Question("And where did it sit?", before=(("user", "Tell me about Germany."),))
    assert _texts(search(MemorySnapshot(_TEXTS), asked, rewriter=Model()))[0] == _TEXTS[3].text


def test_a_model_that_cannot_rewrite_is_done_without() -> None:
    """Words are carried over instead."""

    class Model:
        def rewrite(self, question: str, before: object) -> str:
            raise Unavailable("no")

    asked = Question("And its capital?", before=(("user", "Tell me about Germany."),))
    found = search(MemorySnapshot(_TEXTS), asked, rewriter=Model())
    assert found.late == ("rewrite",)
    assert _texts(found)[0] == _TEXTS[2].text


def test_no_more_is_returned_than_was_asked_for() -> None:
    """Neither in number nor in tokens."""
    embedder = Letters()
    snapshot = MemorySnapshot(_TEXTS, embedder)
    assert len(search(snapshot, Question("capital", most=2), embedder).sources) == 2
    assert len(search(snapshot, Question("capital", tokens=30), embedder).sources) == 1
    assert search(snapshot, Question("capital", tokens=3), embedder).sources == ()


def test_an_answer_that_is_there_is_surer_than_one_that_is_not() -> None:
    """Nothing found is not sure at all."""
    snapshot = MemorySnapshot(_TEXTS)
    there = search(snapshot, Question("capital of France")).confidence
    partly = search(snapshot, Question("capital gains taxation rules for crypto")).confidence
    assert 1 >= there > partly > 0
    assert search(snapshot, Question("xylophone")).confidence == 0.0


def test_an_empty_base_finds_nothing() -> None:
    """And says so without an error."""
    embedder = Letters()
    assert search(MemorySnapshot((), embedder), Question("capital"), embedder).sources == ()
    assert search(MemorySnapshot(()), Question("")).sources == ()


def test_a_row_of_the_configuration_says_how_its_base_is_searched() -> None:
    assert manner_of(SearchConfig()) == Manner(Tuning(reranked=0))
    rerank = {"model": "reader", "most": 7}
    row = {"candidates": 50, "meaning": 0.2, "diversity": 0.3, "neighbours": 1, "rerank": rerank}
    assert manner_of(SearchConfig.model_validate(row)).tuning == Tuning(50, 0.2, 0.3, 1, 7)
