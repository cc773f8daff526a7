"""The codec as a provider uses it: bytes in, bytes out, over the caller's own request."""

import json
from typing import Any

import anthropic
import openai
import pytest

from mainstay.core import errors
from mainstay.core.call import Ask
from mainstay.core.events import Dialect
from mainstay.core.prompt import Message, Prompt, TextPart
from mainstay.core.target import Target
from mainstay.providers.anthropic import AnthropicCodec
from mainstay.providers.openai.prompt_reader import read_prompt
from mainstay.providers.port import Codec, StreamReader
from support.messages_wire import body, message
from support.upstream import Received, Reply, Upstream, json_reply

TARGET = Target("haiku", "claude", "anthropic", "claude-haiku-4-5")


def ask(raw: bytes, dialect: Dialect, prompt: Prompt | None = None) -> Ask:
    def read(_: bytes) -> Prompt:
        return prompt or read_prompt(raw)

    return Ask(raw, dialect, "haiku", False, False, read=read, scan=lambda _: frozenset())


def test_it_is_a_codec() -> None:
    codec: Codec = AnthropicCodec()
    reader: StreamReader = codec.reader()
    assert codec.dialect is Dialect.ANTHROPIC
    assert reader is not codec.reader()


def test_a_prompt_of_another_dialect_is_translated() -> None:
    prompt = Prompt("haiku", (Message("user", (TextPart("Hi"),)),))
    path, sent = AnthropicCodec().request(ask(b"{}", Dialect.OPENAI, prompt), TARGET, stream=True)
    assert path == b"/v1/messages"
    assert json.loads(sent) == {
        "model": "claude-haiku-4-5",
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
    }


def test_a_body_of_its_own_dialect_passes_unread() -> None:
    sent = b'{"model":"haiku","messages":"whatever","new":[1.0]}'
    path, found = AnthropicCodec().request(ask(sent, Dialect.ANTHROPIC), TARGET, stream=False)
    assert (path, found) == (b"/v1/messages", sent.replace(b"haiku", b"claude-haiku-4-5"))


def test_nothing_is_rewritten_where_nothing_changes() -> None:
    sent = b'{ "model" : "haiku", "messages": [], "x": 1.0 }'
    same = Target("haiku", "claude", "anthropic", "haiku")
    assert AnthropicCodec().request(ask(sent, Dialect.ANTHROPIC), same, stream=False) == (b"/v1/messages", sent)


def test_another_vendors_thinking_does_not_go_up() -> None:
    def thinking(signature: str) -> dict[str, str]:
        return {"type": "thinking", "thinking": "x", "signature": signature}

    text = {"type": "text", "text": 'say "signature": ""'}
    messages = [
        {"role": "user", "content": 'a "signature":""'},
        {"role": "assistant", "content": [thinking(""), thinking("s"), text], "new": 1.0},
        {"role": "assistant", "content": [thinking("")]},
    ]
    sent = json.dumps({"model": "haiku", "messages": messages}).encode()
    for target in (TARGET, Target("haiku", "claude", "anthropic", "haiku")):
        _, found = AnthropicCodec().request(ask(sent, Dialect.ANTHROPIC), target, stream=False)
        assert json.loads(found)["messages"] == [
            messages[0],
            {"role": "assistant", "content": [thinking("s"), text], "new": 1.0},
        ]


def test_credentials_are_the_key_and_the_version() -> None:
    codec = AnthropicCodec()
    assert codec.credentials("sk-ant-1") == (
        (b"x-api-key", b"sk-ant-1"),
        (b"anthropic-version", b"2023-06-01"),
    )
    assert codec.credentials("") == ((b"anthropic-version", b"2023-06-01"),)


def test_an_error_response_is_classified() -> None:
    envelope = b'{"type":"error","error":{"type":"rate_limit_error","message":"Slow down."}}'
    error = AnthropicCodec().error(429, ((b"retry-after", b"3"),), envelope)
    assert isinstance(error, errors.UpstreamRateLimited)
    assert error.retry_after == 3.0


