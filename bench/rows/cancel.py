"""Callers who leave: how many are noticed by the upstream, as a closed connection, and how soon.

Each trial leaves at a stage drawn by a seeded generator, half of them with a FIN and half with a reset: at once,
perhaps before the upstream has been asked; while it is silent; after the first token; in the middle. Upstream and
callers share this process, so one clock times both ends.
"""

import asyncio
import itertools
import random
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import cast

from bench import wire
from bench.peers.gateway import serving
from bench.peers.port import Endpoint
from bench.rows.port import OwnRow, Trial
from bench.stats import quantiles
from bench.upstream import Script, serve
from bench.visitors import Visitor

__all__ = ["LIMIT", "ROW"]

#: Seconds within which the upstream should know.
LIMIT = 0.1
_TRIALS = 1000
_AT_ONCE = 20
_PATIENCE = 2.0
_NEVER_SENT = 0.3
# The upstream never comes to an end by itself: streams are long, whole answers stop half way.
_STREAM = Script(latency=0.04, tokens=400, tokens_per_second=100)
_WHOLE = Script(latency=0.04, fault="stall")
_STAGES = {True: ("at once", "silent", "first token", "middle"), False: ("at once", "silent", "middle")}


class _Caller(asyncio.Protocol):
    """A connection that counts content events and can be dropped."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._wanted = 0
        self._seen = 0
        self._tail = b""
        self._enough = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (asyncio's hook)."""
        # A cast, not a check: uvloop's transports do not derive from asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Count the content events (asyncio's hook)."""
        text = self._tail + data
        self._seen += text.count(wire.MARK) - self._tail.count(wire.MARK)
        self._tail = text[-1:]
        if self._wanted and self._seen >= self._wanted:
            self._enough.set()

    def send(self, data: bytes) -> None:
        """Write the request."""
        assert self._transport is not None
        self._transport.write(data)

    async def tokens(self, count: int) -> None:
        """Wait until that many events have come."""
        self._wanted = count
        if self._seen < count:
            async with asyncio.timeout(_PATIENCE):
                await self._enough.wait()

    def leave(self, *, reset: bool) -> None:
        """Close at once, with a reset or without."""
        assert self._transport is not None
        if reset:
            sock: socket.socket = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()


@dataclass(slots=True)
class _Callers:
    """All trials of one kind: who has come to the upstream, and what was found."""

    stream: bool
    delays: list[float] = field(default_factory=list)
    missed: dict[str, int] = field(default_factory=dict)
    #: Trials whose callers had left before the upstream was asked: they say nothing, and another is made for each.
    unsent: set[bytes] = field(default_factory=set)
    visitors: dict[bytes, list[Visitor]] = field(default_factory=dict)
    arrivals: dict[bytes, asyncio.Event] = field(default_factory=dict)

    def watch(self, visitor: Visitor) -> None:
        """Book a request at the upstream under its trial's name."""
        name = visitor.body.partition(b'"trial-')[2].partition(b'"')[0]
        if name in self.arrivals:
            self.visitors.setdefault(name, []).append(visitor)
            self.arrivals[name].set()

    async def run(self, endpoint: Endpoint, count: int, draw: random.Random) -> None:
        """Make so many trials that the upstream hears of, some at a time."""
        numbers = itertools.count()
        started = 0

        async def some() -> None:
            nonlocal started
            while started < count:
                started += 1
                name = str(next(numbers)).encode()
                await self._trial(endpoint, name, draw)
                started -= name in self.unsent

        await asyncio.gather(*(some() for _ in range(_AT_ONCE)))
        for name in self.unsent:
            if name in self.visitors:
                self._miss("asked long after the caller had left")

    async def _trial(self, endpoint: Endpoint, name: bytes, draw: random.Random) -> None:
        stage = draw.choice(_STAGES[self.stream])
        later, reset, wanted = draw.random(), draw.random() < 0.5, draw.randint(2, 8)
        arrived = self.arrivals[name] = asyncio.Event()
        body = wire.question(endpoint.model, stream=self.stream, user=f"trial-{name.decode()}")
        request = wire.post(endpoint.base_url, body, dict(endpoint.headers))
        loop = asyncio.get_running_loop()
        _, caller = await loop.create_connection(_Caller, request.host, request.port)
        caller.send(request.data)
        try:
            await self._stay(caller, stage, later, wanted, arrived)
        except TimeoutError:
            self._miss(f"never came to the stage '{stage}'")
            caller.leave(reset=reset)
            return
        gone = time.perf_counter()
        caller.leave(reset=reset)
        await self._wait(name, stage, gone)

    async def _stay(self, caller: _Caller, stage: str, later: float, wanted: int, arrived: asyncio.Event) -> None:
        if stage == "at once":
            await asyncio.sleep(later * 0.003)
            return
        async with asyncio.timeout(_PATIENCE):
            await arrived.wait()
        if stage == "silent":
            await asyncio.sleep(later * _STREAM.latency * 0.9)
        elif self.stream:
            await caller.tokens(1 if stage == "first token" else wanted)
        else:
            await asyncio.sleep(_WHOLE.latency + later * 0.04)

    async def _wait(self, name: bytes, stage: str, gone: float) -> None:
        """Wait until the upstream has noticed, and book how long that took."""
        try:
            async with asyncio.timeout(_NEVER_SENT if stage == "at once" else _PATIENCE):
                await self.arrivals[name].wait()
        except TimeoutError:
            self.unsent.add(name)
            return
        visitor = self.visitors[name][0]
        try:
            async with asyncio.timeout(_PATIENCE):
                await visitor.ended.wait()
        except TimeoutError:
            self._miss(f"not noticed ({stage})")
            return
        if not visitor.left:
            self._miss(f"answered in full ({stage})")
        elif len(self.visitors[name]) > 1:
            self._miss(f"asked again after the caller had left ({stage})")
        else:
            self.delays.append(max(visitor.until - gone, 0.0))
            if self.delays[-1] > LIMIT:
                self._miss(f"late ({stage})")

    def _miss(self, what: str) -> None:
        self.missed[what] = self.missed.get(what, 0) + 1

    @property
    def in_time(self) -> int:
        """Trials after which the upstream knew in time."""
        return sum(delay <= LIMIT for delay in self.delays)


async def _run(trial: Trial) -> None:
    count = trial.many(_TRIALS)
    for stream, name in ((True, "stream"), (False, "whole")):
        callers = _Callers(stream)
        upstream = await serve(_STREAM if stream else _WHOLE, 0, watch=callers.watch)
        settings = {
            "providers": {"scripted": {"kind": "openai", "base_url": upstream.base_url, "api_key": "sk-none"}},
            "models": {name: {"provider": "scripted"}},
        }
        try:
            with serving(settings, trial.cores, trial.scratch) as gateway:
                await callers.run(gateway.endpoint(name), count, random.Random(11))
        finally:
            upstream.close()
        trial.figures[f"cancel_{name}_in_time"] = callers.in_time / count
        trial.figures[f"cancel_{name}_trials"] = float(count)
        trial.figures[f"cancel_{name}_unsent"] = float(len(callers.unsent))
        spread = quantiles(callers.delays)
        if spread is not None:
            for at, value in (("p50", spread.p50), ("p99", spread.p99), ("max", spread.max)):
                trial.figures[f"cancel_{name}_{at}"] = value
        trial.notes += [f"cancel, {name}: {times} x {what}" for what, times in sorted(callers.missed.items())]


ROW = OwnRow("cancel", _run)
