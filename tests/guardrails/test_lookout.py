"""Judges of answers: the same verdict whole or streamed, in time or by the rail's own policy, aside if none waits."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.core.answer import Answer, Whole
from mainstay.core.errors import ContentBlocked, RailFailed
from mainstay.core.events import Dialect, Event, Finished, FinishReason, Frame, TextDelta, ThinkingDelta
from mainstay.core.fold import fold
from mainstay.core.record import RailVerdict
from mainstay.core.target import Target
from mainstay.guardrails import lookout
from mainstay.guardrails.outgoing import screen
from mainstay.guardrails.port import Finding
from mainstay.guardrails.rails import Rail, Trace

TARGET = Target("small", "local", "openai", "upstream")
OUT = frozenset({"output"})


class Counting:
    """A judge that finds texts bad in which a letter stands twice in a row."""

    heads = frozenset({"bad"})
    window = 10

    def __init__(self) -> None:
        self.read: list[str] = []

    def judge(self, texts: Sequence[str]) -> Sequence[Mapping[str, float]]:
        assert all(0 < len(text) <= self.window for text in texts)
        self.read += texts
        return [{"bad": 0.9 if "zz" in text else 0.1} for text in texts]


class Broken(Counting):
    """A judge that cannot judge."""

    def judge(self, texts: Sequence[str]) -> Sequence[Mapping[str, float]]:
        raise ValueError("no weights")


class Slow(Counting):
    """A judge that takes as long as it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def judge(self, texts: Sequence[str]) -> Sequence[Mapping[str, float]]:
        self.go.wait(60)
        return super().judge(texts)


class Faulty:
    """A scanner that breaks."""

    kinds = frozenset({"x"})
    reach = 5

    def scan(self, text: str) -> Sequence[Finding]:
        raise ZeroDivisionError


def rail(judge: Any, **more: Any) -> Rail:
    return Rail("tone", "moderation", OUT, more.pop("do", "block"), judge=judge, thresholds={"bad": 0.5}, **more)


