"""The official Anthropic SDK against a running gateway in front of every kind of model."""

import base64
import json
import threading
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import pytest
from anthropic import Anthropic

from support import messages_wire as wire
from support.gateway import Gateway, completion, sse_chunks
from support.upstream import Chunk, Cut, Head, Reply, Silence, Step, Upstream, Wait, json_reply

HELLO: list[Any] = [{"role": "user", "content": "Hello?"}]
WEATHER: Any = {
    "name": "weather",
    "description": "The weather in a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 8).decode()
KINDS = {"claude": "anthropic", "gpt": "openai"}
SICK = (400, 401, 429, 500, 529)
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def text(words: str) -> wire.Message:
    return {"type": "text", "text": words}


def streamed(said: wire.Message, cut: wire.Cut = wire.whole_piece) -> list[Step]:
    """Return the steps that stream a message, one write an event."""
    return [Head(200), *(Chunk(wire.sse([event])) for event in wire.events(said, cut))]


@pytest.fixture(scope="module")
def vendor() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, vendor: Upstream) -> Iterator[Gateway]:
    impatient = {"headers": "300ms", "first_token": "300ms", "idle": "300ms"}
    # What is learnt of a failing provider must not reach the next test: each failure has one of its own.
    sick = {f"sick-{model}-{status}": KINDS[model] for model in KINDS for status in SICK}
    config: dict[str, Any] = {
        "providers": {
            "claude": {"kind": "anthropic", "base_url": vendor.url, "api_key": "${UPSTREAM_KEY}"},
            "open": {"kind": "openai", "base_url": f"{vendor.url}/v1", "api_key": "${UPSTREAM_KEY}"},
            "echo": {"kind": "echo"},
        },
        "models": {
            "haiku": {"provider": "claude", "name": "claude-haiku-4-5"},
            "gpt": {"provider": "open", "name": "gpt-5"},
            "plain": {"provider": "open", "lacks": ["images", "tools"]},
            "echo": {"provider": "echo"},
        },
        "routes": {
            "assistant": {"targets": ["haiku"]},
            "impatient": {"targets": ["haiku"], "timeouts": impatient, "attempts": 1},
            "kept": {"targets": ["haiku"], "content": "full"},
            "consoled": {"targets": ["sick-claude-401"], "last_resort": "Back in a minute."},
        },
    }
    for name, kind in sick.items():
        config["providers"][name] = {"kind": kind, "base_url": vendor.url, "api_key": "${UPSTREAM_KEY}"}
        config["models"][name] = {"provider": name}
    home = tmp_path_factory.mktemp("gateway")
    with Gateway(home, config, env={"UPSTREAM_KEY": "sk-ant-upstream-0123456789"}) as running:
        yield running


@pytest.fixture
def client(gateway: Gateway, vendor: Upstream) -> Iterator[Anthropic]:
    vendor.forget()
    with Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0) as sdk:
        yield sdk


def create(client: Anthropic, stream: bool, **fields: Any) -> Any:
    """Return the complete message, however it comes; a stream is put together by the SDK itself."""
    asked: dict[str, Any] = {"model": "gpt", "max_tokens": 100, "messages": HELLO, **fields}
    if not stream:
        return client.messages.create(**asked)
    with client.messages.stream(**asked) as events:
        return events.get_final_message()


def last_record(gateway: Gateway) -> Any:
    return gateway.journal()[-1]


# The same wire on both sides.


def test_a_whole_message_comes_back_as_the_upstream_wrote_it(
    client: Anthropic, vendor: Upstream, gateway: Gateway
) -> None:
    said = wire.message(text("Hi!"), novelty={"kept": [1, 2.0]})
    vendor.script(json_reply(said, request_id="req_upstream"))
    answer = client.messages.with_raw_response.create(model="assistant", max_tokens=10, messages=HELLO)
    assert json.loads(answer.http_response.content) == said
    assert answer.headers["x-mainstay-route"] == "assistant"
    assert answer.headers["request-id"] == answer.headers["x-request-id"]
    assert answer.headers["x-upstream-request-id"] == "req_upstream"
    record = last_record(gateway)
    assert (record.dialect, record.operation, record.path) == ("anthropic", "chat", "/v1/messages")
    assert (record.outcome, record.usage.input, record.usage.output) == ("ok", 10, 5)


