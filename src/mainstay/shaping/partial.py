"""A JSON text that is still being written: whether what is there can still become one, and what is complete of it.

Reads each character once, however the text is cut, and keeps nothing but the number or name it is in the middle of and
the member of the root object that is open.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from mainstay.shaping.schema import parse_json

__all__ = ["PartialJson"]

_SPACE: Final = re.compile(r"[ \t\r\n]*")
#: What a string may hold up to its end; an escape may be cut off at the end of a piece.
_INSIDE: Final = re.compile(r'(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*')
_HALF: Final = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?")
_WORD: Final = re.compile(r"[-+.0-9A-Za-z]+")
_VALUE: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null")
#: What may still become a number or one of the three words.
_BEGUN: Final = re.compile(
    r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?(?:(?<=[0-9])[eE][+-]?[0-9]*)?)?|t(?:r(?:ue?)?)?|f(?:a(?:l(?:se?)?)?)?|n(?:u(?:ll?)?)?"
)


class PartialJson:
    """Takes a JSON text piece by piece."""

    __slots__ = ("_expect", "_key", "_member", "_object", "_pending", "_stack", "_string")

    def __init__(self) -> None:
        #: Open brackets.
        self._stack: list[str] = []
        #: What may come next: a value, a key, ``:``, ``,``, or nothing more.
        self._expect = "value"
        self._string = False
        #: The beginning of a word or an escape whose rest is still to come.
        self._pending = ""
        #: The text of the open member of the root object, and whether the root is one.
        self._member: list[str] = []
        self._object = False
        #: Whether a string is a key.
        self._key = False

    def feed(self, text: str) -> Iterator[tuple[str, Any]]:
        """Take the next piece; return the members of the root object that it completes, as (name, value).

        Raises:
            ValueError: no JSON text begins like this.
        """
        text, self._pending = self._pending + text, ""
        place = kept = 0
        while place < len(text) and not self._pending:
            begun, outside = place, not self._string
            place = self._outside(text, place) if outside else self._inside(text, place)
            if not outside or not self._object:
                continue
            mark, depth = text[begun], len(self._stack)
            if mark == "{" and depth == 1 and self._expect == "key or end":
                kept = place
            elif (mark == "," and depth == 1) or (mark == "}" and not depth):
                self._member.append(text[kept:begun])
                kept = place
                yield from self._complete()
        if self._object:
            self._member.append(text[kept : len(text) - len(self._pending)])

    def _complete(self) -> Iterator[tuple[str, Any]]:
        member = "".join(self._member)
        self._member = []
        if member.strip():
            yield from parse_json("{" + member + "}").items()

    def _inside(self, text: str, place: int) -> int:
        match = _INSIDE.match(text, place)
        assert match is not None
        place = match.end()
        if place == len(text):
            return place
        if text[place] == '"':
            self._string = False
            self._expect = ":" if self._key else self._after()
            self._key = False
            return place + 1
        half = _HALF.match(text, place)
        if half is None or half.end() < len(text):
            raise ValueError("a string holds what no string may")
        self._pending = text[place:]
        return len(text)

    def _outside(self, text: str, place: int) -> int:
        space = _SPACE.match(text, place)
        assert space is not None
        if space.end() > place:
            return space.end()
        mark = text[place]
        expect = self._expect
        if expect in ("value", "value or end") and mark not in ",:}" and not (mark == "]" and expect == "value"):
            return self._value(text, place)
        if mark == '"' and expect in ("key", "key or end"):
            self._string = self._key = True
        elif mark == ":" and expect == ":":
            self._expect = "value"
        elif mark == "," and expect == ",":
            self._expect = "key" if self._stack[-1] == "{" else "value"
        elif self._stack and mark == {"{": "}", "[": "]"}[self._stack[-1]] and expect in (",", "key or end"):
            self._stack.pop()
            self._expect = self._after()
        else:
            raise ValueError(f"'{mark}' cannot stand there")
        return place + 1

    def _value(self, text: str, place: int) -> int:
        mark = text[place]
        if mark in "{[":
            if not self._stack and mark == "{":
                self._object = True
            self._stack.append(mark)
            self._expect = "key or end" if mark == "{" else "value or end"
            return place + 1
        if mark == "]":
            self._stack.pop()
            self._expect = self._after()
            return place + 1
        if mark == '"':
            self._string = True
            return place + 1
        match = _WORD.match(text, place)
        word = match[0] if match else mark
        if match is not None and match.end() == len(text) and _BEGUN.fullmatch(word):
            self._pending = word
            return len(text)
        if not _VALUE.fullmatch(word):
            raise ValueError(f"'{word[:20]}' is no JSON value")
        self._expect = self._after()
        return place + len(word)

    def _after(self) -> str:
        return "," if self._stack else "nothing"
