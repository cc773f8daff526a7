"""Spans of time that spending is shown by: hours, days, weeks and months of a time zone. Pure; times come in."""

import datetime as dt
from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

__all__ = ["Calendar", "Span"]

_HOUR: Final = 3_600_000
_DAY: Final = 24 * _HOUR
#: Every zone is off by a multiple of this.
_QUARTER: Final = _HOUR // 4


class Span(StrEnum):
    """A span."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Calendar:
    """The spans of one time zone.

    Raises:
        ValueError: there is no such zone.
    """

    def __init__(self, zone: str = "UTC") -> None:
        self._zone: dt.tzinfo = dt.UTC
        if zone != "UTC":
            try:
                self._zone = ZoneInfo(zone)
            except (OSError, LookupError, ValueError):
                raise ValueError(f"'{zone}' is no time zone; write one such as UTC or Europe/Zurich") from None
        self._name = lru_cache(maxsize=4096)(self._named)

    def name(self, span: Span, at: int) -> str:
        """Return the name of the span that wall-clock millisecond ``at`` lies in."""
        return self._name(span, at - at % _QUARTER)

    def start(self, span: Span, at: int) -> int:
        """Return the first millisecond of the span that ``at`` lies in."""
        return _ms(self._start(span, self._moment(at)))

    def end(self, span: Span, at: int) -> int:
        """Return the first millisecond after the span that ``at`` lies in."""
        start = self._start(span, self._moment(at))
        if span is Span.HOUR:
            return _ms(start) + _HOUR
        if span is Span.MONTH:
            return _ms(start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1))
        return _ms(_later(start, 1 if span is Span.DAY else 7))

    def back(self, days: int, at: int) -> int:
        """Return the first millisecond of the day that lies ``days`` before the one of ``at``; negative, after it."""
        return _ms(_later(self._start(Span.DAY, self._moment(at)), -days))

    def weekday(self, at: int) -> int:
        """Return 0 for a Monday to 6 for a Sunday."""
        return self._moment(at).weekday()

    def hour(self, at: int) -> int:
        """Return the hour that clocks on the wall show."""
        return self._moment(at).hour

    def spans(self, span: Span, since: int, until: int) -> Iterator[int]:
        """Yield the starts of the spans from the one of ``since`` to the last that begins before ``until``."""
        at = self.start(span, since)
        while at < until:
            yield at
            at = self.end(span, at)

    def step(self, span: Span, since: int | None, until: int | None) -> int:
        """Return the largest stretch, counted from 1970, of which every span of the time asked for is made."""
        if self._zone is dt.UTC:
            return _HOUR if span is Span.HOUR else _DAY
        if since is None or until is None:
            return _QUARTER
        first, last = self._moment(since).year, self._moment(until).year
        halves = [(year, month) for year in range(first, last + 1) for month in (1, 7)]
        offsets = [dt.datetime(*half, 1, tzinfo=self._zone).utcoffset() or dt.timedelta() for half in halves]
        return _QUARTER if any(offset % dt.timedelta(hours=1) for offset in offsets) else _HOUR

    def _named(self, span: Span, at: int) -> str:
        start = self._start(span, self._moment(at))
        if span is Span.HOUR:
            return start.isoformat(timespec="minutes")
        if span is Span.WEEK:
            year, week, _ = start.isocalendar()
            return f"{year}-W{week:02}"
        return start.strftime("%Y-%m-%d" if span is Span.DAY else "%Y-%m")

    def _moment(self, at: int) -> dt.datetime:
        return dt.datetime.fromtimestamp(at / 1000, self._zone)

    def _start(self, span: Span, moment: dt.datetime) -> dt.datetime:
        if span is Span.HOUR:
            return moment.replace(minute=0, second=0, microsecond=0)
        day = dt.datetime(moment.year, moment.month, moment.day, tzinfo=self._zone)
        if span is Span.WEEK:
            return _later(day, -day.weekday())
        return day.replace(day=1) if span is Span.MONTH else day


def _later(day: dt.datetime, count: int) -> dt.datetime:
    """Return midnight some days on, by the clock on the wall."""
    return (day.replace(tzinfo=None) + dt.timedelta(days=count)).replace(tzinfo=day.tzinfo)


def _ms(moment: dt.datetime) -> int:
    return round(moment.timestamp() * 1000)
