"""What a caller of this wire asks: read at the door, and told what it needs of a model.

The common case never builds a prompt: towards an upstream of the same wire the caller's bytes go up as they came.
"""

from collections.abc import Iterable

import msgspec

from mainstay.core.call import Ask
from mainstay.core.events import Dialect
from mainstay.core.target import Feature, Operation
from mainstay.providers.anthropic.door import Door, DoorBlock, read_door
from mainstay.providers.anthropic.prompt_reader import read_prompt
from mainstay.providers.anthropic.wire import UNREADABLE
from mainstay.providers.openai.requests import scan as scan_prompt

__all__ = ["locate", "read_ask", "read_count", "scan"]

_NEEDS = {
    "image": Feature.IMAGES,
    "document": Feature.DOCUMENTS,
    "tool_use": Feature.TOOLS,
    "tool_result": Feature.TOOLS,
}
_blocks = msgspec.json.Decoder(list[DoorBlock])


def read_ask(body: bytes) -> Ask:
    """Read the body of ``POST /v1/messages``.

    Raises:
        InvalidRequest: it is not what the dialect allows; ``param`` names the field.
    """
    door = read_door(body)
    # This wire reports the usage of every stream.
    return Ask(body, Dialect.ANTHROPIC, door.model, door.stream is True, True, read_prompt, scan, locate=locate)


def read_count(body: bytes) -> Ask:
    """Read the body of ``POST /v1/messages/count_tokens``.

    Raises:
        InvalidRequest: it is not what the dialect allows; ``param`` names the field.
    """
    door = read_door(body, counting=True)
    return Ask(
        body, Dialect.ANTHROPIC, door.model, False, True, read_prompt, scan, operation=Operation.COUNT, locate=locate
    )


def scan(ask: Ask) -> frozenset[Feature]:
    """Return what a model must be able to do to answer ``ask``.

    A budget for thinking is a feature; ``adaptive`` leaves it to the model how much it thinks, and so asks for none.
    """
    if not ask.raw:
        thinks = b'"enabled"' in bytes(ask.prompt.extra.get("thinking", b""))
        return scan_prompt(ask) | ({Feature.THINKING} if thinks else frozenset())
    return frozenset(feature for feature, _ in _found(read_door(ask.raw, counting=True)))


def locate(ask: Ask, feature: Feature) -> str | None:
    """Return the path of the first field of ``ask`` that asks for ``feature``."""
    if not ask.raw:
        return None
    return next((path for found, path in _found(read_door(ask.raw, counting=True)) if found is feature), None)


def _found(door: Door) -> Iterable[tuple[Feature, str]]:
    if door.tools:
        yield Feature.TOOLS, "tools"
    if door.thinking is not None and door.thinking.type == "enabled":
        yield Feature.THINKING, "thinking"
    if door.output_config is not None and door.output_config.format is not None:
        yield Feature.SCHEMA, "output_config.format"
    elif door.output_format is not None:
        yield Feature.SCHEMA, "output_format"
    for position, message in enumerate(door.messages):
        if isinstance(message.content, list):
            yield from _needs(message.content, f"messages[{position}].content")


def _needs(blocks: list[DoorBlock], path: str) -> Iterable[tuple[Feature, str]]:
    for position, block in enumerate(blocks):
        if block.type in _NEEDS:
            yield _NEEDS[block.type], f"{path}[{position}]"
        if block.type == "tool_result" and bytes(block.content)[:1] == b"[":
            try:
                inner = _blocks.decode(block.content)
            except UNREADABLE:
                # Whoever reads it in full says what is wrong with it.
                continue
            yield from _needs(inner, f"{path}[{position}].content")
