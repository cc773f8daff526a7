"""Citations: a claim, the sentences of a source that it rests on, and what checking said. Every quote is compared with
its source to the byte before it leaves. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec.structs import replace

from mainstay.core.record import CitedSpan, SourceRow
from mainstay.core.sources import Citation, Claim, Source
from mainstay.grounding.attribution import Passages
from mainstay.grounding.checking import Checked

__all__ = ["cite", "cited_span", "is_exact", "is_whole", "judged", "row_of"]


def cite(
    claim: Claim, words: str, numbers: Sequence[int], passages: Passages, *, marked: bool
) -> tuple[tuple[int, Citation], ...]:
    """Return the citations of a claim, each with the number of its source.

    Args:
        claim: where it stands in the visible text.
        words: what it says, without marks.
        numbers: the sources that it rests on.
        passages: all sources.
        marked: whether the model said so.
    """
    how: Literal["marked", "attributed"] = "marked" if marked else "attributed"
    made: list[tuple[int, Citation]] = []
    for number in numbers:
        source = passages.sources[number - 1]
        quote = passages.quote(number, words)
        start, end = source.start + quote.start, source.start + quote.end
        text = source.text[quote.start : quote.end]
        citation = Citation(claim, source, start, end, text, how, number=number)
        if is_exact(citation):
            made.append((number, citation))
    return tuple(made)


def is_whole(source: Source) -> bool:
    """Whether a source's text is what its hash and its offsets say."""
    data = source.text.encode("utf-8", "surrogatepass")
    return (
        source.end - source.start == len(source.text)
        and source.byte_end - source.byte_start == len(data)
        and hashlib.sha256(data).hexdigest() == source.sha256
    )


def is_exact(citation: Citation) -> bool:
    """Whether a quote is the source's own text at its offsets."""
    source = citation.source
    low, high = citation.start - source.start, citation.end - source.start
    return 0 <= low < high <= len(source.text) and source.text[low:high] == citation.quote


def judged(citation: Citation, number: int, checked: Checked) -> Citation:
    """Return a citation with the verdict of its own source; of one that nobody marked, with the claim's."""
    each: Mapping[int, object] = checked.each
    verdict, score = checked.each[number] if number in each else (checked.verdict, checked.score)
    if checked.verdict == "supported" and verdict == "not_found":
        # Borne out with the others that the claim cites.
        verdict, score = checked.verdict, checked.score
    return replace(citation, verdict=verdict, score=score)


def row_of(source: Source) -> SourceRow:
    """Return a source as records keep it."""
    return SourceRow(source.passage, source.revision, source.score, source.sha256)


def cited_span(citation: Citation, choice: int) -> CitedSpan:
    """Return a citation as records keep it: without its words."""
    digest = hashlib.sha256(citation.quote.encode("utf-8", "surrogatepass")).hexdigest()
    return CitedSpan(
        choice,
        citation.claim.start,
        citation.claim.end,
        citation.source.passage,
        (citation.start, citation.end),
        digest,
        citation.how,
        citation.verdict,
        citation.score,
    )
