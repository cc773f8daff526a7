"""Citations as this wire has them: annotations of a text, and what these cannot say beside each."""

from collections.abc import Sequence
from typing import Any

from mainstay.core.sources import Citation
from mainstay.providers.citations import extension, title_of

__all__ = ["annotation_of", "with_verdicts"]


def annotation_of(citation: Citation) -> dict[str, Any]:
    """Return a citation as an annotation: of an address where its source has one, else of a file."""
    source, claim = citation.source, citation.claim
    if source.uri.startswith(("http://", "https://")):
        place = {"start_index": claim.start, "end_index": claim.end, "title": title_of(source), "url": source.uri}
        return {"type": "url_citation", **place, "mainstay": extension(citation)}
    file = {"file_id": source.document, "filename": title_of(source), "index": max(0, citation.number - 1)}
    return {"type": "file_citation", **file, "mainstay": extension(citation)}


def with_verdicts(told: Sequence[dict[str, Any]], citations: Sequence[Citation]) -> None:
    """Put the last verdicts into annotations that were told before these were known, in the same order."""
    if len(told) == len(citations):
        for one, citation in zip(told, citations, strict=True):
            one["mainstay"] |= {"verdict": citation.verdict, "score": citation.score}
