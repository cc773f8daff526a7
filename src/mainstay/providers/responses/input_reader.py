"""One item of the input as parts of a turn.

The items of this wire are finer than turns: each call, each result and each block of reasoning is one of its own. An
item that only its vendor can read becomes an opaque part, which other wires refuse by its place; a record of what the
vendor's own tools did is left out, since what the model made of it stands in its answer.
"""

import base64
import binascii
from typing import NamedTuple, TypeVar

import msgspec

from mainstay.core.errors import InvalidRequest
from mainstay.core.events import Dialect
from mainstay.core.prompt import (
    AudioPart,
    DocumentPart,
    ImagePart,
    OpaquePart,
    Part,
    Role,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
)
from mainstay.providers.openai.door import explain
from mainstay.providers.openai.prompt_reader import split_data_url
from mainstay.providers.responses.door import NOTHING, UNREADABLE, DoorItem, present
from mainstay.providers.responses.sealed import open_seal
from mainstay.providers.responses.tools import alias
from mainstay.providers.responses.wire import sign

__all__ = ["CALLS", "RESULTS", "Turn", "read_item"]

_T = TypeVar("_T")

#: Kinds of text in a message, in reasoning and in a tool's output.
_TEXTS = frozenset({"input_text", "output_text", "text", "summary_text", "reasoning_text"})
#: What the vendor's own tools did in an earlier turn, and items that only bring tools.
_LEFT_OUT = frozenset(
    {
        "web_search_call",
        "file_search_call",
        "code_interpreter_call",
        "mcp_list_tools",
        "additional_tools",
        "compaction_trigger",
    }
)


class Turn(NamedTuple):
    """Who says it, and what."""

    role: Role
    parts: list[Part]


class _Audio(msgspec.Struct, gc=False):
    data: str = ""
    format: str = ""


class _Part(msgspec.Struct, gc=False):
    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None
    detail: str | None = None
    file_id: str | None = None
    file_url: str | None = None
    file_data: str | None = None
    filename: str | None = None
    input_audio: _Audio | None = None


class _Call(msgspec.Struct, gc=False):
    """The fields of every kind of call."""

    call_id: str | None = None
    id: str | None = None
    name: str = ""
    namespace: str | None = None
    arguments: msgspec.Raw = NOTHING
    input: str = ""
    action: msgspec.Raw = NOTHING
    operation: msgspec.Raw = NOTHING


class _Result(msgspec.Struct, gc=False):
    """The fields of every kind of result."""

    call_id: str | None = None
    id: str | None = None
    output: msgspec.Raw = NOTHING
    status: str | None = None
    tools: msgspec.Raw = NOTHING


class _Reasoning(msgspec.Struct, gc=False):
    summary: list[_Part] = []
    content: list[_Part] | None = None
    encrypted_content: str | None = None
    id: str | None = None


#: Items that are a call of a tool of the caller's, and those that answer one.
CALLS = frozenset(
    {"function_call", "custom_tool_call", "local_shell_call", "shell_call", "apply_patch_call", "tool_search_call"}
)
RESULTS = frozenset(
    {
        "function_call_output",
        "custom_tool_call_output",
        "local_shell_call_output",
        "shell_call_output",
        "apply_patch_call_output",
        "tool_search_output",
    }
)
_list = msgspec.json.Decoder(list[msgspec.Raw])


def read_item(item: DoorItem, raw: msgspec.Raw, at: str) -> Turn | None:
    """Return what ``item`` says, or None when it is no part of the conversation; ``at`` is its place.

    Raises:
        InvalidRequest: a field of it is wrong or missing; ``param`` names it.
    """
    kind = item.type
    if kind == "message" or (kind is None and item.role is not None):
        if item.role is None:
            raise InvalidRequest(f"'{at}.role' is missing; it is required.", param=f"{at}.role")
        return Turn(item.role, _content(item.content, f"{at}.content"))
    if kind == "reasoning":
        return Turn("assistant", _reasoning(raw, at))
    if kind in CALLS:
        return Turn("assistant", [_call(kind, _decode(raw, _Call, at), at)])
    if kind in RESULTS:
        return Turn("tool", [_result(kind, _decode(raw, _Result, at), at)])
    if kind in _LEFT_OUT:
        return None
    if kind is None:
        raise InvalidRequest(f"'{at}.type' is missing; it is required.", param=f"{at}.type")
    return Turn("user", [OpaquePart(raw, Dialect.RESPONSES)])


