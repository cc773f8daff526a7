"""Knowledge bases in each of the stores there are, for tests that hold of all of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mainstay.grounding import sqlite
from mainstay.grounding.store import RowStore
from support.postgres import Server

__all__ = ["Opener", "open_at", "raw"]


def open_at(place: str, name: str, **how: Any) -> RowStore:
    """Open a base in a folder, or in a database by its address; from any process."""
    if "://" not in place:
        return sqlite.open_store(Path(place), name, **how)
    from mainstay.grounding.postgres.store import open_store

    return open_store(place, name, **how)


_EMPTY = """DO $$ DECLARE one text; BEGIN
  FOR one IN SELECT nspname FROM pg_namespace WHERE starts_with(nspname, 'knowledge_') LOOP
    EXECUTE format('DROP SCHEMA %I CASCADE', one);
  END LOOP;
END $$"""


class Opener:
    """Opens bases for one test, in places of its own: a folder or a database for each."""

    def __init__(self, folder: Path, database: Callable[[str], str] | None, server: Server | None) -> None:
        #: Whether bases are files.
        self.embedded = database is None
        self._folder = folder
        self._database = database
        self._server = server
        self._opened: list[RowStore] = []
        self._used: set[str] = set()

    def __call__(self, name: str = "base", *, place: str = "one", **how: Any) -> RowStore:
        """Open a base."""
        opened = open_at(self.place(place), name, **how)
        self._opened.append(opened)
        return opened

    def place(self, name: str = "one") -> str:
        """Return where bases of this place are: a folder, or the address of a database."""
        self._used.add(name)
        return str(self._folder / name) if self._database is None else self._database(name)

    def end(self) -> None:
        """Close what was opened, and have it be gone."""
        for one in self._opened:
            one.shut()
        if self._server is not None and self._database is not None:
            for place in self._used:
                self._server.run(_EMPTY, self._database(place))


def raw(store: RowStore) -> bytes:
    """Return all that is kept of a base: the bytes of its files, or its rows."""
    if isinstance(store, sqlite.SqliteStore):
        return b"".join(path.read_bytes() for path in store.path.parent.iterdir())
    with store._connections.read() as db:
        tables = db.execute("SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = current_schema()")
        rows = [row for (name,) in tables for row in db.execute(f'SELECT t::text FROM "{name}" t')]
    return "\n".join(text for (text,) in rows).encode()
