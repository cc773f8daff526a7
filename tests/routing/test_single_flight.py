"""Identical calls in flight share one upstream call, and none of them depends on another."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mainstay.core.answer import Answer, Whole
from mainstay.core.call import Caller, Priority
from mainstay.core.errors import MainstayError, UpstreamFailed, UpstreamInterrupted, UpstreamRateLimited
from mainstay.core.events import Dialect, FinishReason, Frame, TextDelta
from mainstay.routing.single_flight import SingleFlight, flight_key
from support.routing import call_of_bytes, make_call, make_target

TARGET = make_target("a")
KEY = b"key"


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test whose hang is a failure."""

    async def bounded() -> None:
        async with asyncio.timeout(20):
            await main()

    asyncio.run(bounded())


async def turns(count: int = 10) -> None:
    """Let every task that can go on do so."""
    for _ in range(count):
        await asyncio.sleep(0)


class Source:
    """An upstream's answer, given batch by batch."""

    def __init__(self) -> None:
        self.batches: asyncio.Queue[list[Frame] | BaseException | None] = asyncio.Queue()
        self.read = 0
        self.closed = False

    def give(self, *texts: str) -> None:
        for text in texts:
            self.batches.put_nowait([Frame((TextDelta(text),), text.encode())])

    def end(self, error: BaseException | None = None) -> None:
        self.batches.put_nowait(error)

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        batch = await self.batches.get()
        if batch is None:
            raise StopAsyncIteration
        if isinstance(batch, BaseException):
            raise batch
        self.read += 1
        return batch

    async def aclose(self) -> None:
        self.closed = True


class Upstream:
    """Answers when told to, and counts how often it was asked and how often left."""

    def __init__(self, answer: Callable[[], Answer]) -> None:
        self.answer = answer
        self.asked = 0
        self.left = 0
        self.go = asyncio.Event()

    async def __call__(self) -> Answer:
        self.asked += 1
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.left += 1
            raise
        return self.answer()


def whole() -> Answer:
    return Answer(
        TARGET, ((b"a", b"b"),), whole=Whole(b"{}", Dialect.OPENAI, "id", "m", (FinishReason.STOP,), None, None)
    )


def streaming(source: Source) -> Callable[[], Awaitable[Answer]]:
    async def start() -> Answer:
        return Answer(TARGET, frames=source)

    return start


async def read(answer: Answer) -> list[str]:
    assert answer.frames is not None
    texts = []
    try:
        async for batch in answer.frames:
            texts += [frame.wire.decode() for frame in batch]
    finally:
        await answer.frames.aclose()
    return texts


async def take(answer: Answer, count: int) -> list[str]:
    assert answer.frames is not None
    return [(await answer.frames.__anext__())[0].wire.decode() for _ in range(count)]


def test_calls_in_flight_share_a_whole_answer_and_the_next_asks_again() -> None:
    async def main() -> None:
        flights, upstream = SingleFlight(), Upstream(whole)
        tasks = [asyncio.create_task(flights.join(KEY, upstream)) for _ in range(5)]
        await turns()
        upstream.go.set()
        answers = await asyncio.gather(*tasks)
        assert upstream.asked == 1
        assert len({id(answer) for answer in answers}) == 5
        assert len({id(answer.whole) for answer in answers}) == 1
        assert all(answer.headers == ((b"a", b"b"),) for answer in answers)
        await flights.join(KEY, upstream)
        assert upstream.asked == 2
        assert len(flights) == 0

    run(main)


def test_different_keys_fly_apart() -> None:
    async def main() -> None:
        flights, upstream = SingleFlight(), Upstream(whole)
        upstream.go.set()
        await asyncio.gather(*[flights.join(key, upstream) for key in (b"a", b"b")])
        assert upstream.asked == 2

    run(main)


