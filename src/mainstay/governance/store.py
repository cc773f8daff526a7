"""Every SQL statement about checkpoints of the audit log, and about the keys that content is sealed with.

Stands under the room's services. Does not know what is signed or sealed.
"""

from collections.abc import Sequence

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
    func,
    select,
)

from mainstay.governance.checkpoints import Checkpoint
from mainstay.store.sql import insert_or_ignore

__all__ = [
    "DataKeyRow",
    "add_checkpoint",
    "add_data_key",
    "checkpoints",
    "count_data_keys",
    "data_keys",
    "last_checkpoint",
    "metadata",
    "remove_data_keys",
    "rewrap_data_keys",
]

metadata = MetaData()
_checkpoints = Table(
    "audit_checkpoints",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    *(Column(name, LargeBinary, nullable=False) for name in ("root", "previous", "frontier", "signature")),
    Column("key", Text, nullable=False),
)
_data_keys = Table(
    "data_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("master", Text, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("data_keys_tenant", "tenant", "created_at"),
    Index("data_keys_master", "master"),
)
_HEX = ("root", "previous", "signature")


class DataKeyRow(msgspec.Struct, frozen=True):
    """A data key of ``tenant`` (``team:shop``, ``organisation:default``), wrapped by the master key ``master``."""

    id: str
    tenant: str
    master: str
    wrapped: bytes
    created_at: int


def add_checkpoint(connection: Connection, checkpoint: Checkpoint, frontier: bytes) -> None:
    """Keep a checkpoint, with the frontier of its tree to go on from."""
    values = msgspec.structs.asdict(checkpoint) | {name: bytes.fromhex(getattr(checkpoint, name)) for name in _HEX}
    connection.execute(_checkpoints.insert(), values | {"frontier": frontier})


def last_checkpoint(connection: Connection) -> tuple[Checkpoint, bytes] | None:
    """Return the newest checkpoint and its frontier, or None."""
    row = connection.execute(select(_checkpoints).order_by(_checkpoints.c.size.desc()).limit(1)).first()
    return None if row is None else (_checkpoint(row._asdict()), bytes(row.frontier))


def checkpoints(connection: Connection, after: int = 0) -> list[Checkpoint]:
    """Return the checkpoints of more than ``after`` events, in their order."""
    query = select(_checkpoints).where(_checkpoints.c.size > after).order_by(_checkpoints.c.size)
    return [_checkpoint(row._asdict()) for row in connection.execute(query)]


def data_keys(connection: Connection, *, not_by: str | None = None, limit: int | None = None) -> list[DataKeyRow]:
    """Return the data keys (that a master key does not wrap; at most so many), the oldest first."""
    query = select(_data_keys)
    if not_by is not None:
        query = query.where(_data_keys.c.master != not_by)
    rows = connection.execute(query.order_by(_data_keys.c.created_at, _data_keys.c.id).limit(limit))
    return [DataKeyRow(row.id, row.tenant, row.master, bytes(row.wrapped), row.created_at) for row in rows]


def add_data_key(engine: Engine, connection: Connection, row: DataKeyRow) -> None:
    """Keep a data key."""
    connection.execute(insert_or_ignore(engine, _data_keys), msgspec.structs.asdict(row))


def rewrap_data_keys(connection: Connection, rows: Sequence[DataKeyRow]) -> None:
    """Put newly wrapped keys in the place of the same keys."""
    # Past the statement compiler, which takes longer than the database does.
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    statement = f"UPDATE data_keys SET master = {mark}, wrapped = {mark} WHERE id = {mark}"  # noqa: S608  # marks only
    if rows:
        connection.exec_driver_sql(statement, [(row.master, row.wrapped, row.id) for row in rows])


def remove_data_keys(connection: Connection, tenant: str) -> int:
    """Forget the keys of a tenant: what they seal can be read by nobody any more. Return how many there were."""
    return connection.execute(_data_keys.delete().where(_data_keys.c.tenant == tenant)).rowcount


def count_data_keys(connection: Connection) -> dict[str, int]:
    """Return how many data keys each master key wraps."""
    query = select(_data_keys.c.master, func.count()).group_by(_data_keys.c.master)
    return {str(master): int(count) for master, count in connection.execute(query)}


def _checkpoint(row: dict[str, object]) -> Checkpoint:
    values = {name: bytes(row[name]).hex() for name in _HEX}  # type: ignore[call-overload]  # columns of bytes
    return Checkpoint(size=row["size"], at=row["at"], key=row["key"], **values)  # type: ignore[arg-type]  # our own types
