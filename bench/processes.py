"""Processes under measurement: started on chosen cores, found again as a tree, weighed, and stopped by their ids.

Reads Linux' /proc; elsewhere processes start and stop, and what was to be weighed is missing from the results.
"""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "Process", "Weight", "cores_busy", "cpu_seconds", "free_port", "on_cores", "start", "wait_until"]

ROOT = Path(__file__).resolve().parent.parent
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Weight:
    """What one process holds and has used. `rss` and `pss` are bytes, `cpu` is seconds, user and system."""

    pid: int
    rss: int
    pss: int
    cpu: float


@dataclass(slots=True)
class Process:
    """A process that this benchmark started, with all its descendants."""

    popen: "subprocess.Popen[bytes]"
    log: Path
    started: float

    @property
    def running(self) -> bool:
        """Whether the first process still lives."""
        return self.popen.poll() is None

    def tail(self, size: int = 400) -> str:
        """The end of what it printed, on one line, without this checkout's path."""
        text = self.log.read_bytes()[-size:].decode(errors="replace") if self.log.exists() else ""
        return " ".join(text.replace(str(ROOT), ".").split())

    def weigh(self) -> list[Weight]:
        """Every process of the tree, the first one first; empty where there is no /proc."""
        return [weight for pid in _tree(self.popen.pid) if (weight := _weigh(pid)) is not None]

    def stop(self, patience: float = 5.0) -> None:
        """Ask the first process to end; whatever of its tree outlives `patience` seconds is killed."""
        family = _tree(self.popen.pid)[1:]
        births = {pid: _birth(pid) for pid in family}
        if self.running:
            self.popen.terminate()
            try:
                self.popen.wait(patience)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        # A number may have been given to a stranger since; its birth tells.
        left = {pid: birth for pid, birth in births.items() if birth is not None and _birth(pid) == birth}
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        deadline = time.perf_counter() + patience
        while any(_birth(pid) == birth for pid, birth in left.items()) and time.perf_counter() < deadline:
            time.sleep(0.005)


@contextlib.contextmanager
def on_cores(cores: frozenset[int]) -> Iterator[None]:
    """Run the block, and whatever is started in it, on these cores; none given leaves it to the system."""
    if not cores or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def start(
    command: Sequence[str],
    *,
    cores: frozenset[int],
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
) -> Process:
    """Start a command on the cores, its output in `log`; `env` is added to this process's own."""
    with on_cores(cores), log.open("wb") as output:
        started = time.perf_counter()
        popen = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=cwd,
        )
    return Process(popen, log, started)


def cores_busy(cores: frozenset[int]) -> float | None:
    """Seconds these cores have worked since the system started, stolen time included; None where nobody tells."""
    names = {f"cpu{core}" for core in cores}
    try:
        lines = [line.split() for line in (_PROC / "stat").read_text().splitlines()]
    except OSError:
        return None
    ticks = [[int(count) for count in line[1:9]] for line in lines if line and line[0] in names]
    if not ticks:
        return None
    # user, nice, system, idle, iowait, irq, softirq, steal
    return sum(sum(row) - row[3] - row[4] for row in ticks) / os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float | None:
    """CPU seconds of the process's living threads, to the microsecond; None where the system does not tell."""
    try:
        tasks = list((_PROC / str(pid) / "task").iterdir())
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
    except (OSError, ValueError, IndexError):
        return None


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(ready: Callable[[], bool], process: Process, seconds: float, step: float = 0.005) -> float:
    """Seconds from the process's start until `ready` held.

    Raises RuntimeError with the end of its output when it dies or takes longer than `seconds`.
    """
    while True:
        if ready():
            return time.perf_counter() - process.started
        if not process.running:
            raise RuntimeError(f"it ended with code {process.popen.returncode}: {process.tail()}")
        if time.perf_counter() - process.started > seconds:
            raise RuntimeError(f"it was not ready within {seconds:.0f} s: {process.tail()}")
        time.sleep(step)


def _tree(root: int) -> list[int]:
    """The process and its living descendants, breadth first."""
    children: dict[int, list[int]] = {}
    if _PROC.is_dir():
        for entry in _PROC.iterdir():
            if entry.name.isdigit():
                fields = _stat(int(entry.name))
                if fields is not None:
                    children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, []))
    return found


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the name: state, parent, …"""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def _birth(pid: int) -> str | None:
    """When the process started, in the system's own ticks; None when it is gone or only waits to be buried."""
    fields = _stat(pid)
    return None if fields is None or fields[0] == "Z" else fields[19]


def _weigh(pid: int) -> Weight | None:
    fields = _stat(pid)
    if fields is None:
        return None
    cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    sizes = {"Rss": 0, "Pss": 0}
    try:
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name in sizes:
                sizes[name] = int(rest.split()[0]) * 1024
    except OSError:
        # A process that is just ending, or one whose maps are closed to us, has its plain count left.
        sizes["Rss"] = int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    return Weight(pid, sizes["Rss"], sizes["Pss"], cpu)
