"""A whole chat completion request as a :class:`~mainstay.core.prompt.Prompt`.

Read only when another dialect or a stage of the line needs it. Two readings of the same bytes: a typed one for what is
known, and one field by field for what is not, which is kept exactly as sent. The legacy ``functions`` and
``function_call`` become tools and tool calls.
"""

import base64
import binascii
from typing import Literal

import msgspec

from mainstay.core.errors import InvalidRequest
from mainstay.core.prompt import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Message,
    OpaquePart,
    OutputForm,
    Part,
    Prompt,
    Role,
    TextPart,
    ThinkingPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
)
from mainstay.providers.openai.door import (
    CALL_FIELDS,
    MESSAGE_FIELDS,
    PART_FIELDS,
    TOP_FIELDS,
    Door,
    DoorCall,
    DoorMessage,
    DoorPart,
    DoorTool,
    read_door,
)
from mainstay.providers.openai.wire import LEGACY_ID, Fields, read_fields, read_list

__all__ = ["read_prompt", "split_data_url"]

_TEXTS = ("text", "refusal")
_TOOL_FIELDS = frozenset({"type", "function"})
_FUNCTION_FIELDS = frozenset({"name", "description", "parameters", "strict"})
_CHOICES: dict[str, Literal["auto", "none", "any"]] = {"auto": "auto", "none": "none", "required": "any"}


def read_prompt(body: bytes) -> Prompt:
    """Read a request in full.

    Raises:
        InvalidRequest: a field is wrong or missing; ``param`` names it.
    """
    door = read_door(body)
    top = read_fields(body)
    extra = {name: value for name, value in top.items() if name not in TOP_FIELDS}
    options = door.stream_options
    if options is not None:
        rest = _without(read_fields(top["stream_options"]), frozenset({"include_usage"}))
        if rest:
            extra["stream_options"] = _raw(rest)
    form = _read_form(door)
    if form is None and door.response_format is not None:
        extra["response_format"] = top["response_format"]
    choice = _read_choice(door)
    if choice is None and door.tool_choice is not None:
        extra["tool_choice"] = top["tool_choice"]
    limit = door.max_tokens if door.max_completion_tokens is None else door.max_completion_tokens
    stop = door.stop
    return Prompt(
        model=door.model,
        messages=_Messages(door.messages, read_list(top["messages"])).read(),
        stream=door.stream is True,
        include_usage=options is not None and options.include_usage is True,
        tools=_read_tools(door, top),
        tool_choice=choice,
        parallel_tools=door.parallel_tool_calls,
        max_tokens=limit,
        temperature=door.temperature,
        top_p=door.top_p,
        stop=() if stop is None else (stop,) if isinstance(stop, str) else tuple(stop),
        n=door.n,
        seed=door.seed,
        frequency_penalty=door.frequency_penalty,
        presence_penalty=door.presence_penalty,
        logit_bias=None if door.logit_bias is None else top["logit_bias"],
        logprobs=door.logprobs,
        top_logprobs=door.top_logprobs,
        form=form,
        reasoning_effort=door.reasoning_effort,
        user=door.user,
        extra=extra,
    )


class _Messages:
    """Reads the turns in order; a legacy result is joined to its call by the id minted for it here."""

    def __init__(self, typed: list[DoorMessage], raw: list[msgspec.Raw]) -> None:
        self._typed = typed
        self._raw = raw
        self._legacy: dict[str, str] = {}

    def read(self) -> tuple[Message, ...]:
        return tuple(self._read_message(i, message) for i, message in enumerate(self._typed))

    def _read_message(self, position: int, message: DoorMessage) -> Message:
        fields = read_fields(self._raw[position])
        path = f"messages[{position}]"
        extra = _without(fields, MESSAGE_FIELDS)
        content = _read_content(message, fields, f"{path}.content")
        role: Role = "tool" if message.role == "function" else message.role
        name = message.name
        if message.role == "assistant":
            content = (*_read_thinking(message), *content, *self._read_calls(position, message, fields))
        elif message.role == "tool":
            if message.tool_call_id is None:
                raise InvalidRequest(
                    f"'{path}.tool_call_id' is missing; name the call this result answers.",
                    param=f"{path}.tool_call_id",
                )
            content = (ToolResultPart(message.tool_call_id, content),)
        elif message.role == "function":
            call = self._legacy.get(name or "", f"{LEGACY_ID}{position}")
            content, name = (ToolResultPart(call, content),), None
        return Message(role, content, name, extra)

    def _read_calls(self, position: int, message: DoorMessage, fields: Fields) -> list[Part]:
        calls: list[Part] = []
        if message.tool_calls:
            raws = read_list(fields["tool_calls"])
            for i, (call, raw) in enumerate(zip(message.tool_calls, raws, strict=True)):
                calls.append(_read_call(call, raw, f"messages[{position}].tool_calls[{i}]"))
        if message.function_call is not None:
            called = message.function_call
            self._legacy[called.name] = call_id = f"{LEGACY_ID}{position}"
            calls.append(ToolCallPart(call_id, called.name, called.arguments))
        return calls


def _read_call(call: DoorCall, raw: msgspec.Raw, path: str) -> Part:
    if call.function is None:
        if call.type in (None, "function"):
            raise InvalidRequest(f"'{path}.function' is missing; it is required.", param=f"{path}.function")
        return OpaquePart(raw, "openai")
    if not call.id:
        raise InvalidRequest(f"'{path}.id' is missing; it is required.", param=f"{path}.id")
    extra = _without(read_fields(raw), CALL_FIELDS)
    return ToolCallPart(call.id, call.function.name, call.function.arguments, extra)


