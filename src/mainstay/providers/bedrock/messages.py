"""A conversation in Converse's words: the system prompt and the turns.

What differs from the prompt as it came, and why:

* ``system`` and ``developer`` messages move into the top-level ``system``, in order, wherever they stood.
* Turns of one role that follow each other become one, for the wire wants them to alternate; a tool's answers are part
  of a user's turn.
* Reasoning without a signature is left out: it is another vendor's, or of a model that does not take it back. What is
  signed or redacted goes up byte for byte.
* Text of blanks alone is left out where a turn holds anything else, for the wire refuses it.
* A ``cache_control`` mark becomes a ``cachePoint`` behind what it marks, with its ``ttl``.
* Documents need a name of plain letters that no other document has; one that is missing or taken is made up.
* Ids of tool calls with signs that the wire refuses are rewritten, the same way in the call and in its result.
"""

import base64
import hashlib
import re
from collections.abc import Sequence

import msgspec

from mainstay.core.errors import InvalidRequest, Unsupported
from mainstay.core.events import Dialect
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
from mainstay.providers.bedrock.wire import mark_of
from mainstay.providers.places import message_at, part_at
from mainstay.providers.wire import UNREADABLE, is_foreign, json_object, present

__all__ = ["Conversation"]

Block = dict[str, object]
Fields = dict[str, msgspec.Raw]

_IMAGES = {"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
_IMAGE_ENDINGS = {"png": "png", "jpg": "jpeg", "jpeg": "jpeg", "gif": "gif", "webp": "webp"}
_DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
_DOCUMENT_ENDINGS = {**{ending: ending for ending in _DOCUMENTS.values()}, "htm": "html", "markdown": "md"}
_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9()\[\]-]+")
_TOOL_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
_NOT_IN_ID = re.compile(r"[^a-zA-Z0-9_.:-]")
_LONGEST_NAME = 190
#: What an answer carries beside its content: no part of the conversation for this wire.
_BESIDE = frozenset(("annotations", "reasoning", "reasoning_content", "reasoning_details"))
_EMPTY = frozenset((b"null", b"[]", b"{}", b'""', b"false"))
_BREAKPOINT = "prompt_cache_breakpoint"


