"""A conversation in Gemini's words: the system instruction and the contents.

What differs from the prompt as it came, and why:

* Every ``system`` and ``developer`` message moves into ``systemInstruction``, in order, wherever it stood: the wire
  knows two roles, and neither is the operator's.
* Turns of one side that follow each other become one content. Results of tools have a content of their own, for the
  wire wants as many of them there as there were calls.
* A result names the function it comes from, so its call is looked up. Its text is carried as a string: read as JSON,
  the wire would make every number a double. Images in a result stand in it from the third generation on; before, they
  follow it in the user's words.
* Thoughts come back only with a signature of Gemini's (see ``seals``): no other vendor's are of use here. A call that
  has none gets the stand-in which the vendor documents, where its models demand one: another model made that call.
* Empty text is left out. So is what an answer carries beside its content and callers send back with it, and hints:
  marks for a cache, ``detail`` of an image, titles. Any other field of a part goes up as it came.
"""

import base64
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from mainstay.core.errors import InvalidRequest, Unsupported
from mainstay.core.prompt import (
    AudioPart,
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
from mainstay.providers.gemini.seals import STAND_IN, unseal
from mainstay.providers.places import message_at, part_at
from mainstay.providers.wire import UNREADABLE, json_object

__all__ = ["conversation"]

Block = dict[str, Any] | msgspec.Raw

_EMPTY = frozenset((b"null", b"[]", b"{}", b'""', b"false"))
#: What an answer carries beside its content: no part of the conversation for this wire.
_BESIDE = frozenset(
    ("annotations", "images", "reasoning", "reasoning_content", "reasoning_details", "thinking_blocks", "extra_content")
)
_HINTS = frozenset(("cache_control", "prompt_cache_breakpoint", "citations", "annotations", "context", "title"))
_CALL_HINTS = frozenset(
    ("index", "extra_content", "provider_specific_fields", "caller", "cache_control", "prompt_cache_breakpoint")
)
_TYPES = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "gif": "image/gif",
    "heic": "image/heic",
    "heif": "image/heif",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "html": "text/html",
    "csv": "text/csv",
    "md": "text/markdown",
}


def conversation(
    messages: Sequence[Message], generation: int, maker: str = ""
) -> tuple[list[Block], list[dict[str, Any]]]:
    """Return the parts of the system instruction and the contents, for the provider ``maker``.

    Raises:
        Unsupported: a part or field has no counterpart on this wire.
        InvalidRequest: arguments of a tool call are no JSON object, or a result answers no call.
    """
    turns = _Turns(generation)
    system: list[Block] = []
    for position, message in enumerate(messages):
        at = message_at(position)
        if message.role in ("system", "developer"):
            system += _system(message, at)
        elif message.role == "assistant":
            turns.add("model", _Said(message, at, turns.names, maker).parts)
        else:
            _hear(message, at, turns)
    contents = turns.end()
    if not contents:
        raise Unsupported("This model needs a user message beside the system prompt; add one.", param="messages")
    return system, contents


class _Turns:
    """The contents as they grow."""

    def __init__(self, generation: int) -> None:
        self.generation = generation
        #: Names of functions by the ids of their calls.
        self.names: dict[str, str] = {}
        self._contents: list[dict[str, Any]] = []
        self._kind = ""
        #: Media of results, for models that take none in them.
        self._moved: list[Block] = []

    def add(self, kind: str, parts: list[Block]) -> None:
        """Add parts of ``model``, ``user``, or ``results``."""
        if kind != "results" and self._moved:
            moved, self._moved = self._moved, []
            self.add("user", moved)
        if not parts:
            return
        if kind == self._kind:
            self._contents[-1]["parts"] += parts
            return
        self._kind = kind
        self._contents.append({"role": "model" if kind == "model" else "user", "parts": list(parts)})

    def move(self, parts: list[Block]) -> None:
        """Keep ``parts`` for the user's words after the results."""
        self._moved += parts

    def end(self) -> list[dict[str, Any]]:
        """Return all contents."""
        self.add("user", [])
        if self.generation >= 3:
            for content in self._contents:
                calls = (part for part in content["parts"] if isinstance(part, dict) and "functionCall" in part)
                first = next(calls, None)
                if content["role"] == "model" and first is not None:
                    first.setdefault("thoughtSignature", STAND_IN)
        return self._contents


