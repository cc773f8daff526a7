"""Two stages of the line: ``Hold`` lets a call in, ``Charge`` reserves what each attempt may cost.

``Hold`` stands above everything that costs money and counts the call against its limits; it also moves calls to a
smaller model where a budget says so. ``Charge`` stands right before the provider, inside the loop over attempts: a
retry, a hedge or a second question reserves money of its own. Both are closed by the till, with the record.
"""

from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import Final

from msgspec.structs import replace

from mainstay.core.answer import Answer
from mainstay.core.call import Ask, Call
from mainstay.core.clock import wall_ms
from mainstay.core.errors import BudgetExceeded, MainstayError, RateLimited, Unavailable
from mainstay.core.record import Attempt
from mainstay.core.stage import Onward
from mainstay.core.target import TALKS, Operation, Target
from mainstay.cost.holds import Need, estimate, limited, most
from mainstay.cost.purse import Purse, Short
from mainstay.cost.rules import Rules, Series, Unit
from mainstay.cost.till import Habit, Priced, Tab, Till
from mainstay.cost.windows import describe

__all__ = ["Charge", "Hold"]

_PICO: Final = 10**12
#: An answer shorter than this is not worth its prompt.
_LEAST_WRITTEN: Final = 64
_COUNTS: Final = {Unit.REQUESTS: "requests", Unit.TOKENS: "tokens", Unit.PARALLEL: "calls at once"}
_HEADERS: Final = {Unit.REQUESTS: b"requests", Unit.TOKENS: b"tokens"}
#: Asked for with every call; through its class a member of an enumeration takes three times as long to find.
_USD, _TOKENS, _PARALLEL = Unit.USD, Unit.TOKENS, Unit.PARALLEL


class Hold:
    """Counts a call against its limits before anything is done for it.

    Args:
        till: this worker's.
        rules: every budget and limit of the configuration.
        lenient: let calls through while the ledger cannot be asked.
    """

    def __init__(self, till: Till, rules: Rules, *, lenient: bool = False) -> None:
        self._till = till
        self._rules = rules
        self._lenient = lenient

    def __call__(self, call: Call, onward: Onward) -> Awaitable[Answer]:
        series = self._rules.of_call(call.caller, call.route, call.ask.user, call.tags)
        if series:
            return self._count(call, onward, series)
        if self._rules.by_attempt:
            self._till.open(call.record)
        # Where nothing counts it, a call passes without a step of its own.
        return onward(call)

    async def _count(self, call: Call, onward: Onward, series: Sequence[Series]) -> Answer:
        tab = self._till.open(call.record)
        tab.budgets = [one for one in series if one.rule.unit is _USD]
        now = wall_ms()
        rates: list[Purse] = []
        find = self._till.purses.find
        for one in series:
            unit = one.rule.unit
            purse = find(one, now)
            if unit is _USD:
                if one.rule.model and await self._is_nearly_used(purse):
                    call = _smaller(call, one)
                continue
            amount = estimate(call.ask) if unit is _TOKENS else 1
            if purse.left >= amount and not purse.waiting:
                purse.left -= amount
                purse.open += 1
                tab.holds.append((purse, amount, None))
            else:
                await _take(self._till, tab, purse, amount, None, lenient=self._lenient)
            if unit is not _PARALLEL:
                rates.append(purse)
        answer = await onward(call)
        if rates:
            told = _headers(rates)
            if answer.headers:
                told = (*[pair for pair in answer.headers if not pair[0].startswith(b"x-ratelimit-")], *told)
            answer.headers = told
        return answer

    async def _is_nearly_used(self, purse: Purse) -> bool:
        """Whether the part of a budget is used from which on a smaller model is asked."""
        rule = purse.series.rule
        if not purse.known:
            # The bank tells how the account stands whenever it is asked for something.
            with suppress(Short, Unavailable):
                await self._till.purses.fill(purse, 1)
                self._till.purses.settle(purse, 1, 0)
        return purse.above or purse.used - max(0, purse.left) >= (rule.soft or 1.0) * rule.limit


