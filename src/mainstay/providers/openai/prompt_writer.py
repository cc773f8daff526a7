"""A :class:`~mainstay.core.prompt.Prompt` as the body of a chat completion request.

For prompts that a stage has changed and for callers of another dialect. Reading what was written gives the same prompt
again, but for what OpenAI's wire cannot tell apart: an empty text from none, one plain text part from a string.
"""

import base64
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from mainstay.core.errors import Unsupported
from mainstay.core.events import Dialect
from mainstay.core.prompt import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Message,
    OpaquePart,
    OutputForm,
    Part,
    Prompt,
    TextPart,
    ThinkingPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
)
from mainstay.providers.openai.foreign import adapt_fields, adapt_parts
from mainstay.providers.openai.wire import read_fields

__all__ = ["adapt_prompt", "write_prompt"]

_PLAIN = (
    "temperature",
    "top_p",
    "n",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "reasoning_effort",
    "user",
)
_CHOICES = {"auto": "auto", "none": "none", "any": "required"}


def write_prompt(prompt: Prompt, *, stream: bool, limit: str = "max_completion_tokens") -> bytes:
    """Return the body that asks what ``prompt`` asks, streamed or not as ``stream`` says.

    ``limit`` is the field that carries ``max_tokens``: OpenAI's newer models refuse the old name, some compatible
    servers do not know the new one.

    Raises:
        Unsupported: the wire cannot say a part of the prompt; ``param`` names it.
    """
    body: dict[str, Any] = {
        "model": prompt.model,
        "messages": [m for i, message in enumerate(prompt.messages) for m in _write_message(message, i)],
    }
    if prompt.tools:
        body["tools"] = [_write_tool(tool) for tool in prompt.tools]
    if prompt.tool_choice is not None:
        body["tool_choice"] = _write_choice(prompt.tool_choice)
    if prompt.parallel_tools is not None:
        body["parallel_tool_calls"] = prompt.parallel_tools
    if prompt.max_tokens is not None:
        body[limit] = prompt.max_tokens
    if prompt.stop:
        body["stop"] = prompt.stop
    for name in _PLAIN:
        if (value := getattr(prompt, name)) is not None:
            body[name] = value
    if prompt.form is not None:
        body["response_format"] = _write_form(prompt.form)
    body.update(prompt.extra)
    if stream:
        options: dict[str, Any] = {}
        if "stream_options" in prompt.extra:
            options.update(read_fields(prompt.extra["stream_options"]))
        body["stream"] = True
        body["stream_options"] = options | {"include_usage": True}
    else:
        body.pop("stream_options", None)
    return msgspec.json.encode(body)


def adapt_prompt(prompt: Prompt) -> Prompt:
    """Return ``prompt``, written for another dialect, as an OpenAI upstream takes it.

    Reasoning of earlier turns is left out: it is sealed for the vendor that made it, no model needs it to go on, and
    the official API has no field for it. Images in a tool's result move into a user message behind the results,
    because a ``tool`` message holds only text. A result that is an error says so in words. Fields of the other
    dialect's own mean nothing here: those of the top level are settled by ``foreign``, and what nobody knows travels,
    for the upstream to judge.

    Raises:
        Unsupported: a tool is another vendor's own (its web search and the like), or a field or part cannot be said.
    """
    prompt = adapt_fields(prompt)
    for i, tool in enumerate(prompt.tools):
        if tool.opaque is not None:
            raise Unsupported(f"'tools[{i}]' is a tool of another provider; leave it out.", param=f"tools[{i}]")
    messages: list[Message] = []
    moved: list[Part] = []
    for message in adapt_parts(prompt.messages):
        results = [part for part in message.parts if isinstance(part, ToolResultPart)]
        if moved and not results:
            messages.append(Message("user", tuple(moved)))
            moved = []
        parts = tuple(_bare(part) for part in message.parts if not isinstance(part, ThinkingPart | ToolResultPart))
        for result in results:
            text, rest = _split_result(result)
            moved += rest
            messages.append(Message("tool", (ToolResultPart(result.id, text),)))
        if results:
            # Results and a user's own words share a turn elsewhere; here the results come first.
            moved += parts
        else:
            messages.append(Message(message.role, parts, message.name))
    if moved:
        messages.append(Message("user", tuple(moved)))
    tools = tuple(msgspec.structs.replace(tool, extra={}) for tool in prompt.tools)
    return msgspec.structs.replace(prompt, messages=tuple(messages), tools=tools)


def _bare(part: Part) -> Part:
    if isinstance(part, TextPart | ImagePart | DocumentPart | AudioPart | ToolCallPart) and part.extra:
        return msgspec.structs.replace(part, extra={})
    return part


def _split_result(result: ToolResultPart) -> tuple[tuple[Part, ...], list[Part]]:
    text: list[Part] = [_bare(part) for part in result.content if isinstance(part, TextPart)]
    rest = [_bare(part) for part in result.content if not isinstance(part, TextPart)]
    if result.is_error:
        text.insert(0, TextPart("The tool failed."))
    if rest and not text:
        text.append(TextPart("The result follows."))
    return tuple(text), rest


