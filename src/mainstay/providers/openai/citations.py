"""Citations as chat completions have them: ``annotations`` of a message, and what these cannot say beside each."""

from typing import Any

import msgspec

from mainstay.core.events import Grounded
from mainstay.core.sources import Citation
from mainstay.providers.citations import address_of, extension, summary, title_of

__all__ = ["annotation", "grounding", "grounding_delta"]


def annotation(citation: Citation) -> dict[str, Any]:
    """Return a citation as an annotation. Its offsets are of the message's text, the end exclusive."""
    source, claim = citation.source, citation.claim
    place = {"start_index": claim.start, "end_index": claim.end, "title": title_of(source), "url": address_of(source)}
    return {"type": "url_citation", "url_citation": place, "mainstay": extension(citation)}


def grounding(grounded: Grounded) -> dict[str, Any]:
    """Return the fields of a message that tell what it rests on."""
    fields: dict[str, Any] = {"mainstay": summary(grounded)}
    if grounded.citations:
        fields = {"annotations": [annotation(one) for one in grounded.citations], **fields}
    return fields


def grounding_delta(grounded: Grounded) -> bytes:
    """Return the inside of the delta that tells the same in a stream, in one piece: clients join no lists."""
    return msgspec.json.encode({"content": "", **grounding(grounded)})[1:-1]
