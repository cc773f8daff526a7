"""Every SQL statement about files and batches.

Stands under ``service`` and ``jobs``. Knows nothing of what is in a file.
"""

from collections.abc import Sequence

import msgspec
from sqlalchemy import BigInteger, Column, Connection, Engine, Index, Integer, MetaData, Table, Text, func, select

from mainstay.batches.port import BatchRow, FileRow
from mainstay.store.sql import insert_or_ignore

__all__ = [
    "OPEN",
    "add_batch",
    "add_file",
    "change_batch",
    "clip_files",
    "count_open",
    "expired_files",
    "files_of_node",
    "find_batch",
    "find_file",
    "forget_batches",
    "is_in_use",
    "known_files",
    "list_all_batches",
    "list_batches",
    "list_files",
    "metadata",
    "open_batches",
    "remove_files",
    "resize_file",
    "total_bytes",
]

metadata = MetaData()
_files = Table(
    "files",
    metadata,
    Column("id", Text, primary_key=True),
    *(Column(name, Text, nullable=False) for name in ("owner", "node", "purpose", "filename")),
    *(Column(name, BigInteger, nullable=False) for name in ("bytes", "created_at", "expires_at")),
    Index("files_owner", "owner", "created_at"),
    Index("files_expires", "expires_at"),
)
_batches = Table(
    "batches",
    metadata,
    Column("id", Text, primary_key=True),
    *(
        Column(name, Text, nullable=False)
        for name in ("owner", "node", "key", "endpoint", "input_file_id", "completion_window", "status")
    ),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    *(
        Column(f"{state}_at", BigInteger)
        for state in ("in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled")
    ),
    Column("output_lifetime", BigInteger, nullable=False),
    *(Column(name, Integer, nullable=False) for name in ("total", "completed", "failed")),
    *(Column(name, Text) for name in ("output_file_id", "error_file_id", "metadata", "errors")),
    Index("batches_owner", "owner", "created_at"),
    Index("batches_status", "status"),
)
#: States of a batch on which work remains.
OPEN = ("validating", "in_progress", "cancelling", "finalizing")


def add_file(engine: Engine, connection: Connection, row: FileRow) -> None:
    """Add a file; one that is there already stays as it is."""
    connection.execute(insert_or_ignore(engine, _files), msgspec.structs.asdict(row))


def find_file(connection: Connection, owner: str, name: str, now: int) -> FileRow | None:
    """Return a file of ``owner`` that has not expired, or None."""
    query = select(_files).where(_files.c.id == name, _files.c.owner == owner, _files.c.expires_at > now)
    row = connection.execute(query).mappings().first()
    return None if row is None else FileRow(**row)


def list_files(
    connection: Connection, owner: str, now: int, *, purpose: str | None, after: str | None, limit: int, newest: bool
) -> list[FileRow]:
    """Return at most ``limit`` files of ``owner`` in the order they were made, or the other way round."""
    query = select(_files).where(_files.c.owner == owner, _files.c.expires_at > now)
    if purpose is not None:
        query = query.where(_files.c.purpose == purpose)
    if after is not None:
        query = query.where(_files.c.id < after if newest else _files.c.id > after)
    query = query.order_by(_files.c.id.desc() if newest else _files.c.id).limit(limit)
    return [FileRow(**row) for row in connection.execute(query).mappings()]


def total_bytes(connection: Connection, owner: str) -> int:
    """Return how much the files of ``owner`` take."""
    found = connection.execute(select(func.sum(_files.c.bytes)).where(_files.c.owner == owner)).scalar()
    return int(found or 0)


def is_in_use(connection: Connection, name: str) -> bool:
    """Return whether a batch that is not finished reads the file."""
    query = select(_batches.c.id).where(_batches.c.input_file_id == name, _batches.c.status.in_(OPEN)).limit(1)
    return connection.execute(query).first() is not None


def expired_files(connection: Connection, node: str, now: int, most: int) -> list[str]:
    """Return files on ``node`` that have expired and that nobody reads."""
    used = select(_batches.c.input_file_id).where(_batches.c.status.in_(OPEN))
    query = select(_files.c.id).where(_files.c.expires_at <= now, _files.c.node == node, _files.c.id.not_in(used))
    return [str(name) for name in connection.execute(query.limit(most)).scalars()]


