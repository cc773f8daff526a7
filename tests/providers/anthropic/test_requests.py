"""Requests, held to the official SDK's own types."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from mainstay.core import errors
from mainstay.core.prompt import (
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
from mainstay.core.target import Target
from mainstay.providers.anthropic.requests import is_unsigned, patch, translate

Judge = Callable[[bytes], dict[str, Any]]
TARGET = Target("haiku", "claude", "anthropic", "claude-haiku-4-5", max_output=777)
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False}
GET = Tool("get", "Gets.", msgspec.Raw(json.dumps(SCHEMA)))
NOW = Tool("now")


def raw(**fields: Any) -> dict[str, msgspec.Raw]:
    return {name: msgspec.Raw(json.dumps(value)) for name, value in fields.items()}


def ask(*, extra: dict[str, Any] | None = None, **fields: Any) -> Prompt:
    messages = fields.pop("messages", (Message("user", (TextPart("Hi"),)),))
    return Prompt("haiku", messages, extra=raw(**extra or {}), **fields)


def body(prompt: Prompt, *, stream: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(translate(prompt, TARGET, stream=stream))
    return found


def test_the_least_request_has_what_the_wire_demands() -> None:
    assert translate(ask(), TARGET, stream=False) == (
        b'{"model":"claude-haiku-4-5","max_tokens":777,"messages":[{"role":"user","content":"Hi"}]}'
    )


def test_a_full_request_is_one_the_official_sdk_would_send(sdk_accepts: Judge) -> None:
    messages = (
        Message("system", (TextPart("Be kind."), TextPart("Be brief.", raw(cache_control={"type": "ephemeral"})))),
        Message("user", (TextPart("See"), ImagePart(url="https://example.test/a.png"), DocumentPart(file_id="f"))),
        Message(
            "assistant",
            (
                ThinkingPart("Hm.", signature="Eq=="),
                ThinkingPart(redacted="Em=="),
                TextPart("Wait."),
                ToolCallPart("c1", "get", '{"a": 1}'),
                ToolCallPart("c2", "now", ""),
            ),
        ),
        Message("tool", (ToolResultPart("c1", (ImagePart(data="aGk=", media_type="image/png"),)),)),
        Message("tool", (ToolResultPart("c2", (TextPart("noon"),), is_error=True),)),
        Message("developer", (TextPart("Now in French."),)),
    )
    prompt = ask(
        messages=messages,
        tools=(
            GET,
            Tool("now", strict=True),
            Tool("web_search_20260318", opaque=raw(x={"type": "web_search_20260318", "name": "web_search"})["x"]),
        ),
        tool_choice=ToolChoice("tool", "get"),
        parallel_tools=False,
        max_tokens=100,
        temperature=0.5,
        top_p=0.9,
        stop=("END", "STOP"),
        user="u-1",
        form=OutputForm("schema", msgspec.Raw(json.dumps(SCHEMA)), "answer"),
        reasoning_effort="high",
        n=1,
        logprobs=False,
        top_logprobs=0,
        frequency_penalty=0.0,
        presence_penalty=0.0,
        logit_bias=msgspec.Raw(b"{}"),
        extra={"thinking": {"type": "adaptive"}, "top_k": 5, "store": False, "service_tier": "default"},
    )
    found = sdk_accepts(translate(prompt, TARGET, stream=True))
    turns, system = found.pop("messages"), found.pop("system")
    assert [one["role"] for one in turns] == ["user", "assistant", "user"]
    assert [one["text"] for one in system] == ["Be kind.", "Be brief.", "Now in French."]
    assert found == {
        "model": "claude-haiku-4-5",
        "max_tokens": 100,
        "tools": [
            {"name": "get", "description": "Gets.", "input_schema": SCHEMA},
            {"name": "now", "input_schema": {"type": "object", "properties": {}}, "strict": True},
            {"type": "web_search_20260318", "name": "web_search"},
        ],
        "tool_choice": {"type": "tool", "name": "get", "disable_parallel_tool_use": True},
        "temperature": 0.5,
        "top_p": 0.9,
        "stop_sequences": ["END", "STOP"],
        "metadata": {"user_id": "u-1"},
        "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": SCHEMA}},
        "stream": True,
        "thinking": {"type": "adaptive"},
        "top_k": 5,
        "service_tier": "standard_only",
    }


def test_without_an_upstream_name_the_callers_model_is_asked_for() -> None:
    target = Target("haiku", "claude", "anthropic", "")
    assert json.loads(translate(ask(), target, stream=False))["model"] == "haiku"


@pytest.mark.parametrize(
    ("choice", "parallel", "expected"),
    [
        (None, None, None),
        (None, True, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice("auto"), None, {"type": "auto"}),
        (ToolChoice("none"), False, {"type": "none"}),
        (ToolChoice("any"), None, {"type": "any"}),
        (ToolChoice("any"), False, {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice("tool", "now"), None, {"type": "tool", "name": "now"}),
    ],
)
def test_every_tool_choice_has_its_form(
    choice: ToolChoice | None, parallel: bool | None, expected: object, sdk_accepts: Judge
) -> None:
    prompt = ask(tools=(NOW,), tool_choice=choice, parallel_tools=parallel)
    assert sdk_accepts(translate(prompt, TARGET, stream=False)).get("tool_choice") == expected


def test_a_choice_without_tools_is_left_out_or_refused() -> None:
    assert "tool_choice" not in body(ask(tool_choice=ToolChoice("none"), parallel_tools=False))
    with pytest.raises(errors.InvalidRequest) as caught:
        body(ask(tool_choice=ToolChoice("any")))
    assert caught.value.param == "tool_choice"


def test_a_schema_keeps_its_bytes_and_gets_the_type_the_wire_demands() -> None:
    odd = Tool("f", parameters=msgspec.Raw(b'{"type": "object", "x":1.0}'))
    assert b'{"type": "object", "x":1.0}' in translate(ask(tools=(odd,)), TARGET, stream=False)
    (tool,) = body(ask(tools=(Tool("f", parameters=msgspec.Raw(b'{"properties":{}}')),)))["tools"]
    assert tool["input_schema"] == {"type": "object", "properties": {}}


def test_parameters_that_are_no_schema_are_the_callers_fault() -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        body(ask(tools=(NOW, Tool("f", parameters=msgspec.Raw(b"[]")))))
    assert caught.value.param == "tools[1].function.parameters"


def test_fields_of_a_tool_that_only_this_wire_knows_go_up_from_either_level() -> None:
    tool = Tool("f", extra=raw(cache_control={"type": "ephemeral"}, function={"defer_loading": True}, x=None))
    assert body(ask(tools=(tool,)))["tools"] == [
        {
            "defer_loading": True,
            "cache_control": {"type": "ephemeral"},
            "name": "f",
            "input_schema": {"type": "object", "properties": {}},
        }
    ]


def test_openais_custom_tools_are_refused() -> None:
    tool = Tool("custom", opaque=msgspec.Raw(b'{"type":"custom","custom":{"name":"f"}}'))
    with pytest.raises(errors.Unsupported) as caught:
        body(ask(tools=(tool,)))
    assert caught.value.param == "tools[0]"


@pytest.mark.parametrize("effort", ["low", "medium", "high", "xhigh", "max"])
def test_effort_is_said_in_the_wires_own_field(effort: str, sdk_accepts: Judge) -> None:
    prompt = ask(reasoning_effort=effort)
    assert sdk_accepts(translate(prompt, TARGET, stream=False))["output_config"] == {"effort": effort}


def test_no_effort_turns_thinking_off(sdk_accepts: Judge) -> None:
    found = sdk_accepts(translate(ask(reasoning_effort="none"), TARGET, stream=False))
    assert found["thinking"] == {"type": "disabled"}
    assert "output_config" not in found


def test_the_description_of_an_answer_goes_into_its_schema() -> None:
    def described(schema: dict[str, Any]) -> object:
        form = OutputForm("schema", msgspec.Raw(json.dumps(schema)), "n", "An A.")
        return body(ask(form=form))["output_config"]["format"]["schema"]["description"]

    assert described(SCHEMA) == "An A."
    assert described({**SCHEMA, "description": "Own."}) == "An A.\nOwn."
    with pytest.raises(errors.InvalidRequest):
        described({**SCHEMA, "description": 5})


def test_a_schema_that_is_none_is_the_callers_fault() -> None:
    for schema in (None, msgspec.Raw(b"true")):
        with pytest.raises(errors.InvalidRequest) as caught:
            body(ask(form=OutputForm("schema", schema)))
        assert caught.value.param == "response_format.json_schema.schema"


def test_text_as_the_form_changes_nothing() -> None:
    assert body(ask(form=OutputForm("text"))) == body(ask())


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"seed": 0}, "seed"),
        ({"logit_bias": msgspec.Raw(b'{"50256": -100}')}, "logit_bias"),
        ({"frequency_penalty": 0.1}, "frequency_penalty"),
        ({"presence_penalty": -1.0}, "presence_penalty"),
        ({"temperature": 1.5}, "temperature"),
        ({"stop": ("a", "\n")}, "stop"),
        ({"form": OutputForm("json")}, "response_format"),
        ({"reasoning_effort": "minimal"}, "reasoning_effort"),
        ({"extra": {"store": True}}, "store"),
        ({"extra": {"metadata": {"team": "x"}}}, "metadata"),
        ({"extra": {"metadata": {"user_id": "u", "team": "x"}}}, "metadata"),
        ({"extra": {"prediction": {"type": "content", "content": "x"}}}, "prediction"),
        ({"extra": {"modalities": ["text", "audio"]}}, "modalities"),
        ({"extra": {"audio": {"voice": "x"}}}, "audio"),
        ({"extra": {"service_tier": "flex"}}, "service_tier"),
        ({"extra": {"verbosity": "low"}}, "verbosity"),
        ({"extra": {"web_search_options": {}}}, "web_search_options"),
        ({"extra": {"moderation": {"model": "m"}}}, "moderation"),
        ({"extra": {"functions": [{"name": "f"}]}}, "functions"),
        ({"extra": {"function_call": {"name": "f"}}}, "function_call"),
        ({"extra": {"response_format": {"type": "grammar"}}}, "response_format"),
        ({"extra": {"tool_choice": {"type": "allowed_tools", "allowed_tools": {}}}}, "tool_choice"),
    ],
)
def test_what_the_wire_cannot_say_is_refused_by_name_with_advice(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(errors.Unsupported) as caught:
        body(ask(**fields))
    assert caught.value.param == param
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize(
    "extra",
    [
        {"store": False, "prediction": None, "modalities": ["text"], "audio": None, "verbosity": "medium"},
        {"metadata": {}, "safety_identifier": None, "service_tier": None, "web_search_options": None},
        {"prompt_cache_key": "k", "prompt_cache_retention": "24h", "prompt_cache_options": {"ttl": "30m"}},
        {"stream_options": {"include_obfuscation": False}, "functions": [], "function_call": "auto"},
    ],
)
def test_values_that_change_nothing_are_left_out(extra: dict[str, Any]) -> None:
    assert body(ask(extra=extra)) == body(ask())


@pytest.mark.parametrize(
    ("user", "extra", "expected"),
    [
        ("u", {}, "u"),
        (None, {"safety_identifier": "s"}, "s"),
        ("u", {"safety_identifier": "s"}, "s"),
        ("u", {"metadata": {"user_id": "m"}, "safety_identifier": "s"}, "m"),
    ],
)
def test_the_end_user_is_named_in_metadata(user: str | None, extra: dict[str, Any], expected: str) -> None:
    assert body(ask(user=user, extra=extra))["metadata"] == {"user_id": expected}


def test_fields_nobody_knows_go_up_byte_for_byte() -> None:
    prompt = Prompt("m", ask().messages, extra={"context_management": msgspec.Raw(b'{ "edits" : [1.0] }')})
    assert b'"context_management":{ "edits" : [1.0] }' in translate(prompt, TARGET, stream=False)


def test_two_vendors_words_for_one_thing_are_joined_or_refused() -> None:
    prompt = ask(reasoning_effort="low", extra={"output_config": {"task_budget": 5}})
    assert body(prompt)["output_config"] == {"effort": "low", "task_budget": 5}
    for fields, param in (
        ({"reasoning_effort": "low", "extra": {"output_config": {"effort": "max"}}}, "output_config.effort"),
        ({"reasoning_effort": "none", "extra": {"thinking": {"type": "adaptive"}}}, "thinking"),
        ({"stop": ("a",), "extra": {"stop_sequences": ["b"]}}, "stop_sequences"),
    ):
        with pytest.raises(errors.InvalidRequest) as caught:
            body(ask(**fields))
        assert caught.value.param == param


def test_a_tool_choice_in_this_wires_words_goes_up_alone() -> None:
    extra = {"tool_choice": {"type": "any", "disable_parallel_tool_use": True}}
    assert body(ask(tools=(NOW,), extra=extra))["tool_choice"] == extra["tool_choice"]
    with pytest.raises(errors.InvalidRequest):
        body(ask(tools=(NOW,), parallel_tools=False, extra=extra))


def test_a_body_of_this_wire_is_changed_in_model_and_stream_alone() -> None:
    sent = b'{"x":1.0, "model":"haiku","messages":[{ "role":"user"}],"stream": false, "big":123456789012345678901}'
    assert patch(sent, TARGET, stream=True) == (
        b'{"x":1.0,"model":"claude-haiku-4-5","messages":[{ "role":"user"}],"stream":true,"big":123456789012345678901}'
    )
    kept = Target("haiku", "claude", "anthropic", "")
    assert patch(b'{"model":"haiku"}', kept, stream=False) == b'{"model":"haiku"}'
    assert patch(b'{"model":"a","stream":true,"model":"b"}', kept, stream=False) == b'{"model":"b","stream":false}'


@pytest.mark.parametrize("signature", [b"", b"gemini:call:0:c2ln"])
def test_thinking_that_another_vendor_signed_is_left_out_of_a_body_of_this_wire(signature: bytes) -> None:
    other = b'{"type":"thinking","thinking":"Hm.","signature":"%b"}' % signature
    own = b'{"type":"thinking","thinking":"Hm.","signature":"c2ln"}'
    sent = b'{"model":"claude-haiku-4-5","messages":[{"role":"assistant","content":[%b]}]}'
    assert is_unsigned(sent % other)
    assert not is_unsigned(sent % own)
    assert patch(sent % (other + b"," + own), TARGET, stream=False) == sent % own


@pytest.mark.parametrize("sent", [b"", b"[]", b"{", b'{"a":' + b"[" * 100_000])
def test_a_body_that_is_no_object_is_the_callers_fault(sent: bytes) -> None:
    with pytest.raises(errors.InvalidRequest):
        patch(sent, TARGET, stream=False)
