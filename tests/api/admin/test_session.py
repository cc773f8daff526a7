import pytest

from support.admin import CONFIG, URL, Building

pytestmark = pytest.mark.anyio
SAME = {"origin": URL}


async def test_a_key_is_exchanged_for_a_cookie_that_opens_what_the_key_does(building: Building) -> None:
    key = building.key("viewer")
    async with building.client() as browser:
        begun = await browser.post("/api/session", json={"key": key}, headers=SAME)
        assert begun.status_code == 201
        assert begun.json()["token"] is None
        cookie = begun.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert key not in cookie
        me = (await browser.get("/api/session")).json()
        assert (me["id"], me["roles"], me["session"]["id"]) == (
            building.ids[key],
            ["viewer@installation"],
            begun.json()["id"],
        )
        assert "models.read" in me["permissions"]
        assert (await browser.get("/api/models")).status_code == 200
        assert (await browser.get("/api/keys")).status_code == 403


async def test_a_session_can_be_a_token_that_is_sent_as_a_key_is(building: Building) -> None:
    async with building.client() as client:
        begun = (await client.post("/api/session", json={"key": building.key("viewer"), "kind": "bearer"})).json()
        client.headers["authorization"] = f"Bearer {begun['token']}"
        assert (await client.get("/api/models")).status_code == 200
        # A session cannot be made to last by making another one of it.
        again = await client.post("/api/session", json={"key": begun["token"], "kind": "bearer"})
        assert again.status_code == 401
        assert (await client.delete("/api/session")).status_code == 200
        assert (await client.get("/api/models")).status_code == 401


async def test_a_wrong_key_begins_no_session(building: Building) -> None:
    async with building.client() as browser:
        refused = await browser.post("/api/session", json={"key": "ms-wrong"}, headers=SAME)
    assert refused.status_code == 401
    assert "set-cookie" not in refused.headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": URL}, 201),
        ({"sec-fetch-site": "same-origin"}, 201),
        ({}, 403),
        ({"origin": "https://evil.test"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": URL + ".evil.test"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"origin": "https://evil.test", "sec-fetch-site": "same-origin"}, 403),
    ],
)
async def test_a_cookie_changes_something_only_from_our_own_pages(
    building: Building, headers: dict[str, str], status: int
) -> None:
    key = building.key("owner")
    async with building.client() as browser:
        await browser.post("/api/session", json={"key": key}, headers=SAME)
        made = await browser.post("/api/teams", json={"name": "web"}, headers=headers)
        assert made.status_code == status
        if status == 403:
            assert made.json()["error"]["code"] == "origin_not_allowed"
            assert building.office.directory.teams() == []
        # Nor can another site's page sign its visitor in.
        begun = await browser.post("/api/session", json={"key": key}, headers=headers)
        assert begun.status_code == status
        # Reading is for the browser itself to keep from others.
        assert (await browser.get("/api/teams", headers=headers)).status_code == 200


async def test_a_key_needs_no_origin(building: Building) -> None:
    async with building.client(building.key("owner")) as client:
        made = await client.post("/api/teams", json={"name": "web"}, headers={"origin": "https://tool.test"})
    assert made.status_code == 201


async def test_behind_a_proxy_the_public_address_is_the_origin(building: Building) -> None:
    building.configure(CONFIG + "identity: {public_url: 'https://ai.corp.test'}\n")
    key = building.key("owner")
    async with building.client() as browser:
        ours = await browser.post("/api/session", json={"key": key}, headers={"origin": "https://ai.corp.test"})
        assert ours.status_code == 201
        assert ours.headers["set-cookie"].startswith("__Host-mainstay-session=")
        assert "Secure" in ours.headers["set-cookie"]
        assert (await browser.post("/api/session", json={"key": key}, headers=SAME)).status_code == 403


async def test_a_key_in_the_cookie_is_nobody(building: Building) -> None:
    async with building.client(cookies={"mainstay-session": building.key("owner")}) as browser:
        assert (await browser.get("/api/session")).status_code == 401


async def test_a_wrong_key_is_not_made_up_for_by_a_good_cookie(building: Building) -> None:
    async with building.client() as browser:
        await browser.post("/api/session", json={"key": building.key("owner")}, headers=SAME)
        wrong = await browser.get("/api/keys", headers={"authorization": "Bearer ms-wrong"})
        assert wrong.status_code == 401
        basic = await browser.get("/api/keys", headers={"authorization": "Basic abc"})
        assert basic.status_code == 401


async def test_signing_out_ends_the_session_and_not_only_the_cookie(building: Building) -> None:
    async with building.client() as browser:
        await browser.post("/api/session", json={"key": building.key("viewer")}, headers=SAME)
        kept = browser.cookies["mainstay-session"]
        assert (await browser.delete("/api/session", headers=SAME)).status_code == 200
        assert "mainstay-session" not in browser.cookies
        browser.cookies.set("mainstay-session", kept)
        assert (await browser.get("/api/session")).status_code == 401
