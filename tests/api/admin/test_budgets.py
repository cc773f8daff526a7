from datetime import UTC, datetime

import pytest

from mainstay.core.clock import wall_ms
from support.admin import CONFIG, Building
from support.spending import attempt, bought, keep

pytestmark = pytest.mark.anyio
USD = 10**12


async def listed(building: Building, role: str) -> list[tuple[str, str, str, str]]:
    async with building.client(building.key(role)) as client:
        answer = await client.get("/api/budgets")
    assert answer.status_code == 200, answer.text
    return [(one["budget"], one["of"], one["used_usd"], one["left_usd"]) for one in answer.json()["data"]]


async def test_budgets_stand_as_the_books_say_and_teams_see_their_own(building: Building) -> None:
    building.configure(CONFIG + "cost: {budgets: {all: 50/month, teams: {limit: 10/month, per: team}}}\n")
    for team in ("web", "app"):
        building.office.directory.add_team(team)
    key = building.office.keys.create("alice", team="web", budget="20/month").row.id
    now = wall_ms()
    month = datetime.fromtimestamp(now / 1000, UTC).strftime("%Y-%m")
    charges = {"all||usd|month": 3, "teams|web|usd|month": 2, "teams|app|usd|month": 1, f"key:{key}||usd|month": 3}
    entered = {f"{series}@{month}": amount * USD for series, amount in charges.items()}
    keep(building.office.engine, [bought(now, attempt("gpt", 3 * USD), charges=entered, key=key, team="web")])
    every = [
        ("all", "", "3", "47"),
        ("teams", "team app", "1", "9"),
        ("teams", "team web", "2", "8"),
        ("key", "key alice", "3", "17"),
    ]
    assert await listed(building, "finance") == every
    assert await listed(building, "developer@team:web") == every[2:]
    assert await listed(building, "developer@team:app") == [every[1]]


async def test_without_budgets_there_is_an_empty_list(building: Building) -> None:
    assert await listed(building, "owner") == []
