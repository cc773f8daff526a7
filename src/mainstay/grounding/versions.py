"""Named versions of a knowledge base: built beside the live one, compared with it, swapped in and rolled back in one
step.

Which version is live is one row, written last and once; who is pinned finishes on what was pinned. Documents that a
version has otherwise than the live one, because that changed meanwhile, are its arrears: nothing is swapped in with
any.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

from mainstay.core.errors import Conflict, InvalidRequest, NotFound
from mainstay.core.ids import uuid7
from mainstay.core.sources import Pin
from mainstay.grounding.holdings import close, fell_behind, held, identity
from mainstay.grounding.port import Change, Meta, Slice, Version, Written
from mainstay.grounding.revisions import put_one
from mainstay.grounding.rows import FOREVER, Rows
from mainstay.grounding.shelf import Draft
from mainstay.grounding.steps import Row, Step, Steps, find
from mainstay.grounding.windows import unpack

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "Cut",
    "Difference",
    "Pending",
    "create",
    "diff",
    "ensure",
    "head_of",
    "label",
    "labels",
    "lease",
    "listed",
    "pending",
    "ready",
    "replay",
    "rollback",
    "settle",
    "swap",
    "unlabel",
    "weigh",
]

#: Cuts and embeds a document for a version: its name, text and what is known of it.
Cut = Callable[[str, str, Meta], "tuple[Sequence[Slice], NDArray[np.float32] | None]"]
_META = msgspec.json.Decoder(Meta)
_WORDS = msgspec.json.Decoder(tuple[str, ...])


class Pending(msgspec.Struct, frozen=True):
    """A document that a version has yet to take as the live one has it, and the step at which it changed. ``gone``: it
    is to be closed."""

    document: str
    seq: int
    gone: bool = False


class Difference(msgspec.Struct, frozen=True):
    """How a document differs between two states; a revision is 0 where there is none."""

    what: Literal["added", "changed", "gone"]
    document: str
    before: int = 0
    after: int = 0


def ensure(steps: Steps, first: Version) -> None:
    """Have a new base have its first version."""
    with steps.connections.read() as db:
        if db.execute("SELECT 1 FROM versions LIMIT 1").fetchall():
            return
    with steps.step("create", Change()) as step:
        if step.db.execute("SELECT 1 FROM versions LIMIT 1").fetchall():
            return
        _insert(step, first, "live")
        head_of(step, first.name)


def head_of(step: Step, name: str) -> None:
    """Have a version be the first that is live."""
    made = "INSERT INTO heads SELECT ?, id, 0 FROM versions WHERE name = ?"
    step.db.execute(made, (step.seq, name)).close()


def create(step: Step, made: Version) -> Version:
    """Begin a version."""
    if not made.name or len(made.name) > 64 or not made.name.isprintable():
        raise InvalidRequest("A version is named with 1 to 64 letters: choose another name.", param="name")
    if step.db.execute("SELECT 1 FROM versions WHERE name = ?", (made.name,)).fetchall():
        raise Conflict(f"There is a version '{made.name}' already: choose another name.")
    parent = find(step.db, made.parent) if made.parent else None
    _insert(step, made, "building")
    if parent is not None:
        step.db.execute(
            "INSERT INTO behind SELECT v.id, h.document, ?1 FROM versions v JOIN holdings h ON h.hi = ?2"
            " AND h.version = ?3 WHERE v.name = ?4",
            (step.seq, FOREVER, parent.id, made.name),
        ).close()
    return find(step.db, made.name).version


def _insert(step: Step, made: Version, state: str) -> None:
    step.moved = True
    if bool(made.embedder) != bool(made.dimensions):
        raise InvalidRequest("A version with an embedder needs its dimensions, and one without has none.")
    step.db.execute(
        "INSERT INTO versions (name, embedder, dimensions, chunker, dense, parent, state, seq, born, created)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (made.name, made.embedder, made.dimensions, made.chunker, made.dense, made.parent, state, step.seq, step.seq,
         step.at),
    ).close()  # fmt: skip


def listed(db: Rows) -> tuple[Version, ...]:
    """Return the versions, oldest first."""
    return tuple(row.version for row in _rows(db))


def weigh(step: Step, name: str, dense: float) -> None:
    """Give a version another weight of meaning."""
    if not 0 <= dense <= 1:
        raise InvalidRequest("The weight of meaning is a number from 0 to 1.", param="dense")
    row = find(step.db, name)
    step.moved = row.version.dense != dense
    step.db.execute("UPDATE versions SET dense = ?, seq = ? WHERE id = ?", (dense, step.seq, row.id)).close()


def ready(step: Step, name: str) -> None:
    """Say that a version is built."""
    row = find(step.db, name)
    _refuse_arrears(step, row)
    if row.version.state == "building":
        _state(step, row, "ready")


def pending(db: Rows, name: str) -> tuple[Pending, ...]:
    """Return the arrears of a version, oldest first."""
    row = find(db, name)
    found = db.execute(
        "SELECT d.name, b.seq, NOT EXISTS (SELECT 1 FROM holdings h WHERE h.version = ? AND h.document = d.id"
        " AND h.hi = ?) FROM behind b JOIN documents d ON d.id = b.document WHERE b.version = ? ORDER BY b.seq, d.id",
        (find(db, "").id, FOREVER, row.id),
    )
    return tuple(Pending(document, seq, bool(gone)) for document, seq, gone in found)


def settle(step: Step, name: str, documents: Sequence[str]) -> None:
    """Take documents off the arrears of a version."""
    row = find(step.db, name)
    for document in documents:
        number = identity(step.db, document)
        gone = step.db.execute("DELETE FROM behind WHERE version = ? AND document = ?", (row.id, number))
        step.moved = step.moved or bool(gone.rowcount)


def replay(steps: Steps, name: str, change: Change, cut: Cut | None, most: int) -> int:
    """Bring arrears into a version; return how many are left."""
    with steps.connections.read() as db:
        todo = pending(db, name)[:most]
        row, live = find(db, name), find(db, "")
        if cut is None and (row.version.embedder, row.version.chunker) != (live.version.embedder, live.version.chunker):
            raise Conflict(f"'{name}' is cut or embedded in another way than the live version: do that anew.")
        drafts = [_draft(db, live, one.document) for one in todo if not one.gone]
    ready_made = [(_cut(one[0], cut), one[1]) for one in drafts if one is not None]
    with steps.step("build", change) as step:
        row, live = find(step.db, name), find(step.db, "")
        for draft, revision in ready_made:
            if _still(step.db, live, draft, revision):
                _try(step, row, draft, revision)
        for one in pending(step.db, name):
            if one.gone and one in todo:
                _drop(step, row, one.document)
        step.db.execute("UPDATE versions SET seq = ? WHERE id = ?", (step.seq, row.id)).close()
        return len(pending(step.db, name))


def _draft(db: Rows, live: Row, document: str) -> tuple[Draft, int] | None:
    """Return a document as the live version has it, and the row of its revision."""
    number = identity(db, document)
    own = None if number is None else held(db, live.id, number)
    if own is None:
        return None
    ((body,),) = db.execute("SELECT body FROM revisions WHERE id = ?", (own.revision,)).fetchall()
    found = db.execute(
        'SELECT p."start", p."end", p.page, q.heading, q.flags FROM places p JOIN passages q ON q.id = p.passage'
        ' WHERE p.version = ? AND p.document = ? AND p.hi = ? ORDER BY p."start"',
        (live.id, number, FOREVER),
    )
    slices = [Slice(row[0], row[1], row[2], _WORDS.decode(row[3]), _WORDS.decode(row[4])) for row in found]
    return Draft(document, unpack(body), slices, _META.decode(own.meta)), own.revision


def _cut(draft: Draft, cut: Cut | None) -> Draft:
    if cut is None:
        return draft
    slices, vectors = cut(draft.document, draft.text, draft.meta)
    return msgspec.structs.replace(draft, slices=slices, vectors=vectors)


def _still(db: Rows, live: Row, draft: Draft, revision: int) -> bool:
    now = _draft(db, live, draft.document)
    return now is not None and (now[0].text, now[0].meta, now[1]) == (draft.text, draft.meta, revision)


def _try(step: Step, row: Row, draft: Draft, revision: int) -> None:
    try:
        put_one(step, row, draft, revision)
    except Conflict:
        # Retracted since: it is in no version.
        settle(step, row.version.name, (draft.document,))


def _drop(step: Step, row: Row, document: str) -> None:
    number = identity(step.db, document)
    if number is not None and held(step.db, row.id, number) is not None:
        close(step, document, row.version.name)
    else:
        settle(step, row.version.name, (document,))


def swap(step: Step, name: str, expect: str) -> Written:
    """Make a version the live one."""
    row, live = find(step.db, name), find(step.db, "")
    _expected(live, expect)
    if row.id == live.id:
        return step.written()
    _refuse_arrears(step, row)
    _move(step, row, live)
    return step.written()


def rollback(step: Step, expect: str, *, keep: bool) -> Written:
    """Undo the last swap; with ``keep`` bring over what was edited since."""
    live = find(step.db, "")
    _expected(live, expect)
    found = step.db.execute("SELECT before FROM heads ORDER BY seq DESC LIMIT 1").fetchall()
    names = step.db.execute("SELECT name FROM versions WHERE id = ?", found[0]).fetchall()
    if not names:
        raise Conflict("There is no version to go back to: it was never swapped, or the one before was collected.")
    row = find(step.db, names[0][0])
    for one in pending(step.db, row.version.name) if keep else ():
        draft = None if one.gone else _draft(step.db, live, one.document)
        if draft is None:
            _drop(step, row, one.document)
        else:
            _try(step, row, *draft)
    # Whence a second rollback goes: to where the first version came from, not back again.
    ((whence,),) = step.db.execute(
        "SELECT before FROM heads WHERE version = ? ORDER BY seq DESC LIMIT 1", (row.id,)
    ).fetchall() or [(0,)]
    _move(step, row, live, whence)
    return step.written()


def _move(step: Step, row: Row, live: Row, before: int | None = None) -> None:
    db = step.db
    _state(step, live, "retired")
    _state(step, row, "live")
    db.execute("INSERT INTO heads VALUES (?, ?, ?)", (step.seq, row.id, live.id if before is None else before)).close()
    step.live = row.id
    # What the others were measured by is another version now.
    if db.execute("SELECT 1 FROM versions WHERE id NOT IN (?, ?) LIMIT 1", (row.id, live.id)).fetchall():
        now = find(db, row.version.name)
        for document, _, _ in _differing(db, (live.id, step.seq), (row.id, step.seq)):
            fell_behind(step, now, document)
        db.execute("DELETE FROM behind WHERE version = ?", (live.id,)).close()
    # The version that was live has, by choice, what this one was built to have otherwise; and none of its arrears.
    db.execute("DELETE FROM behind WHERE version = ?", (row.id,)).close()


def _expected(live: Row, expect: str) -> None:
    if expect and live.version.name != expect:
        raise Conflict(f"The live version is '{live.version.name}', not '{expect}': look again.")


def _refuse_arrears(step: Step, row: Row) -> None:
    ((count,),) = step.db.execute("SELECT count(*) FROM behind WHERE version = ?", (row.id,)).fetchall()
    if count:
        raise Conflict(
            f"{count} documents of '{row.version.name}' are behind the live version: replay them first.",
            extra={"pending": count},
        )


def _state(step: Step, row: Row, state: str) -> None:
    step.moved = True
    step.db.execute("UPDATE versions SET state = ?, seq = ? WHERE id = ?", (state, step.seq, row.id)).close()


def label(step: Step, name: str, seq: int) -> int:
    """Name a step."""
    if not name or not name.isprintable():
        raise InvalidRequest("A label needs a name.", param="name")
    db = step.db
    ((collected,),) = db.execute("SELECT collected FROM base").fetchall()
    at = seq or step.seq - 1
    found = db.execute("SELECT version FROM heads WHERE seq <= ? ORDER BY seq DESC LIMIT 1", (at,)).fetchall()
    if not found or at >= step.seq or at < collected:
        raise NotFound(f"There is no step {at} of this knowledge base.")
    if db.execute("SELECT 1 FROM labels WHERE name = ?", (name,)).fetchall():
        raise Conflict(f"There is a label '{name}' already: choose another name.")
    db.execute("INSERT INTO labels VALUES (?, ?, ?, ?)", (name, at, found[0][0], step.at)).close()
    step.moved = True
    return at


def unlabel(step: Step, name: str) -> None:
    """Forget a label."""
    if not step.db.execute("DELETE FROM labels WHERE name = ?", (name,)).rowcount:
        raise NotFound(f"There is no label '{name}' of this knowledge base.")
    step.moved = True


def labels(db: Rows) -> Mapping[str, int]:
    """Return the labels and their steps."""
    return dict(db.execute("SELECT name, seq FROM labels ORDER BY seq, name").fetchall())


def lease(db: Rows, pin: Pin, until: int) -> str:
    """Keep what a pin sees until a wall-clock ms."""
    made = uuid7()
    version = find(db, pin.version).id
    db.execute("INSERT INTO leases VALUES (?, ?, ?, ?)", (made, pin.seq, version, until)).close()
    return made


def diff(db: Rows, one: Pin, other: Pin) -> tuple[Difference, ...]:
    """Return the documents that differ, by name."""
    states = [(find(db, pin.version).id, pin.seq) for pin in (one, other)]
    numbers = dict(db.execute("SELECT id, number FROM revisions").fetchall())
    names = dict(db.execute("SELECT id, name FROM documents").fetchall())
    found = []
    for document, before, after in _differing(db, states[0], states[1]):
        what: Literal["added", "changed", "gone"] = "added" if not before else "gone" if not after else "changed"
        found.append(Difference(what, names[document], numbers.get(before, 0), numbers.get(after, 0)))
    return tuple(sorted(found, key=lambda difference: difference.document))


def _differing(db: Rows, one: tuple[int, int], other: tuple[int, int]) -> Iterable[tuple[int, int, int]]:
    sides = []
    for version, seq in (one, other):
        found = db.execute(
            "SELECT document, revision, likeness FROM holdings WHERE version = ?1 AND lo <= ?2 AND hi > ?2",
            (version, seq),
        )
        sides.append({document: (revision, like) for document, revision, like in found})
    left, right = sides
    nothing = (0, "")
    for document in left.keys() | right.keys():
        before, after = left.get(document, nothing), right.get(document, nothing)
        if before != after:
            yield document, before[0], after[0]


def _rows(db: Rows) -> list[Row]:
    return [find(db, name) for (name,) in db.execute("SELECT name FROM versions ORDER BY id").fetchall()]
