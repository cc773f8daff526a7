"""Whole answers; what is scripted is held to the official SDK's types."""

import json
from typing import Any

import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core import errors
from mainstay.core.answer import Whole
from mainstay.core.events import (
    Dialect,
    Event,
    Finished,
    FinishReason,
    Metered,
    Opaque,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSealed,
    ToolDelta,
    ToolStarted,
)
from mainstay.core.usage import Usage
from mainstay.providers.gemini.answers import read_whole
from mainstay.providers.gemini.seals import seal
from support import gemini_wire as wire
from support.gemini_wire import answer, body, call, candidate, status, text, thought

SIGNATURE = "+//+c2ln"
END = (Finished(FinishReason.STOP, raw="STOP"), Metered(Usage(input=10, output=5)))


def read(said: wire.Answer) -> Whole:
    types.GenerateContentResponse.model_validate(said)
    return read_whole(body(said))


def content(said: wire.Answer) -> tuple[Event, ...]:
    """Return the events between the first and the ends."""
    events = read(said).events
    assert events[0] == Started("resp-1", "gemini-test-001")
    return events[1:-2]


def test_an_answer_is_summarised_and_told_in_events() -> None:
    said = answer(text("Hé! "), text("你好"))
    found = read(said)
    assert (found.id, found.model, found.finish) == ("resp-1", "gemini-test-001", (FinishReason.STOP,))
    assert (found.usage, found.wire, found.dialect) == (Usage(input=10, output=5), body(said), Dialect.GEMINI)
    assert found.events == (Started("resp-1", "gemini-test-001"), TextDelta("Hé! 你好"), *END)


def test_calls_are_whole_and_keep_every_byte_of_their_arguments() -> None:
    arguments = b'{"b": 1.0, "a":12345678901234567890}'
    said = body(answer(call("get", {"x": 1}, id="c1"), call("put"))).replace(b'{"x": 1}', arguments)
    events = read_whole(said).events[1:]
    first, given_, second, none, *ends = events
    assert first == ToolStarted("c1", "get", 0)
    assert given_ == ToolDelta(arguments.decode(), 0)
    assert isinstance(second, ToolStarted)
    assert (second.name, second.index) == ("put", 1)
    assert second.id.startswith("call_")
    assert none == ToolDelta("{}", 1)
    assert ends[0] == Finished(FinishReason.TOOLS, raw="STOP")


def test_minted_ids_differ_and_stay() -> None:
    found = read(answer(call("get"), call("get")))
    ids = [event.id for event in found.events if isinstance(event, ToolStarted)]
    assert len(set(ids)) == 2
    assert ids == [event.id for event in found.events if isinstance(event, ToolStarted)]


def test_thoughts_are_told_apart_from_the_answer() -> None:
    assert content(answer(thought("Hm."), text("Yes"))) == (ThinkingDelta("Hm."), TextDelta("Yes"))


def test_signatures_are_sealed_with_the_part_they_belong_to() -> None:
    said = answer(
        thought("Hm.", thoughtSignature=SIGNATURE),
        text("a", thoughtSignature=SIGNATURE),
        text("b"),
        text("", thoughtSignature=SIGNATURE),
        {"thoughtSignature": SIGNATURE},
        call("get", id="c1"),
        call("put", id="c2", signature=SIGNATURE),
    )
    of_text = ThinkingSealed(seal("text", 0, SIGNATURE))
    assert content(said) == (
        ThinkingDelta("Hm."),
        ThinkingSealed(seal("thought", 0, SIGNATURE)),
        TextDelta("a"),
        of_text,
        TextDelta("b"),
        of_text,
        of_text,
        ToolStarted("c1", "get", 0),
        ToolDelta("{}", 0),
        ThinkingSealed(seal("call", 1, SIGNATURE)),
        ToolStarted("c2", "put", 1),
        ToolDelta("{}", 1),
    )


def test_what_only_this_wire_can_say_is_opaque() -> None:
    code = {"executableCode": {"language": "PYTHON", "code": "1"}}
    image = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    sound = {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}}
    drafted = {**image, "thought": True}
    grounding = {"webSearchQueries": ["x"]}
    said = answer(code, image, sound, drafted, text("Yes"))
    said["candidates"][0].update(groundingMetadata=grounding, citationMetadata={"citations": []}, urlContextMetadata={})
    found = [event for event in content(said) if isinstance(event, Opaque)]
    told = [(event.dialect, json.loads(bytes(event.payload))) for event in found]
    url = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    assert told == [
        (Dialect.GEMINI, code),
        (Dialect.GEMINI, image),
        (Dialect.OPENAI, {"message": {"images": [url]}}),
        (Dialect.GEMINI, sound),
        (Dialect.GEMINI, drafted),
        (Dialect.GEMINI, {"citationMetadata": {"citations": []}}),
        (Dialect.GEMINI, {"groundingMetadata": grounding}),
    ]


def test_probabilities_stand_at_the_first_text() -> None:
    result = {"chosenCandidates": [{"token": "Yes", "logProbability": -0.5}]}
    said = answer(thought("Hm."), text("Yes"))
    said["candidates"][0]["logprobsResult"] = result
    _, told = content(said)
    assert isinstance(told, TextDelta)
    assert told.logprobs is not None
    alone = answer()
    alone["candidates"][0]["logprobsResult"] = result
    (told,) = content(alone)
    assert isinstance(told, TextDelta)
    assert (told.text, told.logprobs is not None) == ("", True)


