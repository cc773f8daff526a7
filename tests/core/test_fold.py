"""A stream folded is the whole answer, in order."""

import json

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from mainstay.core.events import (
    Dialect,
    Event,
    Finished,
    FinishReason,
    Metered,
    Opaque,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSealed,
    ToolDelta,
    ToolStarted,
)
from mainstay.core.fold import Fold, fold
from mainstay.core.usage import Usage


def test_pieces_join_and_choices_come_in_order() -> None:
    whole = fold(
        [
            Started("id", "model", 7),
            TextDelta("b", 1),
            TextDelta("He"),
            TextDelta("llo"),
            TextDelta("c", 1),
            Finished(FinishReason.LENGTH, 1, "length"),
            Metered(Usage(1, 1)),
            Finished(FinishReason.STOP, 0, "stop"),
            Metered(Usage(2, 3)),
        ]
    )
    assert whole.events == (
        Started("id", "model", 7),
        TextDelta("Hello"),
        TextDelta("bc", 1),
        Finished(FinishReason.STOP, 0, "stop"),
        Finished(FinishReason.LENGTH, 1, "length"),
        Metered(Usage(2, 3)),
    )
    assert (whole.id, whole.model, whole.wire) == ("id", "model", b"")
    assert whole.finish == (FinishReason.STOP, FinishReason.LENGTH)
    assert whole.usage == Usage(2, 3)


def test_kinds_keep_their_order_within_a_choice() -> None:
    note = Opaque(Raw(b"{}"), Dialect.ANTHROPIC)
    content: list[Event] = [
        ThinkingDelta("a"),
        ThinkingSealed("sig"),
        ThinkingSealed(redacted="xyz"),
        TextDelta("b"),
        note,
        TextDelta("c"),
        RefusalDelta("d"),
    ]
    assert fold(content).events == (Started(), *content)


def test_interleaved_calls_are_joined_where_they_began() -> None:
    whole = fold(
        [
            ToolStarted("1", "a", 0),
            ToolDelta('{"x":', 0),
            ToolStarted("2", "b", 1),
            ToolDelta("[", 1),
            ToolDelta("1}", 0),
            ToolDelta("]", 1),
            ToolStarted("3", "c", 2),
        ]
    )
    assert whole.events[1:] == (
        ToolStarted("1", "a", 0),
        ToolDelta('{"x":1}', 0),
        ToolStarted("2", "b", 1),
        ToolDelta("[]", 1),
        ToolStarted("3", "c", 2),
    )


def test_log_probabilities_are_joined_token_by_token() -> None:
    parts = [
        b'{"content":[{"token":"a"}],"refusal":null}',
        b'{"content":[{"token":"b"}],"refusal":[1.0]}',
        b'{"content":null}',
    ]
    whole = fold([TextDelta("x", logprobs=Raw(part)) for part in parts])
    text = whole.events[1]
    assert isinstance(text, TextDelta)
    assert text.logprobs is not None
    assert json.loads(bytes(text.logprobs)) == {"content": [{"token": "a"}, {"token": "b"}], "refusal": [1.0]}


def test_nothing_folds_to_an_answer_that_only_started() -> None:
    assert fold([]).events == (Started(),)


PIECE = st.one_of(
    st.builds(TextDelta, st.text(min_size=1), st.integers(0, 2)),
    st.builds(ThinkingDelta, st.text(min_size=1), st.integers(0, 2)),
    st.builds(ToolDelta, st.text(min_size=1), st.integers(0, 1), st.integers(0, 2)),
)
OPENED = [ToolStarted(f"{choice}{index}", "f", index, choice) for choice in range(3) for index in range(2)]


@given(st.lists(PIECE))
def test_no_character_is_lost_and_folding_twice_changes_nothing(pieces: list[Event]) -> None:
    folding = Fold()
    folding.add(OPENED)
    for piece in pieces:
        folding.add([piece])
    events = folding.events()
    for choice in range(3):
        for kind, name in ((TextDelta, "text"), (ThinkingDelta, "text"), (ToolDelta, "arguments")):
            for index in range(2):

                def said(
                    found: object, kind: type = kind, name: str = name, choice: int = choice, index: int = index
                ) -> str:
                    same = (
                        isinstance(found, kind) and found.choice == choice and getattr(found, "index", index) == index
                    )
                    return str(getattr(found, name)) if same else ""

                assert "".join(map(said, events)) == "".join(map(said, pieces))
    assert fold(events).events == events
