"""What one worker was asked, every worker knows, until its answer goes."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainstay.caching.config import CacheConfig
from mainstay.caching.disk import FILE
from mainstay.caching.exact import Exact
from mainstay.caching.port import NullQuestions, Question
from mainstay.caching.questions import SharedQuestions
from mainstay.caching.service import Shelf, open_shelf
from mainstay.store.sealing import NullSeal
from support.answers import make_entry

OWNER = ("", "")


class Worker:
    """A worker's tier and its questions of the route ``r``."""

    def __init__(self, home: Path, most: int = 100) -> None:
        self.tier = Exact(home, memory=0, disk=1 << 20, wait=120, seal=NullSeal())
        self.questions = SharedQuestions("r", home, self.tier.tell, NullSeal(), most)

    def keep(self, number: int, *, answered: bool = True) -> Question:
        """Keep an answer, and tell of its question."""
        key = bytes([number]) * 32
        if answered:
            self.tier.put(key, make_entry(source=f"rec-{number}", route="r", base="kb", rests=(f"p{number}",)))
        question = Question(key, b"p" * 32, f"question {number}", 99.0, "rules", b"reading")
        self.questions.tell(question, OWNER)
        return question

    def flush(self) -> None:
        """Wait until all is written."""
        self.tier._writer.submit(int).result(60)

    def end(self) -> None:
        self.questions.close()
        asyncio.run(self.tier.aclose())


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[tuple[Worker, Worker]]:
    both = Worker(tmp_path), Worker(tmp_path)
    yield both
    for worker in both:
        worker.end()


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    kept = open_shelf(CacheConfig(), tmp_path)
    yield kept
    kept.close()


def test_a_question_that_one_worker_was_asked_the_other_hears_once(workers: tuple[Worker, Worker]) -> None:
    one, other = workers
    first = one.keep(1)
    one.flush()
    assert other.questions.heard() == ([first], None)
    assert other.questions.heard() == ([], None)
    second = one.keep(2)
    one.flush()
    assert other.questions.heard() == ([second], None)


def test_a_worker_that_starts_later_hears_the_newest(workers: tuple[Worker, Worker], tmp_path: Path) -> None:
    questions = [workers[0].keep(number) for number in range(1, 6)]
    workers[0].flush()
    late = Worker(tmp_path, most=3)
    assert late.questions.heard() == (questions[-3:], None)
    late.end()


def test_what_is_dropped_anywhere_is_told(workers: tuple[Worker, Worker], shelf: Shelf) -> None:
    one, other = workers
    for number in (1, 2, 3, 4):
        one.keep(number)
    one.flush()
    other.questions.heard()
    assert shelf.evict(source="rec-1") == 1
    assert other.questions.heard()[1] == {bytes([number]) * 32 for number in (2, 3, 4)}
    assert shelf.drop("kb", ["p2"]) == 1
    assert other.questions.heard()[1] == {bytes([number]) * 32 for number in (3, 4)}
    assert shelf.clear() == 2
    assert other.questions.heard()[1] == set()


def test_a_question_without_an_answer_leaves_nothing(workers: tuple[Worker, Worker], shelf: Shelf) -> None:
    one, other = workers
    one.keep(1, answered=False)
    one.flush()
    assert other.questions.heard() == ([], None)
    one.keep(2)
    one.flush()
    bytes_kept = shelf.counts().bytes
    shelf.clear()
    assert bytes_kept > shelf.counts().bytes == 0


def test_a_file_that_was_begun_anew_is_read_from_the_beginning(workers: tuple[Worker, Worker], tmp_path: Path) -> None:
    one, other = workers
    for number in (1, 2, 3):
        one.keep(number)
    one.flush()
    other.questions.heard()
    for end in ("", "-wal", "-shm"):
        (tmp_path / f"{FILE}{end}").unlink(missing_ok=True)
    again = one.keep(4)
    one.flush()
    assert other.questions.heard()[0] == [again]


def test_without_a_file_nobody_is_told() -> None:
    alone = NullQuestions()
    alone.tell(Question(b"k", b"p", "t", 0.0, "", b""), OWNER)
    assert alone.heard() == ([], None)
