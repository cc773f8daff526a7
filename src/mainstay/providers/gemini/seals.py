"""Signatures of thoughts on their way through another dialect.

Gemini signs parts: a call, a text, a thought. Other dialects have room for a signature only at a block of reasoning.
So it travels there with a word in front that says which part it belongs to; when the conversation comes back the word
is taken off and the signature put where it was, byte for byte. The word also tells Gemini's signatures from those of
other vendors, which no one else accepts: a conversation may have changed its model in between. Nor does one account
accept another's, so behind the word stands the mark of who made it (``core.seal``).
"""

import re
from typing import Literal, NamedTuple

from mainstay.core.seal import opened

__all__ = ["STAND_IN", "Kind", "Seal", "seal", "unseal"]

Kind = Literal["call", "text", "thought"]

#: What the vendor documents for calls that another model made: newer models refuse a call without any signature.
STAND_IN = "skip_thought_signature_validator"

# A colon is in no base64, so no vendor's own signature has this form.
_SEAL = re.compile(r"gemini:(call|text|thought):(\d{1,6}):(.*)", re.DOTALL)


class Seal(NamedTuple):
    """A signature and the part it belongs to; ``call`` numbers the calls of a turn."""

    kind: str
    call: int
    signature: str


def seal(kind: Kind, call: int, signature: str) -> str:
    """Return ``signature`` as it travels."""
    return f"gemini:{kind}:{call}:{signature}"


def unseal(text: str, maker: str = "") -> Seal | None:
    """Return the signature that travelled as ``text``, or None when the provider ``maker`` cannot have made it."""
    found = _SEAL.fullmatch(text)
    own = opened(found[3], maker) if found is not None else None
    return Seal(found[1], int(found[2]), own) if found is not None and own is not None else None
