"""The load generator: an open loop free of coordinated omission, and a closed loop that asks for all there is.

Open loop: the schedule is drawn beforehand, latency counts from the moment a request was due, and a request that finds
no idle connection waits in line with its clock running. Requests never answered count as errors and enter the
quantiles with the time they had waited, a lower bound. The lateness of the generator itself is reported apart
(`schedule_error`). It knows nothing of gateways.
"""

import asyncio
import contextlib
import gc
import time
from array import array
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from bench.alarm import Alarm
from bench.connection import Connection, StreamConnection, connect
from bench.stats import Quantiles, quantiles
from bench.wire import Request

__all__ = ["Load", "closed_loop", "open_loop"]

_EARLY = 20e-6  # a request due within this many seconds goes out now: setting the alarm would cost as much


@dataclass(frozen=True, slots=True)
class Load:
    """What one run measured. Times are seconds, rates are per second."""

    tool: str
    mode: str
    connections: int
    asked_rate: float | None
    rate: float
    requests: int
    seconds: float
    errors: dict[str, int] = field(default_factory=dict)
    latency: Quantiles | None = None
    schedule_error: Quantiles | None = None
    first_event: Quantiles | None = None
    gaps: Quantiles | None = None
    events: int = 0
    events_rate: float = 0.0


class _Run:
    """Connections, totals and what ends the run; the loops below say when to send."""

    def __init__(self, request: Request, connections: int) -> None:
        self.request = request
        self.size = connections
        self.kind = StreamConnection if request.events else Connection
        self.idle: list[Connection] = []
        self.all: set[Connection] = set()
        self.opening: set[asyncio.Task[None]] = set()
        self.latency: array[float] = array("d")
        self.first: array[float] = array("d")
        self.gaps: array[float] = array("d")
        self.errors: Counter[str] = Counter()
        self.events = 0
        self.answered = 0
        self.last = 0.0
        self.finished = asyncio.Event()

    async def open(self) -> None:
        """Open every connection before the clock starts."""
        for _ in range(self.size):
            await self._add()

    async def _add(self) -> None:
        connection = await connect(self.kind, self.request, self.done)
        self.all.add(connection)
        self.idle.append(connection)

    def done(self, connection: Connection) -> None:
        """Book one answer and put its connection to use again."""
        self.last = connection.finished
        if connection.failure is None:
            self.answered += 1
            self.latency.append(connection.finished - connection.due)
            if connection.arrivals:
                self._book_events(connection)
        else:
            self.errors[connection.failure] += 1
        if connection.open:
            self.again(connection)
        else:
            self.replace(connection)

    def again(self, connection: Connection) -> None:
        """Use an idle connection; the loops say how."""
        raise NotImplementedError

    def _book_events(self, connection: Connection) -> None:
        arrivals = connection.arrivals
        self.events += len(arrivals)
        self.first.append(arrivals[0] - connection.due)
        self.gaps.extend([later - earlier for earlier, later in pairwise(arrivals)])

    def replace(self, connection: Connection) -> None:
        """Open another in place of one that can be used no more."""
        self.all.discard(connection)
        connection.close()
        task = asyncio.get_running_loop().create_task(self._replace())
        self.opening.add(task)
        task.add_done_callback(self.opening.discard)

    async def _replace(self) -> None:
        while not self.finished.is_set():
            try:
                connection = await connect(self.kind, self.request, self.done)
            except (OSError, TimeoutError):
                self.errors["refused"] += 1
                await asyncio.sleep(0.05)  # a server that is down must not be hammered by its own benchmark
            else:
                self.all.add(connection)
                self.again(connection)
                return

    async def close(self) -> None:
        """Drop every connection and wait for those being opened."""
        self.finished.set()
        for task in list(self.opening):
            task.cancel()
        await asyncio.gather(*self.opening, return_exceptions=True)
        for connection in list(self.all):
            connection.busy = False
            connection.close()
        await asyncio.sleep(0)

    def load(self, mode: str, started: float, asked: float | None, lateness: Sequence[float] | None) -> Load:
        """The result; the run lasted from `started` until the last answer."""
        seconds = max(self.last - started, 1e-9)
        return Load(
            tool="bench",
            mode=mode,
            connections=self.size,
            asked_rate=asked,
            rate=self.answered / seconds,
            requests=self.answered,
            seconds=seconds,
            errors=dict(self.errors),
            latency=quantiles(self.latency),
            schedule_error=quantiles(lateness) if lateness is not None else None,
            first_event=quantiles(self.first),
            gaps=quantiles(self.gaps),
            events=self.events,
            events_rate=self.events / seconds,
        )


