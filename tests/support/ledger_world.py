"""A bank, some workers and what was really spent, with messages that arrive when the story says so."""

import asyncio
import random
from collections import Counter, deque
from typing import Any

from mainstay.cost.account import Balances
from mainstay.cost.bank import Bank
from mainstay.cost.notes import Ask, Bye, Give, Grant, Hello, Level, Notes, Recall, pack
from mainstay.cost.purse import Purse, Purses, Short
from mainstay.cost.rules import Rule, Series, Unit
from mainstay.cost.windows import Window

__all__ = ["DAY", "HOUR", "LIMITS", "PLACES", "RATE", "Kinds", "Story", "World", "play", "quiet", "story"]


def _series(name: str, unit: Unit, limit: int, window: Window, *, hard: bool = True) -> Series:
    return Series(name, Rule(name, unit, limit, window, hard=hard))


#: Money by the calendar's day, and in any hour; requests in any minute; calls at once.
DAY = _series("day", Unit.USD, 100, Window("day"))
HOUR = _series("hour", Unit.USD, 120, Window("hour", rolling=True))
RATE = _series("rate", Unit.REQUESTS, 12, Window("minute", rolling=True))
PLACES = _series("places", Unit.PARALLEL, 4, Window())
LIMITS = {one.id: one for one in (DAY, HOUR, RATE, PLACES)}

Story = list[tuple[str, int, int]]
Kinds = dict[str, int]
#: Wall clock at the start: a moment before a day ends.
_BEGIN = 86_400_000 * 100 - 70_000


class Open:
    """A call that is not settled: what it holds so far, and whether that is all."""

    def __init__(self) -> None:
        self.held: list[tuple[Purse, int]] = []
        self.ready = False


class Worker:
    """One worker's purses, and the calls that it has open."""

    def __init__(self, world: "World", name: str) -> None:
        self.world, self.name = world, name
        self.up: deque[Any] = deque([Hello(name)])
        self.down: deque[Any] = deque()
        self.purses = Purses(self._send)
        self.calls: list[Open] = []
        self.tasks: list[asyncio.Task[None]] = []

    def _send(self, note: Ask | Give) -> bool:
        self.up.append(note)
        return True

    def start(self, amount: int, wanted: tuple[Series, ...]) -> None:
        """Begin a call."""
        self.tasks.append(asyncio.get_running_loop().create_task(self._call(amount, wanted)))

    async def _call(self, amount: int, wanted: tuple[Series, ...]) -> None:
        """Reserve on every account, as the line does: all of them, or none."""
        call = Open()
        self.calls.append(call)
        try:
            for series in wanted:
                purse = self.purses.find(series, self.world.now)
                need = amount if series.rule.unit is Unit.USD else 1
                if purse.left >= need and not purse.waiting:
                    purse.left -= need
                    purse.open += 1
                else:
                    await self.purses.fill(purse, need)
                call.held.append((purse, need))
        except (Short, asyncio.CancelledError) as error:
            if self.world.live.get(self.name) is not self:
                return
            self.calls.remove(call)
            for purse, need in call.held:
                self.purses.settle(purse, need, 0)
            self.world.refused += isinstance(error, Short)
        else:
            call.ready = True

    def settle(self, share: int, which: int = 0) -> None:
        """End a call at a part of what it reserved; its record is written before anything else can happen."""
        ready = [call for call in self.calls if call.ready]
        if not ready:
            return
        call = ready[which % len(ready)]
        self.calls.remove(call)
        for purse, amount in call.held:
            unit = purse.series.rule.unit
            spent = amount * share // 10 if unit is Unit.USD else 1 if unit is Unit.REQUESTS else 0
            self.world.records[purse.series.id, purse.bucket.name, self.name] += spent
            self.purses.settle(purse, amount, spent)


