"""What was retracted is in no answer, of no version and no past, and does not come back by itself."""

from collections.abc import Iterator

import pytest

from mainstay.core.errors import Conflict, InvalidRequest, NotFound
from mainstay.grounding.port import Access, Change, Meta
from mainstay.grounding.store import RowStore
from support.knowledge import ME, embed, first, halves, paragraphs
from support.stores import Opener, raw

ALL = Access()
TEXT = "Warranty lasts two years.\n\nCall Jane Roe, or write.\n\nWe open at nine."


@pytest.fixture
def store(opener: Opener) -> Iterator[RowStore]:
    opened = opener(first=first())
    put(opened, "a", TEXT)
    yield opened
    opened.shut()


def put(store: RowStore, document: str, text: str, sha256: str = "") -> tuple[str, ...]:
    slices = paragraphs(text)
    vectors = embed([text[one.start : one.end] for one in slices])
    return store.put(document, text, slices, Meta(title="Jane's", sha256=sha256), ME, vectors).opened


def said(store: RowStore) -> list[str]:
    return [one.text for name in store.documents() for one in store.passages(name)]


def name_of(store: RowStore, words: str, document: str = "a") -> str:
    return next(one.name for one in store.passages(document) if words in one.text)


def past(store: RowStore, *words: str, seq: int) -> list[str]:
    with store.pin(seq=seq) as pinned:
        hits = [*pinned.lexical(words, ALL, 9), *pinned.dense(embed(["x"])[0], ALL, 99)]
        return sorted(
            {one.text for one in pinned.read([hit.row for hit in hits], ALL).values() if words[0] in one.text}
        )


@pytest.mark.parametrize("fact", ["Jane Roe", "jane  ROE", "call jane\nroe,", "Roe, or"])
def test_every_passage_that_says_a_fact_is_taken_out(store: RowStore, fact: str) -> None:
    put(store, "b", "Ask Jane Roe, or nobody: call Jane Roe, or be silent.\n\nOther.")
    written = store.retract(Change("me", "asked to"), fact=fact)
    assert sorted(said(store)) == ["Other.", "Warranty lasts two years.", "We open at nine."]
    assert len(written.closed) == 2
    assert past(store, "Jane", "Roe", seq=2) == []
    (stone,) = store.tombstones()
    assert (stone.kind, stone.who, stone.why, stone.erased) == ("fact", "me", "asked to", False)


def test_a_fact_is_whole_words(store: RowStore) -> None:
    put(store, "b", "A part of it.\n\nThe art of it.")
    store.retract(ME, fact="art")
    assert "A part of it." in said(store)
    assert "The art of it." not in said(store)


def test_a_retracted_passage_stays_out_when_its_document_is_read_again(store: RowStore) -> None:
    store.retract(ME, passage=name_of(store, "Jane"))
    for text in (TEXT, f"A new line.\n\n{TEXT}", TEXT.replace("Warranty", "WARRANTY").upper()):
        put(store, "a", text)
        assert not [one for one in said(store) if "jane" in one.lower()]
    store.put("a", TEXT, halves(TEXT), Meta(), ME)
    assert said(store) == ["We open at nine."]


def test_the_same_words_under_another_name_are_kept_out(store: RowStore) -> None:
    put(store, "b", "Call Jane Roe, or write.\n\nSomething else.")
    store.retract(ME, passage=name_of(store, "Jane"))
    assert not [one for one in said(store) if "Jane" in one]
    put(store, "c", "Prefix. Call Jane Roe, or write. Suffix.\n\nMore.")
    assert store.passages("c")[0].text == "More."
    with pytest.raises(Conflict):
        put(store, "d", "Call Jane Roe, or write.")


def test_bytes_of_a_retracted_document_are_refused_under_any_name(store: RowStore) -> None:
    put(store, "a", TEXT + " And more.", "c" * 64)
    put(store, "twin", TEXT)
    store.retract(ME, document="a")
    assert said(store) == []
    for name, text, sha256 in (
        ("a", "other", ""),
        ("new", TEXT, ""),
        ("new", TEXT + " And more.", ""),
        ("new", "x", "c" * 64),
    ):
        with pytest.raises(Conflict):
            put(store, name, text, sha256)
    put(store, "twin", "Twin says something of its own.")
    assert said(store) == ["Twin says something of its own."]
    assert past(store, "Jane", seq=2) == []


def test_what_was_retracted_may_be_let_in_again(store: RowStore) -> None:
    names = {one.name for one in store.passages("a")}
    store.retract(ME, document="a")
    written = store.unretract(Change("me", "a mistake"), document="a")
    assert set(written.opened) == names
    assert {one.name for one in store.passages("a")} == names
    jane = name_of(store, "Jane")
    store.retract(ME, passage=jane)
    store.retract(ME, fact="Jane Roe")
    store.unretract(ME, passage=jane)
    assert not [one for one in said(store) if "Jane" in one]
    store.unretract(ME, tombstone=store.tombstones()[0].id)
    put(store, "a", TEXT)
    assert "Call Jane Roe, or write." in said(store)
    assert store.tombstones() == ()
    with pytest.raises(NotFound):
        store.unretract(ME, document="a")


