"""What a version holds of a document: which revision, with what is known of it, and its passages.

Rows of ``holdings`` and ``places``, alive from one step to another. Knows which versions fall behind the live one when
it changes. Does not know how a text is cut.
"""

from typing import NamedTuple

from mainstay.core.errors import NotFound
from mainstay.grounding.port import Written
from mainstay.grounding.rows import FOREVER, Rows
from mainstay.grounding.steps import Row, Step, find

__all__ = ["Held", "close", "end", "fell_behind", "held", "identity"]


class Held(NamedTuple):
    """A holding that is alive: its row, the revision's row and SHA-256, and what is known of the document (JSON)."""

    id: int
    revision: int
    sha256: str
    likeness: str
    meta: str


def identity(db: Rows, document: str) -> int | None:
    """Return the number of a document, None where there never was one of this name."""
    found = db.execute("SELECT id FROM documents WHERE name = ?", (document,)).fetchall()
    return found[0][0] if found else None


def held(db: Rows, version: int, document: int) -> Held | None:
    """Return what a version holds of a document now."""
    found = db.execute(
        "SELECT h.id, h.revision, r.sha256, h.likeness, h.meta FROM holdings h JOIN revisions r ON r.id = h.revision"
        " WHERE h.version = ? AND h.document = ? AND h.hi = ?",
        (version, document, FOREVER),
    ).fetchall()
    return Held(*found[0]) if found else None


def close(step: Step, document: str, version: str) -> Written:
    """End a document in a version.

    Raises:
        NotFound: it holds none of this name.
    """
    row = find(step.db, version)
    number = identity(step.db, document)
    before = None if number is None else held(step.db, row.id, number)
    if number is None or before is None:
        raise NotFound(f"There is no document '{document}' in this version.")
    end(step, row, number)
    step.changed(document, row.version.name, before.sha256, "")
    fell_behind(step, row, number)
    return step.written()


def end(step: Step, row: Row, document: int) -> None:
    """End what a version holds of a document, and its passages."""
    values = (step.seq, row.id, document, FOREVER)
    names = step.db.execute(
        "SELECT q.name FROM places p JOIN passages q ON q.id = p.passage"
        " WHERE p.version = ? AND p.document = ? AND p.hi = ?",
        values[1:],
    ).fetchall()
    for table in ("places", "holdings"):
        step.db.execute(f"UPDATE {table} SET hi = ? WHERE version = ? AND document = ? AND hi = ?", values).close()  # noqa: S608  # one of two names
    step.passages([name for (name,) in names], ())
    step.moved = True


def fell_behind(step: Step, row: Row, document: int) -> None:
    """Note which versions have a document otherwise than the live one, after it changed in ``row``."""
    live = held(step.db, step.live, document)
    said = None if live is None else (live.revision, live.likeness)
    versions = [row.id]
    if row.live:
        versions = [one for (one,) in step.db.execute("SELECT id FROM versions WHERE id <> ?", (row.id,))]
    for version in versions:
        own = held(step.db, version, document)
        if (None if own is None else (own.revision, own.likeness)) == said:
            step.db.execute("DELETE FROM behind WHERE version = ? AND document = ?", (version, document)).close()
        elif row.live:
            step.db.execute(
                "INSERT INTO behind VALUES (?, ?, ?) ON CONFLICT (version, document) DO UPDATE SET seq = excluded.seq",
                (version, document, step.seq),
            ).close()
