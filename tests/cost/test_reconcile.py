"""Two sources made one."""

from datetime import date
from decimal import Decimal

import pytest

from mainstay.cost.reconcile import Difference, ceilings, compare_rows, merge, merge_rows
from mainstay.cost.source_genai import Listed

_TODAY = date(2026, 11, 21)
_ONE, _TWO, _TEN = Decimal(1), Decimal(2), Decimal(10)


def test_the_dated_source_wins_and_the_other_adds_what_it_alone_knows() -> None:
    genai = [{"input": _ONE, "output": _TWO}, {"input": _TWO, "output": _TEN, "since": "2026-01-01"}]
    litellm = [{"input": _TWO, "output": _TEN, "searches": _TEN, "services": {"batch": {"input": _ONE}}}]
    merged = merge_rows(genai, litellm, _TODAY)
    assert merged.source == "both"
    assert merged.disputed == ()
    assert merged.rows[0] == genai[0]
    assert merged.rows[1] == {**genai[1], "searches": _TEN, "services": {"batch": {"input": _ONE}}}


def test_a_source_that_is_wrong_on_the_base_adds_nothing() -> None:
    merged = merge_rows([{"input": _ONE, "output": _TWO}], [{"input": _TWO, "output": _TWO, "searches": _TEN}], _TODAY)
    assert merged.rows == ({"input": _ONE, "output": _TWO},)
    assert merged.disputed == (Difference("input", _ONE, _TWO),)
    assert merged.disputed[0].ratio == 1


@pytest.mark.parametrize(("other", "apart"), [("1.01", False), ("1.0101", True), ("0.9901", False), ("0.99", True)])
def test_a_hundredth_is_not_yet_a_dispute(other: str, apart: bool) -> None:
    assert bool(list(compare_rows({"input": _ONE}, {"input": Decimal(other)}))) is apart


def test_tiers_are_compared_and_one_that_only_one_has_is_a_dispute() -> None:
    ours = {"input": _ONE, "tiers": [{"above": 199_999, "input": _TWO}]}
    assert list(compare_rows(ours, {"input": _ONE, "tiers": [{"above": 200_000, "input": _TWO}]})) == []
    assert list(compare_rows(ours, {"input": _ONE})) == [Difference("input", _TWO, None, 199_999)]
    assert list(compare_rows({"input": _ONE}, ours)) == [Difference("input", None, _TWO, 199_999)]


def test_another_name_is_the_same_model_and_a_looser_rule_only_compares() -> None:
    rule = {"or": [{"equals": "m-1"}, {"starts_with": "m-"}]}
    listed = Listed({"s": {"m": [{"input": _ONE}]}}, {"s": {"m-1": "m"}}, {"s": [("m", rule)]})
    litellm = {"s": {"m-1": [{"input": _TWO}], "m-2": [{"input": _TWO}], "n": [{"input": _TEN}]}}
    merged = merge(listed, litellm, _TODAY)["s"]
    assert [merged[name].rows[0]["input"] for name in ("m", "m-1", "m-2", "n")] == [_ONE, _ONE, _TWO, _TEN]
    assert [merged[name].source for name in ("m", "m-1", "m-2", "n")] == ["genai-prices", "both", "litellm", "litellm"]
    assert [merged[name].is_compared for name in ("m", "m-1", "m-2", "n")] == [False, True, True, False]
    assert merged["m-2"].disputed == (Difference("input", _ONE, _TWO),)


def test_regions_of_one_model_are_different_offers() -> None:
    listed = Listed({"s": {"m": [{"input": _ONE}]}}, {}, {"s": [("m", {"contains": "m"})]})
    assert not merge(listed, {"s": {"eu.m": [{"input": _TWO}]}}, _TODAY)["s"]["eu.m"].is_compared


def test_an_hours_cache_of_anthropics_models_is_twice_the_input_where_nobody_says() -> None:
    row = {"input": _TWO, "output": _TEN, "cache_write": Decimal("2.5")}
    listed = Listed({"s": {"claude-x": [row], "other": [row]}}, {}, {})
    merged = merge(listed, {}, _TODAY)["s"]
    assert merged["claude-x"].rows[0]["cache_write_1h"] == 4
    assert "cache_write_1h" not in merged["other"].rows[0]


def test_the_ceiling_of_a_seller_is_its_dearest_rate_as_billed() -> None:
    models = {"a": [{"input": _ONE, "output": _TEN, "requests": _ONE}], "b": [{"input": _TWO, "reasoning": _ONE}]}
    found = ceilings(merge(Listed({"s": models}, {}, {}), {}, _TODAY))
    assert found["s"]["input"] == found["s"]["cache_write"] == 2
    assert found["s"]["reasoning"] == found["s"]["output"] == 10
    assert "requests" not in found[""]
