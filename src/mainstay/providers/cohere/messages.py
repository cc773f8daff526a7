"""A conversation in Cohere's words, and the documents it rests on.

* System and developer turns stay where they are; both are ``system``.
* Reasoning that is signed is another vendor's and left out. What is not becomes the plan (``tool_plan``) of a turn that
  calls tools, and a block of thinking elsewhere.
* Documents of plain text and results of searches in a user's turn become ``documents``, which the model may cite; in a
  tool's result they are documents of that result. Other documents are refused.
* Images in a tool's result move into a user's turn behind the results. A result that is an error says so in words.
* ``cache_control`` is left out: prompts are cached here without being asked.
"""

from collections.abc import Iterable

import msgspec

from mainstay.core.errors import InvalidRequest, Unsupported
from mainstay.core.events import Dialect
from mainstay.core.prompt import (
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
from mainstay.providers.places import message_at, part_at
from mainstay.providers.wire import UNREADABLE, json_object

__all__ = ["Conversation"]

Block = dict[str, object]

_BESIDE = frozenset(("annotations", "reasoning", "reasoning_content", "reasoning_details", "cache_control"))
_EMPTY = frozenset((b"null", b"[]", b"{}", b'""', b"false"))


class Conversation:
    """Writes the turns of one prompt; what it refuses is named by its place (see ``places``)."""

    def __init__(self, messages: Iterable[Message]) -> None:
        self.turns: list[Block] = []
        self.documents: list[Block] = []
        #: Images of results, held until the last result of the turn has been written.
        self._moved: list[Block] = []
        for position, message in enumerate(messages):
            self._add(message, message_at(position))
        self._flush()
        if not self.turns:
            raise Unsupported("This model needs a message to answer; add one.", param="messages")

    def _add(self, message: Message, at: str) -> None:
        if message.name and message.role != "tool":
            raise Unsupported("This model knows no names of speakers; put the name into the text.", param=f"{at}.name")
        said = self._beside(message, at)
        if message.role == "assistant":
            self._assistant(message, said, at)
            return
        content: list[Block] = []
        for position, part in enumerate(message.parts):
            path = part_at(at, position)
            if isinstance(part, ToolResultPart):
                self.turns.append({"role": "tool", "tool_call_id": part.id, "content": self._result(part, path)})
            elif (block := self._content(part, path)) is not None:
                content.append(block)
        if message.role == "tool":
            return
        if message.role == "user":
            # Results and a user's own words share a turn elsewhere; here the results come first.
            content, self._moved = self._moved + content, []
            if not content and not any(isinstance(part, ToolResultPart) for part in message.parts):
                raise Unsupported("This model takes no empty message; put text into it.", param=f"{at}.content")
        else:
            self._flush()
        if content:
            self.turns.append({"role": "user" if message.role == "user" else "system", "content": _short(content)})

    def _flush(self) -> None:
        if self._moved:
            self.turns.append({"role": "user", "content": self._moved})
            self._moved = []

    def _beside(self, message: Message, at: str) -> list[Block]:
        """Return what the fields of a message say beside its content."""
        said: list[Block] = []
        for field, value in message.extra.items():
            if bytes(value) in _EMPTY or field in _BESIDE:
                continue
            if field != "refusal" or message.role != "assistant":
                raise Unsupported(f"This model takes no {field} in a message; leave it out.", param=f"{at}.{field}")
            said.append(_refusal(value, f"{at}.refusal"))
        return said

    def _assistant(self, message: Message, said: list[Block], at: str) -> None:
        self._flush()
        content: list[Block] = []
        thoughts: list[str] = []
        calls: list[Block] = []
        for position, part in enumerate(message.parts):
            path = part_at(at, position)
            if isinstance(part, ThinkingPart):
                if part.text and not part.signature:
                    thoughts.append(part.text)
            elif isinstance(part, ToolCallPart):
                calls.append(_call(part, f"{path}.arguments"))
            elif (block := self._content(part, path)) is not None:
                content.append(block)
        turn: Block = {"role": "assistant"}
        plan = "".join(thoughts)
        if calls:
            turn["tool_calls"] = calls
            if plan:
                turn["tool_plan"] = plan
        elif plan:
            content.insert(0, {"type": "thinking", "thinking": plan})
        content += said
        if content:
            turn["content"] = _short(content)
        if calls or content:
            self.turns.append(turn)

    def _content(self, part: Part, at: str) -> Block | None:
        if isinstance(part, SearchResultPart) and part.is_whole:
            self.documents.append(_search_result(part))
            return None
        if isinstance(part, TextPart):
            return {"type": "text", "text": part.text} if part.text else None
        if isinstance(part, ImagePart):
            image: Block = {"url": part.url or f"data:{part.media_type};base64,{part.data}"}
            if part.detail:
                image["detail"] = part.detail
            return {"type": "image_url", "image_url": image}
        if isinstance(part, DocumentPart):
            self.documents.append(_document(part, at))
            return None
        if isinstance(part, OpaquePart):
            fields = json_object(bytes(part.payload)) or {}
            if part.dialect == Dialect.COHERE:
                return dict(fields)
            if bytes(fields.get("type", b"")) == b'"refusal"' and "refusal" in fields:
                return _refusal(fields["refusal"], at)
        raise Unsupported("This model cannot read this kind of content; send text or images.", param=at)

    def _result(self, part: ToolResultPart, at: str) -> str | list[Block]:
        content: list[Block] = [{"type": "text", "text": "The tool failed."}] if part.is_error else []
        for position, inner in enumerate(part.content):
            path = part_at(at, position)
            if isinstance(inner, DocumentPart):
                content.append({"type": "document", "document": _document(inner, path)})
            elif isinstance(inner, SearchResultPart) and inner.is_whole:
                content.append({"type": "document", "document": _search_result(inner)})
            elif (block := self._content(inner, path)) is not None:
                (self._moved if block["type"] == "image_url" else content).append(block)
        if self._moved and not content:
            content.append({"type": "text", "text": "The result follows."})
        return _short(content) if content else ""


def _short(content: list[Block]) -> str | list[Block]:
    """Return the text alone when a single plain text is all there is."""
    only = content[0]
    return str(only["text"]) if len(content) == 1 and only["type"] == "text" else content


def _call(part: ToolCallPart, at: str) -> Block:
    arguments = part.arguments if part.arguments.strip() else "{}"
    try:
        sound = json_object(arguments.encode()) is not None
    except UnicodeEncodeError:
        sound = False
    if not sound:
        raise InvalidRequest("The arguments of a tool call must be a JSON object, written as a string.", param=at)
    return {"id": part.id, "type": "function", "function": {"name": part.name, "arguments": arguments}}


def _search_result(part: SearchResultPart) -> Block:
    """Return a result as a document, known by where it is from: a citation of it says so."""
    return {"id": part.source, "data": {"title": part.title, "text": "".join(part.texts)}}


def _document(part: DocumentPart, at: str) -> Block:
    if not part.data or part.media_type != "text/plain":
        raise Unsupported("This model reads documents as plain text; convert the file.", param=at)
    data: Block = {"text": part.data}
    if part.name:
        data["title"] = part.name
    context = part.extra.get("context")
    if context is not None and bytes(context)[:1] == b'"':
        data["context"] = context
    return {"data": data}


def _refusal(value: msgspec.Raw, at: str) -> Block:
    # What the model declined with is what it said.
    try:
        return {"type": "text", "text": msgspec.json.decode(value, type=str)}
    except UNREADABLE:
        raise InvalidRequest("A refusal must be a string.", param=at) from None