def _read_thinking(message: DoorMessage) -> list[Part]:
    if message.thinking_blocks:
        return [
            ThinkingPart(redacted=block.data or "")
            if block.type == "redacted_thinking"
            else ThinkingPart(block.thinking or "", block.signature or "")
            for block in message.thinking_blocks
        ]
    return [ThinkingPart(message.reasoning_content)] if message.reasoning_content else []


def _read_content(message: DoorMessage, fields: Fields, path: str) -> tuple[Part, ...]:
    content = message.content
    if isinstance(content, str) and content:
        return (TextPart(content),)
    if not content:
        # What the model declined with is what it said; there is no other place for it in a prompt.
        return (TextPart(message.refusal),) if message.refusal else ()
    raws = read_list(fields["content"])
    return tuple(_read_part(part, raw, f"{path}[{i}]") for i, (part, raw) in enumerate(zip(content, raws, strict=True)))


def _read_part(part: DoorPart, raw: msgspec.Raw, path: str) -> Part:
    kind = part.type
    if kind not in ("text", "refusal", "image_url", "input_audio", "file"):
        return OpaquePart(raw, "openai")
    if getattr(part, kind) is None:
        raise InvalidRequest(f"'{path}.{kind}' is missing; it is required.", param=f"{path}.{kind}")
    fields = read_fields(raw)
    extra = _without(fields, PART_FIELDS)
    if kind in _TEXTS:
        return TextPart(part.text or part.refusal or "", extra)
    if part.image_url is not None:
        image = part.image_url
        url, detail = (image, None) if isinstance(image, str) else (image.url, image.detail)
        split = split_data_url(url)
        if split is None:
            return ImagePart(url=url, detail=detail or "", extra=extra)
        return ImagePart(data=split[1], media_type=split[0], detail=detail or "", extra=extra)
    if part.input_audio is not None:
        return AudioPart(part.input_audio.data, part.input_audio.format, extra)
    return _read_file(part, extra, path)


def _read_file(part: DoorPart, extra: Fields, path: str) -> DocumentPart:
    file = part.file
    assert file is not None
    data, media_type = file.file_data or "", ""
    split = split_data_url(data)
    if split is not None:
        media_type, data = split
    if media_type == "text/plain":
        try:
            data = base64.b64decode(data, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise InvalidRequest(
                f"'{path}.file.file_data' says text/plain but is not text in base64.", param=f"{path}.file.file_data"
            ) from None
    return DocumentPart(
        data=data, media_type=media_type, file_id=file.file_id or "", name=file.filename or "", extra=extra
    )


def split_data_url(url: str) -> tuple[str, str] | None:
    """Return media type and base64 data of a ``data:`` URL, or None when it is another kind of URL."""
    if url[:5].lower() != "data:":
        return None
    head, marker, data = url[5:].partition(";base64,")
    return (head, data) if marker and "," not in head else None


def _read_tools(door: Door, top: Fields) -> tuple[Tool, ...]:
    if not door.tools:
        return tuple(Tool(f.name, f.description, _some(f.parameters), f.strict) for f in door.functions or ())
    raws = read_list(top["tools"])
    return tuple(_read_tool(tool, raw, i) for i, (tool, raw) in enumerate(zip(door.tools, raws, strict=True)))


def _read_tool(tool: DoorTool, raw: msgspec.Raw, position: int) -> Tool:
    function = tool.function
    if tool.type != "function":
        return Tool(tool.type, opaque=raw)
    if function is None:
        path = f"tools[{position}].function"
        raise InvalidRequest(f"'{path}' is missing; it is required.", param=path)
    fields = read_fields(raw)
    extra = _without(fields, _TOOL_FIELDS)
    inner = _without(read_fields(fields["function"]), _FUNCTION_FIELDS)
    if inner:
        extra["function"] = _raw(inner)
    return Tool(function.name, function.description, _some(function.parameters), function.strict, extra)


def _read_choice(door: Door) -> ToolChoice | None:
    choice = door.tool_choice
    if choice is None and not door.tools:
        called = door.function_call
        if called is not None and not isinstance(called, str):
            return ToolChoice("tool", called.name)
        choice = called
    if choice is None:
        return None
    if isinstance(choice, str):
        if choice not in _CHOICES:
            param = "function_call" if door.tool_choice is None else "tool_choice"
            raise InvalidRequest(f"'{param}' must be 'none', 'auto', 'required' or an object.", param=param)
        return ToolChoice(_CHOICES[choice])
    if choice.type == "function" and choice.function is not None:
        return ToolChoice("tool", choice.function.name)
    return None


def _read_form(door: Door) -> OutputForm | None:
    form = door.response_format
    if form is None:
        return None
    if form.type == "text":
        return OutputForm("text")
    if form.type == "json_object":
        schema = _some(form.schema)
        return OutputForm("json") if schema is None else OutputForm("schema", schema, "answer")
    if form.type == "json_schema" and form.json_schema is not None:
        given = form.json_schema
        return OutputForm("schema", _some(given.schema), given.name or "", given.description, given.strict)
    return None


def _some(value: msgspec.Raw) -> msgspec.Raw | None:
    return None if bytes(value) in (b"", b"null") else value


def _without(fields: Fields, known: frozenset[str]) -> Fields:
    return {name: value for name, value in fields.items() if name not in known}


def _raw(fields: Fields) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(fields))
