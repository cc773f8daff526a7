"""What a caller of a stream sees: bytes passed on where they are right, chunks the SDK accepts where they are made."""

import json
from typing import Any

import pytest
from msgspec import Raw
from openai.types.chat import ChatCompletionChunk

from mainstay.core.errors import UpstreamInterrupted
from mainstay.core.events import (
    Dialect,
    Event,
    Finished,
    FinishReason,
    Frame,
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
from mainstay.providers.openai import OpenAIStreamWriter
from support.openai_chunks import chunk, drain, finish, frames_of, relay, tool

ROLE = chunk({"role": "assistant", "content": ""})
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def writer(include_usage: bool = False, **options: Any) -> OpenAIStreamWriter:
    return OpenAIStreamWriter(include_usage, model="fallback", id="abc", created=5, **options)


def foreign(*events: Event, **options: Any) -> list[dict[str, Any]]:
    """Return the chunks for events of another dialect, one frame each; each must satisfy the SDK."""
    chunks = relay([Frame((event,), b"x", Dialect.ANTHROPIC) for event in events], **options)
    for data in chunks:
        ChatCompletionChunk.model_validate(data, strict=True)
    return chunks


def test_frames_of_the_same_wire_pass_byte_for_byte() -> None:
    odd = chunk({"content": "x", "odd": 1.0}, new=[None])
    found = b"".join(writer().frame(frame) for frame in frames_of([ROLE, odd, finish()]))
    assert found == b"data: %b\n\ndata: %b\n\ndata: %b\n\n" % (ROLE, odd, finish())


def test_a_payload_of_several_lines_stays_one_event() -> None:
    data = json.dumps(json.loads(finish()), indent=1).encode()
    assert relay(frames_of([data])) == [json.loads(data)]


def test_usage_is_hidden_from_callers_who_did_not_ask() -> None:
    chunks = [
        chunk({"content": "a"}, usage=None),
        chunk({"content": "b"}, usage=None, obfuscation="xx"),
        chunk({"content": 'say "usage" twice'}),
        finish(usage=USAGE, new=1.0),
        chunk(choices=[], usage=USAGE),
    ]
    seen = relay(frames_of(chunks), include_usage=False)
    assert seen == [
        json.loads(data)
        for data in (
            chunk({"content": "a"}),
            chunk({"content": "b"}, obfuscation="xx"),
            chunks[2],
            finish(new=1.0),
        )
    ]


def test_compact_null_usage_is_cut_out_of_the_bytes() -> None:
    wire = b'{"choices":[{"index":0,"delta":{"content":"x"}}],"usage":null}'
    assert (
        writer().frame(Frame((TextDelta("x"),), wire)) == b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'
    )


def test_usage_is_passed_to_callers_who_asked() -> None:
    chunks = [chunk({"content": "a"}, usage=None), finish(usage=None), chunk(choices=[], usage=USAGE)]
    assert relay(frames_of([*chunks, b"[DONE]"])) == [json.loads(data) for data in chunks]


def test_usage_beside_choices_is_given_once_more_at_the_end() -> None:
    seen = relay(frames_of([ROLE, finish(usage=USAGE)]))
    assert seen[-1]["choices"] == []
    assert seen[-1]["usage"]["total_tokens"] == 10
    assert seen[-1]["id"] == "chatcmpl-1"


def test_the_end_comes_once() -> None:
    made = writer()
    assert made.end() == b"data: [DONE]\n\n"
    assert made.end() == b""


def test_an_error_ends_the_stream_without_done() -> None:
    made = writer(include_usage=True)
    data = made.error(UpstreamInterrupted("It broke."))
    assert json.loads(data.removeprefix(b"data: ")) == {
        "error": {"message": "It broke.", "type": "api_error", "param": None, "code": "upstream_interrupted"}
    }
    assert data.endswith(b"}\n\n")
    assert made.end() == b""


def test_a_ping_is_a_comment() -> None:
    assert writer().ping() == b": ping\n\n"


def test_text_of_another_dialect_is_written_with_the_role_first() -> None:
    seen = foreign(
        Started("msg_1", "claude", 0),
        TextDelta("He"),
        TextDelta("llo"),
        Finished(FinishReason.STOP),
        Metered(Usage(1, 2)),
    )
    head = {"id": "chatcmpl-abc", "object": "chat.completion.chunk", "created": 5, "model": "claude"}
    assert [{key: data[key] for key in head} for data in seen] == [head] * 4
    assert [data["choices"][0]["delta"] for data in seen[:3]] == [
        {"role": "assistant", "content": "He"},
        {"content": "llo"},
        {},
    ]
    assert [data["choices"][0]["finish_reason"] for data in seen[:3]] == [None, None, "stop"]
    assert [data["usage"] for data in seen[:3]] == [None] * 3
    assert (seen[3]["choices"], seen[3]["usage"]["total_tokens"]) == ([], 3)


def test_no_usage_is_written_for_callers_who_did_not_ask() -> None:
    seen = foreign(TextDelta("x"), Finished(FinishReason.STOP), Metered(Usage(1, 2)), include_usage=False)
    assert len(seen) == 2
    assert all("usage" not in data for data in seen)


def test_each_choice_gets_its_role_and_its_end() -> None:
    seen = foreign(TextDelta("a"), TextDelta("b", 1), Finished(FinishReason.LENGTH, 1), Finished(FinishReason.STOP, 0))
    assert [(data["choices"][0]["index"], data["choices"][0]["delta"].get("role")) for data in seen] == [
        (0, "assistant"),
        (1, "assistant"),
        (1, None),
        (0, None),
    ]


def test_calls_reasoning_and_refusal_are_written() -> None:
    seen = foreign(
        ThinkingDelta("wh"),
        ThinkingDelta("y"),
        ThinkingSealed("sig"),
        ThinkingSealed(redacted="xyz"),
        RefusalDelta("no"),
        ToolStarted("t1", "f", 0),
        ToolDelta('{"é":', 0),
        ToolStarted("t2", "g", 1),
        ToolDelta("1}", 0),
        Finished(FinishReason.STOP),
    )
    assert [data["choices"][0]["delta"] for data in seen] == [
        {"role": "assistant", "reasoning_content": "wh"},
        {"reasoning_content": "y"},
        {"thinking_blocks": [{"index": 0, "type": "thinking", "thinking": "why", "signature": "sig"}]},
        {"thinking_blocks": [{"index": 1, "type": "redacted_thinking", "data": "xyz"}]},
        {"refusal": "no"},
        {"tool_calls": [{"index": 0, "id": "t1", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"é":'}}]},
        {"tool_calls": [{"index": 1, "id": "t2", "type": "function", "function": {"name": "g", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]},
        {},
    ]
    assert seen[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_callers_of_the_legacy_functions_get_a_function_call() -> None:
    events = (ToolStarted("t1", "f"), ToolDelta("{}"), Finished(FinishReason.TOOLS))
    expected = [
        {"role": "assistant", "function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": "{}"}},
        {},
    ]
    seen = foreign(*events, legacy_functions=True)
    assert [data["choices"][0]["delta"] for data in seen] == expected
    assert seen[-1]["choices"][0]["finish_reason"] == "function_call"
    frames = frames_of([ROLE, tool("{}", index=0, id="a", name="f"), finish("tool_calls")])
    same = relay(frames, legacy_functions=True)
    assert "tool_calls" not in json.dumps(same)
    assert same[-1]["choices"][0]["finish_reason"] == "function_call"


def test_frames_passed_and_frames_made_share_one_head_and_one_role() -> None:
    frames = [*frames_of([ROLE, finish()])[:1], Frame((TextDelta("made"), Finished(FinishReason.STOP)))]
    first, *rest = relay(frames)
    for data in rest:
        assert [data[key] for key in ("id", "model", "created")] == [first[key] for key in ("id", "model", "created")]
        assert "role" not in data["choices"][0]["delta"]


def test_opaque_fields_return_to_their_places() -> None:
    def opaque(payload: dict[str, Any], dialect: Dialect = Dialect.OPENAI) -> Opaque:
        return Opaque(Raw(json.dumps(payload).encode()), dialect)

    seen = foreign(
        opaque({"answer": {"system_fingerprint": "fp"}}),
        opaque({"message": {"annotations": []}}),
        opaque({"choice": {"filter": {"a": 1}}}),
        opaque({"citation": 1}, Dialect.ANTHROPIC),
        Finished(FinishReason.STOP),
    )
    assert len(seen) == 3
    assert seen[0]["system_fingerprint"] == "fp"
    assert seen[0]["choices"][0]["delta"] == {"role": "assistant", "annotations": []}
    assert "system_fingerprint" not in seen[1]
    assert seen[1]["choices"][0]["filter"] == {"a": 1}


@pytest.mark.parametrize("events", [(), (Started("", "", 0),), (Metered(Usage(1, 1)),)])
def test_a_frame_that_says_nothing_writes_nothing(events: tuple[Event, ...]) -> None:
    assert writer().frame(Frame(events)) == b""


def test_log_probabilities_are_written_with_their_text() -> None:
    logprobs = Raw(b'{"content":[],"refusal":null}')
    (seen, _) = foreign(TextDelta("x", logprobs=logprobs), Finished(FinishReason.STOP))
    assert seen["choices"][0]["logprobs"] == {"content": [], "refusal": None}


def test_a_whole_answer_in_one_frame_becomes_a_stream() -> None:
    events = (Started("chatcmpl-9", "m", 7), TextDelta("hi"), Finished(FinishReason.STOP), Metered(Usage(1, 2)))
    made = writer(include_usage=True)
    seen = drain(made.frame(Frame(events)) + made.end())
    assert [data["id"] for data in seen] == ["chatcmpl-9"] * 3
    assert seen[-1]["usage"]["total_tokens"] == 3
