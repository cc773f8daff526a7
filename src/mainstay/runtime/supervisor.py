"""The supervisor: one small single-threaded process that keeps the others alive.

It makes the listening sockets, forks the gateway workers, the ledger and the control process, starts one program per
local engine, restarts what dies, hands edits of the configuration on, and stops everything in order: workers first
(they finish what they stream), then the ledger, then control (it loads the last records), then engines. It knows
nothing of HTTP, models or what a configuration means: that comes as opaque bytes from who makes the :class:`Plan`.
"""

import gc
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import structlog

from mainstay.core.errors import ConfigError, SetupError, StartError
from mainstay.runtime.children import Child, Kind, Program, Start, execute, fork
from mainstay.runtime.family import Family
from mainstay.runtime.leash import Leash, Message
from mainstay.runtime.rolling import Rolling
from mainstay.runtime.sockets import listen, local_url
from mainstay.runtime.state import Lock, make_private, write_state

__all__ = ["ControlMain", "Listen", "Plan", "Ready", "Service", "WorkerMain", "supervise"]

#: ``worker(payload, slot, sockets, leash) -> exit code``, called in the forked child.
WorkerMain = Callable[[bytes, int, Sequence[socket.socket], Leash], int]
#: ``control(payload, leash) -> exit code``, called in the forked child; the same for the ledger.
ControlMain = Callable[[bytes, Leash], int]

_POLL = 0.5
#: How children stop: in this order, with these seconds (a worker has the plan's ``drain``) and then the grace.
_STAGES: tuple[Kind, ...] = ("worker", "ledger", "control", "engine")
_LIMITS = {"ledger": 2.0, "control": 20.0, "engine": 1.0}
_GRACE = 2.0
#: Deaths before the first readiness after which a worker or control is not worth another try.
_TRIES = 3

_log = structlog.get_logger("mainstay.supervisor")


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen, and with how many workers. A change needs a restart."""

    host: str
    port: int
    workers: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What a configuration asks of the supervisor.

    ``payload`` is what workers and control are given, as bytes that only they read; ``programs`` the engines;
    ``drain`` the seconds a stopping worker may take to finish its streams.
    """

    payload: bytes
    programs: tuple[Program, ...]
    listen: Listen
    drain: float = 30.0


@dataclass(frozen=True, slots=True)
class Ready:
    """Said once, when every part is up for the first time: where it listens, and the seconds it took."""

    url: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Service:
    """Everything that one server is made of.

    ``watch`` is called every half second and on SIGHUP; it returns a new plan, or None when nothing changed, and
    raises ``ConfigError`` or ``StartError`` when an edit is refused (once per edit).
    """

    home: Path
    plan: Plan
    worker: WorkerMain
    control: ControlMain | None = None
    watch: Callable[[], Plan | None] | None = None
    ledger: ControlMain | None = None


def supervise(service: Service, ready: Callable[[Ready], None] | None = None) -> int:
    """Run ``service`` until a signal stops it; return the exit code.

    SIGTERM or SIGINT: stop in order, a second one at once. SIGHUP: read the configuration now. SIGUSR2: do so and
    replace workers and control one by one.

    Raises:
        StartError: the port is busy, ``home`` cannot be written, another server runs there, or a part cannot start.
        ConfigError: a part found the configuration unusable.
    """
    run = service.home / "run"
    make_private(service.home)
    make_private(run)
    lock = Lock(run)
    try:
        sockets = listen(service.plan.listen.host, service.plan.listen.port, service.plan.listen.workers)
        try:
            return _Supervisor(service, run, lock, sockets, ready).run()
        finally:
            for sock in sockets:
                sock.close()
    finally:
        lock.release()