class Conversation:
    """Writes the turns of one prompt; what it refuses is named by its place (see ``places``)."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self.system: list[Block] = []
        self.turns: list[tuple[str, list[Block]]] = []
        #: Whether a turn calls a tool or answers a call.
        self.tools = False
        self._names: set[str] = set()
        for position, message in enumerate(messages):
            self._add(message, message_at(position))
        if not self.turns:
            raise Unsupported("This model needs a user message beside the system prompt; add one.", param="messages")

    def written(self) -> list[Block]:
        """Return ``messages``."""
        return [{"role": role, "content": blocks} for role, blocks in self.turns]

    def _add(self, message: Message, at: str) -> None:
        if message.name and message.role != "tool":
            raise Unsupported("This model knows no names of speakers; put the name into the text.", param=f"{at}.name")
        blocks = self._blocks(message, at)
        if message.role in ("system", "developer"):
            self.system += blocks
            return
        role = "assistant" if message.role == "assistant" else "user"
        if not blocks:
            if message.role == "user":
                raise Unsupported("This model takes no empty message; put text into it.", param=f"{at}.content")
            return
        if self.turns and self.turns[-1][0] == role:
            self.turns[-1][1].extend(blocks)
        else:
            self.turns.append((role, blocks))

    def _blocks(self, message: Message, at: str) -> list[Block]:
        blocks: list[Block] = []
        plain = message.role in ("system", "developer")
        for position, part in enumerate(message.parts):
            path = part_at(at, position)
            if plain and not isinstance(part, TextPart | OpaquePart):
                raise Unsupported("This model's system prompt takes text only.", param=path)
            blocks += self._part(part, path)
        blocks += _beside(message, at)
        kept = [block for block in blocks if not _is_blank(block)]
        return kept if any("cachePoint" not in block for block in kept) else []

    def _part(self, part: Part, at: str) -> list[Block]:
        if isinstance(part, ThinkingPart):
            return _thinking(part)
        if isinstance(part, ToolCallPart):
            self.tools = True
            return [_tool_use(part, at), *_mark(part.extra)]
        if isinstance(part, ToolResultPart):
            self.tools = True
            return [self._tool_result(part, at), *_mark(part.extra)]
        return self._content(part, at)

    def _content(self, part: Part, at: str) -> list[Block]:
        if isinstance(part, TextPart):
            return [{"text": part.text}, *_mark(part.extra)]
        if isinstance(part, ImagePart):
            return [{"image": _image(part, at)}, *_mark(part.extra)]
        if isinstance(part, DocumentPart):
            return [{"document": self._document(part, at)}, *_mark(part.extra)]
        if isinstance(part, AudioPart):
            return [{"audio": {"format": part.format, "source": {"bytes": part.data}}}, *_mark(part.extra)]
        if isinstance(part, OpaquePart):
            return [_opaque(part, at)]
        raise Unsupported("This model cannot read this kind of content.", param=at)

    def _tool_result(self, part: ToolResultPart, at: str) -> Block:
        content: list[Block] = []
        marks: list[Block] = []
        for position, inner in enumerate(part.content):
            for block in self._content(inner, part_at(at, position)):
                if "cachePoint" in block:
                    marks.append(block)
                elif not _is_blank(block):
                    content.append(block)
        result: Block = {"toolUseId": _tool_id(part.id), "content": content}
        if part.is_error:
            result["status"] = "error"
        return {"toolResult": result}

    def _document(self, part: DocumentPart, at: str) -> Block:
        if part.file_id:
            raise Unsupported("This model reads no files by id; send the document's data.", param=at)
        stem, _, ending = part.name.rpartition(".")
        kind = _DOCUMENTS.get(part.media_type.partition(";")[0].strip().lower())
        if kind is None and part.media_type in ("", "application/octet-stream"):
            kind = _DOCUMENT_ENDINGS.get(ending.lower() if stem else "", "" if part.url else "pdf")
        if kind is None:
            raise Unsupported(
                "This model reads PDF, text, Markdown, HTML, CSV, Word and Excel files; convert it.", param=at
            )
        if part.url:
            if not part.url.startswith("s3://"):
                raise Unsupported("This model fetches no documents; send the data, or an s3:// address.", param=at)
            source: Block = {"s3Location": {"uri": part.url}}
            kind = kind or _DOCUMENT_ENDINGS.get(part.url.rpartition(".")[2].lower(), "pdf")
        else:
            text = part.media_type == "text/plain"
            source = {"bytes": base64.b64encode(part.data.encode()).decode() if text else part.data}
        document: Block = {"format": kind, "name": self._name(stem or part.name), "source": source}
        for field in ("context", "citations"):
            value = part.extra.get(field)
            if value is not None and present(value):
                document[field] = value
        return document

    def _name(self, given: str) -> str:
        name = _NOT_IN_NAME.sub(" ", given).strip()[:_LONGEST_NAME].rstrip() or "document"
        found, turn = name, 1
        while found in self._names:
            turn += 1
            found = f"{name} {turn}"
        self._names.add(found)
        return found


def _is_blank(block: Block) -> bool:
    text = block.get("text")
    return isinstance(text, str) and not text.strip()


def _mark(extra: Fields) -> list[Block]:
    mark = extra.get("cache_control")
    if mark is None or not present(mark):
        mark = extra.get(_BREAKPOINT)
        if mark is None or not present(mark):
            return []
        # Without a ttl it asks for caching alone; the shortest asked for is 30 minutes, so the hour it is.
        mark = msgspec.Raw(b'{"ttl":"1h"}') if b'"ttl"' in bytes(mark) else mark
    return [mark_of(mark)]


def _beside(message: Message, at: str) -> list[Block]:
    """Return the blocks for what stands on a message beside its content."""
    blocks: list[Block] = []
    for field, value in message.extra.items():
        if bytes(value) in _EMPTY or (field in _BESIDE and message.role == "assistant") or field == "cache_control":
            continue
        if field == "refusal" and message.role == "assistant":
            blocks.append(_refusal(value, f"{at}.refusal"))
        else:
            raise Unsupported(f"This model takes no {field} in a message; leave it out.", param=f"{at}.{field}")
    return blocks + _mark(message.extra)


def _thinking(part: ThinkingPart) -> list[Block]:
    blocks: list[Block] = []
    if part.signature and not is_foreign(part.signature):
        said = {"text": part.text, "signature": part.signature}
        blocks.append({"reasoningContent": {"reasoningText": said}})
    if part.redacted:
        blocks.append({"reasoningContent": {"redactedContent": part.redacted}})
    return blocks


def _tool_use(part: ToolCallPart, at: str) -> Block:
    # Models that call a tool without arguments write "" as often as "{}".
    arguments = part.arguments if part.arguments.strip() else "{}"
    try:
        data = arguments.encode()
    except UnicodeEncodeError:
        data = b""
    if json_object(data) is None:
        raise InvalidRequest(
            "The arguments of a tool call must be a JSON object, written as a string.",
            param=f"{at}.arguments",
        )
    return {"toolUse": {"toolUseId": _tool_id(part.id), "name": part.name, "input": msgspec.Raw(data)}}


def _tool_id(given: str) -> str:
    if _TOOL_ID.fullmatch(given):
        return given
    # A digest keeps two that differ in refused signs, or in what was cut off, apart.
    digest = hashlib.blake2s(given.encode("utf-8", "replace"), digest_size=6).hexdigest()
    return f"{_NOT_IN_ID.sub('_', given)[:48]}_{digest}"


def _image(part: ImagePart, at: str) -> Block:
    if part.data:
        kind = _IMAGES.get(part.media_type.lower())
        if kind is None:
            raise Unsupported("This model reads images as PNG, JPEG, GIF or WebP; convert the image.", param=at)
        return {"format": kind, "source": {"bytes": part.data}}
    kind = _IMAGE_ENDINGS.get(part.url.rpartition(".")[2].lower())
    if not part.url.startswith("s3://") or kind is None:
        raise Unsupported("This model fetches no images; send the data, or the s3:// address of a .png.", param=at)
    return {"format": kind, "source": {"s3Location": {"uri": part.url}}}


def _opaque(part: OpaquePart, at: str) -> Block:
    fields = json_object(bytes(part.payload)) or {}
    if part.dialect == Dialect.BEDROCK:
        return dict(fields)
    kind = bytes(fields.get("type", b""))
    if kind == b'"refusal"' and "refusal" in fields:
        return _refusal(fields["refusal"], at)
    raise Unsupported("This model cannot read this kind of content; send text, images or documents.", param=at)


def _refusal(value: msgspec.Raw, at: str) -> Block:
    # What the model declined with is what it said.
    try:
        return {"text": msgspec.json.decode(value, type=str)}
    except UNREADABLE:
        raise InvalidRequest("A refusal must be a string.", param=at) from None
