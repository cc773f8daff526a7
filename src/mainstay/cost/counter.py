"""The bank's counter: the process that workers ask, and its socket.

One process for a gateway, of its own so that no batch of records can delay an answer. It reads the database and never
writes it: what was spent stands in the records. ``run`` is its main.
"""

import asyncio
import fcntl
import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol, cast

import msgspec
import structlog

from mainstay.core.clock import monotonic, wall_ms
from mainstay.cost.account import Balances
from mainstay.cost.bank import Bank, Gauge, Kept
from mainstay.cost.notes import Ask, Bye, Give, Grant, Hello, Level, Notes, Recall, pack
from mainstay.cost.teller import bank_path, living
from mainstay.runtime.local import listen_local
from mainstay.store.files import write_atomic

__all__ = ["Books", "Counter"]

_log = structlog.get_logger("mainstay.ledger")
_TICK: Final = 0.1
#: Ticks between two looks for records of the dead, and two publications of how accounts stand.
_LOOK: Final = 5
#: Seconds that limits of requests and tokens wait for a worker that does not call.
_GATHER: Final = 3.0
#: Ticks between two savings of what counts of limits: a ledger that is killed forgets as much of them.
_SAVE: Final = 20
_KEPT: Final = "ledger.json"


_read_kept = msgspec.json.Decoder(dict[str, Kept]).decode


class Books(Protocol):
    """What was spent before. Its methods may take long and are called in a thread."""

    def spent(self, series: str, buckets: tuple[str, ...]) -> Balances:
        """Return what was spent of a series in these buckets, by bucket and process.

        Raises:
            Exception: it cannot be known now.
        """
        ...

    def complete(self) -> bool:
        """Whether every record of a process that is gone is in the books."""
        ...


