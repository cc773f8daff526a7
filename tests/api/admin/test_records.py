import json

import pytest

from mainstay.core.record import Content
from mainstay.store.sql import writing
from mainstay.telemetry.store import insert_records
from support.admin import Building
from support.records import make_record

pytestmark = pytest.mark.anyio


def keep(building: Building, *records: object) -> None:
    with writing(building.office.engine) as connection:
        insert_records(building.office.engine, connection, records)  # type: ignore[arg-type]  # all are records


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["c", "b", "a"]),
        ({"route": "other"}, ["b"]),
        ({"model": "big"}, ["c"]),
        ({"team": "app"}, ["b"]),
        ({"outcome": "failed"}, ["c"]),
        ({"status": 502}, ["c"]),
        ({"error": "upstream_failed"}, ["c"]),
        ({"key": "key_x"}, ["a"]),
        ({"since": "1970-01-01T00:00:02"}, ["c", "b"]),
        ({"until": "1970-01-01T00:00:02"}, ["a"]),
        ({"since": "1h"}, []),
        ({"before": "b"}, ["a"]),
        ({"limit": 2}, ["c", "b"]),
    ],
    ids=str,
)
async def test_records_are_found_by_what_they_are(building: Building, query: dict[str, str], found: list[str]) -> None:
    keep(
        building,
        make_record(id="a", at=1000, key="key_x"),
        make_record(id="b", at=2000, route="other", team="app"),
        make_record(id="c", at=3000, target="big", outcome="failed", status=502, error="upstream_failed"),
    )
    async with building.client(building.key("auditor")) as client:
        page = (await client.get("/api/records", params=query)).json()
    assert [record["id"] for record in page["data"]] == found
    assert page["has_more"] is ("limit" in query)
    assert page["last"] == (found[-1] if found else None)


@pytest.mark.parametrize(
    "query", [{"since": "soon"}, {"outcome": "fine"}, {"limit": 0}, {"limit": 5000}, {"status": "x"}]
)
async def test_a_wrong_condition_is_named(building: Building, query: dict[str, str]) -> None:
    async with building.client(building.key("auditor")) as client:
        refused = await client.get("/api/records", params=query)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, next(iter(query)))


async def test_content_is_for_who_may_read_content(building: Building) -> None:
    building.office.directory.add_team("web")
    keep(building, make_record(id="a", team="web", content=Content("the secret question", "the secret answer")))
    for role in ("owner", "admin", "reviewer", "reviewer@team:web"):
        async with building.client(building.key(role)) as client:
            one = (await client.get("/api/records/a")).json()
            assert one["content"] == {"request": "the secret question", "response": "the secret answer"}
            assert "secret" not in (await client.get("/api/records")).text
    for role in ("auditor", "operator", "developer@team:web"):
        async with building.client(building.key(role)) as client:
            one = await client.get("/api/records/a")
            assert one.json()["content"] is None
            assert "secret" not in one.text


async def test_a_record_is_found_by_its_request_id_whole(building: Building) -> None:
    record = make_record(id="a")
    keep(building, record)
    async with building.client(building.key("auditor")) as client:
        one = (await client.get(f"/api/records/{record.request_id}")).json()
        assert (await client.get("/api/records/nothing")).status_code == 404
    assert one["attempts"][0]["provider"] == "house"
    assert (one["usage"]["input"], one["usage"]["output"], one["error"]) == (10, 20, "")
    assert set(record.__struct_fields__) == set(one)


async def test_records_of_a_team_that_is_gone_are_for_the_whole_installation(building: Building) -> None:
    keep(building, make_record(id="a", team="gone"), make_record(id="b", team=""))
    async with building.client(building.key("auditor")) as client:
        assert len((await client.get("/api/records")).json()["data"]) == 2
    async with building.client(building.key("auditor@organisation:default")) as client:
        assert [record["id"] for record in (await client.get("/api/records")).json()["data"]] == ["b"]
        assert (await client.get("/api/records/a")).status_code == 404
        assert json.loads((await client.get("/api/records", params={"team": "gone"})).text)["data"] == []
