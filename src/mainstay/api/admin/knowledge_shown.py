"""Knowledge as the admin API shows it. Times are wall-clock ms, 0 where nobody said; offsets are code points of a
revision's text, ends exclusive, and bytes of its UTF-8."""

from typing import Any, Literal, TypeVar

import msgspec
from pydantic import BaseModel

from mainstay.grounding.listing import Document

__all__ = [
    "BaseShown",
    "ChangeShown",
    "DifferenceShown",
    "DocumentPage",
    "DocumentShown",
    "FoundShown",
    "OpenedShown",
    "PassageShown",
    "PinShown",
    "ReportShown",
    "SourceShown",
    "StaleShown",
    "VersionShown",
    "WrittenShown",
    "document_shown",
    "shown",
]


class BaseShown(BaseModel):
    """A knowledge base: its live version, and how much is in it. ``size`` is bytes; ``stale`` counts documents past
    their limit and sources that were not read whole for too long."""

    name: str
    version: str
    embedder: str
    seq: int
    documents: int
    passages: int
    size: int
    changed: int
    stale: int
    configured: bool


class DocumentShown(BaseModel):
    """A document without its text. ``sha256`` is of its text, ``since`` the step at which it became what it is;
    ``expires`` is when it may no longer be used."""

    document: str
    revision: int
    sha256: str
    title: str = ""
    uri: str = ""
    kind: str = ""
    groups: list[str] = []
    dated: int = 0
    read_at: int = 0
    ttl: int = 0
    licence: str = ""
    consent: str = ""
    fields: dict[str, str] = {}
    passages: int
    expires: int
    since: int


class PinShown(BaseModel):
    """The one state that was looked at: a version, at a step."""

    base: str
    version: str
    seq: int


class SourceShown(BaseModel):
    """A passage at a pin. ``text`` is exactly the revision's text from ``start`` to ``end``, ``sha256`` is of its
    UTF-8; ``page`` counts from 1, 0 where there are none."""

    pin: PinShown
    document: str
    revision: int
    passage: str
    start: int
    end: int
    byte_start: int
    byte_end: int
    text: str
    sha256: str
    page: int = 0
    heading: list[str] = []
    title: str = ""
    uri: str = ""
    dated: int = 0
    read_at: int = 0
    expires: int = 0
    flags: list[str] = []
    score: float = 0.0


class PassageShown(BaseModel):
    """A passage of a document, as offsets into its revision."""

    name: str
    document: str
    revision: int
    start: int
    end: int
    text: str
    sha256: str
    title: str
    page: int
    heading: list[str]
    flags: list[str]


class DocumentPage(BaseModel):
    """A document with its passages, in their order."""

    document: DocumentShown
    passages: list[PassageShown]


class FoundShown(BaseModel):
    """What a question found, best first. ``confidence`` is 0 to 1; ``late`` names parts of the search that were not
    waited for."""

    pin: PinShown
    sources: list[SourceShown]
    confidence: float
    late: list[str]
    ms: float


class OpenedShown(BaseModel):
    """A passage in its revision, with the text around it, blank where that was retracted. ``state``: ``alive`` in the
    live version, ``superseded`` or ``expired``."""

    source: SourceShown
    state: str
    before: str
    after: str


class WrittenShown(BaseModel):
    """A change: its step, the passages that are no longer alive, and those that now are."""

    seq: int
    closed: list[str]
    opened: list[str]


class ReportShown(BaseModel):
    """What became of a document that was to be put: how many were added, changed or as they were before."""

    document: str
    added: int
    changed: int
    unchanged: int
    passages: int
    flags: dict[str, int]


class VersionShown(BaseModel):
    """A version of a base. ``dense`` is the weight of meaning against words."""

    name: str
    embedder: str = ""
    dimensions: int = 0
    chunker: str = ""
    dense: float = 0.6
    parent: str = ""
    state: Literal["live", "building", "ready", "retired"] = "building"
    seq: int = 0
    created: int = 0


class DifferenceShown(BaseModel):
    """How a document differs between two states; a revision is 0 where there is none."""

    what: Literal["added", "changed", "gone"]
    document: str
    before: int
    after: int


class ChangeShown(BaseModel):
    """A change: who made it, why and when. ``before`` and ``after`` are the SHA-256 of a document's text."""

    seq: int
    at: int
    what: str
    who: str
    why: str
    document: str
    version: str
    before: str
    after: str


class StaleShown(BaseModel):
    """A document past its limit, or a source that was not listed whole for too long. ``since`` is when the one was too
    old, or the other was last listed whole (0: never), ``seconds`` how long ago that is."""

    base: str
    what: Literal["document", "source"]
    name: str
    since: int
    seconds: float


def document_shown(row: Document) -> DocumentShown:
    """Return a document as the API has it."""
    known: dict[str, Any] = msgspec.to_builtins(row.meta)
    # Of its bytes; what is shown is of its text.
    known.pop("sha256", None)
    return DocumentShown(
        document=row.document,
        revision=row.revision,
        sha256=row.sha256,
        passages=row.passages,
        expires=row.expires,
        since=row.since,
        **known,
    )


_Shown = TypeVar("_Shown", bound=BaseModel)


def shown(model: type[_Shown], value: msgspec.Struct) -> _Shown:
    """Return a value of the room as the API has it."""
    return model.model_validate(msgspec.to_builtins(value))
