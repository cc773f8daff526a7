import itertools
import json
from typing import Any

import pytest

from mainstay.core.clock import wall_ms
from support.admin import Building
from support.spending import DAY, attempt, bought, keep

pytestmark = pytest.mark.anyio
USD = 10**12


def fill(building: Building) -> None:
    """Enter calls of two teams, a dollar a day each, and one of ten on the day before yesterday."""
    for team in ("web", "app"):
        building.office.directory.add_team(team)
    key = building.office.keys.create("alice", team="web", budget="20/month").row.id
    now = wall_ms()
    days = itertools.product(range(1, 50), ("web", "app"))
    records = [bought(now - n * DAY, attempt("gpt", USD), team=team, key=key) for n, team in days]
    odd = bought(now - 2 * DAY, attempt("gpt", 10 * USD, computed=9 * USD), team="web", key=key, id="odd")
    keep(building.office.engine, [*records, odd])


async def ask(building: Building, role: str, path: str, **query: Any) -> Any:
    async with building.client(building.key(role)) as client:
        answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_spending_is_summed_by_what_is_asked_for(building: Building) -> None:
    fill(building)
    found = await ask(building, "finance", "/api/spend", by="team,model", since="10d")
    assert [(row["team"], row["model"]) for row in found["rows"]] == [("web", "gpt"), ("app", "gpt")]
    assert found["by"] == ["team", "model"]
    assert int(found["total"]["cost_usd"]) == sum(int(row["cost_usd"]) for row in found["rows"])
    alone = await ask(building, "finance", "/api/spend", by="key", team="app", since="10d", key="alice")
    assert (len(alone["rows"]), alone["rows"][0]["key_name"]) == (1, "alice")
    week = await ask(
        building, "finance", "/api/spend", by="week", since="2020-01-01", zone="Europe/Zurich", vendor="openai"
    )
    assert sum(int(row["cost_usd"]) for row in week["rows"]) == 2 * 49 + 10


@pytest.mark.parametrize(
    "path", ["/api/spend", "/api/spend/forecast", "/api/spend/anomalies", "/api/spend/differences"]
)
async def test_who_has_a_role_in_a_team_sees_only_what_it_spent(building: Building, path: str) -> None:
    fill(building)
    by = {"by": "team"} if path in ("/api/spend", "/api/spend/anomalies") else {}
    mine = await ask(building, "viewer@team:app", path, **by)
    all_ = await ask(building, "viewer", path, **by)
    assert "web" not in json.dumps(mine)
    assert mine != all_


async def test_a_forecast_has_intervals_and_an_anomaly_its_day(building: Building) -> None:
    fill(building)
    found = await ask(building, "viewer", "/api/spend/forecast", days=5, team="app")
    assert len(found["days"]) == 5
    assert float(found["total"]["low_usd"]) <= float(found["total"]["likely_usd"]) <= float(found["total"]["high_usd"])
    odd = (await ask(building, "viewer", "/api/spend/anomalies", by="team"))["data"]
    assert [(one["team"], one["spent_usd"]) for one in odd] == [("web", "11")]


async def test_where_too_little_is_known_nothing_is_foretold(building: Building) -> None:
    found = await ask(building, "viewer", "/api/spend/forecast")
    assert (found["days"], found["total"]) == (None, None)
    assert "14 days" in found["reason"]


async def test_differences_name_both_amounts(building: Building) -> None:
    fill(building)
    found = (await ask(building, "viewer", "/api/spend/differences"))["data"]
    assert [(one["reported_usd"], one["computed_usd"], one["difference_usd"]) for one in found] == [("10", "9", "1")]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/api/spend", {"by": "colour"}),
        ("/api/spend", {"zone": "Middle/Earth"}),
        ("/api/spend", {"since": "soon"}),
        ("/api/spend", {"until": "later"}),
        ("/api/spend/anomalies", {"span": "week"}),
        ("/api/spend/anomalies", {"rate": 2}),
        ("/api/spend/forecast", {"days": 0}),
        ("/api/entries", {}),
    ],
    ids=str,
)
async def test_a_wrong_question_is_named(building: Building, path: str, query: dict[str, Any]) -> None:
    async with building.client(building.key("owner")) as client:
        refused = await client.get(path, params=query)
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == next(iter(query), "record")
