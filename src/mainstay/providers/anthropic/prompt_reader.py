"""A whole messages request as a :class:`~mainstay.core.prompt.Prompt`.

Read only when another dialect or a stage of the line needs it. The turns stay as they are, one part for each block, so
that a part's place is its block's; ``system`` becomes a first message. What is not known is kept exactly as sent.
"""

from typing import Literal, TypeVar, get_args

import msgspec

from mainstay.core.errors import InvalidRequest
from mainstay.core.events import Dialect
from mainstay.core.prompt import (
    DocumentPart,
    ImagePart,
    Message,
    OpaquePart,
    OutputForm,
    Part,
    Prompt,
    SearchResultPart,
    TextPart,
    ThinkingPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
)
from mainstay.providers.anthropic.door import TOP_FIELDS, Door, DoorFormat, read_door
from mainstay.providers.anthropic.wire import present
from mainstay.providers.openai.door import explain

__all__ = ["read_prompt"]

Fields = dict[str, msgspec.Raw]
_T = TypeVar("_T")

_NOTHING = msgspec.Raw(b"")
_MESSAGE_FIELDS = frozenset({"role", "content"})
_TOOL_FIELDS = frozenset({"type", "name", "description", "input_schema", "strict"})
_Kind = Literal["auto", "none", "any", "tool"]

_fields = msgspec.json.Decoder(Fields)
_list = msgspec.json.Decoder(list[msgspec.Raw])


class _Source(msgspec.Struct, gc=False):
    type: str
    media_type: str = ""
    data: str = ""
    url: str = ""
    file_id: str = ""
    content: msgspec.Raw = _NOTHING


class _Block(msgspec.Struct, gc=False):
    """The fields of the kinds of block that are read; of the polymorphic ones only the bytes."""

    type: str
    text: str | None = None
    source: msgspec.Raw = _NOTHING
    title: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = _NOTHING
    tool_use_id: str | None = None
    content: msgspec.Raw = _NOTHING
    is_error: bool | None = None


class _Kindred(msgspec.Struct, gc=False):
    type: str


class _Function(msgspec.Struct, gc=False):
    name: str
    description: str | None = None
    input_schema: msgspec.Raw = _NOTHING
    strict: bool | None = None


_known = msgspec.json.Decoder(list[_Block])
_text = msgspec.json.Decoder(str)

#: Kinds of block that have a part of their own, with the fields of each that the part says.
_KNOWN: dict[str, frozenset[str]] = {
    "text": frozenset({"type", "text"}),
    "image": frozenset({"type", "source"}),
    "document": frozenset({"type", "source", "title"}),
    "search_result": frozenset({"type", "source", "title", "content"}),
    "thinking": frozenset({"type", "thinking", "signature"}),
    "redacted_thinking": frozenset({"type", "data"}),
    "tool_use": frozenset({"type", "id", "name", "input"}),
    "tool_result": frozenset({"type", "tool_use_id", "content", "is_error"}),
}
_REQUIRED: dict[str, tuple[str, ...]] = {
    "text": ("text",),
    "image": ("source",),
    "document": ("source",),
    "search_result": ("source", "title", "content"),
    "thinking": ("thinking",),
    "redacted_thinking": ("data",),
    "tool_use": ("id", "name", "input"),
    "tool_result": ("tool_use_id",),
}


