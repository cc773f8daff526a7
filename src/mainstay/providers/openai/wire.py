"""The parts of OpenAI's answers that Mainstay reads, and what their words mean.

Only fields that some step of the line needs are typed; everything else stays in the bytes that a frame or a whole
answer carries, or is kept by :func:`leftovers`. Compatible servers send more kinds of value than the official one, so
the types here are as wide as what was seen.
"""

import os
from typing import Any

import msgspec

from mainstay.core.events import Dialect, FinishReason, Opaque
from mainstay.core.usage import Usage
from mainstay.providers.wire import count, money, service

__all__ = [
    "ANSWER_FIELDS",
    "BROKEN_OFF",
    "CHOICE_FIELDS",
    "DELTA_FIELDS",
    "LEGACY_ID",
    "NOTHING",
    "PIECES",
    "Chunk",
    "ChunkCall",
    "ChunkChoice",
    "ChunkFunction",
    "Delta",
    "Fields",
    "WireUsage",
    "an_object",
    "arguments_text",
    "content_texts",
    "finish_reason",
    "finish_word",
    "is_text",
    "leftovers",
    "mint_call_id",
    "opaque",
    "read_fields",
    "read_list",
    "read_usage",
    "sealed_thinking",
]

Fields = dict[str, msgspec.Raw]

#: The default of a raw field that was absent.
NOTHING = msgspec.Raw(b"")
#: The id of a call made with the legacy ``function_call``, which has none, begins with this.
LEGACY_ID = "function_call_"
#: Finish reasons that mean the upstream gave up, not that the model was done.
BROKEN_OFF = frozenset({"error", "abort", "insufficient_system_resource"})

#: What each level of an answer holds that events already say; anything else is kept as :class:`Opaque`.
ANSWER_FIELDS = frozenset({"id", "object", "created", "model", "choices", "usage", "obfuscation"})
CHOICE_FIELDS = frozenset({"index", "delta", "message", "finish_reason", "logprobs"})
DELTA_FIELDS = frozenset(
    {
        "role",
        "content",
        "refusal",
        "tool_calls",
        "function_call",
        "reasoning_content",
        "reasoning",
        "thinking_blocks",
    }
)
#: Fields of a delta that come in pieces and belong to no event. They are read from every delta; any other unknown
#: field is read where a stream begins and where a choice ends.
PIECES = ("annotations", "audio", "reasoning_details")

_FINISH = {
    "stop": FinishReason.STOP,
    "eos": FinishReason.STOP,
    "eos_token": FinishReason.STOP,
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP_SEQUENCE,
    "length": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "model_length": FinishReason.CONTEXT,
    "tool_calls": FinishReason.TOOLS,
    "function_call": FinishReason.TOOLS,
    "tool_use": FinishReason.TOOLS,
    "content_filter": FinishReason.FILTERED,
    "refusal": FinishReason.REFUSED,
}
_WORDS = {
    FinishReason.STOP: "stop",
    FinishReason.STOP_SEQUENCE: "stop",
    FinishReason.LENGTH: "length",
    FinishReason.CONTEXT: "length",
    FinishReason.TOOLS: "tool_calls",
    FinishReason.FILTERED: "content_filter",
    FinishReason.REFUSED: "content_filter",
    FinishReason.PAUSED: "stop",
}
_CHUNK_DELTA_FIELDS = DELTA_FIELDS | set(PIECES)

#: Whatever was sent: it goes through :func:`count` before it is believed.
Count = Any


class _InputDetails(msgspec.Struct, gc=False):
    cached_tokens: Count = None
    cache_write_tokens: Count = None
    cache_creation_tokens: Count = None
    audio_tokens: Count = None
    image_tokens: Count = None


class _OutputDetails(msgspec.Struct, gc=False):
    reasoning_tokens: Count = None
    audio_tokens: Count = None
    image_tokens: Count = None


class WireUsage(msgspec.Struct, gc=False):
    """``usage`` as OpenAI, DeepSeek (hit tokens), Moonshot (top-level cached) and relays of Anthropic write it.

    What it cost, where a vendor says so: ``cost`` is OpenRouter's and Perplexity's, ``cost_in_usd_ticks`` xAI's,
    ``estimated_cost`` DeepInfra's. What OpenRouter's customers pay a vendor of their own stands apart.
    """

    prompt_tokens: Count = None
    completion_tokens: Count = None
    total_tokens: Count = None
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None
    prompt_cache_hit_tokens: Count = None
    cached_tokens: Count = None
    cache_read_input_tokens: Count = None
    cache_creation_input_tokens: Count = None
    cost: Any = None
    cost_in_usd_ticks: Any = None
    estimated_cost: Any = None
    is_byok: Any = None
    cost_details: Any = None
    num_sources_used: Count = None
    num_search_queries: Count = None


_NO_INPUT, _NO_OUTPUT = _InputDetails(), _OutputDetails()


