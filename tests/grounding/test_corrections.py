"""A passage, a stretch or a fact is put right in one transaction; its neighbours stay what they are."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from mainstay.core.errors import Conflict, InvalidRequest, NotFound
from mainstay.grounding.corrections import moved
from mainstay.grounding.port import Access, Meta, Slice
from mainstay.grounding.store import RowStore
from support.knowledge import ME, embed, first, paragraphs
from support.stores import Opener

TEXT = "Fees are 5 pounds.\n\nWarranty lasts two years.\n\nTwo years is long, two years it is."


@pytest.fixture
def store(opener: Opener) -> Iterator[RowStore]:
    opened = opener(first=first())
    opened.put("a", TEXT, paragraphs(TEXT), Meta(), ME, vectors(TEXT))
    opened.put("b", "Two years here.", paragraphs("Two years here."), Meta(), ME, vectors("Two years here."))
    yield opened
    opened.shut()


def vectors(text: str) -> NDArray[np.float32]:
    return embed([text[one.start : one.end] for one in paragraphs(text)])


def said(store: RowStore, document: str = "a") -> list[str]:
    return [one.text for one in store.passages(document)]


def embedded(meta: Meta, slices: Sequence[Slice], texts: Sequence[str]) -> NDArray[np.float32]:
    return embed(texts)


def test_a_passage_is_corrected_and_its_neighbours_keep_their_names(store: RowStore) -> None:
    before = store.passages("a")
    written = store.correct("Warranty lasts for three long years.", ME, passage=before[1].name, embed=embedded)
    after = store.passages("a")
    assert written.closed == (before[1].name,)
    assert written.opened == (after[1].name,)
    assert (after[0].name, after[2].name) == (before[0].name, before[2].name)
    assert after[1].text == "Warranty lasts for three long years."
    assert store.lacking() == ()
    assert store.text("a").text == TEXT.replace("lasts two", "lasts for three long")
    assert [TEXT for one in after if store.text("a").text[one.start : one.end] != one.text] == []
    with store.pin() as pinned:
        (best,) = pinned.dense(embed([after[1].text])[0], Access(), 1)
        assert best.score == pytest.approx(1.0)


def test_a_stretch_is_corrected_at_the_revision_that_was_looked_at(store: RowStore) -> None:
    at = TEXT.index("5")
    store.correct("7", ME, document="a", start=at, end=at + 1, expect=1)
    assert said(store)[0] == "Fees are 7 pounds."
    with pytest.raises(Conflict, match="has changed"):
        store.correct("9", ME, document="a", start=at, end=at + 1, expect=1)
    assert len(store.lacking()) == 1


def test_a_fact_is_corrected_wherever_it_stands(store: RowStore) -> None:
    written = store.correct_fact("two  years", "three years", ME, embed=embedded)
    assert said(store)[1:] == ["Warranty lasts three years.", "three years is long, three years it is."]
    assert said(store, "b") == ["three years here."]
    assert len(written.closed) == len(written.opened) == 3
    assert {one.seq for one in store.history(most=2)} == {written.seq}
    with pytest.raises(NotFound):
        store.correct_fact("two years", "x", ME)


def test_a_fact_is_corrected_in_one_passage_only(store: RowStore) -> None:
    store.correct_fact("two years", "a month", ME, passage=store.passages("a")[1].name)
    assert said(store)[1:] == ["Warranty lasts a month.", "Two years is long, two years it is."]
    store.correct_fact("two years", "a day", ME, document="a")
    assert said(store, "b") == ["Two years here."]


def test_a_passage_that_is_put_right_to_nothing_is_gone(store: RowStore) -> None:
    store.correct("", ME, passage=store.passages("a")[1].name)
    assert said(store) == ["Fees are 5 pounds.", "Two years is long, two years it is."]


def test_another_edit_meanwhile_is_kept(store: RowStore) -> None:
    tries = []

    def late(meta: Meta, slices: Sequence[Slice], texts: Sequence[str]) -> NDArray[np.float32]:
        if not tries:
            store.correct_fact("5 pounds", "6 pounds", ME)
        tries.append(texts)
        return embed(texts)

    store.correct_fact("warranty", "Guarantee", ME, embed=late)
    assert said(store)[:2] == ["Fees are 6 pounds.", "Guarantee lasts two years."]
    assert len(tries) == 2


def test_what_is_not_there_cannot_be_corrected(store: RowStore) -> None:
    with pytest.raises(NotFound):
        store.correct("x", ME, passage="none")
    with pytest.raises(NotFound):
        store.correct("x", ME, document="none")
    with pytest.raises(InvalidRequest):
        store.correct("x", ME, document="a", start=5, end=10_000)
    with pytest.raises(InvalidRequest):
        store.correct("x", ME)


@pytest.mark.parametrize(
    ("slices", "edit", "wanted"),
    [
        ([(0, 3), (3, 6)], (1, 2, "XX"), [(0, 4), (4, 7)]),
        ([(0, 3), (3, 6)], (2, 4, "X"), [(0, 3), (3, 5)]),
        ([(0, 3), (3, 6)], (0, 6, "XYZ"), [(0, 3)]),
        ([(0, 3)], (4, 6, "XYZ"), [(0, 3), (4, 7)]),
        ([(0, 3), (3, 6)], (0, 3, ""), [(0, 3)]),
        ([(0, 4), (2, 6)], (2, 4, "XYZ"), [(0, 5), (2, 7)]),
        ([(0, 3), (3, 6)], (3, 3, "X"), [(0, 4), (4, 7)]),
        ([(0, 6)], (6, 6, "X"), [(0, 7)]),
        ([], (0, 6, "X"), [(0, 1)]),
    ],
)
def test_slices_move_with_what_is_edited(
    slices: list[tuple[int, int]], edit: tuple[int, int, str], wanted: list[tuple[int, int]]
) -> None:
    start, end, text = edit
    after = "abcdef"[:start] + text + "abcdef"[end:]
    found = moved([Slice(*one) for one in slices], start, end, len(text), after)
    assert [(one.start, one.end) for one in found] == wanted
