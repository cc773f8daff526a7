"""What a caller of chat completions asks reaches the upstream as it was asked, over real sockets."""

import json
from typing import Any

import pytest

from support.gateway import completion
from support.upstream import json_reply
from support.wires import HELLO, Talk, finish, role, stream_of

OK = json_reply(completion())
FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}

#: Everything the official API knows, by the name of the case.
FIELDS: dict[str, dict[str, Any]] = {
    "the older limit": {"max_tokens": 5},
    "the newer limit": {"max_completion_tokens": 5},
    "both limits": {"max_tokens": 5, "max_completion_tokens": 5},
    "one stop": {"stop": "\n\n"},
    "several stops": {"stop": ["a", "b"]},
    "no choice of tools": {"tools": [FUNCTION], "tool_choice": "none"},
    "a free choice": {"tools": [FUNCTION], "tool_choice": "auto"},
    "some call": {"tools": [FUNCTION], "tool_choice": "required"},
    "this call": {"tools": [FUNCTION], "tool_choice": {"type": "function", "function": {"name": "f"}}},
    "one call at a time": {"tools": [FUNCTION], "parallel_tool_calls": False},
    "store": {"store": False, "metadata": {"a": "b"}},
    "prediction": {"prediction": {"type": "content", "content": "x"}},
    "seed": {"seed": 7},
    "user": {"user": "u-1", "prompt_cache_key": "k", "safety_identifier": "s"},
    "sampling": {"temperature": 0.5, "top_p": 1, "frequency_penalty": 0.1, "presence_penalty": -0.1, "n": 2},
    "bias": {"logit_bias": {"50256": -100}, "logprobs": True, "top_logprobs": 2},
    "effort": {"reasoning_effort": "minimal", "verbosity": "low", "service_tier": "flex"},
    "sound": {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}},
    "nulls": {"temperature": None, "stop": None, "tools": None, "user": None, "novel": None, "max_tokens": None},
    "what no version knows": {"top_k": 5, "chat_template_kwargs": {"enable_thinking": False}, "guided_regex": "[0-9]"},
    "JSON": {"response_format": {"type": "json_object"}},
}


@pytest.mark.parametrize("model", ["plain", "renamed"])
@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS)
def test_every_field_goes_up_as_it_was_sent(talk: Talk, fields: dict[str, Any], model: str) -> None:
    answer = '{"a": 1}' if "response_format" in fields else "Hi"
    seen = talk.whole(json_reply(completion(answer)), model=model, **fields)
    assert seen.status == 200
    name = "up-name" if model == "renamed" else "plain"
    assert talk.sent == {"model": name, "messages": HELLO, **fields}
    # Null is not absent, and the order is the caller's.
    assert list(talk.sent) == ["model", "messages", *fields]


def test_a_strict_schema_goes_up_and_the_answer_that_fits_comes_back(talk: Talk) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": SCHEMA}}
    seen = talk.whole(json_reply(completion('{"a": 1}')), response_format=form)
    assert talk.sent["response_format"] == form
    assert seen.json["choices"][0]["message"]["content"] == '{"a": 1}'


@pytest.mark.parametrize("word", ["system", "developer"])
def test_a_turn_keeps_its_role(talk: Talk, word: str) -> None:
    turns = [{"role": word, "content": "Be brief.", "name": "n"}, *HELLO]
    talk.upstream.script(OK)
    talk.post({"model": "renamed", "messages": turns})
    assert talk.sent["messages"] == turns


@pytest.mark.parametrize(("field", "value"), [("temperature", 0.5), ("temperature", 0), ("top_k", 5)])
def test_what_a_vendor_refuses_is_refused_by_name_and_never_dropped(talk: Talk, field: str, value: Any) -> None:
    seen = talk.post({"model": "picky", "messages": HELLO, field: value})
    assert (seen.status, seen.error["param"], seen.error["code"]) == (400, field, "unsupported_by_model")
    assert talk.upstream.requests == []
    talk.whole(OK, model="picky", **{field: None})
    assert talk.sent == {"model": "picky", "messages": HELLO, field: None}


#: Numbers that a careless reader changes.
NUMBERS = b'{"i":1,"f":1.0,"e":1e5,"E":1E-7,"big":12345678901234567890123,"neg":-0.0,"long":0.12345678901234567890}'


@pytest.mark.parametrize("model", [b"plain", b"renamed"])
@pytest.mark.parametrize("stream", [b"", b',"stream":true'])
def test_numbers_keep_every_digit_and_fields_their_order(talk: Talk, model: bytes, stream: bytes) -> None:
    body = b'{"zeta":%b,"messages":%b,"seed":18446744073709551617%b,"model":"%b","alpha":1.0}'
    talk.upstream.script(stream_of(role(), finish()) if stream else OK)
    talk.post(body % (NUMBERS, json.dumps(HELLO).encode(), stream, model))
    sent = talk.upstream.requests[-1].body
    name = b"up-name" if model == b"renamed" else b"plain"
    assert b'"zeta":' + NUMBERS in sent
    assert b'"seed":18446744073709551617' in sent
    assert b'"alpha":1.0' in sent
    order = [b'"zeta"', b'"messages"', b'"seed"', b'"model":"' + name, b'"alpha"']
    assert [sent.index(key) for key in order] == sorted(sent.index(key) for key in order)


def test_of_a_key_given_twice_the_last_counts(talk: Talk) -> None:
    body = b'{"model":"nobody","messages":%b,"top_k":1,"top_k":2,"model":"renamed"}' % json.dumps(HELLO).encode()
    talk.upstream.script(OK)
    assert talk.post(body).status == 200
    assert talk.upstream.requests[-1].body.count(b'"model"') == 1
    assert (talk.sent["model"], talk.sent["top_k"]) == ("up-name", 2)


@pytest.mark.parametrize("field", [{}, {"encoding_format": None}, {"encoding_format": "base64"}, {"dimensions": None}])
@pytest.mark.parametrize("model", ["plain", "renamed"])
def test_a_null_of_embeddings_is_neither_added_nor_taken_away(talk: Talk, field: dict[str, Any], model: str) -> None:
    vector = "AACAPwAAAEA=" if field.get("encoding_format") else [1.0, 2.0]
    answer = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": vector}], "model": "e"}
    talk.upstream.script(json_reply(answer))
    assert talk.post({"model": model, "input": "Hi", **field}, "/v1/embeddings").status == 200
    assert talk.sent == {"model": "up-name" if model == "renamed" else "plain", "input": "Hi", **field}
