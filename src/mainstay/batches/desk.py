"""Files and batches as a worker serves them: every use waits in a thread, so that the event loop never does.

The database is opened at the first use and not before: its library costs a worker 30 MB, and most never need it.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import structlog

from mainstay.batches.config import BatchesConfig
from mainstay.core.errors import StartError, Unavailable
from mainstay.store.sealing import Seal

if TYPE_CHECKING:
    from mainstay.batches.service import Service

__all__ = ["Desk"]

_T = TypeVar("_T")
_log = structlog.get_logger("mainstay.batches")
_THREADS = 4
#: Uses that may wait for a thread; more means that the disk or database hangs.
_MOST_WAITING = 64
_ADVICE = "Files and batches cannot be reached now; try again shortly."


class Desk:
    """Runs what is asked of :class:`~mainstay.batches.service.Service` in threads of its own.

    Args:
        url: the database, as ``store.url``.
        home: the folder Mainstay writes to.
        rules: limits.
        seal: seals and opens files.
    """

    def __init__(self, url: str, home: Path, rules: BatchesConfig, seal: Seal | None = None) -> None:
        self._seal = seal
        self._url = url
        self._home = home
        self._rules = rules
        self._threads = ThreadPoolExecutor(_THREADS, "mainstay-desk")
        self._lock = threading.Lock()
        self._service: Service | None = None
        self._waiting = 0

    async def do(self, work: "Callable[[Service], _T]") -> _T:
        """Return what ``work`` returns, run in a thread; once begun it is ended, whoever stops waiting.

        Raises:
            Unavailable: the database or disk fails, or too many wait for it.
        """
        if self._waiting >= _MOST_WAITING:
            raise Unavailable(_ADVICE, retry_after=1.0)
        self._waiting += 1
        done = asyncio.get_running_loop().run_in_executor(self._threads, self._run, work)
        done.add_done_callback(self._count_off)
        return await asyncio.shield(done)

    async def aclose(self) -> None:
        """Let the threads finish."""
        await asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)

    def _run(self, work: "Callable[[Service], _T]") -> _T:
        from sqlalchemy.exc import SQLAlchemyError

        from mainstay.batches.service import open_service

        try:
            with self._lock:
                if self._service is None:
                    self._service = open_service(self._url, self._home, self._rules, self._seal)
            return work(self._service)
        except (SQLAlchemyError, OSError, StartError) as error:
            # Not the error's own text: it may quote a row.
            _log.error("batches_unreachable", reason=type(getattr(error, "orig", None) or error).__name__)
            raise Unavailable(_ADVICE, retry_after=1.0) from None

    def _count_off(self, done: "asyncio.Future[_T]") -> None:
        self._waiting -= 1
        if not done.cancelled():
            # Nobody may be left to ask how it ended.
            done.exception()
