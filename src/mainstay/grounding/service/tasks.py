"""What takes longer than a caller waits: reading sources, building versions, taking in archives; worked off beside, one
for each base at a time.

Kept in this process only, and forgotten when it ends: what was done stays, and the same, begun again, goes on. Does not
know who asks.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from typing import Final, Literal

import msgspec
import structlog

from mainstay.core.clock import wall_ms
from mainstay.core.errors import Conflict, MainstayError, NotFound
from mainstay.core.ids import uuid7
from mainstay.grounding.reports import Progress, Report, Stop
from mainstay.grounding.service.knowledge import Knowledge

__all__ = ["Act", "Task", "Tasks", "Told", "What"]

_log = structlog.get_logger("mainstay.knowledge")
#: At work at a time; ended ones that are remembered.
_WORKERS: Final = 2
_KEPT: Final = 200

What = Literal["ingest", "build", "import"]
Told = Callable[[Progress], None]
#: What a task does: told of its way, and asked to end by ``Stop``.
Act = Callable[[Knowledge, Told, Stop], Sequence[Report]]


class Task(msgspec.Struct):
    """A piece of work on a base: what, for whom, and how far it is. Times are wall-clock ms, 0 for not yet.

    ``failed`` says why in ``message``; ``stopped`` was ended by someone, or with the process. ``reports`` has one for
    each source that was read.
    """

    id: str
    base: str
    what: What
    who: str
    version: str = ""
    state: Literal["waiting", "running", "done", "failed", "stopped"] = "waiting"
    asked: int = 0
    began: int = 0
    ended: int = 0
    done: int = 0
    total: int = 0
    current: str = ""
    message: str = ""
    reports: Sequence[Report] = ()


class Tasks:
    """Works off tasks in threads of its own, which begin with the first.

    Args:
        opened: opens the knowledge for a block, for who makes changes.
    """

    def __init__(self, opened: Callable[[str], AbstractContextManager[Knowledge]]) -> None:
        self._opened = opened
        self._lock = threading.Lock()
        self._tasks: dict[str, tuple[Task, threading.Event]] = {}
        self._futures: set[Future[None]] = set()
        self._pool: ThreadPoolExecutor | None = None

    def begin(
        self, base: str, what: What, who: str, act: Act, version: str = "", after: Callable[[], None] = lambda: None
    ) -> Task:
        """Have something done, and return what tells how it goes; ``after`` is called when it ended, begun or not.

        Raises:
            Conflict: something is done on the base already.
        """
        task, stop = Task(uuid7(), base, what, who, version, asked=wall_ms()), threading.Event()
        with self._lock:
            busy = next((one for one, _ in self._tasks.values() if one.base == base and not one.ended), None)
            if busy is not None:
                raise Conflict(f"Task {busy.id} is at work on '{base}' already; wait for its end, or stop it.")
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_WORKERS, "mainstay-knowledge-task")
            over = [name for name, (one, _) in self._tasks.items() if one.ended]
            for name in over[: max(0, len(self._tasks) - _KEPT)]:
                del self._tasks[name]
            self._tasks[task.id] = (task, stop)
            future = self._pool.submit(self._work, task, stop, act, after)
            self._futures = {one for one in self._futures if not one.done()} | {future}
        return task

    def settle(self) -> None:
        """Wait until everything that was begun has ended."""
        with self._lock:
            futures = set(self._futures)
        wait(futures)

    def of(self, base: str) -> list[Task]:
        """Return the tasks of a base, newest first."""
        with self._lock:
            return [one for one, _ in reversed(self._tasks.values()) if one.base == base]

    def find(self, base: str, name: str) -> Task:
        """Return a task.

        Raises:
            NotFound: there is none of this id, or it is forgotten.
        """
        return self._find(base, name)[0]

    def stop(self, base: str, name: str) -> Task:
        """Ask a task to end after what it is at; what it did stays. Raises as :meth:`find` does."""
        task, stop = self._find(base, name)
        stop.set()
        return task

    def close(self) -> None:
        """End what runs after the document that it is at, and wait for that."""
        with self._lock:
            pool, self._pool = self._pool, None
            for _, stop in self._tasks.values():
                stop.set()
        if pool is not None:
            pool.shutdown()

    def _find(self, base: str, name: str) -> tuple[Task, threading.Event]:
        with self._lock:
            found = self._tasks.get(name)
        if found is None or found[0].base != base:
            raise NotFound(f"There is no task '{name[:64]}' of '{base[:64]}' that is remembered.")
        return found

    def _work(self, task: Task, stop: threading.Event, act: Act, after: Callable[[], None]) -> None:
        def told(at: Progress) -> None:
            task.done, task.total, task.current = at.done, at.total, at.current

        task.began, task.state = wall_ms(), "running"
        ended: Literal["done", "failed", "stopped"] = "failed"
        try:
            if not stop.is_set():
                with self._opened(task.who) as knowledge:
                    task.reports = act(knowledge, told, stop)
            ended = "stopped" if stop.is_set() else "done"
        except MainstayError as error:
            task.message = error.message
        except Exception as error:  # noqa: BLE001  # whoever asked is told, and the next task goes on
            task.message = f"It broke ({type(error).__name__}); begin it again, and report it if that persists."
            _log.error("knowledge_task_breaks", base=task.base, what=task.what, reason=type(error).__name__)
        finally:
            after()
            task.state, task.ended, task.current = ended, wall_ms(), ""
