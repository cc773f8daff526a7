"""Spans of time, days of 23 and 25 hours among them."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.cost.periods import Calendar, Span

ZONES = ("UTC", "Europe/Zurich", "America/St_Johns", "Asia/Kathmandu", "Pacific/Auckland")
MOMENTS = st.integers(946_684_800_000, 2_208_988_800_000)


def ms(text: str, zone: str = "UTC") -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


@given(MOMENTS, st.sampled_from(ZONES), st.sampled_from(Span))
def test_a_moment_lies_in_its_span_and_all_of_it_has_one_name(at: int, zone: str, span: Span) -> None:
    calendar = Calendar(zone)
    start, end = calendar.start(span, at), calendar.end(span, at)
    assert start <= at < end
    assert calendar.name(span, start) == calendar.name(span, at) == calendar.name(span, end - 1)
    assert calendar.name(span, end) != calendar.name(span, at)
    assert calendar.start(span, end) == end


@given(MOMENTS, st.sampled_from(ZONES), st.sampled_from(Span))
def test_spans_are_made_of_whole_steps(at: int, zone: str, span: Span) -> None:
    calendar = Calendar(zone)
    for since, until in ((at, at + 40 * 86_400_000), (None, None)):
        assert calendar.start(span, at) % calendar.step(span, since, until) == 0


def test_a_day_on_which_clocks_are_put_has_another_length() -> None:
    calendar = Calendar("Europe/Zurich")
    long, short = ms("2026-10-25T12:00", "Europe/Zurich"), ms("2026-03-29T12:00", "Europe/Zurich")
    hours = [(calendar.end(Span.DAY, at) - calendar.start(Span.DAY, at)) // 3_600_000 for at in (long, short)]
    assert hours == [25, 23]
    twice = [calendar.name(Span.HOUR, ms(f"2026-10-25T{hour}:30")) for hour in ("00", "01")]
    assert twice == ["2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"]


def test_names_are_those_people_write() -> None:
    at = ms("2027-01-01T22:10")
    named = [Calendar("UTC").name(span, at) for span in Span]
    assert named == ["2027-01-01T22:00+00:00", "2027-01-01", "2026-W53", "2027-01"]
    assert Calendar("Asia/Tokyo").name(Span.DAY, at) == "2027-01-02"


def test_days_are_counted_by_the_calendar() -> None:
    calendar = Calendar("Europe/Zurich")
    now = ms("2026-10-27T09:00", "Europe/Zurich")
    assert calendar.back(0, now) == ms("2026-10-27T00:00", "Europe/Zurich")
    assert calendar.back(3, now) == ms("2026-10-24T00:00", "Europe/Zurich")
    assert calendar.back(-2, now) == ms("2026-10-29T00:00", "Europe/Zurich")
    assert list(calendar.spans(Span.DAY, calendar.back(3, now), now)) == [calendar.back(n, now) for n in (3, 2, 1, 0)]
    assert calendar.weekday(now) == 1
    assert calendar.hour(now) == 9


def test_a_zone_that_there_is_not_is_refused() -> None:
    for wrong in ("Middle/Earth", "../etc/passwd", ""):
        with pytest.raises(ValueError, match="no time zone"):
            Calendar(wrong)
    assert Calendar().start(Span.DAY, ms("2026-11-21T23:59")) == ms("2026-11-21T00:00")