class World:
    """Everything. ``records`` is what was spent, by series, bucket and worker; a database knows what is loaded."""

    def __init__(self, workers: int) -> None:
        self.now = _BEGIN
        self.records: Counter[tuple[str, str, str]] = Counter()
        self.loaded: Counter[tuple[str, str, str]] = Counter()
        self.count = self.refused = self.overspent = 0
        self.live: dict[str, Worker] = {}
        self.dead: set[str] = set()
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.notes = Notes()
        self.bank = self._new_bank()
        for _ in range(workers):
            self.spawn()

    def _new_bank(self) -> Bank:
        self.asked.clear()
        return Bank(self._to_worker, lambda series, buckets: self.asked.append((series, buckets)))

    def spawn(self) -> None:
        """Let another worker begin."""
        self.count += 1
        self.live[f"w{self.count}"] = Worker(self, f"w{self.count}")

    def _to_worker(self, holder: str, note: Grant | Recall | Level) -> None:
        assert holder in self.bank.holders
        if holder in self.live:
            self.live[holder].down.append(self.notes.feed(pack(note))[0])

    # What is true.

    def spent(self, series: Series, bucket: str) -> int:
        """What was spent and may be spent in a bucket, whatever anybody thinks."""
        known = sum(amount for (name, place, _), amount in self.records.items() if (name, place) == (series.id, bucket))
        return known + sum(
            amount
            for worker in self.live.values()
            for call in worker.calls
            for purse, amount in call.held
            if purse.series.id == series.id and purse.bucket.name == bucket
        )

    def most(self, series: Series) -> int:
        """The most that was spent in any window."""
        names = {name for one, name, _ in self.records if one == series.id}
        names |= {
            purse.bucket.name
            for worker in self.live.values()
            for call in worker.calls
            for purse, _ in call.held
            if purse.series.id == series.id
        }
        pieces = series.rule.window.pieces
        if pieces == 1:
            return max((self.spent(series, name) for name in names), default=0)
        by_place = {int(name): self.spent(series, name) for name in names}
        return max(
            (sum(value for at, value in by_place.items() if last - pieces < at <= last) for last in by_place), default=0
        )

    def now_used(self, series: Series) -> int:
        """What was spent in the window that is over now."""
        bucket, pieces = series.rule.window.bucket(self.now), series.rule.window.pieces
        if pieces == 1:
            return self.spent(series, bucket.name)
        last = int(bucket.name)
        return sum(self.spent(series, str(last - back)) for back in range(pieces))

    def check(self, *, rates: bool = True) -> None:
        """See that no account is overspent."""
        for series in (DAY, HOUR, PLACES, *((RATE,) if rates else ())):
            assert self.most(series) <= series.rule.limit, series.id

    # What happens.

    def balances(self, series: str, buckets: tuple[str, ...]) -> Balances:
        """What the database says."""
        return {
            (bucket, holder): amount
            for (name, bucket, holder), amount in self.loaded.items()
            if name == series and bucket in buckets and amount
        }

    def load(self) -> None:
        """Every record of today gets into the database."""
        self.loaded = self.records.copy()

    def deliver(self, worker: Worker, *, down: bool = True) -> None:
        """Take one message of a worker to the bank and one to the worker."""
        if worker.up:
            note = worker.up.popleft()
            note = self.notes.feed(pack(note))[0]
            if isinstance(note, Hello):
                self.bank.hello(note.holder, note.held, self.now)
            elif isinstance(note, Ask):
                self.bank.ask(worker.name, note, self.now)
            elif isinstance(note, Give):
                self.bank.give(worker.name, note, self.now)
            elif isinstance(note, Bye):
                self.bank.bye(worker.name, self.now)
        self.look_up()
        if down and worker.down:
            note = worker.down.popleft()
            if isinstance(note, Grant):
                worker.purses.granted(note)
            elif isinstance(note, Recall):
                worker.purses.recalled(note)

    def look_up(self) -> None:
        """Answer the bank's questions, as the counter does: not before all who live have said what they hold."""
        while self.asked and self.live.keys() <= self.bank.holders:
            series, buckets = self.asked.pop()
            for (name, bucket, holder), amount in self.records.items():
                # Of those who are gone everything is loaded by then; of those who live perhaps a part.
                if holder not in self.live:
                    self.loaded[name, bucket, holder] = amount
            self.bank.opened(series, self.balances(series, buckets), self.now)

    def kill(self, worker: Worker, sent: int) -> None:
        """A worker dies between two steps; some of what it sent arrives, what it was sent does not."""
        for _ in range(min(sent, len(worker.up))):
            self.deliver(worker, down=False)
        del self.live[worker.name]
        if worker.name in self.bank.holders:
            self.dead.add(worker.name)
            self.bank.lost(worker.name, self.now)
        for task in worker.tasks:
            task.cancel()
        worker.calls.clear()

    def end(self, worker: Worker) -> None:
        """A worker ends in order: its calls are over, it gives back and says so."""
        for _ in range(len(worker.calls)):
            worker.settle(5)
        worker.purses.close()
        worker.up.extend((Hello(worker.name, tuple(worker.purses.held())), Bye()))
        while worker.up:
            self.deliver(worker, down=False)
        del self.live[worker.name]

    def blink(self, worker: Worker, sent: int) -> None:
        """A worker's line breaks: some of what it sent arrives, the rest and what it was sent does not."""
        for _ in range(min(sent, len(worker.up))):
            self.deliver(worker, down=False)
        if worker.name in self.bank.holders and sent % 2:
            # Otherwise the bank hears of the new line before the end of the old one.
            self.bank.lost(worker.name, self.now)
        worker.up.clear()
        worker.down.clear()
        worker.up.append(Hello(worker.name, tuple(worker.purses.held())))
        worker.purses.reconnected()

    def bury(self) -> None:
        """The records of the dead are all loaded."""
        gone, self.dead = self.dead, set()
        for key, amount in self.records.items():
            if key[2] in gone:
                self.loaded[key] = amount
        self.bank.gone(gone, self.now)
        spent = {series: self.balances(series, names) for series, names in self.bank.money_of(gone).items()}
        self.bank.buried(gone, spent, self.now)

    def crash(self) -> None:
        """The bank dies; a new one hears from the living and reads the records of all."""
        self.bank = self._new_bank()
        self.dead.clear()
        for worker in self.live.values():
            worker.up.clear()
            worker.down.clear()
            worker.up.append(Hello(worker.name, tuple(worker.purses.held())))
            worker.purses.reconnected()

    def tick(self, milliseconds: int) -> None:
        """Let time pass."""
        self.now += milliseconds
        self.bank.tick(self.now)
        for worker in self.live.values():
            worker.purses.tick(self.now)


