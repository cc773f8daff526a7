"""Documents as they are put: a revision of the text, what is known of it, passages with their places, and vectors.

A passage is named by what it says and where: the document, what is known of it, the headings, the words. So one that is
unchanged keeps its name, its words in the index and its vector, whatever became of its neighbours. Does not cut or
embed.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from mainstay.core.errors import Conflict, InvalidRequest, MainstayError
from mainstay.grounding.holdings import Held, fell_behind, held, identity
from mainstay.grounding.phrases import digest
from mainstay.grounding.port import Meta, Slice, Written
from mainstay.grounding.rows import FOREVER, Packed, Rows, many
from mainstay.grounding.shelf import Draft
from mainstay.grounding.steps import Row, Step, find
from mainstay.grounding.tombstones import buried, retracted, withhold
from mainstay.grounding.windows import pack, withheld

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["fill", "likeness", "put_all", "put_one", "wanting"]


class _Piece(NamedTuple):
    """A passage to be, and where."""

    at: int
    name: str
    slice: Slice
    byte_start: int
    byte_end: int
    text: str
    sha256: str
    context: str
    likeness: bytes


def put_all(step: Step, drafts: Sequence[Draft], version: str) -> list[Written | MainstayError]:
    """Put documents in one step; return for each what was written, or why it was not."""
    row = find(step.db, version)
    found: list[Written | MainstayError] = []
    for draft in drafts:
        try:
            closed, opened = put_one(step, row, draft)
        except Conflict as refused:
            found.append(refused)
        else:
            found.append(Written(step.seq, closed, opened))
    # A step that nothing moved is not taken.
    now = step.seq if step.moved else step.seq - 1
    return [msgspec.structs.replace(one, seq=now) if isinstance(one, Written) else one for one in found]


def put_one(step: Step, row: Row, draft: Draft, revision: int = 0) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Put one document into a version; return the passages that are no longer alive, and that now are. ``revision`` is
    the row that its text was taken from, whose words may have been blanked since.

    Raises:
        Conflict: it was retracted.
        InvalidRequest: a slice is not within the text, or the vectors do not fit.
    """
    db, meta = step.db, draft.meta
    sha256 = digest(_said(draft.text))
    known = identity(db, draft.document)
    if buried(db, draft.document, (sha256, meta.sha256)):
        raise Conflict(f"'{draft.document}' was retracted: undo that first, or leave it out.")
    gone = retracted(db, draft.text)
    if revision:
        ((sha256,),) = db.execute("SELECT sha256 FROM revisions WHERE id = ?", (revision,)).fetchall()
    pieces = list(_pieces(draft, row))
    revision = revision or (0 if known is None else _same(db, known, sha256))
    gone += [(0, *span) for span in withheld(db, revision)] if revision else []
    kept = [piece for piece in pieces if not any(_overlap(piece.slice, stretch) for stretch in gone)]
    if pieces and not kept and known is None:
        raise Conflict(f"All that '{draft.document}' says was retracted: undo that first, or leave it out.")
    document = _document(db, draft.document) if known is None else known
    before = held(db, row.id, document)
    revision = revision or _revision(db, document, draft.text, sha256)
    for piece in pieces:
        for stretch in gone:
            if stretch[0] and _overlap(piece.slice, stretch):
                withhold(step, revision, row.id, stretch[0], (piece.slice.start, piece.slice.end))
    for tombstone, start, end in gone:
        if tombstone:
            withhold(step, revision, 0, tombstone, (start, end))
    rows = _passages(step, document, kept)
    closed, opened = _settle(step, row, document, revision, kept, rows)
    _hold(step, row, document, revision, meta, before, draft, sha256)
    _vectors(db, row, kept, rows, draft.vectors)
    fell_behind(step, row, document)
    step.passages(closed, opened)
    return closed, opened


def wanting(db: Rows, text: str, slices: Sequence[Slice], meta: Meta, version: str) -> tuple[int, ...]:
    """Return the slices, by position, whose vectors are not known from other passages."""
    row = find(db, version)
    if not row.version.embedder:
        return ()
    likes = [likeness(meta.title, one.heading, text[one.start : one.end]) for one in slices]
    return tuple(index for index, like in enumerate(likes) if _like(db, row.version.embedder, like) is None)


def fill(db: Rows, passages: Sequence[str], vectors: "NDArray[np.float32]", version: str) -> int:
    """Give passages vectors; return how many lacked one."""
    row = find(db, version)
    if len(vectors) != len(passages):
        raise InvalidRequest("Give as many vectors as passages.", param="vectors")
    blobs = _packed(vectors, row)
    made = 0
    for name, blob in zip(passages, blobs, strict=True):
        made += db.execute(
            "INSERT INTO vectors (embedder, passage, data)"
            " SELECT ?, id, ? FROM passages WHERE name = ? AND erased = 0 ON CONFLICT DO NOTHING",
            (row.version.embedder, blob, name),
        ).rowcount
    return made


