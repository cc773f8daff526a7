"""Streams in the vendor's form, whole, cut and broken; a whole answer and its stream say the same."""

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core import errors
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
from mainstay.core.fold import fold
from mainstay.core.sse import SseEvent
from mainstay.core.usage import Usage
from mainstay.providers.bedrock.codec import BedrockCodec
from support import converse as wire

TOOL = {"toolUse": {"toolUseId": "tooluse_1", "name": "get", "input": {"city": "Köln", "n": 1.0}}}
SIGNATURE = 'Eu+/ab==\u00e9\u2028"\\/'
THINKING = {"reasoningContent": {"reasoningText": {"text": "Let me see.", "signature": SIGNATURE}}}
CITED = {"citationsContent": {"content": [{"text": "So it is."}], "citations": [{"title": "Book"}]}}


def read(pieces: list[bytes]) -> list[Event]:
    codec = BedrockCodec()
    decoder, reader = codec.decoder(), codec.reader()
    frames = [reader.feed(one) for piece in pieces for one in decoder.feed(piece)]
    frames += [reader.feed(one) for one in decoder.close()]
    frames.append(reader.finish())
    return [event for frame in frames if frame is not None for event in frame.events]


def stream(said: dict[str, Any], cut: wire.Cut = wire.whole_piece) -> bytes:
    return b"".join(wire.event(*one) for one in wire.events(said, cut))


def settled(found: list[Event]) -> list[object]:
    """Return folded events in a form that does not depend on the spaces inside carried JSON."""
    return [_settle(one) for one in fold(found).events]


def _settle(one: Event) -> object:
    if isinstance(one, Opaque):
        return msgspec.json.decode(one.payload)
    return json.loads(one.arguments) if isinstance(one, ToolDelta) else one


def whole(said: dict[str, Any]) -> list[Event]:
    return list(BedrockCodec().whole(json.dumps(said).encode()).events)


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
some_json = st.dictionaries(st.text("abc", max_size=3), st.one_of(words, st.integers(), st.none()), max_size=3)
block = st.one_of(
    st.fixed_dictionaries({"text": words}),
    st.builds(
        lambda text, sign: {"reasoningContent": {"reasoningText": {"text": text, "signature": sign}}},
        words,
        st.text("abcXYZ+/=", min_size=1, max_size=9),
    ),
    st.just({"reasoningContent": {"redactedContent": "c2VjcmV0"}}),
    st.builds(lambda given: {"toolUse": {"toolUseId": "t", "name": "get", "input": given}}, some_json),
    st.builds(
        lambda given: {"toolUse": {"toolUseId": "s", "name": "web", "input": given, "type": "server_tool_use"}},
        some_json,
    ),
    st.builds(
        lambda text: {"citationsContent": {"content": [{"text": text}], "citations": [{"title": "B", "source": text}]}},
        words,
    ),
)
answers = st.builds(
    lambda blocks, stop: wire.answer(*blocks, stop=stop),
    st.lists(block, max_size=5),
    st.sampled_from(["end_turn", "tool_use", "max_tokens", "stop_sequence", "guardrail_intervened"]),
)


@given(answers, st.integers(1, 7), st.lists(st.integers(0, 10_000), max_size=20))
def test_any_cutting_of_a_stream_says_what_the_whole_says(said: dict[str, Any], size: int, places: list[int]) -> None:
    def cut(text: str) -> list[str]:
        return [text[at : at + size] for at in range(0, len(text), size)]

    data = stream(said, cut)
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    found = read([data[a:b] for a, b in pairwise(edges)])
    assert settled(found) == settled(whole(said))


def test_every_kind_of_content_comes_out() -> None:
    said = wire.answer(THINKING, {"text": "Hi"}, CITED, TOOL, stop="tool_use")
    events = read([stream(said)])
    assert events == [
        Started(),
        ThinkingDelta("Let me see."),
        ThinkingSealed(signature=SIGNATURE),
        TextDelta("Hi"),
        TextDelta("So it is."),
        Opaque(msgspec.Raw(b'{"title": "Book"}'), Dialect.BEDROCK),
        ToolStarted("tooluse_1", "get", 0),
        ToolDelta('{"city": "K\\u00f6ln", "n": 1.0}', 0),
        Finished(FinishReason.TOOLS, raw="tool_use"),
        Metered(Usage(input=10, output=5)),
    ]


