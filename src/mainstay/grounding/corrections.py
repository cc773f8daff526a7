"""Putting right a passage, a stretch of a document, or a fact wherever it stands, in one transaction.

The other passages stay what they are: nothing is cut anew, slices only move. Vectors of what is new are asked for
before the transaction; when the document has changed by then, it is looked at again.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from mainstay.core.errors import Conflict, InvalidRequest, NotFound
from mainstay.grounding.holdings import held, identity
from mainstay.grounding.phrases import Phrase, Words
from mainstay.grounding.port import Change, Meta, Slice, Written
from mainstay.grounding.revisions import put_one, wanting
from mainstay.grounding.rows import FOREVER, Rows
from mainstay.grounding.shelf import Draft
from mainstay.grounding.steps import Row, Steps, find
from mainstay.grounding.windows import unpack

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Embed", "correct", "correct_fact", "moved"]

#: Embeds passages of a document: what is known of it, where they are, what they say.
Embed = Callable[[Meta, Sequence[Slice], Sequence[str]], "NDArray[np.float32]"]
_META = msgspec.json.Decoder(Meta)
_WORDS = msgspec.json.Decoder(tuple[str, ...])
#: How often a document is looked at again that others change meanwhile.
_TRIES = 20


class _Now(NamedTuple):
    """A document as a version has it."""

    name: str
    number: int
    text: str
    meta: Meta
    slices: list[Slice]


def correct(
    steps: Steps,
    text: str,
    change: Change,
    passage: str,
    document: str,
    start: int,
    end: int,
    *,
    expect: int,
    version: str,
    embed: Embed | None,
) -> Written:
    """Put ``text`` in the place of a passage or a stretch; see :meth:`RowStore.correct`."""
    if bool(passage) == bool(document):
        raise InvalidRequest("Say either a passage or a document.")

    def draft(db: Rows, row: Row) -> list[tuple[Draft, int]]:
        name, begin, stop = _place(db, row, passage) if passage else (document, start, end)
        now = _now(db, row, name)
        if expect and now.number != expect:
            raise Conflict("The document has changed since it was looked at: look again.")
        if not 0 <= begin <= stop <= len(now.text):
            raise InvalidRequest(f"The stretch is not within the text of '{name}'.", param="start")
        return [_edited(now, [(begin, stop)], text)]

    return _apply(steps, change, draft, version, embed)


def correct_fact(
    steps: Steps,
    fact: str,
    text: str,
    change: Change,
    document: str,
    passage: str,
    *,
    version: str,
    embed: Embed | None,
) -> Written:
    """Put ``text`` wherever ``fact`` stands; see :meth:`RowStore.correct_fact`."""
    phrase = Phrase.of(fact)
    if not phrase.length:
        raise InvalidRequest("A fact needs words: say which.", param="fact")

    def draft(db: Rows, row: Row) -> list[tuple[Draft, int]]:
        within = _place(db, row, passage) if passage else None
        names = [within[0]] if within else [document] if document else _holding(db, row, phrase)
        found = []
        for name in names:
            now = _now(db, row, name)
            spans = [
                span
                for span in Words(now.text).find(phrase)
                if within is None or (within[1] <= span[0] and span[1] <= within[2])
            ]
            if spans:
                found.append(_edited(now, spans, text))
        if not found:
            raise NotFound("Nothing says so: the words stand nowhere in what was named.")
        return found

    return _apply(steps, change, draft, version, embed)


def _apply(
    steps: Steps,
    change: Change,
    draft: Callable[[Rows, Row], list[tuple[Draft, int]]],
    version: str,
    embed: Embed | None,
) -> Written:
    for left in range(_TRIES, 0, -1):
        with steps.connections.read() as db:
            row = find(db, version)
            drafts = draft(db, row)
            wanted = [wanting(db, one.text, one.slices, one.meta, version) for one, _ in drafts]
        if embed is not None:
            drafts = [
                (_embedded(one, which, row, embed), number) for (one, number), which in zip(drafts, wanted, strict=True)
            ]
        try:
            with steps.step("correct", change) as step:
                again = find(step.db, version)
                if again.id != row.id:
                    raise _Moved("Another version is live now: look again.")
                for one, number in drafts:
                    if not _same(step.db, row, one, number):
                        raise _Moved("The document has changed since it was looked at: look again.")
                    put_one(step, again, one)
                return step.written()
        except _Moved:
            if left == 1:
                raise
    raise AssertionError("unreachable")


def _same(db: Rows, row: Row, draft: Draft, number: int) -> bool:
    before = held(db, row.id, identity(db, draft.document) or 0)
    if before is None or before.meta != msgspec.json.encode(draft.meta).decode():
        return False
    found = db.execute("SELECT number FROM revisions WHERE id = ?", (before.revision,)).fetchall()
    return bool(found == [(number,)])


class _Moved(Conflict):
    """Somebody else was first."""


def _embedded(draft: Draft, wanted: Sequence[int], row: Row, embed: Embed) -> Draft:
    if not wanted:
        return draft
    import numpy as np

    slices = [draft.slices[index] for index in wanted]
    made = embed(draft.meta, slices, [draft.text[one.start : one.end] for one in slices])
    vectors = np.zeros((len(draft.slices), row.version.dimensions), np.float32)
    vectors[list(wanted)] = made
    return msgspec.structs.replace(draft, vectors=vectors)


def _now(db: Rows, row: Row, name: str) -> _Now:
    document = identity(db, name)
    own = None if document is None else held(db, row.id, document)
    if own is None:
        raise NotFound(f"There is no document '{name}' in this version.")
    ((number, body),) = db.execute("SELECT number, body FROM revisions WHERE id = ?", (own.revision,)).fetchall()
    found = db.execute(
        'SELECT p."start", p."end", p.page, q.heading, q.flags FROM places p JOIN passages q ON q.id = p.passage'
        ' WHERE p.version = ? AND p.document = ? AND p.hi = ? ORDER BY p."start", p."end"',
        (row.id, document, FOREVER),
    )
    slices = [Slice(cells[0], cells[1], cells[2], _WORDS.decode(cells[3]), _WORDS.decode(cells[4])) for cells in found]
    return _Now(name, number, unpack(body), _META.decode(own.meta), slices)


def _place(db: Rows, row: Row, passage: str) -> tuple[str, int, int]:
    found = db.execute(
        'SELECT d.name, p."start", p."end" FROM passages q JOIN places p ON p.passage = q.id'
        " JOIN documents d ON d.id = p.document WHERE q.name = ? AND p.version = ? AND p.hi = ?",
        (passage, row.id, FOREVER),
    ).fetchall()
    if not found:
        raise NotFound(f"There is no passage '{passage}' alive in this version.")
    name, start, end = found[0]
    return name, start, end


def _holding(db: Rows, row: Row, phrase: Phrase) -> list[str]:
    found = db.execute(
        "SELECT d.name, r.body FROM holdings h JOIN documents d ON d.id = h.document"
        " JOIN revisions r ON r.id = h.revision WHERE h.version = ? AND h.hi = ?",
        (row.id, FOREVER),
    )
    return [name for name, body in found if phrase.might_be_in(unpack(body).lower())]


def _edited(now: _Now, spans: Sequence[tuple[int, int]], text: str) -> tuple[Draft, int]:
    said, slices = now.text, now.slices
    for start, end in sorted(spans, reverse=True):
        said = said[:start] + text + said[end:]
        slices = moved(slices, start, end, len(text), said)
    return Draft(now.name, said, slices, now.meta), now.number


def moved(slices: Sequence[Slice], start: int, end: int, length: int, text: str) -> list[Slice]:
    """Return slices after ``[start:end]`` became ``length`` code points, ``text`` being all that is said then.

    Those before stay, those after move, those that hold it grow or shrink; what is in none becomes one of its own.
    Slices that say nothing any more are dropped.
    """
    by, stop = length - (end - start), start + length
    found: list[Slice] = []
    for one in slices:
        holds = one.start <= start and one.end >= end and (end > start or one.start < start)
        if holds:
            begin, ends = one.start, one.end + by
        elif one.end <= start:
            begin, ends = one.start, one.end
        elif one.start >= end:
            begin, ends = one.start + by, one.end + by
        else:
            # One that it begins in takes it whole.
            begin = one.start if one.start < start else stop
            ends = one.end + by if one.end > end else stop
        if begin < ends and text[begin:ends].strip():
            found.append(Slice(begin, ends, one.page, one.heading, one.flags))
    within = any(one.start <= start and one.end >= stop for one in found)
    if not within and text[start:stop].strip():
        near = max((one for one in slices if one.start <= start), key=lambda one: one.start, default=Slice(0, 0))
        found.append(Slice(start, stop, near.page, near.heading, near.flags))
    return sorted(found, key=lambda one: (one.start, one.end))
