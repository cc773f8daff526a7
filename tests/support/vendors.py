"""Every vendor's wire from the server's side: one answer, as each of them would say it, whole and streamed.

The forms are those of the modules of each wire here, which were written from the published protocols and are checked
against the official SDKs. What a wire cannot say is in ``lacks``.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from mainstay.core.events import Dialect
from mainstay.core.target import Target
from mainstay.providers.anthropic.codec import AnthropicCodec
from mainstay.providers.bedrock.codec import BedrockCodec
from mainstay.providers.cohere.codec import CohereCodec
from mainstay.providers.gemini.codec import GeminiCodec
from mainstay.providers.openai.codec import OpenAICodec
from mainstay.providers.port import Codec
from mainstay.providers.responses.codec import ResponsesCodec
from support import cohere_wire, converse, gemini_wire, judges, messages_wire, responses_vendor

__all__ = ["USAGE", "VENDORS", "Call", "Cut", "Said", "Vendor", "whole_piece"]

Json = dict[str, Any]
Cut = Callable[[str], list[str]]

#: Tokens of every scripted answer: input with its cached part, output with its reasoning.
USAGE = (10, 4, 5, 2)
_IN, _CACHED, _OUT, _REASONED = USAGE


@dataclass(frozen=True)
class Call:
    """A call of a tool; ``arguments`` is JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Said:
    """An answer in no one's form. ``finish`` is one of the words of ``FinishReason``."""

    text: str = ""
    thinking: str = ""
    signature: str = ""
    calls: tuple[Call, ...] = ()
    finish: str = ""

    @property
    def end(self) -> str:
        return self.finish or ("tools" if self.calls else "stop")


@dataclass(frozen=True)
class Vendor:
    """One vendor's wire.

    ``whole`` and ``pieces`` write an answer: as a body, and as what would be sent one after the other. ``finish`` are
    its words for why an answer ended. ``broken`` is what it sends within a stream when it fails, ``errors`` its bodies
    of errors by status. ``kept`` says which parts of the usage it tells apart, ``lacks`` what it cannot say at all.
    """

    codec: Callable[[], Codec]
    whole: Callable[[Said], bytes]
    pieces: Callable[[Said, Cut], list[bytes]]
    judge: Callable[[bytes, bytes], Json]
    finish: dict[str, str]
    broken: bytes
    errors: dict[int, bytes]
    overflow: bytes
    target: Target
    kept: frozenset[str] = frozenset({"cached", "reasoned"})
    lacks: frozenset[str] = field(default_factory=frozenset)

    @property
    def dialect(self) -> Dialect:
        return self.codec().dialect


def whole_piece(text: str) -> list[str]:
    """Cut nothing."""
    return [text] if text else []


def _encode(value: object) -> bytes:
    return json.dumps(value).encode()


# OpenAI's chat completions.

_CHAT_USAGE: Json = {
    "prompt_tokens": _IN,
    "completion_tokens": _OUT,
    "total_tokens": _IN + _OUT,
    "prompt_tokens_details": {"cached_tokens": _CACHED},
    "completion_tokens_details": {"reasoning_tokens": _REASONED},
}
_CHAT_HEAD: Json = {"id": "chatcmpl-up", "created": 1700000000, "model": "m-up"}
_CHAT_FINISH = {"stop": "stop", "length": "length", "tools": "tool_calls", "filtered": "content_filter"}


def _chat_whole(said: Said) -> bytes:
    message: Json = {"role": "assistant", "content": said.text or None, "refusal": None}
    if said.thinking:
        message["reasoning_content"] = said.thinking
    if said.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in said.calls
        ]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _CHAT_FINISH[said.end]}
    return _encode({**_CHAT_HEAD, "object": "chat.completion", "choices": [choice], "usage": _CHAT_USAGE})


def _chat_pieces(said: Said, cut: Cut) -> list[bytes]:
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": piece} for piece in cut(said.thinking)]
    deltas += [{"content": piece} for piece in cut(said.text)]
    for index, call in enumerate(said.calls):
        function = {"name": call.name, "arguments": ""}
        deltas.append({"tool_calls": [{"index": index, "id": call.id, "type": "function", "function": function}]})
        for piece in cut(call.arguments):
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "logprobs": None, "finish_reason": _CHAT_FINISH[said.end]})
    head = {**_CHAT_HEAD, "object": "chat.completion.chunk"}
    chunks = [{**head, "choices": [choice], "usage": None} for choice in choices]
    chunks.append({**head, "choices": [], "usage": _CHAT_USAGE})
    return [b"data: %s\n\n" % _encode(chunk) for chunk in chunks] + [b"data: [DONE]\n\n"]


def _openai_errors() -> dict[int, bytes]:
    words = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error", 500: "server_error"}
    return {
        status: _encode({"error": {"message": "Told so.", "type": word, "param": None, "code": None}})
        for status, word in {**words, 503: "server_error"}.items()
    }


