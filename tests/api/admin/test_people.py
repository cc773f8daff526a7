import pytest

from mainstay.identity.roles import Grant, Role
from support.admin import URL, Building

pytestmark = pytest.mark.anyio


def welcome(building: Building, subject: str, *roles: Role) -> str:
    grants = [Grant(role) for role in roles]
    return building.office.directory.welcome("https://id.test", subject, f"{subject}@corp.test", subject, grants).id


async def test_people_are_listed_with_their_roles(building: Building) -> None:
    ann = welcome(building, "ann", Role.OPERATOR)
    async with building.client(building.key("auditor")) as client:
        listed = (await client.get("/api/people")).json()["data"]
        assert [(row["id"], row["roles"], row["state"]) for row in listed] == [
            (ann, ["operator@installation"], "active")
        ]
        assert (await client.get("/api/people/ann@corp.test")).json() == listed[0]
        assert (await client.get("/api/people/bob@corp.test")).status_code == 404


async def test_an_admin_does_not_shut_an_owner_out(building: Building) -> None:
    owner, viewer = welcome(building, "owner", Role.OWNER), welcome(building, "viewer", Role.VIEWER)
    async with building.client(building.key("admin")) as client:
        assert (await client.post(f"/api/people/{owner}/disable")).status_code == 403
        assert (await client.post(f"/api/people/{viewer}/disable")).json()["state"] == "disabled"
        assert (await client.post(f"/api/people/{viewer}/enable")).json()["state"] == "active"


async def test_nobody_shuts_themselves_out(building: Building) -> None:
    ann = welcome(building, "ann", Role.OWNER)
    token, _ = building.office.doorkeeper.begin("person", ann)
    async with building.client(cookies={"mainstay-session": token}) as client:
        refused = await client.post(f"/api/people/{ann}/disable", headers={"origin": URL})
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "own_account")


async def test_a_role_is_given_to_a_person_by_address_and_taken_again(building: Building) -> None:
    ann = welcome(building, "ann")
    async with building.client(building.key("owner")) as client:
        given = await client.post("/api/grants", json={"kind": "person", "holder": "ann@corp.test", "role": "auditor"})
        assert (given.json()["holder"], given.json()["role"], given.json()["source"]) == (ann, "auditor", "manual")
        assert given.json()["created_by"].startswith("key:key_")
        assert (await client.delete(f"/api/grants/{given.json()['id']}")).json()["deleted"] is True
        assert (await client.delete(f"/api/grants/{given.json()['id']}")).status_code == 404
        roles = {row["name"]: row["permissions"] for row in (await client.get("/api/roles")).json()["data"]}
    assert "content.read" not in roles["auditor"]
