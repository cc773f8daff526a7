"""A subject is found in kept answers by its records and by words, sealed or not, and is gone once erased."""

import asyncio
from contextlib import closing
from pathlib import Path

from mainstay.caching.config import CacheConfig
from mainstay.caching.exact import Exact
from mainstay.caching.places import CachePlace
from mainstay.caching.service import Shelf, open_shelf
from mainstay.core.subject import Subject, Trace
from mainstay.store.sealing import KeyedSeal, NullSeal
from support.answers import make_entry


def test_answers_of_a_subject_are_found_and_erased(tmp_path: Path) -> None:
    seal = KeyedSeal()
    name = "01900000-0000-7000-8000-000000000001"
    seal.take({name: bytes(32)}, {"": name}, enabled=True, tenant="team")

    async def fill() -> None:
        tier = Exact(tmp_path, memory=0, disk=1 << 20, wait=60, seal=seal)
        for number in range(450):
            words = "Ada lives in Paris." if number == 7 else "Paris."
            tier.put(b"%032d" % number, make_entry(words, source=f"rec-{number}"))
        await tier.aclose()

    asyncio.run(fill())

    def opened() -> Shelf:
        return open_shelf(CacheConfig(), tmp_path)

    place = CachePlace(opened, seal)
    user = Subject("user", "bob", records=frozenset({"rec-3", "rec-449", "rec-9999"}))
    text = Subject("text", "ada lives")
    assert [trace.data["record"] for trace in place.find(user)] == ["rec-3", "rec-449"]
    assert [trace.data["answer"] for trace in place.find(text)] == ["Ada lives in Paris."]
    assert list(CachePlace(opened, NullSeal()).find(text)) == []
    gone: list[Trace] = []
    place.erase(user, gone.append)
    place.erase(text, gone.append)
    assert [trace.data["record"] for trace in gone] == ["rec-3", "rec-449", "rec-7"]
    assert list(place.find(user)) == []
    with closing(opened()) as shelf:
        assert shelf.counts().answers == 447
