import itertools
from typing import Annotated, Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from mainstay.api.admin import app as admin_app
from mainstay.api.admin.access import Access, Declared, needs, public, signed_in
from mainstay.api.admin.app import build, declared
from mainstay.identity.roles import PERMISSIONS, Permission, Role
from support.admin import Building

pytestmark = pytest.mark.anyio

#: Routes that anyone may use, on purpose.
OPEN = {
    ("GET", "/api/openapi.json"),
    ("POST", "/api/session"),
    ("GET", "/api/session/ways"),
    ("GET", "/api/session/oidc"),
    ("GET", "/api/session/oidc/callback"),
}
KNOWLEDGE: dict[tuple[str, str], Any] = {
    ("POST", "/api/knowledge/{base}/documents"): lambda n: {"document": f"made-{n}", "text": "Made."},
    ("POST", "/api/knowledge/{base}/search"): lambda n: {"question": "made"},
    ("POST", "/api/knowledge/{base}/edit"): lambda n: {"name": "made", "text": "Made.", "why": "Why."},
    ("POST", "/api/knowledge/{base}/retract"): lambda n: {"name": "made", "why": "Why."},
    ("POST", "/api/knowledge/{base}/swap"): lambda n: {"version": "made"},
    ("POST", "/api/knowledge/{base}/build"): lambda n: {"version": "made"},
    ("POST", "/api/knowledge/{base}/eval"): lambda n: {"questions": [{"question": "made", "relevant": ["made"]}]},
    ("POST", "/api/knowledge/{base}/learn"): lambda n: {"questions": [{"question": "made", "relevant": ["made"]}]},
}
CACHE: dict[tuple[str, str], Any] = {
    ("POST", "/api/cache/evict"): lambda n: {"route": "made"},
    ("POST", "/api/cache/semantic/{route}/off"): lambda n: {"why": "Why."},
}
#: Bodies of requests that would do something, were there such a thing.
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/api/organisations"): lambda n: {"name": f"made-{n}"},
    ("POST", "/api/teams"): lambda n: {"name": f"made-{n}"},
    ("POST", "/api/keys"): lambda n: {"name": f"made-{n}"},
    ("PATCH", "/api/keys/{key}"): lambda n: {"rpm": 5},
    ("POST", "/api/grants"): lambda n: {"kind": "key", "holder": "nobody", "role": "viewer"},
    **KNOWLEDGE,
    **CACHE,
}
#: The same for what belongs to the organisation alpha.
FOREIGN: dict[tuple[str, str], Any] = {
    ("POST", "/api/teams"): lambda n: {"name": f"alpha-{n}", "organisation": "alpha"},
    ("POST", "/api/keys"): lambda n: {"name": f"alpha-{n}", "team": "alpha-team"},
    ("PATCH", "/api/keys/{key}"): lambda n: {"rpm": 5},
    ("POST", "/api/grants"): lambda n: {"kind": "key", "holder": "alpha-key", "role": "viewer@team:alpha-team"},
    ("POST", "/api/organisations"): lambda n: {"name": f"alpha-{n}"},
    **KNOWLEDGE,
    **CACHE,
}
NUMBERS = itertools.count()


def routes(building: Building) -> list[tuple[str, APIRoute, Declared]]:
    found = []
    for route in building.app.routes:
        word = declared(route)
        assert word is not None
        assert isinstance(route, APIRoute)
        found += [(method, route, word) for method in route.methods]
    return found


def body_of(method: str, route: APIRoute, bodies: dict[tuple[str, str], Any]) -> Any:
    if route.body_field is None:
        return None
    made = bodies.get((method, route.path))
    if made is None:
        # A body that may be left out.
        assert not route.body_field.field_info.is_required(), f"give {method} {route.path} a body in this test"
        return None
    return made(next(NUMBERS))


async def test_every_route_lets_in_nobody_who_is_not_known_but_for_those_named_here(desk: Building) -> None:
    seen = set()
    async with desk.client() as client:
        for method, route, word in routes(desk):
            seen.add((method, route.path))
            if (method, route.path) in OPEN:
                assert not word.known
                continue
            answer = await client.request(method, route.path, json=body_of(method, route, BODIES))
            assert answer.status_code == 401, f"{method} {route.path}"
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json()["error"]["code"] == "invalid_api_key"
    assert seen >= OPEN


