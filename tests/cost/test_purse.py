"""A worker's purses, alone: what they ask for, what they give back, and what they do when nobody answers."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mainstay.core.errors import Unavailable
from mainstay.cost import purse as purse_module
from mainstay.cost.notes import Ask, Give, Grant, Level, Recall
from mainstay.cost.purse import Purse, Purses, Short
from mainstay.cost.rules import Rule, Series, Unit
from mainstay.cost.windows import Window

pytestmark = pytest.mark.anyio

DAY = 86_400_000
NOW = 100 * DAY + 5


def series(unit: Unit = Unit.USD, limit: int = 1000, window: Window | None = None, *, hard: bool = True) -> Series:
    return Series("s", Rule("s", unit, limit, window or Window("day"), hard=hard))


class Line:
    """What a worker says, and whether it can."""

    def __init__(self) -> None:
        self.said: list[Ask | Give] = []
        self.up = True
        self.purses = Purses(self.say)

    def say(self, note: Ask | Give) -> bool:
        if self.up:
            self.said.append(note)
        return self.up

    def asked(self) -> Ask:
        found = self.said.pop()
        assert isinstance(found, Ask)
        return found

    def grant(self, amount: int, left: int = 0, **fields: Any) -> None:
        self.purses.granted(Grant(self.asked().number, amount, left, 1000 - left, **fields))


@pytest.fixture
def line() -> Line:
    return Line()


async def begun(work: Callable[[], Awaitable[None]]) -> "asyncio.Task[None]":
    async def run() -> None:
        await work()

    task = asyncio.get_running_loop().create_task(run())
    await asyncio.sleep(0)
    return task


async def filled(line: Line, amount: int, grant: int) -> Purse:
    purse = line.purses.find(series(), NOW)
    task = await begun(lambda: line.purses.fill(purse, amount))
    line.grant(grant)
    await task
    return purse


async def test_what_is_granted_is_spent_and_the_rest_serves_the_next(line: Line) -> None:
    purse = await filled(line, 10, 40)
    assert (purse.left, purse.held, purse.open) == (30, 40, 1)
    line.purses.settle(purse, 10, 4)
    assert (purse.left, purse.held, purse.open) == (36, 40, 0)
    assert line.said == []


async def test_many_that_wait_ask_once_and_are_served_in_order(line: Line) -> None:
    purse = line.purses.find(series(), NOW)
    tasks = [await begun(lambda amount=amount: line.purses.fill(purse, amount)) for amount in (5, 6, 7)]
    assert len(line.said) == 1
    line.grant(11)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [task.done() for task in tasks] == [True, True, False]
    ask = line.asked()
    assert ask.amount == 7
    line.purses.granted(Grant(ask.number, 7, 0, 0))
    await tasks[2]


async def test_only_what_is_missing_is_asked_for(line: Line) -> None:
    purse = await filled(line, 10, 16)
    task = await begun(lambda: line.purses.fill(purse, 10))
    assert line.said[-1].amount == 4  # type: ignore[union-attr]  # an Ask
    line.grant(4)
    await task
    assert (purse.left, purse.held) == (0, 20)


async def test_more_than_a_limit_is_asked_for_as_a_little_more_than_it(line: Line) -> None:
    purse = line.purses.find(series(limit=1000), NOW)
    task = await begun(lambda: line.purses.fill(purse, 10**40))
    ask = line.asked()
    assert (ask.amount, ask.want) == (1001, 1000)
    line.purses.granted(Grant(ask.number, 0, 1000, 0, 60_000))
    with pytest.raises(Short) as short:
        await task
    assert short.value.left == 1000


async def test_a_refusal_says_what_is_left_with_what_is_here_and_holds_for_a_moment(line: Line) -> None:
    purse = await filled(line, 10, 13)
    task = await begun(lambda: line.purses.fill(purse, 50))
    line.grant(0, left=2, retry_ms=5000)
    with pytest.raises(Short) as short:
        await task
    assert (short.value.left, short.value.retry_ms) == (5, 5000)
    with pytest.raises(Short):
        await line.purses.fill(purse, 50)
    assert line.said == []
    # A smaller need may be met.
    smaller = await begun(lambda: line.purses.fill(purse, 4))
    line.grant(1)
    await smaller


async def test_an_edit_of_the_rule_ends_a_refusal(line: Line) -> None:
    purse = line.purses.find(series(), NOW)
    task = await begun(lambda: line.purses.fill(purse, 50))
    line.grant(0, retry_ms=5000)
    with pytest.raises(Short):
        await task
    assert line.purses.find(series(limit=5000), NOW) is purse
    again = await begun(lambda: line.purses.fill(purse, 50))
    ask = line.asked()
    assert ask.limit == 5000
    line.purses.granted(Grant(ask.number, 50, 0, 0))
    await again


async def test_who_leaves_while_waiting_takes_nothing(line: Line) -> None:
    purse = line.purses.find(series(), NOW)
    task = await begun(lambda: line.purses.fill(purse, 10))
    task.cancel()
    await asyncio.wait([task])
    line.grant(10)
    assert (purse.left, purse.open, purse.held) == (10, 0, 10)


async def test_what_comes_in_the_moment_its_caller_leaves_is_not_lost(line: Line) -> None:
    purse = line.purses.find(series(), NOW)
    task = await begun(lambda: line.purses.fill(purse, 10))
    line.grant(10)
    task.cancel()
    await asyncio.wait([task])
    assert (purse.left, purse.open, purse.held) == (10, 0, 10)


async def test_a_recall_takes_what_nobody_waits_for_and_is_always_answered(line: Line) -> None:
    purse = await filled(line, 10, 40)
    line.purses.recalled(Recall("s", purse.bucket.name))
    assert line.said.pop() == Give("s", purse.bucket.name, 30)
    assert (purse.left, purse.held) == (0, 10)
    line.purses.recalled(Recall("nobody", "x"))
    assert line.said.pop() == Give("nobody", "x", 0)
    line.purses.settle(purse, 10, 2)
    task = await begun(lambda: line.purses.fill(purse, 20))
    line.said.clear()
    line.purses.recalled(Recall("s", purse.bucket.name))
    assert line.said == [Give("s", purse.bucket.name, 0)]
    task.cancel()
    await asyncio.wait([task])


async def test_an_overdraft_is_told_at_once(line: Line) -> None:
    purse = await filled(line, 10, 10)
    line.purses.settle(purse, 10, 25)
    told = line.said.pop()
    assert isinstance(told, Give)
    assert (told.series, told.bucket, told.amount) == ("s", purse.bucket.name, -15)
    # A bank that has not heard of the account can make it.
    assert told.account is not None
    assert (told.account.start, told.account.end, told.account.limit) == (100 * DAY, 101 * DAY, 1000)
    assert (purse.left, purse.held) == (0, 25)


async def test_an_overdraft_that_could_not_be_told_is_told_when_the_bank_is_back(line: Line) -> None:
    purse = await filled(line, 10, 10)
    line.up = False
    line.purses.settle(purse, 10, 25)
    assert (purse.left, purse.held) == (-15, 10)
    line.up = True
    assert [held.amount for held in line.purses.held()] == [10]
    line.purses.reconnected()
    assert [note.amount for note in line.said] == [-15]
    assert (purse.left, purse.held) == (0, 25)


async def test_what_lies_unused_goes_back_and_a_purse_that_is_empty_is_forgotten(line: Line) -> None:
    purse = await filled(line, 10, 40)
    line.purses.settle(purse, 10, 0)
    for _ in range(10):
        line.purses.tick(NOW)
    assert line.said == [Give("s", purse.bucket.name, 40)]
    assert line.purses.find(series(), NOW) is not purse


async def test_at_the_end_of_its_period_a_purse_gives_back_and_its_calls_settle_in_it(line: Line) -> None:
    purse = await filled(line, 10, 40)
    after = line.purses.find(series(), NOW + DAY)
    assert after is not purse
    assert line.said == [Give("s", purse.bucket.name, 30)]
    line.purses.settle(purse, 10, 4)
    assert line.said[1:] == [Give("s", purse.bucket.name, 6)]
    assert (purse.held, after.held) == (4, 0)
    # It is told of for a while, and then no more.
    assert [held.amount for held in line.purses.held()] == [4]
    line.purses.tick(NOW + 2 * DAY)
    assert list(line.purses.held()) == []


async def test_a_refusal_for_a_period_that_is_over_keeps_nothing(line: Line) -> None:
    purse = await filled(line, 10, 12)
    task = await begun(lambda: line.purses.fill(purse, 50))
    asked = line.asked()
    line.purses.tick(NOW + DAY)
    line.purses.granted(Grant(asked.number, 0, 0, 1000, 100))
    with pytest.raises(Short):
        await task
    assert purse.left == 0
    assert line.said[-1] == Give("s", purse.bucket.name, 2)


async def test_what_was_asked_is_asked_anew_of_a_bank_that_is_back(line: Line) -> None:
    purse = line.purses.find(series(), NOW)
    task = await begun(lambda: line.purses.fill(purse, 10))
    first = line.asked()
    line.purses.reconnected()
    second = line.asked()
    assert second.number != first.number
    # The first is nobody's any more.
    line.purses.granted(Grant(first.number, 10, 0, 0))
    assert not task.done()
    line.purses.granted(Grant(second.number, 10, 0, 0))
    await task


async def test_a_bank_that_is_away_too_long_is_not_waited_for(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(purse_module, "monotonic", lambda: now[0])
    line.up, line.purses.away = False, 1000.0
    purse = line.purses.find(series(), NOW)
    task = await begun(lambda: line.purses.fill(purse, 10))
    assert not task.done()
    now[0] += 3
    with pytest.raises(Unavailable):
        await line.purses.fill(purse, 10)
    task.cancel()
    await asyncio.wait([task])


async def test_a_bank_that_is_silent_is_waited_for_once(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purse_module, "_PATIENCE", 0.01)
    purse = line.purses.find(series(), NOW)
    with pytest.raises(Unavailable) as refused:
        await line.purses.fill(purse, 10)
    assert refused.value.code == "ledger_unavailable"
    other = line.purses.find(Series("t", Rule("t", Unit.REQUESTS, 5, Window("minute", rolling=True))), NOW)
    monkeypatch.setattr(purse_module, "_PATIENCE", 1000.0)
    for one in (purse, other):
        with pytest.raises(Unavailable):
            await line.purses.fill(one, 1)
    # Once it speaks, all is well again.
    line.grant(10)
    assert purse.left == 10
    task = await begun(lambda: line.purses.fill(other, 1))
    line.grant(1)
    await task


async def test_a_fault_of_the_bank_is_no_refusal(line: Line) -> None:
    purse = line.purses.find(series(), NOW)
    task = await begun(lambda: line.purses.fill(purse, 10))
    line.grant(0, fault="the database cannot be read")
    with pytest.raises(Unavailable):
        await task
    again = await begun(lambda: line.purses.fill(purse, 10))
    line.grant(10)
    await again


async def test_the_bank_tells_when_much_is_used(line: Line) -> None:
    purse = await filled(line, 10, 40)
    line.purses.told(Level("s", purse.bucket.name, above=True))
    assert purse.above
    line.purses.told(Level("s", purse.bucket.name, above=False))
    assert not purse.above
    line.purses.told(Level("s", "another day", above=True))
    assert not purse.above


async def test_at_the_end_everything_that_is_not_spent_goes_back(line: Line) -> None:
    purse = await filled(line, 10, 40)
    line.purses.settle(purse, 10, 4)
    line.purses.close()
    assert line.said == [Give("s", purse.bucket.name, 36)]
    assert [held.amount for held in line.purses.held()] == [4]