def known_files(connection: Connection, names: Sequence[str]) -> set[str]:
    """Return those of ``names`` that are files, or that a batch is about to make files."""
    found = {str(name) for name in connection.execute(select(_files.c.id).where(_files.c.id.in_(names))).scalars()}
    for column in (_batches.c.output_file_id, _batches.c.error_file_id):
        query = select(column).where(column.in_(names), _batches.c.status.in_(OPEN))
        found |= {str(name) for name in connection.execute(query).scalars()}
    return found


def files_of_node(connection: Connection, node: str) -> list[FileRow]:
    """Return all files that lie on a machine, the oldest first."""
    query = select(_files).where(_files.c.node == node).order_by(_files.c.id)
    return [FileRow(**row) for row in connection.execute(query).mappings()]


def resize_file(connection: Connection, name: str, size: int) -> None:
    """Note that a file has another size."""
    connection.execute(_files.update().where(_files.c.id == name).values(bytes=size))


def clip_files(connection: Connection, expires_at: int, made_before: int) -> int:
    """Have files that were made before a second expire at another, if they would later; return how many."""
    late = (_files.c.created_at < made_before, _files.c.expires_at > expires_at)
    return connection.execute(_files.update().where(*late).values(expires_at=expires_at)).rowcount


def remove_files(connection: Connection, names: Sequence[str]) -> None:
    """Forget files."""
    connection.execute(_files.delete().where(_files.c.id.in_(names)))


def add_batch(connection: Connection, row: BatchRow) -> None:
    """Add a batch."""
    connection.execute(_batches.insert(), msgspec.structs.asdict(row))


def find_batch(connection: Connection, name: str, owner: str | None = None) -> BatchRow | None:
    """Return a batch (of ``owner``, if one is given), or None."""
    query = select(_batches).where(_batches.c.id == name)
    if owner is not None:
        query = query.where(_batches.c.owner == owner)
    row = connection.execute(query).mappings().first()
    return None if row is None else BatchRow(**row)


def list_batches(connection: Connection, owner: str, *, after: str | None, limit: int) -> list[BatchRow]:
    """Return at most ``limit`` batches of ``owner``, the newest first."""
    query = select(_batches).where(_batches.c.owner == owner)
    if after is not None:
        query = query.where(_batches.c.id < after)
    found = connection.execute(query.order_by(_batches.c.id.desc()).limit(limit)).mappings()
    return [BatchRow(**row) for row in found]


def list_all_batches(
    connection: Connection, *, owners: Sequence[str] | None, status: str | None, after: str | None, limit: int
) -> list[BatchRow]:
    """Return at most ``limit`` batches of these owners (None: of all) in this state, the newest first."""
    query = select(_batches)
    if owners is not None:
        query = query.where(_batches.c.owner.in_(owners))
    if status is not None:
        query = query.where(_batches.c.status == status)
    if after is not None:
        query = query.where(_batches.c.id < after)
    found = connection.execute(query.order_by(_batches.c.id.desc()).limit(limit)).mappings()
    return [BatchRow(**row) for row in found]


def count_open(connection: Connection, *, owner: str | None = None, node: str | None = None) -> int:
    """Return how many batches, of ``owner`` or on ``node`` if these are given, are not finished."""
    query = select(func.count()).select_from(_batches).where(_batches.c.status.in_(OPEN))
    if owner is not None:
        query = query.where(_batches.c.owner == owner)
    if node is not None:
        query = query.where(_batches.c.node == node)
    return int(connection.execute(query).scalar_one())


def open_batches(connection: Connection, node: str, most: int) -> list[BatchRow]:
    """Return the oldest batches of ``node`` on which work remains."""
    query = select(_batches).where(_batches.c.node == node, _batches.c.status.in_(OPEN))
    return [BatchRow(**row) for row in connection.execute(query.order_by(_batches.c.id).limit(most)).mappings()]


def change_batch(connection: Connection, name: str, states: Sequence[str], values: dict[str, object]) -> bool:
    """Set ``values`` of a batch that is in one of ``states``; return whether it was."""
    statement = _batches.update().where(_batches.c.id == name, _batches.c.status.in_(states))
    return connection.execute(statement.values(**values)).rowcount == 1


def forget_batches(connection: Connection, before: int) -> None:
    """Forget batches that were made before the second ``before`` and are finished."""
    connection.execute(_batches.delete().where(_batches.c.created_at < before, _batches.c.status.not_in(OPEN)))
