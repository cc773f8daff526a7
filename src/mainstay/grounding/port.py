"""What this room needs and offers, as protocols: the store of revisions, embedders, rerankers, the verifier, and what a
question finds.

The record of truth is revisioned rows; indexes are caches of it. Every hit is read again at its pin before it may enter
a prompt, a citation or a cached answer.
"""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from mainstay.core.sources import Found, Pin, Source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "Access",
    "Change",
    "Embedder",
    "Hit",
    "Library",
    "Meta",
    "Question",
    "Reranker",
    "Slice",
    "Snapshot",
    "Store",
    "Support",
    "Verifier",
    "Version",
    "Written",
]


class Access(msgspec.Struct, frozen=True):
    """Who asks: sees documents without groups, and those that share one of ``groups``. Applied before ranking, never
    to the ranked list. ``where`` keeps documents whose own fields (``Meta.fields``) have these values."""

    groups: frozenset[str] = frozenset()
    where: tuple[tuple[str, str], ...] = ()
    #: Passages with a flag of these are left out.
    without: frozenset[str] = frozenset()
    #: Sees documents of every group: for who keeps the base, never for a caller.
    every: bool = False


class Meta(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a document. ``ttl`` is in seconds after ``read_at``, 0 for ever; times are wall-clock ms."""

    title: str = ""
    uri: str = ""
    groups: tuple[str, ...] = ()
    dated: int = 0
    read_at: int = 0
    ttl: int = 0
    licence: str = ""
    consent: str = ""
    #: What it is: ``text/markdown``, ``application/pdf``.
    kind: str = ""
    #: Of the bytes that were read, hex: the same bytes need not be read again.
    sha256: str = ""
    fields: Mapping[str, str] = {}


class Slice(msgspec.Struct, frozen=True):
    """A passage to be: ``text[start:end]`` of the document's normalised text, code points."""

    start: int
    end: int
    page: int = 0
    heading: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


class Change(msgspec.Struct, frozen=True):
    """Who changes something, why, and when (wall-clock ms, 0 for now)."""

    who: str = ""
    why: str = ""
    at: int = 0


class Written(msgspec.Struct, frozen=True):
    """A commit: its step, the passages that are no longer alive, and those that now are, by name."""

    seq: int
    closed: tuple[str, ...] = ()
    opened: tuple[str, ...] = ()


class Version(msgspec.Struct, frozen=True, omit_defaults=True):
    """A named version of a knowledge base: what it is built with, and its state.

    ``embedder`` names the model of embeddings ("" for none) and ``dimensions`` the length of its vectors; a change of
    either, or of ``chunker``, is a new version, never a mixture. ``dense`` is the weight of meaning against words.
    ``state``: ``live`` (questions go to it), ``building``, ``ready`` (built, may be swapped in) or ``retired``.
    """

    name: str
    embedder: str = ""
    dimensions: int = 0
    chunker: str = ""
    dense: float = 0.6
    parent: str = ""
    state: Literal["live", "building", "ready", "retired"] = "building"
    seq: int = 0
    created: int = 0


class Hit(msgspec.Struct, frozen=True, gc=False):
    """A candidate: the row of a passage in its store, and its score, larger is better."""

    row: int
    score: float


class Snapshot(Protocol):
    """One pinned state, read by one question. Used as a context manager, by one thread."""

    pin: Pin
    version: Version

    def __enter__(self) -> "Snapshot": ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Let go of the pin."""
        ...

    def lexical(self, terms: Sequence[str], access: Access, most: int) -> Sequence[Hit]:
        """Return the best ``most`` passages that hold any of ``terms`` (plain words), by BM25, among those allowed."""
        ...

    def dense(self, vector: "NDArray[np.float32]", access: Access, most: int) -> Sequence[Hit]:
        """Return the best ``most`` passages by dot product with ``vector`` (of length 1), among those allowed."""
        ...

    def dots(self, vector: "NDArray[np.float32]", rows: Sequence[int]) -> Mapping[int, float]:
        """Return the dot products of passages with ``vector``."""
        ...

    def vectors(self, rows: Sequence[int]) -> "Mapping[int, NDArray[np.float32]]":
        """Return the vectors of passages, where they have one."""
        ...

    def read(self, rows: Sequence[int], access: Access) -> Mapping[int, Source]:
        """Return those of ``rows`` that are alive at the pin, allowed, not retracted and not expired: the gate."""
        ...

    def near(self, row: int, reach: int) -> Sequence[int]:
        """Return the passages of the same document up to ``reach`` before and after one, alive at the pin, in their
        order, itself among them; none if it is not alive. They are still to be read, which is the gate."""
        ...

    def around(self, row: int, characters: int) -> tuple[int, int]:
        """Return the offsets of a window of about ``characters`` in the revision of a passage, around it."""
        ...


class Store(Protocol):
    """One knowledge base. Safe to share between threads; any number of processes may have it open.

    A change is one transaction and is seen by every question that begins after it returned, in every process.
    """

    name: str

    def pin(self, version: str = "", at: int = 0) -> Snapshot:
        """Pin a version (the live one by default), as it is now or as it was at wall-clock ms ``at``.

        Raises:
            NotFound: there is no such version, or it did not exist then.
        """
        ...

    def put(
        self,
        document: str,
        text: str,
        slices: Sequence[Slice],
        meta: Meta,
        change: Change,
        vectors: "NDArray[np.float32] | None" = None,
        version: str = "",
    ) -> Written:
        """Add a document, or make ``text`` its next revision in a version. Passages whose text, place in the headings
        and meta are unchanged stay what they are. ``vectors`` has a row for each slice, where the version has vectors.

        Raises:
            Conflict: these bytes were retracted.
        """
        ...

    def retract(
        self, change: Change, *, document: str = "", passage: str = "", fact: str = "", erase: bool = False
    ) -> Written:
        """Take out a document, a passage, or every passage that holds the text ``fact``, of every version and for good:
        no rollback, import or re-read brings it back. ``erase``: blank the bytes, too.

        Raises:
            NotFound: there is nothing of that name.
        """
        ...


class Embedder(Protocol):
    """Turns texts into vectors of length 1. ``name`` marks them: vectors of another model cannot be compared."""

    name: str
    dimensions: int

    def embed(self, texts: Sequence[str], kind: Literal["question", "passage"]) -> "NDArray[np.float32]":
        """Return a row for each text. Blocks; called in a thread.

        Raises:
            Unavailable: what computes them cannot be reached.
        """
        ...


class Reranker(Protocol):
    """Orders candidates by reading question and passage together. Blocks; called in a thread."""

    def rank(self, question: str, passages: Sequence[str]) -> Sequence[float]:
        """Return a score for each passage, larger is better."""
        ...


class Support(msgspec.Struct, frozen=True, gc=False):
    """Calibrated probabilities that evidence supports a claim, contradicts it, or says nothing of it. They sum to 1."""

    supported: float
    contradicted: float
    unknown: float


class Verifier(Protocol):
    """Checks claims against evidence. Blocks (some 50 ms a pair); called in a thread."""

    name: str

    def check(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Support]:
        """Return a judgement for each pair of a claim and evidence, whatever the length of the evidence."""
        ...


class Question(msgspec.Struct, frozen=True):
    """What is asked of a knowledge base: the last words of a conversation, and the turns before, oldest first.

    ``most`` passages are wanted, of at most ``tokens`` together; ``seconds`` is how long the caller waits.
    """

    text: str
    before: tuple[tuple[Literal["user", "assistant"], str], ...] = ()
    access: Access = Access()
    version: str = ""
    most: int = 6
    tokens: int = 2000
    seconds: float = 0.5


class Library(Protocol):
    """What the line asks. ``base`` is a row of ``knowledge``."""

    async def ready(self, base: str) -> None:
        """Return once what searches a base is loaded, or cannot be: :meth:`find` says why then."""
        ...

    async def find(self, base: str, question: Question) -> Found:
        """Return what a question finds, at one pin.

        Raises:
            NotFound: there is no such base or version.
            Unavailable: it cannot be read now.
        """
        ...

    async def alive(self, base: str, passages: Sequence[str], access: Access) -> bool:
        """Whether all of these passages are alive now, and allowed: asked before an answer that rests on them is given
        again."""
        ...

    async def check(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Support]:
        """Check claims against evidence, away from the event loop.

        Raises:
            Unavailable: what checks is not installed, or has too much to do.
        """
        ...
