"""What ingestion needs, as protocols: what reads files and fetches them, what judges passages, and a store that also
tells what it holds.

Stands beside ``port``, which is what questions need. Times are wall-clock milliseconds since 1970.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from mainstay.grounding.port import Change, Meta, Slice, Store, Written

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "Barred",
    "Draft",
    "Extracted",
    "Extractor",
    "Fetched",
    "Fetcher",
    "Held",
    "Listing",
    "Mark",
    "Shelf",
    "Suspect",
]


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """A place in what was taken from a file, code points: where page ``number`` begins (from 1), where a heading of
    level ``number`` stands and what it says, or a stretch up to ``end`` that is best kept whole (a table, code) or is
    not what the file is about (``aside``: navigation)."""

    offset: int
    kind: Literal["page", "heading", "whole", "aside"]
    number: int = 0
    title: str = ""
    end: int = 0


class Extracted(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a file says. ``how`` is the way it was read (``pdf``, ``docx``, ``html``, ``ocr``); ``properties`` are what
    it says of itself: ``title``, ``date`` (ISO 8601), ``author``, ``language``."""

    text: str
    how: str
    pages: int = 0
    marks: tuple[Mark, ...] = ()
    properties: Mapping[str, str] = {}


class Extractor(Protocol):
    """Takes the text out of files that are no text: PDF, Office, HTML, pictures. Blocks; safe to share by threads."""

    def extract(self, data: bytes, name: str, media_type: str) -> Extracted:
        """Return what a file says.

        Raises:
            Unreadable: it cannot be read; the message is the end of a sentence that begins with the file.
            Unavailable: nothing can be read now.
        """
        ...


class Fetched(msgspec.Struct, frozen=True):
    """A file that an address led to. ``dated`` is when its server says it was last changed, wall-clock ms, or 0."""

    data: bytes
    media_type: str = ""
    dated: int = 0


class Fetcher(Protocol):
    """Fetches files by address, and from nowhere inside. Blocks; safe to share by threads."""

    def fetch(self, url: str, limit: int) -> Fetched:
        """Return the file at ``url``, of at most ``limit`` bytes.

        Raises:
            Unreadable: it may not be fetched, or cannot be; the message is the end of a sentence about the address.
            NotFound: its server says that it is gone for good (404, 410).
        """
        ...


#: Whether a passage holds orders to whoever reads it, as far as rules can tell.
Suspect = Callable[[str], bool]


class Draft(msgspec.Struct, frozen=True):
    """A document to be put: see :meth:`Store.put`."""

    document: str
    text: str
    slices: Sequence[Slice]
    meta: Meta
    vectors: "NDArray[np.float32] | None" = None


class Listing(msgspec.Struct, frozen=True):
    """What is known of a source of documents: its name, where it is (so that another of its name is told apart), and
    when it was last listed whole (wall-clock ms): until then, what vanished from it is known to have."""

    source: str
    place: str
    at: int
    documents: int = 0
    problems: int = 0


class Barred(msgspec.Struct, frozen=True):
    """Documents that were retracted, by their names, and by the SHA-256 of their bytes and texts."""

    names: frozenset[str] = frozenset()
    hashes: frozenset[str] = frozenset()


class Held(Protocol):
    """A passage that a store holds."""

    @property
    def name(self) -> str:
        """What it is called for good."""
        ...

    @property
    def text(self) -> str:
        """Its words."""
        ...

    @property
    def flags(self) -> tuple[str, ...]:
        """What was noticed when it was read."""
        ...


class Shelf(Store, Protocol):
    """A store as ingestion needs it: it also tells what it holds, and takes many documents in one transaction."""

    def documents(self, version: str = "") -> Mapping[str, Meta]:
        """Return the documents that are alive in a version (the live one by default), by name."""
        ...

    def passages(self, document: str, version: str = "") -> Sequence[Held]:
        """Return the passages of a document that are alive in a version, in their order."""
        ...

    def put_all(self, drafts: Sequence[Draft], change: Change, version: str = "") -> Sequence[Written | None]:
        """Put documents in one transaction; None stands for one whose bytes were retracted, which is left out."""
        ...

    def barred(self) -> Barred:
        """Return which documents were retracted: they need not be read to be refused."""
        ...

    def close(self, document: str, change: Change, version: str = "") -> Written:
        """End a document that its source has no more; unlike what is retracted it may come back.

        Raises:
            NotFound: there is none of that name.
        """
        ...

    def listing(self, source: str) -> Listing | None:
        """Return what is known of a source, None before its first complete listing."""
        ...

    def note(self, listing: Listing) -> None:
        """Keep what is known of a source."""
        ...

    def wanting(
        self, document: str, text: str, slices: Sequence[Slice], meta: Meta, version: str = ""
    ) -> tuple[int, ...]:
        """Return those of ``slices``, by position, whose vectors a put would need: no other passage of the base has
        the same words under the same title and headings. A put takes rows of zeros for the others."""
        ...
