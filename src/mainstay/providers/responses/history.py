"""What is kept of a response, and how a request that refers to it is made whole again.

A response is kept with the items that were new in its request, and with the ids of those it continues, so that nothing
is kept twice and what is deleted is gone from every conversation. Pure: where it is kept is not known here.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from mainstay.core.errors import InvalidRequest
from mainstay.providers.ours import without_ours
from mainstay.providers.responses.door import UNREADABLE

__all__ = ["NEAREST", "Stored", "expand", "home_of", "items_of", "keep", "output_of", "references"]

Fields = dict[str, msgspec.Raw]

#: Ids of earlier responses that each one names: a long conversation is read in steps of that many.
NEAREST = 32

#: An item's id as it is made here: what kind it is, whose it is, and its place in the output or the input.
_ITEM = re.compile(r"[a-z]{1,8}_(?P<response>[0-9a-f]{32})i?[0-9a-f]{4,8}")
_PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
}
_fields = msgspec.json.Decoder(Fields)
_list = msgspec.json.Decoder(list[msgspec.Raw])


class Stored(msgspec.Struct):
    """One response as it is kept.

    ``before``: the nearest responses it continues, oldest first. ``input``: the items that were new in its request,
    each with an id. ``response``: the whole response as the caller has it.
    """

    before: tuple[str, ...]
    input: list[msgspec.Raw]
    response: msgspec.Raw


class _Response(msgspec.Struct):
    output: list[msgspec.Raw] = []


class _Item(msgspec.Struct, gc=False):
    type: str | None = None
    id: str | None = None
    role: str | None = None


_response = msgspec.json.Decoder(_Response)
_item = msgspec.json.Decoder(_Item)


def output_of(response: bytes | msgspec.Raw) -> list[msgspec.Raw]:
    """Return the items of a response's output."""
    return _response.decode(response).output


def items_of(body: bytes) -> list[msgspec.Raw]:
    """Return the items of a request's input; a string is one message."""
    given = bytes(_fields.decode(body).get("input", b"null"))
    if given[:1] == b"[":
        return _list.decode(given)
    if given in (b"null", b'""'):
        return []
    return [msgspec.Raw(b'{"type":"message","role":"user","content":[{"type":"input_text","text":%b}]}' % given)]


def references(body: bytes) -> list[str]:
    """Return the ids of the items that a request's input only refers to."""
    if b'"item_reference"' not in body and b'"id"' not in body:
        return []
    return [item.id for raw in items_of(body) if _is_reference(item := _read(raw)) and item.id]


def home_of(item_id: str) -> str | None:
    """Return the id of the response that an item made here belongs to; None for an item made elsewhere."""
    match = _ITEM.fullmatch(item_id)
    return f"resp_{match['response']}" if match is not None else None


def expand(body: bytes, turns: Iterable[Stored], found: Mapping[str, msgspec.Raw]) -> bytes:
    """Return ``body`` with everything in place that it only refers to.

    ``turns`` are the responses it continues, oldest first, ``found`` the items it refers to by id. All other fields
    keep their bytes and their order; of a key given twice the last counts.

    Raises:
        InvalidRequest: an item is referred to that is not among ``found``.
    """
    items: list[msgspec.Raw] = []
    for turn in turns:
        items += turn.input
        items += output_of(turn.response)
    for position, raw in enumerate(items_of(body)):
        item = _read(raw)
        if _is_reference(item):
            kept = found.get(item.id or "")
            if kept is None:
                param = f"input[{position}]"
                raise InvalidRequest(
                    f"There is no item '{(item.id or '')[:100]}' for this key; send the item itself.",
                    param=param,
                    status=404,
                    code="item_not_found",
                )
            items.append(kept)
        else:
            items.append(raw)
    fields = _fields.decode(body)
    fields.pop("previous_response_id", None)
    return without_ours(msgspec.json.encode({**fields, "input": items}))


def keep(body: bytes, said: bytes, response_id: str, before: Sequence[str]) -> bytes:
    """Return what is kept of a response: ``body`` is the caller's request, ``said`` what it was answered."""
    key = response_id.removeprefix("resp_")
    items = [_with_id(raw, key, i) for i, raw in enumerate(items_of(body))]
    return msgspec.json.encode(Stored(tuple(before[-NEAREST:]), items, msgspec.Raw(said)))


def _with_id(raw: msgspec.Raw, key: str, position: int) -> msgspec.Raw:
    item = _read(raw)
    kind = item.type or "message"
    if item.id and item.type:
        return raw
    fields: dict[str, object] = dict(_fields.decode(raw))
    fields.setdefault("type", kind)
    if not item.id:
        fields["id"] = f"{_PREFIXES.get(kind, 'item')}_{key}i{position:04x}"
    if kind == "message":
        fields["content"] = _content(fields.get("content"), item.role)
    return msgspec.Raw(msgspec.json.encode(fields))


def _content(given: object, role: str | None) -> object:
    """Return a message's content as the list of parts that clients read it back as."""
    if not isinstance(given, msgspec.Raw) or bytes(given)[:1] != b'"':
        return given
    return [{"type": "output_text" if role == "assistant" else "input_text", "text": given}]


def _is_reference(item: _Item) -> bool:
    # The type may be left out of a reference.
    return item.type == "item_reference" or (item.type is None and item.role is None and item.id is not None)


def _read(raw: msgspec.Raw) -> _Item:
    try:
        return _item.decode(raw)
    except UNREADABLE:
        return _Item()
