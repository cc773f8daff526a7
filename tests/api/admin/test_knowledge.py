"""The admin API's part about knowledge: what is put is found, corrected, taken out, and noted."""

from typing import Any

import httpx
import pytest

from mainstay.store.audit import select_entries
from mainstay.store.sql import reading
from support.admin import Building

pytestmark = pytest.mark.anyio

WARRANTY = "# Warranty\n\nThe warranty of the lantern lasts two years from the day of delivery.\n"
SALARIES = "# Salaries\n\nThe salary of a keeper is forty crowns.\n"


async def put(client: httpx.AsyncClient, document: str, text: str, **more: Any) -> dict[str, Any]:
    answer = await client.post("/api/knowledge/handbook/documents", json={"document": document, "text": text, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def found(client: httpx.AsyncClient, question: str, **more: Any) -> list[dict[str, Any]]:
    answer = await client.post("/api/knowledge/handbook/search", json={"question": question, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()["sources"]


async def test_a_document_is_added_found_corrected_and_taken_out(building: Building) -> None:
    key = building.key("admin")
    async with building.client(key) as client:
        assert (await client.get("/api/knowledge")).json()["data"][0]["documents"] == 0
        report = await put(client, "warranty.md", WARRANTY, licence="CC0")
        assert (report["added"], report["passages"]) == (1, 1)
        (listed,) = (await client.get("/api/knowledge/handbook/documents")).json()["data"]
        assert (listed["document"], listed["title"], listed["licence"]) == ("warranty.md", "Warranty", "CC0")
        (source,) = await found(client, "How long is the warranty?")
        opened = (await client.get(f"/api/knowledge/handbook/passages/{source['passage']}")).json()
        whole = opened["before"] + opened["source"]["text"] + opened["after"]
        assert whole[source["start"] : source["end"]] == source["text"] == opened["source"]["text"]
        change = {"name": "warranty.md", "replace": "two years", "by": "three years", "why": "New terms."}
        written = (await client.post("/api/knowledge/handbook/edit", json=change)).json()
        assert written["closed"] == [source["passage"]]
        (now,) = await found(client, "How long is the warranty?")
        assert "three years" in now["text"]
        before = (await client.get(f"/api/knowledge/handbook/passages/{source['passage']}")).json()
        assert (before["state"], before["source"]["revision"]) == ("superseded", 1)
        gone = {"name": "warranty.md", "why": "Withdrawn."}
        assert (await client.post("/api/knowledge/handbook/retract", json=gone)).status_code == 200
        assert await found(client, "How long is the warranty?") == []
        assert (await client.get(f"/api/knowledge/handbook/passages/{now['passage']}")).status_code == 404
        changes = (await client.get("/api/knowledge/handbook/history")).json()["data"]
        by = f"key:{building.ids[key]}"
        said = [(one["what"], one["who"], one["why"]) for one in changes if one["why"]]
        assert said[0][1:] == (by, "Withdrawn.")
        assert said[1][1:] == (by, "New terms.")
    with reading(building.office.engine) as connection:
        noted = [(one.actor, one.action, one.subject) for one in select_entries(connection, action="knowledge")]
    assert noted == [(by, f"knowledge.{what}", "knowledge:handbook") for what in ("retract", "edit", "add")]


async def test_what_is_retracted_is_not_put_again_until_that_is_undone(building: Building) -> None:
    async with building.client(building.key("owner")) as client:
        await put(client, "warranty.md", WARRANTY)
        gone = {"name": "warranty.md", "why": "Withdrawn."}
        await client.post("/api/knowledge/handbook/retract", json=gone)
        again = await client.post(
            "/api/knowledge/handbook/documents", json={"document": "warranty.md", "text": WARRANTY}
        )
        assert again.status_code == 409
        await client.post("/api/knowledge/handbook/retract", json=gone | {"undo": True})
        assert len(await found(client, "warranty")) == 1


async def test_a_search_may_be_made_as_someone_of_a_group_sees_it(building: Building) -> None:
    async with building.client(building.key("owner")) as client:
        await put(client, "salaries.md", SALARIES, groups=["staff"])
        assert len(await found(client, "salary of a keeper")) == 1
        assert len(await found(client, "salary of a keeper", groups=["staff"])) == 1
        assert await found(client, "salary of a keeper", groups=["guests"]) == []
        assert await found(client, "salary of a keeper", groups=[]) == []


async def test_texts_are_for_those_who_read_content_and_changes_for_those_who_may(building: Building) -> None:
    async with building.client(building.key("owner")) as client:
        await put(client, "warranty.md", WARRANTY)
        (source,) = await found(client, "warranty")
    texts = [
        ("POST", "/search", {"question": "warranty"}),
        ("GET", "/document?name=warranty.md", None),
        ("GET", f"/passages/{source['passage']}", None),
    ]
    for role, reads in (("reviewer", True), ("auditor", False), ("operator", False), ("developer", False)):
        async with building.client(building.key(role)) as client:
            lists = [await client.get(f"/api/knowledge/handbook/{page}") for page in ("documents", "history", "stale")]
            assert [answer.status_code for answer in lists] == [200, 200, 200]
            assert not any("two years" in answer.text for answer in lists)
            for method, path, body in texts:
                answer = await client.request(method, f"/api/knowledge/handbook{path}", json=body)
                assert (answer.status_code == 200) == reads, (role, path)
            change = {"name": "warranty.md", "why": "Mine."}
            assert (await client.post("/api/knowledge/handbook/retract", json=change)).status_code == 403
    building.office.directory.add_team("web")
    async with building.client(building.key("admin@team:web")) as client:
        assert (await client.get("/api/knowledge")).status_code == 403


async def test_versions_are_swapped_and_rolled_back(building: Building) -> None:
    async with building.client(building.key("owner")) as client:
        await put(client, "warranty.md", WARRANTY)
        with building.office.knowledge("key:tester") as knowledge:
            knowledge.build("handbook", "next", embedder="none")
        states = {
            one["name"]: one["state"] for one in (await client.get("/api/knowledge/handbook/versions")).json()["data"]
        }
        assert states == {"main": "live", "next": "ready"}
        swapped = await client.post("/api/knowledge/handbook/swap", json={"version": "next"})
        assert swapped.json()["name"] == "next"
        assert (await found(client, "warranty"))[0]["pin"]["version"] == "next"
        assert (await client.post("/api/knowledge/handbook/rollback")).json()["name"] == "main"
        assert (await client.get("/api/knowledge/handbook/diff", params={"one": "main"})).json()["data"] == []


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/documents", None, 404),
        ("/history", None, 404),
        ("/passages/p0", None, 404),
        ("/search", {"question": "x"}, 404),
        ("/search", {"question": ""}, 400),
        ("/edit", {"name": "a", "why": "", "text": "b"}, 400),
        ("/edit", {"name": "a", "why": "b"}, 400),
        ("/retract", {"why": "b"}, 400),
        ("/retract", {"why": "b", "name": "a", "fact": "c"}, 400),
        ("/retract", {"why": "b", "fact": "c", "undo": True}, 400),
        ("/swap", {"version": "none"}, 404),
        ("/diff?one=yesterday", None, 404),
    ],
)
async def test_what_makes_no_sense_is_refused(desk: Building, path: str, body: Any, status: int) -> None:
    async with desk.client(desk.key("owner")) as client:
        path = f"/api/knowledge/nowhere{path}"
        answer = await (client.get(path) if body is None else client.post(path, json=body))
    assert answer.status_code == status, answer.text
