"""What a route answers when everything failed."""

import asyncio
from typing import Any

import pytest

from mainstay.core.answer import Answer, SingleFrame, Whole
from mainstay.core.call import Call, Caller
from mainstay.core.errors import MainstayError, UpstreamFailed
from mainstay.core.events import Dialect, Event, Finished, FinishReason, Frame, Metered, Started, TextDelta
from mainstay.core.target import Target
from mainstay.core.usage import Usage
from mainstay.routing.resort import Earlier, LastModel, LastWords, Resort
from support.routing import make_call as any_call
from support.routing import make_target

SMALL = make_target("small")
CAUSE = UpstreamFailed("the first cause")
EVENTS = (Started("1", "m"), TextDelta("before"), Finished(FinishReason.STOP), Metered(Usage(3, 4)))


def make_call(*, stream: bool = False, text: str = "a question", team: str = "") -> Call:
    body = {"stream": stream, "messages": [{"role": "user", "content": text}]}
    return any_call(body, caller=Caller("k", "key", team))


def whole() -> Answer:
    return Answer(
        SMALL, whole=Whole(b"", Dialect.OPENAI, "1", "m", (FinishReason.STOP,), Usage(3, 4), lambda _: EVENTS)
    )


def stream(*events: Event) -> Answer:
    return Answer(SMALL, frames=SingleFrame(Frame(events or EVENTS)))


def last(
    resort: Resort, call: Call, asked: Answer | MainstayError | None = None
) -> tuple[Answer, str, tuple[Event, ...]]:
    """Return the last answer, how it is marked and what it says."""

    async def ask(target: Target, cause: str) -> Answer:
        assert (target, cause) == (SMALL, "last_resort")
        assert asked is not None
        if isinstance(asked, MainstayError):
            raise asked
        return asked

    async def run() -> tuple[Answer, tuple[Event, ...]]:
        answer = await resort.answer(call, CAUSE, ask)
        if answer.whole is not None:
            return answer, answer.whole.events
        assert answer.frames is not None
        return answer, tuple([event async for batch in answer.frames for frame in batch for event in frame.events])

    answer, events = asyncio.run(run())
    return answer, dict(answer.headers)[b"x-mainstay-last-resort"].decode(), events


async def drain(answer: Answer) -> None:
    assert answer.frames is not None
    async for _ in answer.frames:
        pass


@pytest.mark.parametrize("streamed", [False, True])
def test_words_are_nobodys_answer_and_free(streamed: bool) -> None:
    answer, mark, events = last(LastWords("Sorry."), make_call(stream=streamed))
    assert (mark, answer.target.provider) == ("text", "mainstay")
    assert TextDelta("Sorry.") in events
    assert events[-1] == Metered(Usage())
    assert (answer.whole is None) is streamed


def test_one_more_model_is_asked_and_its_answer_marked() -> None:
    answer, mark, _ = last(LastModel(SMALL), make_call(), whole())
    assert (mark, answer.target) == ("model", SMALL)


def test_when_that_fails_too_the_words_follow_or_the_first_cause() -> None:
    _, mark, _ = last(LastModel(SMALL, LastWords("Sorry.")), make_call(), UpstreamFailed("second"))
    assert mark == "text"
    with pytest.raises(UpstreamFailed, match="the first cause"):
        last(LastModel(SMALL), make_call(), UpstreamFailed("second"))


@pytest.mark.parametrize("streamed", [False, True])
def test_the_same_request_gets_its_earlier_answer_at_no_cost(streamed: bool) -> None:
    resort, call = Earlier(), make_call(stream=streamed)
    seen = stream() if streamed else whole()
    resort.seen(call, seen)
    if streamed:
        asyncio.run(drain(seen))
    answer, mark, events = last(resort, make_call(stream=streamed))
    assert mark == "earlier"
    assert TextDelta("before") in events
    assert [event for event in events if isinstance(event, Metered)] == [Metered(Usage())]
    assert (answer.whole is None) is streamed


def test_an_answer_that_broke_off_is_not_kept() -> None:
    resort, call = Earlier(), make_call(stream=True)
    seen = stream()
    resort.seen(call, seen)
    with pytest.raises(UpstreamFailed):
        last(resort, call)


@pytest.mark.parametrize("change", [{"team": "others"}, {"text": "another question"}])
def test_nobody_gets_the_answer_to_another_request(change: dict[str, Any]) -> None:
    resort = Earlier(LastWords("Sorry."))
    resort.seen(make_call(), whole())
    _, mark, _ = last(resort, make_call(**change))
    assert mark == "text"


def test_what_is_kept_is_bounded_and_the_oldest_goes_first() -> None:
    resort = Earlier(LastWords("Sorry."), memory=600)
    calls = [make_call(text=f"question {n}") for n in range(20)]
    for call in calls:
        resort.seen(call, whole())
    marks = [last(resort, call)[1] for call in calls]
    kept = marks.count("earlier")
    assert 0 < kept < 10
    assert marks == ["text"] * (20 - kept) + ["earlier"] * kept
