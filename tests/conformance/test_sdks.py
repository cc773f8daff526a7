"""The official SDKs against a running gateway in front of every vendor's wire, over real sockets."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from anthropic import Anthropic
from openai import OpenAI

from support.all_vendors import all_vendors
from support.gateway import Gateway
from support.upstream import Upstream
from support.vendors import USAGE, VENDORS, Call, Said

SAID = Said('Hé "there" \U0001f600.', calls=(Call("call_1", "get", '{"city": "Köln"}'), Call("call_2", "get", "{}")))
ARGUMENTS = [json.loads(call.arguments) for call in SAID.calls]
SCHEMA: Any = {"type": "object", "properties": {"city": {"type": "string"}}}
FLAT: Any = [{"type": "function", "name": "get", "parameters": SCHEMA, "strict": False}]
HELLO: Any = [{"role": "user", "content": "Hi?"}]
each_vendor = pytest.mark.parametrize("vendor", VENDORS)
both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
Running = tuple[Gateway, Upstream]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with all_vendors(tmp_path_factory.mktemp("gateway"), SAID) as both_of_them:
        yield both_of_them


@pytest.fixture(scope="module")
def client(running: Running) -> Iterator[OpenAI]:
    gateway = running[0]
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as sdk:
        yield sdk


@pytest.fixture(scope="module")
def claude(running: Running) -> Iterator[Anthropic]:
    gateway = running[0]
    with Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0) as sdk:
        yield sdk


def chat(client: OpenAI, model: str, stream: bool) -> Any:
    tools: Any = [{"type": "function", "function": {"name": "get", "parameters": SCHEMA}}]
    asked: Any = {"model": model, "messages": HELLO, "tools": tools}
    if not stream:
        return client.chat.completions.create(**asked)
    with client.chat.completions.stream(**asked, stream_options={"include_usage": True}) as events:
        return events.get_final_completion()


def message(claude: Anthropic, model: str, stream: bool) -> Any:
    asked: Any = {"model": model, "max_tokens": 100, "messages": HELLO}
    asked["tools"] = [{"name": "get", "input_schema": SCHEMA}]
    if not stream:
        return claude.messages.create(**asked)
    with claude.messages.stream(**asked) as events:
        return events.get_final_message()


def response(client: OpenAI, model: str, stream: bool) -> Any:
    asked: Any = {"model": model, "input": "Hi?", "tools": FLAT}
    if not stream:
        return client.responses.create(**asked)
    with client.responses.stream(**asked) as events:
        return events.get_final_response()


@each_vendor
@both
def test_chat(client: OpenAI, vendor: str, stream: bool) -> None:
    said = chat(client, vendor, stream)
    choice = said.choices[0]
    assert (choice.message.content, choice.finish_reason) == (SAID.text, "tool_calls")
    assert [json.loads(call.function.arguments or "{}") for call in choice.message.tool_calls] == ARGUMENTS
    assert (said.usage.prompt_tokens, said.usage.completion_tokens) == (USAGE[0], USAGE[2])


@each_vendor
@both
def test_messages(claude: Anthropic, vendor: str, stream: bool) -> None:
    said = message(claude, vendor, stream)
    assert [block.type for block in said.content] == ["text", "tool_use", "tool_use"]
    assert (said.content[0].text, said.stop_reason) == (SAID.text, "tool_use")
    assert [block.input for block in said.content[1:]] == ARGUMENTS
    usage = said.usage
    assert (usage.input_tokens + usage.cache_read_input_tokens, usage.output_tokens) == (USAGE[0], USAGE[2])


@each_vendor
@both
def test_responses(client: OpenAI, vendor: str, stream: bool) -> None:
    said = response(client, vendor, stream)
    assert (said.output_text, said.status) == (SAID.text, "completed")
    calls = [item for item in said.output if item.type == "function_call"]
    assert [json.loads(call.arguments) for call in calls] == ARGUMENTS
    assert (said.usage.input_tokens, said.usage.output_tokens) == (USAGE[0], USAGE[2])


@both
def test_a_response_is_continued_at_any_vendor(client: OpenAI, running: Running, stream: bool) -> None:
    """What was kept of the first is sent again in full, also where the vendor is another one now."""
    first = response(client, "responses", stream)
    outputs: Any = [
        {"type": "function_call_output", "call_id": item.call_id, "output": "It rains."}
        for item in first.output
        if item.type == "function_call"
    ]
    for vendor in VENDORS:
        last = client.responses.create(model=vendor, input=outputs, previous_response_id=first.id, tools=FLAT)
        assert last.previous_response_id == first.id
        request = running[1].requests[-1]
        sent = json.dumps(json.loads(request.body), ensure_ascii=False)
        assert all(words in sent for words in ("Hi?", "It rains.", "Köln"))
        assert "previous_response_id" not in sent
        assert json.dumps(SAID.text, ensure_ascii=False)[1:-1] in sent


@each_vendor
def test_a_stream_that_breaks_is_an_error_for_every_sdk(client: OpenAI, claude: Anthropic, vendor: str) -> None:
    with pytest.raises(openai.APIError):
        chat(client, f"broken-{vendor}", True)
    with pytest.raises(anthropic.APIStatusError):
        message(claude, f"broken-{vendor}", True)
    with client.responses.create(model=f"broken-{vendor}", input="Hi?", stream=True) as events:
        assert [event.type for event in events][-2:] == ["error", "response.failed"]


@each_vendor
def test_a_vendors_limit_of_rate_is_one_for_every_sdk(client: OpenAI, claude: Anthropic, vendor: str) -> None:
    with pytest.raises(openai.RateLimitError) as first:
        chat(client, f"refused-{vendor}", False)
    assert first.value.response.headers["retry-after"] == "7"
    with pytest.raises(anthropic.RateLimitError):
        message(claude, f"refused-{vendor}", True)
    with pytest.raises(openai.RateLimitError):
        response(client, f"refused-{vendor}", True)


def test_every_vendor_was_asked_in_its_own_form(running: Running) -> None:
    """The judges are the official SDKs' types of each vendor; the prefix of the path is the test's own."""
    upstream = running[1]
    seen = set()
    for request in upstream.requests:
        name = request.path.split("/")[1].rpartition("-")[2]
        path = request.path.removeprefix(f"/{request.path.split('/')[1]}").partition("?")[0]
        VENDORS[name].judge(path.encode(), request.body)
        assert not any("ms-" in value for _, value in request.headers)
        seen.add(name)
    assert seen == set(VENDORS)
