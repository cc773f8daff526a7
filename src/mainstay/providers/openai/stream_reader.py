"""A streamed chat completion, read event by event.

The common event costs one typed decoding and becomes one :class:`TextDelta` beside its bytes. What an upstream gets
wrong is put right here, once: in the bytes where that is plain (an id that changes, ``stop`` after a call), else by
dropping them, so that the frame is written anew from its events.
"""

from typing import Any

import msgspec

from mainstay.core.errors import UpstreamBroken, UpstreamInterrupted
from mainstay.core.events import (
    Event,
    Finished,
    FinishReason,
    Frame,
    Metered,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSealed,
    ToolDelta,
    ToolStarted,
)
from mainstay.core.sse import SseEvent
from mainstay.providers.openai.calls import Calls
from mainstay.providers.openai.errors import classify_inner, inner_error
from mainstay.providers.openai.halves import Halves
from mainstay.providers.openai.repair import rename_ends, sayable
from mainstay.providers.openai.wire import (
    BROKEN_OFF,
    LEGACY_ID,
    NOTHING,
    PIECES,
    Chunk,
    ChunkCall,
    ChunkChoice,
    ChunkFunction,
    Delta,
    Fields,
    an_object,
    arguments_text,
    content_texts,
    finish_reason,
    is_text,
    leftovers,
    mint_call_id,
    opaque,
    read_fields,
    read_usage,
    sealed_thinking,
)
from mainstay.providers.wire import mend

__all__ = ["OpenAIStreamReader"]

_chunk = msgspec.json.Decoder(Chunk)
_decode = _chunk.decode
_OBJECT = "chat.completion.chunk"
_UNREADABLE = "The upstream sent an event that cannot be read; try again."


class _Choice:
    """What was seen of one choice."""

    __slots__ = ("called", "calls", "finished", "legacy", "thought")

    def __init__(self) -> None:
        self.calls: Calls | None = None
        self.called = False
        self.legacy = False
        self.finished = False
        self.thought = False


