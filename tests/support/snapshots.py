"""A knowledge base in memory, for tests of searching: passages in a list, BM25 and dot products by their formulas."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mainstay.core.sources import Pin, Source
from mainstay.grounding.port import Access, Hit, Version
from mainstay.grounding.terms import root, tokens

__all__ = ["Letters", "MemorySnapshot", "source"]


class Letters:
    """An ``Embedder`` that counts pairs of letters: alike texts have alike vectors, and nothing is loaded."""

    name = "letters"
    dimensions = 64

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def embed(self, texts: Sequence[str], kind: Literal["question", "passage"]) -> NDArray[np.float32]:
        """Return a row for each text."""
        self.asked += [(kind, text) for text in texts]
        rows = np.full((len(texts), self.dimensions), 1e-3, np.float32)
        for at, text in enumerate(texts):
            for one, two in zip(text.lower(), text.lower()[1:], strict=False):
                rows[at, (ord(one) * 31 + ord(two)) % self.dimensions] += 1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def source(text: str, document: str = "a", start: int = 0, passage: str = "", score: float = 0.0) -> Source:
    """Return a source as a snapshot reads it."""
    data = text.encode()
    name = passage or f"{document}:{start}"
    return Source(
        Pin("base", "v1", 1), document, 1, name, start, start + len(text), start, start + len(data), text,
        hashlib.sha256(data).hexdigest(), score=score,
    )  # fmt: skip


class MemorySnapshot:
    """A ``Snapshot`` of ``sources``; a row is a place in the list. ``gone`` rows are found but not alive any more,
    ``secret`` rows are of the group "staff". Counts what is asked in ``asked``."""

    def __init__(
        self,
        sources: Sequence[Source],
        embedder: Letters | None = None,
        *,
        dense: float = 0.6,
        gone: frozenset[int] = frozenset(),
        secret: frozenset[int] = frozenset(),
    ) -> None:
        self.pin = Pin("base", "v1", 1)
        name, dimensions = (embedder.name, embedder.dimensions) if embedder is not None else ("", 0)
        self.version = Version("v1", name, dimensions, dense=dense, state="live", seq=1)
        self._sources = sources
        self._gone, self._secret = gone, secret
        texts = [one.text for one in sources]
        self._vectors = embedder.embed(texts, "passage") if embedder is not None else None
        self._words = [[root(word) for word in tokens(text)] for text in texts]
        self.asked: list[str] = []

    def __enter__(self) -> "MemorySnapshot":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass

    def _allowed(self, row: int, access: Access) -> bool:
        return row not in self._secret or "staff" in access.groups

    def lexical(self, terms: Sequence[str], access: Access, most: int) -> Sequence[Hit]:
        """Return the best passages by BM25 (k1 1.2, b 0.75)."""
        self.asked.append("lexical")
        mean = sum(map(len, self._words)) / len(self._words) if self._words else 1.0
        hits = []
        for row, words in enumerate(self._words):
            score = 0.0
            for term in dict.fromkeys(root(part) for whole in terms for part in tokens(whole)):
                count = words.count(term)
                holding = sum(term in other for other in self._words)
                rarity = math.log(1 + (len(self._words) - holding + 0.5) / (holding + 0.5))
                score += rarity * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * len(words) / mean)) if count else 0.0
            if score and self._allowed(row, access):
                hits.append(Hit(row, score))
        return sorted(hits, key=lambda hit: (-hit.score, hit.row))[:most]

    def dense(self, vector: NDArray[np.float32], access: Access, most: int) -> Sequence[Hit]:
        """Return the best passages by dot product."""
        self.asked.append("dense")
        assert self._vectors is not None
        scores = self._vectors @ vector
        rows = [row for row in np.argsort(-scores, kind="stable").tolist() if self._allowed(row, access)]
        return [Hit(row, float(scores[row])) for row in rows[:most]]

    def dots(self, vector: NDArray[np.float32], rows: Sequence[int]) -> Mapping[int, float]:
        """Return dot products."""
        self.asked.append("dots")
        assert self._vectors is not None
        return {row: float(self._vectors[row] @ vector) for row in rows}

    def vectors(self, rows: Sequence[int]) -> Mapping[int, NDArray[np.float32]]:
        """Return vectors."""
        self.asked.append("vectors")
        return {} if self._vectors is None else {row: self._vectors[row] for row in rows}

    def read(self, rows: Sequence[int], access: Access) -> Mapping[int, Source]:
        """Return the sources of rows that are alive and allowed."""
        self.asked.append("read")
        return {row: self._sources[row] for row in rows if row not in self._gone and self._allowed(row, access)}

    def near(self, row: int, reach: int) -> Sequence[int]:
        """Return a row amid its neighbours."""
        self.asked.append("near")
        mine = self._sources[row].document
        rows = sorted(
            (at for at, one in enumerate(self._sources) if one.document == mine), key=lambda at: self._sources[at].start
        )
        place = rows.index(row)
        return rows[max(0, place - reach) : place + reach + 1]

    def around(self, row: int, characters: int) -> tuple[int, int]:
        """Return the passage's own offsets: there is no more text here."""
        return self._sources[row].start, self._sources[row].end