_OVERFLOW = "This model's maximum context length is 8 tokens."
_OPENAI_OVERFLOW = _encode({"error": {"message": _OVERFLOW, "code": "context_length_exceeded", "type": "x"}})


# Anthropic's messages.

_MESSAGE_FINISH = {
    "stop": "end_turn",
    "stop_sequence": "stop_sequence",
    "length": "max_tokens",
    "tools": "tool_use",
    "refused": "refusal",
    "context": "model_context_window_exceeded",
}


def _message(said: Said) -> Json:
    blocks: list[Json] = []
    if said.thinking:
        blocks.append({"type": "thinking", "thinking": said.thinking, "signature": said.signature})
    if said.text:
        blocks.append({"type": "text", "text": said.text})
    for call in said.calls:
        blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": json.loads(call.arguments)})
    usage = {
        "input_tokens": _IN - _CACHED,
        "cache_read_input_tokens": _CACHED,
        "cache_creation_input_tokens": 0,
        "output_tokens": _OUT,
    }
    ended = {"stop_sequence": "END"} if said.end == "stop_sequence" else {}
    return messages_wire.message(*blocks, stop_reason=_MESSAGE_FINISH[said.end], usage=usage, **ended)


def _message_pieces(said: Said, cut: Cut) -> list[bytes]:
    return [messages_wire.sse([event]) for event in messages_wire.events(_message(said), cut)]


def _anthropic_errors() -> dict[int, bytes]:
    words = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error", 500: "api_error"}
    return {
        status: _encode({"type": "error", "error": {"type": word, "message": "Told so."}})
        for status, word in {**words, 529: "overloaded_error"}.items()
    }


# OpenAI's responses.


def _response(said: Said) -> Json:
    items: list[Json] = []
    if said.thinking:
        items.append(responses_vendor.reasoning(said.thinking, encrypted=said.signature or None))
    if said.text:
        items.append(responses_vendor.message(responses_vendor.part(said.text)))
    items += [
        responses_vendor.call(call.name, call.arguments, call.id, f"fc_{index}")
        for index, call in enumerate(said.calls)
    ]
    if (reason := {"length": "max_output_tokens", "filtered": "content_filter"}.get(said.end)) is not None:
        return responses_vendor.answer(*items, status="incomplete", incomplete_details={"reason": reason})
    return responses_vendor.answer(*items)


def _response_pieces(said: Said, cut: Cut) -> list[bytes]:
    return [responses_vendor.sse([event]) for event in responses_vendor.events(_response(said), cut)]


# Gemini's generateContent.

_GEMINI_FINISH = {"stop": "STOP", "length": "MAX_TOKENS", "tools": "STOP", "filtered": "SAFETY"}
_GEMINI_USAGE = {
    "promptTokenCount": _IN,
    "cachedContentTokenCount": _CACHED,
    "candidatesTokenCount": _OUT - _REASONED,
    "thoughtsTokenCount": _REASONED,
    "totalTokenCount": _IN + _OUT,
}


def _content(said: Said) -> Json:
    parts: list[Json] = []
    if said.thinking:
        signed = {"thoughtSignature": said.signature} if said.signature else {}
        parts.append(gemini_wire.thought(said.thinking, **signed))
    if said.text:
        parts.append(gemini_wire.text(said.text))
    parts += [gemini_wire.call(call.name, json.loads(call.arguments), id=call.id) for call in said.calls]
    return gemini_wire.answer(*parts, finish=_GEMINI_FINISH[said.end], usageMetadata=_GEMINI_USAGE)


def _content_pieces(said: Said, cut: Cut) -> list[bytes]:
    return [gemini_wire.sse([chunk]) for chunk in gemini_wire.chunks(_content(said), cut)]


def _gemini_errors() -> dict[int, bytes]:
    words = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL"}
    return {
        status: _encode(gemini_wire.status(status, word, "Told so."))
        for status, word in {**words, 503: "UNAVAILABLE"}.items()
    }


# Bedrock's Converse.

_CONVERSE_FINISH = {
    "stop": "end_turn",
    "stop_sequence": "stop_sequence",
    "length": "max_tokens",
    "tools": "tool_use",
    "filtered": "guardrail_intervened",
    "context": "model_context_window_exceeded",
}


def _converse(said: Said) -> Json:
    blocks: list[Json] = []
    if said.thinking:
        signed = {"signature": said.signature} if said.signature else {}
        blocks.append({"reasoningContent": {"reasoningText": {"text": said.thinking, **signed}}})
    if said.text:
        blocks.append({"text": said.text})
    blocks += [
        {"toolUse": {"toolUseId": call.id, "name": call.name, "input": json.loads(call.arguments)}}
        for call in said.calls
    ]
    usage = {
        "inputTokens": _IN - _CACHED,
        "cacheReadInputTokens": _CACHED,
        "cacheWriteInputTokens": 0,
        "outputTokens": _OUT,
        "totalTokens": _IN + _OUT,
    }
    return converse.answer(*blocks, stop=_CONVERSE_FINISH[said.end], usage=usage)


