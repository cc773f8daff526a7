"""A request read in full: every part becomes what it is, and what is unknown is kept."""

import json
from typing import Any

import pytest
from msgspec import Raw

from mainstay.core.errors import InvalidRequest
from mainstay.core.prompt import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Message,
    OpaquePart,
    OutputForm,
    Part,
    TextPart,
    ThinkingPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
)
from mainstay.providers.openai import read_prompt


def body(*messages: dict[str, Any], **fields: Any) -> bytes:
    return json.dumps({"model": "m", "messages": messages or [{"role": "user", "content": "x"}], **fields}).encode()


def message(**fields: Any) -> Message:
    return read_prompt(body(fields)).messages[0]


def part(**fields: Any) -> Part:
    return message(role="user", content=[fields]).parts[0]


@pytest.mark.parametrize("content", [None, "", []])
def test_empty_content_is_no_part(content: Any) -> None:
    assert message(role="user", content=content).parts == ()


def test_parts_become_what_they_are() -> None:
    assert part(type="text", text="x") == TextPart("x")
    assert part(type="image_url", image_url={"url": "https://x", "detail": "low"}) == ImagePart(
        "https://x", detail="low"
    )
    assert part(type="image_url", image_url="https://x") == ImagePart("https://x")
    assert part(type="image_url", image_url={"url": "data:image/png;base64,AA=="}) == ImagePart(
        data="AA==", media_type="image/png"
    )
    assert part(type="image_url", image_url={"url": "data:image/svg+xml,%3Csvg"}) == ImagePart(
        "data:image/svg+xml,%3Csvg"
    )
    assert part(type="input_audio", input_audio={"data": "AA==", "format": "mp3"}) == AudioPart("AA==", "mp3")
    assert part(
        type="file", file={"file_data": "data:application/pdf;base64,AA==", "filename": "a.pdf"}
    ) == DocumentPart(data="AA==", media_type="application/pdf", name="a.pdf")
    assert part(type="file", file={"file_id": "f-1"}) == DocumentPart(file_id="f-1")
    assert part(type="file", file={"file_data": "data:text/plain;base64,aMOp"}) == DocumentPart(
        data="hé", media_type="text/plain"
    )


def test_an_unknown_part_is_kept_as_sent() -> None:
    assert part(type="video_url", video_url={"url": 1.0}) == OpaquePart(
        Raw(b'{"type": "video_url", "video_url": {"url": 1.0}}'), "openai"
    )


def test_unknown_fields_are_kept_at_every_level() -> None:
    marked = part(type="text", text="x", cache_control={"type": "ephemeral"})
    assert marked == TextPart("x", {"cache_control": Raw(b'{"type": "ephemeral"}')})
    assert message(role="user", content="x", weight=1.0).extra == {"weight": Raw(b"1.0")}
    prompt = read_prompt(
        body(
            tools=[{"type": "function", "function": {"name": "f", "new": 1}, "cache_control": {}}],
            stream_options={"include_obfuscation": False},
            modalities=["text"],
            metadata={},
        )
    )
    assert prompt.tools[0].extra == {"cache_control": Raw(b"{}"), "function": Raw(b'{"new":1}')}
    assert prompt.extra == {
        "stream_options": Raw(b'{"include_obfuscation":false}'),
        "modalities": Raw(b'["text"]'),
        "metadata": Raw(b"{}"),
    }


def test_calls_and_results_keep_their_ids() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":'}}
    asked = message(role="assistant", content="wait", tool_calls=[call])
    assert asked.parts == (TextPart("wait"), ToolCallPart("c1", "f", '{"a":'))
    answered = message(
        role="tool", tool_call_id="c1", content=[{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    )
    assert answered == Message("tool", (ToolResultPart("c1", (TextPart("a"), TextPart("b"))),))


def test_legacy_calls_and_results_are_joined() -> None:
    prompt = read_prompt(
        body(
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "1"}},
            {"role": "function", "name": "f", "content": "one"},
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "2"}},
            {"role": "function", "name": "f", "content": "two"},
            functions=[{"name": "f", "parameters": {}}],
            function_call={"name": "f"},
        )
    )
    first, second = prompt.messages[0].parts[0], prompt.messages[2].parts[0]
    assert isinstance(first, ToolCallPart)
    assert isinstance(second, ToolCallPart)
    assert first.id != second.id
    assert prompt.messages[1] == Message("tool", (ToolResultPart(first.id, (TextPart("one"),)),))
    assert prompt.messages[3] == Message("tool", (ToolResultPart(second.id, (TextPart("two"),)),))
    assert prompt.tools == (Tool("f", parameters=Raw(b"{}")),)
    assert prompt.tool_choice == ToolChoice("tool", "f")


