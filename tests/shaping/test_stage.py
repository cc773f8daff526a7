"""Forms held end to end: official SDKs in front of a running gateway, a scripted server behind it."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel

from support.gateway import Gateway, completion, sse_chunks
from support.upstream import Chunk, Head, Upstream, json_reply

ASK: list[Any] = [{"role": "user", "content": "How old is Ada?"}]
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "multipleOf": 3}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
GOOD, BAD = '{"name": "Ada", "age": 36}', '{"name": "Ada", "age": 37}'


def form(strict: bool | None = True) -> dict[str, Any]:
    schema: dict[str, Any] = {"name": "person", "schema": SCHEMA}
    if strict is not None:
        schema["strict"] = strict
    return {"type": "json_schema", "json_schema": schema}


TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "look_up", "strict": True, "parameters": SCHEMA},
}


def call(arguments: str) -> dict[str, Any]:
    body = completion("")
    body["choices"][0] |= {
        "finish_reason": "tool_calls",
        "message": {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": arguments}}
            ],
        },
    }
    return body


def stream(*words: str, **options: Any) -> list[Any]:
    return [Head(200), *(Chunk(event) for event in sse_chunks(*words, **options))]


@pytest.fixture(scope="module")
def vendor() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, vendor: Upstream) -> Iterator[Gateway]:
    config = {
        "providers": {"vendor": {"kind": "openai", "base_url": f"{vendor.url}/v1"}},
        "models": {
            "able": {"provider": "vendor", "price": {"input": 1000, "output": 1000}},
            "plain": {"provider": "vendor", "lacks": ["schema", "json", "seed"]},
        },
        "routes": {
            "held": {"targets": ["able"], "form": {"stream": "hold"}},
            "always": {"targets": ["able"], "form": {"enforce": "always", "reasks": 0}},
            "never": {"targets": ["able"], "form": {"enforce": "never"}},
            "frugal": {"targets": ["able"], "form": {"reask_cost": "0.01"}},
            "few": {"targets": ["able"], "form": {"reask_tokens": 12}},
            "once": {"targets": ["able"], "attempts": 1},
            "support": {"targets": ["able"], "prompt": "support"},
            "pinned": {"targets": ["able"], "pin": {"seed": 7}, "content": "full"},
            "seedless": {"targets": ["plain"], "pin": {"seed": 7}},
            "bland": {"targets": ["plain"], "prompt": "support"},
            "mood": {
                "targets": ["able"],
                "form": {
                    "output": {"kind": "enum", "values": ["glad", "sad"]},
                    "examples": [{"input": "I won!", "output": "glad"}],
                },
            },
            "person": {"targets": ["able"], "form": {"output": {"kind": "json", "json_schema": SCHEMA}}},
        },
    }
    config["prompts"] = {
        "tone": {"system": "Be {{manner}}.", "variables": {"manner": {}}},
        "support@2": "The old one.",
        "support@10": {
            "system": "You answer for {{brand}}. {{> tone}}",
            "messages": [{"role": "user", "content": "It is {{year}}."}, {"role": "assistant", "content": "Noted."}],
            "variables": {
                "brand": {"default": "Acme"},
                "manner": {"values": ["brief", "kind"], "default": "brief"},
                "year": {"type": "integer", "default": 2026},
            },
            "variants": {"plain": {"system": "{{brand}}!", "messages": []}},
        },
    }
    with Gateway(tmp_path_factory.mktemp("gateway"), config) as running:
        yield running


@pytest.fixture
def client(gateway: Gateway, vendor: Upstream) -> Iterator[OpenAI]:
    vendor.forget()
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as sdk:
        yield sdk


def sent(vendor: Upstream, number: int) -> Any:
    return json.loads(vendor.requests[number].body)


def test_an_answer_that_fits_comes_back_byte_for_byte(client: OpenAI, vendor: Upstream) -> None:
    body = completion(GOOD, novelty=1.0)
    vendor.script(json_reply(body))
    answer = client.chat.completions.with_raw_response.create(model="able", messages=ASK, response_format=form())
    assert json.loads(answer.content) == body
    assert len(vendor.requests) == 1
    assert sent(vendor, 0)["response_format"] == form()


def test_an_answer_that_does_not_fit_is_asked_for_again_with_what_is_wrong(
    client: OpenAI, vendor: Upstream, gateway: Gateway
) -> None:
    vendor.script(json_reply(completion(BAD)), json_reply(completion(GOOD)))
    answer = client.chat.completions.create(model="able", messages=ASK, response_format=form())
    assert answer.choices[0].message.content == GOOD
    said = sent(vendor, 1)["messages"]
    assert said[0] == ASK[0]
    assert said[1] == {"role": "assistant", "content": BAD}
    assert said[2]["role"] == "user"
    assert "/age" in said[2]["content"]
    assert "multiple of 3" in said[2]["content"]
    # Both answers were paid for.
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (18, 6)
    record = gateway.journal()[-1]
    assert [attempt.cause for attempt in record.attempts] == ["first", "reask"]
    assert record.attempts[0].detail == "form: multipleOf"
    assert record.usage is not None
    assert record.usage.input == 18


def test_what_never_fits_is_an_error_with_the_best_attempt_and_no_success(client: OpenAI, vendor: Upstream) -> None:
    vendor.script(*(json_reply(completion(BAD)) for _ in range(3)))
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="able", messages=ASK, response_format=form())
    assert caught.value.status_code == 502
    assert caught.value.code == "output_invalid"
    assert caught.value.response.headers["x-should-retry"] == "false"
    body: Any = caught.value.body
    assert body["best_attempt"] == BAD
    assert body["flaws"][0]["path"] == "/age"
    assert len(vendor.requests) == 3


def test_a_fence_is_taken_off_without_asking_again(client: OpenAI, vendor: Upstream) -> None:
    vendor.script(json_reply(completion(f"```json\n{GOOD}\n```")))

    class Person(BaseModel):
        name: str
        age: int

    answer = client.chat.completions.create(model="able", messages=ASK, response_format=form())
    assert answer.choices[0].message.content == GOOD
    assert Person.model_validate_json(GOOD).age == 36
    assert len(vendor.requests) == 1


def test_a_model_without_a_mode_for_it_is_told_in_words(client: OpenAI, vendor: Upstream) -> None:
    vendor.script(json_reply(completion(f"Sure:\n```\n{GOOD}\n```")))
    answer = client.chat.completions.create(model="plain", messages=ASK, response_format=form())
    assert answer.choices[0].message.content == GOOD
    body = sent(vendor, 0)
    assert "response_format" not in body
    assert body["messages"][0]["role"] == "system"
    assert '"multipleOf"' in body["messages"][0]["content"]
    assert body["messages"][1] == ASK[0]


def test_a_model_without_a_mode_for_it_streams_only_what_fits(client: OpenAI, vendor: Upstream) -> None:
    vendor.script(stream("```json\n", '{"name": "Ada",', ' "age": 36}', "\n```"))
    chunks = client.chat.completions.create(model="plain", messages=ASK, response_format=form(), stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == GOOD


def test_a_schema_that_the_upstream_cannot_take_is_said_in_words(
    client: OpenAI, vendor: Upstream, gateway: Gateway
) -> None:
    refusal = {"error": {"message": "Invalid schema for response_format: 'multipleOf' is not permitted."}}
    vendor.script(json_reply(refusal, 400), json_reply(completion(BAD)), json_reply(completion(GOOD)))
    answer = client.chat.completions.create(model="able", messages=ASK, response_format=form())
    assert answer.choices[0].message.content == GOOD
    assert "response_format" not in sent(vendor, 2)
    assert [attempt.cause for attempt in gateway.journal()[-1].attempts] == ["first", "reword", "reask"]


def test_json_mode_is_an_object_on_every_model(client: OpenAI, vendor: Upstream) -> None:
    vendor.script(json_reply(completion("[1]")), json_reply(completion('{"a": [1]}')))
    answer = client.chat.completions.create(model="plain", messages=ASK, response_format={"type": "json_object"})
    assert answer.choices[0].message.content == '{"a": [1]}'


def test_a_stream_that_fits_passes_as_it_came(client: OpenAI, vendor: Upstream) -> None:
    vendor.script(stream('{"name": "A', 'da", "age"', ": 36}"))
    chunks = list(client.chat.completions.create(model="able", messages=ASK, response_format=form(), stream=True))
    assert [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content] == [
        '{"name": "A',
        'da", "age"',
        ": 36}",
    ]


@pytest.mark.parametrize(
    "words",
    [
        ("Sure, ", "here it is"),
        ('{"name": 1, ', '"age": 36}'),
        ('{"name": "Ada", "a', 'ge": 37}'),
        ('{"name": "Ada"}',),
    ],
)
def test_a_stream_that_cannot_fit_ends_in_an_error(client: OpenAI, vendor: Upstream, words: tuple[str, ...]) -> None:
    vendor.script(stream(*words))
    chunks = client.chat.completions.create(model="able", messages=ASK, response_format=form(), stream=True)
    with pytest.raises(openai.APIError) as caught:
        list(chunks)
    assert caught.value.code == "output_invalid"


def test_a_held_stream_is_asked_for_again_and_only_the_good_one_is_seen(
    client: OpenAI, vendor: Upstream, gateway: Gateway
) -> None:
    vendor.script(stream(BAD), stream(*GOOD))
    chunks = client.chat.completions.create(
        model="held",
        messages=ASK,
        response_format=form(),
        stream=True,
        stream_options={"include_usage": True},
    )
    read = list(chunks)
    assert "".join(c.choices[0].delta.content or "" for c in read if c.choices) == GOOD
    assert read[-1].usage is not None
    assert read[-1].usage.prompt_tokens == 18
    assert gateway.journal()[-1].attempts[1].cause == "reask"


def test_what_was_cut_is_an_error_that_says_so(client: OpenAI, vendor: Upstream) -> None:
    body = completion('{"name": "Ada", "age": 3')
    body["choices"][0]["finish_reason"] = "length"
    vendor.script(json_reply(body), json_reply(body), json_reply(body))
    with pytest.raises(openai.InternalServerError, match="cut at its limit"):
        client.chat.completions.create(model="able", messages=ASK, response_format=form())


def test_json_that_was_cut_tells_so_by_its_finish_reason(client: OpenAI, vendor: Upstream) -> None:
    body = completion('{"name": "Ada", "age": 3')
    body["choices"][0]["finish_reason"] = "length"
    vendor.script(json_reply(body))
    answer = client.chat.completions.create(model="able", messages=ASK, response_format={"type": "json_object"})
    assert answer.choices[0].finish_reason == "length"
    assert len(vendor.requests) == 1


def test_a_refusal_is_a_refusal_and_not_a_broken_form(client: OpenAI, vendor: Upstream) -> None:
    body = completion("")
    body["choices"][0]["message"] |= {"content": None, "refusal": "I would rather not."}
    vendor.script(json_reply(body))
    answer = client.chat.completions.create(model="able", messages=ASK, response_format=form())
    assert answer.choices[0].message.refusal == "I would rather not."
    assert len(vendor.requests) == 1


def test_every_choice_is_judged(client: OpenAI, vendor: Upstream) -> None:
    body = completion(GOOD)
    other = json.loads(json.dumps(body["choices"][0]))
    other["index"], other["message"]["content"] = 1, BAD
    body["choices"].append(other)
    vendor.script(json_reply(body), json_reply(completion(GOOD)))
    client.chat.completions.create(model="able", messages=ASK, n=2, response_format=form())
    assert len(vendor.requests) == 2


def test_without_strict_the_best_attempt_is_handed_on(client: OpenAI, vendor: Upstream) -> None:
    vendor.script(*(json_reply(completion(BAD)) for _ in range(3)))
    answer = client.chat.completions.create(model="able", messages=ASK, response_format=form(None))
    assert answer.choices[0].message.content == BAD
    assert len(vendor.requests) == 3


def test_a_schema_that_is_expressly_not_strict_is_left_to_the_model(client: OpenAI, vendor: Upstream) -> None:
    vendor.script(json_reply(completion(BAD)))
    answer = client.chat.completions.create(model="able", messages=ASK, response_format=form(strict=False))
    assert answer.choices[0].message.content == BAD
    vendor.script(json_reply(completion(f"```\n{GOOD}\n```")))
    answer = client.chat.completions.create(model="plain", messages=ASK, response_format=form(strict=False))
    assert answer.choices[0].message.content == GOOD


def test_arguments_of_strict_tools_hold(client: OpenAI, vendor: Upstream) -> None:
    vendor.script(json_reply(call(BAD)), json_reply(call(GOOD)))
    answer = client.chat.completions.create(model="able", messages=ASK, tools=[TOOL])
    calls: Any = answer.choices[0].message.tool_calls
    assert calls[0].function.arguments == GOOD
    said = sent(vendor, 1)["messages"]
    assert said[1]["tool_calls"][0]["function"]["arguments"] == BAD
    assert said[2]["role"] == "tool"
    assert said[2]["tool_call_id"] == "call_1"


def test_arguments_of_other_tools_hold_where_the_route_says_always(client: OpenAI, vendor: Upstream) -> None:
    lax = {"type": "function", "function": {"name": "look_up", "parameters": SCHEMA}}
    vendor.script(json_reply(call(BAD)), json_reply(call(BAD)))
    answer = client.chat.completions.create(model="able", messages=ASK, tools=[lax])
    assert answer.choices[0].message.tool_calls
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="always", messages=ASK, tools=[lax])
    body: Any = caught.value.body
    assert body["best_attempt"] == [{"name": "look_up", "arguments": BAD}]


def test_a_route_may_leave_forms_alone(client: OpenAI, vendor: Upstream) -> None:
    vendor.script(json_reply(completion(BAD)))
    answer = client.chat.completions.create(model="never", messages=ASK, response_format=form())
    assert answer.choices[0].message.content == BAD


@pytest.mark.parametrize("route", ["frugal", "few", "once"])
def test_asking_again_ends_at_the_bounds_of_money_tokens_and_attempts(
    client: OpenAI, vendor: Upstream, route: str
) -> None:
    vendor.script(json_reply(completion(BAD)))
    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model=route, messages=ASK, response_format=form())
    assert len(vendor.requests) == 1


def test_a_bad_schema_is_refused_before_anything_is_asked(client: OpenAI, vendor: Upstream) -> None:
    bad: Any = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": {"type": "objct"}}}
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="able", messages=ASK, response_format=bad)
    assert caught.value.param == "response_format.json_schema.schema"
    assert not vendor.requests


def test_a_routes_own_form_needs_nothing_of_the_caller(client: OpenAI, vendor: Upstream) -> None:
    vendor.script(json_reply(completion("I think: glad?")), json_reply(completion("**Glad.**")))
    answer = client.chat.completions.create(model="mood", messages=ASK)
    assert answer.choices[0].message.content == "glad"
    said = sent(vendor, 0)["messages"]
    assert [turn["role"] for turn in said] == ["system", "user", "assistant", "user"]
    assert "glad, sad" in said[0]["content"]
    assert said[1]["content"] == "I won!"


def test_a_routes_own_schema_is_asked_for_in_the_models_mode(client: OpenAI, vendor: Upstream) -> None:
    vendor.script(json_reply(completion(GOOD)))
    client.chat.completions.create(model="person", messages=ASK)
    assert sent(vendor, 0)["response_format"]["json_schema"]["schema"] == SCHEMA


def test_a_routes_prompt_stands_before_what_the_caller_says(client: OpenAI, vendor: Upstream, gateway: Gateway) -> None:
    vendor.script(json_reply(completion()))
    client.chat.completions.create(model="support", messages=[{"role": "system", "content": "Mine."}, *ASK])
    assert sent(vendor, 0)["messages"] == [
        {"role": "system", "content": "You answer for Acme. Be brief."},
        {"role": "system", "content": "Mine."},
        {"role": "user", "content": "It is 2026."},
        {"role": "assistant", "content": "Noted."},
        *ASK,
    ]
    assert gateway.journal()[-1].prompt == "support@10"


def test_a_request_names_a_version_and_fills_its_places(client: OpenAI, vendor: Upstream, gateway: Gateway) -> None:
    vendor.script(json_reply(completion()), json_reply(completion()))
    variables = {"brand": "{{year}} & Sons", "manner": "kind"}
    named = {"prompt": {"id": "support", "version": "10", "variables": variables}, "novel": 1.0}
    client.chat.completions.create(model="able", messages=ASK, extra_body=named)
    body = sent(vendor, 0)
    assert body["messages"][0]["content"] == "You answer for {{year}} & Sons. Be kind."
    assert "prompt" not in body
    assert body["novel"] == 1.0
    client.chat.completions.create(model="support", messages=ASK, extra_body={"prompt": "support@2"})
    assert sent(vendor, 1)["messages"][0]["content"] == "The old one."
    assert gateway.journal()[-1].prompt == "support@2"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": ASK}),
        ("/v1/messages", {"messages": ASK, "max_tokens": 10}),
        ("/v1/responses", {"input": "How old is Ada?"}),
    ],
)
def test_callers_of_every_dialect_name_a_prompt_by_name_and_version(
    client: OpenAI, vendor: Upstream, gateway: Gateway, path: str, body: dict[str, Any]
) -> None:
    vendor.script(json_reply(completion()))
    fields = {"model": "able", "prompt": "support@2", **body}
    client.post(path.removeprefix("/v1"), body=fields, cast_to=object)
    (request,) = vendor.requests
    said = json.loads(request.body)
    assert "prompt" not in said
    assert [turn["content"] for turn in said["messages"]] == ["The old one.", "How old is Ada?"]
    assert gateway.journal()[-1].prompt == "support@2"


@pytest.mark.parametrize(
    ("model", "prompt", "param"),
    [
        ("able", "suport@10", "prompt"),
        ("able", {"id": "support", "variables": {"brnd": "x"}}, "prompt.variables.brnd"),
        ("able", {"id": "support", "variables": {"year": "soon"}}, "prompt.variables.year"),
        ("able", {"id": "support", "variables": {"manner": "rude"}}, "prompt.variables.manner"),
        ("able", "tone", "prompt.variables.manner"),
        ("able", 7, "prompt"),
        ("support", "tone", "prompt"),
    ],
)
def test_a_wrong_prompt_is_refused_before_anything_is_asked(
    client: OpenAI, vendor: Upstream, model: str, prompt: Any, param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=model, messages=ASK, extra_body={"prompt": prompt})
    assert caught.value.param == param
    assert not vendor.requests


def test_a_model_gets_its_own_variant(client: OpenAI, vendor: Upstream) -> None:
    vendor.script(json_reply(completion()))
    client.chat.completions.create(model="bland", messages=ASK)
    assert sent(vendor, 0)["messages"] == [{"role": "system", "content": "Acme!"}, *ASK]


def test_a_pinned_route_asks_every_call_alike(client: OpenAI, vendor: Upstream, gateway: Gateway) -> None:
    vendor.script(json_reply(completion(system_fingerprint="fp_1")), json_reply(completion()))
    client.chat.completions.create(model="pinned", messages=ASK, temperature=1.5, seed=3, extra_body={"novel": 1.0})
    body = sent(vendor, 0)
    assert (body["temperature"], body["seed"], body["novel"]) == (0.0, 7, 1.0)
    assert gateway.journal()[-1].fingerprint == "fp_1"
    client.chat.completions.create(model="seedless", messages=ASK)
    assert "seed" not in sent(vendor, 1)


def test_a_change_of_what_serves_is_recorded_and_counted(client: OpenAI, vendor: Upstream, gateway: Gateway) -> None:
    def changes() -> float:
        page = gateway.get("/metrics").decode().splitlines()
        return sum(float(line.split()[-1]) for line in page if line.startswith("mainstay_model_changes_total{"))

    for mark in ("fp_1", "fp_1", "fp_2"):
        before = changes()
        events = [
            event.replace(b'"created"', b'"system_fingerprint": "%s", "created"' % mark.encode())
            for event in sse_chunks("Hi")
        ]
        vendor.script([Head(200), *(Chunk(event) for event in events)])
        list(client.chat.completions.create(model="never", messages=ASK, stream=True))
        assert gateway.journal()[-1].fingerprint == mark
    assert changes() == before + 1


def test_the_record_never_holds_words_of_the_answer(client: OpenAI, vendor: Upstream, gateway: Gateway) -> None:
    vendor.script(*(json_reply(completion('{"name": "Zebedee", "age": "Quux"}')) for _ in range(3)))
    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model="able", messages=ASK, response_format=form())
    record = str(gateway.journal()[-1])
    assert "Zebedee" not in record
    assert "Quux" not in record
    assert "Quux" not in gateway.log()


def test_anthropics_callers_get_the_same(gateway: Gateway, vendor: Upstream) -> None:
    vendor.forget()
    vendor.script(json_reply(completion(BAD)), json_reply(completion(GOOD)))
    sdk = anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0)
    answer = sdk.messages.create(
        model="able",
        max_tokens=100,
        messages=[{"role": "user", "content": "How old is Ada?"}],
        extra_body={"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    )
    assert answer.content[0].text == GOOD  # type: ignore[union-attr]  # a text block
    assert len(vendor.requests) == 2


def test_a_prompt_changes_with_an_edit_and_no_restart(client: OpenAI, vendor: Upstream, gateway: Gateway) -> None:
    vendor.handler = lambda request: json_reply(completion())
    before = gateway.pids("worker")
    config = json.loads(json.dumps(gateway.config))
    config["prompts"]["support@11"] = {"system": "The newest, for {{brand}}.", "variables": {"brand": {}}}
    config["routes"]["support"]["prompt"] = "support@2"

    def says(prompt: Any) -> str:
        extra = {"prompt": prompt} if prompt else {}
        client.chat.completions.create(model="support", messages=ASK, extra_body=extra)
        return str(sent(vendor, -1)["messages"][0]["content"])

    assert says(None) == "You answer for Acme. Be brief."
    gateway.write(config)
    gateway.until(lambda: says(None) == "The old one.")
    assert says({"id": "support", "version": "11", "variables": {"brand": "Ada"}}) == "The newest, for Ada."
    assert gateway.journal()[-1].prompt == "support@11"
    assert gateway.pids("worker") == before
