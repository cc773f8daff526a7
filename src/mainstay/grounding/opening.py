"""Where each knowledge base is kept, a file or a database, and opening it there.

What a base's row of the configuration says decides. What is opened is loaded then: neither store, nor the driver of a
database, before it is asked for.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mainstay.core.errors import StartError, Unavailable
from mainstay.grounding.config import KnowledgeStoreConfig
from mainstay.grounding.port import Version

if TYPE_CHECKING:
    from mainstay.grounding.store import RowStore

__all__ = ["Bases", "Keeps"]

#: Returns where a base is kept, None for a file of its own.
Keeps = Callable[[str], KnowledgeStoreConfig | None]


class Bases:
    """The bases of one home.

    Args:
        folder: where the files of bases lie.
        keeps: where a base is kept.
    """

    def __init__(self, folder: Path, keeps: Keeps) -> None:
        self._folder = folder
        self._keeps = keeps
        #: Bases that were in their database when they were last looked for.
        self._known: set[tuple[str, str]] = set()

    def names(self, configured: Iterable[str] = ()) -> list[str]:
        """Return the bases that there are, sorted: those with a file, and of ``configured`` ones those in a database,
        or in one that cannot be asked now: whoever opens one is told."""
        from mainstay.grounding.sqlite import bases

        found = {name for name in bases(self._folder) if self._keeps(name) is None}
        for name in configured:
            kept = self._keeps(name)
            if kept is not None and self._is_there(kept, name):
                found.add(name)
        return sorted(found)

    def open(self, name: str, *, first: Version | None = None, make: bool = False) -> "RowStore":
        """Open a base, made with ``first`` as its live version if ``make`` says so and it is not there. Blocks.

        Raises:
            InvalidRequest: it cannot have this name.
            NotFound: it is not there, and ``make`` is false.
            StartError: the driver of its database is not installed, or it may not be made.
            Unavailable: it cannot be reached.
        """
        kept = self._keeps(name)
        if kept is None:
            from mainstay.grounding import sqlite

            return sqlite.open_store(self._folder, name, first=first, make=make)
        from mainstay.grounding.postgres import store

        return store.open_store(kept.url.get_secret_value(), name, first=first, make=make, vectors=kept.vectors)

    def has_moved(self, store: "RowStore") -> bool:
        """Whether a base that was opened is not there any more, or is kept elsewhere by now."""
        kept = self._keeps(store.name)
        return store.where != (kept.url.get_secret_value() if kept is not None else "") or not store.is_there()

    def _is_there(self, kept: KnowledgeStoreConfig, name: str) -> bool:
        from mainstay.grounding.postgres.schema import is_there

        url = kept.url.get_secret_value()
        if (url, name) not in self._known:
            try:
                if not is_there(url, name):
                    return False
            except (StartError, Unavailable):
                return True
            self._known.add((url, name))
        return True
