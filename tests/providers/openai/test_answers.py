"""Whole answers: an upstream's summed up, put right where it must be, and a caller's written as the SDK expects."""

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from mainstay.core.answer import Whole
from mainstay.core.errors import (
    ContextOverflow,
    MainstayError,
    UpstreamBroken,
    UpstreamCredential,
    UpstreamFailed,
    UpstreamRateLimited,
)
from mainstay.core.events import (
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
from mainstay.core.usage import Usage
from mainstay.providers.openai import OpenAICodec, write_whole

CODEC = OpenAICodec()


def answer(message: dict[str, Any] | None = None, finish: str | None = "stop", **top: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": "hi", **(message or {})}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1700000000, "model": "m-1"}
    return {**head, "choices": [choice], **top}


def encode(value: Any) -> bytes:
    return json.dumps(value).encode()


def written(events: Whole | list[Event], **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(write_whole(events, model="fallback", id="abc", created=5, **options))
    ChatCompletion.model_validate(found, strict=True)
    return found


def message_of(*events: Event) -> dict[str, Any]:
    found: dict[str, Any] = written([*events, Finished(FinishReason.STOP)])["choices"][0]["message"]
    return found


USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}


def test_the_summary_is_read_and_the_bytes_are_kept() -> None:
    body = encode(answer(usage=USAGE, new=1.0))
    whole = CODEC.whole(body)
    assert whole.wire is body
    assert (whole.id, whole.model, whole.finish) == ("chatcmpl-1", "m-1", (FinishReason.STOP,))
    assert whole.usage == Usage(7, 3)
    assert write_whole(whole, model="x", id="y", created=1) is body


def test_every_part_of_a_message_becomes_an_event() -> None:
    message = {
        "reasoning_content": "why",
        "refusal": "no",
        "tool_calls": [CALL],
        "annotations": [],
        "x": 1.0,
    }
    body = answer(message, "tool_calls", usage=USAGE, system_fingerprint="fp")
    logprobs = {"content": [{"token": "hi", "logprob": -1.0, "top_logprobs": []}], "refusal": None}
    body["choices"][0]["logprobs"] = logprobs
    events = CODEC.whole(encode(body)).events
    assert events[:2] == (Started("chatcmpl-1", "m-1", 1700000000, "fp"), ThinkingDelta("why"))
    text = events[2]
    assert isinstance(text, TextDelta)
    assert (text.text, json.loads(bytes(text.logprobs or b""))) == ("hi", logprobs)
    assert events[3:6] == (RefusalDelta("no"), ToolStarted("c1", "f"), ToolDelta('{"a": 1}'))
    assert [json.loads(bytes(event.payload)) for event in events if isinstance(event, Opaque)] == [
        {"answer": {"system_fingerprint": "fp"}},
        {"message": {"annotations": [], "x": 1.0}},
    ]
    assert events[-2:] == (Finished(FinishReason.TOOLS, 0, "tool_calls"), Metered(Usage(7, 3)))


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", FinishReason.STOP),
        ("length", FinishReason.LENGTH),
        ("content_filter", FinishReason.FILTERED),
        ("function_call", FinishReason.TOOLS),
        ("martian", FinishReason.OTHER),
        (None, FinishReason.STOP),
    ],
)
def test_finish_reasons_are_understood(word: str | None, reason: FinishReason) -> None:
    whole = CODEC.whole(encode(answer(finish=word)))
    assert whole.finish == (reason,)
    assert whole.events[-1] == Finished(reason, 0, word or "")


def test_a_stop_string_that_ended_the_text_is_known() -> None:
    body = answer()
    body["choices"][0]["stop_reason"] = "###"
    assert CODEC.whole(encode(body)).finish == (FinishReason.STOP_SEQUENCE,)


