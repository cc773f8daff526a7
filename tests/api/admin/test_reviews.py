from typing import Any

import pytest

from mainstay.store.audit import select_entries
from mainstay.store.sql import reading
from support.admin import Building
from support.reviews import held_call, open_desk, open_queue

pytestmark = pytest.mark.anyio


async def held(building: Building, said: str = "4111", **who: str) -> str:
    """Have a request wait for a person; return its review."""
    office = building.office
    review = await open_queue(office.home).ask(held_call(said, **who), "cards", said, {"card": 2})
    open_desk(office.engine, office.home).take_in()
    return review


async def test_who_may_read_content_sees_what_is_asked_and_nobody_else_does(building: Building) -> None:
    building.office.directory.add_team("web")
    review = await held(building)
    for role in ("owner", "admin", "reviewer", "reviewer@team:web"):
        async with building.client(building.key(role)) as client:
            listed = await client.get("/api/reviews")
            assert [one["id"] for one in listed.json()["data"]] == [review]
            assert "4111" not in listed.text
            one = (await client.get(f"/api/reviews/{review}")).json()
            assert '"content": "4111"' in one["request"]
            assert (one["status"], one["kinds"], one["score"], one["team"]) == ("open", {"card": 2}, 0.75, "web")
    async with building.client(building.key("auditor")) as client:
        one = (await client.get(f"/api/reviews/{review}")).json()
        assert (one["request"], one["status"]) == (None, "open")
        assert (await client.post(f"/api/reviews/{review}/approve")).status_code == 403
    for role in ("operator", "developer@team:web", "viewer", "finance"):
        async with building.client(building.key(role)) as client:
            assert (await client.get(f"/api/reviews/{review}")).status_code == 403


async def test_a_reviewer_of_another_team_sees_and_decides_nothing(building: Building) -> None:
    for team in ("web", "app"):
        building.office.directory.add_team(team)
    review = await held(building)
    async with building.client(building.key("reviewer@team:app")) as client:
        assert (await client.get("/api/reviews")).json()["data"] == []
        for method, path in (("GET", ""), ("POST", "/approve"), ("POST", "/deny")):
            assert (await client.request(method, f"/api/reviews/{review}{path}")).status_code == 404
    assert open_desk(building.office.engine, building.office.home).find(review).status == "open"


async def test_a_decision_is_told_to_the_workers_and_noted(building: Building) -> None:
    one, two = await held(building, "1"), await held(building, "2")
    key = building.key("reviewer")
    async with building.client(key) as client:
        said = (await client.post(f"/api/reviews/{one}/approve", json={"wrong": True})).json()
        assert (said["status"], said["label"], said["decided_by"]) == (
            "approved",
            "false_positive",
            f"key:{building.ids[key]}",
        )
        said = (await client.post(f"/api/reviews/{two}/deny", json={"reason": "No cards."})).json()
        assert (said["status"], said["label"], said["reason"]) == ("denied", "true_positive", "No cards.")
        again = await client.post(f"/api/reviews/{two}/approve")
        assert (again.status_code, again.json()["error"]["code"]) == (409, "review_closed")
        assert (await client.post(f"/api/reviews/{two}/approve", json={"again": True})).json()["status"] == "approved"
        stats = (await client.get("/api/reviews/stats")).json()["data"]
        assert [(s["rail"], s["held"], s["right"], s["wrong"], s["precision"]) for s in stats] == [
            ("cards", 2, 1, 1, 0.5)
        ]
    worker = open_queue(building.office.home)
    worker.refresh()
    assert worker.allowed(held_call(), "cards", "1")
    with reading(building.office.engine) as connection:
        found = [(e.actor, e.action, e.subject) for e in select_entries(connection, action="reviews")]
    by = f"key:{building.ids[key]}"
    assert found == [
        (by, "reviews.approve", f"review:{two}"),
        (by, "reviews.deny", f"review:{two}"),
        (by, "reviews.approve", f"review:{one}"),
    ]


async def test_nobody_decides_on_a_request_of_their_own_key(building: Building) -> None:
    key = building.key("owner")
    review = await held(building, key=building.ids[key])
    async with building.client(key) as client:
        for verb in ("approve", "deny"):
            answer = await client.post(f"/api/reviews/{review}/{verb}")
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "own_review")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/reviews?status=odd", None, 400),
        ("/api/reviews?since=soon", None, 400),
        ("/api/reviews?limit=0", None, 400),
        ("/api/reviews/rev_0", None, 404),
        ("/api/reviews/..%2Fx", None, 404),
        ("/api/reviews/rev_0/approve", {}, 404),
        ("/api/reviews/rev_0/approve", {"reason": "x" * 4001}, 400),
        ("/api/reviews/rev_0/approve", {"wrong": "perhaps"}, 400),
    ],
)
async def test_what_makes_no_sense_is_refused(desk: Building, path: str, body: Any, status: int) -> None:
    async with desk.client(desk.key("owner")) as client:
        answer = await (client.get(path) if body is None else client.post(path, json=body))
    assert answer.status_code == status


async def test_pages_go_on_where_the_last_one_ended(building: Building) -> None:
    reviews = [await held(building, str(n)) for n in range(3)]
    async with building.client(building.key("auditor")) as client:
        page = (await client.get("/api/reviews", params={"limit": 2, "status": "open"})).json()
        assert ([one["id"] for one in page["data"]], page["has_more"]) == ([reviews[2], reviews[1]], True)
        rest = (await client.get("/api/reviews", params={"before": page["last"]})).json()
        assert ([one["id"] for one in rest["data"]], rest["has_more"]) == ([reviews[0]], False)
