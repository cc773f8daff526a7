"""Stretches of a document's text: as it was stored, without what was retracted since, and windows around a passage.

Bodies are kept packed; offsets are code points. Does not know who asks: whoever calls has looked at that.
"""

import zlib

from mainstay.core.errors import NotFound
from mainstay.grounding.rows import Rows

__all__ = ["blank", "pack", "stretch", "unpack", "window", "withheld"]


def pack(text: str) -> bytes:
    """Return ``text`` as it is kept."""
    return zlib.compress(text.encode(), 6)


def unpack(body: bytes) -> str:
    """Return the text that was packed."""
    return zlib.decompress(body).decode()


def withheld(db: Rows, revision: int, version: int = 0) -> list[tuple[int, int]]:
    """Return the stretches of a revision that were retracted, in order: the words, and with a ``version`` its passages
    that hold some of them."""
    found = db.execute(
        'SELECT "start", "end" FROM withheld WHERE revision = ? AND version IN (0, ?) ORDER BY "start"',
        (revision, version),
    )
    return found.fetchall()


def stretch(db: Rows, document: str, revision: int, start: int, end: int) -> str:
    """Return ``[start:end]`` of a revision, blanks where it was retracted.

    Raises:
        NotFound: there is no such revision.
    """
    found = db.execute(
        "SELECT r.id, r.body FROM revisions r JOIN documents d ON d.id = r.document WHERE d.name = ? AND r.number = ?",
        (document, revision),
    ).fetchall()
    if not found:
        raise NotFound(f"There is no revision {revision} of '{document}'.")
    return blank(unpack(found[0][1]), withheld(db, found[0][0]))[start:end]


def blank(text: str, stretches: list[tuple[int, int]]) -> str:
    """Return ``text`` with blanks in stretches: as many code points, and as many bytes of UTF-8."""
    for start, end in stretches:
        text = text[:start] + "".join(_BLANKS[len(one.encode())] for one in text[start:end]) + text[end:]
    return text


#: A blank of each length in UTF-8: space, no-break space, em space, tag space. So offsets stay what they are.
_BLANKS = {1: " ", 2: "\u00a0", 3: "\u2003", 4: "\U000e0020"}


def window(db: Rows, version: int, seq: int, row: int, characters: int) -> tuple[int, int]:
    """Return a window of about ``characters`` around a passage that is alive in a version at a step.

    Raises:
        NotFound: it is not.
    """
    found = db.execute(
        'SELECT p.document, p.revision, p."start", p."end", r.body, q.flags FROM places p'
        " JOIN revisions r ON r.id = p.revision JOIN passages q ON q.id = p.passage"
        " WHERE p.passage = ? AND p.version = ? AND p.lo <= ? AND p.hi > ?",
        (row, version, seq, seq),
    ).fetchall()
    if not found:
        raise NotFound("This passage is not alive at this pin.")
    document, revision, start, end, body, flags = found[0]
    text = unpack(body)
    # Where it must end, whatever is asked for: what was retracted, and neighbours with other flags.
    walls = withheld(db, revision, version)
    walls += db.execute(
        'SELECT p."start", p."end" FROM places p JOIN passages q ON q.id = p.passage WHERE p.version = ?'
        " AND p.document = ? AND p.lo <= ? AND p.hi > ? AND q.flags NOT IN ('[]', ?)",
        (version, document, seq, seq, flags),
    ).fetchall()
    least = max((stop for begin, stop in walls if begin < start), default=0)
    most = min((begin for begin, stop in walls if stop > end), default=len(text))
    room = max(0, characters - (end - start))
    low = max(min(least, start), start - room // 2)
    high = min(max(most, end), end + (room - (start - low)))
    low = max(min(least, start), min(low, start - (room - (high - end))))
    return _to_break(text, low, start, high, end)


def _to_break(text: str, low: int, start: int, high: int, end: int) -> tuple[int, int]:
    # Begin and end with a paragraph or a sentence, if there is one: never within a word.
    if low > 0:
        for mark in ("\n\n", "\n", ". ", " "):
            found = text.find(mark, low, start)
            if found >= 0:
                low = found + len(mark)
                break
        else:
            low = start
    if high < len(text):
        for mark in ("\n\n", "\n", ". ", " "):
            found = text.rfind(mark, end, high)
            if found >= 0:
                high = found + len(mark.rstrip())
                break
        else:
            high = end
    return low, high
