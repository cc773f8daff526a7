"""What an MCP server lists and returns, as values that can be trusted: checked, cut to size, and free of secrets.

Whatever a server sends ends here as a list of offers, a text, or a :class:`ToolTrouble`. No I/O of its own.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from mainstay.tools.errors import ToolTrouble
from mainstay.tools.port import Offer, Result
from mainstay.tools.protocol import UNREADABLE, Message, parameter_headers, read_message

__all__ = ["Scrub", "decoded", "list_offers", "read_fields", "read_offer", "read_result", "read_whole"]

_MOST_SCHEMA: Final = 64 * 1024
_MOST_WORDS: Final = 4096
_LONGEST_NAME: Final = 128
_MOST_PAGES: Final = 20
_MOST_TOOLS: Final = 256
#: Secrets shorter than this would be found in every text.
_SHORTEST: Final = 8
#: What vendors refuse at the root of a tool's schema. The server judges arguments itself, so nothing is lost.
_NOT_AT_ROOT: Final = frozenset(
    ("$schema", "$id", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "enum", "const")
)


class Scrub:
    """Takes the operator's secrets out of what servers say: a server may repeat the headers it was sent.

    Args:
        values: header values; of ``Bearer x`` the ``x`` is one too.
    """

    def __init__(self, values: Sequence[str]) -> None:
        found = {part for value in values for part in (value, value.partition(" ")[2])}
        # The longest first, or a part would be taken out of the whole.
        self._secrets = sorted((secret for secret in found if len(secret) >= _SHORTEST), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        return text


class _Tool(msgspec.Struct):
    name: str
    description: str | None = None
    inputSchema: dict[str, Any] | None = None  # noqa: N815  # the wire's own word


class _Block(msgspec.Struct):
    type: str = ""
    text: str | None = None
    data: str | None = None
    mimeType: str | None = None  # noqa: N815  # the wire's own word
    uri: str | None = None
    name: str | None = None
    description: str | None = None
    resource: dict[str, Any] | None = None


class _Called(msgspec.Struct):
    content: list[msgspec.Raw] = []
    isError: bool = False  # noqa: N815  # the wire's own word
    structuredContent: msgspec.Raw = msgspec.Raw(b"null")  # noqa: N815  # the wire's own word
    resultType: str = "complete"  # noqa: N815  # the wire's own word


def read_offer(raw: msgspec.Raw, scrub: Scrub) -> tuple[Offer, dict[str, Any]] | None:
    """Return a listed tool and its schema as the server has it, or None where it cannot be offered to a model."""
    try:
        tool = msgspec.json.decode(raw, type=_Tool)
    except UNREADABLE:
        return None
    schema = tool.inputSchema or {}
    if not 0 < len(tool.name) <= _LONGEST_NAME or not tool.name.isprintable():
        return None
    if schema.get("type", "object") != "object" or len(bytes(raw)) > _MOST_SCHEMA + _MOST_WORDS:
        return None
    shown = {"type": "object", "properties": {}} | {
        name: value for name, value in schema.items() if name not in _NOT_AT_ROOT
    }
    if not isinstance(shown["properties"], dict):
        return None
    encoded = msgspec.json.encode(shown)
    if not _is_schema(encoded, shown):
        return None
    try:
        parameter_headers(schema, {})
    except ValueError:
        return None
    words = scrub(tool.description or "")[:_MOST_WORDS]
    return Offer(tool.name, words, msgspec.Raw(encoded)), schema


async def list_offers(
    page: Callable[[Mapping[str, Any]], Awaitable[msgspec.Raw]], scrub: Scrub
) -> tuple[tuple[Offer, ...], dict[str, dict[str, Any]]]:
    """Return all tools that ``page`` lists, and their schemas by name as the server has them.

    Raises:
        ToolTrouble: a page is none.
    """
    found: dict[str, Offer] = {}
    schemas: dict[str, dict[str, Any]] = {}
    cursors: set[str] = set()
    params: dict[str, Any] = {}
    for _ in range(_MOST_PAGES):
        listed = read_fields(await page(params))
        for raw in decoded(listed.get("tools", msgspec.Raw(b"[]")), list[msgspec.Raw]):
            read = read_offer(raw, scrub)
            if read is not None and len(found) < _MOST_TOOLS:
                offer, schemas[read[0].name] = read
                found.setdefault(offer.name, offer)
        cursor = decoded(listed.get("nextCursor", msgspec.Raw(b"null")), str | None)
        if not cursor or cursor in cursors:
            break
        cursors.add(cursor)
        params = {"cursor": cursor}
    return tuple(found.values()), schemas


def _is_schema(encoded: bytes, schema: dict[str, Any]) -> bool:
    """Whether vendors will take ``schema``: one they cannot read makes them refuse the whole call."""
    # Loaded when the first list of tools comes: most gateways have none.
    import jsonschema_rs

    def refuse(uri: str) -> Any:
        raise ValueError(uri)

    if len(encoded) > _MOST_SCHEMA:
        return False
    try:
        jsonschema_rs.validator_for(schema, retriever=refuse)
    except (ValueError, RecursionError, jsonschema_rs.ReferencingError):
        return False
    return True


def read_result(raw: msgspec.Raw, most: int, scrub: Scrub) -> Result:
    """Return what a call gave, at most ``most`` bytes of it.

    Raises:
        ToolTrouble: it is no result, or wants something of a person.
    """
    try:
        called = msgspec.json.decode(raw, type=_Called)
        blocks = [msgspec.json.decode(block, type=_Block) for block in called.content]
    except UNREADABLE:
        raise ToolTrouble("broken", "The tool's server sent a result that cannot be read.") from None
    if called.resultType == "input_required":
        raise ToolTrouble("input_required", "The tool wants an answer from a person, which is not possible here.")
    if called.resultType != "complete":
        raise ToolTrouble("broken", "The tool's server sent a result of a kind that is not known here.")
    texts = [text for block in blocks if (text := _words(block))]
    if not texts and bytes(called.structuredContent) != b"null":
        texts = [bytes(called.structuredContent).decode("utf-8", "replace")]
    return Result(_cut(scrub("\n".join(texts)), most) or "(no output)", called.isError)


def _words(block: _Block) -> str:
    """Return one block of content as text; what is no text is named, not shown."""
    if block.type == "text":
        return block.text or ""
    if block.type in ("image", "audio"):
        return _unshown(block.type, block.mimeType, block.data)
    if block.type == "resource_link":
        return " ".join(part for part in (block.name, block.uri, block.description) if part)
    if block.type == "resource":
        resource: Mapping[str, Any] = block.resource or {}
        if isinstance(text := resource.get("text"), str):
            return text
        kind, blob = resource.get("mimeType"), resource.get("blob")
        return _unshown("resource", kind if isinstance(kind, str) else None, blob if isinstance(blob, str) else None)
    return ""


def _unshown(what: str, kind: str | None, data: str | None) -> str:
    size = len((data or "").rstrip("=")) * 3 // 4
    return f"[{what}{f' ({kind[:100]})' if kind else ''} of {size} bytes: not shown]"


def _cut(text: str, most: int) -> str:
    data = text.encode("utf-8", "replace")
    if len(data) <= most:
        return data.decode()
    return f"{data[:most].decode('utf-8', 'ignore')}\n[cut: the first {most} of {len(data)} bytes]"


def read_whole(data: bytes) -> Message:
    """Return the message that ``data`` holds. Raises :class:`ToolTrouble` where it holds none."""
    try:
        return read_message(data)
    except UNREADABLE:
        raise _unreadable() from None


def read_fields(raw: msgspec.Raw) -> dict[str, msgspec.Raw]:
    """Return the fields of an object. Raises :class:`ToolTrouble` where it is none."""
    fields: dict[str, msgspec.Raw] = decoded(raw, dict[str, msgspec.Raw])
    return fields


def decoded(raw: msgspec.Raw, kind: Any) -> Any:
    """Return ``raw`` as a value of type ``kind``. Raises :class:`ToolTrouble` where it is none."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except UNREADABLE:
        raise _unreadable() from None


def _unreadable() -> ToolTrouble:
    return ToolTrouble("broken", "The tool's server sent an answer that cannot be read.")
