"""Words of passages in PostgreSQL: a ``tsvector`` for each with a GIN index, and BM25 from what these hold.

Words are cut as they are for SQLite, so that both stores find the same; stems are PostgreSQL's own. Does not know what
is alive.
"""

import threading
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from mainstay.grounding.rows import Rows
from mainstay.grounding.terms import tokens

__all__ = ["LAYOUT", "STATISTICS", "Stems", "TextSearch", "folded", "found"]

#: The table of words, and what BM25 asks of the whole: how many passages there are, and how many words they have.
LAYOUT: Final = (
    "CREATE TABLE words (passage BIGINT PRIMARY KEY, length DOUBLE PRECISION NOT NULL, lexemes tsvector NOT NULL)",
    # A list of what is still to be put into the index would be gone through by every question.
    "CREATE INDEX words_lexemes ON words USING gin (lexemes) WITH (fastupdate = off)",
    "CREATE TABLE statistics (passages BIGINT NOT NULL, length BIGINT NOT NULL)",
    "INSERT INTO statistics VALUES (0, 0)",
)
STATISTICS: Final = "SELECT passages, length FROM statistics"
#: The last place that a ``tsvector`` can hold.
_LAST: Final = 16_383
#: The longest word it can.
_LONGEST: Final = 500
_STEMS: Final = 50_000
_STEM: Final = "coalesce((ts_lexize('pg_catalog.english_stem', t))[1], t)"
_ADD: Final = (
    "INSERT INTO words SELECT ?::bigint, ?::float8, coalesce(string_agg('''' || s || ''':' || least(at, ?), ' '),"  # noqa: S608  # words from here only
    f" '')::tsvector FROM (SELECT {_STEM} AS s, at FROM unnest(?::text[]) WITH ORDINALITY AS u(t, at)) AS stems"
)
_DROP: Final = (
    "WITH gone AS (DELETE FROM words WHERE passage = ANY(?) RETURNING length) UPDATE statistics SET"
    " passages = statistics.passages - g.n, length = statistics.length - g.m"
    " FROM (SELECT count(*) AS n, coalesce(sum(length), 0)::bigint AS m FROM gone) AS g"
)
#: BM25 (Robertson and Zaragoza 2009): k1, b, and the weight of a word that ``n`` of ``all`` passages have. All in
#: floating point: PostgreSQL's decimals take ten times as long.
_K1, _B = "1.2::float8", "0.75::float8"
_NORM: Final = f"({_K1} * (1 - {_B} + {_B} * {{at}}.length / :mean))"
_IDF: Final = "ln(1 + (:all - count(*) + 0.5::float8) / (count(*) + 0.5::float8))"
#: How often a word is in a passage: ``ts_rank`` of a single word is the sum of 1/i² up to that, over that up to
#: infinity, of which this is the inverse (to 5 %).
_RANK: Final = "ts_rank('{1,1,1,1}', w.lexemes, q.query)::float8"
_OFTEN: Final = f"greatest(1::float8, 1 / (1.6449341::float8 * greatest(1e-6::float8, 1 - {_RANK})) - 0.5::float8)"


def folded(text: str) -> list[str]:
    """Return the words of a text as they are kept, but for stems: without the marks that SQLite's index drops, too."""
    return [_bare(word) for word in tokens(text) if len(word) <= _LONGEST]


def _bare(word: str) -> str:
    if word.isascii():
        return word
    apart = unicodedata.normalize("NFKD", word)
    return unicodedata.normalize("NFC", "".join(one for one in apart if not "\u0300" <= one <= "\u036f")) or word


