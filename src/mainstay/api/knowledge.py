"""``/v1/knowledge/{base}/passages/{passage}``: a citation, opened by who may read it.

A citation is also a leak: it opens for a key that may call a route which uses the base, if the groups of the key let it
see the document. For everyone else it does not exist. Does not know how knowledge is kept.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec

from mainstay.api.door import Request
from mainstay.api.files import need, visit_of
from mainstay.api.gate import Gate
from mainstay.core.call import Caller
from mainstay.core.errors import NotFound
from mainstay.grounding.listing import Opened

__all__ = ["KnowledgePages", "Reader"]


class Reader(Protocol):
    """What opens passages for callers."""

    def routes(self, base: str) -> frozenset[str]:
        """Return the routes that use a base, as the configuration stands; none where there is no such base."""
        ...

    async def open(self, base: str, passage: str, caller: Caller) -> Opened:
        """Return a passage in its revision, if the groups of ``caller`` let it see the document.

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
        try:
            opened = await self._reader.open(base, passage, caller)
        except NotFound:
            # Whether there is such a passage is not for everyone to learn.
            raise missing from None
        await request.respond(200, msgspec.json.encode(_shown(opened)))


def _shown(opened: Opened) -> dict[str, object]:
    """Return a passage as callers see it. Offsets are code points of the revision's text, ends exclusive; bytes are of
    its UTF-8; times are seconds since 1970."""
    source = opened.source
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
        "state": opened.state,
    }
