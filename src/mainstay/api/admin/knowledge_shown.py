"""Knowledge as the admin API shows it. Times are wall-clock ms, 0 where nobody said; offsets are code points of a
revision's text, ends exclusive, and bytes of its UTF-8."""

from typing import Any, Literal, TypeVar

import msgspec
from pydantic import BaseModel

from mainstay.grounding.listing import Document
from mainstay.grounding.reports import Report

__all__ = [
    "BaseShown",
    "ChangeShown",
    "CollectedShown",
    "ComparisonShown",
    "DifferenceShown",
    "DocumentPage",
    "DocumentShown",
    "EvaluationShown",
    "FoundShown",
    "LearnedShown",
    "OpenedShown",
    "PassageShown",
    "PinShown",
    "ProblemShown",
    "ReportShown",
    "RetractionShown",
    "RunShown",
    "SideShown",
    "SourceShown",
    "SourceStateShown",
    "StaleShown",
    "TaskShown",
    "VersionShown",
    "WrittenShown",
    "document_shown",
    "report_shown",
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
    """A passage in its revision, with the text around it, blank where that was retracted, and the names of the passages
    before and after it. ``state``: ``alive`` in the live version, ``superseded`` or ``expired``."""

    source: SourceShown
    state: str
    before: str
    after: str
    licence: str = ""
    consent: str = ""
    previous: str = ""
    next: str = ""


class WrittenShown(BaseModel):
    """A change: its step, the passages that are no longer alive, and those that now are."""

    seq: int
    closed: list[str]
    opened: list[str]


class ProblemShown(BaseModel):
    """What could not be read, and why: the end of a sentence that begins with it."""

    document: str
    message: str


class ReportShown(BaseModel):
    """What became of a file that was to be put: documents that were added, changed, or as they were before; closed, as
    rows that it has no more; refused, since they were retracted; and what could not be read."""

    document: str
    added: int
    changed: int
    unchanged: int
    closed: int = 0
    refused: int = 0
    passages: int
    flags: dict[str, int]
    problems: list[ProblemShown] = []


class RunShown(BaseModel):
    """What reading a source came to, in documents but for ``passages``; ``complete``: it was listed whole."""

    source: str
    added: int
    changed: int
    unchanged: int
    closed: int
    refused: int
    skipped: int
    passages: int
    flags: dict[str, int]
    problems: list[ProblemShown]
    complete: bool
    stopped: bool
    seconds: float


class TaskShown(BaseModel):
    """A piece of work on a base and how it goes; ``message`` says why it failed, ``reports`` what sources came to."""

    id: str
    base: str
    what: Literal["ingest", "build", "import"]
    who: str
    version: str
    state: Literal["waiting", "running", "done", "failed", "stopped"]
    asked: int
    began: int
    ended: int
    done: int
    total: int
    current: str
    message: str
    reports: list[RunShown]


class SourceStateShown(BaseModel):
    """A source of the configuration: every how many seconds it is looked at (0: when told to), when it was last listed
    whole (0: never), when it is next, and what it had then."""

    name: str
    path: str
    urls: list[str]
    every: float
    listed: int
    due: int
    documents: int
    problems: int
    stale: bool


class RetractionShown(BaseModel):
    """What was retracted; ``sha256`` is of the words of a passage or a fact."""

    id: int
    kind: Literal["document", "passage", "fact"]
    name: str
    sha256: str
    erased: bool
    seq: int
    at: int
    who: str
    why: str


class SideShown(BaseModel):
    """How well a version finds: means over the questions, the 95 % interval of nDCG@10, a question's time in ms."""

    version: str
    questions: int
    ndcg: float
    low: float
    high: float
    recall: float
    mrr: float
    ms: float


class ComparisonShown(BaseModel):
    """What one has over the other in nDCG@10, with its 95 % interval, and the share of resamples without a gain."""

    gain: float
    low: float
    high: float
    p: float


class EvaluationShown(BaseModel):
    """How well a version finds, and another beside it; ``gain`` is what the first has over the other."""

    one: SideShown
    other: SideShown | None = None
    gain: ComparisonShown | None = None


class LearnedShown(BaseModel):
    """The weight of meaning against words from now on, what it was, and why it is this one."""

    weight: float
    before: float
    questions: int
    why: str
    gain: ComparisonShown | None = None


class CollectedShown(BaseModel):
    """What was cleared away, and the bytes that are left."""

    passages: int
    revisions: int
    versions: int
    size: int


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


def report_shown(document: str, report: Report) -> ReportShown:
    """Return what became of a file as the API has it."""
    return ReportShown.model_validate({**msgspec.to_builtins(report), "document": document})


_Shown = TypeVar("_Shown", bound=BaseModel)


def shown(model: type[_Shown], value: msgspec.Struct) -> _Shown:
    """Return a value of the room as the API has it."""
    return model.model_validate(msgspec.to_builtins(value))
