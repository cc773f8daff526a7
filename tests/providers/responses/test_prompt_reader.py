"""A request read in full: every kind of item, tool and choice, as a prompt that any wire can say."""

import base64
import json
from typing import Any

import pytest
from msgspec import Raw

from mainstay.core.errors import InvalidRequest, Unsupported
from mainstay.core.events import Dialect
from mainstay.core.prompt import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Message,
    OpaquePart,
    OutputForm,
    Prompt,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
)
from mainstay.core.target import Target
from mainstay.providers.anthropic import AnthropicCodec
from mainstay.providers.openai import OpenAICodec
from mainstay.providers.responses import read_ask, read_prompt
from mainstay.providers.responses.sealed import seal

FUNCTION: dict[str, Any] = {
    "type": "function",
    "name": "f",
    "description": "Does.",
    "parameters": {"type": "object", "properties": {}},
    "strict": True,
}


def read(hosted: str = "omit", **fields: Any) -> Prompt:
    return read_prompt(json.dumps({"model": "m", "input": "Hi", **fields}).encode(), hosted=hosted)


def parts(*items: dict[str, Any]) -> tuple[Message, ...]:
    return read(input=list(items)).messages


def test_a_string_is_a_users_message_and_instructions_come_first() -> None:
    assert read(instructions="Be brief.").messages == (
        Message("system", (TextPart("Be brief."),)),
        Message("user", (TextPart("Hi"),)),
    )


def test_messages_may_leave_out_their_type_and_write_content_as_a_string() -> None:
    assert parts(
        {"role": "developer", "content": "D"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "U"}]},
        {"role": "assistant", "content": [{"type": "output_text", "text": "A", "annotations": []}], "id": "msg_1"},
    ) == (
        Message("developer", (TextPart("D"),)),
        Message("user", (TextPart("U"),)),
        Message("assistant", (TextPart("A"),)),
    )


def test_what_the_model_did_in_one_turn_is_one_message() -> None:
    assert parts(
        {"role": "user", "content": "Q"},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}]},
        {"role": "assistant", "content": "Let me see."},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "b", "name": "g", "arguments": '{"x":1}'},
        {"type": "function_call_output", "call_id": "a", "output": "1"},
        {"type": "function_call_output", "call_id": "b", "output": [{"type": "input_text", "text": "2"}]},
    ) == (
        Message("user", (TextPart("Q"),)),
        Message(
            "assistant",
            (
                ThinkingPart("Hm"),
                TextPart("Let me see."),
                ToolCallPart("a", "f", "{}"),
                ToolCallPart("b", "g", '{"x":1}'),
            ),
        ),
        Message("tool", (ToolResultPart("a", (TextPart("1"),)),)),
        Message("tool", (ToolResultPart("b", (TextPart("2"),)),)),
    )


def test_media_are_read_by_url_by_data_and_by_id() -> None:
    png, text = "data:image/png;base64,AAAA", base64.b64encode(b"Hello").decode()
    content = [
        {"type": "input_image", "image_url": png, "detail": "low"},
        {"type": "input_image", "image_url": "https://example.org/a.png"},
        {"type": "input_file", "file_data": "data:application/pdf;base64,BBBB", "filename": "a.pdf"},
        {"type": "input_file", "file_data": f"data:text/plain;base64,{text}"},
        {"type": "input_file", "file_url": "https://example.org/a.pdf"},
        {"type": "input_file", "file_id": "file-1"},
        {"type": "input_audio", "input_audio": {"data": "CCCC", "format": "wav"}},
    ]
    (message,) = parts({"role": "user", "content": content})
    assert message.parts == (
        ImagePart(data="AAAA", media_type="image/png", detail="low"),
        ImagePart(url="https://example.org/a.png"),
        DocumentPart(data="BBBB", media_type="application/pdf", name="a.pdf"),
        DocumentPart(data="Hello", media_type="text/plain"),
        DocumentPart(url="https://example.org/a.pdf"),
        DocumentPart(file_id="file-1"),
        AudioPart("CCCC", "wav"),
    )


