import pytest
from fastapi.routing import APIRoute
from sqlalchemy.exc import OperationalError

from support.admin import Building

pytestmark = pytest.mark.anyio


async def test_the_openapi_document_has_every_route_and_what_it_needs(building: Building) -> None:
    async with building.client() as client:
        document = (await client.get("/api/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    for route in building.app.routes:
        assert isinstance(route, APIRoute)
        if not route.include_in_schema:
            continue
        for method in route.methods:
            operation = document["paths"][route.path_format][method.lower()]
            assert operation["summary"]
            assert operation["description"]
            assert operation["tags"]
            assert "422" not in operation["responses"]
            assert operation["responses"]["default"] == {"$ref": "#/components/responses/Error"}
    assert document["paths"]["/api/keys"]["post"]["x-mainstay-permission"] == "keys.write"
    assert document["paths"]["/api/session"]["post"]["security"] == []
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))


async def test_every_reference_in_the_openapi_document_leads_somewhere(building: Building) -> None:
    async with building.client() as client:
        document = (await client.get("/api/openapi.json")).json()

    def check(value: object) -> None:
        if isinstance(value, dict):
            if isinstance(reference := value.get("$ref"), str):
                found = document
                for part in reference.removeprefix("#/").split("/"):
                    found = found[part]
            for inner in value.values():
                check(inner)
        elif isinstance(value, list):
            for inner in value:
                check(inner)

    check(document)
    assert "outcome" in document["components"]["schemas"]["Record"]["properties"]


async def test_what_is_not_there_is_said_in_openais_envelope(building: Building) -> None:
    async with building.client(building.key("owner")) as client:
        lost = await client.get("/api/nothing")
        assert (lost.status_code, lost.json()["error"]["code"]) == (404, "not_found")
        wrong = await client.put("/api/keys")
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, POST")
        assert wrong.json()["error"]["code"] == "method_not_allowed"
        broken = await client.post("/api/keys", content=b"{", headers={"content-type": "application/json"})
        assert (broken.status_code, broken.json()["error"]["message"]) == (400, "The body is not valid JSON.")
        listed = await client.post("/api/keys", json=[1])
        assert listed.status_code == 400


async def test_no_answer_is_kept_by_a_cache_and_each_carries_its_request_id(building: Building) -> None:
    async with building.client() as client:
        for path in ("/api/openapi.json", "/api/keys", "/api/nothing"):
            answer = await client.get(path, headers={"x-request-id": "req-1"})
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["x-request-id"] == "req-1"


async def test_a_database_that_fails_is_no_fault_of_the_caller(
    building: Building, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise OperationalError("SELECT secret", {}, Exception("disk"))

    monkeypatch.setattr(type(building.office.directory), "teams", lambda _: fail())
    async with building.client(building.key("viewer")) as client:
        answer = await client.get("/api/teams")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"] == "1"
    assert "secret" not in answer.text


async def test_a_fault_of_ours_says_nothing_of_the_inside(building: Building, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError("the inside")

    monkeypatch.setattr(type(building.office.directory), "teams", lambda _: fail())
    async with building.client(building.key("viewer")) as client:
        # The server logs it; httpx's transport is asked not to raise it here.
        client._transport.raise_app_exceptions = False  # type: ignore[attr-defined]  # it has no public way
        answer = await client.get("/api/teams")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert "inside" not in answer.text
