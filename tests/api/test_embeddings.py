"""Embeddings: the official OpenAI SDK against a running gateway in front of scripted upstreams."""

import base64
import json
import math
import struct
from typing import Any

import openai
import pytest
from openai import OpenAI

from support.gateway import Gateway
from support.tasks import KEY, embeddings
from support.upstream import Reply, Upstream, json_reply


def packed(*numbers: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def test_an_answer_comes_back_as_the_upstream_wrote_it_and_only_the_model_is_renamed(
    sdk: OpenAI, first: Upstream, task_gateway: Gateway
) -> None:
    body = embeddings([0.5, -1.0], novelty=[1, 2.0])
    first.script(json_reply(body))
    answer = sdk.embeddings.with_raw_response.create(
        model="assistant", input="hello", encoding_format="float", extra_body={"novel": {"x": 1.0}}
    )
    assert json.loads(answer.content) == body
    (request,) = first.requests
    assert request.path == "/v1/embeddings"
    assert request.header("authorization") == f"Bearer {KEY}"
    assert request.json() == {
        "model": "upstream-first",
        "input": "hello",
        "encoding_format": "float",
        "novel": {"x": 1.0},
    }
    record = task_gateway.journal()[-1]
    assert (record.operation, record.outcome, record.route) == ("embeddings", "ok", "assistant")
    assert record.usage is not None
    assert (record.usage.input, record.usage.estimated) == (5, False)


def test_bytes_go_up_untouched_where_the_model_keeps_its_name(sdk: OpenAI, first: Upstream) -> None:
    first.script(json_reply(embeddings([1.0])))
    sdk.embeddings.with_raw_response.create(model="same", input=[1, 2, 3], encoding_format="float", dimensions=1)
    assert first.requests[0].json() == {
        "model": "same",
        "input": [1, 2, 3],
        "encoding_format": "float",
        "dimensions": 1,
    }


def test_no_encoding_format_is_added_where_the_caller_gave_none(
    task_gateway: Gateway, sdk: OpenAI, first: Upstream
) -> None:
    first.script(json_reply(embeddings([1.0])))
    sdk.post("/embeddings", body={"model": "assistant", "input": "x"}, cast_to=object)
    assert "encoding_format" not in first.requests[0].json()


def test_the_sdks_own_default_of_base64_is_made_from_numbers(sdk: OpenAI, first: Upstream) -> None:
    first.script(json_reply(embeddings([0.5, -1.0], [0.25, 2.0], kept=1)))
    answer = sdk.embeddings.create(model="assistant", input=["a", "b"])
    assert [entry.embedding for entry in answer.data] == [[0.5, -1.0], [0.25, 2.0]]
    raw = first.requests[0].json()
    assert raw["encoding_format"] == "base64"


def test_numbers_are_made_from_base64_and_all_else_stays(sdk: OpenAI, first: Upstream) -> None:
    body = embeddings(packed(0.5, -1.0), kept={"a": 1})
    body["data"][0]["extra"] = [1.5]
    first.script(json_reply(body))
    raw = sdk.embeddings.with_raw_response.create(model="assistant", input="a", encoding_format="float")
    told = json.loads(raw.content)
    assert told["data"] == [{"object": "embedding", "index": 0, "embedding": [0.5, -1.0], "extra": [1.5]}]
    assert told["kept"] == {"a": 1}


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("m0", json_reply(embeddings([1.0]))),
        ("m1", json_reply({"error": {"message": "Network connection lost", "code": 502}})),
        ("m2", Reply(200, (("content-type", "text/html"),), b"<html>hello</html>")),
        ("m3", json_reply(embeddings([1.0], [None]))),
        ("m4", json_reply(embeddings([1.0, 2.0], [1.0]))),
        ("m5", Reply(503, (), b"busy")),
    ],
    ids=["one-too-few", "error-under-200", "web-page", "null-in-vector", "other-dimensions", "overloaded"],
)
def test_what_is_no_answer_is_not_handed_on_and_the_next_model_is_asked(
    sdk: OpenAI, first: Upstream, second: Upstream, task_gateway: Gateway, name: str, answer: Reply
) -> None:
    first.script(answer)
    second.script(json_reply(embeddings([0.5], [0.25])))
    raw = sdk.embeddings.with_raw_response.create(
        model=f"r{name}", input=["a", "b"], dimensions=1, encoding_format="float"
    )
    assert raw.parse().data[1].embedding == [0.25]
    assert raw.headers["x-mainstay-attempts"] == "2"
    assert raw.headers["x-mainstay-model"] == f"{name}b"
    attempts = task_gateway.journal()[-1].attempts
    assert [attempt.outcome for attempt in attempts] == [
        "upstream_failed" if name in ("m1", "m5") else "upstream_broken",
        "ok",
    ]


def test_a_model_without_embeddings_is_refused_and_named(sdk: OpenAI, first: Upstream) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.embeddings.create(model="haiku", input="x")
    assert caught.value.code == "unsupported_by_model"
    assert caught.value.param == "model"
    assert "haiku" in caught.value.message
    assert first.requests == []