#: The most that a step's number can be.
_MOST = {"take": 40, "settle": 10, "deliver": 3, "tick": 300, "jump": 70_000, "blink": 4, "kill": 4}


def story(seed: int, kinds: Kinds, count: int = 300) -> Story:
    """Return what happens, drawn from a seed: long stories, which a list of single draws would rarely be."""
    draw = random.Random(seed)
    steps = draw.choices(list(kinds), list(kinds.values()), k=count)
    return [(kind, draw.randrange(64), draw.randint(1, _MOST.get(kind, 3))) for kind in steps]


_MIXES = ((DAY,), (DAY, HOUR), (HOUR,), (PLACES, DAY), (PLACES, RATE, DAY, HOUR), (RATE,), (HOUR, DAY))


async def play(world: World, steps: Story, *, rates: bool = True) -> None:
    """Let the steps happen, and see after each that nothing is overspent."""
    for kind, which, value in steps:
        names = sorted(world.live)
        worker = world.live[names[which % len(names)]]
        if kind == "take":
            worker.start(value, _MIXES[which % len(_MIXES)])
            await asyncio.sleep(0)
        elif kind == "settle":
            worker.settle(value, which)
        elif kind == "deliver":
            for _ in range(value):
                world.deliver(worker)
            await asyncio.sleep(0)
        elif kind == "leave":
            alive = [task for task in worker.tasks if not task.done()]
            if alive:
                alive[value % len(alive)].cancel()
                await asyncio.sleep(0)
        elif kind == "tick":
            world.tick(value)
        elif kind == "jump":
            # A living worker's records are in the database long before it forgets what it held.
            world.load()
            world.tick(value)
        elif kind == "load":
            world.load()
        elif kind == "kill":
            world.kill(worker, value)
            world.spawn()
        elif kind == "end":
            for task in worker.tasks:
                task.cancel()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            world.end(worker)
            world.spawn()
        elif kind == "blink":
            world.blink(worker, value)
        elif kind == "bury":
            world.bury()
        elif kind == "crash":
            world.crash()
        await asyncio.sleep(0)
        world.check(rates=rates)
    await quiet(world)
    world.check(rates=rates)


async def quiet(world: World) -> None:
    """Let everything end: calls settle at what they reserved, messages arrive."""
    for _ in range(120):
        for worker in list(world.live.values()):
            for _ in range(len(worker.calls)):
                worker.settle(10)
            for _ in range(6):
                world.deliver(worker)
        world.tick(50)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    world.bury()
