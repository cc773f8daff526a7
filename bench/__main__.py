"""``python -m bench``: measure Mainstay beside its peers and against its promises, into bench/results/."""

import argparse
import asyncio
import datetime
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import uvloop

from bench import report
from bench.peers import PEERS
from bench.processes import ROOT
from bench.rows import OWN_ROWS, ROWS, Plan
from bench.run import Settings, run

__all__ = ["main"]

_QUICK_PEERS = ("direct", "nginx", "mainstay")
_PEER_ROWS = (*ROWS, "start")
_ROWS = (*_PEER_ROWS, *OWN_ROWS)


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, allow_abbrev=False)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="under two minutes: direct, nginx, mainstay; 1 s")
    size.add_argument("--full", action="store_true", help="five rounds of 5 s, 200,000 requests for the memory row")
    parser.add_argument("--peers", type=_names(tuple(PEERS)), help=f"comma-separated: {', '.join(PEERS)}")
    parser.add_argument("--rows", type=_names(_ROWS), help=f"comma-separated: {', '.join(_ROWS)}")
    parser.add_argument("--seconds", type=float, help="length of each load run")
    parser.add_argument("--rounds", type=int, help="visits to each peer")
    parser.add_argument("--rate", type=float, default=1000.0, help="requests per second of the fixed-rate row")
    parser.add_argument("--gateway-cores", type=_cores, help="such as 0; default: the first this process may use")
    parser.add_argument("--load-cores", type=_cores, help="such as 1 or 1-3; default: the second this process may use")
    parser.add_argument("--no-install", action="store_true", help="leave out peers that are not installed")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results", help="folder of the results")
    return parser.parse_args(arguments)


def _names(known: tuple[str, ...]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        names = [name.strip() for name in text.split(",") if name.strip()]
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
        return [name for name in known if name in names]

    return parse


def _cores(text: str) -> frozenset[int]:
    cores: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        cores.update(range(int(first), int(last or first) + 1))
    return frozenset(cores)


def _settings(chosen: argparse.Namespace) -> Settings:
    size = "quick" if chosen.quick else "full" if chosen.full else "usual"
    seconds, rounds, requests, patience, warming, scale = {
        "quick": (1.0, 2, 5_000, 5.0, 1.5, 0.25),
        "usual": (3.0, 3, 20_000, 20.0, 8.0, 1.0),
        "full": (5.0, 5, 200_000, 90.0, 15.0, 4.0),
    }[size]
    peers = chosen.peers or list(_QUICK_PEERS if chosen.quick else PEERS)
    # Those of Mainstay alone take minutes: a quick run, or one of others, has them only when they are named.
    alone = OWN_ROWS if size != "quick" and "mainstay" in peers else ()
    rows = chosen.rows or [*_PEER_ROWS, *alone]
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    apart = len(usable) > 1
    return Settings(
        peers=peers if set(rows) & set(_PEER_ROWS) else [],
        rows=rows,
        rounds=chosen.rounds or rounds,
        plan=Plan(
            chosen.seconds or seconds,
            rate=chosen.rate,
            memory_requests=requests,
            memory_seconds=patience,
            warm_seconds=warming,
            scale=scale,
        ),
        gateway_cores=chosen.gateway_cores or frozenset(usable[:1] if apart else ()),
        load_cores=chosen.load_cores or frozenset(usable[1:2] if apart else ()),
        allow_install=not chosen.no_install,
    )


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; returns the exit code: 1 when Mainstay or every peer had to be left out."""
    chosen = _arguments(arguments)
    settings = _settings(chosen)
    if not settings.gateway_cores:
        print("one core only: the gateway shares it with the load, so read ratios alone", file=sys.stderr)

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    # A terminated run must still stop what it started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            outcome = runner.run(run(settings, say))
    except KeyboardInterrupt:
        return 130
    if not outcome.findings and not outcome.own:
        say("nothing could be measured")
        return 1
    date = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    path = report.write(outcome, settings, chosen.out, date)
    print(report.markdown(outcome, settings))
    say(f"kept as {os.path.relpath(path)} and .md")
    return int("mainstay" in outcome.skipped)


if __name__ == "__main__":
    sys.exit(main())
