"""The door for chat completions: what is read, what is refused, and what goes up."""

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.call import Ask
from mainstay.core.errors import InvalidRequest, Unsupported
from mainstay.core.events import Dialect
from mainstay.core.target import Feature, Target
from mainstay.providers.openai import OpenAICodec, read_ask, read_prompt, scan, wants_legacy, write_prompt
from mainstay.providers.openai.requests import refuse

HELLO = [{"role": "user", "content": "hi"}]
CODEC = OpenAICodec()


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "messages": HELLO, **fields}).encode()


def target(upstream: str = "", lacks: frozenset[Feature] = frozenset(), vendor: str = "openai") -> Target:
    return Target("row", "p", vendor, upstream, lacks=lacks)


def sent(ask: Ask, to: Target, *, stream: bool) -> bytes:
    path, data = CODEC.request(ask, to, stream=stream)
    assert path == b"/chat/completions"
    return data


def test_the_few_fields_the_line_reads_are_read() -> None:
    ask = read_ask(body(stream=True, stream_options={"include_usage": True}))
    assert (ask.model, ask.stream, ask.include_usage, ask.dialect) == ("m", True, True, Dialect.OPENAI)
    plain = read_ask(body(stream=None, stream_options=None))
    assert (plain.stream, plain.include_usage) == (False, False)


EVERYTHING: dict[str, Any] = {
    "messages": [
        {"role": "developer", "content": "a", "name": "n"},
        {"role": "system", "content": [{"type": "text", "text": "b"}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "c", "cache_control": {"type": "ephemeral"}},
                {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
                {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
                {"type": "file", "file": {"file_id": "f"}},
                {"type": "something_new", "x": 1},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "refusal": None,
            "audio": {"id": "a"},
            "function_call": None,
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                {"id": "2", "type": "custom", "custom": {"name": "g", "input": "x"}},
            ],
        },
        {"role": "tool", "tool_call_id": "1", "content": "r"},
        {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "r"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
    ],
    "tools": [
        {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": None}},
        {"type": "custom", "custom": {"name": "g"}},
    ],
    "functions": [{"name": "f"}],
    "function_call": "auto",
    "parallel_tool_calls": False,
    "max_tokens": None,
    "max_completion_tokens": 5,
    "temperature": 1,
    "top_p": 0.5,
    "n": 1,
    "seed": 2**70,
    "frequency_penalty": 0,
    "presence_penalty": None,
    "logit_bias": {"50256": -100},
    "logprobs": True,
    "top_logprobs": 3,
    "reasoning_effort": "low",
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": True}},
    "stop": ["a"],
    "modalities": ["text"],
    "audio": {"voice": "alloy", "format": "mp3"},
    "prediction": {"type": "content", "content": "x"},
    "metadata": {"k": "v"},
    "store": True,
    "user": "u",
    "prompt_cache_key": "k",
    "service_tier": "auto",
    "verbosity": None,
    "web_search_options": {},
    "nobody_heard_of": [1.0, {"a": None}],
}


@pytest.mark.parametrize(
    "choice",
    [
        "auto",
        "none",
        "required",
        {"type": "function", "function": {"name": "f"}},
        {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}},
        None,
    ],
)
@pytest.mark.parametrize("stop", ["x", ["x", "y"], None])
def test_all_that_the_official_api_accepts_is_accepted(choice: Any, stop: Any) -> None:
    data = body(**{**EVERYTHING, "tool_choice": choice, "stop": stop})
    assert sent(read_ask(data), target(), stream=False) is data
    assert read_prompt(data).extra["nobody_heard_of"] == msgspec.Raw(b'[1.0, {"a": null}]')


@pytest.mark.parametrize(
    ("data", "param", "words"),
    [
        (b"", None, "empty"),
        (b"  \n", None, "empty"),
        (b"{", None, "not valid JSON"),
        (b"hello", None, "not valid JSON"),
        (b'{"model":"m","messages":[]} x', None, "not valid JSON"),
        (b"[]", None, "must be a JSON object"),
        (b'"x"', None, "must be a JSON object"),
        (b'{"messages":[{"role":"user","content":"x"}]}', "model", "missing"),
        (b'{"model":"","messages":[{"role":"user","content":"x"}]}', "model", "empty"),
        (b'{"model":"m"}', "messages", "missing"),
        (b'{"model":"m","messages":[]}', "messages", "empty"),
        (b'{"model":"m","messages":null}', "messages", "a list"),
        (b'{"model":null,"messages":[]}', "model", "a string, not null"),
        (b'{"model":"m","messages":[{"content":"x"}]}', "messages[0].role", "missing"),
        (b'{"model":"m","messages":[{"role":"bob"}]}', "messages[0].role", "'bob'"),
        (b'{"model":"m","messages":[{"role":7}]}', "messages[0].role", "a string"),
        (b'{"model":"m","messages":["x"]}', "messages[0]", "an object, not a string"),
        (
            b'{"model":"m","messages":[{"role":"user","content":7}]}',
            "messages[0].content",
            "a string or a list or null",
        ),
        (
            b'{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":7}]}]}',
            "messages[0].content[0].text",
            "a string",
        ),
        (
            b'{"model":"m","messages":[{"role":"user","content":[{"text":"x"}]}]}',
            "messages[0].content[0].type",
            "missing",
        ),
        (body(n=0), "n", "1 or more"),
        (body(n=1.5), "n", "a whole number"),
        (body(stream="yes"), "stream", "true or false"),
        (body(temperature="hot"), "temperature", "a number"),
        (body(tools={}), "tools", "a list"),
        (body(tools=[{"type": "function", "function": {}}]), "tools[0].function.name", "missing"),
        (body(stop=5), "stop", "a string or a list"),
        (body(logit_bias={"a": "b"}), "logit_bias[...]", "a number"),
        (body(response_format="json"), "response_format", "an object"),
        (body(x=0).replace(b"0}", b'"\xff"}'), None, "UTF-8"),
        (b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}', None, "UTF-8"),
        (body(x=0).replace(b"0}", b"[" * 100_000 + b"]" * 100_000 + b"}"), None, "nested too deeply"),
    ],
)
def test_what_is_wrong_is_named_in_a_sentence(data: bytes, param: str | None, words: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_ask(data)
    assert caught.value.param == param
    assert words in caught.value.message
    assert caught.value.message.endswith(".")
    assert "$" not in caught.value.message
    assert caught.value.status == 400


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(InvalidRequest):
        assert read_ask(data).model


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["model", "messages", "role", "content", "type", "tools", "stop", "x"]), inner
            )
        ),
        max_leaves=20,
    )
)
def test_any_json_is_read_in_full_or_refused(value: Any) -> None:
    data = json.dumps(value).encode()
    with suppress(InvalidRequest):
        assert read_prompt(data).messages


