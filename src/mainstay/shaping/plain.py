"""The words of a short answer without their wrapping: quotes, emphasis, a full stop, ``Answer:`` before them."""

import re
from typing import Final

__all__ = ["bare"]

_LEAD: Final = re.compile(r"\s*(?:the\s+)?(?:final\s+)?(?:answer|result|output)(?:\s+is)?\s*:\s*", re.IGNORECASE)
_PAIRS: Final = (("```", "```"), ("**", "**"), ("`", "`"), ('"', '"'), ("'", "'"), ("“", "”"), ("«", "»"), ("*", "*"))


def bare(text: str) -> str:
    """Return ``text`` without what wraps the whole of it; what stands inside is never touched."""
    text = _LEAD.sub("", text.strip(), count=1) if _LEAD.match(text) else text.strip()
    while True:
        before = text
        for left, right in _PAIRS:
            inner = text[len(left) : len(text) - len(right)]
            if len(text) > len(left + right) and text.startswith(left) and text.endswith(right) and right not in inner:
                text = inner.strip()
        if text.endswith((".", "。")) and not text[:-1].endswith("."):
            text = text[:-1].rstrip()
        if text == before:
            return text
