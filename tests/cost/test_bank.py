"""The bank and the purses together: whatever the order of messages and whoever dies, nothing is overspent."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.cost.bank import Bank
from mainstay.cost.notes import Ask, Give, Grant, Held, Recall
from mainstay.cost.rules import Unit
from support.ledger_world import DAY, HOUR, PLACES, RATE, Kinds, World, play, quiet, story

SEEDS = st.integers(0, 2**32)
#: What may happen, and how often it does.
CALM: Kinds = {"take": 8, "settle": 6, "deliver": 16, "tick": 3, "leave": 1, "load": 1}
CLOCK: Kinds = {**CALM, "jump": 1}
DEATHS: Kinds = {**CALM, "kill": 1, "bury": 1, "end": 1, "jump": 1}
BLINKS: Kinds = {**CALM, "blink": 2, "kill": 1, "bury": 1}
CRASHES: Kinds = {**DEATHS, "crash": 1, "blink": 1}


def run(seed: int, kinds: Kinds, *, rates: bool = True) -> World:
    """Play a story, and see that all that is not spent is free again."""

    async def main() -> World:
        world = World(3)
        await play(world, story(seed, kinds), rates=rates)
        assert all(task.done() for worker in world.live.values() for task in worker.tasks)
        return world

    return asyncio.run(main())


def check_books(world: World) -> None:
    """What the bank thinks is used is what was spent: nothing is lost, and nothing came from nowhere."""
    for gauge in world.bank.gauges(world.now):
        series = {one.id: one for one in (DAY, HOUR, RATE, PLACES)}[gauge.series]
        if series in (DAY, HOUR, PLACES):
            assert gauge.used == world.now_used(series), gauge


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_nothing_is_overspent_whatever_the_order(seed: int) -> None:
    world = run(seed, CALM)
    check_books(world)
    # Nobody died, so that of rates, too, everything is known.
    for gauge in world.bank.gauges(world.now):
        if gauge.series == RATE.id:
            assert gauge.used == world.now_used(RATE)


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_nothing_is_overspent_when_periods_end_meanwhile(seed: int) -> None:
    check_books(run(seed, CLOCK))


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_no_death_of_a_worker_overspends_or_loses(seed: int) -> None:
    check_books(run(seed, DEATHS))


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_no_break_of_a_line_overspends_or_loses(seed: int) -> None:
    check_books(run(seed, BLINKS))


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_no_death_of_the_bank_overspends_or_loses_money(seed: int) -> None:
    check_books(run(seed, CRASHES, rates=False))


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_everything_that_is_granted_can_be_spent(workers: int) -> None:
    async def main() -> None:
        world = World(workers)
        for _ in range(400):
            for worker in list(world.live.values()):
                worker.start(1, (DAY,))
            await asyncio.sleep(0)
            for _ in range(6):
                for worker in list(world.live.values()):
                    world.deliver(worker)
                await asyncio.sleep(0)
            for worker in world.live.values():
                worker.settle(10)
            world.tick(20)
            if world.most(DAY) >= DAY.rule.limit:
                break
        await quiet(world)
        assert world.most(DAY) == DAY.rule.limit

    asyncio.run(main())


def alone() -> tuple[Bank, list[Any], list[Any]]:
    sent: list[Any] = []
    opened: list[Any] = []
    bank = Bank(lambda holder, note: sent.append((holder, note)), lambda *asked: opened.append(asked))
    return bank, sent, opened


def ask_of(amount: int, *, number: int = 1, start: int = 0, end: int = 1000) -> Ask:
    return Ask(number, "s", Unit.USD, 100, 1, "b", start, end, amount, amount, 0.5)


def test_a_worker_that_calls_late_is_not_counted_twice() -> None:
    bank, _, _ = alone()
    bank.hello("w1", (), 0)
    bank.ask("w1", ask_of(1), 0)
    # The books knew of a worker that says only now what it holds, which is more.
    bank.opened("s", {("b", "w2"): 40}, 0)
    assert bank.gauges(0)[0].used == 41
    bank.hello("w2", (Held("s", Unit.USD, 100, 1, "b", 0, 1000, 60),), 0)
    assert bank.gauges(0)[0].used == 61


def test_what_was_overspent_of_an_account_that_nobody_knows_counts() -> None:
    bank, _, _ = alone()
    bank.hello("w1", (), 0)
    account = Held("s", Unit.USD, 100, 1, "b", 0, 1000, 0)
    bank.give("w1", Give("s", "b", -30, account), 0)
    bank.ask("w1", ask_of(1), 0)
    bank.opened("s", {("b", "w1"): 30}, 0)
    assert bank.gauges(0)[0].used == 31


def test_nobody_who_is_not_there_is_granted_or_gives() -> None:
    bank, sent, opened = alone()
    bank.ask("ghost", ask_of(1), 0)
    assert (sent, opened) == ([], [])
    bank.hello("w1", (), 0)
    bank.ask("w1", ask_of(50), 0)
    bank.opened("s", {}, 0)
    bank.give("ghost", Give("s", "b", 50), 0)
    bank.give("w1", Give("s", "b", 500), 0)
    # Nobody gives back more than it has.
    assert bank.gauges(0)[0].used == 0


def test_an_alert_is_due_once_in_a_period_and_the_gauge_falls_when_it_ends() -> None:
    bank, _, _ = alone()
    bank.hello("w1", (), 0)
    bank.ask("w1", ask_of(60), 0)
    bank.opened("s", {}, 0)
    assert [bank.gauges(5)[0].alert for _ in range(3)] == [True, False, False]
    assert bank.gauges(1000)[0].used == 0


def test_who_asks_late_for_a_bucket_that_is_over_does_not_fill_a_window_twice() -> None:
    bank, sent, _ = alone()
    for name in ("w1", "w2"):
        bank.hello(name, (), 0)

    def ask(holder: str, place: int, number: int) -> Grant:
        asked = Ask(number, "r", Unit.REQUESTS, 10, 61, str(place), place * 1000, place * 1000 + 1000, 10, 10)
        bank.ask(holder, asked, place * 1000)
        bank.opened("r", {}, place * 1000)
        bank.tick(place * 1000 + 300)
        grants = [note for _, note in sent if isinstance(note, Grant) and note.number == number]
        return grants[-1]

    assert ask("w1", 500, 1).amount == 10
    # A moment earlier by the clock of one that was slow.
    assert ask("w2", 499, 2).amount == 0
    assert ask("w2", 440, 3).amount == 0
    assert ask("w2", 439, 4).amount == 10


def test_a_recall_that_nobody_answers_is_waited_for_only_so_long() -> None:
    bank, sent, _ = alone()
    for name in ("w1", "w2"):
        bank.hello(name, (), 0)
    bank.ask("w1", ask_of(80), 0)
    bank.opened("s", {}, 0)
    bank.ask("w2", ask_of(50, number=2), 0)
    assert sent[-1] == ("w1", Recall("s", "b"))
    bank.tick(100)
    # That most of it is used is told to both; the answer waits.
    assert not [note for holder, note in sent if holder == "w2" and isinstance(note, Grant)]
    bank.tick(300)
    (grant,) = [note for holder, note in sent if holder == "w2" and isinstance(note, Grant)]
    assert (grant.amount, grant.left, grant.used) == (0, 20, 80)
