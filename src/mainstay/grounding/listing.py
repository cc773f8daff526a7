"""What a knowledge base holds, for people and for those who keep it in order: documents, passages, counts, history.

Reads only. Everything a reader of a citation is shown passes the same mask as what a question finds.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from mainstay.core.errors import NotFound
from mainstay.core.sources import Pin, Source
from mainstay.grounding.masks import mask, permitted
from mainstay.grounding.port import Access, Meta
from mainstay.grounding.rows import FOREVER, Rows, many
from mainstay.grounding.shelf import Listing
from mainstay.grounding.steps import find, head
from mainstay.grounding.windows import blank, unpack, withheld

__all__ = [
    "Counts",
    "Document",
    "History",
    "Opened",
    "Passage",
    "Text",
    "alive",
    "closed_since",
    "counts",
    "documents",
    "history",
    "lacking",
    "listed",
    "note",
    "opened",
    "passages",
    "source",
    "text",
]

_WORDS = msgspec.json.Decoder(tuple[str, ...])
_META = msgspec.json.Decoder(Meta)
_LISTING = msgspec.json.Decoder(Listing)


class Document(msgspec.Struct, frozen=True):
    """A document in a version: its revision, the SHA-256 of its text, how many passages it has, when it is too old to
    be used (0: never), and the step since which it is so."""

    document: str
    revision: int
    sha256: str
    meta: Meta
    passages: int
    expires: int
    since: int


class Passage(msgspec.Struct, frozen=True):
    """A passage in a version, as offsets (code points) into its revision."""

    name: str
    document: str
    revision: int
    start: int
    end: int
    text: str
    sha256: str
    title: str = ""
    page: int = 0
    heading: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


class Text(msgspec.Struct, frozen=True):
    """A revision of a document, its text blank where it was retracted. ``alive``: a version has it now."""

    document: str
    revision: int
    text: str
    sha256: str
    meta: Meta
    alive: bool


class Opened(msgspec.Struct, frozen=True):
    """A passage at a revision. ``state``: ``alive`` in the live version, ``superseded``, ``expired``, ``retracted``, or
    ``erased`` (then its text is blank)."""

    source: Source
    state: Literal["alive", "superseded", "expired", "retracted", "erased"]


class Counts(msgspec.Struct, frozen=True):
    """How much a version has, and its base. ``oldest`` is when the document was read that was so longest ago,
    wall-clock ms; ``expired`` counts documents; ``dead`` counts places that are no longer alive and not yet collected;
    ``size`` is bytes on the disk."""

    seq: int
    at: int
    documents: int
    passages: int
    lacking: int
    expired: int
    oldest: int
    dead: int
    versions: int
    tombstones: int
    size: int


class History(msgspec.Struct, frozen=True):
    """A change: who made it, why, and when (wall-clock ms). ``before`` and ``after`` are the SHA-256 of a document's
    text, "" for none."""

    seq: int
    at: int
    what: str
    who: str
    why: str
    document: str = ""
    version: str = ""
    before: str = ""
    after: str = ""


def alive(db: Rows, names: Sequence[str], access: Access, now: int) -> bool:
    """Whether all are alive now in the live version, and allowed."""
    wanted = set(names)
    seq, version = head(db)
    where, values = mask(version, seq, now, access)
    ((found,),) = db.execute(
        f"SELECT count(DISTINCT q.id) FROM {where} WHERE q.name IN (SELECT value FROM json_each(:names))",  # noqa: S608  # the mask has placeholders only
        values | {"names": many(sorted(wanted))},
    ).fetchall()
    return bool(found == len(wanted))


def opened(
    db: Rows, base: str, name: str, access: Access | None, revision: int, now: int, *, withdrawn: bool
) -> Opened:
    """Open a passage; see :meth:`mainstay.grounding.store.RowStore.passage`."""
    seq, live = head(db)
    which = " AND r.number = :number" if revision else ""
    # Who may see it is what its document says now, if it is anywhere still, else what it said last.
    found = db.execute(
        'SELECT d.name, r.number, p."start", p."end", p.byte_start, p.byte_end, q.text, q.sha256, p.page, q.heading,'  # noqa: S608  # one of two conditions
        " h.meta, h.expires, q.flags, p.version, v.name, min(p.hi - 1, :seq), q.erased, d.id, p.hi,"
        " EXISTS (SELECT 1 FROM withdrawn w WHERE w.place = p.id)"
        " FROM passages q JOIN places p ON p.passage = q.id JOIN revisions r ON r.id = p.revision"
        " JOIN documents d ON d.id = p.document JOIN versions v ON v.id = p.version"
        " JOIN holdings h ON h.version = p.version AND h.document = p.document AND h.lo < p.hi AND h.hi > p.lo"
        f" WHERE q.name = :name{which}"
        " ORDER BY p.version = :live AND p.hi = :forever DESC, p.hi DESC, h.lo DESC LIMIT 1",
        {"name": name, "seq": seq, "live": live, "forever": FOREVER, "number": revision},
    ).fetchall()
    if not found:
        raise NotFound(f"There is no passage '{name}' in this knowledge base.")
    row = found[0]
    told, hidden = _META.decode(row[10]), bool(row[19])
    if not permitted(db, row[17], told, _WORDS.decode(row[12]), access) or (hidden and not withdrawn):
        raise NotFound(f"There is no passage '{name}' in this knowledge base.")
    here = row[13] == live and row[18] == FOREVER
    late = bool(row[11]) and row[11] <= now
    state = (
        "erased" if row[16] else "retracted" if hidden else "superseded" if not here else "expired" if late else "alive"
    )
    shown = Source(
        Pin(base, row[14], row[15]), row[0], row[1], name, row[2], row[3], row[4], row[5], row[6], row[7], row[8],
        _WORDS.decode(row[9]), told.title, told.uri, told.dated, told.read_at, row[11], _WORDS.decode(row[12]),
    )  # fmt: skip
    return Opened(shown, state)  # type: ignore[arg-type]  # one of its words


def text(db: Rows, document: str, revision: int, version: str, access: Access | None, now: int) -> Text:
    """Return a document's text; see :meth:`mainstay.grounding.store.RowStore.text`."""
    row = find(db, version)
    which = "r.number = :number" if revision else "h.version = :version AND h.hi = :forever"
    found = db.execute(
        "SELECT d.id, r.id, r.number, r.body, r.sha256, h.meta, h.hi FROM documents d"  # noqa: S608  # one of two conditions
        " JOIN revisions r ON r.document = d.id JOIN holdings h ON h.revision = r.id"
        f" WHERE d.name = :name AND {which} ORDER BY h.hi DESC, h.version = :version DESC LIMIT 1",
        {"name": document, "number": revision, "version": row.id, "forever": FOREVER},
    ).fetchall()
    gone = db.execute("SELECT 1 FROM tombstones WHERE kind = 'document' AND name = ?", (document,)).fetchall()
    if not found or (gone and found[0][6] != FOREVER):
        raise NotFound(f"There is no document '{document}' in this knowledge base.")
    number, own, told = found[0][0], found[0][1], _META.decode(found[0][5])
    same = db.execute("SELECT 1 FROM buried WHERE sha256 IN (?, ?)", (found[0][4], told.sha256)).fetchall()
    if same or not permitted(db, number, told, (), access):
        raise NotFound(f"There is no document '{document}' in this knowledge base.")
    shown = blank(unpack(found[0][3]), withheld(db, own))
    return Text(document, found[0][2], shown, found[0][4], told, found[0][6] == FOREVER)


