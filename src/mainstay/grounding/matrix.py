"""Vectors of a knowledge base in memory: one matrix for each embedder, brought up to date before each use.

A cache of rows, never of what is alive: whoever finds a row here reads it again at its pin. Rows are only added, and
the whole is read anew when some were removed. numpy is needed from here on, and only here.
"""

import threading
from typing import TYPE_CHECKING

from mainstay.core.errors import Unavailable
from mainstay.grounding.rows import Rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Matrices", "Matrix"]

_AT_ONCE = 4096


class Matrix:
    """Vectors of one embedder: ``data[i]`` (float32, of length 1) is of the passage ``rows[i]``. Both are as they were
    at the read; what is added later is not seen through them."""

    __slots__ = ("_where", "data", "rows")

    def __init__(self, data: "NDArray[np.float32]", rows: "NDArray[np.int64]", where: dict[int, int]) -> None:
        self.data = data
        self.rows = rows
        self._where = where

    def place(self, row: int) -> int | None:
        """Return the index of a passage, None where it has no vector."""
        found = self._where.get(row)
        return None if found is None or found >= len(self.rows) else found


class Matrices:
    """The matrices of one base, shared by its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, _Growing] = {}

    def at(self, db: Rows, embedder: str, dimensions: int) -> Matrix:
        """Return the vectors that the transaction of ``db`` sees, and perhaps some that were added since.

        Raises:
            Unavailable: numpy is not installed.
        """
        try:
            import numpy  # noqa: F401  # a base install goes without
        except ImportError:
            raise Unavailable(
                "Searching by meaning needs numpy: install mainstay with the extra 'knowledge'."
            ) from None
        ((uuid, generation),) = db.execute("SELECT uuid, generation FROM base").fetchall()
        with self._lock:
            kept = self._kept.get(embedder)
            if kept is None or not kept.fits(uuid, generation, dimensions):
                kept = _Growing(uuid, generation, dimensions)
                kept.catch_up(db, embedder)
                if not self._newer(embedder, uuid, generation):
                    self._kept[embedder] = kept
            else:
                kept.catch_up(db, embedder)
            return kept.view()

    def _newer(self, embedder: str, uuid: str, generation: int) -> bool:
        # A reader pinned before a removal must not put its own rows in the place of what later readers keep.
        kept = self._kept.get(embedder)
        return kept is not None and kept.uuid == uuid and kept.generation > generation


class _Growing:
    """A matrix with room at its end."""

    def __init__(self, uuid: str, generation: int, dimensions: int) -> None:
        import numpy as np

        self.uuid = uuid
        self.generation = generation
        self._dimensions = dimensions
        self._data: NDArray[np.float32] = np.empty((0, dimensions), np.float32)
        self._rows: NDArray[np.int64] = np.empty(0, np.int64)
        self._where: dict[int, int] = {}
        self._size = 0
        self._last = 0

    def fits(self, uuid: str, generation: int, dimensions: int) -> bool:
        return (self.uuid, self.generation, self._dimensions) == (uuid, generation, dimensions)

    def catch_up(self, db: Rows, embedder: str) -> None:
        import numpy as np

        ((newest,),) = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'vectors'").fetchall() or [(0,)]
        if newest <= self._last:
            return
        found = db.execute(
            "SELECT id, passage, data FROM vectors WHERE id > ? AND embedder = ? ORDER BY id", (self._last, embedder)
        )
        while part := found.fetchmany(_AT_ONCE):
            self._reserve(self._size + len(part))
            ends = self._size + len(part)
            raw = np.frombuffer(b"".join(data for _, _, data in part), "<f4")
            self._data[self._size : ends] = raw.reshape(len(part), self._dimensions)
            self._rows[self._size : ends] = [passage for _, passage, _ in part]
            for index, (_, passage, _) in enumerate(part, self._size):
                self._where[passage] = index
            self._size = ends
        self._last = newest

    def view(self) -> Matrix:
        return Matrix(self._data[: self._size], self._rows[: self._size], self._where)

    def _reserve(self, size: int) -> None:
        import numpy as np

        if size <= len(self._data):
            return
        room = max(size, len(self._data) * 3 // 2, 64)
        # Views that others hold go on with what they have.
        data = np.empty((room, self._dimensions), np.float32)
        data[: self._size] = self._data[: self._size]
        rows = np.empty(room, np.int64)
        rows[: self._size] = self._rows[: self._size]
        self._data, self._rows = data, rows
