"""Kept answers as bytes, and given again: as a stream to who streams, whole to who does not.

Knows events, no dialect: what was kept from one wire is said on any. What only one dialect can say (``Opaque``) binds
an answer to callers of that dialect.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from mainstay.caching.port import Entry
from mainstay.core.answer import Answer
from mainstay.core.call import Call
from mainstay.core.events import (
    Event,
    Finished,
    FinishReason,
    Frame,
    Grounded,
    Metered,
    Opaque,
    Piece,
    RefusalDelta,
    TextDelta,
    ToolDelta,
    ToolStarted,
)
from mainstay.core.fold import fold
from mainstay.core.target import Target

__all__ = ["answer_of", "is_whole_answer", "only_of", "pack", "said", "unpack"]

#: Of the kinds of events that an answer is made of, by name; what a later release adds is found by itself.
_KINDS: Final[dict[str, type[Event]]] = {kind.__name__: kind for kind in Event.__subclasses__()}
_GOOD: Final = frozenset({FinishReason.STOP, FinishReason.STOP_SEQUENCE})
_NEVER: Final = (ToolStarted, ToolDelta, RefusalDelta, Piece)
#: Fields beside an answer that say nothing of it.
_IDLE: Final = frozenset({"service_tier", "system_fingerprint", "object", "obfuscation", "provider", "timings"})
#: Characters of one piece of a replayed stream, and frames that are handed on together.
_PIECE: Final = 512
_TOGETHER: Final = 16


class _Packed(msgspec.Struct, array_like=True):
    head: Entry
    events: list[tuple[str, msgspec.Raw]]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Packed).decode
_fields = msgspec.json.Decoder(dict[str, Any]).decode


def pack(entry: Entry) -> bytes:
    """Return an entry as bytes."""
    events = [(type(event).__name__, msgspec.Raw(_encode(event))) for event in entry.events]
    return _encode(_Packed(replace(entry, events=()), events))


def unpack(data: bytes) -> Entry:
    """Return the entry that :func:`pack` made into bytes.

    Raises:
        ValueError: they are no entry, or one of a release that knows other events.
    """
    packed = _decode(data)
    events: list[Event] = []
    for name, raw in packed.events:
        kind = _KINDS.get(name)
        if kind is None:
            raise ValueError(f"unknown event {name}")
        events.append(msgspec.json.decode(raw, type=kind))
    return replace(packed.head, events=tuple(events))


def is_whole_answer(events: Sequence[Event]) -> bool:
    """Whether an answer may be kept: one choice, complete, in words, that calls no tool and declines nothing."""
    ends = [event for event in events if isinstance(event, Finished)]
    if len(ends) != 1 or ends[0].choice != 0 or ends[0].reason not in _GOOD:
        return False
    if any(isinstance(event, _NEVER) or getattr(event, "choice", 0) for event in events):
        return False
    return any(isinstance(event, TextDelta) and event.text.strip() for event in events)


def only_of(events: Iterable[Event]) -> str:
    """Return the one dialect that can say all of an answer, "" for any."""
    for event in events:
        if isinstance(event, Opaque) and _matters(bytes(event.payload)):
            return event.dialect
    return ""


def said(events: Iterable[Event]) -> str:
    """Return the visible text of an answer."""
    return "".join([event.text for event in events if isinstance(event, TextDelta)])


def answer_of(entry: Entry, call: Call, age: float) -> Answer:
    """Return an answer that was kept ``age`` seconds ago for ``call``; usage, finish and model stay the original's.

    What its record says of its sources is noted on the call's.
    """
    target = Target(entry.model, entry.provider, entry.vendor, entry.upstream)
    headers = ((b"age", b"%d" % age),)
    events = entry.events
    if (grounding := entry.grounding) is not None:
        events = tuple(_older(event, age) for event in events)
        oldest = None if grounding.oldest_ms is None else grounding.oldest_ms + int(age * 1000)
        call.record.grounding = replace(grounding, oldest_ms=oldest, ms=0.0)
    if call.ask.stream:
        return Answer(target, headers, frames=_Replayed(events))
    return Answer(target, headers, whole=replace(fold(events), usage=entry.usage))


def _older(event: Event, age: float) -> Event:
    """Return what tells of the age of sources as it is now."""
    if isinstance(event, Grounded) and event.oldest_ms is not None:
        return replace(event, oldest_ms=event.oldest_ms + int(age * 1000))
    return event


def _matters(payload: bytes) -> bool:
    """Whether leaving out what only one dialect can say would leave out anything at all."""
    try:
        fields = _fields(payload)
    except msgspec.DecodeError:
        return True
    return _weighs(fields)


def _weighs(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_weighs(inner) for name, inner in value.items() if name not in _IDLE)
    return value not in (None, "", [], 0, False)


class _Replayed:
    """A kept answer as a stream: no wire, no upstream; long texts in pieces, so that a slow caller holds it up."""

    __slots__ = ("_frames",)

    def __init__(self, events: Sequence[Event]) -> None:
        self._frames = _frames(events)

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        if not self._frames:
            raise StopAsyncIteration
        batch, self._frames = self._frames[:_TOGETHER], self._frames[_TOGETHER:]
        return batch

    async def aclose(self) -> None:
        self._frames = []


def _frames(events: Sequence[Event]) -> list[Frame]:
    frames: list[Frame] = []
    metered: Event | None = None
    for event in events:
        if isinstance(event, Metered):
            metered = event
        elif isinstance(event, TextDelta) and event.logprobs is None and len(event.text) > _PIECE:
            pieces = [event.text[start : start + _PIECE] for start in range(0, len(event.text), _PIECE)]
            frames += [Frame((replace(event, text=piece),)) for piece in pieces]
        else:
            frames.append(Frame((event,)))
    if metered is not None:
        frames.append(Frame((metered,)))
    return frames
