import asyncio
import time

import pytest
from bench.alarm import Alarm

pytestmark = pytest.mark.anyio


async def test_an_alarm_never_rings_early_and_rings_once() -> None:
    rung: list[float] = []
    done = asyncio.Event()

    def ring() -> None:
        rung.append(time.perf_counter())
        done.set()

    alarm = Alarm(asyncio.get_running_loop(), ring)
    due = time.perf_counter() + 0.02
    alarm.set(due)
    await asyncio.wait_for(done.wait(), 60)
    await asyncio.sleep(0)
    alarm.close()
    assert len(rung) == 1
    assert rung[0] >= due


async def test_an_alarm_in_the_past_rings_at_once() -> None:
    done = asyncio.Event()
    alarm = Alarm(asyncio.get_running_loop(), done.set)
    alarm.set(time.perf_counter() - 10)
    await asyncio.wait_for(done.wait(), 60)
    alarm.close()
    alarm.close()
    assert done.is_set()


async def test_a_cleared_alarm_stays_silent() -> None:
    first, second = asyncio.Event(), asyncio.Event()
    cleared = Alarm(asyncio.get_running_loop(), first.set)
    kept = Alarm(asyncio.get_running_loop(), second.set)
    cleared.set(time.perf_counter() + 0.01)
    kept.set(time.perf_counter() + 0.03)
    cleared.clear()
    await asyncio.wait_for(second.wait(), 60)
    cleared.close()
    kept.close()
    assert not first.is_set()
