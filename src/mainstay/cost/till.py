"""The till of one worker: what calls have reserved, and what each turns out to have cost.

Every record is settled here once, before it is written: each attempt is priced by what it took, what was reserved for
it is given up, and what budgets are charged is noted. Knows purses and prices; knows no line and no dialect.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from mainstay.core.record import Attempt, Record
from mainstay.core.usage import Usage
from mainstay.cost.purse import Purse, Purses
from mainstay.cost.rates import Tariff
from mainstay.cost.rules import Series, Unit

__all__ = ["Habit", "Priced", "Tab", "Till"]

#: Asked for with every call; through its class a member of an enumeration takes three times as long to find.
_USD, _TOKENS, _REQUESTS = Unit.USD, Unit.TOKENS, Unit.REQUESTS
_BYTES_A_TOKEN: Final = 4
#: Of a dollar, in the units of the ledger.
_PLACES: Final = 12
#: Bytes of a second of speech, about, where nobody says how long it was.
_SOUND: Final = 8_000
#: The most that what an upstream cost beyond its hold is taken for a habit of its, and what is forgotten of it a call.
_WORST: Final = 16.0
_FORGET: Final = 0.98
#: Calls that are the last ones, at least.
_RECENT: Final = 64
#: How an attempt ended that its upstream may bill although it said nothing of what it took.
_BILLED: Final = frozenset({"", "ok", "caller_gone", "outrun", "upstream_interrupted", "upstream_timeout"})
#: Operations whose answers are text, and those that hear.
_TEXT: Final = frozenset({"chat", "text_completion"})
_HEAR: Final = frozenset({"transcription", "translation"})


class Priced(msgspec.Struct, frozen=True):
    """What one model costs. ``source`` is as :attr:`Attempt.priced`; ``known`` is False where the price is a guess."""

    tariff: Tariff
    source: str
    #: The tier that calls are made in, such as ``batch``.
    service: str = ""

    @property
    def known(self) -> bool:
        """Whether anyone has said what it costs."""
        return self.source != "ceiling"


class Habit:
    """What calls of one model have cost of late, in this worker: holds are made with it in mind."""

    __slots__ = ("_before", "_count", "_now", "excess")

    def __init__(self) -> None:
        #: How many times what was reserved a call has cost; 1 while none went beyond, as it should be.
        self.excess = 1.0
        #: The dearest and the longest of the calls that are counted now, and of those before.
        self._now = self._before = (0, 0)
        self._count = 0

    @property
    def dearest(self) -> int:
        """What the dearest of the last calls has cost, in units of 1e-12 US dollars; 0 before the first."""
        return max(self._now[0], self._before[0])

    @property
    def longest(self) -> int:
        """Tokens of the longest of the last answers; 0 before the first."""
        return max(self._now[1], self._before[1])

    def add(self, cost: int, written: int) -> None:
        """Note what a call has cost."""
        dearest, longest = self._now
        if cost > dearest or written > longest:
            self._now = (max(cost, dearest), max(written, longest))
        self._count += 1
        if self._count == _RECENT:
            self._before, self._now, self._count = self._now, (0, 0), 0
        if self.excess != 1.0:
            self.excess = max(1.0, self.excess * _FORGET)


class Tab:
    """What one call has reserved, and which budgets it is charged to."""

    __slots__ = ("budgets", "holds", "models", "unheld")

    def __init__(self) -> None:
        #: What was taken of each purse, and for which attempt; None for the whole call.
        self.holds: list[tuple[Purse, int, Attempt | None]] = []
        #: Budgets of the call: each attempt is charged to all of them.
        self.budgets: Sequence[Series] = ()
        #: Purses of single models and providers: the targets whose attempts they count.
        self.models: dict[Purse, set[str]] = {}
        #: Purses that nothing was taken of because the bank was away and calls go on all the same.
        self.unheld: set[Purse] = set()


class Till:
    """Opens a tab for a call and closes it with its record.

    Args:
        purses: what this worker may spend.
    """

    def __init__(self, purses: Purses) -> None:
        self.purses = purses
        #: By the id of the record.
        self.tabs: dict[str, Tab] = {}
        self._prices: dict[str, Priced] = {}
        self._habits: dict[str, Habit] = {}
        #: Since the start: charges above what was reserved, and attempts whose price nobody knows.
        self.overdrafts = 0
        self.unpriced = 0

    def renew(self, prices: Mapping[str, Priced]) -> None:
        """Take in the prices of a new configuration; calls of models that are gone still find theirs."""
        self._prices.update(prices)

    def price_of(self, model: str) -> Priced | None:
        """Return what a model costs."""
        return self._prices.get(model)

    def habit_of(self, model: str) -> Habit:
        """Return what calls of a model have cost of late."""
        habit = self._habits.get(model)
        if habit is None:
            habit = self._habits[model] = Habit()
        return habit

    def open(self, record: Record) -> Tab:
        """Return the tab of a record, a new one the first time."""
        tab = self.tabs.get(record.id)
        if tab is None:
            tab = self.tabs[record.id] = Tab()
        return tab

    def settle(self, record: Record) -> None:
        """Price what was done for ``record``, note the cost, and give up what was reserved."""
        attempts = record.attempts
        total = 0
        if attempts:
            priced = False
            last = attempts[-1]
            for attempt in attempts:
                if self._charge(record, attempt, attempt is last):
                    priced = True
                    total += attempt.cost or 0
            if priced:
                record.cost_usd = _dollars(total)
        if self.tabs:
            tab = self.tabs.pop(record.id, None)
            if tab is not None:
                self._close(record, tab, total)

    def _charge(self, record: Record, attempt: Attempt, last: bool) -> bool:
        """Price one attempt; False where nothing is known of its model."""
        price = self._prices.get(attempt.target)
        if price is None:
            return False
        usage = attempt.usage
        if usage is None:
            usage = self._guess(record, attempt, last)
            if usage is None:
                attempt.cost, attempt.priced = 0, price.source
                return True
            attempt.usage = usage
        charge = price.tariff.price(usage, record.at, price.service)
        attempt.cost = charge.total
        attempt.priced = price.source
        habit = self._habits.get(attempt.target) or self.habit_of(attempt.target)
        habit.add(charge.total, usage.output)
        if charge.computed is not None:
            attempt.computed, attempt.priced = charge.computed, "reported"
        elif charge.unpriced or not price.known:
            self.unpriced += 1
        return True

    def _guess(self, record: Record, attempt: Attempt, last: bool) -> Usage | None:
        """Return about what an attempt took of which nobody says so; None when nothing can have been billed."""
        if last and record.usage is not None and (rest := _rest(record.usage, record.attempts)) is not None:
            return rest
        if attempt.outcome not in _BILLED or attempt.status >= 300:
            return None
        if record.operation in _HEAR and attempt.outcome == "ok":
            return Usage(audio_ms=1 + record.request_bytes * 1000 // _SOUND, estimated=True)
        if record.operation not in _TEXT:
            return None
        # It was sent, and then left or lost: its prompt was read, and each event was a token, about.
        return Usage(record.request_bytes // _BYTES_A_TOKEN, attempt.events, estimated=True)

    def _close(self, record: Record, tab: Tab, total: int) -> None:
        taken: dict[Purse, int] = {}
        for purse, amount, _ in tab.holds:
            if purse in taken:
                # One settlement for each purse: of several holds only one is open.
                purse.open -= 1
                taken[purse] += amount
            else:
                taken[purse] = amount
        plain = not tab.models and len(record.attempts) < 2
        for purse, amount in taken.items():
            unit = purse.series.rule.unit
            if unit is _USD:
                spent = total if plain else _spent(record, tab, purse, total)
                if spent:
                    record.charges[purse.id] = spent
                if spent > amount and purse.series.rule.hard and purse not in tab.unheld:
                    self._overdrawn(record, spent, amount)
            elif unit is _TOKENS:
                spent = _tokens(record, tab.models.get(purse))
            elif unit is _REQUESTS:
                spent = _requests(record, tab.models.get(purse))
            else:
                spent = 0
            self.purses.settle(purse, amount, spent)

    def _overdrawn(self, record: Record, spent: int, amount: int) -> None:
        self.overdrafts += 1
        habit = self.habit_of(record.target)
        habit.excess = max(habit.excess, min(_WORST, spent / max(amount, 1)))


def _rest(usage: Usage, attempts: Sequence[Attempt]) -> Usage | None:
    """Return what the last of ``attempts`` took of ``usage``, which may be of several answers in one call; None when
    that is of the others alone."""
    before = [attempt.usage for attempt in attempts[:-1] if attempt.usage is not None and attempt.outcome == "ok"]
    if not before:
        return usage
    given, written = sum(one.input for one in before), sum(one.output for one in before)
    if usage.input <= given and usage.output <= written:
        return None
    return Usage(max(0, usage.input - given), max(0, usage.output - written), estimated=True)


def _spent(record: Record, tab: Tab, purse: Purse, total: int) -> int:
    """Return what of a record's cost a purse is charged."""
    models = tab.models.get(purse)
    series = purse.series.id
    among = [hold for hold in tab.holds if hold[0].series.id == series]
    if all(hold[0] is purse for hold in among):
        if models is None:
            return total
        return sum(attempt.cost or 0 for attempt in record.attempts if attempt.target in models)
    # Its attempts began in several periods, and each is charged to its own; one that is not found, to the first.
    models = {target for one, _, _ in among for target in tab.models.get(one, ())} or None
    spent = 0
    for attempt in record.attempts:
        if models is None or attempt.target in models:
            own = next((one for one, _, held in among if held is attempt), among[0][0])
            spent += attempt.cost or 0 if own is purse else 0
    return spent


def _tokens(record: Record, models: set[str] | None) -> int:
    told = [(attempt.target, attempt.usage) for attempt in record.attempts if attempt.usage is not None]
    if models is not None:
        return sum(usage.input + usage.output for target, usage in told if target in models)
    usage = record.usage
    if not told:
        return usage.input + usage.output if usage is not None else 0
    return sum(usage.input + usage.output for _, usage in told)


def _requests(record: Record, models: set[str] | None) -> int:
    if models is not None:
        return sum(attempt.target in models for attempt in record.attempts)
    return 1 if record.attempts or record.outcome == "ok" else 0


def _dollars(pico: int) -> str:
    """Return units of 1e-12 US dollars as the shortest decimal string."""
    digits = str(pico)
    if len(digits) <= _PLACES:
        return "0." + digits.zfill(_PLACES).rstrip("0") if pico else "0"
    return (digits[:-_PLACES] + "." + digits[-_PLACES:]).rstrip("0").rstrip(".")
