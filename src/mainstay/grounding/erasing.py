"""Blanking what was retracted, so that its words are in no past either.

What is left is hashes, and who, why and when. Offsets stay what they are: blanks take as many code points and bytes.
Knows the index of words and the vectors, which are blanked with their rows.
"""

import msgspec

from mainstay.grounding.port import Meta
from mainstay.grounding.rows import FOREVER, many
from mainstay.grounding.steps import Step
from mainstay.grounding.windows import blank, pack, unpack

__all__ = ["erase"]

_META = msgspec.json.Decoder(Meta)


def erase(step: Step, document: str, places: list[int], spans: dict[int, list[tuple[int, int]]]) -> None:
    """Blank the passages of ``places`` that are alive nowhere, ``spans`` of revisions, and all of a ``document``."""
    db = step.db
    passages = db.execute(
        "SELECT DISTINCT q.id FROM places p JOIN passages q ON q.id = p.passage"
        " WHERE p.id IN (SELECT value FROM json_each(?)) AND q.erased = 0"
        " AND NOT EXISTS (SELECT 1 FROM places o WHERE o.passage = q.id AND o.hi = ?)",
        (many(places), FOREVER),
    ).fetchall()
    for (passage,) in passages:
        _erase_passage(step, passage)
    for revision, stretches in spans.items():
        ((body,),) = db.execute("SELECT body FROM revisions WHERE id = ?", (revision,)).fetchall()
        _keep(step, revision, blank(unpack(body), stretches))
    if document:
        _erase_document(step, document, places)
    # What others keep in memory is read anew, and the words leave the index with the deletions that are still in it.
    db.execute("UPDATE base SET generation = generation + 1").close()
    step.words.tidy(db)


def _erase_passage(step: Step, passage: int) -> None:
    db = step.db
    step.words.drop(db, (passage,))
    db.execute("DELETE FROM vectors WHERE passage = ?", (passage,)).close()
    db.execute(
        "UPDATE passages SET context = '', heading = '[]', text = '', likeness = ?, erased = 1 WHERE id = ?",
        (b"", passage),
    ).close()
    step.moved = True


def _erase_document(step: Step, document: str, places: list[int]) -> None:
    db = step.db
    revisions = db.execute(
        "SELECT r.id, r.body FROM revisions r JOIN documents d ON d.id = r.document WHERE d.name = ?1"
        " UNION SELECT r.id, r.body FROM places p JOIN revisions r ON r.id = p.revision"
        " WHERE p.id IN (SELECT value FROM json_each(?2))"
        " AND NOT EXISTS (SELECT 1 FROM holdings h WHERE h.revision = r.id AND h.hi = ?3)",
        (document, many(places), FOREVER),
    ).fetchall()
    for revision, body in revisions:
        text = unpack(body)
        _keep(step, revision, blank(text, [(0, len(text))]))
    for holding, meta in db.execute(
        "SELECT id, meta FROM holdings WHERE revision IN (SELECT value FROM json_each(?))",
        (many([revision for revision, _ in revisions]),),
    ).fetchall():
        told = msgspec.structs.replace(_META.decode(meta), title="", uri="", fields={})
        db.execute(
            "UPDATE holdings SET meta = ?, fields = '{}' WHERE id = ?", (msgspec.json.encode(told).decode(), holding)
        ).close()


def _keep(step: Step, revision: int, text: str) -> None:
    step.moved = True
    step.db.execute("UPDATE revisions SET body = ?, erased = 1 WHERE id = ?", (pack(text), revision)).close()
