"""What a caller of this wire asks: read at the door, and told what it needs of a model.

The common case never builds a prompt: towards an upstream of the same wire the caller's bytes go up as they came.
"""

from collections.abc import Iterable

import msgspec

from mainstay.core.call import Ask
from mainstay.core.events import Dialect
from mainstay.core.prompt import ToolCallPart, ToolResultPart
from mainstay.core.target import Feature, Operation
from mainstay.providers.anthropic.door import Door, DoorBlock, read_door
from mainstay.providers.anthropic.prompt_reader import read_prompt
from mainstay.providers.anthropic.wire import UNREADABLE
from mainstay.providers.openai.door import TOP_FIELDS as OPENAI_FIELDS
from mainstay.providers.openai.requests import scan as scan_prompt
from mainstay.providers.ours import without_ours

__all__ = ["locate", "place", "read_ask", "read_count", "scan", "without_betas"]

_NEEDS = {
    "image": Feature.IMAGES,
    "document": Feature.DOCUMENTS,
    "tool_use": Feature.TOOLS,
    "tool_result": Feature.TOOLS,
}
#: What the beginning of an answer is made of.
_SAID = frozenset({"text", "thinking", "redacted_thinking"})
#: Fields of this wire that no beta is needed for, or that other wires translate or refuse by name.
_SETTLED = frozenset(
    {
        "cache_control",
        "container",
        "context_management",
        "inference_geo",
        "mcp_servers",
        "metadata",
        "output_config",
        "service_tier",
        "speed",
        "thinking",
        "top_k",
        "user_profile_id",
    }
)
_blocks = msgspec.json.Decoder(list[DoorBlock])


def read_ask(body: bytes) -> Ask:
    """Read the body of ``POST /v1/messages``.

    Raises:
        InvalidRequest: it is not what the dialect allows; ``param`` names the field.
    """
    door = read_door(body)
    body = _own(door, body)
    # This wire reports the usage of every stream.
    ask = Ask(
        body, Dialect.ANTHROPIC, door.model, door.stream is True, True, read_prompt, scan, locate=locate, place=place
    )
    if door.metadata is not None and door.metadata.user_id:
        ask.user = door.metadata.user_id
    return ask


def read_count(body: bytes) -> Ask:
    """Read the body of ``POST /v1/messages/count_tokens``.

    Raises:
        InvalidRequest: it is not what the dialect allows; ``param`` names the field.
    """
    door = read_door(body, counting=True)
    body = _own(door, body)
    ask = Ask(body, Dialect.ANTHROPIC, door.model, False, True, read_prompt, scan, locate=locate, place=place)
    ask.operation = Operation.COUNT
    return ask


def _own(door: Door, body: bytes) -> bytes:
    """Return ``body`` without what we had added to the model's turns."""
    for message in door.messages:
        if message.role == "assistant":
            return without_ours(body)
    return body


def without_betas(ask: Ask, headers: Iterable[tuple[bytes, bytes]]) -> Ask:
    """Return ``ask`` for an upstream of another wire: without the fields that only a beta of this one brings.

    A beta is asked for by a header, which goes to no other vendor, and works through fields that mean nothing without
    it: they go together. Fields nobody knows stay where no beta was asked for.
    """
    if ask.dialect is not Dialect.ANTHROPIC or not any(name == b"anthropic-beta" for name, _ in headers):
        return ask
    prompt = ask.prompt
    extra = {name: value for name, value in prompt.extra.items() if name in _SETTLED or name in OPENAI_FIELDS}
    return ask if len(extra) == len(prompt.extra) else ask.asking(msgspec.structs.replace(prompt, extra=extra))


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


def place(ask: Ask, message: int, parts: tuple[int, ...], field: str) -> str:
    """Return the path of what stands at a place of the prompt; see :class:`~mainstay.core.call.Ask`."""
    door = read_door(ask.raw, counting=True)
    beside = bool(door.system)
    if beside and message == 0:
        at = "system" + "".join([f"[{part}]" for part in parts if not isinstance(door.system, str)])
        return f"{at}.{field}" if field and parts else at
    at = f"messages[{message - beside}]"
    if parts:
        content = door.messages[message - beside].content
        at += ".content" if isinstance(content, str) else f".content[{parts[0]}]"
        at += "".join([f".content[{inner}]" for inner in parts[1:]])
        meant = ask.prompt.messages[message].parts[parts[0]]
        if isinstance(meant, ToolCallPart) and field == "arguments":
            field = "input"
        elif isinstance(meant, ToolResultPart) and field == "id":
            field = "tool_use_id"
    return f"{at}.{field}" if field else at


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
    last = door.messages[-1]
    # A turn with blocks of other kinds is one that the model has paused itself.
    if last.role == "assistant" and (isinstance(last.content, str) or all(one.type in _SAID for one in last.content)):
        yield Feature.PREFILL, f"messages[{len(door.messages) - 1}]"


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
