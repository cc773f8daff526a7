"""The one argument of a custom tool's function, read while its JSON text still comes.

A custom tool takes plain text; a model of another wire writes that text as the ``input`` of a JSON object. The text is
handed on as it comes, however the pieces are cut.
"""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from mainstay.providers.responses.door import UNREADABLE
from mainstay.providers.wire import mend

__all__ = ["InputText", "is_whole", "parse_object"]

_OPENING = re.compile(r'\s*\{\s*"input"\s*:\s*"')
#: What of a string in JSON can be decoded by itself: no escape cut in two, no half of a surrogate pair at the end.
_WHOLE = re.compile(
    r'(?:[^"\\]+'
    r'|\\["\\/bfnrt]'
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|\\u(?![dD][89abAB])[0-9a-fA-F]{4}"
    # A half whose other half does not follow: it becomes U+FFFD.
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}(?=[^\\]|\\[^u]|\\u(?![dD][c-fC-F])[0-9a-fA-F]{4}))*"
)
#: An escape, and the other half of its pair.
_LONGEST_ESCAPE = 12


class InputText:
    """Takes the pieces of the arguments and returns the pieces of the input."""

    __slots__ = ("_begun", "_ended", "_rest")

    def __init__(self) -> None:
        self._begun = False
        self._ended = False
        self._rest = ""

    def feed(self, piece: str) -> str:
        """Return what ``piece`` adds to the input; may be empty."""
        if self._ended:
            return ""
        self._rest += piece
        if not self._begun:
            opening = _OPENING.match(self._rest)
            if opening is None:
                return ""
            self._begun = True
            self._rest = self._rest[opening.end() :]
        whole = _WHOLE.match(self._rest)
        found = whole[0] if whole is not None else ""
        self._rest = self._rest[len(found) :]
        self._ended = self._rest[:1] == '"'
        return _decode(found)

    def finish(self) -> str:
        """Return what is still held at the end: all of it where it was never an object with ``input``.

        A string that was cut stays cut; an escape that was cut is left out.
        """
        if self._ended:
            return ""
        self._ended = True
        if self._begun:
            # More than an escape is an escape that JSON does not have: what follows it is kept as it is.
            return self._rest if len(self._rest) > _LONGEST_ESCAPE else ""
        said = parse_object(self._rest)
        if said is not None and isinstance(said.get("input"), str):
            return str(said["input"])
        return self._rest if self._rest.strip() not in ("", "{}") else ""


def parse_object(text: str) -> dict[str, Any] | None:
    """Return the object that ``text`` is in JSON, or None when it is none."""
    try:
        return msgspec.json.decode(text or "{}", type=dict[str, Any])
    except UNREADABLE:
        return None


def is_whole(pieces: Sequence[str]) -> bool:
    """Return whether the pieces of a call's arguments are an object that is complete."""
    # Only the last piece can complete it: most are done with here.
    return bool(pieces) and pieces[-1].rstrip().endswith("}") and parse_object("".join(pieces)) is not None


def _decode(inside: str) -> str:
    if "\\" not in inside:
        return inside
    try:
        return msgspec.json.decode(mend(f'"{inside}"'.encode()), type=str)
    except UNREADABLE:
        # A control character that JSON forbids: what the model wrote is still what it meant.
        return inside
