"""Each base is opened where its row of the configuration says that it is kept."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from mainstay.core.errors import NotFound, StartError, Unavailable
from mainstay.grounding.config import KnowledgeStoreConfig
from mainstay.grounding.library import LocalLibrary
from mainstay.grounding.opening import Bases
from mainstay.grounding.port import Change, Meta, Question, Slice, Verifier
from mainstay.grounding.postgres.store import PostgresStore
from mainstay.grounding.sqlite import SqliteStore


def nobody() -> Verifier:
    raise StartError("Nobody checks claims here.")


def rows(**urls: str) -> dict[str, KnowledgeStoreConfig]:
    return {name: KnowledgeStoreConfig.model_validate({"url": url}) for name, url in urls.items()}


def test_a_base_without_a_row_is_a_file(tmp_path: Path) -> None:
    bases = Bases(tmp_path, lambda _: None)
    with pytest.raises(NotFound):
        bases.open("base")
    store = bases.open("base", make=True)
    assert isinstance(store, SqliteStore)
    assert bases.names(("other",)) == ["base"]
    assert not bases.has_moved(store)
    store.path.unlink()
    assert bases.has_moved(store)
    store.shut()


def test_a_base_moves_with_its_row(tmp_path: Path, database: Callable[[str], str]) -> None:
    kept = rows(base=database("opening"))
    bases = Bases(tmp_path, kept.get)
    assert bases.names(kept) == []
    store = bases.open("base", make=True)
    assert isinstance(store, PostgresStore)
    assert bases.names(kept) == bases.names(kept) == ["base"]
    assert not bases.has_moved(store)
    # What its row says counts, not what lies about.
    (tmp_path / "base.db").touch()
    (tmp_path / "other.db").touch()
    assert bases.names(kept) == ["base", "other"]
    kept["base"] = rows(base=database("opened"))["base"]
    assert bases.has_moved(store)
    assert bases.names(kept) == ["other"]
    kept.clear()
    assert bases.has_moved(store)
    store.shut()


def test_a_worker_asks_a_base_in_a_database_like_any_other(tmp_path: Path, database: Callable[[str], str]) -> None:
    kept = rows(base=database("asked"), away=f"postgresql://nobody@/none?host={tmp_path}")
    Bases(tmp_path, kept.get).open("base", make=True).shut()

    async def asked() -> None:
        library = LocalLibrary(tmp_path, lambda *_: None, nobody, keeps=kept.get)
        try:
            for text in ("Refunds take 14 days.", "Refunds take 30 days."):
                other = Bases(tmp_path, kept.get).open("base")
                other.put("a", text, [Slice(0, len(text))], Meta(), Change())
                other.shut()
                found = await library.find("base", Question("How long do refunds take?", seconds=60.0))
                assert [one.text for one in found.sources] == [text]
            with pytest.raises(Unavailable):
                await library.find("away", Question("anything"))
            kept["base"] = rows(base=database("elsewhere"))["base"]
            with pytest.raises(NotFound):
                await library.find("base", Question("anything"))
        finally:
            await library.aclose()

    asyncio.run(asked())


def test_a_database_that_cannot_be_asked_hides_no_base(tmp_path: Path) -> None:
    kept = rows(away=f"postgresql://nobody@/none?host={tmp_path}")
    bases = Bases(tmp_path, kept.get)
    assert bases.names(kept) == ["away"]
    with pytest.raises(Unavailable):
        bases.open("away")
