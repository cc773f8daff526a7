"""Tests of the index of words for large bases, through the store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mainstay.grounding.port import Access, Change, Meta, Slice
from mainstay.grounding.sqlite import SqliteStore, open_store
from mainstay.grounding.tantivy import Lexicons

pytest.importorskip("tantivy")

_CHANGE = Change("ada", "test")
_TEXTS = {
    "france": "Paris is the capital of France.",
    "germany": "Berlin is the capital of Germany.",
    "japan": "東京都は日本の首都です。",
    "error": "Version 2.3.1 fixes the crashes of ERR-4012.",
    "other": "Version 3.2.1 is about capital gains.",
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A base that counts as large."""
    made = open_store(tmp_path, "base")
    made._lexicons = Lexicons(made._connections, large=1)
    for name, text in _TEXTS.items():
        _put(made, name, text)
    with made.pin() as snapshot:
        snapshot.lexical(["paris"], Access(), 1)
    made._lexicons.wait()
    yield made
    made._lexicons.wait()
    made.shut()


def _put(store: SqliteStore, name: str, text: str) -> None:
    store.put(name, text, [Slice(0, len(text))], Meta(title=name), _CHANGE)


def _found(store: SqliteStore, *terms: str, most: int = 10) -> list[str]:
    with store.pin() as snapshot:
        assert store._lexicons.at(snapshot._db) is not None
        hits = snapshot.lexical(terms, Access(), most)
        read = snapshot.read([hit.row for hit in hits], Access())
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        return [read[hit.row].document for hit in hits]


def test_words_find_what_the_other_index_finds(store: SqliteStore) -> None:
    """In whatever form, in scripts without blanks, and as wholes."""
    assert _found(store, "capitals", "france")[0] == "france"
    assert _found(store, "日本", "首都") == ["japan"]
    assert _found(store, "2.3.1") == ["error"]
    assert _found(store, "crash") == ["error"]
    assert _found(store, "xylophone") == []
    assert _found(store, " ", '"') == []


def test_words_of_the_title_are_found(store: SqliteStore) -> None:
    """The title is not in the text."""
    _put(store, "zebra", "A striped animal of the plains of Africa.")
    assert _found(store, "zebra") == ["zebra"]


def test_an_edit_is_seen_by_the_next_question(store: SqliteStore) -> None:
    """What was said before is not found any more."""
    _put(store, "france", "Lyon is the capital of gastronomy.")
    assert _found(store, "lyon") == ["france"]
    assert _found(store, "paris") == []


def test_what_was_retracted_is_not_found(store: SqliteStore) -> None:
    """Though the index still has it."""
    store.retract(_CHANGE, document="germany")
    assert _found(store, "berlin") == []
    assert _found(store, "capital", most=2) == ["france", "other"]


def test_the_index_is_made_anew_when_words_are_erased(store: SqliteStore) -> None:
    """Until it is there the other index serves."""
    store.retract(_CHANGE, document="germany", erase=True)
    with store.pin() as snapshot:
        before = store._lexicons.at(snapshot._db)
        assert [hit.row for hit in snapshot.lexical(["berlin"], Access(), 5)] == []
    assert before is None
    store._lexicons.wait()
    assert _found(store, "berlin") == []
    assert _found(store, "paris") == ["france"]


def test_a_small_base_does_without(tmp_path: Path) -> None:
    """SQLite's own index is fast enough there."""
    small = open_store(tmp_path, "small")
    _put(small, "france", _TEXTS["france"])
    with small.pin() as snapshot:
        assert small._lexicons.at(snapshot._db) is None
        assert len(snapshot.lexical(["paris"], Access(), 5)) == 1
    small.shut()
