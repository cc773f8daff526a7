"""What a person may write about money and limits, and what is refused."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from mainstay.cost.config import Amount, BudgetConfig, CostConfig, LimitConfig, SoftConfig, read_amount
from mainstay.cost.windows import Window


@pytest.mark.parametrize(
    ("text", "usd", "period", "count", "rolling"),
    [
        ("20/month", "20", "month", 1, False),
        ("0.50/day", "0.50", "day", 1, False),
        (" 3 / week ", "3", "week", 1, False),
        ("100/30d", "100", "day", 30, True),
        ("1/6h", "1", "hour", 6, True),
        ("1/90m", "1", "minute", 90, True),
        ("1/d", "1", "day", 1, False),
        ("500", "500", "", 1, False),
        (500, "500", "", 1, False),
        (0.25, "0.25", "", 1, False),
        ("0.000000001", "0.000000001", "", 1, False),
    ],
)
def test_an_amount_is_read(text: object, usd: str, period: str, count: int, rolling: bool) -> None:
    amount = read_amount(text)
    assert (amount.usd, amount.period, amount.count, amount.rolling) == (Decimal(usd), period, count, rolling)
    assert read_amount(str(amount)) == amount
    assert amount.picousd == int(Decimal(usd) * 10**12)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/day",
        "-1/day",
        "1e3",
        "20/fortnight",
        "20/0d",
        "20/2month",
        "20/30w",
        "9000001",
        "1,5/day",
        "$5",
        True,
        None,
        [],
        "20/month/day",
        "nan",
        "\u0663/day",
    ],
)
def test_what_is_no_amount_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"budget|period|rolling"):
        read_amount(text)


def budget(**fields: Any) -> BudgetConfig:
    return BudgetConfig.model_validate(fields)


def test_a_budget_may_be_just_its_amount() -> None:
    config = CostConfig.model_validate({"budgets": {"all": "20/month", "more": 500}})
    assert config.budgets["all"].limit == Amount(usd=Decimal(20), period="month")
    assert config.budgets["more"].limit == Amount(usd=Decimal(500))


def test_per_takes_one_name_or_several() -> None:
    assert budget(limit=1, per="key").per == ("key",)
    assert budget(limit=1, per=["team", "user"]).per == ("team", "user")
    with pytest.raises(ValidationError):
        budget(limit=1, per="planet")


def test_a_window_rolls_where_it_is_said_and_then_has_no_zone() -> None:
    assert budget(limit="1/month", zone="Europe/Zurich").window == Window("month", zone="Europe/Zurich")
    assert budget(limit="1/month", rolling=True, zone="Europe/Zurich").window == Window("month", rolling=True)
    assert budget(limit="1/30d").window == Window("day", rolling=True, count=30)
    # There is nothing to roll in what never ends.
    assert budget(limit="1", rolling=True).window == Window()


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../../etc/passwd", "/etc/localtime", "UTC\0"])
def test_a_zone_must_be_one(zone: str) -> None:
    with pytest.raises(ValidationError, match="time zone"):
        budget(limit=1, zone=zone)


def test_the_part_that_is_worth_an_alert_is_a_share() -> None:
    assert SoftConfig.model_validate({"at": "80%"}).at == 0.8
    for wrong in ("0%", "101%", 0, 1.5, "much", "%"):
        with pytest.raises(ValidationError):
            SoftConfig.model_validate({"at": wrong})


def test_a_limit_says_something() -> None:
    with pytest.raises(ValidationError, match="rpm"):
        LimitConfig.model_validate({"per": "key"})
    for field in ("rpm", "rpd", "tpm", "tpd", "parallel"):
        assert getattr(LimitConfig.model_validate({field: 1}), field) == 1
        with pytest.raises(ValidationError):
            LimitConfig.model_validate({field: 0})


def test_the_match_is_what_is_given() -> None:
    row = budget(limit=1, team="web", model="gpt", tag="nightly")
    assert row.match == (("team", "web"), ("model", "gpt"), ("tag", "nightly"))
