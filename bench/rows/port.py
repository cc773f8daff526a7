"""What a row is: a measurement of one running peer that yields named figures.

Rows know endpoints and load, not which peer stands behind them; ratios are made later, by report.py.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench import load, wrk
from bench.load import Load
from bench.peers.port import Running
from bench.processes import Weight
from bench.upstream import Script
from bench.wire import Request

__all__ = ["Plan", "Row", "Visit", "script_upstream"]

_ENOUGH = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how hard: seconds per load run, connections, the fixed rate, requests of the memory row."""

    seconds: float
    connections: int = 16
    rate: float = 1000.0
    memory_requests: int = 20_000
    memory_seconds: float = 20.0
    warm_seconds: float = 8.0
    stream_events: int = 50


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


@dataclass(frozen=True, slots=True)
class Row:
    """A named measurement; `run` adds to the visit's figures."""

    name: str
    run: Callable[[Visit], Awaitable[None]]


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
