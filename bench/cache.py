"""``python -m bench.cache``: what a hit saves and what a miss costs, and how long a correction takes.

One gateway with three routes to a model that answers at once: one without a cache, one that finds each answer, and one
that never does. The same caller asks each in turn, so that a noisy moment falls on all of them. A drop is timed on the
real file, with as many answers in it as are wanted.
"""

import argparse
import http.client
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from bench.peers.gateway import Gateway, serving
from bench.stats import percentile
from bench.text import table
from mainstay.caching.disk import MARK, Disk, Row
from mainstay.caching.generation import Generation

__all__ = ["Drops", "Times", "main", "measure_calls", "measure_drops"]

_ROUTES = ("plain", "hit", "miss")


class Times(NamedTuple):
    """Milliseconds of 50 and of 99 in 100 calls."""

    half: float
    slow: float


class Drops(NamedTuple):
    """Milliseconds of 50, 95 and 99 in 100 drops of one passage; answers that were still found afterwards."""

    half: float
    most: float
    slow: float
    stale: int


def measure_calls(scratch: Path, count: int) -> dict[str, Times]:
    """Return how long calls of each kind take."""
    settings = {
        "providers": {"echo": {"kind": "echo"}},
        "models": {"model": {"provider": "echo"}},
        "routes": {
            "plain": {"targets": ["model"]},
            "hit": {"targets": ["model"], "cache": "1h"},
            "miss": {"targets": ["model"], "cache": "1h"},
        },
    }
    with serving(settings, frozenset(os.sched_getaffinity(0)), scratch) as gateway:
        return _ask(gateway, count)


def _ask(gateway: Gateway, count: int) -> dict[str, Times]:
    taken: dict[str, list[float]] = {route: [] for route in _ROUTES}
    results: dict[str, set[str | None]] = {route: set() for route in _ROUTES}
    headers = {"authorization": f"Bearer {gateway.keys['bench']}", "content-type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
    try:
        for number in range(-20, count):
            for route in _ROUTES:
                words = f"What is {number if route == 'miss' else 0}? " + "Say it in full. " * 20
                body = json.dumps({"model": route, "messages": [{"role": "user", "content": words}]})
                begun = perf_counter()
                connection.request("POST", "/v1/chat/completions", body, headers)
                answer = connection.getresponse()
                answer.read()
                if number >= 0:
                    taken[route].append((perf_counter() - begun) * 1e3)
                    results[route].add(answer.getheader("x-mainstay-cache"))
    finally:
        connection.close()
    assert results == {"plain": {"off"}, "hit": {"hit"}, "miss": {"miss"}}, results
    return {
        route: Times(*[percentile(sorted(times), share) for share in (0.5, 0.99)]) for route, times in taken.items()
    }


def measure_drops(home: Path, answers: int, drops: int) -> Drops:
    """Drop one passage after the other, each of them under three answers."""
    mark = Generation(home / MARK)
    disk = Disk(home, mark, 1 << 40)
    value = b"x" * 2000
    rows = [
        Row(b"%032d" % at, f"rec-{at}", "chat", value, 1e12, (f"kb\0p{at // 3}", f"kb\0q{at % 7}"))
        for at in range(answers)
    ]
    for start in range(0, answers, 500):
        disk.put(rows[start : start + 500], (), 0.0)
    taken: list[float] = []
    stale = 0
    for number in range(drops):
        begun = perf_counter()
        disk.drop([f"kb\0p{number}"])
        taken.append((perf_counter() - begun) * 1e3)
        stale += sum(disk.get(b"%032d" % (number * 3 + at), 0.0) is not None for at in range(3))
    disk.close()
    mark.close()
    taken.sort()
    half, most, slow = (percentile(taken, share) for share in (0.5, 0.95, 0.99))
    return Drops(half, most, slow, stale)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return 1 when something dropped was still found."""
    parser = argparse.ArgumentParser(prog="bench.cache", description=__doc__)
    parser.add_argument("--calls", type=int, default=2000, help="calls of each kind")
    parser.add_argument("--answers", type=int, default=20_000, help="answers in the file when passages are dropped")
    parser.add_argument("--drops", type=int, default=500, help="passages that are dropped")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        calls = measure_calls(scratch, options.calls)
        drops = measure_drops(scratch, options.answers, min(options.drops, options.answers // 3))
    plain = calls["plain"]
    rows = [["call", "of a call without a cache", "p50 ms", "p99 ms"]]
    rows += [
        [name, f"{found.half / plain.half:.2f}", f"{found.half:.3f}", f"{found.slow:.3f}"]
        for name, found in calls.items()
    ]
    print(table(rows))
    print()
    print(
        table(
            [
                ["drop of one passage", "p50 ms", "p95 ms", "p99 ms", "still found"],
                [f"{options.answers} answers", *[f"{value:.2f}" for value in drops[:3]], str(drops.stale)],
            ]
        )
    )
    return 1 if drops.stale else 0


if __name__ == "__main__":
    sys.exit(main())