def test_the_callers_bytes_go_up_when_nothing_changes() -> None:
    plain = body(temperature=1.0)
    assert sent(read_ask(plain), target(), stream=False) is plain
    assert sent(read_ask(plain), target("m"), stream=False) is plain
    metered = body(stream=True, stream_options={"include_usage": True})
    assert sent(read_ask(metered), target(), stream=True) is metered


ODD = (
    b'{ "zeta" : 1.0, "model":"m", "big":123456789012345678901234567890, "alpha":{"b":2 , "a":1e5},'
    b'"messages":[{"role":"user","content":"\\u00e9 \xc3\xa9", "odd": null}],"e":1E2,"null":null}'
)


def test_a_changed_model_changes_nothing_else() -> None:
    data = sent(read_ask(ODD), target('up"stream'), stream=False)
    assert data == (
        b'{"zeta":1.0,"model":"up\\"stream","big":123456789012345678901234567890,"alpha":{"b":2 , "a":1e5},'
        b'"messages":[{"role":"user","content":"\\u00e9 \xc3\xa9", "odd": null}],"e":1E2,"null":null}'
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"include_usage": True}),
        ({"stream_options": None}, {"include_usage": True}),
        ({"stream_options": {"include_usage": False}}, {"include_usage": True}),
        ({"stream_options": {"include_obfuscation": False}}, {"include_obfuscation": False, "include_usage": True}),
    ],
)
def test_a_stream_is_always_asked_for_its_usage(options: dict[str, Any], expected: dict[str, Any]) -> None:
    ask = read_ask(body(stream=True, **options))
    assert ask.include_usage is False
    data = json.loads(sent(ask, target(), stream=True))
    assert data == {"model": "m", "messages": HELLO, "stream": True, "stream_options": expected}


def test_a_whole_answer_may_be_asked_as_a_stream_and_the_other_way_round() -> None:
    up = json.loads(sent(read_ask(body()), target(), stream=True))
    assert (up["stream"], up["stream_options"]) == (True, {"include_usage": True})
    down = json.loads(sent(read_ask(body(stream=True, stream_options={"include_usage": True})), target(), stream=False))
    assert down == {"model": "m", "messages": HELLO, "stream": False}


