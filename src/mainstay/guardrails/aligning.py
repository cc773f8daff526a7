"""Where claims stand in an answer whose words were changed on the way out: masked, or given their values back.

Citations name places of the text as it was, and come behind their claims; rails hold text back and let several claims
leave at once. So claims are looked for in the text as it leaves, one behind the other, and the text is cut at them
again. Stands between the rails and the caller, for answers that cite.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from msgspec.structs import replace

from mainstay.core.answer import Answer, Frames, SingleFrame
from mainstay.core.events import Cited, ClaimEnded, Event, Frame, Grounded, TextDelta
from mainstay.core.fold import fold
from mainstay.core.sources import Claim

__all__ = ["Aligned", "aligned", "as_stream"]


#: Letters of the beginning and of the end of a claim that it is known by where its middle was changed.
_KNOWN: Final = (24, 12, 6, 3)


class _Choice:
    """The text of one choice, what of it has not left, where the last claim that was cited ends, and all of these."""

    __slots__ = ("claims", "ended", "last", "left", "text")

    def __init__(self) -> None:
        self.text = ""
        self.left = ""
        self.ended = 0
        self.last: tuple[Claim, Claim] | None = None
        self.claims: list[Claim] = []


class Aligned:
    """A stream whose citations name places of its own text; see :class:`~mainstay.core.answer.Frames`."""

    __slots__ = ("_choices", "_inner")

    def __init__(self, inner: Frames) -> None:
        self._inner = inner
        self._choices: dict[int, _Choice] = {}

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        batch = await self._inner.__anext__()
        return [self._frame(frame) for frame in batch]

    async def aclose(self) -> None:
        """Stop: the upstream."""
        await self._inner.aclose()

    def _frame(self, frame: Frame) -> Frame:
        out: list[Event] = []
        for event in frame.events:
            self._take(event, out)
        for index, choice in self._choices.items():
            _say(choice, index, len(choice.left), out)
        events = tuple(out)
        return frame if events == frame.events else Frame(events)

    def _take(self, event: Event, out: list[Event]) -> None:
        if isinstance(event, TextDelta):
            choice = self._choices.setdefault(event.choice, _Choice())
            _say(choice, event.choice, len(choice.left), out)
            choice.text += event.text
            choice.left = event.text
            if event.logprobs is not None:
                choice.left = ""
                out.append(event)
            return
        choice = self._choices.setdefault(getattr(event, "choice", 0), _Choice())
        if isinstance(event, Cited):
            self._cite(event, choice, out)
        elif isinstance(event, ClaimEnded):
            # Where text is left, only behind a citation is known where a claim has ended.
            if not choice.left or (out and isinstance(out[-1], Cited)):
                out.append(event)
        else:
            if isinstance(event, Grounded) and len(event.citations) == len(choice.claims):
                pairs = zip(event.citations, choice.claims, strict=True)
                event = replace(event, citations=tuple(replace(one, claim=claim) for one, claim in pairs))
            _say(choice, getattr(event, "choice", 0), len(choice.left), out)
            out.append(event)

    def _cite(self, event: Cited, choice: _Choice, out: list[Event]) -> None:
        given = event.citation.claim
        if choice.last is None or choice.last[0] != given:
            choice.last = (given, _placed(given, choice))
        claim = choice.last[1]
        choice.ended = claim.end
        choice.claims.append(claim)
        begin = len(choice.text) - len(choice.left)
        if claim.start > begin and choice.left[: claim.start - begin].strip():
            _say(choice, event.choice, claim.start - begin, out)
            out.append(ClaimEnded(event.choice))
            begin = claim.start
        _say(choice, event.choice, max(0, claim.end - begin), out)
        out.append(replace(event, citation=replace(event.citation, claim=claim)))


def _say(choice: _Choice, index: int, length: int, out: list[Event]) -> None:
    if length and choice.left:
        out.append(TextDelta(choice.left[:length], index))
        choice.left = choice.left[length:]


def _placed(claim: Claim, choice: _Choice) -> Claim:
    """Return a claim where it stands in the text that leaves, which may not be what it was."""
    text, words = choice.text, claim.text
    if text[claim.start : claim.end] == words:
        return claim
    found = text.find(words, choice.ended)
    if found >= 0:
        return Claim(found, found + len(words), words, claim.choice)
    starts = (text.find(words[:size], choice.ended) for size in _KNOWN)
    rest = text[choice.ended :]
    start = next((place for place in starts if place >= 0), choice.ended + len(rest) - len(rest.lstrip()))
    ends = ((text.find(words[-size:], start), size) for size in (*_KNOWN, 1))
    end = next((place + len(words[-size:]) for place, size in ends if place >= 0), len(text.rstrip()))
    end = max(start, end)
    return Claim(start, end, text[start:end], claim.choice)


def as_stream(answer: Answer) -> Answer:
    """Return a whole answer as a stream of one frame, in which every event keeps its place."""
    assert answer.whole is not None
    return replace(answer, whole=None, frames=SingleFrame(Frame(answer.whole.events)))


async def aligned(answer: Answer, given: Answer) -> Answer:
    """Return ``answer``, which left the rails as a stream, aligned: whole where ``given`` was."""
    assert answer.frames is not None
    frames = Aligned(answer.frames)
    if given.whole is None:
        return replace(answer, frames=frames)
    try:
        events = [event async for batch in frames for frame in batch for event in frame.events]
    finally:
        await frames.aclose()
    return replace(answer, frames=None, whole=replace(given.whole, wire=b"", decode=None, _events=fold(events).events))
