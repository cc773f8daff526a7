"""Every SQL statement that looks for a subject in records, takes away what is kept of it, or what is due.

Beside ``store``, which writes and reads records. A record that is erased stays as a row that says nothing of anyone:
when, which model, how much; what it cost stands in the ledger under its id.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, bindparam, false, func, or_, select

from mainstay.core.subject import Subject
from mainstay.telemetry.store import metadata

__all__ = [
    "ContentRow",
    "RecordRow",
    "erase_records",
    "expire_contents",
    "expire_records",
    "kept",
    "records_of",
    "replace_contents",
    "select_contents",
    "upstream_ids",
]

_records = metadata.tables["records"]
_attempts = metadata.tables["attempts"]
_contents = metadata.tables["contents"]
_PAGE = 500
#: What of a record may say whom it was about, and what stands there when it is erased.
_PERSONAL = ("user", "tags")


class RecordRow(msgspec.Struct, frozen=True):
    """A record that may be about somebody; ``request`` and ``response`` as they are kept, sealed or not."""

    seq: int
    id: str
    request_id: str
    at: int
    organisation: str
    team: str
    key: str
    user: str
    tags: str
    route: str
    request: str | None
    response: str | None


class ContentRow(msgspec.Struct, frozen=True):
    """A record's content as it is kept, and whose it is."""

    record_id: str
    request: str
    response: str
    data_key: str
    organisation: str
    team: str


_ROW = [
    *(_records.c[name] for name in ("seq", "id", "request_id", "at", "organisation", "team", "key", "user", "tags")),
    _records.c.route,
    _contents.c.request,
    _contents.c.response,
]
_JOINED = _records.outerjoin(_contents, _contents.c.record_id == _records.c.id)


def records_of(connection: Connection, subject: Subject, after: int = 0) -> Iterator[RecordRow]:
    """Yield the records that may be a subject's, after a ``seq``, in the order of arrival; every record for a text."""
    where: ColumnElement[bool]
    if subject.kind == "user":
        where = _records.c.user == subject.value
    elif subject.kind == "key":
        where = _records.c.key.in_(subject.keys)
    else:
        where = or_(_contents.c.record_id.is_not(None), _records.c.user != "", _records.c.tags != "")
    while True:
        query = select(*_ROW).select_from(_JOINED).where(where, _records.c.seq > after).order_by(_records.c.seq)
        rows = connection.execute(query.limit(_PAGE)).all()
        yield from (RecordRow(*row) for row in rows)
        if len(rows) < _PAGE:
            return
        after = rows[-1].seq


def upstream_ids(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Return what upstreams called the answers to these records' calls."""
    query = select(_attempts.c.upstream_id).where(_attempts.c.record_id.in_(ids), _attempts.c.upstream_id != "")
    return {str(found) for found in connection.execute(query).scalars()}


def erase_records(connection: Connection, ids: Sequence[str]) -> None:
    """Take away what these records say of anyone: content, user, tags, and the words of errors."""
    connection.execute(_contents.delete().where(_contents.c.record_id.in_(ids)))
    connection.execute(_records.update().where(_records.c.id.in_(ids)).values(dict.fromkeys(_PERSONAL, "")))
    connection.execute(_attempts.update().where(_attempts.c.record_id.in_(ids)).values(detail=""))


def expire_contents(connection: Connection, before: Mapping[str, int], usual: int | None, most: int) -> int:
    """Remove up to ``most`` contents from before a time (wall-clock ms) of their route; return how many."""
    query = select(_records.c.id).select_from(_records.join(_contents, _contents.c.record_id == _records.c.id))
    ids = connection.execute(query.where(_due(before, usual)).limit(most)).scalars().all()
    if ids:
        connection.execute(_contents.delete().where(_contents.c.record_id.in_(ids)))
    return len(ids)


def expire_records(connection: Connection, before: Mapping[str, int], usual: int | None, most: int) -> int:
    """Remove up to ``most`` records from before a time of their route, whole; return how many."""
    ids = connection.execute(select(_records.c.id).where(_due(before, usual)).limit(most)).scalars().all()
    for table, column in ((_contents, "record_id"), (_attempts, "record_id"), (_records, "id")):
        if ids:
            connection.execute(table.delete().where(table.c[column].in_(ids)))
    return len(ids)


def select_contents(connection: Connection, keys: Sequence[str], after: str, limit: int) -> list[ContentRow]:
    """Return contents that one of these keys seals ("": that are plain), by their id, after one."""
    columns = [_contents.c[name] for name in ("record_id", "request", "response", "data_key")]
    query = select(*columns, _records.c.organisation, _records.c.team).select_from(
        _contents.join(_records, _contents.c.record_id == _records.c.id)
    )
    where = (_contents.c.data_key.in_(keys), _contents.c.record_id > after)
    rows = connection.execute(query.where(*where).order_by(_contents.c.record_id).limit(limit))
    return [ContentRow(**row._mapping) for row in rows]


def replace_contents(connection: Connection, rows: Sequence[tuple[ContentRow, ContentRow]]) -> None:
    """Put contents in the place of others, each unless it has changed meanwhile."""
    statement = (
        _contents.update()
        .where(_contents.c.record_id == bindparam("which"), _contents.c.request == bindparam("old"))
        .values(request=bindparam("asked"), response=bindparam("said"), data_key=bindparam("by"))
    )
    values = [
        {"which": old.record_id, "old": old.request, "asked": new.request, "said": new.response, "by": new.data_key}
        for old, new in rows
    ]
    if values:
        connection.execute(statement, values)


def kept(connection: Connection) -> dict[str, tuple[int, int, int]]:
    """Return how many records, contents and plain contents each route has."""
    query = (
        select(
            _records.c.route,
            func.count(),
            func.count(_contents.c.record_id),
            func.count(_contents.c.record_id).filter(_contents.c.data_key == ""),
        )
        .select_from(_JOINED)
        .group_by(_records.c.route)
    )
    return {str(route): (int(all_), int(with_), int(plain)) for route, all_, with_, plain in connection.execute(query)}


def _due(before: Mapping[str, int], usual: int | None) -> ColumnElement[bool]:
    """Return what is older than the time of its route, or than the usual one where its route has none."""
    parts = [and_(_records.c.route == route, _records.c.at < at) for route, at in before.items()]
    if usual is not None:
        parts.append(and_(_records.c.route.not_in(list(before)), _records.c.at < usual))
    return or_(false(), *parts)
