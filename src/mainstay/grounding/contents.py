"""What can be asked of a store besides questions: what it holds, who changed it, what a citation points at.

The half of :class:`mainstay.grounding.store.RowStore` that changes nothing (but for what is noted of sources).
"""

from collections.abc import Callable, Mapping, Sequence

from mainstay.core.sources import Pin
from mainstay.grounding import listing, revisions, tombstones, versions
from mainstay.grounding.listing import Counts, Document, History, Opened, Passage, Text
from mainstay.grounding.pinned import resolve
from mainstay.grounding.port import Access, Meta, Slice, Version
from mainstay.grounding.rows import Transactions
from mainstay.grounding.shelf import Barred, Listing
from mainstay.grounding.tombstones import Tombstone
from mainstay.grounding.versions import Difference, Pending

__all__ = ["Contents"]


class Contents:
    """What a knowledge base holds. Everything blocks; safe to share by threads."""

    name: str
    _connections: Transactions
    _clock: Callable[[], int]

    def resolve(self, version: str = "", at: int = 0, *, label: str = "", seq: int = 0) -> Pin:
        """Return what :meth:`pin` would pin."""
        with self._connections.read() as db:
            return resolve(db, self.name, version, at, label, seq)[0]

    def alive(self, passages: Sequence[str], access: Access) -> bool:
        """Whether all of these passages are alive now in the live version, allowed, and not expired."""
        with self._connections.read() as db:
            return listing.alive(db, passages, access, self._clock())

    def passage(self, name: str, access: Access | None, *, revision: int = 0, withdrawn: bool = False) -> Opened:
        """Open a passage where a citation points, at a revision (its newest by default), also one that has been
        superseded. ``access`` None is for who may see everything; ``withdrawn`` shows what was retracted, too.

        Raises:
            NotFound: there is none of this name that may be seen.
        """
        with self._connections.read() as db:
            return listing.opened(db, self.name, name, access, revision, self._clock(), withdrawn=withdrawn)

    def text(self, document: str, *, revision: int = 0, version: str = "", access: Access | None = None) -> Text:
        """Return the text of a document in a version (the live one by default), or at one of its revisions. Stretches
        that were retracted are blank.

        Raises:
            NotFound: there is none of this name that may be seen.
        """
        with self._connections.read() as db:
            return listing.text(db, document, revision, version, access, self._clock())

    def wanting(
        self, document: str, text: str, slices: Sequence[Slice], meta: Meta, version: str = ""
    ) -> tuple[int, ...]:
        """Return those of ``slices``, by position, whose vectors a put would need: no other passage of the base has the
        same words under the same title and headings. :meth:`put` takes rows of zeros for the others."""
        with self._connections.read() as db:
            return revisions.wanting(db, text, slices, meta, version)

    def lacking(self, version: str = "", most: int = 256) -> tuple[Passage, ...]:
        """Return passages of a version that lack a vector, where it has vectors."""
        with self._connections.read() as db:
            return listing.lacking(db, version, most)

    def tombstones(self) -> tuple[Tombstone, ...]:
        """Return what was retracted, oldest first."""
        with self._connections.read() as db:
            return tombstones.listed(db)

    def barred(self) -> Barred:
        """Return which documents were retracted: they need not be read to be refused."""
        with self._connections.read() as db:
            return tombstones.barred(db)

    def versions(self) -> tuple[Version, ...]:
        """Return the versions, oldest first."""
        with self._connections.read() as db:
            return versions.listed(db)

    def pending(self, name: str) -> tuple[Pending, ...]:
        """Return the documents that changed in the live version, or are in the parent, and not yet in this one."""
        with self._connections.read() as db:
            return versions.pending(db, name)

    def labels(self) -> Mapping[str, int]:
        """Return the labels and their steps."""
        with self._connections.read() as db:
            return versions.labels(db)

    def diff(self, one: Pin, other: Pin) -> tuple[Difference, ...]:
        """Return the documents that differ between two states; see :meth:`resolve`."""
        with self._connections.read() as db:
            return versions.diff(db, one, other)

    def documents(self, version: str = "") -> Mapping[str, Meta]:
        """Return the documents that are alive in a version (the live one by default), by name."""
        with self._connections.read() as db:
            return listing.documents(db, version)

    def listed(
        self,
        version: str = "",
        *,
        after: str = "",
        most: int = 100,
        access: Access | None = None,
        expired: bool = False,
    ) -> tuple[Document, ...]:
        """Return documents of a version, expired ones too or only those, by name, after one."""
        with self._connections.read() as db:
            return listing.listed(db, version, after, most, access, self._clock(), expired=expired)

    def passages(self, document: str, version: str = "") -> tuple[Passage, ...]:
        """Return the passages of a document that are alive in a version, in their order."""
        with self._connections.read() as db:
            return listing.passages(db, document, version)

    def counts(self, version: str = "") -> Counts:
        """Return how much there is."""
        size = self._connections.size()
        with self._connections.read() as db:
            return listing.counts(db, version, self._clock(), size)

    def history(self, document: str = "", *, most: int = 100, before: int = 0) -> tuple[History, ...]:
        """Return changes, newest first, from before a step."""
        with self._connections.read() as db:
            return listing.history(db, document, most, before)

    def closed_since(self, seq: int) -> tuple[int, tuple[str, ...]]:
        """Return the newest step, and the passages that changes after step ``seq`` took out."""
        with self._connections.read() as db:
            return listing.closed_since(db, seq)

    def listing(self, source: str) -> Listing | None:
        """Return what is known of a source, None before its first complete listing."""
        with self._connections.read() as db:
            return listing.source(db, source)

    def note(self, kept: Listing) -> None:
        """Keep what is known of a source."""
        with self._connections.write() as db:
            listing.note(db, kept)