def test_calls_of_every_client_side_kind_become_calls_of_functions() -> None:
    action = {"type": "exec", "command": ["ls"], "env": {}, "timeout_ms": None}
    operation = {"type": "delete_file", "path": "a"}
    messages = parts(
        {"type": "custom_tool_call", "call_id": "a", "name": "apply_patch", "input": 'say "é"'},
        {"type": "custom_tool_call_output", "call_id": "a", "output": "done"},
        {"type": "local_shell_call", "id": "x", "call_id": "b", "action": action, "status": "completed"},
        {"type": "local_shell_call_output", "id": "b", "output": "files"},
        {"type": "shell_call", "call_id": "c", "action": {"commands": ["ls"]}},
        {"type": "shell_call_output", "call_id": "c", "output": [{"stdout": "files"}]},
        {"type": "apply_patch_call", "call_id": "d", "operation": operation, "status": "completed"},
        {"type": "apply_patch_call_output", "call_id": "d", "status": "failed", "output": "no such file"},
        {"type": "function_call", "call_id": "e", "name": "log", "namespace": "mcp__git", "arguments": "{}"},
    )
    calls = [part for message in messages for part in message.parts if isinstance(part, ToolCallPart)]
    assert [(call.id, call.name, json.loads(call.arguments)) for call in calls] == [
        ("a", "apply_patch", {"input": 'say "é"'}),
        ("b", "local_shell", {"command": ["ls"], "env": {}}),
        ("c", "shell", {"commands": ["ls"]}),
        ("d", "apply_patch", {"operation": operation}),
        ("e", "mcp__git__log", {}),
    ]
    results = [part for message in messages for part in message.parts if isinstance(part, ToolResultPart)]
    assert [(result.id, result.is_error) for result in results] == [
        ("a", False),
        ("b", False),
        ("c", False),
        ("d", True),
    ]
    assert results[2].content == (TextPart('[{"stdout": "files"}]'),)


def test_reasoning_that_another_vendor_signed_comes_back_as_it_was() -> None:
    own = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": seal("Hm", "sig==", "")}
    withheld = {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": seal("", "", "blob")}
    theirs = {"type": "reasoning", "id": "rs_3", "summary": [], "encrypted_content": "gAAAAA"}
    (message,) = parts(own, withheld, theirs)
    assert message.parts == (
        ThinkingPart("Hm", "sig=="),
        ThinkingPart(redacted="blob"),
        ThinkingPart(signature="responses:rs_3:gAAAAA"),
    )


def test_records_of_the_vendors_own_tools_are_left_out_and_unknown_items_are_carried() -> None:
    unknown = {"type": "compaction", "encrypted_content": "x"}
    (message,) = parts({"type": "web_search_call", "id": "ws_1", "status": "completed"}, unknown)
    assert message.parts == (OpaquePart(Raw(json.dumps(unknown).encode()), Dialect.RESPONSES),)


def test_tools_become_functions_and_hosted_ones_beside_them_are_left_out() -> None:
    tools = [
        FUNCTION,
        {"type": "custom", "name": "patch", "format": {"type": "grammar", "syntax": "lark", "definition": "start: X"}},
        {"type": "local_shell"},
        {"type": "namespace", "name": "ns", "description": "", "tools": [{**FUNCTION, "name": "g"}]},
        {"type": "web_search", "external_web_access": False},
        {"type": "tool_search"},
    ]
    found = read(tools=tools).tools
    assert [tool.name for tool in found] == ["f", "patch", "local_shell", "ns__g"]
    assert found[0].strict is True
    assert "start: X" in (found[1].description or "")
    assert json.loads(bytes(found[1].parameters or b""))["required"] == ["input"]
    assert [tool.name for tool in read("refuse", tools=tools).tools][-1] == "web_search"


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"type": "web_search"}]},
        {"tools": [FUNCTION, {"type": "web_search"}], "tool_choice": {"type": "web_search"}},
        {"tools": [{"type": "mcp", "server_label": "x", "server_url": "https://example.org"}]},
        {"tools": [{"type": "something_new", "name": 5}]},
    ],
)
def test_a_hosted_tool_alone_or_demanded_is_refused_by_other_wires(fields: dict[str, Any]) -> None:
    ask = read_ask(json.dumps({"model": "m", "input": "Hi", **fields}).encode())
    with pytest.raises(Unsupported, match="tools"):
        OpenAICodec().request(ask, Target("m", "p", "openai", "m"), stream=False)


def test_tools_that_the_input_brings_are_offered_too() -> None:
    brought = {
        "type": "tool_search_output",
        "call_id": "s",
        "execution": "client",
        "tools": [{**FUNCTION, "name": "g"}],
    }
    prompt = read(input=[{"role": "user", "content": "Hi"}, brought], tools=[FUNCTION])
    assert [tool.name for tool in prompt.tools] == ["f", "g"]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", ToolChoice("auto")),
        ("none", ToolChoice("none")),
        ("required", ToolChoice("any")),
        ({"type": "function", "name": "f"}, ToolChoice("tool", "f")),
        ({"type": "custom", "name": "f"}, ToolChoice("tool", "f")),
    ],
)
def test_a_choice_of_tools_is_read_in_all_its_forms(choice: object, expected: ToolChoice) -> None:
    assert read(tools=[FUNCTION], tool_choice=choice).tool_choice == expected


def test_only_allowed_tools_are_offered() -> None:
    tools = [FUNCTION, {**FUNCTION, "name": "g"}]
    choice = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "g"}]}
    prompt = read(tools=tools, tool_choice=choice)
    assert ([tool.name for tool in prompt.tools], prompt.tool_choice) == (["g"], ToolChoice("any"))
    with pytest.raises(InvalidRequest) as caught:
        read(tools=tools, tool_choice={**choice, "tools": [{"type": "function", "name": "h"}]})
    assert caught.value.param == "tool_choice.tools[0]"