@pytest.mark.parametrize("role", Role)
async def test_every_route_does_for_every_role_what_the_table_says(desk: Building, role: Role) -> None:
    async with desk.client(desk.key(role)) as client:
        for method, route, word in routes(desk):
            if (method, route.path) in OPEN:
                continue
            answer = await client.request(method, route.path, json=body_of(method, route, BODIES))
            allowed = word.permission is None or word.permission in PERMISSIONS[role]
            assert answer.status_code != 401
            assert (answer.status_code != 403) == allowed, f"{role}: {method} {route.path}: {answer.text}"
            assert answer.status_code < 500 or answer.status_code == 503, f"{method} {route.path}: {answer.text}"


async def test_a_key_without_a_role_may_only_ask_who_it_is(desk: Building) -> None:
    async with desk.client(desk.key()) as client:
        for method, route, word in routes(desk):
            if (method, route.path) in OPEN:
                continue
            answer = await client.request(method, route.path, json=body_of(method, route, BODIES))
            assert (answer.status_code == 200) == (word.permission is None), f"{method} {route.path}"


@pytest.mark.parametrize("where", ["organisation:beta", "team:beta-team", "organisation:default"])
@pytest.mark.parametrize("role", Role)
async def test_a_role_in_one_organisation_neither_sees_nor_changes_another(
    desk: Building, role: Role, where: str
) -> None:
    before = desk.office.keys.list(revoked=True)
    ids = {"{key}": desk.ids["key"], "{grant}": desk.ids["grant"], "{record}": desk.ids["record"]}
    ids |= {"{person}": desk.ids["person"], "{review}": desk.ids["review"]}
    async with desk.client(desk.key(f"{role}@{where}")) as client:
        for method, route, _ in routes(desk):
            if (method, route.path) in OPEN:
                continue
            path = route.path.replace("{name:path}", "alpha-team" if "teams" in route.path else "alpha")
            for mark, value in ids.items():
                path = path.replace(mark, value)
            answer = await client.request(method, path, json=body_of(method, route, FOREIGN))
            if "{" in route.path or method != "GET":
                # What an own session may do is not about another's things.
                assert answer.status_code in (403, 404) or route.path == "/api/session", f"{method} {path}"
            else:
                assert "alpha" not in answer.text, f"{method} {path}"
    after = desk.office.keys.list(revoked=True)
    assert [row for row in after if row.name.startswith("alpha")] == [r for r in before if r.name.startswith("alpha")]


@pytest.mark.parametrize("where", ["installation", "organisation:alpha", "team:alpha-team"])
async def test_a_role_sees_what_lies_inside_its_scope(desk: Building, where: str) -> None:
    async with desk.client(desk.key(f"developer@{where}")) as client:
        keys = (await client.get("/api/keys")).json()["data"]
        assert "alpha-key" in [key["name"] for key in keys]
        records = (await client.get("/api/records")).json()["data"]
        assert [record["id"] for record in records] == ["alpha-record"]
        assert [batch["id"] for batch in (await client.get("/api/batches")).json()["data"]] == ["batch_alpha"]
        assert (await client.get(f"/api/keys/{desk.ids['key']}")).json()["organisation"] == "alpha"
        assert (await client.get("/api/teams/alpha-team")).status_code == 200


def test_an_app_with_a_route_that_does_not_say_who_may_use_it_does_not_start(
    building: Building, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent:
        @staticmethod
        def add_routes(app: FastAPI) -> None:
            @app.get("/api/secrets")
            def secrets() -> dict[str, str]:
                return {}

    monkeypatch.setattr(admin_app, "_NOUNS", (Silent,))
    with pytest.raises(LookupError, match="/api/secrets does not say who may use it"):
        build(building.office)


def test_an_app_with_a_route_that_says_two_things_does_not_start(
    building: Building, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Torn:
        @staticmethod
        def add_routes(app: FastAPI) -> None:
            @app.get("/api/secrets", dependencies=[public()])
            def secrets(access: Annotated[Access, needs(Permission.CONFIG_READ)]) -> dict[str, str]:
                return {}

    monkeypatch.setattr(admin_app, "_NOUNS", (Torn,))
    with pytest.raises(LookupError):
        build(building.office)


def test_the_helpers_say_what_they_are_named_for() -> None:
    words = [found.dependency for found in (needs(Permission.KEYS_READ, scoped=True), signed_in(), public())]
    assert [(word.permission, word.scoped, word.known) for word in words] == [
        (Permission.KEYS_READ, True, True),
        (None, False, True),
        (None, False, False),
    ]
