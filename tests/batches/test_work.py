"""One batch, taken up again at every point where it may have been left."""

import asyncio
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Engine, event

from mainstay.batches import store
from mainstay.batches.config import BatchesConfig
from mainstay.batches.jobs import Runner
from mainstay.batches.lines import Row, write_answer, write_fault
from mainstay.batches.port import BatchRow, Meters
from mainstay.batches.sender import Result, Sender
from mainstay.batches.service import Service
from mainstay.batches.work import Work
from mainstay.core.errors import BodyTooLarge, InvalidRequest
from mainstay.runtime.client import LeanTransport
from mainstay.store.sql import migrate, open_engine, reading, writing

pytestmark = pytest.mark.anyio
RULES = BatchesConfig(concurrency=2, max_open=3, max_storage=10_000)
CHAT = "/v1/chat/completions"


class Scripted(Sender):
    """Answers every row, and notes which."""

    def __init__(self) -> None:
        super().__init__(LeanTransport(), lambda: None, b"", RULES)
        self.asked: list[str] = []

    async def ask(self, row: Row, key: str, halt: asyncio.Event) -> Result | None:
        self.asked.append(row.custom_id)
        return Result(write_answer(row.custom_id, 200, "id", b"{}"), good=row.custom_id != "bad")


class Holding(Scripted):
    """Answers each row once it may."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.may = {name: asyncio.Event() for name in names}

    async def ask(self, row: Row, key: str, halt: asyncio.Event) -> Result | None:
        result = await super().ask(row, key, halt)
        await self.may[row.custom_id].wait()
        return result


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path / 'mainstay.db'}")
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def service(engine: Engine, tmp_path: Path) -> Service:
    return Service(engine, tmp_path, RULES)


def begin(service: Service, *names: str) -> BatchRow:
    rows = [{"custom_id": name, "method": "POST", "url": CHAT, "body": {"model": "m"}} for name in names]
    file = service.add_file("team/a", "batch", "in", b"\n".join(map(msgspec.json.encode, rows)), None)
    return again(service, file.id)


def again(service: Service, file: str) -> BatchRow:
    return service.add_batch(
        "team/a", "key_1", endpoint=CHAT, input_file_id=file, window="24h", metadata=None, lifetime=None
    )


def set_row(engine: Engine, row: BatchRow, **values: object) -> None:
    with writing(engine) as connection:
        assert store.change_batch(connection, row.id, store.OPEN, values)


async def work(engine: Engine, home: Path, row: BatchRow) -> tuple[BatchRow, list[str]]:
    sender = Scripted()
    await Work(row, engine, home, RULES, sender).run()
    with reading(engine) as connection:
        found = store.find_batch(connection, row.id)
    assert found is not None
    return found, sender.asked


def results(home: Path, name: str | None) -> list[str]:
    lines = [] if name is None else (home / "files" / name).read_text().splitlines()
    return [json.loads(line)["custom_id"] for line in lines]


async def test_rows_with_a_whole_line_are_not_asked_again(engine: Engine, service: Service, tmp_path: Path) -> None:
    row = begin(service, "a", "b", "c", "bad")
    set_row(engine, row, status="in_progress", total=4)
    torn = write_answer("b", 200, "id", b"{}")[:20]
    (tmp_path / "files" / f".{row.id}.output").write_bytes(write_answer("a", 200, "id", b"{}") + torn)
    (tmp_path / "files" / f".{row.id}.errors").write_bytes(write_fault("c", "x", "y"))
    ended, asked = await work(engine, tmp_path, row)
    assert sorted(asked) == ["b", "bad"]
    assert (ended.status, ended.completed, ended.failed) == ("completed", 2, 2)
    assert results(tmp_path, ended.output_file_id) == ["a", "b"]
    assert results(tmp_path, ended.error_file_id) == ["c", "bad"]


@pytest.mark.parametrize("renamed", [False, True])
@pytest.mark.parametrize(
    ("status", "end"), [("finalizing", "completed"), ("cancelling", "cancelled"), ("in_progress", "expired")]
)
async def test_results_become_files_once_wherever_that_was_left(
    engine: Engine, service: Service, tmp_path: Path, renamed: bool, status: str, end: str
) -> None:
    row = begin(service, "a", "b")
    set_row(engine, row, status=status, total=2, output_file_id="file-out", expires_at=int(time.time()) + 9)
    part = tmp_path / "files" / ("file-out" if renamed else f".{row.id}.output")
    part.write_bytes(write_answer("a", 200, "id", b"{}"))
    ended, asked = await work(engine, tmp_path, row)
    assert asked == []
    assert (ended.status, ended.output_file_id) == (end, "file-out")
    assert results(tmp_path, "file-out") == ["a"]
    assert service.file("team/a", "file-out").filename == f"{row.id}_output.jsonl"
    again, asked = await work(engine, tmp_path, row)
    assert (again, asked) == (ended, [])


async def test_a_batch_that_ended_meanwhile_is_left_alone(engine: Engine, service: Service, tmp_path: Path) -> None:
    stale = begin(service, "a")
    await work(engine, tmp_path, stale)
    _, asked = await work(engine, tmp_path, stale)
    assert asked == []


async def test_one_cancelled_before_it_began_has_no_files(engine: Engine, service: Service, tmp_path: Path) -> None:
    row = begin(service, "a")
    service.cancel("team/a", row.id)
    ended, asked = await work(engine, tmp_path, row)
    assert (ended.status, ended.output_file_id, ended.error_file_id, asked) == ("cancelled", None, None, [])
    assert not list((tmp_path / "files").glob(".batch_*"))


@pytest.mark.parametrize("status", ["validating", "in_progress"])
async def test_a_batch_whose_file_is_gone_fails(engine: Engine, service: Service, tmp_path: Path, status: str) -> None:
    row = begin(service, "a")
    set_row(engine, row, status=status)
    (tmp_path / "files" / row.input_file_id).unlink()
    ended, _ = await work(engine, tmp_path, row)
    assert ended.status == "failed"
    assert "file_not_found" in (ended.errors or "")


class Gauge:
    """Keeps what it is set to."""

    def __init__(self) -> None:
        self.value = 0.0
        self.is_set = threading.Event()

    def add(self, value: float = 1.0, /) -> None:
        self.value += value

    def set(self, value: float, /) -> None:
        self.value = value
        self.is_set.set()


def test_how_long_the_oldest_batch_waits_for_its_turn_is_told(
    engine: Engine, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainstay.batches.jobs._AT_ONCE", 0)
    for age in (100, 900, 300):
        set_row(engine, begin(service, "a"), created_at=int(time.time()) - age)
    meters, stop = Meters(unfinished=Gauge(), waiting=(waiting := Gauge())), threading.Event()
    runner = Runner(engine, tmp_path, RULES, b"", lambda: None, LeanTransport, meters)
    thread = threading.Thread(target=runner.run, args=(stop,))
    thread.start()
    try:
        assert waiting.is_set.wait(60)
    finally:
        stop.set()
        thread.join(60)
    # Of the oldest by their ids, which is the order they get their turn in.
    assert 100 <= waiting.value < 160
    assert isinstance(meters.unfinished, Gauge)
    assert meters.unfinished.value == 3


def test_limits_of_an_owner_hold(service: Service) -> None:
    row = begin(service, "a")
    for _ in range(2):
        again(service, row.input_file_id)
    with pytest.raises(InvalidRequest) as caught:
        again(service, row.input_file_id)
    assert caught.value.code == "too_many_batches"
    with pytest.raises(BodyTooLarge):
        service.add_file("team/a", "batch", "f", b"x" * 10_000, None)
    service.add_file("team/b", "batch", "f", b"x" * 10_000, None)
    with pytest.raises(InvalidRequest) as caught:
        service.remove_file("team/a", row.input_file_id)
    assert caught.value.code == "file_in_use"


def test_what_has_expired_and_what_nobody_knows_is_removed(engine: Engine, tmp_path: Path) -> None:
    late = time.time() - 40 * 86400
    old = Service(engine, tmp_path, RULES, clock=lambda: late)
    gone = old.add_file("team/a", "batch", "f", b"x", None).id
    read = begin(old, "a").input_file_id
    service = Service(engine, tmp_path, RULES)
    kept = service.add_file("team/a", "batch", "f", b"x", None).id
    files = tmp_path / "files"
    for name in ("file-orphan", ".batch_orphan.output"):
        (files / name).write_bytes(b"x")
    for name in (*(path.name for path in files.iterdir()),):
        os.utime(files / name, (late, late))
    (files / "file-new").write_bytes(b"x")
    runner = Runner(engine, tmp_path, RULES, b"", lambda: None, LeanTransport)
    runner.sweep()
    assert {path.name for path in files.iterdir()} == {"node", read, kept, "file-new"}
    assert gone not in {path.name for path in files.iterdir()}


async def test_an_answer_under_way_outlives_a_database_that_is_away(
    engine: Engine, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainstay.batches.work._PROGRESS", 0.01)
    row = begin(service, "a", "b")
    set_row(engine, row, status="in_progress", in_progress_at=1, total=2)
    loop, failed, sender = asyncio.get_running_loop(), asyncio.Event(), Holding("a", "b")

    @event.listens_for(engine, "handle_error")
    def tell(_: object) -> None:
        loop.call_soon_threadsafe(failed.set)

    task = asyncio.create_task(Work(row, engine, tmp_path, RULES, sender).run())
    while len(sender.asked) < 2:
        await asyncio.sleep(0)
    rename(engine, "batches", "elsewhere")
    sender.may["a"].set()
    await failed.wait()
    rename(engine, "elsewhere", "batches")
    sender.may["b"].set()
    await task
    with reading(engine) as connection:
        found = store.find_batch(connection, row.id)
    assert found is not None
    assert (found.status, found.completed, sender.asked) == ("completed", 2, ["a", "b"])


def rename(engine: Engine, table: str, name: str) -> None:
    with writing(engine) as connection:
        connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO {name}")