class Counter:
    """Serves workers.

    Args:
        home: the folder of Mainstay's own files.
        books: what was spent before.
        show: told several times a second how accounts stand.
    """

    def __init__(self, home: Path, books: Books, show: Callable[[list[Gauge]], None]) -> None:
        self._home = home
        self._books = books
        self._show = show
        self._bank = Bank(self._send, self._open)
        self._clients: dict[str, _Client] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._burying: asyncio.Task[None] | None = None
        self._ticks = 0
        self._seen_dead: frozenset[str] = frozenset()
        self._began = monotonic()
        #: Of limits, by the bank before; and what was last written down.
        self._kept: dict[str, Kept] = {}
        self._saved: dict[str, Kept] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until ``stop`` is set. Waits first until no other counter serves this home."""
        descriptor = await self._lock(stop)
        if descriptor is None:
            return
        self._began = monotonic()
        self._kept = self._load()
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_unix_server(lambda: _Client(self), sock=listen_local(bank_path(self._home)))
            while not stop.is_set():
                self._tick()
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), _TICK)
            server.close()
            for client in list(self._clients.values()):
                client.close()
            for task in list(self._tasks):
                task.cancel()
            self._save(wall_ms())
        finally:
            os.close(descriptor)

    def _load(self) -> dict[str, Kept]:
        """Return what counted of limits when the bank before this one last wrote it down."""
        try:
            return _read_kept((self._home / "run" / _KEPT).read_bytes())
        except (OSError, msgspec.DecodeError):
            return {}

    def _save(self, now: int) -> None:
        """Write down what counts of limits: no record has it, and the next bank would begin anew."""
        kept = {series: one for series, one in self._kept.items() if one.until > now} | self._bank.rates()
        if kept != self._saved:
            self._saved = kept
            with suppress(OSError):
                write_atomic(self._home / "run" / _KEPT, msgspec.json.encode(kept))

    async def _lock(self, stop: asyncio.Event) -> int | None:
        """Hold the lock of this home: two banks that grant the same would overspend."""
        descriptor = os.open(self._home / "run" / "ledger.lock", os.O_RDWR | os.O_CREAT, 0o600)
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), 0.02)
                if stop.is_set():
                    os.close(descriptor)
                    return None
                continue
            return descriptor

    # What clients do.

    def came(self, client: "_Client", hello: Hello) -> None:
        """A worker has said who it is."""
        self._clients[hello.holder] = client
        self._bank.hello(hello.holder, hello.held, wall_ms())

    def heard(self, client: "_Client", holder: str, note: Ask | Give) -> None:
        """A worker wants something, or gives it back."""
        if self._clients.get(holder) is not client:
            # It has called again meanwhile, and said anew what it holds.
            return
        if isinstance(note, Ask):
            self._bank.ask(holder, note, wall_ms())
        else:
            self._bank.give(holder, note, wall_ms())

    def left(self, client: "_Client", holder: str, *, said: bool) -> None:
        """A worker is gone; ``said`` when it ended in order."""
        if self._clients.get(holder) is not client:
            return
        del self._clients[holder]
        if said:
            self._bank.bye(holder, wall_ms())
        else:
            self._bank.lost(holder, wall_ms())

    # What the bank wants.

    def _send(self, holder: str, note: Grant | Recall | Level) -> None:
        client = self._clients.get(holder)
        if client is not None:
            client.say(note)

    def _open(self, series: str, buckets: tuple[str, ...]) -> None:
        self._spawn(self._look_up(series, buckets))

    async def _look_up(self, series: str, buckets: tuple[str, ...]) -> None:
        spent: Balances | None = None
        try:
            # What those wrote who are gone must be in the books first, and all who live must say what they hold: a bank
            # that has just begun would grant it a second time.
            while not (self._gathered(buckets) and (not buckets or await self._is_complete())):  # noqa: ASYNC110 - other processes' work
                await asyncio.sleep(_TICK / 4)
            spent = await asyncio.to_thread(self._books.spent, series, buckets) if buckets else self._before(series)
        except Exception as error:  # noqa: BLE001  # a database fails in its driver's own ways; nothing is granted then
            _log.warning("ledger_cannot_read", advice="budgets wait for the database", error=type(error).__name__)
        self._bank.opened(series, spent, wall_ms())

    def _before(self, series: str) -> Balances:
        """Return what counted of a limit under the bank before."""
        kept = self._kept.pop(series, None)
        return {(name, holder): amount for name, holder, amount in kept.counted} if kept is not None else {}

    def _gathered(self, buckets: tuple[str, ...]) -> bool:
        """Whether all who live have said what they hold; for rates, which have no buckets, long enough was waited."""
        return (not buckets and monotonic() - self._began > _GATHER) or living(self._home) <= self._bank.holders

    async def _is_complete(self) -> bool:
        """Whether all that the dead wrote is in the books."""
        complete = await asyncio.to_thread(self._books.complete)
        if complete and monotonic() - self._began < _GATHER:
            # Of one that dies right now the kernel lets go of its name a moment before it lets go of its journal.
            await asyncio.sleep(_TICK / 4)
            complete = await asyncio.to_thread(self._books.complete)
        return complete

    def _tick(self) -> None:
        now = wall_ms()
        self._bank.tick(now)
        self._ticks += 1
        if self._ticks % _LOOK:
            return
        if self._ticks % _SAVE == 0:
            self._save(now)
        self._show(self._bank.gauges(now))
        if self._bank.dead and (self._burying is None or self._burying.done()):
            # One that only lost its connection is not dead, and will be back.
            dead = self._bank.dead - living(self._home)
            self._bank.gone(dead, now)
            # What they wrote is looked for at the second look: see _is_complete.
            if dead & self._seen_dead:
                self._burying = self._spawn(self._bury(dead & self._seen_dead))
            self._seen_dead = dead

    async def _bury(self, dead: frozenset[str]) -> None:
        """See what the dead have spent, once all their records are in the books."""
        try:
            if not await asyncio.to_thread(self._books.complete):
                return
            found: dict[str, Balances] = {}
            for series, buckets in self._bank.money_of(dead).items():
                found[series] = await asyncio.to_thread(self._books.spent, series, buckets)
        except Exception as error:  # noqa: BLE001  # as above; they are looked for again at the next look
            _log.warning("ledger_cannot_read", advice="holds of a dead worker wait", error=type(error).__name__)
            return
        self._bank.buried(dead, found, wall_ms())
        _log.info("ledger_holds_returned", workers=sorted(dead))

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


class _Client(asyncio.Protocol):
    """One worker's connection."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._notes = Notes()
        self._holder = ""
        self._said = False
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            notes = self._notes.feed(data)
        except ValueError:
            _log.warning("ledger_line_unreadable", advice="a worker's line to the ledger is opened again")
            self.close()
            return
        for note in notes:
            if isinstance(note, Hello):
                self._holder = note.holder
                self._counter.came(self, note)
            elif isinstance(note, Ask | Give) and self._holder:
                self._counter.heard(self, self._holder, note)
            elif isinstance(note, Bye):
                self._said = True

    def connection_lost(self, exc: Exception | None) -> None:
        if self._holder:
            self._counter.left(self, self._holder, said=self._said)

    def say(self, note: Grant | Recall | Level) -> None:
        """Send a message."""
        if self._transport is not None:
            self._transport.write(pack(note))

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()
