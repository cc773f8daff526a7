"""What was retracted: beside the versions, so that no rollback, import or reading again brings it back.

A document is known again by its name and by the SHA-256 of its bytes and its text, words (of a passage or a fact) by
themselves wherever they stand, and by their SHA-256 alone once they were erased. Whatever overlaps them goes with them.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from mainstay.core.errors import InvalidRequest, NotFound
from mainstay.grounding.erasing import erase as blank_out
from mainstay.grounding.holdings import end, fell_behind, held, identity
from mainstay.grounding.phrases import Phrase, Words
from mainstay.grounding.port import Change, Meta, Written
from mainstay.grounding.rows import FOREVER, Rows, many
from mainstay.grounding.shelf import Barred
from mainstay.grounding.steps import Row, Step, Steps, find
from mainstay.grounding.windows import unpack

__all__ = [
    "Tombstone",
    "barred",
    "buried",
    "bury",
    "listed",
    "retracted",
    "scan",
    "take_out",
    "unretract",
    "withhold",
]

#: Seconds that an erasure waits for those who still read what was: they keep the log of it from being emptied.
_PATIENCE = 0.5
_META = msgspec.json.Decoder(Meta)


class Tombstone(msgspec.Struct, frozen=True):
    """What was retracted, who did it, why, when (wall-clock ms), and at which step. ``name`` is that of the document or
    passage, "" for a fact; ``sha256`` is of the folded words, "" for a document. ``erased``: its words are gone."""

    id: int
    kind: Literal["document", "passage", "fact"]
    name: str
    sha256: str
    erased: bool
    seq: int
    at: int
    who: str
    why: str


def listed(db: Rows) -> tuple[Tombstone, ...]:
    """Return what was retracted, oldest first."""
    found = db.execute("SELECT id, kind, name, sha256, erased, seq, at, who, why FROM tombstones ORDER BY id")
    return tuple(Tombstone(a, kind, b, c, bool(d), e, f, g, h) for a, kind, b, c, d, e, f, g, h in found)


def buried(db: Rows, document: str, hashes: Iterable[str]) -> bool:
    """Whether a document was retracted: this one, or one of the same bytes or text."""
    named = db.execute("SELECT 1 FROM tombstones WHERE kind = 'document' AND name = ?", (document,)).fetchall()
    same = "SELECT 1 FROM buried WHERE sha256 IN (SELECT value FROM json_each(?)) LIMIT 1"
    return bool(named) or bool(db.execute(same, (many([one for one in hashes if one]),)).fetchall())


def barred(db: Rows) -> Barred:
    """Return which documents are known to be retracted before they are read."""
    names = db.execute("SELECT name FROM tombstones WHERE kind = 'document'").fetchall()
    hashes = db.execute("SELECT sha256 FROM buried").fetchall()
    return Barred(frozenset(name for (name,) in names), frozenset(one for (one,) in hashes))


def retracted(db: Rows, text: str) -> list[tuple[int, int, int]]:
    """Return the stretches of ``text`` that were retracted as words: tombstone, start, end."""
    known = db.execute("SELECT id, words, length, sha256 FROM tombstones WHERE length > 0").fetchall()
    if not known:
        return []
    lower, words, found = text.lower(), None, []
    for tombstone, folded, length, sha256 in known:
        phrase = Phrase(folded, length, sha256)
        if phrase.might_be_in(lower):
            words = words or Words(text)
            found += [(tombstone, start, stop) for start, stop in words.find(phrase)]
    return found


def scan(db: Rows, phrase: Phrase, after: int = 0) -> dict[int, list[tuple[int, int]]]:
    """Return where a phrase stands in all revisions there ever were, from one on."""
    found = {}
    for revision, body in db.execute("SELECT id, body FROM revisions WHERE id > ? ORDER BY id", (after,)):
        text = unpack(body)
        if phrase.might_be_in(text.lower()) and (spans := Words(text).find(phrase)):
            found[revision] = spans
    return found


def take_out(steps: Steps, change: Change, document: str, passage: str, fact: str, *, erase: bool) -> Written:
    """Retract; see :meth:`mainstay.grounding.store.RowStore.retract`."""
    if bool(document) + bool(passage) + bool(fact) != 1:
        raise InvalidRequest("Say one of a document, a passage and a fact.")
    with steps.connections.read() as db:
        # Looked for before the transaction that writes, which then looks at what came meanwhile only.
        phrase = None if document else _phrase(db, passage, fact)
        spans = {} if phrase is None else scan(db, phrase)
        ((newest,),) = db.execute("SELECT coalesce(max(id), 0) FROM revisions").fetchall()
    with steps.step("erase" if erase else "retract", change) as step:
        if phrase is None:
            places = _retract_document(step, document, erased=erase)
        else:
            # What was collected meanwhile needs no blanking.
            still = "SELECT id FROM revisions WHERE id IN (SELECT value FROM json_each(?))"
            left = step.db.execute(still, (many(list(spans)),)).fetchall()
            spans = {one: spans[one] for (one,) in left} | scan(step.db, phrase, newest)
            places = _retract_words(step, passage, phrase, spans, erased=erase)
        if erase:
            blank_out(step, document, places, spans)
        written = step.written()
    if erase:
        steps.connections.checkpoint(_PATIENCE)
    return written


def _phrase(db: Rows, passage: str, fact: str) -> Phrase:
    if not passage:
        phrase = Phrase.of(fact)
        if not phrase.length:
            raise InvalidRequest("A fact needs words: say which.", param="fact")
        return phrase
    found = db.execute("SELECT text, erased, sha256 FROM passages WHERE name = ?", (passage,)).fetchall()
    if not found:
        raise NotFound(f"There is no passage '{passage}' in this knowledge base.")
    text, erased, sha256 = found[0]
    return Phrase("", 0, sha256) if erased else Phrase.of(text)


def _retract_words(
    step: Step, passage: str, phrase: Phrase, spans: dict[int, list[tuple[int, int]]], *, erased: bool
) -> list[int]:
    if not spans and not passage:
        raise NotFound("No passage of this knowledge base says so.")
    tombstone = _bury(step, "passage" if passage else "fact", passage, phrase, erased=erased)
    places = _overlapping(step, tombstone, spans)
    if passage:
        own = "SELECT p.id FROM places p JOIN passages q ON q.id = p.passage WHERE q.name = ?"
        places = list(dict.fromkeys([*places, *(place for (place,) in step.db.execute(own, (passage,)))]))
    _withdraw(step, tombstone, places)
    return places


def withhold(step: Step, revision: int, version: int, tombstone: int, span: tuple[int, int], what: str = "") -> None:
    """Note that a stretch of a revision is not to be shown: words (version 0), or a slice of a version."""
    step.db.execute(
        "INSERT INTO withheld VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (revision, version, *span, tombstone, what),
    ).close()


def _bury(step: Step, kind: str, name: str, phrase: Phrase | None, *, erased: bool) -> int:
    words, length, sha256 = phrase or Phrase("", 0, "")
    values = (kind, name, sha256)
    found = step.db.execute(
        "SELECT id, erased FROM tombstones WHERE kind = ? AND name = ? AND sha256 = ?", values
    ).fetchall()
    if found:
        if erased and not found[0][1]:
            step.moved = True
            step.db.execute("UPDATE tombstones SET erased = 1, words = '' WHERE id = ?", (found[0][0],)).close()
        return int(found[0][0])
    step.moved = True
    change = step.change
    made = step.db.execute(
        "INSERT INTO tombstones (kind, name, sha256, words, length, erased, seq, at, who, why)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*values, "" if erased else words, length, erased, step.seq, step.at, change.who, change.why),
    )
    return made.lastrowid or 0


def bury(step: Step, stone: Mapping[str, Any]) -> None:
    """Take over what was retracted elsewhere: kind, name, SHA-256 and length of the words, SHA-256 of documents, and
    who, why and when."""
    phrase = Phrase("", int(stone["length"]), stone["sha256"])
    number = _bury(step, stone["kind"], stone["name"], phrase, erased=bool(stone["erased"]))
    told = (stone["who"], stone["why"], stone["at"], number, step.seq)
    step.db.execute("UPDATE tombstones SET who = ?, why = ?, at = ? WHERE id = ? AND seq = ?", told).close()
    step.db.executemany(
        "INSERT INTO buried VALUES (?, ?) ON CONFLICT DO NOTHING", [(one, number) for one in stone["hashes"]]
    ).close()


def _retract_document(step: Step, document: str, *, erased: bool) -> list[int]:
    db = step.db
    number = identity(db, document)
    if number is None:
        raise NotFound(f"There is no document '{document}' in this knowledge base.")
    tombstone = _bury(step, "document", document, None, erased=erased)
    hashes = set()
    for sha256, meta in db.execute(
        "SELECT r.sha256, h.meta FROM holdings h JOIN revisions r ON r.id = h.revision WHERE h.document = ?",
        (number,),
    ):
        hashes |= {sha256, _META.decode(meta).sha256}
    hashes.discard("")
    db.executemany(
        "INSERT INTO buried VALUES (?, ?) ON CONFLICT DO NOTHING", [(one, tombstone) for one in hashes]
    ).close()
    return _bury_document(step, tombstone, number, hashes)


def _bury_document(step: Step, tombstone: int, number: int | None, hashes: Iterable[str]) -> list[int]:
    """End a document, and those of the same bytes or text, in every version; return all places of them."""
    db = step.db
    same = db.execute(
        "SELECT DISTINCT h.document, h.revision FROM holdings h JOIN revisions r ON r.id = h.revision"
        " WHERE r.sha256 IN (SELECT value FROM json_each(:all))"
        " OR json_extract(h.meta, '$.sha256') IN (SELECT value FROM json_each(:all))",
        {"all": many(sorted(hashes))},
    ).fetchall()
    places = db.execute("SELECT id FROM places WHERE document = ?", (number,)).fetchall()
    for document, revision in same:
        places += db.execute(
            "SELECT id FROM places WHERE document = ? AND revision = ?", (document, revision)
        ).fetchall()
    found = list(dict.fromkeys(place for (place,) in places))
    db.executemany(
        "INSERT INTO withdrawn VALUES (?, ?) ON CONFLICT DO NOTHING", [(one, tombstone) for one in found]
    ).close()
    ended = {(number, None), *same}
    for row in _versions(db):
        for document, revision in ended:
            holding = None if document is None else held(db, row.id, document)
            if document is not None and holding and revision in (None, holding.revision):
                end(step, row, document)
                step.changed(_name(db, document), row.version.name, holding.sha256, "")
    _level(step, {document for document, _ in ended if document is not None})
    return found


def _overlapping(step: Step, tombstone: int, spans: dict[int, list[tuple[int, int]]]) -> list[int]:
    places = []
    for revision, stretches in spans.items():
        for start, stop in stretches:
            withhold(step, revision, 0, tombstone, (start, stop))
            found = step.db.execute(
                'SELECT id, version, "start", "end" FROM places WHERE revision = ? AND "start" < ? AND "end" > ?',
                (revision, stop, start),
            ).fetchall()
            for place, version, begin, ends in found:
                withhold(step, revision, version, tombstone, (begin, ends))
                places.append(place)
    return list(dict.fromkeys(places))


def _withdraw(step: Step, tombstone: int, places: list[int]) -> None:
    """End places, those that are alive, and have none of them be seen at any pin."""
    db = step.db
    db.executemany(
        "INSERT INTO withdrawn VALUES (?, ?) ON CONFLICT DO NOTHING", [(one, tombstone) for one in places]
    ).close()
    found = db.execute(
        "SELECT p.id, q.name, d.name, v.name, r.sha256 FROM places p JOIN passages q ON q.id = p.passage"
        " JOIN documents d ON d.id = p.document JOIN versions v ON v.id = p.version"
        " JOIN revisions r ON r.id = p.revision"
        " WHERE p.id IN (SELECT value FROM json_each(?)) AND p.hi = ?",
        (many(places), FOREVER),
    ).fetchall()
    db.executemany("UPDATE places SET hi = ? WHERE id = ?", [(step.seq, row[0]) for row in found]).close()
    step.passages([row[1] for row in found], ())
    for document, version, sha256 in dict.fromkeys(row[2:] for row in found):
        step.changed(document, version, sha256, sha256)


def unretract(step: Step, document: str, passage: str, tombstone: int) -> Written:
    """Let in again; see :meth:`mainstay.grounding.store.RowStore.unretract`."""
    db = step.db
    kind, name = ("document", document) if document else ("passage", passage)
    found = db.execute(
        "SELECT id, kind, name, seq, erased FROM tombstones WHERE id = ? OR (kind = ? AND name = ? AND name <> '')",
        (tombstone, kind, name),
    ).fetchall()
    if not found:
        raise NotFound("Nothing of that name was retracted.")
    for number, _, named, seq, erased in found:
        step.moved = True
        places = db.execute(
            "SELECT p.id, p.version, p.document, p.revision, p.passage FROM withdrawn w JOIN places p ON p.id = w.place"
            " WHERE w.tombstone = ? AND p.hi = ?",
            (number, seq),
        ).fetchall()
        db.execute("DELETE FROM tombstones WHERE id = ?", (number,)).close()
        for table in ("buried", "withdrawn", "withheld"):
            db.execute(f"DELETE FROM {table} WHERE tombstone = ?", (number,)).close()  # noqa: S608  # names from here
        if not erased:
            _reopen(step, seq, places)
        elif named and not places:
            step.changed(named, "", "", "")
    return step.written()


def _reopen(step: Step, seq: int, places: list[tuple[int, int, int, int, int]]) -> None:
    db = step.db
    opened: list[int] = []
    documents = set()
    still = {one for (one,) in db.execute("SELECT DISTINCT place FROM withdrawn")}
    for place, version, document, revision, _ in places:
        if place in still or buried(db, _name(db, document), ()):
            continue
        if held(db, version, document) is None:
            again = (step.seq, FOREVER, version, document, revision, seq)
            made = db.execute(
                "INSERT INTO holdings (version, document, revision, likeness, meta, groups, fields, expires, lo, hi)"
                " SELECT version, document, revision, likeness, meta, groups, fields, expires, ?, ? FROM holdings"
                " WHERE version = ? AND document = ? AND revision = ? AND hi = ?",
                again,
            )
            documents.add(document)
            if made.rowcount:
                step.changed(_name(db, document), _versioned(db, version), "", _sha256(db, revision))
        holding = held(db, version, document)
        if holding is None or holding.revision != revision:
            continue
        db.execute(
            'INSERT INTO places (version, document, revision, passage, "start", "end", byte_start, byte_end, page,'
            ' lo, hi) SELECT version, document, revision, passage, "start", "end", byte_start, byte_end, page, ?, ?'
            " FROM places"
            " WHERE id = ?",
            (step.seq, FOREVER, place),
        ).close()
        opened.append(place)
    names = db.execute(
        "SELECT q.name FROM places p JOIN passages q ON q.id = p.passage"
        " WHERE p.id IN (SELECT value FROM json_each(?))",
        (many(opened),),
    ).fetchall()
    step.passages((), [name for (name,) in names])
    _level(step, documents)


def _level(step: Step, documents: Iterable[int]) -> None:
    # In every version at once, so that none is left behind by it.
    live = next((row for row in _versions(step.db) if row.live), None)
    for document in documents:
        if live is not None:
            fell_behind(step, live, document)


def _versions(db: Rows) -> list[Row]:
    return [find(db, name) for (name,) in db.execute("SELECT name FROM versions ORDER BY id").fetchall()]


def _name(db: Rows, document: int) -> str:
    return str(db.execute("SELECT name FROM documents WHERE id = ?", (document,)).fetchall()[0][0])


def _versioned(db: Rows, version: int) -> str:
    return str(db.execute("SELECT name FROM versions WHERE id = ?", (version,)).fetchall()[0][0])


def _sha256(db: Rows, revision: int) -> str:
    return str(db.execute("SELECT sha256 FROM revisions WHERE id = ?", (revision,)).fetchall()[0][0])