def test_a_route_leaves_out_the_models_that_cannot_be_asked(sdk: OpenAI, second: Upstream) -> None:
    second.script(json_reply(embeddings([1.0])))
    raw = sdk.embeddings.with_raw_response.create(model="either", input="x", encoding_format="float")
    assert raw.headers["x-mainstay-model"] == "second"
    assert raw.headers["x-mainstay-attempts"] == "1"


def test_a_routes_last_words_are_no_vector(sdk: OpenAI, first: Upstream) -> None:
    first.script(Reply(500, (), b""))
    with pytest.raises(openai.InternalServerError):
        sdk.embeddings.create(model="consoled", input="x")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": "echo"}, "input"),
        ({"model": "echo", "input": []}, "input"),
        ({"model": "echo", "input": [1, "a"]}, "input[1]"),
        ({"model": "echo", "input": {"a": 1}}, "input"),
        ({"model": "echo", "input": "x", "dimensions": 0}, "dimensions"),
        ({"model": "", "input": "x"}, "model"),
    ],
)
def test_a_wrong_request_is_refused_with_the_field_named(sdk: OpenAI, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.post("/embeddings", body=fields, cast_to=object)
    assert caught.value.param == param


def test_an_unknown_model_is_not_found(sdk: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        sdk.embeddings.create(model="nobody", input="x")


def test_the_echo_gives_the_same_vector_of_length_one_in_both_forms(sdk: OpenAI) -> None:
    numbers = sdk.embeddings.create(model="echo", input=["a river", "a river", "the sea"], encoding_format="float")
    first, again, other = (entry.embedding for entry in numbers.data)
    assert first == again != other
    assert math.isclose(sum(value * value for value in first), 1.0, abs_tol=1e-9)
    assert numbers.usage.prompt_tokens == 6
    short = sdk.embeddings.create(model="echo", input=[[1, 2]], dimensions=8)
    assert len(short.data[0].embedding) == 8


def test_gemini_is_asked_and_read_in_its_own_form(sdk: OpenAI, first: Upstream, task_gateway: Gateway) -> None:
    first.script(json_reply({"embeddings": [{"values": [0.5, 1.0]}, {"values": [0.25, 2.0]}]}))
    answer = sdk.embeddings.create(model="gemini", input=["a", "b"], dimensions=2, extra_body={"task_type": "X"})
    assert [entry.embedding for entry in answer.data] == [[0.5, 1.0], [0.25, 2.0]]
    (request,) = first.requests
    assert request.path == "/v1beta/models/gemini-embedding-001:batchEmbedContents"
    assert request.header("x-goog-api-key") == KEY
    each = {"model": "models/gemini-embedding-001", "outputDimensionality": 2, "taskType": "X"}
    assert request.json()["requests"] == [{**each, "content": {"parts": [{"text": text}]}} for text in "ab"]
    usage = task_gateway.journal()[-1].usage
    assert usage is not None
    assert usage.estimated


def test_cohere_is_asked_and_read_in_its_own_form(sdk: OpenAI, first: Upstream, task_gateway: Gateway) -> None:
    meta = {"billed_units": {"input_tokens": 7}}
    first.script(json_reply({"id": "e1", "embeddings": {"float": [[0.5, 1.0]]}, "texts": ["a"], "meta": meta}))
    answer = sdk.embeddings.create(model="cohere", input="a", extra_body={"input_type": "search_query"})
    assert answer.data[0].embedding == [0.5, 1.0]
    (request,) = first.requests
    assert request.path == "/v2/embed"
    assert request.json() == {
        "model": "embed-v4.0",
        "texts": ["a"],
        "input_type": "search_query",
        "embedding_types": ["float"],
    }
    usage = task_gateway.journal()[-1].usage
    assert usage is not None
    assert usage.input == 7


@pytest.mark.parametrize("model", ["gemini", "cohere"])
def test_what_another_wire_cannot_say_is_refused(sdk: OpenAI, model: str) -> None:
    for fields, param in (({"input": [1, 2]}, "input"), ({"input": "x", "novel": 1}, "novel")):
        with pytest.raises(openai.BadRequestError) as caught:
            sdk.post("/embeddings", body={"model": model, **fields}, cast_to=object)
        assert caught.value.param == param


def test_azure_has_the_deployment_in_the_path(sdk: OpenAI, first: Upstream) -> None:
    first.script(json_reply(embeddings([1.0])))
    sdk.embeddings.create(model="deployed", input="x", encoding_format="float")
    (request,) = first.requests
    assert request.path == "/openai/deployments/my-deployment/embeddings?api-version=2024-10-21"
    assert request.header("api-key") == KEY


def test_a_server_without_base64_is_asked_for_numbers(sdk: OpenAI, first: Upstream) -> None:
    first.script(json_reply(embeddings([0.5])))
    assert sdk.embeddings.create(model="jina", input="x").data[0].embedding == [0.5]
    assert first.requests[0].json()["encoding_format"] == "float"
    with pytest.raises(openai.BadRequestError, match="has no chat"):
        sdk.chat.completions.create(model="jina", messages=[{"role": "user", "content": "x"}])
