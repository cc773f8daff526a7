"""Words as PostgreSQL keeps them: cut as SQLite's index cuts them, and ranked by BM25."""

import math

import pytest

from mainstay.grounding.port import Access, Meta, Slice
from mainstay.grounding.postgres.words import folded
from mainstay.grounding.store import RowStore
from support.knowledge import ME
from support.stores import Opener

ALL = Access()
TEXTS = {
    "much": "tariff tariff tariff for a lamp",
    "once": "one tariff for a lamp and a wick and a keeper of the tower",
    "rare": "a lamp with a prism",
    "other": "nothing of it here at all",
}


@pytest.fixture
def store(opener: Opener) -> RowStore:
    opened = opener()
    for name, text in TEXTS.items():
        opened.put(name, text, [Slice(0, len(text))], Meta(), ME)
    return opened


def ranked(store: RowStore, *words: str) -> list[tuple[str, float]]:
    with store.pin() as pinned:
        hits = pinned.lexical(words, ALL, 9)
        sources = pinned.read([hit.row for hit in hits], ALL)
        return [(sources[hit.row].document, hit.score) for hit in hits]


def bm25(document: str, *words: str) -> float:
    lengths = {name: len(text.split()) for name, text in TEXTS.items()}
    mean = sum(lengths.values()) / len(lengths)
    total = 0.0
    for word in words:
        many = sum(word in text.split() for text in TEXTS.values())
        idf = math.log(1 + (len(TEXTS) - many + 0.5) / (many + 0.5))
        often = TEXTS[document].split().count(word)
        total += idf * often * 2.2 / (often + 1.2 * (0.25 + 0.75 * lengths[document] / mean))
    return total


def test_words_are_folded_as_the_other_index_folds_them() -> None:
    assert folded("The Café's ÉCLAIR, IL-6") == ["the", "cafe", "s", "eclair", "il", "6"]
    assert folded("日本語") == ["日本", "本語"]
    assert folded("x" * 501 + " y") == ["y"]


@pytest.mark.parametrize("words", [("tariff",), ("lamp", "prism"), ("tariff", "lamp", "wick")])
def test_both_stores_rank_alike(store: RowStore, words: tuple[str, ...]) -> None:
    wanted = sorted((name for name in TEXTS if bm25(name, *words)), key=lambda name: -bm25(name, *words))
    assert [name for name, _ in ranked(store, *words)] == wanted


def test_words_that_belong_together_must_follow_one_another(store: RowStore) -> None:
    assert [name for name, _ in ranked(store, "lamp-with")] == ["rare"]
    assert ranked(store, "wick-lamp") == []


def test_forms_of_a_word_are_one(store: RowStore) -> None:
    assert [name for name, _ in ranked(store, "prisms")] == ["rare"]


@pytest.mark.parametrize("opener", ["postgres"], indirect=True)
def test_what_is_forgotten_counts_no_more(store: RowStore) -> None:
    scores = dict(ranked(store, "tariff"))
    assert scores == pytest.approx({name: bm25(name, "tariff") for name in ("much", "once")}, rel=0.05)
    store.retract(ME, document="other", erase=True)
    store.close("rare", ME)
    store.collect(ME, 0)
    with store._connections.read() as db:
        ((passages, length),) = db.execute("SELECT passages, length FROM statistics").fetchall()
        ((rows, words),) = db.execute("SELECT count(*), sum(length)::bigint FROM words").fetchall()
    assert (passages, length) == (rows, words) == (2, sum(len(TEXTS[name].split()) for name in ("much", "once")))
