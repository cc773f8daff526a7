"""Connections to a knowledge base in PostgreSQL: transactions that read one state, and one at a time that writes.

Stands behind ``rows.Transactions``. Each base is a schema of its own, which a connection has as its search path. Who
writes holds the row of the base, so changes of all machines follow one another.
"""

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import structlog

from mainstay.core.errors import InvalidRequest, NotFound, Unavailable
from mainstay.grounding.postgres.dialect import arguments, statement
from mainstay.grounding.postgres.driver import adapt, connect, veiled
from mainstay.grounding.postgres.words import STATISTICS, TextSearch
from mainstay.grounding.rows import Result

if TYPE_CHECKING:
    import psycopg

__all__ = ["Connected", "Connections"]

_log = structlog.get_logger("mainstay.grounding")
#: Idle connections that are kept: a server has few to give.
_IDLE = 4
#: For the block: where tables are looked for, how long a change waits for others, and no compiling of short queries.
_SETTINGS = (
    "SELECT set_config('search_path', %s, false), set_config('lock_timeout', '15s', false),"
    " set_config('jit', 'off', false), set_config('client_min_messages', 'warning', false)"
)
_FEW = 200
_ANALYSE = "ANALYZE documents, revisions, holdings, passages, places, vectors, withdrawn, words"
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
#: Each statement sees what was committed before it; with the row of the base held, nobody else commits.
_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED"


class Connected:
    """A connection that takes the statements of the rows; see :class:`mainstay.grounding.rows.Rows`."""

    def __init__(self, connection: "psycopg.Connection", made: int) -> None:
        self.connection = connection
        #: The age of the pool that it was made in.
        self.made = made

    def execute(self, text: str, values: Any = (), /) -> Result:
        """Run a statement."""
        return _Found(self.connection.cursor(binary=True).execute(statement(text), arguments(text, values)), text)

    def executemany(self, text: str, values: Iterable[Any], /) -> Result:
        """Run a statement for each of several values."""
        cursor = self.connection.cursor()
        cursor.executemany(statement(text), [arguments(text, one) for one in values])
        return _Found(cursor, text)


class _Found:
    """See :class:`mainstay.grounding.rows.Result`."""

    __slots__ = ("_cursor", "_text", "close", "fetchall", "fetchmany")

    def __init__(self, cursor: "psycopg.Cursor[Any]", text: str) -> None:
        self._cursor = cursor
        self._text = text
        self.fetchall = cursor.fetchall
        self.fetchmany = cursor.fetchmany
        self.close = cursor.close

    def __iter__(self) -> Iterator[Any]:
        return iter(self._cursor)

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    @property
    def lastrowid(self) -> int | None:
        ((made,),) = self._cursor.fetchall()
        return int(made)


