"""genai-prices' data, read."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from mainstay.core.errors import PriceError
from mainstay.cost.source_genai import read_genai, read_genai_python

_TODAY = date(2026, 11, 21)


def _providers(*models: dict[str, Any], provider: str = "openai") -> list[dict[str, Any]]:
    return [{"id": provider, "models": list(models)}]


def _model(prices: Any, name: str = "m", **fields: Any) -> dict[str, Any]:
    return {"id": name, "match": {"equals": name}, "prices": prices, **fields}


def test_dated_and_timed_rows_keep_their_bounds() -> None:
    tier = {"base": Decimal(5), "tiers": [{"start": 200_000, "price": Decimal(10)}]}
    prices = [
        {"prices": {"input_mtok": tier}},
        {"constraint": {"start_date": "2026-03-13"}, "prices": {"input_mtok": Decimal("4.50")}},
        {"constraint": {"start_time": "00:30:00Z", "end_time": "16:30:00Z"}, "prices": {"input_mtok": Decimal(1)}},
    ]
    found = read_genai(_providers(_model(prices)), _TODAY)
    assert found.rows["openai"]["m"] == [
        {"input": 5, "tiers": [{"above": 200_000, "input": 10}]},
        {"input": Decimal("4.5"), "since": "2026-03-13"},
        {"input": 1, "hours": ["00:30:00", "16:30:00"]},
    ]


def test_services_count_from_the_day_they_are_dated() -> None:
    variants = [
        {"when": {"processing": "batch"}, "prices": {"input_mtok": Decimal(1)}},
        {
            "when": {"service_tier": "flex"},
            "constraint": {"start_date": "2027-01-01"},
            "prices": {"input_mtok": Decimal(1)},
        },
        {"when": {"service_tier": "default"}, "prices": {"input_mtok": Decimal(2)}},
    ]
    found = read_genai(_providers(_model({"input_mtok": Decimal(2)}, price_variants=variants)), _TODAY)
    assert found.rows["openai"]["m"] == [{"input": 2, "services": {"batch": {"input": 1}}}]


def test_other_names_and_looser_rules_are_kept_apart() -> None:
    rule = {"or": [{"equals": "m-latest"}, {"starts_with": "m-20"}, {"and": [{"contains": "x"}, {"regex": "y$"}]}]}
    found = read_genai(_providers({"id": "m", "match": rule, "prices": {"input_mtok": Decimal(1)}}), _TODAY)
    assert found.aliases["openai"] == {"m-latest": "m"}
    assert [found.like("openai", name) for name in ("m-2026", "axby", "ax", "n")] == ["m", "m", None, None]


def test_a_model_at_no_price_is_left_out_unless_it_is_named_free() -> None:
    free = _model({"input_mtok": Decimal(0)}, "a/b:free")
    found = read_genai(_providers(_model({"input_mtok": Decimal(0)}), free, provider="openrouter"), _TODAY)
    assert list(found.rows["openrouter"]) == ["a/b:free"]


def test_the_packages_own_form_reads_as_its_json() -> None:
    text = """
import datetime
providers: list[Provider] = [
    Provider(id='x-ai', name='x', models=[
        ModelInfo(id='m', match=ClauseOr(or_=[ClauseEquals(equals='m')]), prices=[
            ConditionalPrice(constraint=StartDateConstraint(start_date=datetime.date(2026, 3, 1)),
                             prices=ModelPrice(input_mtok=Decimal('1.5'))),
            ConditionalPrice(constraint=TimeOfDateConstraint(
                start_time=datetime.time(0, 30, tzinfo=datetime.UTC), end_time=datetime.time(16, tzinfo=datetime.UTC)),
                prices=ModelPrice(
                    input_mtok=TieredPrices(base=Decimal('1'), tiers=[Tier(start=9, price=Decimal('2'))]))),
        ]),
    ]),
]
"""
    found = read_genai(read_genai_python(text), _TODAY)
    assert found.rows["xai"]["m"] == [
        {"input": Decimal("1.5"), "since": "2026-03-01"},
        {"input": 1, "tiers": [{"above": 9, "input": 2}], "hours": ["00:30:00", "16:00:00"]},
    ]


def test_a_file_without_providers_is_refused_and_nothing_in_it_runs() -> None:
    with pytest.raises(PriceError, match="holds no providers"):
        read_genai_python("raise SystemExit")
    with pytest.raises(PriceError, match="form that is not known"):
        read_genai_python("providers: list = [x for x in range(3)]")
