"""Changes of a knowledge base: each one transaction, one step of its counter, and a line on who, why and when.

Stands between the store and its file. What a change takes out is written to the file with it, and told to whoever
listens in this process once it is committed, before it returns. Does not know what is changed.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence

from mainstay.core.errors import NotFound
from mainstay.grounding.port import Change, Version, Written
from mainstay.grounding.rows import Rows, Transactions, WordIndex

__all__ = ["Row", "Step", "Steps", "find", "head", "live"]

Told = Callable[[tuple[str, ...]], None]


class Row:
    """A version as a row: its number, whether it is the live one, and what it says of itself."""

    __slots__ = ("id", "live", "version")

    def __init__(self, row: tuple[object, ...], live: int) -> None:
        number, name, embedder, dimensions, chunker, dense, parent, state, seq, _born, created = row
        self.id = int(number)  # type: ignore[call-overload]  # a column of whole numbers
        self.live = self.id == live
        shown = "live" if self.live else "retired" if state == "live" else state
        self.version = Version(name, embedder, dimensions, chunker, dense, parent, shown, seq, created)  # type: ignore[arg-type]  # columns have types


class Step:
    """A change under way. ``seq`` is the step it will be; rows it makes begin there, and rows it ends end there."""

    def __init__(self, db: Rows, words: WordIndex, seq: int, at: int, change: Change) -> None:
        self.db = db
        self.words = words
        self.seq = seq
        self.at = at
        self.change = change
        #: The live version when it began.
        self.live = live(db)
        #: Whether anything changed: else the step is not taken.
        self.moved = False
        self.closed: dict[str, None] = {}
        self.opened: dict[str, None] = {}

    def changed(self, document: str, version: str, before: str, after: str) -> None:
        """Note that a document changed in a version: the SHA-256 of its text before and after, "" for none."""
        self.moved = True
        self.db.execute(
            "INSERT INTO changes (seq, document, version, before, after) VALUES (?, ?, ?, ?, ?)",
            (self.seq, document, version, before, after),
        ).close()

    def passages(self, closed: Sequence[str], opened: Sequence[str]) -> None:
        """Note passages that are no longer alive, and that are now."""
        self.moved = self.moved or bool(closed) or bool(opened)
        for name in closed:
            self.closed[name] = None
        for name in opened:
            self.opened[name] = None

    def written(self) -> Written:
        """Return what the step did: a passage that was only moved is in neither list."""
        closed = tuple(name for name in self.closed if name not in self.opened)
        opened = tuple(name for name in self.opened if name not in self.closed)
        return Written(self.seq if self.moved else self.seq - 1, closed, opened)


class Steps:
    """Takes the steps of one base."""

    def __init__(self, connections: Transactions, clock: Callable[[], int]) -> None:
        self.connections = connections
        self.clock = clock
        self._told: tuple[Told, ...] = ()
        self._lock = threading.Lock()

    def listen(self, told: Told) -> Callable[[], None]:
        """Have ``told`` be called with what each change took out; return what undoes this."""
        with self._lock:
            self._told = (*self._told, told)

        def undo() -> None:
            with self._lock:
                self._told = tuple(one for one in self._told if one is not told)

        return undo

    @contextlib.contextmanager
    def step(self, what: str, change: Change) -> Iterator[Step]:
        """Take a step: committed at the end of the block, wholly undone when it fails, not taken when nothing moved."""
        with self.connections.write() as db:
            ((seq, last),) = db.execute("SELECT seq, at FROM base").fetchall()
            # Never before the step before it, so that a moment has one step.
            step = Step(db, self.connections.words, seq + 1, max(change.at or self.clock(), last), change)
            yield step
            done = step.written()
            if step.moved:
                _keep(step, what, done.closed)
        if step.moved:
            for told in self._told:
                told(done.closed)


def _keep(step: Step, what: str, closed: tuple[str, ...]) -> None:
    db, seq = step.db, step.seq
    change = step.change
    db.execute("INSERT INTO commits VALUES (?, ?, ?, ?, ?)", (seq, step.at, what, change.who, change.why)).close()
    db.executemany("INSERT INTO closed VALUES (?, ?)", [(seq, name) for name in closed]).close()
    db.execute("UPDATE base SET seq = ?, at = ?", (seq, step.at)).close()


def head(db: Rows) -> tuple[int, int]:
    """Return the newest step and the number of the live version."""
    ((seq,),) = db.execute("SELECT seq FROM base").fetchall()
    return seq, live(db)


def live(db: Rows) -> int:
    """Return the number of the live version, 0 before there is one."""
    found = db.execute("SELECT version FROM heads ORDER BY seq DESC LIMIT 1").fetchall()
    return found[0][0] if found else 0


def find(db: Rows, name: str, live_one: int | None = None) -> Row:
    """Return a version by its name, the live one for "".

    Raises:
        NotFound: there is none.
    """
    now = live(db) if live_one is None else live_one
    where, value = ("name = ?", name) if name else ("id = ?", now)
    found = db.execute(
        "SELECT id, name, embedder, dimensions, chunker, dense, parent, state, seq, born, created FROM versions"  # noqa: S608  # one of two conditions
        f" WHERE {where}",
        (value,),
    ).fetchall()
    if not found:
        raise NotFound(f"There is no version '{name}' of this knowledge base.")
    return Row(found[0], now)
