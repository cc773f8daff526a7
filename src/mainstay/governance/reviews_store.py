"""Every SQL statement about reviews. Stands under the desk; does not know what may be decided."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Float,
    Index,
    MetaData,
    Table,
    Text,
    and_,
    func,
    or_,
    select,
    true,
)

from mainstay.store.sql import insert_or_ignore

__all__ = [
    "ReviewFilter",
    "ReviewRow",
    "add_reviews",
    "change_review",
    "count_contents",
    "count_reviews",
    "every_review",
    "find_review",
    "forget_contents",
    "last_version",
    "marked",
    "metadata",
    "remove_old",
    "remove_reviews",
    "replace_contents",
    "select_reviews",
    "stale",
    "with_content",
]

metadata = MetaData()
_TEXTS = ("organisation", "team", "key", "user", "route", "rail", "where", "kinds", "digest", "mark", "status")
_reviews = Table(
    "reviews",
    metadata,
    Column("id", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
    *(Column(name, Text, nullable=False) for name in (*_TEXTS, "record", "reason", "label", "decided_by", "data_key")),
    Column("score", Float),
    Column("decided_at", BigInteger),
    Column("content", Text),
    Column("version", BigInteger, nullable=False),
    Index("reviews_at", "at"),
    Index("reviews_mark", "mark"),
    Index("reviews_status", "status", "id"),
    Index("reviews_version", "version"),
)
_c = _reviews.c
_AT_ONCE = 500
#: Rows with content, which may be a mebibyte each.
_FEW = 50
#: Every column but the words.
_BARE = [column for column in _c if column.name != "content"]


class ReviewRow(msgspec.Struct, frozen=True):
    """A review. Times are wall-clock ms.

    ``status`` is ``open``, ``approved``, ``denied`` or ``expired``; ``label`` says whether the rail was right
    (``true_positive``, ``false_positive``), "" before someone has. ``mark`` and ``digest`` are "" once a decision holds
    no longer, ``content`` is None once it is kept no longer; ``data_key`` seals it. ``kinds`` is a JSON object.
    ``version`` counts the changes of all reviews; the newest change has the highest.
    """

    id: str
    at: int
    organisation: str
    team: str
    key: str
    user: str
    route: str
    rail: str
    where: str
    kinds: str
    digest: str
    mark: str
    status: str
    record: str
    content: str | None
    score: float | None = None
    reason: str = ""
    label: str = ""
    decided_by: str = ""
    decided_at: int | None = None
    data_key: str = ""
    version: int = 0


class ReviewFilter(msgspec.Struct, frozen=True):
    """Which reviews are meant; None: all. ``teams`` are those that may be seen at all."""

    status: str | None = None
    rail: str | None = None
    route: str | None = None
    team: str | None = None
    teams: Sequence[str] | None = None
    since: int | None = None


def add_reviews(engine: Engine, connection: Connection, rows: Iterable[ReviewRow]) -> None:
    """Add reviews; one that is there stays as it is."""
    version = last_version(connection)
    values = []
    for row in rows:
        version += 1
        values.append(msgspec.structs.asdict(row) | {"version": version})
    if values:
        connection.execute(insert_or_ignore(engine, _reviews), values)


def last_version(connection: Connection) -> int:
    """Return the highest version."""
    return connection.execute(select(func.max(_c.version))).scalar() or 0


def change_review(connection: Connection, review: str, values: dict[str, Any]) -> None:
    """Put other values into a review."""
    _change(connection, [review], values)


def find_review(connection: Connection, review: str) -> ReviewRow | None:
    """Return a review by its id."""
    row = connection.execute(select(_reviews).where(_c.id == review)).first()
    return None if row is None else _row(row)


def marked(connection: Connection, marks: Sequence[str] | None = None) -> list[ReviewRow]:
    """Return reviews that still have a mark (one of these), the oldest first, without content."""
    if marks is None:
        found = list(connection.execute(select(*_BARE).where(_c.mark != "").order_by(_c.id)))
    else:
        found = []
        for start in range(0, len(marks), _AT_ONCE):
            some = _c.mark.in_(marks[start : start + _AT_ONCE])
            found += connection.execute(select(*_BARE).where(some).order_by(_c.id))
    return [_bare(row) for row in found]


def select_reviews(
    connection: Connection, where: ReviewFilter, *, limit: int | None = None, before: str | None = None
) -> list[ReviewRow]:
    """Return reviews without content, the newest first."""
    conditions = [
        _c[name] == value for name in ("status", "rail", "route", "team") if (value := getattr(where, name)) is not None
    ]
    if where.teams is not None:
        conditions.append(_c.team.in_(where.teams))
    if where.since is not None:
        conditions.append(_c.at >= where.since)
    if before is not None:
        conditions.append(_c.id < before)
    query = select(*_BARE).where(and_(true(), *conditions)).order_by(_c.id.desc()).limit(limit)
    return [_bare(row) for row in connection.execute(query)]


def every_review(connection: Connection) -> Iterator[ReviewRow]:
    """Yield every review, the oldest first."""
    after = ""
    while True:
        rows = connection.execute(select(_reviews).where(_c.id > after).order_by(_c.id).limit(_FEW)).all()
        yield from map(_row, rows)
        if len(rows) < _FEW:
            return
        after = rows[-1].id


def count_reviews(connection: Connection) -> dict[tuple[str, str, str], int]:
    """Return how many reviews there are of each rail, status and label."""
    query = select(_c.rail, _c.status, _c.label, func.count()).group_by(_c.rail, _c.status, _c.label)
    return {(row[0], row[1], row[2]): row[3] for row in connection.execute(query)}


def count_contents(connection: Connection) -> tuple[int, int]:
    """Return how many reviews have content, and of how many it lies plain."""
    query = select(_c.data_key, func.count()).where(_c.content.is_not(None)).group_by(_c.data_key)
    counts = {str(key): int(count) for key, count in connection.execute(query)}
    return sum(counts.values()), counts.get("", 0)


def stale(connection: Connection, before: int, approved: int, most: int) -> list[tuple[str, str]]:
    """Return id and status of reviews that hold no longer, or have content that was to go.

    Those that came up to ``before`` wait no longer; decisions up to ``approved`` hold no longer.
    """
    old = _c.at <= before
    lapsed = and_(_c.mark != "", _c.decided_at <= approved, or_(_c.status == "approved", old))
    over = and_(_c.status == "open", old)
    query = select(_c.id, _c.status).where(or_(over, lapsed, and_(old, _c.content.is_not(None)))).limit(most)
    return [(row[0], row[1]) for row in connection.execute(query)]


def forget_contents(connection: Connection, before: int, approved: int, reviews: Sequence[str]) -> None:
    """Take out of these reviews what they no longer need; see :func:`stale`."""
    old = _c.at <= before
    _change(connection, reviews, {"status": "expired"}, and_(_c.status == "open", old))
    _change(connection, reviews, {"content": None, "user": "", "data_key": ""}, old)
    lapsed = or_(_c.status == "expired", and_(_c.decided_at <= approved, or_(_c.status == "approved", old)))
    _change(connection, reviews, {"mark": "", "digest": ""}, lapsed)


def remove_old(connection: Connection, before: int, most: int) -> int:
    """Remove at most so many reviews that came up to ``before``; return how many."""
    some = select(_c.id).where(_c.at <= before, _c.content.is_(None), _c.mark == "").limit(most)
    return connection.execute(_reviews.delete().where(_c.id.in_(some))).rowcount


def remove_reviews(connection: Connection, reviews: Sequence[str]) -> None:
    """Remove reviews."""
    version = last_version(connection) + 1
    for start in range(0, len(reviews), _AT_ONCE):
        connection.execute(_reviews.delete().where(_c.id.in_(reviews[start : start + _AT_ONCE])))
    # What is gone has no version that tells of it: another row has.
    newest = select(_c.id).order_by(_c.version.desc()).limit(1).scalar_subquery()
    connection.execute(_reviews.update().where(_c.id == newest).values(version=version))


def with_content(connection: Connection, keys: Sequence[str], after: str, most: int) -> list[ReviewRow]:
    """Return reviews whose content one of these data keys seals ("": plain), after one."""
    query = select(_reviews).where(_c.content.is_not(None), _c.data_key.in_(keys), _c.id > after)
    return [_row(row) for row in connection.execute(query.order_by(_c.id).limit(most))]


def replace_contents(connection: Connection, rows: Iterable[tuple[str, str, str]]) -> None:
    """Put other content into reviews that still have some: id, content, and the key that seals it."""
    for review, content, key in rows:
        kept = and_(_c.id == review, _c.content.is_not(None))
        connection.execute(_reviews.update().where(kept).values(content=content, data_key=key))


def _change(connection: Connection, reviews: Sequence[str], values: dict[str, Any], only: Any = None) -> None:
    version = last_version(connection) + 1
    for start in range(0, len(reviews), _AT_ONCE):
        condition = and_(_c.id.in_(reviews[start : start + _AT_ONCE]), true() if only is None else only)
        connection.execute(_reviews.update().where(condition).values(version=version, **values))


def _row(row: Any) -> ReviewRow:
    return ReviewRow(**row._asdict())


def _bare(row: Any) -> ReviewRow:
    return ReviewRow(content=None, **row._asdict())
