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

from sqlalchemy import Connection, Engine, Table, create_engine, event, inspect, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
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
    "writing",
]

#: The newest revision in ``migrations/versions``; kept here so that a database at head never loads Alembic.
HEAD = "0002"

_MIGRATIONS = Path(__file__).parent / "migrations"
_WRITING = "mainstay_writing"
#: "mainstay" as a number: the advisory lock of PostgreSQL that admits one writer.
_LOCK = 0x6D61696E73746179
_BUSY_S = 5.0


def open_engine(url: str) -> Engine:
    """Open the database at ``url`` and see that it answers; its tables may still be missing (see
    :func:`migrate`).

    ``url`` is as ``store.url`` after loading: an SQLite path is absolute, its directory is made when missing.

    Raises:
        StartError: no such driver, no permission, not a database, locked, or no server there.
    """
    try:
        where = make_url(url)
    except ArgumentError:
        raise StartError("store.url is not a database URL: write 'sqlite:///var/mainstay.db'.") from None
    options: dict[str, Any]
    if where.get_backend_name() == "sqlite":
        where, options = _sqlite(where), {"connect_args": {"timeout": _BUSY_S}}
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
        event.listen(engine, "connect", _connected)
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


def _sqlite(where: URL) -> URL:
    if where.database in (None, "", ":memory:"):
        raise StartError("store.url must name a file, for example 'sqlite:///var/mainstay.db'.")
    path = Path(str(where.database))
    private_dir(path.parent)
    # SQLite would make it readable to all; its companions (-wal, -shm) take after it. Only a file that is
    # new: to close one that this process has open already would drop SQLite's locks on it.
    with suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    return where.set(drivername="sqlite+pysqlite")


def _postgresql(where: URL) -> URL:
    return where.set(drivername="postgresql+psycopg") if where.drivername == "postgresql" else where


def _is_sqlite(engine: Engine) -> bool:
    return engine.dialect.name == "sqlite"


def _connected(connection: sqlite3.Connection, _: object) -> None:
    # The driver's own BEGIN comes late and never IMMEDIATE: we send ours in _begin.
    connection.isolation_level = None
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get(_WRITING)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


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
    if kind.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH")):
        return StartError(
            f"No permission to open or write the database '{name}': "
            "give this user the file and its directory, or set MAINSTAY_HOME."
        )
    if kind == "SQLITE_FULL":
        return StartError(f"The disk of the database '{name}' is full: free some space and try again.")
    return StartError(f"The database '{name}' cannot be used ({cause}): check the file and its disk.")