def documents(db: Rows, version: str) -> Mapping[str, Meta]:
    """Return what is known of each document of a version."""
    row = find(db, version)
    found = db.execute(
        "SELECT d.name, h.meta FROM holdings h JOIN documents d ON d.id = h.document"
        " WHERE h.version = ? AND h.hi = ? ORDER BY d.name",
        (row.id, FOREVER),
    )
    return {name: _META.decode(meta) for name, meta in found}


def listed(
    db: Rows, version: str, after: str, most: int, access: Access | None, now: int, *, expired: bool
) -> tuple[Document, ...]:
    """Return documents of a version by name, after one."""
    row = find(db, version)
    late = " AND h.expires > 0 AND h.expires <= :now" if expired else ""
    found = db.execute(
        "SELECT d.name, r.number, r.sha256, h.meta, (SELECT count(*) FROM places p WHERE p.version = h.version"  # noqa: S608  # one of two conditions
        " AND p.document = h.document AND p.hi = :forever), h.expires, h.lo, d.id"
        " FROM holdings h JOIN documents d ON d.id = h.document JOIN revisions r ON r.id = h.revision"
        f" WHERE h.version = :version AND h.hi = :forever AND d.name > :after{late} ORDER BY d.name",
        {"version": row.id, "forever": FOREVER, "after": after, "now": now},
    )
    shown: list[Document] = []
    for name, number, sha256, meta, count, expires, since, _ in found:
        told = _META.decode(meta)
        if permitted(None, 0, told, (), access):
            shown.append(Document(name, number, sha256, told, count, expires, since))
        if len(shown) >= most:
            break
    return tuple(shown)


_PASSAGE = (
    'SELECT q.name, d.name, r.number, p."start", p."end", q.text, q.sha256, h.meta, p.page, q.heading, q.flags'
    " FROM places p JOIN passages q ON q.id = p.passage JOIN documents d ON d.id = p.document"
    " JOIN revisions r ON r.id = p.revision"
    " JOIN holdings h ON h.version = p.version AND h.document = p.document AND h.hi = :forever"
    " WHERE p.version = :version AND p.hi = :forever"
)


