"""Equal calls at once are one upstream call; who leaves early takes nothing from the others."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from mainstay.caching.config import RouteCacheConfig
from mainstay.caching.keeping import Keeping
from mainstay.caching.key import Rule
from mainstay.caching.port import Asked, Entry, Near
from mainstay.caching.stage import Recall
from mainstay.core.answer import Answer, Whole
from mainstay.core.call import Call, Caller
from mainstay.core.errors import InvalidRequest, MainstayError, UpstreamFailed
from mainstay.core.events import Dialect, Event, Finished, FinishReason, Frame, Started, TextDelta, ToolStarted
from mainstay.core.fold import fold
from mainstay.core.record import Attempt, Grounding, RailVerdict, Record
from mainstay.core.sources import Found, Pin, Source
from mainstay.routing.single_flight import SingleFlight
from support.answers import USAGE, make_entry, plain
from support.routing import call_of_bytes, make_target

TARGET = make_target("a")
PIN = Pin("kb", "main", 1)


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await main()

    asyncio.run(bounded())


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


class Shelf:
    """A tier in memory."""

    def __init__(self) -> None:
        self.kept: dict[bytes, Entry] = {}
        self.number = 0

    def age(self) -> int:
        return self.number

    async def get(self, key: bytes) -> Entry | None:
        return self.kept.get(key)

    def put(self, key: bytes, entry: Entry) -> None:
        self.kept[key] = entry

    async def aclose(self) -> None:
        pass


class Stream:
    """An answer's frames, given one by one."""

    def __init__(self, events: Sequence[Event], go: asyncio.Event | None = None) -> None:
        self.events = list(events)
        self.go = go
        self.closed = False

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        if self.go is not None:
            await self.go.wait()
        if not self.events:
            raise StopAsyncIteration
        return [Frame((self.events.pop(0),), b"{}")]

    async def aclose(self) -> None:
        self.closed = True


class Upstream:
    """Answers each call with the next of ``answers``, and notes an attempt."""

    def __init__(self, *answers: Callable[[], Answer] | MainstayError, go: asyncio.Event | None = None) -> None:
        self.answers = list(answers)
        self.calls: list[Call] = []
        self.go = go

    async def __call__(self, call: Call) -> Answer:
        self.calls.append(call)
        call.record.attempts.append(Attempt(target="a", outcome="ok"))
        if self.go is not None:
            await self.go.wait()
        answer = self.answers.pop(0)
        if isinstance(answer, MainstayError):
            raise answer
        return answer()


def whole(events: Sequence[Event] | None = None, **fields: Any) -> Callable[[], Answer]:
    return lambda: Answer(TARGET, whole=fold(events or plain()), **fields)


def streamed(events: Sequence[Event] | None = None, go: asyncio.Event | None = None) -> Callable[[], Answer]:
    return lambda: Answer(TARGET, frames=Stream(events or plain(), go))


def ask(text: str = "Capital?", *, control: str = "", caller: Caller | None = None, **fields: Any) -> Call:
    body = {"model": "r", "messages": [{"role": "user", "content": text}], **fields}
    given = {b"cache-control": control.encode()} if control else {}
    return call_of_bytes(json.dumps(body).encode(), given=given, caller=caller)


class World:
    """A stage with its surroundings."""

    def __init__(self, sources: Any = None, neighbours: Any = None, **config: Any) -> None:
        self.shelf = Shelf()
        self.keeping = Keeping()
        rule = Rule("r", RouteCacheConfig(**config), b"shape", (TARGET,))
        self.recall = Recall(rule, self.shelf, self.keeping, SingleFlight(), sources, neighbours)

    async def serve(self, call: Call, upstream: Upstream) -> str:
        """Return the text of an answer, and settle its record."""
        record = call.record
        try:
            answer = await self.recall(call, upstream)
            events: Sequence[Event]
            if answer.frames is not None:
                heard: list[Event] = []
                try:
                    async for batch in answer.frames:
                        heard += [event for frame in batch for event in frame.events]
                finally:
                    await answer.frames.aclose()
                events = heard
            else:
                assert answer.whole is not None
                events = answer.whole.events
        except asyncio.CancelledError:
            record.outcome = "gone"
            raise
        except MainstayError:
            record.outcome = "failed"
            raise
        finally:
            record.outcome = record.outcome or "ok"
            self.keeping.settle(record)
            await turns(2)
        return "".join(event.text for event in events if isinstance(event, TextDelta))


