"""What stands beside the text in other wires' answers, as this wire has it: probabilities and annotations."""

from typing import Any

import msgspec

from mainstay.core.events import Dialect, Opaque
from mainstay.providers.responses.door import UNREADABLE

__all__ = ["annotations_of", "called_by", "item_of", "logprobs_of"]

Fields = dict[str, Any]


class _Logprobs(msgspec.Struct, gc=False):
    content: list[Fields] | None = None


class _Message(msgspec.Struct, gc=False):
    annotations: list[Fields] | None = None


class _Left(msgspec.Struct, gc=False):
    message: _Message | None = None


class _Kind(msgspec.Struct, gc=False):
    type: str
    id: str = ""


class _Called(msgspec.Struct, gc=False):
    type: str
    name: str = ""
    namespace: str | None = None


_logprobs = msgspec.json.Decoder(_Logprobs)
_left = msgspec.json.Decoder(_Left)
_kind = msgspec.json.Decoder(_Kind)
_called = msgspec.json.Decoder(_Called)


def logprobs_of(raw: msgspec.Raw | None) -> list[Fields]:
    """Return the probabilities of some text's tokens: of a chat's object the list for its content."""
    if raw is None:
        return []
    try:
        return _logprobs.decode(raw).content or []
    except UNREADABLE:
        return []


def annotations_of(event: Opaque) -> list[Fields]:
    """Return the annotations in what only a chat could say; an address it cites is flat on this wire."""
    if event.dialect is not Dialect.OPENAI or b'"annotations"' not in bytes(event.payload):
        return []
    try:
        message = _left.decode(event.payload).message
    except UNREADABLE:
        return []
    found = []
    for given in (message.annotations if message is not None else None) or ():
        kind = given.get("type")
        inner = given.get(kind) if isinstance(kind, str) else None
        found.append({"type": kind, **inner} if isinstance(inner, dict) else given)
    return found


def item_of(event: Opaque) -> msgspec.Raw | None:
    """Return the item that only this wire could say, or None when it is something else."""
    if event.dialect is not Dialect.RESPONSES:
        return None
    try:
        kind = _kind.decode(event.payload)
    except UNREADABLE:
        return None
    return event.payload if kind.id and "." not in kind.type else None


def called_by(event: Opaque) -> tuple[str, str, str] | None:
    """Return the kind of tool that an item only this wire could say calls, its name and its namespace; else None."""
    if event.dialect is not Dialect.RESPONSES or b"_call" not in bytes(event.payload):
        return None
    try:
        item = _called.decode(event.payload)
    except UNREADABLE:
        return None
    if not item.type.endswith("_call"):
        return None
    kind = item.type.removesuffix("_call")
    return "custom" if kind == "custom_tool" else kind, item.name, item.namespace or ""