def test_choices_are_told_one_after_the_other() -> None:
    both = [candidate(call("get", id="c1"), index=1), candidate(text("A"), index=0, finish="MAX_TOKENS")]
    found = read(answer(candidates=both))
    assert found.finish == (FinishReason.LENGTH, FinishReason.TOOLS)
    assert found.events[1:5] == (
        TextDelta("A", 0),
        ToolStarted("c1", "get", 0, 1),
        ToolDelta("{}", 0, 1),
        Finished(FinishReason.LENGTH, 0, "MAX_TOKENS"),
    )


def test_an_answer_may_be_empty() -> None:
    for said in (answer(), answer(candidates=[{"finishReason": "SAFETY"}])):
        assert content(said) == ()


@pytest.mark.parametrize("reason", ["SAFETY", "PROHIBITED_CONTENT", "OTHER", "IMAGE_SAFETY"])
def test_a_blocked_prompt_is_refused(reason: str) -> None:
    said = {"promptFeedback": {"blockReason": reason}, "usageMetadata": {"promptTokenCount": 3}}
    types.GenerateContentResponse.model_validate(said)
    with pytest.raises(errors.ContentFiltered):
        read_whole(body(said))


def test_feedback_without_a_block_says_nothing() -> None:
    said = answer(text("Yes"), promptFeedback={"safetyRatings": []})
    assert content(said) == (TextDelta("Yes"),)


@pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL"])
def test_what_the_model_wrote_wrongly_is_no_answer_but_may_be_asked_for_again(reason: str) -> None:
    with pytest.raises(errors.UpstreamBroken):
        read(answer(finish=reason))
    good = [candidate(text("A")), candidate(finish=reason, index=1)]
    assert read(answer(candidates=good)).finish == (FinishReason.STOP, FinishReason.OTHER)


@pytest.mark.parametrize("finish", [None, "FINISH_REASON_UNSPECIFIED"])
def test_an_answer_without_its_end_is_an_interruption(finish: str | None) -> None:
    with pytest.raises(errors.UpstreamInterrupted):
        read(answer(text("Yes"), finish=finish))


def test_a_stream_in_a_list_is_one_answer() -> None:
    said = answer(thought("Hm."), text("Hello"), call("get", id="c1"))
    assert read_whole(body(wire.chunks(said, list))).events == read(said).events


def test_an_error_under_a_200_is_classified() -> None:
    busy = status(503, "UNAVAILABLE", "overloaded")
    for said in (busy, [busy], [answer(text("a"), finish=None), busy]):
        with pytest.raises(errors.UpstreamFailed) as caught:
            read_whole(body(said))
        assert caught.value.status == 503


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"[1]",
        b"null",
        b'"x"',
        b'{"candidates":[]}',
        b'{"candidates":{}}',
        b'{"candidates":[{"content":{"parts":[{"text":1}]},"finishReason":"STOP"}]}',
        b'{"candidates":[{"content":{"parts":[{"functionCall":{"args":{}}}]},"finishReason":"STOP"}]}',
        b'{"candidates":[{"content":{"parts":[{"functionCall":"x"}]},"finishReason":"STOP"}]}',
        b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"a","partialArgs":[{}]}}]}}]}',
        b'{"candidates":[{"content":{"parts":[{"inlineData":[]}]},"finishReason":"STOP"}]}',
        b'{"candidates":[{"index":-1,"finishReason":"STOP"}]}',
        b'{"candidates":[{"index":100000,"finishReason":"STOP"}]}',
        b'{"candidates":' + b"[" * 100_000,
        b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"a","args":{"x":"\xff"}}}]}}]}',
    ],
)
def test_what_is_no_answer_is_broken(sent: bytes) -> None:
    with pytest.raises(errors.UpstreamBroken):
        read_whole(sent)


def test_half_a_character_is_replaced() -> None:
    sent = body(answer(text("a#b"))).replace(b"#", rb"\ud83d")
    assert read_whole(sent).events[1] == TextDelta("a\ufffdb")


_LEAF = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["STOP", "{}", "AAAA"])
_NAMES = st.sampled_from(
    [
        "candidates",
        "content",
        "parts",
        "text",
        "thought",
        "functionCall",
        "name",
        "args",
        "id",
        "inlineData",
        "data",
        "mimeType",
        "finishReason",
        "index",
        "thoughtSignature",
        "usageMetadata",
        "promptTokenCount",
        "error",
        "code",
        "status",
        "message",
        "promptFeedback",
        "blockReason",
        "groundingMetadata",
        "logprobsResult",
        "chosenCandidates",
    ]
)
_SHAPES = st.recursive(
    _LEAF,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=12,
)
_PART = st.dictionaries(_NAMES, _SHAPES, max_size=3)
_CANDIDATE = st.fixed_dictionaries(
    {},
    optional={
        "content": st.fixed_dictionaries({"parts": st.lists(_PART, max_size=3)}) | _SHAPES,
        "finishReason": st.sampled_from(["STOP", "SAFETY", "X"]) | _SHAPES,
        "index": st.integers(0, 2) | _SHAPES,
        "logprobsResult": _SHAPES,
        "groundingMetadata": _SHAPES,
    },
)
SHAPES = _SHAPES | st.fixed_dictionaries(
    {"candidates": st.lists(_CANDIDATE, max_size=2)}, optional={"usageMetadata": _SHAPES, "error": _SHAPES}
)


@given(SHAPES | st.lists(SHAPES, max_size=3))
def test_no_shape_breaks_the_reader(said: Any) -> None:
    try:
        found = read_whole(body(said))
    except errors.MainstayError:
        return
    assert found.finish
    assert isinstance(found.events[0], Started)


@given(st.binary(max_size=60))
def test_no_bytes_break_the_reader(sent: bytes) -> None:
    with pytest.raises(errors.MainstayError):
        read_whole(sent)
