"""Knowledge in the control process: sources are looked at again as often as they say; what is too old is told."""

import threading
from collections.abc import Callable, Mapping

import structlog

from mainstay.assembly.bases import Opened
from mainstay.config.load import Loaded
from mainstay.core.clock import monotonic
from mainstay.core.errors import MainstayError
from mainstay.grounding.config import KnowledgeConfig, SourceConfig
from mainstay.grounding.reports import Report, Stop
from mainstay.grounding.service import Knowledge
from mainstay.grounding.watch import Watch
from mainstay.telemetry.metrics import Slab

__all__ = ["Tending"]

_log = structlog.get_logger("mainstay.knowledge")
#: Seconds between two looks at what is too old; and between two at what is due.
_LOOK = 30.0
_ROUND = 1.0
_WHY = "the source changed"


class Tending:
    """Keeps knowledge as its sources are. Runs in a thread of its own.

    Args:
        loaded: returns the configuration in force.
        opened: opens the knowledge of a configuration, for changes that Mainstay makes itself.
    """

    def __init__(self, loaded: Callable[[], Loaded], opened: Callable[[Loaded], Opened]) -> None:
        self._loaded = loaded
        self._opened = opened
        self._now: tuple[Loaded, Opened, Knowledge] | None = None
        self._watch = Watch(self._rows, self._take_in, self._listed, self._told)
        self._due = 0.0
        #: By base: seconds since its oldest source was listed whole, and what is too old.
        self._figures: Mapping[str, tuple[float, int]] = {}

    def run(self, stop: threading.Event) -> None:
        """Go round until ``stop`` is set."""
        try:
            while not stop.is_set():
                self._watch.look(stop)
                if monotonic() >= self._due:
                    self._due = monotonic() + _LOOK
                    self.look()
                stop.wait(_ROUND)
        finally:
            self.close()

    def close(self) -> None:
        """Close what was opened."""
        if self._now is not None:
            self._now[1].__exit__(None, None, None)
            self._now = None

    def look(self) -> None:
        """See what is too old, and say so where that is new."""
        knowledge = self._knowledge()
        found = {}
        for base in knowledge.names():
            try:
                stale = knowledge.stale(base)
                found[base] = (knowledge.oldest(base), len(stale))
            except MainstayError as error:
                _log.error("knowledge_unreachable", base=base, reason=error.message)
                continue
            if stale and not self._figures.get(base, (0.0, 0))[1]:
                documents = sum(one.what == "document" for one in stale)
                advice = f"'mainstay knowledge stale {base}' lists them"
                told = {"documents": documents, "sources": len(stale) - documents}
                _log.warning("knowledge_stale", base=base, **told, advice=advice)
        self._figures = found

    def show(self, slab: Slab) -> None:
        """Set the gauges to what was seen last. May be called from another thread."""
        for base, (oldest, stale) in self._figures.items():
            slab.counter("mainstay_knowledge_oldest_source_seconds", base).set(oldest)
            slab.counter("mainstay_knowledge_stale_documents", base).set(stale)

    def _knowledge(self) -> Knowledge:
        loaded = self._loaded()
        if self._now is None or self._now[0] is not loaded:
            self.close()
            opened = self._opened(loaded)
            self._now = (loaded, opened, opened.__enter__())
        return self._now[2]

    def _rows(self) -> Mapping[str, KnowledgeConfig]:
        return self._loaded().config.knowledge

    def _listed(self, base: str, source: str) -> int:
        try:
            return self._knowledge().listed(base, source)
        except MainstayError:
            return 0

    def _take_in(self, base: str, source: SourceConfig, stop: Stop) -> Report:
        return self._knowledge().take_in(base, source, why=_WHY, stop=stop)

    def _told(self, base: str, source: str, came: Report | str) -> None:
        if isinstance(came, str):
            _log.error("knowledge_source_fails", base=base, source=source, reason=came)
            return
        counts = {"added": came.added, "changed": came.changed, "closed": came.closed, "failed": len(came.problems)}
        if any(counts.values()):
            _log.info("knowledge_read", base=base, source=source, **counts, seconds=round(came.seconds, 3))