class Stream:
    """Frames of events."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = iter(events)
        self.closed = False

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> Sequence[Frame]:
        for event in self._events:
            return [Frame((event,))]
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.closed = True


async def streamed(stream: Stream, rails: Sequence[Rail], verdicts: list[RailVerdict]) -> list[Event]:
    answer = await screen(Answer(TARGET, frames=stream), rails, Trace(verdicts), {}, schema=False)
    assert answer.frames is not None
    return [event async for batch in answer.frames for frame in batch for event in frame.events]


async def entire(events: Sequence[Event], rails: Sequence[Rail], verdicts: list[RailVerdict]) -> Sequence[Event]:
    whole = Whole(b"{}", Dialect.OPENAI, "", "", (FinishReason.STOP,), None, None, fold(events).events)
    answer = await screen(Answer(TARGET, whole=whole), rails, Trace(verdicts), {}, schema=False)
    assert answer.whole is not None
    return answer.whole.events


def pieces(text: str, sizes: Sequence[int]) -> list[Event]:
    found: list[Event] = []
    at = 0
    while at < len(text):
        size = sizes[len(found) % len(sizes)]
        found.append(TextDelta(text[at : at + size]))
        at += size
    return found


def seen(verdicts: Sequence[RailVerdict]) -> list[tuple[object, ...]]:
    return [(one.outcome, one.kinds, [(s.start, s.end, s.place) for s in one.spans]) for one in verdicts]


@settings(max_examples=60, deadline=None)
@given(
    st.text("abz ", max_size=60),
    st.lists(st.integers(1, 20), min_size=1, max_size=9),
    st.sampled_from(["block", "mask", "flag"]),
)
def test_a_judge_says_the_same_of_a_stream_as_of_its_whole(text: str, sizes: list[int], do: str) -> None:
    one, other = Counting(), Counting()
    first: list[RailVerdict] = []
    second: list[RailVerdict] = []
    events = pieces(text, sizes)

    async def both() -> tuple[object, object]:
        found: list[object] = []
        for done in (streamed(Stream(events), [rail(one, do=do)], first), entire(events, [rail(other, do=do)], second)):
            try:
                found.append("".join(event.text for event in await done if isinstance(event, TextDelta)))
            except ContentBlocked as error:
                found.append(error.extra)
        return found[0], found[1]

    streaming, whole = asyncio.run(both())
    assert streaming == whole
    assert seen(first) == seen(second)
    if do == "flag":
        assert streaming == text
        assert one.read == other.read


def test_a_block_that_is_judged_bad_does_not_leave() -> None:
    verdicts: list[RailVerdict] = []
    text = "all is so well zz and on it goes"
    stream = Stream(pieces(text, [1]))

    async def run() -> str:
        answer = await screen(Answer(TARGET, frames=stream), [rail(Counting())], Trace(verdicts), {}, schema=False)
        assert answer.frames is not None
        said = ""
        with pytest.raises(ContentBlocked):
            async for batch in answer.frames:
                said += "".join(event.text for frame in batch for event in frame.events if isinstance(event, TextDelta))
        return said

    assert asyncio.run(run()) == text[:15]
    assert stream.closed
    assert verdicts[0].outcome == "blocked"
    assert [(span.start, span.end) for span in verdicts[0].spans] == [(10, 20)]


def test_of_a_rail_that_masks_the_block_is_masked() -> None:
    verdicts: list[RailVerdict] = []
    events = [ThinkingDelta("so so"), *pieces("all is so well zz and on", [3]), Finished(FinishReason.STOP)]
    found = asyncio.run(streamed(Stream(events), [rail(Counting(), do="mask")], verdicts))
    assert fold(found).events[1:3] == (ThinkingDelta("so so"), TextDelta("all is so well [BAD][BAD]"))


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("looks", [{"judge": Broken(), "thresholds": {"bad": 0.5}}, {"scanner": Faulty()}])
def test_a_rail_that_cannot_look_lets_nothing_pass_unless_it_is_open(looks: dict[str, Any], whole: bool) -> None:
    def run(**more: Any) -> tuple[Sequence[Event], list[RailVerdict]]:
        verdicts: list[RailVerdict] = []
        rails = [Rail("tone", "words", OUT, more.pop("do", "block"), **looks, **more)]
        events = [*pieces("all is well and on it goes, as it was before", [3]), Finished(FinishReason.STOP)]
        done = entire(events, rails, verdicts) if whole else streamed(Stream(events), rails, verdicts)
        return asyncio.run(done), verdicts  # type: ignore[arg-type]  # either gives events

    with pytest.raises(RailFailed) as caught:
        run()
    assert caught.value.extra == {"rail": "tone"}
    for more in ({"closed": False}, {"enforce": False}, {"do": "flag"}):
        found, verdicts = run(**more)
        assert "".join(event.text for event in found if isinstance(event, TextDelta)).endswith("as it was before")
        assert verdicts[0].outcome == "failed"


def test_a_judge_that_takes_too_long_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookout, "_PATIENCE", 0.05)
    slow = Slow()
    verdicts: list[RailVerdict] = []
    stream = Stream(pieces("all is well and on", [4]))

    async def run() -> None:
        try:
            with pytest.raises(RailFailed):
                await streamed(stream, [rail(slow)], verdicts)
        finally:
            slow.go.set()

    asyncio.run(run())
    assert stream.closed
    assert verdicts[0].outcome == "failed"


def test_a_judge_that_nothing_waits_for_is_heard_before_the_end() -> None:
    slow = Slow()
    verdicts: list[RailVerdict] = []
    events = [*pieces("all is zz and on it goes", [24]), Finished(FinishReason.STOP)]

    async def run() -> None:
        answer = await screen(
            Answer(TARGET, frames=Stream(events)), [rail(slow, do="flag")], Trace(verdicts), {}, schema=False
        )
        assert answer.frames is not None
        came = [await anext(answer.frames), await anext(answer.frames)]  # type: ignore[call-overload]  # it iterates
        assert [batch[0].events[0] for batch in came] == events
        assert verdicts[0].outcome == "passed"
        slow.go.set()
        with pytest.raises(StopAsyncIteration):
            await answer.frames.__anext__()

    asyncio.run(run())
    assert verdicts[0].outcome == "flagged"
    assert verdicts[0].kinds == {"bad": 2}


def test_closing_a_stream_stops_its_judges() -> None:
    slow = Slow()
    stream = Stream([*pieces("all is zz and on it goes " * 20, [300]), Finished(FinishReason.STOP)])

    async def run() -> int:
        answer = await screen(Answer(TARGET, frames=stream), [rail(slow, do="flag")], Trace([]), {}, schema=False)
        assert answer.frames is not None
        await answer.frames.__anext__()
        await answer.frames.aclose()
        left = len(asyncio.all_tasks())
        slow.go.set()
        return left

    assert asyncio.run(run()) == 1
    assert stream.closed


@pytest.mark.parametrize("size", [1, 7, 50])
def test_whether_an_answer_is_a_refusal_is_asked_once_of_its_beginning(size: int) -> None:
    judge = Counting()
    refusal = Rail("no", "refusal", OUT, "flag", judge=judge, thresholds={"bad": 0.5})
    verdicts: list[RailVerdict] = []
    events = [ThinkingDelta("I zz"), *pieces("I will zz not zz do this zz", [size]), Finished(FinishReason.STOP)]
    asyncio.run(streamed(Stream(events), [refusal], verdicts))
    assert judge.read == ["I will zz "]
    assert seen(verdicts) == [("flagged", {"bad": 1}, [(0, 10, "0.text")])]
    judge.read.clear()
    asyncio.run(streamed(Stream(pieces("No zz.", [size])), [refusal], verdicts))
    assert judge.read == ["No zz."]


def test_rails_that_share_a_scanner_look_once() -> None:
    class Once:
        kinds = frozenset({"a", "b"})
        reach = 4
        scans = 0

        def scan(self, text: str) -> Sequence[Finding]:
            self.scans += 1
            return [Finding(at, at + 1, text[at]) for at in range(len(text)) if text[at] in "ab"]

    once = Once()
    rails = [
        Rail("first", "words", OUT, "mask", scanner=once, kinds=frozenset({"a"})),
        Rail("second", "words", OUT, "flag", scanner=once, kinds=frozenset({"b"})),
    ]
    verdicts: list[RailVerdict] = []
    found = asyncio.run(entire([TextDelta("x a b"), Finished(FinishReason.STOP)], rails, verdicts))
    assert found[1] == TextDelta("x [A] b")
    assert once.scans == 1
    assert [(one.rail, one.outcome, one.kinds) for one in verdicts] == [
        ("first", "masked", {"a": 1}),
        ("second", "flagged", {"b": 1}),
    ]
