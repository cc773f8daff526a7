"""Removing what nobody can ask for any more: rows that ended before the window, that no label and no lease needs, and
versions that were retired before it.

In small transactions, so that changes need not wait. Who is pinned goes on seeing what was pinned: removal is a commit
like any other.
"""

import msgspec

from mainstay.grounding.port import Change
from mainstay.grounding.rows import Rows, Transactions, WordIndex, many
from mainstay.grounding.steps import Steps

__all__ = ["Collected", "collect"]

_AT_ONCE = 500
#: A row nobody needs: it ended before the window, and no label or lease is of a step at which it was alive.
_ENDED = (
    " {table}.hi <= :horizon AND NOT EXISTS (SELECT 1 FROM labels l WHERE l.seq >= {table}.lo AND l.seq < {table}.hi)"
    " AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.seq >= {table}.lo AND l.seq < {table}.hi)"
)


class Collected(msgspec.Struct, frozen=True):
    """What a collection removed, and the bytes that are left."""

    passages: int = 0
    revisions: int = 0
    versions: int = 0
    size: int = 0


def collect(connections: Transactions, steps: Steps, change: Change, window: float) -> Collected:
    """Remove what ended more than ``window`` seconds ago."""
    now = steps.clock()
    with steps.step("collect", change) as step:
        found = step.db.execute("SELECT max(seq) FROM commits WHERE at <= ?", (now - int(window * 1000),)).fetchall()
        horizon = int(found[0][0] or 0)
        step.db.execute("DELETE FROM leases WHERE until <= ?", (now,)).close()
        # Before anything is removed: whoever asks for an earlier step from now on is told so.
        step.db.execute("UPDATE base SET collected = max(collected, ?)", (horizon,)).close()
        step.db.execute("DELETE FROM closed WHERE seq <= ?", (horizon,)).close()
        gone = _versions(step.db, horizon)
        step.moved = True
    passages = revisions = 0
    more = True
    while more:
        with connections.write() as db:
            more, some = _places(db, connections.words, horizon)
            passages += some
    more = True
    while more:
        with connections.write() as db:
            more, some = _texts(db, horizon)
            revisions += some
    with connections.write() as db:
        _tidy(db, connections.words, passages)
    connections.checkpoint()
    return Collected(passages, revisions, gone, connections.size())


def _versions(db: Rows, horizon: int) -> int:
    """Have all rows of versions that were retired before the horizon end with the step that retired them."""
    found = db.execute(
        "SELECT v.id, v.seq FROM versions v WHERE v.state = 'retired' AND v.seq <= ?"
        " AND NOT EXISTS (SELECT 1 FROM labels l WHERE l.version = v.id)"
        " AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.version = v.id)",
        (horizon,),
    ).fetchall()
    for version, seq in found:
        for table in ("places", "holdings"):
            db.execute(f"UPDATE {table} SET hi = min(hi, max(?, lo + 1)) WHERE version = ?", (seq, version)).close()  # noqa: S608  # one of two names
        db.execute("DELETE FROM behind WHERE version = ?", (version,)).close()
        db.execute("DELETE FROM versions WHERE id = ?", (version,)).close()
    return len(found)


def _places(db: Rows, words: WordIndex, horizon: int) -> tuple[bool, int]:
    found = db.execute(
        f"SELECT id, passage FROM places WHERE{_ENDED.format(table='places')} LIMIT {_AT_ONCE}",  # noqa: S608  # from here
        {"horizon": horizon},
    ).fetchall()
    places = many([place for place, _ in found])
    db.execute("DELETE FROM withdrawn WHERE place IN (SELECT value FROM json_each(?))", (places,)).close()
    db.execute("DELETE FROM places WHERE id IN (SELECT value FROM json_each(?))", (places,)).close()
    lone = db.execute(
        "SELECT id FROM passages WHERE id IN (SELECT value FROM json_each(?))"
        " AND NOT EXISTS (SELECT 1 FROM places p WHERE p.passage = passages.id)",
        (many(sorted({passage for _, passage in found})),),
    ).fetchall()
    words.drop(db, [row for (row,) in lone])
    rows = many(row for (row,) in lone)
    gone = db.execute("DELETE FROM vectors WHERE passage IN (SELECT value FROM json_each(?))", (rows,))
    if gone.rowcount:
        db.execute("UPDATE base SET generation = generation + 1").close()
    db.execute("DELETE FROM passages WHERE id IN (SELECT value FROM json_each(?))", (rows,)).close()
    return len(found) == _AT_ONCE, len(lone)


def _texts(db: Rows, horizon: int) -> tuple[bool, int]:
    found = db.execute(
        f"SELECT id, revision FROM holdings WHERE{_ENDED.format(table='holdings')} LIMIT {_AT_ONCE}",  # noqa: S608  # from here
        {"horizon": horizon},
    ).fetchall()
    ended = many([one for one, _ in found])
    db.execute("DELETE FROM holdings WHERE id IN (SELECT value FROM json_each(?))", (ended,)).close()
    lone = db.execute(
        "SELECT id FROM revisions WHERE id IN (SELECT value FROM json_each(?))"
        " AND NOT EXISTS (SELECT 1 FROM holdings h WHERE h.revision = revisions.id)"
        " AND NOT EXISTS (SELECT 1 FROM places p WHERE p.revision = revisions.id)",
        (many(sorted({revision for _, revision in found})),),
    ).fetchall()
    rows = many([row for (row,) in lone])
    db.execute("DELETE FROM withheld WHERE revision IN (SELECT value FROM json_each(?))", (rows,)).close()
    db.execute("DELETE FROM revisions WHERE id IN (SELECT value FROM json_each(?))", (rows,)).close()
    return len(found) == _AT_ONCE, len(lone)


def _tidy(db: Rows, words: WordIndex, removed: int) -> None:
    ((left,),) = db.execute("SELECT count(*) FROM passages").fetchall()
    if removed * 4 > left:
        # Deletions are kept in the index of words beside what they delete until it is written anew.
        words.tidy(db)
