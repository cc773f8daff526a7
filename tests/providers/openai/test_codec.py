"""The codec as a whole: nothing an upstream sends brings it down, and the SDK puts together what it lets through."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from mainstay.core.errors import MainstayError
from mainstay.core.events import (
    Dialect,
    Finished,
    FinishReason,
    Frame,
    Metered,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSealed,
    ToolDelta,
    ToolStarted,
)
from mainstay.core.fold import fold
from mainstay.core.sse import SseEvent
from mainstay.core.usage import Usage
from mainstay.providers.openai import OpenAICodec, OpenAIStreamWriter, render_error, write_whole
from support.openai_chunks import drain, relay

CODEC = OpenAICodec()


def test_credentials_are_a_bearer_token_and_none_without_a_key() -> None:
    assert CODEC.credentials("sk-1") == ((b"authorization", b"Bearer sk-1"),)
    assert CODEC.credentials("") == ()


FIELDS = [
    "id", "model", "created", "choices", "usage", "error", "object", "index", "delta", "message", "finish_reason",
    "logprobs", "content", "tool_calls", "function", "name", "arguments", "reasoning", "type", "code", "text", "detail",
    "prompt_tokens", "innererror", "status", "thinking",
]  # fmt: skip
LEAF = st.none() | st.booleans() | st.integers(-3, 600) | st.sampled_from([0.5, "stop", "text", "", '{"a":1}', "429"])
ANY = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=12,
)
FUNCTION = st.fixed_dictionaries(
    {},
    optional={"name": st.sampled_from(["", "f", "g", None]), "arguments": st.sampled_from(["{", "}", None, {"a": 1}])},
)
CALL = st.fixed_dictionaries(
    {}, optional={"index": st.sampled_from([0, 1, None]), "id": st.sampled_from(["", "a", "b"]), "function": FUNCTION}
)
DELTA = st.fixed_dictionaries(
    {},
    optional={
        "content": st.text(max_size=2) | ANY,
        "tool_calls": st.lists(CALL, max_size=2),
        "function_call": FUNCTION,
        "reasoning": ANY,
        "audio": ANY,
        "thinking_blocks": ANY,
    },
)
CHOICE = st.fixed_dictionaries(
    {},
    optional={
        "index": st.integers(0, 1),
        "delta": DELTA,
        "message": DELTA,
        "finish_reason": st.sampled_from(["stop", "length", "", None, "error"]),
        "logprobs": ANY,
    },
)
BODY = ANY | st.fixed_dictionaries(
    {"choices": st.lists(CHOICE, max_size=2)},
    optional={"id": st.sampled_from(["a", "b", None]), "usage": ANY, "error": ANY, "odd": ANY},
)


@settings(deadline=None)
@given(st.lists(BODY, max_size=4), st.booleans())
def test_any_stream_is_relayed_or_fails_as_an_upstream_does(bodies: list[Any], include_usage: bool) -> None:
    reader, events = CODEC.reader(), []
    writer = OpenAIStreamWriter(include_usage, model="m", id="x", created=1)
    sent = b""
    try:
        for body in bodies:
            frame = reader.feed(SseEvent(json.dumps(body).encode()))
            if frame is not None:
                sent += writer.frame(frame)
                events += frame.events
        reader.finish()
    except MainstayError as error:
        sent = writer.error(error)
        events = []
    else:
        drain(sent + writer.end())
    assert sent.endswith(b"\n\n")
    assert json.loads(write_whole(fold(events), model="m", id="x", created=1))["choices"]


@settings(deadline=None)
@given(BODY)
def test_any_body_is_an_answer_or_fails_as_an_upstream_does(body: Any) -> None:
    data = json.dumps(body).encode()
    with suppress(MainstayError):
        whole = CODEC.whole(data)
        assert json.loads(whole.wire)["choices"]
        assert json.loads(write_whole(list(whole.events), model="m", id="x", created=1))["choices"]


@settings(deadline=None)
@given(BODY, st.sampled_from([400, 401, 404, 418, 429, 500, 599]))
def test_any_error_body_means_some_error(body: Any, status: int) -> None:
    for data in (body, {"error": body}):
        error = CODEC.error(status, (), json.dumps(data).encode())
        assert set(json.loads(render_error(error))["error"]) >= {"message", "type", "param", "code"}


@pytest.mark.parametrize("split", [1, 100])
def test_the_official_sdk_puts_the_stream_together(split: int) -> None:
    events = (
        Started("msg_1", "claude"),
        ThinkingDelta("why"),
        ThinkingSealed("sig"),
        ThinkingSealed(redacted="xyz"),
        TextDelta("He"),
        TextDelta("llo"),
        ToolStarted("t1", "f", 0),
        ToolStarted("t2", "g", 1),
        ToolDelta('{"a":', 0),
        ToolDelta("[]", 1),
        ToolDelta("1}", 0),
        Finished(FinishReason.TOOLS),
        Metered(Usage(3, 4)),
    )
    frames = [Frame(events[i : i + split], b"", Dialect.ANTHROPIC) for i in range(0, len(events), split)]
    state: Any = ChatCompletionStreamState()
    for data in relay(frames):
        state.handle_chunk(ChatCompletionChunk.model_validate(data))
    answer = state.get_final_completion()
    message = answer.choices[0].message
    assert (message.role, message.content, answer.choices[0].finish_reason) == ("assistant", "Hello", "tool_calls")
    assert [(c.id, c.function.name, c.function.arguments) for c in message.tool_calls] == [
        ("t1", "f", '{"a":1}'),
        ("t2", "g", "[]"),
    ]
    assert message.reasoning_content == "why"
    assert [block["type"] for block in message.thinking_blocks] == ["thinking", "redacted_thinking"]
    assert answer.usage.total_tokens == 7
