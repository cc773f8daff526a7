"""The living children: started when due, heard, watched, buried, started again. One turn of a single wait.

Stands between :mod:`children` (what one is) and :mod:`supervisor` (what is wanted). Knows nothing of plans, signals
or the order of a shutdown.
"""

import contextlib
import selectors
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from mainstay.runtime.children import Child, Kind, describe_exit
from mainstay.runtime.leash import Message

__all__ = ["Family"]

_log = structlog.get_logger("mainstay.supervisor")


@dataclass(slots=True)
class Family:
    """Every child there is, and the one wait over their leashes and ``woken`` (the socket that signals write to).

    ``on_message`` is called for every message of a child that is not stopping; ``on_signals`` with the signal numbers.
    """

    woken: socket.socket
    on_message: Callable[[Child, Message], None]
    on_signals: Callable[[bytes], None]
    members: list[Child] = field(default_factory=list)
    #: The generation of configuration that a child started now is given.
    generation: int = 1
    _selector: selectors.DefaultSelector = field(default_factory=selectors.DefaultSelector)

    def __post_init__(self) -> None:
        self._selector.register(self.woken, selectors.EVENT_READ)

    def of(self, kind: Kind) -> list[Child]:
        """Return the children of one kind."""
        return [child for child in self.members if child.kind == kind]

    def shown(self) -> list[Child]:
        """Return those that count: not a successor before it is ready, nor one that was replaced."""
        return [child for child in self.members if child.retire is None and not child.aside]

    def ready(self, begun: bool) -> bool:
        """Return whether calls are answered: all shown are up; once ``begun``, control and the ledger need not be.

        Workers answer without them, and a gateway that is taken out of use for that answers nobody.
        """
        shown = self.shown()
        beside = ("control", "ledger") if begun else ()
        return bool(shown) and all(child.state == "up" or child.kind in beside for child in shown)

    def parts(self) -> dict[str, object]:
        """Return what is to be told of those shown, by name: see :func:`state.read_state`."""
        return {
            child.name: {
                "kind": child.kind,
                "state": child.state,
                "restarts": child.restarts,
                "reason": child.reason,
                "pid": child.running.pid if child.running is not None else None,
            }
            for child in self.shown()
        }

    def turn(self, longest: float) -> None:
        """Wait until something happens, ``longest`` seconds at most, and look after everyone once."""
        now = time.monotonic()
        dues = [child.due for child in self.members if child.running is None]
        dues += [child.doomed for child in self.members if child.doomed is not None]
        wait = min([longest, *(due - now for due in dues)])
        if any(child.running is not None and child.running.leash.pending for child in self.members):
            wait = min(wait, 0.01)
        for key, _ in self._selector.select(max(0.0, wait)):
            if key.data is not None:
                self._hear(key.data)
                continue
            with contextlib.suppress(BlockingIOError):
                self.on_signals(self.woken.recv(4096))
        now = time.monotonic()
        for child in list(self.members):
            self._look_after(child, now)

    def end(self, child: Child, limit: float, grace: float) -> None:
        """Ask ``child`` to finish within ``limit`` seconds and to go; it is killed ``grace`` seconds later."""
        child.retire = None
        if child.running is None:
            child.state = "stopped"
            self.members.remove(child)
            return
        if child.kind == "engine" and child.state != "up":
            # Still loading its model, it would not hear.
            child.kill(signal.SIGKILL)
        child.state = "draining"
        child.doomed = time.monotonic() + limit + grace
        child.running.leash.send("drain", limit=limit)

    def kill_all(self) -> None:
        """End everyone at once."""
        for child in list(self.members):
            if child.running is None:
                self.members.remove(child)
            child.state = "draining"
            child.kill(signal.SIGKILL)

    def forget(self) -> None:
        """In a forked child: close what is the parent's. A leash kept open here would hide the parent's death."""
        # Closing only: unregistering would change the wait that is shared with the parent.
        self._selector.close()
        for child in self.members:
            if child.running is not None:
                child.running.leash.close()

    def close(self) -> None:
        """Kill who is left and let go of everything."""
        for child in self.members:
            child.kill(signal.SIGKILL)
            self._unleash(child)
        self._selector.close()

    def _hear(self, child: Child) -> None:
        if child.running is None:
            return
        leash = child.running.leash
        for message in leash.receive():
            child.heard = time.monotonic()
            if not child.stopping:
                self.on_message(child, message)
        if leash.parted:
            # Its end, if it has not come yet, is found by the wait in look_after or by its silence.
            with contextlib.suppress(KeyError):
                self._selector.unregister(leash.fileno())

    def _look_after(self, child: Child, now: float) -> None:
        if child.running is None:
            if not child.stopping and child.due <= now:
                self._begin(child, now)
            return
        if child.running.leash.pending:
            child.running.leash.flush()
        status = child.running.wait()
        if status is not None:
            self._hear(child)
            self._bury(child, status, now)
        elif child.doomed is not None and now >= child.doomed:
            _log.warning("child_killed", child=child.name, reason="did not stop in time")
            child.doomed = None
            child.kill(signal.SIGKILL)
        elif not child.stopping and (why := child.overdue(now)):
            child.reason = why
            child.kill(signal.SIGKILL)

    def _begin(self, child: Child, now: float) -> None:
        child.started = child.heard = now
        child.generation = self.generation
        if child.state != "failing":
            child.state = "starting"
        try:
            child.running = child.start()
        except OSError as error:
            child.reason = f"cannot be started ({error.strerror})"
            self._postpone(child, now)
            return
        self._selector.register(child.running.leash.fileno(), selectors.EVENT_READ, child)
        _log.debug("child_started", child=child.name, pid=child.running.pid)

    def _bury(self, child: Child, status: int, now: float) -> None:
        self._unleash(child)
        if child.stopping:
            child.state = "stopped"
            self.members.remove(child)
            return
        how = describe_exit(status)
        child.reason = f"{child.reason} ({how})" if child.reason else how
        self._postpone(child, now)

    def _unleash(self, child: Child) -> None:
        if child.running is None:
            return
        with contextlib.suppress(KeyError):
            self._selector.unregister(child.running.leash.fileno())
        child.running.leash.close()
        child.running = None

    def _postpone(self, child: Child, now: float) -> None:
        wait = child.backoff.died(now, now - child.started)
        child.restarts += 1
        child.due = now + wait
        child.state = "failing" if child.backoff.looping else "starting"
        _log.warning("child_died", child=child.name, reason=child.reason, restart_in_s=wait)
        if child.backoff.looping:
            child.reason = f"it keeps dying and is tried every {wait:.0f} s; last time: {child.reason}"
