"""Prices as data."""

import pytest

from mainstay.core.errors import PriceError
from mainstay.cost.prices import read_prices
from mainstay.cost.rates import Tariff


def test_one_mapping_is_one_row_and_marks_are_set_on_each() -> None:
    rows = read_prices([{"input": 1, "output": "2.5"}, {"input": "0.10", "output": 3}], source="config", version="v")
    assert [row.rates() for row in rows] == [
        {"input": 1, "output": rows[0].output},
        {"input": rows[1].input, "output": 3},
    ]
    assert {(row.source, row.version) for row in rows} == {("config", "v")}
    assert len(read_prices({"input": 1})) == 1


def test_a_row_that_is_none_is_refused_with_the_place_of_the_fault() -> None:
    with pytest.raises(PriceError, match="inptu"):
        read_prices({"inptu": 1})


def test_a_currency_without_a_rate_is_refused() -> None:
    with pytest.raises(PriceError, match="EUR"):
        Tariff(read_prices({"input": 1, "currency": "EUR"}))
