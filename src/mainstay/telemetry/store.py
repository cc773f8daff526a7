"""Every SQL statement about records: their tables, how a record becomes rows and back, and the loader's
offsets.

Stands between the journal's loader and whoever asks for records. Does not know where lines come from.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from operator import attrgetter
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    Engine,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Row,
    Select,
    Table,
    Text,
    and_,
    or_,
    select,
    text,
)

from mainstay.core.record import Attempt, Content, Grounding, RailVerdict, Record
from mainstay.core.usage import Usage
from mainstay.store.sealing import NullSeal, Seal, SealLost, key_of, request_about, response_about
from mainstay.store.sql import insert_many, insert_or_ignore

__all__ = [
    "RecordFilter",
    "advance",
    "forget",
    "from_picousd",
    "insert_records",
    "latest_seq",
    "metadata",
    "offsets",
    "select_after",
    "select_one",
    "select_page",
    "to_picousd",
]

_PICO = Decimal(10) ** 12
_KINDS = (
    "input",
    "output",
    "cache_read",
    "cache_write",
    "cache_write_1h",
    "reasoning",
    "audio_input",
    "audio_output",
)
#: Columns that hold a field of the record under its own name.
_OTHERS = ("attempts", "usage", "cost_usd", "content", "tags", "charges", "verdicts", "grounding", "denials")
_PLAIN = tuple(field.name for field in msgspec.structs.fields(Record) if field.name not in _OTHERS)
_ATTEMPT = tuple(field.name for field in msgspec.structs.fields(Attempt) if field.name != "usage")
_JSON = ("verdicts", "grounding")
_RECORD_COLUMNS = (*_PLAIN, *(f"{kind}_tokens" for kind in _KINDS), "estimated", "cost_picousd", "tags", *_JSON)
_plain_values = attrgetter(*_PLAIN)
_usage_values = attrgetter(*_KINDS, "estimated")
_attempt_values = attrgetter(*_ATTEMPT)
_read_usage = msgspec.json.Decoder(Usage).decode
_read_verdicts = msgspec.json.Decoder(list[RailVerdict]).decode
_read_grounding = msgspec.json.Decoder(Grounding).decode
_NO_USAGE = (None,) * (len(_KINDS) + 1)
_FILTERED = ("route", "target", "key", "team", "outcome", "status", "error")


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


metadata = MetaData()
_records = Table(
    "records",
    metadata,
    # The order of arrival: a call is recorded when it ends, so neither its id nor its time says what is new.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    _text("request_id"),
    Column("at", BigInteger, nullable=False),
    *(_text(name) for name in ("operation", "dialect", "method", "path")),
    Column("stream", Boolean, nullable=False),
    *(_text(name) for name in ("key", "team", "asked", "route", "target", "provider", "vendor", "served", "outcome")),
    Column("status", Integer, nullable=False),
    _text("error"),
    _text("finish"),
    *(Column(f"{kind}_tokens", BigInteger) for kind in _KINDS),
    Column("estimated", Boolean),
    Column("first_ms", Double),
    Column("total_ms", Double, nullable=False),
    Column("waited_ms", Double, nullable=False),
    Column("queued_ms", Double, nullable=False, server_default="0"),
    Column("overhead_ms", Double, nullable=False),
    Column("cost_picousd", BigInteger),
    _text("config"),
    Column("worker", Integer, nullable=False),
    Column("request_bytes", BigInteger, nullable=False),
    Column("response_bytes", BigInteger, nullable=False),
    *(
        Column(name, Text, nullable=False, server_default="")
        for name in (
            *("prompt", "language", "steps", "fingerprint"),
            *("organisation", "user", "process", "energy_method", "tags"),
            # What its rails said and what it rests on, as JSON: shown, never searched.
            *("cache", "verdicts", "grounding"),
        )
    ),
    *(
        Column(name, Double)
        for name in (
            *("energy_wh", "energy_low_wh", "energy_high_wh"),
            *("carbon_g", "carbon_market_g", "embodied_g", "water_ml"),
        )
    ),
    # Two columns are enough to page by (at, id): calls of the same millisecond are sorted as they are read.
    Index("records_at", "at"),
    Index("records_request_id", "request_id"),
    Index("records_user", "user", sqlite_where=text("\"user\" <> ''"), postgresql_where=text("\"user\" <> ''")),
    *(Index(f"records_{name}_at", name, "at") for name in _FILTERED),
    sqlite_autoincrement=True,
)
_attempts = Table(
    "attempts",
    metadata,
    Column("record_id", Text, ForeignKey("records.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    *(_text(name) for name in ("target", "provider", "cause", "outcome")),
    Column("status", Integer, nullable=False),
    Column("offset_ms", Double, nullable=False),
    Column("headers_ms", Double),
    Column("first_ms", Double),
    Column("total_ms", Double, nullable=False),
    *(_text(name) for name in ("upstream_model", "upstream_id", "address")),
    Column("port", Integer, nullable=False),
    Column("events", BigInteger, nullable=False),
    _text("detail"),
    Column("cost", BigInteger),
    Column("computed", BigInteger),
    Column("priced", Text, nullable=False, server_default=""),
    # What it took, as JSON: read to price it anew, never searched.
    Column("usage", Text, nullable=False, server_default=""),
    sqlite_with_rowid=False,
)
#: Apart from the rest, so that content can be erased alone.
_contents = Table(
    "contents",
    metadata,
    Column("record_id", Text, ForeignKey("records.id", ondelete="CASCADE"), primary_key=True),
    _text("request"),
    _text("response"),
    # The key that both are sealed with; "" where they are plain.
    Column("data_key", Text, nullable=False, server_default=""),
    Index("contents_data_key", "data_key"),
)
#: How far each journal file is loaded; moved in the transaction that inserts its records.
_journals = Table(
    "journals",
    metadata,
    Column("file", Text, primary_key=True),
    Column("loaded_bytes", BigInteger, nullable=False),
)


class RecordFilter(msgspec.Struct, frozen=True):
    """Which records: every condition that is set must hold. ``since`` and ``until`` (exclusive) are
    wall-clock ms.
    """

    since: int | None = None
    until: int | None = None
    route: str | None = None
    target: str | None = None
    #: Any of these keys.
    keys: tuple[str, ...] = ()
    team: str | None = None
    #: Any of these teams; None is all of them.
    teams: tuple[str, ...] | None = None
    outcome: str | None = None
    status: int | None = None
    error: str | None = None


def to_picousd(dollars: str) -> int:
    """Return a decimal string of US dollars in picodollars (1e-12), exact down to one and rounded half-even
    below.

    Raises:
        ValueError: it is not a finite decimal number.
    """
    try:
        return int((Decimal(dollars) * _PICO).to_integral_value())
    except (ArithmeticError, ValueError):
        raise ValueError("not an amount of dollars") from None


def from_picousd(amount: int) -> str:
    """Return picodollars as the shortest decimal string of US dollars."""
    whole, part = divmod(abs(amount), 10**12)
    text = f"{whole}.{part:012d}".rstrip("0").rstrip(".")
    return f"-{text}" if amount < 0 else text


def insert_records(engine: Engine, connection: Connection, records: Sequence[Record]) -> None:
    """Insert records with their attempts and contents; those already there are passed over."""
    insert_many(engine, connection, _records, _RECORD_COLUMNS, [_row(record) for record in records])
    attempts = [
        (record.id, seq, *_attempt_values(attempt), _usage_text(attempt.usage))
        for record in records
        for seq, attempt in enumerate(record.attempts)
    ]
    insert_many(engine, connection, _attempts, ("record_id", "seq", *_ATTEMPT, "usage"), attempts)
    contents = [
        (record.id, record.content.request, record.content.response, key_of(record.content.request))
        for record in records
        if record.content is not None
    ]
    insert_many(engine, connection, _contents, ("record_id", "request", "response", "data_key"), contents)


def offsets(connection: Connection, files: Iterable[str]) -> dict[str, int]:
    """Return how many bytes of each journal file are loaded; files never loaded are left out."""
    rows = connection.execute(select(_journals).where(_journals.c.file.in_(list(files))))
    return {row.file: row.loaded_bytes for row in rows}


def advance(engine: Engine, connection: Connection, file: str, start: int, end: int) -> bool:
    """Move a file's offset from ``start`` to ``end``; False when it does not stand at ``start`` (another
    loader).
    """
    if start == 0:
        connection.execute(insert_or_ignore(engine, _journals), {"file": file, "loaded_bytes": 0})
    moved = connection.execute(
        _journals.update().where(_journals.c.file == file, _journals.c.loaded_bytes == start).values(loaded_bytes=end)
    )
    return moved.rowcount == 1


def forget(connection: Connection, file: str) -> None:
    """Drop the offset of a file that is gone."""
    connection.execute(_journals.delete().where(_journals.c.file == file))


def select_page(connection: Connection, where: RecordFilter, limit: int, before: str | None) -> list[Record]:
    """Return up to ``limit`` records without content, newest first, those before the record ``before``."""
    query = _filtered(where)
    if before is not None:
        at = connection.execute(select(_records.c.at).where(_records.c.id == before)).scalar()
        if at is None:
            return []
        # Spelled out rather than as a row value, which not every planner takes to the index.
        query = query.where(_records.c.at <= at, or_(_records.c.at < at, _records.c.id < before))
    rows = connection.execute(query.order_by(_records.c.at.desc(), _records.c.id.desc()).limit(limit)).all()
    return _read(connection, rows)


def select_after(connection: Connection, where: RecordFilter, seq: int, limit: int) -> tuple[list[Record], int]:
    """Return up to ``limit`` records that arrived after ``seq``, in that order, and the ``seq`` of the last."""
    rows = connection.execute(_filtered(where).where(_records.c.seq > seq).order_by(_records.c.seq).limit(limit)).all()
    return _read(connection, rows), rows[-1].seq if rows else seq


def latest_seq(connection: Connection) -> int:
    """Return the ``seq`` of the record that arrived last; 0 when there is none."""
    return connection.execute(select(_records.c.seq).order_by(_records.c.seq.desc()).limit(1)).scalar() or 0


def select_one(connection: Connection, reference: str, seal: Seal | None = None) -> Record | None:
    """Return the record with this id, or else the newest with this request id; with its content if it opens."""
    for condition in (_records.c.id == reference, _records.c.request_id == reference):
        rows = connection.execute(select(_records).where(condition).order_by(_records.c.at.desc()).limit(1)).all()
        if rows:
            record = _read(connection, rows)[0]
            content = connection.execute(select(_contents).where(_contents.c.record_id == record.id)).first()
            if content is not None:
                record.content = _opened(record.id, content.request, content.response, seal or NullSeal())
            return record
    return None


def _opened(record_id: str, request: str, response: str, seal: Seal) -> Content | None:
    try:
        opened = seal.open_text(request, request_about(record_id))
        return Content(opened, seal.open_text(response, response_about(record_id)))
    except SealLost:
        return None


def _filtered(where: RecordFilter) -> Select[Any]:
    conditions = [
        getattr(_records.c, name) == value
        for name in ("route", "target", "team", "outcome", "status", "error")
        if (value := getattr(where, name)) is not None
    ]
    if where.since is not None:
        conditions.append(_records.c.at >= where.since)
    if where.until is not None:
        conditions.append(_records.c.at < where.until)
    if where.keys:
        conditions.append(_records.c.key.in_(where.keys))
    if where.teams is not None:
        conditions.append(_records.c.team.in_(where.teams))
    return select(_records).where(and_(True, *conditions))


def _row(record: Record) -> tuple[Any, ...]:
    usage, cost = record.usage, record.cost_usd
    return (
        *_plain_values(record),
        *(_NO_USAGE if usage is None else _usage_values(usage)),
        None if cost is None else to_picousd(cost),
        ",".join(record.tags),
        msgspec.json.encode(record.verdicts).decode() if record.verdicts else "",
        "" if record.grounding is None else msgspec.json.encode(record.grounding).decode(),
    )


def _usage_text(usage: Usage | None) -> str:
    return "" if usage is None else msgspec.json.encode(usage).decode()


def _read(connection: Connection, rows: Sequence[Row[Any]]) -> list[Record]:
    records = {row.id: _record(row._mapping) for row in rows}
    if records:
        query = select(_attempts).where(_attempts.c.record_id.in_(list(records)))
        for row in connection.execute(query.order_by(_attempts.c.record_id, _attempts.c.seq)):
            attempt = Attempt(**{name: row._mapping[name] for name in _ATTEMPT})
            if row.usage:
                attempt.usage = _read_usage(row.usage)
            records[row.record_id].attempts.append(attempt)
    return list(records.values())


def _record(row: Mapping[Any, Any]) -> Record:
    usage = None
    if row["estimated"] is not None:
        usage = Usage(**{kind: row[f"{kind}_tokens"] for kind in _KINDS}, estimated=row["estimated"])
    cost = row["cost_picousd"]
    return Record(
        **{name: row[name] for name in _PLAIN},
        attempts=[],
        usage=usage,
        cost_usd=None if cost is None else from_picousd(cost),
        tags=[tag for tag in row["tags"].split(",") if tag],
        verdicts=_read_verdicts(row["verdicts"]) if row["verdicts"] else [],
        grounding=_read_grounding(row["grounding"]) if row["grounding"] else None,
    )
