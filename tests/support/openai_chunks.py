"""Makes the JSON of OpenAI's stream chunks and takes streams apart again."""

import json
from collections.abc import Iterable
from typing import Any

from mainstay.core.events import Event, Frame
from mainstay.core.sse import SseDecoder, SseEvent
from mainstay.providers.openai import OpenAIStreamReader, OpenAIStreamWriter

__all__ = ["chunk", "drain", "events_of", "finish", "frames_of", "relay", "tool"]


def chunk(delta: dict[str, Any] | None = None, *, index: int = 0, finish: str | None = None, **top: Any) -> bytes:
    """Return a chunk with one choice; ``top`` adds or replaces top-level fields."""
    choice = {"index": index, "delta": delta or {}, "finish_reason": finish}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "m-1"}
    return json.dumps({**head, "choices": [choice], **top}).encode()


def finish(reason: str = "stop", index: int = 0, **top: Any) -> bytes:
    """Return the last chunk of a choice."""
    return chunk(index=index, finish=reason, **top)


def tool(arguments: str | None = None, *, at: int = 0, **call: Any) -> bytes:
    """Return a chunk with a piece of one tool call; ``call`` sets ``index``, ``id`` and ``name``."""
    function = {
        key: value for key, value in (("name", call.pop("name", None)), ("arguments", arguments)) if value is not None
    }
    return chunk({"tool_calls": [{**call, "function": function}]}, index=at)


def frames_of(chunks: Iterable[bytes]) -> list[Frame]:
    """Return the frames a new reader makes of a complete stream."""
    reader = OpenAIStreamReader()
    frames = [frame for data in chunks if (frame := reader.feed(SseEvent(data))) is not None]
    tail = reader.finish()
    return frames if tail is None else [*frames, tail]


def events_of(chunks: Iterable[bytes]) -> list[Event]:
    """Return the events of a complete stream."""
    return [event for frame in frames_of(chunks) for event in frame.events]


def relay(frames: Iterable[Frame], *, include_usage: bool = True, **options: Any) -> list[dict[str, Any]]:
    """Return the chunks a caller sees of ``frames``; the stream must end with one ``[DONE]``."""
    writer = OpenAIStreamWriter(include_usage, model="fallback", id="abc", created=5, **options)
    return drain(b"".join(writer.frame(frame) for frame in frames) + writer.end())


def drain(stream: bytes) -> list[dict[str, Any]]:
    """Return the JSON of every event of a complete stream."""
    decoder = SseDecoder()
    data = [event.data for event in decoder.feed(stream)]
    assert decoder.close() == []
    assert data[-1] == b"[DONE]"
    assert data.count(b"[DONE]") == 1
    return [json.loads(item) for item in data[:-1]]
