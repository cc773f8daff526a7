"""What nobody can ask for any more is removed; what a label, a lease or the window needs is not."""

from pathlib import Path

import pytest

from mainstay.core.errors import Conflict, NotFound
from mainstay.grounding.port import Access, Meta
from mainstay.grounding.sqlite import open_store
from mainstay.grounding.store import RowStore
from support.knowledge import DIMENSIONS, ME, cut, first
from support.stores import Opener

ALL = Access()


def put(store: RowStore, text: str, document: str = "a") -> None:
    slices, vectors = cut("one", text)
    store.put(document, text, slices, Meta(), ME, vectors)


def at(store: RowStore, **pin: int | str) -> list[str]:
    with store.pin(**pin) as pinned:  # type: ignore[arg-type]  # its own words
        hits = pinned.lexical(["state"], ALL, 9)
        return [one.text for one in pinned.read([hit.row for hit in hits], ALL).values()]


def test_what_is_superseded_is_removed_but_for_labels_leases_and_the_window(opener: Opener) -> None:
    now = [1_000_000]
    store = opener(first=first(), clock=lambda: now[0])
    for number in range(6):
        now[0] += 1000
        put(store, f"state {number}")
        if number == 1:
            store.label("kept", ME)
        if number == 2:
            lease = store.lease(store.resolve(), 3600)
    now[0] += 500
    leased = 5
    assert at(store, seq=leased) == ["state 2"]
    removed = store.collect(ME, window=1.0)
    assert removed.passages == 2
    assert at(store) == ["state 5"]
    assert at(store, at=now[0] - 1000) == ["state 4"]
    assert at(store, label="kept") == ["state 1"]
    assert at(store, seq=leased) == ["state 2"]
    with pytest.raises(NotFound, match="collected"):
        at(store, seq=2)
    store.release(lease)
    store.unlabel("kept", ME)
    now[0] += 10_000
    assert store.collect(ME, window=1.0).passages == 3
    assert at(store) == ["state 5"]
    assert store.counts().dead == 0
    with pytest.raises(NotFound, match="collected"):
        at(store, seq=leased)
    store.shut()


def test_a_lease_ends_by_itself(opener: Opener) -> None:
    now = [1_000_000]
    store = opener(first=first(), clock=lambda: now[0])
    put(store, "state 0")
    store.lease(store.resolve(), 1)
    put(store, "state 1")
    assert store.collect(ME, window=0).passages == 0
    now[0] += 1001
    assert store.collect(ME, window=0).passages == 1
    store.shut()


def test_a_retired_version_goes_with_the_window_and_cannot_be_gone_back_to(opener: Opener) -> None:
    now = [1_000_000]
    store = opener(first=first(), clock=lambda: now[0])
    put(store, "state one\n\nstate two")
    store.create("v1", ME, embedder="hash", dimensions=DIMENSIONS, chunker="two", parent="v0")
    store.replay("v1", ME, lambda _document, text, _meta: cut("two", text))
    store.swap("v1", ME)
    now[0] += 5000
    assert store.collect(ME, window=10).versions == 0
    store.rollback(ME)
    store.swap("v1", ME)
    now[0] += 60_000
    removed = store.collect(ME, window=10)
    assert (removed.versions, removed.passages) == (1, 2)
    assert at(store) == ["state one\n\nstate two"]
    with pytest.raises(Conflict, match="collected"):
        store.rollback(ME)
    store.shut()


def test_a_pinned_reader_still_sees_what_is_removed_meanwhile(opener: Opener) -> None:
    store = opener(first=first())
    put(store, "state old")
    with store.pin() as pinned:
        put(store, "state new")
        assert store.collect(ME, window=0).passages == 1
        hits = pinned.lexical(["state"], ALL, 9)
        dense = pinned.dense(cut("one", "state old")[1][0], ALL, 9)
        assert [hit.row for hit in hits] == [hit.row for hit in dense]
        assert [one.text for one in pinned.read([hit.row for hit in hits], ALL).values()] == ["state old"]
    assert at(store) == ["state new"]
    store.shut()


def test_the_file_stays_as_large_as_what_is_in_it(tmp_path: Path) -> None:
    store = open_store(tmp_path, "base")
    text = "Some words about a state. " * 40
    sizes = []
    for turn in range(3):
        for number in range(40):
            said = f"{text} {turn} {number}"
            store.put("a", said, cut("one", said)[0], Meta(), ME)
        store.collect(ME, window=0)
        sizes.append(store.path.stat().st_size)
    assert sizes[2] <= sizes[0] + 40 * 2048
    store.shut()