def _system(message: Message, at: str) -> list[Block]:
    _check_fields(message, at)
    parts: list[Block] = []
    for position, part in enumerate(message.parts):
        if not isinstance(part, TextPart):
            raise Unsupported("This model's system prompt takes text only.", param=part_at(at, position))
        if part.text:
            parts.append({"text": part.text})
    return parts


def _hear(message: Message, at: str, turns: _Turns) -> None:
    """Add what the user or a tool says."""
    _check_fields(message, at)
    words: list[Block] = []
    results: list[Block] = []
    for position, part in enumerate(message.parts):
        if isinstance(part, ToolResultPart):
            path = part_at(at, position)
            name = turns.names.get(part.id) or message.name
            if not name:
                raise InvalidRequest("A tool's result must name a call of the same conversation.", param=f"{path}.id")
            results.append(_result(part, name, path, turns))
        elif not isinstance(part, ThinkingPart):
            words += _blocks(part, part_at(at, position))
    if not words and not results and message.role == "user":
        raise Unsupported("This model takes no empty message; put text into it.", param=f"{at}.content")
    if results:
        turns.add("results", results)
    if words:
        turns.add("user", words)


class _Said:
    """What the model said in one message, with every signature at the part it belongs to."""

    def __init__(self, message: Message, at: str, names: dict[str, str], maker: str) -> None:
        self._maker = maker
        self.parts: list[Block] = []
        self._calls: list[dict[str, Any]] = []
        self._text: dict[str, Any] | None = None
        #: Signatures of calls by their number, and one of a text that comes later.
        self._signatures: dict[int, str] = {}
        self._pending = ""
        for position, part in enumerate(message.parts):
            path = part_at(at, position)
            if isinstance(part, ThinkingPart):
                self._think(part)
            elif isinstance(part, ToolCallPart):
                names[part.id] = part.name
                self._call(part, f"{path}.arguments")
            else:
                blocks = _blocks(part, path)
                self.parts += blocks
                if isinstance(part, TextPart) and blocks:
                    self._text = blocks[-1] if isinstance(blocks[-1], dict) else None
        self.parts += [{"text": text} for text in _check_fields(message, at)]
        self._sign()

    def _think(self, part: ThinkingPart) -> None:
        sealed = unseal(part.signature, self._maker)
        if sealed is None:
            return
        thought: dict[str, Any] = {"text": part.text, "thought": True}
        if part.text:
            self.parts.append(thought)
        if sealed.kind == "call":
            self._signatures[sealed.call] = sealed.signature
        elif sealed.kind == "thought":
            if not part.text:
                self.parts.append(thought)
            thought["thoughtSignature"] = sealed.signature
        elif self._text is not None:
            self._text["thoughtSignature"] = sealed.signature
        else:
            self._pending = sealed.signature

    def _call(self, part: ToolCallPart, at: str) -> None:
        # Models that call a tool without arguments write "" as often as "{}".
        arguments = part.arguments if part.arguments.strip() else "{}"
        try:
            data = arguments.encode()
        except UnicodeEncodeError:
            data = b""
        if json_object(data) is None:
            raise InvalidRequest("The arguments of a tool call must be a JSON object, written as a string.", param=at)
        extra = {field: value for field, value in _kept(part.extra).items() if field not in _CALL_HINTS}
        call: dict[str, Any] = {
            "functionCall": {"id": part.id, "name": part.name, "args": msgspec.Raw(data)},
            **extra,
        }
        if signature := _google_signature(part.extra):
            call["thoughtSignature"] = signature
        self._calls.append(call)
        self.parts.append(call)

    def _sign(self) -> None:
        for index, signature in self._signatures.items():
            if index < len(self._calls):
                self._calls[index]["thoughtSignature"] = signature
        if self._pending:
            # The text came after its seal (callers that keep reasoning apart), or was empty.
            if self._text is None:
                self._text = {"text": ""}
                self.parts.append(self._text)
            self._text["thoughtSignature"] = self._pending


class _Google(msgspec.Struct, frozen=True, gc=False):
    thought_signature: str = ""


class _ExtraContent(msgspec.Struct, gc=False):
    google: _Google = _Google()


