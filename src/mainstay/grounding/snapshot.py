"""One pinned state of a knowledge base, as a transaction that reads: words, vectors and rows agree.

Candidates of both kinds are asked for in the order of their scores, and those that are not alive at the pin, not
allowed, retracted or expired are dropped by the rows themselves before ``most`` is counted: what may not be seen
neither shows nor takes a place. Stands behind ``port.Snapshot``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from mainstay.grounding.masks import mask
from mainstay.grounding.matrix import Matrices, Matrix
from mainstay.grounding.pinned import Pinned
from mainstay.grounding.port import Access, Hit
from mainstay.grounding.rows import Result, many
from mainstay.grounding.tables import Connections
from mainstay.grounding.tantivy import Lexicons

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["SqliteSnapshot"]

#: Candidates that are looked at in one step, at least, and how many before all allowed rows are asked for at once.
_PART = 128
_PATIENT = 1024


class SqliteSnapshot(Pinned):
    """A pin and what can be asked at it. Used as a context manager, by one thread at a time."""

    def __init__(
        self,
        connections: Connections,
        base: str,
        matrices: Matrices,
        clock: Callable[[], int],
        what: tuple[str, int, str, int],
        lexicons: Lexicons | None = None,
    ) -> None:
        super().__init__(connections, base, clock, what)
        self._matrices = matrices
        self._lexicons = lexicons
        self._matrix: Matrix | None = None

    def lexical(self, terms: Sequence[str], access: Access, most: int) -> Sequence[Hit]:
        """Return the best passages by BM25; see :class:`mainstay.grounding.port.Snapshot`."""
        asked = " OR ".join(f'"{_quoted(term)}"' for term in dict.fromkeys(terms) if term.strip("\0 "))
        if not asked or most <= 0:
            return ()
        with self._connections.guarded():
            lexicon = self._lexicons.at(self._db) if self._lexicons is not None else None
            if lexicon is not None:
                return self._sifted(lexicon.search(terms, most), access, most)
            found = self._db.execute("SELECT rowid, -rank FROM words WHERE words MATCH ? ORDER BY rank", (asked,))
            try:
                return self._sifted(_parts(found, most), access, most)
            finally:
                found.close()

    def dense(self, vector: "NDArray[np.float32]", access: Access, most: int) -> Sequence[Hit]:
        """Return the best passages by dot product; see :class:`mainstay.grounding.port.Snapshot`."""
        with self._connections.guarded():
            matrix = self._vectors(vector)
            if matrix is None or most <= 0 or not len(matrix.rows):
                return ()
            import numpy as np

            # Not '@': its threads wait for each other, 50 times as long where all cores are busy.
            scores = np.einsum("ij,j->i", matrix.data, vector)
            return self._sifted(_nearest(matrix, scores, most), access, most)

    def dots(self, vector: "NDArray[np.float32]", rows: Sequence[int]) -> Mapping[int, float]:
        """Return the dot products of passages with ``vector``, where they have one."""
        with self._connections.guarded():
            matrix = self._vectors(vector)
        if matrix is None:
            return {}
        places = {row: place for row in rows if (place := matrix.place(row)) is not None}
        return dict(zip(places, (matrix.data[list(places.values())] @ vector).tolist(), strict=True))

    def vectors(self, rows: Sequence[int]) -> "Mapping[int, NDArray[np.float32]]":
        """Return the vectors of passages, where they have one."""
        with self._connections.guarded():
            matrix = self._vectors(None)
        if matrix is None:
            return {}
        return {row: matrix.data[place] for row in rows if (place := matrix.place(row)) is not None}

    def _vectors(self, vector: "NDArray[np.float32] | None") -> Matrix | None:
        if not self._fits(vector):
            return None
        if self._matrix is None:
            self._matrix = self._matrices.at(self._db, self.version.embedder, self.version.dimensions)
        return self._matrix

    def _sifted(self, parts: Iterable[Sequence[tuple[int, float]]], access: Access, most: int) -> list[Hit]:
        kept: list[Hit] = []
        looked = 0
        allowed: set[int] | None = None
        for part in parts:
            if looked >= _PATIENT and allowed is None:
                allowed = self._allowed(access, None)
            good = self._allowed(access, [row for row, _ in part]) if allowed is None else allowed
            kept.extend(Hit(row, score) for row, score in part if row in good)
            looked += len(part)
            if len(kept) >= most:
                break
        return kept[:most]

    def _allowed(self, access: Access, rows: Sequence[int] | None) -> set[int]:
        where, values = mask(self._row, self.pin.seq, self._now, access, bare=True)
        one_of = "" if rows is None else " WHERE p.passage IN (SELECT value FROM json_each(:rows))"
        values |= {} if rows is None else {"rows": many(rows)}
        return {row for (row,) in self._db.execute(f"SELECT p.passage FROM {where}{one_of}", values)}  # noqa: S608  # the mask has placeholders only


def _quoted(term: str) -> str:
    # Within quotes nothing is an operator; what cannot be text in SQLite is dropped.
    return term.replace("\0", "").encode("utf-8", "replace").decode().replace('"', '""')


def _parts(found: Result, most: int) -> Iterator[Sequence[tuple[int, float]]]:
    while part := found.fetchmany(max(2 * most, _PART)):
        yield part


def _nearest(matrix: Matrix, scores: "NDArray[np.float32]", most: int) -> Iterator[Sequence[tuple[int, float]]]:
    """Yield all passages, those with the largest scores first, without sorting more than is asked for."""
    import numpy as np

    total, ends = len(scores), max(2 * most, _PART)
    # Where scores are equal a larger part need not begin with the smaller one.
    given = np.zeros(total, np.bool_)
    while True:
        order = np.argpartition(-scores, ends - 1)[:ends] if ends < total else np.arange(total)
        order = order[~given[order]]
        order = order[np.lexsort((matrix.rows[order], -scores[order]))]
        given[order] = True
        yield list(zip(matrix.rows[order].tolist(), scores[order].tolist(), strict=True))
        if ends >= total:
            return
        ends *= 4
