"""Counting tokens over the reports of one answer."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.usage import Usage
from mainstay.providers.anthropic.wire import Meter, present

counts = st.none() | st.integers(0, 10**9)
reports = st.fixed_dictionaries(
    {},
    optional={
        "input_tokens": counts,
        "output_tokens": counts,
        "cache_read_input_tokens": counts,
        "cache_creation_input_tokens": counts,
        "cache_creation": st.none() | st.fixed_dictionaries({"ephemeral_1h_input_tokens": counts}),
    },
)


def read(*found: dict[str, Any] | None) -> Usage | None:
    meter = Meter()
    for one in found:
        meter.read(msgspec.Raw(json.dumps(one)))
    return meter.usage


def test_input_is_the_total_and_cached_tokens_are_parts_of_it() -> None:
    report = {
        "input_tokens": 1,
        "cache_read_input_tokens": 20,
        "cache_creation_input_tokens": 300,
        "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
        "output_tokens": 4000,
        "output_tokens_details": {"thinking_tokens": 3000},
        "server_tool_use": {"web_search_requests": 2},
    }
    assert read(report) == Usage(
        input=321,
        output=4000,
        cache_read=20,
        cache_write=300,
        cache_write_1h=200,
        reasoning=3000,
        searches=2,
    )


def test_the_two_lives_of_a_cache_write_add_up_when_their_sum_is_missing() -> None:
    report = {"cache_creation": {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 6}}
    assert read(report) == Usage(input=11, cache_write=11, cache_write_1h=6)


@given(st.lists(reports, min_size=1, max_size=4))
def test_a_later_report_replaces_what_it_mentions(found: list[dict[str, Any]]) -> None:
    merged: dict[str, Any] = {}
    for one in found:
        merged.update({name: value for name, value in one.items() if value is not None})
    assert read(*found) == read(merged)


@given(st.lists(reports, min_size=1, max_size=3))
def test_the_parts_never_exceed_their_total(found: list[dict[str, Any]]) -> None:
    usage = read(*found)
    assert usage is not None
    assert usage.cache_read + usage.cache_write <= usage.input
    assert usage.cache_write_1h <= usage.cache_write


@pytest.mark.parametrize("report", [None, "many", 5, {"input_tokens": "many"}])
def test_a_report_that_says_nothing_is_none(report: Any) -> None:
    assert read(report) is None
    assert read({"input_tokens": 3}, report) == Usage(input=3)


@pytest.mark.parametrize("count", [-1, 2**53 + 1, 10**400, 1e300, "7", True, [7], {"n": 7}])
@pytest.mark.parametrize("field", ["input_tokens", "output_tokens", "cache_read_input_tokens"])
def test_a_count_that_is_none_says_nothing(field: str, count: Any) -> None:
    assert read({field: count}) is None
    before = {"input_tokens": 3, "output_tokens": 4, "cache_read_input_tokens": 5}
    assert read(before, {**before, field: count}) == Usage(input=8, output=4, cache_read=5)


def test_counts_inside_the_details_are_checked_too() -> None:
    report = {
        "input_tokens": 3.0,
        "output_tokens": 4,
        "cache_creation": {"ephemeral_5m_input_tokens": "x", "ephemeral_1h_input_tokens": -6},
        "output_tokens_details": {"thinking_tokens": 99},
    }
    assert read(report) == Usage(input=3, output=4, reasoning=4)


def test_absent_and_null_are_not_present() -> None:
    assert not present(msgspec.Raw(b""))
    assert not present(msgspec.Raw(b"null"))
    assert present(msgspec.Raw(b"0"))