def test_of_a_key_given_twice_the_last_counts() -> None:
    ask = read_ask(b'{"model":"a","messages":[{"role":"user","content":"x"}],"model":"b"}')
    assert ask.model == "b"
    assert json.loads(sent(ask, target("c"), stream=False))["model"] == "c"
    assert sent(ask, target("c"), stream=False).count(b'"model"') == 1


IMAGE = [{"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "u"}}]}]


@pytest.mark.parametrize(
    ("fields", "feature", "param"),
    [
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, Feature.TOOLS, "tools"),
        ({"functions": [{"name": "f"}]}, Feature.TOOLS, "functions"),
        ({"messages": [*HELLO, {"role": "tool", "tool_call_id": "1", "content": "x"}]}, Feature.TOOLS, "messages[1]"),
        ({"messages": IMAGE}, Feature.IMAGES, "messages[0].content[1]"),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}]}
                ]
            },
            Feature.AUDIO,
            "messages[0].content[0]",
        ),
        ({"modalities": ["text", "audio"]}, Feature.AUDIO, "modalities"),
        (
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]},
            Feature.DOCUMENTS,
            "messages[0].content[0]",
        ),
        ({"logprobs": True}, Feature.LOGPROBS, "logprobs"),
        ({"top_logprobs": 2}, Feature.LOGPROBS, "top_logprobs"),
        ({"n": 2}, Feature.CHOICES, "n"),
        ({"seed": 0}, Feature.SEED, "seed"),
        ({"logit_bias": {"1": 1}}, Feature.LOGIT_BIAS, "logit_bias"),
        ({"frequency_penalty": 0.1}, Feature.PENALTIES, "frequency_penalty"),
        ({"presence_penalty": 0.1}, Feature.PENALTIES, "presence_penalty"),
        ({"response_format": {"type": "json_object"}}, Feature.JSON, "response_format"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}},
            Feature.SCHEMA,
            "response_format",
        ),
    ],
)
def test_what_a_model_lacks_is_refused_by_the_name_of_the_field(
    fields: dict[str, Any], feature: Feature, param: str
) -> None:
    ask = read_ask(body(**fields))
    assert ask.features == {feature}
    error = refuse(ask, "row", ask.features)
    assert type(error) is Unsupported
    assert error.param == param
    assert "'row'" in error.message
    changed = Ask(b"", Dialect.OPENAI, "m", False, False, read_prompt, scan, _prompt=ask.prompt)
    assert changed.features == {feature}


def test_values_that_ask_for_nothing_need_nothing() -> None:
    fields = {
        "tools": [],
        "n": 1,
        "logit_bias": {},
        "frequency_penalty": 0,
        "logprobs": False,
        "response_format": {"type": "text"},
    }
    assert read_ask(body(**fields)).features == frozenset()


def test_a_changed_prompt_is_written_anew() -> None:
    prompt = msgspec.structs.replace(read_prompt(body(user="u")), user="other")
    ask = Ask(b"", Dialect.OPENAI, "m", False, False, read_prompt, scan, _prompt=prompt)
    assert json.loads(sent(ask, target("up"), stream=False)) == {"model": "up", "messages": HELLO, "user": "other"}


@pytest.mark.parametrize(("vendor", "field"), [("openai", "max_completion_tokens"), ("llamacpp", "max_tokens")])
def test_the_output_limit_goes_by_the_name_the_vendor_knows(vendor: str, field: str) -> None:
    prompt = read_prompt(body(max_completion_tokens=7))
    ask = Ask(b"", Dialect.OPENAI, "m", False, False, read_prompt, scan, _prompt=prompt)
    data = json.loads(sent(ask, target(vendor=vendor), stream=False))
    assert {key for key in data if key.startswith("max")} == {field}
    assert data[field] == 7


@pytest.mark.parametrize(
    ("fields", "legacy"),
    [
        ({"functions": [{"name": "f"}]}, True),
        ({"functions": None}, False),
        ({"metadata": {"functions": "x"}}, False),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, False),
    ],
)
def test_callers_of_the_legacy_functions_are_known(fields: dict[str, Any], legacy: bool) -> None:
    assert wants_legacy(read_ask(body(**fields))) is legacy


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text().map(lambda key: "x-" + key), JSON, max_size=4))
def test_unknown_fields_survive_every_way_up(extra: dict[str, Any]) -> None:
    data = body(**extra)
    ways = [
        sent(read_ask(data), target("up"), stream=True),
        write_prompt(read_prompt(data), stream=False),
    ]
    for way in ways:
        got = json.loads(way)
        assert {key: got[key] for key in extra} == extra