@pytest.mark.parametrize(
    ("usage", "read"),
    [
        (None, None),
        ({}, None),
        ({"prompt_tokens": None, "completion_tokens": None}, None),
        (USAGE, Usage(7, 3)),
        ({**USAGE, "prompt_tokens_details": None, "completion_tokens_details": None}, Usage(7, 3)),
        (
            {
                **USAGE,
                "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2, "audio_tokens": 1, "new": 1},
                "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 1},
            },
            Usage(7, 3, cache_read=4, cache_write=2, reasoning=2, audio_input=1, audio_output=1),
        ),
        ({**USAGE, "prompt_cache_hit_tokens": 5, "prompt_cache_miss_tokens": 2}, Usage(7, 3, cache_read=5)),
        ({**USAGE, "cached_tokens": 5}, Usage(7, 3, cache_read=5)),
        (
            {**USAGE, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 2},
            Usage(7, 3, cache_read=4, cache_write=2),
        ),
        ({**USAGE, "total_tokens": 15, "completion_tokens_details": {"reasoning_tokens": 5}}, Usage(7, 8, reasoning=5)),
        ({"prompt_tokens": 7.0, "completion_tokens": 3.0}, Usage(7, 3)),
        ({"prompt_tokens": 7}, Usage(7, 0)),
        ({"prompt_tokens": "many"}, None),
        ("lots", None),
        ({"prompt_tokens": -5, "completion_tokens": 3}, Usage(0, 3)),
        ({"prompt_tokens": 2**53 + 1, "completion_tokens": 3}, Usage(0, 3)),
        ({"prompt_tokens": 10**400, "completion_tokens": 1e300}, None),
        ({"prompt_tokens": True, "completion_tokens": False}, None),
        ({"prompt_tokens": 7.9, "completion_tokens": "3"}, Usage(7, 0)),
        (
            {
                **USAGE,
                "prompt_tokens_details": {"cached_tokens": 99, "cache_write_tokens": -1, "audio_tokens": "x"},
                "completion_tokens_details": {"reasoning_tokens": 99, "audio_tokens": 4},
            },
            Usage(7, 3, cache_read=7, reasoning=3, audio_output=3),
        ),
    ],
)
def test_usage_is_read_in_every_form_and_parts_stay_parts(usage: Any, read: Usage | None) -> None:
    whole = CODEC.whole(encode(answer(usage=usage)))
    assert whole.usage == read
    assert [event.usage for event in whole.events if isinstance(event, Metered)] == ([] if read is None else [read])


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", UpstreamBroken),
        (b"<html>hello</html>", UpstreamBroken),
        (b"[]", UpstreamBroken),
        (b"{}", UpstreamBroken),
        (encode(answer(choices=None)), UpstreamBroken),
        (encode(answer(choices=[])), UpstreamBroken),
        (encode(answer(choices="x")), UpstreamBroken),
        (encode(answer({"content": "x"})).replace(b'"x"', b'"\xff"'), UpstreamBroken),
        (b'{"message":"Network connection lost."}', UpstreamBroken),
        (b'{"error":{"message":"Network connection lost."}}', UpstreamFailed),
        (b'{"error":"out of memory"}', UpstreamFailed),
        (b'{"error":{"message":"m","type":"x","code":429}}', UpstreamRateLimited),
        (b'{"error":{"message":"m","type":"invalid_request_error","code":"context_length_exceeded"}}', ContextOverflow),
        (b'{"error":{"message":"m","type":"authentication_error"}}', UpstreamCredential),
        (b'{"object":"error","message":"m","type":"InternalServerError","code":500}', UpstreamFailed),
        (encode(answer(finish="error")), UpstreamFailed),
        (b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}', UpstreamFailed),
        (b'{"type":"error","error":{"type":"rate_limit_error","message":"m"},"id":5}', UpstreamRateLimited),
        (b'{"type":"error","error":{"type":"billing_error","message":"m"}}', UpstreamCredential),
        (
            b'{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8"}}',
            ContextOverflow,
        ),
        (b'{"code":429,"message":"slow down"}', UpstreamRateLimited),
        (encode({**answer({"content": "x"}), "error": {"code": 429, "message": "m"}}), UpstreamRateLimited),
        (
            encode({"choices": [{"finish_reason": "error", "error": {"code": 429, "message": "m"}}]}),
            UpstreamRateLimited,
        ),
        (encode(answer({"tool_calls": [{"id": "a", "function": {"arguments": "{}"}}]})), UpstreamBroken),
        (encode(answer({"tool_calls": [{"id": "a", "function": None}]})), UpstreamBroken),
    ],
)
def test_a_200_that_is_not_an_answer_is_an_error(body: bytes, kind: type[MainstayError]) -> None:
    with pytest.raises(kind) as caught:
        CODEC.whole(body)
    assert type(caught.value) is kind


def test_half_a_character_does_not_cost_the_answer() -> None:
    whole = CODEC.whole(encode(answer({"content": "a \ud83d b", "odd": "\udc00"}, usage=USAGE)))
    assert [event.text for event in whole.events if isinstance(event, TextDelta)] == ["a \ufffd b"]
    assert json.loads(whole.wire)["choices"][0]["message"]["odd"] == "\ufffd"
    assert whole.usage == Usage(7, 3)


def test_an_error_of_null_is_no_error() -> None:
    assert CODEC.whole(encode({"error": None, **answer()})).finish == (FinishReason.STOP,)


def test_stop_after_a_call_becomes_tool_calls_and_the_rest_is_kept() -> None:
    body = answer({"content": None, "tool_calls": [CALL], "x": 1.0}, "stop", big=2**70)
    whole = CODEC.whole(encode(body))
    assert whole.finish == (FinishReason.TOOLS,)
    body["choices"][0]["finish_reason"] = "tool_calls"
    assert json.loads(whole.wire) == body


