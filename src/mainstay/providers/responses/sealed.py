"""Reasoning that its vendor has signed, as this wire's ``encrypted_content``: opaque to the caller, who sends it back.

Another vendor's proof of a block of reasoning (a signature over its words, or the whole of it encrypted) has no field
on this wire. It travels inside the one field that callers never look into. Nothing is encrypted here: what is inside
the caller may see. A vendor's own ``encrypted_content`` keeps its bytes behind a mark of who made it (``core.seal``).
"""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from mainstay.core.prompt import ThinkingPart
from mainstay.core.seal import mark, unmark
from mainstay.providers.responses.door import UNREADABLE

__all__ = ["open_own", "open_seal", "seal", "seal_answer"]

_MARK = "mainstay-1."
_KEY = rb'("encrypted_content"\s*:\s*)'
_MARKED = re.compile(_KEY[:-1] + rb'")mainstay:([A-Za-z0-9._:/@-]{1,128})\|')


class _Sealed(msgspec.Struct, gc=False, omit_defaults=True):
    text: str = ""
    signature: str = ""
    redacted: str = ""


class _Item(msgspec.Struct, gc=False):
    #: Of a kind that is new it may be anything.
    encrypted_content: Any = None


class _Response(msgspec.Struct, gc=False):
    output: list[_Item] | None = None


class _Answer(msgspec.Struct, gc=False):
    """A whole response, or an event of a stream."""

    output: list[_Item] | None = None
    item: _Item | None = None
    response: _Response | None = None


_sealed = msgspec.json.Decoder(_Sealed)
_answer = msgspec.json.Decoder(_Answer)


def seal(text: str, signature: str, redacted: str) -> str:
    """Return what stands for a block of reasoning; see :class:`~mainstay.core.events.ThinkingSealed`."""
    inside = base64.urlsafe_b64encode(msgspec.json.encode(_Sealed(text, signature, redacted))).decode()
    # Who made it must be seen from outside.
    return mark(_maker_of(signature), _MARK + inside)


def open_seal(given: str) -> ThinkingPart | None:
    """Return the block of reasoning, or None when ``given`` is not one of ours."""
    given = unmark(given)[1]
    if not given.startswith(_MARK):
        return None
    try:
        found = _sealed.decode(base64.urlsafe_b64decode(given[len(_MARK) :]))
    except (binascii.Error, ValueError):
        return None
    return ThinkingPart(found.text, found.signature, found.redacted)


def seal_answer(data: bytes, maker: str) -> bytes:
    """Return an upstream's answer, or an event of one, with a mark on everything in it that only ``maker`` can open.

    All other bytes stay. What cannot be read stays as it is.
    """
    if not maker or b'"encrypted_content"' not in data:
        return data
    try:
        answer = _answer.decode(data)
    except UNREADABLE:
        return data
    for sealed in dict.fromkeys(_pieces(answer)):
        marked = msgspec.json.encode(mark(maker, sealed)).replace(b"\\", rb"\\")
        data = re.sub(_KEY + re.escape(msgspec.json.encode(sealed)), rb"\1" + marked, data)
    return data


def open_own(body: bytes, maker: str) -> bytes:
    """Return a request's body without the marks of ``maker``: what it sealed has the bytes that it wrote."""
    if b"mainstay:" not in body:
        return body
    own = maker.encode()
    return _MARKED.sub(lambda match: match[1] if match[2] == own else match[0], body)


def _pieces(answer: _Answer) -> Iterator[str]:
    items = [*(answer.output or ()), *((answer.response.output if answer.response is not None else None) or ())]
    if answer.item is not None:
        items.append(answer.item)
    for item in items:
        if isinstance(item.encrypted_content, str) and item.encrypted_content:
            yield item.encrypted_content


def _maker_of(signature: str) -> str:
    """Return who made a signature, whatever stands in front of its mark."""
    return unmark(signature[signature.find("mainstay:") :])[0] if "mainstay:" in signature else ""
