"""Citations: a claim, the sentences of a source that it rests on, and what checking said. Every quote is compared with
its source to the byte before it leaves. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from msgspec.structs import replace

from mainstay.core.events import Grounded
from mainstay.core.record import CitedSpan, Grounding, SourceRow
from mainstay.core.sources import Citation, Claim, Pin, Source
from mainstay.grounding.attribution import Passages, Quote
from mainstay.grounding.checking import Checked

__all__ = ["cite", "cited_span", "is_exact", "is_whole", "judged", "quoted", "row_of", "told"]

#: Citations that a record keeps of one answer.
_MOST: Final = 200


def quoted(
    claim: Claim,
    number: int,
    quote: Quote,
    passages: Passages,
    how: Literal["marked", "attributed"] = "marked",
) -> Citation | None:
    """Return the citation of a claim by a quote of source ``number``; None where that is not the source's own text."""
    source = passages.sources[number - 1]
    start, end = source.start + quote.start, source.start + quote.end
    made = Citation(claim, source, start, end, source.text[quote.start : quote.end], how, number=number)
    return made if is_exact(made) else None


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
        citation = quoted(claim, number, passages.quote(number, words), passages, how)
        if citation is not None:
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


def told(
    grounding: Grounding,
    pin: Pin | None,
    sources: int,
    choice: int,
    citations: Sequence[Citation],
    verdicts: Mapping[str, int],
    invented: int = 0,
) -> Grounded:
    """Note on the record what a choice rests on, and return what its caller is told of it.

    Args:
        grounding: the record's.
        pin: the state of the knowledge base; None where nothing was found.
        sources: how many passages the model was given.
        choice: which it is.
        citations: its citations, with their last verdicts.
        verdicts: its claims, counted by what came of checking them.
        invented: how many marks named no source.
    """
    grounding.invented += invented
    for name, count in verdicts.items():
        grounding.verdicts[name] = grounding.verdicts.get(name, 0) + count
    room = max(0, _MOST - len(grounding.citations))
    grounding.citations += [cited_span(one, choice) for one in citations[:room]]
    return Grounded(
        pin,
        tuple(citations),
        sources,
        grounding.oldest_ms,
        invented,
        tuple(sorted(verdicts.items())),
        tuple(grounding.late),
        grounding.nothing,
        choice,
        grounding.search,
    )
