"""The completions wire of upstreams."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import MainstayError, Unsupported, UpstreamBroken, UpstreamInterrupted
from mainstay.core.events import Finished, FinishReason, Metered, Started, TextDelta
from mainstay.core.fold import fold
from mainstay.core.sse import SseDecoder, SseEvent
from mainstay.core.target import Feature, Target
from mainstay.providers.completions import CompletionReader, CompletionsCodec, read_ask, write_whole
from support.tasks import text_completion

LOCAL = Target("m", "p", "llamacpp", "m")
values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def ask_for(**fields: Any) -> Any:
    return read_ask(json.dumps({"model": "m", "prompt": "x", **fields}).encode())


def event(text: str, index: int = 0, finish: str | None = None) -> bytes:
    choice = {"text": text, "index": index, "logprobs": None, "finish_reason": finish}
    return b"data: " + json.dumps({"id": "cmpl-1", "created": 1, "model": "m", "choices": [choice]}).encode() + b"\n\n"


@given(
    st.lists(st.tuples(st.text(max_size=5), st.integers(0, 2)), max_size=8), st.lists(st.integers(0, 2000), max_size=6)
)
def test_a_stream_reads_the_same_however_it_is_cut(pieces: list[tuple[str, int]], cuts: list[int]) -> None:
    body = b"".join(event(text, index) for text, index in pieces)
    body += b"".join(event("", index, "stop") for index in range(3)) + b"data: [DONE]\n\n"
    decoder, reader = SseDecoder(), CompletionReader()
    events = []
    start = 0
    for cut in (*sorted(cut % (len(body) + 1) for cut in cuts), len(body)):
        for found in decoder.feed(body[start:cut]):
            frame = reader.feed(found)
            events += frame.events if frame is not None else ()
        start = cut
    reader.finish()
    told = json.loads(write_whole(fold(events), model="m", id="1", created=1))
    assert [choice["text"] for choice in told["choices"]] == [
        "".join(text for text, index in pieces if index == place) for place in range(3)
    ]


@given(values)
def test_no_shape_of_an_answer_breaks_the_codec(value: Any) -> None:
    for shape in (value, {"choices": value}, {"choices": [value]}, {"choices": [{"text": value}], "usage": value}):
        data = json.dumps(shape).encode()
        for read in (CompletionsCodec().whole, lambda data: CompletionReader().feed(SseEvent(data))):
            try:
                read(data)
            except MainstayError:
                continue


def test_a_whole_answer_is_read_with_its_probabilities() -> None:
    body = text_completion("a", "b")
    probabilities = {"tokens": ["a"], "token_logprobs": [-1.0], "top_logprobs": None, "text_offset": [0]}
    body["choices"][0]["logprobs"] = probabilities
    whole = CompletionsCodec().whole(json.dumps(body).encode())
    first = whole.events[1]
    assert whole.events[0] == Started("cmpl-1", "gpt-3.5-turbo-instruct", 1700000000)
    assert isinstance(first, TextDelta)
    assert first.logprobs is not None
    assert whole.finish == (FinishReason.STOP, FinishReason.STOP)
    assert isinstance(whole.events[-1], Metered)
    told = json.loads(write_whole(whole, model="m", id="1", created=1))
    assert told["choices"][0]["logprobs"] == probabilities
    assert told["choices"] == body["choices"]


def test_an_answer_that_was_given_up_is_broken_off() -> None:
    with pytest.raises(UpstreamInterrupted):
        CompletionReader().feed(SseEvent(event("", 0, "error")[6:-2]))
    with pytest.raises(UpstreamBroken):
        CompletionsCodec().whole(b'{"choices":[]}')


def test_a_choice_that_has_ended_says_nothing_more() -> None:
    reader = CompletionReader()
    for text, finish in (("a", "stop"), ("b", "stop")):
        frame = reader.feed(SseEvent(event(text, 0, finish)[6:-2]))
        assert frame is not None
    assert not [found for found in frame.events if isinstance(found, TextDelta | Finished)]


@pytest.mark.parametrize("fields", [{"echo": True}, {"logprobs": 1}, {"suffix": "x"}, {"best_of": 2}])
def test_a_local_model_refuses_what_its_engine_passes_over(fields: dict[str, Any]) -> None:
    with pytest.raises(Unsupported):
        CompletionsCodec().request(ask_for(**fields), LOCAL, stream=True)


def test_a_local_model_gets_a_limit_and_takes_tokens() -> None:
    path, body = CompletionsCodec().request(ask_for(prompt=[1, 2]), LOCAL, stream=True)
    assert path == b"/completions"
    told = json.loads(body)
    assert (told["max_tokens"], told["prompt"], told["stream"]) == (1024, [1, 2], True)


def test_what_a_request_needs_is_found() -> None:
    assert ask_for(n=2, seed=1, logprobs=3).features == {Feature.CHOICES, Feature.SEED, Feature.LOGPROBS}
    assert ask_for().features == frozenset()