def test_what_is_sent_for_the_openai_sdk_is_what_the_anthropic_sdk_sends(make_upstream: Any) -> None:
    """Two official SDKs say the same thing; the translation of one is the body of the other."""
    upstream: Upstream = make_upstream(lambda _: json_reply(message()))
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    with openai.OpenAI(base_url=upstream.url, api_key="k", max_retries=0) as client:
        client.chat.completions.create(
            model="haiku",
            messages=[
                {"role": "system", "content": "Be kind."},
                {"role": "user", "content": [
                    {"type": "text", "text": "Weather here?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
                ]},
                {"role": "assistant", "content": None, "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "get", "arguments": '{"city": "Oslo"}'}},
                    {"id": "c2", "type": "function", "function": {"name": "get", "arguments": '{"city": "Rome"}'}},
                ]},
                {"role": "tool", "tool_call_id": "c1", "content": "cold"},
                {"role": "tool", "tool_call_id": "c2", "content": "warm"},
            ],
            tools=[{"type": "function", "function": {"name": "get", "description": "Gets.", "parameters": schema}}],
            tool_choice="required",
            parallel_tool_calls=False,
            max_completion_tokens=50,
            stop=["END"],
            user="u",
            extra_body={"thinking": {"type": "disabled"}},
        )  # fmt: skip
    with anthropic.Anthropic(base_url=upstream.url, api_key="k", max_retries=0) as other:
        other.messages.create(
            model="claude-haiku-4-5",
            max_tokens=50,
            system="Be kind.",
            messages=[
                {"role": "user", "content": [
                    {"type": "text", "text": "Weather here?"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
                ]},
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "c1", "name": "get", "input": {"city": "Oslo"}},
                    {"type": "tool_use", "id": "c2", "name": "get", "input": {"city": "Rome"}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "c1", "content": "cold"},
                    {"type": "tool_result", "tool_use_id": "c2", "content": "warm"},
                ]},
            ],
            tools=[{"name": "get", "description": "Gets.", "input_schema": schema}],
            tool_choice={"type": "any", "disable_parallel_tool_use": True},
            stop_sequences=["END"],
            metadata={"user_id": "u"},
            thinking={"type": "disabled"},
        )  # fmt: skip
    said, expected = upstream.requests
    path, sent = AnthropicCodec().request(ask(said.body, Dialect.OPENAI), TARGET, stream=False)
    assert path.decode() == expected.path
    assert json.loads(sent) == expected.json()


@pytest.mark.parametrize(("extra", "param"), [({"n": 2}, "n"), ({"seed": 1}, "seed"), ({"store": True}, "store")])
def test_what_an_openai_caller_asks_in_vain_is_named_in_its_own_words(extra: dict[str, Any], param: str) -> None:
    raw = json.dumps({"model": "haiku", "messages": [{"role": "user", "content": "Hi"}], **extra}).encode()
    with pytest.raises(errors.Unsupported) as caught:
        AnthropicCodec().request(ask(raw, Dialect.OPENAI), TARGET, stream=False)
    assert caught.value.param == param


def test_an_answer_that_the_sdk_accepts_is_read_to_the_same_end(make_upstream: Any) -> None:
    wire = body(message({"type": "text", "text": "Hi"}, stop_reason="max_tokens"))

    def answer(_: Received) -> Reply:
        return Reply(200, (("content-type", "application/json"),), wire)

    upstream: Upstream = make_upstream(answer)
    with anthropic.Anthropic(base_url=upstream.url, api_key="k", max_retries=0) as client:
        found = client.messages.create(model="m", max_tokens=1, messages=[])
    read = AnthropicCodec().whole(wire)
    assert (read.id, read.model) == (found.id, found.model)
    assert read.usage is not None
    assert read.usage.output == found.usage.output_tokens
