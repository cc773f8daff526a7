"""The door to an upstream: who comes in at once, who waits, who is refused, and that room is never lost."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from mainstay.core.call import Ask, Call, Caller, Priority
from mainstay.core.errors import Unavailable
from mainstay.core.events import Dialect
from mainstay.core.record import Record
from mainstay.core.timeouts import Timeouts
from mainstay.routing.admission import Admission, Lag, Ticket
from mainstay.routing.limit import Aimd, Fixed, Outcome, Sample
from support.simulation import simulate

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    return simulate(work)


def clock() -> float:
    return asyncio.get_running_loop().time()


def make_call(
    team: str = "", key: str = "k", priority: Priority = Priority.STANDARD, total: float = 60.0, first: float = 30.0
) -> Call:
    ask = Ask(b"{}", Dialect.OPENAI, "r", False, False, lambda raw: None, lambda ask: frozenset())  # type: ignore[arg-type, return-value]
    record = Record.opened("chat", "POST", "/v1/chat/completions")
    return Call(
        ask, record, Caller(key, team=team), "r", (), clock(), clock() + total, Timeouts(first_token=first),
        priority=priority,
    )  # fmt: skip


def leave(ticket: Ticket, seconds: float = 1.0, outcome: Outcome = Outcome.OK) -> None:
    ticket.leave(outcome, first_token=None, seconds=seconds, tokens_in=10, tokens_out=10)


async def settle() -> None:
    """Let everything that is due run."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_calls_enter_at_once_while_there_is_room() -> None:
    async def work() -> None:
        door = Admission(Fixed(2), clock=clock)
        first, second = door.enter(make_call(), 10), door.enter(make_call(), 10)
        assert first is not None
        assert second is not None
        assert door.enter(make_call(), 10) is None
        assert (door.limit, door.in_flight, door.waiting) == (2, 2, 0)
        leave(first)
        leave(first)
        assert door.in_flight == 1
        assert door.enter(make_call(), 10) is not None

    run(work())


def test_how_far_behind_the_loop_is_goes_into_what_is_learnt_of_a_call() -> None:
    class Learns(Fixed):
        lags: list[float] = []

        def settle(self, sample: Sample) -> None:
            self.lags.append(sample.lag)

    async def work() -> None:
        times = iter((1.5, 2.0))
        limit = Learns(8)
        # Each look is taken when the loop comes round: half a second later, then at once.
        door = Admission(limit, clock=iter((1.0, 1.9, 2.0, 2.1)).__next__, lag=Lag(times.__next__))
        for _ in range(2):
            ticket = door.enter(make_call(), 10)
            assert ticket is not None
            await settle()
            leave(ticket)
        assert limit.lags == [pytest.approx(0.1), pytest.approx(0.08)]

    run(work())


def test_while_the_limit_holds_nobody_back_one_answer_in_a_moment_is_learnt_from() -> None:
    class Learns(Fixed):
        seen: list[tuple[float, Outcome]] = []

        def settle(self, sample: Sample) -> None:
            self.seen.append((sample.left, sample.outcome))

    def fly(door: Admission, *outcomes: Outcome) -> None:
        tickets = [door.enter(make_call(), 10) for _ in outcomes]
        for ticket, outcome in zip(tickets, outcomes, strict=True):
            assert ticket is not None
            leave(ticket, outcome=outcome)

    async def work() -> None:
        limit = Learns(10)
        door = Admission(limit, clock=clock)
        fly(door, Outcome.OK, Outcome.OK, Outcome.DROPPED, Outcome.OK)
        await asyncio.sleep(1)
        fly(door, Outcome.OK, Outcome.OK)
        assert limit.seen == [(0.0, Outcome.OK), (0.0, Outcome.DROPPED), (1.0, Outcome.OK)]
        await asyncio.sleep(1)
        # The eighth to the tenth are as many as the limit lets grow.
        fly(door, *[Outcome.OK] * 10)
        assert limit.seen[3:] == [(2.0, Outcome.OK)] * 4

    run(work())