class ChunkFunction(msgspec.Struct, gc=False):
    """A function's name and a piece of its arguments; some servers send the arguments as an object."""

    name: str | None = None
    arguments: str | Fields | None = None


class ChunkCall(msgspec.Struct, gc=False):
    """One entry of ``tool_calls``, in a delta or in a message."""

    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: ChunkFunction | None = None
    custom: msgspec.Raw = NOTHING


class Delta(msgspec.Struct, gc=False):
    """A choice's ``delta``, or its ``message`` in a whole answer."""

    content: str | list[msgspec.Raw] | None = None
    tool_calls: list[ChunkCall] | None = None
    reasoning_content: str | None = None
    reasoning: str | Fields | None = None
    refusal: str | None = None
    function_call: ChunkFunction | None = None
    thinking_blocks: msgspec.Raw = NOTHING
    annotations: msgspec.Raw = NOTHING
    audio: msgspec.Raw = NOTHING
    reasoning_details: msgspec.Raw = NOTHING


class ChunkChoice(msgspec.Struct, gc=False):
    """One entry of ``choices``. ``stop_reason`` is vLLM's: the stop string that ended the text, or a token's id."""

    index: int = 0
    delta: Delta | None = None
    message: Delta | None = None
    finish_reason: str | None = None
    logprobs: msgspec.Raw = NOTHING
    stop_reason: str | int | None = None
    #: OpenRouter's: why a choice ended in ``error``.
    error: Any = None


class Chunk(msgspec.Struct, gc=False):
    """``chat.completion.chunk`` and ``chat.completion`` in one view."""

    id: str | None = None
    model: str | None = None
    created: int | float | None = None
    choices: list[ChunkChoice] | None = None
    usage: WireUsage | None = None
    error: Any = None
    object: str | None = None
    system_fingerprint: Any = None
    service_tier: Any = None


class _Block(msgspec.Struct):
    type: str = ""
    text: str | None = None
    thinking: str | list[msgspec.Raw] | None = None
    signature: str | None = None
    data: str | None = None


_fields = msgspec.json.Decoder(Fields)
_list = msgspec.json.Decoder(list[msgspec.Raw])
_choices = msgspec.json.Decoder(list[Fields] | None)
_block = msgspec.json.Decoder(_Block)


def read_fields(value: bytes | msgspec.Raw) -> Fields:
    """Return an object's fields, each as sent; of a key given twice the last counts. Raises as msgspec does."""
    return _fields.decode(value)


def read_list(value: bytes | msgspec.Raw) -> list[msgspec.Raw]:
    """Return a list's items, each as sent. Raises as msgspec does."""
    return _list.decode(value)


def is_text(data: bytes) -> bool:
    """Return whether ``data`` is UTF-8; fields that msgspec skips are not checked by it."""
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def mint_call_id() -> str:
    """Return an id for a tool call whose upstream gave none."""
    return "call_" + os.urandom(12).hex()


def arguments_text(arguments: str | Fields | None) -> str:
    """Return a call's arguments as the JSON text they should have been."""
    if isinstance(arguments, str):
        return arguments
    return "" if arguments is None else msgspec.json.encode(arguments).decode()


def finish_reason(word: str, *, called: bool) -> FinishReason:
    """Return what ``finish_reason`` means; ``stop`` after a call is TOOLS, since callers wait for that word."""
    reason = _FINISH.get(word) or FinishReason.OTHER
    return FinishReason.TOOLS if called and reason is FinishReason.STOP else reason


def finish_word(reason: FinishReason, raw: str, *, called: bool) -> str:
    """Return OpenAI's word for ``reason``. Reasons it cannot say become the nearest it can; ``raw`` if unknown."""
    if called and reason in (FinishReason.STOP, FinishReason.STOP_SEQUENCE):
        return "tool_calls"
    return _WORDS.get(reason) or raw or "stop"


def read_usage(usage: WireUsage | None, tier: object = None) -> Usage | None:
    """Return token counts by kind, or None when nothing was counted.

    ``tier`` is the answer's ``service_tier``. ``prompt_tokens`` includes cached tokens everywhere. xAI leaves reasoning
    out of ``completion_tokens``; its total tells. What is no count says nothing, and no part is larger than its whole.
    """
    if usage is None:
        return None
    asked, made = count(usage.prompt_tokens), count(usage.completion_tokens)
    if asked is None and made is None:
        return None
    asked, made = asked or 0, made or 0
    before, after = usage.prompt_tokens_details or _NO_INPUT, usage.completion_tokens_details or _NO_OUTPUT
    if not tier and not _says_more(usage, before, after):
        return Usage(asked, made)
    read = _first(
        before.cached_tokens, usage.prompt_cache_hit_tokens, usage.cached_tokens, usage.cache_read_input_tokens
    )
    write = _first(before.cache_write_tokens, before.cache_creation_tokens, usage.cache_creation_input_tokens)
    reasoning = _first(after.reasoning_tokens)
    if reasoning and count(usage.total_tokens) == asked + made + reasoning:
        made += reasoning
    heard, spoken = _first(before.audio_tokens), _first(after.audio_tokens)
    seen, drawn = _first(before.image_tokens), _first(after.image_tokens)
    searches = _first(usage.num_search_queries, usage.num_sources_used)
    served, cost = service(tier) if tier else "", _cost(usage)
    if not (read or write or reasoning or heard or spoken or seen or drawn or searches or served or cost is not None):
        return Usage(asked, made)
    return Usage(
        asked,
        made,
        cache_read=min(read, asked),
        cache_write=min(write, asked),
        reasoning=min(reasoning, made),
        audio_input=min(heard, asked),
        audio_output=min(spoken, made),
        image_input=min(seen, asked),
        image_output=min(drawn, made),
        searches=searches,
        service=served,
        reported=cost,
    )


