"""Knowledge as a worker asks it: in threads, over the real store, and what happens when parts are missing."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from mainstay.core.errors import NotFound, StartError, Unavailable
from mainstay.grounding.library import LocalLibrary
from mainstay.grounding.port import Access, Change, Embedder, Meta, Question, Slice, Support, Version
from mainstay.grounding.sqlite import open_store

T = TypeVar("T")
TEXT = "Refunds take 14 days."
CHANGE = Change("test", "a test")


class Judge:
    name = "judge"

    def check(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Support]:
        return [Support(1.0, 0.0, 0.0) for _ in pairs]


def nothing(base: str, version: Version) -> Embedder | None:
    return None


def put(folder: Path, document: str, text: str, **meta: Any) -> str:
    store = open_store(folder, "handbook")
    written = store.put(document, text, [Slice(0, len(text))], Meta(**meta), CHANGE)
    store.shut()
    return written.opened[0]


def under(folder: Path, act: Callable[[LocalLibrary], Any], embed: Any = nothing, verifier: Any = Judge) -> Any:
    async def go() -> Any:
        library = LocalLibrary(folder, embed, verifier)
        try:
            return await act(library)
        finally:
            await library.aclose()

    return asyncio.run(go())


def question(text: str, **fields: Any) -> Question:
    return Question(text, seconds=60.0, **fields)


def test_a_question_finds_what_another_process_has_just_put_in(tmp_path: Path) -> None:
    put(tmp_path, "a.md", TEXT)

    async def act(library: LocalLibrary) -> None:
        first = await library.find("handbook", question("How long do refunds take?"))
        assert [one.text for one in first.sources] == [TEXT]
        put(tmp_path, "a.md", "Refunds take 30 days.")
        second = await library.find("handbook", question("How long do refunds take?"))
        assert [one.text for one in second.sources] == ["Refunds take 30 days."]
        assert second.pin.seq > first.pin.seq
        assert not await library.alive("handbook", [first.sources[0].passage], Access())
        assert await library.alive("handbook", [second.sources[0].passage], Access())

    under(tmp_path, act)


def test_a_passage_opens_for_who_may_read_it(tmp_path: Path) -> None:
    name = put(tmp_path, "a.md", TEXT, groups=("staff",))
    opened = under(tmp_path, lambda one: one.open_passage("handbook", name, Access(frozenset({"staff"})), 5))
    assert opened.opened.source.text == TEXT
    with pytest.raises(NotFound):
        under(tmp_path, lambda one: one.open_passage("handbook", name, Access(), 5))


class Counted:
    """An embedder that keeps what it was asked."""

    name, dimensions = "counted", 2

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed(self, texts: Sequence[str], kind: str) -> Any:
        np = pytest.importorskip("numpy")
        self.texts += texts
        return np.ones((len(texts), 2), np.float32) / np.sqrt(2.0)


def test_a_base_is_loaded_once_before_its_first_question_and_again_where_that_failed(tmp_path: Path) -> None:
    counted = Counted()

    async def act(library: LocalLibrary) -> None:
        await library.ready("handbook")
        assert counted.texts == []
        open_store(tmp_path, "handbook", first=Version("main", "counted", 2)).shut()
        await asyncio.to_thread(put, tmp_path, "a.md", TEXT)
        await library.ready("handbook")
        await library.ready("handbook")
        assert len(counted.texts) == 1

    under(tmp_path, act, embed=lambda base, version: counted)


def test_a_base_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        under(tmp_path, lambda one: one.find("handbook", question("What?")))
    assert list(tmp_path.iterdir()) == []


def test_without_what_embeds_words_are_searched_and_the_rest_is_late(tmp_path: Path) -> None:
    put(tmp_path, "a.md", TEXT)

    def missing(base: str, version: Version) -> Embedder | None:
        raise Unavailable("not here")

    found = under(tmp_path, lambda one: one.find("handbook", question("Refunds?")), embed=missing)
    assert found.late == ("dense",)
    assert len(found.sources) == 1


def test_claims_are_checked_where_that_is_installed(tmp_path: Path) -> None:
    assert under(tmp_path, lambda one: one.check([("a", "b")])) == [Support(1.0, 0.0, 0.0)]

    def absent() -> Any:
        raise StartError("install it")

    with pytest.raises(Unavailable, match="install it"):
        under(tmp_path, lambda one: one.check([("a", "b")]), verifier=absent)


def test_more_claims_than_can_wait_are_not_taken(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        under(tmp_path, lambda one: one.check([("a", "b")] * 1000))
