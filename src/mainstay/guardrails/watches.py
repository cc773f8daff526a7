"""What a window is made of: looks at a text that grows, blocks for judges, known pseudonyms, how what leaves is spelt.

Pure; see :mod:`.window`.
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from mainstay.guardrails.port import Finding
from mainstay.guardrails.restore import Restorer

__all__ = ["Blocks", "Known", "Look", "More", "Plain", "Spelling", "Watch"]


#: Further than any text goes.
_NEVER: Final = 1 << 62


class Look(Protocol):
    """What a watch looks with; see :class:`~mainstay.guardrails.port.Scanner`."""

    @property
    def reach(self) -> int: ...

    @property
    def stride(self) -> int:
        """Characters that must have become final before it is worth looking again."""
        ...

    def scan(self, text: str) -> Sequence[Finding]: ...

    def settled(self, text: str) -> int:
        """Return a number of leading characters of ``text`` such that every finding that begins in them is final,
        whatever follows, and none else will begin there."""
        ...


class Spelling(Protocol):
    """How what leaves is written. Called in the order of the text, so that every character passes once."""

    @property
    def held(self) -> bool:
        """Whether something that has passed is not yet written."""
        ...

    def keep(self, text: str) -> str:
        """Return the next characters as they came."""
        ...

    def mask(self, text: str, label: str, *, fresh: bool) -> str:
        """Return what stands for the next characters; not ``fresh`` where they go on with what was masked before."""
        ...

    def swap(self, text: str, value: str) -> str:
        """Return ``value`` in place of the next characters."""
        ...

    def close(self) -> str:
        """Return what is still to be written."""
        ...


class Plain:
    """Text that is just text."""

    held = False

    def keep(self, text: str) -> str:
        """See :class:`Spelling`."""
        return text

    def mask(self, text: str, label: str, *, fresh: bool) -> str:
        """See :class:`Spelling`."""
        return label if fresh else ""

    def swap(self, text: str, value: str) -> str:
        """See :class:`Spelling`."""
        return value

    def close(self) -> str:
        """See :class:`Spelling`."""
        return ""


class More(Finding, frozen=True, gc=False):
    """More of a finding that was told before it had an end: longer than a look reaches, which no scanner promises."""


class Watch:
    """One look at a text that grows.

    Args:
        number: which of the window's it is; findings are told by it.
        look: what looks.
        holds: nothing leaves before it is final.
    """

    __slots__ = ("_look", "_stride", "_told", "final", "found", "holds", "number", "reach")

    def __init__(self, number: int, look: Look, *, holds: bool) -> None:
        self.number = number
        self.holds = holds
        self.reach = look.reach
        self._look = look
        self._stride = max(1, look.stride)
        #: Up to where what was found goes.
        self._told = 0
        #: Up to where nothing changes any more, and what was found there and not yet taken.
        self.final = 0
        self.found: list[Finding] = []

    def read(self, text: str, base: int, *, last: bool) -> None:
        """Look at what is new in ``text``, which begins at ``base`` of the whole and reaches back far enough."""
        low = max(0, self.final - self.reach - base)
        part = text[low:] if low else text
        start = base + low
        final = start + (len(part) if last else self._look.settled(part))
        if final - self.final < (1 if last else self._stride):
            return
        for one in self._look.scan(part):
            begin, end = start + one.start, start + one.end
            if self.final <= begin < final:
                self.found.append(Finding(begin, end, one.kind, one.score, one.rule))
                self._told = end
            elif begin < self.final and end > self._told and end - begin > self.reach:
                self.found.append(More(max(begin, self._told), end, one.kind, one.score, one.rule))
                self._told = end
        self.final = final


class Blocks:
    """Cuts a text at fixed places for a judge, who reads each block with the one before it.

    A block is final once it is judged. Where blocks end depends on the text alone, so a stream is judged as a whole is.

    Args:
        number: which of the window's watches it is.
        size: characters of a block; a judge reads twice as many.
        holds: nothing leaves before it is judged.
        once: the first block only; what follows is nobody's.
    """

    __slots__ = ("_cut", "_once", "_spans", "final", "found", "holds", "number", "reach", "size")

    def __init__(self, number: int, size: int, *, holds: bool, once: bool = False) -> None:
        self.number = number
        self.holds = holds
        self.size = self.reach = size
        self.final = 0
        self.found: list[Finding] = []
        self._once = once
        self._cut = 0
        self._spans: list[tuple[int, int]] = []

    def due(self, text: str, base: int, *, last: bool) -> list[tuple[int, str]]:
        """Return what is to be judged now, in order, each with its start."""
        texts: list[tuple[int, str]] = []
        end = base + len(text)
        if self._once:
            end, last = min(end, self.size), last and not self._cut
        while (full := self._cut + self.size <= end) or (last and self._cut < end):
            stop = self._cut + self.size if full else end
            start = max(0, self._cut - self.size)
            texts.append((start, text[start - base : stop - base]))
            self._spans.append((self._cut, stop))
            self._cut = stop
        if not self.holds:
            self._settle(self._cut)
        return texts

    def judged(self, heads: Sequence[str]) -> None:
        """Take for each text that was due the head that stands against it, "" for none."""
        for (start, end), head in zip(self._spans, heads, strict=True):
            if head:
                self.found.append(Finding(start, end, head))
            self._settle(end)

    def _settle(self, end: int) -> None:
        self.final = _NEVER if self._once and end else end
        if end == self._cut:
            self._spans = []


class Known:
    """Where the text names pseudonyms, found as :class:`~mainstay.guardrails.restore.Restorer` finds them."""

    __slots__ = ("_at", "_restorer", "final", "spans")

    def __init__(self, restorer: Callable[[], Restorer]) -> None:
        #: Gives what knows the pseudonyms that there are by now.
        self._restorer = restorer
        self._at = 0
        #: Up to where all that begins is known.
        self.final = 0
        self.spans: list[tuple[int, int, str]] = []

    def read(self, text: str, base: int, *, last: bool) -> None:
        at = self._at - base
        restorer = self._restorer()
        while True:
            hold = len(text) if last else restorer.hold(text, at)
            found = next(restorer.find(text, at), None)
            if found is None or found[0] >= hold:
                break
            start, at, value = found
            self.spans.append((base + start, base + at, value))
        # What is before cannot begin one: it need not be searched again.
        self._at = max(base + at, base + hold)
        self.final = self._at

    def cover(self, text: str, start: int, end: int) -> bool:
        """Return whether ``start`` to ``end`` is nothing but pseudonyms and marks; ``text`` is what stands there."""
        at, any_ = start, False
        for low, high, _ in self.spans:
            if high <= start or low >= end:
                continue
            if _says(text[max(0, at - start) : max(0, low - start)]):
                return False
            at, any_ = high, True
        return any_ and not _says(text[max(0, at - start) :])


def _says(text: str) -> bool:
    """Whether there is more in ``text`` than blanks and marks."""
    return any(one.isalnum() for one in text)