def _google_signature(extra: dict[str, msgspec.Raw]) -> str:
    """Return the signature where Google's own OpenAI wire puts it on a call."""
    given = extra.get("extra_content")
    if given is None:
        return ""
    try:
        return msgspec.json.decode(given, type=_ExtraContent).google.thought_signature
    except UNREADABLE:
        return ""


def _check_fields(message: Message, at: str) -> list[str]:
    """Return the texts that stand in fields of the message beside its content.

    Raises:
        Unsupported: a field of the message has no counterpart.
    """
    texts = []
    if message.name and message.role != "tool":
        raise Unsupported("This model knows no names of speakers; put the name into the text.", param=f"{at}.name")
    for field, value in message.extra.items():
        if bytes(value) in _EMPTY or field in _HINTS or (field in _BESIDE and message.role == "assistant"):
            continue
        if field == "refusal" and message.role == "assistant":
            texts.append(_string(value, f"{at}.refusal"))
        else:
            raise Unsupported(f"This model's messages have no field {field}; leave it out.", param=f"{at}.{field}")
    return texts


def _string(value: msgspec.Raw, at: str) -> str:
    try:
        return msgspec.json.decode(value, type=str)
    except UNREADABLE:
        raise InvalidRequest("A refusal must be a string.", param=at) from None


def _kept(extra: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    return {field: value for field, value in extra.items() if bytes(value) != b"null" and field not in _HINTS}


def _blocks(part: Part, at: str) -> list[Block]:
    if isinstance(part, TextPart):
        # What the model is to cite, and how, is settled elsewhere; the text is what counts.
        return [{"text": part.text, **_kept(part.extra)}] if part.text else []
    if isinstance(part, ImagePart):
        return [{**_media(part.url, part.data, part.media_type or "image/jpeg"), **_kept(part.extra)}]
    if isinstance(part, AudioPart):
        return [{**_media("", part.data, f"audio/{part.format}"), **_kept(part.extra)}]
    if isinstance(part, DocumentPart):
        return _document(part, at)
    if isinstance(part, OpaquePart):
        return [_opaque(part, at)]
    raise Unsupported("This model cannot read this kind of content.", param=at)


def _media(url: str, data: str, media_type: str) -> dict[str, Any]:
    if data:
        return {"inlineData": {"mimeType": media_type, "data": data}}
    file = {"fileUri": url}
    ending = urlsplit(url).path.rpartition(".")[2].lower() if "." in url else ""
    if ending in _TYPES:
        file["mimeType"] = _TYPES[ending]
    return {"fileData": file}


def _document(part: DocumentPart, at: str) -> list[Block]:
    context = part.extra.get("context")
    before: list[Block] = (
        [{"text": _string(context, f"{at}.context")}] if context is not None and bytes(context) != b"null" else []
    )
    data, media_type = part.data, part.media_type or "application/pdf"
    if data and media_type == "text/plain":
        data = base64.b64encode(data.encode()).decode()
    return [*before, {**_media(part.url or part.file_id, data, media_type), **_kept(part.extra)}]


def _opaque(part: OpaquePart, at: str) -> Block:
    if part.dialect == "gemini":
        return part.payload
    fields = json_object(bytes(part.payload)) or {}
    if bytes(fields.get("type", b"")) == b'"refusal"' and "refusal" in fields:
        return {"text": _string(fields["refusal"], at)}
    raise Unsupported("This model cannot read this kind of content; send text, images or documents.", param=at)


def _result(part: ToolResultPart, name: str, at: str, turns: _Turns) -> Block:
    texts: list[str] = []
    media: list[Block] = []
    for position, inner in enumerate(part.content):
        if isinstance(inner, TextPart):
            texts.append(inner.text)
        elif isinstance(inner, ThinkingPart | ToolCallPart | ToolResultPart):
            raise Unsupported("This model cannot read this kind of content.", param=part_at(at, position))
        else:
            media += _blocks(inner, part_at(at, position))
    said: dict[str, Any] = {"id": part.id, "name": name}
    said["response"] = {"error" if part.is_error else "output": "\n".join(texts)}
    if media and turns.generation >= 3:
        said["parts"] = media
    else:
        turns.move(media)
    return {"functionResponse": said}
