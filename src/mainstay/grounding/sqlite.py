"""The embedded store of a knowledge base: one SQLite file, any number of threads and processes.

Stands behind ``store.RowStore``: what is left to do here is to open the file, and to pin.
"""

from collections.abc import Callable
from pathlib import Path

from mainstay.core.clock import wall_ms
from mainstay.core.errors import NotFound
from mainstay.grounding.config import BASE_NAME
from mainstay.grounding.matrix import Matrices
from mainstay.grounding.port import Version
from mainstay.grounding.snapshot import SqliteSnapshot
from mainstay.grounding.store import RowStore, check_name
from mainstay.grounding.tables import Connections
from mainstay.grounding.tantivy import Lexicons

__all__ = ["SqliteStore", "bases", "open_store"]


def open_store(
    folder: Path,
    name: str,
    *,
    first: Version | None = None,
    make: bool = True,
    clock: Callable[[], int] = wall_ms,
) -> "SqliteStore":
    """Open the base ``name`` in ``folder``, made with ``first`` as its live version (``main``, words only, when not
    given) unless it is there. ``clock`` gives wall-clock ms. Blocks.

    Raises:
        InvalidRequest: it cannot have this name.
        NotFound: it is not there, and ``make`` is false.
        Unavailable: its file cannot be read.
    """
    check_name(name)
    path = folder / f"{name}.db"
    if not make and not path.exists():
        raise NotFound(f"There is no knowledge base '{name}'.")
    return SqliteStore(Connections(path, name, make=make), path, name, first or Version("main"), clock)


def bases(folder: Path) -> tuple[str, ...]:
    """Return the names of the bases in ``folder``, sorted."""
    return tuple(sorted(path.stem for path in folder.glob("*.db") if BASE_NAME.fullmatch(path.stem)))


class SqliteStore(RowStore):
    """One knowledge base in a file; see :class:`mainstay.grounding.store.RowStore`."""

    def __init__(
        self, connections: Connections, path: Path, name: str, first: Version, clock: Callable[[], int]
    ) -> None:
        self.path = path
        self._files = connections
        self._matrices = Matrices()
        self._lexicons = Lexicons(connections)
        super().__init__(connections, name, first, clock)

    def is_there(self) -> bool:
        """Whether the file is there still."""
        return self.path.exists()

    def pin(self, version: str = "", at: int = 0, *, label: str = "", seq: int = 0) -> SqliteSnapshot:
        """Pin a state; see :meth:`mainstay.grounding.store.RowStore.pin`."""
        what = (version, at, label, seq)
        return SqliteSnapshot(self._files, self.name, self._matrices, self._clock, what, self._lexicons)
