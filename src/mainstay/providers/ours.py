"""What answers carry of ours, taken out of requests in which callers send them back: it is no upstream's business.

A grounded answer says what it rests on in fields that no vendor has (see ``citations``). Callers send whole messages
back. Of the model's own turns the objects named ``mainstay`` go, and citations that have one; a vendor's own stay.
"""

from typing import Any

import msgspec

from mainstay.providers.wire import UNREADABLE

__all__ = ["OURS", "without_ours"]

#: What stands in a body that may hold any of it.
OURS = b'"mainstay"'

_LISTS = ("messages", "input")
_CITED = ("annotations", "citations")
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_items = msgspec.json.Decoder(list[msgspec.Raw])


def without_ours(body: bytes) -> bytes:
    """Return a request without what we had added to the model's turns in it; ``body`` itself where there is nothing.

    Other messages and fields keep their bytes. What cannot be read stays as it is, for others to refuse.
    """
    if OURS not in body:
        return body
    try:
        fields = _fields.decode(body)
        changed: dict[str, object] = {}
        for name in _LISTS:
            if OURS in bytes(fields.get(name, b"")) and bytes(fields[name])[:1] == b"[":
                changed[name] = [_cleaned(item) for item in _items.decode(fields[name])]
        return msgspec.json.encode({**fields, **changed}) if changed else body
    except UNREADABLE:
        return body


def _cleaned(raw: msgspec.Raw) -> msgspec.Raw:
    if OURS not in bytes(raw):
        return raw
    item: Any = msgspec.json.decode(raw)
    if not isinstance(item, dict) or item.get("role") != "assistant":
        return raw
    _clean(item)
    content = item.get("content")
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict):
            _clean(part)
    return msgspec.Raw(msgspec.json.encode(item))


def _clean(fields: dict[str, Any]) -> None:
    fields.pop("mainstay", None)
    for name in _CITED:
        given = fields.get(name)
        if isinstance(given, list) and any(isinstance(one, dict) and "mainstay" in one for one in given):
            kept = [one for one in given if not (isinstance(one, dict) and "mainstay" in one)]
            # An output_text wants its list, and a message no empty one.
            if kept or fields.get("type") == "output_text":
                fields[name] = kept
            else:
                del fields[name]
