"""One whole benchmark: upstreams up, then peer after peer, round after round, each started, loaded and stopped.

Peers take turns (A B C A B C) so that a noisy minute falls on all of them. The gateway has a core of its own, load and
upstreams have the rest. It makes no ratios and writes no file.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import fixed, load, wire
from bench.install import Unavailable
from bench.load import Load
from bench.peers import PEERS, Peer, Running, Upstreams
from bench.peers.port import get_ok, post_ok
from bench.processes import ROOT, Process, cores_busy, free_port, on_cores, start, wait_until
from bench.rows import OWN_ROWS, ROWS, Plan, Trial, Visit, memory
from bench.rows.startup import import_seconds

__all__ = ["Finding", "Outcome", "Settings", "run"]

_SLICE = 0.25  # seconds of load between two looks at whether a peer is warm
_FASTER = 1.05
_SETTLED = 2
_CROWD = 1.5

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Settings:
    """What to run. Empty core sets leave the placing to the system."""

    peers: Sequence[str]
    rows: Sequence[str]
    rounds: int
    plan: Plan
    gateway_cores: frozenset[int]
    load_cores: frozenset[int]
    allow_install: bool = True


@dataclass(frozen=True, slots=True)
class Finding:
    """What one visit to one peer found."""

    peer: str
    round: int
    figures: dict[str, float]
    loads: dict[str, Load]
    notes: list[str]


@dataclass(slots=True)
class Outcome:
    """Everything found, and why a peer is missing; `own` has the figures of Mainstay alone."""

    versions: dict[str, str] = field(default_factory=dict)
    setups: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    own: dict[str, float] = field(default_factory=dict)
    own_notes: list[str] = field(default_factory=list)


async def run(settings: Settings, say: Say) -> Outcome:
    """Measure everything; `say` gets one line for each step. Raises RuntimeError when the upstreams do not start."""
    outcome = Outcome()
    peers = _prepare(settings, outcome, say)
    with on_cores(settings.load_cores), tempfile.TemporaryDirectory(prefix="bench-") as folder:
        scratch = Path(folder)
        with _upstreams(settings, scratch, outcome) as upstreams:
            for number in range(1, settings.rounds + 1):
                for peer in list(peers):
                    say(f"round {number} of {settings.rounds}: {peer.name}")
                    place = scratch / f"{peer.name}-{number}"
                    place.mkdir()
                    try:
                        outcome.findings.append(await _visit(peer, number, settings, upstreams, place))
                    except (OSError, RuntimeError, TimeoutError) as error:
                        outcome.skipped[peer.name] = f"round {number}: {_plain(error, scratch)}"
                        say(f"  {peer.name} is left out: {_plain(error, scratch)}")
                        peers.remove(peer)
            if any(name in settings.rows for name in OWN_ROWS):
                await _own(settings, upstreams, scratch, outcome, say)
    return outcome


def _plain(error: BaseException, scratch: Path) -> str:
    """The error without the places of this machine."""
    text = " ".join(str(error).replace(str(scratch), "…").replace(str(ROOT), ".").split())
    return text[-300:] or type(error).__name__


def _prepare(settings: Settings, outcome: Outcome, say: Say) -> list[Peer]:
    peers = []
    for name in settings.peers:
        peer = PEERS[name]()
        try:
            outcome.versions[name] = peer.prepare(allow_install=settings.allow_install)
        except Unavailable as reason:
            outcome.skipped[name] = str(reason)
            say(f"{name} is left out: {reason}")
            continue
        outcome.setups[name] = peer.setup
        peers.append(peer)
    return peers


@contextmanager
def _upstreams(settings: Settings, scratch: Path, outcome: Outcome) -> Iterator[Upstreams]:
    whole, streamed = free_port(), free_port()
    with ExitStack() as stack:

        def scripted(port: int, model: str) -> Process:
            command = [sys.executable, "-m", "bench.upstream", "--port", str(port), "--model", model]
            return start(command, cores=settings.load_cores, log=scratch / f"{model}.log")

        try:
            nginx = fixed.binary(allow_install=settings.allow_install)
            place = scratch / "fixed"
            place.mkdir()
            answering = fixed.start_fixed(nginx, place, whole, settings.load_cores)
        except Unavailable as reason:
            outcome.notes.append(f"The scripted upstream answers the request rows, since {reason}.")
            answering = scripted(whole, wire.MODEL_FIXED)
        stack.callback(answering.stop)
        streaming = scripted(streamed, wire.MODEL_STREAM)
        stack.callback(streaming.stop)
        wait_until(lambda: get_ok(whole, "/health"), answering, 10.0)
        wait_until(lambda: get_ok(streamed, "/health"), streaming, 10.0)
        yield Upstreams(f"http://127.0.0.1:{whole}/v1", f"http://127.0.0.1:{streamed}/v1")


async def _visit(peer: Peer, number: int, settings: Settings, upstreams: Upstreams, place: Path) -> Finding:
    running = peer.start(upstreams, settings.gateway_cores, place)
    try:
        stream_port = int(upstreams.stream.removesuffix("/v1").rpartition(":")[2])
        visit = Visit(settings.plan, running, place, stream_port, first=number == 1)
        _started(visit, peer)
        if "start" in settings.rows and visit.first:
            _imported(visit, peer, settings.gateway_cores)
        await _warm(visit)
        with _disturbance(visit, settings.gateway_cores):
            for name, row in ROWS.items():
                if name in settings.rows:
                    try:
                        await row.run(visit)
                    except (OSError, RuntimeError, TimeoutError) as error:
                        visit.notes.append(f"{name}: {_plain(error, place)}")
        return Finding(peer.name, number, visit.figures, visit.loads, visit.notes)
    finally:
        if running.process is not None:
            running.process.stop()


async def _own(settings: Settings, upstreams: Upstreams, scratch: Path, outcome: Outcome, say: Say) -> None:
    """Run the rows of Mainstay alone, once each: they are long, and each is a comparison within itself."""
    try:
        outcome.versions["mainstay"] = PEERS["mainstay"]().prepare(allow_install=False)
    except Unavailable as reason:
        outcome.skipped["mainstay"] = str(reason)
        say(f"mainstay is left out: {reason}")
        return
    trial = Trial(settings.plan, scratch, settings.gateway_cores, upstreams, outcome.own, outcome.own_notes)
    for name, row in OWN_ROWS.items():
        if name in settings.rows:
            say(f"mainstay alone: {name}")
            outcome.own_notes += _crowded(name)
            try:
                await row.run(trial)
            except (OSError, RuntimeError, TimeoutError) as error:
                trial.notes.append(f"{name}: {_plain(error, scratch)}")


def _crowded(row: str) -> list[str]:
    """A note where more wait for the processors than these rows themselves explain: every time is then the queue's."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    crowd = f"{row}: {load:.1f} processes wanted {cores} cores when it began; measure again on a quiet machine"
    return [crowd] if load > _CROWD * cores else []


