"""Answers in the vendor's form, whole and streamed, cut and broken; the official SDK reads the same."""

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import cohere
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
    ToolDelta,
    ToolStarted,
)
from mainstay.core.fold import fold
from mainstay.core.sse import SseDecoder, SseEvent
from mainstay.core.usage import Usage
from mainstay.providers.cohere.codec import CohereCodec
from mainstay.providers.port import Codec, StreamReader
from support import cohere_wire as wire
from support.upstream import Upstream, json_reply

CITATION = {"start": 0, "end": 2, "text": "Hi", "sources": [{"type": "document", "id": "d", "document": {"a": "b"}}]}


def call(call_id: str, arguments: str) -> wire.Json:
    return {"id": call_id, "type": "function", "function": {"name": "get", "arguments": arguments}}


FULL = wire.answer(
    {"type": "thinking", "thinking": "Hm."},
    {"type": "text", "text": "Hé"},
    finish="TOOL_CALL",
    tool_plan="I will look.",
    tool_calls=[call("c1", '{"city":"Köln"}'), call("c2", "")],
    citations=[CITATION],
)


def read(pieces: list[bytes]) -> list[Event]:
    decoder, reader = SseDecoder(), CohereCodec().reader()
    frames = [reader.feed(one) for piece in pieces for one in decoder.feed(piece)]
    frames += [reader.feed(one) for one in decoder.close()]
    frames.append(reader.finish())
    return [event for frame in frames if frame is not None for event in frame.events]


def whole(said: wire.Json) -> list[Event]:
    return list(CohereCodec().whole(json.dumps(said).encode()).events)


def settled(found: list[Event]) -> list[object]:
    return [msgspec.json.decode(one.payload) if isinstance(one, Opaque) else one for one in fold(found).events]


def test_it_is_a_codec() -> None:
    codec: Codec = CohereCodec()
    reader: StreamReader = codec.reader()
    assert codec.dialect is Dialect.COHERE
    assert reader is not codec.reader()
    assert codec.credentials("k") == ((b"authorization", b"Bearer k"),)
    assert codec.credentials("") == ()


def test_every_kind_of_content_comes_out_whole_and_streamed() -> None:
    expected = [
        Started(id="c14c80c3"),
        ThinkingDelta("Hm."),
        TextDelta("Hé"),
        ThinkingDelta("I will look."),
        ToolStarted("c1", "get", 0),
        ToolDelta('{"city":"Köln"}', 0),
        ToolStarted("c2", "get", 1),
        ToolDelta("{}", 1),
        CITATION,
        Finished(FinishReason.TOOLS, raw="TOOL_CALL"),
        Metered(Usage(input=10, output=5)),
    ]
    assert settled(whole(FULL)) == expected
    assert settled(read(wire.sse(wire.events(FULL)))) == expected


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
block = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, words),
    st.builds(lambda text: {"type": "thinking", "thinking": text}, words),
)
answers = st.builds(
    lambda blocks, plan, calls, stop: wire.answer(
        *blocks,
        finish=stop,
        tool_plan=plan,
        tool_calls=[call(f"c{i}", json.dumps(given)) for i, given in enumerate(calls)],
    ),
    st.lists(block, max_size=4),
    words,
    st.lists(st.dictionaries(st.text("abc", max_size=3), words, max_size=2), max_size=3),
    st.sampled_from(["COMPLETE", "TOOL_CALL", "MAX_TOKENS", "STOP_SEQUENCE"]),
)


@given(answers, st.integers(1, 7), st.lists(st.integers(0, 10_000), max_size=20))
def test_any_cutting_of_a_stream_says_what_the_whole_says(said: wire.Json, size: int, places: list[int]) -> None:
    def cut(text: str) -> list[str]:
        return [text[at : at + size] for at in range(0, len(text), size)]

    data = b"".join(wire.sse(wire.events(said, cut)))
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    found = read([data[a:b] for a, b in pairwise(edges)])
    assert settled(found) == settled(whole(said))


def test_the_sdk_reads_the_same(make_upstream: Callable[..., Upstream]) -> None:
    upstream = make_upstream()
    asked: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    upstream.script(json_reply(FULL), wire.streamed(FULL, list))
    with cohere.ClientV2(api_key="k", base_url=upstream.url) as client:
        answer = client.chat(**asked)
        events = list(client.chat_stream(**asked))
    assert answer.finish_reason == "TOOL_CALL"
    assert answer.message.tool_plan == "I will look."
    assert [one.function.arguments for one in answer.message.tool_calls or ()] == ['{"city":"Köln"}', ""]
    text = ""
    for event in events:
        if event.type == "content-delta":
            text += event.delta.message.content.text or ""
    assert text == "Hé"


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("COMPLETE", FinishReason.STOP),
        ("STOP_SEQUENCE", FinishReason.STOP_SEQUENCE),
        ("MAX_TOKENS", FinishReason.LENGTH),
        ("NEW", FinishReason.OTHER),
    ],
)
def test_finish_reasons_have_one_meaning_whole_and_streamed(word: str, reason: FinishReason) -> None:
    said = wire.answer({"type": "text", "text": "Hi"}, finish=word)
    assert Finished(reason, raw=word) in whole(said)
    assert Finished(reason, raw=word) in read(wire.sse(wire.events(said)))


