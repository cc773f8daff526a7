"""The database: SQLite by default, PostgreSQL when outgrown, one way to open, read, write and migrate either.

Stands under the rooms' ``store.py``. Only the control process and the command line open it; gateway workers
never do. Does not know any room's tables.

One writer at a time, on purpose: SQLite has no other way, and on PostgreSQL an advisory lock gives the same,
so that rows become visible in the order of their sequence numbers.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, Table, create_engine, event, inspect, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.dml import Insert

from mainstay.core.errors import StartError
from mainstay.store.files import private_dir

__all__ = [
    "HEAD",
    "explained",
    "insert_many",
    "insert_or_ignore",
    "is_settled",
    "migrate",
    "open_engine",
    "reading",
    "wipe",
    "writing",
]

#: The newest revision in ``migrations/versions``; kept here so that a database at head never loads Alembic.
HEAD = "0010"

_MIGRATIONS = Path(__file__).parent / "migrations"
_WRITING = "mainstay_writing"
#: "mainstay" as a number: the advisory lock of PostgreSQL that admits one writer.
_LOCK = 0x6D61696E73746179
_BUSY_S = 5.0
#: Failures of SQLite that stay with a connection when what caused them is over.
_LASTING = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_IOERR", "SQLITE_PERM")


def open_engine(url: str, *, create: bool = True) -> Engine:
    """Open the database at ``url`` and see that it answers; its tables may still be missing (see
    :func:`migrate`).

    ``url`` is as ``store.url`` after loading: an SQLite path is absolute. Its file and directory are made when
    missing, if ``create``. An engine never makes the file again: when it is moved away, whatever is asked fails until
    it is back; and a file that was put in its place, or whose permissions changed, is opened anew.

    Raises:
        StartError: no such driver, no permission, not a database, locked, not there, or no server there.
    """
    try:
        where = make_url(url)
    except ArgumentError:
        raise StartError("store.url is not a database URL: write 'sqlite:///var/mainstay.db'.") from None
    options: dict[str, Any]
    if where.get_backend_name() == "sqlite":
        where = _sqlite(where, create)
        file = _File(str(where.database))
        options = {"creator": file.open}
    else:
        where, options = _postgresql(where), {"pool_pre_ping": True}
    try:
        # Parameters are prompts and digests: they stay out of error messages.
        engine = create_engine(where, hide_parameters=True, **options)
    except ModuleNotFoundError as error:
        raise StartError(
            f"The database driver '{error.name}' is not installed: run pip install 'psycopg[binary]'."
        ) from None
    except NoSuchModuleError:
        raise StartError(
            f"store.url names a database we do not know ('{where.drivername}'): use sqlite or postgresql."
        ) from None
    if engine.dialect.name == "sqlite":
        file.watch(engine)
        event.listen(engine, "begin", _begin)
    try:
        with reading(engine) as connection:
            # SQLite reads nothing at connect; this finds a file that is no database.
            connection.execute(text("SELECT count(*) FROM sqlite_master" if _is_sqlite(engine) else "SELECT 1"))
    except DBAPIError as error:
        engine.dispose()
        raise explained(error, where) from None
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent view of the database, on a connection of its own; never waits for a writer."""
    with engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that writes, committed at the end of the block; waits for the writer before it.

    The lock is taken at the start, so that a transaction that reads before it writes cannot fail half-way.
    """
    with engine.connect().execution_options(**{_WRITING: True}) as connection, connection.begin():
        if not _is_sqlite(engine):
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        yield connection


def insert_or_ignore(engine: Engine, table: Table) -> Insert:
    """Return an INSERT into ``table`` that passes over rows whose unique columns exist already."""
    if _is_sqlite(engine):
        return sqlite.insert(table).on_conflict_do_nothing()
    return postgresql.insert(table).on_conflict_do_nothing()


def insert_many(
    engine: Engine, connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert ``rows``, each the values of ``columns``, passing over those whose unique columns exist already.

    Goes past the statement compiler, which takes longer for a wide row than the database does.
    """
    names = ", ".join(f'"{table.c[name].name}"' for name in columns)
    marks = ", ".join("?" if _is_sqlite(engine) else "%s" for _ in columns)
    statement = f'INSERT INTO "{table.name}" ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING'  # noqa: S608  # names of our own tables
    if rows:
        connection.exec_driver_sql(statement, list(rows))


def is_settled(engine: Engine) -> bool:
    """Bring what is committed to the disk; False when a reader of an old state is in the way (ask again
    later).

    In WAL mode a commit survives ``kill -9`` at once and a power cut only after a checkpoint. Whoever is
    about to delete the last other copy of something asks this first.
    """
    if not _is_sqlite(engine):
        return True
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        row = connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").one()
    return bool(row[0] == 0 and row[1] == row[2])


def wipe(engine: Engine) -> None:
    """Bring what is committed into the database's own file and empty the log beside it, where what was deleted still
    lies; best effort, when nobody reads an old state. PostgreSQL does so by itself, in its own time.
    """
    if _is_sqlite(engine):
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").close()


