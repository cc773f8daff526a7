"""The two stages: what they reserve, in which order, and what they give up when something is short."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from mainstay.core.answer import Answer, Whole
from mainstay.core.call import Call, Caller
from mainstay.core.clock import monotonic, wall_ms
from mainstay.core.errors import BudgetExceeded, MainstayError, RateLimited, Unavailable
from mainstay.core.events import Dialect
from mainstay.core.prompt import Message, Prompt, TextPart
from mainstay.core.record import Attempt, Record
from mainstay.core.target import Target
from mainstay.core.timeouts import Timeouts
from mainstay.core.usage import Usage
from mainstay.cost.bank import Bank
from mainstay.cost.config import CostConfig
from mainstay.cost.notes import Ask, Give, Grant, Level, Recall
from mainstay.cost.prices import read_prices
from mainstay.cost.purse import Purses
from mainstay.cost.rates import Tariff
from mainstay.cost.rules import Rules
from mainstay.cost.stage import Charge, Hold
from mainstay.cost.till import Priced, Tab, Till
from mainstay.providers.openai import read_ask

pytestmark = pytest.mark.anyio

TARGETS = {name: Target(name, f"p-{name}", "openai", name) for name in ("m", "n", "unknown")}
PRICE = Priced(Tariff(read_prices({"input": 0, "output": 1_000_000}, source="config", version="t")), "config")
USAGE = Usage(5, 3)


class House:
    """One worker's line: both stages around a provider, and a bank that answers at the next turn."""

    def __init__(self, *, lenient: bool = False, refuse_unknown: bool = False, **config: Any) -> None:
        self.bank = Bank(self._down, self._open)
        self.purses = Purses(self._up)
        self.bank.hello("w", (), wall_ms())
        self.till = Till(self.purses)
        self.till.renew({"m": PRICE, "n": PRICE, "unknown": Priced(PRICE.tariff, "ceiling")})
        rules = Rules(CostConfig.model_validate(config))
        self.hold = Hold(self.till, rules, lenient=lenient)
        self.charge = Charge(self.till, rules, lenient=lenient, refuse_unknown=refuse_unknown)
        self.asked: list[Call] = []
        self.away = False
        self.usage = USAGE

    def _up(self, note: Ask | Give) -> bool:
        if self.away:
            return False
        act = self.bank.ask if isinstance(note, Ask) else self.bank.give
        asyncio.get_running_loop().call_soon(act, "w", note, wall_ms())
        return True

    def _down(self, _: str, note: Grant | Recall | Level) -> None:
        if isinstance(note, Grant):
            asyncio.get_running_loop().call_soon(self.purses.granted, note)
        elif isinstance(note, Recall):
            asyncio.get_running_loop().call_soon(self.purses.recalled, note)

    def _open(self, series: str, _: tuple[str, ...]) -> None:
        asyncio.get_running_loop().call_soon(lambda: self.bank.opened(series, {}, wall_ms()))

    def call(self, caller: Caller | None = None, **fields: Any) -> Call:
        body = {"model": "r", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 3, **fields}
        now = monotonic()
        ask = read_ask(json.dumps({name: value for name, value in body.items() if value is not None}).encode())
        record = Record.opened("chat", "POST", "/v1/chat/completions")
        return Call(ask, record, caller or Caller("k", "ci", "web"), "r", (), now, now + 60, Timeouts())

    async def attempt(self, call: Call, model: str = "m") -> Answer:
        """One attempt, as the route makes it."""
        made = Attempt(model, f"p-{model}", outcome="ok", status=200)
        call.record.attempts.append(made)
        try:
            return await self.charge(replace(call, target=TARGETS[model], attempt=made), self._provide)
        except MainstayError:
            call.record.attempts.remove(made)
            raise

    async def _provide(self, call: Call) -> Answer:
        self.asked.append(call)
        assert call.attempt is not None
        call.attempt.usage = self.usage
        return Answer(TARGETS["m"], whole=Whole(b"{}", Dialect.OPENAI, "i", "m", (), self.usage))

    async def serve(
        self, call: Call, models: Sequence[str] = ("m",), then: Callable[[Tab], Awaitable[None]] | None = None
    ) -> Answer:
        """A whole call that asks these models one after the other, and its settlement."""

        async def onward(call: Call) -> Answer:
            for model in models:
                answer = await self.attempt(call, model)
            if then is not None:
                tab = self.till.tabs.get(call.record.id)
                assert tab is not None
                await then(tab)
            return answer

        try:
            answer = await self.hold(call, onward)
            call.record.outcome = "ok"
            return answer
        except MainstayError as error:
            call.record.outcome, call.record.error = "refused", error.code
            raise
        finally:
            self.till.settle(call.record)

    def left(self) -> dict[str, int]:
        return {purse.series.rule.name: purse.held for purse in self.purses._now.values()}


