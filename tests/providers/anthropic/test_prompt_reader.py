"""A messages request read in full: every block becomes what it is, and what is unknown is kept."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from mainstay.core.errors import InvalidRequest
from mainstay.core.prompt import (
    DocumentPart,
    ImagePart,
    Message,
    OpaquePart,
    OutputForm,
    Part,
    Prompt,
    SearchResultPart,
    TextPart,
    ThinkingPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
)
from mainstay.core.target import Target
from mainstay.providers.anthropic import read_prompt
from mainstay.providers.anthropic.requests import translate

TARGET = Target("m", "p", "anthropic", "")


def read(*messages: dict[str, Any], **fields: Any) -> Prompt:
    turns = list(messages) or [{"role": "user", "content": "x"}]
    return read_prompt(json.dumps({"model": "m", "max_tokens": 5, "messages": turns, **fields}).encode())


def part(**block: Any) -> Part:
    return read({"role": "user", "content": [block]}).messages[0].parts[0]


def written(one: Part) -> Any:
    """Return the block that a part goes up as."""
    body = json.loads(translate(Prompt("m", (Message("user", (TextPart("x"), one)),)), TARGET, stream=False))
    return body["messages"][0]["content"][1]


def test_blocks_become_what_they_are() -> None:
    assert part(type="text", text="x") == TextPart("x")
    assert part(type="image", source={"type": "url", "url": "https://x"}) == ImagePart("https://x")
    assert part(type="image", source={"type": "base64", "media_type": "image/png", "data": "AA=="}) == ImagePart(
        data="AA==", media_type="image/png"
    )
    assert part(
        type="document", title="a", source={"type": "base64", "media_type": "application/pdf", "data": "AA"}
    ) == (DocumentPart(data="AA", media_type="application/pdf", name="a"))
    assert part(type="document", source={"type": "text", "media_type": "text/plain", "data": "x"}) == DocumentPart(
        data="x", media_type="text/plain"
    )
    assert part(type="document", source={"type": "url", "url": "https://x"}) == DocumentPart("https://x")
    assert part(type="document", source={"type": "file", "file_id": "f"}) == DocumentPart(file_id="f")
    assert part(type="thinking", thinking="x", signature="s") == ThinkingPart("x", "s")
    assert part(type="redacted_thinking", data="d") == ThinkingPart(redacted="d")
    assert part(type="tool_use", id="a", name="f", input={"x": 1}) == ToolCallPart("a", "f", '{"x": 1}')


def test_results_of_tools_hold_text_and_images() -> None:
    assert part(type="tool_result", tool_use_id="a") == ToolResultPart("a")
    assert part(type="tool_result", tool_use_id="a", content="no", is_error=True) == ToolResultPart(
        "a", (TextPart("no"),), True
    )
    image = {"type": "image", "source": {"type": "url", "url": "https://x"}}
    assert part(type="tool_result", tool_use_id="a", content=[{"type": "text", "text": "x"}, image]) == ToolResultPart(
        "a", (TextPart("x"), ImagePart("https://x"))
    )


def test_what_only_this_wire_has_is_kept_as_sent() -> None:
    for block in (
        {"type": "server_tool_use", "id": "a", "name": "web_search", "input": {}},
        {"type": "search_result", "source": "https://x", "title": "t", "content": []},
        {"type": "image", "source": {"type": "file", "file_id": "f"}},
        {"type": "document", "source": {"type": "content", "content": [{"type": "image", "source": {}}]}},
    ):
        assert part(**block) == OpaquePart(Raw(json.dumps(block).encode()), "anthropic")
    assert part(type="text", text="x", cache_control={"type": "ephemeral"}) == TextPart(
        "x", {"cache_control": Raw(b'{"type": "ephemeral"}')}
    )


def test_the_system_prompt_is_the_first_message() -> None:
    assert read(system="Be brief.").messages[0] == Message("system", (TextPart("Be brief."),))
    blocks = read(system=[{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]).messages
    assert blocks[0] == Message("system", (TextPart("a"), TextPart("b")))
    assert [message.role for message in read(system="").messages] == ["user"]


def test_fields_become_what_they_are() -> None:
    prompt = read(
        stop_sequences=["END"],
        temperature=0.5,
        top_p=0.9,
        top_k=7,
        metadata={"user_id": "u"},
        output_config={"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}},
        thinking={"type": "adaptive"},
        novel=1.0,
    )
    assert (prompt.max_tokens, prompt.stop, prompt.temperature, prompt.top_p) == (5, ("END",), 0.5, 0.9)
    assert (prompt.user, prompt.reasoning_effort) == ("u", "low")
    assert prompt.form == OutputForm("schema", Raw(b'{"type": "object"}'), strict=True)
    assert prompt.extra == {"top_k": Raw(b"7"), "thinking": Raw(b'{"type": "adaptive"}'), "novel": Raw(b"1.0")}


def test_tools_and_their_choice() -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    prompt = read(
        tools=[{"name": "f", "input_schema": {"type": "object"}, "defer_loading": True}, search],
        tool_choice={"type": "tool", "name": "f", "disable_parallel_tool_use": True},
    )
    assert prompt.tools == (
        Tool("f", parameters=Raw(b'{"type": "object"}'), extra={"defer_loading": Raw(b"true")}),
        Tool("web_search_20250305", opaque=Raw(json.dumps(search).encode())),
    )
    assert (prompt.tool_choice, prompt.parallel_tools) == (ToolChoice("tool", "f"), False)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"system": [{"type": "text"}]}, "system[0].text"),
        ({"tools": [{"type": "custom"}]}, "tools[0].name"),
        ({"tool_choice": {"type": "all"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"output_config": {"format": {"type": "text"}}}, "output_config.format"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(**fields)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("block", "param"),
    [
        ({"type": "text", "text": 5}, "text"),
        ({"type": "image"}, "source"),
        ({"type": "image", "source": {}}, "source.type"),
        ({"type": "tool_use", "id": "a", "name": "f"}, "input"),
        ({"type": "tool_result"}, "tool_use_id"),
        ({"type": "tool_result", "tool_use_id": "a", "content": 5}, "content"),
        ({"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text"}]}, "content[0].text"),
    ],
)
def test_a_wrong_block_is_named(block: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        part(**block)
    assert caught.value.param == f"messages[0].content[0].{param}"


words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(str.strip)
plain = st.fixed_dictionaries({"type": st.just("text"), "text": words})
images = st.just({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}})
calls = st.fixed_dictionaries(
    {
        "type": st.just("tool_use"),
        "id": st.just("toolu_1"),
        "name": st.just("f"),
        "input": st.dictionaries(words, st.none() | st.integers() | words, max_size=2),
    }
)
thoughts = st.fixed_dictionaries({"type": st.just("thinking"), "thinking": words, "signature": words})
results = st.fixed_dictionaries(
    {
        "type": st.just("tool_result"),
        "tool_use_id": st.just("toolu_1"),
        "content": st.lists(images, min_size=1, max_size=2),
    },
    optional={"is_error": st.just(True), "cache_control": st.just({"type": "ephemeral"})},
)
turns = st.tuples(
    st.lists(results | images, min_size=1, max_size=3),
    st.tuples(st.lists(thoughts, max_size=2), st.lists(plain | calls, min_size=2, max_size=3)),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(turns, min_size=1, max_size=2), st.none() | words)
def test_what_was_read_is_written_the_same(dialogue: list[Any], system: str | None) -> None:
    messages = []
    for asked, (thought, said) in dialogue:
        messages.append({"role": "user", "content": [*asked, {"type": "text", "text": "x"}]})
        messages.append({"role": "assistant", "content": [*thought, *said]})
    body = {"model": "m", "max_tokens": 5, "messages": messages, **({"system": system} if system else {})}
    body["thinking"] = {"type": "enabled", "budget_tokens": 1024}
    body["tool_choice"] = {"type": "any"}
    body["tools"] = [{"name": "f", "input_schema": {"type": "object"}}]
    written = translate(read_prompt(json.dumps(body).encode()), TARGET, stream=False)
    assert json.loads(written) == body


def test_a_search_result_is_text_to_whoever_has_no_form_for_it_and_goes_back_as_it_came() -> None:
    block = {
        "type": "search_result",
        "source": "https://x/a",
        "title": "Refunds",
        "content": [
            {"type": "text", "text": "They take 14 days. ", "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": "Then they come."},
        ],
        "citations": {"enabled": True},
        "cache_control": {"type": "ephemeral"},
    }
    result = {"type": "tool_result", "tool_use_id": "t", "content": [block]}
    for sent in (block, result):
        one = part(**sent)
        inner = one.content[0] if isinstance(one, ToolResultPart) else one
        assert isinstance(inner, SearchResultPart)
        assert inner.text == "Refunds (https://x/a)\n\nThey take 14 days. Then they come."
        assert (inner.cited, inner.is_whole) == (True, True)
        assert json.loads(json.dumps(written(one))) == sent


def test_a_document_of_several_texts_is_one_of_text_and_goes_back_as_it_came() -> None:
    block = {
        "type": "document",
        "source": {"type": "content", "content": [{"type": "text", "text": "One. "}, {"type": "text", "text": "Two."}]},
        "title": "Notes",
        "context": "Of 2026.",
        "citations": {"enabled": True},
    }
    one = part(**block)
    assert isinstance(one, DocumentPart)
    assert (one.data, one.media_type, one.name) == ("One. Two.", "text/plain", "Notes")
    assert written(one) == block


def test_what_a_stage_has_changed_goes_as_the_text_that_it_is_now() -> None:
    block = {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "Secret."}]}
    changed = replace(part(**block), text="t (s)\n\n[secret]")
    assert written(changed) == {"type": "text", "text": "t (s)\n\n[secret]"}
    source = {"type": "content", "content": "Secret."}
    document = replace(part(type="document", source=source), data="[secret]")
    assert written(document)["source"] == {"type": "text", "media_type": "text/plain", "data": "[secret]"}