def test_the_sdk_reads_the_same_answer_and_stream(
    sdk_reads: Callable[[dict[str, Any]], dict[str, Any]], sdk_streams: Callable[[bytes], list[dict[str, Any]]]
) -> None:
    redacted = {"reasoningContent": {"redactedContent": "c2VjcmV0"}}
    said = wire.answer(THINKING, redacted, {"text": "Hi"}, CITED, TOOL, stop="tool_use")
    theirs = sdk_reads(said)
    assert theirs["output"]["message"]["content"][0] == THINKING
    assert theirs["output"]["message"]["content"][1]["reasoningContent"]["redactedContent"] == b"secret"
    assert theirs["output"]["message"]["content"][4] == TOOL
    text, arguments = "", ""
    for event in sdk_streams(stream(said, list)):
        delta = event.get("contentBlockDelta", {}).get("delta", {})
        text += delta.get("text", "")
        arguments += delta.get("toolUse", {}).get("input", "")
    assert text == "HiSo it is."
    assert json.loads(arguments) == TOOL["toolUse"]["input"]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("end_turn", FinishReason.STOP),
        ("tool_use", FinishReason.TOOLS),
        ("max_tokens", FinishReason.LENGTH),
        ("stop_sequence", FinishReason.STOP_SEQUENCE),
        ("guardrail_intervened", FinishReason.FILTERED),
        ("content_filtered", FinishReason.FILTERED),
        ("model_context_window_exceeded", FinishReason.CONTEXT),
        ("something_new", FinishReason.OTHER),
    ],
)
def test_stop_reasons_have_one_meaning_whole_and_streamed(word: str, reason: FinishReason) -> None:
    said = wire.answer({"text": "Hi"}, stop=word)
    assert Finished(reason, raw=word) in read([stream(said)])
    assert Finished(reason, raw=word) in whole(said)
    assert BedrockCodec().whole(json.dumps(said).encode()).finish == (reason,)


def test_a_call_ends_in_calls_whatever_the_word() -> None:
    said = wire.answer(TOOL, stop="end_turn")
    assert Finished(FinishReason.TOOLS, raw="end_turn") in read([stream(said)])
    assert Finished(FinishReason.TOOLS, raw="end_turn") in whole(said)


def test_the_stop_string_is_named_where_the_model_names_it() -> None:
    said = wire.answer(stop="stop_sequence", additionalModelResponseFields={"stop_sequence": "END"})
    ending = Finished(FinishReason.STOP_SEQUENCE, raw="stop_sequence", stop_sequence="END")
    assert ending in read([stream(said)])
    assert ending in whole(said)


@pytest.mark.parametrize("word", ["malformed_model_output", "malformed_tool_use"])
def test_an_answer_its_model_garbled_is_no_answer(word: str) -> None:
    said = wire.answer({"text": "Hi"}, stop=word)
    with pytest.raises(errors.UpstreamBroken):
        read([stream(said)])
    with pytest.raises(errors.UpstreamBroken):
        whole(said)


def test_usage_adds_the_cached_parts() -> None:
    usage = {
        "inputTokens": 4,
        "outputTokens": 2,
        "totalTokens": 66,
        "cacheReadInputTokens": 10,
        "cacheWriteInputTokens": 50,
        "cacheDetails": [{"ttl": "1h", "inputTokens": 20}, {"ttl": "5m", "inputTokens": 30}],
    }
    said = wire.answer({"text": "Hi"}, usage=usage)
    expected = Usage(input=64, output=2, cache_read=10, cache_write=50, cache_write_1h=20)
    assert Metered(expected) in read([stream(said)])
    assert BedrockCodec().whole(json.dumps(said).encode()).usage == expected


@pytest.mark.parametrize("usage", [None, {}, {"inputTokens": "many"}, {"inputTokens": -1}, "5", {"cacheDetails": 5}])
def test_counts_that_are_no_counts_are_as_good_as_none(usage: Any) -> None:
    said = wire.answer({"text": "Hi"}, usage=usage)
    assert not any(isinstance(one, Metered) for one in read([stream(said)]))
    assert BedrockCodec().whole(json.dumps(said).encode()).usage is None


