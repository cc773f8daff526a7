"""One pinned state of a knowledge base in PostgreSQL, as a transaction that reads.

Words by ``tsvector`` and BM25, meaning by pgvector; both with what may be seen as a part of the statement, so that what
may not be neither shows nor takes a place. Stands behind ``port.Snapshot``.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from mainstay.grounding.masks import mask
from mainstay.grounding.pinned import Pinned
from mainstay.grounding.port import Access, Hit
from mainstay.grounding.postgres.connections import Connections
from mainstay.grounding.postgres.vectors import as_kept, exact, first, nearest
from mainstay.grounding.postgres.words import STATISTICS, Stems, found
from mainstay.grounding.rows import many

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["PostgresSnapshot"]

#: How many are looked at more closely, of those that are wanted, and at least.
_CLOSELY, _LEAST = 2, 200
#: How many of the nearest are looked at before all that may be seen are.
_FIRST = 1000


class PostgresSnapshot(Pinned):
    """A pin and what can be asked at it; see :class:`mainstay.grounding.pinned.Pinned`."""

    def __init__(
        self,
        connections: Connections,
        base: str,
        clock: Callable[[], int],
        what: tuple[str, int, str, int],
        stems: Stems,
        *,
        near: bool,
    ) -> None:
        super().__init__(connections, base, clock, what)
        self._stems = stems
        self._near = near

    def lexical(self, terms: Sequence[str], access: Access, most: int) -> Sequence[Hit]:
        """Return the best passages by BM25; see :class:`mainstay.grounding.port.Snapshot`."""
        if most <= 0:
            return ()
        with self._connections.guarded():
            queries = self._stems.queries(self._db, terms)
            ((passages, length),) = self._db.execute(STATISTICS).fetchall()
            if not queries or not passages:
                return ()
            where, values = mask(self._row, self.pin.seq, self._now, access, bare=True)
            values |= {"queries": queries, "all": float(passages), "mean": max(1.0, length / passages)}
            values |= {"many": max(_CLOSELY * most, _LEAST), "most": most}
            return [Hit(row, score) for row, score in self._db.execute(found(where), values)]

    def dense(self, vector: "NDArray[np.float32]", access: Access, most: int) -> Sequence[Hit]:
        """Return the best passages by dot product; see :class:`mainstay.grounding.port.Snapshot`."""
        if not self._fits(vector) or most <= 0:
            return ()
        where, values = mask(self._row, self.pin.seq, self._now, access, bare=True)
        values |= {"vector": as_kept(vector), "embedder": self.version.embedder, "most": most}
        with self._connections.guarded():
            hits = self._nearest(where, values, most) if self._near else self._first(where, values, most)
            # An index gives up after so many, and few may be allowed: then all of these are looked at.
            return hits if len(hits) >= most else self._hits(exact(where), values)

    def dots(self, vector: "NDArray[np.float32]", rows: Sequence[int]) -> Mapping[int, float]:
        """Return the dot products of passages with ``vector``, where they have one."""
        if not self._fits(vector) or not len(rows):
            return {}
        asked = (as_kept(vector), self.version.embedder, many(rows))
        with self._connections.guarded():
            scores = dict(self._db.execute(_DOTS, asked).fetchall())
        return {row: scores[row] for row in rows if row in scores}

    def vectors(self, rows: Sequence[int]) -> "Mapping[int, NDArray[np.float32]]":
        """Return the vectors of passages, where they have one."""
        if not self._fits(None) or not len(rows):
            return {}
        import numpy as np

        with self._connections.guarded():
            kept = dict(self._db.execute(_VECTORS, (self.version.embedder, many(rows))).fetchall())
        return {row: np.frombuffer(kept[row], "<f4") for row in rows if row in kept}

    def _first(self, where: str, values: dict[str, Any], most: int) -> list[Hit]:
        return self._hits(first(where), values | {"many": max(_FIRST, 10 * most)})

    def _nearest(self, where: str, values: dict[str, Any], most: int) -> list[Hit]:
        self._db.execute(f"SET LOCAL hnsw.ef_search = {max(40, min(most, 1000))}").close()
        self._db.execute("SET LOCAL hnsw.iterative_scan = strict_order").close()
        return self._hits(nearest(where, self.version.embedder, self.version.dimensions), values)

    def _hits(self, statement: str, values: dict[str, Any]) -> list[Hit]:
        return [Hit(row, score) for row, score in self._db.execute(statement, values)]


_DOTS: Final = (
    "SELECT passage, -(data <#> ?) FROM vectors WHERE embedder = ? AND passage IN (SELECT value FROM json_each(?))"
)
_VECTORS: Final = "SELECT passage, data FROM vectors WHERE embedder = ? AND passage IN (SELECT value FROM json_each(?))"
