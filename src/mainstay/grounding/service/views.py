"""What is told of knowledge to people who keep it, where the store has no word for it: a base, a document with its
passages, a passage that was opened, what is too old, how well questions find.

Plain values. Times are wall-clock milliseconds since 1970.
"""

from typing import Literal

import msgspec

from mainstay.core.sources import Source
from mainstay.grounding.judged import Comparison
from mainstay.grounding.listing import Document, Passage

__all__ = ["BaseView", "DocumentWhole", "Evaluation", "PassageView", "Side", "SourceView", "StaleView"]


class BaseView(msgspec.Struct, frozen=True):
    """A knowledge base: its live version, and how much is in it. ``size`` is bytes of its file, ``stale`` counts
    documents past their limit and sources too old, ``configured`` is whether the configuration has a row for it."""

    name: str
    version: str = ""
    embedder: str = ""
    seq: int = 0
    documents: int = 0
    passages: int = 0
    size: int = 0
    changed: int = 0
    stale: int = 0
    configured: bool = False


class DocumentWhole(msgspec.Struct, frozen=True):
    """A document with its passages, in their order."""

    document: Document
    passages: tuple[Passage, ...] = ()


class PassageView(msgspec.Struct, frozen=True):
    """A passage in the revision that it is of, with what :class:`mainstay.grounding.pages.Page` has of it. ``state`` as
    in :class:`mainstay.grounding.listing.Opened`."""

    source: Source
    state: str
    before: str = ""
    after: str = ""
    licence: str = ""
    consent: str = ""
    previous: str = ""
    next: str = ""


class SourceView(msgspec.Struct, frozen=True):
    """A source of the configuration: where it is, every how many seconds it is looked at (0: when told to), when it was
    last listed whole (0: never), when it is next (0: when told to), and what it had then. ``stale``: that is too long
    ago."""

    name: str
    path: str = ""
    urls: tuple[str, ...] = ()
    every: float = 0.0
    listed: int = 0
    due: int = 0
    documents: int = 0
    problems: int = 0
    stale: bool = False


class StaleView(msgspec.Struct, frozen=True):
    """A document past its limit, or a source that was not listed whole for longer than it should be. ``since`` is when
    the one was too old, or the other was last listed whole (0: never); ``seconds`` is how long ago that is."""

    base: str
    what: Literal["document", "source"]
    name: str
    since: int
    seconds: float


class Side(msgspec.Struct, frozen=True):
    """How well one version finds: means over the questions, with the 95 % interval of nDCG. ``ms`` is a question's
    time."""

    version: str
    questions: int
    ndcg: float
    low: float
    high: float
    recall: float
    mrr: float
    ms: float = 0.0


class Evaluation(msgspec.Struct, frozen=True):
    """How well a version finds, and another beside it; ``gain`` is what the first has over the other."""

    one: Side
    other: Side | None = None
    gain: Comparison | None = None
