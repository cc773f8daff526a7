"""The store of a knowledge base in PostgreSQL with pgvector: any number of machines, one schema for each base.

Stands behind ``grounding.store.RowStore``: what is left to do here is to open the schema, to pin, and to keep indexes
of vectors where they are wanted.
"""

import contextlib
from collections.abc import Callable
from typing import Literal

from mainstay.core.clock import wall_ms
from mainstay.core.errors import StartError
from mainstay.grounding.port import Change, Version
from mainstay.grounding.postgres import schema
from mainstay.grounding.postgres.connections import Connections
from mainstay.grounding.postgres.snapshot import PostgresSnapshot
from mainstay.grounding.postgres.vectors import MOST_DIMENSIONS, index
from mainstay.grounding.postgres.words import Stems
from mainstay.grounding.store import RowStore

__all__ = ["PostgresStore", "open_store"]

#: The pgvector whose indexes go on until enough is found that may be seen.
_ITERATIVE = (0, 8)


def open_store(
    url: str,
    name: str,
    *,
    first: Version | None = None,
    make: bool = True,
    vectors: Literal["exact", "hnsw"] = "exact",
    clock: Callable[[], int] = wall_ms,
) -> "PostgresStore":
    """Open the base ``name`` in the database at ``url``, made with ``first`` as its live version (``main``, words only,
    when not given) unless it is there. ``clock`` gives wall-clock ms. Blocks.

    Raises:
        InvalidRequest: it cannot have this name.
        NotFound: it is not there, and ``make`` is false.
        StartError: the driver or the extension ``vector`` is missing, or it may not be made.
        Unavailable: the database cannot be reached.
    """
    place = schema.open_place(url, name, make=make)
    if vectors == "hnsw" and tuple(map(int, place.version.split(".")[:2])) < _ITERATIVE:
        raise StartError(
            f"The index of vectors of '{name}' needs pgvector 0.8: install it and have an administrator run ALTER"
            " EXTENSION vector UPDATE, or take 'vectors: exact'."
        )
    connections = Connections(url, name, place.schema, place.path, place.vector)
    with contextlib.ExitStack() as undo:
        undo.callback(connections.shut)
        store = PostgresStore(connections, url, name, first or Version("main"), clock, near=vectors == "hnsw")
        undo.pop_all()
    return store


class PostgresStore(RowStore):
    """One knowledge base in PostgreSQL; see :class:`mainstay.grounding.store.RowStore`.

    Args:
        near: whether vectors are found by an index, which may miss some; else all that may be seen are looked at.
    """

    def __init__(
        self, connections: Connections, url: str, name: str, first: Version, clock: Callable[[], int], *, near: bool
    ) -> None:
        self._server = connections
        self.where = url
        self._stems = Stems()
        self._near = near
        super().__init__(connections, name, first, clock)
        if near:
            for version in self.versions():
                self._index(version)

    def is_there(self) -> bool:
        """Whether the schema is there still, as far as the next question will tell."""
        return True

    def pin(self, version: str = "", at: int = 0, *, label: str = "", seq: int = 0) -> PostgresSnapshot:
        """Pin a state; see :meth:`mainstay.grounding.store.RowStore.pin`."""
        what = (version, at, label, seq)
        return PostgresSnapshot(self._server, self.name, self._clock, what, self._stems, near=self._near)

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
        """Begin a version; see :meth:`mainstay.grounding.store.RowStore.create`."""
        made = super().create(
            name, change, embedder=embedder, dimensions=dimensions, chunker=chunker, dense=dense, parent=parent
        )
        if self._near:
            self._index(made)
        return made

    def _index(self, version: Version) -> None:
        # Empty, or nearly, when it is made; later ones wait until all that is there is in it.
        if version.embedder and version.dimensions <= MOST_DIMENSIONS:
            with self._server.write() as db:
                db.execute(index(version.embedder, version.dimensions)).close()