def test_twenty_equal_calls_at_once_are_one_upstream_call() -> None:
    async def main() -> None:
        world, go = World(), asyncio.Event()
        upstream = Upstream(streamed(go=go))
        calls = [ask(stream=True) for _ in range(20)]
        tasks = [asyncio.create_task(world.serve(call, upstream)) for call in calls]
        await turns()
        go.set()
        assert await asyncio.gather(*tasks) == ["Paris."] * 20
        assert len(upstream.calls) == 1
        records = [call.record for call in calls]
        assert sorted(record.cache for record in records) == ["hit"] * 19 + ["miss"]
        assert [len(record.attempts) for record in records if record.cache == "hit"] == [0] * 19
        assert {record.cost_usd for record in records if record.cache == "hit"} == {"0"}
        assert len(world.shelf.kept) == 1

    run(main)


def test_one_who_leaves_takes_nothing_from_the_others() -> None:
    async def main() -> None:
        world, go = World(), asyncio.Event()
        upstream = Upstream(streamed(go=go))
        leader, follower = ask(stream=True), ask(stream=True)
        leading = asyncio.create_task(world.serve(leader, upstream))
        await turns()
        following = asyncio.create_task(world.serve(follower, upstream))
        await turns()
        leading.cancel()
        await turns()
        go.set()
        assert await following == "Paris."
        assert leading.cancelled()
        assert leader.record.outcome == "gone"
        assert len(upstream.calls) == 1
        # The follower's answer was complete.
        assert len(world.shelf.kept) == 1

    run(main)


def test_a_stream_that_its_only_caller_left_is_not_kept() -> None:
    async def main() -> None:
        world, go = World(), asyncio.Event()
        call = ask(stream=True)
        task = asyncio.create_task(world.serve(call, Upstream(streamed(go=go))))
        await turns()
        task.cancel()
        await asyncio.wait((task,))
        await turns()
        assert world.shelf.kept == {}

    run(main)


def test_an_error_is_everybodys_and_is_not_kept() -> None:
    async def main() -> None:
        world, go = World(), asyncio.Event()
        upstream = Upstream(UpstreamFailed("Down."), whole(), go=go)
        tasks = [asyncio.create_task(world.serve(ask(), upstream)) for _ in range(3)]
        await turns()
        go.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, UpstreamFailed) for result in results)
        assert world.shelf.kept == {}
        assert await world.serve(ask(), upstream) == "Paris."

    run(main)


def test_who_wants_a_fresh_answer_waits_for_no_other() -> None:
    async def main() -> None:
        world, go = World(), asyncio.Event()
        upstream = Upstream(whole(plain("One.")), whole(plain("Two.")), go=go)
        calls = [ask(), ask(control="no-cache")]
        tasks = [asyncio.create_task(world.serve(call, upstream)) for call in calls]
        await turns()
        go.set()
        assert sorted(await asyncio.gather(*tasks)) == ["One.", "Two."]

    run(main)


def end(reason: FinishReason) -> tuple[Event, ...]:
    return plain("Paris.", reason)


CALLING = (Started(), ToolStarted("t", "now"), Finished(FinishReason.STOP))
HELD = ((b"x-mainstay-last-resort", b"text"),)


@pytest.mark.parametrize(
    "answer",
    [
        whole(end(FinishReason.LENGTH)),
        whole(end(FinishReason.FILTERED)),
        whole(end(FinishReason.REFUSED)),
        whole(end(FinishReason.TOOLS)),
        whole(CALLING),
        whole(plain("  ")),
        whole(headers=HELD),
        streamed(end(FinishReason.LENGTH)),
        streamed((Started(), TextDelta("Paris."))),
    ],
)
def test_what_is_no_whole_answer_in_words_is_not_kept(answer: Callable[[], Answer]) -> None:
    async def main() -> None:
        world = World()
        call = ask(stream=answer().frames is not None)
        await world.serve(call, Upstream(answer))
        assert world.shelf.kept == {}

    run(main)


