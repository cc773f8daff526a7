"""What is kept is found by every worker, and by none once it was dropped, whatever was on its way."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mainstay.caching.config import CacheConfig
from mainstay.caching.disk import FILE, MARK, Disk, Row
from mainstay.caching.exact import Exact, named
from mainstay.caching.generation import Generation
from mainstay.caching.service import open_shelf
from mainstay.core.errors import Unavailable
from mainstay.store.sealing import KeyedSeal, NullSeal, Seal
from support.answers import make_entry

KEY, OTHER = b"k" * 32, b"o" * 32
#: Patience that no machine exceeds: only a test of patience has less.
LONG = 120.0


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(main())


def tier(
    home: Path, *, memory: int = 1 << 20, disk: int = 1 << 20, wait: float = LONG, seal: Seal | None = None
) -> Exact:
    return Exact(home, memory=memory, disk=disk, wait=wait, seal=seal or NullSeal())


def reopened(home: Path) -> Exact:
    """Return the tier of a worker with nothing in memory."""
    return tier(home, memory=0)


def test_what_one_worker_keeps_another_finds(tmp_path: Path) -> None:
    async def main() -> None:
        one, other = tier(tmp_path), tier(tmp_path)
        assert await other.get(KEY) is None
        entry = make_entry()
        one.put(KEY, entry)
        assert await one.get(KEY) == entry
        await one.aclose()
        assert await other.get(KEY) == entry
        assert len(other.memory) == 1
        await other.aclose()

    run(main)


def test_nothing_is_given_after_its_time(tmp_path: Path) -> None:
    async def main() -> None:
        now = [1000.0]
        one = Exact(tmp_path, memory=1 << 20, disk=1 << 20, wait=LONG, seal=NullSeal(), clock=lambda: now[0])
        one.put(KEY, make_entry(made=1000.0, expires=1060.0))
        now[0] = 1059.0
        assert await one.get(KEY) is not None
        now[0] = 1060.0
        assert await one.get(KEY) is None
        await one.aclose()

    run(main)


def test_a_drop_is_in_force_everywhere_once_it_returns(tmp_path: Path) -> None:
    async def main() -> None:
        one, other = tier(tmp_path), tier(tmp_path)
        one.put(KEY, make_entry(base="kb", rests=("p1", "p2")))
        one.put(OTHER, make_entry("Rome.", base="kb", rests=("p3",)))
        await one.aclose()
        one = tier(tmp_path)
        assert await one.get(KEY) is not None
        assert await other.get(KEY) is not None
        shelf = open_shelf(CacheConfig(), tmp_path)
        assert shelf.drop("kb", ["p2"]) == 1
        assert await one.get(KEY) is None
        assert await other.get(KEY) is None
        assert await one.get(OTHER) is not None
        assert shelf.drop("kb", ["p2"]) == 0
        assert shelf.drop("other", ["p3"]) == 0
        shelf.close()
        for worker in (one, other):
            await worker.aclose()

    run(main)


def test_an_answer_that_was_under_way_at_a_drop_is_not_kept(tmp_path: Path) -> None:
    async def main() -> None:
        one = tier(tmp_path)
        before = one.age()
        shelf = open_shelf(CacheConfig(), tmp_path)
        shelf.drop("kb", ["p1"])
        shelf.close()
        one.put(KEY, make_entry(base="kb", rests=("p1",), age=before))
        one.put(OTHER, make_entry(base="kb", rests=("p9",), age=before))
        await one.aclose()
        again = reopened(tmp_path)
        assert await again.get(KEY) is None
        assert await again.get(OTHER) is not None
        await again.aclose()

    run(main)


def test_memory_alone_obeys_drops_too(tmp_path: Path) -> None:
    async def main() -> None:
        one = tier(tmp_path, disk=0)
        one.put(KEY, make_entry(base="kb", rests=("p1",)))
        assert await one.get(KEY) is not None
        shelf = open_shelf(CacheConfig(disk=0), tmp_path)
        shelf.drop("kb", ["p1"])
        shelf.close()
        assert await one.get(KEY) is None
        await one.aclose()

    run(main)


def test_while_a_drop_is_under_way_memory_is_not_believed(tmp_path: Path) -> None:
    async def main() -> None:
        one = tier(tmp_path)
        one.put(KEY, make_entry())
        await one.aclose()
        one = tier(tmp_path)
        assert await one.get(KEY) is not None
        # A process that died between its commit and its last word.
        mark = Generation(tmp_path / MARK)
        mark.begin()
        with closing(sqlite3.connect(tmp_path / FILE)) as db:
            db.execute("DELETE FROM kept")
            db.commit()
        assert await one.get(KEY) is None
        one.put(OTHER, make_entry(age=one.age()))
        assert len(one.memory) <= 1
        await one.aclose()
        # The next to open the file finds nobody dropping, and sets it right.
        other = tier(tmp_path)
        await other.get(KEY)
        assert mark.now() % 2 == 0
        await other.aclose()
        mark.close()

    run(main)


def test_eviction_by_record_and_route_and_all(tmp_path: Path) -> None:
    async def main() -> None:
        one = tier(tmp_path)
        for number in range(6):
            route = "chat" if number < 4 else "help"
            one.put(bytes([number]) * 32, make_entry(source=f"rec-{number}", route=route))
        await one.aclose()
        shelf = open_shelf(CacheConfig(), tmp_path)
        counts = shelf.counts()
        assert (counts.answers, dict(counts.routes)) == (6, {"chat": 4, "help": 2})
        assert counts.bytes > 6 * 100
        assert shelf.evict(source="rec-1") == 1
        assert shelf.evict(route="help") == 2
        assert shelf.clear() == 3
        assert (shelf.counts().answers, shelf.counts().bytes) == (0, 0)
        shelf.close()

    run(main)


def test_an_answer_from_before_a_clear_is_not_kept(tmp_path: Path) -> None:
    async def main() -> None:
        one = tier(tmp_path)
        before = one.age()
        shelf = open_shelf(CacheConfig(), tmp_path)
        shelf.clear()
        shelf.close()
        one.put(KEY, make_entry(age=before))
        one.put(OTHER, make_entry(age=one.age()))
        await one.aclose()
        again = reopened(tmp_path)
        assert await again.get(KEY) is None
        assert await again.get(OTHER) is not None
        await again.aclose()

    run(main)


def test_where_no_gateway_has_kept_anything_nothing_is_made(tmp_path: Path) -> None:
    shelf = open_shelf(CacheConfig(), tmp_path)
    assert shelf.drop("kb", ["p1"]) == 0
    assert shelf.counts().answers == 0
    shelf.close()
    assert list(tmp_path.iterdir()) == []


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    mark = Generation(tmp_path / MARK)
    disk = Disk(tmp_path, mark, 10_000)

    def row(number: int) -> Row:
        return Row(bytes([number]) * 32, f"rec-{number}", "chat", bytes(1000), 10_000.0)

    for number in range(7):
        disk.put([row(number)], (), float(number))
    # The oldest was asked for again; then there is too much.
    size, gone = disk.put([row(7), row(8)], [bytes([0]) * 32], 100.0)
    assert gone > 0
    assert size <= 10_000
    assert disk.get(bytes([0]) * 32, 0.0) is not None
    assert disk.get(bytes([1]) * 32, 0.0) is None
    assert disk.get(bytes([8]) * 32, 0.0) is not None
    disk.close()
    mark.close()


def test_sealed_answers_lie_sealed_and_open_only_at_their_place(tmp_path: Path) -> None:
    async def main() -> None:
        seal = KeyedSeal()
        name = "01900000-0000-7000-8000-000000000001"
        seal.take({name: bytes(32)}, {"": name}, enabled=True, tenant="team")
        one = tier(tmp_path, seal=seal)
        one.put(KEY, make_entry("A secret of ours."))
        await one.aclose()
        assert b"secret of ours" not in (tmp_path / FILE).read_bytes()
        with closing(sqlite3.connect(tmp_path / FILE)) as db:
            db.execute("UPDATE kept SET key = ? WHERE key = ?", (OTHER, KEY))
            db.commit()
        again = tier(tmp_path, memory=0, seal=seal)
        assert await again.get(OTHER) is None
        await again.aclose()
        with closing(sqlite3.connect(tmp_path / FILE)) as db:
            db.execute("UPDATE kept SET key = ? WHERE key = ?", (KEY, OTHER))
            db.commit()
        again = tier(tmp_path, memory=0, seal=seal)
        assert await again.get(KEY) is not None
        await again.aclose()
        plain = reopened(tmp_path)
        assert await plain.get(KEY) is None
        await plain.aclose()

    run(main)


def test_a_file_that_is_no_database_is_begun_anew(tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / FILE).write_bytes(b"not a database" * 1000)
        one = tier(tmp_path, memory=0)
        assert await one.get(KEY) is None
        again = tier(tmp_path, memory=0)
        again.put(KEY, make_entry())
        await again.aclose()
        found = reopened(tmp_path)
        assert await found.get(KEY) is not None
        await found.aclose()
        await one.aclose()

    run(main)


def test_a_file_that_was_taken_away_is_made_again(tmp_path: Path) -> None:
    async def main() -> None:
        one = tier(tmp_path, memory=0)
        one.put(KEY, make_entry())
        while await one.get(KEY) is None:
            pass
        for path in tmp_path.glob(f"{FILE}*"):
            path.unlink()
        assert await one.get(KEY) is None
        one.put(KEY, make_entry())
        await one.aclose()
        found = reopened(tmp_path)
        assert await found.get(KEY) is not None
        await found.aclose()

    run(main)


def test_a_lookup_waits_no_longer_than_it_may(tmp_path: Path) -> None:
    async def main() -> None:
        one = tier(tmp_path, memory=0, wait=0.001)
        one.put(KEY, make_entry())
        held = asyncio.Event()
        loop = asyncio.get_running_loop()
        release = threading.Event()

        def hang() -> None:
            loop.call_soon_threadsafe(held.set)
            release.wait(LONG)

        one._reader.submit(hang)
        await held.wait()
        assert await one.get(KEY) is None
        release.set()
        await one.aclose()

    run(main)


def test_a_shelf_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    home = tmp_path / "var"
    home.mkdir()
    Generation(home / MARK).close()
    (home / FILE).mkdir()
    shelf = open_shelf(CacheConfig(), home)
    with pytest.raises(Unavailable):
        shelf.drop("kb", ["p1"])
    shelf.close()


_WRITER = """
import sys
from pathlib import Path
from mainstay.caching.disk import MARK, Disk, Row
from mainstay.caching.generation import Generation
home = Path(sys.argv[1])
disk = Disk(home, Generation(home / MARK), 1 << 30)
number = 0
while True:
    rows = [Row(b"%032d" % (number + at), "rec", "chat", b"%032d" % (number + at) * 50, 1e12) for at in range(20)]
    disk.put(rows, (), float(number))
    number += 20
    print(number, flush=True)
"""


def test_a_writer_that_is_killed_leaves_whole_answers(tmp_path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    told = 0
    while told < 400:
        told = int(writer.stdout.readline())
    writer.kill()
    writer.wait()
    writer.stdout.close()
    mark = Generation(tmp_path / MARK)
    disk = Disk(tmp_path, mark, 1 << 30)
    # All that was told of is there, and of the last either all or nothing.
    assert all(disk.get(b"%032d" % at, 0.0) == b"%032d" % at * 50 for at in range(told))
    assert disk.counts().answers % 20 == 0
    assert disk.counts().bytes == disk.counts().answers * (1600 + 256)
    disk.close()
    mark.close()


def test_names_of_passages_of_two_bases_are_apart() -> None:
    assert named("a", "b/c") != named("a/b", "c")