def likeness(title: str, heading: Sequence[str], text: str) -> bytes:
    """Return what two passages share that have the same vector: what is embedded of them."""
    return hashlib.sha256(msgspec.json.encode((title, tuple(heading), text))).digest()[:16]


def _said(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidRequest("The text is not Unicode: read it with its own encoding.", param="text") from None
    return text


def _overlap(one: Slice, stretch: tuple[int, int, int]) -> bool:
    return one.start < stretch[2] and one.end > stretch[1]


def _pieces(draft: Draft, row: Row) -> Iterator[_Piece]:
    text, meta = draft.text, draft.meta
    known = _known(meta)
    seen: dict[str, int] = {}
    offsets = _Bytes(text)
    if draft.vectors is not None and len(draft.vectors) != len(draft.slices):
        raise InvalidRequest("Give as many vectors as slices.", param="vectors")
    for index, one in sorted(enumerate(draft.slices), key=lambda pair: (pair[1].start, pair[1].end)):
        if not 0 <= one.start < one.end <= len(text):
            raise InvalidRequest(f"Slice {index} is not within the text of '{draft.document}'.", param="slices")
        said = text[one.start : one.end]
        sha256 = digest(said)
        what = msgspec.json.encode((draft.document, known, one.heading, one.flags, sha256))
        key = hashlib.sha256(what).hexdigest()[:24]
        # The same words twice under one heading are two passages.
        seen[key] = seen.get(key, 0) + 1
        name = f"p{key}" if seen[key] == 1 else f"p{key}-{seen[key]}"
        start, end = offsets.at(one.start), offsets.at(one.end)
        like = likeness(meta.title, one.heading, said)
        yield _Piece(index, name, one, start, end, said, sha256, _context(meta.title, one.heading, said), like)


def _known(meta: Meta) -> str:
    # Reading a file again, or another file of the same words, is no change.
    return digest(msgspec.json.encode(msgspec.structs.replace(meta, read_at=0, sha256=""), order="sorted").decode())


def _context(title: str, heading: Sequence[str], text: str) -> str:
    # What the passage says itself is not counted twice.
    opening = text[:400]
    return "\n".join(dict.fromkeys(one for one in (title, *heading) if one and one not in opening))


class _Bytes:
    """Offsets in UTF-8 of offsets in code points, quickest in rising order."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._plain = text.isascii()
        self._last = (0, 0)

    def at(self, offset: int) -> int:
        if self._plain:
            return offset
        point, byte = self._last
        if offset < point:
            byte -= len(self._text[offset:point].encode())
        else:
            byte += len(self._text[point:offset].encode())
        self._last = (offset, byte)
        return byte


def _document(db: Rows, name: str) -> int:
    return db.execute("INSERT INTO documents (name) VALUES (?)", (name,)).lastrowid or 0


def _same(db: Rows, document: int, sha256: str) -> int:
    # What any version holds of it now is one revision, so that versions can be compared.
    found = db.execute(
        "SELECT r.id FROM revisions r WHERE r.document = ? AND r.sha256 = ?"
        " AND EXISTS (SELECT 1 FROM holdings h WHERE h.revision = r.id AND h.hi = ?) ORDER BY r.id DESC",
        (document, sha256, FOREVER),
    ).fetchall()
    return int(found[0][0]) if found else 0


def _revision(db: Rows, document: int, text: str, sha256: str) -> int:
    db.execute("UPDATE documents SET revisions = revisions + 1 WHERE id = ?", (document,)).close()
    return (
        db.execute(
            "INSERT INTO revisions (document, number, sha256, body)"
            " SELECT id, revisions, ?, ? FROM documents WHERE id = ?",
            (sha256, pack(text), document),
        ).lastrowid
        or 0
    )


def _passages(step: Step, document: int, pieces: Sequence[_Piece]) -> dict[str, int]:
    """Return the rows of passages by name, made where there are none."""
    db = step.db
    found = db.execute(
        "SELECT name, id, erased FROM passages WHERE name IN (SELECT value FROM json_each(?))",
        (many([piece.name for piece in pieces]),),
    ).fetchall()
    rows = {name: row for name, row, _ in found}
    blank = {name for name, _, erased in found if erased}
    fresh: list[tuple[int, str, str]] = []
    for piece in pieces:
        if piece.name in rows and piece.name not in blank:
            continue
        heading = msgspec.json.encode(piece.slice.heading).decode()
        values = (piece.context, heading, piece.text, piece.likeness)
        if piece.name in blank:
            row = rows[piece.name]
            db.execute(
                "UPDATE passages SET context = ?, heading = ?, text = ?, likeness = ?, erased = 0 WHERE id = ?",
                (*values, row),
            ).close()
            # Whoever keeps rows in memory has left this one out.
            db.execute("UPDATE base SET generation = generation + 1").close()
        else:
            flags = msgspec.json.encode(piece.slice.flags).decode()
            made = db.execute(
                "INSERT INTO passages (context, heading, text, likeness, name, document, flags, sha256)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*values, piece.name, document, flags, piece.sha256),
            )
            row = rows[piece.name] = made.lastrowid or 0
        fresh.append((row, piece.context, piece.text))
    step.words.add(db, fresh)
    return rows


def _settle(
    step: Step, row: Row, document: int, revision: int, pieces: Sequence[_Piece], rows: dict[str, int]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Have these pieces, and no others, be the document's places in a version."""
    db = step.db
    old = {
        key: (place, name)
        for place, name, *key_ in db.execute(
            'SELECT p.id, q.name, p.passage, p.revision, p."start", p."end", p.page FROM places p'
            " JOIN passages q ON q.id = p.passage WHERE p.version = ? AND p.document = ? AND p.hi = ?",
            (row.id, document, FOREVER),
        )
        for key in (tuple(key_),)
    }
    new = {(rows[one.name], revision, one.slice.start, one.slice.end, one.slice.page): one for one in pieces}
    over = [(step.seq, place) for key, (place, _) in old.items() if key not in new]
    made = [
        (row.id, document, revision, key[0], one.slice.start, one.slice.end, one.byte_start, one.byte_end, key[4],
         step.seq, FOREVER)
        for key, one in new.items()
        if key not in old
    ]  # fmt: skip
    db.executemany("UPDATE places SET hi = ? WHERE id = ?", over).close()
    db.executemany(
        'INSERT INTO places (version, document, revision, passage, "start", "end", byte_start, byte_end, page, lo, hi)'
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        made,
    ).close()
    step.moved = step.moved or bool(over) or bool(made)
    were, are = {name for _, name in old.values()}, {one.name for one in pieces}
    return tuple(sorted(were - are)), tuple(one.name for one in pieces if one.name not in were)


def _hold(
    step: Step,
    row: Row,
    document: int,
    revision: int,
    meta: Meta,
    before: Held | None,
    draft: Draft,
    sha256: str,
) -> None:
    kept = msgspec.json.encode(meta).decode()
    known = _known(meta)
    if before is not None and (before.revision, before.meta) == (revision, kept):
        return
    db = step.db
    if before is not None:
        db.execute("UPDATE holdings SET hi = ? WHERE id = ?", (step.seq, before.id)).close()
    expires = meta.read_at + meta.ttl * 1000 if meta.ttl else 0
    db.execute(
        "INSERT INTO holdings (version, document, revision, likeness, meta, groups, fields, expires, lo, hi)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (row.id, document, revision, known, kept, str(many(meta.groups)), msgspec.json.encode(meta.fields).decode(),
         expires, step.seq, FOREVER),
    ).close()  # fmt: skip
    step.changed(draft.document, row.version.name, before.sha256 if before else "", sha256)