def note(record: Record, what: str) -> None:
    if what == "masked":
        record.verdicts.append(RailVerdict("mail", "output", "masked"))
    elif what == "noted":
        record.verdicts.append(RailVerdict("mail", "output", "flagged", enforced=False))
    elif what == "tools":
        record.attempts.append(Attempt(cause="tools", outcome="ok"))
    elif what == "resort":
        record.attempts.append(Attempt(cause="last_resort", outcome="ok"))
    elif what == "interrupted":
        record.attempts.append(Attempt(outcome="upstream_interrupted"))
    elif what == "abstained":
        record.grounding = Grounding("kb", did="abstained")
    elif what == "nothing":
        record.grounding = Grounding("kb", nothing=True)
    elif what == "unsupported":
        record.grounding = Grounding("kb", verdicts={"supported": 3, "not_found": 1})


@pytest.mark.parametrize(
    ("what", "keeps"),
    [
        ("", True),
        ("masked", False),
        ("noted", False),
        ("tools", False),
        ("resort", False),
        ("interrupted", False),
        ("abstained", False),
        ("nothing", False),
        ("unsupported", False),
    ],
)
def test_what_the_record_says_by_its_end_decides(what: str, keeps: bool) -> None:
    async def main() -> None:
        world = World()
        call = ask()

        class Noting(Upstream):
            async def __call__(self, call: Call) -> Answer:
                answer = await super().__call__(call)
                note(call.record, what)
                return answer

        await world.serve(call, Noting(whole()))
        assert bool(world.shelf.kept) is keeps

    run(main)


def test_a_request_that_says_two_things_is_answered_and_not_kept() -> None:
    async def main() -> None:
        world = World()
        raw = b'{"model": "r", "seed": 1, "messages": [{"role": "user", "content": "Hi"}], "seed": 2}'
        await world.serve(call_of_bytes(raw), Upstream(whole()))
        assert world.shelf.kept == {}

    run(main)


class Sources:
    """What a base finds, and what of it is alive."""

    def __init__(self) -> None:
        self.passages = ["p1"]
        self.expires = 0
        self.dead: set[str] = set()

    async def find(self, call: Call) -> Found | None:
        sources = [Source(PIN, "doc", 1, name, 0, 1, 0, 1, "x", name, expires=self.expires) for name in self.passages]
        return Found(PIN, tuple(sources))

    async def alive(self, call: Call, passages: Sequence[str]) -> bool:
        return self.dead.isdisjoint(passages)


def test_a_grounded_answer_is_given_again_only_for_the_same_sources() -> None:
    async def main() -> None:
        sources = Sources()
        world = World(sources)
        upstream = Upstream(whole(plain("One.")), whole(plain("Two.")))
        assert await world.serve(ask(), upstream) == "One."
        assert await world.serve(ask(), upstream) == "One."
        sources.passages = ["p2"]
        assert await world.serve(ask(), upstream) == "Two."
        # The step below does not search again.
        assert upstream.calls[0].found is not None
        (first, second) = world.shelf.kept.values()
        assert (first.base, first.rests, second.rests) == ("kb", ("p1",), ("p2",))

    run(main)


def test_nothing_is_kept_past_the_time_of_its_sources() -> None:
    async def main() -> None:
        sources = Sources()
        sources.expires = 1000
        world = World(sources)
        await world.serve(ask(), Upstream(whole()))
        assert world.shelf.kept == {}

    run(main)


class Alike:
    """Finds one request near every other."""

    def __init__(self, near: Near | None) -> None:
        self.near = near
        self.noted: list[tuple[str, float]] = []
        self.compared: list[tuple[str, str]] = []
        self.forgotten: list[bytes] = []

    async def find(self, asked: Asked) -> Near | None:
        return self.near

    def kept(self, asked: Asked, lifetime: float) -> None:
        self.noted.append((asked.text, lifetime))

    def forget(self, key: bytes) -> None:
        self.forgotten.append(key)

    def compare(self, asked: Asked, near: Near, fresh: str, kept: str) -> None:
        self.compared.append((fresh, kept))


