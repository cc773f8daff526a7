"""Sources are looked at again as often as they say, and a failure ends nothing."""

import threading
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import Unavailable
from mainstay.grounding.config import KnowledgeConfig, SourceConfig
from mainstay.grounding.reports import Report, Stop
from mainstay.grounding.watch import Watch, due, is_stale, schedule

MINUTE = 60_000


def base(**every: float | None) -> KnowledgeConfig:
    return KnowledgeConfig(sources=tuple(SourceConfig(path=f"/x/{name}", every=each) for name, each in every.items()))


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.floats(0.001, 10**6))
def test_a_source_is_due_when_its_time_has_passed_or_the_clock_went_back(now: int, last: int, every: float) -> None:
    assert due(now, last, every) == (last == 0 or last > now or now - last >= every * 1000)


def test_what_is_longest_overdue_comes_first_and_what_has_no_pace_never() -> None:
    rows = {"one": base(a=60.0, b=60.0, never=None), "two": base(c=3600.0)}
    last = {"a": 100 * MINUTE, "b": 99 * MINUTE, "c": 99 * MINUTE, "never": 0}
    found = schedule(rows, lambda _, source: last[source], 102 * MINUTE)
    assert [(one.base, one.source.path) for one in found] == [("one", "/x/b"), ("one", "/x/a")]


def test_a_source_is_stale_after_its_limit_or_three_times_its_pace() -> None:
    source = SourceConfig(path="/x", every=60.0)
    assert not is_stale(4 * MINUTE, MINUTE, source, None)
    assert is_stale(4 * MINUTE + 1, MINUTE, source, None)
    assert is_stale(MINUTE, 0, source, 30.0)
    assert not is_stale(10**12, 0, SourceConfig(path="/x"), None)


class World:
    """A clock, and what was ingested and told."""

    def __init__(self, fails: Callable[[str], Exception | None] = lambda _: None) -> None:
        self.now = 1000 * MINUTE
        self.done: list[str] = []
        self.told: list[tuple[str, str, Report | str]] = []
        self.listed: dict[str, int] = {}
        self.fails = fails

    def ingest(self, base: str, source: SourceConfig, stop: Stop) -> Report:
        name = (source.path or "").rsplit("/", 1)[-1]
        self.done.append(name)
        if error := self.fails(name):
            raise error
        self.listed[name] = self.now
        return Report(source=name, complete=True)

    def watch(self, rows: dict[str, KnowledgeConfig]) -> Watch:
        return Watch(
            lambda: rows,
            self.ingest,
            lambda _, source: self.listed.get(source, 0),
            lambda *told: self.told.append(told),
            lambda: self.now,
        )


def test_each_source_is_looked_at_in_its_own_time() -> None:
    world = World()
    watch, stop = world.watch({"kb": base(fast=60.0, slow=600.0)}), threading.Event()
    assert watch.look(stop) == 2
    assert watch.look(stop) == 0
    world.now += MINUTE
    assert watch.look(stop) == 1
    assert world.done == ["fast", "slow", "fast"]


def test_a_source_that_fails_is_told_and_tried_again_and_the_others_go_on() -> None:
    errors = {"bad": Unavailable("The embedder cannot be reached."), "worse": RuntimeError("secret")}
    world = World(errors.get)
    watch, stop = world.watch({"kb": base(bad=60.0, worse=86400.0, good=60.0)}), threading.Event()
    watch.look(stop)
    assert sorted(world.done) == ["bad", "good", "worse"]
    said = {name: told for _, name, told in world.told}
    assert said["bad"] == "The embedder cannot be reached."
    assert said["worse"] == "failed: RuntimeError"
    world.now += 10 * MINUTE
    watch.look(stop)
    # What looks once a day is tried again before tomorrow where it failed.
    assert sorted(world.done[3:]) == ["bad", "good", "worse"]


def test_the_watch_ends_when_it_is_told_to() -> None:
    stop = threading.Event()
    world = World()

    def fails(_: str) -> None:
        stop.set()

    world.fails = fails
    world.watch({"kb": base(a=60.0, b=60.0)}).run(stop)
    assert len(world.done) == 1