def test_the_upstream_gets_the_callers_body_and_versions_and_its_own_key(client: Anthropic, vendor: Upstream) -> None:
    vendor.script(json_reply(wire.message(text("Hi!"))))
    client.beta.messages.create(
        model="assistant",
        max_tokens=10,
        betas=["new-thing-2026-01-01"],
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        messages=[
            {"role": "user", "content": "Think."},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Hm.", "signature": "sig=="},
                    {"type": "redacted_thinking", "data": "xyz"},
                    {"type": "text", "text": "Yes."},
                ],
            },
            {"role": "user", "content": "Go on."},
        ],
        thinking={"type": "enabled", "budget_tokens": 1024},
        extra_body={"novel_field": {"x": 1.0, "y": None}},
    )
    (request,) = vendor.requests
    sent = request.json()
    assert request.path == "/v1/messages"
    assert request.header("x-api-key") == "sk-ant-upstream-0123456789"
    assert request.header("anthropic-beta") == "new-thing-2026-01-01"
    assert request.header("anthropic-version") == client.default_headers["anthropic-version"]
    assert sent["model"] == "claude-haiku-4-5"
    assert sent["system"] == [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    assert [block["type"] for block in sent["messages"][1]["content"]] == ["thinking", "redacted_thinking", "text"]
    assert sent["thinking"] == {"type": "enabled", "budget_tokens": 1024}
    assert sent["novel_field"] == {"x": 1.0, "y": None}
    assert b'"x":1.0' in request.body.replace(b" ", b"")


def test_a_stream_passes_byte_for_byte(gateway: Gateway, vendor: Upstream) -> None:
    vendor.forget()
    said = wire.message(
        {"type": "thinking", "thinking": "Hm", "signature": "s" * 500},
        text("Hé!"),
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Köln"}},
        stop_reason="tool_use",
        novelty=1.0,
    )
    stream = wire.sse([*wire.events(said, list)[:1], {"type": "ping"}, *wire.events(said, list)[1:]])
    vendor.script([Head(200), Chunk(stream)])
    asked = {"model": "kept", "max_tokens": 10, "messages": HELLO, "stream": True}
    answer = httpx.post(f"{gateway.url}/v1/messages", json=asked, headers={"x-api-key": gateway.key})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.content == stream
    assert last_record(gateway).content.response == stream.decode()


def test_the_sdk_puts_the_stream_together(client: Anthropic, vendor: Upstream, gateway: Gateway) -> None:
    said = wire.message(
        {"type": "thinking", "thinking": "Hm", "signature": "sig"},
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Köln"}},
        stop_reason="tool_use",
    )
    vendor.script(streamed(said, list))
    message = create(client, True, model="assistant", tools=[WEATHER])
    assert message.content[0].signature == "sig"
    assert message.content[1].input == {"city": "Köln"}
    assert message.stop_reason == "tool_use"
    record = last_record(gateway)
    assert (record.stream, record.finish, record.usage.output) == (True, "tools", 5)


def test_tokens_are_counted_by_the_upstream_where_it_can(client: Anthropic, vendor: Upstream, gateway: Gateway) -> None:
    vendor.script(json_reply({"input_tokens": 2095, "novelty": 1}))
    counted = client.messages.count_tokens(model="assistant", messages=HELLO, tools=[WEATHER], system="Be brief.")
    assert counted.input_tokens == 2095
    assert counted.to_dict() == {"input_tokens": 2095, "novelty": 1}
    (request,) = vendor.requests
    assert request.path == "/v1/messages/count_tokens"
    assert set(request.json()) == {"model", "messages", "tools", "system"}
    assert request.json()["model"] == "claude-haiku-4-5"
    record = last_record(gateway)
    assert (record.operation, record.outcome, record.usage) == ("count_tokens", "ok", None)
    assert record.attempts[0].outcome == "ok"


@pytest.mark.parametrize("model", ["gpt", "echo", "assistant"])
def test_tokens_are_estimated_where_no_one_counts(client: Anthropic, vendor: Upstream, model: str) -> None:
    vendor.script(Reply(404, (("content-type", "application/json"),), b'{"error":{"message":"no such path"}}'))
    counted = client.messages.count_tokens(model=model, messages=[{"role": "user", "content": "x" * 400}])
    assert counted.to_dict() == {"input_tokens": 104, "estimated": True}


def test_last_words_are_a_message_and_no_count(client: Anthropic, vendor: Upstream) -> None:
    vendor.script(*[json_reply({"error": {"message": "no"}}, 401)] * 2)
    assert create(client, False, model="consoled").content[0].text == "Back in a minute."
    assert client.messages.count_tokens(model="consoled", messages=HELLO).to_dict()["estimated"] is True


# Another wire behind it.


@BOTH
def test_text_comes_back_from_another_wire(client: Anthropic, vendor: Upstream, gateway: Gateway, stream: bool) -> None:
    vendor.script([Head(200), *map(Chunk, sse_chunks("One", " two"))] if stream else json_reply(completion("One two")))
    message = create(client, stream)
    assert [block.to_dict() for block in message.content] == [{"type": "text", "text": "One two"}]
    assert (message.role, message.type, message.stop_reason) == ("assistant", "message", "end_turn")
    assert message.id.startswith("msg_")
    assert message.model.startswith("gpt-4o-mini")
    assert (message.usage.input_tokens, message.usage.output_tokens) == (9, 2 if stream else 3)
    record = last_record(gateway)
    assert (record.dialect, record.outcome, record.provider) == ("anthropic", "ok", "open")


def test_the_whole_request_goes_up_in_the_others_words(client: Anthropic, vendor: Upstream) -> None:
    vendor.script(json_reply(completion("Yes.")))
    client.messages.create(
        model="gpt",
        max_tokens=99,
        system=[{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}],
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?", "cache_control": {"type": "ephemeral"}},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
                    {"type": "image", "source": {"type": "url", "url": "https://example.com/x.png"}},
                    {
                        "type": "document",
                        "title": "a.pdf",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="},
                    },
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Hm.", "signature": "sig=="},
                    {"type": "text", "text": "I look."},
                    {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Köln"}},
                    {"type": "tool_use", "id": "toolu_2", "name": "weather", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "toolu_1",
                        "content": [
                            {"type": "text", "text": "Rain."},
                            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
                        ],
                    },
                    {"type": "tool_result", "tool_use_id": "toolu_2", "content": "No city.", "is_error": True},
                    {"type": "text", "text": "And now?"},
                ],
            },
        ],
        tools=[WEATHER],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
        stop_sequences=["END"],
        metadata={"user_id": "user-7"},
        output_config={"effort": "low"},
        extra_body={"temperature": 0.5, "top_p": 0.9, "top_k": 5},
    )
    sent = vendor.requests[0].json()
    assert vendor.requests[0].path == "/v1/chat/completions"
    system, user, called, first, second, after = sent.pop("messages")
    assert (system["role"], [part["text"] for part in system["content"]]) == ("system", ["Be brief.", "Be kind."])
    assert user["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/x.png"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERg==", "filename": "a.pdf"}},
    ]
    assert called["content"] == "I look."
    assert [(c["id"], json.loads(c["function"]["arguments"])) for c in called["tool_calls"]] == [
        ("toolu_1", {"city": "Köln"}),
        ("toolu_2", {}),
    ]
    assert (first["role"], first["tool_call_id"], first["content"]) == ("tool", "toolu_1", "Rain.")
    assert (second["role"], second["tool_call_id"]) == ("tool", "toolu_2")
    assert "failed" in json.dumps(second["content"])
    assert after["role"] == "user"
    assert [part["type"] for part in after["content"]] == ["image_url", "text"]
    assert sent == {
        "model": "gpt-5",
        "max_completion_tokens": 99,
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "weather",
                    "description": "The weather in a city.",
                    "parameters": WEATHER["input_schema"],
                },
            }
        ],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "stop": ["END"],
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 5,
        "user": "user-7",
        "reasoning_effort": "low",
    }


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "weather"}, {"type": "function", "function": {"name": "weather"}}),
    ],
)
def test_each_choice_of_tools_has_its_word(client: Anthropic, vendor: Upstream, choice: Any, sent: Any) -> None:
    vendor.script(json_reply(completion()))
    create(client, False, tools=[WEATHER], tool_choice=choice)
    assert vendor.requests[0].json()["tool_choice"] == sent


