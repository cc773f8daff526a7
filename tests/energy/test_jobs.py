"""Work that can wait is begun in the cleanest window that a source foretells."""

import pytest

from mainstay.core.errors import UpstreamFailed
from mainstay.energy.jobs import Today, Windows
from mainstay.energy.port import Point, Series

pytestmark = pytest.mark.anyio
NOW, HOUR = 1_795_348_800.0, 3600.0


class Told:
    """A source that answers what it is given, or raises it."""

    def __init__(self, *answers: Series | Exception | None) -> None:
        self.answers = list(answers)

    async def fetch(self) -> Series | None:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def day(*grams: float) -> Series:
    points = tuple(Point(NOW + place * HOUR, value) for place, value in enumerate(grams))
    return Series(points, NOW + len(grams) * HOUR, "average", "test")


async def test_it_begins_in_the_cleanest_hours_and_asks_only_now_and_then() -> None:
    source, clock = Told(day(400, 300, 100, 350), day(50, 300, 100, 350)), [0.0]
    windows = Windows(source, stale=7200, refresh=900, now=lambda: clock[0])
    assert await windows.begin(HOUR, NOW, NOW + 4 * HOUR) == NOW + 2 * HOUR
    assert await windows.begin(HOUR, NOW, NOW + 2 * HOUR) == NOW + HOUR
    assert len(source.answers) == 1
    clock[0] = 901.0
    assert await windows.begin(HOUR, NOW, NOW + 4 * HOUR) == NOW
    assert source.answers == []


@pytest.mark.parametrize("failure", [UpstreamFailed("no"), ValueError("no"), OSError("no"), None])
async def test_without_an_answer_it_begins_at_once_and_asks_again_later(failure: Exception | None) -> None:
    source, clock = Told(failure, day(400, 100)), [0.0]
    windows = Windows(source, stale=7200, refresh=300, now=lambda: clock[0])
    assert await windows.begin(HOUR, NOW, NOW + 9 * HOUR) == NOW
    clock[0] = 301.0
    assert await windows.begin(HOUR, NOW, NOW + 9 * HOUR) == NOW + HOUR


async def test_with_no_time_to_lose_it_begins_at_once() -> None:
    windows = Windows(Told(day(400, 100)), stale=7200, refresh=900)
    assert await windows.begin(2 * HOUR, NOW, NOW + HOUR) == NOW


async def test_today_is_told_when_it_changes_and_forgotten_when_it_is_stale() -> None:
    told: list[float | None] = []
    source, clock = Told(day(400, 100)), [NOW]
    windows = Windows(source, stale=7200, refresh=1e9, now=lambda: 0.0)
    today = Today(windows, told.append, lambda: clock[0])
    for at in (NOW, NOW + 1, NOW + HOUR, NOW + 9 * HOUR):
        clock[0] = at
        await today._look()
    assert told == [400, 100, None]
    await today.aclose()


async def test_a_marginal_intensity_is_no_average() -> None:
    series = Series((Point(NOW, 400.0),), NOW + HOUR, "marginal", "test")
    windows = Windows(Told(series), stale=7200, refresh=900, now=lambda: 0.0)
    assert await windows.grams(NOW) is None
