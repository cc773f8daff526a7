"""A conversation in Anthropic's words: the system prompt and the turns.

What differs from the prompt as it came, and why:

* Every ``system`` and ``developer`` message moves into the top-level ``system``, in order, wherever it stood.
  Only some models take system turns between others, and only in some places; the text and its cache marks are
  kept, its place among the turns is not.
* Answers of tools become ``tool_result`` blocks; those that follow each other share one user turn, which the
  wire demands for parallel calls.
* Reasoning stands first in an assistant's turn. Without its signature it is left out: the wire takes none
  that Anthropic did not sign, and another vendor's reasoning, signed or not, is no part of what was said.
* Empty text is left out (the wire refuses it). So is what an OpenAI answer carries beside its content and
  callers send back with it: ``annotations``, unsigned reasoning, a call's ``index`` and other vendors' notes
  on it, and every field that is null or empty.
* OpenAI's ``prompt_cache_breakpoint`` becomes ``cache_control``; a ``cache_control`` on a message moves to
  its last block. ``detail`` of an image is a hint that this wire lacks: images are read at full detail.
* Ids of tool calls with signs that the wire refuses are rewritten, the same way in the call and in its
  result.
"""

import hashlib
import re
from collections.abc import Iterable

import msgspec

from mainstay.core.errors import InvalidRequest, Unsupported
from mainstay.core.prompt import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Message,
    OpaquePart,
    Part,
    SearchResultPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
)
from mainstay.providers.anthropic.wire import UNREADABLE
from mainstay.providers.places import message_at, part_at
from mainstay.providers.wire import is_foreign

__all__ = ["conversation", "json_object"]

Block = dict[str, object] | msgspec.Raw

_IMAGES = frozenset(("image/jpeg", "image/png", "image/gif", "image/webp"))
_TOOL_ID = re.compile(r"[a-zA-Z0-9_-]+")
_NOT_IN_ID = re.compile(r"[^a-zA-Z0-9_-]")
_EMPTY = frozenset((b"null", b"[]", b"{}", b'""', b"false"))
#: What an answer carries beside its content: no part of the conversation for this wire.
_BESIDE = frozenset(("annotations", "reasoning", "reasoning_content", "reasoning_details"))
_BESIDE_CALL = frozenset(("index", "extra_content", "provider_specific_fields"))
_BREAKPOINT = "prompt_cache_breakpoint"
_EPHEMERAL = msgspec.Raw(b'{"type":"ephemeral"}')
_EPHEMERAL_HOUR = msgspec.Raw(b'{"type":"ephemeral","ttl":"1h"}')


def conversation(messages: Iterable[Message]) -> tuple[str | list[Block], list[dict[str, object]]]:
    """Return the system prompt ("" when there is none) and the turns.

    Raises:
        Unsupported: a part or field has no counterpart on this wire.
        InvalidRequest: arguments of a tool call are no JSON object.
    """
    system: list[Block] = []
    turns: list[dict[str, object]] = []
    results: list[Block] | None = None
    for position, message in enumerate(messages):
        at = message_at(position)
        role = message.role
        if role != "tool":
            results = None
        if role in ("system", "developer"):
            system += _system(message, at)
        elif role == "tool":
            blocks, more = _blocks(message, at)
            if results is None:
                results = []
                turns.append({"role": "user", "content": results, **more})
            results += blocks
        else:
            blocks, more = _blocks(message, at)
            if blocks:
                turns.append({"role": role, "content": _short(blocks), **more})
            elif role == "user":
                raise Unsupported("This model takes no empty message; put text into it.", param=f"{at}.content")
    if not turns:
        raise Unsupported("This model needs a user message beside the system prompt; add one.", param="messages")
    return (_short(system) if system else ""), turns


def json_object(text: bytes) -> dict[str, msgspec.Raw] | None:
    """Return the fields of a JSON object with their bytes kept, or None when ``text`` is not one."""
    try:
        return msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except UNREADABLE:
        return None


def _short(blocks: list[Block]) -> str | list[Block]:
    """Return the text alone when a single plain text is all there is."""
    only = blocks[0]
    if len(blocks) == 1 and isinstance(only, dict) and only.keys() == {"type", "text"} and only["type"] == "text":
        return str(only["text"])
    return blocks


def _system(message: Message, at: str) -> list[Block]:
    for position, part in enumerate(message.parts):
        if not isinstance(part, TextPart | OpaquePart):
            raise Unsupported("This model's system prompt takes text only.", param=part_at(at, position))
    blocks, more = _blocks(message, at)
    for field in more:
        raise Unsupported(f"This model's system prompt has no field {field}; leave it out.", param=f"{at}.{field}")
    return blocks


def _blocks(message: Message, at: str) -> tuple[list[Block], dict[str, object]]:
    """Return the blocks of one message and the fields that stay on it."""
    if message.name and message.role != "tool":
        raise Unsupported("This model knows no names of speakers; put the name into the text.", param=f"{at}.name")
    thinking: list[Block] = []
    blocks: list[Block] = []
    for position, part in enumerate(message.parts):
        path = part_at(at, position)
        if isinstance(part, ThinkingPart):
            thinking += _thinking(part)
        elif isinstance(part, ToolCallPart):
            blocks.append(_tool_use(part, f"{path}.arguments"))
        elif isinstance(part, ToolResultPart):
            blocks.append(_tool_result(part, path))
        elif (block := _block(part, path)) is not None:
            blocks.append(block)
    return _fields(message, at, thinking + blocks)


