"""What an answer rests on: passages of documents as they stood at one pin, and citations of them.

Crosses rooms: knowledge finds sources, the cache keys answers by them, codecs write citations into each dialect, the
record keeps both. Offsets are code points of a revision's stored text, ends exclusive; bytes are of its UTF-8. So an
emoji is one code point and four bytes.
"""

from typing import Literal

import msgspec

__all__ = ["Citation", "Claim", "Found", "Pin", "Reference", "Search", "Source", "Verdict"]

#: ``unchecked``: nobody looked; ``uncheckable``: there is nothing in the claim to check (a question, a greeting).
Verdict = Literal["supported", "contradicted", "not_found", "uncheckable", "unchecked"]

#: What became of a search: it is ``done``, or only ``partial`` since parts of it were not waited for; or the whole of
#: it came too ``late``, or could not be made (``unavailable``).
Search = Literal["done", "partial", "late", "unavailable"]


class Pin(msgspec.Struct, frozen=True):
    """The one state of a knowledge base that an answer is made from: a named version of it at one step."""

    base: str
    version: str
    seq: int


class Source(msgspec.Struct, frozen=True, omit_defaults=True):
    """A passage at a pin. ``text`` is exactly ``revision_text[start:end]``, ``sha256`` (hex) is of its UTF-8.

    ``document`` is the caller's own id for it (a path, an address), ``revision`` numbers its states, ``passage`` names
    the passage for good: a corrected one has another name. ``page`` counts from 1, 0 where there are none. Times are
    wall-clock milliseconds since 1970, 0 where nobody said. ``score`` is the ranker's, larger is better, comparable
    within one question only.
    """

    pin: Pin
    document: str
    revision: int
    passage: str
    start: int
    end: int
    byte_start: int
    byte_end: int
    text: str
    sha256: str
    page: int = 0
    heading: tuple[str, ...] = ()
    title: str = ""
    uri: str = ""
    #: When the document says it was written, when it was read, and when it is too old to be used.
    dated: int = 0
    read_at: int = 0
    expires: int = 0
    #: What was noticed when it was read: ``injection``, ``near_duplicate``.
    flags: tuple[str, ...] = ()
    score: float = 0.0


class Found(msgspec.Struct, frozen=True):
    """What a question found: passages, best first; and what is known of how well.

    ``confidence`` is 0 to 1, for deciding whether to answer at all; ``late`` names the parts of the search that were
    not waited for (``dense``, ``rerank``, ``search`` for all of it); ``ms`` is what it took. ``failed``: it could not
    be made.
    """

    pin: Pin
    sources: tuple[Source, ...] = ()
    confidence: float = 0.0
    late: tuple[str, ...] = ()
    ms: float = 0.0
    failed: bool = False

    @property
    def search(self) -> Search:
        """What became of the search."""
        if self.failed:
            return "unavailable"
        if "search" in self.late:
            return "late"
        return "partial" if self.late else "done"


class Claim(msgspec.Struct, frozen=True):
    """A span of an answer that says something: code points of the visible text of one choice."""

    start: int
    end: int
    text: str
    choice: int = 0


class Citation(msgspec.Struct, frozen=True):
    """One claim resting on one source. ``quote`` is ``revision_text[start:end]``, within the source or all of it.

    ``how``: the model ``marked`` it, or it was ``attributed`` afterwards. ``score`` is the verifier's calibrated
    probability of support, None where nobody looked.
    """

    claim: Claim
    source: Source
    start: int
    end: int
    quote: str
    how: Literal["marked", "attributed"] = "marked"
    verdict: Verdict = "unchecked"
    score: float | None = None
    #: The number that the model knew the source by, as it stands in marks that stay in the text; 0 where it has none.
    number: int = 0


class Reference(msgspec.Struct, frozen=True):
    """What a provider's own citation points at, before anybody has held it against a source.

    ``source`` is the name that the source was given under, ``quote`` what the provider says it quotes, may be empty,
    and ``blocks`` which of the source's texts that is. ``span`` are the code points of the answer that it is of, which
    read ``text``; None: the block of text that it stands in.
    """

    source: str
    quote: str = ""
    blocks: tuple[int, int] | None = None
    span: tuple[int, int] | None = None
    text: str = ""