class OpenAIStreamReader:
    """Reads one stream; see :class:`~mainstay.providers.port.StreamReader`.

    After an :class:`UpstreamBroken` for one unreadable event the reader is as it was before that event.
    """

    __slots__ = ("_choices", "_created", "_halves", "_id", "_model", "_started")

    def __init__(self) -> None:
        self._started = False
        self._id: str | None = None
        self._model: str | None = None
        self._created: int | float | None = None
        self._choices: dict[int, _Choice] = {}
        #: There while half a character waits for its other half.
        self._halves: Halves | None = None

    def feed(self, event: SseEvent) -> Frame | None:
        """Return what one event says, or None when it says nothing."""
        wire = event.data
        if self._halves is not None:
            wire = self._join(wire)
        try:
            chunk = _decode(wire)
            if not wire.isascii():
                wire.decode()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            if event.name == b"error":
                raise classify_inner(wire) from None
            wire = mend(wire if wire is not event.data else self._join(wire))
            retried = self._retry(wire)
            if retried is None:
                return None
            chunk = retried
        if chunk.error or chunk.choices is None or event.name == b"error":
            return self._explain(wire, chunk, event.name)
        try:
            return self._read(wire, chunk, chunk.choices)
        except (msgspec.DecodeError, RecursionError) as error:
            raise UpstreamBroken(_UNREADABLE) from error

    def _read(self, wire: bytes, chunk: Chunk, choices: list[ChunkChoice]) -> Frame | None:
        events: list[Event] = []
        sound = True
        first = not self._started
        if first:
            if not (choices or chunk.id or chunk.model or chunk.usage):
                # Azure's verdict on the prompt comes before the answer has a name; some send an empty event there.
                verdict = tuple(leftovers(wire, "delta"))
                return Frame(verdict, wire) if verdict else Frame()
            self._started = True
            self._id, self._model, self._created = chunk.id, chunk.model, chunk.created
            mark = chunk.system_fingerprint
            created = int(chunk.created or 0)
            events.append(Started(chunk.id or "", chunk.model or "", created, mark if isinstance(mark, str) else ""))
        if (
            chunk.id != self._id
            or chunk.model != self._model
            or chunk.created != self._created
            or chunk.object != _OBJECT
        ):
            wire = self._steady(chunk, wire)
        ended = False
        renamed: dict[int, str | None] = {}
        for place, choice in enumerate(choices):
            index = choice.index
            delta = choice.delta
            if delta is None and choice.message is not None:
                # A whole answer in one event: no client of streams would look for it there.
                delta, sound = choice.message, False
            state = self._choices.get(index)
            if state is None:
                state = self._choices[index] = _Choice()
            if delta is not None:
                content = delta.content
                if content and choice.logprobs is NOTHING and isinstance(content, str) and _is_plain(delta):
                    events.append(TextDelta(content, index))
                else:
                    sound = _read_delta(delta, choice, state, events) and sound
            if choice.finish_reason is not None:
                if choice.finish_reason and not state.finished:
                    ended = True
                    word = _end(choice, choice.finish_reason, state, events)
                else:
                    # Nothing ends here, or it has ended before.
                    word = None
                if word != choice.finish_reason:
                    renamed[place] = word
        if first or ended:
            events[first:first] = leftovers(wire, "delta")
        if renamed and sound:
            wire = rename_ends(wire, renamed)
        if chunk.usage is not None and (usage := read_usage(chunk.usage, chunk.service_tier)) is not None:
            events.append(Metered(usage))
        if sound:
            return Frame(tuple(events), wire)
        return Frame(tuple(events)) if events else None

    def finish(self) -> Frame | None:
        """Say that the body has ended.

        Raises:
            UpstreamInterrupted: a choice did not end, or none began.
            UpstreamBroken: a tool call never got its name.
        """
        if not self._is_complete():
            raise UpstreamInterrupted("The upstream's answer broke off before its end; try again.")
        if not all(state.calls is None or state.calls.is_whole() for state in self._choices.values()):
            raise UpstreamBroken("The upstream sent a tool call without a name; try again.")
        return None

    def _is_complete(self) -> bool:
        return bool(self._choices) and all(state.finished for state in self._choices.values())

    def _steady(self, chunk: Chunk, wire: bytes) -> bytes:
        """Return ``wire`` as a chunk with the stream's first id, model and time, which a client takes for granted."""
        self._id = self._id or chunk.id
        self._model = self._model or chunk.model
        self._created = self._created or chunk.created
        if (chunk.id, chunk.model, chunk.created, chunk.object) == (self._id, self._model, self._created, _OBJECT):
            return wire
        fields: dict[str, Any] = dict(read_fields(wire))
        steady = {"id": self._id, "object": _OBJECT, "model": self._model, "created": self._created}
        fields.update((name, value) for name, value in steady.items() if value is not None)
        return msgspec.json.encode(fields)

    def _join(self, wire: bytes) -> bytes:
        """Return ``wire`` with the characters whole that an event before it, or one to come, has a half of."""
        halves = self._halves or Halves()
        wire = halves.join(wire)
        self._halves = halves if halves.held else None
        return wire

    def _retry(self, wire: bytes) -> Chunk | None:
        """Read what the common path could not: ``[DONE]``, mended text, or counts of an unknown shape."""
        if wire.strip() == b"[DONE]":
            return None
        try:
            if is_text(wire):
                return _decode(wire)
        except (msgspec.DecodeError, RecursionError):
            pass
        try:
            fields = read_fields(wire)
            fields.pop("usage", None)
            if is_text(wire):
                return _decode(msgspec.json.encode(fields))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        if self._is_complete():
            # The answer is whole; what is broken comes after it.
            return None
        raise inner_error(wire) or UpstreamBroken(_UNREADABLE)

    def _explain(self, wire: bytes, chunk: Chunk, name: bytes) -> Frame:
        """Raise the error that an event holds; let pass one without choices that holds none."""
        if chunk.error or name == b"error":
            raise classify_inner(wire)
        if (error := inner_error(wire)) is not None:
            raise error
        if not self._started:
            raise UpstreamBroken("The upstream's stream does not begin like a chat completion.")
        usage = read_usage(chunk.usage, chunk.service_tier)
        # Clients expect choices in every event, so the bytes stay here.
        return Frame() if usage is None else Frame((Metered(usage),))