@BOTH
def test_parallel_calls_come_back_as_blocks(client: Anthropic, vendor: Upstream, stream: bool) -> None:
    functions = [{"name": "weather", "arguments": '{"city": "K\\u00f6ln"}'}, {"name": "weather", "arguments": "{}"}]
    calls = [{"id": f"call_{i}", "type": "function", "function": function} for i, function in enumerate(functions)]
    if stream:
        pieces: list[dict[str, Any]] = [
            {"index": 0, "id": "call_0", "type": "function", "function": {"name": "weather", "arguments": ""}},
            {"index": 1, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{"}},
            *({"index": 0, "function": {"arguments": letter}} for letter in functions[0]["arguments"]),
            {"index": 1, "function": {"arguments": "}"}},
        ]
        head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        choices = [{"index": 0, "delta": {"tool_calls": [piece]}, "finish_reason": None} for piece in pieces]
        choices.append({"index": 0, "delta": {}, "finish_reason": "tool_calls"})
        events = [b"data: %b\n\n" % json.dumps({**head, "choices": [choice]}).encode() for choice in choices]
        vendor.script([Head(200), *map(Chunk, events), Chunk(b"data: [DONE]\n\n")])
    else:
        said = completion()
        said["choices"][0] = {
            "index": 0,
            "message": {"role": "assistant", "content": None, "tool_calls": calls},
            "finish_reason": "tool_calls",
        }
        vendor.script(json_reply(said))
    message = create(client, stream, tools=[WEATHER])
    assert [(block.id, block.name, block.input) for block in message.content] == [
        ("call_0", "weather", {"city": "Köln"}),
        ("call_1", "weather", {}),
    ]
    assert message.stop_reason == "tool_use"


@BOTH
def test_reasoning_of_another_wire_is_a_thinking_block(client: Anthropic, vendor: Upstream, stream: bool) -> None:
    if stream:
        events = sse_chunks("Yes.")
        head = json.loads(events[0][6:])
        head["choices"][0]["delta"] = {"role": "assistant", "reasoning_content": "Hm."}
        vendor.script([Head(200), Chunk(b"data: %b\n\n" % json.dumps(head).encode()), *map(Chunk, events[1:])])
    else:
        said = completion("Yes.")
        said["choices"][0]["message"]["reasoning_content"] = "Hm."
        vendor.script(json_reply(said))
    message = create(client, stream, max_tokens=9000, thinking={"type": "enabled", "budget_tokens": 8000})
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.content[0].thinking == "Hm."
    assert vendor.requests[0].json()["reasoning_effort"] == "medium"


@BOTH
def test_the_echo_answers(client: Anthropic, stream: bool) -> None:
    message = create(client, stream, model="echo", messages=[{"role": "user", "content": "a b c d"}], max_tokens=3)
    assert message.content[0].text == "a b c"
    assert message.stop_reason == "max_tokens"


def test_the_first_event_is_here_before_the_upstream_sends_the_second(client: Anthropic, vendor: Upstream) -> None:
    events = sse_chunks("One", " two")
    seen = threading.Event()
    vendor.script([Head(200), Chunk(events[0] + events[1]), Wait(seen), *map(Chunk, events[2:])])
    words = []
    with client.messages.stream(model="gpt", max_tokens=10, messages=HELLO) as stream:
        for word in stream.text_stream:
            words.append(word)
            # Only now may the upstream go on: were the stream buffered, this would never be reached.
            seen.set()
    assert words == ["One", " two"]


def test_signs_of_life_are_pings(gateway: Gateway, vendor: Upstream) -> None:
    vendor.forget()
    events = sse_chunks("One", " two")
    seen = threading.Event()
    vendor.script(
        [Head(200), *map(Chunk, events[:2]), Wait(seen), Chunk(b": still here\n\n"), Silence()],
    )
    asked = {"model": "gpt", "max_tokens": 10, "messages": HELLO, "stream": True}
    headers = {"x-api-key": gateway.key}
    received = b""
    with httpx.stream("POST", f"{gateway.url}/v1/messages", json=asked, headers=headers) as answer:
        for piece in answer.iter_raw():
            received += piece
            seen.set()
            if b"ping" in received:
                break
    assert received.endswith(b'event: ping\ndata: {"type":"ping"}\n\n')


# Errors.


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [WEATHER]}, "tools"),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": "x"},
                            {"type": "image", "source": {"type": "url", "url": "https://example.com/x.png"}},
                        ],
                    }
                ]
            },
            "messages[0].content[1]",
        ),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}], "model": "gpt"}, "tools[0]"),
        ({"model": "gpt", "system": "x", "messages": [{"role": "user", "content": [{"type": "new"}]}]},
         "messages[0].content[0]"),
        ({"model": "gpt", "extra_body": {"container": "c"}}, "container"),
        ({"model": "gpt", "extra_body": {"thinking": {"type": "new"}}}, "thinking"),
        ({"model": "echo", "max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 1024}}, "thinking"),
    ],
)  # fmt: skip
def test_what_the_target_cannot_do_is_refused_with_the_field_named(
    client: Anthropic, vendor: Upstream, fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(anthropic.BadRequestError) as caught:
        create(client, False, **{"model": "plain", **fields})
    assert caught.value.error_code == "unsupported_by_model"
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["error"]["param"] == param
    assert vendor.requests == []


def test_a_missing_limit_is_a_400_that_names_it(gateway: Gateway) -> None:
    answer = httpx.post(
        f"{gateway.url}/v1/messages", json={"model": "echo", "messages": HELLO}, headers={"x-api-key": gateway.key}
    )
    assert answer.status_code == 400
    body = answer.json()
    assert body["type"] == "error"
    assert body["error"]["type"] == "invalid_request_error"
    assert (body["error"]["param"], body["error"]["code"]) == ("max_tokens", "invalid_request")
    assert body["request_id"] == answer.headers["request-id"]


@pytest.mark.parametrize("model", KINDS)
@pytest.mark.parametrize(
    ("status", "kind", "shown", "error_type"),
    [
        (400, anthropic.BadRequestError, 400, "invalid_request_error"),
        (401, anthropic.InternalServerError, 502, "api_error"),
        (429, anthropic.RateLimitError, 429, "rate_limit_error"),
        (500, anthropic.InternalServerError, 502, "api_error"),
    ],
)
def test_an_upstreams_error_is_one_of_the_sdks(
    client: Anthropic, vendor: Upstream, model: str, status: int, kind: Any, shown: int, error_type: str
) -> None:
    # Some are asked again: the script covers it.
    vendor.script(*[json_reply({"error": {"message": "no", "type": "x"}}, status, retry_after="7")] * 4)
    with pytest.raises(kind) as caught:
        create(client, False, model=f"sick-{model}-{status}")
    assert (caught.value.status_code, caught.value.type) == (shown, error_type)
    assert caught.value.request_id
    assert (caught.value.response.headers.get("retry-after") is not None) == (status == 429)


def test_an_overloaded_upstream_is_a_529(client: Anthropic, vendor: Upstream) -> None:
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    vendor.script(*[json_reply(overloaded, 529)] * 4)
    with pytest.raises(anthropic.InternalServerError) as caught:
        create(client, False, model="sick-claude-529")
    assert (caught.value.status_code, caught.value.type) == (529, "overloaded_error")
    assert caught.value.response.headers["retry-after"]


def test_an_unknown_model_is_a_404(client: Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError, match="did you mean 'assistant'"):
        create(client, False, model="asistant")


def test_without_a_good_key_there_is_only_a_401(gateway: Gateway) -> None:
    stranger = Anthropic(base_url=gateway.url, api_key="sk-ant-nope", max_retries=0)
    with stranger, pytest.raises(anthropic.AuthenticationError) as caught:
        create(stranger, False)
    assert caught.value.type == "authentication_error"


@pytest.mark.parametrize(
    "headers",
    [{"authorization": "Bearer KEY"}, {"x-api-key": "KEY"}, {"authorization": "Bearer x", "x-api-key": "KEY"}],
)
def test_the_key_may_come_either_way_or_beside_another(gateway: Gateway, headers: dict[str, str]) -> None:
    asked = {"model": "echo", "max_tokens": 10, "messages": HELLO}
    headers = {name: value.replace("KEY", gateway.key) for name, value in headers.items()}
    assert httpx.post(f"{gateway.url}/v1/messages?beta=true", json=asked, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/v1/messages", 405, "invalid_request_error"),
        ("POST", "/v1/messages/batches", 404, "not_found_error"),
        ("GET", "/v1/skills", 404, "not_found_error"),
        ("GET", "/v1/models/none-such", 404, "not_found_error"),
    ],
)
def test_wrong_methods_and_paths_are_told_in_the_dialect(
    gateway: Gateway, method: str, path: str, status: int, kind: str
) -> None:
    headers = {"x-api-key": gateway.key, "anthropic-version": "2023-06-01"}
    answer = httpx.request(method, gateway.url + path, headers=headers)
    assert (answer.status_code, answer.json()["type"], answer.json()["error"]["type"]) == (status, "error", kind)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"model": "echo", "messages": "\xff"}', b"[" * 100_000])