def test_words_that_were_erased_are_kept_nowhere(store: RowStore) -> None:
    put(store, "secret", "Jonquil was here.\n\nAnd left.")
    store.retract(ME, document="secret", erase=True)
    store.retract(ME, fact="jane roe", erase=True)
    kept = raw(store).lower()
    assert b"jonquil" not in kept
    assert b"roe" not in kept
    assert b"warranty" in kept
    put(store, "b", "Again: Jane Roe is here.\n\nOther.")
    assert store.passages("b")[0].text == "Other."
    text = store.text("a")
    assert "Jane" not in text.text
    assert len(text.text) == len(TEXT)
    assert len(text.text.encode()) == len(TEXT.encode())
    with pytest.raises(NotFound):
        store.text("secret", revision=1)


def test_a_reader_of_a_citation_is_told_what_became_of_it(store: RowStore) -> None:
    opened = {one.text: one.name for one in store.passages("a")}
    jane = opened["Call Jane Roe, or write."]
    assert store.passage(jane, ALL).state == "alive"
    put(store, "a", TEXT.replace("two", "three"))
    superseded = store.passage(opened["Warranty lasts two years."], ALL)
    assert (superseded.state, superseded.source.revision, superseded.source.text) == (
        "superseded", 1, "Warranty lasts two years.",
    )  # fmt: skip
    store.retract(ME, passage=jane)
    with pytest.raises(NotFound):
        store.passage(jane, ALL)
    assert store.passage(jane, None, withdrawn=True).state == "retracted"
    store.retract(ME, passage=jane, erase=True)
    assert store.passage(jane, None, withdrawn=True).state == "erased"
    assert store.passage(jane, None, withdrawn=True).source.text == ""


def test_a_citation_is_opened_by_those_only_who_may_see_its_document_now(store: RowStore) -> None:
    (name,) = store.put("b", "Tariff.", paragraphs("Tariff."), Meta(groups=("sales",)), ME).opened
    sales = Access(frozenset({"sales"}))
    assert store.passage(name, sales).source.text == "Tariff."
    assert store.alive([name], sales)
    assert not store.alive([name], ALL)
    assert not store.alive([name, "none"], sales)
    with pytest.raises(NotFound):
        store.passage(name, ALL)
    store.put("b", "Tariff.", paragraphs("Tariff."), Meta(groups=("board",)), ME)
    assert not store.alive([name], sales)
    with pytest.raises(NotFound):
        store.passage(name, sales)
    assert [one.document for one in store.listed(access=sales)] == ["a"]
    with pytest.raises(NotFound):
        store.text("b", access=sales)


def test_a_window_reaches_over_nothing_that_was_retracted(store: RowStore) -> None:
    store.retract(ME, fact="Jane Roe")
    with store.pin() as pinned:
        for word in ("warranty", "nine"):
            (hit, *_) = pinned.lexical([word], ALL, 1)
            start, end = pinned.around(hit.row, 10_000)
            assert "Jane" not in pinned.text("a", 1, start, end)
            assert word in pinned.text("a", 1, start, end).lower()


def test_a_window_is_about_as_long_as_asked_and_ends_with_words(store: RowStore) -> None:
    text = "\n\n".join(f"Paragraph {number} speaks of thing{number} at some length." for number in range(40))
    put(store, "long", text)
    with store.pin() as pinned:
        (hit, *_) = pinned.lexical(["thing20"], ALL, 1)
        start, end = pinned.around(hit.row, 400)
        window = pinned.text("long", 1, start, end)
        assert "thing20" in window
        assert 200 < len(window) <= 400
        assert window.startswith("Paragraph")
        assert window.endswith("length.")
        assert len(pinned.near(hit.row, 1)) == 3


@pytest.mark.parametrize("what", [{"document": "none"}, {"passage": "none"}, {"fact": "nobody says so"}])
def test_what_is_not_there_cannot_be_retracted(store: RowStore, what: dict[str, str]) -> None:
    seq = store.resolve().seq
    with pytest.raises(NotFound):
        store.retract(ME, **what)  # type: ignore[arg-type]  # its own words
    assert store.resolve().seq == seq


def test_a_fact_needs_words(store: RowStore) -> None:
    for what in ({"fact": " "}, {}, {"fact": "x", "document": "a"}):
        with pytest.raises(InvalidRequest):
            store.retract(ME, **what)  # type: ignore[arg-type]  # its own words