@pytest.mark.parametrize("word", ["ERROR", "TIMEOUT"])
def test_an_answer_that_was_given_up_is_an_error(word: str) -> None:
    said = wire.answer({"type": "text", "text": "Hi"}, finish=word)
    with pytest.raises(errors.UpstreamFailed):
        whole(said)
    with pytest.raises(errors.UpstreamFailed):
        read(wire.sse(wire.events(said)))


def test_a_stream_without_its_end_is_an_interruption() -> None:
    pieces = wire.sse(wire.events(FULL))
    for count in range(len(pieces)):
        with pytest.raises(errors.UpstreamInterrupted):
            read(pieces[:count])


def test_an_error_in_the_middle_is_an_error() -> None:
    with pytest.raises(errors.UpstreamFailed):
        read([*wire.sse(wire.events(FULL)[:3]), b'data: {"message": "internal server error"}\n\n'])


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"tokens": {"input_tokens": 7.0, "output_tokens": 2}}, Usage(input=7, output=2)),
        ({**wire.USAGE, "cached_tokens": 4}, Usage(input=10, output=5, cache_read=4)),
        ({**wire.USAGE, "cached_tokens": 400}, Usage(input=10, output=5, cache_read=10)),
        ({"billed_units": {"search_units": 1}, "tokens": {"input_tokens": "x"}}, None),
        (None, None),
        (5, None),
    ],
)
def test_usage_is_what_is_billed(usage: Any, expected: Usage | None) -> None:
    said = wire.answer({"type": "text", "text": "Hi"}, usage=usage)
    assert CohereCodec().whole(json.dumps(said).encode()).usage == expected
    found = [one.usage for one in read(wire.sse(wire.events(said))) if isinstance(one, Metered)]
    assert found == ([expected] if expected else [])


def test_a_call_cut_before_its_arguments_stays_cut() -> None:
    opened = wire.events(FULL)
    start = next(one for one in opened if one["type"] == "tool-call-start")
    ending = {"type": "message-end", "delta": {"finish_reason": "MAX_TOKENS"}}
    assert not any(isinstance(one, ToolDelta) for one in read(wire.sse([start, ending])))


_any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["type", "delta", "message", "content", "text", "thinking", "tool_plan", "tool_calls", "function", "name",
             "arguments", "citations", "finish_reason", "usage", "index", "error", "id", "tokens", "input_tokens"]
        ),
        inner | st.sampled_from(["content-delta", "tool-call-start", "tool-call-delta", "message-end", "x"]),
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(st.lists(_any_json, max_size=5))
def test_no_events_crash_the_reader(said: list[Any]) -> None:
    reader = CohereCodec().reader()
    try:
        for payload in said:
            reader.feed(SseEvent(json.dumps(payload).encode()))
        reader.finish()
    except errors.MainstayError:
        return


@given(st.one_of(_any_json.map(lambda said: json.dumps(said).encode()), st.binary(max_size=60)))
def test_no_answer_crashes_the_codec(body: bytes) -> None:
    try:
        assert CohereCodec().whole(body).events
    except errors.MainstayError:
        return


@given(st.integers(400, 599), st.one_of(_any_json.map(lambda said: json.dumps(said).encode()), st.binary(max_size=60)))
def test_no_error_crashes_the_codec(status: int, body: bytes) -> None:
    assert isinstance(CohereCodec().error(status, (), body), errors.MainstayError)


@pytest.mark.parametrize(
    ("status", "message", "kind", "shown"),
    [
        (400, "invalid request: no messages", errors.UpstreamRefused, 400),
        (400, "too many tokens: size limit exceeded by 100 tokens.", errors.ContextOverflow, 400),
        (401, "invalid api token", errors.UpstreamCredential, 502),
        (498, "invalid token", errors.UpstreamCredential, 502),
        (404, "model 'x' not found", errors.UpstreamFailed, 502),
        (422, "message is too short", errors.UpstreamRefused, 422),
        (429, "You are using a Trial key", errors.UpstreamRateLimited, 429),
        (499, "cancelled", errors.UpstreamFailed, 504),
        (500, "x", errors.UpstreamFailed, 502),
        (503, "x", errors.UpstreamFailed, 503),
    ],
)
def test_a_status_means_one_thing(status: int, message: str, kind: type[errors.MainstayError], shown: int) -> None:
    error = CohereCodec().error(status, (), json.dumps({"message": message}).encode())
    assert (type(error), error.status) == (kind, shown)
