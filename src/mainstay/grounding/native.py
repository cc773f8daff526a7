"""Passages as a vendor's own search results, where it cites by itself, and its citations held against the passages.

A citation counts where its quote is the passage's own text, to the byte; what else it says is the vendor's word. Knows
vendors by name, and no wire: what a citation points at others read (:class:`~mainstay.core.sources.Reference`).
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from mainstay.core.events import Opaque
from mainstay.core.prompt import DocumentPart, Message, OpaquePart, Part, Prompt, SearchResultPart, ToolResultPart
from mainstay.core.sources import Reference, Source
from mainstay.core.target import Target
from mainstay.grounding.attach import Attached, heading
from mainstay.grounding.attribution import Passages, Quote
from mainstay.grounding.sentences import sentences

__all__ = ["NATIVE", "Natives", "References", "no_references"]

#: Reads what a provider's own citation points at; nothing where an event is none.
References = Callable[[Opaque], Sequence[Reference]]

#: Vendors that are given passages in a form of their own, and cite them.
NATIVE: Final = frozenset({"anthropic", "cohere"})
#: Words that a quote is not found by.
_FEW: Final = 3


def no_references(event: Opaque) -> Sequence[Reference]:
    """Return nothing: no event is a citation."""
    return ()


class Natives:
    """The passages of one call, for a vendor that cites.

    Args:
        passages: what the model is given.
        texts: what it is to read of each; where that is not all of a passage, its quotes are looked for by its words.
        attached: how they stand in the prompt for everyone else.
        references: reads what a provider's own citation points at.
    """

    def __init__(
        self, passages: Passages, texts: Sequence[str], attached: Attached, references: References = no_references
    ) -> None:
        self.references = references
        self._passages = passages
        self._texts = tuple(texts)
        self._attached = attached
        self._numbers = {source.passage: number for number, source in enumerate(passages.sources, 1)}
        self._asked: set[str] = set()

    async def adapt(self, prompt: Prompt, target: Target) -> Prompt:
        """Return ``prompt`` with the passages in the form that ``target`` cites by itself: an adapter of calls."""
        if target.vendor not in NATIVE or any(_is_uncited(message) for message in prompt.messages):
            return prompt
        changed = self._attached.instead(prompt, self._results())
        if changed is not prompt:
            self._asked.add(target.model)
        return changed

    def was_asked(self, target: Target) -> bool:
        """Whether the answer of ``target`` cites in its vendor's own way."""
        return target.model in self._asked

    def is_ours(self, reference: Reference) -> bool:
        """Whether a citation points at one of the passages."""
        return reference.source in self._numbers

    def resolve(self, reference: Reference, claim: str, around: str = "") -> tuple[int, Quote] | None:
        """Return the number of the passage that a citation points at and where in it its quote stands; None where it is
        none of these, or does not say that. ``around``: the sentence that the claim stands in."""
        number = self._numbers.get(reference.source, 0)
        words = around if around and len(claim.split()) < _FEW else claim
        quote = self._quote(number, reference, words) if number else None
        return None if quote is None else (number, quote)

    def _quote(self, number: int, reference: Reference, claim: str) -> Quote | None:
        if not reference.quote or self._is_changed(number):
            # The vendor quotes nothing, or what it was given in the place of the passage's own words.
            return self._passages.quote(number, claim)
        text = self._passages.sources[number - 1].text
        low, high = _range(reference.blocks, _blocks(text))
        start = _nearest(text, reference.quote, low)
        if start >= 0:
            return _trimmed(text, start, start + len(reference.quote))
        # Some join the texts of a passage in their own way.
        if low < high and "".join(text[low:high].split()) == "".join(reference.quote.split()):
            return _trimmed(text, low, high)
        return None

    def _is_changed(self, number: int) -> bool:
        return not self._texts[number - 1].endswith(self._passages.sources[number - 1].text)

    def _results(self) -> tuple[Part, ...]:
        return tuple(
            SearchResultPart.of(source.passage, *self._shown(number, source), cited=True)
            for number, source in enumerate(self._passages.sources, 1)
        )

    def _shown(self, number: int, source: Source) -> tuple[str, tuple[str, ...]]:
        if self._is_changed(number):
            return f"Passage {number}", (self._texts[number - 1],)
        text = source.text
        return heading(source) or f"Passage {number}", tuple(text[start:end] for start, end in _blocks(text))


def _is_uncited(message: Message) -> bool:
    """Whether the caller gives documents of its own that are not to be cited: vendors cite all of them or none."""
    return any(
        not _cited(part)
        for one in message.parts
        for part in (one.content if isinstance(one, ToolResultPart) else (one,))
        if isinstance(part, DocumentPart | SearchResultPart | OpaquePart)
    )


def _cited(part: Part) -> bool:
    if isinstance(part, OpaquePart):
        return b'"document"' not in bytes(part.payload) and b'"search_result"' not in bytes(part.payload)
    return b"true" in bytes(getattr(part, "extra", {}).get("citations", b""))


def _blocks(text: str) -> list[tuple[int, int]]:
    """Return where the sentences of a text lie, one behind the other, with the blanks that follow them."""
    starts = [one.start for one in sentences(text)][1:]
    cuts = [0, *starts, len(text)]
    return [(start, end) for start, end in pairwise(cuts) if text[start:end].strip()]


def _range(blocks: tuple[int, int] | None, places: Sequence[tuple[int, int]]) -> tuple[int, int]:
    if blocks is None or not 0 <= blocks[0] < len(places):
        return 0, 0
    last = min(max(blocks[0] + 1, blocks[1]), len(places)) - 1
    return places[blocks[0]][0], places[last][1]


def _nearest(text: str, quote: str, at: int) -> int:
    """Return where ``quote`` stands in ``text``, of several places the one that is nearest to ``at``; -1: nowhere."""
    before, after = text.rfind(quote, 0, at + len(quote)), text.find(quote, at)
    if before < 0 or after < 0:
        return max(before, after)
    return before if at - before < after - at else after


def _trimmed(text: str, start: int, end: int) -> Quote | None:
    said = text[start:end]
    start += len(said) - len(said.lstrip())
    end = start + len(said.strip())
    return Quote(start, end, 1.0) if start < end else None
