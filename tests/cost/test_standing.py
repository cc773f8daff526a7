"""How budgets stand, from the books alone: used, held, left, and what is likely at the end."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine

from mainstay.core.record import Record
from mainstay.cost.config import CostConfig
from mainstay.cost.reports import Question
from mainstay.cost.standing import KeyBudget, Standing, daily, standings
from mainstay.store.sql import reading
from support.spending import DAY, attempt, bought, keep

USD = 10**12
#: 2026-11-21T12:00Z, a Saturday.
NOW = 1_795_262_400_000
NAMES = {"key_a": "alice", "key_b": "bob"}


def stand(engine: Engine, budgets: dict[str, Any], used: dict[tuple[str, str], float] | None = None) -> list[Standing]:
    keys = [KeyBudget("key_a", "alice", "20/month", "web")] if "key" in budgets else []
    config = CostConfig.model_validate({"budgets": {name: row for name, row in budgets.items() if name != "key"}})
    with reading(engine) as connection:
        return standings(connection, config, keys, used or {}, NOW, names=NAMES, vendors={})


def spent(at: int, usd: float, series: dict[str, str], **fields: Any) -> Record:
    charges = {f"{name}@{bucket}": round(usd * USD) for name, bucket in series.items()}
    return bought(at, attempt("gpt", round(usd * USD)), **{"charges": charges, "key": "key_a", **fields})


def test_a_budget_of_all_stands_where_its_entries_put_it(engine: Engine) -> None:
    keep(engine, [spent(NOW - DAY * n, 2, {"all||usd|month": "2026-11"}) for n in (0, 1)])
    keep(engine, [spent(NOW, 1, {"all||usd|month": "2026-10", "all||usd|day": "2026-11-21"})])
    found = stand(engine, {"all": "10/month"}, {("all", ""): 0.75})[0]
    assert (found.limit, found.used, found.held, found.left) == (10 * USD, 4 * USD, 3.5 * USD, 2.5 * USD)
    assert (found.name, found.member, found.period, found.hard) == ("all", "", "a month", True)
    assert [datetime.fromtimestamp(at / 1000, UTC).isoformat()[:10] for at in (found.start, found.end or 0)] == [
        "2026-11-01",
        "2026-12-01",
    ]
    assert found.likely is None


def test_nothing_is_held_where_no_gateway_says_so(engine: Engine) -> None:
    keep(engine, [spent(NOW, 2, {"all||usd|month": "2026-11"})])
    assert stand(engine, {"all": "10/month"})[0].held == 0
    # What a ratio cannot tell exactly is nothing.
    assert stand(engine, {"all": "10/month"}, {("all", ""): 0.2 + 1e-15})[0].held == 0


def test_each_member_has_a_line_and_a_name(engine: Engine) -> None:
    series = {
        "one|web/alice|usd|day": "2026-11-21",
        "other|web|usd|day": "2026-11-21",
        "one|app/bob|usd|day": "2026-11-20",
    }
    keep(engine, [spent(NOW, 1, series)])
    found = stand(engine, {"one": {"limit": "5/day", "per": ["team", "key"]}})
    assert [(one.member, one.members, one.used) for one in found] == [("team web of key alice", ("web", "alice"), USD)]
    assert (found[0].team, found[0].key) == ("web", "alice")


def test_a_budget_on_a_key_is_of_that_key(engine: Engine) -> None:
    keep(engine, [spent(NOW, 3, {"key:key_a||usd|month": "2026-11"})])
    found = stand(engine, {"key": ""})
    assert [(one.name, one.member, one.used, one.team, one.key) for one in found] == [
        ("key", "key alice", 3 * USD, "web", "alice")
    ]


def test_a_rolling_budget_counts_every_piece_that_reaches_into_it(engine: Engine) -> None:
    size = 30 * DAY // 60
    last = NOW // size
    pieces = {0: 1.0, 30: 2.0, 60: 4.0, 61: 8.0}
    keep(engine, [spent(NOW, usd, {"any||usd|30day": str(last - back)}) for back, usd in pieces.items()])
    found = stand(engine, {"any": "100/30d"})[0]
    assert (found.used, found.end, found.likely, found.period) == (7 * USD, None, None, "in any 30 days")


def test_once_and_for_all_has_no_end(engine: Engine) -> None:
    keep(engine, [spent(NOW, 1, {"once||usd|": ""})])
    found = stand(engine, {"once": 500})[0]
    assert (found.used, found.end, found.period) == (USD, None, "in all")


@pytest.mark.parametrize("per", [[], ["team"], ["key"], ["model"]], ids=str)
def test_what_is_likely_at_the_end_is_what_is_used_and_what_is_to_come(engine: Engine, per: list[str]) -> None:
    member = {"team": "web", "key": "alice", "model": "gpt"}.get(per[0], "") if per else ""
    days = [spent(NOW - DAY * n - 1, 1, {f"b|{member}|usd|month": "2026-11"} if n <= 20 else {}) for n in range(1, 40)]
    other = [bought(NOW - DAY * n - 1, attempt("haiku", 9 * USD), team="app", key="key_b") for n in range(1, 40)]
    keep(engine, [*days, *other])
    found = stand(engine, {"b": {"limit": "50/month", "per": per, "team": "web"}})[0]
    assert found.used == 20 * USD
    assert found.likely is not None
    # Nine days and a half are to come.
    assert found.likely.likely / USD == pytest.approx(29.5, rel=0.03)
    assert found.likely.low <= found.likely.likely <= found.likely.high


def test_days_are_whole_and_those_without_spending_have_nothing(engine: Engine) -> None:
    keep(engine, [spent(NOW - 3 * DAY, 1, {}), spent(NOW - 3 * DAY, 1, {}), spent(NOW, 5, {})])
    with reading(engine) as connection:
        found, starts = daily(connection, Question(("team",)), NOW, 5)
    assert found == {("web",): [0, 0, 2 * USD, 0, 0]}
    assert [(NOW - start) // DAY for start in starts] == [5, 4, 3, 2, 1]
