"""An answer on its way out: marks become citations, claims get verdicts, and policies are carried out.

Works on events, whole or streamed alike: the same events go in, the same citations come out, however the text was cut.
Knows no dialect and no search.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Final

from msgspec.structs import replace

from mainstay.core.events import (
    Cited,
    ClaimEnded,
    Event,
    Finished,
    Metered,
    Opaque,
    Piece,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSealed,
)
from mainstay.core.record import Grounding
from mainstay.core.sources import Citation, Claim, Pin, Reference, Verdict
from mainstay.grounding.attribution import Passages
from mainstay.grounding.checking import Checked, Checks, bearing
from mainstay.grounding.choices import Begun, Choice, Made, place_of
from mainstay.grounding.citing import cite, judged, quoted, told
from mainstay.grounding.native import Natives
from mainstay.grounding.policies import Rule
from mainstay.grounding.spoken import ClaimEnd, Words

__all__ = ["Answering", "Ungrounded"]

#: What ends no text.
_BESIDE: Final = (Started, Metered, ThinkingDelta, ThinkingSealed, RefusalDelta, Piece)


class Ungrounded(Exception):  # no error: who streams the answer decides what becomes of it
    """A claim is not supported, and the route's policy lets no such claim pass. ``claims`` are what it says."""

    def __init__(self, claims: Sequence[str]) -> None:
        super().__init__()
        self.claims = tuple(claims)


