"""Every SQL statement about keys, and the version that says when they changed.

Stands under ``service``. Does not know keys themselves, only their digests.
"""

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
    or_,
    select,
    text,
)

from mainstay.store.sql import insert_or_ignore

__all__ = [
    "KeyRow",
    "bump",
    "get_setting",
    "insert",
    "metadata",
    "put_setting",
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


def _values(row: KeyRow) -> dict[str, object]:
    values = msgspec.structs.asdict(row)
    values["routes"] = None if row.routes is None else msgspec.json.encode(row.routes).decode()
    return values


def _row(values: dict[str, object]) -> KeyRow:
    routes = values["routes"]
    values["routes"] = None if routes is None else tuple(msgspec.json.decode(str(routes), type=list[str]))
    return KeyRow(**values)  # type: ignore[arg-type]  # a row of our own table has our own types
