"""Compiled prices: exact, each token once, and the right row for the moment."""

from datetime import UTC, datetime
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.usage import Usage
from mainstay.cost.prices import FREE, read_prices
from mainstay.cost.rates import Tariff, price, to_picousd, to_usd


def _at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


_NOW = _at("2026-11-21T12:00")


def _usd(row: dict[str, Any], usage: Usage, service: str = "", at: int = _NOW) -> Decimal:
    charge = price(read_prices(row), usage, at, service)
    assert charge.unpriced == ()
    return to_usd(charge.total)


_rates = st.decimals(min_value=0, max_value=1000, places=9, allow_nan=False, allow_infinity=False)


@given(_rates, _rates, _rates, st.integers(0, 10**7), st.integers(0, 10**6), st.integers(0, 10**6))
def test_integers_say_what_decimals_say(
    into: Decimal, out: Decimal, read: Decimal, given_: int, written: int, kept: int
) -> None:
    kept = min(kept, given_)
    row = {"input": into, "output": out, "cache_read": read}
    charge = price(read_prices(row), Usage(given_, written, cache_read=kept), _NOW)
    with localcontext() as context:
        context.prec = 80
        exact = ((given_ - kept) * into + kept * read + written * out) / 1_000_000
        # Rates finer than 1e-12 dollars a token are rounded once for each part.
        assert abs(to_usd(charge.total) - exact) <= Decimal("1.5e-12")
        if all(rate == rate.quantize(Decimal("1e-6")) for rate in (into, out, read)):
            assert to_usd(charge.total) == exact


def test_cached_tokens_are_inside_the_input_and_thoughts_inside_the_output() -> None:
    row = {"input": "3", "output": "15", "cache_read": "0.3", "cache_write": "3.75", "cache_write_1h": "6"}
    usage = Usage(1000, 100, cache_read=500, cache_write=300, cache_write_1h=100, reasoning=40)
    charge = price(read_prices(row), usage, _NOW)
    parts = {"input": 600, "cache_read": 150, "cache_write": 750 + 600, "reasoning": 600, "output": 900}
    assert charge.parts == {kind: value * 1_000_000 for kind, value in parts.items()}
    assert charge.total == sum(charge.parts.values())


def test_sound_and_images_have_rates_of_their_own_and_what_is_left_is_text() -> None:
    row = {"input": "1", "output": "2", "audio_input": "10", "audio_output": "20", "image_input": "5"}
    usage = Usage(100, 50, audio_input=30, image_input=20, audio_output=10)
    assert _usd(row, usage) == Decimal(50 + 300 + 100 + 80 + 200) / 1_000_000


def test_a_cached_token_that_was_heard_is_paid_for_once() -> None:
    row = {"input": "1", "output": "2", "cache_read": "0.1", "audio_input": "10", "cache_read_audio": "4"}
    told = Usage(100, 0, cache_read=50, audio_input=80, cache_read_audio=40)
    assert _usd(row, told) == (10 * Decimal(1) + 10 * Decimal("0.1") + 40 * Decimal(4) + 40 * Decimal(10)) / 1_000_000
    # Without that word the parts are more than the whole; no token is counted twice.
    untold = price(read_prices(row), Usage(100, 0, cache_read=50, audio_input=80), _NOW)
    assert untold.parts == {"cache_read": 5_000_000, "audio_input": 500_000_000}


@pytest.mark.parametrize(("given_", "usd"), [(200_000, "0.2"), (200_001, "0.400002"), (500_001, "1.500003")])
def test_a_tier_holds_for_the_whole_call(given_: int, usd: str) -> None:
    row = {"input": "1", "output": "0", "tiers": [{"above": 200_000, "input": "2"}, {"above": 500_000, "input": "3"}]}
    assert _usd(row, Usage(given_, 0)) == Decimal(usd)


def test_cached_tokens_count_for_a_tier() -> None:
    row = {
        "input": "1",
        "output": "1",
        "cache_read": "0.1",
        "tiers": [{"above": 100, "input": "2", "cache_read": "0.2"}],
    }
    assert _usd(row, Usage(101, 0, cache_read=100)) == Decimal("0.000022")


def test_a_partial_tier_holds_only_for_what_is_above() -> None:
    row = {"input": "1", "output": "9", "tiers": [{"above": 100, "input": "2", "part": True}]}
    assert _usd(row, Usage(150, 1)) == Decimal("0.000209")
    assert _usd(row, Usage(100, 0)) == Decimal("0.000100")


def test_a_service_has_its_own_prices_or_a_part_of_the_usual_ones() -> None:
    row = {
        "input": "2",
        "output": "8",
        "searches": "10",
        "tiers": [{"above": 1000, "input": "4"}],
        "services": {"batch": {"times": "0.5"}, "priority": {"input": "5"}},
    }
    assert _usd(row, Usage(100, 10), "batch") == Decimal("0.000140")
    assert _usd(row, Usage(2000, 0), "batch") == Decimal("0.004")
    assert _usd(row, Usage(2000, 0), "priority") == Decimal("0.01")
    assert _usd(row, Usage(100, 10, service="priority")) == Decimal("0.00058")
    assert _usd(row, Usage(100, 10, service="default")) == Decimal("0.00028")


def test_a_service_that_has_no_price_is_said_and_charged_as_usual() -> None:
    charge = price(read_prices({"input": "2", "output": "8"}), Usage(100, 10, service="Priority"), _NOW)
    assert (charge.total, charge.unpriced) == (280_000_000, ("service",))


