"""A conversation as the items of this wire's input.

* A system prompt of one text, at the head of a conversation, is ``instructions``; all others stay where they are.
* What a model did in one turn becomes several items, in its order: reasoning, words, calls. Reasoning goes back only
  to where it came from: what another vendor signed, or nobody, is left out.
* Results of tools are items of their own, before what the user says beside them. One that is an error says so in
  words.
* A document's context becomes text before it; one without a title gets a name, which the wire demands.
* Of what callers send back beside an answer's content (``annotations``, unsigned reasoning, a call's ``index``) nothing
  is part of the conversation; nor is ``cache_control``, for prompts are cached here without being asked.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from mainstay.core.errors import Unsupported
from mainstay.core.events import Dialect
from mainstay.core.prompt import (
    DocumentPart,
    ImagePart,
    Message,
    OpaquePart,
    Part,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
)
from mainstay.core.seal import opened
from mainstay.providers.openai.wire import read_fields
from mainstay.providers.places import message_at, part_at
from mainstay.providers.responses.argument import parse_object
from mainstay.providers.responses.tools import FUNCTION, Offer
from mainstay.providers.responses.wire import open_signature

__all__ = ["write_input"]

Item = dict[str, Any] | msgspec.Raw

_BESIDE = frozenset(
    (
        "annotations",
        "reasoning",
        "reasoning_content",
        "reasoning_details",
        "cache_control",
        "audio",
        "provider_specific_fields",
    )
)
_EMPTY = frozenset((b"null", b"[]", b"{}", b'""', b"false"))
_BREAKPOINT = "prompt_cache_breakpoint"
_LONGEST_ID = 64


class _Calls:
    """Writes calls as those of the tools that they are of, for the provider ``maker``."""

    def __init__(self, offers: Mapping[str, Offer], maker: str) -> None:
        self.maker = maker
        self._offers = offers
        self._custom: set[str] = set()

    def made(self, part: ToolCallPart) -> Item:
        """Return the item of a call."""
        arguments = part.arguments if part.arguments.strip() else "{}"
        offer = self._offers.get(part.name) or Offer(FUNCTION, part.name)
        direct = offer.kind in (FUNCTION, "custom")
        head: dict[str, Any] = {"call_id": _call_id(part.id), "name": offer.name if direct else part.name}
        if direct and offer.namespace:
            head["namespace"] = offer.namespace
        if (
            offer.kind == "custom"
            and (said := parse_object(arguments)) is not None
            and isinstance(said.get("input"), str)
        ):
            self._custom.add(part.id)
            return {"type": "custom_tool_call", **head, "input": said["input"]}
        return {"type": "function_call", **head, "arguments": arguments}

    def result(self, part: ToolResultPart) -> str:
        """Return the kind of item that answers a call."""
        return "custom_tool_call_output" if part.id in self._custom else "function_call_output"


def write_input(
    messages: Sequence[Message], offers: Mapping[str, Offer] | None = None, maker: str = ""
) -> tuple[str | None, list[Item]]:
    """Return the instructions, or None, and the items of the input.

    ``offers`` say which functions stand for tools of other kinds; ``maker`` is the provider that is asked, to which
    nothing goes that another one sealed.

    Raises:
        Unsupported: the wire cannot say a part; ``param`` is its place (see ``places``).
    """
    instructions = None
    items: list[Item] = []
    calls = _Calls(offers or {}, maker)
    for position, message in enumerate(messages):
        if position == 0 and len(messages) > 1 and (text := _plain_system(message)):
            instructions = text
        else:
            items += _message(message, message_at(position), calls)
    return instructions, items


def _plain_system(message: Message) -> str:
    """Return the text of a system prompt that is one text and nothing else, or ""."""
    if message.role != "system" or message.name or len(message.parts) != 1:
        return ""
    part = message.parts[0]
    return part.text if isinstance(part, TextPart) and _BREAKPOINT not in part.extra else ""


def _message(message: Message, at: str, calls: _Calls) -> list[Item]:
    if message.name and message.role != "tool":
        raise Unsupported("This model knows no names of speakers; put the name into the text.", param=f"{at}.name")
    items: list[Item] = []
    content: list[Item] = []
    own = message.role == "assistant"

    def say() -> None:
        if content:
            items.append({"type": "message", "role": message.role, "content": _short(content, own=own)})
            content.clear()

    for position, part in enumerate(message.parts):
        path = part_at(at, position)
        if isinstance(part, ThinkingPart | ToolCallPart | ToolResultPart) or _is_item(part):
            say()
            items += _item(part, path, calls)
        elif own and not isinstance(part, TextPart):
            raise Unsupported("This model's own turns hold text and calls only; leave this part out.", param=path)
        else:
            content += _content(part, path)
    content += _beside(message, at)
    say()
    if not items and message.role == "user":
        items.append({"type": "message", "role": "user", "content": ""})
    return items


def _short(content: list[Item], *, own: bool) -> object:
    """Return the text alone where that is all there is; what a model said itself is one text."""
    texts = [part["text"] for part in content if isinstance(part, dict) and part.keys() == {"type", "text"}]
    if len(texts) == len(content) and (own or len(texts) == 1):
        return "".join(texts)
    return list(content)


def _beside(message: Message, at: str) -> Iterable[Item]:
    """Yield what the fields of a message say beside its content."""
    for field, value in message.extra.items():
        if bytes(value) in _EMPTY or field in _BESIDE:
            continue
        if field != "refusal" or message.role != "assistant" or bytes(value)[:1] != b'"':
            raise Unsupported(f"This model takes no {field} in a message; leave it out.", param=f"{at}.{field}")
        # What the model declined with is what it said.
        yield {"type": "input_text", "text": msgspec.json.decode(value, type=str)}


def _is_item(part: Part) -> bool:
    """Return whether an opaque part is an item by itself, and no part of a message."""
    if not isinstance(part, OpaquePart) or part.dialect != Dialect.RESPONSES:
        return False
    kind = bytes(read_fields(part.payload).get("type", b"")).strip(b'"')
    return not kind.startswith((b"input_", b"output_")) and kind not in (b"refusal", b"computer_screenshot")


def _item(part: Part, at: str, calls: _Calls) -> Iterable[Item]:
    if isinstance(part, OpaquePart):
        yield part.payload
    elif isinstance(part, ThinkingPart):
        proof = open_signature(part.signature)
        if proof is not None and (own := opened(proof[1], calls.maker)) is not None:
            summary = [{"type": "summary_text", "text": part.text}] if part.text else []
            known = {"id": proof[0]} if proof[0] else {}
            yield {"type": "reasoning", **known, "summary": summary, "encrypted_content": own}
    elif isinstance(part, ToolCallPart):
        yield calls.made(part)
    elif isinstance(part, ToolResultPart):
        output: list[Item] = [{"type": "input_text", "text": "The tool failed."}] if part.is_error else []
        for position, inner in enumerate(part.content):
            output += _content(inner, part_at(at, position))
        said = _short(output, own=False) if output else ""
        yield {"type": calls.result(part), "call_id": _call_id(part.id), "output": said}


def _call_id(given: str) -> str:
    if len(given) <= _LONGEST_ID:
        return given
    return f"call_{hashlib.blake2s(given.encode('utf-8', 'replace')).hexdigest()[:48]}"


def _content(part: Part, at: str) -> list[Item]:
    """Return what a part is within a message or a result."""
    if isinstance(part, TextPart):
        return [{"type": "input_text", "text": part.text, **_mark(part.extra)}]
    if isinstance(part, ImagePart):
        url = part.url or f"data:{part.media_type};base64,{part.data}"
        return [{"type": "input_image", "image_url": url, "detail": part.detail or "auto", **_mark(part.extra)}]
    if isinstance(part, DocumentPart):
        return _document(part, at)
    if isinstance(part, OpaquePart):
        if part.dialect == Dialect.RESPONSES:
            return [part.payload]
        raise Unsupported("This model cannot read this kind of content; send text, images or documents.", param=at)
    raise Unsupported("This model hears no audio on this wire; send a transcript instead.", param=at)


def _document(part: DocumentPart, at: str) -> list[Item]:
    file: dict[str, Any] = {"type": "input_file"}
    if part.file_id:
        file["file_id"] = part.file_id
    elif part.url:
        file["file_url"] = part.url
    else:
        data, kind = part.data, part.media_type or "application/pdf"
        if kind == "text/plain":
            data = base64.b64encode(data.encode("utf-8", "replace")).decode()
        file["filename"] = part.name or ("document.txt" if kind == "text/plain" else "document.pdf")
        file["file_data"] = f"data:{kind};base64,{data}"
    found: list[Item] = [{**file, **_mark(part.extra)}]
    context = part.extra.get("context")
    if context is not None and bytes(context)[:1] == b'"':
        found.insert(0, {"type": "input_text", "text": msgspec.json.decode(context, type=str)})
    return found


def _mark(extra: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    mark = extra.get(_BREAKPOINT)
    return {} if mark is None or bytes(mark) == b"null" else {_BREAKPOINT: mark}