class Connections:
    """Connections to the schema of one base, each used by one thread at a time. Connections never cross a fork: a child
    opens its own.

    Args:
        url: of the database; may hold a password, which is never told.
        name: of the base.
        schema: of the base.
        path: the schemas that its statements look in, quoted.
        vector: the number of pgvector's type.
    """

    def __init__(self, url: str, name: str, schema: str, path: str, vector: int) -> None:
        self.words = TextSearch()
        self._url = url
        self._name = name
        self._schema = schema
        self._search = path
        self._vector = vector
        self._idle: list[Connected] = []
        self._lock = threading.Lock()
        self._age = 0
        self._pid = os.getpid()
        self._shut = False
        #: How many passages are to be added before the tables are analysed: as many as there were.
        self._grown = _FEW

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Turn faults of the server into ``Unavailable``."""
        import psycopg

        try:
            yield
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            raise NotFound(f"There is no knowledge base '{self._name}'.") from None
        except psycopg.Error as error:
            if isinstance(error, psycopg.DataError) and "NUL" in str(error):
                raise InvalidRequest("PostgreSQL cannot keep the sign NUL: take it out of the text.") from None
            _log.error("knowledge_unreachable", base=self._name, reason=veiled(error, self._url))
            raise Unavailable(
                f"The knowledge base '{self._name}' cannot be reached; try again shortly.", retry_after=1
            ) from None

    @contextlib.contextmanager
    def read(self) -> Iterator[Connected]:
        """Return a connection within a transaction that reads: one state throughout."""
        with self.guarded():
            db = self._begun(_READ)
            try:
                yield db
            finally:
                self._give(db)

    @contextlib.contextmanager
    def write(self) -> Iterator[Connected]:
        """Return a connection within the only transaction that writes; committed at the end, or wholly undone."""
        with self.guarded():
            db = self._begun(_WRITE)
            try:
                db.execute("SELECT seq FROM base FOR UPDATE").close()
                yield db
                db.connection.execute("COMMIT")
                if self.words.added > self._grown:
                    self._analyse(db)
            finally:
                self._give(db)

    def checkpoint(self, patience: float = 0.0) -> bool:
        """Return false: what was erased is gone from the rows; from the server's own log and from free space in its
        files it goes with its upkeep (checkpoint, vacuum)."""
        return False

    def size(self) -> int:
        """Return the bytes of the tables and indexes of the base."""
        with self.read() as db:
            ((size,),) = db.execute(
                "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_catalog.pg_class c"
                " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ? AND c.relkind = 'r'",
                (self._schema,),
            ).fetchall()
            return int(size)

    def shut(self) -> None:
        """Close idle connections; those in use close when they are given back."""
        with self._lock:
            idle, self._idle, self._shut = self._idle, [], True
        if self._pid == os.getpid():
            for db in idle:
                db.connection.close()

    def _analyse(self, db: Connected) -> None:
        """Have the planner know how large the tables are by now: the server itself looks only once a minute."""
        import psycopg

        self.words.added = 0
        try:
            db.connection.execute(_ANALYSE)
            ((passages, _),) = db.execute(STATISTICS).fetchall()
            self._grown = max(_FEW, passages)
        except psycopg.Error as error:
            # What was changed is kept; it will be looked at later.
            _log.warning("knowledge_not_analysed", base=self._name, reason=veiled(error, self._url))

    def _begun(self, begin: str) -> Connected:
        import psycopg

        db = self._take()
        try:
            db.connection.execute(begin)
        except psycopg.OperationalError:
            # It idled while the server went; what else idles is of the same age.
            db.connection.close()
            with self._lock:
                idle, self._idle = self._idle, []
                self._age += 1
            for one in idle:
                one.connection.close()
            db = self._take()
            db.connection.execute(begin)
        return db

    def _take(self) -> Connected:
        if self._shut:
            raise Unavailable(f"The knowledge base '{self._name}' is closed; try again shortly.", retry_after=1)
        if self._pid != os.getpid():
            # Left open on purpose: closing what a parent opened would end its session.
            _inherited.append(self._idle)
            self._pid, self._idle, self._lock = os.getpid(), [], threading.Lock()
        with self._lock:
            if self._idle:
                return self._idle.pop()
            age = self._age
        with contextlib.ExitStack() as undo:
            connection = connect(self._url)
            undo.callback(connection.close)
            connection.execute(_SETTINGS, (self._search,))
            adapt(connection, self._vector)
            undo.pop_all()
        return Connected(connection, age)

    def _give(self, db: Connected) -> None:
        import psycopg

        try:
            if not db.connection.closed and db.connection.info.transaction_status:
                db.connection.execute("ROLLBACK")
        except psycopg.Error:
            db.connection.close()
        with self._lock:
            kept = not db.connection.closed and db.made == self._age and len(self._idle) < _IDLE and not self._shut
            if kept:
                self._idle.append(db)
        if not kept:
            db.connection.close()


#: Connections that a parent opened before a fork.
_inherited: list[list[Connected]] = []
