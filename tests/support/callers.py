"""Every caller's dialect from the client's side: a question as each would ask it, an answer as its SDK reads it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from anthropic.types import Message
from openai._models import construct_type
from openai._types import omit
from openai.lib.streaming.chat._completions import ChatCompletionStreamState
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses.response import Response

from mainstay.api.anthropic import AnthropicWire
from mainstay.api.calls import CallerWire
from mainstay.api.completions import CompletionsWire
from mainstay.api.openai import OpenAIWire
from mainstay.api.responses import ResponsesWire
from mainstay.core.call import Ask
from mainstay.core.sse import SseDecoder
from mainstay.providers.completions import as_chat
from support import messages_stream, responses_wire

__all__ = ["CALLERS", "Caller", "Heard"]

Json = dict[str, Any]


@dataclass(frozen=True)
class Heard:
    """An answer as a client has it; ``usage`` is input, its cached part, output and its reasoning (None: not told)."""

    text: str
    thinking: str
    calls: tuple[tuple[str, str, Any], ...]
    finish: str
    usage: tuple[int, int, int, int | None]


@dataclass(frozen=True)
class Caller:
    """One dialect.

    ``whole`` and ``stream`` read an answer with the official SDK's types, ``error`` the error that a stream ends in,
    as its code. ``finish`` are its words for why an answer ended. ``question`` is the simplest request, ``streaming``
    what is added to it for a stream with its usage. ``plain`` callers can neither offer tools nor be shown reasoning.
    ``adapt`` is what the gateway makes of a request before a vendor's codec has it.
    """

    wire: Callable[[], CallerWire]
    question: Json
    whole: Callable[[bytes], Heard]
    stream: Callable[[bytes], Heard]
    error: Callable[[bytes], str]
    finish: dict[str, str]
    streaming: Json = field(default_factory=dict)
    plain: bool = False
    adapt: Callable[[Ask], Ask] | None = None


def _arguments(text: str) -> Any:
    return json.loads(text or "{}")


def _data(stream: bytes) -> list[tuple[bytes, Any]]:
    decoder = SseDecoder()
    found = [*decoder.feed(stream), *decoder.close()]
    return [(one.name, one.data if one.data == b"[DONE]" else json.loads(one.data)) for one in found]


# Chat completions.


def _chat_whole(body: bytes) -> Heard:
    said = ChatCompletion.model_validate_json(body)
    (choice,) = said.choices
    message = choice.message
    usage = said.usage
    assert usage is not None
    calls = [
        (call.id, call.function.name, _arguments(call.function.arguments))
        for call in message.tool_calls or ()
        if call.type == "function"
    ]
    before, after = usage.prompt_tokens_details, usage.completion_tokens_details
    assert before is not None
    assert after is not None
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    return Heard(
        message.content or "",
        (message.model_extra or {}).get("reasoning_content", ""),
        tuple(calls),
        choice.finish_reason,
        (usage.prompt_tokens, before.cached_tokens or 0, usage.completion_tokens, after.reasoning_tokens or 0),
    )


def _chat_stream(stream: bytes) -> Heard:
    events = _data(stream)
    assert events[-1][1] == b"[DONE]"
    chunks = [ChatCompletionChunk.model_validate(data) for _, data in events[:-1]]
    assert len({(chunk.id, chunk.model, chunk.created) for chunk in chunks}) == 1
    assert all(not name for name, _ in events)
    state: Any = ChatCompletionStreamState(input_tools=omit, response_format=omit)
    for chunk in chunks:
        state.handle_chunk(chunk)
    ends = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    assert len(ends) == 1, "a choice ends once"
    roles = [choice.delta.role for chunk in chunks for choice in chunk.choices if choice.delta.role]
    assert roles == ["assistant"]
    # The snapshot itself, as it came: the SDK's final answer refuses those that were cut.
    snapshot = state.current_completion_snapshot.to_dict()
    thinking = [(choice.delta.model_extra or {}).get("reasoning_content") for c in chunks for choice in c.choices]
    snapshot["choices"][0]["message"]["reasoning_content"] = "".join(piece or "" for piece in thinking)
    for call in snapshot["choices"][0]["message"].get("tool_calls") or ():
        call.pop("index", None)
        call["function"].pop("parsed_arguments", None)
    snapshot["object"] = "chat.completion"
    return _chat_whole(json.dumps(snapshot).encode())


def _chat_error(stream: bytes) -> str:
    events = _data(stream)
    assert all(data != b"[DONE]" for _, data in events)
    error = events[-1][1]["error"]
    assert {"message", "type", "param", "code"} <= set(error)
    return str(error["code"])


# Legacy completions.


def _completion_whole(body: bytes) -> Heard:
    said = Completion.model_validate_json(body)
    (choice,) = said.choices
    usage = said.usage
    assert usage is not None
    before, after = usage.prompt_tokens_details, usage.completion_tokens_details
    assert before is not None
    assert after is not None
    counts = (usage.prompt_tokens, before.cached_tokens or 0, usage.completion_tokens, after.reasoning_tokens)
    return Heard(choice.text, "", (), choice.finish_reason, counts)


def _completion_stream(stream: bytes) -> Heard:
    events = _data(stream)
    assert events[-1][1] == b"[DONE]"
    chunks = [data for _, data in events[:-1]]
    for chunk in chunks:
        Completion.construct(**chunk)
    assert len({(chunk["id"], chunk["model"], chunk["created"]) for chunk in chunks}) == 1
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    ends = [choice["finish_reason"] for choice in choices if choice["finish_reason"]]
    assert len(ends) == 1, "a choice ends once"
    text = "".join(choice["text"] for choice in choices)
    whole = {**chunks[-1], "choices": [{**choices[-1], "text": text, "finish_reason": ends[0]}]}
    return _completion_whole(json.dumps(whole).encode())


# Messages.


def _message_whole(body: bytes) -> Heard:
    said = Message.model_validate_json(body)
    text = "".join(block.text for block in said.content if block.type == "text")
    thinking = "".join(block.thinking for block in said.content if block.type == "thinking")
    calls = [(block.id, block.name, block.input) for block in said.content if block.type == "tool_use"]
    usage = said.usage
    cached = usage.cache_read_input_tokens or 0
    counts = (usage.input_tokens + cached + (usage.cache_creation_input_tokens or 0), cached, usage.output_tokens, None)
    return Heard(text, thinking, tuple(calls), str(said.stop_reason), counts)


def _message_stream(stream: bytes) -> Heard:
    return _message_whole(json.dumps(messages_stream.read_message(stream)).encode())


def _message_error(stream: bytes) -> str:
    name, data = _data(stream)[-1]
    assert (name, data["type"]) == (b"error", "error")
    assert {"type", "message"} <= set(data["error"])
    return str(data["error"]["code"])


# Responses.


def _response_whole(body: bytes) -> Heard:
    responses_wire.check_response(json.loads(body))
    said = Response.model_validate_json(body)
    text = thinking = ""
    calls = []
    for item in said.output:
        if item.type == "message":
            text += "".join(part.text for part in item.content if part.type == "output_text")
        elif item.type == "reasoning":
            thinking += "".join(part.text for part in [*item.summary, *(item.content or ())])
        elif item.type == "function_call":
            calls.append((item.call_id, item.name, _arguments(item.arguments)))
    details = said.incomplete_details
    finish = str(said.status) + (f": {details.reason}" if details is not None else "")
    usage = said.usage
    assert usage is not None
    before, after = usage.input_tokens_details, usage.output_tokens_details
    counts = (usage.input_tokens, before.cached_tokens, usage.output_tokens, after.reasoning_tokens)
    return Heard(text, thinking, tuple(calls), finish, counts)


def _response_stream(stream: bytes) -> Heard:
    return _response_whole(json.dumps(responses_wire.read_response(stream)).encode())


def _response_error(stream: bytes) -> str:
    events = [data for _, data in _data(stream)]
    assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    failed: Any = construct_type(type_=Response, value=events[-1]["response"])
    assert failed.status == "failed"
    return str(events[-2]["code"])


CALLERS: dict[str, Caller] = {
    "chat": Caller(
        OpenAIWire,
        {"model": "m", "messages": [{"role": "user", "content": "Hi"}]},
        _chat_whole,
        _chat_stream,
        _chat_error,
        {
            "stop": "stop",
            "stop_sequence": "stop",
            "length": "length",
            "context": "length",
            "tools": "tool_calls",
            "filtered": "content_filter",
            "refused": "content_filter",
        },
        {"stream_options": {"include_usage": True}},
    ),
    "completions": Caller(
        CompletionsWire,
        {"model": "m", "prompt": "Hi"},
        _completion_whole,
        _completion_stream,
        _chat_error,
        {
            "stop": "stop",
            "stop_sequence": "stop",
            "length": "length",
            "context": "length",
            "tools": "stop",
            "filtered": "content_filter",
            "refused": "content_filter",
        },
        {"stream_options": {"include_usage": True}},
        plain=True,
        adapt=lambda ask: as_chat(ask, "m"),
    ),
    "messages": Caller(
        AnthropicWire,
        {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]},
        _message_whole,
        _message_stream,
        _message_error,
        {
            "stop": "end_turn",
            "stop_sequence": "stop_sequence",
            "length": "max_tokens",
            "context": "model_context_window_exceeded",
            "tools": "tool_use",
            "filtered": "refusal",
            "refused": "refusal",
        },
    ),
    "responses": Caller(
        ResponsesWire,
        {"model": "m", "input": "Hi"},
        _response_whole,
        _response_stream,
        _response_error,
        {
            "stop": "completed",
            "stop_sequence": "completed",
            "length": "incomplete: max_output_tokens",
            "context": "incomplete: max_output_tokens",
            "tools": "completed",
            "filtered": "incomplete: content_filter",
            "refused": "completed",
        },
    ),
}