def test_a_stream_without_its_end_is_an_interruption() -> None:
    said = wire.events(wire.answer({"text": "Hi"}))
    sound = [wire.event(*one) for one in said]
    for count in range(len(sound) - 2):
        with pytest.raises(errors.UpstreamInterrupted):
            read([*sound[:count], sound[count][:-3]])
    # All that is lost are the counts.
    assert TextDelta("Hi") in read(sound[:-1])


def test_an_exception_ends_the_stream_by_its_name() -> None:
    start = wire.event("messageStart", {"role": "assistant"})
    with pytest.raises(errors.UpstreamRateLimited, match=r"Slow down\."):
        read([start, wire.exception("throttlingException", "Slow down.")])
    with pytest.raises(errors.UpstreamFailed):
        read([start, wire.exception("modelStreamErrorException", "x", originalStatusCode=500)])
    with pytest.raises(errors.UpstreamFailed) as busy:
        read([wire.exception("serviceUnavailableException", "x")])
    assert busy.value.status == 503
    with pytest.raises(errors.ContextOverflow):
        read([wire.exception("validationException", "Input is too long for requested model.")])
    with pytest.raises(errors.UpstreamFailed):
        read([wire.exception("aNewException", "x")])


def test_a_call_without_arguments_is_an_empty_object_and_a_cut_one_stays_cut() -> None:
    opening = {"start": {"toolUse": {"toolUseId": "t", "name": "get"}}, "contentBlockIndex": 0}
    for word, pieces in [("tool_use", [ToolDelta("{}", 0)]), ("max_tokens", [])]:
        events = read(
            [wire.event("contentBlockStart", opening), wire.event("messageStop", {"stopReason": word})],
        )
        assert [one for one in events if isinstance(one, ToolDelta)] == pieces


def test_redacted_reasoning_in_pieces_is_joined_as_bytes() -> None:
    deltas = [{"delta": {"reasoningContent": {"redactedContent": piece}}} for piece in ("YQ==", "Yg==")]
    events = read([*(wire.event("contentBlockDelta", one) for one in deltas), wire.event("messageStop", {})])
    assert ThinkingSealed(redacted="YWI=") in events


def test_content_nobody_knows_is_carried() -> None:
    image = {"image": {"format": "png", "source": {"bytes": "eA=="}}}
    events = whole(wire.answer(image))
    assert [json.loads(bytes(one.payload)) for one in events if isinstance(one, Opaque)] == [image]
    delta = {"delta": {"new": 1}, "contentBlockIndex": 0}
    events = read([wire.event("contentBlockDelta", delta), wire.event("messageStop", {"stopReason": "end_turn"})])
    assert [json.loads(bytes(one.payload)) for one in events if isinstance(one, Opaque)] == [{"new": 1}]


def test_events_nobody_knows_pass_without_a_word() -> None:
    frame = BedrockCodec().reader().feed(SseEvent(b'{"x":1}', b"somethingNew"))
    assert frame is not None
    assert frame.events == ()


_any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["delta", "start", "text", "toolUse", "input", "toolUseId", "name", "type", "reasoningContent", "signature",
             "reasoningText", "redactedContent", "citationsContent", "content", "citations", "output", "message",
             "stopReason", "usage", "inputTokens", "additionalModelResponseFields", "contentBlockIndex", "citation",
             "cacheDetails", "ttl"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip
_names = st.sampled_from(
    ["messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata", "x"]
)


@given(st.lists(st.tuples(_names, _any_json), max_size=5))
def test_no_events_crash_the_reader(said: list[tuple[str, Any]]) -> None:
    reader = BedrockCodec().reader()
    try:
        for name, payload in said:
            reader.feed(SseEvent(json.dumps(payload).encode(), name.encode()))
        reader.finish()
    except errors.UpstreamError:
        return


@given(st.one_of(_any_json, st.builds(lambda b: wire.answer(*b), st.lists(_any_json, max_size=3))))
def test_no_answer_crashes_the_codec(said: Any) -> None:
    try:
        whole(said)
    except errors.UpstreamError:
        return


@given(st.binary(max_size=100))
def test_no_bytes_crash_the_codec(data: bytes) -> None:
    with pytest.raises(errors.UpstreamError):
        BedrockCodec().whole(data)
    reader = BedrockCodec().reader()
    with pytest.raises(errors.MainstayError):
        reader.feed(SseEvent(data, b"contentBlockDelta"))