def _says_more(usage: WireUsage, before: _InputDetails, after: _OutputDetails) -> object:
    """Whether anything but the two totals is said: most answers say nothing else, and need no closer look."""
    given = before.cached_tokens or before.audio_tokens or before.image_tokens or before.cache_write_tokens
    made = after.reasoning_tokens or after.audio_tokens or after.image_tokens or before.cache_creation_tokens
    cached = usage.prompt_cache_hit_tokens or usage.cached_tokens or usage.cache_read_input_tokens
    more = usage.cache_creation_input_tokens or usage.num_search_queries or usage.num_sources_used
    cost = usage.cost is not None or usage.estimated_cost is not None or usage.cost_in_usd_ticks is not None
    return given or made or cached or more or cost


def _cost(usage: WireUsage) -> int | None:
    """Return what the vendor says it cost, in 1e-12 US dollars."""
    if usage.cost_in_usd_ticks is not None:
        return money(usage.cost_in_usd_ticks, ticks=True)
    cost = money(usage.cost if usage.cost is not None else usage.estimated_cost)
    if cost is not None and usage.is_byok is True and isinstance(usage.cost_details, dict):
        cost += money(usage.cost_details.get("upstream_inference_cost")) or 0
    return cost


def _first(*values: object) -> int:
    """Return the first count that is one and not 0, or 0."""
    for value in values:
        # Most are absent or 0, and need no closer look.
        if value and (found := count(value)):
            return found
    return 0


def opaque(level: str, fields: Fields, choice: int = 0) -> Opaque:
    """Return fields only OpenAI's wire can say; ``level`` (``answer``, ``choice``, ``message``) is where they stood."""
    return Opaque(msgspec.Raw(msgspec.json.encode({level: fields})), Dialect.OPENAI, choice)


def leftovers(data: bytes, key: str) -> list[Opaque]:
    """Return every field of an answer or chunk that events do not say; ``key`` is ``message`` or ``delta``."""
    found: list[Opaque] = []
    top = _fields.decode(data)
    if extra := {name: value for name, value in top.items() if name not in ANSWER_FIELDS}:
        found.append(opaque("answer", extra))
    for choice in (_choices.decode(top["choices"]) or ()) if "choices" in top else ():
        index = msgspec.json.decode(choice["index"], type=int) if "index" in choice else 0
        if extra := {name: value for name, value in choice.items() if name not in CHOICE_FIELDS}:
            found.append(opaque("choice", extra, index))
        content = choice.get(key)
        known = DELTA_FIELDS if key == "message" else _CHUNK_DELTA_FIELDS
        if content is not None and bytes(content) != b"null":
            fields = _fields.decode(content)
            if extra := {name: value for name, value in fields.items() if name not in known}:
                found.append(opaque("message", extra, index))
    return found


def an_object(value: msgspec.Raw) -> msgspec.Raw | None:
    """Return ``value`` if it is an object; absent, null and anything else are None."""
    return None if value is NOTHING or bytes(value)[:1] != b"{" else value


def content_texts(items: list[msgspec.Raw]) -> tuple[str, str]:
    """Return the visible and the reasoning text of a ``content`` that is a list of parts (Mistral's reasoning)."""
    text: list[str] = []
    thinking: list[str] = []
    for item in items:
        block = _block.decode(item)
        if block.type == "text":
            text.append(block.text or "")
        elif isinstance(block.thinking, str):
            thinking.append(block.thinking)
        else:
            thinking.extend(_block.decode(part).text or "" for part in block.thinking or ())
    return "".join(text), "".join(thinking)


def sealed_thinking(blocks: msgspec.Raw) -> list[tuple[str, str, str]]:
    """Return ``(thinking, signature, redacted)`` of each entry of ``thinking_blocks``."""
    data = bytes(blocks)
    if not data or data == b"null":
        return []
    found = []
    for item in _list.decode(data):
        block = _block.decode(item)
        thinking = block.thinking if isinstance(block.thinking, str) else ""
        found.append((thinking, block.signature or "", block.data or ""))
    return found