def _converse_pieces(said: Said, cut: Cut) -> list[bytes]:
    return [converse.event(*one) for one in converse.events(_converse(said), cut)]


# Cohere's chat.

_COHERE_FINISH = {
    "stop": "COMPLETE",
    "stop_sequence": "STOP_SEQUENCE",
    "length": "MAX_TOKENS",
    "tools": "TOOL_CALL",
    "filtered": "ERROR_TOXIC",
}
_COHERE_USAGE = {
    "billed_units": {"input_tokens": _IN, "output_tokens": _OUT},
    "tokens": {"input_tokens": _IN, "output_tokens": _OUT},
    "cached_tokens": _CACHED,
}


def _cohere(said: Said) -> Json:
    content = [{"type": kind, kind: text} for kind, text in (("thinking", said.thinking), ("text", said.text)) if text]
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in said.calls
    ]
    more: Json = {"tool_calls": calls} if calls else {}
    return cohere_wire.answer(*content, finish=_COHERE_FINISH[said.end], usage=_COHERE_USAGE, **more)


def _cohere_pieces(said: Said, cut: Cut) -> list[bytes]:
    return cohere_wire.sse(cohere_wire.events(_cohere(said), cut))


def _plain_errors(*statuses: int) -> dict[int, bytes]:
    return {status: _encode({"message": "Told so."}) for status in statuses}


def _vendors() -> Iterator[tuple[str, Vendor]]:
    yield (
        "openai",
        Vendor(
            OpenAICodec,
            _chat_whole,
            _chat_pieces,
            judges.openai,
            _CHAT_FINISH,
            b'data: {"error":{"message":"Told so.","type":"server_error","param":null,"code":null}}\n\n',
            _openai_errors(),
            _OPENAI_OVERFLOW,
            Target("m", "p", "openai", "gpt-5"),
            lacks=frozenset({"signature"}),
        ),
    )
    yield (
        "responses",
        Vendor(
            ResponsesCodec,
            lambda said: _encode(_response(said)),
            _response_pieces,
            judges.responses,
            {"stop": "completed", "tools": "completed", "length": "incomplete", "filtered": "incomplete"},
            responses_vendor.sse([{"type": "error", "code": "server_error", "message": "Told so.", "param": None}]),
            _openai_errors(),
            _OPENAI_OVERFLOW,
            Target("m", "p", "openai", "gpt-5"),
        ),
    )
    yield (
        "anthropic",
        Vendor(
            AnthropicCodec,
            lambda said: _encode(_message(said)),
            _message_pieces,
            judges.anthropic,
            _MESSAGE_FINISH,
            b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Told so."}}\n\n',
            _anthropic_errors(),
            _encode({"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long"}}),
            Target("m", "p", "anthropic", "claude-up"),
            kept=frozenset({"cached"}),
        ),
    )
    yield (
        "gemini",
        Vendor(
            GeminiCodec,
            lambda said: _encode(_content(said)),
            _content_pieces,
            judges.gemini,
            _GEMINI_FINISH,
            gemini_wire.sse([gemini_wire.status(503, "UNAVAILABLE", "Told so.")]),
            _gemini_errors(),
            _encode(
                gemini_wire.status(
                    400,
                    "INVALID_ARGUMENT",
                    "The input token count (9) exceeds the maximum number of tokens allowed (8).",
                )
            ),
            Target("m", "p", "gemini", "gemini-2.5-flash"),
        ),
    )
    yield (
        "bedrock",
        Vendor(
            BedrockCodec,
            lambda said: _encode(_converse(said)),
            _converse_pieces,
            judges.bedrock,
            _CONVERSE_FINISH,
            converse.exception("modelStreamErrorException", "Told so."),
            _plain_errors(400, 403, 429, 500, 503),
            _encode({"message": "Input is too long for requested model."}),
            Target("m", "p", "bedrock", "anthropic.claude-up-v1:0"),
            kept=frozenset({"cached"}),
        ),
    )
    yield (
        "cohere",
        Vendor(
            CohereCodec,
            lambda said: _encode(_cohere(said)),
            _cohere_pieces,
            judges.cohere,
            _COHERE_FINISH,
            cohere_wire.sse([{"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "Told so."}}])[0],
            _plain_errors(400, 401, 429, 500, 503),
            _encode({"message": "too many tokens: the total must be at most 8"}),
            Target("m", "p", "cohere", "command-up"),
            kept=frozenset({"cached"}),
            lacks=frozenset({"signature"}),
        ),
    )


VENDORS: dict[str, Vendor] = dict(_vendors())
