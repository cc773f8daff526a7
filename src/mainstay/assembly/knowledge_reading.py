"""What knowledge is read with: the processes that open PDF, Office and web pages, fetching by address, and the rules
that find injected instructions, each as the port that ``grounding`` takes.

All of it may be used from any thread; what waits runs on one event loop, in a thread of its own that begins with the
first file.
"""

import asyncio
import re
import threading
from collections.abc import Coroutine, Sequence
from functools import cache
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from mainstay.core.errors import NotFound, Unreadable
from mainstay.core.ports import Transport
from mainstay.grounding.config import IngestLimitsConfig
from mainstay.grounding.matter import date_of
from mainstay.grounding.shelf import Extracted, Extractor, Fetched, Fetcher, Mark, Suspect
from mainstay.guardrails.injection.scanner import InjectionScanner
from mainstay.reading import fetch
from mainstay.reading.config import FetchConfig, ReadingConfig
from mainstay.reading.helper import Helper
from mainstay.reading.port import Limits, Work
from mainstay.runtime.transport import open_transport

__all__ = ["KnowledgeReading", "open_suspect"]

_T = TypeVar("_T")
_LIMIT = re.compile(r"this route reads at most (\S+?)(?=[;,])|(?<=than )this route reads|(?<=that )this route reads")
#: How much a file may unpack to, for each byte that it may have itself.
_UNPACKED = 16


class KnowledgeReading:
    """Reads and fetches for knowledge bases. Used as a context manager, or closed.

    Args:
        settings: of the processes that read.
        look_up: finds the addresses of a name.
    """

    def __init__(self, settings: ReadingConfig, look_up: fetch.Resolve = fetch.resolve) -> None:
        self._settings = settings
        self._look_up = look_up
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._helper: Helper | None = None
        self._transport: Transport | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes."""
        self.close()

    def extractor(self, limits: IngestLimitsConfig) -> Extractor:
        """Return what takes the text out of files, within ``limits``."""
        return _Extractor(self, limits)

    def fetcher(self, limits: IngestLimitsConfig, networks: Sequence[str] = ()) -> Fetcher:
        """Return what fetches files, within ``limits``; ``networks`` are internal ones that it may reach."""
        return _Fetcher(self, limits, networks)

    def close(self) -> None:
        """End the processes and the thread; what is being read fails. May be called again."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._end(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    async def _end(self) -> None:
        if self._helper is not None:
            await self._helper.aclose()
        if self._transport is not None:
            await self._transport.aclose()
        self._helper = self._transport = None
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Return what ``work`` comes to, which runs on the loop of this reader."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="knowledge-reading", daemon=True)
                self._thread.start()
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result()

    async def read(self, work: Work, seconds: float) -> Extracted:
        """Return what a file says."""
        if self._helper is None:
            rule = self._settings
            self._helper = Helper(rule.processes, memory=rule.memory, queue=rule.queue, idle=rule.idle)
        read = await self._helper.read(work, seconds)
        marks = tuple(Mark(mark.offset, mark.kind, mark.number, mark.title, mark.end) for mark in read.marks)
        return Extracted(read.text, read.how, read.pages, marks, read.properties)

    async def take(self, url: str, rule: FetchConfig, limit: int) -> Fetched:
        """Return what an address leads to."""
        if self._transport is None:
            self._transport = open_transport(http2=False)
        taken = await fetch.Fetcher(rule, self._transport, self._look_up).take(url, "document", limit)
        return Fetched(taken.data, taken.media_type, date_of(taken.changed))


class _Extractor:
    def __init__(self, reading: KnowledgeReading, limits: IngestLimitsConfig) -> None:
        self._reading = reading
        self._seconds = limits.timeout
        self._limits = Limits(
            pages=limits.pages, characters=limits.characters, unpacked=max(limits.size * _UNPACKED, 256 * 1024 * 1024)
        )

    def extract(self, data: bytes, name: str, media_type: str) -> Extracted:
        """See the port."""
        work = Work("document", data, media_type, name, self._limits)
        try:
            return self._reading.run(self._reading.read(work, self._seconds))
        except Unreadable as error:
            raise Unreadable(_reworded(error.message)) from None


class _Fetcher:
    def __init__(self, reading: KnowledgeReading, limits: IngestLimitsConfig, networks: Sequence[str]) -> None:
        self._reading = reading
        self._timeout = limits.timeout
        self._networks = tuple(networks)

    def fetch(self, url: str, limit: int) -> Fetched:
        """See the port."""
        try:
            port = urlsplit(url).port
        except ValueError:
            port = None
        # Whoever names an address means its port, too; redirects may lead to any host, but to no other port.
        allow = ["*"] if port is None else ["*", f"{urlsplit(url).hostname}:{port}"]
        try:
            rule = FetchConfig.model_validate({"allow": allow, "networks": self._networks, "timeout": self._timeout})
        except ValueError:
            raise Unreadable("has an address that is none; correct it") from None
        try:
            return self._reading.run(self._reading.take(url, rule, limit))
        except fetch.Missing:
            raise NotFound("There is no such page.") from None
        except Unreadable as error:
            raise Unreadable(_reworded(error.message)) from None


def _reworded(message: str) -> str:
    """Return what is said of a part of a request as it is said of a document."""
    message = _LIMIT.sub(lambda found: f"at most {found[1]} are read" if found[1] else "is read", message)
    head, _, advice = message.partition("; ")
    return f"{head}; add the file itself" if "base64" in advice else message


@cache
def open_suspect() -> Suspect:
    """Return what finds instructions, in passages, that are meant for whoever reads them: rules, one set a process."""
    scanner = InjectionScanner(untrusted=True)
    return lambda text: bool(scanner.scan(text))
