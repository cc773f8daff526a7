"""One turn of a model that calls tools."""

from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.events import (
    Event,
    Finished,
    FinishReason,
    TextDelta,
    ThinkingDelta,
    ThinkingSealed,
    ToolDelta,
    ToolStarted,
)
from mainstay.core.prompt import Prompt, TextPart, ThinkingPart, Tool, ToolCallPart, ToolChoice
from mainstay.tools.turns import Called, own_calls, read_turn, with_rounds, without_ours


def ours(name: str) -> bool:
    return name.startswith("s__")


def test_a_turn_keeps_its_order_and_reasoning_its_seal() -> None:
    events: list[Event] = [
        ThinkingDelta("Hm."),
        ThinkingSealed(signature="abc"),
        ThinkingSealed(redacted="xyz"),
        TextDelta("Look."),
        ToolStarted("1", "s__a", 0),
        ToolDelta('{"x":', 0),
        ToolStarted("2", "mine", 1),
        ToolDelta("1}", 0),
        Finished(FinishReason.TOOLS),
    ]
    turn = read_turn(events, ours)
    assert turn.parts == (
        ThinkingPart("Hm.", signature="abc"),
        ThinkingPart(redacted="xyz"),
        TextPart("Look."),
        ToolCallPart("1", "s__a", '{"x":1}'),
        ToolCallPart("2", "mine", "{}"),
    )
    assert turn.ours == (Called("1", "s__a", '{"x":1}'),)
    assert turn.theirs == (Called("2", "mine", ""),)
    assert [part for part in without_ours(turn).parts if isinstance(part, ToolCallPart)] == [
        ToolCallPart("2", "mine", "{}")
    ]


def test_a_turn_that_was_cut_by_a_filter_calls_nothing() -> None:
    events = [ToolStarted("1", "s__a", 0), Finished(FinishReason.FILTERED)]
    turn = read_turn(events, ours)
    assert (turn.ours, turn.parts) == ((), ())


def test_an_id_that_comes_twice_counts_once() -> None:
    turn = read_turn([ToolStarted("1", "s__a", 0), ToolStarted("1", "s__a", 1)], ours)
    assert len(turn.ours) == 1
    assert len(turn.parts) == 1


@given(st.text(max_size=30))
def test_whatever_a_model_writes_as_arguments_can_be_sent_back(arguments: str) -> None:
    turn = read_turn([ToolStarted("1", "s__a", 0), ToolDelta(arguments, 0)], ours)
    part = turn.parts[0]
    assert isinstance(part, ToolCallPart)
    assert part.arguments == "{}" or part.arguments == arguments
    assert turn.ours[0].arguments == arguments


def test_what_a_model_must_call_holds_until_it_has() -> None:
    own = Tool("mine")
    for choice, tools, left in (
        (ToolChoice("any"), (), None),
        (ToolChoice("any"), (own,), ToolChoice("any")),
        (ToolChoice("tool", "s__a"), (own,), None),
        (ToolChoice("tool", "mine"), (own,), ToolChoice("tool", "mine")),
        (None, (), None),
    ):
        prompt = with_rounds(Prompt("m", (), tools=tools, tool_choice=choice), (), own=tools, last=False)
        assert prompt.tool_choice == left
    last = with_rounds(Prompt("m", (), tools=(own, Tool("s__a"))), (), own=(own,), last=True)
    assert last.tools == (own,)
    assert with_rounds(Prompt("m", (), tools=(own,)), (), own=(), last=True).tool_choice == ToolChoice("none")


def test_the_callers_calls_are_numbered_anew() -> None:
    events = own_calls([Called("a", "x", "{}"), Called("b", "y", "")], lambda number, given: f"{given}{number}")
    assert events == [ToolStarted("a0", "x", 0), ToolDelta("{}", 0), ToolStarted("b1", "y", 1)]
