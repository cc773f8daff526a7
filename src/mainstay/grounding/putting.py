"""Documents that were read, on their way into a store: flagged, embedded and put, many in one transaction.

What is embedded is what the store does not have yet. Blocks; does not know where documents come from.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from mainstay.core.errors import InvalidRequest
from mainstay.grounding.chunks import embedded, sizes_of
from mainstay.grounding.documents import Document
from mainstay.grounding.duplicates import NEAR_DUPLICATE, Duplicates
from mainstay.grounding.port import Change, Embedder, Slice
from mainstay.grounding.reports import Report, Tools
from mainstay.grounding.shelf import Draft, Shelf

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Putting"]

#: Documents, and characters of them, that are put in one transaction: a cut-off run loses no more.
_DOCUMENTS: Final = 64
_CHARACTERS: Final = 1_000_000
_INJECTION: Final = "injection"


class Putting:
    """What one run works with, what waits to be put, and what it came to.

    Raises:
        InvalidRequest: the embedder is not the version's.
        NotFound: there is no such version.
    """

    def __init__(self, shelf: Shelf, tools: Tools, change: Change, version: str) -> None:
        with shelf.pin(version) as pinned:
            built = pinned.version
        if built.embedder and (tools.embedder is None or tools.embedder.name != built.embedder):
            raise InvalidRequest(
                f"Version '{built.name}' was built with another embedder; build a new version to change it."
            )
        self.shelf, self.tools, self.change, self.version = shelf, tools, change, version
        self.sizes = sizes_of(built.chunker) or tools.sizes
        self.report = Report()
        self.known = shelf.documents(version)
        self._embedder = tools.embedder if built.embedder else None
        self._duplicates = Duplicates(shelf, self.known, version)
        self._drafts: list[Draft] = []
        self._waiting = 0

    @property
    def is_waiting(self) -> bool:
        """Whether anything waits to be put."""
        return bool(self._drafts)

    def add(self, document: str, read: Document, *, near: bool = True) -> None:
        """Have a document put, with the next batch; ``near``: compare its passages with others."""
        self._duplicates.begin(document)
        slices = []
        for one in read.slices:
            flags = self._flags(document, read.text[one.start : one.end], near=near)
            slices.append(msgspec.structs.replace(one, flags=flags) if flags else one)
        self._drafts.append(Draft(document, read.text, slices, read.meta))
        self._waiting += len(read.text)
        if len(self._drafts) >= _DOCUMENTS or self._waiting >= _CHARACTERS:
            self.flush()

    def _flags(self, document: str, text: str, *, near: bool) -> tuple[str, ...]:
        found = []
        if self.tools.suspect is not None and self.tools.suspect(text):
            found.append(_INJECTION)
        if near and self._duplicates.check(document, text):
            found.append(NEAR_DUPLICATE)
        return tuple(found)

    def flush(self) -> None:
        """Put what waits, in one transaction."""
        drafts, self._drafts, self._waiting = self._drafts, [], 0
        if not drafts:
            return
        if self._embedder is not None:
            drafts = self._embed(drafts, self._embedder)
        for draft, written in zip(drafts, self.shelf.put_all(drafts, self.change, self.version), strict=True):
            if written is None:
                self.report.refused += 1
                continue
            if draft.document in self.known:
                self.report.changed += 1
            else:
                self.report.added += 1
            self.report.passages += len(draft.slices)
            for flag in (flag for one in draft.slices for flag in one.flags):
                self.report.flags[flag] = self.report.flags.get(flag, 0) + 1

    def _embed(self, drafts: Sequence[Draft], embedder: Embedder) -> list[Draft]:
        """Return drafts with the vectors of what the base does not have yet; rows of zeros stand for the rest."""
        import numpy as np

        texts: list[str] = []
        places: list[tuple[int, int]] = []
        rows: list[NDArray[np.float32]] = []
        for number, draft in enumerate(drafts):
            rows.append(np.zeros((len(draft.slices), embedder.dimensions), np.float32))
            for place in self.shelf.wanting(draft.document, draft.text, draft.slices, draft.meta, self.version):
                one: Slice = draft.slices[place]
                texts.append(embedded(draft.meta.title, one.heading, draft.text[one.start : one.end]))
                places.append((number, place))
        if texts:
            for (number, place), vector in zip(places, embedder.embed(texts, "passage"), strict=True):
                rows[number][place] = vector
        return [msgspec.structs.replace(draft, vectors=row) for draft, row in zip(drafts, rows, strict=True)]