def _reasoning(raw: msgspec.Raw, at: str) -> list[Part]:
    said = _decode(raw, _Reasoning, at)
    if said.encrypted_content is not None and (sealed := open_seal(said.encrypted_content)) is not None:
        return [sealed]
    text = "".join([part.text or "" for part in said.content or said.summary])
    if said.encrypted_content:
        # No wire but its own takes more than the words.
        return [ThinkingPart(text, sign(said.id or "", said.encrypted_content))]
    return [ThinkingPart(text)] if text else []


def _call(kind: str, call: _Call, at: str) -> Part:
    known = call.call_id or call.id
    if not known:
        raise InvalidRequest(f"'{at}.call_id' is missing; it is required.", param=f"{at}.call_id")
    if kind in ("function_call", "custom_tool_call"):
        if not call.name:
            raise InvalidRequest(f"'{at}.name' is missing; it is required.", param=f"{at}.name")
        name = alias(call.name, call.namespace or "")
        if kind == "custom_tool_call":
            return ToolCallPart(known, name, msgspec.json.encode({"input": call.input}).decode())
        return ToolCallPart(known, name, _text(call.arguments, f"{at}.arguments"))
    name = kind.removesuffix("_call")
    if kind == "apply_patch_call":
        return ToolCallPart(known, name, f'{{"operation":{_json(call.operation)}}}')
    if kind == "tool_search_call":
        return ToolCallPart(known, name, _json(call.arguments))
    fields = _decode(call.action, dict[str, msgspec.Raw], f"{at}.action") if present(call.action) else {}
    said = {field: value for field, value in fields.items() if field != "type" and present(value)}
    return ToolCallPart(known, name, msgspec.json.encode(said).decode())


def _result(kind: str, result: _Result, at: str) -> Part:
    known = result.call_id or (result.id if kind == "local_shell_call_output" else None)
    if not known:
        raise InvalidRequest(f"'{at}.call_id' is missing; name the call it answers.", param=f"{at}.call_id")
    failed = kind == "apply_patch_call_output" and result.status == "failed"
    if kind == "tool_search_output":
        return ToolResultPart(known, (TextPart("These tools can be called now: " + _json(result.tools)),))
    if kind == "shell_call_output":
        # A list of what each command wrote, and how it ended.
        return ToolResultPart(known, (TextPart(_json(result.output)),))
    return ToolResultPart(known, tuple(_content(result.output, f"{at}.output")), failed)


def _content(raw: msgspec.Raw, at: str) -> list[Part]:
    """Return the parts of a ``content`` or ``output``: a string, or a list of typed parts."""
    if not present(raw):
        return []
    if bytes(raw)[:1] == b"[":
        return [_part(piece, f"{at}[{i}]") for i, piece in enumerate(_list.decode(raw))]
    text = _decode(raw, str, at)
    return [TextPart(text)] if text else []


def _part(raw: msgspec.Raw, at: str) -> Part:
    part = _decode(raw, _Part, at)
    kind = part.type
    if kind in _TEXTS:
        return TextPart(_needed(part.text, f"{at}.text"))
    if kind == "refusal":
        return TextPart(_needed(part.refusal, f"{at}.refusal"))
    if kind == "input_image" and part.image_url is not None:
        split = split_data_url(part.image_url)
        if split is None:
            return ImagePart(url=part.image_url, detail=part.detail or "")
        return ImagePart(data=split[1], media_type=split[0], detail=part.detail or "")
    if kind == "input_file":
        media_type, data = split_data_url(part.file_data or "") or ("", part.file_data or "")
        if media_type == "text/plain":
            data = _plain(data, f"{at}.file_data")
        if part.file_url or data or part.file_id:
            return DocumentPart(part.file_url or "", data, media_type, part.file_id or "", part.filename or "")
    if kind == "input_audio" and part.input_audio is not None:
        return AudioPart(part.input_audio.data, part.input_audio.format)
    # An image by the vendor's own file id, or a kind that is new.
    return OpaquePart(raw, Dialect.RESPONSES)


def _plain(data: str, at: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidRequest(f"'{at}' says text/plain but is not text in base64.", param=at) from None


def _needed(value: str | None, at: str) -> str:
    if value is None:
        raise InvalidRequest(f"'{at}' is missing; it is required.", param=at)
    return value


def _text(raw: msgspec.Raw, at: str) -> str:
    return _decode(raw, str, at) if present(raw) else ""


def _json(raw: msgspec.Raw) -> str:
    return bytes(raw).decode() if present(raw) else "{}"


def _decode(raw: msgspec.Raw, kind: type[_T], at: str) -> _T:
    """Read a part of the body as ``kind``.

    Raises:
        InvalidRequest: it is something else; ``param`` names the field.
    """
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise explain(str(error), "one of the wire's", at) from None
    except UNREADABLE:
        raise InvalidRequest(f"'{at}' cannot be read; check its JSON.", param=at) from None
