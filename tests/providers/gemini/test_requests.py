"""Requests, held to the official SDK's own types."""

import base64
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from mainstay.core import errors
from mainstay.core.prompt import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Message,
    OutputForm,
    Prompt,
    TextPart,
    ThinkingPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
)
from mainstay.providers.gemini.requests import translate
from mainstay.providers.gemini.seals import seal

Judge = Callable[[bytes], dict[str, Any]]
SCHEMA = {
    "type": "object",
    "properties": {"a": {"$ref": "#/$defs/a"}},
    "$defs": {"a": {"anyOf": [{"type": "integer"}, {"type": "null"}]}},
    "additionalProperties": False,
}
GET = Tool("get", "Gets.", msgspec.Raw(json.dumps(SCHEMA)))
DATA = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()


def raw(**fields: Any) -> dict[str, msgspec.Raw]:
    return {name: msgspec.Raw(json.dumps(value)) for name, value in fields.items()}


def ask(*, extra: dict[str, Any] | None = None, **fields: Any) -> Prompt:
    messages = fields.pop("messages", (Message("user", (TextPart("Hi"),)),))
    return Prompt("g", messages, extra=raw(**extra or {}), **fields)


def body(prompt: Prompt, model: str = "gemini-2.5-flash") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(translate(prompt, model))
    return found


def config(prompt: Prompt, model: str = "gemini-2.5-flash") -> dict[str, Any]:
    found: dict[str, Any] = body(prompt, model)["generationConfig"]
    return found


def test_the_least_request_holds_only_what_was_said() -> None:
    assert translate(ask(), "gemini-2.5-flash") == b'{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}'


def test_a_full_request_is_one_the_official_sdk_would_send(sdk_accepts: Judge) -> None:
    seen = (TextPart("Seen"), ImagePart(data=DATA, media_type="image/png"))
    media = (
        ImagePart(data=DATA, media_type="image/png"),
        ImagePart(url="https://a.test/b.png"),
        DocumentPart(data=DATA),
        AudioPart(DATA, "wav"),
    )
    messages = (
        Message("system", (TextPart("Be kind."),)),
        Message("user", (TextPart("See"), *media)),
        Message("assistant", (ThinkingPart("Hm.", seal("call", 0, DATA)), ToolCallPart("c1", "get", '{"a":1}'))),
        Message("tool", (ToolResultPart("c1", seen),)),
    )
    asked = ask(
        messages=messages,
        tools=(GET, Tool("google_search", opaque=msgspec.Raw(b'{"type":"google_search"}'))),
        tool_choice=ToolChoice("tool", "get"),
        max_tokens=100,
        temperature=0.5,
        top_p=0.25,
        n=2,
        seed=7,
        stop=("a", "b"),
        frequency_penalty=0.5,
        presence_penalty=-0.5,
        logprobs=True,
        top_logprobs=3,
        form=OutputForm("schema", msgspec.Raw(json.dumps(SCHEMA)), description="An a."),
        reasoning_effort="low",
        extra={
            "top_k": 40,
            "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_ONLY_HIGH"}],
            "cachedContent": "cachedContents/1",
            "service_tier": "flex",
            "modalities": ["text", "image"],
            "generationConfig": {"mediaResolution": "MEDIA_RESOLUTION_LOW"},
            "toolConfig": {"includeServerSideToolInvocations": True},
        },
    )
    sent = sdk_accepts(translate(asked, "gemini-3-pro-preview"))
    assert sent["generationConfig"] == {
        "maxOutputTokens": 100,
        "temperature": 0.5,
        "topP": 0.25,
        "topK": 40,
        "candidateCount": 2,
        "seed": 7,
        "stopSequences": ["a", "b"],
        "frequencyPenalty": 0.5,
        "presencePenalty": -0.5,
        "responseLogprobs": True,
        "logprobs": 3,
        "responseMimeType": "application/json",
        "responseJsonSchema": {**SCHEMA, "description": "An a."},
        "responseModalities": ["TEXT", "IMAGE"],
        "thinkingConfig": {"thinkingLevel": "LOW", "includeThoughts": True},
        "mediaResolution": "MEDIA_RESOLUTION_LOW",
    }
    assert sent["toolConfig"] == {
        "functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["get"]},
        "includeServerSideToolInvocations": True,
    }
    assert sent["serviceTier"] == "flex"


def test_a_form_of_answer_is_held_to(sdk_accepts: Judge) -> None:
    schema = b'{"b":{"x":1.0},"a":12345678901234567890,"type":"object"}'
    sent = translate(ask(form=OutputForm("schema", msgspec.Raw(schema))), "g")
    assert schema in sent
    assert config(ask(form=OutputForm("json"))) == {"responseMimeType": "application/json"}
    assert "generationConfig" not in body(ask(form=OutputForm("text")))
    described = {"type": "object", "description": "Own."}
    form = OutputForm("schema", msgspec.Raw(json.dumps(described)), description="More.")
    found = sdk_accepts(translate(ask(form=form), "g"))["generationConfig"]
    assert found["responseJsonSchema"]["description"] == "More.\nOwn."


