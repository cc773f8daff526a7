"""Looks at sources again, each as often as its row says: which are due is decided by times alone, and one thread of the
control process does the rest. What goes wrong is told and tried again; no failure ends the watch.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import msgspec

from mainstay.core.clock import wall_ms
from mainstay.core.errors import MainstayError
from mainstay.grounding.config import KnowledgeConfig, SourceConfig, source_name
from mainstay.grounding.reports import Report, Stop

__all__ = ["Due", "Ingests", "Watch", "due", "is_stale", "schedule"]

#: Seconds between two looks at what is due, and after which a source that failed is tried again at the latest.
_ROUND: Final = 1.0
_AGAIN: Final = 600.0
#: How many times its own pace a source may be late before it counts as stale, where nobody says.
_LATE: Final = 3.0


class Due(msgspec.Struct, frozen=True):
    """A source of a base that is to be looked at."""

    base: str
    source: SourceConfig


class Ingests(Protocol):
    """Brings a base to what one of its sources holds."""

    def __call__(self, base: str, source: SourceConfig, stop: Stop) -> Report:
        """Do so. Raises MainstayError when it cannot."""
        ...


def due(now: int, last: int, every: float) -> bool:
    """Return whether a source that was looked at ``last`` (wall-clock ms, 0 for never) is to be looked at ``now``; a
    clock that was set back counts as time that passed."""
    return not 0 < last <= now or now - last >= every * 1000


def is_stale(now: int, last: int, source: SourceConfig, after: float | None) -> bool:
    """Return whether a source was not listed whole for too long: ``after`` seconds, or three times its own pace."""
    limit = after if after is not None else source.every * _LATE if source.every is not None else None
    return limit is not None and now - last > limit * 1000


def schedule(bases: Mapping[str, KnowledgeConfig], looked: Callable[[str, str], int], now: int) -> list[Due]:
    """Return what is due, longest overdue first.

    Args:
        bases: the rows of ``knowledge``.
        looked: returns when a source of a base was last looked at, wall-clock ms, 0 for never.
        now: wall-clock ms.
    """
    found = []
    for base, row in bases.items():
        for source in row.sources:
            last = looked(base, source_name(source))
            if source.every is not None and due(now, last, source.every):
                found.append((last, Due(base, source)))
    found.sort(key=lambda one: one[0])
    return [one for _, one in found]


class Watch:
    """Keeps bases at what their sources hold. Runs in a thread of its own until ``stop`` is set.

    Args:
        bases: returns the rows of ``knowledge`` in force.
        ingest: brings a base to what a source holds.
        listed: returns when a source of a base was last listed whole, wall-clock ms, 0 for never.
        told: is told of each run: the base, the source, what it came to or why it failed.
        clock: wall-clock ms.
    """

    def __init__(
        self,
        bases: Callable[[], Mapping[str, KnowledgeConfig]],
        ingest: Ingests,
        listed: Callable[[str, str], int],
        told: Callable[[str, str, Report | str], None],
        clock: Callable[[], int] = wall_ms,
    ) -> None:
        self._bases, self._ingest, self._listed, self._told, self._clock = bases, ingest, listed, told, clock
        #: When each source was last tried, by base and name: a failure leaves no other trace.
        self._tried: dict[tuple[str, str], int] = {}

    def run(self, stop: threading.Event) -> None:
        """Look again and again until ``stop`` is set; a run that is under way ends after its document."""
        while not stop.is_set():
            self.look(stop)
            stop.wait(_ROUND)

    def look(self, stop: Stop) -> int:
        """Look once at everything that is due; return how many sources were."""
        found = schedule(self._bases(), self._looked, self._clock())
        for one in found:
            if stop.is_set():
                break
            name, every = source_name(one.source), one.source.every or 0.0
            wait = every
            try:
                report: Report | str = self._ingest(one.base, one.source, stop)
            except MainstayError as error:
                report, wait = error.message, min(every, _AGAIN)
            except Exception as error:  # noqa: BLE001 - the watch goes on whatever breaks in one source
                report, wait = f"failed: {type(error).__name__}", min(every, _AGAIN)
            self._tried[one.base, name] = self._clock() - int((every - wait) * 1000)
            self._told(one.base, name, report)
        return len(found)

    def _looked(self, base: str, source: str) -> int:
        return max(self._tried.get((base, source), 0), self._listed(base, source))
