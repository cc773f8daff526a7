"""An answer's calls: judged with all their arguments, streamed as whole, and nothing of a refused one leaves."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.core.answer import Answer
from mainstay.core.call import Ask, Call, Caller
from mainstay.core.errors import ContentBlocked, MainstayError, ToolNotAllowed, UpstreamBroken
from mainstay.core.events import (
    Dialect,
    Event,
    Finished,
    FinishReason,
    Frame,
    Metered,
    Opaque,
    Started,
    TextDelta,
    ToolDelta,
    ToolStarted,
)
from mainstay.core.fold import fold
from mainstay.core.prompt import Message, Prompt, TextPart, ToolCallPart, ToolResultPart
from mainstay.core.record import Record
from mainstay.core.timeouts import Timeouts
from mainstay.core.usage import Usage
from mainstay.guardrails.null import NullReviews
from mainstay.guardrails.sending import Sending, policy_of
from mainstay.guardrails.sends_config import SendsConfig
from mainstay.guardrails.toolcalls import with_calls_judged
from support.rails import TARGET

CLEAN = Prompt("m", (Message("user", (TextPart("Hi."),)),))
READ = Prompt(
    "m",
    (
        Message("assistant", (ToolCallPart("1", "fetch", "{}"),)),
        Message("tool", (ToolResultPart("1", (TextPart("x"),)),)),
    ),
)
ROWS: dict[str, Any] = {
    "tools": {"read": False},
    "rules": [{"tool": "send", "to": "*.shop.example"}, {"tool": "never", "do": "refuse"}],
}
GOOD, BAD = '{"to": "a@in.shop.example"}', '{"to": "a@evil.example"}'
DONE = Finished(FinishReason.TOOLS)


class Batches:
    """A stream of given batches."""

    def __init__(self, batches: Iterable[Sequence[Frame]]) -> None:
        self._left = list(batches)
        self.closed = False

    def __aiter__(self) -> "Batches":
        return self

    async def __anext__(self) -> Sequence[Frame]:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop(0)

    async def aclose(self) -> None:
        self.closed = True


def sending(prompt: Prompt = READ, **config: Any) -> tuple[Sending, Record]:
    record = Record("1", "1", 0)
    ask = Ask(b"", Dialect.OPENAI, "m", True, False, lambda raw: prompt, lambda ask: frozenset())
    call = Call(ask, record, Caller("k"), "r", (), 0.0, 1e9, Timeouts())
    return Sending(policy_of(SendsConfig.model_validate({**ROWS, **config})), call, NullReviews()), record


def whole(events: Sequence[Event], prompt: Prompt = READ, **config: Any) -> MainstayError | None:
    """Return what a whole answer ends in."""
    answer = Answer(TARGET, whole=fold(events))
    try:
        assert asyncio.run(with_calls_judged(answer, sending(prompt, **config)[0])) is answer
    except MainstayError as error:
        return error
    return None


def streamed(
    batches: Iterable[Sequence[Frame]], prompt: Prompt = READ, **config: Any
) -> tuple[list[Frame], MainstayError | None]:
    """Return the frames of a stream that leave, and what it ends in."""
    inner, left = Batches(batches), list[Frame]()

    async def run() -> None:
        answer = await with_calls_judged(Answer(TARGET, frames=inner), sending(prompt, **config)[0])
        assert answer.frames is not None
        async for batch in answer.frames:
            left.extend(batch)

    try:
        asyncio.run(run())
    except MainstayError as error:
        assert inner.closed
        return left, error
    return left, None


def frames(*events: Event) -> list[list[Frame]]:
    """One event a frame and a batch, each with bytes."""
    return [[Frame((event,), b"{}")] for event in events]


def said(found: Iterable[Frame]) -> list[Event]:
    return [event for frame in found for event in frame.events]


def call(tool: str, *pieces: str, index: int = 0, choice: int = 0) -> list[Event]:
    return [
        ToolStarted(f"c{choice}{index}", tool, index, choice),
        *(ToolDelta(piece, index, choice) for piece in pieces),
    ]


def test_an_answer_without_untrusted_content_passes_byte_for_byte() -> None:
    given_frames = frames(Started("1"), TextDelta("Hi"), *call("send", BAD[:5], BAD[5:]), DONE)
    left, error = streamed(given_frames, CLEAN)
    assert error is None
    assert left == [frame for batch in given_frames for frame in batch]


def test_a_harmless_call_passes_byte_for_byte_though_all_is_tainted() -> None:
    given_frames = frames(Started("1"), *call("read", BAD), Metered(Usage()), DONE)
    left, error = streamed(given_frames)
    assert error is None
    assert left == [frame for batch in given_frames for frame in batch]


def test_text_leaves_at_once_and_nothing_of_a_refused_call_does() -> None:
    left, error = streamed(frames(Started("1"), TextDelta("Sending"), *call("send", BAD[:9], BAD[9:]), DONE))
    assert isinstance(error, ToolNotAllowed)
    assert error.extra == {"tool": "send", "after": ["fetch"]}
    assert said(left) == [Started("1"), TextDelta("Sending")]
    assert (error.status, error.code) == (403, "tool_not_allowed")


def test_words_that_came_together_with_a_refused_call_leave_before_the_error() -> None:
    events = [Started("1"), TextDelta("Sending"), *call("send", BAD), DONE]
    for batches in ([[frame for batch in frames(*events) for frame in batch]], [[Frame(tuple(events), b"{}")]]):
        left, error = streamed(batches)
        assert isinstance(error, ToolNotAllowed)
        assert said(left) == [Started("1"), TextDelta("Sending")]


def test_a_call_that_is_allowed_leaves_complete_and_frames_after_it_are_written_anew() -> None:
    events = [Started("1"), *call("send", GOOD[:9], GOOD[9:]), TextDelta("Done."), DONE]
    left, error = streamed(frames(*events))
    assert error is None
    assert said(left) == events
    assert [frame.wire for frame in left] == [b"{}", b""]


def test_a_call_that_no_argument_could_save_ends_the_answer_where_it_begins() -> None:
    left, error = streamed(frames(TextDelta("So"), *call("never", "{}")))
    assert isinstance(error, ToolNotAllowed)
    assert said(left) == [TextDelta("So")]


def test_other_choices_go_on_while_one_waits() -> None:
    events = [*call("send", GOOD), TextDelta("Hi", 1), Finished(FinishReason.STOP, 1), DONE]
    left, error = streamed(frames(*events))
    assert error is None
    assert said(left[:2]) == [TextDelta("Hi", 1), Finished(FinishReason.STOP, 1)]
    assert fold(said(left)).events == fold(events).events


def test_a_stream_without_an_end_is_judged_at_its_last_frame() -> None:
    assert said(streamed(frames(*call("send", GOOD)))[0]) == call("send", GOOD)
    left, error = streamed(frames(*call("send", BAD)))
    assert (left, type(error)) == ([], ToolNotAllowed)


def test_a_search_of_the_vendors_own_taints_the_choice_that_made_it() -> None:
    search = Opaque(msgspec.Raw(b'{"type":"web_search_tool_result"}'), Dialect.ANTHROPIC)
    for events, refused in (([search, *call("other", "{}")], True), ([*call("other", "{}"), search], False)):
        assert isinstance(streamed(frames(*events, DONE), CLEAN)[1], ToolNotAllowed) is refused
        assert isinstance(whole([*events, DONE], CLEAN), ToolNotAllowed) is refused
    elsewhere = [search, *call("other", "{}", choice=1)]
    assert streamed(frames(*elsewhere), CLEAN)[1] is None


def test_arguments_after_the_end_of_a_call_do_not_pass() -> None:
    late = [*call("send", GOOD), DONE, ToolDelta(" ")]
    left, error = streamed(frames(*late))
    assert error is None
    assert said(left) == late[:-1]
    left, error = streamed(frames(*late[:-1], ToolDelta(', "cc": "a@evil.example"')))
    assert isinstance(error, UpstreamBroken)
    left, error = streamed(frames(TextDelta("So"), ToolDelta(BAD, 3), DONE))
    assert said(left) == [TextDelta("So"), DONE]


def test_signs_of_life_pass_and_say_no_held_bytes() -> None:
    pulse = Frame((), b"{}")
    left, _ = streamed([[pulse], *frames(*call("send", GOOD)), [pulse], *frames(DONE)])
    assert left[:2] == [pulse, Frame()]


def test_in_monitor_mode_a_stream_is_not_touched() -> None:
    given_frames = frames(Started("1"), *call("send", BAD), *call("never", "{}", index=1), DONE)
    one, record = sending(mode="monitor")

    async def run() -> list[Frame]:
        answer = await with_calls_judged(Answer(TARGET, frames=Batches(given_frames)), one)
        assert answer.frames is not None
        return [frame async for batch in answer.frames for frame in batch]

    assert asyncio.run(run()) == [frame for batch in given_frames for frame in batch]
    (verdict,) = record.verdicts
    assert (verdict.outcome, verdict.enforced, verdict.kinds) == ("blocked", False, {"never": 1, "send": 1})
    assert sorted(span.place for span in verdict.spans) == ["0.tool.0", "0.tool.1"]


def test_a_call_that_a_person_is_to_decide_on_ends_the_answer() -> None:
    events = [*call("send", BAD), DONE]
    rows: dict[str, Any] = {"rules": [], "otherwise": "human"}
    left, error = streamed(frames(*events), **rows)
    # Nobody is there to ask.
    assert (left, type(error), type(whole(events, **rows))) == ([], ContentBlocked, ContentBlocked)


TOOLS = st.sampled_from(["read", "send", "send", "never"])
ARGUMENTS = st.sampled_from([GOOD, GOOD, GOOD, BAD, "{}", "", '{"n": [1, "in.shop.example"]}', "{broken"])


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    """An answer of some choices with calls side by side, cut anywhere."""
    lanes: list[list[Event]] = []
    for choice in range(draw(st.integers(1, 3))):
        calls = draw(st.lists(st.tuples(TOOLS, ARGUMENTS), max_size=3))
        open_: list[list[Event]] = []
        events: list[Event] = [TextDelta("Well. ", choice)] if draw(st.booleans()) else []
        for index, (tool, arguments) in enumerate(calls):
            cuts = sorted(draw(st.lists(st.integers(0, len(arguments)), max_size=3)))
            pieces = [arguments[a:b] for a, b in zip([0, *cuts], [*cuts, len(arguments)], strict=True)]
            events.append(call(tool, index=index, choice=choice)[0])
            mine: list[Event] = [ToolDelta(piece, index, choice) for piece in pieces]
            if draw(st.booleans()):
                # Its arguments come later, beside those of others.
                open_.append(mine)
            else:
                events += mine
            if draw(st.booleans()):
                events.append(TextDelta("And. ", choice))
        while open_:
            lane = open_[draw(st.integers(0, len(open_) - 1))]
            events.append(lane.pop(0))
            open_ = [one for one in open_ if one]
        lanes.append([*events, Finished(FinishReason.TOOLS, choice)])
    mixed: list[Event] = [Started("1")]
    while lanes:
        lane = lanes[draw(st.integers(0, len(lanes) - 1))]
        mixed.append(lane.pop(0))
        lanes = [one for one in lanes if one]
    return mixed


@settings(max_examples=150, deadline=None)
@given(answers(), st.data())
def test_a_stream_ends_as_its_whole_however_it_is_cut(events: list[Event], data: st.DataObject) -> None:
    batches: list[list[Frame]] = []
    rest = list(events)
    while rest:
        size = data.draw(st.integers(1, 4))
        frame, rest = Frame(tuple(rest[:size]), b"{}"), rest[size:]
        if batches and data.draw(st.booleans()):
            batches[-1].append(frame)
        else:
            batches.append([frame])
    left, error = streamed(batches)
    assert type(error) is type(whole(events))
    if error is None:
        assert fold(said(left)).events == fold(events).events
    names = {(one.choice, one.index): one.name for one in events if isinstance(one, ToolStarted)}
    arguments = dict.fromkeys(names, "")
    for one in events:
        if isinstance(one, ToolDelta):
            arguments[one.choice, one.index] += one.arguments
    for one in said(left):
        if isinstance(one, ToolStarted) and one.name == "send":
            assert "shop.example" in arguments[one.choice, one.index]
        assert not (isinstance(one, ToolStarted) and one.name == "never")
