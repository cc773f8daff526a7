"""What a model said as a turn: in order, with its seals, one choice only."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.events import TextDelta, ThinkingDelta, ThinkingSealed, ToolDelta, ToolStarted
from mainstay.core.prompt import TextPart, ThinkingPart, ToolCallPart
from mainstay.core.turn import read_parts, whole_arguments


def test_a_turn_is_one_choice_in_order_with_reasoning_sealed() -> None:
    events = [
        ThinkingDelta("Let me see."),
        ThinkingSealed("sig"),
        ThinkingSealed(redacted="hidden"),
        TextDelta(""),
        TextDelta("Look:"),
        TextDelta("not mine", 1),
        ToolStarted("a", "f", 0),
        ToolStarted("b", "g", 1),
        ToolDelta('{"x":', 0),
        ToolDelta("{}", 1),
        ToolDelta(" 1}", 0),
        ToolDelta("lost", 7),
    ]
    assert read_parts(events) == [
        ThinkingPart("Let me see.", "sig"),
        ThinkingPart(redacted="hidden"),
        TextPart("Look:"),
        ToolCallPart("a", "f", '{"x": 1}'),
        ToolCallPart("b", "g", "{}"),
    ]
    assert read_parts(events, 1) == [TextPart("not mine")]


@pytest.mark.parametrize("written", ["", " ", "null", "[1]", '{"a":', "{}{}", '"x"', "[" * 10_000, '{"a": "\ud800"}'])
def test_what_no_provider_takes_back_is_an_empty_object(written: str) -> None:
    assert whole_arguments(written) == "{}"


@given(st.dictionaries(st.text(), st.integers() | st.text()))
def test_an_object_stays_as_it_was_written(value: dict[str, object]) -> None:
    written = json.dumps(value, indent=1)
    assert whole_arguments(written) == written