def passages(db: Rows, document: str, version: str) -> tuple[Passage, ...]:
    """Return the passages of a document that are alive in a version."""
    values = {"version": find(db, version).id, "forever": FOREVER, "name": document}
    return _shown(db.execute(f'{_PASSAGE} AND d.name = :name ORDER BY p."start"', values).fetchall())


def lacking(db: Rows, version: str, most: int) -> tuple[Passage, ...]:
    """Return passages of a version that lack a vector."""
    row = find(db, version)
    if not row.version.embedder:
        return ()
    values = {"version": row.id, "forever": FOREVER, "embedder": row.version.embedder, "most": most}
    found = db.execute(
        f"{_PASSAGE} AND NOT EXISTS (SELECT 1 FROM vectors x WHERE x.passage = q.id AND x.embedder = :embedder)"  # noqa: S608  # from here
        " ORDER BY p.id LIMIT :most",
        values,
    )
    return _shown(found.fetchall())


def _shown(rows: Any) -> tuple[Passage, ...]:
    return tuple(
        Passage(
            row[0], row[1], row[2], row[3], row[4], row[5], row[6], _META.decode(row[7]).title, row[8],
            _WORDS.decode(row[9]), _WORDS.decode(row[10]),
        )
        for row in rows
    )  # fmt: skip


def counts(db: Rows, version: str, now: int, size: int) -> Counts:
    """Return how much there is."""
    row = find(db, version)
    seq, at = db.execute("SELECT seq, at FROM base").fetchall()[0]
    alive_now = (row.id, FOREVER)
    texts, read = db.execute(
        "SELECT count(*), min(nullif(json_extract(meta, '$.read_at'), 0)) FROM holdings WHERE version = ? AND hi = ?",
        alive_now,
    ).fetchall()[0]
    late = "SELECT count(*) FROM holdings WHERE version = ? AND hi = ? AND expires > 0 AND expires <= ?"
    lack = (
        "SELECT count(*) FROM places p WHERE p.version = ? AND p.hi = ? AND NOT EXISTS"
        " (SELECT 1 FROM vectors x WHERE x.passage = p.passage AND x.embedder = ?)"
    )
    embedder = row.version.embedder
    return Counts(
        seq=seq,
        at=at,
        documents=texts,
        passages=_number(db, "SELECT count(*) FROM places WHERE version = ? AND hi = ?", *alive_now),
        lacking=_number(db, lack, *alive_now, embedder) if embedder else 0,
        expired=_number(db, late, *alive_now, now),
        oldest=read or 0,
        dead=_number(db, "SELECT count(*) FROM places WHERE hi <> ?", FOREVER),
        versions=_number(db, "SELECT count(*) FROM versions"),
        tombstones=_number(db, "SELECT count(*) FROM tombstones"),
        size=size,
    )


def _number(db: Rows, question: str, *values: object) -> int:
    ((found,),) = db.execute(question, values).fetchall()
    return int(found)


def history(db: Rows, document: str, most: int, before: int) -> tuple[History, ...]:
    """Return changes, newest first."""
    found = db.execute(
        "SELECT c.seq, c.at, c.what, c.who, c.why, x.document, x.version, x.before, x.after FROM commits c"  # noqa: S608  # one of two conditions
        f" {'JOIN' if document else 'LEFT JOIN'} changes x ON x.seq = c.seq"
        f" WHERE c.seq < :before {'AND x.document = :document' if document else ''}"
        " ORDER BY c.seq DESC, x.id DESC LIMIT :most",
        {"before": before or FOREVER, "document": document, "most": most},
    )
    return tuple(History(*row[:5], *(value or "" for value in row[5:])) for row in found)


def closed_since(db: Rows, seq: int) -> tuple[int, tuple[str, ...]]:
    """Return the newest step, and what was closed after another."""
    found = db.execute("SELECT passage FROM closed WHERE seq > ? ORDER BY seq", (seq,)).fetchall()
    return head(db)[0], tuple(dict.fromkeys(name for (name,) in found))


def source(db: Rows, name: str) -> Listing | None:
    """Return what is known of a source."""
    found = db.execute("SELECT value FROM notes WHERE key = ?", (f"source:{name}",)).fetchall()
    return _LISTING.decode(found[0][0]) if found else None


def note(db: Rows, kept: Listing) -> None:
    """Keep what is known of a source."""
    value = msgspec.json.encode(kept).decode()
    again = "INSERT INTO notes VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    db.execute(again, (f"source:{kept.source}", value)).close()
