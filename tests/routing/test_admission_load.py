"""Admission before a modelled upstream, in simulated time: goodput, delay, fairness and memory under overload."""

import asyncio
import gc
import random
from collections import Counter
from collections.abc import Callable
from itertools import count

import pytest

from mainstay.core.call import Ask, Call, Caller, Priority
from mainstay.core.errors import Unavailable
from mainstay.core.events import Dialect
from mainstay.core.record import Record
from mainstay.core.timeouts import Timeouts
from mainstay.routing.admission import Admission, Ticket
from mainstay.routing.limit import Aimd, Auto, Fixed, Limit, Outcome
from mainstay.routing.queue import Tenant, Waiter, cost
from support.simulation import Busy, Slots, simulate

#: Tokens of an answer: geometric about this mean.
MEAN = 90
#: Seconds until the first token, as a caller sets it: the target of admitted calls.
FIRST_TOKEN = 4.0
PROMPT = 100
ASK = Ask(b"{}", Dialect.OPENAI, "r", True, False, lambda raw: None, lambda ask: frozenset())  # type: ignore[arg-type, return-value]
RECORD = Record.opened("chat", "POST", "/v1/chat/completions")


class Traffic:
    """Callers that come at random, each once, and what became of them."""

    def __init__(
        self, upstream: Slots, limit: Limit, *, streamed: bool = True, seed: int = 1, queue: int = 1024
    ) -> None:
        self.upstream, self.limit, self.streamed, self.queue = upstream, limit, streamed, queue
        self.random = random.Random(seed)
        #: When it came, when its first token came, when it ended, tokens, tenant, priority.
        self.served: list[tuple[float, float, float, int, str, Priority]] = []
        self.refused: Counter[Priority] = Counter()
        #: Until when refusals do not count.
        self.cold = 0.0
        self.limits: list[int] = []
        self.changes: list[tuple[float, Callable[[], None]]] = []
        self.who: Callable[[], tuple[str, Priority]] = lambda: ("t", Priority.STANDARD)

    @property
    def capacity(self) -> float:
        """Calls per second that the upstream can serve."""
        return self.upstream.slots / (self.upstream.prefill + self.upstream.per_token * MEAN)

    async def _call(self) -> None:
        loop = asyncio.get_running_loop()
        came = loop.time()
        team, priority = self.who()
        limits = Timeouts(first_token=FIRST_TOKEN)
        call = Call(ASK, RECORD, Caller("k", team=team), "r", (), came, came + 60, limits, priority=priority)
        tokens = 1 + int(self.random.expovariate(1 / MEAN))
        expected = cost(PROMPT, MEAN)
        try:
            ticket = self.door.enter(call, expected) or await self.door.wait(call, expected)
        except Unavailable:
            self.refused[priority] += came > self.cold
            return
        try:
            first, seconds = await self.upstream.answer(tokens)
        except Busy:
            await asyncio.sleep(0.01)
            ticket.leave(Outcome.DROPPED, first_token=None, seconds=0.01, tokens_in=None, tokens_out=None)
            self.refused[priority] += 1
            return
        ticket.leave(
            Outcome.OK,
            first_token=first if self.streamed else None,
            seconds=seconds,
            tokens_in=PROMPT,
            tokens_out=tokens,
        )
        self.served.append((came, ticket.sent + first, loop.time(), tokens, team, priority))

    async def _run(self, seconds: float, rate: float) -> None:
        loop = asyncio.get_running_loop()
        self.door = Admission(self.limit, calls=self.queue, clock=loop.time)
        tasks: set[asyncio.Task[None]] = set()
        while loop.time() < seconds:
            await asyncio.sleep(self.random.expovariate(rate))
            while self.changes and loop.time() >= self.changes[0][0]:
                self.changes.pop(0)[1]()
            while len(self.limits) < loop.time():
                self.limits.append(self.limit.size)
            task = asyncio.ensure_future(self._call())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        self.end = loop.time()
        await asyncio.gather(*tasks)
        assert (self.door.in_flight, self.door.waiting) == (0, 0)

    def run(self, seconds: float, times: float) -> "Traffic":
        """Offer so many times the capacity for so long."""
        simulate(self._run(seconds, times * self.capacity))
        return self

    def goodput(self, since: float) -> float:
        """Tokens per second of the answers that ended from ``since`` on, while calls came."""
        return sum(row[3] for row in self.served if since < row[2] <= self.end) / (self.end - since)

    def first_tokens(self, since: float) -> list[float]:
        """Seconds to the first token, waiting included, of those that came from ``since`` on, least first."""
        return sorted(row[1] - row[0] for row in self.served if row[0] > since)


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("queue", [1_000_000, 0], ids=["queues", "refuses"])
@pytest.mark.parametrize("slots", [16, pytest.param(64, marks=pytest.mark.slow)])
def test_goodput_and_first_tokens_hold_at_2_5_and_10_times_the_capacity(slots: int, queue: int, streamed: bool) -> None:
    runs = {times: Traffic(Slots(slots, queue=queue), Auto(), streamed=streamed).run(80, times) for times in (2, 5, 10)}
    # The peak is what the same upstream does with a limit that knows its slots.
    peak = Traffic(Slots(slots, queue=queue), Fixed(slots), streamed=streamed).run(80, 2).goodput(20)
    for times, traffic in runs.items():
        assert traffic.goodput(20) >= 0.9 * peak, times
        first = traffic.first_tokens(20)
        assert first[int(len(first) * 0.99)] <= 1.5 * FIRST_TOKEN, times