def test_a_call_that_waits_gets_the_next_room_and_is_told_how_long_it_waited() -> None:
    async def work() -> None:
        door = Admission(Fixed(1), clock=clock)
        first = await door.wait(make_call(), 10)
        waiting = asyncio.ensure_future(door.wait(make_call(), 10))
        await asyncio.sleep(3)
        assert door.waiting == 1
        assert door.enter(make_call(), 10) is None
        leave(first)
        second = await waiting
        assert (second.waited, second.sent) == (3.0, 3.0)
        assert (door.in_flight, door.waiting) == (1, 0)

    run(work())


def test_a_limit_that_grows_lets_several_through_at_once() -> None:
    async def work() -> None:
        door = Admission(Aimd(4), clock=clock)
        tickets = [await door.wait(make_call(), 10) for _ in range(4)]
        waiting = [asyncio.ensure_future(door.wait(make_call(), 10)) for _ in range(9)]
        await asyncio.sleep(1)
        for ticket in tickets:
            leave(ticket)
        await settle()
        assert door.limit >= 6
        assert door.in_flight == sum(task.done() for task in waiting) == door.limit
        for task in waiting:
            task.cancel()
        await settle()

    run(work())


def test_a_call_is_refused_when_too_many_wait() -> None:
    async def work() -> None:
        door = Admission(Fixed(1), calls=1, clock=clock)
        await door.wait(make_call(), 10)
        waiting = asyncio.ensure_future(door.wait(make_call(), 10))
        await settle()
        with pytest.raises(Unavailable) as caught:
            await door.wait(make_call(), 10)
        assert (caught.value.code, caught.value.status, caught.value.retryable) == ("overloaded", 503, True)
        assert (caught.value.retry_after or 0) >= 1
        waiting.cancel()
        await settle()
        assert door.waiting == 0

    run(work())


def test_a_call_that_would_come_too_late_is_refused_at_once_with_the_wait_it_would_have() -> None:
    async def work() -> None:
        door = Admission(Fixed(2), wait=5.0, clock=clock)
        for _ in range(2):
            leave(await door.wait(make_call(), 10), seconds=4.0)
        for _ in range(2):
            await door.wait(make_call(), 10)
        # Half a call per second: two wait for four seconds, a third would for six.
        waiting = []
        for _ in range(3):
            waiting.append(asyncio.ensure_future(door.wait(make_call(), 10)))
            await settle()
        with pytest.raises(Unavailable, match="too late") as caught:
            await door.wait(make_call(), 10)
        assert caught.value.retry_after == 6.0
        # Another tenant is served in turn, so it has far fewer ahead.
        other = asyncio.ensure_future(door.wait(make_call(team="other"), 10))
        await settle()
        assert not other.done()
        for task in (*waiting, other):
            task.cancel()
        await settle()

    run(work())


@pytest.mark.parametrize(
    ("limits", "seconds"),
    [({"total": 2.0}, 2.0), ({"first": 3.0}, 3.0), ({}, 10.0)],
)
def test_a_call_waits_no_longer_than_its_limits_allow(limits: dict[str, float], seconds: float) -> None:
    async def work() -> None:
        door = Admission(Fixed(1), wait=10.0, clock=clock)
        ticket = await door.wait(make_call(), 10)
        with pytest.raises(Unavailable, match="no room in time"):
            await door.wait(make_call(**limits), 10)
        assert clock() == seconds
        assert door.waiting == 0
        leave(ticket)
        assert door.enter(make_call(), 10) is not None

    run(work())


def test_a_call_without_time_left_is_refused_at_once() -> None:
    async def work() -> None:
        door = Admission(Fixed(1), clock=clock)
        await door.wait(make_call(), 10)
        with pytest.raises(Unavailable, match="ran out"):
            await door.wait(make_call(total=0.0), 10)

    run(work())


