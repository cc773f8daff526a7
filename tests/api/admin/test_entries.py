import pytest

from support.admin import Building
from support.spending import START, attempt, bought, keep

pytestmark = pytest.mark.anyio


async def test_a_call_is_entered_for_each_provider_and_each_budget(building: Building) -> None:
    building.office.directory.add_team("web")
    building.office.directory.add_team("app")
    record = bought(START, attempt("gpt", 7), attempt("haiku", 5), id="a", charges={"b||usd|day@2026-11-02": 12})
    keep(building.office.engine, [record])
    async with building.client(building.key("auditor")) as client:
        for reference in ("a", record.request_id):
            page = (await client.get("/api/entries", params={"record": reference})).json()
            assert [(one["debit"], one["credit"], one["usd"]) for one in page["data"]] == [
                ("b||usd|day@2026-11-02", "budgets", "0.000000000012"),
                ("key:key_alice", "provider:claude", "0.000000000005"),
                ("key:key_alice", "provider:openai-main", "0.000000000007"),
            ]
        assert (await client.get("/api/entries", params={"record": "b"})).status_code == 404
    async with building.client(building.key("viewer@team:app")) as client:
        assert (await client.get("/api/entries", params={"record": "a"})).status_code == 404
    async with building.client(building.key("viewer@team:web")) as client:
        assert len((await client.get("/api/entries", params={"record": "a"})).json()["data"]) == 3