def test_the_row_that_began_last_holds() -> None:
    rows = [{"input": "3", "output": "0", "since": "2026-06-01"}, {"input": "1", "output": "0"}]
    tariff = Tariff(read_prices(rows))
    for moment, usd in (("2026-05-31T23:59:59", "1"), ("2026-06-01T00:00", "3"), ("2025-01-01T00:00", "1")):
        assert to_usd(tariff.price(Usage(1_000_000), _at(moment)).total) == Decimal(usd)


def test_a_row_for_some_hours_goes_before_one_for_all_even_over_midnight_and_on_some_days() -> None:
    rows = [
        {"input": "4", "output": "0"},
        {"input": "1", "output": "0", "hours": ["22:00:00", "06:00:00"]},
        {"input": "2", "output": "0", "days": [6, 7]},
    ]
    tariff = Tariff(read_prices(rows))
    found = {
        moment: to_usd(tariff.price(Usage(1_000_000), _at(moment)).total)
        for moment in ("2026-11-18T21:59:59", "2026-11-18T22:00", "2026-11-19T05:59:59", "2026-11-19T06:00",
                       "2026-11-21T12:00", "2026-11-23T00:00", "2026-11-23T12:00")
    }  # fmt: skip
    assert list(map(int, found.values())) == [4, 1, 1, 4, 2, 1, 4]


def test_a_price_that_has_run_out_is_still_charged_and_said() -> None:
    charge = price(read_prices({"input": "1", "output": "1", "until": "2026-01-01"}), Usage(10, 0), _NOW)
    assert (charge.total, charge.unpriced) == (10_000_000, ("date",))


@pytest.mark.parametrize(
    ("row", "usage", "usd"),
    [
        ({"audio_hour": "0.36"}, Usage(audio_ms=10_000), "0.001"),
        ({"audio_hour": "0.111", "minimum_seconds": "10"}, Usage(audio_ms=2_000), "0.000308333333"),
        ({"characters": "15"}, Usage(characters=4096), "0.06144"),
        ({"rerank": "2"}, Usage(500, estimated=True, rerank_units=3), "0.006"),
        ({"image": "0.04", "images": {"hd/1024x1792": "0.12"}}, Usage(images=2, image_form="hd/1024x1792"), "0.24"),
        ({"images": {"hd/1x1": "0.12", "low/1x1": "0.04"}}, Usage(images=1, image_form="odd/9x9"), "0.12"),
        ({"input": "1", "output": "1", "requests": "6"}, Usage(1, 1), "0.006002"),
        (
            {"input": "1", "output": "1", "searches": "10", "tool_calls": "2.5"},
            Usage(0, 0, searches=2, tool_calls=1),
            "0.0225",
        ),
    ],
)
def test_what_is_not_counted_in_tokens_has_its_own_unit(row: dict[str, Any], usage: Usage, usd: str) -> None:
    assert _usd(row, usage) == Decimal(usd)


def test_what_is_billed_in_tokens_is_not_billed_again_by_the_image_or_the_second() -> None:
    row = {"input": "5", "output": "40", "image": "0.04", "audio_hour": "0.36"}
    assert _usd(row, Usage(10, 100, images=1, audio_ms=60_000)) == Decimal("0.00405")


@pytest.mark.parametrize(
    ("row", "usage", "kinds"),
    [
        ({"input": "1"}, Usage(5, 5), ("output",)),
        ({"input": "1", "output": "1"}, Usage(5, 5, searches=1), ("searches",)),
        ({"audio_hour": "1"}, Usage(50, 5), ("usage",)),
        ({"input": "1", "output": "1"}, Usage(characters=9), ("characters",)),
    ],
)
def test_what_was_used_and_has_no_price_is_named(row: dict[str, Any], usage: Usage, kinds: tuple[str, ...]) -> None:
    assert price(read_prices(row), usage, _NOW).unpriced == kinds


def test_what_the_provider_says_it_cost_counts_and_ours_is_kept_beside_it() -> None:
    charge = price(read_prices({"input": "1", "output": "1"}), Usage(100, 0, searches=1, reported=123), _NOW)
    assert (charge.total, charge.computed, charge.unpriced) == (123, 100_000_000, ())


def test_a_price_in_another_currency_is_charged_in_dollars() -> None:
    row = {"input": "1", "output": "1", "currency": "EUR", "usd": "1.0832"}
    assert _usd(row, Usage(1_000_000)) == Decimal("1.0832")


def test_what_is_our_own_costs_nothing_and_says_so() -> None:
    tariff = Tariff((FREE,))
    assert tariff.price(Usage(10**9, 10**9), _NOW).total == 0
    assert tariff.row(_NOW).source == "own"


@given(st.integers(0, 10**6), st.integers(0, 10**5), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_hold_is_never_less_than_what_it_then_costs(given_: int, written: int, kept: int, made: int) -> None:
    row = {
        "input": "3",
        "output": "15",
        "cache_write": "3.75",
        "cache_write_1h": "6",
        "cache_read": "0.3",
        "requests": "5",
        "tiers": [{"above": 200_000, "input": "6", "output": "22.5"}],
    }
    tariff = Tariff(read_prices(row))
    read = min(kept, given_)
    write = min(made, given_ - read)
    usage = Usage(given_, written, cache_read=read, cache_write=write, cache_write_1h=write // 2)
    assert tariff.price(usage, _NOW).total <= tariff.most(given_, written, _NOW)


def test_dollars_become_the_finest_units_and_back() -> None:
    assert to_picousd(Decimal("0.000000000001")) == 1
    assert to_picousd(Fraction(1, 3)) == 333_333_333_333
    assert to_usd(1_234) == Decimal("0.000000001234")


def test_a_tariff_needs_a_row() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        Tariff(())
