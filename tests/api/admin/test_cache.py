"""The admin API's part about kept answers: they are counted and let go, and each semantic cache is seen and changed."""

import asyncio

import pytest

from mainstay.caching.exact import Exact
from mainstay.store.audit import select_entries
from mainstay.store.sealing import NullSeal
from mainstay.store.sql import reading
from mainstay.telemetry.metrics import Slab
from support.admin import CONFIG, Building
from support.answers import make_entry

pytestmark = pytest.mark.anyio

SEMANTIC = "{assistant: {targets: [parrot], cache: {semantic: {error: 10%}}}}"


@pytest.fixture
def kept(building: Building) -> Building:
    building.configure(CONFIG.replace("{assistant: {targets: [parrot]}}", SEMANTIC))
    home = building.office.home

    async def keep() -> None:
        tier = Exact(home, memory=0, disk=1 << 20, wait=60, seal=NullSeal())
        for number in range(4):
            route = "assistant" if number else "help"
            entry = make_entry(source=f"rec-{number}", route=route, base="handbook", rests=(f"p{number}",))
            tier.put(bytes([number]) * 32, entry)
        await tier.aclose()

    asyncio.run(keep())
    return building


async def test_answers_are_counted_and_let_go_and_that_is_noted(kept: Building) -> None:
    key = kept.key("operator")
    async with kept.client(key) as client:
        shown = (await client.get("/api/cache")).json()
        assert (shown["answers"], shown["routes"]) == (4, {"assistant": 3, "help": 1})
        for body in ({"record": "rec-1"}, {"base": "handbook", "passages": ["p2"]}, {"route": "help"}):
            assert (await client.post("/api/cache/evict", json=body)).json() == {"evicted": 1}
        assert (await client.delete("/api/cache")).json() == {"evicted": 1}
        for body in ({}, {"record": "a", "route": "b"}, {"passages": ["p1"]}, {"base": "handbook"}):
            assert (await client.post("/api/cache/evict", json=body)).status_code == 400
    with reading(kept.office.engine) as connection:
        noted = [(one.actor, one.action, one.subject) for one in select_entries(connection, action="cache")]
    by = f"key:{kept.ids[key]}"
    assert sorted(noted) == [
        (by, "cache.clear", "cache:"),
        *((by, "cache.evict", f"cache:{subject}") for subject in ("handbook", "help", "rec-1")),
    ]


async def test_a_semantic_cache_is_seen_switched_off_and_begun_anew(kept: Building) -> None:
    slab = Slab(kept.office.home / "run" / "metrics", "0")
    slab.counter("mainstay_cache_lookups_total", "assistant", "semantic").add(7)
    slab.counter("mainstay_cache_semantic_shadows_total", "assistant").add(3)
    slab.counter("mainstay_cache_semantic_state", "0", "assistant").set(2)
    async with kept.client(kept.key("operator")) as client:
        (tier,) = (await client.get("/api/cache")).json()["semantic"]
        assert (tier["route"], tier["state"], tier["served"], tier["shadowed"]) == ("assistant", "proving", 7, 3)
        assert (tier["upper"], tier["error"], tier["workers_off"]) == (1.0, 0.1, ["0"])
        off = (await client.post("/api/cache/semantic/assistant/off", json={"why": "It lies."})).json()
        assert (off["state"], off["reason"]) == ("off", "switched off: It lies.")
        assert (await client.post("/api/cache/semantic/assistant/on")).json()["state"] == "proving"
        assert (await client.post("/api/cache/semantic/assistant/reset")).json()["compared"] == 0
        assert (await client.post("/api/cache/semantic/nobody/reset")).status_code == 404
    slab.close()


async def test_who_may_only_look_changes_nothing(kept: Building) -> None:
    async with kept.client(kept.key("viewer")) as client:
        assert (await client.get("/api/cache")).status_code == 200
        assert (await client.delete("/api/cache")).status_code == 403
    async with kept.client(kept.key("admin@team:t", team="t")) as client:
        assert (await client.get("/api/cache")).status_code == 403
