"""What a run that fills a base works with, what it tells on its way, and what it comes to. Plain values."""

from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from mainstay.grounding.chunks import Sizes
from mainstay.grounding.config import IngestLimitsConfig
from mainstay.grounding.port import Embedder
from mainstay.grounding.shelf import Extractor, Fetcher, Suspect

__all__ = ["Problem", "Progress", "Report", "Stop", "Tools"]


class Progress(msgspec.Struct, frozen=True):
    """How far a run has come: documents done, of how many, and the one it is at."""

    done: int
    total: int
    current: str


class Problem(msgspec.Struct, frozen=True):
    """A document that was left out, and why: the end of a sentence that begins with it (``is a damaged PDF; ...``)."""

    document: str
    message: str


class Report(msgspec.Struct):
    """What a run came to, in documents but for ``passages`` (written) and ``flags`` (passages, by flag).

    ``refused`` were retracted before; ``skipped`` are files of no kind that is read; ``closed`` vanished from the
    source. ``complete``: the source was listed whole.
    """

    source: str = ""
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    closed: int = 0
    refused: int = 0
    skipped: int = 0
    passages: int = 0
    flags: dict[str, int] = {}
    problems: list[Problem] = []
    complete: bool = False
    stopped: bool = False
    seconds: float = 0.0


class Stop(Protocol):
    """Says whether to stop: a ``threading.Event``."""

    def is_set(self) -> bool:
        """Return whether to stop now."""
        ...


@dataclass(frozen=True)
class Tools:
    """What ingestion works with. Without ``extractor`` only text is read; without ``fetcher`` no addresses are.

    ``embedder`` must be the one that the version is built with. ``suspect`` flags passages as ``injection``.
    """

    extractor: Extractor | None = None
    fetcher: Fetcher | None = None
    suspect: Suspect | None = None
    embedder: Embedder | None = None
    limits: IngestLimitsConfig = field(default_factory=IngestLimitsConfig)
    #: For versions that do not say how documents are cut.
    sizes: Sizes = field(default_factory=Sizes)