def test_a_follower_survives_the_leaders_leaving() -> None:
    async def main() -> None:
        flights, upstream = SingleFlight(), Upstream(whole)
        leader = asyncio.create_task(flights.join(KEY, upstream))
        await turns()
        follower = asyncio.create_task(flights.join(KEY, upstream))
        await turns()
        leader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leader
        upstream.go.set()
        assert (await follower).whole is not None
        assert (upstream.asked, upstream.left) == (1, 0)

    run(main)


def test_the_last_to_leave_stops_the_upstream() -> None:
    async def main() -> None:
        flights, upstream = SingleFlight(), Upstream(whole)
        tasks = [asyncio.create_task(flights.join(KEY, upstream)) for _ in range(3)]
        await turns()
        for task in tasks:
            assert upstream.left == 0
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert (upstream.asked, upstream.left, len(flights)) == (1, 1, 0)

    run(main)


def test_a_call_that_comes_as_the_last_leaves_asks_for_itself() -> None:
    async def main() -> None:
        flights, upstream = SingleFlight(), Upstream(whole)
        first = asyncio.create_task(flights.join(KEY, upstream))
        await turns()
        first.cancel()
        upstream.go.set()
        second = asyncio.create_task(flights.join(KEY, upstream))
        assert (await second).whole is not None

    run(main)


def test_an_error_reaches_every_waiter_as_its_own_object() -> None:
    async def main() -> None:
        def refuse() -> Answer:
            raise UpstreamRateLimited("Wait.", retry_after=3.0, extra={"a": 1})

        flights, upstream = SingleFlight(), Upstream(refuse)
        tasks = [asyncio.create_task(flights.join(KEY, upstream)) for _ in range(3)]
        await turns()
        upstream.go.set()
        errors = await asyncio.gather(*tasks, return_exceptions=True)
        assert len({id(error) for error in errors}) == 3
        for error in errors:
            assert isinstance(error, UpstreamRateLimited)
            assert (error.message, error.retry_after, error.extra, error.status) == ("Wait.", 3.0, {"a": 1}, 429)
        assert len(flights) == 0

    run(main)


def test_a_fault_of_ours_reaches_every_waiter() -> None:
    async def main() -> None:
        def fail() -> Answer:
            raise ZeroDivisionError

        flights, upstream = SingleFlight(), Upstream(fail)
        upstream.go.set()
        errors = await asyncio.gather(*[flights.join(KEY, upstream) for _ in range(2)], return_exceptions=True)
        assert [type(error) for error in errors] == [ZeroDivisionError, ZeroDivisionError]

    run(main)


def test_a_stream_is_heard_from_its_start_however_late_one_joins() -> None:
    async def main() -> None:
        flights, source = SingleFlight(), Source()
        first = await flights.join(KEY, streaming(source))
        source.give("a", "b")
        assert await take(first, 2) == ["a", "b"]
        second = await flights.join(KEY, streaming(Source()))
        source.give("c")
        source.end()
        assert await read(second) == ["a", "b", "c"]
        assert await read(first) == ["c"]
        assert source.closed
        assert len(flights) == 0

    run(main)


def test_a_break_comes_to_every_listener_after_what_came_before_it() -> None:
    async def main() -> None:
        flights, source = SingleFlight(), Source()
        answers = [await flights.join(KEY, streaming(source)) for _ in range(2)]
        source.give("a")
        source.end(UpstreamInterrupted("It broke."))
        seen: list[MainstayError] = []
        for answer in answers:
            assert await take(answer, 1) == ["a"]
            with pytest.raises(UpstreamInterrupted, match=r"It broke\.") as caught:
                await take(answer, 1)
            seen.append(caught.value)
        assert seen[0] is not seen[1]
        assert source.closed

    run(main)


def test_one_listener_may_leave_and_the_last_closes_the_upstream() -> None:
    async def main() -> None:
        flights, source = SingleFlight(), Source()
        one = await flights.join(KEY, streaming(source))
        other = await flights.join(KEY, streaming(source))
        assert one.frames is not None
        assert other.frames is not None
        source.give("a")
        assert await take(one, 1) == ["a"]
        await one.frames.aclose()
        await one.frames.aclose()
        with pytest.raises(StopAsyncIteration):
            await one.frames.__anext__()
        source.give("b")
        assert await take(other, 2) == ["a", "b"]
        assert not source.closed
        await other.frames.aclose()
        assert source.closed
        assert len(flights) == 0

    run(main)


