"""What is provably the same JSON value, in other clothes: a code fence, words around it, a comma too many.

Nothing is ever closed, quoted or completed: half a document that parses is worse than an error.
"""

import re
from collections.abc import Iterator
from typing import Final

__all__ = ["readings"]

_FENCE: Final = re.compile(r"```[ \t]*[A-Za-z0-9_-]*[ \t]*\r?\n(.*?)\r?\n?[ \t]*```", re.DOTALL)
#: A string, kept; or a comma with nothing but space between it and the end of what it stands in.
_COMMA: Final = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', re.DOTALL)


def readings(text: str) -> Iterator[str]:
    """Return what ``text`` may have meant to be, the nearest first; each is a part of it, but for trailing commas."""
    bare = text.removeprefix("\ufeff").strip()
    if bare != text:
        yield bare
    fences = _FENCE.findall(bare)
    if len(fences) > 1 or bare.count("```") > 2 * len(fences):
        # Which of several was meant cannot be known.
        return
    inner = fences[0].strip() if fences else _span(bare)
    if inner is None:
        return
    yield inner
    without = _COMMA.sub(lambda match: match[1] or "", inner)
    if without != inner:
        yield without


def _span(text: str) -> str | None:
    """Return the one object or array that stands among words, or None where there is none or more than one."""
    starts = [place for place in (text.find("{"), text.find("[")) if place >= 0]
    if not starts:
        return None
    start = min(starts)
    end = _end(text, start)
    if end is None or any(mark in text[end:] for mark in "{}[]"):
        return None
    return text[start:end]


def _end(text: str, start: int) -> int | None:
    """Return the place behind the bracket that closes the one at ``start``."""
    depth = 0
    place = start
    while place < len(text):
        mark = text[place]
        if mark == '"':
            place += 1
            while place < len(text) and text[place] != '"':
                place += 2 if text[place] == "\\" else 1
        elif mark in "{[":
            depth += 1
        elif mark in "}]":
            depth -= 1
            if not depth:
                return place + 1
        place += 1
    return None
