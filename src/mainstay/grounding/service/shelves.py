"""The bases of one home as files that are opened when they are asked for, and what everything that is done with them
needs: the rows of the configuration, what reads and embeds, who does it, and who is told.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self

from mainstay.core.audit import Details
from mainstay.core.errors import InvalidRequest
from mainstay.grounding.chunks import Sizes
from mainstay.grounding.config import KnowledgeConfig
from mainstay.grounding.fusion import usual_weight
from mainstay.grounding.opening import Bases
from mainstay.grounding.port import Change, Embedder, Version, Written
from mainstay.grounding.reports import Tools
from mainstay.grounding.search import Manner
from mainstay.grounding.service.states import embed_with
from mainstay.grounding.store import RowStore

if TYPE_CHECKING:
    from mainstay.grounding.corrections import Embed

__all__ = ["PASSAGE", "Forget", "Kit", "Note", "Shelves", "sizes_of_row"]

#: Told of each change: what was done, to what, and ids and counts that belong to it.
Note = Callable[[str, str, Details], None]
#: Drops the kept answers that rest on passages of a base.
Forget = Callable[[str, Sequence[str]], None]

#: How passages are named.
PASSAGE: Final = re.compile(r"p[0-9a-f]{24}(-\d+)?")
_FIRST = "main"


class Kit(Protocol):
    """What knowledge is read, embedded and searched with, for a row of the configuration."""

    def wanted(self, row: KnowledgeConfig) -> Embedder | None:
        """Return the embedder that a new version is made with, None to search by words only.

        Raises:
            Unavailable: it is not installed.
        """
        ...

    def embedder(self, row: KnowledgeConfig, version: Version) -> Embedder | None:
        """Return the embedder that a version was made with.

        Raises:
            Unavailable: it is not installed, or not configured any more.
        """
        ...

    def manner(self, row: KnowledgeConfig) -> Manner:
        """Return how a base is searched."""
        ...

    def tools(self, row: KnowledgeConfig, embedder: Embedder | None, networks: Sequence[str] = ()) -> Tools:
        """Return what documents are read with; ``networks`` are internal ones that may be fetched from."""
        ...


class Shelves:
    """The bases of one home.

    Args:
        home: the folder Mainstay writes to.
        rows: the configuration of bases, by name; one without a row is as the defaults are.
        kit: what is read, embedded and searched with.
        who: who makes changes, as the audit log has it.
        note: told of each change after it was made.
        forget: drops kept answers, before a change returns.
    """

    def __init__(
        self,
        home: Path,
        rows: Mapping[str, KnowledgeConfig],
        kit: Kit,
        who: str = "",
        note: Note | None = None,
        forget: Forget | None = None,
    ) -> None:
        self._rows = rows
        self._bases = Bases(home / "knowledge", lambda base: self._row(base).store)
        self._kit = kit
        self._who = who
        self._note = note
        self._forget = forget
        self._open: dict[str, RowStore] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close every base."""
        self.close()

    def close(self) -> None:
        """Close every base."""
        while self._open:
            self._open.popitem()[1].shut()

    def names(self) -> list[str]:
        """Return the bases that there are, sorted."""
        return self._bases.names(self._rows)

    def _row(self, base: str) -> KnowledgeConfig:
        return self._rows.get(base) or KnowledgeConfig()

    def _store(self, base: str, *, make: bool = False) -> RowStore:
        found = self._open.get(base)
        if found is None:
            first = self._first(base) if make and base not in self.names() else None
            found = self._open[base] = self._bases.open(base, first=first, make=make)
            if (forget := self._forget) is not None:
                found.on_change(lambda passages: forget(base, passages) if passages else None)
        return found

    def _first(self, base: str) -> Version:
        row = self._row(base)
        embedder = self._kit.wanted(row)
        name, length = (embedder.name, embedder.dimensions) if embedder is not None else ("", 0)
        return Version(_FIRST, name, length, sizes_of_row(row).name, usual_weight(name))

    def _filling(self, base: str, version: str, networks: Sequence[str] = ()) -> tuple[RowStore, Tools]:
        """Return the store, made if need be, and what its version is filled with."""
        store, row = self._store(base, make=True), self._row(base)
        found = self._version(store, version)
        return store, self._kit.tools(row, self._kit.embedder(row, found), networks)

    def _embed(self, base: str, store: RowStore, version: str) -> "Embed | None":
        return embed_with(self._kit.embedder(self._row(base), self._version(store, version)))

    def _version(self, store: RowStore, version: str) -> Version:
        with store.pin(version) as snapshot:
            return snapshot.version

    def _change(self, why: str) -> Change:
        if not why.strip():
            raise InvalidRequest("Say why; it is kept with the change.", param="why")
        return Change(self._who, why.strip())

    def _wrote(self, action: str, base: str, written: Written, version: str = "") -> Written:
        counts = {"step": written.seq, "closed": len(written.closed), "opened": len(written.opened)}
        self._tell(action, base, {**counts, "version": version})
        return written

    def _tell(self, action: str, base: str, details: Details) -> None:
        if self._note is not None:
            self._note(action, f"knowledge:{base}", {name: value for name, value in details.items() if value != ""})


def sizes_of_row(row: KnowledgeConfig) -> Sizes:
    """Return how long passages are."""
    return Sizes(row.chunk.characters, row.chunk.least)
