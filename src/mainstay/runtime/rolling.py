"""A rolling restart: beside each worker a successor is started, and the old one goes once the new one serves.

Stands between the supervisor, which says when, and the family, whose members it replaces. A successor is started as
its predecessor was, on the same socket, so there is no moment without someone who accepts. Knows nothing of plans,
signals or sockets.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from mainstay.runtime.children import Child
from mainstay.runtime.family import Family

__all__ = ["Rolling"]

_log = structlog.get_logger("mainstay.supervisor")


@dataclass(slots=True)
class Rolling:
    """One restart after another; ``dismiss(child)`` asks one that is no longer needed to finish and go."""

    family: Family
    dismiss: Callable[[Child], None]
    #: Whether an edit asks for another address or number of workers, which only a stop and a start give.
    listen_differs: bool = False
    _asked: bool = False
    _number: int = 0
    _state: str = ""
    _reason: str = ""
    #: Who is still to be replaced; who is being replaced, by whom; who was and finishes what is under way.
    _todo: list[Child] = field(default_factory=list)
    _pair: tuple[Child, Child] | None = None
    _leaving: list[Child] = field(default_factory=list)
    _replaced: dict[str, list[int]] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        """Whether a restart is under way."""
        return self._state in ("replacing", "draining")

    def ask(self) -> None:
        """Want a restart: now, or another one after the one under way, which may have begun with older settings."""
        self._asked = True

    def describe(self) -> dict[str, object]:
        """Return the latest restart, as published: see :func:`state.read_state`."""
        replaced = {name: list(pids) for name, pids in self._replaced.items()}
        return {
            "number": self._number,
            "state": self._state,
            "reason": self._reason,
            "replaced": replaced,
            "listen_differs": self.listen_differs,
        }

    def advance(self, refusal: str = "") -> None:
        """Take the next step, if it is time for one. A ``refusal`` keeps a restart that was asked for from beginning.

        One at a time is started, workers first and control last; those replaced finish their streams meanwhile.
        """
        if self._asked and not self.running:
            self._begin(refusal)
        if self._pair is not None:
            self._watch(*self._pair)
        if self._state == "replacing" and self._pair is None:
            self._next()
        if self._state == "draining" and not any(child in self.family.members for child in self._leaving):
            self._state = "done"
            _log.info("restart_done", replaced=list(self._replaced))

    def abandon(self) -> None:
        """Everything is being stopped: replace no one else."""
        self._asked = False
        self._pair = None
        if self.running:
            self._fail("the gateway was stopped")

    def _begin(self, refusal: str) -> None:
        self._asked = False
        self._number += 1
        self._state, self._reason = "replacing", ""
        self._leaving, self._replaced = [], {}
        self._todo = [*self.family.of("worker"), *self.family.of("ledger"), *self.family.of("control")]
        if refusal:
            self._fail(refusal)
            return
        _log.info("restart_begins", number=self._number)

    def _next(self) -> None:
        if not self._todo:
            self._state = "draining"
            return
        old = self._todo.pop(0)
        new = Child(old.name, old.kind, old.start, old.start_within, old.silence, aside=True)
        self.family.members.append(new)
        self._pair = (old, new)

    def _watch(self, old: Child, new: Child) -> None:
        if new.state == "up" and new.running is not None:
            before = old.running.pid if old.running is not None else 0
            self._replaced[new.name] = [before, new.running.pid]
            _log.info("child_replaced", child=new.name, pid=before, by=new.running.pid)
            old.aside, new.aside = True, False
            self._pair = None
            self._leaving.append(old)
            self.dismiss(old)
        elif new.restarts:
            self._pair = None
            self.dismiss(new)
            self._fail(f"the new {new.name} did not become ready ({new.reason})")

    def _fail(self, why: str) -> None:
        self._todo = []
        self._state, self._reason = "failed", why
        _log.error("restart_failed", reason=why, replaced=list(self._replaced))