def read_prompt(body: bytes) -> Prompt:
    """Read a request in full.

    Raises:
        InvalidRequest: a field is wrong or missing; ``param`` names it.
    """
    door = read_door(body, counting=True)
    top = _fields.decode(body)
    extra = {name: value for name, value in top.items() if name not in TOP_FIELDS}
    if rest := _rest(top, "metadata", frozenset({"user_id"})):
        extra["metadata"] = rest
    if rest := _rest(top, "output_config", frozenset({"effort", "format"})):
        extra["output_config"] = rest
    choice = door.tool_choice
    alone = choice is not None and choice.disable_parallel_tool_use
    return Prompt(
        model=door.model,
        messages=(*_read_system(door, top), *_read_messages(door, top)),
        stream=door.stream is True,
        include_usage=True,
        tools=tuple(_read_tool(raw, f"tools[{i}]") for i, raw in enumerate(_items(top.get("tools", _NOTHING)))),
        tool_choice=_read_choice(door),
        parallel_tools=False if alone else None,
        max_tokens=door.max_tokens,
        temperature=door.temperature,
        top_p=door.top_p,
        stop=tuple(door.stop_sequences or ()),
        form=_read_form(door),
        reasoning_effort=door.output_config.effort if door.output_config is not None else None,
        user=door.metadata.user_id if door.metadata is not None else None,
        extra=extra,
    )


def _read_system(door: Door, top: Fields) -> tuple[Message, ...]:
    if isinstance(door.system, str):
        return (Message("system", (TextPart(door.system),)),) if door.system else ()
    return (Message("system", _read_blocks(top["system"], "system")),) if door.system else ()


def _read_messages(door: Door, top: Fields) -> list[Message]:
    messages: list[Message] = []
    for position, (message, raw) in enumerate(zip(door.messages, _list.decode(top["messages"]), strict=True)):
        fields = _fields.decode(raw)
        content = message.content
        if isinstance(content, str):
            parts: tuple[Part, ...] = (TextPart(content),) if content else ()
        else:
            parts = _read_blocks(fields["content"], f"messages[{position}].content")
        messages.append(Message(message.role, parts, extra=_without(fields, _MESSAGE_FIELDS)))
    return messages


def _read_blocks(raw: msgspec.Raw, path: str) -> tuple[Part, ...]:
    return tuple(_read_block(block, f"{path}[{i}]") for i, block in enumerate(_items(raw)))


def _read_block(raw: msgspec.Raw, path: str) -> Part:
    kind = _decode(raw, _Kindred, path).type
    known = _KNOWN.get(kind)
    if known is None:
        return OpaquePart(raw, Dialect.ANTHROPIC)
    block = _decode(raw, _Block, path)
    for name in _REQUIRED[kind]:
        value = getattr(block, name)
        if value is None or value is _NOTHING:
            raise InvalidRequest(f"'{path}.{name}' is missing; it is required.", param=f"{path}.{name}")
    extra = _without(_fields.decode(raw), known)
    if kind == "text":
        return TextPart(block.text or "", extra)
    if kind == "search_result":
        return _read_search_result(block, raw, extra, path)
    if kind == "thinking":
        return ThinkingPart(block.thinking or "", block.signature or "")
    if kind == "redacted_thinking":
        return ThinkingPart(redacted=block.data or "")
    if kind == "tool_use":
        return ToolCallPart(block.id or "", block.name or "", bytes(block.input).decode(), extra)
    if kind == "tool_result":
        content = _read_result(block.content, f"{path}.content")
        return ToolResultPart(block.tool_use_id or "", content, block.is_error is True, extra)
    return _read_media(block, raw, extra, path)


def _read_result(raw: msgspec.Raw, path: str) -> tuple[Part, ...]:
    if not present(raw):
        return ()
    if bytes(raw)[:1] == b"[":
        return _read_blocks(raw, path)
    text = _decode(raw, str, path)
    return (TextPart(text),) if text else ()


def _read_media(block: _Block, raw: msgspec.Raw, extra: Fields, path: str) -> Part:
    source = _decode(block.source, _Source, f"{path}.source")
    if source.type == "content" and block.type == "document" and (texts := _texts(source.content)):
        name = block.title or ""
        return DocumentPart("", "".join(texts), "text/plain", name=name, extra=extra, blocks=texts, sent=block.source)
    url = source.url if source.type == "url" else ""
    data = source.data if source.type in ("base64", "text") else ""
    if block.type == "image":
        if url or data:
            return ImagePart(url=url, data=data, media_type=source.media_type, extra=extra)
    elif url or data or source.type == "file":
        media_type = "text/plain" if source.type == "text" else source.media_type
        return DocumentPart(url, data, media_type, source.file_id, block.title or "", extra)
    # An image by the vendor's own file id, a document with images in it: only this wire has them.
    return OpaquePart(raw, Dialect.ANTHROPIC)


