"""A batch that may wait for the cleanest hours waits, and no longer than it has time."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Engine

from mainstay.batches import store
from mainstay.batches.config import BatchesConfig
from mainstay.batches.lines import Row, write_answer
from mainstay.batches.port import BatchRow, Begin
from mainstay.batches.sender import Result, Sender
from mainstay.batches.service import Service
from mainstay.batches.work import Work
from mainstay.runtime.client import LeanTransport
from mainstay.store.sql import migrate, open_engine, reading

pytestmark = pytest.mark.anyio
RULES = BatchesConfig(concurrency=2, when="greenest")
CHAT = "/v1/chat/completions"


class Scripted(Sender):
    """Answers every row, and notes which."""

    def __init__(self) -> None:
        super().__init__(LeanTransport(), lambda: None, b"", RULES)
        self.asked: list[str] = []

    async def ask(self, row: Row, key: str, halt: asyncio.Event) -> Result | None:
        self.asked.append(row.custom_id)
        return Result(write_answer(row.custom_id, 200, "id", b"{}"), good=True)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path / 'mainstay.db'}")
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def row(engine: Engine, tmp_path: Path) -> BatchRow:
    service = Service(engine, tmp_path, RULES)
    lines = [
        msgspec.json.encode({"custom_id": name, "method": "POST", "url": CHAT, "body": {"model": "m"}})
        for name in "abcd"
    ]
    file = service.add_file("team/a", "batch", "in", b"\n".join(lines), None)
    return service.add_batch(
        "team/a", "key_1", endpoint=CHAT, input_file_id=file.id, window="24h", metadata=None, lifetime=None
    )


def now_state(engine: Engine, row: BatchRow) -> str:
    with reading(engine) as connection:
        found = store.find_batch(connection, row.id)
    assert found is not None
    return found.status


def make(engine: Engine, home: Path, row: BatchRow, sender: Sender, begin: Begin) -> Work:
    return Work(row, engine, home, RULES, sender, begin=begin)


async def test_nothing_is_asked_before_the_window_and_all_of_it_afterwards(
    engine: Engine, tmp_path: Path, row: BatchRow
) -> None:
    sender, asked = Scripted(), []

    async def begin(seconds: float, now: float, end: float) -> float:
        asked.append((seconds, end, list(sender.asked)))
        return now + 0.01 if len(asked) < 3 else now

    await make(engine, tmp_path, row, sender, begin).run()
    assert sorted(sender.asked) == ["a", "b", "c", "d"]
    # Four rows, two at a time, thirty seconds each; as much again is kept in hand.
    assert asked == [(60.0, row.expires_at - 60.0, [])] * 3
    assert now_state(engine, row) == "completed"


async def test_one_that_is_cancelled_while_it_waits_asks_nothing(engine: Engine, tmp_path: Path, row: BatchRow) -> None:
    sender, waits = Scripted(), asyncio.Event()

    async def begin(seconds: float, now: float, end: float) -> float:
        waits.set()
        return end

    work = make(engine, tmp_path, row, sender, begin)
    task = asyncio.create_task(work.run())
    await waits.wait()
    work.cancel()
    await task
    assert sender.asked == []


async def test_what_has_begun_goes_on_without_waiting(engine: Engine, tmp_path: Path, row: BatchRow) -> None:
    (tmp_path / "files" / f".{row.id}.output").write_bytes(write_answer("a", 200, "id", b"{}"))

    async def begin(seconds: float, now: float, end: float) -> float:
        raise AssertionError(f"asked at {time.time()}")

    sender = Scripted()
    await make(engine, tmp_path, row, sender, begin).run()
    assert sorted(sender.asked) == ["b", "c", "d"]
