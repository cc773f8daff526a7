"""The bank: who may spend how much of which account. Everything that is spent was granted here first.

Pure, and without a clock of its own: the process around it (``teller``) brings messages, the time, and what was spent
before. A worker is granted blocks, spends from them without asking, and gives back what it does not need. What is in an
account is always counted on the safe side: a block counts as spent from its grant until it is given back, so no crash
and no race can overspend. The truth lies in the records: what a dead worker has really spent is read from them once
they are loaded.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from mainstay.cost.account import PLACE_MS, Account, Balances, Bucket, Waiting
from mainstay.cost.notes import KEPT_MS, Ask, Give, Grant, Held, Level, Recall
from mainstay.cost.rules import Unit

__all__ = ["Bank", "Gauge", "Kept"]

#: Part of what is left that one worker is granted at a time.
_SHARE: Final = 4
#: Milliseconds that others may take to give back what they do not need.
_RECALL: Final = 250
#: Milliseconds for which buckets that count no more are kept, for those who still give back.
_AFTER: Final = 600_000
#: The most that a message can carry of what a budget without a hard limit has spent.
_WORD: Final = 1 << 62


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """What counts of one limit, for the bank that comes after: until when (wall-clock ms), and of each bucket how much
    by which process."""

    until: int
    counted: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, slots=True)
class Gauge:
    """How an account stands: ``used`` counts what is held, too."""

    series: str
    bucket: str
    unit: str
    limit: int
    used: int
    #: The part at which an alert is due; 0 for none.
    soft: float
    #: True once for each bucket, when the alert becomes due.
    alert: bool
    #: Whether anyone was refused in this bucket because not enough is left.
    refused: bool = False


class Bank:
    """Grants and takes back. Not for several threads.

    Args:
        send: tells a living holder something.
        open_series: asks for what was spent of a series before, in some buckets, or, for a rate (no buckets), whether
            all who live have said what they hold; :meth:`opened` is called later.
    """

    def __init__(
        self,
        send: Callable[[str, Grant | Recall | Level], None],
        open_series: Callable[[str, tuple[str, ...]], None],
    ) -> None:
        self._send = send
        self._open = open_series
        self._accounts: dict[str, Account] = {}
        self._holders: set[str] = set()
        #: Ended without a word; what they hold is known once their records are loaded.
        self._dead: set[str] = set()

    @property
    def holders(self) -> frozenset[str]:
        """Those who have said who they are, and are not gone."""
        return frozenset(self._holders)

    @property
    def dead(self) -> frozenset[str]:
        """Those who ended without a word and are not accounted for yet."""
        return frozenset(self._dead)

    def hello(self, holder: str, held: Iterable[Held], now: int) -> None:
        """A worker has come, or has come back after the bank, or the line to it, was away. Its word counts: what was on
        its way to it when the line broke has not come."""
        self._holders.add(holder)
        self._dead.discard(holder)
        told = {(one.series, one.bucket) for one in held}
        for series, account in self._accounts.items():
            # What it asked for then is asked anew.
            account.waiting = deque(waiting for waiting in account.waiting if waiting.holder != holder)
            kept = now - KEPT_MS if account.unit == Unit.USD else now
            for name, bucket in account.buckets.items():
                if bucket.end > kept and (series, name) not in told:
                    bucket.held.pop(holder, None)
        for one in held:
            account = self._account(one.series, one.unit, one.limit, one.pieces)
            bucket = account.buckets.setdefault(one.bucket, Bucket(one.start, one.end))
            bucket.held[holder] = one.amount
            bucket.used -= account.past.pop((one.bucket, holder), 0)
        for account in list(self._accounts.values()):
            self._forget(account, holder, now)

    def ask(self, holder: str, ask: Ask, now: int) -> None:
        """A worker needs something; it is answered now, or once what was spent before is known or others gave back."""
        if holder not in self._holders:
            return
        account = self._account(ask.series, ask.unit, ask.limit, ask.pieces)
        account.limit, account.pieces, account.soft = ask.limit, ask.pieces, ask.soft
        waiting = Waiting(holder, ask, 0, set())
        if account.waiting or not self._is_read(account, ask, now):
            account.waiting.append(waiting)
        else:
            self._serve(account, waiting, now)

    def give(self, holder: str, give: Give, now: int) -> None:
        """A worker gives back, or tells of what it has overspent."""
        account, own = self._accounts.get(give.series), give.account
        if own is not None:
            account = account or self._account(own.series, own.unit, own.limit, own.pieces)
            account.buckets.setdefault(own.bucket, Bucket(own.start, own.end))
        if account is None:
            return
        bucket = account.buckets.get(give.bucket)
        if bucket is not None and holder in self._holders:
            bucket.held[holder] = max(0, bucket.held.get(holder, 0) - give.amount)
        for waiting in account.waiting:
            if waiting.ask.bucket == give.bucket:
                waiting.recalled.discard(holder)
        self._advance(account, now)

    def bye(self, holder: str, now: int) -> None:
        """A worker has ended in order: what it holds is spent."""
        self._holders.discard(holder)
        for account in list(self._accounts.values()):
            for name, bucket in account.buckets.items():
                held = bucket.held.pop(holder, 0)
                if held and account.unit != Unit.PARALLEL:
                    account.past[name, holder] = held
                    bucket.used += held
            self._forget(account, holder, now)

    def lost(self, holder: str, now: int) -> None:
        """A worker is gone without a word, or only the line to it. What it holds stays held until :meth:`buried`."""
        self._holders.discard(holder)
        self._dead.add(holder)
        for account in list(self._accounts.values()):
            self._forget(account, holder, now)

    def gone(self, holders: Iterable[str], now: int) -> None:
        """These who were lost do not live any more: the places of their calls are free."""
        dead = set(holders) & self._dead
        for account in list(self._accounts.values()):
            if account.unit == Unit.PARALLEL:
                for bucket in account.buckets.values():
                    for holder in dead:
                        bucket.held.pop(holder, None)
                self._advance(account, now)

    def buried(self, holders: Iterable[str], spent: dict[str, Balances], now: int) -> None:
        """All records of these dead holders are loaded; ``spent`` is what they spent of each series of money, by bucket
        and holder. The rest of it is free again; of rates nobody knows, and what they held is taken as used."""
        gone = set(holders) & self._dead
        self._dead -= gone
        for account in list(self._accounts.values()):
            known = spent.get(account.series, {})
            for name, bucket in account.buckets.items():
                for holder in gone & bucket.held.keys():
                    held = bucket.held.pop(holder)
                    if account.unit == Unit.PARALLEL:
                        continue
                    amount = known.get((name, holder), 0) if account.unit == Unit.USD else held
                    account.past[name, holder] = amount
                    bucket.used += amount
            self._advance(account, now)

    def money_of(self, holders: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return the buckets of each series of money in which one of these holds something."""
        wanted = set(holders)
        found = {
            account.series: tuple(name for name, bucket in account.buckets.items() if wanted & bucket.held.keys())
            for account in self._accounts.values()
            if account.unit == Unit.USD
        }
        return {series: names for series, names in found.items() if names}

    def opened(self, series: str, spent: Balances | None, now: int) -> None:
        """What was spent of a series by others than the holders is known; None when it cannot be known now."""
        account = self._accounts.get(series)
        if account is None or account.reading is None:
            return
        if spent is None:
            account.reading = None
            # What is held of it stays held; the next who asks has it looked up again.
            waiting, account.waiting = account.waiting, deque()
            for one in waiting:
                self._send(one.holder, Grant(one.ask.number, 0, 0, 0, PLACE_MS, "the database cannot be read"))
            return
        account.add_past(spent)
        account.read.update(account.unread(account.reading, account.since))
        account.opened, account.reading = True, None
        self._advance(account, now)

    def tick(self, now: int) -> None:
        """Answer those who have waited long enough, and forget what counts no more."""
        for series, account in list(self._accounts.items()):
            self._advance(account, now)
            if account.soft and account.opened and account.buckets:
                self._tell(account, now)
            size = max((bucket.end - bucket.start for bucket in account.buckets.values()), default=0)
            old = [
                name
                for name, bucket in account.buckets.items()
                if bucket.end + size * (account.pieces - 1) + _AFTER < now
            ]
            for name in old:
                del account.buckets[name]
            if old:
                account.read.difference_update(old)
                account.past = {key: amount for key, amount in account.past.items() if key[0] in account.buckets}
            if not account.buckets and not account.waiting and account.reading is None:
                del self._accounts[series]

    def gauges(self, now: int) -> list[Gauge]:
        """Return how every account stands now."""
        found = []
        for account in self._accounts.values():
            if not account.opened or not account.buckets:
                continue
            name, used = account.last()[0], account.used_now(now)
            over = bool(account.soft) and used >= account.soft * account.limit
            rolls = account.pieces > 1
            due = over and (account.alerted is None if rolls else account.alerted != name)
            if due or (rolls and not over):
                account.alerted = name if over else None
            refused = account.refused == name
            found.append(Gauge(account.series, name, account.unit, account.limit, used, account.soft, due, refused))
        return found

    def rates(self) -> dict[str, Kept]:
        """Return what counts of every limit of requests and tokens: nothing but this bank knows it."""
        found = {}
        for series, account in self._accounts.items():
            if account.unit in (Unit.REQUESTS, Unit.TOKENS) and account.opened and account.buckets:
                last = account.last()[1]
                until = last.end + (last.end - last.start) * (account.pieces - 1)
                found[series] = Kept(until, tuple(account.counted()))
        return found

    # Inside.

    def _account(self, series: str, unit: str, limit: int, pieces: int) -> Account:
        account = self._accounts.get(series)
        if account is None:
            account = self._accounts[series] = Account(series, unit, limit, pieces)
        return account

    def _is_read(self, account: Account, ask: Ask, now: int) -> bool:
        """Whether everything is known that counts for ``ask``; otherwise see to it that it soon is."""
        if account.reading is None and (unread := account.unread(ask, now)):
            account.opened, account.reading, account.since = False, ask, min(account.since, now)
            self._open(account.series, unread if account.unit == Unit.USD else ())
        return account.opened

    def _serve(self, account: Account, waiting: Waiting, now: int) -> bool:
        """Answer one ask; False when it waits for others to give back."""
        ask, holder = waiting.ask, waiting.holder
        bucket = account.buckets.get(ask.bucket)
        if bucket is None:
            bucket = account.buckets[ask.bucket] = Bucket(ask.start, ask.end)
        left = account.limit - account.used(ask.start, ask.end)
        if left < ask.amount and ask.hard:
            others = {
                other
                for other, amount in bucket.held.items()
                if amount > 0 and other in self._holders and other != holder
            }
            if not waiting.due and others:
                waiting.due, waiting.recalled = now + _RECALL, others
                account.waiting.append(waiting)
                for other in others:
                    self._send(other, Recall(account.series, ask.bucket))
                return False
            retry = account.next_free(ask.start, ask.end, ask.amount, now)
            account.refused = ask.bucket
            self._send(holder, Grant(ask.number, 0, max(0, left), min(_WORD, account.limit - left), retry))
            return True
        amount = max(ask.amount, min(ask.want, left // _SHARE))
        bucket.held[holder] = bucket.held.get(holder, 0) + amount
        left -= amount
        self._send(holder, Grant(ask.number, amount, max(0, left), min(_WORD, account.limit - left)))
        return True

    def _advance(self, account: Account, now: int) -> None:
        """Answer those who wait, in order, as far as can be."""
        while account.waiting:
            first = account.waiting[0]
            if not self._is_read(account, first.ask, now):
                return
            if first.due and first.recalled and now < first.due:
                return
            account.waiting.popleft()
            if first.holder not in self._holders:
                continue
            before = len(account.waiting)
            if not self._serve(account, first, now):
                # It waits for others now; nobody overtakes it.
                account.waiting.rotate(1)
                assert len(account.waiting) == before + 1
                return

    def _tell(self, account: Account, now: int) -> None:
        """Tell workers when the part of an account is used from which on they do otherwise, and when it is not."""
        name = account.last()[0]
        above = name if account.used_now(now) >= account.soft * account.limit else ""
        if above != account.above:
            account.above = above
            for holder in self._holders:
                self._send(holder, Level(account.series, name, bool(above)))

    def _forget(self, account: Account, holder: str, now: int) -> None:
        """See to it that ``holder`` waits no more, and that nobody waits for it."""
        if holder not in self._holders:
            account.waiting = deque(waiting for waiting in account.waiting if waiting.holder != holder)
        for waiting in account.waiting:
            waiting.recalled.discard(holder)
        self._advance(account, now)
