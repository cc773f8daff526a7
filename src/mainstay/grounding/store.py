"""One knowledge base over whatever keeps its rows: documents, versions, what was taken out, upkeep.

Stands behind ``port.Store`` and ``shelf.Shelf``, but for how questions find (each store's own). Puts the parts together
(revisions, versions, tombstones, garbage, archives), each a file of its own; holds no SQL itself. Does not know how
documents are read, cut or embedded.

Every change is one transaction, written to the disk before it returns; a question that begins after it returned sees
it, in every process. What it took out is told to :meth:`RowStore.on_change` before it returns, and is kept with the
rows, so that other processes can ask for it (:meth:`RowStore.closed_since`).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mainstay.core.errors import InvalidRequest, MainstayError
from mainstay.core.sources import Pin
from mainstay.grounding import archive, corrections, garbage, holdings, revisions, tombstones, versions
from mainstay.grounding.config import BASE_NAME
from mainstay.grounding.contents import Contents
from mainstay.grounding.corrections import Embed
from mainstay.grounding.garbage import Collected
from mainstay.grounding.pinned import Pinned
from mainstay.grounding.port import Change, Meta, Slice, Version, Written
from mainstay.grounding.rows import Transactions
from mainstay.grounding.shelf import Draft
from mainstay.grounding.steps import Steps
from mainstay.grounding.versions import Cut

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["RowStore", "check_name"]

#: How long what was superseded can be asked for, and a swap be rolled back, by default: a week.
_WINDOW = 7 * 24 * 3600.0


def check_name(name: str) -> None:
    """See that a base can have this name.

    Raises:
        InvalidRequest: it cannot.
    """
    if not BASE_NAME.fullmatch(name):
        raise InvalidRequest(
            "A knowledge base is named with letters, digits, '-', '_' and '.', 64 at most: choose another name.",
            param="name",
        )


class RowStore(Contents, ABC):
    """One knowledge base; see :class:`mainstay.grounding.port.Store`. Everything blocks; safe to share by threads."""

    #: The address of the database that keeps it, "" for a file of its own. May hold a password.
    where = ""

    def __init__(self, connections: Transactions, name: str, first: Version, clock: Callable[[], int]) -> None:
        self.name = name
        self._connections = connections
        self._clock = clock
        self._steps = Steps(connections, clock)
        versions.ensure(self._steps, first)

    def shut(self) -> None:
        """Close what is open."""
        self._connections.shut()

    @abstractmethod
    def is_there(self) -> bool:
        """Whether what was opened is there still."""

    def on_change(self, told: Callable[[tuple[str, ...]], None]) -> Callable[[], None]:
        """Have ``told`` be called with the passages that a change of this process took out, before the change returns;
        in the thread that changes, so it should be quick and must not raise. Return what undoes this."""
        return self._steps.listen(told)

    # Questions

    @abstractmethod
    def pin(self, version: str = "", at: int = 0, *, label: str = "", seq: int = 0) -> Pinned:
        """Pin a version (the live one by default) as it is now, or as it was at wall-clock ms ``at``, at a label, or
        at a step. To be used as a context manager.

        Raises:
            NotFound: there is no such version, label or step, it did not exist then, or what it was has been collected.
        """

    # Documents

    def put(
        self,
        document: str,
        text: str,
        slices: Sequence[Slice],
        meta: Meta,
        change: Change,
        vectors: "NDArray[np.float32] | None" = None,
        version: str = "",
    ) -> Written:
        """Add a document, or make ``text`` its next revision in a version. Slices that were retracted are left out.
        Without ``vectors`` a passage is found by its words only, until :meth:`fill`, unless one of the same words in
        the same place had a vector.

        Raises:
            Conflict: these bytes or this document were retracted.
            InvalidRequest: a slice is not within the text, or the vectors do not fit.
        """
        (written,) = self._put_all((Draft(document, text, slices, meta, vectors),), change, version)
        if isinstance(written, MainstayError):
            raise written
        return written

    def put_all(self, drafts: Sequence[Draft], change: Change, version: str = "") -> "Sequence[Written | None]":
        """Put documents in one transaction; None stands for one that was retracted, which is left out."""
        found = self._put_all(drafts, change, version)
        return [None if isinstance(one, MainstayError) else one for one in found]

    def _put_all(self, drafts: Sequence[Draft], change: Change, version: str) -> list[Written | MainstayError]:
        with self._steps.step("put", change) as step:
            return revisions.put_all(step, drafts, version)

    def close(self, document: str, change: Change, version: str = "") -> Written:
        """End a document that its source has no more; unlike what is retracted it may come back.

        Raises:
            NotFound: there is none of that name.
        """
        with self._steps.step("close", change) as step:
            return holdings.close(step, document, version)

    def fill(self, passages: Sequence[str], vectors: "NDArray[np.float32]", version: str = "") -> int:
        """Give passages the vectors they lacked; return how many took one. No step: nothing changed that is said."""
        with self._connections.write() as db:
            return revisions.fill(db, passages, vectors, version)

    def correct(
        self,
        text: str,
        change: Change,
        *,
        passage: str = "",
        document: str = "",
        start: int = 0,
        end: int = 0,
        expect: int = 0,
        version: str = "",
        embed: Embed | None = None,
    ) -> Written:
        """Put ``text`` in the place of a passage, or of ``[start:end]`` of a document, in one transaction; the other
        passages stay what they are. ``embed`` returns the vectors of the new ones: ``embed(meta, slices, texts)``.
        ``expect`` is the revision that was looked at; 0 for whatever there is.

        Raises:
            NotFound: there is no such passage or document alive.
            Conflict: the document has changed since, or was retracted.
        """
        return corrections.correct(
            self._steps, text, change, passage, document, start, end, expect=expect, version=version, embed=embed
        )

    def correct_fact(
        self,
        fact: str,
        text: str,
        change: Change,
        *,
        document: str = "",
        passage: str = "",
        version: str = "",
        embed: Embed | None = None,
    ) -> Written:
        """Put ``text`` wherever ``fact`` stands (whatever its case and blanks), in all documents or one, or in one
        passage, in one transaction.

        Raises:
            NotFound: it stands nowhere.
        """
        return corrections.correct_fact(
            self._steps, fact, text, change, document, passage, version=version, embed=embed
        )

    # What is taken out

    def retract(
        self, change: Change, *, document: str = "", passage: str = "", fact: str = "", erase: bool = False
    ) -> Written:
        """Take out a document, a passage, or every passage that says ``fact``, of every version and for good; with
        ``erase`` blank the words, too (in the log of an SQLite file as well, once nobody reads what was). Passages that
        overlap what is retracted go with it, and so do documents of the same words. A passage is known again by all its
        words.

        Raises:
            NotFound: there is nothing of that name, or nothing says so.
        """
        return tombstones.take_out(self._steps, change, document, passage, fact, erase=erase)

    def unretract(self, change: Change, *, document: str = "", passage: str = "", tombstone: int = 0) -> Written:
        """Let in again what was retracted; what the change closed is alive again, where nothing else took its place and
        its words were not erased.

        Raises:
            NotFound: nothing of that name was retracted.
        """
        with self._steps.step("unretract", change) as step:
            return tombstones.unretract(step, document, passage, tombstone)

    # Versions

    def create(
        self,
        name: str,
        change: Change,
        *,
        embedder: str = "",
        dimensions: int = 0,
        chunker: str = "",
        dense: float = 0.6,
        parent: str = "",
    ) -> Version:
        """Begin a version beside the live one. With a ``parent`` all its documents are :meth:`pending`; without one it
        starts empty.

        Raises:
            Conflict: there is one of this name.
        """
        made = Version(name, embedder, dimensions, chunker, dense, parent)
        with self._steps.step("create", change) as step:
            return versions.create(step, made)

    def weigh(self, name: str, dense: float, change: Change) -> None:
        """Give a version (the live one: "") another weight of meaning against words."""
        with self._steps.step("weigh", change) as step:
            versions.weigh(step, name, dense)

    def ready(self, name: str, change: Change) -> None:
        """Say that a version is built.

        Raises:
            Conflict: documents are pending.
        """
        with self._steps.step("ready", change) as step:
            versions.ready(step, name)

    def settle(self, name: str, documents: Sequence[str], change: Change) -> None:
        """Say that documents are meant to differ from the live version."""
        with self._steps.step("settle", change) as step:
            versions.settle(step, name, documents)

    def replay(self, name: str, change: Change, cut: Cut | None = None, most: int = 64) -> int:
        """Bring up to ``most`` pending documents into a version as the live one has them; return how many are left.
        ``cut(document, text, meta)`` returns slices and vectors; without one they are as in the live version.

        Raises:
            Conflict: without ``cut``, the version has another embedder or chunker.
        """
        return versions.replay(self._steps, name, change, cut, most)

    def swap(self, name: str, change: Change, *, expect: str = "") -> Written:
        """Make a version the live one, in one step. ``expect`` is the version that should be live until then.

        Raises:
            NotFound: there is no such version.
            Conflict: documents are pending, or another version is live than ``expect``.
        """
        with self._steps.step("swap", change) as step:
            return versions.swap(step, name, expect)

    def rollback(self, change: Change, *, expect: str = "", keep: bool = True) -> Written:
        """Make the version live again that was before the last swap. What was retracted stays out; what was edited
        since stays edited, unless ``keep`` is false: then it is as it was left.

        Raises:
            Conflict: there is none before, or another version is live than ``expect``.
        """
        with self._steps.step("rollback", change) as step:
            return versions.rollback(step, expect, keep=keep)

    def label(self, name: str, change: Change, *, seq: int = 0) -> int:
        """Name a step (the newest by default), so that it can be asked for and is not collected. Return the step."""
        with self._steps.step("label", change) as step:
            return versions.label(step, name, seq)

    def unlabel(self, name: str, change: Change) -> None:
        """Forget a label."""
        with self._steps.step("unlabel", change) as step:
            versions.unlabel(step, name)

    def lease(self, pin: Pin, seconds: float) -> str:
        """Keep what a pin sees from being collected for some seconds; return the name of the lease."""
        with self._connections.write() as db:
            return versions.lease(db, pin, self._clock() + int(seconds * 1000))

    def release(self, lease: str) -> None:
        """Give up a lease."""
        with self._connections.write() as db:
            db.execute("DELETE FROM leases WHERE id = ?", (lease,)).close()

    # Upkeep

    def collect(self, change: Change, window: float = _WINDOW) -> Collected:
        """Remove what neither a label, a lease, nor a question within ``window`` seconds ago needs."""
        return garbage.collect(self._connections, self._steps, change, window)

    def export(self, file: Path) -> int:
        """Write the base to a file: its versions, documents, vectors, labels of what was retracted, and changes. Return
        its bytes."""
        return archive.export(self._connections, self.name, file)

    def import_(self, file: Path, change: Change) -> Written:
        """Read an archive into this base: its live version becomes the live one here. What was retracted here or there
        stays out.

        Raises:
            InvalidRequest: it is not an archive, or was changed since it was written.
            Conflict: this base has documents.
        """
        return archive.import_(self._steps, file, change)