def _write_message(message: Message, position: int) -> Iterable[dict[str, Any]]:
    path = f"messages[{position}]"
    head: dict[str, Any] = {"role": message.role}
    if message.name is not None:
        head["name"] = message.name
    results = [part for part in message.parts if isinstance(part, ToolResultPart)]
    others = [part for part in message.parts if not isinstance(part, ToolResultPart)]
    for result in results:
        content = _write_content(result.content, path)
        yield {**head, "role": "tool", "tool_call_id": result.id, "content": content, **result.extra, **message.extra}
    if results and not others:
        return
    if message.role == "assistant":
        yield {**head, **_write_assistant(others, path), **message.extra}
    else:
        yield {**head, "content": _write_content(others, path), **message.extra}


def _write_assistant(parts: list[Part], path: str) -> dict[str, Any]:
    thinking = [part for part in parts if isinstance(part, ThinkingPart)]
    calls = [part for part in parts if isinstance(part, ToolCallPart) or _is_call(part)]
    content = [part for part in parts if not isinstance(part, ThinkingPart | ToolCallPart) and not _is_call(part)]
    fields: dict[str, Any] = {"content": None if calls and not content else _write_content(content, path)}
    if thinking:
        if text := "".join(part.text for part in thinking):
            fields["reasoning_content"] = text
        if len(thinking) > 1 or thinking[0].signature or thinking[0].redacted or not thinking[0].text:
            fields["thinking_blocks"] = [_write_thinking(part) for part in thinking]
    if calls:
        fields["tool_calls"] = [_write_call(part) for part in calls]
    return fields


def _is_call(part: Part) -> bool:
    """Return whether an opaque part is a call of a custom tool, which stands among the calls, not in the content."""
    if not isinstance(part, OpaquePart) or part.dialect != "openai":
        return False
    fields = read_fields(part.payload)
    return "id" in fields and bytes(fields.get("type", b"")) == b'"custom"'


def _write_call(part: Part) -> Any:
    if isinstance(part, ToolCallPart):
        function = {"name": part.name, "arguments": part.arguments}
        return {"id": part.id, "type": "function", "function": function, **part.extra}
    assert isinstance(part, OpaquePart)
    return part.payload


def _write_thinking(part: ThinkingPart) -> dict[str, str]:
    if part.redacted:
        return {"type": "redacted_thinking", "data": part.redacted}
    return {"type": "thinking", "thinking": part.text, "signature": part.signature}


def _write_content(parts: Sequence[Part], path: str) -> Any:
    if not parts:
        return ""
    first = parts[0]
    if len(parts) == 1 and isinstance(first, TextPart) and first.text and not first.extra:
        return first.text
    return [_write_part(part, f"{path}.content[{i}]") for i, part in enumerate(parts)]


def _write_part(part: Part, path: str) -> Any:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text, **part.extra}
    if isinstance(part, ImagePart):
        image = {"url": part.url or f"data:{part.media_type};base64,{part.data}"}
        if part.detail:
            image["detail"] = part.detail
        return {"type": "image_url", "image_url": image, **part.extra}
    if isinstance(part, AudioPart):
        return {"type": "input_audio", "input_audio": {"data": part.data, "format": part.format}, **part.extra}
    if isinstance(part, DocumentPart):
        return {"type": "file", "file": _write_file(part, path), **part.extra}
    if isinstance(part, OpaquePart) and part.dialect == Dialect.OPENAI:
        return part.payload
    raise Unsupported(
        f"'{path}' is of a kind that only another provider's models understand; leave it out.", param=path
    )


def _write_file(part: DocumentPart, path: str) -> dict[str, str]:
    if part.url:
        raise Unsupported(f"'{path}' is a document by URL, which this model cannot fetch; send its data.", param=path)
    file: dict[str, str] = {}
    if part.data:
        data = part.data
        if part.media_type == "text/plain":
            data = base64.b64encode(data.encode()).decode()
        file["file_data"] = f"data:{part.media_type};base64,{data}" if part.media_type else data
    if part.file_id:
        file["file_id"] = part.file_id
    if part.name:
        file["filename"] = part.name
    return file


def _write_tool(tool: Tool) -> Any:
    if tool.opaque is not None:
        return tool.opaque
    extra = dict(tool.extra)
    function: dict[str, Any] = {"name": tool.name}
    for name in ("description", "parameters", "strict"):
        if (value := getattr(tool, name)) is not None:
            function[name] = value
    if "function" in extra:
        function.update(read_fields(extra.pop("function")))
    return {"type": "function", "function": function, **extra}


def _write_choice(choice: ToolChoice) -> Any:
    if choice.kind == "tool":
        return {"type": "function", "function": {"name": choice.name}}
    return _CHOICES[choice.kind]


def _write_form(form: OutputForm) -> dict[str, Any]:
    if form.kind != "schema":
        return {"type": "text" if form.kind == "text" else "json_object"}
    schema: dict[str, Any] = {"name": form.name or "answer"}
    for name in ("description", "schema", "strict"):
        if (value := getattr(form, name)) is not None:
            schema[name] = value
    return {"type": "json_schema", "json_schema": schema}
