"""An answer on its way out: marks become citations, claims get verdicts, and policies are carried out.

Works on events, whole or streamed alike: the same events go in, the same citations come out, however the text was cut.
Knows no dialect and no search.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from mainstay.core.events import (
    Cited,
    ClaimEnded,
    Event,
    Finished,
    Grounded,
    Metered,
    Piece,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSealed,
)
from mainstay.core.record import Grounding
from mainstay.core.sources import Citation, Claim, Pin, Verdict
from mainstay.grounding.attribution import Passages
from mainstay.grounding.checking import Checked, Checks
from mainstay.grounding.citing import cite, cited_span, judged
from mainstay.grounding.claims import Claims
from mainstay.grounding.policies import Rule
from mainstay.grounding.spoken import ClaimEnd, Spoken, Words

__all__ = ["Answering", "Ungrounded"]

#: What ends no text.
_BESIDE: Final = (Started, Metered, ThinkingDelta, ThinkingSealed, RefusalDelta, Piece)
#: Citations that a record keeps of one answer.
_MOST: Final = 200


class Ungrounded(Exception):  # no error: who streams the answer decides what becomes of it
    """A claim is not supported, and the route's policy lets no such claim pass. ``claims`` are what it says."""

    def __init__(self, claims: Sequence[str]) -> None:
        super().__init__()
        self.claims = tuple(claims)


class _Begun(msgspec.Struct, frozen=True):
    """A claim that has ended: where its check stands, -1 for none, and the sources that it rests on."""

    end: ClaimEnd
    check: int
    numbers: tuple[int, ...]


class _Choice:
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
        #: Words that wait for their claim.
        self.held: list[str] = []
        self.before = ""
        self.stripped = 0
        #: Each citation with its source's number and its claim's check; and the checks of all claims.
        self.cited: list[tuple[int, Citation, int]] = []
        self.checks: list[asyncio.Task[Checked] | None] = []
        self.claims: list[str] = []
        self.uncheckable = 0

    def visible_at(self, place: int) -> int:
        """Return where the character at ``place`` of the text without marks stands in what leaves."""
        for start, end, at, shown in reversed(self.places):
            if start <= place < end:
                return at + (place - start if shown else 0)
        return self.visible