async def test_a_call_that_nothing_counts_is_let_through_untouched() -> None:
    house = House()
    call = house.call()
    await house.serve(call)
    assert house.asked[0].ask is call.ask
    assert call.record.charges == {}
    assert call.record.cost_usd == "3"


async def test_every_attempt_reserves_for_itself() -> None:
    house = House(budgets={"b": 100})
    seen: list[int] = []

    async def look(tab: Tab) -> None:
        seen.append(sum(amount for _, amount, _ in tab.holds))

    call = house.call()
    await house.serve(call, ("m", "n", "m"), look)
    assert seen == [9 * 10**12]
    assert call.record.charges == {"b||usd|@": 9 * 10**12}


async def test_what_is_short_of_one_budget_gives_up_what_was_taken_of_another() -> None:
    house = House(budgets={"a": 100, "b": 2})
    with pytest.raises(BudgetExceeded):
        await house.serve(house.call())
    assert house.asked == []
    purses = list(house.purses._now.values())
    assert [purse.open for purse in purses] == [0, 0]
    assert all(purse.left == purse.held for purse in purses)


async def test_two_attempts_at_once_give_up_each_its_own() -> None:
    house = House(budgets={"a": 100, "b": {"limit": 4, "model": "n"}})
    call = house.call()

    async def onward(call: Call) -> Answer:
        first, second = await asyncio.gather(
            house.attempt(call, "m"),
            house.attempt(replace(call, ask=house.call(max_tokens=5).ask), "n"),
            return_exceptions=True,
        )
        assert isinstance(second, BudgetExceeded)
        assert isinstance(first, Answer)
        tab = house.till.tabs.get(call.record.id)
        assert tab is not None
        assert [(purse.series.rule.name, amount) for purse, amount, _ in tab.holds] == [("a", 3 * 10**12)]
        return first

    await house.hold(call, onward)
    call.record.outcome = "ok"
    house.till.settle(call.record)
    assert call.record.charges == {"a||usd|@": 3 * 10**12}


async def test_an_answer_without_a_limit_is_cut_to_half_of_what_is_left() -> None:
    house = House(budgets={"b": 300})
    call = house.call(max_tokens=None)
    await house.serve(call)
    assert house.asked[0].ask.prompt.max_tokens == 150
    # Each of several answers gets its part.
    house = House(budgets={"b": 1000})
    await house.serve(house.call(max_tokens=None, n=4))
    assert house.asked[0].ask.prompt.max_tokens == 125


async def test_a_caller_who_sets_a_limit_is_not_cut_but_refused() -> None:
    house = House(budgets={"b": 300})
    with pytest.raises(BudgetExceeded, match="300 US dollars in all"):
        await house.serve(house.call(max_tokens=301))


async def test_where_answers_were_long_more_is_reserved() -> None:
    house = House(budgets={"b": 100_000})
    house.usage = Usage(5, 9000)
    held: list[int] = []

    async def look(tab: Tab) -> None:
        held.append(tab.holds[-1][1])

    for _ in range(2):
        await house.serve(house.call(max_tokens=None), then=look)
    assert held[0] == 4096 * 10**12
    assert held[1] >= 9000 * 10**12


async def test_what_fits_a_prompt_to_its_model_is_reserved_for() -> None:
    house = House(budgets={"b": "100"})
    price = Priced(Tariff(read_prices({"input": 1000, "output": 0}, source="config", version="t")), "config")
    house.till.renew({"m": price})

    async def adapt(prompt: Prompt, _: Target) -> Prompt:
        return replace(prompt, messages=(Message("system", (TextPart("x" * 50_000),)), *prompt.messages))

    call = house.call()
    call = replace(call, ask=replace(call.ask, adapters=(adapt,)))
    held: list[int] = []

    async def look(tab: Tab) -> None:
        held.append(tab.holds[-1][1])

    await house.serve(call, then=look)
    assert held[0] >= 50_000 * 10**9
    sent = house.asked[0].ask
    assert sent.adapters == ()
    assert len(sent.prompt.messages) == 2


