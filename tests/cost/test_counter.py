"""The ledger's process and the workers' lines to it, over real Unix sockets: deaths, breaks, what is in the books."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mainstay.core.clock import wall_ms
from mainstay.cost.account import Balances
from mainstay.cost.bank import Gauge
from mainstay.cost.counter import Counter
from mainstay.cost.purse import Purse, Short
from mainstay.cost.rules import Rule, Series, Unit
from mainstay.cost.teller import Teller, bank_path, living
from mainstay.cost.windows import Window

pytestmark = pytest.mark.anyio

MONEY = Series("b|x|usd|day", Rule("b", Unit.USD, 100, Window("day"), soft=0.5))
PLACES = Series("p|x|parallel|", Rule("p", Unit.PARALLEL, 2, Window()))
RATE = Series("r|x|requests|", Rule("r", Unit.REQUESTS, 10, Window("day", rolling=True)))


class Database:
    """What is in the books; ``broken`` while it cannot be read, ``loaded`` unless records of the dead wait."""

    def __init__(self) -> None:
        self.known: dict[str, Balances] = {}
        self.broken = False
        self.loaded = True
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    def spent(self, series: str, buckets: tuple[str, ...]) -> Balances:
        self.asked.append((series, buckets))
        if self.broken:
            raise OSError("away")
        return self.known.get(series, {})

    def complete(self) -> bool:
        return self.loaded


class House:
    """A counter that can die and come back, and workers."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "run").mkdir(parents=True, exist_ok=True)
        self.books = Database()
        self.gauges: list[Gauge] = []
        self.counter: Counter | None = None
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self.tellers: list[Teller] = []

    async def open(self) -> None:
        self._stop = asyncio.Event()
        self.counter = Counter(self.home, self.books, self._show)
        self._task = asyncio.get_running_loop().create_task(self.counter.run(self._stop))
        await asyncio.sleep(0)

    def _show(self, gauges: list[Gauge]) -> None:
        self.gauges = gauges

    async def close(self) -> None:
        """End in order; what a kill leaves undone is the same, since nothing is kept."""
        self._stop.set()
        if self._task is not None:
            await self._task

    def worker(self, name: str) -> Teller:
        teller = Teller(self.home, name)
        teller.start()
        self.tellers.append(teller)
        return teller

    def used(self, series: Series) -> int | None:
        return next((gauge.used for gauge in self.gauges if gauge.series == series.id), None)


@asynccontextmanager
async def opened(home: Path) -> AsyncIterator[House]:
    house = House(home)
    await house.open()
    try:
        yield house
    finally:
        for teller in house.tellers:
            await teller.aclose()
        await house.close()


async def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


async def take(teller: Teller, series: Series, amount: int) -> Purse:
    purse = teller.purses.find(series, wall_ms())
    if purse.left >= amount and not purse.waiting:
        purse.left -= amount
        purse.open += 1
    else:
        await teller.purses.fill(purse, amount)
    return purse


async def refused(work: Awaitable[object]) -> bool:
    try:
        await work
    except Short:
        return True
    return False


async def take_later(teller: Teller, series: Series, amount: int) -> None:
    """Take as soon as it is there: a refusal answers for those that follow it, for a moment."""
    end = time.monotonic() + 20
    while await refused(take(teller, series, amount)):
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


async def die(house: House, teller: Teller) -> None:
    """End as a killed process does: its lock and its line go, and nothing is said."""
    import os

    house.tellers.remove(teller)
    teller._stopped = True
    os.close(teller._lock)
    assert teller._transport is not None
    teller._transport.abort()
    await asyncio.sleep(0)


