"""A whole answer as a message: the SDK's own type accepts it, and nothing of it is made up."""

import json
from typing import Any

import pytest
from anthropic.types import Message
from msgspec import Raw

from mainstay.core.events import (
    Dialect,
    Event,
    Finished,
    FinishReason,
    Metered,
    Opaque,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSealed,
    ToolDelta,
    ToolStarted,
)
from mainstay.core.fold import fold
from mainstay.core.usage import Usage
from mainstay.providers.anthropic import AnthropicCodec, write_whole
from support import messages_wire as wire

STOP = Finished(FinishReason.STOP)


def made(*events: Event) -> dict[str, Any]:
    body = json.loads(write_whole(fold(events), model="fallback", id="abc"))
    Message.model_validate(body)
    return dict(body)


def test_an_answer_of_this_wire_is_returned_as_it_came() -> None:
    body = wire.body(wire.message({"type": "text", "text": "x"}, novelty=1.0))
    assert write_whole(AnthropicCodec().whole(body), model="m", id="i") == body


def test_an_answer_read_and_written_again_is_the_same() -> None:
    said = wire.message(
        {"type": "thinking", "thinking": "Hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "d"},
        {"type": "text", "text": "a", "citations": [{"type": "char_location", "cited_text": "x"}]},
        {"type": "text", "text": "b"},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"q": 1}},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"x": [1.0]}},
        stop_reason="tool_use",
    )
    whole = AnthropicCodec().whole(wire.body(said))
    body = json.loads(write_whole(fold(whole.events), model="m", id="i"))
    assert body["content"] == said["content"]
    assert {key: body[key] for key in ("id", "model", "stop_reason")} == {
        key: said[key] for key in ("id", "model", "stop_reason")
    }


def test_an_answer_of_another_wire_is_a_message() -> None:
    body = made(
        Started("chatcmpl-1"),
        ThinkingDelta("Hm"),
        TextDelta("Hello"),
        ToolStarted("a", "f", 0),
        ToolDelta('{"x": 12345678901234567890}', 0),
        ToolStarted("b", "g", 1),
        Finished(FinishReason.TOOLS),
        Metered(Usage(input=9, output=3)),
    )
    assert body["content"] == [
        {"type": "thinking", "thinking": "Hm", "signature": ""},
        {"type": "text", "text": "Hello"},
        {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 12345678901234567890}},
        {"type": "tool_use", "id": "b", "name": "g", "input": {}},
    ]
    assert (body["id"], body["model"], body["stop_reason"]) == ("msg_abc", "fallback", "tool_use")
    assert (body["usage"]["input_tokens"], body["usage"]["output_tokens"]) == (9, 3)


def test_usage_counts_the_cached_parts_apart() -> None:
    usage = made(STOP, Metered(Usage(input=30, output=7, cache_read=10, cache_write=5, cache_write_1h=2)))["usage"]
    assert usage == {
        "input_tokens": 15,
        "cache_creation_input_tokens": 5,
        "cache_read_input_tokens": 10,
        "output_tokens": 7,
        "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 2},
    }


@pytest.mark.parametrize("arguments", ['{"x": "ha', '{"x":', ""])
def test_arguments_that_a_limit_cut_are_never_repaired(arguments: str) -> None:
    events = (ToolStarted("a", "f"), ToolDelta(arguments), Finished(FinishReason.LENGTH))
    body = json.loads(write_whole(fold(events), model="m", id="i"))
    assert body["content"][0]["input"] == arguments
    assert body["stop_reason"] == "max_tokens"


def test_a_refusal_is_a_reason_with_its_words() -> None:
    body = made(RefusalDelta("I will not."), STOP)
    assert (body["content"], body["stop_reason"]) == ([], "refusal")
    assert body["stop_details"] == {"type": "refusal", "category": None, "explanation": "I will not."}


def test_an_unknown_reason_passes_in_its_own_word() -> None:
    assert (
        json.loads(write_whole(fold([TextDelta("x"), Finished(FinishReason.OTHER, raw="tired")]), model="m", id="i"))[
            "stop_reason"
        ]
        == "tired"
    )


def test_thinking_keeps_its_seals_and_its_blocks() -> None:
    body = made(
        ThinkingDelta("one"), ThinkingSealed(signature="s1"), ThinkingDelta("two"), ThinkingSealed(signature="s2"), STOP
    )
    assert [(block["thinking"], block["signature"]) for block in body["content"]] == [("one", "s1"), ("two", "s2")]


def test_further_choices_and_what_the_wire_cannot_say_are_left_out() -> None:
    body = made(
        TextDelta("a"),
        TextDelta("b", choice=1),
        Opaque(Raw(b'{"answer":{"x":1}}'), Dialect.OPENAI),
        TextDelta(""),
        STOP,
    )
    assert body["content"] == [{"type": "text", "text": "a"}]