def test_a_call_that_was_cut_stays_cut() -> None:
    cut = {**CALL, "function": {"name": "f", "arguments": '{"a": '}}
    whole = CODEC.whole(body := encode(answer({"tool_calls": [cut]}, "length")))
    assert whole.wire is body
    assert whole.finish == (FinishReason.LENGTH,)
    assert ToolDelta('{"a": ') in whole.events


def test_calls_without_ids_or_with_arguments_as_an_object_are_put_right() -> None:
    calls = [{"function": {"name": "f", "arguments": {"a": 1.0}}}, {"id": "", "function": {"name": "g"}}]
    whole = CODEC.whole(encode(answer({"tool_calls": calls}, "tool_calls")))
    first, second = json.loads(whole.wire)["choices"][0]["message"]["tool_calls"]
    assert first["id"].startswith("call_")
    assert second["id"].startswith("call_")
    assert first["id"] != second["id"]
    assert json.loads(first["function"]["arguments"]) == {"a": 1.0}
    assert second["function"]["arguments"] == ""
    assert [event.id for event in whole.events if isinstance(event, ToolStarted)] == [first["id"], second["id"]]


def test_reasoning_inside_a_list_of_content_is_told_apart() -> None:
    content = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "why"}]},
        {"type": "text", "text": "hi"},
    ]
    assert CODEC.whole(encode(answer({"content": content}))).events[1:3] == (ThinkingDelta("why"), TextDelta("hi"))


def test_an_answer_of_another_dialect_is_written_for_the_sdk() -> None:
    found = written(
        [
            Started("msg_1", "claude", 0),
            ThinkingDelta("why"),
            ThinkingSealed("sig"),
            ThinkingSealed(redacted="xyz"),
            TextDelta("let me "),
            TextDelta("see"),
            ToolStarted("t1", "f", 0),
            ToolDelta('{"a":', 0),
            ToolStarted("t2", "g", 1),
            ToolDelta("1}", 0),
            Finished(FinishReason.TOOLS, raw="tool_use"),
            Metered(Usage(10, 5, cache_read=4, cache_write=3, reasoning=2)),
        ]
    )
    assert found == {
        "id": "chatcmpl-abc",
        "object": "chat.completion",
        "created": 5,
        "model": "claude",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "let me see",
                    "refusal": None,
                    "reasoning_content": "why",
                    "thinking_blocks": [
                        {"type": "thinking", "thinking": "why", "signature": "sig"},
                        {"type": "redacted_thinking", "data": "xyz"},
                    ],
                    "tool_calls": [
                        {"id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
                        {"id": "t2", "type": "function", "function": {"name": "g", "arguments": ""}},
                    ],
                },
                "logprobs": None,
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0, "cache_write_tokens": 3},
            "completion_tokens_details": {
                "reasoning_tokens": 2,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
    }


def test_content_is_null_only_beside_a_call_or_a_refusal() -> None:
    assert message_of()["content"] == ""
    assert message_of(ToolStarted("1", "f"))["content"] is None
    assert message_of(RefusalDelta("no")) == {"role": "assistant", "content": None, "refusal": "no"}


@pytest.mark.parametrize(
    ("reason", "raw", "word"),
    [
        (FinishReason.STOP, "", "stop"),
        (FinishReason.STOP_SEQUENCE, "", "stop"),
        (FinishReason.PAUSED, "pause_turn", "stop"),
        (FinishReason.LENGTH, "", "length"),
        (FinishReason.CONTEXT, "", "length"),
        (FinishReason.TOOLS, "", "tool_calls"),
        (FinishReason.FILTERED, "", "content_filter"),
        (FinishReason.REFUSED, "", "content_filter"),
        (FinishReason.OTHER, "", "stop"),
    ],
)
def test_each_finish_reason_becomes_one_of_openais_words(reason: FinishReason, raw: str, word: str) -> None:
    assert written([TextDelta("x"), Finished(reason, 0, raw)])["choices"][0]["finish_reason"] == word


def test_a_call_is_named_in_the_finish_reason_whatever_the_upstream_said() -> None:
    found = written([ToolStarted("1", "f"), Finished(FinishReason.STOP)])
    assert found["choices"][0]["finish_reason"] == "tool_calls"


def test_callers_of_the_legacy_functions_get_a_function_call() -> None:
    events: list[Event] = [ToolStarted("t1", "f"), ToolDelta("{}"), Finished(FinishReason.TOOLS)]
    choice = written(events, legacy_functions=True)["choices"][0]
    assert choice["message"]["function_call"] == {"name": "f", "arguments": "{}"}
    assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == "function_call"
    body = answer({"content": None, "function_call": {"name": "f", "arguments": "{}"}}, "function_call")
    again = written(list(CODEC.whole(encode(body)).events))
    assert again["choices"][0] == {**body["choices"][0], "message": {**body["choices"][0]["message"], "refusal": None}}
