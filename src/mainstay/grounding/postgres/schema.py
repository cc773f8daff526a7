"""The schema of a knowledge base in PostgreSQL: found, or made, with its tables.

Knows what must be there before: the extension ``vector``, and the right to make a schema. Says what to do where it is
not. One connection, opened and closed.
"""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

from mainstay.core.errors import InvalidRequest, NotFound, StartError, Unavailable
from mainstay.core.ids import uuid7
from mainstay.grounding.layout import FORMAT
from mainstay.grounding.postgres.dialect import tables
from mainstay.grounding.postgres.driver import connect, require, veiled
from mainstay.grounding.postgres.words import LAYOUT
from mainstay.grounding.store import check_name

if TYPE_CHECKING:
    import psycopg

__all__ = ["Place", "is_there", "open_place", "schema_of"]

_log = structlog.get_logger("mainstay.grounding")
_PREFIX: Final = "knowledge_"
#: PostgreSQL's names have 63 bytes.
_LONGEST: Final = 63 - len(_PREFIX)
#: "knowledge" as a number: who makes a schema holds it, so that two do not make one.
_LOCK: Final = 0x6B6E6F776C656467
_EXTENSION: Final = (
    "SELECT t.oid, n.nspname, e.extversion FROM pg_catalog.pg_extension e"
    " JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace"
    " JOIN pg_catalog.pg_type t ON t.typnamespace = n.oid AND t.typname = 'vector' WHERE e.extname = 'vector'"
)


class Place(NamedTuple):
    """Where the rows of a base are: its schema, the schemas its statements look in (quoted), the number of the type of
    vectors, and the version of the extension that has it."""

    schema: str
    path: str
    vector: int
    version: str


def schema_of(name: str) -> str:
    """Return the schema of a base.

    Raises:
        InvalidRequest: it cannot have this name.
    """
    check_name(name)
    if len(name) > _LONGEST:
        raise InvalidRequest(
            f"A knowledge base in PostgreSQL is named with {_LONGEST} letters at most: choose a shorter name.",
            param="name",
        )
    return f"{_PREFIX}{name}"


def is_there(url: str, name: str) -> bool:
    """Whether there is a base of this name.

    Raises:
        StartError: the driver is missing.
        Unavailable: the database cannot be reached.
    """
    schema = schema_of(name)
    with _opened(url, name) as db:
        return _made(db, schema)


def open_place(url: str, name: str, *, make: bool) -> Place:
    """Return where a base is, made if need be.

    Raises:
        InvalidRequest: it cannot have this name.
        NotFound: it is not there, and ``make`` is false.
        StartError: the driver or the extension is missing, it may not be made, or a newer Mainstay made it.
        Unavailable: the database cannot be reached.
    """
    schema = schema_of(name)
    with _opened(url, name) as db:
        found = db.execute(_EXTENSION).fetchall()
        if not found:
            raise StartError(
                f"The database of the knowledge base '{name}' has no extension 'vector' (pgvector): install it there,"
                " and have an administrator run CREATE EXTENSION vector in this database."
            )
        if not _made(db, schema):
            if not make:
                raise NotFound(f"There is no knowledge base '{name}'.")
            _make(db, schema, name, found[0][1])
        ((layout,),) = db.execute(f"SELECT format FROM {_quoted(schema)}.layout").fetchall()  # noqa: S608  # a quoted name
        if layout != FORMAT:
            raise StartError(f"The knowledge base '{name}' was written by a newer Mainstay: update this one.")
    path = ", ".join(dict.fromkeys((_quoted(schema), _quoted(found[0][1]))))
    return Place(schema, path, found[0][0], found[0][2])


@contextlib.contextmanager
def _opened(url: str, name: str) -> "Iterator[psycopg.Connection]":
    require()
    import psycopg

    try:
        connection = connect(url)
        try:
            yield connection
        finally:
            connection.close()
    except psycopg.Error as error:
        _log.error("knowledge_unreachable", base=name, reason=veiled(error, url))
        raise Unavailable(f"The knowledge base '{name}' cannot be reached; try again shortly.", retry_after=1) from None


def _made(db: "psycopg.Connection", schema: str) -> bool:
    ((found,),) = db.execute("SELECT to_regclass(%s) IS NOT NULL", (f"{_quoted(schema)}.layout",)).fetchall()
    return bool(found)


def _make(db: "psycopg.Connection", schema: str, name: str, extension: str) -> None:
    import psycopg

    try:
        with db.transaction():
            db.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            if _made(db, schema):
                return
            # Who was given the schema need not have the right to make one.
            if not db.execute("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = %s", (schema,)).fetchall():
                db.execute(f"CREATE SCHEMA {_quoted(schema)}")
            path = f"{_quoted(schema)}, {_quoted(extension)}"
            db.execute("SELECT set_config('search_path', %s, true)", (path,))
            for one in (*tables(), *LAYOUT):
                db.execute(one)
            db.execute("INSERT INTO base VALUES (1, %s, 0, 0, 0, 0)", (uuid7(),))
            # Last: what is not there whole is not there.
            db.execute("CREATE TABLE layout (format BIGINT NOT NULL)")
            db.execute("INSERT INTO layout VALUES (%s)", (FORMAT,))
    except psycopg.errors.InsufficientPrivilege:
        raise StartError(
            f"The user of the database of '{name}' may not make the schema {schema}: grant it CREATE on the database,"
            f" or make the schema for it (CREATE SCHEMA {_quoted(schema)} AUTHORIZATION ...)."
        ) from None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
