"""The exact tier of one machine: a worker's memory in front of the file that all workers share.

The file is reached through two threads, one that reads and one that writes, so that a lookup never waits for what is
being written; and a lookup waits no longer than it may. What is in memory counts only under the number (``generation``)
that it was found under: a drop in any process sends every worker back to the file.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Final

import msgspec
import structlog

from mainstay.caching.disk import MARK, Disk, DiskLost, Row, Told
from mainstay.caching.generation import Generation
from mainstay.caching.memory import Memory
from mainstay.caching.port import Counts, Entry
from mainstay.caching.replay import pack, unpack
from mainstay.core.clock import monotonic
from mainstay.store.sealing import Seal, SealLost

__all__ = ["Exact", "about", "named"]

_log = structlog.get_logger("mainstay.caching")
#: Seconds for which a file that failed is left alone.
_DOWN: Final = 1.0
#: Answers and bytes that may wait to be written; more are not kept.
_MOST: Final = 1000
_MOST_BYTES: Final = 16 * 1024 * 1024
#: Lookups that may wait for the thread; more means that it hangs.
_MOST_LOOKUPS: Final = 256
#: Keys that are noted as used, at most, until something is written.
_MOST_USED: Final = 5000


def named(base: str, passage: str) -> str:
    """Return how a passage of a knowledge base is called in the table."""
    return f"{base}\0{passage}"


class Exact:
    """Implements :class:`~mainstay.caching.port.Tier`.

    Args:
        home: the folder of the file.
        memory, disk: bytes; 0 for nothing.
        wait: seconds that a lookup may take.
        seal: seals what is written; what cannot be opened any more is not there.
        clock: wall-clock seconds.

    Raises:
        StartError: the folder cannot be written.
    """

    def __init__(
        self,
        home: Path,
        *,
        memory: int,
        disk: int,
        wait: float,
        seal: Seal,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._generation = Generation(home / MARK)
        self.memory = Memory(memory)
        self._clock = clock
        self._wait = wait
        self._seal = seal
        self._reading = Disk(home, self._generation, disk) if disk else None
        self._writing = Disk(home, self._generation, disk) if disk else None
        self._reader = ThreadPoolExecutor(1, "mainstay-cache-read")
        self._writer = ThreadPoolExecutor(1, "mainstay-cache-write")
        #: What the file holds, and how many answers this process let go of, when it last wrote.
        self.disk_bytes = 0
        self.disk_evictions = 0
        self._lookups = 0
        self._down_until = 0.0
        #: What waits to be written: taken all at once by the thread that writes.
        self._lock = Lock()
        self._queue: list[tuple[bytes, Entry, bytes]] = []
        self._told: list[Told] = []
        self._queued = 0
        self._used: set[bytes] = set()

    def age(self) -> int:
        """Return the number that grows with each drop; see :class:`~mainstay.caching.port.Tier`."""
        return self._generation.now()

    async def get(self, key: bytes) -> Entry | None:
        """Return what is kept under ``key``; see :class:`~mainstay.caching.port.Tier`."""
        age = self._generation.now()
        if not age & 1 and (entry := self.memory.get(key, age, self._clock())) is not None:
            self._note(key)
            return entry
        if self._reading is None or self._lookups >= _MOST_LOOKUPS or monotonic() < self._down_until:
            return None
        found = await self._look(key)
        if found is None:
            # It may have come while this one waited.
            return None if age & 1 else self.memory.get(key, self._generation.now(), self._clock())
        entry, size = found
        if self._generation.now() != age:
            # A drop went by: what was read may be what was dropped.
            again = await self._look(key)
            if again is None:
                return None
            entry, size = again
        elif not age & 1:
            self.memory.put(key, entry, size, age)
        self._note(key)
        return entry

    def put(self, key: bytes, entry: Entry) -> None:
        """Keep an answer; see :class:`~mainstay.caching.port.Tier`."""
        data = pack(entry)
        if entry.age == self._generation.now() and not entry.age & 1:
            self.memory.put(key, entry, len(data), entry.age)
        if self._writing is None or monotonic() < self._down_until:
            return
        with self._lock:
            if len(self._queue) >= _MOST or self._queued + len(data) > _MOST_BYTES:
                return
            first = not self._queue and not self._told
            self._queue.append((key, entry, data))
            self._queued += len(data)
        if first:
            self._writer.submit(self._write)

    def tell(self, told: Told) -> None:
        """Tell all workers of the question of an answer that was put before; from any thread, returns at once."""
        if self._writing is None or monotonic() < self._down_until:
            return
        with self._lock:
            if len(self._told) >= _MOST:
                return
            first = not self._queue and not self._told
            self._told.append(told)
        if first:
            self._writer.submit(self._write)

    @property
    def has_disk(self) -> bool:
        """Whether there is a file."""
        return self._writing is not None

    def resize(self, *, memory: int, disk: int, wait: float) -> bool:
        """Go by other settings from now on; False where that takes another tier: a file that there was none of, or that
        is not wanted any more."""
        if bool(disk) != self.has_disk:
            return False
        self.memory.resize(memory)
        self._wait = wait
        for one in (self._reading, self._writing):
            if one is not None:
                one.limit = disk
        return True

    async def counts(self) -> Counts | None:
        """Return what the file holds; None where it cannot be asked now."""
        if self._reading is None:
            return None
        try:
            return await asyncio.get_running_loop().run_in_executor(self._reader, self._reading.counts)
        except DiskLost:
            return None

    async def aclose(self) -> None:
        """Write what waits, and close."""
        loop = asyncio.get_running_loop()
        for thread, disk in ((self._writer, self._writing), (self._reader, self._reading)):
            if disk is not None:
                thread.submit(disk.close)
            await loop.run_in_executor(None, thread.shutdown)
        self._generation.close()

    async def _look(self, key: bytes) -> tuple[Entry, int] | None:
        assert self._reading is not None
        self._lookups += 1
        done = asyncio.get_running_loop().run_in_executor(self._reader, self._read, key)
        done.add_done_callback(self._count_off)
        try:
            async with asyncio.timeout(self._wait):
                # Who stops waiting does not stop the thread.
                return await asyncio.shield(done)
        except (DiskLost, TimeoutError) as error:
            if isinstance(error, DiskLost):
                self._fail(error)
            return None

    def _count_off(self, done: "asyncio.Future[tuple[Entry, int] | None]") -> None:
        self._lookups -= 1
        if not done.cancelled():
            # Nobody may be left to ask how it ended.
            done.exception()

    def _read(self, key: bytes) -> tuple[Entry, int] | None:
        assert self._reading is not None
        sealed = self._reading.get(key, self._clock())
        if sealed is None:
            return None
        try:
            data = self._seal.open(sealed, about(key))
            return unpack(data), len(data)
        except (SealLost, ValueError, msgspec.MsgspecError):
            return None

    def _write(self) -> None:
        assert self._writing is not None
        with self._lock:
            queue, self._queue, self._queued = self._queue, [], 0
            told, self._told = self._told, []
            used, self._used = self._used, set()
        rows: list[Row] = []
        for key, entry, data in queue:
            try:
                value = self._seal.seal(data, about(key), entry.organisation, entry.team)
            except SealLost:
                continue
            rests = tuple(named(entry.base, one) for one in entry.rests)
            rows.append(Row(key, entry.source, entry.route, value, entry.expires, rests, entry.age))
        try:
            self.disk_bytes, gone = self._writing.put(rows, used, self._clock(), told)
            self.disk_evictions += gone
        except DiskLost as error:
            self._fail(error)

    def _note(self, key: bytes) -> None:
        if self._writing is not None and len(self._used) < _MOST_USED:
            with self._lock:
                self._used.add(key)

    def _fail(self, error: DiskLost) -> None:
        self._down_until = monotonic() + _DOWN
        _log.warning("cache_unreachable", reason=str(error), advice="calls go on without what is kept on disk")


def about(key: bytes) -> str:
    """Return what a sealed answer is bound to."""
    return f"cache {key.hex()}"