class Answering:
    """Takes the events of one answer and gives back those that leave.

    Args:
        rule: the route's.
        passages: what the model was given.
        checks: checks claims.
        pin: the state of the knowledge base; None where nothing was found.
        grounding: the record's, filled as choices end.
        natives: what a provider's own citations are held against.
        attribute: whether claims are cited that the model did not mark.
    """

    def __init__(
        self,
        rule: Rule,
        passages: Passages,
        checks: Checks,
        pin: Pin | None,
        grounding: Grounding,
        natives: Natives | None = None,
        *,
        attribute: bool = True,
    ) -> None:
        self._rule = rule
        self._passages = passages
        self._checks = checks
        self._pin = pin
        self._grounding = grounding
        self._natives = natives
        self._attribute = attribute
        self._choices: dict[int, Choice] = {}
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
        elif isinstance(event, ClaimEnded):
            await self._end_block(self._choice(event.choice), out)
            self._put(self._choice(event.choice), event, out)
        elif not (isinstance(event, Opaque) and self._refer(event)):
            if not isinstance(event, _BESIDE) and (spoke := self._choices.get(getattr(event, "choice", 0))):
                if isinstance(event, Opaque):
                    await self._render(spoke, spoke.spoken.pause(), out)
                else:
                    await self._end_block(spoke, out)
            out.append(event)

    async def stop(self) -> None:
        """Give up what is still being checked."""
        await self._checks.stop()

    def _choice(self, index: int) -> Choice:
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = Choice(index, len(self._passages.sources), self._rule.keep)
        return choice

    def _refer(self, event: Opaque) -> bool:
        """Take a provider's own citation, if it is one; return whether nothing of it is left to pass."""
        natives = self._natives
        if natives is None or not (found := natives.references(event)):
            return False
        choice = self._choice(event.choice)
        ours = [one for one in found if natives.is_ours(one)]
        choice.references += [one for one in ours if one.span is None]
        choice.placed += [one for one in ours if one.span is not None]
        if len(ours) < len(found) and found[0].span is None:
            # Some come before the words that they are of.
            choice.others.append(event)
            return True
        return len(ours) == len(found)

    async def _end_block(self, choice: Choice, out: list[Event]) -> None:
        """A block of the provider's own has ended: what it cites, its text rests on."""
        await self._render(choice, choice.spoken.part(), out)
        text = "".join(choice.block)
        start, said = choice.block_at + len(text) - len(text.lstrip()), text.strip()
        claim = Claim(start, start + len(said), said, choice.index)
        for reference in choice.references:
            if self._resolve(choice, reference, claim):
                place = len(choice.cited) - 1
                choice.spoken.rest(-1 - place)
                self._put(choice, place, out)
        for event in choice.others:
            self._put(choice, event, out)
        choice.block, choice.block_at, choice.references, choice.others = [], choice.visible, [], []

    def _resolve(self, choice: Choice, reference: Reference, claim: Claim, around: str = "") -> bool:
        """Hold a provider's citation against its source; count it as invented where that does not say so."""
        assert self._natives is not None
        found = self._natives.resolve(reference, claim.text, around) if claim.text else None
        if found is not None and (citation := quoted(claim, found[0], found[1], self._passages)) is not None:
            choice.cited.append(Made(found[0], citation))
            return True
        choice.invented += self._natives.is_ours(reference)
        return False

    def _put(self, choice: Choice, what: int | ClaimEnded | Opaque, out: list[Event]) -> None:
        """Let a citation or the end of a claim leave behind the words before it."""
        if self._rule.holds:
            choice.held.append(what)
        else:
            out.append(Cited(choice.cited[what].citation, choice.index) if isinstance(what, int) else what)

    async def _render(self, choice: Choice, pieces: Sequence[Words | ClaimEnd], out: list[Event]) -> None:
        ends = iter([self._begin(choice, piece) for piece in pieces if isinstance(piece, ClaimEnd)])
        said: list[str] = []
        group: list[Begun] = []
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

    def _words(self, choice: Choice, words: Words) -> bool:
        """Take note of words; return whether they may leave at once, and there are any."""
        if words.clean:
            shown = bool(words.visible)
            choice.places.append((choice.clean, choice.clean + len(words.clean), choice.visible, shown))
            choice.clean += len(words.clean)
        choice.add(words.visible)
        if self._rule.holds:
            choice.held.append(words.visible)
            return False
        choice.said.append(words.visible)
        return bool(words.visible)

    def _begin(self, choice: Choice, end: ClaimEnd) -> Begun:
        given = tuple(-1 - tag for tag in end.numbers if tag < 0)
        numbers = tuple(number for number in end.numbers if number > 0)
        if self._attribute and not end.numbers and end.checkable and (found := self._passages.attribute(end.text)):
            numbers = (found,)
        place = -1
        if end.checkable:
            place = len(choice.checks)
            against = dict.fromkeys((*numbers, *(choice.cited[one].number for one in given)))
            choice.checks.append(self._checks.start(end.text, choice.before, tuple(against)))
            choice.claims.append(end.text)
        else:
            choice.uncheckable += 1
        for one in given:
            made = choice.cited[one]
            made.check = place
            if place < 0:
                made.citation = replace(made.citation, verdict=_NOTHING_TO_CHECK)
        choice.before = end.text
        return Begun(end, place, numbers, given)

    async def _end(self, choice: Choice, group: Sequence[Begun], out: list[Event]) -> None:
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
            self._release(choice, {one.check: what for one, what in zip(group, checked, strict=True)}, out)
            for one, what in zip(group, checked, strict=True):
                self._cite(choice, self._borne(one, what), what, out)
        out.append(ClaimEnded(choice.index))
        choice.text, choice.at = "", choice.visible
        choice.places = [place for place in choice.places if place[1] > last]

    def _release(self, choice: Choice, checked: Mapping[int, Checked], out: list[Event]) -> None:
        """Let what is held leave, each citation with its verdict."""
        for is_text, run in groupby(choice.held, lambda one: isinstance(one, str)):
            if is_text:
                text = "".join([one for one in run if isinstance(one, str)])
                choice.said.append(text)
                if text:
                    out.append(TextDelta(text, choice.index))
                continue
            for one in run:
                if isinstance(one, ClaimEnded | Opaque):
                    out.append(one)
                elif isinstance(one, int):
                    cite = choice.cited[one]
                    if cite.check in checked:
                        cite.citation = judged(cite.citation, cite.number, checked[cite.check])
                    out.append(Cited(cite.citation, choice.index))
        choice.held = []

    def _borne(self, begun: Begun, checked: Checked) -> Begun:
        """Return a claim with the source that bears it out, where nobody marked one and it is checked by now."""
        if not self._attribute or begun.numbers or begun.given:
            return begun
        return replace(begun, numbers=bearing(begun.end.text, checked, self._passages))

    def _bear(self, choice: Choice, checked: Sequence[Checked], out: list[Event]) -> None:
        """Cite claims that nobody marked by what bears them out, now that all are checked."""
        cited = {one.check for one in choice.cited}
        text = "".join(choice.said)
        for place, (low, high) in choice.spans.items():
            words = choice.claims[place]
            if place in cited or not (numbers := bearing(words, checked[place], self._passages)):
                continue
            claim = Claim(low, high, text[low:high], choice.index)
            for number, citation in cite(claim, words, numbers, self._passages, marked=False):
                choice.cited.append(Made(number, judged(citation, number, checked[place]), place))
                out.append(Cited(choice.cited[-1].citation, choice.index, late=True))

    def _cite(self, choice: Choice, begun: Begun, checked: Checked, out: list[Event]) -> None:
        end = begun.end
        start, stop = choice.visible_at(end.start), choice.visible_at(end.end - 1) + 1
        if begun.check >= 0:
            choice.spans[begun.check] = (start, stop)
        if not begun.numbers:
            return
        claim = Claim(start, stop, choice.text[start - choice.at : stop - choice.at], choice.index)
        marked = any(number > 0 for number in end.numbers)
        for number, citation in cite(claim, end.text, begun.numbers, self._passages, marked=marked):
            made = (
                judged(citation, number, checked) if begun.check >= 0 else replace(citation, verdict=_NOTHING_TO_CHECK)
            )
            choice.cited.append(Made(number, made, begun.check))
            out.append(Cited(made, choice.index))

    @staticmethod
    def _strip(choice: Choice, faults: int) -> None:
        """Take a sentence out; what parts paragraphs stays, unless nothing stands before it."""
        gone = choice.strip()
        blanks = gone[len(gone.rstrip()) :]
        choice.stripped += faults
        rest = blanks if "\n" in blanks and choice.visible else ""
        if rest:
            choice.held = [rest]
            choice.visible += len(rest)
            choice.block.append(rest)

    async def _finish(self, choice: Choice, out: list[Event]) -> None:
        await self._end_block(choice, out)
        await self._render(choice, choice.spoken.finish(), out)
        if choice.held:
            rest = "".join([one for one in choice.held if isinstance(one, str)])
            if rest.strip() or choice.visible > len(rest):
                self._release(choice, {}, out)
            choice.strip()
        if choice.stripped and not choice.visible:
            out.append(TextDelta(self._rule.text, choice.index))
        self._place(choice, out)
        checked = await self._checks.settle(choice.checks, self._rule.patience)
        counts: dict[str, int] = {"uncheckable": choice.uncheckable} if choice.uncheckable else {}
        for one, claim in zip(checked, choice.claims, strict=True):
            counts[one.verdict] = counts.get(one.verdict, 0) + 1
            if one.verdict in self._rule.faults:
                self.unsupported.append(claim)
        if self._attribute and not self._rule.holds:
            self._bear(choice, checked, out)
        final = [
            judged(one.citation, one.number, checked[one.check]) if one.check >= 0 else one.citation
            for one in choice.cited
            if not one.gone
        ]
        choice.invented += choice.spoken.invented
        if choice.stripped:
            self._grounding.did = "stripped"
        sources = len(self._passages.sources)
        out.append(told(self._grounding, self._pin, sources, choice.index, final, counts, choice.invented))

    def _place(self, choice: Choice, out: list[Event]) -> None:
        """Cite what a provider cited by its place in the text, once all of it is there."""
        text = "".join(choice.said)
        made: list[Citation] = []
        for reference in sorted(choice.placed, key=lambda one: (one.span or (0, 0), one.source)):
            assert reference.span is not None
            start = place_of(text, reference.text, reference.span[0])
            claim = Claim(start, start + len(reference.text), reference.text if start >= 0 else "", choice.index)
            inside = [(low, high, at) for at, (low, high) in choice.spans.items() if low < claim.end and start < high]
            low, high, check = inside[0] if inside else (0, 0, -1)
            if not self._resolve(choice, reference, claim, text[low:high]):
                continue
            one = choice.cited[-1]
            if one.citation in made:
                choice.cited.pop()
                continue
            made.append(one.citation)
            one.check = check
            out.append(Cited(one.citation, choice.index, late=True))


_NOTHING_TO_CHECK: Final[Verdict] = "uncheckable"
