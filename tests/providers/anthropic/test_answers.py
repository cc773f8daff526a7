"""Whole answers, built with the official SDK's own models."""

import json

import msgspec
import pytest
from anthropic import types

from mainstay.core import errors
from mainstay.core.events import (
    Dialect,
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
from mainstay.core.usage import Usage
from mainstay.providers.anthropic.answers import whole
from support.messages_wire import body, message


def test_the_summary_is_read_at_once() -> None:
    made = types.Message(
        id="msg_1",
        type="message",
        role="assistant",
        model="claude-test",
        content=[types.TextBlock(type="text", text="Hi")],
        stop_reason="end_turn",
        usage=types.Usage(
            input_tokens=3,
            output_tokens=4,
            cache_read_input_tokens=5,
            cache_creation_input_tokens=7,
            cache_creation=types.CacheCreation(ephemeral_1h_input_tokens=2, ephemeral_5m_input_tokens=5),
        ),
    )
    wire = made.to_json().encode()
    found = whole(wire)
    assert (found.wire, found.dialect, found.id, found.model) == (wire, Dialect.ANTHROPIC, "msg_1", "claude-test")
    assert found.finish == (FinishReason.STOP,)
    assert found.usage == Usage(input=15, output=4, cache_read=5, cache_write=7, cache_write_1h=2)


def test_blocks_become_events_in_their_order() -> None:
    made = types.Message(
        id="msg_1",
        type="message",
        role="assistant",
        model="claude-test",
        content=[
            types.ThinkingBlock(type="thinking", thinking="Hm.", signature="Eq+/="),
            types.RedactedThinkingBlock(type="redacted_thinking", data="Em+/="),
            types.TextBlock(type="text", text="Hi"),
            types.ToolUseBlock(type="tool_use", id="toolu_1", name="get", input={"a": 1}),
            types.ToolUseBlock(type="tool_use", id="toolu_2", name="get", input={}),
        ],
        stop_reason="tool_use",
        usage=types.Usage(input_tokens=3, output_tokens=4),
    )
    assert whole(made.to_json(indent=None).encode()).events == (
        Started(id="msg_1", model="claude-test"),
        ThinkingDelta("Hm."),
        ThinkingSealed(signature="Eq+/="),
        ThinkingSealed(redacted="Em+/="),
        TextDelta("Hi"),
        ToolStarted("toolu_1", "get", 0),
        ToolDelta('{"a":1}', 0),
        ToolStarted("toolu_2", "get", 1),
        ToolDelta("{}", 1),
        Finished(FinishReason.TOOLS, raw="tool_use"),
        Metered(Usage(input=3, output=4)),
    )


def test_the_input_of_a_tool_keeps_every_byte() -> None:
    text = '{ "b":1.0,"a":123456789012345678901234567890, "b":2 }'
    wire = body(message({"type": "tool_use", "id": "t", "name": "f", "input": "@"}))
    events = whole(wire.replace(b'"@"', text.encode())).events
    assert ToolDelta(text, 0) in events


def test_citations_and_blocks_of_other_kinds_are_carried_as_sent() -> None:
    citation = {"type": "char_location", "cited_text": "x", "start_char_index": 0}
    result = {"type": "web_search_tool_result", "tool_use_id": "s", "content": []}
    odd = {"type": "brand_new", "text": 5}
    found = whole(body(message({"type": "text", "text": "A", "citations": [citation]}, result, odd))).events
    carried = [json.loads(bytes(one.payload)) for one in found if isinstance(one, Opaque)]
    assert carried == [citation, result, odd]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("end_turn", FinishReason.STOP),
        ("stop_sequence", FinishReason.STOP_SEQUENCE),
        ("max_tokens", FinishReason.LENGTH),
        ("model_context_window_exceeded", FinishReason.CONTEXT),
        ("tool_use", FinishReason.TOOLS),
        ("refusal", FinishReason.REFUSED),
        ("pause_turn", FinishReason.PAUSED),
        ("invented_tomorrow", FinishReason.OTHER),
        (None, FinishReason.OTHER),
    ],
)
def test_every_stop_reason_has_its_meaning_and_keeps_its_word(word: str | None, reason: FinishReason) -> None:
    found = whole(body(message(stop_reason=word)))
    assert found.finish == (reason,)
    assert Finished(reason, raw=word or "") in found.events


