"""Near-duplicates are found among what a base holds and what a run adds, few documents or many."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mainstay.grounding.config import SourceConfig
from mainstay.grounding.duplicates import Duplicates
from mainstay.grounding.ingest import add_file
from mainstay.grounding.matter import Matter
from mainstay.grounding.port import Change
from mainstay.grounding.reports import Tools
from mainstay.grounding.shelf import Fetched
from mainstay.grounding.sqlite import SqliteStore, open_store

CHANGE = Change("ann", "a test")
LEAVE = "Every employee who works full time is granted twenty five days of paid leave in each year of the contract."


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A base of a few documents, one of them for some only."""
    found = open_store(tmp_path, "kb")
    for name, text, groups in (("leave", LEAVE, ("hr",)), ("copy", LEAVE, ()), ("tea", "Tea is at four o'clock.", ())):
        at_hand = SourceConfig.model_construct(name="api")
        add_file(found, name, Fetched(text.encode()), Matter(groups=groups), at_hand, Tools(), CHANGE)
    yield found
    found.shut()


def test_a_few_documents_are_compared_with_what_the_base_holds(store: SqliteStore) -> None:
    seen = Duplicates(store, store.documents(), "")
    seen.begin("new")
    assert seen.check("new", f"{LEAVE} So it is.")
    assert not seen.check("new", "Coffee is at ten o'clock.")
    assert seen.check("new", "Coffee is at ten o'clock.")


def test_what_a_document_said_before_is_no_reason(store: SqliteStore) -> None:
    # The copy is flagged, so it stands for nothing: the first one may be read again and stays the first.
    assert store.passages("copy")[0].flags == ("near_duplicate",)
    seen = Duplicates(store, store.documents(), "")
    seen.begin("leave")
    assert not seen.check("leave", LEAVE)
    seen.begin("copy")
    assert seen.check("copy", LEAVE)


def test_many_documents_are_compared_with_the_whole_base(store: SqliteStore) -> None:
    seen = Duplicates(store, store.documents(), "")
    for number in range(40):
        seen.begin(f"new {number}")
        assert not seen.check(f"new {number}", f"Note {number} of the meeting.")
    seen.begin("late")
    assert seen.check("late", LEAVE)
    assert seen.check("late", "Tea is at four o'clock.")
