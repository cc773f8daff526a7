"""Keeps providers' own prompt caches warm: the same beginning each time, and marks where a vendor wants them.

A provider's cache knows a prompt again by its beginning, tools first. So tools go up in one order; and for Anthropic's
models, which cache only up to a mark, the end of what stays the same (the system prompt, else the tools) is marked,
where the caller marked nothing. Which target a conversation goes to is routing's (``choose: sticky``).
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec.structs import replace

from mainstay.core.prompt import Message, Prompt, TextPart
from mainstay.core.target import Target

__all__ = ["marked"]

#: Vendors whose caches want marks.
_WANTING: Final = frozenset({"anthropic"})
_MARK: Final = {"cache_control": msgspec.Raw(b'{"type":"ephemeral"}')}
#: Below about this many characters no model of theirs caches anything (1,024 tokens at the least).
_LEAST: Final = 4096
_SYSTEM: Final = ("system", "developer")


async def marked(prompt: Prompt, target: Target) -> Prompt:
    """Return a prompt whose beginning a provider's cache knows again; itself where nothing is to be done.

    Implements :data:`~mainstay.core.call.Adapter`.
    """
    ordered = tuple(sorted(prompt.tools, key=lambda tool: tool.name))
    if ordered != prompt.tools and not _is_marked(prompt):
        # The caller's own mark stands at a place, and the place counts.
        prompt = replace(prompt, tools=ordered)
    if target.vendor in _WANTING and not _is_marked(prompt):
        prompt = _mark(prompt)
    return prompt


def _mark(prompt: Prompt) -> Prompt:
    opening = 0
    while opening < len(prompt.messages) and prompt.messages[opening].role in _SYSTEM:
        opening += 1
    size = sum(_size(message) for message in prompt.messages[:opening])
    size += sum(len(tool.description or "") + len(bytes(tool.parameters or b"")) for tool in prompt.tools)
    if size < _LEAST:
        return prompt
    if opening:
        message = prompt.messages[opening - 1]
        last = message.parts[-1] if message.parts else None
        if not isinstance(last, TextPart):
            return prompt
        parts = (*message.parts[:-1], replace(last, extra=last.extra | _MARK))
        messages = (
            *prompt.messages[: opening - 1],
            replace(message, parts=parts),
            *prompt.messages[opening:],
        )
        return replace(prompt, messages=messages)
    tool = prompt.tools[-1]
    return replace(prompt, tools=(*prompt.tools[:-1], replace(tool, extra=tool.extra | _MARK)))


def _size(message: Message) -> int:
    return sum(len(part.text) for part in message.parts if isinstance(part, TextPart))


def _is_marked(prompt: Prompt) -> bool:
    """Whether the caller has set a mark of its own anywhere."""

    def extras() -> Iterable[dict[str, msgspec.Raw]]:
        yield prompt.extra
        for tool in prompt.tools:
            yield tool.extra
        for message in prompt.messages:
            yield message.extra
            for part in message.parts:
                yield getattr(part, "extra", {})

    return any("cache_control" in extra for extra in extras())