def migrate(engine: Engine) -> None:
    """Bring the tables to the newest revision, in one transaction; of several processes one does it.

    Raises:
        StartError: the tables are of a newer Mainstay, or the database refuses.
    """
    try:
        with reading(engine) as connection:
            if _revision(connection) == HEAD:
                return
        with writing(engine) as connection:
            current = _revision(connection)
            if current != HEAD:
                _upgrade(connection, current)
    except DBAPIError as error:
        raise explained(error, engine.url) from None


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _upgrade(connection: Connection, current: str | None) -> None:
    # Alembic costs 0.1 s to import and is needed once per upgrade.
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(_MIGRATIONS))
    if current is not None and current not in {revision.revision for revision in script.walk_revisions()}:
        raise StartError(
            f"The database was written by a newer Mainstay (schema {current}, this one knows {HEAD}): "
            "install that version again, or point store.url at another database."
        )
    context = MigrationContext.configure(connection)
    with Operations.context(context):
        for revision in reversed(list(script.iterate_revisions(HEAD, current or "base"))):
            revision.module.upgrade()
    context.stamp(script, HEAD)


def _sqlite(where: URL, create: bool) -> URL:
    if where.database in (None, "", ":memory:"):
        raise StartError("store.url must name a file, for example 'sqlite:///var/mainstay.db'.")
    path = Path(str(where.database))
    if not create and not path.exists():
        raise _gone(path)
    private_dir(path.parent)
    # SQLite would make it readable to all; its companions (-wal, -shm) take after it. Only a file that is
    # new: to close one that this process has open already would drop SQLite's locks on it.
    with suppress(OSError):
        if create:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    return where.set(drivername="sqlite+pysqlite")


def _postgresql(where: URL) -> URL:
    return where.set(drivername="postgresql+psycopg") if where.drivername == "postgresql" else where


def _is_sqlite(engine: Engine) -> bool:
    return engine.dialect.name == "sqlite"


class _File:
    """The file of one engine, and whether what was opened of it is still what lies there.

    A connection that found it read-only, gone or failing remains so, and SQLite shares that between the connections of
    one process: after such a failure all are closed, and the next sees the file as it is then.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        #: Connections of an earlier age are closed when nobody uses them.
        self._age = 0

    def watch(self, engine: Engine) -> None:
        """Look after the connections of ``engine``."""
        event.listen(engine, "connect", self._connected)
        event.listen(engine, "checkout", self._taken)
        event.listen(engine, "checkin", self._returned)
        event.listen(engine, "handle_error", self._failed)

    def open(self) -> sqlite3.Connection:
        """Return a connection; a file that is missing is not made."""
        return sqlite3.connect(f"file:{quote(self._path)}?mode=rw", _BUSY_S, uri=True, check_same_thread=False)

    def _connected(self, connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
        record.info["seen"] = self._seen()
        # The driver's own BEGIN comes late and never IMMEDIATE: we send ours in _begin.
        connection.isolation_level = None
        # What is deleted is overwritten: these are people's words.
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON", "secure_delete = ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    def _taken(self, _: object, record: ConnectionPoolEntry, __: object) -> None:
        # What is written to a file that was moved away is lost with it; the journal keeps it until one is back.
        if record.info.get("seen") != self._seen():
            raise DisconnectionError

    def _returned(self, _: object, record: ConnectionPoolEntry) -> None:
        if record.info.get("seen") != self._seen():
            record.invalidate()

    def _failed(self, context: ExceptionContext) -> None:
        if getattr(context.original_exception, "sqlite_errorname", "").startswith(_LASTING):
            self._age += 1
            context.is_disconnect = True
            # SQLite keeps a closed connection open as long as a statement of it is, and the error holds on to this one.
            if (cursor := getattr(context.execution_context, "cursor", None)) is not None:
                cursor.close()
            if context.engine is not None:
                context.engine.dispose()

    def _seen(self) -> tuple[int, ...]:
        try:
            found = os.stat(self._path)
        except OSError:
            return (self._age,)
        return (self._age, found.st_dev, found.st_ino, found.st_mode)


def _begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get(_WRITING)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _gone(path: Path) -> StartError:
    return StartError(f"The database '{path}' is not there: put it there; until then the gateway answers without it.")


def explained(error: DBAPIError, where: URL) -> StartError:
    """Return what to tell a user about ``error``, which the database at ``where`` raised: a sentence, no secret."""
    cause = error.orig
    if not isinstance(cause, sqlite3.Error):
        name = where.render_as_string(hide_password=True)
        reason = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
        return StartError(f"The database '{name}' does not answer ({reason}): check store.url and that it runs.")
    name = str(where.database)
    kind = getattr(cause, "sqlite_errorname", "")
    if kind.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StartError(f"The database '{name}' is locked by another program: close that program and try again.")
    if kind == "SQLITE_NOTADB" or kind.startswith("SQLITE_CORRUPT"):
        return StartError(f"'{name}' is not a sound SQLite database: restore it from a backup or move it away.")
    if kind == "SQLITE_CANTOPEN" and not os.path.exists(name):
        return _gone(Path(name))
    if kind.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH")):
        return StartError(
            f"No permission to open or write the database '{name}': "
            "give this user the file and its directory, or set MAINSTAY_HOME."
        )
    if kind == "SQLITE_FULL":
        return StartError(f"The disk of the database '{name}' is full: free some space and try again.")
    return StartError(f"The database '{name}' cannot be used ({cause}): check the file and its disk.")