def test_a_listener_that_is_cancelled_while_it_waits_takes_nothing_from_the_others() -> None:
    async def main() -> None:
        flights, source = SingleFlight(), Source()
        one = await flights.join(KEY, streaming(source))
        other = await flights.join(KEY, streaming(source))
        reading = asyncio.create_task(read(one))
        await turns()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        source.give("a", "b")
        source.end()
        assert await read(other) == ["a", "b"]

    run(main)


def test_the_upstream_is_not_read_far_ahead_of_a_slow_caller() -> None:
    async def main() -> None:
        flights, source = SingleFlight(), Source()
        answer = await flights.join(KEY, streaming(source))
        source.give(*["x" * 100_000] * 20)
        source.end()
        await turns(50)
        assert 2 <= source.read <= 4
        assert len(await read(answer)) == 20

    run(main)


def test_a_slow_listener_holds_up_nobody_and_is_told_when_it_fell_too_far_behind() -> None:
    async def main() -> None:
        flights, source = SingleFlight(limit=1_000_000), Source()
        fast = await flights.join(KEY, streaming(source))
        slow = await flights.join(KEY, streaming(source))
        source.give(*["x" * 100_000] * 20)
        source.end()
        assert len(await take(slow, 1)) == 1
        assert len(await read(fast)) == 20
        with pytest.raises(UpstreamInterrupted):
            await read(slow)

    run(main)


def test_a_listener_within_the_bound_loses_nothing() -> None:
    async def main() -> None:
        flights, source = SingleFlight(limit=1_000_000), Source()
        fast = await flights.join(KEY, streaming(source))
        slow = await flights.join(KEY, streaming(source))
        source.give(*[str(i) * 50_000 for i in range(10)])
        source.end()
        assert await read(fast) == await read(slow)

    run(main)


def test_one_huge_batch_cuts_off_nobody() -> None:
    async def main() -> None:
        flights, source = SingleFlight(limit=1000), Source()
        answers = [await flights.join(KEY, streaming(source)) for _ in range(2)]
        source.give("x" * 5000)
        source.end()
        assert [len(await read(answer)) for answer in answers] == [1, 1]

    run(main)


def test_a_stream_past_the_limit_is_joined_by_nobody_more() -> None:
    async def main() -> None:
        flights, long, short = SingleFlight(limit=1000), Source(), Source()
        first = await flights.join(KEY, streaming(long))
        long.give("x" * 900, "y" * 900)
        assert len(await take(first, 2)) == 2
        second = await flights.join(KEY, streaming(short))
        short.give("z")
        for source in (long, short):
            source.end()
        assert await read(second) == ["z"]
        assert await read(first) == []
        assert len(flights) == 0

    run(main)


@settings(deadline=None)
@given(
    st.lists(st.text("abc", min_size=1, max_size=3), max_size=8),
    st.lists(st.tuples(st.integers(0, 8), st.none() | st.integers(0, 8)), min_size=1, max_size=5),
    st.booleans(),
)
def test_every_listener_hears_the_same_whatever_the_others_do(
    texts: list[str], listeners: list[tuple[int, int | None]], broken: bool
) -> None:
    """A listener joins after so many batches, and leaves after so many (None: stays)."""

    async def listen(answer: Answer, leaves: int | None) -> list[str]:
        assert answer.frames is not None
        heard: list[str] = []
        try:
            while leaves is None or len(heard) < leaves:
                heard += [frame.wire.decode() for frame in await answer.frames.__anext__()]
        except StopAsyncIteration:
            assert not broken
        except UpstreamFailed:
            assert broken
            heard.append("!")
        finally:
            await answer.frames.aclose()
        return heard

    async def main() -> None:
        flights, source = SingleFlight(), Source()
        holder = await flights.join(KEY, streaming(source))
        tasks: list[tuple[asyncio.Task[list[str]], int | None]] = []
        for sent in range(len(texts) + 1):
            for joins, leaves in listeners:
                if min(joins, len(texts)) == sent:
                    answer = await flights.join(KEY, streaming(Source()))
                    tasks.append((asyncio.create_task(listen(answer, leaves)), leaves))
            if sent < len(texts):
                source.give(texts[sent])
                await turns(3)
        source.end(UpstreamFailed("It broke.") if broken else None)
        everything = texts + ["!"] * broken
        assert await listen(holder, None) == everything
        for task, leaves in tasks:
            heard = await task
            assert heard == (everything if leaves is None else everything[: max(leaves, 0)])
        assert source.closed
        assert len(flights) == 0

    run(main)


