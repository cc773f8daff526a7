"""Whole chat completions: an upstream's read, a caller's written.

Reading is in two steps: a summary that every call needs, and the events when something asks. What an upstream got
wrong in a way that breaks callers (a call without an id, ``stop`` after a call) is put right in its bytes, and nothing
else is touched.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from mainstay.core.answer import Whole
from mainstay.core.errors import UpstreamBroken, UpstreamFailed
from mainstay.core.events import (
    Dialect,
    Event,
    Finished,
    FinishReason,
    Grounded,
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
from mainstay.providers.openai.citations import grounding
from mainstay.providers.openai.errors import classify_inner, inner_error
from mainstay.providers.openai.repair import rename_ends, repair_calls, sayable
from mainstay.providers.openai.wire import (
    BROKEN_OFF,
    LEGACY_ID,
    NOTHING,
    Chunk,
    ChunkCall,
    ChunkChoice,
    Delta,
    Fields,
    WireUsage,
    an_object,
    arguments_text,
    content_texts,
    finish_reason,
    finish_word,
    leftovers,
    mint_call_id,
    opaque,
    read_fields,
    read_usage,
    sealed_thinking,
)
from mainstay.providers.openai.written import merge_field, write_usage
from mainstay.providers.wire import mend

__all__ = ["read_events", "read_whole", "write_whole"]


class _Message(msgspec.Struct, gc=False):
    tool_calls: list[ChunkCall] | None = None
    function_call: Any = None


class _Choice(msgspec.Struct, gc=False):
    finish_reason: str | None = None
    message: _Message | None = None
    stop_reason: str | int | None = None
    error: Any = None


class _Summary(msgspec.Struct, gc=False):
    id: str | None = None
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: WireUsage | None = None
    error: Any = None
    system_fingerprint: Any = None
    service_tier: Any = None


_summary = msgspec.json.Decoder(_Summary)
_answer = msgspec.json.Decoder(Chunk)
_OPENAI = Dialect.OPENAI
_MALFORMED = "The upstream answered with something that is not a chat completion."


def read_whole(body: bytes) -> Whole:
    """Read the body of a 200.

    Raises:
        MainstayError: it holds an error, which is classified as if it had come with its own status.
        UpstreamBroken: it is not an answer.
    """
    try:
        summary = _summarise(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        body = mend(body)
        try:
            summary = _summarise(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise inner_error(body) or UpstreamBroken(_MALFORMED) from error
    if summary.error:
        raise classify_inner(body)
    choices = summary.choices
    if not choices:
        raise inner_error(body) or UpstreamBroken(_MALFORMED)
    finish = []
    repair = False
    words: dict[int, str | None] = {}
    for place, choice in enumerate(choices):
        word = choice.finish_reason or ""
        if word in BROKEN_OFF:
            if choice.error:
                raise classify_inner(msgspec.json.encode({"error": choice.error}))
            raise UpstreamFailed("The upstream gave up in the middle of its answer; try again.")
        called = legacy = False
        if choice.message is not None and (choice.message.tool_calls or choice.message.function_call):
            called = True
            calls = choice.message.tool_calls or ()
            legacy = not calls
            if any(call.custom is NOTHING and not (call.function and call.function.name) for call in calls):
                raise UpstreamBroken("The upstream sent a tool call without a name; try again.")
            repair = repair or any(not _is_sound(call) for call in calls)
        if word != (ours := sayable(word, called=called, legacy=legacy)):
            words[place] = ours
        finish.append(_reason(word, choice.stop_reason, called))
    if repair:
        body = repair_calls(body)
    said = body
    return Whole(
        rename_ends(body, words) if words else body,
        _OPENAI,
        summary.id or "",
        summary.model or "",
        tuple(finish),
        read_usage(summary.usage, summary.service_tier),
        # Why it ended is read from the upstream's own word, which may say more than the one that callers know.
        (lambda _: read_events(said)) if words else read_events,
        None,
        summary.system_fingerprint if isinstance(summary.system_fingerprint, str) else "",
    )


def _summarise(body: bytes) -> _Summary:
    if not body.isascii():
        body.decode()
    try:
        return _summary.decode(body)
    except msgspec.ValidationError:
        # Counts of an unknown shape are no reason to lose the answer.
        fields = read_fields(body)
        fields.pop("usage", None)
        return _summary.decode(msgspec.json.encode(fields))


def read_events(body: bytes) -> tuple[Event, ...]:
    """Return the events of an answer that :func:`read_whole` took.

    Raises:
        UpstreamBroken: only the full reading shows that it is not an answer.
    """
    try:
        try:
            answer = _answer.decode(body)
        except msgspec.ValidationError:
            fields = read_fields(body)
            fields.pop("usage", None)
            body = msgspec.json.encode(fields)
            answer = _answer.decode(body)
        mark = answer.system_fingerprint if isinstance(answer.system_fingerprint, str) else ""
        events: list[Event] = [Started(answer.id or "", answer.model or "", int(answer.created or 0), mark)]
        ends: list[Event] = []
        choices = answer.choices or []
        for choice in choices:
            message = choice.message or Delta()
            events += _read_message(message, choice)
            called = bool(message.tool_calls or message.function_call)
            ends.append(_finished(choice.finish_reason or "", choice.stop_reason, choice.index, called))
        events += leftovers(body, "message")
    except (msgspec.DecodeError, RecursionError) as error:
        raise UpstreamBroken(_MALFORMED) from error
    events += ends
    usage = read_usage(answer.usage, answer.service_tier)
    if usage is not None:
        events.append(Metered(usage))
    return fold(events).events


def write_whole(
    answer: Whole | Iterable[Event],
    *,
    model: str,
    id: str,  # noqa: A002  # the wire's own word, as the SDKs have it
    created: int,
    legacy_functions: bool = False,
) -> bytes:
    """Return a chat completion.

    An answer that is OpenAI's already is returned as it came. ``model``, ``id`` and ``created`` (seconds since 1970)
    stand in for what the answer does not say. ``legacy_functions`` writes ``function_call`` for tool calls.
    """
    if isinstance(answer, Whole):
        if answer.wire and answer.dialect is Dialect.OPENAI and not legacy_functions:
            return answer.wire
        events: Iterable[Event] = answer.events
    else:
        events = fold(answer).events
    started = Started()
    drafts: dict[int, _Draft] = {}
    top: dict[str, Any] = {}
    usage = None
    for event in events:
        if isinstance(event, Started):
            started = event
        elif isinstance(event, Metered):
            usage = event.usage
        else:
            choice: int = getattr(event, "choice", 0)
            if choice not in drafts:
                drafts[choice] = _Draft(legacy_functions)
            drafts[choice].add(event, top)
    if not drafts:
        drafts[0] = _Draft(legacy_functions)
    body: dict[str, Any] = {
        "id": started.id if started.id.startswith("chatcmpl-") or not id else f"chatcmpl-{id}",
        "object": "chat.completion",
        "created": started.created or created,
        "model": started.model or model,
        "choices": [drafts[choice].choice(choice) for choice in sorted(drafts)],
    }
    if usage is not None:
        body["usage"] = write_usage(usage)
    return msgspec.json.encode(body | top)


class _Draft:
    """One choice of an answer being written."""

    def __init__(self, legacy: bool) -> None:
        self._legacy = legacy
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._thinking: list[str] = []
        self._unsealed: list[str] = []
        self._blocks: list[dict[str, str]] = []
        self._calls: dict[int, dict[str, Any]] = {}
        self._logprobs: msgspec.Raw | None = None
        self._finished: Finished | None = None
        self._extra: dict[str, Any] = {}
        self._message: dict[str, Any] = {}

    def add(self, event: Event, top: dict[str, Any]) -> None:
        if isinstance(event, TextDelta):
            self._text.append(event.text)
            self._logprobs = event.logprobs or self._logprobs
        elif isinstance(event, ToolStarted):
            self._legacy = self._legacy or event.id.startswith(LEGACY_ID)
            function = {"name": event.name, "arguments": ""}
            self._calls[event.index] = {"id": event.id, "type": "function", "function": function}
        elif isinstance(event, ToolDelta) and event.index in self._calls:
            self._calls[event.index]["function"]["arguments"] += event.arguments
        elif isinstance(event, ThinkingDelta):
            self._thinking.append(event.text)
            self._unsealed.append(event.text)
        elif isinstance(event, ThinkingSealed):
            self._seal(event)
        elif isinstance(event, RefusalDelta):
            self._refusal.append(event.text)
        elif isinstance(event, Finished):
            self._finished = event
        elif isinstance(event, Grounded):
            fields = grounding(event)
            fields["annotations"] = [*self._message.get("annotations", ()), *fields.get("annotations", ())]
            self._message |= fields
        elif isinstance(event, Opaque) and event.dialect is Dialect.OPENAI:
            for level, raw in read_fields(event.payload).items():
                into = {"answer": top, "choice": self._extra}.get(level, self._message)
                for name, value in read_fields(raw).items():
                    into[name] = merge_field(into.get(name), value)

    def _seal(self, event: ThinkingSealed) -> None:
        if event.redacted:
            self._blocks.append({"type": "redacted_thinking", "data": event.redacted})
            return
        block = {"type": "thinking", "thinking": "".join(self._unsealed), "signature": event.signature}
        self._blocks.append(block)
        self._unsealed = []

    def choice(self, index: int) -> dict[str, Any]:
        """Return the entry of ``choices``."""
        text = "".join(self._text)
        calls = list(self._calls.values())
        message: dict[str, Any] = {
            "role": "assistant",
            "content": text if text or not (calls or self._refusal) else None,
            "refusal": "".join(self._refusal) or None,
        }
        if self._thinking:
            message["reasoning_content"] = "".join(self._thinking)
        if self._blocks:
            message["thinking_blocks"] = self._blocks
        extra = self._message
        if calls and self._legacy:
            message["function_call"] = calls[0]["function"]
        elif calls or "tool_calls" in extra:
            message["tool_calls"] = calls + extra.pop("tool_calls", [])
        finished = self._finished
        word: str | None = None
        if finished is not None:
            word = finish_word(finished.reason, finished.raw, called=bool(calls))
            if word == "tool_calls" and self._legacy:
                word = "function_call"
        return {
            "index": index,
            "message": message | extra,
            "logprobs": self._logprobs,
            "finish_reason": word or "stop",
            **self._extra,
        }


def _read_message(message: Delta, choice: ChunkChoice) -> list[Event]:
    index = choice.index
    events: list[Event] = []
    content, thinking = message.content, message.reasoning_content or ""
    if not thinking and isinstance(message.reasoning, str):
        thinking = message.reasoning
    if isinstance(content, list):
        content, thinking = content_texts(content)
    sealed = sealed_thinking(message.thinking_blocks)
    for text, signature, redacted in sealed or [(thinking, "", "")]:
        if text:
            events.append(ThinkingDelta(text, index))
        if signature or redacted:
            events.append(ThinkingSealed(signature, redacted, index))
    logprobs = an_object(choice.logprobs)
    if content or logprobs is not None:
        events.append(TextDelta(content or "", index, logprobs))
    if message.refusal:
        events.append(RefusalDelta(message.refusal, index))
    if message.function_call is not None:
        called = message.function_call
        events.append(ToolStarted(LEGACY_ID + mint_call_id()[5:], called.name or "", 0, index))
        events.append(ToolDelta(arguments_text(called.arguments), 0, index))
    position = 0
    for call in message.tool_calls or ():
        if call.custom is not NOTHING:
            fields: Fields = {"custom": call.custom}
            entry = {"id": call.id, "type": "custom", **fields}
            events.append(opaque("message", {"tool_calls": msgspec.Raw(msgspec.json.encode([entry]))}, index))
            continue
        function = call.function
        name = function.name if function is not None else None
        events.append(ToolStarted(call.id or mint_call_id(), name or "", position, index))
        arguments = arguments_text(function.arguments) if function is not None else ""
        if arguments:
            events.append(ToolDelta(arguments, position, index))
        position += 1
    return events


def _finished(word: str, stop_reason: str | int | None, choice: int, called: bool) -> Finished:
    sequence = stop_reason if isinstance(stop_reason, str) and word == "stop" and not called else None
    return Finished(_reason(word, stop_reason, called), choice, word, sequence)


def _reason(word: str, stop_reason: str | int | None, called: bool) -> FinishReason:
    if word == "stop" and not called and isinstance(stop_reason, str):
        return FinishReason.STOP_SEQUENCE
    return finish_reason(word or "stop", called=called)


def _is_sound(call: ChunkCall) -> bool:
    function = call.function
    return bool(call.id) and (function is None or isinstance(function.arguments, str))
