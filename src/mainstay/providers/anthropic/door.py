"""The body of ``POST /v1/messages`` at the door, typed as far as the line needs.

The blocks of a message are only told apart here: an upstream of the same wire judges them itself, and for any other
``prompt_reader`` reads them in full. Unknown fields and kinds of block are none of its business.
"""

from typing import Literal

import msgspec

from mainstay.core.errors import InvalidRequest
from mainstay.providers.openai.door import read_body

__all__ = ["TOP_FIELDS", "Door", "DoorBlock", "DoorChoice", "DoorFormat", "DoorMessage", "read_door"]

_NOTHING = msgspec.Raw(b"")
_ROLES = "'user', 'assistant' or 'system'"


class DoorBlock(msgspec.Struct, gc=False):
    """One block of content; ``content`` is a tool's result."""

    type: str
    content: msgspec.Raw = _NOTHING


class DoorMessage(msgspec.Struct, gc=False):
    """One turn."""

    role: Literal["user", "assistant", "system"]
    content: str | list[DoorBlock]


class _Metadata(msgspec.Struct, gc=False):
    user_id: str | None = None


class _Thinking(msgspec.Struct, gc=False):
    type: str
    budget_tokens: int | None = None


class DoorChoice(msgspec.Struct, gc=False):
    """Which tools the model may or must call."""

    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class DoorFormat(msgspec.Struct, gc=False):
    """The form the answer must have."""

    type: str
    schema: msgspec.Raw = _NOTHING


class _Output(msgspec.Struct, gc=False):
    effort: str | None = None
    format: DoorFormat | None = None


class Door(msgspec.Struct, gc=False):
    """The request. ``output_format`` is the older name of ``output_config.format``."""

    model: str
    messages: list[DoorMessage]
    max_tokens: int | None = None
    stream: bool | None = None
    system: str | list[DoorBlock] | None = None
    tools: list[dict[str, msgspec.Raw]] | None = None
    tool_choice: DoorChoice | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    thinking: _Thinking | None = None
    metadata: _Metadata | None = None
    output_config: _Output | None = None
    output_format: DoorFormat | None = None


#: ``top_k`` and ``thinking`` are read but have no field of their own in a prompt: they travel with the unknown.
TOP_FIELDS = frozenset(Door.__struct_fields__) - {"top_k", "thinking"}

_door = msgspec.json.Decoder(Door)


def read_door(body: bytes, *, counting: bool = False) -> Door:
    """Read and check a request; ``counting`` when no answer is asked for, and so no limit is needed.

    Raises:
        InvalidRequest: it is not JSON in UTF-8, or a field is missing or of the wrong type; ``param`` names the field.
    """
    door = read_body(_door, body, _ROLES)
    if not door.messages:
        raise InvalidRequest("'messages' is empty; send at least one message.", param="messages")
    if not door.model:
        raise InvalidRequest("'model' is empty; name a model or a route.", param="model")
    if door.max_tokens is None and not counting:
        raise InvalidRequest("'max_tokens' is missing; it is required.", param="max_tokens")
    return door
