"""Reasoning that its vendor has signed, as this wire's ``encrypted_content``: opaque to the caller, who sends it back.

Another vendor's proof of a block of reasoning (a signature over its words, or the whole of it encrypted) has no field
on this wire. It travels inside the one field that callers never look into. Nothing is encrypted here: what is inside
the caller may see.
"""

import base64
import binascii

import msgspec

from mainstay.core.prompt import ThinkingPart

__all__ = ["open_seal", "seal"]

_MARK = "mainstay-1."


class _Sealed(msgspec.Struct, gc=False, omit_defaults=True):
    text: str = ""
    signature: str = ""
    redacted: str = ""


_sealed = msgspec.json.Decoder(_Sealed)


def seal(text: str, signature: str, redacted: str) -> str:
    """Return what stands for a block of reasoning; see :class:`~mainstay.core.events.ThinkingSealed`."""
    return _MARK + base64.urlsafe_b64encode(msgspec.json.encode(_Sealed(text, signature, redacted))).decode()


def open_seal(given: str) -> ThinkingPart | None:
    """Return the block of reasoning, or None when ``given`` is not one of ours."""
    if not given.startswith(_MARK):
        return None
    try:
        found = _sealed.decode(base64.urlsafe_b64decode(given[len(_MARK) :]))
    except (binascii.Error, ValueError):
        return None
    return ThinkingPart(found.text, found.signature, found.redacted)
