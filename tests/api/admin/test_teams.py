import pytest

from support.admin import Building

pytestmark = pytest.mark.anyio


async def test_organisations_and_teams_are_made_listed_and_deleted(building: Building) -> None:
    async with building.client(building.key("admin")) as client:
        assert (await client.post("/api/organisations", json={"name": "shop", "title": "The shop"})).status_code == 201
        made = await client.post("/api/teams", json={"name": "web/front", "organisation": "shop"})
        assert (made.status_code, made.json()["organisation"]) == (201, "shop")
        assert (await client.get("/api/teams/web/front")).json() == made.json()
        assert [row["name"] for row in (await client.get("/api/organisations")).json()["data"]] == ["default", "shop"]
        refused = await client.delete("/api/organisations/shop")
        assert (refused.status_code, refused.json()["error"]["message"]) == (
            409,
            "The organisation 'shop' has teams: delete them first.",
        )
        assert (await client.delete("/api/teams/web/front")).json() == {"id": "web/front", "deleted": True}
        assert (await client.delete("/api/organisations/shop")).status_code == 200
        assert (await client.get("/api/teams")).json()["data"] == []


async def test_an_admin_of_an_organisation_makes_teams_there_and_nowhere_else(building: Building) -> None:
    building.office.directory.add_organisation("shop")
    async with building.client(building.key("admin@organisation:shop")) as client:
        assert (await client.post("/api/teams", json={"name": "web", "organisation": "shop"})).status_code == 201
        assert (await client.post("/api/teams", json={"name": "app"})).status_code == 403
        assert (await client.post("/api/organisations", json={"name": "mine"})).status_code == 403
        seen = (await client.get("/api/organisations")).json()["data"]
        assert [row["name"] for row in seen] == ["shop"]


async def test_who_has_a_role_in_a_team_sees_where_it_belongs_but_does_not_delete_it(building: Building) -> None:
    building.office.directory.add_organisation("shop")
    building.office.directory.add_team("web", "shop")
    async with building.client(building.key("owner@team:web")) as client:
        assert [row["name"] for row in (await client.get("/api/teams")).json()["data"]] == ["web"]
        assert [row["name"] for row in (await client.get("/api/organisations")).json()["data"]] == ["shop"]
        assert (await client.delete("/api/teams/web")).status_code == 403