def test_earlier_reasoning_is_read_in_both_forms() -> None:
    assert message(role="assistant", content="x", reasoning_content="why").parts[0] == ThinkingPart("why")
    blocks = [
        {"type": "thinking", "thinking": "why", "signature": "sig", "index": 0},
        {"type": "redacted_thinking", "data": "xyz"},
    ]
    assert message(role="assistant", content="x", reasoning_content="why", thinking_blocks=blocks).parts == (
        ThinkingPart("why", "sig"),
        ThinkingPart(redacted="xyz"),
        TextPart("x"),
    )


@pytest.mark.parametrize(
    "fields", [{"refusal": "no", "content": None}, {"content": [{"type": "refusal", "refusal": "no"}]}]
)
def test_what_the_model_declined_with_is_text(fields: dict[str, Any]) -> None:
    assert message(role="assistant", **fields).parts == (TextPart("no"),)


@pytest.mark.parametrize(
    ("given", "read", "kept"),
    [
        ("auto", ToolChoice("auto"), False),
        ("none", ToolChoice("none"), False),
        ("required", ToolChoice("any"), False),
        ({"type": "function", "function": {"name": "f"}}, ToolChoice("tool", "f"), False),
        ({"type": "allowed_tools", "allowed_tools": {}}, None, True),
    ],
)
def test_each_form_of_tool_choice_is_read_or_kept(given: Any, read: ToolChoice | None, kept: bool) -> None:
    prompt = read_prompt(body(tool_choice=given))
    assert prompt.tool_choice == read
    assert ("tool_choice" in prompt.extra) is kept


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"type": "text"}, OutputForm("text")),
        ({"type": "json_object"}, OutputForm("json")),
        ({"type": "json_object", "schema": {}}, OutputForm("schema", Raw(b"{}"), "answer")),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "schema": {"a": 1.0}, "strict": True}},
            OutputForm("schema", Raw(b'{"a": 1.0}'), "n", strict=True),
        ),
        ({"type": "grammar", "grammar": "x"}, None),
    ],
)
def test_each_form_of_output_is_read_or_kept(given: Any, read: OutputForm | None) -> None:
    prompt = read_prompt(body(response_format=given))
    assert prompt.form == read
    assert ("response_format" in prompt.extra) is (read is None)


def test_a_vendors_own_tool_is_kept_as_sent() -> None:
    assert read_prompt(body(tools=[{"type": "custom", "custom": {"name": "g"}}])).tools == (
        Tool("custom", opaque=Raw(b'{"type": "custom", "custom": {"name": "g"}}')),
    )


@pytest.mark.parametrize(
    ("fields", "limit"), [({"max_tokens": 3}, 3), ({"max_tokens": 3, "max_completion_tokens": 4}, 4)]
)
def test_the_newer_name_of_the_output_limit_wins(fields: dict[str, Any], limit: int) -> None:
    assert read_prompt(body(**fields)).max_tokens == limit


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"role": "tool", "content": "x"}, "messages[0].tool_call_id"),
        ({"role": "user", "content": [{"type": "text"}]}, "messages[0].content[0].text"),
        ({"role": "user", "content": [{"type": "image_url"}]}, "messages[0].content[0].image_url"),
        ({"role": "assistant", "tool_calls": [{"id": "1", "type": "function"}]}, "messages[0].tool_calls[0].function"),
        (
            {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": ""}}]},
            "messages[0].tool_calls[0].id",
        ),
        (
            {"role": "user", "content": [{"type": "file", "file": {"file_data": "data:text/plain;base64,!"}}]},
            "messages[0].content[0].file.file_data",
        ),
    ],
)
def test_what_only_a_full_reading_shows_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_prompt(body(fields))
    assert caught.value.param == param


def test_an_unknown_word_for_tool_choice_is_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_prompt(body(tool_choice="sometimes"))
    assert caught.value.param == "tool_choice"
