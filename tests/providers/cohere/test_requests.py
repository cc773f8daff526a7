"""Prompts of both callers' dialects as Cohere chat requests; the official SDK's types say whether they are."""

import base64
import json
from collections.abc import Callable
from typing import Any

import cohere
import pytest

from mainstay.core.call import Ask
from mainstay.core.errors import InvalidRequest, MainstayError, Unsupported
from mainstay.core.target import Target
from mainstay.providers.anthropic import read_ask as read_anthropic
from mainstay.providers.cohere.codec import CohereCodec
from mainstay.providers.openai import read_ask as read_openai
from mainstay.providers.places import name_place
from support import cohere_wire as wire
from support.upstream import Upstream, json_reply

TARGET = Target("command", "cohere", "cohere", "command-a-03-2025")
PNG = base64.b64encode(b"\x89PNG").decode()
HELLO: list[Any] = [{"role": "user", "content": "Hi"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL: Any = {"type": "function", "function": {"name": "get", "description": "Gets.", "parameters": SCHEMA}}
NOW: Any = {"type": "function", "function": {"name": "now", "strict": True}}

Sent = Callable[[Ask], dict[str, Any]]


def openai(**fields: Any) -> Ask:
    return read_openai(json.dumps({"model": "command", "messages": HELLO, **fields}).encode())


def anthropic(**fields: Any) -> Ask:
    return read_anthropic(json.dumps({"model": "command", "max_tokens": 9, "messages": HELLO, **fields}).encode())


@pytest.fixture
def sent(sdk_accepts: Callable[[bytes], dict[str, Any]]) -> Sent:
    """Return a function that translates a request and gives the body that the SDK's types accepted."""

    def translate(ask: Ask) -> dict[str, Any]:
        path, body = CohereCodec().request(ask, TARGET, stream=False)
        assert path == b"/v2/chat"
        return sdk_accepts(body)

    return translate


def refused(ask: Ask, kind: type[MainstayError] = Unsupported) -> str | None:
    with pytest.raises(kind) as caught:
        CohereCodec().request(ask, TARGET, stream=False)
    name_place(caught.value, ask)
    return caught.value.param


def test_a_plain_question_is_plain(sent: Sent) -> None:
    assert sent(openai()) == {"model": "command-a-03-2025", "messages": HELLO, "stream": False}


def test_what_is_sent_for_an_openai_caller_is_what_cohere_s_sdk_sends(
    sent: Sent, make_upstream: Callable[..., Upstream]
) -> None:
    upstream = make_upstream(lambda _: json_reply(wire.answer({"type": "text", "text": "Hi"})))
    calls: Any = [
        {"id": "c1", "type": "function", "function": {"name": "get", "arguments": '{"city": "Oslo"}'}},
        {"id": "c2", "type": "function", "function": {"name": "get", "arguments": '{"city": "Rome"}'}},
    ]
    image: Any = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}}
    messages: Any = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "Weather here?"}, image]},
        {"role": "assistant", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c1", "content": "cold"},
        {"role": "tool", "tool_call_id": "c2", "content": "warm"},
    ]
    settings: Any = {"max_tokens": 50, "temperature": 0.5, "seed": 7, "frequency_penalty": 0.1, "presence_penalty": 0.2}
    with cohere.ClientV2(api_key="k", base_url=upstream.url) as client:
        client.chat(
            model="command-a-03-2025",
            messages=messages,
            tools=[TOOL],
            tool_choice="REQUIRED",
            stop_sequences=["END"],
            p=0.9,
            **settings,
        )
    (expected,) = upstream.requests
    asked = openai(messages=messages, tools=[TOOL], tool_choice="required", stop="END", top_p=0.9, **settings)
    assert sent(asked) == expected.json()
    assert expected.path == "/v2/chat"


def test_choices_of_tools_translate(sent: Sent) -> None:
    tools = [TOOL, NOW]
    assert "tool_choice" not in sent(openai(tools=tools, tool_choice="auto"))
    assert sent(openai(tools=tools, tool_choice="none"))["tool_choice"] == "NONE"
    body = sent(openai(tools=tools, tool_choice={"type": "function", "function": {"name": "now"}}))
    assert [tool["function"]["name"] for tool in body["tools"]] == ["now"]
    assert (body["tool_choice"], body["strict_tools"]) == ("REQUIRED", True)
    assert body["tools"][0]["function"]["parameters"] == {"type": "object", "properties": {}}


