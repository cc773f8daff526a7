"""The admin API's part about knowledge as a whole: files that are sent, what is read and built beside, archives."""

from pathlib import Path
from typing import Any

import pytest

from mainstay.store.audit import select_entries
from mainstay.store.sql import reading
from support.admin import CONFIG, Building

pytestmark = pytest.mark.anyio

WARRANTY = b"# Warranty\n\nThe warranty of the lantern lasts two years from the day of delivery.\n"
ROWS = b'{"id": 1, "text": "The wick is of cotton."}\n{"id": 2, "text": "The oil is of olives."}\n'
AT = "/api/knowledge/handbook"


@pytest.fixture
def folder(building: Building) -> Path:
    """Return a folder that the configuration names as a source."""
    found = building.config[0].source[0].parent / "docs"
    found.mkdir()
    (found / "warranty.md").write_bytes(WARRANTY)
    sources = "sources: [{path: docs, every: 1h}, {name: web, urls: ['https://nowhere.invalid/']}]"
    building.configure(CONFIG.replace("{embedder: none}", f"{{embedder: none, {sources}}}"))
    return found


async def test_a_file_is_sent_as_it_is_and_a_table_as_its_rows(building: Building) -> None:
    async with building.client(building.key("admin")) as client:
        terms = {"name": "warranty.md", "group": ["staff", "hr"], "licence": "CC0", "ttl": "90d", "why": "New."}
        answer = await client.post(f"{AT}/upload", params=terms, content=WARRANTY)
        assert (answer.status_code, answer.json()["added"]) == (201, 1), answer.text
        (listed,) = (await client.get(f"{AT}/documents")).json()["data"]
        assert (listed["groups"], listed["ttl"], listed["title"]) == (["hr", "staff"], 90 * 86_400, "Warranty")
        # What a client says that it sends is not believed.
        headers = {"content-type": "application/json"}
        answer = await client.post(f"{AT}/upload?name=faq.jsonl", content=ROWS, headers=headers)
        assert answer.json()["added"] == 2
        names = [one["document"] for one in (await client.get(f"{AT}/documents")).json()["data"]]
        assert names == ["faq.jsonl#1", "faq.jsonl#2", "warranty.md"]
        answer = await client.post(f"{AT}/upload?name=faq.jsonl", content=ROWS.partition(b"\n")[0])
        assert (answer.json()["changed"], answer.json()["closed"]) == (1, 1)
        for junk, said in ((b"", "no kind"), (b"\x89PNG\r\n\x1a\n", "no kind"), (b"%PDF-1.7 junk", "PDF")):
            answer = await client.post(f"{AT}/upload?name=junk", content=junk)
            assert (answer.status_code, said in answer.json()["error"]["message"]) == (400, True), answer.text
        assert (await client.post(f"{AT}/upload", content=b"x")).status_code == 400
        changes = (await client.get(f"{AT}/history")).json()["data"]
        assert "New." in [one["why"] for one in changes]


async def test_sources_of_the_configuration_are_read_again_when_told_to(building: Building, folder: Path) -> None:
    key = building.key("admin")
    async with building.client(key) as client:
        (docs, web) = (await client.get(f"{AT}/sources")).json()["data"]
        assert (docs["name"], docs["every"], docs["listed"], docs["due"] > 0) == ("docs", 3600.0, 0, True)
        assert (web["urls"], web["due"]) == (["https://nowhere.invalid/"], 0)
        begun = await client.post(f"{AT}/ingest", json={"sources": ["docs"], "why": "Asked for."})
        assert (begun.status_code, begun.json()["what"], begun.json()["who"]) == (
            202,
            "ingest",
            f"key:{building.ids[key]}",
        )
        building.office.tasks.settle()
        task = (await client.get(f"{AT}/tasks/{begun.json()['id']}")).json()
        assert (task["state"], task["done"], task["total"]) == ("done", 1, 1)
        assert (task["reports"][0]["source"], task["reports"][0]["added"]) == ("docs", 1)
        assert (await client.get(f"{AT}/tasks")).json()["data"] == [task]
        (docs, _) = (await client.get(f"{AT}/sources")).json()["data"]
        assert (docs["documents"], docs["due"] - docs["listed"]) == (1, 3_600_000)
        (folder / "warranty.md").write_bytes(WARRANTY + b"More.\n")
        await client.post(f"{AT}/ingest", json={"sources": ["docs"]})
        building.office.tasks.settle()
        (task, _) = (await client.get(f"{AT}/tasks")).json()["data"]
        assert task["reports"][0]["changed"] == 1
    with reading(building.office.engine) as connection:
        noted = [(one.actor, one.action) for one in select_entries(connection, action="knowledge")]
    assert noted == [(f"key:{building.ids[key]}", "knowledge.add")] * 2


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"sources": ["lost"]}, "it has docs, web"),
        ({"urls": ["/etc/passwd"]}, "is no address"),
        ({"urls": ["file:///etc/passwd"]}, "is no address"),
        ({"urls": ["https://a.test"], "sources": ["docs"]}, "either"),
        ({"sources": ["docs"], "groups": ["hr"]}, "configuration"),
        ({"urls": ["https://a.test"], "ttl": "soon"}, "ttl"),
        ({"urls": ["https://a.test"], "groups": ["h r"]}, "no name of a group"),
    ],
)
async def test_what_cannot_be_read_is_refused_before_anything_begins(
    building: Building, folder: Path, body: Any, said: str
) -> None:
    async with building.client(building.key("owner")) as client:
        answer = await client.post(f"{AT}/ingest", json=body)
        assert (answer.status_code, said in answer.json()["error"]["message"]) == (400, True), answer.text
        assert (await client.get(f"{AT}/tasks")).json()["data"] == []
        nowhere = await client.post("/api/knowledge/other/ingest")
        assert (nowhere.status_code, "sources" in nowhere.json()["error"]["message"]) == (400, True)
        for name in ("a b", "%2e%2e"):
            assert (await client.post(f"/api/knowledge/{name}/ingest", json=body)).status_code in (400, 404)


