"""Citations as every wire says them beside its own words: one object, ``mainstay``, in which nothing is lost.

What a wire itself has for citations is its own package's; what a provider's own citation points at is read here, for
whoever holds it against a source. Offsets are code points, ends exclusive, unless named bytes.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from mainstay.core.events import Dialect, Grounded, Opaque
from mainstay.core.sources import Citation, Reference, Source
from mainstay.providers.wire import UNREADABLE

__all__ = ["address_of", "extension", "references", "summary", "title_of"]

Fields = dict[str, Any]


class _Location(msgspec.Struct, gc=False):
    """A citation of Anthropic's."""

    type: str = ""
    source: str | None = None
    cited_text: str | None = None
    start_block_index: int | None = None
    end_block_index: int | None = None


class _Document(msgspec.Struct, gc=False):
    type: str = ""
    id: str | None = None


class _Span(msgspec.Struct, gc=False):
    """A citation of Cohere's."""

    start: int
    end: int
    text: str = ""
    sources: tuple[_Document, ...] = ()
    type: str | None = None


_location = msgspec.json.Decoder(_Location)
_spans = msgspec.json.Decoder(_Span | list[_Span])


def references(event: Opaque) -> Sequence[Reference]:
    """Return what a provider's own citation points at; nothing where an event is none.

    Where it points at what has no name (a document of the caller's, a page of the web), ``source`` is empty.
    """
    try:
        if event.dialect is Dialect.ANTHROPIC:
            return _located(_location.decode(event.payload))
        if event.dialect is Dialect.COHERE:
            found = _spans.decode(event.payload)
            return [one for span in (found if isinstance(found, list) else [found]) for one in _spanned(span)]
    except UNREADABLE:
        pass
    return ()


def _located(one: _Location) -> Sequence[Reference]:
    if not one.type.endswith("_location"):
        return ()
    if one.type != "search_result_location":
        return (Reference(""),)
    first, last = one.start_block_index, one.end_block_index
    blocks = (first, last) if first is not None and last is not None else None
    return (Reference(one.source or "", one.cited_text or "", blocks),)


def _spanned(one: _Span) -> Sequence[Reference]:
    if one.type not in (None, "TEXT_CONTENT"):
        return ()
    names = [source.id or "" if source.type == "document" else "" for source in one.sources]
    return [Reference(name, span=(one.start, one.end), text=one.text) for name in names]


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
        "search": grounded.search,
        "nothing_found": grounded.nothing,
        "late": list(grounded.late),
        "invented_marks": grounded.invented,
        "verdicts": dict(grounded.verdicts),
    }
    if citations:
        fields["citations"] = [extension(one) for one in grounded.citations]
    return {"grounding": fields}