class _Supervisor:
    def __init__(
        self,
        service: Service,
        run: Path,
        lock: Lock,
        sockets: list[socket.socket],
        ready: Callable[[Ready], None] | None,
    ) -> None:
        self._service = service
        self._run_dir = run
        self._lock = lock
        self._sockets = sockets
        self._on_ready = ready
        self._plan = service.plan
        #: A plan whose new engines are still starting; it is in force once they are up.
        self._coming: Plan | None = None
        self._config_error = ""
        self._wake, self._woken = socket.socketpair()
        self._family = Family(self._woken, self._heard, self._signalled)
        self._rolling = Rolling(self._family, self._end)
        self._began = time.monotonic()
        self._polled = self._began
        #: None while serving, then which kind of child is being stopped.
        self._stage: Kind | None = None
        self._failure: SetupError | None = None
        self._announced = False
        self._published: dict[str, object] = {}
        self._url = local_url(sockets[0])

    def run(self) -> int:
        restore = self._take_signals()
        try:
            # What was loaded before the forks stays shared: the collector must not touch its pages.
            gc.collect()
            gc.freeze()
            kinds: tuple[Kind, ...] = ("control", "ledger")
            for kind, main in zip(kinds, (self._service.control, self._service.ledger), strict=True):
                if main is not None:
                    self._family.members.append(Child(kind, kind, partial(self._fork_main, main)))
            for slot in range(self._plan.listen.workers):
                self._family.members.append(Child(f"worker-{slot}", "worker", partial(self._fork_worker, slot)))
            for program in self._plan.programs:
                self._add_engine(program)
            while self._family.members:
                self._family.turn(_POLL)
                self._think(time.monotonic())
                self._publish()
        finally:
            self._family.close()
            restore()
            self._wake.close()
            self._woken.close()
            gc.unfreeze()
            self._publish()
        if self._failure is not None:
            raise self._failure
        return 0

    def _think(self, now: float) -> None:
        if self._stage is not None:
            self._advance()
            return
        if now - self._polled >= _POLL:
            self._polled = now
            self._reload()
        if self._coming is not None:
            self._shift(self._coming, now)
        for child in self._family.of("engine"):
            if child.retire is not None and now >= child.retire:
                self._end(child, aside=True)
        if not self._announced:
            self._announce(now)
        elif self._coming is None:
            self._rolling.advance(self._config_error)

    def _announce(self, now: float) -> None:
        for child in self._family.members:
            if child.kind != "engine" and not child.was_ready and child.restarts >= _TRIES:
                self._give_up(StartError(f"{child.name} cannot start: {child.reason}; see the log above."))
                return
        # An engine in a crash loop does not keep the rest from serving; health and the log name it.
        if all(c.state == "up" or (c.kind, c.state) == ("engine", "failing") for c in self._family.members):
            self._announced = True
            # First in the state, that whoever is told finds it so.
            self._publish()
            if self._on_ready is not None:
                self._on_ready(Ready(self._url, now - self._began))

    def _give_up(self, error: SetupError) -> None:
        self._failure = error
        self._stop()

    # Signals arrive as bytes on a socket, so that the family's one wait covers them.

    def _take_signals(self) -> Callable[[], None]:
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        taken = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2, signal.SIGCHLD)
        previous = {number: signal.signal(number, lambda *_: None) for number in taken}
        wakeup = signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)

        def restore() -> None:
            signal.set_wakeup_fd(wakeup)
            for number, handler in previous.items():
                signal.signal(number, handler)

        return restore

    def _signalled(self, numbers: bytes) -> None:
        for number in numbers:
            if number in (signal.SIGTERM, signal.SIGINT):
                if self._stage is None:
                    _log.info("stopping", hint="open answers are finished first; interrupt again to stop at once")
                    self._stop()
                elif number == signal.SIGINT:
                    self._family.kill_all()
            elif number in (signal.SIGHUP, signal.SIGUSR2) and self._stage is None:
                self._reload()
                if number == signal.SIGUSR2:
                    # A watch waits for a second look before it believes in an edit; what is started now shall have it.
                    self._reload()
                    self._rolling.ask()

    # Starting.

    def _add_engine(self, program: Program) -> None:
        child = Child(program.name, "engine", partial(execute, program), program.start_within, program.silence, program)
        self._family.members.append(child)

    def _fork_worker(self, slot: int) -> Start:
        payload, worker = self._plan.payload, self._service.worker
        mine = self._sockets[slot]

        def main(leash: Leash) -> int:
            self._keep_only(mine)
            return worker(payload, slot, [mine], leash)

        return fork(main, self._forget)

    def _fork_main(self, child: ControlMain) -> Start:
        def main(leash: Leash) -> int:
            self._keep_only(None)
            return child(self._plan.payload, leash)

        return fork(main, self._forget)

    def _keep_only(self, mine: socket.socket | None) -> None:
        for sock in self._sockets:
            if sock is not mine:
                sock.close()

    def _forget(self) -> None:
        self._family.forget()
        self._lock.forget()
        self._wake.close()
        self._woken.close()

    # Hearing.

    def _heard(self, child: Child, message: Message) -> None:
        if message.kind == "ready":
            if child.restarts:
                _log.info("child_up", child=child.name, restarts=child.restarts)
            child.state, child.was_ready, child.reason = "up", True, ""
            if child.kind != "engine" and child.generation != self._family.generation:
                self._hand_on(child)
        elif message.kind == "applied":
            child.generation = int(message.fields["generation"])
        elif message.kind == "failed":
            child.reason = str(message.fields["reason"])
            if not self._announced and self._stage is None:
                kind = ConfigError if message.fields.get("exit_code") == 2 else StartError
                self._give_up(kind(child.reason))

    # Changing: new engines first, then workers and control, then old engines once their streams had time to end.

    def _reload(self) -> None:
        if self._service.watch is None:
            return
        try:
            plan = self._service.watch()
        except SetupError as error:
            self._refuse(error.message)
            return
        if plan is not None:
            self._accept(plan)

    def _refuse(self, why: str) -> None:
        self._config_error = why
        _log.error("config_refused", hint="the last good configuration stays in force", problems=why.splitlines())

    def _accept(self, plan: Plan) -> None:
        self._rolling.listen_differs = plan.listen != self._plan.listen
        if self._rolling.listen_differs:
            _log.warning("restart_needed", reason="server.host, server.port or server.workers changed")
            plan = replace(plan, listen=self._plan.listen)
        self._drop_engines(self._plan.programs + plan.programs)
        there = {child.program: child for child in self._family.of("engine") if not child.stopping}
        for program in plan.programs:
            if program in there:
                there[program].retire = None
            else:
                self._add_engine(program)
        self._coming = plan

    def _shift(self, plan: Plan, now: float) -> None:
        new = [
            c for c in self._family.of("engine") if c.program in plan.programs and c.program not in self._plan.programs
        ]
        for child in new:
            if child.restarts:
                self._coming = None
                self._drop_engines(self._plan.programs)
                self._refuse(f"{child.name} cannot start: {child.reason}")
                return
        if any(child.state != "up" for child in new):
            return
        self._coming = None
        self._config_error = ""
        self._plan = plan
        self._family.generation += 1
        for child in self._family.members:
            if child.kind == "engine":
                if child.program not in plan.programs and child.retire is None:
                    child.retire = now + plan.drain
            elif child.state == "up":
                self._hand_on(child)
        _log.info("config_in_force", generation=self._family.generation)

    def _hand_on(self, child: Child) -> None:
        if child.running is not None:
            child.running.leash.send("config", self._plan.payload, generation=self._family.generation)

    def _drop_engines(self, keep: tuple[Program, ...]) -> None:
        """End the engines that no plan wants and that never served: those of an edit that was replaced or refused."""
        for child in self._family.of("engine"):
            if child.program not in keep and child.retire is None and not child.stopping:
                self._end(child, aside=True)

    # Stopping: workers finish their streams and settle, control loads the last records, engines go last.

    def _stop(self) -> None:
        self._stage = _STAGES[0]
        self._rolling.abandon()
        # Once the workers close theirs too, a new connection is refused at once instead of waiting for nobody.
        for sock in self._sockets:
            sock.close()
        self._end_stage()

    def _advance(self) -> None:
        while self._stage is not None and not self._family.of(self._stage):
            if self._stage == _STAGES[-1]:
                return
            self._stage = _STAGES[_STAGES.index(self._stage) + 1]
            self._end_stage()

    def _end_stage(self) -> None:
        assert self._stage is not None
        for child in self._family.of(self._stage):
            if not child.stopping:
                self._end(child)

    def _end(self, child: Child, *, aside: bool = False) -> None:
        child.aside = child.aside or aside
        limit = _LIMITS.get(child.kind, self._plan.drain)
        self._family.end(child, limit, _GRACE)

    def _publish(self) -> None:
        state: dict[str, object] = {
            "pid": os.getpid(),
            "url": self._url,
            "ready": self._stage is None and self._family.ready(self._announced),
            "begun": self._announced,
            "generation": self._family.generation,
            "config_error": self._config_error,
            "parts": self._family.parts(),
            "restart": self._rolling.describe(),
        }
        if state != self._published:
            self._published = state
            write_state(self._run_dir, state)