def test_an_anthropic_callers_turns_translate(sent: Sent) -> None:
    note = {"type": "text", "media_type": "text/plain", "data": "It rains."}
    body = sent(
        anthropic(
            system="Rules.",
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"type": "document", "title": "Notes", "source": note},
                        {"type": "text", "text": "So?", "cache_control": {"type": "ephemeral"}},
                    ],
                },
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "Mine.", "signature": ""},
                        {"type": "thinking", "thinking": "Another's.", "signature": "s"},
                        {"type": "tool_use", "id": "t1", "name": "get", "input": {"city": "Rome"}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "tool_result",
                            "tool_use_id": "t1",
                            "is_error": True,
                            "content": [
                                {"type": "document", "source": note},
                                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
                            ],
                        },
                        {"type": "text", "text": "And?"},
                    ],
                },
                {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm.", "signature": ""}]},
            ],
            tools=[{"name": "get", "input_schema": SCHEMA}],
            thinking={"type": "enabled", "budget_tokens": 1024},
            top_k=5,
        )
    )
    assert body["messages"] == [
        {"role": "system", "content": "Rules."},
        {"role": "user", "content": "So?"},
        {
            "role": "assistant",
            "tool_calls": [
                {"id": "t1", "type": "function", "function": {"name": "get", "arguments": '{"city": "Rome"}'}}
            ],
            "tool_plan": "Mine.",
        },
        {
            "role": "tool",
            "tool_call_id": "t1",
            "content": [
                {"type": "text", "text": "The tool failed."},
                {"type": "document", "document": {"data": {"text": "It rains."}}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
                {"type": "text", "text": "And?"},
            ],
        },
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm."}]},
    ]
    assert body["documents"] == [{"data": {"text": "It rains.", "title": "Notes"}}]
    assert body["thinking"] == {"type": "enabled", "token_budget": 1024}
    assert (body["k"], body["max_tokens"]) == (5, 9)


def test_forms_and_thinking_translate(sent: Sent) -> None:
    assert sent(openai(response_format={"type": "json_object"}))["response_format"] == {"type": "json_object"}
    form = {"type": "json_schema", "json_schema": {"name": "p", "schema": SCHEMA, "description": "A place."}}
    schema = {"description": "A place.", **SCHEMA}
    assert sent(openai(response_format=form))["response_format"] == {"type": "json_object", "json_schema": schema}
    assert sent(openai(reasoning_effort="none"))["thinking"] == {"type": "disabled"}
    assert sent(openai(thinking={"type": "enabled", "token_budget": 5}))["thinking"]["token_budget"] == 5
    assert "thinking" not in sent(anthropic(thinking={"type": "adaptive"}))


def test_coheres_own_fields_pass_and_hints_are_left_out(sent: Sent) -> None:
    own = {"safety_mode": "STRICT", "priority": 3, "documents": ["a"], "citation_options": {"mode": "fast"}}
    body = sent(openai(**own, user="u", service_tier="auto", store=False, n=1, metadata={}))
    assert body == {**sent(openai()), **own}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"logit_bias": {"1": 1}}, "logit_bias"),
        ({"temperature": 1.5}, "temperature"),
        ({"reasoning_effort": "low"}, "reasoning_effort"),
        ({"tools": [TOOL], "parallel_tool_calls": False}, "parallel_tool_calls"),
        ({"metadata": {"a": "b"}}, "metadata"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"messages": [{"role": "user", "name": "Al", "content": "Hi"}]}, "messages[0].name"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages[0].content"),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "input_audio", "input_audio": {"data": "x", "format": "wav"}}],
                    }
                ]
            },
            "messages[0].content[0]",
        ),
    ],
)
def test_what_the_wire_cannot_say_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    assert refused(openai(**fields)) == param


def test_an_anthropic_caller_is_refused_in_its_own_words() -> None:
    pdf = {"type": "base64", "media_type": "application/pdf", "data": PNG}
    content = [{"type": "document", "source": pdf}]
    assert refused(anthropic(system="x", messages=[{"role": "user", "content": content}])) == "messages[0].content[0]"
    assert refused(anthropic(output_config={"effort": "low"})) == "output_config.effort"
    assert refused(anthropic(tools=[{"type": "web_search_20250305", "name": "web_search"}])) == "tools[0]"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "no"}}}, "tool_choice"),
        ({"top_p": 0.5, "p": 0.5}, "p"),
        ({"thinking": 1}, "thinking"),
    ],
)
def test_what_is_wrong_in_itself_is_named(fields: dict[str, Any], param: str) -> None:
    assert refused(openai(**fields), InvalidRequest) == param