@pytest.mark.parametrize("schema", [None, b"null", b"[]", b'{"description":1}'])
def test_a_schema_that_is_none_is_the_callers_fault(schema: bytes | None) -> None:
    form = OutputForm("schema", None if schema is None else msgspec.Raw(schema), description="x")
    with pytest.raises(errors.InvalidRequest):
        body(ask(form=form))


@pytest.mark.parametrize(
    "fields",
    [
        {"store": False},
        {"metadata": {}},
        {"verbosity": "medium"},
        {"prediction": None},
        {"functions": []},
        {"modalities": ["text"]},
        {"service_tier": "auto"},
        {"prompt_cache_key": "x", "safety_identifier": "y", "cache_control": {"type": "ephemeral"}},
        {"mcp_servers": [], "output_config": {}, "context_management": {"edits": []}},
    ],
)
def test_what_changes_nothing_is_left_out(fields: dict[str, Any]) -> None:
    assert body(ask(extra=fields, user="u", logprobs=False)).keys() == {"contents"}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"logit_bias": msgspec.Raw(b'{"1":1}')}, "logit_bias"),
        ({"seed": 2**31}, "seed"),
        ({"extra": {"store": True}}, "store"),
        ({"extra": {"metadata": {"a": "b"}}}, "metadata"),
        ({"extra": {"prediction": {"type": "content"}}}, "prediction"),
        ({"extra": {"verbosity": "low"}}, "verbosity"),
        ({"extra": {"web_search_options": {}}}, "web_search_options"),
        ({"extra": {"modalities": ["video"]}}, "modalities"),
        ({"extra": {"modalities": "text"}}, "modalities"),
        ({"extra": {"audio": {"voice": "alloy"}}}, "audio"),
        ({"extra": {"service_tier": "scale"}}, "service_tier"),
        ({"extra": {"service_tier": ["flex"]}}, "service_tier"),
        ({"extra": {"response_format": {"type": "grammar"}}}, "response_format"),
        ({"extra": {"mcp_servers": [{"url": "x"}]}}, "mcp_servers"),
        ({"extra": {"extra_body": {"other": 1}}}, "extra_body"),
        ({"reasoning_effort": "hard"}, "reasoning_effort"),
        (
            {"extra": {"toolConfig": {"functionCallingConfig": {"streamFunctionCallArguments": True}}}},
            "toolConfig",
        ),
    ],
)
def test_what_the_wire_lacks_is_refused_with_the_field_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(errors.Unsupported) as caught:
        body(ask(**fields))
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": 1, "extra": {"generationConfig": {"temperature": 2}}}, "generationConfig.temperature"),
        ({"extra": {"top_k": 1, "generation_config": {"topK": 2}}}, "generation_config.topK"),
        ({"extra": {"contents": []}}, "contents"),
        ({"reasoning_effort": "low", "extra": {"thinkingConfig": {}}}, "thinkingConfig"),
        ({"extra": {"generationConfig": 1}}, "generationConfig"),
        ({"extra": {"google": []}}, "google"),
        ({"top_logprobs": 2}, "top_logprobs"),
        (
            {
                "tools": (GET,),
                "tool_choice": ToolChoice("any"),
                "extra": {"tool_config": {"function_calling_config": {"mode": "NONE"}}},
            },
            "tool_config.function_calling_config",
        ),
    ],
)
def test_what_is_said_twice_or_wrongly_is_the_callers_fault(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        body(ask(**fields))
    assert caught.value.param == param


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: {"google": x}, lambda x: {"extra_body": {"google": x}}])
def test_googles_own_fields_go_up_as_google_has_them(wrap: Callable[[Any], dict[str, Any]]) -> None:
    own = {"thinking_config": {"thinking_budget": 5}, "cached_content": "cachedContents/1", "labels": {"a": "b"}}
    found = body(ask(extra=wrap(own)))
    assert found["generationConfig"] == {"thinkingConfig": {"thinking_budget": 5}}
    assert (found["cached_content"], found["labels"]) == ("cachedContents/1", {"a": "b"})


def test_fields_nobody_knows_go_up_verbatim() -> None:
    prompt = Prompt("g", (Message("user", (TextPart("Hi"),)),), extra={"novel": msgspec.Raw(b'{"x": 1.0, "y":null}')})
    assert b'"novel":{"x": 1.0, "y":null}' in translate(prompt, "g")


def test_tiers_have_the_vendors_words() -> None:
    assert body(ask(extra={"service_tier": "default"}))["serviceTier"] == "standard"
    assert body(ask(extra={"service_tier": "priority"}))["serviceTier"] == "priority"
