"""The codec as a provider uses it: bytes in, bytes out, over the caller's own request."""

import contextlib
import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from mainstay.core import errors
from mainstay.core.call import Ask
from mainstay.core.events import Dialect, FinishReason
from mainstay.core.prompt import Message, Prompt, TextPart
from mainstay.core.sse import SseEvent
from mainstay.core.target import Target
from mainstay.providers.anthropic.asks import place as place_anthropic
from mainstay.providers.anthropic.prompt_reader import read_prompt as read_anthropic
from mainstay.providers.anthropic.stream_writer import AnthropicStreamWriter
from mainstay.providers.anthropic.written import write_whole as write_anthropic
from mainstay.providers.gemini import GeminiCodec, VertexCodec
from mainstay.providers.openai.answers import write_whole as write_openai
from mainstay.providers.openai.prompt_reader import read_prompt as read_openai
from mainstay.providers.openai.requests import place as place_openai
from mainstay.providers.openai.stream_writer import OpenAIStreamWriter
from mainstay.providers.places import name_place
from mainstay.providers.port import Codec, Framed, StreamReader
from support.gemini_wire import answer, body, call, candidate, status, text, thought

TARGET = Target("flash", "google", "gemini", "gemini-2.5-flash")
HELLO = b'{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}'


def ask(fields: dict[str, Any] | bytes, dialect: Dialect = Dialect.OPENAI) -> Ask:
    raw = fields if isinstance(fields, bytes) else json.dumps({"model": "flash", **fields}).encode()
    read = read_anthropic if dialect is Dialect.ANTHROPIC else read_openai
    place = place_anthropic if dialect is Dialect.ANTHROPIC else place_openai
    return Ask(raw, dialect, "flash", False, False, read=read, scan=lambda _: frozenset(), place=place)


def said(**fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "Hi"}], **fields}


@pytest.mark.parametrize("codec", [GeminiCodec(), VertexCodec()])
def test_it_is_a_codec(codec: Codec) -> None:
    reader: StreamReader = codec.reader()
    assert codec.dialect is Dialect.GEMINI
    assert reader is not codec.reader()
    assert not isinstance(codec, Framed)


def test_the_path_names_the_model_and_how_to_answer() -> None:
    for stream, verb in ((False, b"generateContent"), (True, b"streamGenerateContent?alt=sse")):
        path, sent = GeminiCodec().request(ask(said()), TARGET, stream=stream)
        assert (path, sent) == (b"/v1beta/models/gemini-2.5-flash:" + verb, HELLO)
        assert VertexCodec().request(ask(said()), TARGET, stream=stream)[0] == b"/models/gemini-2.5-flash:" + verb


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("models/gemini-2.5-pro", b"/v1beta/models/gemini-2.5-pro:generateContent"),
        ("tunedModels/mine", b"/v1beta/tunedModels/mine:generateContent"),
        ("gemini@001", b"/v1beta/models/gemini@001:generateContent"),
        ("../x?y#z é:a", b"/v1beta/models/..%2Fx%3Fy%23z%20%C3%A9%3Aa:generateContent"),
        ("", b"/v1beta/models/flash:generateContent"),
    ],
)
def test_a_name_of_any_kind_stays_in_its_place(model: str, path: bytes) -> None:
    target = Target("flash", "google", "gemini", model)
    assert GeminiCodec().request(ask(said()), target, stream=False)[0] == path


def test_a_body_of_its_own_dialect_passes_with_its_bytes() -> None:
    sent = b'{ "contents": [], "x": 1.0 }'
    _, found = GeminiCodec().request(ask(sent, Dialect.GEMINI), TARGET, stream=True)
    assert found is sent


def test_a_prompt_that_was_changed_is_written_anew() -> None:
    prompt = Prompt("flash", (Message("user", (TextPart("Hi"),)),))
    changed = Ask(b"", Dialect.GEMINI, "flash", False, False, read=lambda _: prompt, scan=lambda _: frozenset())
    assert GeminiCodec().request(changed, TARGET, stream=False)[1] == HELLO