def test_a_choice_without_tools_is_not_asked_of_an_upstream() -> None:
    prompt = read(tools=[], tool_choice="auto", parallel_tool_calls=False)
    assert (prompt.tool_choice, prompt.parallel_tools) == (None, None)


def test_forms_limits_and_effort_have_their_places() -> None:
    schema = {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}
    prompt = read(
        text={"format": schema, "verbosity": "low"},
        reasoning={"effort": "low", "summary": "auto"},
        max_output_tokens=5,
        top_logprobs=3,
        temperature=0.5,
        user="u",
        metadata={"a": "b"},
        store=True,
        include=["reasoning.encrypted_content"],
        stream_options={"include_obfuscation": False},
        prompt_cache_key="k",
        service_tier="auto",
        safety_identifier=None,
        novel=1.0,
    )
    assert prompt.form == OutputForm("schema", Raw(b'{"type": "object"}'), "n", None, True)
    assert (prompt.reasoning_effort, prompt.max_tokens, prompt.temperature, prompt.user) == ("low", 5, 0.5, "u")
    assert (prompt.logprobs, prompt.top_logprobs) == (True, 3)
    assert {name: json.loads(bytes(value)) for name, value in prompt.extra.items()} == {
        "verbosity": "low",
        "prompt_cache_key": "k",
        "service_tier": "auto",
        "novel": 1.0,
    }
    assert read(text={"format": {"type": "text"}}).form is None
    assert read(text={"format": {"type": "json_object"}}).form == OutputForm("json")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": [{"content": "Hi"}]}, "input[0].type"),
        ({"input": [{"type": "message", "content": "Hi"}]}, "input[0].role"),
        ({"input": [{"role": "user", "content": 5}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input[0].content[0].text"),
        ({"input": [{"type": "function_call", "name": "f", "arguments": "{}"}]}, "input[0].call_id"),
        ({"input": [{"type": "function_call", "call_id": "a", "arguments": "{}"}]}, "input[0].name"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0].call_id"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [{"name": "f"}]}, "tools[0].type"),
        ({"tools": [FUNCTION], "tool_choice": "maybe"}, "tool_choice"),
        ({"tools": [FUNCTION], "tool_choice": {"type": "function"}}, "tool_choice.name"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(**fields)
    assert caught.value.param == param


CODEX: dict[str, Any] = {
    "model": "m",
    "instructions": "You are a coding agent.",
    "input": [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Sandbox: none."}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Fix the bug."}]},
        {"type": "reasoning", "summary": [], "content": None, "encrypted_content": "gAAAA-another-vendors"},
        {"type": "function_call", "name": "shell", "arguments": '{"command":["ls"]}', "call_id": "call_1"},
        {"type": "function_call_output", "call_id": "call_1", "output": "main.py"},
        {"type": "custom_tool_call", "status": "completed", "call_id": "call_2", "name": "apply_patch", "input": "***"},
        {"type": "custom_tool_call_output", "call_id": "call_2", "output": "ok"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Done."}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Thanks. Test it."}]},
    ],
    "tools": [
        {**FUNCTION, "name": "shell", "strict": False},
        {
            "type": "custom",
            "name": "apply_patch",
            "description": "Edit files.",
            "format": {"type": "grammar", "syntax": "lark", "definition": "start: patch"},
        },
        {"type": "web_search", "external_web_access": False},
        {"type": "image_generation", "output_format": "png"},
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "reasoning": {"effort": "medium", "summary": "auto"},
    "store": False,
    "stream": True,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "0190f3c2",
    "client_metadata": {"session": "x"},
}


def test_an_agents_request_is_said_to_a_chat_without_anything_it_does_not_know() -> None:
    _, body = OpenAICodec().request(read_ask(json.dumps(CODEX).encode()), Target("m", "p", "groq", "m"), stream=True)
    asked = json.loads(body)
    assert [message["role"] for message in asked["messages"]] == [
        "system",
        "developer",
        "user",
        "assistant",
        "tool",
        "assistant",
        "tool",
        "assistant",
        "user",
    ]
    assert [tool["function"]["name"] for tool in asked["tools"]] == ["shell", "apply_patch"]
    assert set(asked) == {
        "model",
        "messages",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "reasoning_effort",
        "prompt_cache_key",
        "stream",
        "stream_options",
    }


def test_an_agents_request_is_said_to_anthropic() -> None:
    _, body = AnthropicCodec().request(
        read_ask(json.dumps(CODEX).encode()), Target("m", "p", "anthropic", "m"), stream=True
    )
    asked = json.loads(body)
    assert [tool["name"] for tool in asked["tools"]] == ["shell", "apply_patch"]
    assert asked["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    blocks = [block["type"] for message in asked["messages"] for block in _blocks(message)]
    assert blocks == ["text", "tool_use", "tool_result", "tool_use", "tool_result", "text", "text"]


def _blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return [{"type": "text"}] if isinstance(content, str) else content
