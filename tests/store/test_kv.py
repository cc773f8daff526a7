"""Values by key for a time, held to one contract whichever table is behind them."""

import asyncio
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mainstay.core.errors import Unavailable
from mainstay.store.kv import FileTable, NullKeyValues, StoredKeyValues, open_key_values
from mainstay.store.port import TableLost


class Clock:
    """Seconds since 1970, as a test says."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def run(work: Callable[[StoredKeyValues], Awaitable[None]], path: Path, clock: Clock | None = None) -> None:
    async def inner() -> None:
        values = StoredKeyValues(FileTable(path), clock=clock or Clock())
        try:
            await work(values)
        finally:
            await values.aclose()

    asyncio.run(inner())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "kv.db"


def test_what_was_put_is_there_until_it_is_deleted(path: Path) -> None:
    async def work(values: StoredKeyValues) -> None:
        await values.put({"a": b"1", "b": b"\0\xff"}, 10)
        assert await values.get(["a", "b", "c"]) == {"a": b"1", "b": b"\0\xff"}
        await values.put({"a": b"2"}, 10)
        await values.delete(["b", "c"])
        assert await values.get(["a", "b"]) == {"a": b"2"}
        assert await values.get([]) == {}

    run(work, path)


def test_what_has_expired_is_gone_and_later_swept(path: Path) -> None:
    clock = Clock()

    async def work(values: StoredKeyValues) -> None:
        await values.put({"a": b"1"}, 10)
        clock.now += 10
        assert await values.get(["a"]) == {}

    run(work, path, clock)

    async def other(values: StoredKeyValues) -> None:
        await values.put({"b": b"2"}, 10)

    run(other, path, clock)
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT key FROM kv").fetchall() == [("b",)]


def test_more_keys_than_one_question_takes_are_found(path: Path) -> None:
    async def work(values: StoredKeyValues) -> None:
        many = {f"k{i}": b"%d" % i for i in range(1200)}
        await values.put(many, 10)
        assert await values.get(list(many)) == many

    run(work, path)


def test_the_file_is_the_owners_alone_and_made_only_when_it_is_used(path: Path) -> None:
    async def work(values: StoredKeyValues) -> None:
        assert not path.exists()
        await values.put({"a": b"1"}, 10)
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}

    run(work, path)


def test_what_one_process_put_another_finds_at_once(path: Path) -> None:
    async def work(values: StoredKeyValues) -> None:
        other = StoredKeyValues(FileTable(path), clock=Clock())
        for i in range(20):
            await values.put({f"k{i}": b"x"}, 10)
            assert await other.get([f"k{i}"]) == {f"k{i}": b"x"}
        await other.aclose()

    run(work, path)


def test_processes_that_make_the_file_at_the_same_moment_lose_nothing(path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from mainstay.store.kv import FileTable;"
        " table = FileTable(Path(sys.argv[1]));"
        " print('ready', flush=True); sys.stdin.readline();"
        " table.write({sys.argv[2]: b'x'}, 1e12)"
    )
    for attempt in range(4):
        fresh = path.with_name(f"{attempt}.db")
        started = [
            subprocess.Popen(
                [sys.executable, "-c", program, str(fresh), str(i)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for i in range(4)
        ]
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in started:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        for process in started:
            process.communicate(timeout=60)
            assert process.returncode == 0
        assert len(FileTable(fresh).read([str(i) for i in range(4)], 0.0)) == 4


def test_many_writers_of_one_file_lose_nothing(path: Path) -> None:
    async def work(values: StoredKeyValues) -> None:
        others = [values, *(StoredKeyValues(FileTable(path), clock=Clock()) for _ in range(3))]
        await asyncio.gather(*(one.put({f"{i}-{j}": b"x"}, 10) for i, one in enumerate(others) for j in range(30)))
        assert len(await values.get([f"{i}-{j}" for i in range(4) for j in range(30)])) == 120
        for other in others[1:]:
            await other.aclose()

    run(work, path)


def test_a_killed_process_loses_nothing_that_was_put(path: Path) -> None:
    program = """
import asyncio, os, signal, sys
from pathlib import Path
from mainstay.store.kv import FileTable, StoredKeyValues
async def main():
    await StoredKeyValues(FileTable(Path(sys.argv[1]))).put({"a": b"1"}, 1e9)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL

    async def work(values: StoredKeyValues) -> None:
        assert await values.get(["a"]) == {"a": b"1"}

    run(work, path)


def test_a_locked_file_is_unavailable_and_then_at_once(path: Path) -> None:
    async def work(values: StoredKeyValues) -> None:
        await values.put({"a": b"1"}, 10)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable) as caught:
            await values.put({"a": b"2"}, 10)
        assert caught.value.retry_after
        assert "var" not in caught.value.message
        done = asyncio.ensure_future(values.put({"a": b"3"}, 10))
        await asyncio.sleep(0)
        assert done.done(), "it does not wait again"
        with pytest.raises(Unavailable):
            await done
        other.close()

    run(work, path)


@pytest.mark.parametrize("harm", ["moved", "replaced", "damaged"])
def test_a_lost_file_is_unavailable_until_it_is_back(path: Path, harm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainstay.store.kv._DOWN", 0.0)

    async def work(values: StoredKeyValues) -> None:
        await values.put({"a": b"1"}, 10)
        aside = path.with_name("aside.db")
        with sqlite3.connect(path) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.move(path, aside)
        if harm == "replaced":
            path.mkdir()
        elif harm == "damaged":
            path.write_bytes(b"no database " * 1000)
        for use in (lambda: values.get(["a"]), lambda: values.put({"a": b"2"}, 10), lambda: values.delete(["a"])):
            with pytest.raises(Unavailable):
                await use()
        if harm == "replaced":
            path.rmdir()
        os.replace(aside, path)
        assert await values.get(["a"]) == {"a": b"1"}

    run(work, path)


def test_a_table_that_hangs_holds_no_one_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainstay.store.kv._PATIENCE", 0.01)
    go = threading.Event()

    class Hangs:
        def read(self, keys: object, now: float) -> dict[str, bytes]:
            go.wait(60)
            raise TableLost("late")

        def close(self) -> None: ...

    async def inner() -> None:
        values = StoredKeyValues(Hangs())  # type: ignore[arg-type]  # the part of a table that is asked
        with pytest.raises(Unavailable):
            await values.get(["a"])
        go.set()
        await values.aclose()

    asyncio.run(inner())


def test_nothing_is_kept_by_the_null() -> None:
    async def inner() -> None:
        values = NullKeyValues()
        await values.put({"a": b"1"}, 10)
        assert await values.get(["a"]) == {}
        await values.delete(["a"])
        await values.aclose()

    asyncio.run(inner())


def test_the_kind_of_table_follows_the_database(tmp_path: Path) -> None:
    async def inner() -> None:
        for url, kind in (("sqlite:////x/y.db", "FileTable"), ("postgresql://u@h/d", "PostgresTable")):
            values = open_key_values(url, tmp_path)
            assert isinstance(values, StoredKeyValues)
            assert type(values._table).__name__ == kind
            await values.aclose()

    asyncio.run(inner())
