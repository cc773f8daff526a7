"""What a row is: a measurement that yields named figures, of one running peer or of Mainstay alone.

Rows of peers know endpoints and load, not which peer stands behind them; ratios are made later, by report.py. Rows of
Mainstay alone start gateways of their own, on the configuration that they are about.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench import load, wrk
from bench.load import Load
from bench.peers.port import Running, Upstreams
from bench.processes import Weight
from bench.upstream import Script
from bench.wire import Request

__all__ = ["OwnRow", "Plan", "Row", "Trial", "Visit", "script_upstream"]

_ENOUGH = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how hard: seconds per load run, connections, the fixed rate, requests of the memory row.

    scale: what the counts of the rows of Mainstay alone are multiplied by.
    """

    seconds: float
    connections: int = 16
    rate: float = 1000.0
    memory_requests: int = 20_000
    memory_seconds: float = 20.0
    warm_seconds: float = 8.0
    stream_events: int = 50
    scale: float = 1.0


@dataclass(slots=True)
class Visit:
    """One peer, started, in one round: what rows read, and where they leave their findings."""

    plan: Plan
    running: Running
    scratch: Path
    upstream_port: int
    first: bool
    figures: dict[str, float] = field(default_factory=dict)
    loads: dict[str, Load] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def weigh(self) -> list[Weight]:
        """The processes of the peer; empty when it is none of its own."""
        return [] if self.running.process is None else self.running.process.weigh()

    def cpu(self) -> float | None:
        """CPU seconds the peer has used so far, all its processes together."""
        weights = self.weigh()
        return sum(weight.cpu for weight in weights) if weights else None

    def keep(self, name: str, result: Load) -> Load:
        """Keep the whole result, and say so when some requests failed."""
        self.loads[name] = result
        failed = sum(result.errors.values())
        if failed:
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(result.errors.items()))
            self.notes.append(f"{name}: {failed} of {failed + result.requests} requests failed ({kinds})")
        return result

    async def closed(self, request: Request, connections: int, seconds: float | None = None) -> Load:
        """A closed loop with the cheapest client there is."""
        lasting = self.plan.seconds if seconds is None else seconds
        if wrk.available():
            result = await wrk.closed_loop(request, connections=connections, seconds=lasting, scratch=self.scratch)
            if result.requests >= _ENOUGH * connections:
                return result
        # wrk drops what is in flight at the end, which for a slow peer is most of it; this client waits for it.
        return await load.closed_loop(request, connections=connections, seconds=lasting, grace=20.0)


@dataclass(slots=True)
class Trial:
    """What a row of Mainstay alone reads, and where it leaves its findings.

    cores: where its gateways run; this process, and the upstreams it serves itself, stay where they are.
    """

    plan: Plan
    scratch: Path
    cores: frozenset[int]
    upstreams: Upstreams
    figures: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def many(self, count: int) -> int:
        """That many, scaled to the size of the run."""
        return max(round(count * self.plan.scale), 1)


@dataclass(frozen=True, slots=True)
class Row:
    """A named measurement; `run` adds to the visit's figures."""

    name: str
    run: Callable[[Visit], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class OwnRow:
    """A named measurement of Mainstay alone; `run` adds to the trial's figures."""

    name: str
    run: Callable[[Trial], Awaitable[None]]


async def script_upstream(port: int, script: Script) -> None:
    """Change what the streaming upstream does from the next request on. Raises RuntimeError when it refuses."""
    body = json.dumps(asdict(script)).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        head = f"POST /script HTTP/1.1\r\nhost: bench\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        status = await reader.readline()
    finally:
        writer.close()
    if b" 200 " not in status:
        raise RuntimeError("the upstream refused its script")
