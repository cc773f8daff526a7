"""A faster index of words for large bases, in memory, by the package ``tantivy``; below it SQLite's own index serves.

A cache of rows, never of what is alive, as ``matrix`` is of vectors: whoever finds a row here reads it again at its
pin. It is made in the background from the rows, and again when some were removed; passages that came since are added
before each search. Until it is there, and without the package, questions go to SQLite's index.
"""

import threading
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any, Final

import structlog

from mainstay.core.errors import Unavailable
from mainstay.grounding.rows import Rows
from mainstay.grounding.tables import Connections
from mainstay.grounding.terms import tokens

__all__ = ["Lexicon", "Lexicons"]

_log = structlog.get_logger("mainstay.grounding")
#: Passages from which SQLite's index would take longer than a question should.
_LARGE: Final = 20_000
#: New passages that a question itself adds; more are added in the background.
_INLINE: Final = 200
_AT_ONCE: Final = 1000
_HEAP: Final = 32_000_000
_LEAST: Final = 128


class Lexicon:
    """The words of passages, by their rows: BM25, titles and headings among them."""

    def __init__(self, uuid: str, generation: int) -> None:
        import tantivy

        self.key = (uuid, generation)
        self.last = 0
        self._document = tantivy.Document
        schema = tantivy.SchemaBuilder()
        schema.add_unsigned_field("row", fast=True, indexed=False)
        schema.add_text_field("text", tokenizer_name="words", index_option="position")
        self._index = tantivy.Index(schema.build())
        # Words come cut already, as the other index cuts them.
        filters = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).filter(tantivy.Filter.ascii_fold())
        self._index.register_tokenizer("words", filters.filter(tantivy.Filter.stemmer("english")).build())
        self._writer = self._index.writer(_HEAP, 1)

    def catch_up(self, db: Rows) -> None:
        """Add the passages that the transaction of ``db`` sees, after the last that is here."""
        found = db.execute(
            "SELECT id, context, text FROM passages WHERE id > ? AND erased = 0 ORDER BY id", (self.last,)
        )
        while part := found.fetchmany(_AT_ONCE):
            for row, context, text in part:
                document = self._document()
                document.add_unsigned("row", row)
                document.add_text("text", " ".join((*tokens(context), *tokens(text))))
                self._writer.add_document(document)
        ((self.last,),) = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'passages'").fetchall() or [(0,)]
        self._writer.commit()
        self._index.reload()

    def search(self, terms: Sequence[str], most: int) -> Iterator[Sequence[tuple[int, float]]]:
        """Yield rows and scores, best first, in parts of growing size, until there are no more."""
        words = " ".join(f'"{" ".join(parts)}"' for term in dict.fromkeys(terms) if (parts := tokens(term)))
        if not words:
            return
        searcher: Any = self._index.searcher()
        query = self._index.parse_query(words, ["text"])
        size, offset = max(2 * most, _LEAST), 0
        while True:
            hits = searcher.search(query, size, count=False, offset=offset).hits
            rows = searcher.fast_field_values("row", [address for _, address in hits]) if hits else []
            yield [(row, score) for row, (score, _) in zip(rows, hits, strict=True)]
            if len(hits) < size:
                return
            offset += size
            size *= 4


class Lexicons:
    """The lexicon of one base, shared by its threads."""

    def __init__(self, connections: Connections, large: int = _LARGE) -> None:
        self._connections = connections
        self._large = large
        self._lock = threading.Lock()
        self._kept: Lexicon | None = None
        self._building: threading.Thread | None = None
        self._there = find_spec("tantivy") is not None

    def at(self, db: Rows) -> Lexicon | None:
        """Return a lexicon with all that the transaction of ``db`` sees, None where SQLite's index is to be asked."""
        if not self._there:
            return None
        ((newest,),) = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'passages'").fetchall() or [(0,)]
        if newest < self._large:
            return None
        key = _key(db)
        with self._lock:
            kept = self._kept
            if kept is None or kept.key != key or newest - kept.last > _INLINE:
                self._build()
                return None
            if kept.last < newest:
                kept.catch_up(db)
            return kept

    def wait(self) -> None:
        """Wait until nothing is being built."""
        building = self._building
        if building is not None:
            building.join()

    def _build(self) -> None:
        if self._building is None or not self._building.is_alive():
            self._building = threading.Thread(target=self._make, name="lexicon", daemon=True)
            self._building.start()

    def _make(self) -> None:
        try:
            with self._connections.read() as db:
                made = Lexicon(*_key(db))
                made.catch_up(db)
        except Unavailable:
            return
        with self._lock:
            self._kept = made
        _log.info("lexicon_built", passages=made.last)


def _key(db: Rows) -> tuple[str, int]:
    ((uuid, generation),) = db.execute("SELECT uuid, generation FROM base").fetchall()
    return uuid, generation
