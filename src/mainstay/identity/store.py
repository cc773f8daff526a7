"""Every SQL statement about who may call and who may look: keys, teams, people, grants, sessions, settings.

Stands under the room's services. Does not know keys or session tokens themselves, only their digests.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    and_,
    func,
    or_,
    select,
    text,
)

from mainstay.store.sql import insert_or_ignore

__all__ = [
    "GrantRow",
    "KeyRow",
    "OrganisationRow",
    "PersonRow",
    "SessionRow",
    "TeamRow",
    "add",
    "add_unless_there",
    "bump",
    "change",
    "count_keys",
    "every",
    "find",
    "find_key",
    "get_setting",
    "insert",
    "metadata",
    "organisation_of",
    "put_setting",
    "remove",
    "remove_sessions_before",
    "rows",
    "rows_named",
    "update",
]

metadata = MetaData()
_keys = Table(
    "keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("team", Text, nullable=False),
    Column("routes", Text),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("hint", Text, nullable=False),
    Column("old_digest", LargeBinary),
    Column("old_expires_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("rotated_at", BigInteger),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("budget", Text),
    Column("rpm", BigInteger),
    Column("tpm", BigInteger),
    Index(
        "keys_name_alive",
        "name",
        unique=True,
        sqlite_where=text("revoked_at IS NULL"),
        postgresql_where=text("revoked_at IS NULL"),
    ),
)
_settings = Table("settings", metadata, Column("name", Text, primary_key=True), Column("value", Text, nullable=False))
_organisations = Table(
    "organisations",
    metadata,
    Column("name", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
_teams = Table(
    "teams",
    metadata,
    Column("name", Text, primary_key=True),
    Column("organisation", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("teams_organisation", "organisation"),
)
_people = Table(
    "people",
    metadata,
    Column("id", Text, primary_key=True),
    *(Column(name, Text, nullable=False) for name in ("issuer", "subject", "email", "name")),
    Column("created_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger),
    Column("disabled_at", BigInteger),
    UniqueConstraint("issuer", "subject"),
)
_grants = Table(
    "grants",
    metadata,
    Column("id", Text, primary_key=True),
    *(
        Column(name, Text, nullable=False)
        for name in ("holder_kind", "holder", "role", "organisation", "team", "source", "created_by")
    ),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("holder_kind", "holder", "role", "organisation", "team", "source"),
)
_sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    *(Column(name, Text, nullable=False) for name in ("holder_kind", "holder", "agent")),
    *(Column(name, BigInteger, nullable=False) for name in ("created_at", "seen_at", "expires_at")),
    Column("revoked_at", BigInteger),
    Index("sessions_holder", "holder_kind", "holder"),
    Index("sessions_expires", "expires_at"),
)
_VERSION = "keys.version"


class KeyRow(msgspec.Struct, frozen=True):
    """One key as it is kept. Times are wall-clock ms; ``routes`` None means every route.

    After a rotation ``old_digest`` is that of the key before, good until ``old_expires_at``.
    """

    id: str
    name: str
    team: str
    routes: tuple[str, ...] | None
    digest: bytes
    hint: str
    created_at: int
    old_digest: bytes | None = None
    old_expires_at: int | None = None
    rotated_at: int | None = None
    expires_at: int | None = None
    revoked_at: int | None = None
    budget: str | None = None
    rpm: int | None = None
    tpm: int | None = None


class OrganisationRow(msgspec.Struct, frozen=True):
    """An organisation; ``title`` is what people call it."""

    name: str
    title: str
    created_at: int


class TeamRow(msgspec.Struct, frozen=True):
    """A team of an organisation. Its name is its own in the whole installation."""

    name: str
    organisation: str
    title: str
    created_at: int


class PersonRow(msgspec.Struct, frozen=True):
    """Someone who signed in: ``issuer`` and ``subject`` say who it is, the rest is for show."""

    id: str
    issuer: str
    subject: str
    email: str
    name: str
    created_at: int
    seen_at: int | None = None
    disabled_at: int | None = None


class GrantRow(msgspec.Struct, frozen=True):
    """A role of a holder (``person`` or ``key``, by its id) at a scope; ``source`` is ``manual`` or ``oidc``."""

    id: str
    holder_kind: str
    holder: str
    role: str
    organisation: str
    team: str
    source: str
    created_by: str
    created_at: int


class SessionRow(msgspec.Struct, frozen=True):
    """A session of a person, or of who presented a key."""

    id: str
    digest: bytes
    holder_kind: str
    holder: str
    agent: str
    created_at: int
    seen_at: int
    expires_at: int
    revoked_at: int | None = None


_TABLES: dict[type[msgspec.Struct], Table] = {
    OrganisationRow: _organisations,
    TeamRow: _teams,
    PersonRow: _people,
    GrantRow: _grants,
    SessionRow: _sessions,
}
_R = TypeVar("_R", OrganisationRow, TeamRow, PersonRow, GrantRow, SessionRow)


def every(connection: Connection, kind: type[_R], **where: object) -> list[_R]:
    """Return the rows of one kind whose columns have these values, the oldest first."""
    table: Table = _TABLES[kind]
    query = select(table).where(and_(True, *(table.c[name] == value for name, value in where.items())))
    order = [table.c.created_at, *table.primary_key.columns]
    return [kind(**row) for row in connection.execute(query.order_by(*order)).mappings()]


def find(connection: Connection, kind: type[_R], **where: object) -> _R | None:
    """Return the oldest row of one kind whose columns have these values, or None."""
    found = every(connection, kind, **where)
    return found[0] if found else None


def add(connection: Connection, row: msgspec.Struct) -> None:
    """Add a row. Raises IntegrityError when it is there."""
    connection.execute(_TABLES[type(row)].insert(), msgspec.structs.asdict(row))


def add_unless_there(engine: Engine, connection: Connection, row: msgspec.Struct) -> None:
    """Add a row unless one like it is there."""
    connection.execute(insert_or_ignore(engine, _TABLES[type(row)]), msgspec.structs.asdict(row))


def change(connection: Connection, kind: type[msgspec.Struct], key: str, **values: object) -> None:
    """Set columns of the row with this primary key."""
    table: Table = _TABLES[kind]
    connection.execute(table.update().where(_primary(table) == key).values(**values))


def remove(connection: Connection, kind: type[msgspec.Struct], **where: object) -> int:
    """Remove the rows of one kind whose columns have these values; return how many there were."""
    table: Table = _TABLES[kind]
    assert where, "all of a table is never removed"
    return connection.execute(table.delete().where(*(table.c[name] == value for name, value in where.items()))).rowcount


def remove_sessions_before(connection: Connection, at: int) -> None:
    """Remove the sessions that ended before this time."""
    connection.execute(_sessions.delete().where(_sessions.c.expires_at < at))


def organisation_of(connection: Connection) -> dict[str, str]:
    """Return the organisation of every team."""
    return {row.name: row.organisation for row in every(connection, TeamRow)}


def count_keys(connection: Connection, team: str) -> int:
    """Return how many keys of a team are not revoked."""
    query = select(func.count()).select_from(_keys).where(_keys.c.team == team, _keys.c.revoked_at.is_(None))
    return int(connection.execute(query).scalar_one())


def find_key(connection: Connection, digest: bytes) -> KeyRow | None:
    """Return the key that has this digest, or had it before its last rotation."""
    query = select(_keys).where(or_(_keys.c.digest == digest, _keys.c.old_digest == digest))
    row = connection.execute(query).first()
    return None if row is None else _row(row._asdict())


def rows(connection: Connection, *, revoked: bool) -> list[KeyRow]:
    """Return the keys in the order they were made; revoked ones only if asked."""
    query = select(_keys).order_by(_keys.c.created_at, _keys.c.id)
    if not revoked:
        query = query.where(_keys.c.revoked_at.is_(None))
    return [_row(row._asdict()) for row in connection.execute(query)]


def rows_named(connection: Connection, reference: str) -> list[KeyRow]:
    """Return the keys whose id or name is ``reference``, revoked ones too, the newest first."""
    query = select(_keys).where(or_(_keys.c.id == reference, _keys.c.name == reference))
    return [_row(row._asdict()) for row in connection.execute(query.order_by(_keys.c.created_at.desc()))]


def insert(connection: Connection, row: KeyRow) -> None:
    """Add a key."""
    connection.execute(_keys.insert(), _values(row))


def update(connection: Connection, row: KeyRow) -> None:
    """Put ``row`` in the place of the key with its id."""
    connection.execute(_keys.update().where(_keys.c.id == row.id), _values(row))


def bump(engine: Engine, connection: Connection) -> None:
    """Count a change of the keys; in the transaction that makes it."""
    connection.execute(insert_or_ignore(engine, _settings), {"name": _VERSION, "value": "0"})
    version = int(get_setting(connection, _VERSION) or 0)
    connection.execute(_settings.update().where(_settings.c.name == _VERSION), {"value": str(version + 1)})


def get_setting(connection: Connection, name: str) -> str | None:
    """Return a value of this installation, or None."""
    found: str | None = connection.execute(select(_settings.c.value).where(_settings.c.name == name)).scalar()
    return found


def put_setting(engine: Engine, connection: Connection, name: str, value: str) -> str:
    """Store a value unless there is one, and return the one that holds."""
    connection.execute(insert_or_ignore(engine, _settings), {"name": name, "value": value})
    return get_setting(connection, name) or value


def _primary(table: Table) -> Column[Any]:
    columns: Sequence[Column[Any]] = list(table.primary_key.columns)
    return columns[0]


def _values(row: KeyRow) -> dict[str, object]:
    values = msgspec.structs.asdict(row)
    values["routes"] = None if row.routes is None else msgspec.json.encode(row.routes).decode()
    return values


def _row(values: dict[str, object]) -> KeyRow:
    routes = values["routes"]
    values["routes"] = None if routes is None else tuple(msgspec.json.decode(str(routes), type=list[str]))
    return KeyRow(**values)  # type: ignore[arg-type]  # a row of our own table has our own types