async def test_limits_are_told_on_answers_and_refusals() -> None:
    house = House(limits={"few": {"rpm": 2}, "some": {"rpm": 10, "tpm": 1000}})
    answer = await house.serve(house.call())
    told = dict(answer.headers)
    assert told[b"x-ratelimit-limit-requests"] == b"2"
    assert told[b"x-ratelimit-remaining-requests"] == b"1"
    assert told[b"x-ratelimit-limit-tokens"] == b"1000"
    await house.serve(house.call())
    with pytest.raises(RateLimited) as refused:
        await house.serve(house.call())
    assert "limit 'few': 2 requests in any minute" in refused.value.message
    assert refused.value.retry_after is not None
    assert 0 < refused.value.retry_after <= 61
    assert dict(refused.value.headers)[b"x-ratelimit-remaining-requests"] == b"0"


async def test_an_upstreams_own_word_on_limits_gives_way_to_ours() -> None:
    house = House(limits={"l": {"rpm": 5}})

    async def onward(call: Call) -> Answer:
        answer = await house.attempt(call)
        answer.headers = ((b"x-ratelimit-limit-requests", b"99"), (b"x-other", b"1"))
        return answer

    answer = await house.hold(house.call(), onward)
    assert [value for name, value in answer.headers if name == b"x-ratelimit-limit-requests"] == [b"5"]
    assert (b"x-other", b"1") in answer.headers


async def test_a_limit_of_a_model_counts_every_attempt() -> None:
    house = House(limits={"l": {"rpm": 2, "model": "m"}})
    await house.serve(house.call(), ("m", "m"))
    with pytest.raises(RateLimited) as refused:
        await house.serve(house.call())
    assert refused.value.code == "model_rate_limited"
    await house.serve(house.call(), ("n",))


async def test_a_smaller_model_is_asked_once_most_is_used() -> None:
    house = House(budgets={"b": {"limit": 30, "soft": {"at": 0.5, "model": "n"}}})
    wished = []
    for _ in range(7):
        call = house.call()

        async def onward(call: Call) -> Answer:
            wished.append(call.wished_model)
            return await house.attempt(call)

        await house.hold(call, onward)
        call.record.outcome = "ok"
        house.till.settle(call.record)
    assert wished == ["", "", "", "", "", "n", "n"]
    assert "budget b: n is asked first" in call.record.steps


async def test_an_unknown_price_may_be_refused() -> None:
    house = House(refuse_unknown=True, budgets={"b": 100})
    with pytest.raises(BudgetExceeded) as refused:
        await house.serve(house.call(), ("unknown",))
    assert refused.value.code == "price_unknown"
    # Where nothing counts it, it is nobody's harm.
    free = House(refuse_unknown=True)
    await free.serve(free.call(), ("unknown",))


@pytest.mark.parametrize("lenient", [False, True])
async def test_while_the_bank_is_away(lenient: bool) -> None:
    house = House(lenient=lenient, budgets={"b": 100}, limits={"l": {"rpm": 100}})
    house.away, house.purses.away = True, monotonic() - 60
    call = house.call()
    if not lenient:
        with pytest.raises(Unavailable):
            await house.serve(call)
        assert house.asked == []
        return
    await house.serve(call)
    assert call.record.charges == {"b||usd|@": 3 * 10**12}
    # Once it is back it is told: nothing was free.
    house.away, house.purses.away = False, 0.0
    house.purses.reconnected()
    await house.serve(house.call())
    for _ in range(5):
        await asyncio.sleep(0)  # what was said arrives
    gauge = next(one for one in house.bank.gauges(wall_ms()) if one.series.startswith("b|"))
    assert gauge.used >= 6 * 10**12
    assert house.till.overdrafts == 0


async def test_a_soft_budget_lets_everything_through() -> None:
    house = House(budgets={"b": {"limit": 1, "hard": False, "soft": {"at": 0.5}}})
    for _ in range(4):
        await house.serve(house.call(max_tokens=10**9))
    for _ in range(5):
        await asyncio.sleep(0)  # what was said arrives
    gauge = next(one for one in house.bank.gauges(wall_ms()) if one.series.startswith("b|"))
    assert gauge.used >= 12 * 10**12
