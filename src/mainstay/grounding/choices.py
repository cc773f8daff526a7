"""One choice of an answer on its way out: what has left, what waits, and what it cites so far. No decisions."""

import asyncio

import msgspec

from mainstay.core.events import ClaimEnded, Opaque
from mainstay.core.sources import Citation, Reference
from mainstay.grounding.checking import Checked
from mainstay.grounding.claims import Claims
from mainstay.grounding.spoken import ClaimEnd, Spoken

__all__ = ["Begun", "Choice", "Made", "place_of"]


class Begun(msgspec.Struct, frozen=True):
    """A claim that has ended: where its check stands, -1 for none; the sources that it rests on; and, by their places
    among the choice's citations, what a provider had cited in it."""

    end: ClaimEnd
    check: int
    numbers: tuple[int, ...]
    given: tuple[int, ...] = ()


class Made(msgspec.Struct):
    """A citation, its source's number, and the check of its claim: -1 for none. ``gone``: it was taken out."""

    number: int
    citation: Citation
    check: int = -1
    gone: bool = False


class Choice:
    """One choice of an answer."""

    def __init__(self, index: int, most: int, keep: bool) -> None:
        self.index = index
        self.spoken = Spoken(most, Claims(), keep=keep)
        #: The visible text since the last claim, where it begins, and how much has left; and where in it pieces of the
        #: text without marks lie: (start, end, visible start, whether it is visible).
        self.text = ""
        self.at = 0
        self.visible = 0
        self.clean = 0
        self.places: list[tuple[int, int, int, bool]] = []
        #: What waits for its claim: words, ends of claims, citations by their places, and those of others' sources.
        self.held: list[str | int | ClaimEnded | Opaque] = []
        self.before = ""
        self.stripped = 0
        #: Its citations; and the checks of all claims, with where these stand.
        self.cited: list[Made] = []
        self.checks: list[asyncio.Task[Checked] | None] = []
        self.spans: dict[int, tuple[int, int]] = {}
        self.claims: list[str] = []
        self.uncheckable = 0
        self.invented = 0
        #: The provider's own block of text, where it begins, and what it cites, of ours and of others; and what it
        #: cites by place.
        self.block: list[str] = []
        self.block_at = 0
        self.references: list[Reference] = []
        self.others: list[Opaque] = []
        self.placed: list[Reference] = []
        #: All that has left.
        self.said: list[str] = []

    def visible_at(self, place: int) -> int:
        """Return where the character at ``place`` of the text without marks stands in what leaves."""
        for start, end, at, shown in reversed(self.places):
            if start <= place < end:
                return at + (place - start if shown else 0)
        return self.visible

    def strip(self) -> str:
        """Take what is held out; return it."""
        gone = "".join([one for one in self.held if isinstance(one, str)])
        for one in self.held:
            if isinstance(one, int):
                self.cited[one].gone = True
        self.held = []
        self.visible -= len(gone)
        block = "".join(self.block)[: max(0, self.visible - self.block_at)]
        self.block, self.block_at = [block], min(self.block_at, self.visible)
        return gone

    def add(self, text: str) -> None:
        """Take note of visible text."""
        self.text += text
        self.visible += len(text)
        self.block.append(text)


def place_of(text: str, words: str, at: int) -> int:
    """Return where ``words`` stand in ``text`` at or nearest to ``at``; -1: nowhere."""
    if text.startswith(words, at):
        return at
    before, after = text.rfind(words, 0, at + len(words)), text.find(words, at)
    if before < 0 or after < 0:
        return max(before, after)
    return before if at - before < after - at else after
