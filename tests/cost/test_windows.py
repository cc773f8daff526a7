"""Windows: calendar periods by any clock on a wall, and rolling ones that never let more through than they say."""

import datetime as dt
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.cost.windows import EVER, PERIODS, Window, describe

ZONES = sorted(name for name in available_timezones() if "/" in name and not name.startswith(("posix", "right")))
MOMENTS = st.integers(min_value=0, max_value=4_102_444_800_000)


def ms(text: str, zone: str = "UTC") -> int:
    return round(dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


@given(MOMENTS, st.sampled_from(sorted(PERIODS)), st.sampled_from(ZONES))
def test_every_moment_is_in_its_bucket_and_buckets_meet(at: int, period: str, zone: str) -> None:
    window = Window(period, zone=zone)
    bucket = window.bucket(at)
    assert bucket.start <= at < bucket.end
    assert window.bucket(bucket.start) == bucket == window.bucket(bucket.end - 1)
    after = window.bucket(bucket.end)
    assert after.start == bucket.end
    assert after.name != bucket.name


@given(MOMENTS, st.sampled_from(["day", "week", "month", "year"]), st.sampled_from(ZONES))
def test_a_calendar_bucket_begins_at_midnight_on_the_wall(at: int, period: str, zone: str) -> None:
    start = dt.datetime.fromtimestamp(Window(period, zone=zone).bucket(at).start / 1000, ZoneInfo(zone))
    before = dt.datetime.fromtimestamp(Window(period, zone=zone).bucket(at).start / 1000 - 1, ZoneInfo(zone))
    # Where the clocks jump over midnight, the day begins when they have.
    assert before.date() < start.date()
    if period == "week":
        assert start.weekday() == 0
    if period in ("month", "year"):
        assert start.day == 1


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-28", 24), ("2026-03-29", 23), ("2026-10-25", 25), ("2026-10-26", 24)]
)
def test_a_day_is_as_long_as_its_clocks_make_it(day: str, hours: int) -> None:
    bucket = Window("day", zone="Europe/Zurich").bucket(ms(f"{day}T12:00", "Europe/Zurich"))
    assert bucket.name == day
    assert bucket.end - bucket.start == hours * 3_600_000


def test_both_hours_of_a_clock_that_is_set_back_are_of_one_day() -> None:
    window = Window("day", zone="America/New_York")
    first = ms("2026-11-01T05:30")
    assert window.bucket(first) == window.bucket(first + 3_600_000)


@pytest.mark.parametrize(
    ("day", "name"),
    [
        ("2025-12-28", "2025-W52"),
        ("2025-12-29", "2026-W01"),
        ("2026-01-04", "2026-W01"),
        ("2026-12-31", "2026-W53"),
        ("2027-01-03", "2026-W53"),
        ("2027-01-04", "2027-W01"),
    ],
)
def test_weeks_over_new_year_are_those_of_iso_8601(day: str, name: str) -> None:
    assert Window("week").bucket(ms(f"{day}T23:59")).name == name


@pytest.mark.parametrize(("month", "days"), [("2028-02", 29), ("2026-02", 28), ("2026-12", 31), ("2026-04", 30)])
def test_a_month_has_the_days_of_its_calendar(month: str, days: int) -> None:
    bucket = Window("month").bucket(ms(f"{month}-15T00:00"))
    assert (bucket.name, bucket.end - bucket.start) == (month, days * 86_400_000)


@given(
    MOMENTS,
    st.sampled_from(["minute", "hour", "day", "month"]),
    st.integers(1, 400),
    st.integers(0, 10**10),
)
def test_whatever_lies_within_a_rolling_window_is_counted_together(at: int, period: str, count: int, ago: int) -> None:
    window = Window(period, rolling=True, count=count)
    earlier = at - ago % window.length
    if earlier < 0:
        return
    now, then = window.bucket(at), window.bucket(earlier)
    assert int(now.name) - int(then.name) < window.pieces
    assert now.start <= at < now.end
    # And not for long after that.
    assert (window.pieces - 1) * (now.end - now.start) <= window.length


def test_a_rolling_month_has_thirty_days() -> None:
    assert Window("month", rolling=True).length == 30 * 86_400_000


def test_what_has_no_period_never_ends() -> None:
    bucket = Window().bucket(ms("2026-01-01T00:00"))
    assert (bucket.name, bucket.start, bucket.end) == ("", 0, EVER)
    assert Window().pieces == 1


@pytest.mark.parametrize(
    ("window", "words"),
    [
        (Window(), "in all"),
        (Window("month"), "a month"),
        (Window("hour"), "an hour"),
        (Window("day", rolling=True, count=30), "in any 30 days"),
        (Window("minute", rolling=True), "in any minute"),
        (Window("hour", rolling=True, count=6), "in any 6 hours"),
        (Window("day", rolling=True), "in any day"),
    ],
)
def test_a_window_is_said_in_words(window: Window, words: str) -> None:
    assert describe(window) == words