class Charge:
    """Reserves the most that an attempt can cost, on every budget that it counts against.

    Args:
        till: this worker's.
        rules: every budget and limit of the configuration.
        lenient: let calls through while the ledger cannot be asked.
        refuse_unknown: refuse models whose price nobody knows, where a budget counts them.
    """

    def __init__(self, till: Till, rules: Rules, *, lenient: bool = False, refuse_unknown: bool = False) -> None:
        self._till = till
        self._tabs = till.tabs
        self._rules = rules
        self._lenient = lenient
        self._refuse_unknown = refuse_unknown

    def __call__(self, call: Call, onward: Onward) -> Awaitable[Answer]:
        if not self._tabs:
            return onward(call)
        tab, target = self._tabs.get(call.record.id), call.target
        if tab is None or target is None:
            return onward(call)
        if not self._rules.by_attempt and (not tab.budgets or self._reserve_at_once(call, tab, target)):
            return onward(call)
        return self._charge(call, onward, tab, target)

    def _reserve_at_once(self, call: Call, tab: Tab, target: Target) -> bool:
        """Reserve what an attempt can cost at most if that needs nobody's answer; say whether it is done."""
        till, ask = self._till, call.ask
        price = till.price_of(target.model)
        if price is None or ask.adapters or (self._refuse_unknown and not price.known):
            return False
        now = wall_ms()
        amount = _cost(price, _need(ask, target, till.habit_of(target.model)), till.habit_of(target.model), now)
        find = till.purses.find
        purses = [find(one, now) for one in tab.budgets]
        for purse in purses:
            if purse.left < amount or purse.waiting or not purse.series.rule.hard:
                return False
        attempt, holds = call.attempt, tab.holds
        for purse in purses:
            purse.left -= amount
            purse.open += 1
            holds.append((purse, amount, attempt))
        return True

    async def _charge(self, call: Call, onward: Onward, tab: Tab, target: Target) -> Answer:
        own: Sequence[Series] = ()
        if self._rules.by_attempt:
            own = self._rules.of_attempt(
                call.caller, call.route, call.ask.user, call.tags, target.model, target.provider
            )
        price = self._till.price_of(target.model)
        if price is None or not (tab.budgets or own):
            return await onward(call)
        attempt = call.attempt
        now = wall_ms()
        for one in own:
            if one.rule.unit is not Unit.USD:
                purse = self._till.purses.find(one, now)
                amount = estimate(call.ask) if one.rule.unit is Unit.TOKENS else 1
                await _take(self._till, tab, purse, amount, attempt, lenient=self._lenient, model=target.model)
        money = [(one, False) for one in tab.budgets] + [(one, True) for one in own if one.rule.unit is Unit.USD]
        if money:
            if self._refuse_unknown and not price.known:
                raise BudgetExceeded(
                    f"Nobody knows what the model '{target.model}' costs, and this call counts against a budget: "
                    "set its price, or ask another model.",
                    code="price_unknown",
                )
            ask = call.ask
            if ask.adapters and ask.operation is Operation.CHAT:
                # What fits it to the model may make it longer.
                ask = await _adapted(ask, target)
            ask = await self._reserve(ask, target, tab, price, money, attempt)
            if ask is not call.ask:
                call = replace(call, ask=ask)
        return await onward(call)

    async def _reserve(
        self,
        ask: Ask,
        target: Target,
        tab: Tab,
        price: Priced,
        money: Sequence[tuple[Series, bool]],
        attempt: Attempt | None,
    ) -> Ask:
        """Reserve what an attempt can cost at most; return what may be asked for that much.

        A caller who sets no limit of tokens gets an answer as long as the budgets allow.

        Raises:
            BudgetExceeded: there is not enough left.
        """
        till, now = self._till, wall_ms()
        habit = till.habit_of(target.model)
        need = _need(ask, target, habit)
        amount = _cost(price, need, habit, now)
        clamp = 0
        while True:
            taken: list[tuple[Purse, int, Attempt | None]] = []
            try:
                for one, model in money:
                    purse = till.purses.find(one, now)
                    held = amount if one.rule.hard else min(amount, one.rule.limit)
                    named = target.model if model else ""
                    taken.append(await _take(till, tab, purse, held, attempt, lenient=self._lenient, model=named))
                break
            except (MainstayError, _NotEnough) as error:
                self._undo(tab, taken)
                if not isinstance(error, _NotEnough):
                    raise
                written = _affordable(ask, price, need, error.short, habit, now)
                if written is None:
                    raise error.error from None
                clamp, need = written, replace(need, written=written * need.choices)
                # Not every upstream keeps to a limit: what others have cost is reserved at least.
                amount = max(_cost(price, need, habit, now), habit.dearest)
        return limited(ask, clamp) if clamp else ask

    def _undo(self, tab: Tab, taken: Sequence[tuple[Purse, int, Attempt | None]]) -> None:
        """Give up holds of a tab; another attempt may have put its own between them."""
        for hold in taken:
            self._till.purses.settle(hold[0], hold[1], 0)
            del tab.holds[next(place for place, one in enumerate(tab.holds) if one is hold)]


class _NotEnough(Exception):
    def __init__(self, short: Short, error: MainstayError) -> None:
        super().__init__(str(error))
        self.short, self.error = short, error


async def _take(
    till: Till, tab: Tab, purse: Purse, amount: int, attempt: Attempt | None, *, lenient: bool, model: str = ""
) -> tuple[Purse, int, Attempt | None]:
    """Take ``amount`` out of a purse and put it on the tab; return what was put there.

    Raises:
        RateLimited: there is not enough of a rate.
        _NotEnough: there is not enough money.
        Unavailable: the ledger cannot be asked.
    """
    if purse.left >= amount and not purse.waiting:
        purse.left -= amount
        purse.open += 1
    else:
        try:
            await till.purses.fill(purse, amount)
        except Short as short:
            error = _refusal(short, model=bool(model))
            if short.series.rule.unit is Unit.USD:
                raise _NotEnough(short, error) from None
            raise error from None
        except Unavailable:
            if not lenient:
                raise
            # It goes on, and is counted once the bank is back.
            purse.open += 1
            amount = 0
            tab.unheld.add(purse)
    hold = (purse, amount, attempt)
    tab.holds.append(hold)
    if model:
        tab.models.setdefault(purse, set()).add(model)
    return hold


