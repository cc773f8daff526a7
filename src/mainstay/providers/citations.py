"""Citations as every wire says them beside its own words: one object, ``mainstay``, in which nothing is lost.

What a wire itself has for citations is its own package's. Offsets are code points, ends exclusive, unless named bytes.
"""

import hashlib
from typing import Any

from mainstay.core.events import Grounded
from mainstay.core.sources import Citation, Source

__all__ = ["address_of", "extension", "summary", "title_of"]

Fields = dict[str, Any]


def title_of(source: Source) -> str:
    """Return what a source is called."""
    return source.title or source.document


def address_of(source: Source) -> str:
    """Return where a source is to be had: its own address, else one that names the passage."""
    return source.uri or f"knowledge:{source.pin.base}/{source.passage}"


def extension(citation: Citation) -> Fields:
    """Return all of a citation but its claim's words. ``sha256`` (hex) is of the quote's UTF-8."""
    source = citation.source
    low = len(source.text[: citation.start - source.start].encode("utf-8", "surrogatepass"))
    quote = citation.quote.encode("utf-8", "surrogatepass")
    fields: Fields = {
        "base": source.pin.base,
        "version": source.pin.version,
        "seq": source.pin.seq,
        "document": source.document,
        "revision": source.revision,
        "passage": source.passage,
        "number": citation.number,
        "start": citation.start,
        "end": citation.end,
        "byte_start": source.byte_start + low,
        "byte_end": source.byte_start + low + len(quote),
        "quote": citation.quote,
        "sha256": hashlib.sha256(quote).hexdigest(),
        "how": citation.how,
        "verdict": citation.verdict,
        "score": citation.score,
        "claim": {"start": citation.claim.start, "end": citation.claim.end},
    }
    for name in ("page", "title", "uri", "dated"):
        if value := getattr(source, name):
            fields[name] = value
    if source.heading:
        fields["heading"] = list(source.heading)
    return fields


def summary(grounded: Grounded, *, citations: bool = False) -> Fields:
    """Return what an answer rests on, the age of its oldest source among it; with its ``citations`` where they stand
    nowhere else with their last verdicts."""
    oldest, pin = grounded.oldest_ms, grounded.pin
    fields: Fields = {
        "base": pin.base if pin is not None else None,
        "version": pin.version if pin is not None else None,
        "seq": pin.seq if pin is not None else None,
        "sources": grounded.sources,
        "oldest_source_seconds": None if oldest is None else oldest // 1000,
        "nothing_found": grounded.nothing,
        "late": list(grounded.late),
        "invented_marks": grounded.invented,
        "verdicts": dict(grounded.verdicts),
    }
    if citations:
        fields["citations"] = [extension(one) for one in grounded.citations]
    return {"grounding": fields}
