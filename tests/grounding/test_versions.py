"""Versions are built beside the live one, swapped in and rolled back in one step, and never mixed."""

import threading
from collections.abc import Iterator

import pytest

from mainstay.core.errors import Conflict, NotFound
from mainstay.core.sources import Pin
from mainstay.grounding.port import Access, Change, Meta
from mainstay.grounding.store import RowStore
from mainstay.grounding.versions import Difference, Pending
from support.knowledge import DIMENSIONS, ME, cut, first, halves, paragraphs
from support.stores import Opener

ALL = Access()


@pytest.fixture
def store(opener: Opener) -> Iterator[RowStore]:
    opened = opener(first=first())
    yield opened
    opened.shut()


def put(store: RowStore, document: str, text: str, version: str = "") -> None:
    live = next(one for one in store.versions() if version in (one.name, "") and (version or one.state == "live"))
    slices, vectors = cut(live.chunker, text)
    store.put(document, text, slices, Meta(), ME, vectors, version)


def texts(store: RowStore, version: str = "") -> list[str]:
    return [one.text for name in store.documents(version) for one in store.passages(name, version)]


def begin(store: RowStore, name: str, chunker: str = "two", parent: str = "v0") -> None:
    store.create(name, ME, embedder="hash", dimensions=DIMENSIONS, chunker=chunker, parent=parent)


def build(store: RowStore, name: str, chunker: str = "two", parent: str = "v0") -> None:
    begin(store, name, chunker, parent)
    while store.replay(name, ME, lambda _document, text, _meta: cut(chunker, text)):
        pass
    store.ready(name, ME)


def test_a_version_is_built_beside_the_live_one_and_swapped_in(store: RowStore) -> None:
    put(store, "a", "one\n\ntwo")
    begin(store, "v1")
    assert [one.document for one in store.pending("v1")] == ["a"]
    with pytest.raises(Conflict, match="replay"):
        store.swap("v1", ME)
    assert store.replay("v1", ME, lambda _document, text, _meta: cut("two", text)) == 0
    assert texts(store) == ["one", "two"]
    written = store.swap("v1", Change("me", "better"))
    assert texts(store) == ["one\n\ntwo"]
    assert [(one.name, one.state) for one in store.versions()] == [("v0", "retired"), ("v1", "live")]
    (last,) = store.history(most=1)
    assert (last.seq, last.what, last.who, last.why) == (written.seq, "swap", "me", "better")


def test_what_is_edited_meanwhile_is_replayed_before_a_swap(store: RowStore) -> None:
    for name in ("a", "b", "c"):
        put(store, name, f"{name} one\n\n{name} two")
    build(store, "v1")
    put(store, "a", "a three")
    store.close("b", ME)
    put(store, "d", "d one")
    pending = store.pending("v1")
    assert [(one.document, one.gone) for one in pending] == [("a", False), ("b", True), ("d", False)]
    with pytest.raises(Conflict):
        store.swap("v1", ME)
    assert store.replay("v1", ME, lambda _document, text, _meta: cut("two", text)) == 0
    store.swap("v1", ME)
    assert texts(store) == ["a three", "c one\n\nc two", "d one"]


def test_an_edit_taken_back_is_no_longer_pending(store: RowStore) -> None:
    put(store, "a", "one")
    build(store, "v1", "one")
    put(store, "a", "two")
    assert [one.document for one in store.pending("v1")] == ["a"]
    put(store, "a", "one", "v1")
    assert [one.document for one in store.pending("v1")] == ["a"]
    put(store, "a", "one")
    assert store.pending("v1") == ()


def test_what_is_meant_to_differ_is_settled(store: RowStore) -> None:
    put(store, "a", "one")
    begin(store, "v1", "one")
    store.settle("v1", ["a"], ME)
    store.swap("v1", ME)
    assert texts(store) == []


def test_another_version_swapped_in_first_is_to_be_caught_up_with(store: RowStore) -> None:
    put(store, "a", "one")
    build(store, "v1", "one")
    begin(store, "v2", "one", parent="")
    put(store, "a", "from elsewhere", "v2")
    store.settle("v2", ["a"], ME)
    store.swap("v2", ME)
    assert store.pending("v1") == (Pending("a", store.resolve().seq),)
    with pytest.raises(Conflict):
        store.swap("v1", ME)


def test_a_copy_needs_the_same_chunker_and_embedder(store: RowStore) -> None:
    put(store, "a", "one\n\ntwo")
    begin(store, "v1", "one")
    assert store.replay("v1", ME) == 0
    assert store.lacking("v1") == ()
    begin(store, "v2", "two")
    with pytest.raises(Conflict, match="anew"):
        store.replay("v2", ME)


def test_a_rollback_is_one_step_and_keeps_what_was_edited_since(store: RowStore) -> None:
    put(store, "a", "one\n\ntwo")
    put(store, "b", "stays")
    build(store, "v1")
    store.swap("v1", ME)
    put(store, "a", "one\n\nthree")
    put(store, "c", "is new")
    store.rollback(Change("me", "worse"))
    assert sorted(text for one in texts(store) for text in one.split("\n\n")) == ["is new", "one", "stays", "three"]
    assert store.resolve().version == "v0"
    assert store.pending("v0") == ()
    with pytest.raises(Conflict, match="no version to go back to"):
        store.rollback(ME)


