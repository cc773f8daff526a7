"""Streams: however the pieces are cut, the same message."""

import contextlib
import json
from typing import Any

import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core import errors
from mainstay.core.events import Dialect, Event, Finished, FinishReason, Metered, Started, TextDelta, ToolStarted
from mainstay.core.fold import fold
from mainstay.core.sse import SseDecoder, SseEvent
from mainstay.core.usage import Usage
from mainstay.providers.gemini.answers import read_whole
from mainstay.providers.gemini.stream import ChunkReader
from support.gemini_wire import answer, body, call, candidate, chunks, sse, status, text, thought

SIGNATURE = "+//+c2ln"


def event(said: object) -> SseEvent:
    return SseEvent(json.dumps(said).encode())


def read(pieces: list[Any]) -> list[Event]:
    """Return the events of a complete stream."""
    reader = ChunkReader()
    found: list[Event] = []
    for piece in pieces:
        frame = reader.feed(event(piece))
        assert frame is not None
        assert frame.dialect is Dialect.GEMINI
        found += frame.events
    last = reader.finish()
    assert last is not None
    assert reader.finish() is None
    return [*found, *last.events]


def test_each_piece_says_what_is_new() -> None:
    pieces = chunks(answer(text("ab")), list)
    for piece in pieces:
        types.GenerateContentResponse.model_validate(piece)
    assert read(pieces) == [
        Started("resp-1", "gemini-test-001"),
        TextDelta("a"),
        Metered(Usage(input=10)),
        TextDelta("b"),
        Metered(Usage(input=10, output=5)),
        Finished(FinishReason.STOP, raw="STOP"),
    ]


def test_a_piece_keeps_its_bytes() -> None:
    sent = b'{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"new": 1.0}'
    frame = ChunkReader().feed(SseEvent(sent))
    assert frame is not None
    assert frame.wire == sent


PARTS = st.lists(
    st.one_of(
        st.text(min_size=1, max_size=20).map(text),
        st.text(min_size=1, max_size=20).map(thought),
        st.builds(lambda words: text(words, thoughtSignature=SIGNATURE), st.text(min_size=1, max_size=5)),
        st.builds(
            lambda value, signed: call("get", {"a": value}, id="c1", signature=SIGNATURE if signed else ""),
            st.text(max_size=10) | st.integers() | st.lists(st.none() | st.booleans(), max_size=3),
            st.booleans(),
        ),
        st.just({"executableCode": {"language": "PYTHON", "code": "1"}}),
    ),
    max_size=6,
)


@given(st.data(), st.lists(PARTS, min_size=1, max_size=2), st.sampled_from(["STOP", "MAX_TOKENS", "SAFETY"]))
def test_any_cutting_reassembles_to_the_same_message(data: st.DataObject, choices: list[Any], finish: str) -> None:
    said = answer(candidates=[candidate(*parts, finish=finish, index=i) for i, parts in enumerate(choices)])

    def cut(words: str) -> list[str]:
        places = sorted(data.draw(st.sets(st.integers(0, len(words)), max_size=4)))
        return [words[a:b] for a, b in zip([0, *places], [*places, len(words)], strict=True)]

    stream = sse(chunks(said, cut))
    places = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=8)))
    decoder, reader = SseDecoder(), ChunkReader()
    events: list[Event] = []
    found: list[SseEvent] = []
    for a, b in zip([0, *places], [*places, len(stream)], strict=True):
        found += decoder.feed(stream[a:b])
    for one in (*found, *decoder.close()):
        frame = reader.feed(one)
        assert frame is not None
        events += frame.events
    last = reader.finish()
    assert last is not None
    assert fold([*events, *last.events]).events == read_whole(body(said)).events


def test_a_reason_on_every_piece_ends_nothing() -> None:
    pieces = [answer(text("a")), answer(call("get", {}, id="c1")), answer(text(""))]
    events = read(pieces)
    assert [one for one in events if isinstance(one, Finished)] == [Finished(FinishReason.TOOLS, raw="STOP")]
    assert isinstance(events[-1], Finished)
    assert ToolStarted("c1", "get") in events


@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [{"usageMetadata": {"promptTokenCount": 1}}],
        chunks(answer(text("ab")), list)[:-1],
        [answer(candidates=[candidate(text("a")), candidate(text("b"), index=1, finish=None)])],
    ],
    ids=["nothing", "counts alone", "no reason", "one choice of two"],
)
def test_a_stream_without_its_end_is_an_interruption(pieces: list[Any]) -> None:
    with pytest.raises(errors.UpstreamInterrupted):
        read(pieces)


def test_a_malformed_call_is_no_success() -> None:
    with pytest.raises(errors.UpstreamBroken):
        read([answer(text("a"), finish=None), answer(finish="MALFORMED_FUNCTION_CALL")])


def test_a_blocked_prompt_is_refused() -> None:
    with pytest.raises(errors.ContentFiltered):
        ChunkReader().feed(event({"promptFeedback": {"blockReason": "SAFETY"}}))


def test_an_error_inside_the_stream_is_classified() -> None:
    reader = ChunkReader()
    reader.feed(event(answer(text("a"), finish=None)))
    with pytest.raises(errors.UpstreamRateLimited):
        reader.feed(event(status(429, "RESOURCE_EXHAUSTED", "slow down")))


def test_a_sentinel_of_other_wires_says_nothing() -> None:
    assert ChunkReader().feed(SseEvent(b"[DONE]")) is None


@pytest.mark.parametrize("sent", [b"x", b"1", b"[1]", b'{"candidates":1}'])
def test_what_cannot_be_read_is_broken(sent: bytes) -> None:
    with pytest.raises(errors.UpstreamBroken):
        ChunkReader().feed(SseEvent(sent))


_PIECE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("STOP"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "candidates",
                    "content",
                    "parts",
                    "text",
                    "functionCall",
                    "name",
                    "args",
                    "finishReason",
                    "usageMetadata",
                    "inlineData",
                    "thought",
                    "thoughtSignature",
                    "index",
                    "error",
                    "promptFeedback",
                    "logprobsResult",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@given(st.lists(_PIECE | st.builds(lambda part: {"candidates": [{"content": {"parts": [part]}}]}, _PIECE), max_size=3))
def test_no_pieces_break_the_reader(pieces: list[Any]) -> None:
    reader = ChunkReader()
    with contextlib.suppress(errors.MainstayError):
        for piece in pieces:
            reader.feed(event(piece))
        assert reader.finish() is not None
