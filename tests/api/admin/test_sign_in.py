import contextlib
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey

from support.admin import CONFIG, URL, Building
from support.ports import free_port
from support.provider import CLIENT, Provider, token

pytestmark = pytest.mark.anyio

KEY = RSAKey.generate_key(2048, {"kid": "one"})
PAGE = "/api/session/oidc"


def with_oidc(issuer: str, **fields: Any) -> str:
    rows = {"issuer": issuer, "client_id": CLIENT, **fields}
    return CONFIG + "identity: {oidc: {" + ", ".join(f"{name}: {value}" for name, value in rows.items()) + "}}\n"


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider(key=KEY)
    yield made
    made.stop()


@contextlib.contextmanager
def running_provider(user: dict[str, Any]) -> Iterator[str]:
    """Run a provider that somebody else wrote, with one user; yield its issuer."""
    port = free_port()
    options = ["--port", str(port), "--require-nonce", "true", "--user-claims", json.dumps(user)]
    command = [sys.executable, "-m", "oidc_provider_mock", *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + 30
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 5).close()
                    break
                except ConnectionRefusedError:
                    assert process.poll() is None
                    assert time.monotonic() < end
                    time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


async def back_from(building: Building, provider: Provider, browser: httpx.AsyncClient, **query: str) -> httpx.Response:
    """Sign in at the scripted provider and come back."""
    begun = await browser.get(PAGE, params=query)
    assert begun.status_code == 302, begun.text
    where = provider.sign_in(begun.headers["location"])
    assert where.startswith(URL)
    return await browser.get(where.removeprefix(URL))


async def test_a_person_signs_in_with_a_provider_found_by_discovery_and_out_again(building: Building) -> None:
    ann = {"sub": "ann", "email": "ann@corp.test", "name": "Ann", "email_verified": True, "groups": ["ops"]}
    with running_provider(ann) as issuer:
        building.configure(
            with_oidc(issuer, client_secret="'${SOLD}'", roles="{ops: operator}", scopes="[profile, email]")
        )
        async with building.client() as browser, httpx.AsyncClient() as elsewhere:
            ways = (await browser.get("/api/session/ways")).json()["data"]
            assert ways[1] == {"kind": "oidc", "name": "Single sign-on", "url": PAGE}
            begun = await browser.get(PAGE, params={"return_to": "/console?tab=keys"})
            # The user gives consent on the provider's own page.
            agreed = await elsewhere.post(begun.headers["location"], data={"sub": "ann"})
            back = urlsplit(agreed.headers["location"])
            finished = await browser.get(f"{back.path}?{back.query}")
            assert (finished.status_code, finished.headers["location"]) == (302, "/console?tab=keys")
            me = (await browser.get("/api/session")).json()
            assert (me["kind"], me["name"], me["email"]) == ("person", "Ann", "ann@corp.test")
            assert me["roles"] == ["operator@installation"]
            assert (await browser.get("/api/config")).status_code == 200
            assert (await browser.get("/api/people")).status_code == 403
            assert (await browser.delete("/api/session", headers={"origin": URL})).status_code == 200
            assert (await browser.get("/api/session")).status_code == 401


async def test_the_cookies_are_out_of_reach_of_scripts_and_other_sites(building: Building, provider: Provider) -> None:
    building.configure(with_oidc(provider.issuer))
    async with building.client() as browser:
        begun = await browser.get(PAGE)
        login = begun.headers["set-cookie"]
        finished = await browser.get(provider.sign_in(begun.headers["location"]).removeprefix(URL))
    kept = finished.headers.get_list("set-cookie")
    assert any(cookie.startswith('mainstay-login=""') for cookie in kept)
    for cookie in (login, *kept):
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert "Path=/" in cookie


async def test_over_https_the_cookies_are_bound_to_the_host_and_the_provider_sends_back_there(
    building: Building, provider: Provider
) -> None:
    building.configure(with_oidc(provider.issuer).replace("{oidc:", "{public_url: 'https://ai.corp.test', oidc:"))
    async with building.client() as browser:
        begun = await browser.get(PAGE)
    assert re.match(
        r"__Host-mainstay-login=\S+; HttpOnly; Max-Age=600; Path=/; SameSite=lax; Secure", begun.headers["set-cookie"]
    )
    assert "redirect_uri=https%3A%2F%2Fai.corp.test%2Fapi%2Fsession%2Foidc%2Fcallback" in begun.headers["location"]


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.test",
        "//evil.test",
        "/\\evil.test",
        "\\/evil.test",
        "javascript:alert(1)",
        "evil",
        "/\t/evil.test",
        "",
    ],
)
async def test_nobody_is_sent_elsewhere_after_signing_in(building: Building, provider: Provider, path: str) -> None:
    building.configure(with_oidc(provider.issuer))
    async with building.client() as browser:
        finished = await back_from(building, provider, browser, return_to=path)
    assert finished.headers["location"] == "/console"