@pytest.mark.parametrize(
    ("dialect", "fields", "param"),
    [
        (Dialect.OPENAI, said(logit_bias={"1": 2}), "logit_bias"),
        (Dialect.OPENAI, said(reasoning_effort="hard"), "reasoning_effort"),
        (Dialect.ANTHROPIC, said(max_tokens=9, output_config={"effort": "hard"}), "output_config.effort"),
        (
            Dialect.ANTHROPIC,
            {"max_tokens": 9, "system": "A", "messages": [{"role": "user", "content": [{"type": "container_upload"}]}]},
            "messages[0].content[0]",
        ),
    ],
)
def test_what_is_refused_is_named_as_the_caller_names_it(dialect: Dialect, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(errors.Unsupported) as caught:
        GeminiCodec().request(ask(fields, dialect), TARGET, stream=False)
    name_place(caught.value, ask(fields, dialect))
    assert caught.value.param == param


def test_the_key_is_sent_as_each_service_wants_it() -> None:
    assert GeminiCodec().credentials("k") == ((b"x-goog-api-key", b"k"),)
    assert VertexCodec().credentials("t") == ((b"authorization", b"Bearer t"),)
    assert GeminiCodec().credentials("") == VertexCodec().credentials("") == ()


def test_answers_and_errors_are_read() -> None:
    codec = GeminiCodec()
    assert codec.whole(body(answer(text("Yes")))).finish == (FinishReason.STOP,)
    limited = codec.error(429, ((b"retry-after", b"3"),), body(status(429, "RESOURCE_EXHAUSTED")))
    assert isinstance(limited, errors.UpstreamRateLimited)
    assert limited.retry_after == 3


_TOKENS = {"chosenCandidates": [{"token": "A", "logProbability": -0.5}], "topCandidates": [{"candidates": []}]}
_DRAWN = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
_PARTS = (
    thought("Hm.", thoughtSignature="c2ln"),
    text("Hello"),
    call("get", {"a": [1, {"b": None}]}, id="c1", signature="c2ln"),
    _DRAWN,
    {"executableCode": {"code": "1"}},
)
_FULL = answer(
    candidates=[
        candidate(*_PARTS, logprobsResult=_TOKENS, groundingMetadata={"x": 1}),
        candidate(text("B"), index=1),
    ],
    promptFeedback={"safetyRatings": []},
    usageMetadata={"promptTokenCount": 9, "thoughtsTokenCount": 2, "promptTokensDetails": [{"modality": "AUDIO"}]},
)
_VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    2**70,
    1.5,
    "",
    "STOP",
    "\ud800",
    "\u2028",
    [],
    {},
    [None],
    [[]],
    {"a": 1},
    [{}],
]
_VALUES += [{"text": 1}, "MALFORMED_FUNCTION_CALL", {"code": 429, "details": [{"retryDelay": "1s"}]}, [1, 2]]
_NAMES = ["text", "thought", "functionCall", "name", "args", "error", "promptFeedback", "blockReason", "finishReason"]
_NAMES += ["index", "parts", "content", "candidates", "partialArgs", "inlineData", "thoughtSignature", "usageMetadata"]


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of everything inside ``tree``."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def spoil(draw: random.Random) -> bytes:
    """Return a full answer with a few things taken out, put in or replaced, and now and then a byte."""
    tree = copy.deepcopy(_FULL)
    for _ in range(draw.randint(1, 3)):
        if not (paths := list(places(tree))):
            break
        *way, last = draw.choice(paths)
        inside: Any = tree
        for key in way:
            inside = inside[key]
        value = copy.deepcopy(draw.choice(_VALUES))
        what = draw.random()
        if what < 0.2:
            del inside[last]
        elif what < 0.7:
            inside[last] = value
        elif isinstance(inside, dict):
            inside[draw.choice(_NAMES)] = value
        else:
            inside.insert(0, value)
    data = bytearray(json.dumps(tree).encode())
    if draw.random() < 0.1:
        data[draw.randrange(len(data))] = draw.randrange(256)
    return bytes(data)


@pytest.mark.parametrize("cases", [2000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_no_spoilt_answer_breaks_the_codec_or_a_callers_wire(cases: int) -> None:
    draw = random.Random(cases)
    codec = GeminiCodec()
    told = 0
    for _ in range(cases):
        sent = spoil(draw)
        with contextlib.suppress(errors.MainstayError):
            whole = codec.whole(sent)
            json.loads(write_openai(whole, model="m", id="i", created=1))
            json.loads(write_anthropic(whole, model="m", id="i"))
            told += 1
        writers = (
            OpenAIStreamWriter(True, model="m", id="i", created=1),
            AnthropicStreamWriter(model="m", id="i", request_id="r"),
        )
        reader = codec.reader()
        with contextlib.suppress(errors.MainstayError):
            for frame in (reader.feed(SseEvent(sent)), reader.feed(SseEvent(spoil(draw))), reader.finish()):
                for writer in writers:
                    assert frame is not None
                    writer.frame(frame)
        assert 400 <= codec.error(400, (), sent).status < 600
    assert cases > told > cases / 4