async def test_a_version_is_built_measured_and_cleared_away(building: Building) -> None:
    async with building.client(building.key("owner")) as client:
        await client.post(f"{AT}/upload?name=warranty.md", content=WARRANTY)
        begun = await client.post(f"{AT}/build", json={"version": "next", "embedder": "none"})
        assert begun.status_code == 202
        building.office.tasks.settle()
        (task,) = (await client.get(f"{AT}/tasks")).json()["data"]
        assert (task["state"], task["version"], task["message"]) == ("done", "next", "")
        judged = {"questions": [{"question": "How long is the warranty?", "relevant": ["warranty.md"]}]}
        found = (await client.post(f"{AT}/eval", json={**judged, "version": "next", "against": "main"})).json()
        assert (found["one"]["ndcg"], found["one"]["version"], found["gain"]["gain"]) == (1.0, "next", 0.0)
        learned = (await client.post(f"{AT}/learn", json=judged)).json()
        assert learned["weight"] == learned["before"]
        await client.post(f"{AT}/build", json={"version": "main"})
        building.office.tasks.settle()
        (task, _) = (await client.get(f"{AT}/tasks")).json()["data"]
        assert (task["state"], "already" in task["message"]) == ("failed", True)
        change = {"name": "warranty.md", "replace": "two", "by": "three", "why": "New terms."}
        await client.post(f"{AT}/edit", json=change)
        cleared = (await client.post(f"{AT}/gc", json={"keep": "0s"})).json()
        assert cleared["size"] > 0
        assert (await client.post(f"{AT}/gc", json={"keep": "long"})).status_code == 400
        assert (await client.post("/api/knowledge/lost/build", json={"version": "x"})).status_code == 404
        assert (await client.get(f"{AT}/tasks/none")).status_code == 404
        assert (await client.post(f"{AT}/tasks/{task['id']}/stop")).json()["state"] == "failed"
        assert (await client.get("/api/knowledge/other/tasks")).json()["data"] == []


async def test_a_base_goes_out_as_a_file_and_comes_in_elsewhere(building: Building) -> None:
    async with building.client(building.key("owner")) as client:
        await client.post(f"{AT}/upload?name=warranty.md", content=WARRANTY)
        await client.post(f"{AT}/upload?name=faq.jsonl", content=ROWS)
        await client.post(f"{AT}/retract", json={"name": "faq.jsonl#2", "why": "Wrong."})
        ((gone,),) = [(await client.get(f"{AT}/retractions")).json()["data"]]
        assert (gone["name"], gone["why"], gone["erased"]) == ("faq.jsonl#2", "Wrong.", False)
        answer = await client.get(f"{AT}/export")
        assert (answer.headers["content-type"], len(answer.content)) == (
            "application/zip",
            int(answer.headers["content-length"]),
        )
        taken = await client.post("/api/knowledge/copy/import?why=Moved.", content=answer.content)
        assert (taken.status_code, taken.json()["what"]) == (202, "import"), taken.text
        building.office.tasks.settle()
        assert len((await client.get("/api/knowledge/copy/documents")).json()["data"]) == 2
        assert (await client.get("/api/knowledge/copy/history")).json()["data"][0]["why"] == "Moved."
        await client.post("/api/knowledge/copy/import", content=answer.content)
        building.office.tasks.settle()
        (task, _) = (await client.get("/api/knowledge/copy/tasks")).json()["data"]
        assert (task["state"], "has documents" in task["message"]) == ("failed", True)
        for name, junk in (("third", b""), ("third", b"junk"), ("a b", answer.content)):
            answer = await client.post(f"/api/knowledge/{name}/import", content=junk)
            assert answer.status_code == 400, answer.text
        await client.post("/api/knowledge/third/import", content=b"PK\x05\x06" + bytes(18))
        building.office.tasks.settle()
        assert "not an archive" in (await client.get("/api/knowledge/third/tasks")).json()["data"][0]["message"]
        assert not [one for one in building.office.home.iterdir() if one.name.startswith((".export", ".import"))]
        stale = (await client.get("/api/knowledge/stale")).json()["data"]
        assert stale == []


async def test_who_may_only_look_changes_and_takes_nothing(desk: Building) -> None:
    writes = [("upload?name=a", None), ("ingest", {}), ("build", {"version": "x"}), ("gc", {}), ("import", None)]
    writes += [("learn", {"questions": [{"question": "a", "relevant": ["b"]}]}), ("tasks/x/stop", {})]
    async with desk.client(desk.key("auditor")) as client:
        for path, body in writes:
            options: dict[str, Any] = {"content": b"x"} if body is None else {"json": body}
            assert (await client.post(f"{AT}/{path}", **options)).status_code == 403, path
        assert (await client.get(f"{AT}/export")).status_code == 403
        assert (await client.get(f"{AT}/tasks")).status_code == 200