def test_what_is_no_request_is_a_400(gateway: Gateway, body: bytes) -> None:
    headers = {"x-api-key": gateway.key, "content-type": "application/json"}
    for path in ("/v1/messages", "/v1/messages/count_tokens"):
        answer = httpx.post(gateway.url + path, content=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize("model", ["assistant", "gpt"])
def test_a_stream_that_breaks_raises_in_the_sdk(
    client: Anthropic, vendor: Upstream, gateway: Gateway, model: str
) -> None:
    events = [wire.sse([event]) for event in wire.events(wire.message(text("One")))[:3]]
    if model == "gpt":
        events = sse_chunks("One", finish=None, usage=False, done=False)
    vendor.script([Head(200), *map(Chunk, events), Cut()])
    words: list[str] = []
    asked = {"model": model, "max_tokens": 10, "messages": HELLO}
    with pytest.raises(anthropic.APIStatusError) as caught, client.messages.stream(**asked) as stream:
        words.extend(stream.text_stream)
    assert words == ["One"]
    assert caught.value.error_code == "upstream_interrupted"
    record = last_record(gateway)
    assert (record.outcome, record.error, record.status) == ("failed", "upstream_interrupted", 200)


def test_an_error_event_of_the_upstream_is_one_here(client: Anthropic, vendor: Upstream) -> None:
    events = [wire.sse([event]) for event in wire.events(wire.message(text("One")))[:3]]
    failed = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'
    vendor.script([Head(200), *map(Chunk, events), Chunk(failed)])
    with pytest.raises(anthropic.APIStatusError) as caught:
        create(client, True, model="assistant")
    assert (caught.value.type, caught.value.error_code) == ("api_error", "upstream_interrupted")


def test_a_silent_upstream_is_given_up_in_time(client: Anthropic, vendor: Upstream) -> None:
    vendor.script([Silence()])
    with pytest.raises(anthropic.InternalServerError) as caught:
        create(client, False, model="impatient")
    assert (caught.value.status_code, caught.value.type) == (504, "timeout_error")


def test_a_caller_who_leaves_a_stream_stops_the_upstream(gateway: Gateway, vendor: Upstream) -> None:
    vendor.forget()
    events = [wire.sse([event]) for event in wire.events(wire.message(text("One")))[:3]]
    vendor.script([Head(200), *map(Chunk, events), Silence()])
    headers = {"x-api-key": gateway.key, "x-request-id": "leaver"}
    asked = {"model": "assistant", "max_tokens": 10, "messages": HELLO, "stream": True}
    with httpx.stream("POST", f"{gateway.url}/v1/messages", json=asked, headers=headers) as response:
        next(response.iter_raw())
    assert vendor.requests[-1].closed.wait(60)
    gateway.until(lambda: any(record.request_id == "leaver" for record in gateway.journal()))
    (record,) = [record for record in gateway.journal() if record.request_id == "leaver"]
    assert (record.outcome, record.status) == ("gone", 499)


# The list of models.


def test_the_models_are_a_list_of_this_wire_in_pages(client: Anthropic) -> None:
    names = [model.id for model in client.models.list(limit=2)]
    assert names == [model.id for model in client.models.list(limit=1000)]
    assert {"assistant", "haiku", "gpt", "echo"} <= set(names)
    page = client.models.list(limit=2, before_id=names[3])
    assert ([model.id for model in page.data], page.has_more) == (names[1:3], True)
    model = client.models.retrieve("gpt")
    assert (model.id, model.display_name, model.type) == ("gpt", "gpt", "model")


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "after_id=none-such"])
def test_a_page_that_is_none_is_a_400(gateway: Gateway, query: str) -> None:
    headers = {"x-api-key": gateway.key, "anthropic-version": "2023-06-01"}
    answer = httpx.get(f"{gateway.url}/v1/models?{query}", headers=headers)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


def test_other_callers_see_the_models_as_before(gateway: Gateway) -> None:
    answer = httpx.get(f"{gateway.url}/v1/models", headers={"authorization": f"Bearer {gateway.key}"})
    assert answer.json()["object"] == "list"