def _vectors(
    db: Rows,
    row: Row,
    pieces: Sequence[_Piece],
    rows: dict[str, int],
    vectors: "NDArray[np.float32] | None",
) -> None:
    embedder = row.version.embedder
    if not embedder or not pieces:
        return
    have = {
        passage
        for (passage,) in db.execute(
            "SELECT passage FROM vectors WHERE embedder = ? AND passage IN (SELECT value FROM json_each(?))",
            (embedder, many([rows[piece.name] for piece in pieces])),
        )
    }
    blobs = [None] * max((piece.at + 1 for piece in pieces), default=0) if vectors is None else _packed(vectors, row)
    made = []
    for piece in pieces:
        if rows[piece.name] in have:
            continue
        data = blobs[piece.at] or _like(db, embedder, piece.likeness)
        if data is not None:
            made.append((embedder, rows[piece.name], data))
    again = "INSERT INTO vectors (embedder, passage, data) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
    db.executemany(again, made).close()


def _like(db: Rows, embedder: str, like: bytes) -> bytes | None:
    found = db.execute(
        "SELECT v.data FROM passages q JOIN vectors v ON v.passage = q.id AND v.embedder = ?"
        " WHERE q.likeness = ? LIMIT 1",
        (embedder, like),
    ).fetchall()
    return found[0][0] if found else None


def _packed(vectors: "NDArray[np.float32]", row: Row) -> list[Packed | None]:
    """Return vectors as they are kept, None for one of zeros."""
    import numpy as np

    dimensions = row.version.dimensions
    if vectors.ndim != 2 or vectors.shape[1] != dimensions:
        raise InvalidRequest(
            f"The vectors have not the {dimensions} dimensions of '{row.version.embedder}': embed with that.",
            param="vectors",
        )
    if not np.isfinite(vectors).all():
        raise InvalidRequest("A vector holds what is no number: embed again.", param="vectors")
    filled: list[bool] = np.any(vectors, axis=1).tolist()
    raw = np.ascontiguousarray(vectors, "<f4").tobytes()
    size = 4 * dimensions
    return [Packed(raw[index * size : (index + 1) * size]) if full else None for index, full in enumerate(filled)]
