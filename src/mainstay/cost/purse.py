"""What one worker may spend without asking: blocks that the bank granted, account by account.

Lives in a gateway worker, on its event loop. Taking and settling are plain arithmetic; only an empty purse asks the
bank, once for all that wait. Does not know how the bank is reached.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from mainstay.core.clock import monotonic
from mainstay.core.errors import Unavailable
from mainstay.cost.notes import KEPT_MS, Ask, Give, Grant, Held, Level, Recall
from mainstay.cost.rules import Series, Unit
from mainstay.cost.windows import Bucket

__all__ = ["Purse", "Purses", "Short"]

#: Seconds that the bank may take to answer.
_PATIENCE: Final = 5.0
#: Seconds that calls wait for a bank that cannot be reached; it is back within one as a rule.
_AWAY: Final = 2.0
#: Milliseconds for which a refusal answers for those that follow it.
_SHUT_MS: Final = 100
#: Times the last need that is asked for, when a purse was emptied soon after it was filled.
_GROWTH: Final = 2
_MOST: Final = 4096
#: Ticks that a purse may lie unused before what is in it goes back.
_IDLE: Final = 5


class Short(Exception):
    """There is not enough in an account.

    ``left`` and ``used`` are in the unit's smallest parts; in ``retry_ms`` there may be more.
    """

    def __init__(self, series: Series, bucket: Bucket, grant: Grant, here: int = 0) -> None:
        super().__init__(series.id)
        self.series, self.bucket = series, bucket
        self.left, self.used, self.retry_ms = grant.left + here, grant.used - here, grant.retry_ms


class Purse:
    """One account's part in this worker.

    ``left`` can be taken at once; ``held`` is what was granted and not given back.
    """

    __slots__ = (
        "above",
        "asked",
        "bucket",
        "ended",
        "held",
        "id",
        "idle",
        "known",
        "left",
        "mute",
        "open",
        "other",
        "series",
        "shut",
        "shut_amount",
        "shut_until",
        "used",
        "waiting",
        "want",
    )

    def __init__(self, series: Series, bucket: Bucket) -> None:
        self.series, self.bucket = series, bucket
        #: The account's name on a record.
        self.id = f"{series.id}@{bucket.name}"
        self.left = 0
        self.held = 0
        #: Holds that are not settled.
        self.open = 0
        #: What was left and used of the account when the bank last spoke.
        self.other = series.rule.limit
        self.used = 0
        #: Whether the bank has said so.
        self.known = False
        #: Whether the bank has said that the part of it is used which is worth an alert.
        self.above = False
        self.want = 0
        self.asked = False
        #: The bank was asked long ago, and is silent.
        self.mute = False
        self.ended = False
        self.idle = 0
        #: The last refusal, of how much, and until when (monotonic seconds) it answers for the bank.
        self.shut: Grant | None = None
        self.shut_amount = 0
        self.shut_until = 0.0
        self.waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def remaining(self) -> int:
        """About what is left of the account for everyone."""
        return max(0, self.other + self.left)


class Purses:
    """All purses of one worker.

    Args:
        send: tells the bank something; returns False while it cannot be reached.
    """

    def __init__(self, send: Callable[[Ask | Give], bool]) -> None:
        self._send = send
        self._now: dict[str, Purse] = {}
        #: Purses whose bucket is over, by account.
        self._past: dict[str, Purse] = {}
        self._asked: dict[int, Purse] = {}
        self._number = 0
        #: Since when the bank cannot be reached, in monotonic seconds; 0 while it can.
        self.away = 0.0
        #: When the bank last spoke, in monotonic seconds, and whether it has been asked in vain since.
        self._heard = 0.0
        self._silent = False

    def find(self, series: Series, at: int) -> Purse:
        """Return the purse of a series for wall-clock millisecond ``at``."""
        purse = self._now.get(series.id)
        if purse is not None and purse.bucket.start <= at < purse.bucket.end:
            if purse.series is not series:
                # The rule was edited; the account is the same.
                purse.series, purse.shut = series, None
            return purse
        bucket = series.rule.window.bucket(at)
        if purse is not None:
            self._end(purse)
        found = self._past.pop(f"{series.id}@{bucket.name}", None) or Purse(series, bucket)
        found.ended = False
        self._now[series.id] = found
        return found

    async def fill(self, purse: Purse, amount: int) -> None:
        """Take ``amount`` out of a purse that has not enough in it, as soon as it has.

        Raises:
            Short: there is not enough in the account.
            Unavailable: the bank cannot be asked.
        """
        shut = purse.shut
        if shut is not None and monotonic() < purse.shut_until and amount >= purse.shut_amount:
            raise Short(purse.series, purse.bucket, shut, max(0, purse.left))
        if self._silent or purse.mute or (self.away and monotonic() - self.away > _AWAY):
            raise _unavailable()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        purse.waiting.append((amount, future))
        self._ask(purse)
        try:
            async with asyncio.timeout(_PATIENCE):
                # Once it is done, the amount is out of the purse: see _hand_out.
                await future
        except (asyncio.CancelledError, TimeoutError) as error:
            if future.done() and not future.cancelled() and future.exception() is None:
                # It came in the moment its caller left.
                self.settle(purse, amount, 0)
            purse.waiting = deque(one for one in purse.waiting if one[1] is not future)
            if isinstance(error, TimeoutError):
                purse.mute = purse.asked
                # One account may wait for the database; of a bank that lives, something is heard meanwhile.
                self._silent = monotonic() - self._heard >= _PATIENCE
                raise _unavailable() from None
            raise

    def settle(self, purse: Purse, taken: int, spent: int) -> None:
        """A hold of ``taken`` has ended, and ``spent`` of it was used; more than it is an overdraft."""
        purse.open -= 1
        purse.left += taken - spent
        purse.idle = 0
        if purse.waiting and purse.left > 0:
            self._hand_out(purse)
        if purse.ended or purse.left < 0:
            self._give(purse, purse.left)

    def granted(self, grant: Grant) -> None:
        """The bank has answered."""
        self._listen()
        purse = self._asked.pop(grant.number, None)
        if purse is None:
            return
        purse.asked = purse.mute = False
        purse.left += grant.amount
        purse.held += grant.amount
        purse.other, purse.used, purse.known = grant.left, grant.used, not grant.fault
        self._hand_out(purse)
        if grant.amount or not purse.waiting:
            if purse.waiting:
                self._ask(purse)
            elif purse.ended:
                self._give(purse, purse.left)
            return
        if not grant.fault:
            pause = min(grant.retry_ms, _SHUT_MS) / 1000
            purse.shut, purse.shut_until, purse.shut_amount = grant, monotonic() + pause, purse.waiting[0][0]
        # A smaller need behind the first may be served, on its own asking.
        first, here = purse.waiting[0][0], max(0, purse.left)
        refused = [one for one in purse.waiting if one[0] >= first]
        purse.waiting = deque(one for one in purse.waiting if one[0] < first)
        for _, future in refused:
            if not future.done():
                short = Short(purse.series, purse.bucket, grant, here)
                future.set_exception(_unavailable() if grant.fault else short)
        self._hand_out(purse)
        if purse.waiting:
            self._ask(purse)
        elif purse.ended:
            self._give(purse, purse.left)

    def recalled(self, recall: Recall) -> None:
        """The bank is short: what nobody here waits for goes back. It is always answered."""
        self._listen()
        purse = self._now.get(recall.series)
        if purse is None or purse.bucket.name != recall.bucket:
            purse = self._past.get(f"{recall.series}@{recall.bucket}")
        amount = 0
        if purse is not None and not purse.waiting:
            amount = max(0, purse.left)
            purse.left -= amount
            purse.held -= amount
            purse.want = 0
        self._send(Give(recall.series, recall.bucket, amount))

    def told(self, level: Level) -> None:
        """The bank tells how much of an account is used."""
        purse = self._now.get(level.series)
        if purse is not None and purse.bucket.name == level.bucket:
            purse.above = level.above

    def tick(self, at: int) -> None:
        """To be called several times a second: give back what lies unused, and what is over."""
        for series, purse in list(self._now.items()):
            if purse.bucket.end <= at:
                self._end(purse)
                del self._now[series]
            elif purse.left > 0 and not purse.waiting:
                purse.idle += 1
                if purse.idle > _IDLE:
                    purse.want //= 2
                    self._give(purse, purse.left)
            elif not (purse.held or purse.left or purse.open or purse.waiting or purse.asked):
                del self._now[series]
        for name, purse in list(self._past.items()):
            over = purse.bucket.end + KEPT_MS < at
            if not purse.open and not purse.asked and (over or purse.series.rule.unit is not Unit.USD):
                del self._past[name]

    def held(self) -> Iterator[Held]:
        """Yield what this worker holds: to tell a bank that was away."""
        for purse in (*self._now.values(), *self._past.values()):
            if purse.held:
                yield _held(purse)

    def reconnected(self) -> None:
        """The bank is there again, and has heard what is held: what it could not be told before is told, and what was
        asked of it is asked anew."""
        asked, self._asked = list(self._asked.values()), {}
        self._listen()
        for purse in (*self._now.values(), *self._past.values()):
            if purse.left < 0 or purse.ended:
                self._give(purse, purse.left)
        for purse in asked:
            purse.asked = purse.mute = False
            if purse.waiting:
                self._ask(purse)

    def close(self) -> None:
        """Give back everything that is not spent."""
        for purse in (*self._now.values(), *self._past.values()):
            if purse.left > 0:
                self._give(purse, purse.left)

    def _listen(self) -> None:
        self._heard, self._silent = monotonic(), False

    def _ask(self, purse: Purse) -> None:
        if purse.asked:
            return
        rule, bucket = purse.series.rule, purse.bucket
        needs = [amount for amount, _ in purse.waiting]
        # An overdraft is made good first. More than the limit is refused like the limit and one more.
        amount = max(1, min(needs[0] - purse.left, rule.limit + 1))
        purse.want = min(_MOST * amount, rule.limit, max(sum(needs) - purse.left, purse.want * _GROWTH, amount))
        self._number += 1
        self._asked[self._number] = purse
        purse.asked = True
        self._send(
            Ask(
                self._number,
                purse.series.id,
                rule.unit,
                rule.limit,
                rule.window.pieces,
                bucket.name,
                bucket.start,
                bucket.end,
                amount,
                purse.want,
                rule.soft or 0.0,
                rule.hard,
            )
        )

    def _hand_out(self, purse: Purse) -> None:
        while purse.waiting and purse.left >= purse.waiting[0][0]:
            amount, future = purse.waiting.popleft()
            if not future.done():
                purse.left -= amount
                purse.open += 1
                future.set_result(None)

    def _end(self, purse: Purse) -> None:
        purse.ended = True
        self._past[purse.id] = purse
        if not purse.waiting:
            self._give(purse, purse.left)

    def _give(self, purse: Purse, amount: int) -> None:
        """Give back ``amount``, or tell of an overdraft where it is below zero."""
        account = _held(purse) if amount < 0 else None
        if amount and self._send(Give(purse.series.id, purse.bucket.name, amount, account)):
            purse.left -= amount
            purse.held -= amount


def _held(purse: Purse) -> Held:
    rule, bucket = purse.series.rule, purse.bucket
    pieces = rule.window.pieces
    return Held(purse.series.id, rule.unit, rule.limit, pieces, bucket.name, bucket.start, bucket.end, purse.held)


def _unavailable() -> Unavailable:
    return Unavailable(
        "What this call may cost cannot be reserved now; try again shortly.", code="ledger_unavailable", retry_after=1
    )