def test_calls_under_end_turn_count_as_calls_and_talk_about_them_does_not() -> None:
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    talk = {"type": "text", "text": "A tool_use block."}
    assert whole(body(message(talk, call))).finish == (FinishReason.TOOLS,)
    assert whole(body(message(talk))).finish == (FinishReason.STOP,)


def test_a_refusal_says_why() -> None:
    details = {"type": "refusal", "category": None, "explanation": "By policy."}
    found = whole(body(message(stop_reason="refusal", stop_details=details))).events
    assert found[1:3] == (RefusalDelta("By policy."), Finished(FinishReason.REFUSED, raw="refusal"))


def test_an_answer_without_usage_or_with_broken_usage_is_still_an_answer() -> None:
    assert whole(body(message(usage=None))).usage is None
    assert whole(body(message(usage={"input_tokens": "many"}))).usage is None


def test_an_error_under_a_status_of_200_is_that_error() -> None:
    envelope = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    with pytest.raises(errors.UpstreamFailed):
        whole(json.dumps(envelope).encode())
    with pytest.raises(errors.UpstreamFailed):
        whole(b'{"error": {"type": "api_error", "message": "Network connection lost"}}')


@pytest.mark.parametrize(
    ("wire", "kind"),
    [
        (b'{"error":{"message":"m","type":"server_error","code":"rate_limit_exceeded"}}', errors.UpstreamRateLimited),
        (b'{"error":{"message":"m","type":"x","code":429}}', errors.UpstreamRateLimited),
        (b'{"error":{"message":"m","type":"insufficient_quota"}}', errors.UpstreamCredential),
        (b'{"error":{"message":"m","code":"context_length_exceeded"}}', errors.ContextOverflow),
        (b'{"object":"error","message":"m","type":"BadRequestError","code":400}', errors.UpstreamRefused),
        (b'{"type":"error","error":{"type":"rate_limit_error","message":"\\ud83d"}}', errors.UpstreamRateLimited),
    ],
)
def test_an_error_in_another_wires_form_is_that_error(wire: bytes, kind: type[errors.MainstayError]) -> None:
    with pytest.raises(kind) as caught:
        whole(wire)
    assert type(caught.value) is kind


def test_half_a_character_does_not_cost_the_answer() -> None:
    sent = message({"type": "text", "text": "a \ud83d b"}, {"type": "tool_use", "name": "f", "input": {"x": "\ude00"}})
    found = whole(json.dumps(sent).encode())
    texts = [event.text for event in found.events if isinstance(event, TextDelta)]
    calls = [event.arguments for event in found.events if isinstance(event, ToolDelta)]
    assert (texts, json.loads(calls[0])) == (["a \ufffd b"], {"x": "\ufffd"})
    assert json.loads(found.wire)["content"][0]["text"] == "a \ufffd b"


@pytest.mark.parametrize(
    "wire",
    [b"", b"<html></html>", b"[]", b'"hi"', b"{}", b'{"type":"message","content":null}', b'{"content":"text"}'],
)
def test_a_body_that_is_no_message_is_broken(wire: bytes) -> None:
    with pytest.raises(errors.UpstreamBroken):
        whole(wire)


@pytest.mark.parametrize("block", ['{"type":"text","text":5}', "5", "{}", '{"type":"tool_use","id":{}}'])
def test_a_block_that_cannot_be_read_breaks_the_events(block: str) -> None:
    with pytest.raises(errors.UpstreamBroken):
        assert whole(b'{"type":"message","content":[' + block.encode() + b"]}").events


def test_events_are_decoded_once() -> None:
    found = whole(body(message({"type": "tool_use", "name": "f", "input": {}})))
    assert found.events is found.events
    assert msgspec.json.decode(found.wire)["content"][0]["name"] == "f"