def _fields(message: Message, at: str, blocks: list[Block]) -> tuple[list[Block], dict[str, object]]:
    more: dict[str, object] = {}
    mark: msgspec.Raw | None = None
    for field, value in message.extra.items():
        if bytes(value) in _EMPTY or (field in _BESIDE and message.role == "assistant"):
            continue
        if field == "cache_control":
            mark = value
        elif field == "refusal" and message.role == "assistant":
            blocks.append(_refusal(value, f"{at}.refusal"))
        elif field in ("audio", "function_call"):
            raise Unsupported(
                f"This model takes no {field} in a message; send it as text or tool_calls.",
                param=f"{at}.{field}",
            )
        else:
            more[field] = value
    if mark is not None and blocks:
        last = blocks[-1]
        fields: dict[str, object] = dict(last if isinstance(last, dict) else json_object(bytes(last)) or {})
        fields.setdefault("cache_control", mark)
        blocks[-1] = fields
    return blocks, more


def _thinking(part: ThinkingPart) -> list[Block]:
    blocks: list[Block] = []
    if part.signature and not is_foreign(part.signature):
        blocks.append({"type": "thinking", "thinking": part.text, "signature": part.signature})
    if part.redacted:
        blocks.append({"type": "redacted_thinking", "data": part.redacted})
    return blocks


def _tool_use(part: ToolCallPart, at: str) -> Block:
    # Models that call a tool without arguments write "" as often as "{}".
    arguments = part.arguments if part.arguments.strip() else "{}"
    try:
        data = arguments.encode()
    except UnicodeEncodeError:
        data = b""
    if json_object(data) is None:
        raise InvalidRequest("The arguments of a tool call must be a JSON object, written as a string.", param=at)
    return {
        "type": "tool_use",
        "id": _tool_id(part.id),
        "name": part.name,
        "input": msgspec.Raw(data),
        **{field: value for field, value in _extra(part.extra).items() if field not in _BESIDE_CALL},
    }


def _tool_id(given: str) -> str:
    if _TOOL_ID.fullmatch(given):
        return given
    # Other vendors number calls like "functions.get:0"; a digest keeps two that differ in such signs apart.
    digest = hashlib.blake2s(given.encode("utf-8", "replace"), digest_size=6).hexdigest()
    return f"{_NOT_IN_ID.sub('_', given)[:48]}_{digest}"


def _block(part: Part, at: str) -> Block | None:
    if isinstance(part, SearchResultPart) and part.is_whole:
        return _search_result(part)
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text, **_extra(part.extra)} if part.text else None
    if isinstance(part, ImagePart):
        return {"type": "image", "source": _image_source(part, at), **_extra(part.extra)}
    if isinstance(part, DocumentPart):
        title = {"title": part.name} if part.name else {}
        return {"type": "document", "source": _document_source(part, at), **title, **_extra(part.extra)}
    if isinstance(part, AudioPart):
        raise Unsupported("This model cannot hear audio; send a transcript instead.", param=at)
    if isinstance(part, OpaquePart):
        return _opaque(part, at)
    raise Unsupported("This model cannot read this kind of content.", param=at)


def _image_source(part: ImagePart, at: str) -> dict[str, object]:
    if not part.data:
        return {"type": "url", "url": part.url}
    if part.media_type not in _IMAGES:
        raise Unsupported("This model reads images as JPEG, PNG, GIF or WebP; convert the image.", param=at)
    return {"type": "base64", "media_type": part.media_type, "data": part.data}


def _search_result(part: SearchResultPart) -> Block:
    content: object = part.sent if part.sent is not None else [{"type": "text", "text": text} for text in part.texts]
    extra = _extra(part.extra)
    asked = {"citations": {"enabled": True}} if part.cited and "citations" not in extra else {}
    return {"type": "search_result", "source": part.source, "title": part.title, "content": content, **asked, **extra}


def _document_source(part: DocumentPart, at: str) -> Block:
    if part.file_id:
        return {"type": "file", "file_id": part.file_id}
    if not part.data:
        return {"type": "url", "url": part.url}
    if part.sent is not None and part.data == "".join(part.blocks):
        return part.sent
    if part.media_type == "text/plain":
        return {"type": "text", "media_type": "text/plain", "data": part.data}
    if part.media_type not in ("", "application/pdf"):
        raise Unsupported("This model reads documents as PDF or plain text; convert the file.", param=at)
    return {"type": "base64", "media_type": "application/pdf", "data": part.data}


def _tool_result(part: ToolResultPart, at: str) -> Block:
    found = (_block(inner, part_at(at, position)) for position, inner in enumerate(part.content))
    content = [block for block in found if block is not None]
    result: dict[str, object] = {"type": "tool_result", "tool_use_id": _tool_id(part.id)}
    if content:
        result["content"] = _short(content)
    if part.is_error:
        result["is_error"] = True
    result.update(_extra(part.extra))
    return result


def _opaque(part: OpaquePart, at: str) -> Block:
    if part.dialect == "anthropic":
        return part.payload
    fields = json_object(bytes(part.payload)) or {}
    if bytes(fields.get("type", b"")) == b'"refusal"' and "refusal" in fields:
        return _refusal(fields["refusal"], at)
    raise Unsupported("This model cannot read this kind of content; send text, images or documents.", param=at)


def _refusal(value: msgspec.Raw, at: str) -> Block:
    # What the model declined with is what it said.
    try:
        return {"type": "text", "text": msgspec.json.decode(value, type=str)}
    except UNREADABLE:
        raise InvalidRequest("A refusal must be a string.", param=at) from None


def _extra(extra: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    if not extra:
        return extra
    kept = {field: value for field, value in extra.items() if bytes(value) != b"null"}
    mark = kept.pop(_BREAKPOINT, None)
    if mark is not None and "cache_control" not in kept:
        # Without a ttl it asks for caching alone; the shortest asked for is 30 minutes, so the hour it is.
        kept["cache_control"] = _EPHEMERAL_HOUR if b'"ttl"' in bytes(mark) else _EPHEMERAL
    return kept
