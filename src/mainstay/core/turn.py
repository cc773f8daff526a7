"""What a model said, as the turn of the conversation that it becomes when the model is asked again.

For whoever asks a model on: with what its tools gave, or with what is wrong with its answer. Knows events and parts, no
dialect.
"""

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from mainstay.core.events import Event, TextDelta, ThinkingDelta, ThinkingSealed, ToolDelta, ToolStarted
from mainstay.core.prompt import Part, TextPart, ThinkingPart, ToolCallPart

__all__ = ["read_parts", "whole_arguments"]


def read_parts(events: Iterable[Event], choice: int = 0) -> list[Part]:
    """Return what one choice of a whole answer says, in order; reasoning with its seal, arguments as written."""
    parts: list[Part] = []
    calls: dict[int, int] = {}
    for event in events:
        if getattr(event, "choice", choice) != choice:
            continue
        if isinstance(event, TextDelta):
            if event.text:
                parts.append(TextPart(event.text))
        elif isinstance(event, ThinkingDelta):
            parts.append(ThinkingPart(event.text))
        elif isinstance(event, ThinkingSealed):
            last = parts[-1] if parts else None
            if isinstance(last, ThinkingPart) and event.signature and not last.signature and not last.redacted:
                parts[-1] = replace(last, signature=event.signature)
            else:
                parts.append(ThinkingPart(signature=event.signature, redacted=event.redacted))
        elif isinstance(event, ToolStarted):
            calls[event.index] = len(parts)
            parts.append(ToolCallPart(event.id, event.name, ""))
        elif isinstance(event, ToolDelta) and event.index in calls:
            part = parts[calls[event.index]]
            assert isinstance(part, ToolCallPart)
            parts[calls[event.index]] = replace(part, arguments=part.arguments + event.arguments)
    return parts


def whole_arguments(arguments: str) -> str:
    """Return arguments of a call that a provider takes back: as written where they are an object, else an empty one."""
    try:
        msgspec.json.decode(arguments, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return "{}"
    return arguments
