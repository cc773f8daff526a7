"""The official OpenAI SDK against the bundled local model: a real model, a real engine, no network."""

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import openai
import pytest
from openai import OpenAI

from support.gateway import Gateway
from support.schemas import KEYWORDS, PASSED_OVER

HELLO: list[Any] = [{"role": "user", "content": "Name three rivers."}]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = {
        "providers": {"house": {"kind": "llamacpp", "model": "smollm2-135m-instruct", "context": 1024, "parallel": 2}},
        "models": {"small": {"provider": "house"}},
        "routes": {"assistant": {"targets": ["small"]}, "once": {"targets": ["small"], "form": {"reasks": 0}}},
    }
    with Gateway(tmp_path_factory.mktemp("local"), config) as running:
        yield running


@pytest.fixture
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as sdk:
        yield sdk


def test_the_model_answers_whole_with_usage_and_its_name(client: OpenAI, gateway: Gateway) -> None:
    answer = client.chat.completions.create(model="assistant", messages=HELLO, max_tokens=24, temperature=0)
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage is not None
    assert 0 < answer.usage.completion_tokens <= 24
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert "/" not in answer.model
    record = gateway.journal()[-1]
    assert record.usage is not None
    assert (record.provider, record.vendor, record.usage.output) == (
        "house",
        "llamacpp",
        answer.usage.completion_tokens,
    )


def test_the_streamed_answer_is_the_whole_one_in_pieces(client: OpenAI) -> None:
    fixed: dict[str, Any] = {"model": "assistant", "messages": HELLO, "max_tokens": 24, "temperature": 0, "seed": 1}
    whole = client.chat.completions.create(**fixed)
    chunks = list(client.chat.completions.create(**fixed, stream=True, stream_options={"include_usage": True}))
    pieces = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
    assert len(pieces) > 3
    assert "".join(pieces) == whole.choices[0].message.content
    assert chunks[-1].usage is not None


def test_a_stop_string_stops_it(client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model="small",
        messages=[{"role": "user", "content": "Count from one to nine with commas: 1, 2, 3,"}],
        max_tokens=40,
        temperature=0,
        stop=[","],
    )
    assert "," not in (answer.choices[0].message.content or "")


def test_logprobs_come_with_the_tokens(client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model="small", messages=HELLO, max_tokens=4, temperature=0, logprobs=True, top_logprobs=2
    )
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content
    assert logprobs.content[0].logprob <= 0


def test_a_schema_holds_the_answer_to_its_form(client: OpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {"river": {"type": "string", "enum": ["Nile", "Rhine"]}},
        "required": ["river"],
        "additionalProperties": False,
    }
    answer = client.chat.completions.create(
        model="small",
        messages=[{"role": "user", "content": "Name a river as JSON."}],
        max_tokens=40,
        temperature=0,
        response_format={"type": "json_schema", "json_schema": {"name": "river", "schema": schema, "strict": True}},
    )
    assert json.loads(answer.choices[0].message.content or "")["river"] in ("Nile", "Rhine")


def test_what_the_models_grammar_passes_over_is_judged_all_the_same(client: OpenAI) -> None:
    kinds = {"pattern": "string", "uniqueItems": "array"}
    for keyword in PASSED_OVER:
        inner, _, _ = KEYWORDS[keyword]
        kind = kinds.get(keyword.partition(" ")[0], "integer" if "um" in keyword or "mul" in keyword else "")
        value = {**inner, **({"type": kind} if kind else {}), **({"items": {"enum": [2]}} if kind == "array" else {})}
        schema = {"type": "object", "properties": {"v": value}, "required": ["v"], "additionalProperties": False}
        form: Any = {"type": "json_schema", "json_schema": {"name": "v", "schema": schema, "strict": True}}
        asked: dict[str, Any] = {"max_tokens": 24, "temperature": 0, "response_format": form}
        said, code = None, None
        try:
            answer = client.chat.completions.create(model="once", messages=HELLO, **asked)
            said = json.loads(answer.choices[0].message.content or "")
        except openai.InternalServerError as error:
            code = error.code
        assert code == "output_invalid" or jsonschema_rs.is_valid(schema, said, validate_formats=True), keyword


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]}, "tools"),
        ({"n": 2}, "n"),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
                    }
                ]
            },
            None,
        ),
    ],
    ids=["tools", "n", "image"],
)
def test_what_it_cannot_do_is_a_clear_400(client: OpenAI, fields: dict[str, Any], param: str | None) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**{"model": "small", "messages": HELLO, **fields})
    assert caught.value.code == "unsupported_by_model"
    assert param is None or caught.value.param == param


@pytest.mark.parametrize("stream", [False, True])
def test_too_long_a_prompt_is_a_context_error(client: OpenAI, stream: bool) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(
            model="small", messages=[{"role": "user", "content": "word " * 3000}], stream=stream
        )
    assert caught.value.code == "context_length_exceeded"


def test_a_killed_engine_comes_back_and_callers_wait_for_it_or_are_told_to(client: OpenAI, gateway: Gateway) -> None:
    (before,) = gateway.pids("engine")
    os.kill(before, signal.SIGKILL)

    def answered() -> bool:
        try:
            client.chat.completions.create(model="small", messages=HELLO, max_tokens=2)
        except openai.InternalServerError as error:
            told.add((error.status_code, error.code))
            return False
        return gateway.pids("engine") != [before]

    told: set[tuple[int, str | None]] = set()
    gateway.until(answered)
    assert told <= {(503, "unavailable")}
    assert gateway.status("/health/ready") == 200
