"""Stretches of time that budgets and limits are counted over.

A window is calendar (the month of a time zone) or rolling (any 30 days in a row). Both are cut into buckets, each
counted by itself: a calendar window is one bucket; a rolling one is covered by some buckets of equal length, all of
those that reach into it, so that it never lets more through than it says. Pure: times come in.
"""

import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

__all__ = ["EVER", "PERIODS", "Bucket", "Window", "describe"]

#: Lengths of calendar periods, in milliseconds; of a month and a year the shortest.
PERIODS = {
    "minute": 60_000,
    "hour": 3_600_000,
    "day": 86_400_000,
    "week": 604_800_000,
    "month": 28 * 86_400_000,
    "year": 365 * 86_400_000,
}
#: When a bucket ends that has no end.
EVER = 1 << 62
#: Buckets that cover a rolling window: more of them are more exact, and cost more to keep.
_PIECES = 60


class Bucket(msgspec.Struct, frozen=True):
    """A stretch that is counted by itself: its name, its start and its end (exclusive), wall-clock ms in UTC."""

    name: str
    start: int
    end: int


class Window(msgspec.Struct, frozen=True):
    """``period`` is a key of :data:`PERIODS` or "" for one that never ends; ``count`` of them make the window.

    ``zone`` says when days begin, where it is not rolling.
    """

    period: str = ""
    rolling: bool = False
    zone: str = "UTC"
    count: int = 1

    @property
    def length(self) -> int:
        """Milliseconds that a rolling window covers; 0 for others."""
        if not self.rolling:
            return 0
        # Where people say "any month" they mean 30 days.
        return {"month": 30 * PERIODS["day"]}.get(self.period, PERIODS[self.period]) * self.count

    @property
    def pieces(self) -> int:
        """How many buckets count together, the present one among them."""
        return _PIECES + 1 if self.rolling else 1

    def bucket(self, at: int) -> Bucket:
        """Return the bucket of wall-clock millisecond ``at``."""
        if not self.period:
            return Bucket("", 0, EVER)
        if self.rolling:
            size = self.length // _PIECES
            start = at - at % size
            return Bucket(str(start // size), start, start + size)
        return _calendar(self.period, self.zone, at)


def describe(window: Window) -> str:
    """Return a window in words: ``a month``, ``any 30 days``."""
    if not window.period:
        return "in all"
    if window.rolling:
        days, rest = divmod(window.length, PERIODS["day"])
        if days > 1 and not rest:
            return f"in any {days} days"
        return f"in any {window.count} {window.period}s" if window.count > 1 else f"in any {window.period}"
    return f"a {window.period}" if window.period != "hour" else "an hour"


def _calendar(period: str, zone: str, at: int) -> Bucket:
    # Of the last few asked for: all calls of a month ask for the same one.
    found = _last.get((period, zone))
    if found is None or not found.start <= at < found.end:
        found = _last[period, zone] = _find(period, zone, at)
        if len(_last) > _MOST:
            _last.clear()
    return found


_last: dict[tuple[str, str], Bucket] = {}
_MOST = 1000


@lru_cache(maxsize=256)
def _zone(name: str) -> dt.tzinfo:
    return dt.UTC if name == "UTC" else ZoneInfo(name)


def _find(period: str, zone: str, at: int) -> Bucket:
    tz = _zone(zone)
    now = dt.datetime.fromtimestamp(at / 1000, tz)
    if period in ("minute", "hour"):
        # Not cut by a change of the clocks.
        size = PERIODS[period]
        start = at - at % size
        form = "%Y-%m-%dT%H:%M" if period == "minute" else "%Y-%m-%dT%H"
        return Bucket(dt.datetime.fromtimestamp(start / 1000, dt.UTC).strftime(form), start, start + size)
    day = dt.datetime(now.year, now.month, now.day, tzinfo=tz)
    if period == "day":
        first, after, name = day, _days(day, 1), day.strftime("%Y-%m-%d")
    elif period == "week":
        first = _days(day, -day.weekday())
        after, name = _days(first, 7), f"{first.isocalendar().year}-W{first.isocalendar().week:02}"
    elif period == "month":
        first = day.replace(day=1)
        after = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
        name = first.strftime("%Y-%m")
    else:
        first = day.replace(month=1, day=1)
        after, name = first.replace(year=first.year + 1), first.strftime("%Y")
    return Bucket(name, _ms(first), _ms(after))


def _days(day: dt.datetime, count: int) -> dt.datetime:
    """Return midnight some days on, by the clock on the wall."""
    return (day.replace(tzinfo=None) + dt.timedelta(days=count)).replace(tzinfo=day.tzinfo)


def _ms(moment: dt.datetime) -> int:
    return round(moment.timestamp() * 1000)
