"""Prompts of both callers' dialects as Converse requests; AWS's own SDK says whether they are requests at all."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.call import Ask
from mainstay.core.errors import InvalidRequest, MainstayError, Unsupported
from mainstay.core.target import Target
from mainstay.providers.anthropic import read_ask as read_anthropic
from mainstay.providers.bedrock.codec import BedrockCodec
from mainstay.providers.openai import read_ask as read_openai
from mainstay.providers.places import name_place

Accepts = Callable[[bytes, bytes], dict[str, Any]]
MODEL = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
TARGET = Target("sonnet", "aws", "bedrock", MODEL)
PNG = base64.b64encode(b"\x89PNG").decode()
HELLO: list[Any] = [{"role": "user", "content": "Hi"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = {"type": "function", "function": {"name": "get", "description": "Gets.", "parameters": SCHEMA}}
CALLED: list[Any] = [
    {"role": "user", "content": "Weather?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "get", "arguments": '{"city": "Oslo", "n": 1.0}'}},
            {"id": "c2", "type": "function", "function": {"name": "get", "arguments": ""}},
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "cold"},
    {"role": "tool", "tool_call_id": "c2", "content": ""},
]


def openai(**fields: Any) -> Ask:
    return read_openai(json.dumps({"model": "sonnet", "messages": HELLO, **fields}).encode())


def anthropic(**fields: Any) -> Ask:
    return read_anthropic(json.dumps({"model": "sonnet", "max_tokens": 9, "messages": HELLO, **fields}).encode())


@pytest.fixture
def sent(sdk_accepts: Accepts) -> Callable[..., dict[str, Any]]:
    """Return a function that translates a request and gives the body that the SDK accepted."""

    def translate(ask: Ask, *, stream: bool = False) -> dict[str, Any]:
        return sdk_accepts(*BedrockCodec().request(ask, TARGET, stream=stream))

    return translate


Sent = Callable[..., dict[str, Any]]


def refused(ask: Ask, kind: type[MainstayError] = Unsupported) -> str | None:
    with pytest.raises(kind) as caught:
        BedrockCodec().request(ask, TARGET, stream=False)
    name_place(caught.value, ask)
    return caught.value.param


def test_the_path_names_the_model_and_whether_it_streams() -> None:
    path, _ = BedrockCodec().request(openai(), TARGET, stream=False)
    assert path == b"/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"
    arn = Target("m", "aws", "bedrock", "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.x.y")
    path, _ = BedrockCodec().request(openai(), arn, stream=True)
    assert path.endswith(
        b"/arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Ainference-profile%2Feu.x.y/converse-stream"
    )


def test_a_plain_question_is_plain(sent: Sent) -> None:
    assert sent(openai()) == {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}


def test_system_turns_and_settings_find_their_places(sent: Sent) -> None:
    body = sent(
        openai(
            messages=[
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "One?"},
                {"role": "user", "content": "Two?"},
                {"role": "assistant", "content": "Three."},
                {"role": "developer", "content": "Be kind."},
                {"role": "user", "content": [{"type": "text", "text": "Four?"}, {"type": "text", "text": " "}]},
            ],
            max_tokens=5,
            temperature=0.5,
            top_p=0.9,
            stop=["END"],
        ),
        stream=True,
    )
    assert body == {
        "messages": [
            {"role": "user", "content": [{"text": "One?"}, {"text": "Two?"}]},
            {"role": "assistant", "content": [{"text": "Three."}]},
            {"role": "user", "content": [{"text": "Four?"}]},
        ],
        "system": [{"text": "Be brief."}, {"text": "Be kind."}],
        "inferenceConfig": {"maxTokens": 5, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"]},
        "additionalModelResponseFieldPaths": ["/stop_sequence"],
    }


def test_tools_calls_and_results_translate(sent: Sent) -> None:
    bare = {"type": "function", "function": {"name": "now", "strict": True, "parameters": {"properties": {}}}}
    body = sent(openai(messages=CALLED, tools=[TOOL, bare], tool_choice="required"))
    assert body["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                {"toolUse": {"toolUseId": "c1", "name": "get", "input": {"city": "Oslo", "n": 1.0}}},
                {"toolUse": {"toolUseId": "c2", "name": "get", "input": {}}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"toolResult": {"toolUseId": "c1", "content": [{"text": "cold"}]}},
                {"toolResult": {"toolUseId": "c2", "content": []}},
            ],
        },
    ]
    assert body["toolConfig"] == {
        "tools": [
            {"toolSpec": {"name": "get", "description": "Gets.", "inputSchema": {"json": SCHEMA}}},
            {
                "toolSpec": {
                    "name": "now",
                    "inputSchema": {"json": {"type": "object", "properties": {}}},
                    "strict": True,
                }
            },
        ],
        "toolChoice": {"any": {}},
    }


def test_arguments_keep_every_digit() -> None:
    call = {
        "id": "c",
        "type": "function",
        "function": {"name": "get", "arguments": '{"n":12345678901234567890,"x":1.0}'},
    }
    messages = [*HELLO, {"role": "assistant", "content": None, "tool_calls": [call]}]
    _, body = BedrockCodec().request(openai(messages=messages, tools=[TOOL]), TARGET, stream=False)
    assert b'"input":{"n":12345678901234567890,"x":1.0}' in body


@pytest.mark.parametrize(
    ("choice", "expected"),
    [("auto", {"auto": {}}), ({"type": "function", "function": {"name": "get"}}, {"tool": {"name": "get"}})],
)
def test_a_choice_of_tools_translates(sent: Sent, choice: Any, expected: Any) -> None:
    assert sent(openai(tools=[TOOL], tool_choice=choice))["toolConfig"]["toolChoice"] == expected


def test_no_choice_leaves_the_tools_out_unless_a_turn_called_one(sent: Sent) -> None:
    assert "toolConfig" not in sent(openai(tools=[TOOL], tool_choice="none"))
    assert refused(openai(messages=CALLED, tools=[TOOL], tool_choice="none")) == "tool_choice"
    assert refused(openai(messages=CALLED)) == "tools"


def test_images_documents_and_audio_go_up_as_bytes(sent: Sent) -> None:
    pdf = base64.b64encode(b"%PDF").decode()
    parts = [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        {"type": "file", "file": {"filename": "My_report (1).pdf", "file_data": f"data:application/pdf;base64,{pdf}"}},
        {"type": "file", "file": {"filename": "My report (1).pdf", "file_data": f"data:application/pdf;base64,{pdf}"}},
        {"type": "input_audio", "input_audio": {"data": PNG, "format": "wav"}},
        {"type": "text", "text": "?"},
    ]
    body = sent(openai(messages=[{"role": "user", "content": parts}]))
    assert body["messages"][0]["content"] == [
        {"image": {"format": "png", "source": {"bytes": PNG}}},
        {"document": {"format": "pdf", "name": "My report (1)", "source": {"bytes": pdf}}},
        {"document": {"format": "pdf", "name": "My report (1) 2", "source": {"bytes": pdf}}},
        {"audio": {"format": "wav", "source": {"bytes": PNG}}},
        {"text": "?"},
    ]


def test_an_anthropic_callers_turns_translate(sent: Sent) -> None:
    signature = 'Eu+/==é "\\'
    body = sent(
        anthropic(
            system=[{"type": "text", "text": "Rules.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
            messages=[
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "document",
                            "title": "Notes",
                            "context": "Mine.",
                            "citations": {"enabled": True},
                            "source": {"type": "text", "media_type": "text/plain", "data": "hé"},
                        },
                        {"type": "text", "text": "So?", "cache_control": {"type": "ephemeral"}},
                    ],
                },
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "Hm.", "signature": signature},
                        {"type": "redacted_thinking", "data": "c2VjcmV0"},
                        {"type": "thinking", "thinking": "Not ours.", "signature": ""},
                        {"type": "tool_use", "id": "toolu_1", "name": "get", "input": {"city": "Rome"}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "tool_result",
                            "tool_use_id": "toolu_1",
                            "is_error": True,
                            "cache_control": {"type": "ephemeral"},
                            "content": [
                                {"type": "text", "text": "warm"},
                                {
                                    "type": "image",
                                    "source": {"type": "base64", "media_type": "image/webp", "data": PNG},
                                },
                            ],
                        }
                    ],
                },
            ],
            tools=[{"name": "get", "input_schema": SCHEMA, "cache_control": {"type": "ephemeral"}}],
            thinking={"type": "enabled", "budget_tokens": 1024},
            top_k=5,
            metadata={"user_id": "user-1"},
            context_management={"edits": []},
        )
    )
    short = {"cachePoint": {"type": "default"}}
    assert body["system"] == [{"text": "Rules."}, {"cachePoint": {"type": "default", "ttl": "1h"}}]
    source = {"bytes": base64.b64encode("hé".encode()).decode()}
    notes = {"format": "txt", "name": "Notes", "source": source, "context": "Mine.", "citations": {"enabled": True}}
    assert body["messages"] == [
        {"role": "user", "content": [{"document": notes}, {"text": "So?"}, short]},
        {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": signature}}},
                {"reasoningContent": {"redactedContent": "c2VjcmV0"}},
                {"toolUse": {"toolUseId": "toolu_1", "name": "get", "input": {"city": "Rome"}}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "toolResult": {
                        "toolUseId": "toolu_1",
                        "content": [{"text": "warm"}, {"image": {"format": "webp", "source": {"bytes": PNG}}}],
                        "status": "error",
                    }
                },
                short,
            ],
        },
    ]
    assert body["toolConfig"]["tools"][1] == short
    assert body["inferenceConfig"] == {"maxTokens": 9}
    assert body["additionalModelRequestFields"] == {"thinking": {"type": "enabled", "budget_tokens": 1024}, "top_k": 5}
    assert body["requestMetadata"] == {"user": "user-1"}


def test_a_mark_on_the_whole_request_stands_on_its_last_block(sent: Sent) -> None:
    body = sent(anthropic(cache_control={"type": "ephemeral"}))
    assert body["messages"][0]["content"] == [{"text": "Hi"}, {"cachePoint": {"type": "default"}}]


def test_a_schema_and_an_effort_become_the_output_config(sent: Sent) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA, "description": "A place."}}
    body = sent(openai(response_format=form, reasoning_effort="high", outputConfig=None))
    (structure,) = (body["outputConfig"]["textFormat"]["structure"]["jsonSchema"],)
    assert json.loads(structure.pop("schema")) == SCHEMA
    assert structure == {"name": "place", "description": "A place."}
    assert body["outputConfig"]["effort"] == "high"


def test_converses_own_fields_and_unknown_ones_pass(sent: Sent) -> None:
    guard = {"guardrailIdentifier": "abc", "guardrailVersion": "1", "streamProcessingMode": "async"}
    fields = {
        "guardrailConfig": guard,
        "performanceConfig": {"latency": "optimized"},
        "requestMetadata": {"team": "a"},
        "additionalModelRequestFields": {"anthropic_beta": ["x"]},
        "reasoningConfig": {"type": "enabled"},
        "service_tier": "flex",
        "user": "ü",
    }
    body = sent(openai(**fields), stream=True)
    assert body["guardrailConfig"] == guard
    assert body["additionalModelRequestFields"] == {"anthropic_beta": ["x"], "reasoningConfig": {"type": "enabled"}}
    assert body["serviceTier"] == {"type": "flex"}
    assert body["requestMetadata"]["team"] == "a"
    assert len(body["requestMetadata"]["user"]) == 64
    assert "streamProcessingMode" not in sent(openai(**fields))["guardrailConfig"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"seed": 1}, "seed"),
        ({"logprobs": True}, "logprobs"),
        ({"logit_bias": {"1": 1}}, "logit_bias"),
        ({"presence_penalty": 1}, "presence_penalty"),
        ({"temperature": 1.5}, "temperature"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"reasoning_effort": "none"}, "reasoning_effort"),
        ({"store": True}, "store"),
        ({"tools": [TOOL], "parallel_tool_calls": False}, "parallel_tool_calls"),
        ({"service_tier": "scale"}, "service_tier"),
        ({"messages": [{"role": "user", "name": "Al", "content": "Hi"}]}, "messages[0].name"),
        ({"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": ""}]}, "messages[1].content"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages"),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]}
                ]
            },
            "messages[0].content[0]",
        ),
    ],
)
def test_what_the_wire_cannot_say_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    assert refused(openai(**fields)) == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"stop_sequences": [""]}, "stop_sequences"),
        (
            {
                "tools": [{"name": "t", "input_schema": {}}],
                "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
            },
            "tool_choice.disable_parallel_tool_use",
        ),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0]"),
        (
            {"system": "x", "messages": [{"role": "user", "content": [{"type": "container_upload", "file_id": "f"}]}]},
            "messages[0].content[0]",
        ),
        ({"mcp_servers": [{"url": "x"}]}, "mcp_servers"),
    ],
)
def test_an_anthropic_caller_is_refused_in_its_own_words(fields: dict[str, Any], param: str) -> None:
    assert refused(anthropic(**fields)) == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tool_choice": "required"}, "tool_choice"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"additionalModelRequestFields": [1]}, "additionalModelRequestFields"),
        ({"top_k": 1, "additionalModelRequestFields": {"top_k": 2}}, "additionalModelRequestFields.top_k"),
        (
            {
                "messages": [
                    *HELLO,
                    {
                        "role": "assistant",
                        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "g", "arguments": "[1]"}}],
                    },
                ]
            },
            "messages[1].tool_calls[0].function.arguments",
        ),
    ],
)
def test_what_is_wrong_in_itself_is_named(fields: dict[str, Any], param: str) -> None:
    assert refused(openai(**fields), InvalidRequest) == param


def test_fields_that_say_nothing_are_left_out(sent: Sent) -> None:
    nothing = {"store": False, "n": 1, "logprobs": False, "frequency_penalty": 0, "stream_options": None, "top_k": None}
    assert sent(openai(**nothing)) == sent(openai())


_ids = st.text(min_size=1, max_size=80)


@given(_ids, _ids)
def test_ids_are_rewritten_alike_in_call_and_result(one: str, other: str) -> None:
    calls = [{"id": i, "type": "function", "function": {"name": "get", "arguments": "{}"}} for i in (one, other)]
    results = [{"role": "tool", "tool_call_id": i, "content": "x"} for i in (one, other)]
    messages = [*HELLO, {"role": "assistant", "content": None, "tool_calls": calls}, *results]
    try:
        ask = openai(messages=messages, tools=[TOOL])
        _, body = BedrockCodec().request(ask, TARGET, stream=False)
    except InvalidRequest:
        # Half of a surrogate pair is no text.
        return
    turns = json.loads(body)["messages"]
    called = [block["toolUse"]["toolUseId"] for block in turns[1]["content"]]
    answered = [block["toolResult"]["toolUseId"] for block in turns[2]["content"]]
    assert called == answered
    assert (called[0] == called[1]) is (one == other)