@contextmanager
def _disturbance(visit: Visit, cores: frozenset[int]) -> Iterator[None]:
    """Note what share of the gateway's cores went to strangers while the rows ran."""
    busy, own, began = cores_busy(cores), visit.cpu() or 0.0, time.perf_counter()
    yield
    now = cores_busy(cores)
    if busy is not None and now is not None:
        others = (now - busy) - ((visit.cpu() or 0.0) - own)
        visit.figures["taken"] = max(others, 0.0) / (time.perf_counter() - began) / len(cores)


def _started(visit: Visit, peer: Peer) -> None:
    """Wait until it is ready and has given a first answer."""
    running: Running = visit.running
    if running.process is None:
        return
    visit.figures["ready"] = wait_until(running.ready, running.process, peer.patience)
    visit.figures["first_answer"] = wait_until(lambda: post_ok(running.fixed), running.process, peer.patience)
    visit.figures["memory_before"] = memory.mebibytes(visit.weigh())


def _imported(visit: Visit, peer: Peer, cores: frozenset[int]) -> None:
    command = peer.import_command()
    if command is None:
        return
    try:
        with on_cores(cores):
            visit.figures["import"] = import_seconds(*command)
    except subprocess.CalledProcessError:
        visit.notes.append(f"start: `{command[1]}` failed")


async def _warm(visit: Visit) -> None:
    """Load it until it gets no faster: some peers compile their code for seconds while they run."""
    for request in (visit.running.fixed.request(), visit.running.stream.request(stream_events=50)):
        until = time.perf_counter() + visit.plan.warm_seconds
        best, settled = 0.0, 0
        while settled < _SETTLED and time.perf_counter() < until:
            rate = (await load.closed_loop(request, connections=visit.plan.connections, seconds=_SLICE)).rate
            settled = settled + 1 if rate < best * _FASTER else 0
            best = max(best, rate)