def _read_search_result(block: _Block, raw: msgspec.Raw, extra: Fields, path: str) -> Part:
    texts = _texts(block.content)
    if not texts:
        return OpaquePart(raw, Dialect.ANTHROPIC)
    cited = b"true" in bytes(extra.get("citations", b""))
    source = _decode(block.source, str, f"{path}.source")
    return SearchResultPart.of(source, block.title or "", texts, cited=cited, extra=extra, sent=block.content)


def _texts(content: msgspec.Raw) -> tuple[str, ...]:
    """Return the texts of blocks, or the one text in their place; none where they hold anything else."""
    try:
        if bytes(content)[:1] != b"[":
            return (_text.decode(content),)
        blocks = _known.decode(content)
    except msgspec.DecodeError:
        return ()
    if any(block.type != "text" or block.text is None for block in blocks):
        return ()
    return tuple(block.text or "" for block in blocks)


def _read_tool(raw: msgspec.Raw, path: str) -> Tool:
    fields = _decode(raw, Fields, path)
    kind = _decode(fields["type"], str, f"{path}.type") if present(fields.get("type", _NOTHING)) else None
    if kind not in (None, "custom"):
        return Tool(kind, opaque=raw)
    tool = _decode(raw, _Function, path)
    schema = tool.input_schema if present(tool.input_schema) else None
    return Tool(tool.name, tool.description, schema, tool.strict, _without(fields, _TOOL_FIELDS))


def _read_choice(door: Door) -> ToolChoice | None:
    choice = door.tool_choice
    if choice is None:
        return None
    for kind in get_args(_Kind):
        if choice.type == kind:
            if kind == "tool" and not choice.name:
                raise InvalidRequest("'tool_choice.name' is missing; it is required.", param="tool_choice.name")
            return ToolChoice(kind, choice.name or "")
    raise InvalidRequest("'tool_choice.type' must be 'auto', 'any', 'tool' or 'none'.", param="tool_choice.type")


def _read_form(door: Door) -> OutputForm | None:
    given, path = door.output_format, "output_format"
    if door.output_config is not None and door.output_config.format is not None:
        given, path = door.output_config.format, "output_config.format"
    return None if given is None else _schema(given, path)


def _schema(given: DoorFormat, path: str) -> OutputForm:
    if given.type != "json_schema" or not present(given.schema):
        raise InvalidRequest(f"'{path}' must be of type 'json_schema' with a 'schema'.", param=path)
    # This wire always holds the answer to the schema.
    return OutputForm("schema", given.schema, strict=True)


def _decode(raw: msgspec.Raw, kind: type[_T], path: str) -> _T:
    """Read a part of the body as ``kind``.

    Raises:
        InvalidRequest: it is something else; ``param`` names the field.
    """
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise explain(str(error), "one of the wire's", path) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise InvalidRequest(f"'{path}' cannot be read; check its JSON.", param=path) from None


def _items(raw: msgspec.Raw) -> list[msgspec.Raw]:
    return _list.decode(raw) if present(raw) else []


def _rest(top: Fields, name: str, known: frozenset[str]) -> msgspec.Raw | None:
    """Return what is left of the object ``name`` without ``known``, or None when nothing is."""
    value = top.get(name, _NOTHING)
    rest = _without(_fields.decode(value), known) if present(value) else {}
    return msgspec.Raw(msgspec.json.encode(rest)) if rest else None


def _without(fields: Fields, known: frozenset[str]) -> Fields:
    return {name: value for name, value in fields.items() if name not in known}
