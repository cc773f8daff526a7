"""What is asked of a source of intensities, now and then: when work that can wait is begun, and what today's grid is.

Runs in the event loop of whoever wants to know. A source that does not answer is tried again later; until one has
answered, and wherever time is short, work is begun now, and the average of the year counts.
"""

import asyncio
import time
from collections.abc import Callable

import structlog

from mainstay.core.clock import monotonic
from mainstay.core.errors import MainstayError
from mainstay.energy.intensity import Known
from mainstay.energy.port import Intensities
from mainstay.energy.window import best_start

__all__ = ["Today", "Windows"]

_log = structlog.get_logger("mainstay.energy")
#: Seconds until a source that did not answer is asked again.
_AGAIN = 300.0
#: Seconds between two looks at what is known of today.
_LOOK = 60.0


class Windows:
    """Tells when to begin.

    Args:
        source: of intensities.
        stale: seconds after which what it said is not used any more.
        refresh: seconds between two questions to it.
        now: monotonic seconds.
    """

    def __init__(self, source: Intensities, stale: float, refresh: float, now: Callable[[], float] = monotonic) -> None:
        self._source = source
        self._known = Known(None, stale)
        self._refresh = refresh
        self._now = now
        self._due = 0.0

    async def grams(self, now: float) -> float | None:
        """Return today's grams per kWh at ``now``, seconds since 1970; None while nothing fresh is known."""
        if self._now() >= self._due:
            await self._ask(now)
        found = self._known.at(now)
        # What the marginal power station emits says when to work, and not what work has emitted.
        return found.grams if found is not None and found.basis == "average" else None

    async def begin(self, seconds: float, now: float, deadline: float) -> float:
        """Return when to begin work of ``seconds`` that must end by ``deadline``, ``now`` being the time; all times are
        seconds since 1970."""
        if self._now() >= self._due:
            await self._ask(now)
        return best_start(self._known.ahead(now), seconds, now, deadline)

    async def _ask(self, now: float) -> None:
        # Whoever comes meanwhile goes by what is known.
        self._due = self._now() + _AGAIN
        try:
            series = await self._source.fetch()
        except (MainstayError, ValueError, OSError) as error:
            # Not the error's own text: an answer may quote a credential.
            _log.warning("intensities_unknown", reason=type(error).__name__)
            return
        self._due = self._now() + self._refresh
        if series is not None:
            self._known.take(series, now)


class Today:
    """Sees to it that calls are counted by today's grid.

    Args:
        windows: what is known of the zone.
        take: told today's grams per kWh whenever they change; None when the average of the year counts again.
        wall: seconds since 1970.
    """

    def __init__(
        self, windows: Windows, take: Callable[[float | None], None], wall: Callable[[], float] = time.time
    ) -> None:
        self._windows = windows
        self._take = take
        self._wall = wall
        self._grams: float | None = None
        self._due = 0.0
        self._task: asyncio.Task[None] | None = None

    def tick(self) -> None:
        """To be called now and then, in a running event loop: looks once a minute."""
        if (self._task is None or self._task.done()) and monotonic() >= self._due:
            self._due = monotonic() + _LOOK
            self._task = asyncio.get_running_loop().create_task(self._look())

    async def _look(self) -> None:
        grams = await self._windows.grams(self._wall())
        if grams != self._grams:
            self._grams = grams
            self._take(grams)

    async def aclose(self) -> None:
        """Ask nothing more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
