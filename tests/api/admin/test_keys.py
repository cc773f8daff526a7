import time

import httpx
import pytest

from mainstay.identity.keyring import open_keyring
from mainstay.identity.roles import parse_grant
from support.admin import Building

pytestmark = pytest.mark.anyio


def opens(building: Building, key: str) -> bool:
    ring = open_keyring(building.office.home)
    try:
        ring.find(key.encode())
    except Exception:
        return False
    return True


async def made(client: httpx.AsyncClient, **fields: object) -> dict[str, object]:
    answer = await client.post("/api/keys", json=fields)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_a_key_is_shown_once_and_opens_at_once(building: Building) -> None:
    async with building.client(building.key("admin")) as client:
        new = await made(
            client, name="shop", team="web", routes=["assistant"], expires="90d", budget="20/month", rpm=60
        )
        assert opens(building, str(new["key"]))
        assert (new["team"], new["organisation"], new["routes"], new["state"]) == (
            "web",
            "default",
            ["assistant"],
            "alive",
        )
        assert new["expires_at"] - new["created_at"] == 90 * 86_400_000  # type: ignore[operator]  # both are times
        seen = await client.get(f"/api/keys/{new['id']}")
        assert seen.json() == {**new, "key": None}
        everything = seen.text + (await client.get("/api/keys")).text
    assert str(new["key"]) not in everything


async def test_what_is_left_out_of_a_change_stays_and_null_takes_a_limit_away(building: Building) -> None:
    async with building.client(building.key("admin")) as client:
        new = await made(client, name="shop", rpm=60, tpm=1000, budget="20/month", routes=["assistant"], expires="1h")
        where = f"/api/keys/{new['id']}"
        changed = (await client.patch(where, json={"rpm": 30, "budget": "5/day"})).json()
        assert (changed["rpm"], changed["tpm"], changed["budget"], changed["routes"]) == (
            30,
            1000,
            "5/day",
            ["assistant"],
        )
        bare = (await client.patch(where, json={"rpm": None, "budget": None, "routes": None, "expires": None})).json()
        assert (bare["rpm"], bare["tpm"], bare["budget"], bare["routes"]) == (None, 1000, None, None)
        assert bare["expires_at"] is None


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "a", "rpm": 0}, "rpm"),
        ({"name": "a", "rpm": "many"}, "rpm"),
        ({"name": "a", "budget": "much"}, "budget"),
        ({"name": "a", "expires": "soon"}, "expires"),
        ({"name": "a", "routes": ["asistant"]}, "routes"),
        ({"name": "a", "roles": ["root"]}, "role"),
        ({"name": "a", "colour": "red"}, "colour"),
    ],
)
async def test_a_wrong_field_is_named_in_openais_envelope(
    building: Building, fields: dict[str, object], param: str
) -> None:
    async with building.client(building.key("owner")) as client:
        refused = await client.post("/api/keys", json=fields)
    error = refused.json()["error"]
    assert (refused.status_code, error["param"], error["type"]) == (400, param, "invalid_request_error")
    assert [row.name for row in building.office.keys.list()] == ["k0"]


async def test_rotation_and_revocation_reach_the_workers(building: Building) -> None:
    async with building.client(building.key("admin")) as client:
        new = await made(client, name="shop")
        rotated = (await client.post(f"/api/keys/{new['id']}/rotate", json={"grace": "1h"})).json()
        assert rotated["key"] != new["key"]
        assert opens(building, str(new["key"]))
        again = (await client.post(f"/api/keys/{new['id']}/rotate")).json()
        assert not opens(building, str(new["key"]))
        revoked = (await client.delete("/api/keys/shop")).json()
        assert (revoked["state"], revoked["key"]) == ("revoked", None)
        assert not opens(building, again["key"])
        assert "shop" not in (await client.get("/api/keys")).text
        assert "shop" in (await client.get("/api/keys", params={"revoked": True})).text


async def test_a_key_with_roles_is_no_ladder_for_who_has_fewer(building: Building) -> None:
    owner = building.key("owner")
    async with building.client(building.key("admin")) as admin:
        for ask in (
            admin.post(f"/api/keys/{building.ids[owner]}/rotate"),
            admin.patch(f"/api/keys/{building.ids[owner]}", json={"expires": "1s"}),
            admin.delete(f"/api/keys/{building.ids[owner]}"),
        ):
            refused = await ask
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "permission_denied")
        assert opens(building, owner)
        refused = await admin.post("/api/keys", json={"name": "mine", "roles": ["owner"]})
        assert refused.status_code == 403
        assert (
            await admin.post("/api/grants", json={"kind": "key", "holder": "k1", "role": "owner"})
        ).status_code == 403
    async with building.client(owner) as client:
        new = await made(client, name="ops", roles=["operator"])
    assert [str(grant) for grant, _ in building.office.directory.held("key", str(new["id"]))] == [
        "operator@installation"
    ]


async def test_a_developer_makes_keys_in_the_own_team_and_nowhere_else(building: Building) -> None:
    for team in ("web", "app"):
        building.office.directory.add_team(team)
    async with building.client(building.key("developer@team:web")) as client:
        new = await made(client, name="mine", team="web")
        refusals = [
            await client.post("/api/keys", json={"name": "x", "team": "app"}),
            await client.post("/api/keys", json={"name": "x", "team": "nowhere"}),
            await client.post("/api/keys", json={"name": "x"}),
            await client.post("/api/keys", json={"name": "x", "team": "web", "roles": ["viewer"]}),
        ]
        assert [refused.status_code for refused in refusals] == [403, 404, 403, 403]
        assert [key["name"] for key in (await client.get("/api/keys")).json()["data"]] == ["mine"]
        assert (await client.get("/api/keys/k0")).status_code == 404
        assert (await client.delete(f"/api/keys/{new['id']}")).status_code == 200
    assert building.office.directory.scopes().keys() == {"", "web", "app"}


async def test_an_owner_of_an_organisation_gives_roles_there_and_nowhere_else(building: Building) -> None:
    directory = building.office.directory
    directory.add_organisation("shop")
    directory.add_team("web", "shop")
    directory.add_team("app")
    async with building.client(building.key("owner@organisation:shop")) as client:
        new = await made(client, name="mine", team="web", roles=["developer"])
        given = await client.post(
            "/api/grants", json={"kind": "key", "holder": new["id"], "role": "auditor@organisation:shop"}
        )
        assert (given.status_code, given.json()["scope"]) == (201, "organisation:shop")
        for role in ("viewer", "viewer@organisation:default", "viewer@team:app"):
            asked = {"kind": "key", "holder": new["id"], "role": role}
            assert (await client.post("/api/grants", json=asked)).status_code == 403
        seen = (await client.get("/api/grants")).json()["data"]
        assert {grant["scope"] for grant in seen} == {"team:web", "organisation:shop"}
        assert (await client.delete(f"/api/grants/{given.json()['id']}")).status_code == 200
    other = directory.grant("key", "k0", parse_grant("viewer@team:app"))
    async with building.client(building.key("owner@organisation:shop")) as client:
        assert (await client.delete(f"/api/grants/{other.id}")).status_code == 404


async def test_a_key_may_have_the_name_of_one_that_expired(building: Building) -> None:
    async with building.client(building.key("admin")) as client:
        first = await made(client, name="shop", expires="1ms")
        end = time.time() + 5
        while (await client.get(f"/api/keys/{first['id']}")).json()["state"] != "expired":
            assert time.time() < end
        await made(client, name="shop")
        taken = await client.post("/api/keys", json={"name": "shop"})
        assert (taken.status_code, taken.json()["error"]["code"]) == (409, "key_exists")
