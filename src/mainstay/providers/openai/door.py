"""The body of ``POST /v1/chat/completions``, typed as far as the line needs, and the sentences for what is wrong.

Accepts all that the official API accepts and leaves ranges and combinations to the upstream; unknown fields are none
of its business. The types are read once per request, so they say only what a step may rely on.
"""

import re
from typing import Literal, TypeVar

import msgspec

from mainstay.core.errors import InvalidRequest
from mainstay.providers.openai.wire import NOTHING

__all__ = [
    "CALL_FIELDS",
    "MESSAGE_FIELDS",
    "PART_FIELDS",
    "TOP_FIELDS",
    "Door",
    "DoorCall",
    "DoorFunction",
    "DoorMessage",
    "DoorPart",
    "DoorTool",
    "explain",
    "read_body",
    "read_door",
]

_T = TypeVar("_T")


class _ImageUrl(msgspec.Struct, gc=False):
    url: str
    detail: str | None = None


class _InputAudio(msgspec.Struct, gc=False):
    data: str
    format: str


class _File(msgspec.Struct, gc=False):
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class DoorPart(msgspec.Struct, gc=False):
    """One part of a message's content."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: _ImageUrl | str | None = None
    input_audio: _InputAudio | None = None
    file: _File | None = None


class _Called(msgspec.Struct, gc=False):
    name: str
    arguments: str


class DoorCall(msgspec.Struct, gc=False):
    """One tool call of an earlier turn."""

    id: str | None = None
    type: str | None = None
    function: _Called | None = None


class _Thinking(msgspec.Struct, gc=False):
    type: str
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None


class DoorMessage(msgspec.Struct, gc=False):
    """One turn."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[DoorPart] | None = None
    name: str | None = None
    tool_calls: list[DoorCall] | None = None
    tool_call_id: str | None = None
    function_call: _Called | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    thinking_blocks: list[_Thinking] | None = None


class DoorFunction(msgspec.Struct, gc=False):
    """A function the model may call."""

    name: str
    description: str | None = None
    parameters: msgspec.Raw = NOTHING
    strict: bool | None = None


class DoorTool(msgspec.Struct, gc=False):
    """One entry of ``tools``."""

    type: str
    function: DoorFunction | None = None


class _Named(msgspec.Struct, gc=False):
    name: str


class _Choice(msgspec.Struct, gc=False):
    type: str
    function: _Named | None = None


class _Schema(msgspec.Struct, gc=False):
    name: str | None = None
    description: str | None = None
    schema: msgspec.Raw = NOTHING
    strict: bool | None = None


class _Format(msgspec.Struct, gc=False):
    type: str
    json_schema: _Schema | None = None
    #: An extension of llama.cpp and others: a schema right beside ``json_object``.
    schema: msgspec.Raw = NOTHING


class _StreamOptions(msgspec.Struct, gc=False):
    include_usage: bool | None = None


class Door(msgspec.Struct, gc=False):
    """The request."""

    model: str
    messages: list[DoorMessage]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    tools: list[DoorTool] | None = None
    tool_choice: str | _Choice | None = None
    parallel_tool_calls: bool | None = None
    functions: list[DoorFunction] | None = None
    function_call: str | _Named | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: str | list[str] | None = None
    n: int | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    response_format: _Format | None = None
    reasoning_effort: str | None = None
    modalities: list[str] | None = None
    user: str | None = None


#: ``modalities`` is read but has no field of its own in a prompt: it travels with the unknown.
TOP_FIELDS = frozenset(Door.__struct_fields__) - {"modalities"}
MESSAGE_FIELDS = frozenset(DoorMessage.__struct_fields__)
PART_FIELDS = frozenset(DoorPart.__struct_fields__)
CALL_FIELDS = frozenset(DoorCall.__struct_fields__)

_ROLES = "'system', 'developer', 'user', 'assistant', 'tool' or 'function'"
_door = msgspec.json.Decoder(Door)
_AT = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<path>[^`]*)`)?", re.DOTALL)
_EXPECTED = re.compile(r"Expected `(?P<wanted>[^`]*)`, got `(?P<got>[^`]*)`")
_MISSING = re.compile(r"Object missing required field `(?P<name>[^`]*)`")
_ENUM = re.compile(r"Invalid enum value (?P<got>.*)", re.DOTALL)
_WORDS = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def read_door(body: bytes) -> Door:
    """Read and check a request.

    Raises:
        InvalidRequest: it is not JSON in UTF-8, or a field is of the wrong type; ``param`` names the field.
    """
    door = read_body(_door, body, _ROLES)
    if not door.messages:
        raise InvalidRequest("'messages' is empty; send at least one message.", param="messages")
    if not door.model:
        raise InvalidRequest("'model' is empty; name a model or a route.", param="model")
    if door.n is not None and door.n < 1:
        raise InvalidRequest("'n' must be 1 or more.", param="n")
    return door


def read_body(decoder: msgspec.json.Decoder[_T], body: bytes, roles: str) -> _T:
    """Read a request of any dialect as ``decoder`` has it; ``roles`` lists the roles a message may have, in words.

    Raises:
        InvalidRequest: it is not JSON in UTF-8, or a field is of the wrong type; ``param`` names the field.
    """
    try:
        # msgspec checks only the strings it reads, but all of the body may go to the upstream.
        if not body.isascii():
            body.decode()
        return decoder.decode(body)
    except UnicodeDecodeError:
        raise InvalidRequest("The body is not valid UTF-8; encode the JSON as UTF-8.") from None
    except RecursionError:
        raise InvalidRequest("The JSON of the body is nested too deeply; flatten it.") from None
    except msgspec.ValidationError as error:
        raise explain(str(error), roles) from None
    except msgspec.DecodeError as error:
        raise InvalidRequest(_describe(body, str(error))) from None


def _describe(body: bytes, reason: str) -> str:
    if not body.strip():
        return "The body is empty; send a JSON object."
    place = reason.partition("JSON is malformed: ")[2] or "it ends too early or holds a lone surrogate"
    return f"The body is not valid JSON: {place}."


def explain(reason: str, roles: str, at: str = "") -> InvalidRequest:
    """Return what msgspec's ``reason`` for refusing a value means to a caller; ``at`` is the path of that value."""
    match = _AT.fullmatch(reason)
    what, path = (match["what"], match["path"] or "") if match else (reason, "")
    path = f"{at}{'' if path.startswith('[') else '.'}{path}" if at and path else at or path
    if missing := _MISSING.fullmatch(what):
        param = f"{path}.{missing['name']}" if path else missing["name"]
        return InvalidRequest(f"'{param}' is missing; it is required.", param=param)
    if not path:
        return InvalidRequest("The body must be a JSON object.")
    if enum := _ENUM.fullmatch(what):
        return InvalidRequest(f"'{path}' must be {roles}, not {enum['got'][:100]}.", param=path)
    if kinds := _EXPECTED.fullmatch(what):
        wanted = " or ".join(_WORDS.get(kind, kind) for kind in kinds["wanted"].split(" | "))
        got = _WORDS.get(kinds["got"], kinds["got"])
        return InvalidRequest(f"'{path}' must be {wanted}, not {got}.", param=path)
    return InvalidRequest(f"'{path}' cannot be read: {what[0].lower()}{what[1:]}.", param=path)