def test_a_rollback_may_go_back_to_exactly_what_was(store: RowStore) -> None:
    put(store, "a", "one")
    build(store, "v1")
    store.swap("v1", ME)
    put(store, "a", "two")
    store.rollback(ME, keep=False)
    assert texts(store) == ["one"]


def test_rollbacks_walk_back_one_swap_each(store: RowStore) -> None:
    put(store, "a", "one")
    for number in (1, 2):
        build(store, f"v{number}", parent=f"v{number - 1}")
        store.swap(f"v{number}", ME)
    store.rollback(ME)
    assert store.resolve().version == "v1"
    store.rollback(ME)
    assert store.resolve().version == "v0"


def test_what_was_retracted_stays_out_after_a_rollback(store: RowStore) -> None:
    put(store, "a", "one fact\n\ntwo")
    put(store, "b", "whole document")
    build(store, "v1")
    store.swap("v1", ME)
    store.retract(ME, fact="one fact")
    store.retract(ME, document="b")
    assert texts(store) == []
    store.rollback(ME, keep=False)
    assert texts(store) == ["two"]
    with store.pin(seq=4) as past:
        assert past.lexical(["fact", "document"], ALL, 9) == []


def test_a_swap_is_compare_and_set(store: RowStore) -> None:
    put(store, "a", "one")
    build(store, "v1")
    build(store, "v2")
    store.swap("v1", ME, expect="v0")
    with pytest.raises(Conflict, match="live version is 'v1'"):
        store.swap("v2", ME, expect="v0")
    with pytest.raises(Conflict, match="live version is 'v1'"):
        store.rollback(ME, expect="v2")
    with pytest.raises(NotFound):
        store.swap("v9", ME)
    with pytest.raises(Conflict):
        begin(store, "v1")


def test_readers_pinned_before_and_after_a_swap_each_see_one_version(store: RowStore) -> None:
    put(store, "a", "one\n\ntwo")
    build(store, "v1")
    with store.pin() as before:
        store.swap("v1", ME)
        with store.pin() as after:
            for pinned, name, said in ((before, "v0", {"one"}), (after, "v1", {"one\n\ntwo"}), (before, "v0", {"one"})):
                hits = pinned.lexical(["one"], ALL, 9)
                assert {source.text for source in pinned.read([hit.row for hit in hits], ALL).values()} == said
                assert pinned.pin.version == pinned.version.name == name


def test_no_answer_is_mixed_while_versions_are_swapped(store: RowStore) -> None:
    for name in range(12):
        put(store, f"d{name}", f"tariff one {name}\n\ntariff two {name}")
    build(store, "v1")
    done, mixed = threading.Event(), []

    def ask() -> None:
        while not done.is_set():
            with store.pin() as pinned:
                hits = pinned.lexical(["tariff"], ALL, 99)
                found = pinned.read([hit.row for hit in hits], ALL).values()
                whole = {"\n\n" in one.text for one in found}
                if whole != {pinned.version.chunker == "two"} or len(found) not in (12, 24):
                    mixed.append(pinned.pin)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        store.swap("v1", ME)
        store.rollback(ME)
    done.set()
    for thread in threads:
        thread.join()
    assert mixed == []


def test_a_state_is_asked_for_by_time_label_and_step(opener: Opener) -> None:
    now = [1000]
    store = opener("past", first=first(), clock=lambda: now[0])
    put(store, "a", "first")
    assert store.label("release", ME) == 2
    now[0] = 2000
    put(store, "a", "second")

    def at(**pin: int | str) -> list[str]:
        with store.pin(**pin) as pinned:  # type: ignore[arg-type]  # its own words
            hits = pinned.lexical(["first", "second"], ALL, 9)
            return [one.text for one in pinned.read([hit.row for hit in hits], ALL).values()]

    assert at() == at(at=2000) == at(seq=4) == ["second"]
    assert at(at=1999) == at(label="release") == at(seq=2) == ["first"]
    assert store.labels() == {"release": 2}
    for wrong in ({"at": 999}, {"label": "none"}, {"seq": 99}, {"version": "none"}):
        with pytest.raises(NotFound):
            at(**wrong)
    store.create("v1", ME, chunker="one")
    with pytest.raises(NotFound, match="did not exist"):
        at(version="v1", seq=2)
    store.unlabel("release", ME)
    with pytest.raises(NotFound):
        store.unlabel("release", ME)
    store.shut()


def test_states_are_compared_by_their_documents(store: RowStore) -> None:
    put(store, "a", "same")
    put(store, "b", "before")
    put(store, "c", "goes")
    before = store.resolve()
    put(store, "b", "after")
    store.close("c", ME)
    put(store, "d", "comes")
    assert store.diff(before, store.resolve()) == (
        Difference("changed", "b", 1, 2),
        Difference("gone", "c", 1, 0),
        Difference("added", "d", 0, 1),
    )
    build(store, "v1")
    assert store.diff(store.resolve(), store.resolve("v1")) == ()
    assert store.diff(Pin("base", "v0", before.seq), before) == ()


def test_versions_may_be_weighed_anew(store: RowStore) -> None:
    store.weigh("", 0.25, ME)
    assert store.versions()[0].dense == 0.25
    with store.pin() as pinned:
        assert pinned.version.dense == 0.25


def test_slices_of_a_test_are_of_one_or_two_paragraphs() -> None:
    text = "a\n\nb\n\nc"
    assert [text[one.start : one.end] for one in halves(text)] == ["a\n\nb", "c"]
    assert [text[one.start : one.end] for one in paragraphs(text)] == ["a", "b", "c"]
