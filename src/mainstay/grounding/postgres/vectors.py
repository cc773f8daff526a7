"""Vectors of passages in PostgreSQL: statements of pgvector, over all that may be seen or by an index.

An index (HNSW) is of one embedder and its dimensions: the column holds vectors of every one. Does not know what is
alive.
"""

import hashlib
from typing import TYPE_CHECKING, Final

from mainstay.grounding.rows import Packed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["MOST_DIMENSIONS", "as_kept", "exact", "first", "index", "nearest"]

#: The longest vector that an index of pgvector takes.
MOST_DIMENSIONS: Final = 2000


def as_kept(vector: "NDArray[np.float32]") -> Packed:
    """Return a vector as it is kept."""
    import numpy as np

    return Packed(np.ascontiguousarray(vector, "<f4").tobytes())


def first(where: str) -> str:
    """Return the statement that finds the ``most`` passages of ``where`` (places ``p``) nearest to ``vector``, of an
    ``embedder``, if they are among the ``many`` nearest of all: what may be seen is looked up for these only. It finds
    fewer where they are not."""
    return (
        "SELECT b.passage, -b.d FROM (SELECT passage, data <#> :vector AS d FROM vectors WHERE embedder = :embedder"  # noqa: S608  # placeholders only
        f" ORDER BY 2, 1 LIMIT :many) AS b, LATERAL (SELECT 1 FROM {where} WHERE p.passage = b.passage LIMIT 1) AS a"
        " ORDER BY b.d, b.passage LIMIT :most"
    )


def exact(where: str) -> str:
    """Return the statement that finds the same, wherever they are: all that may be seen are looked at."""
    return (
        f"WITH a AS MATERIALIZED (SELECT p.passage FROM {where}),"  # noqa: S608  # placeholders only
        " b AS MATERIALIZED (SELECT passage, data <#> :vector AS d FROM vectors WHERE embedder = :embedder)"
        " SELECT b.passage, -b.d FROM a JOIN b USING (passage) ORDER BY b.d, b.passage LIMIT :most"
    )


def nearest(where: str, embedder: str, dimensions: int) -> str:
    """Return the statement that finds about the same by the index of an embedder."""
    data = f"x.data::vector({dimensions:d})"
    return (
        f"SELECT x.passage, -({data} <#> :vector) FROM vectors x WHERE x.embedder = {_text(embedder)}"  # noqa: S608  # quoted names only
        f" AND EXISTS (SELECT 1 FROM {where} WHERE p.passage = x.passage) ORDER BY {data} <#> :vector LIMIT :most"
    )


def index(embedder: str, dimensions: int) -> str:
    """Return the statement that makes the index of an embedder, unless it is there."""
    name = hashlib.sha256(f"{embedder}\0{dimensions}".encode()).hexdigest()[:16]
    return (
        f"CREATE INDEX IF NOT EXISTS vectors_{name} ON vectors USING hnsw"
        f" ((data::vector({dimensions:d})) vector_ip_ops) WHERE embedder = {_text(embedder)}"
    )


def _text(value: str) -> str:
    # As a constant: an index of some rows is used only where the statement itself says which.
    return "'" + value.replace("'", "''") + "'"
