"""One pinned state of a knowledge base, as a transaction that reads: what is alive at the pin, and may be seen.

What every store's snapshot shares: the pin, the gate, and what stands around a passage. How candidates are found, by
words and by meaning, is each store's own.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from mainstay.core.errors import InvalidRequest, NotFound
from mainstay.core.sources import Pin, Source
from mainstay.grounding.masks import mask
from mainstay.grounding.port import Access, Hit, Meta
from mainstay.grounding.rows import Rows, Transactions, many
from mainstay.grounding.steps import Row, find
from mainstay.grounding.windows import stretch, window

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Pinned", "resolve"]

_HEADINGS = msgspec.json.Decoder(tuple[str, ...])
_META = msgspec.json.Decoder(Meta)


def resolve(db: Rows, base: str, version: str = "", at: int = 0, label: str = "", seq: int = 0) -> tuple[Pin, Row]:
    """Return the pin of a version (the live one by default) now, at a wall-clock ms, a label, or a step.

    Raises:
        NotFound: there is none such, it did not exist then, or what it was has been collected.
    """
    ((newest, collected),) = db.execute("SELECT seq, collected FROM base").fetchall()
    kept = False
    if label:
        found = db.execute("SELECT seq FROM labels WHERE name = ?", (label,)).fetchall()
        if not found:
            raise NotFound(f"There is no label '{label}' of this knowledge base.")
        seq, kept = found[0][0], True
    elif at:
        found = db.execute("SELECT max(seq) FROM commits WHERE at <= ?", (at,)).fetchall()
        seq = found[0][0] or 0
        if not seq:
            raise NotFound("The knowledge base did not exist at that time.")
    elif not seq:
        seq = newest
    if not 0 < seq <= newest:
        raise NotFound(f"There is no step {seq} of this knowledge base.")
    if seq < collected and not kept and not _leased(db, seq):
        raise NotFound("What the knowledge base was then has been collected: ask for a later time, or a label.")
    if version:
        row = find(db, version)
        ((born,),) = db.execute("SELECT born FROM versions WHERE id = ?", (row.id,)).fetchall()
    else:
        found = db.execute("SELECT version FROM heads WHERE seq <= ? ORDER BY seq DESC LIMIT 1", (seq,)).fetchall()
        names = db.execute("SELECT name, born FROM versions WHERE id = ?", found[0] if found else (0,)).fetchall()
        if not names:
            raise NotFound("The version that was live then has been collected.")
        row, born = find(db, names[0][0]), names[0][1]
    if seq < born:
        raise NotFound(f"The version '{row.version.name}' did not exist at that time.")
    return Pin(base, row.version.name, seq), row


def _leased(db: Rows, seq: int) -> bool:
    marks = "SELECT 1 FROM labels WHERE seq = ?1 UNION SELECT 1 FROM leases WHERE seq = ?1"
    return bool(db.execute(marks, (seq,)).fetchall())


class Pinned(ABC):
    """A pin and what is alive at it. Used as a context manager, by one thread at a time.

    Args:
        connections: of the base.
        base: its name.
        clock: gives wall-clock ms.
        what: the version, the wall-clock ms, the label and the step that are asked for.
    """

    def __init__(
        self, connections: Transactions, base: str, clock: Callable[[], int], what: tuple[str, int, str, int]
    ) -> None:
        self._connections = connections
        with ExitStack() as opening:
            self._db = opening.enter_context(connections.read())
            self.pin, row = resolve(self._db, base, *what)
            self._open = opening.pop_all()
        self.version = row.version
        self._row = row.id
        # What was in time then is asked for as it was then.
        self._now = what[1] or clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Let go of the pin."""
        self._open.close()

    @abstractmethod
    def lexical(self, terms: Sequence[str], access: Access, most: int) -> Sequence[Hit]:
        """Return the best passages by BM25; see :class:`mainstay.grounding.port.Snapshot`."""

    @abstractmethod
    def dense(self, vector: "NDArray[np.float32]", access: Access, most: int) -> Sequence[Hit]:
        """Return the best passages by dot product; see :class:`mainstay.grounding.port.Snapshot`."""

    @abstractmethod
    def dots(self, vector: "NDArray[np.float32]", rows: Sequence[int]) -> Mapping[int, float]:
        """Return the dot products of passages with ``vector``, where they have one."""

    @abstractmethod
    def vectors(self, rows: Sequence[int]) -> "Mapping[int, NDArray[np.float32]]":
        """Return the vectors of passages, where they have one."""

    def read(self, rows: Sequence[int], access: Access) -> Mapping[int, Source]:
        """Return those that may be used, as sources; see :class:`mainstay.grounding.port.Snapshot`."""
        where, values = mask(self._row, self.pin.seq, self._now, access)
        with self._connections.guarded():
            found = self._db.execute(
                'SELECT p.passage, d.name, r.number, q.name, p."start", p."end", p.byte_start, p.byte_end, q.text,'  # noqa: S608  # the mask has placeholders only
                " q.sha256, p.page, q.heading, h.meta, h.expires, q.flags"
                f" FROM {where} JOIN revisions r ON r.id = p.revision JOIN documents d ON d.id = p.document"
                " WHERE p.passage IN (SELECT value FROM json_each(:rows))",
                values | {"rows": many(rows)},
            ).fetchall()
        return {row[0]: self._source(row) for row in found}

    def near(self, row: int, reach: int) -> Sequence[int]:
        """Return the passages about one in its document; see :class:`mainstay.grounding.port.Snapshot`."""
        with self._connections.guarded():
            found = self._db.execute(
                "SELECT p.passage FROM places o JOIN places p ON p.version = o.version AND p.document = o.document"
                " AND p.lo <= ?3 AND p.hi > ?3 WHERE o.passage = ?1 AND o.version = ?2 AND o.lo <= ?3 AND o.hi > ?3"
                ' ORDER BY p."start", p."end"',
                (row, self._row, self.pin.seq),
            ).fetchall()
        rows = [one for (one,) in found]
        at = rows.index(row) if row in rows else 0
        return rows[max(0, at - reach) : at + reach + 1]

    def around(self, row: int, characters: int) -> tuple[int, int]:
        """Return the offsets of a window around a passage in its revision, within the paragraphs about it. It reaches
        over nothing that was retracted, nor over a passage with a flag that this one does not have.

        Raises:
            NotFound: it is not alive at the pin.
        """
        with self._connections.guarded():
            return window(self._db, self._row, self.pin.seq, row, characters)

    def text(self, document: str, revision: int, start: int, end: int) -> str:
        """Return ``[start:end]`` of a revision: what a window holds.

        Raises:
            NotFound: there is no such revision.
        """
        with self._connections.guarded():
            return stretch(self._db, document, revision, start, end)

    def _source(self, row: Any) -> Source:
        told = _META.decode(row[12])
        return Source(
            self.pin, row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8], row[9], row[10],
            _HEADINGS.decode(row[11]), told.title, told.uri, told.dated, told.read_at, row[13],
            _HEADINGS.decode(row[14]),
        )  # fmt: skip

    def _fits(self, vector: "NDArray[np.float32] | None") -> bool:
        """Whether the version has vectors, and this is one of them.

        Raises:
            InvalidRequest: it is one of another model.
        """
        version = self.version
        if version.embedder and vector is not None and len(vector) != version.dimensions:
            raise InvalidRequest(
                f"The vector has {len(vector)} dimensions, and those of this version {version.dimensions}: embed the"
                f" question with '{version.embedder}'."
            )
        return bool(version.embedder)
