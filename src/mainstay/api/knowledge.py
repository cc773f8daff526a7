"""``/v1/knowledge/{base}/passages/{passage}``: a citation, opened by who may read it.

A citation is also a leak: it opens for a key that may call a route which uses the base, if the groups of the key let it
see the document. For everyone else it does not exist. As JSON, or as a page where the client would rather have that.
Does not know how knowledge is kept.
"""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

import msgspec

from mainstay.api.door import Request
from mainstay.api.files import need, query_of, visit_of
from mainstay.api.gate import Gate
from mainstay.api.knowledge_page import HEADERS, page_of, prefers_page
from mainstay.core.call import Caller
from mainstay.core.errors import InvalidRequest, NotFound
from mainstay.grounding.pages import AROUND, Page

__all__ = ["KnowledgePages", "Reader"]

#: Characters on each side of a passage at most, and the largest place in a text.
_MOST_AROUND: Final = 5000
_LARGEST: Final = 999_999_999


class Reader(Protocol):
    """What opens passages for callers."""

    def routes(self, base: str) -> frozenset[str]:
        """Return the routes that use a base, as the configuration stands; none where there is no such base."""
        ...

    async def open(self, base: str, passage: str, caller: Caller, around: int, revision: int) -> Page:
        """Return a passage in its revision (its newest for 0) with ``around`` characters on each side, if the groups of
        ``caller`` let it see the document.

        Raises:
            NotFound: they do not, it was retracted, or there is none of that name.
            Unavailable: the base cannot be read now.
        """
        ...


class KnowledgePages:
    """What is below ``/v1/knowledge``.

    Args:
        gate: returns the generation in force.
        reader: opens passages.
    """

    def __init__(self, gate: Callable[[], Gate], reader: Reader) -> None:
        self._gate = gate
        self._reader = reader

    async def serve(self, request: Request, rest: str) -> None:
        """Answer a request for what follows ``/v1/knowledge``, without its first slash.

        Raises:
            MainstayError: it cannot be done; the message says why.
        """
        gate = self._gate()
        caller, _, method, base, below = visit_of(gate, request, rest)
        noun, _, passage = below.partition("/")
        if noun != "passages" or not passage or "/" in passage:
            raise NotFound("There is nothing at this path; the HTTP reference lists every path.")
        need(method, "GET")
        missing = NotFound(f"There is no passage '{passage[:64]}' that this key may read.")
        mine = {served.name for served in gate.visible(caller)}
        if mine.isdisjoint(self._reader.routes(base)):
            raise missing
        query = query_of(request)
        around = _number(query, "around", AROUND, _MOST_AROUND)
        revision = _number(query, "revision", 0, _LARGEST)
        start, end = _number(query, "start", -1, _LARGEST), _number(query, "end", -1, _LARGEST)
        if (start < 0) != (end < 0) or (start >= 0 and start >= end):
            raise InvalidRequest("'start' and 'end' go together, and the end is exclusive.", param="start")
        try:
            page = await self._reader.open(base, passage, caller, around, revision)
        except NotFound:
            # Whether there is such a passage is not for everyone to learn.
            raise missing from None
        kept = ((b"cache-control", b"private, no-store"), (b"vary", b"accept, authorization"))
        if prefers_page(request.headers.get(b"accept", b"").decode("latin-1")):
            source = page.opened.source
            shown = page_of(page, (start, end) if end >= 0 else (source.start, source.end))
            await request.respond(200, shown, extra=(*kept, *HEADERS), kind=b"text/html; charset=utf-8")
            return
        await request.respond(200, msgspec.json.encode(_shown(page)), extra=kept)


def _number(query: Mapping[str, str], name: str, usual: int, most: int) -> int:
    given = query.get(name)
    if given is None:
        return usual
    # Digits of other scripts are digits, too, and no more than a few are wanted.
    if not (given.isascii() and given.isdigit() and len(given) <= len(str(most)) and int(given) <= most):
        raise InvalidRequest(f"'{name}' is a number from 0 to {most}.", param=name)
    return int(given)


def _shown(page: Page) -> dict[str, object]:
    """Return a passage as callers see it. Offsets are code points of the revision's text, ends exclusive; bytes are of
    its UTF-8; times are seconds since 1970."""
    source = page.opened.source
    return {
        "id": source.passage,
        "object": "knowledge.passage",
        "base": source.pin.base,
        "version": source.pin.version,
        "seq": source.pin.seq,
        "document": source.document,
        "revision": source.revision,
        "title": source.title,
        "uri": source.uri or None,
        "page": source.page or None,
        "heading": list(source.heading),
        "text": source.text,
        "start": source.start,
        "end": source.end,
        "byte_start": source.byte_start,
        "byte_end": source.byte_end,
        "sha256": source.sha256,
        "flags": list(source.flags),
        "dated": source.dated // 1000 or None,
        "read_at": source.read_at // 1000 or None,
        "expires_at": source.expires // 1000 or None,
        "state": page.opened.state,
        "licence": page.licence or None,
        "consent": page.consent or None,
        "before": page.before,
        "after": page.after,
        "previous": page.previous or None,
        "next": page.next or None,
    }
