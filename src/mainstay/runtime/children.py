"""Child processes: how one is started, what is known of it, and when it may start again.

Two kinds: forked from the preloaded supervisor (gateway workers, the control process), or a fresh interpreter (a
model engine). Both hold a :class:`~mainstay.runtime.leash.Leash`. Decisions about them are the supervisor's.
"""

import contextlib
import os
import signal
import subprocess
import sys
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from mainstay.core.errors import SetupError
from mainstay.runtime.leash import Leash, pair

__all__ = ["Backoff", "Child", "Kind", "Program", "Start", "State", "describe_exit", "execute", "fork"]

Kind = Literal["worker", "ledger", "control", "engine"]
State = Literal["starting", "up", "failing", "draining", "stopped"]

#: What a child's environment may hold besides its own: never the operator's keys to bought models.
_PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "TZ",
)
_PASSED_ON_FAMILIES = ("CUDA_", "GGML_", "OMP_", "VK_", "HIP_", "ROCR_")

#: What only the parent acts upon.
_PARENTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2)


class Backoff:
    """How long a dead child waits before it starts again: tiny at first, doubling to ``longest`` seconds.

    A life of ``calm`` seconds or more forgives what was before. ``breaker`` deaths within ``window`` seconds are a
    crash loop: the wait is the longest at once, and ``looping`` says so.
    """

    def __init__(
        self,
        first: float = 0.05,
        longest: float = 30.0,
        calm: float = 30.0,
        breaker: int = 6,
        window: float = 60.0,
    ) -> None:
        self._first = first
        self._longest = longest
        self._calm = calm
        self._breaker = breaker
        self._window = window
        self._next = first
        self._deaths: deque[float] = deque(maxlen=breaker)
        self.looping = False

    def died(self, now: float, lived: float) -> float:
        """Return the seconds to wait after a death at ``now`` that ended a life of ``lived`` seconds."""
        if lived >= self._calm:
            self._next = self._first
            self._deaths.clear()
        self._deaths.append(now)
        self.looping = len(self._deaths) == self._breaker and now - self._deaths[0] <= self._window
        wait = self._longest if self.looping else self._next
        self._next = min(self._next * 2, self._longest)
        return wait


@dataclass(frozen=True, slots=True)
class Start:
    """A process just started: its pid, the parent's end of its leash, and ``wait``: the exit status or None."""

    pid: int
    leash: Leash
    wait: Callable[[], int | None]


@dataclass(frozen=True, slots=True)
class Program:
    """A fresh interpreter or other command that talks over the leash on its standard input and output.

    ``settings`` is the payload of its first message and may hold secrets, which therefore never stand in ``argv``.
    Two equal programs are one: a change of any field means a new process.
    """

    name: str
    argv: tuple[str, ...]
    settings: bytes
    env: tuple[tuple[str, str], ...] = ()
    #: Seconds until it must be ready, and how long it may be silent after that.
    start_within: float = 300.0
    silence: float = 30.0


@dataclass(slots=True)
class Child:
    """What the supervisor knows of one child. Times are monotonic seconds."""

    name: str
    kind: Kind
    start: Callable[[], Start]
    start_within: float = 60.0
    silence: float = 15.0
    program: Program | None = None
    state: State = "starting"
    running: Start | None = None
    restarts: int = 0
    #: Why it is not up, or why it last died.
    reason: str = ""
    #: When to start it; when it was started; when it last spoke; when to stop a retired one; when to kill it.
    due: float = 0.0
    started: float = 0.0
    heard: float = 0.0
    retire: float | None = None
    doomed: float | None = None
    was_ready: bool = False
    #: Not the one that serves under its name: a successor that is not ready yet, or one that was replaced.
    aside: bool = False
    generation: int = 0
    backoff: Backoff = field(default_factory=Backoff)

    @property
    def stopping(self) -> bool:
        """Whether it is not to be started again."""
        return self.state in ("draining", "stopped")

    def kill(self, number: int) -> None:
        """Send signal ``number``; one that is already gone is let be."""
        if self.running is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.running.pid, number)

    def overdue(self, now: float) -> str:
        """Return why it must be killed for its silence, or ""."""
        if self.running is None:
            return ""
        if self.state == "starting" and now - self.started > self.start_within:
            return f"not ready within {self.start_within:.0f} s"
        if self.state == "up" and now - self.heard > self.silence:
            return f"no sign of life for {self.silence:.0f} s"
        return ""


def describe_exit(status: int) -> str:
    """Say in words what a status from ``os.waitpid`` means."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exited with code {code}"
    with contextlib.suppress(ValueError):
        return f"killed by {signal.Signals(-code).name}"
    return f"killed by signal {-code}"


def _waiter(pid: int) -> Callable[[], int | None]:
    def wait() -> int | None:
        try:
            done, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            return 0
        return status if done == pid else None

    return wait


def fork(main: Callable[[Leash], int], release: Callable[[], None]) -> Start:
    """Fork a child that runs ``main`` with its end of the leash and exits with what it returns.

    ``release`` runs first in the child and closes what belongs to the supervisor alone. The child ignores SIGINT,
    SIGHUP, SIGTERM and SIGUSR2: a terminal or a service manager sends them to everyone, and only the leash says when
    it is this child's turn. A ``SetupError`` from ``main`` is reported over the leash; any other exception is printed
    and ends the child.
    """
    ours, theirs = pair()
    sys.stdout.flush()
    sys.stderr.flush()
    held = signal.pthread_sigmask(signal.SIG_BLOCK, set(_PARENTS))
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        theirs.close()
        return Start(pid, ours, _waiter(pid))
    code = 70
    try:
        signal.set_wakeup_fd(-1)
        for number in _PARENTS:
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        release()
        ours.close()
        code = _run(main, Leash(theirs.detach()))
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        # Not sys.exit: what the parent registered to run at its end is not the child's to run.
        os._exit(code)


def _run(main: Callable[[Leash], int], leash: Leash) -> int:
    try:
        return main(leash)
    except SetupError as error:
        leash.failed(error.message, error.exit_code)
        return error.exit_code
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001 - the top of a process: whatever it is ends here, said once
        traceback.print_exc()
        return 70


def execute(program: Program) -> Start:
    """Start ``program`` in a session of its own (a terminal's Ctrl-C is not for it) and hand it its settings.

    Raises:
        OSError: the command cannot be run.
    """
    ours, theirs = pair()
    try:
        process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - the command is built by Mainstay, never by a caller
            program.argv,
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            env=_environment(os.environ) | dict(program.env),
            start_new_session=True,
        )
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
    ours.send("settings", program.settings)

    def wait() -> int | None:
        code = process.poll()
        if code is None:
            return None
        return code << 8 if code >= 0 else -code

    return Start(process.pid, ours, wait)


def _environment(outer: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in outer.items() if name in _PASSED_ON or name.startswith(_PASSED_ON_FAMILIES)}
