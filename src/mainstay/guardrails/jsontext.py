"""JSON that comes in pieces, read as what its strings mean and changed without breaking it.

What looks at the arguments of a tool sees one text in which escapes are what they stand for, with names and values side
by side, as what they say of one another counts. What is masked is replaced within each string that it touches, and a
number or a word without quotes becomes a string; marks between values always stay. So what was JSON is JSON after it,
and what was none is covered all the same. Pure; a :class:`~mainstay.guardrails.watches.Spelling`.
"""

import json
import re
from collections import deque
from typing import Final

__all__ = ["JsonText"]

_INSIDE: Final = re.compile(r'[^"\\]+|\\(?:u[0-9a-fA-F]{4}|[^u]|u(?=[0-9a-fA-F]{0,3}[^0-9a-fA-F]))|"', re.DOTALL)
_OUTSIDE: Final = re.compile(r'"|[{\[]|[}\]]|[\s:,]+|([^\s{}\[\]:,"]+)')
_MEANT: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
#: What stands for half a character that two escapes spell.
_HALF: Final = "\ufffd"

#: What a run of characters is: in a string, between values, or a value without quotes.
_IN, _BETWEEN, _BARE = range(3)


class JsonText:
    """One JSON text, read and written."""

    __slots__ = ("_bare", "_depth", "_instead", "_label", "_open", "_runs", "_said", "_tail")

    def __init__(self) -> None:
        self._open = False
        self._depth = 0
        #: The beginning of an escape.
        self._tail = ""
        #: What was read and is not yet written: what it is, how many characters, and how they came where that differs.
        self._runs: deque[tuple[int, int, str]] = deque()
        #: What stands for what is masked, and whether it has been said in this string.
        self._label = ""
        self._said = False
        #: A value without quotes whose end has not come, and what is to stand in its place.
        self._bare: list[str] = []
        self._instead = ""

    @property
    def held(self) -> bool:
        """Whether a value without quotes has passed and is not yet written."""
        return bool(self._bare)

    def read(self, piece: str) -> list[str]:
        """Return what ``piece`` means, cut where a whole value has ended: there what follows is another text."""
        piece = self._tail + piece
        self._tail = ""
        texts: list[str] = []
        said: list[str] = []
        at, size = 0, len(piece)
        while at < size:
            match = (_INSIDE if self._open else _OUTSIDE).match(piece, at)
            if match is None:
                # An escape that is cut off.
                self._tail = piece[at:]
                break
            raw = match[0]
            at = match.end()
            said.append(self._take(raw, bare=match.lastindex is not None))
            if raw in ("}", "]") and not self._open and self._depth > 0:
                self._depth -= 1
                if self._depth == 0:
                    texts.append("".join(said))
                    said = []
        texts.append("".join(said))
        return texts

    def finish(self) -> str:
        """Return what an escape means that no more comes of: its characters."""
        text, self._tail = self._tail, ""
        if text:
            self._runs.append((_IN, len(text), ""))
        return text

    def keep(self, text: str) -> str:
        """See :class:`~mainstay.guardrails.watches.Spelling`."""
        out: list[str] = []
        self._said = False
        for kind, raw in self._next(text):
            if kind == _BARE:
                self._bare.append(raw)
            else:
                out.append(self.close())
                out.append(raw)
        return "".join(out)

    def mask(self, text: str, label: str, *, fresh: bool) -> str:
        """See :class:`~mainstay.guardrails.watches.Spelling`."""
        if fresh:
            self._label = json.dumps(label, ensure_ascii=False)[1:-1]
        return self._replace(text, self._label, masks=True, fresh=fresh)

    def swap(self, text: str, value: str) -> str:
        """See :class:`~mainstay.guardrails.watches.Spelling`; ``value`` is escaped already."""
        return self._replace(text, value, masks=False, fresh=True)

    def close(self) -> str:
        """See :class:`~mainstay.guardrails.watches.Spelling`."""
        if not self._bare:
            return ""
        bare = f'"{self._instead}"' if self._instead else "".join(self._bare)
        self._bare, self._instead = [], ""
        return bare

    def _take(self, raw: str, *, bare: bool) -> str:
        """Remember one token and return what it means."""
        runs = self._runs
        if self._open:
            if raw == '"':
                self._open = False
                runs.append((_BETWEEN, 1, ""))
                return raw
            if raw[0] != "\\":
                runs.append((_IN, len(raw), ""))
                return raw
            runs.append((_IN, 1, raw))
            if len(raw) == 6:
                code = int(raw[2:], 16)
                return _HALF if 0xD800 <= code < 0xE000 else chr(code)
            return _MEANT.get(raw[1], raw[1])
        if raw in ("{", "["):
            self._depth += 1
        elif raw == '"':
            self._open = True
        runs.append((_BARE if bare else _BETWEEN, len(raw), ""))
        return raw

    def _next(self, text: str) -> list[tuple[int, str]]:
        """Return how the next characters came, which mean ``text``."""
        found: list[tuple[int, str]] = []
        at, size = 0, len(text)
        runs = self._runs
        while at < size:
            kind, count, raw = runs[0]
            taken = min(count, size - at)
            if taken == count:
                runs.popleft()
            else:
                runs[0] = (kind, count - taken, "")
            found.append((kind, raw or text[at : at + taken]))
            at += taken
        return found

    def _replace(self, text: str, value: str, *, masks: bool, fresh: bool) -> str:
        out: list[str] = []
        if fresh:
            self._said = False
        for kind, raw in self._next(text):
            if kind == _BARE:
                if masks:
                    self._instead = self._instead or value
                    self._bare.append("")
                elif not self._said:
                    self._bare.append(value)
                    self._said = True
                continue
            out.append(self.close())
            if kind == _BETWEEN:
                out.append(raw)
                # A mask that goes on in another string is told there too.
                self._said = self._said and not masks
            elif not self._said:
                out.append(value)
                self._said = True
        return "".join(out)
