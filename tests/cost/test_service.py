"""Questions about money over a database."""

import random

import pytest
from sqlalchemy import Engine

from mainstay.cost.periods import Span
from mainstay.cost.reports import Question, Row
from mainstay.cost.service import anomalies, outlook, report, row_as_json
from support.spending import DAY, attempt, bought, keep, some_records

USD = 10**12
#: 2026-11-21T12:00Z, a Saturday.
NOW = 1_795_262_400_000


def steady(engine: Engine, days: int, odd: int | None = None) -> None:
    """Enter a dollar a day, more or less, up to yesterday; ten on the day that is ``odd`` days ago."""
    chance = random.Random(4)
    amounts = {n: 10 * USD if n == odd else round(USD * chance.uniform(0.9, 1.1)) for n in range(1, days + 1)}
    keep(engine, [bought(NOW - n * DAY, attempt("gpt", amount)) for n, amount in amounts.items()])


def test_a_vendor_is_found_for_every_provider(engine: Engine) -> None:
    keep(engine, some_records(50))
    vendors = {row.keys[0] for row in report(engine, Question(("vendor",))).rows}
    assert vendors == {"openai", "anthropic", "llamacpp"}


def test_a_forecast_counts_what_today_has_cost_already(engine: Engine) -> None:
    steady(engine, 40)
    keep(engine, [bought(NOW, attempt("gpt", 20 * USD))])
    found = outlook(engine, Question(), NOW, 3)
    assert (len(found.starts), found.today) == (3, 20 * USD)
    assert found.forecast is not None
    assert found.forecast.days[0].likely / USD == pytest.approx(20.5, rel=0.02)
    assert found.forecast.days[1].likely / USD == pytest.approx(1, rel=0.15)
    assert found.forecast.total.likely / USD == pytest.approx(22.5, rel=0.03)


def test_without_history_there_is_no_forecast(engine: Engine) -> None:
    steady(engine, 5)
    found = outlook(engine, Question(), NOW, 3)
    assert found.forecast is None
    assert sum(1 for amount in found.history if amount) == 5


def test_a_day_out_of_line_is_found_with_its_group(engine: Engine) -> None:
    steady(engine, 50, odd=2)
    judged, starts = anomalies(engine, Question(("model",)), Span.DAY, NOW - 7 * DAY, NOW)
    assert [(one.keys, one.spent) for one in judged.found] == [(("gpt",), 10 * USD)]
    assert (NOW - starts[judged.found[0].place]) // DAY == 2
    assert judged.looked == 7


def test_a_day_that_is_not_over_is_not_judged(engine: Engine) -> None:
    steady(engine, 50)
    keep(engine, [bought(NOW, attempt("gpt", 50 * USD))])
    judged, _ = anomalies(engine, Question(), Span.DAY, NOW - 7 * DAY, NOW)
    assert judged.found == ()
    assert judged.looked == 7


def test_hours_are_judged_too(engine: Engine) -> None:
    hour = 3_600_000
    chance = random.Random(5)
    records = [bought(NOW - n * hour, attempt("gpt", round(USD * chance.uniform(0.9, 1.1)))) for n in range(1, 24 * 20)]
    keep(engine, [*records, bought(NOW - 3 * hour, attempt("gpt", 30 * USD))])
    judged, starts = anomalies(engine, Question(zone="Asia/Kathmandu"), Span.HOUR, NOW - 24 * hour, NOW)
    assert [starts[one.place] <= NOW - 3 * hour < starts[one.place] + hour for one in judged.found] == [True]


def test_energy_that_is_known_of_no_call_is_none(engine: Engine) -> None:
    made = row_as_json(("key",), Row(("key_a",), calls=2), {"key_a": "alice"})
    assert (made["key"], made["key_name"], made["energy_wh"], made["carbon_g"]) == ("key_a", "alice", None, None)
    known = row_as_json((), Row((), energy_calls=1, energy_wh=0.5, carbon_calls=1), {})
    assert (known["energy_wh"], known["carbon_g"], known["cost_usd"]) == (0.5, 0.0, "0")
