"""Whole responses of an upstream: what they say, and what is no answer."""

import json
from typing import Any

import msgspec
import pytest
from openai.types.responses.response import Response

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
from mainstay.providers.port import Codec
from mainstay.providers.responses.codec import ResponsesCodec
from support import responses_vendor as wire

CODEC = ResponsesCodec()
SEARCH = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "q"}}
CITED = {"type": "url_citation", "start_index": 0, "end_index": 2, "url": "https://x", "title": "X"}
FILED = {"type": "file_citation", "file_id": "f", "filename": "a.pdf", "index": 1}
FULL = wire.answer(
    wire.reasoning("First.", "Second.", encrypted="gAAA"),
    SEARCH,
    wire.message(wire.part("Hé", annotations=[CITED, FILED]), {"type": "refusal", "refusal": "No."}),
    wire.call("get", '{"city":"Köln"}', "call_1"),
    wire.call("now", "", "call_2", id="fc_2"),
)


def test_it_is_a_codec() -> None:
    codec: Codec = CODEC
    assert codec.dialect is Dialect.RESPONSES
    assert codec.credentials("k") == ((b"authorization", b"Bearer k"),)
    assert codec.credentials("") == ()


def test_every_kind_of_item_comes_out() -> None:
    Response.model_validate(FULL)
    whole = CODEC.whole(wire.body(FULL))
    usage = Usage(10, 5, cache_read=4, reasoning=2, searches=1)
    assert (whole.id, whole.model, whole.finish, whole.usage) == (
        "resp_up",
        "gpt-test-2026-01-01",
        (FinishReason.TOOLS,),
        usage,
    )
    assert whole.wire == wire.body(FULL)
    found = [msgspec.json.decode(one.payload) if isinstance(one, Opaque) else one for one in whole.events]
    flat = {name: value for name, value in CITED.items() if name != "type"}
    assert found == [
        Started("resp_up", "gpt-test-2026-01-01", 1700000000),
        ThinkingDelta("First.\n\nSecond."),
        ThinkingSealed("responses:rs_1:gAAA"),
        SEARCH,
        TextDelta("Hé"),
        {"message": {"annotations": [{"type": "url_citation", "url_citation": flat}]}},
        {"annotations": [FILED]},
        RefusalDelta("No."),
        ToolStarted("call_1", "get", 0),
        ToolDelta('{"city":"Köln"}', 0),
        ToolStarted("call_2", "now", 1),
        Finished(FinishReason.TOOLS, raw="completed"),
        Metered(usage),
    ]


def test_probabilities_have_the_form_of_chats() -> None:
    tokens = [{"token": "H", "logprob": -0.1, "bytes": [72], "top_logprobs": []}]
    whole = CODEC.whole(wire.body(wire.answer(wire.message(wire.part("H", logprobs=tokens)))))
    delta = whole.events[1]
    assert isinstance(delta, TextDelta)
    assert delta.logprobs is not None
    assert msgspec.json.decode(delta.logprobs) == {"content": tokens, "refusal": None}


@pytest.mark.parametrize(
    ("fields", "finish"),
    [
        ({}, FinishReason.STOP),
        ({"status": None}, FinishReason.STOP),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, FinishReason.LENGTH),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, FinishReason.FILTERED),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_tool_calls"}}, FinishReason.LENGTH),
        ({"status": "incomplete", "incomplete_details": None}, FinishReason.LENGTH),
    ],
)
def test_why_an_answer_ended_is_told(fields: dict[str, Any], finish: FinishReason) -> None:
    whole = CODEC.whole(wire.body(wire.answer(wire.message(wire.part("Hi")), **fields)))
    assert whole.finish == (finish,)
    ends = [event.reason for event in whole.events if isinstance(event, Finished)]
    assert ends == [finish]