@pytest.mark.parametrize("times", [1, 2, 10])
@pytest.mark.parametrize("spread", [0.5, 0.9])
def test_first_tokens_that_vary_by_themselves_are_not_taken_for_a_queue(spread: float, times: int) -> None:
    def slots() -> Slots:
        draw = random.Random(5)
        return Slots(16, vary=lambda: draw.uniform(1 - spread, 1 + spread))

    peak = Traffic(slots(), Fixed(16)).run(60, 2).goodput(20)
    assert Traffic(slots(), Auto()).run(60, times).goodput(20) >= 0.8 * peak


@pytest.mark.parametrize("times", [2, 10])
def test_a_limit_that_learns_from_refusals_alone_keeps_goodput_too(times: int) -> None:
    peak = Traffic(Slots(32, queue=0), Fixed(32)).run(60, 2).goodput(20)
    assert Traffic(Slots(32, queue=0), Aimd()).run(60, times).goodput(20) >= 0.9 * peak


_STEPS = [(32, 64), (64, 32), *(pytest.param(*step, marks=pytest.mark.slow) for step in ((100, 200), (200, 100)))]


@pytest.mark.parametrize("queue", [1_000_000, 0], ids=["queues", "refuses"])
@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(("before", "after"), _STEPS)
def test_half_a_minute_after_capacity_doubles_or_halves_the_limit_has_found_it(
    before: int, after: int, streamed: bool, queue: int
) -> None:
    traffic = Traffic(Slots(before, queue=queue), Auto(), streamed=streamed)
    traffic.changes.append((40.0, lambda: setattr(traffic.upstream, "slots", after)))
    traffic.run(85, 2 * max(before, after) / before)
    found = traffic.limits[70:85]
    assert 0.8 * after <= sum(found) / len(found) <= 1.2 * after


def test_two_tenants_that_offer_ten_to_one_get_the_same_tokens() -> None:
    traffic = Traffic(Slots(16), Fixed(16))
    numbers = count()
    # The smaller one offers 1.5 times its half: both always have calls waiting.
    traffic.who = lambda: ("small" if next(numbers) % 11 == 0 else "big", Priority.STANDARD)
    traffic.run(150, 8.25)
    tokens: Counter[str] = Counter()
    for row in traffic.served:
        if 10 < row[2] <= traffic.end:
            tokens[row[4]] += PROMPT + 2 * row[3]
    assert abs(tokens["big"] / tokens["small"] - 1) <= 0.05


@pytest.mark.parametrize("make", [lambda: Fixed(16), Auto], ids=["fixed", "auto"])
@pytest.mark.parametrize("queue", [32, 1024])
def test_no_critical_call_is_lost_while_there_is_sheddable_work(make: Callable[[], Limit], queue: int) -> None:
    traffic = Traffic(Slots(16), make(), queue=queue)
    # An unknown upstream met with ten times its capacity has to be found first, and what it was sent worked off.
    traffic.cold = 0.0 if isinstance(traffic.limit, Fixed) else 10.0
    classes = (Priority.CRITICAL, *[Priority.STANDARD] * 9, *[Priority.SHEDDABLE] * 10)
    numbers = count()
    traffic.who = lambda: ("t", classes[next(numbers) % len(classes)])
    traffic.run(60, 10)
    served = Counter(row[5] for row in traffic.served)
    assert traffic.refused[Priority.CRITICAL] == 0
    assert served[Priority.CRITICAL] > 200
    assert served[Priority.SHEDDABLE] > 0
    assert traffic.refused[Priority.SHEDDABLE] > traffic.refused[Priority.STANDARD] > 1000


def test_an_upstream_that_answers_half_as_fast_with_the_same_slots_keeps_its_limit() -> None:
    traffic = Traffic(Slots(32), Auto())
    traffic.changes.append((40.0, lambda: setattr(traffic.upstream, "per_token", 0.04)))
    traffic.run(85, 4)
    assert 0.8 * 32 <= sum(traffic.limits[70:85]) / 15 <= 1.2 * 32


def test_ten_thousand_callers_leave_no_memory_behind() -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        door = Admission(Fixed(4), wait=3.0, clock=loop.time)

        async def one(number: int) -> None:
            call = Call(
                ASK, RECORD, Caller(f"key {number}"), "r", (), loop.time(), loop.time() + 60, Timeouts(),
                priority=Priority(number % 3),
            )  # fmt: skip
            try:
                ticket = door.enter(call, 10) or await door.wait(call, 10)
            except Unavailable:
                return
            try:
                await asyncio.sleep(0.01)
            finally:
                ticket.leave(Outcome.OK, first_token=None, seconds=0.01, tokens_in=10, tokens_out=5)

        async def wave(start: int) -> None:
            tasks = [asyncio.ensure_future(one(start + number)) for number in range(2_000)]
            await asyncio.sleep(0.1)
            for task in tasks[::7]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        for start in range(0, 10_000, 2_000):
            await wave(start)
        assert (door.in_flight, door.waiting) == (0, 0)
        # The step that wakes this holds the tasks it waited for until the next.
        await asyncio.sleep(0)
        gc.collect()
        kinds = (Tenant, Waiter, Ticket)
        assert [each for each in gc.get_objects() if type(each) in kinds] == []

    simulate(work())
