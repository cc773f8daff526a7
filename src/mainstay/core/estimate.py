"""About how many tokens there are, where nobody who knows says so.

One token for each four bytes of UTF-8, rounded up, and four for each message: close for English, about right for other
languages. Media have a size of their own. No tokenizer is run, and no provider is asked.
"""

from collections.abc import Sequence
from typing import Final

from mainstay.core.events import Event, Metered
from mainstay.core.prompt import (
    DocumentPart,
    ImagePart,
    OpaquePart,
    Part,
    Prompt,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
)
from mainstay.core.usage import Usage

__all__ = ["answer_usage", "prompt_tokens", "text_tokens"]

_BYTES_A_TOKEN: Final = 4
_MESSAGE: Final = 4
#: Tokens of an image at the largest size that is not scaled down, and of a few pages of a document.
_IMAGE: Final = 1600
_DOCUMENT: Final = 6000


def text_tokens(size: int) -> int:
    """Return about how many tokens ``size`` bytes of text are."""
    return -(-size // _BYTES_A_TOKEN)


def prompt_tokens(prompt: Prompt) -> int:
    """Return about how many tokens ``prompt`` has; see the module for how, and that no tokenizer is run."""
    size = sum(
        len(tool.name.encode()) + len((tool.description or "").encode()) + len(bytes(tool.parameters or b""))
        if tool.opaque is None
        else len(bytes(tool.opaque))
        for tool in prompt.tools
    )
    media = 0
    for message in prompt.messages:
        for part in message.parts:
            more, shown = _measure(part)
            size += more
            media += shown
    return text_tokens(size) + media + _MESSAGE * len(prompt.messages)


def answer_usage(prompt: Prompt, events: Sequence[Event]) -> Usage:
    """Return what an answer to ``prompt`` took: as its provider says in ``events``, or else about."""
    for event in reversed(events):
        if isinstance(event, Metered):
            return event.usage
    size = sum(len(getattr(event, "text", "")) + len(getattr(event, "arguments", "")) for event in events)
    return Usage(prompt_tokens(prompt), text_tokens(size), estimated=True)


def _measure(part: Part) -> tuple[int, int]:
    """Return the bytes of text in ``part`` and the tokens of what is no text."""
    if isinstance(part, TextPart):
        return len(part.text.encode()), 0
    if isinstance(part, ThinkingPart):
        return len(part.text.encode()), 0
    if isinstance(part, ToolCallPart):
        return len(part.name.encode()) + len(part.arguments.encode()), 0
    if isinstance(part, ToolResultPart):
        found = [_measure(inner) for inner in part.content]
        return sum(size for size, _ in found), sum(media for _, media in found)
    if isinstance(part, ImagePart):
        return 0, _IMAGE
    if isinstance(part, DocumentPart):
        return (len(part.data.encode()), 0) if part.media_type == "text/plain" else (0, _DOCUMENT)
    return (len(bytes(part.payload)), 0) if isinstance(part, OpaquePart) else (0, 0)
