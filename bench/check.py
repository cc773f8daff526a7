"""Checks the measuring instrument itself: ``python -m bench.check``.

Three things: the open loop keeps its schedule (p99 of the lateness under 5 ms at 500 requests per second), its rate is
the one asked for, and the Python client agrees with wrk on a server whose pace is known. Needs no gateway.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

import uvloop

from bench import load, schedule, wire, wrk
from bench.peers.port import get_ok
from bench.processes import free_port, start, wait_until

__all__ = ["check"]

_RATE = 500.0
_LATE = 0.005
_APART = 0.05
_TURNS = 4


async def check(port: int, scratch: Path, seconds: float = 3.0) -> list[tuple[str, bool]]:
    """Each finding as a sentence and whether it is good, against a scripted upstream that waits 5 ms."""
    url = f"http://127.0.0.1:{port}/v1"
    request = wire.post(url, wire.question(wire.MODEL_STREAM), {})
    opened = await load.open_loop(request, schedule.poisson(_RATE, seconds, seed=7), rate=_RATE)
    late = opened.schedule_error.p99 if opened.schedule_error is not None else float("inf")
    due = sum(1 for _ in schedule.poisson(_RATE, seconds, seed=7))
    found = [
        (f"schedule error at {_RATE:.0f}/s: p99 {late * 1e3:.2f} ms (under {_LATE * 1e3:.0f})", late < _LATE),
        (f"requests sent: {opened.requests} of {due}, errors {opened.errors}", opened.requests == due),
    ]
    if wrk.available():
        own, other = [], []
        for _ in range(_TURNS):
            turn = await wrk.closed_loop(request, connections=16, seconds=1.0, scratch=scratch)
            other.append(turn.rate)
            own.append((await load.closed_loop(request, connections=16, seconds=1.0)).rate)
        # The best of each: what a busy machine takes away is not the client's.
        apart = max(own) / max(other) - 1
        text = f"closed loop at 16 connections: {max(own):,.0f}/s, wrk {max(other):,.0f}/s ({apart:+.1%})"
        found.append((text, abs(apart) < _APART))
    return found


async def _main() -> int:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        scratch = Path(folder)
        command = [sys.executable, "-m", "bench.upstream", "--port", str(port), "--latency", "0.005"]
        process = start(command, cores=frozenset(), log=scratch / "upstream.log")
        try:
            wait_until(lambda: get_ok(port, "/health"), process, 10.0)
            found = await check(port, scratch)
        finally:
            process.stop()
    for text, good in found:
        print("good" if good else "BAD ", text)
    return 0 if all(good for _, good in found) else 1


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(_main()))
