"""The index of words of a base in SQLite: FTS5, over what the rows of passages say.

Knows the table ``words`` and how a text is cut for it, and nothing else.
"""

from collections.abc import Sequence

from mainstay.grounding.rows import Rows, many

__all__ = ["Fts5"]


class Fts5:
    """See :class:`mainstay.grounding.rows.WordIndex`."""

    def add(self, db: Rows, passages: Sequence[tuple[int, str, str]]) -> None:
        """Have passages be found by their words: row, context, text."""
        made = "INSERT INTO words (rowid, context, text) VALUES (?, indexable(?), indexable(?))"
        db.executemany(made, passages).close()

    def drop(self, db: Rows, passages: Sequence[int]) -> None:
        """Forget passages; the index must be told what they said."""
        db.execute(
            "INSERT INTO words (words, rowid, context, text)"
            " SELECT 'delete', id, indexable(context), indexable(text) FROM passages"
            " WHERE id IN (SELECT value FROM json_each(?)) AND erased = 0",
            (many(passages),),
        ).close()

    def tidy(self, db: Rows) -> None:
        """Write the index anew: deletions are kept in it beside what they delete until then."""
        db.execute("INSERT INTO words (words) VALUES ('optimize')").close()