def _read_delta(delta: Delta, choice: ChunkChoice, state: _Choice, events: list[Event]) -> bool:
    """Append what a delta says; return False when its bytes must not be passed on."""
    index = choice.index
    sound = True
    content, thinking = delta.content, delta.reasoning_content
    if thinking is None and isinstance(delta.reasoning, str):
        thinking = delta.reasoning
    if isinstance(content, list):
        content, listed = content_texts(content)
        thinking = thinking or listed
    if thinking:
        state.thought = True
        events.append(ThinkingDelta(thinking, index))
    if delta.thinking_blocks is not NOTHING:
        _read_blocks(delta, state, index, events)
    logprobs = an_object(choice.logprobs)
    if content or logprobs is not None:
        events.append(TextDelta(content or "", index, logprobs))
    if delta.refusal:
        events.append(RefusalDelta(delta.refusal, index))
    for call in delta.tool_calls or ():
        sound = _read_call(call, state, index, events) and sound
    if delta.function_call is not None:
        _read_legacy(delta.function_call, state, index, events)
    pieces: Fields = {}
    for name in PIECES:
        value: msgspec.Raw = getattr(delta, name)
        if value is not NOTHING and bytes(value) != b"null":
            pieces[name] = value
    if pieces:
        events.append(opaque("message", pieces, index))
    return sound


def _read_call(call: ChunkCall, state: _Choice, index: int, events: list[Event]) -> bool:
    if call.custom is not NOTHING:
        state.called = True
        entry = {"index": call.index, "id": call.id, "type": "custom", "custom": call.custom}
        listed = msgspec.Raw(msgspec.json.encode([entry]))
        events.append(opaque("message", {"tool_calls": listed}, index))
        return True
    state.called = True
    if state.calls is None:
        state.calls = Calls(index)
    return not state.calls.read(call, events)


def _end(choice: ChunkChoice, word: str, state: _Choice, events: list[Event]) -> str:
    """Append the end of a choice; return what callers call its reason."""
    if word in BROKEN_OFF:
        if choice.error:
            raise classify_inner(msgspec.json.encode({"error": choice.error}))
        raise UpstreamInterrupted("The upstream gave up in the middle of its answer; try again.")
    state.finished = True
    called = state.called or state.legacy
    sequence = choice.stop_reason if word == "stop" and not called else None
    if isinstance(sequence, str):
        events.append(Finished(FinishReason.STOP_SEQUENCE, choice.index, word, sequence))
    else:
        events.append(Finished(finish_reason(word, called=called), choice.index, word))
    return sayable(word, called=called, legacy=state.legacy)


def _is_plain(delta: Delta) -> bool:
    return (
        delta.tool_calls is None
        and delta.reasoning_content is None
        and delta.reasoning is None
        and delta.refusal is None
        and delta.function_call is None
        and delta.thinking_blocks is NOTHING
        and delta.annotations is NOTHING
        and delta.audio is NOTHING
        and delta.reasoning_details is NOTHING
    )


def _read_blocks(delta: Delta, state: _Choice, index: int, events: list[Event]) -> None:
    for text, signature, redacted in sealed_thinking(delta.thinking_blocks):
        if text and not state.thought:
            events.append(ThinkingDelta(text, index))
        if signature or redacted:
            events.append(ThinkingSealed(signature, redacted, index))


def _read_legacy(call: ChunkFunction, state: _Choice, index: int, events: list[Event]) -> None:
    if not state.legacy:
        state.legacy = True
        events.append(ToolStarted(LEGACY_ID + mint_call_id()[5:], call.name or "", 0, index))
    if arguments := arguments_text(call.arguments):
        events.append(ToolDelta(arguments, 0, index))