async def test_workers_share_a_budget_and_one_gives_back_for_the_other(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        first, second = house.worker("w1"), house.worker("w2")
        purse = await take(first, MONEY, 40)
        first.purses.settle(purse, 40, 10)
        # What the first does not need is asked back.
        await take(second, MONEY, 90)
        assert await refused(take(first, MONEY, 1))
        await until(lambda: house.used(MONEY) == 100)
        assert any(gauge.series == MONEY.id and gauge.limit == 100 for gauge in house.gauges)


async def test_what_was_spent_before_counts(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        bucket = MONEY.rule.window.bucket(wall_ms()).name
        house.books.known[MONEY.id] = {(bucket, "long gone"): 95}
        worker = house.worker("w1")
        assert await refused(take(worker, MONEY, 6))
        await take(worker, MONEY, 5)
        assert house.books.asked == [(MONEY.id, (bucket,))]


async def test_nothing_is_granted_before_the_records_of_the_dead_are_in_the_books(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        house.books.loaded = False
        worker = house.worker("w1")
        waits = asyncio.ensure_future(take(worker, MONEY, 5))
        rate = await take(worker, RATE, 1)
        assert rate.open == 1
        assert not waits.done()
        house.books.loaded = True
        await waits


async def test_a_database_that_cannot_be_read_refuses_and_forgets_nobody(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        worker = house.worker("w1")
        purse = await take(worker, MONEY, 60)
        await house.close()
        house.books.broken = True
        await house.open()
        other = house.worker("w2")
        with pytest.raises(Exception, match="reserved"):
            await take(other, MONEY, 60)
        house.books.broken = False
        # The first has sixty still.
        assert await refused(take(other, MONEY, 60))
        worker.purses.settle(purse, 60, 0)
        await take_later(other, MONEY, 60)


async def test_a_counter_that_comes_back_hears_what_is_held(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        worker = house.worker("w1")
        purse = await take(worker, MONEY, 30)
        places = [await take(worker, PLACES, 1) for _ in range(2)]
        await house.close()
        worker.purses.settle(purse, 30, 45)
        await house.open()
        assert await refused(take(worker, MONEY, 60))
        await take(worker, MONEY, 55)
        assert await refused(take(worker, PLACES, 1))
        worker.purses.settle(places[0], 1, 0)
        await take(worker, PLACES, 1)


async def test_of_two_counters_one_serves_and_the_other_waits(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        worker = house.worker("w1")
        await take(worker, MONEY, 60)
        stop = asyncio.Event()
        second = asyncio.ensure_future(Counter(tmp_path, house.books, lambda _: None).run(stop))
        other = house.worker("w2")
        assert await refused(take(other, MONEY, 60))
        await house.close()
        # It has heard of both by then.
        assert await refused(take(other, MONEY, 60))
        await take(other, MONEY, 40)
        stop.set()
        await second


async def test_a_worker_that_dies_gives_its_places_and_its_holds_back_by_itself(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        dead, other = house.worker("w1"), house.worker("w2")
        await take(dead, MONEY, 90)
        for _ in range(2):
            await take(dead, PLACES, 1)
        for _ in range(8):
            await take(dead, RATE, 1)
        house.books.loaded = False
        await die(house, dead)
        assert await refused(take(other, MONEY, 50))

        await take_later(other, PLACES, 1)
        # Its money is free once its records are loaded, but for what it has spent.
        bucket = MONEY.rule.window.bucket(wall_ms()).name
        house.books.known[MONEY.id] = {(bucket, "w1"): 20}
        house.books.loaded = True
        await until(lambda: house.used(MONEY) == 20)
        await take(other, MONEY, 80)
        assert await refused(take(other, MONEY, 1))
        # What it was granted of a rate counts as used: nobody knows how much of it was.
        await until(lambda: (house.used(RATE) or 0) >= 8)


async def test_a_worker_whose_line_breaks_keeps_what_it_has(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        worker, other = house.worker("w1"), house.worker("w2")
        purse = await take(worker, MONEY, 80)
        for _ in range(2):
            await take(worker, PLACES, 1)
        assert worker._transport is not None
        worker._transport.abort()
        assert await refused(take(other, MONEY, 50))
        # It lives, so that nobody takes its places.
        assert await refused(take(other, PLACES, 1))
        await until(lambda: worker._transport is not None and not worker._transport.is_closing())
        worker.purses.settle(purse, 80, 10)
        await take_later(other, MONEY, 90)
        assert await refused(take(other, MONEY, 1))


async def test_a_worker_that_ends_in_order_has_spent_what_it_has_not_given_back(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        worker, other = house.worker("w1"), house.worker("w2")
        purse = await take(worker, MONEY, 40)
        worker.purses.settle(purse, 40, 30)
        # Asked for in its last moment: it does not come any more.
        lost = asyncio.ensure_future(take(worker, MONEY, 60))
        await asyncio.sleep(0)
        house.tellers.remove(worker)
        await worker.aclose()
        lost.cancel()
        await asyncio.wait([lost])
        assert "w1" not in living(tmp_path)
        await take(other, MONEY, 70)
        assert await refused(take(other, MONEY, 1))


async def test_workers_are_told_when_much_of_a_budget_is_used_and_when_it_is_not(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        worker, other = house.worker("w1"), house.worker("w2")
        quiet = await take(other, MONEY, 1)
        purse = await take(worker, MONEY, 60)
        await until(lambda: quiet.above)
        worker.purses.settle(purse, 60, 0)
        for _ in range(10):
            worker.tick()
        await until(lambda: not quiet.above)


async def test_who_talks_nonsense_is_hung_up_on_and_harms_nobody(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        worker = house.worker("w1")
        await take(worker, MONEY, 10)
        reader, writer = await asyncio.open_unix_connection(str(bank_path(tmp_path)))
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await reader.read() == b""
        writer.close()
        await take(worker, MONEY, 10)


async def test_a_limit_is_remembered_when_the_ledger_and_its_workers_are_replaced(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        first = house.worker("w1")
        purse = await take(first, RATE, 7)
        first.purses.settle(purse, 7, 7)
        await until(lambda: house.used(RATE) is not None)
        house.tellers.remove(first)
        await first.aclose()
        await house.close()
        await house.open()
        second = house.worker("w2")
        assert await refused(take(second, RATE, 4))
        await take_later(second, RATE, 3)


async def test_a_limit_is_not_counted_twice_for_a_worker_that_lives_on(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        first = house.worker("w1")
        purse = await take(first, RATE, 4)
        first.purses.settle(purse, 4, 4)
        await until(lambda: house.used(RATE) is not None)
        await house.close()
        await house.open()
        await take_later(first, RATE, 6)
        assert await refused(take(first, RATE, 1))


async def test_what_was_kept_of_limits_may_be_damaged(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "ledger.json").write_text("[1, 2")
    async with opened(tmp_path) as house:
        await take(house.worker("w1"), RATE, 10)