async def test_a_sign_in_that_another_browser_began_does_not_end_here(building: Building, provider: Provider) -> None:
    building.configure(with_oidc(provider.issuer))
    async with building.client() as theirs, building.client() as mine:
        begun = await theirs.get(PAGE)
        link = provider.sign_in(begun.headers["location"]).removeprefix(URL)
        for _ in range(2):
            lured = await mine.get(link)
            assert lured.status_code == 401
            assert "set-cookie" not in lured.headers
            # Nor once the victim has begun one of its own.
            await mine.get(PAGE)


@pytest.mark.parametrize(
    "lie",
    [
        {"claims": {"nonce": "wrong"}},
        {"claims": {"aud": "somebody"}},
        {"claims": {"exp": 1}},
        {"answer": {"iss": "https://evil.test"}},
        {"sign": lambda claims: token(claims, RSAKey.generate_key(2048, {"kid": "one"}))},
    ],
    ids="-".join,
)
async def test_a_provider_that_lies_signs_nobody_in(
    building: Building, provider: Provider, lie: dict[str, Any]
) -> None:
    for name, value in lie.items():
        setattr(provider, name, value)
    building.configure(with_oidc(provider.issuer))
    async with building.client() as browser:
        finished = await back_from(building, provider, browser)
        assert finished.status_code == 401
        assert finished.json()["error"]["code"] == "sign_in_failed"
        assert (await browser.get("/api/session")).status_code == 401
    assert building.office.directory.people() == []


async def test_only_addresses_of_the_allowed_domains_come_in(building: Building, provider: Provider) -> None:
    provider.claims = {"email": "ann@other.test"}
    building.configure(with_oidc(provider.issuer, allowed_domains="[corp.test]"))
    async with building.client() as browser:
        finished = await back_from(building, provider, browser)
    assert (finished.status_code, finished.json()["error"]["code"]) == (403, "domain_not_allowed")
    assert building.office.directory.people() == []


async def test_roles_follow_the_groups_at_each_sign_in(building: Building, provider: Provider) -> None:
    building.configure(with_oidc(provider.issuer, roles="{ops: operator, boss: 'owner@organisation:default'}"))
    async with building.client() as browser:
        provider.claims = {"groups": ["ops", "boss"]}
        await back_from(building, provider, browser)
        assert len((await browser.get("/api/session")).json()["roles"]) == 2
        provider.claims = {"groups": ["ops"]}
        await back_from(building, provider, browser)
        assert (await browser.get("/api/session")).json()["roles"] == ["operator@installation"]
    assert len(building.office.directory.people()) == 1


async def test_who_is_disabled_is_sent_away_at_once_and_at_the_door(building: Building, provider: Provider) -> None:
    building.configure(with_oidc(provider.issuer))
    async with building.client() as browser, building.client(building.key("admin")) as admin:
        await back_from(building, provider, browser)
        person = (await browser.get("/api/session")).json()["id"]
        assert (await admin.post(f"/api/people/{person}/disable")).json()["state"] == "disabled"
        assert (await browser.get("/api/session")).status_code == 401
        assert (await back_from(building, provider, browser)).json()["error"]["code"] == "person_disabled"
        assert (await admin.post(f"/api/people/{person}/enable")).json()["state"] == "active"
        assert (await back_from(building, provider, browser)).status_code == 302


async def test_an_edit_of_the_provider_holds_for_the_next_sign_in(building: Building, provider: Provider) -> None:
    building.configure(with_oidc("http://127.0.0.1:1"))
    async with building.client() as browser:
        assert (await browser.get(PAGE)).status_code == 503
        building.configure(with_oidc(provider.issuer))
        assert (await browser.get(PAGE)).status_code == 302
        building.configure(CONFIG)
        assert (await browser.get(PAGE)).status_code == 404