class Answering:
    """Takes the events of one answer and gives back those that leave.

    Args:
        rule: the route's.
        passages: what the model was given.
        checks: checks claims.
        pin: the state of the knowledge base; None where nothing was found.
        grounding: the record's, filled as choices end.
    """

    def __init__(self, rule: Rule, passages: Passages, checks: Checks, pin: Pin | None, grounding: Grounding) -> None:
        self._rule = rule
        self._passages = passages
        self._checks = checks
        self._pin = pin
        self._grounding = grounding
        self._choices: dict[int, _Choice] = {}
        #: Claims that no source supports, once all is checked.
        self.unsupported: list[str] = []

    async def take(self, event: Event, out: list[Event]) -> None:
        """Take an event; append to ``out`` what leaves.

        Raises:
            Ungrounded: a claim is not supported, and the policy is to refuse the answer or to ask a person.
        """
        if isinstance(event, TextDelta):
            choice = self._choice(event.choice)
            pieces = choice.spoken.feed(event.text)
            if len(pieces) == 1 and isinstance(pieces[0], Words) and pieces[0].visible == event.text:
                if self._words(choice, pieces[0]):
                    # As it came, with the probabilities of its tokens.
                    out.append(event)
                return
            await self._render(choice, pieces, out)
        elif isinstance(event, Finished):
            await self._finish(self._choice(event.choice), out)
            out.append(event)
        else:
            if not isinstance(event, _BESIDE) and (spoke := self._choices.get(getattr(event, "choice", 0))):
                await self._render(spoke, spoke.spoken.pause(), out)
            out.append(event)

    async def stop(self) -> None:
        """Give up what is still being checked."""
        await self._checks.stop()

    def _choice(self, index: int) -> _Choice:
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _Choice(index, len(self._passages.sources), self._rule.keep)
        return choice

    async def _render(self, choice: _Choice, pieces: Sequence[Words | ClaimEnd], out: list[Event]) -> None:
        ends = iter([self._begin(choice, piece) for piece in pieces if isinstance(piece, ClaimEnd)])
        said: list[str] = []
        group: list[_Begun] = []
        for piece in pieces:
            if isinstance(piece, Words):
                if self._words(choice, piece):
                    said.append(piece.visible)
                continue
            group.append(next(ends))
            if not piece.joined:
                if said:
                    out.append(TextDelta("".join(said), choice.index))
                    said = []
                await self._end(choice, group, out)
                group = []
        if said:
            out.append(TextDelta("".join(said), choice.index))

    def _words(self, choice: _Choice, words: Words) -> bool:
        """Take note of words; return whether they may leave at once, and there are any."""
        if words.clean:
            shown = bool(words.visible)
            choice.places.append((choice.clean, choice.clean + len(words.clean), choice.visible, shown))
            choice.clean += len(words.clean)
        choice.text += words.visible
        choice.visible += len(words.visible)
        if self._rule.holds:
            choice.held.append(words.visible)
            return False
        return bool(words.visible)

    def _begin(self, choice: _Choice, end: ClaimEnd) -> _Begun:
        numbers = end.numbers
        if not numbers and end.checkable and (found := self._passages.attribute(end.text)):
            numbers = (found,)
        place = -1
        if end.checkable:
            place = len(choice.checks)
            choice.checks.append(self._checks.start(end.text, choice.before, numbers))
            choice.claims.append(end.text)
        else:
            choice.uncheckable += 1
        choice.before = end.text
        return _Begun(end, place, numbers)

    async def _end(self, choice: _Choice, group: Sequence[_Begun], out: list[Event]) -> None:
        """A sentence has ended, with one claim or more."""
        last = group[-1].end.end
        checked = [Checked() for _ in group]
        if self._rule.holds:
            tasks = [choice.checks[one.check] if one.check >= 0 else None for one in group]
            checked = await self._checks.settle(tasks, self._rule.patience)
        faults = [one.end.text for one, what in zip(group, checked, strict=True) if what.verdict in self._rule.faults]
        if faults and self._rule.holds:
            if self._rule.unsupported != "strip":
                raise Ungrounded(faults)
            self._strip(choice, len(faults))
        else:
            if choice.held:
                out.append(TextDelta("".join(choice.held), choice.index))
                choice.held = []
            for one, what in zip(group, checked, strict=True):
                self._cite(choice, one, what, out)
        out.append(ClaimEnded(choice.index))
        choice.text, choice.at = "", choice.visible
        choice.places = [place for place in choice.places if place[1] > last]

    def _cite(self, choice: _Choice, begun: _Begun, checked: Checked, out: list[Event]) -> None:
        end = begun.end
        start, stop = choice.visible_at(end.start), choice.visible_at(end.end - 1) + 1
        claim = Claim(start, stop, choice.text[start - choice.at : stop - choice.at], choice.index)
        marked = bool(end.numbers)
        for number, citation in cite(claim, end.text, begun.numbers, self._passages, marked=marked):
            made = (
                judged(citation, number, checked) if begun.check >= 0 else replace(citation, verdict=_NOTHING_TO_CHECK)
            )
            choice.cited.append((number, made, begun.check))
            out.append(Cited(made, choice.index))

    @staticmethod
    def _strip(choice: _Choice, faults: int) -> None:
        """Take a sentence out; what parts paragraphs stays, unless nothing stands before it."""
        gone = "".join(choice.held)
        blanks = gone[len(gone.rstrip()) :]
        choice.stripped += faults
        choice.visible -= len(gone)
        rest = blanks if "\n" in blanks and choice.visible else ""
        choice.held = [rest] if rest else []
        choice.visible += len(rest)

    async def _finish(self, choice: _Choice, out: list[Event]) -> None:
        await self._render(choice, choice.spoken.finish(), out)
        if choice.held:
            rest = "".join(choice.held)
            if rest.strip() or choice.visible > len(rest):
                out.append(TextDelta(rest, choice.index))
            choice.held = []
        if choice.stripped and not choice.visible:
            out.append(TextDelta(self._rule.text, choice.index))
        checked = await self._checks.settle(choice.checks, self._rule.patience)
        counts: dict[str, int] = {"uncheckable": choice.uncheckable} if choice.uncheckable else {}
        for one, claim in zip(checked, choice.claims, strict=True):
            counts[one.verdict] = counts.get(one.verdict, 0) + 1
            if one.verdict in self._rule.faults:
                self.unsupported.append(claim)
        final = [
            judged(citation, number, checked[place]) if place >= 0 else citation
            for number, citation, place in choice.cited
        ]
        self._note(choice, final, counts)
        told = self._grounding
        grounded = Grounded(
            self._pin,
            tuple(final),
            len(self._passages.sources),
            told.oldest_ms,
            choice.spoken.invented,
            tuple(sorted(counts.items())),
            tuple(told.late),
            told.nothing,
            choice.index,
        )
        out.append(grounded)

    def _note(self, choice: _Choice, final: Sequence[Citation], counts: dict[str, int]) -> None:
        grounding = self._grounding
        grounding.invented += choice.spoken.invented
        for name, count in counts.items():
            grounding.verdicts[name] = grounding.verdicts.get(name, 0) + count
        room = _MOST - len(grounding.citations)
        grounding.citations += [cited_span(one, choice.index) for one in final[:room]]
        if choice.stripped:
            grounding.did = "stripped"


_NOTHING_TO_CHECK: Final[Verdict] = "uncheckable"