class TextSearch:
    """See :class:`mainstay.grounding.rows.WordIndex`."""

    def __init__(self) -> None:
        #: Passages that this process added since the tables were last analysed.
        self.added = 0

    def add(self, db: Rows, passages: Sequence[tuple[int, str, str]]) -> None:
        """Have passages be found by their words: row, context, text."""
        if not passages:
            return
        cut = [(row, [*folded(context), *folded(text)]) for row, context, text in passages]
        db.executemany(_ADD, [(row, len(words), _LAST, words) for row, words in cut]).close()
        self.added += len(cut)
        counts = (len(cut), sum(len(words) for _, words in cut))
        db.execute("UPDATE statistics SET passages = passages + ?, length = length + ?", counts).close()

    def drop(self, db: Rows, passages: Sequence[int]) -> None:
        """Forget passages."""
        if passages:
            db.execute(_DROP, (list(passages),)).close()

    def tidy(self, db: Rows) -> None:
        """Leave it to PostgreSQL: what was deleted is vacuumed."""


class Stems:
    """Words and their stems, as PostgreSQL gives them, remembered."""

    def __init__(self) -> None:
        self._kept: dict[str, str] = {}
        self._lock = threading.Lock()

    def of(self, db: Rows, words: Iterable[str]) -> dict[str, str]:
        """Return the stems of words."""
        wanted = list(dict.fromkeys(words))
        with self._lock:
            kept = {word: self._kept[word] for word in wanted if word in self._kept}
        new = [word for word in wanted if word not in kept]
        if new:
            made = dict(db.execute(f"SELECT t, {_STEM} FROM unnest(?::text[]) AS u(t)", (new,)).fetchall())  # noqa: S608  # words from here only
            with self._lock:
                if len(self._kept) > _STEMS:
                    self._kept.clear()
                self._kept |= made
            kept |= made
        return kept

    def queries(self, db: Rows, terms: Iterable[str]) -> list[str]:
        """Return what asks for each term, as ``tsquery``; words of one term must follow one another."""
        cut = [words for term in dict.fromkeys(terms) if (words := folded(term))]
        stems = self.of(db, (word for words in cut for word in words))
        return list(dict.fromkeys(" <-> ".join(f"'{stems[word]}'" for word in words) for words in cut))


def found(where: str) -> str:
    """Return the statement that finds the best passages by BM25 among those of ``where`` (places ``p``).

    Its values: ``queries``, ``all`` passages and their ``mean`` length, how ``many`` are looked at more closely, how
    many are wanted at ``most``, and those of ``where``. Which are looked at is told by the words they have, each taken
    as said once; how often each is said then orders them.
    """
    # What stands behind an OFFSET is done as it is written: the index is asked for one word at a time, what is allowed
    # is looked up for the best first, and a rank is computed once.
    rough = f"sum(d.idf * (1 + {_K1}) / (1 + {_NORM.format(at='m')}))"
    score = f"sum(d.idf * (1 + {_K1}) * o.often / (o.often + {_NORM.format(at='w')}))"
    return (
        "WITH q AS MATERIALIZED (SELECT i, x::tsquery AS query FROM unnest(:queries::text[]) WITH ORDINALITY"  # noqa: S608  # placeholders only
        " AS u(x, i)),"
        " m AS MATERIALIZED (SELECT q.i, w.passage, w.length FROM q,"
        " LATERAL (SELECT passage, length FROM words WHERE lexemes @@ q.query OFFSET 0) AS w),"
        f" d AS MATERIALIZED (SELECT i, {_IDF} AS idf FROM m GROUP BY i),"
        f" s AS (SELECT m.passage, {rough} AS score FROM m JOIN d USING (i) GROUP BY m.passage),"
        " t AS MATERIALIZED (SELECT b.passage FROM (SELECT * FROM s ORDER BY score DESC, passage OFFSET 0) AS b,"
        f" LATERAL (SELECT 1 FROM {where} WHERE p.passage = b.passage LIMIT 1) AS a"
        " ORDER BY b.score DESC, b.passage LIMIT :many)"
        f" SELECT w.passage, {score} AS score FROM t JOIN words w USING (passage) JOIN q ON w.lexemes @@ q.query"
        f" JOIN d USING (i), LATERAL (SELECT {_OFTEN} AS often OFFSET 0) AS o"
        " GROUP BY w.passage ORDER BY score DESC, w.passage LIMIT :most"
    )
