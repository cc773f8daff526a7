"""A new answer goes on where the broken one ended, or not at all."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.events import (
    Event,
    Finished,
    FinishReason,
    Frame,
    Metered,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolStarted,
)
from mainstay.core.usage import Usage
from mainstay.routing.resume import CatchUp, Delivered, Differs

STOP = Finished(FinishReason.STOP)


def frames(*events: Event) -> list[Frame]:
    return [Frame((event,)) for event in events]


def cut(text: str, at: list[int]) -> list[str]:
    places = sorted({place % (len(text) + 1) for place in at})
    bounds = [0, *places, len(text)]
    return [text[a:b] for a, b in pairwise(bounds)]


@given(st.text(min_size=1, max_size=60), st.integers(0, 60), st.lists(st.integers(0, 60)), st.lists(st.integers(0, 60)))
def test_however_two_answers_are_cut_the_caller_gets_the_text_once(
    text: str, broke: int, first: list[int], second: list[int]
) -> None:
    sent = text[: broke % (len(text) + 1)]
    delivered = Delivered()
    delivered.add(frames(Started("1"), *(TextDelta(piece) for piece in cut(sent, first))))
    catch = CatchUp(delivered)
    new = catch.feed(frames(Started("2"), *(TextDelta(piece) for piece in cut(text, second)), STOP, Metered(Usage())))
    catch.close()
    events = [event for frame in new for event in frame.events]
    assert sent + "".join(event.text for event in events if isinstance(event, TextDelta)) == text
    assert not any(isinstance(event, Started) for event in events)
    assert events[-2:] == [STOP, Metered(Usage())]


@given(st.text(min_size=1, max_size=40), st.text(max_size=40), st.lists(st.integers(0, 40)))
def test_another_text_is_never_handed_on(sent: str, other: str, at: list[int]) -> None:
    delivered = Delivered()
    delivered.add(frames(TextDelta(sent)))
    catch = CatchUp(delivered)
    new: list[Frame] = []
    try:
        for piece in cut(other, at):
            new += catch.feed(frames(TextDelta(piece)))
        new += catch.feed(frames(STOP))
        catch.close()
    except Differs:
        assert not other.startswith(sent)
        assert new == []
    else:
        assert other.startswith(sent)


def test_reasoning_must_match_too() -> None:
    delivered = Delivered()
    delivered.add(frames(ThinkingDelta("hm"), TextDelta("yes")))
    catch = CatchUp(delivered)
    assert catch.feed(frames(ThinkingDelta("hm"), TextDelta("yes"))) == []
    assert catch.feed(frames(TextDelta(", sir"))) == frames(TextDelta(", sir"))
    with pytest.raises(Differs):
        CatchUp(delivered).feed(frames(ThinkingDelta("hm, no"), TextDelta("yes")))


def test_an_answer_that_calls_a_tool_where_text_was_due_differs() -> None:
    delivered = Delivered()
    delivered.add(frames(TextDelta("yes")))
    with pytest.raises(Differs):
        CatchUp(delivered).feed(frames(ToolStarted("1", "f")))


def test_an_answer_that_ends_early_differs() -> None:
    delivered = Delivered()
    delivered.add(frames(TextDelta("yes")))
    with pytest.raises(Differs):
        CatchUp(delivered).feed(frames(STOP))
    catch = CatchUp(delivered)
    catch.feed(frames(TextDelta("y")))
    with pytest.raises(Differs):
        catch.close()


def test_choices_are_compared_each_for_itself() -> None:
    delivered = Delivered()
    delivered.add(frames(TextDelta("a", 0), TextDelta("b", 1)))
    new = CatchUp(delivered).feed(frames(TextDelta("bc", 1), TextDelta("ad", 0)))
    assert new == frames(TextDelta("c", 1), TextDelta("d", 0))


def test_what_is_not_text_cannot_be_resumed() -> None:
    delivered = Delivered()
    delivered.add(frames(Started("1"), TextDelta("a"), ToolStarted("1", "f")))
    assert not delivered.plain
