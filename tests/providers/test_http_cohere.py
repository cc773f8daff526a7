"""The official OpenAI and Anthropic SDKs against a running gateway in front of a scripted Cohere."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from anthropic import Anthropic
from openai import OpenAI

from support import cohere_wire as wire
from support.asking import HELLO, ask_chat
from support.gateway import Gateway
from support.upstream import Upstream, json_reply

TOOL: Any = {"type": "function", "function": {"name": "get", "parameters": {"type": "object", "properties": {}}}}
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, vendor: Upstream) -> Iterator[Gateway]:
    row = {"kind": "cohere", "base_url": vendor.url, "api_key": "${COHERE_KEY}"}
    models = {name: {"provider": name, "name": "command-a-03-2025"} for name in ("command", "sick", "cut")}
    config = {
        "providers": dict.fromkeys(models, row),
        "models": models,
        "routes": {name: {"targets": [name], "attempts": 1} for name in models},
    }
    home = tmp_path_factory.mktemp("gateway")
    with Gateway(home, config, env={"COHERE_KEY": "co-upstream-0123456789"}) as running:
        yield running


def create(client: OpenAI, stream: bool, **fields: Any) -> Any:
    return ask_chat(client, stream, **{"model": "command", **fields})


def script(vendor: Upstream, stream: bool, said: wire.Json) -> None:
    vendor.script(wire.streamed(said, list) if stream else json_reply(said))


@BOTH
def test_text_and_calls_come_back_to_the_openai_sdk(
    client: OpenAI, vendor: Upstream, gateway: Gateway, stream: bool
) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "get", "arguments": '{"city":"Köln"}'}}
    said = wire.answer({"type": "text", "text": "Hé \U0001f600"}, finish="TOOL_CALL", tool_calls=[call])
    script(vendor, stream, said)
    answer = create(client, stream, tools=[TOOL])
    choice = answer.choices[0]
    assert (choice.message.content, choice.finish_reason) == ("Hé \U0001f600", "tool_calls")
    assert json.loads(choice.message.tool_calls[0].function.arguments) == {"city": "Köln"}
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (10, 5)
    (request,) = vendor.requests
    assert (request.path, request.header("authorization")) == ("/v2/chat", "Bearer co-upstream-0123456789")
    record = gateway.journal()[-1]
    assert (record.outcome, record.finish) == ("ok", "tools")


@BOTH
def test_a_plan_reaches_the_anthropic_sdk_as_thinking(gateway: Gateway, vendor: Upstream, stream: bool) -> None:
    vendor.forget()
    call = {"id": "c1", "type": "function", "function": {"name": "get", "arguments": "{}"}}
    script(vendor, stream, wire.answer(finish="TOOL_CALL", tool_plan="I will look.", tool_calls=[call]))
    asked: Any = {"model": "command", "max_tokens": 50, "messages": HELLO}
    asked["tools"] = [{"name": "get", "input_schema": {"type": "object", "properties": {}}}]
    with Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0) as claude:
        if stream:
            with claude.messages.stream(**asked) as events:
                answer = events.get_final_message()
        else:
            answer = claude.messages.create(**asked)
    assert answer.stop_reason == "tool_use"
    assert [block.type for block in answer.content] == ["thinking", "tool_use"]
    assert answer.content[0].to_dict()["thinking"] == "I will look."


def test_an_error_has_its_status(client: OpenAI, vendor: Upstream) -> None:
    vendor.script(json_reply({"id": "x", "message": "You are using a Trial key"}, 429))
    with pytest.raises(openai.RateLimitError):
        create(client, False, model="sick")


def test_a_stream_that_breaks_never_ends_well(client: OpenAI, vendor: Upstream) -> None:
    vendor.script(wire.streamed(wire.events(wire.answer({"type": "text", "text": "Hi"}))[:-1]))
    with pytest.raises(openai.APIError):
        create(client, True, model="cut")
