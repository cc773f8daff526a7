"""A worker's mark and its line: who lives is known however a process ends, and wherever its home lies."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mainstay.cost.counter import Counter
from mainstay.cost.rules import Rule, Series, Unit
from mainstay.cost.teller import Teller, holders_path, living
from mainstay.cost.windows import Window

pytestmark = pytest.mark.anyio

RATE = Series("r", Rule("r", Unit.REQUESTS, 10, Window("day", rolling=True)))


class Nothing:
    """Books in which nothing stands."""

    def spent(self, series: str, buckets: tuple[str, ...]) -> dict[tuple[str, str], int]:
        return {}

    def complete(self) -> bool:
        return True


def home_at(path: Path) -> Path:
    (path / "run").mkdir(parents=True)
    return path


async def test_who_lives_is_known_until_the_end(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    first, second = Teller(home, "w1"), Teller(home, "w2")
    assert living(home) == {"w1", "w2"}
    await first.aclose()
    assert living(home) == {"w2"}
    await second.aclose()
    assert list(holders_path(home).iterdir()) == []


async def test_the_mark_of_a_dead_process_is_the_last_that_the_kernel_closes(tmp_path: Path) -> None:
    # It closes descriptors in the order of their numbers: what a worker writes to must be closed before.
    home = home_at(tmp_path)
    teller = Teller(home, "w1")
    others = [os.open(os.devnull, os.O_RDONLY) for _ in range(100)]
    (mark,) = holders_path(home).iterdir()
    number = next(
        int(name)
        for name in os.listdir("/dev/fd")
        if name.isdigit() and int(name) not in others and same(int(name), mark)
    )
    assert number > max(others)
    for other in others:
        os.close(other)
    await teller.aclose()
    assert not mark.exists()


def same(descriptor: int, path: Path) -> bool:
    """Say whether a descriptor is open on the file at ``path``."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def test_a_process_that_is_killed_lives_no_more(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    code = (
        "import sys, time; from pathlib import Path; from mainstay.cost.teller import Teller\n"
        "teller = Teller(Path(sys.argv[1]), 'w1'); print('there', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(home)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"there\n"
        assert living(home) == {"w1"}
        process.send_signal(signal.SIGKILL)
    assert living(home) == frozenset()
    assert list(holders_path(home).iterdir()) == []


def test_a_mark_that_was_taken_for_one_of_the_dead_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = home_at(tmp_path)
    real, seen = os.open, []

    def slow(path: object, flags: int, *mode: int) -> int:
        found = real(path, flags, *mode)  # type: ignore[arg-type]  # whatever open takes
        if str(path).endswith("w1") and not seen:
            seen.append(path)
            # Somebody looks between the opening and the lock.
            living(home)
        return found

    monkeypatch.setattr(os, "open", slow)
    teller = Teller(home, "w1")
    monkeypatch.undo()
    assert seen
    assert living(home) == {"w1"}
    os.close(teller._lock)


@pytest.mark.parametrize("deep", [False, True], ids=["short", "long"])
async def test_a_line_is_opened_whenever_the_bank_is_there_however_long_its_path(tmp_path: Path, deep: bool) -> None:
    home = home_at(tmp_path.joinpath(*(["x" * 40] * 5)) if deep else tmp_path)
    teller = Teller(home, "w1")
    teller.start()
    purse = teller.purses.find(RATE, 0)
    waits = asyncio.ensure_future(teller.purses.fill(purse, 1))
    for _ in range(2):
        stop = asyncio.Event()
        counter = asyncio.ensure_future(Counter(home, Nothing(), lambda _: None).run(stop))
        await waits
        stop.set()
        await counter
        waits = asyncio.ensure_future(teller.purses.fill(purse, 2))
    waits.cancel()
    await asyncio.wait([waits])
    await teller.aclose()
