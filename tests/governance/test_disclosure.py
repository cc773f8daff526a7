"""The notice that an AI system answers: before a conversation's first words, whole and streamed, and never in JSON."""

from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.answer import Answer, Whole
from mainstay.core.events import (
    Dialect,
    Event,
    Finished,
    FinishReason,
    Frame,
    Metered,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    ToolStarted,
)
from mainstay.core.usage import Usage
from mainstay.governance.disclosure import MARK, Disclosure
from support.routing import make_call, make_target

pytestmark = pytest.mark.anyio

TEXT = "I am a machine."
STOP = Finished(FinishReason.STOP)
ANSWER = (
    Started("1"),
    ThinkingDelta("Hm."),
    TextDelta(""),
    TextDelta("Hello"),
    TextDelta(" you"),
    STOP,
    Metered(Usage(1, 2)),
)


class Listed:
    """Frames that are there already; says whether it was closed."""

    def __init__(self, frames: Sequence[Sequence[Frame]]) -> None:
        self._rest = list(frames)
        self.closed = False

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        if not self._rest:
            raise StopAsyncIteration
        return self._rest.pop(0)

    async def aclose(self) -> None:
        self.closed = True


def whole(events: tuple[Event, ...] = ANSWER) -> Answer:
    made = Whole(b"{}", Dialect.OPENAI, "1", "m", (FinishReason.STOP,), Usage(1, 2), lambda _: events)
    return Answer(make_target("m"), whole=made)


def told(answer: Answer) -> tuple[Event, ...]:
    assert answer.whole is not None
    return answer.whole.events


def words(events: Sequence[Event], choice: int = 0) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta) and event.choice == choice)


def test_the_first_answer_of_a_conversation_begins_with_the_words_and_keeps_its_own() -> None:
    answer = Disclosure(TEXT).tell(make_call(), whole())
    assert words(told(answer)) == f"{TEXT}\n\nHello you"
    assert [event for event in told(answer) if event != TextDelta(f"{TEXT}\n\n")] == list(ANSWER)
    assert answer.whole is not None
    assert answer.whole.wire == b""
    assert answer.headers == (MARK,)


@pytest.mark.parametrize(
    "body",
    [
        {
            "messages": [
                {"role": "user", "content": "x"},
                {"role": "assistant", "content": "y"},
                {"role": "user", "content": "z"},
            ]
        },
        {"response_format": {"type": "json_object"}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}},
    ],
)
def test_later_answers_and_those_in_a_form_have_the_mark_alone(body: dict[str, Any]) -> None:
    answer = Disclosure(TEXT).tell(make_call(body), whole())
    assert answer.whole is not None
    assert answer.whole.wire == b"{}"
    assert answer.headers == (MARK,)


def test_a_turn_of_tools_alone_has_told_nobody() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "1"},
    ]
    answer = Disclosure(TEXT).tell(make_call({"messages": messages}), whole())
    assert words(told(answer)).startswith(TEXT)


def test_an_answer_that_only_calls_tools_stays_as_it_came() -> None:
    events = (Started("1"), ToolStarted("c", "f"), ToolDelta("{}"), Finished(FinishReason.TOOLS))
    answer = Disclosure(TEXT).tell(make_call(), whole(events))
    assert answer.whole is not None
    assert answer.whole.wire == b"{}"


def test_a_route_whose_own_answers_have_a_form_is_never_written_into() -> None:
    answer = Disclosure(TEXT, formed=True).tell(make_call(), whole())
    assert told(answer) == ANSWER


def test_each_choice_of_an_answer_is_told() -> None:
    events = (Started("1"), TextDelta("a", 0), TextDelta("b", 1), STOP, Finished(FinishReason.STOP, 1))
    answer = Disclosure(TEXT).tell(make_call(), whole(events))
    assert (words(told(answer)), words(told(answer), 1)) == (f"{TEXT}\n\na", f"{TEXT}\n\nb")


def test_either_half_of_the_notice_may_be_left_out() -> None:
    assert Disclosure(TEXT, marked=False).tell(make_call(), whole()).headers == ()
    assert told(Disclosure("").tell(make_call(), whole())) == ANSWER


@given(st.lists(st.integers(0, len(ANSWER)), max_size=5))
async def test_a_stream_says_what_the_whole_says_wherever_its_frames_are_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(ANSWER)]
    frames = [[Frame(ANSWER[a:b], b"wire")] for a, b in pairwise(edges)]
    inner = Listed(frames)
    answer = Disclosure(TEXT).tell(make_call({"stream": True}), Answer(make_target("m"), frames=inner))
    assert answer.frames is not None
    got = [frame async for batch in answer.frames for frame in batch]
    assert tuple(event for frame in got for event in frame.events) == told(Disclosure(TEXT).tell(make_call(), whole()))
    assert not any(frame.wire for frame in got)
    await answer.frames.aclose()
    assert inner.closed
