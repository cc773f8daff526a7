"""Usage as vendors report it, priced by the codecs and the ledger's arithmetic, and by an oracle that knows neither."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.cost.make_usage import exact
from tests.cost.oracle import bill
from tests.cost.reading import streamed, whole

from mainstay.core.clock import wall_ms
from mainstay.cost.prices import read_prices
from mainstay.cost.rates import Tariff, to_usd

_HERE = Path(__file__).parent / "usage"
_PRICES = json.loads((_HERE / "prices.json").read_text())
_CASES = [
    case for file in sorted(_HERE.glob("*.json")) if file.name != "prices.json" for case in json.loads(file.read_text())
]
_BILLION = Decimal("1e-9")


def _cost(case: dict[str, Any], usage: Any) -> Decimal:
    tariff = Tariff(read_prices(_PRICES[f"{case['kind']}:{case['model']}"]))
    charge = tariff.price(usage, wall_ms(), case["service"])
    assert charge.unpriced == ()
    assert sum(charge.parts.values()) == charge.total
    return to_usd(charge.total)


def test_there_are_at_least_three_hundred_fixtures() -> None:
    assert len(_CASES) >= 300
    assert len({case["name"] for case in _CASES}) == len(_CASES)


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case["name"])
def test_what_a_vendor_reports_costs_what_the_oracle_says(case: dict[str, Any]) -> None:
    assert abs(_cost(case, whole(case)) - Decimal(case["usd"])) <= _BILLION


@pytest.mark.parametrize(
    "case", [case for case in _CASES if case["operation"] == "chat"], ids=lambda case: case["name"]
)
def test_an_answer_costs_the_same_streamed_as_whole(case: dict[str, Any]) -> None:
    assert streamed(case) == whole(case)


@pytest.mark.parametrize("case", _CASES[::7], ids=lambda case: case["name"])
def test_the_fixtures_hold_what_the_oracle_says_today(case: dict[str, Any]) -> None:
    row = _PRICES[f"{case['kind']}:{case['model']}"]
    cost = bill(case["shape"], exact(case["answer"]), row, case["service"], case.get("asked"))
    assert cost == Decimal(case["usd"])