async def _adapted(ask: Ask, target: Target) -> Ask:
    """Return ``ask`` as ``target`` can take it, with nothing left to adapt."""
    prompt = ask.prompt
    for adapt in ask.adapters:
        prompt = await adapt(prompt, target)
    return replace(ask if prompt is ask.prompt else ask.asking(prompt), adapters=())


def _need(ask: Ask, target: Target, habit: Habit) -> Need:
    """Return the most that an attempt can take."""
    need = most(ask, target)
    if not need.limited and need.written < (longest := habit.longest * need.choices):
        # What a model writes when nobody limits it, its last answers tell best.
        need = replace(need, written=longest)
    return need


def _cost(price: Priced, need: Need, habit: Habit, now: int) -> int:
    amount = price.tariff.most(need.given, need.written, now)
    if need.other is not None:
        other = need.other
        # The dearest of the forms that an image may have.
        forms = {form for row in price.tariff.rows for form in row.images} if other.images else ()
        amount += max(price.tariff.price(replace(other, image_form=form), now).total for form in ("", *forms))
    return amount if habit.excess == 1.0 else int(amount * habit.excess) + 1


def _affordable(ask: Ask, price: Priced, need: Need, short: Short, habit: Habit, now: int) -> int | None:
    """Return how many tokens may be written for half of what is left; None when that is no answer."""
    if need.limited or ask.operation not in TALKS or need.written <= _LEAST_WRITTEN * need.choices:
        return None
    dearest, full = habit.dearest, _cost(price, need, habit, now)
    # Before any call has shown what it costs, only a budget that could never pay for a long answer gives a short one.
    if short.left < dearest or (not dearest and full <= short.series.rule.limit):
        return None
    base = price.tariff.most(need.given, 0, now)
    each = price.tariff.most(need.given, 1_000_000, now) - base
    if each <= 0:
        return None
    # Half, that several calls at once share what is left; the rest comes back when they end.
    written = min(need.written // 2, int((short.left / 2 / habit.excess - base) * 1_000_000 / each)) // need.choices
    return written if written >= _LEAST_WRITTEN else None


def _smaller(call: Call, one: Series) -> Call:
    """Return the call for the model that a budget chooses once most of it is used."""
    record = call.record
    note = f"budget {one.rule.name}: {one.rule.model} is asked first"
    record.steps = f"{record.steps}; {note}" if record.steps else note
    return replace(call, wished_model=one.rule.model)


def _refusal(short: Short, *, model: bool) -> MainstayError:
    rule, member = short.series.rule, short.series.member
    whose = f" of {member}" if member else ""
    over = describe(rule.window)
    seconds = max(1, short.retry_ms) / 1000
    if rule.unit is Unit.USD:
        left, used = short.left / _PICO, short.used / _PICO
        what = "the key's budget" if rule.name.startswith("key:") else f"the budget '{rule.name}'{whose}"
        return BudgetExceeded(
            f"This call may cost more than is left of {what}: {used:.6g} of {rule.limit / _PICO:.10g} US dollars "
            f"{over} are spent or held, {left:.6g} are left. Ask for a shorter answer, wait for the next period, or "
            "raise it.",
            code="model_budget_exceeded" if model else None,
        )
    what = "the key's limit" if rule.name.startswith("key:") else f"the limit '{rule.name}'{whose}"
    span = "" if rule.unit is Unit.PARALLEL else f" {over}"
    error = RateLimited(
        f"Over {what}: {rule.limit} {_COUNTS[rule.unit]}{span}. Try again in {seconds:.3g} s.",
        code="model_rate_limited" if model else None,
        retry_after=seconds,
    )
    error.headers = _limit_headers(rule.unit, rule.limit, short.left, short.retry_ms)
    return error


def _headers(rates: Sequence[Purse]) -> tuple[tuple[bytes, bytes], ...]:
    """Return what callers are told of their limits: of each unit the one that is nearest."""
    if len(rates) > 1:
        nearest: dict[Unit, Purse] = {}
        for purse in rates:
            other = nearest.get(purse.series.rule.unit)
            if other is None or purse.remaining < other.remaining:
                nearest[purse.series.rule.unit] = purse
        rates = list(nearest.values())
    found: tuple[tuple[bytes, bytes], ...] = ()
    for purse in rates:
        rule, left = purse.series.rule, purse.remaining
        # As if what was used came back evenly over the window.
        found += _limit_headers(rule.unit, rule.limit, left, rule.window.length * (rule.limit - left) // rule.limit)
    return found


def _limit_headers(unit: Unit, limit: int, left: int, reset_ms: int) -> tuple[tuple[bytes, bytes], ...]:
    name = _HEADERS.get(unit)
    if name is None:
        return ()
    return (
        (b"x-ratelimit-limit-" + name, b"%d" % limit),
        (b"x-ratelimit-remaining-" + name, b"%d" % max(0, left)),
        (b"x-ratelimit-reset-" + name, b"%.3fs" % (reset_ms / 1000)),
    )