COLD: dict[str, Any] = {"temperature": 0}


def test_identical_calls_of_a_tenant_have_one_key() -> None:
    assert flight_key(make_call(COLD)) == flight_key(make_call(COLD)) is not None
    one, other = Caller("k1", team="t"), Caller("k2", team="t")
    assert flight_key(make_call(COLD, caller=one)) == flight_key(make_call(COLD, caller=other))
    retried = ((b"x-stainless-retry-count", b"1"),)
    assert flight_key(make_call(COLD, headers=retried)) == flight_key(make_call(COLD))
    tools = COLD | {"tools": [{"type": "function", "function": {"name": "f"}}]}
    assert flight_key(make_call(tools)) is not None


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"temperature": 0.1},
        {"temperature": None},
        {"seed": 1},
        {"metadata": {"temperature": "0"}},
        COLD | {"store": True},
    ],
)
def test_a_call_that_leaves_something_to_chance_flies_alone(fields: dict[str, Any]) -> None:
    assert flight_key(make_call(fields)) is None


@pytest.mark.parametrize(
    "raw",
    [
        b'{"temperature": 0, "tools": [{"type": "web_search_20250305", "name": "web_search"}]}',
        b'{"temperature": 0, "mcp_servers": [{"url": "https://example.com"}]}',
        b'{"temperature": 0, "web_search_options": {}}',
        b'{"temperature": "0"}',
        b'{"temperature": 0',
        b"",
    ],
)
def test_a_call_that_does_something_at_the_vendor_or_cannot_be_read_flies_alone(raw: bytes) -> None:
    call = make_call(COLD)
    assert flight_key(replace(call, ask=replace(call.ask, raw=raw))) is None


def test_whatever_may_change_the_answer_or_who_may_see_it_changes_the_key() -> None:
    calls = [
        make_call(COLD),
        make_call(COLD, caller=Caller("other")),
        make_call(COLD, caller=Caller("x", team="k")),
        make_call(COLD, route="other"),
        make_call(COLD | {"max_tokens": 5}),
        make_call(COLD | {"stream": True}),
        make_call(COLD, headers=((b"openai-beta", b"x"),)),
        make_call(COLD, headers=((b"idempotency-key", b"x"),)),
        make_call(COLD, hops=1),
        make_call(COLD, priority=Priority.CRITICAL),
    ]
    anthropic = calls[0]
    calls.append(replace(anthropic, ask=replace(anthropic.ask, dialect=Dialect.ANTHROPIC)))
    keys = [flight_key(call) for call in calls]
    assert None not in keys
    assert len(set(keys)) == len(calls)


@given(st.text(max_size=5), st.text(max_size=5), st.text(max_size=5), st.text(max_size=5))
def test_no_two_tenants_share_a_key(key: str, team: str, other_key: str, other_team: str) -> None:
    raw = make_call(COLD).ask.raw
    one = call_of_bytes(raw, caller=Caller(key, team=team))
    other = call_of_bytes(raw, caller=Caller(other_key, team=other_team))
    same = team == other_team and (bool(team) or key == other_key)
    assert (flight_key(one) == flight_key(other)) == same