def test_a_call_that_matters_more_takes_the_place_of_one_that_waits() -> None:
    async def work() -> None:
        door = Admission(Fixed(1), calls=1, clock=clock)
        first = await door.wait(make_call(), 10)
        shed = asyncio.ensure_future(door.wait(make_call(priority=Priority.SHEDDABLE), 10))
        await settle()
        critical = asyncio.ensure_future(door.wait(make_call(priority=Priority.CRITICAL), 10))
        await settle()
        with pytest.raises(Unavailable, match="other calls went first"):
            await shed
        leave(first)
        leave(await critical)
        assert (door.in_flight, door.waiting) == (0, 0)

    run(work())


def test_a_critical_call_is_never_refused_while_a_lesser_one_waits() -> None:
    async def work() -> None:
        door = Admission(Fixed(1), calls=4, wait=5.0, clock=clock)
        leave(await door.wait(make_call(), 10), seconds=4.0)
        await door.wait(make_call(), 10)
        lesser = asyncio.ensure_future(door.wait(make_call(), 10))
        await settle()
        urgent = [asyncio.ensure_future(door.wait(make_call(priority=Priority.CRITICAL), 10)) for _ in range(3)]
        await settle()
        assert not any(task.done() for task in urgent)
        for task in (lesser, *urgent):
            task.cancel()
        await settle()

    run(work())


def test_a_caller_that_leaves_while_waiting_leaves_nothing_behind() -> None:
    async def work() -> None:
        door = Admission(Fixed(1), clock=clock)
        ticket = await door.wait(make_call(), 10)
        waiting = asyncio.ensure_future(door.wait(make_call(), 10))
        await settle()
        waiting.cancel()
        await settle()
        assert (waiting.cancelled(), door.waiting, door.in_flight) == (True, 0, 1)
        leave(ticket)
        assert door.in_flight == 0

    run(work())


def test_a_caller_that_leaves_before_it_runs_is_passed_over() -> None:
    async def work() -> None:
        door = Admission(Fixed(1), clock=clock)
        ticket = await door.wait(make_call(), 10)
        gone, next_one = (asyncio.ensure_future(door.wait(make_call(), 10)) for _ in range(2))
        await settle()
        gone.cancel()
        leave(ticket)
        assert isinstance(await next_one, Ticket)
        assert (gone.cancelled(), door.in_flight, door.waiting) == (True, 1, 0)

    run(work())


def test_a_caller_that_leaves_after_its_turn_came_passes_it_on() -> None:
    async def work() -> None:
        door = Admission(Fixed(1), clock=clock)
        ticket = await door.wait(make_call(), 10)
        gone, next_one = (asyncio.ensure_future(door.wait(make_call(), 10)) for _ in range(2))
        await settle()
        leave(ticket)
        gone.cancel()
        assert isinstance(await next_one, Ticket)
        assert (gone.cancelled(), door.in_flight, door.waiting) == (True, 1, 0)

    run(work())


def test_a_caller_that_leaves_as_it_is_refused_is_just_gone() -> None:
    async def work() -> None:
        door = Admission(Fixed(1), calls=1, clock=clock)
        await door.wait(make_call(), 10)
        shed = asyncio.ensure_future(door.wait(make_call(priority=Priority.SHEDDABLE), 10))
        await settle()
        critical = asyncio.ensure_future(door.wait(make_call(priority=Priority.CRITICAL), 10))
        await asyncio.sleep(0)
        shed.cancel()
        await settle()
        assert shed.cancelled()
        assert door.waiting == 1
        critical.cancel()
        await settle()
        assert (door.waiting, door.in_flight) == (0, 1)

    run(work())


def test_shares_are_given_by_the_name_of_a_team_or_key() -> None:
    async def work() -> None:
        door = Admission(Fixed(1), shares={"big": 3.0}, clock=clock)
        ticket = await door.wait(make_call(), 30)
        served: list[str] = []

        async def one(team: str) -> None:
            mine = await door.wait(make_call(team=team), 30)
            served.append(team)
            await asyncio.sleep(0.01)
            leave(mine)

        tasks = [asyncio.ensure_future(one(team)) for _ in range(40) for team in ("big", "small")]
        await settle()
        leave(ticket)
        await asyncio.gather(*tasks)
        assert 29 <= served[:40].count("big") <= 31

    run(work())