@pytest.mark.parametrize("kind", ["custom_tool_call", "local_shell_call", "apply_patch_call", "computer_call"])
def test_a_call_that_only_this_wire_knows_waits_for_the_caller_too(kind: str) -> None:
    item = {"id": "x_1", "type": kind, "call_id": "c", "name": "n", "input": "ls", "content": 3}
    whole = CODEC.whole(wire.body(wire.answer(item)))
    assert whole.finish == (FinishReason.TOOLS,)
    assert any(isinstance(event, Opaque) and event.dialect is Dialect.RESPONSES for event in whole.events)


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        ({"code": "server_error", "message": "x"}, errors.UpstreamFailed, 502),
        ({"code": "rate_limit_exceeded", "message": "x"}, errors.UpstreamRateLimited, 429),
        ({"code": "invalid_prompt", "message": "Change it."}, errors.UpstreamRefused, 400),
        ({"code": "image_too_large", "message": "Too large."}, errors.UpstreamRefused, 400),
        ({"code": "context_length_exceeded", "message": "Too long."}, errors.ContextOverflow, 400),
        ({"code": "insufficient_quota", "message": "x"}, errors.UpstreamCredential, 502),
        (None, errors.UpstreamFailed, 502),
    ],
)
def test_a_failed_response_is_the_error_it_tells_of(error: Any, kind: type[errors.MainstayError], status: int) -> None:
    with pytest.raises(kind) as caught:
        CODEC.whole(wire.body(wire.answer(status="failed", error=error)))
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", errors.UpstreamBroken),
        (b"<html>", errors.UpstreamBroken),
        (b"[]", errors.UpstreamBroken),
        (b"{}", errors.UpstreamBroken),
        (b'{"status":"queued","output":[]}', errors.UpstreamBroken),
        (b'{"status":"cancelled","output":[]}', errors.UpstreamFailed),
        (b'{"status":"completed","output":[{}]}', errors.UpstreamBroken),
        (b'{"status":"completed","output":[{"type":"message","content":3}]}', errors.UpstreamBroken),
        (b'{"output":[{"type":"message","content":[{"type":"output_text","text":"\xff"}]}]}', errors.UpstreamBroken),
        (b'{"output":[],"new":"\xff"}', errors.UpstreamBroken),
        (b'{"error":{"message":"slow down","code":"rate_limit_exceeded"}}', errors.UpstreamRateLimited),
        (b'{"object":"error","message":"no","code":400}', errors.UpstreamRefused),
    ],
)
def test_what_is_no_answer_is_an_error(body: bytes, kind: type[errors.MainstayError]) -> None:
    with pytest.raises(kind):
        CODEC.whole(body)


def test_a_call_without_a_name_is_no_call() -> None:
    whole = CODEC.whole(b'{"output":[{"type":"function_call","id":"a","call_id":"b","arguments":"{}"}]}')
    with pytest.raises(errors.UpstreamBroken):
        assert whole.events


def test_a_call_without_its_id_is_answered_by_the_items() -> None:
    item = {"type": "function_call", "id": "fc_9", "name": "get", "arguments": {"a": 1}, "status": "completed"}
    whole = CODEC.whole(wire.body(wire.answer(item)))
    assert json.loads(whole.wire)["output"] == [{**item, "call_id": "fc_9"}]
    assert ToolStarted("fc_9", "get") in whole.events
    assert ToolDelta('{"a":1}'.replace(":", ": ")) in whole.events


def test_half_a_character_is_mended_and_counts_that_are_none_say_nothing() -> None:
    said = wire.answer(wire.message(wire.part("x")), usage={"input_tokens": -1, "output_tokens": "many"})
    whole = CODEC.whole(wire.body(said).replace(b'"x"', b'"\\ud83d"'))
    assert TextDelta("\ufffd") in whole.events
    assert whole.usage is None
    shaped = CODEC.whole(wire.body(wire.answer(usage=[1])))
    assert shaped.usage is None


def test_errors_by_status_are_openais() -> None:
    assert isinstance(CODEC.error(429, (), b"{}"), errors.UpstreamRateLimited)
    body = b'{"error":{"message":"The encrypted content could not be verified.","code":"invalid_encrypted_content"}}'
    assert CODEC.error(400, (), body).code == "invalid_encrypted_content"
