"""The audit log's table: events are appended in the transaction that makes the change, and never touched again.

Stands beside the journal, under every room that changes something. Does not know the tree over the events, nor who
checks it: that is ``governance``.
"""

from collections.abc import Iterator, Sequence

from sqlalchemy import BigInteger, Column, Connection, Engine, Index, LargeBinary, MetaData, Table, Text, and_, select

from mainstay.core.audit import GENESIS, Details, LogEntry, entry_of
from mainstay.core.clock import wall_ms
from mainstay.store.sql import insert_many

__all__ = ["Occurrence", "log_size", "metadata", "read_entries", "record_event", "record_events", "select_entries"]

metadata = MetaData()
_events = Table(
    "audit_events",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    *(Column(name, Text, nullable=False) for name in ("actor", "action", "subject", "body")),
    Column("hash", LargeBinary, nullable=False),
    Index("audit_events_at", "at"),
    Index("audit_events_subject", "subject"),
)
_COLUMNS = ("seq", "at", "actor", "action", "subject", "body", "hash")
_CHUNK = 5000

#: Actor, action, subject, details.
Occurrence = tuple[str, str, str, Details]


def record_event(
    engine: Engine, connection: Connection, actor: str, action: str, subject: str, details: Details | None = None
) -> LogEntry:
    """Append an event in the transaction of the change that it tells of: both are kept, or neither.

    The connection must be one that writes (``store.sql.writing``): it admits one writer at a time. Ids only: no name of
    a person, no address, no secret.

    Raises:
        ValueError: the event says what a log must not hold.
        sqlalchemy.exc.SQLAlchemyError: it cannot be kept.
    """
    return record_events(engine, connection, [(actor, action, subject, details or {})])[0]


def record_events(engine: Engine, connection: Connection, events: Sequence[Occurrence]) -> list[LogEntry]:
    """Append several events in one go; see :func:`record_event`. About 8 µs each."""
    last = connection.execute(select(_events.c.seq, _events.c.hash).order_by(_events.c.seq.desc()).limit(1)).first()
    seq, previous = (0, GENESIS) if last is None else (last.seq, bytes(last.hash).hex())
    now = wall_ms()
    entries = []
    for actor, action, subject, details in events:
        seq += 1
        entry = entry_of(seq, now, actor, action, subject, details, previous)
        previous = entry.hash.hex()
        entries.append(entry)
    rows = [(e.seq, e.at, e.actor, e.action, e.subject, e.body, e.hash) for e in entries]
    insert_many(engine, connection, _events, _COLUMNS, rows)
    return entries


def log_size(connection: Connection) -> int:
    """Return the number of the last event, 0 when there is none."""
    return connection.execute(select(_events.c.seq).order_by(_events.c.seq.desc()).limit(1)).scalar() or 0


def read_entries(connection: Connection, after: int = 0) -> Iterator[LogEntry]:
    """Yield the events that follow the number ``after``, in their order, as they lie in the table."""
    while True:
        query = select(_events).where(_events.c.seq > after).order_by(_events.c.seq).limit(_CHUNK)
        rows = connection.execute(query).all()
        yield from (LogEntry(r.seq, r.at, r.actor, r.action, r.subject, r.body, bytes(r.hash)) for r in rows)
        if len(rows) < _CHUNK:
            return
        after = rows[-1].seq


def select_entries(
    connection: Connection,
    *,
    since: int | None = None,
    until: int | None = None,
    actor: str | None = None,
    action: str | None = None,
    subject: str | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[LogEntry]:
    """Return up to ``limit`` events that fit, the newest first; ``action`` may be the first word of one."""
    conditions = [_events.c[name] == value for name, value in (("actor", actor), ("subject", subject)) if value]
    if action is not None:
        conditions.append(
            _events.c.action == action if "." in action else _events.c.action.startswith(f"{action}.", autoescape=True)
        )
    if since is not None:
        conditions.append(_events.c.at >= since)
    if until is not None:
        conditions.append(_events.c.at < until)
    if before is not None:
        conditions.append(_events.c.seq < before)
    rows = connection.execute(
        select(_events).where(and_(True, *conditions)).order_by(_events.c.seq.desc()).limit(limit)
    )
    return [LogEntry(r.seq, r.at, r.actor, r.action, r.subject, r.body, bytes(r.hash)) for r in rows]