def test_a_request_in_other_words_gets_the_kept_answer_and_the_record_says_whose() -> None:
    async def main() -> None:
        alike = Alike(Near(b"k", "Capital of France?", 0.98))
        world = World(neighbours=alike)
        world.shelf.kept[b"k"] = make_entry("Paris.", route="r")
        call = ask("France's capital?")
        assert await world.serve(call, Upstream()) == "Paris."
        assert call.record.cache == "semantic"
        assert "0.980 alike" in call.record.steps
        assert "rec-1" in call.record.steps

    run(main)


def test_a_shadowed_hit_is_asked_anew_and_compared() -> None:
    async def main() -> None:
        alike = Alike(Near(b"k", "Capital of France?", 0.98, shadow=True))
        world = World(neighbours=alike)
        world.shelf.kept[b"k"] = make_entry("Paris.", route="r")
        call = ask("France's capital?")
        assert await world.serve(call, Upstream(whole(plain("It is Paris.")))) == "It is Paris."
        assert call.record.cache == "miss"
        assert alike.compared == [("It is Paris.", "Paris.")]
        assert [text for text, _ in alike.noted] == ["France's capital?"]

    run(main)


def test_what_is_near_and_gone_or_dead_is_no_hit() -> None:
    async def main() -> None:
        sources, alike = Sources(), Alike(Near(b"k", "Capital of France?", 0.98))
        world = World(sources, alike)
        await world.serve(ask("France's capital?"), Upstream(whole()))
        assert alike.forgotten == [b"k"]
        world.shelf.kept[b"k"] = make_entry("Old.", route="r", base="kb", rests=("p9",))
        sources.dead = {"p9"}
        assert await world.serve(ask("Its capital?"), Upstream(whole(plain("New.")))) == "New."

    run(main)


def test_a_caller_who_wants_equal_requests_only_is_given_no_other() -> None:
    async def main() -> None:
        alike = Alike(Near(b"k", "Capital of France?", 0.98))
        world = World(neighbours=alike)
        world.shelf.kept[b"k"] = make_entry("Paris.", route="r")
        call = replace(ask("France's capital?"), given={b"x-mainstay-cache-similarity": b"1"})
        assert await world.serve(call, Upstream(whole(plain("Asked.")))) == "Asked."

    run(main)


def test_only_if_cached_asks_no_model() -> None:
    async def main() -> None:
        world = World()
        with pytest.raises(InvalidRequest) as raised:
            await world.serve(ask(control="only-if-cached"), Upstream())
        assert (raised.value.status, raised.value.code) == (504, "not_cached")
        with pytest.raises(InvalidRequest):
            await world.serve(ask(control="only-if-cached", n=2), Upstream())

    run(main)


def test_an_answer_that_one_dialect_alone_can_say_is_for_that_one() -> None:
    async def main() -> None:
        world = World()
        await world.serve(ask(), Upstream(whole()))
        (key,) = world.shelf.kept
        world.shelf.kept[key] = replace(world.shelf.kept[key], only=Dialect.ANTHROPIC)
        assert await world.serve(ask(), Upstream(whole(plain("Asked.")))) == "Asked."

    run(main)


def test_an_answer_older_than_the_route_now_allows_is_not_given() -> None:
    async def main() -> None:
        world = World(lifetime="60s")
        await world.serve(ask(), Upstream(whole()))
        (key,) = world.shelf.kept
        world.shelf.kept[key] = replace(world.shelf.kept[key], made=world.shelf.kept[key].made - 61)
        assert await world.serve(ask(), Upstream(whole(plain("Asked.")))) == "Asked."

    run(main)


def test_a_route_with_prefix_alone_keeps_nothing_and_marks_what_goes_up() -> None:
    async def main() -> None:
        world = World(answers=False, prefix=True)
        call, upstream = ask(), Upstream(whole())
        await world.serve(call, upstream)
        assert (call.record.cache, world.shelf.kept) == ("", {})
        assert len(upstream.calls[0].ask.adapters) == 1

    run(main)


def test_usage_and_finish_of_a_hit_are_the_originals() -> None:
    async def main() -> None:
        world = World()
        await world.serve(ask(), Upstream(whole()))
        answer = await world.recall(ask(), Upstream())
        assert isinstance(answer.whole, Whole)
        assert (answer.whole.usage, answer.whole.finish) == (USAGE, (FinishReason.STOP,))
        assert answer.whole.events == plain()
        assert dict(answer.headers)[b"age"] == b"0"

    run(main)
