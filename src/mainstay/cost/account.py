"""One account of the bank: a series, its limit, and who holds how much of each bucket. Pure."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from mainstay.cost.notes import Ask
from mainstay.cost.rules import Unit

__all__ = ["PLACE_MS", "Account", "Balances", "Bucket", "Waiting", "names_of"]

#: What was spent of a series before, by bucket and by the process that spent it.
Balances = dict[tuple[str, str], int]

#: When to ask again for a place among calls that run.
PLACE_MS: Final = 1000


@dataclass(slots=True)
class Bucket:
    """A stretch of time, in wall-clock ms, and what counts in it."""

    start: int
    end: int
    #: Spent by processes that are gone.
    used: int = 0
    #: Granted to each living process and not given back.
    held: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """What is spent, or may be at any moment."""
        return self.used + sum(self.held.values())


@dataclass(slots=True)
class Waiting:
    """An ask that is not answered yet."""

    holder: str
    ask: Ask
    #: Until when others may give back.
    due: int
    #: Those who have not answered yet.
    recalled: set[str]


@dataclass(slots=True)
class Account:
    """One series: its limit as it was last said, and its buckets."""

    series: str
    unit: str
    limit: int
    pieces: int
    buckets: dict[str, Bucket] = field(default_factory=dict)
    #: Whether what was spent before is known.
    opened: bool = False
    #: Buckets whose past is known, for whose ask others are being read, and since when nothing is spent but by this
    #: bank's grant.
    read: set[str] = field(default_factory=set)
    reading: Ask | None = None
    since: int = 1 << 62
    waiting: deque[Waiting] = field(default_factory=deque)
    #: What counts as spent by the database's word, by bucket and process: until that process says what it holds.
    past: Balances = field(default_factory=dict)
    soft: float = 0.0
    #: The bucket in which the alert was given; of a rolling window, "" once it is below again.
    alerted: str | None = None
    #: The bucket of which workers were told that this part of it is used, or "".
    above: str = ""
    #: The last bucket in which anyone was refused.
    refused: str | None = None

    def used(self, start: int, end: int) -> int:
        """What counts in the bucket from ``start`` to ``end``: itself and those before it that reach into it."""
        span = (end - start) * (self.pieces - 1)
        buckets = self.buckets.values()
        # Who asks late, for a bucket that is over, adds to each window that reaches back to it.
        ends = [start, *(bucket.start for bucket in buckets if start < bucket.start <= start + span)]
        return max(sum(bucket.total for bucket in buckets if at - span <= bucket.start <= at) for at in ends)

    def last(self) -> tuple[str, Bucket]:
        """The latest bucket and its name; there is one."""
        return max(self.buckets.items(), key=lambda pair: pair[1].start)

    def used_now(self, now: int) -> int:
        """What counts at wall-clock millisecond ``now``."""
        after = (self.last()[1].end - self.last()[1].start) * (self.pieces - 1)
        return sum(bucket.total for bucket in self.buckets.values() if bucket.start <= now < bucket.end + after)

    def unread(self, ask: Ask, now: int) -> tuple[str, ...]:
        """The buckets that count for ``ask`` and of whose past nothing is known; those of rates have none."""
        if self.unit != Unit.USD:
            return () if self.opened else (ask.bucket,)
        since, size, read = min(self.since, now), ask.end - ask.start, self.read
        names = enumerate(names_of(ask.bucket, ask.pieces))
        # What began later than this account was opened was never spent of without this bank.
        return tuple(name for back, name in names if name not in read and ask.start - back * size <= since)

    def next_free(self, start: int, end: int, need: int, now: int) -> int:
        """Milliseconds until ``need`` of it is free, if nobody asks for more."""
        if self.unit == Unit.PARALLEL:
            return PLACE_MS
        if need > self.limit or self.pieces == 1:
            return max(1, end - now)
        size = end - start
        short = self.used(start, end) + need - self.limit
        for bucket in sorted(self.buckets.values(), key=lambda bucket: bucket.start):
            if bucket.start < start - size * (self.pieces - 1):
                continue
            short -= bucket.total
            if short <= 0:
                return max(1, bucket.start + size * self.pieces - now)
        return size

    def add_past(self, spent: Balances) -> None:
        """Take in what was spent of the buckets that were read, by others than those who hold something of them."""
        asked = self.reading
        assert asked is not None
        for (name, holder), amount in spent.items():
            bucket = self.buckets.get(name)
            if bucket is None:
                # A window in pieces counts them, so their names say where they are.
                shift = (int(name) - int(asked.bucket)) * (asked.end - asked.start) if self.pieces > 1 else 0
                bucket = self.buckets[name] = Bucket(asked.start + shift, asked.end + shift)
            # What a holder has spent is part of what it holds, and of those who went meanwhile it is counted already.
            if holder not in bucket.held and (name, holder) not in self.past:
                bucket.used += amount
                self.past[name, holder] = amount

    def counted(self) -> list[tuple[str, str, int]]:
        """What counts of each bucket: its name, the process that it is of ("" where that matters no more), how much."""
        found = [(name, holder, amount) for (name, holder), amount in self.past.items() if name in self.buckets]
        for name, bucket in self.buckets.items():
            found += [(name, holder, amount) for holder, amount in bucket.held.items()]
            found.append((name, "", bucket.used - sum(amount for key, amount in self.past.items() if key[0] == name)))
        return [one for one in found if one[2] > 0]


def names_of(bucket: str, pieces: int) -> tuple[str, ...]:
    """Return the names of the buckets that count together, the last of which is ``bucket``."""
    if pieces == 1:
        return (bucket,)
    last = int(bucket)
    return tuple(str(last - back) for back in range(pieces))
