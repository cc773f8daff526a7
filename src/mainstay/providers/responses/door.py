"""The body of ``POST /v1/responses`` at the door, typed as far as the line needs.

The items of the input are only told apart here: an upstream of the same wire judges them itself, and for any other
``prompt_reader`` reads them in full. What this gateway never does on this wire is refused here, whatever the upstream.
"""

from typing import Literal

import msgspec

from mainstay.core.errors import InvalidRequest
from mainstay.providers.openai.door import read_body

__all__ = [
    "NOTHING",
    "TOP_FIELDS",
    "UNREADABLE",
    "Door",
    "DoorChoice",
    "DoorFormat",
    "DoorItem",
    "present",
    "read_door",
]

NOTHING = msgspec.Raw(b"")
#: What decoding raises for bytes that are not what was expected, or are nested beyond reason.
UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)

_ROLES = "'user', 'assistant', 'system' or 'developer'"


class DoorItem(msgspec.Struct, gc=False):
    """One item of the input. An item without a type is a message."""

    type: str | None = None
    role: Literal["user", "assistant", "system", "developer"] | None = None
    id: str | None = None
    content: msgspec.Raw = NOTHING
    output: msgspec.Raw = NOTHING


class DoorChoice(msgspec.Struct, gc=False):
    """Which tools the model may or must call."""

    type: str
    name: str | None = None
    namespace: str | None = None
    mode: Literal["auto", "required"] = "auto"
    tools: list[dict[str, msgspec.Raw]] | None = None


class DoorFormat(msgspec.Struct, gc=False):
    """The form the answer must have."""

    type: str
    name: str | None = None
    description: str | None = None
    schema: msgspec.Raw = NOTHING
    strict: bool | None = None


class _Text(msgspec.Struct, gc=False):
    format: DoorFormat | None = None
    verbosity: str | None = None


class _Reasoning(msgspec.Struct, gc=False):
    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None
    mode: str | None = None


class Door(msgspec.Struct, gc=False):
    """The request."""

    model: str
    input: str | list[DoorItem] | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    conversation: msgspec.Raw = NOTHING
    background: bool | None = None
    stream: bool | None = None
    stream_options: dict[str, msgspec.Raw] | None = None
    store: bool | None = None
    include: list[str] | None = None
    metadata: dict[str, str] | None = None
    tools: list[dict[str, msgspec.Raw]] | None = None
    tool_choice: str | DoorChoice | None = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    text: _Text | None = None
    reasoning: _Reasoning | None = None
    truncation: str | None = None
    user: str | None = None


#: Fields that no prompt carries on: they have a place of their own in it, or are settled here.
TOP_FIELDS = frozenset(Door.__struct_fields__) - {"truncation"}

_door = msgspec.json.Decoder(Door)


def read_door(body: bytes) -> Door:
    """Read and check a request.

    Raises:
        InvalidRequest: it is not JSON in UTF-8, a field is missing or of the wrong type, or it asks for what no route
            here does; ``param`` names the field.
    """
    door = read_body(_door, body, _ROLES)
    if not door.model:
        raise InvalidRequest("'model' is empty; name a model or a route.", param="model")
    if door.background:
        raise InvalidRequest(
            "Nothing runs in the background here; leave out 'background' and wait for the answer or stream it.",
            param="background",
        )
    if present(door.conversation):
        raise InvalidRequest(
            "Conversations are not kept here; continue a response with 'previous_response_id' instead.",
            param="conversation",
        )
    if door.input is None and not door.previous_response_id:
        raise InvalidRequest("'input' is missing; it is required.", param="input")
    if not door.input and not door.previous_response_id and not door.instructions:
        raise InvalidRequest("'input' is empty; send at least one item.", param="input")
    return door


def present(value: msgspec.Raw) -> bool:
    """Return whether a raw field was there and not null."""
    return bytes(value) not in (b"", b"null")
