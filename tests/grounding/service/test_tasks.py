"""What is worked off beside: one for each base, told of on its way, stopped, and forgotten in time."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from mainstay.core.errors import Conflict, NotFound, Unavailable
from mainstay.grounding.reports import Progress, Report, Stop
from mainstay.grounding.service import Knowledge
from mainstay.grounding.service.tasks import Tasks, Told

NOBODY: Any = None


@contextmanager
def opened(_: str) -> Iterator[Knowledge]:
    yield NOBODY


@pytest.fixture
def tasks() -> Iterator[Tasks]:
    made = Tasks(opened)
    yield made
    made.close()


def nothing(_: Knowledge, told: Told, __: Stop) -> Sequence[Report]:
    told(Progress(2, 3, "a.md"))
    return [Report("docs", added=2)]


def test_a_task_tells_what_it_came_to(tasks: Tasks) -> None:
    task = tasks.begin("kb", "ingest", "uid:7", nothing, "next")
    tasks.settle()
    assert (task.state, task.done, task.total, task.current, task.version) == ("done", 2, 3, "", "next")
    assert (task.reports, task.asked <= task.began <= task.ended) == ([Report("docs", added=2)], True)
    assert tasks.find("kb", task.id) is task
    for base, name in (("other", task.id), ("kb", "none")):
        with pytest.raises(NotFound):
            tasks.find(base, name)


def test_one_base_has_one_task_at_a_time_and_it_ends_when_it_is_stopped(tasks: Tasks) -> None:
    begun = threading.Event()

    def act(_: Knowledge, __: Told, stop: Any) -> Sequence[Report]:
        begun.set()
        stop.wait()
        return ()

    first = tasks.begin("kb", "build", "uid:7", act)
    with pytest.raises(Conflict, match=first.id):
        tasks.begin("kb", "ingest", "uid:7", nothing)
    other = tasks.begin("another", "ingest", "uid:7", nothing)
    begun.wait()
    assert tasks.stop("kb", first.id) is first
    tasks.settle()
    assert (first.state, other.state) == ("stopped", "done")
    second = tasks.begin("kb", "ingest", "uid:7", nothing)
    assert tasks.of("kb") == [second, first]


def test_what_fails_and_what_breaks_is_told_and_the_next_one_goes_on(tasks: Tasks) -> None:
    def fail(*_: object) -> Sequence[Report]:
        raise Unavailable("The embedder is away.")

    def crack(*_: object) -> Sequence[Report]:
        raise RuntimeError("secret")

    failed, broken = tasks.begin("a", "build", "uid:7", fail), tasks.begin("b", "build", "uid:7", crack)
    tasks.settle()
    assert (failed.state, failed.message) == ("failed", "The embedder is away.")
    assert (broken.state, "RuntimeError" in broken.message, "secret" in broken.message) == ("failed", True, False)
    assert tasks.begin("b", "ingest", "uid:7", nothing).id != broken.id


def test_what_waits_when_the_process_ends_never_begins() -> None:
    tasks, begun = Tasks(opened), threading.Barrier(3)

    def act(_: Knowledge, __: Told, stop: Any) -> Sequence[Report]:
        begun.wait()
        stop.wait()
        return ()

    running = [tasks.begin(base, "build", "uid:7", act) for base in "ab"]
    waiting = tasks.begin("c", "build", "uid:7", nothing)
    begun.wait()
    tasks.close()
    assert [one.state for one in (*running, waiting)] == ["stopped"] * 3
    assert (waiting.total, waiting.reports) == (0, ())