class _Open(_Run):
    """Sends when the schedule says so, whatever the server does."""

    def __init__(self, request: Request, connections: int, schedule: Iterator[float]) -> None:
        super().__init__(request, connections)
        self.schedule = schedule
        self.waiting: deque[float] = deque()
        self.lateness: array[float] = array("d")
        self.asked = 0
        self.next_due = 0.0
        self.started = 0.0
        self.over = False
        self.alarm = Alarm(asyncio.get_running_loop(), self.ring)

    def start(self) -> None:
        """Set the clock; the first request is due a moment from now."""
        self.started = time.perf_counter() + 0.01
        self._advance()

    def _advance(self) -> None:
        offset = next(self.schedule, None)
        if offset is None:
            self.over = True
            self._check()
            return
        self.next_due = self.started + offset
        self.alarm.set(self.next_due)

    def ring(self) -> None:
        """Send all that is due and set the alarm for the next."""
        now = time.perf_counter()
        while self.next_due <= now + _EARLY:
            due = self.next_due
            self.lateness.append(max(now - due, 0.0))
            self.asked += 1
            connection = self._rested()
            if connection is not None:
                connection.due = due
                connection.send(self.request)
            else:
                self.waiting.append(due)
            offset = next(self.schedule, None)
            if offset is None:
                self.over = True
                self._check()
                return
            self.next_due = self.started + offset
            now = time.perf_counter()
        self.alarm.set(self.next_due)

    def _rested(self) -> Connection | None:
        """An idle connection; those that the server closed while they rested are opened anew."""
        while self.idle:
            connection = self.idle.pop()
            if connection.ready:
                return connection
            self.replace(connection)
        return None

    def again(self, connection: Connection) -> None:
        """Serve the longest waiting request, or rest."""
        if self.waiting:
            connection.due = self.waiting.popleft()
            connection.send(self.request)
            return
        self.idle.append(connection)
        self._check()

    def _check(self) -> None:
        if self.over and not self.waiting and not any(one.busy for one in self.all):
            self.finished.set()

    def give_up(self) -> None:
        """Count what is still unanswered, with the time it has waited so far."""
        now = time.perf_counter()
        left = [*self.waiting, *(one.due for one in self.all if one.busy)]
        if left:
            self.errors["unanswered"] += len(left)
            self.latency.extend([now - due for due in left])
            self.last = now


class _Closed(_Run):
    """Every connection sends again as soon as it is answered."""

    def __init__(self, request: Request, connections: int, seconds: float, limit: int | None) -> None:
        super().__init__(request, connections)
        self.seconds = seconds
        self.limit = limit
        self.sent = 0
        self.until = 0.0

    def again(self, connection: Connection) -> None:
        """Send the next request, until time or the limit is reached."""
        now = time.perf_counter()
        if now >= self.until or self.sent == self.limit:
            self.idle.append(connection)
            if not any(one.busy for one in self.all):
                self.finished.set()
            return
        self.sent += 1
        connection.due = now
        connection.send(self.request)


async def open_loop(
    request: Request, schedule: Iterable[float], *, connections: int = 64, rate: float | None = None, grace: float = 5.0
) -> Load:
    """Send on the schedule (offsets in seconds) and wait up to `grace` seconds past its end for the answers.

    `rate` is only noted in the result. Raises OSError when no connection can be opened at the start.
    """
    run = _Open(request, connections, iter(schedule))
    try:
        await run.open()
        with _undisturbed():
            run.start()
            while not run.over:
                await _either(run.finished, 0.2)
            await _either(run.finished, grace)
            run.give_up()
        return run.load("open", run.started, rate, run.lateness)
    finally:
        run.alarm.close()
        await run.close()


async def closed_loop(
    request: Request, *, connections: int, seconds: float, limit: int | None = None, grace: float = 5.0
) -> Load:
    """Keep every connection busy for `seconds`, or until `limit` requests were sent, whichever comes first.

    Raises OSError when no connection can be opened at the start.
    """
    run = _Closed(request, connections, seconds, limit)
    try:
        await run.open()
        with _undisturbed():
            started = time.perf_counter()
            run.until = started + seconds
            idle, run.idle = run.idle, []
            for connection in idle:
                run.again(connection)
            await _either(run.finished, seconds + grace)
        unanswered = sum(one.busy for one in run.all)
        if unanswered:
            run.errors["unanswered"] += unanswered
        return run.load("closed", started, None, None)
    finally:
        await run.close()


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """No garbage collection while the clock runs: its pauses would be booked on the server."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def _either(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
