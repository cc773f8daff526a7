"""What was spent, by whom and for what: sums over records and their attempts, exact to 1e-12 US dollars.

The cost of a model is that of the attempts it made: what a fall-back cost belongs to the model that failed, too. Sums
are taken of a high and a low part apart, so that none overflows. Reads the tables of records, which it knows by their
columns' names alone; ``tests/cost/test_reports.py`` sees that they are still so.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Text,
    and_,
    case,
    column,
    distinct,
    func,
    literal_column,
    or_,
    select,
    table,
)

from mainstay.cost.periods import Calendar, Span

__all__ = [
    "DIMENSIONS",
    "TOKENS",
    "Question",
    "Report",
    "Row",
    "attempts_table",
    "conditions",
    "costs",
    "first_at",
    "records_table",
    "spend",
    "vendors_of",
]

#: What may be asked for, beside the spans of time.
DIMENSIONS: Final = (
    *("organisation", "team", "key", "user", "route", "model", "provider", "vendor", "tag", "operation", "priced"),
    *(span.value for span in Span),
)
#: Kinds of tokens that are summed; all but the first two are parts of those.
TOKENS: Final = ("input", "output", "cache_read", "cache_write", "reasoning")
_SPANS: Final = frozenset(span.value for span in Span)
#: Dimensions of an attempt: the column of the attempt, and of the record whose answer came of it.
_OF_ATTEMPT: Final = {"model": "target", "provider": "provider", "vendor": "provider", "priced": "priced"}
_OF_RECORD: Final = {"tag": "tags"}
_FINE: Final = ("", "ok", "caller_gone", "outrun")
_PART: Final = 10**6

records_table = table(
    "records",
    *(
        column(name, Text)
        for name in (
            *("id", "organisation", "team", "key", "user", "route", "target", "provider", "vendor", "tags"),
            *("operation", "outcome"),
        )
    ),
    *(column(name, BigInteger) for name in ("seq", "at", "cost_picousd")),
    *(column(name) for name in ("energy_wh", "energy_low_wh", "energy_high_wh", "carbon_g", "carbon_market_g")),
)
attempts_table = table(
    "attempts",
    *(column(name, Text) for name in ("record_id", "target", "provider", "outcome", "priced", "usage")),
    *(column(name, BigInteger) for name in ("seq", "cost", "computed")),
)
_r, _a = records_table.c, attempts_table.c


class Question(msgspec.Struct, frozen=True):
    """What is asked: sums ``by`` dimensions over ``since`` to ``until`` (exclusive, wall-clock ms).

    ``where`` gives dimensions and the values of which a call has any; all must hold. Keys are given by their ids.
    ``teams`` are those that may be seen; None is all. ``zone`` is where days begin.
    """

    by: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    teams: tuple[str, ...] | None = None
    zone: str = "UTC"
    #: The vendor of each provider.
    vendors: Mapping[str, str] = {}

    @property
    def of_attempts(self) -> bool:
        """Whether it asks for single attempts: for a model or its provider."""
        return bool({*self.by, *(name for name, _ in self.where)} & _OF_ATTEMPT.keys())


class Row(msgspec.Struct):
    """What was spent by one group. ``keys`` has a value for each dimension that was asked for, "" for none.

    ``calls`` are those of the group and ``errors`` those that failed. Where a model or a provider is asked for, they
    are the calls that tried it and the attempts that it failed. Energy is of the calls that it is known for; its
    bounds are added up, as if all were off the same way.
    """

    keys: tuple[str, ...]
    calls: int = 0
    errors: int = 0
    #: Refused before anything was asked of a model.
    refused: int = 0
    attempts: int = 0
    picousd: int = 0
    #: Attempts whose price nobody knows, charged at the dearest known; and those whose tokens we had to estimate.
    unpriced: int = 0
    estimated: int = 0
    tokens: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(TOKENS, 0))
    energy_calls: int = 0
    energy_wh: float = 0.0
    energy_low_wh: float = 0.0
    energy_high_wh: float = 0.0
    carbon_calls: int = 0
    carbon_g: float = 0.0
    carbon_market_g: float = 0.0

    def add(self, other: "Row") -> None:
        """Add what another group spent."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for kind, count in other.tokens.items():
            self.tokens[kind] += count


_SUMS: Final = tuple(name for name in Row.__struct_fields__ if name not in ("keys", "tokens"))


class Report(msgspec.Struct, frozen=True):
    """Rows, those of time in its order and then the dearest first; ``total`` counts each call once."""

    by: tuple[str, ...]
    rows: tuple[Row, ...]
    total: Row


def spend(connection: Connection, question: Question) -> Report:
    """Return what was spent.

    A call with several tags counts under each of them, and one that several models tried under each.

    Raises:
        ValueError: there is no such dimension.
    """
    rows = _rows(connection, question)
    total = Row(())
    if not question.by:
        total = rows.get((), total)
    elif "tag" not in question.by and not question.of_attempts:
        for row in rows.values():
            total.add(row)
    else:
        alone = msgspec.structs.replace(question, by=())
        if "tag" in question.by or alone.of_attempts:
            total = _rows(connection, alone).get((), total)
        else:
            # Asked by model, all calls are still all calls; what attempts cost is added up already.
            for row in rows.values():
                total.add(_of_its_attempts(row))
            _add_records(connection, alone, {(): total}, single=False)
    times = [(place, name) for place, name in enumerate(question.by) if name in _SPANS]

    def order(row: Row) -> tuple[Any, ...]:
        # An hour is named by the clocks on the wall, which are put back once a year.
        at = [row.keys[k] if name != "hour" else dt.datetime.fromisoformat(row.keys[k]) for k, name in times]
        return at, -row.picousd, -row.calls, row.keys

    ordered = sorted(rows.values(), key=order)
    return Report(question.by, tuple(ordered), total)


def costs(connection: Connection, question: Question) -> dict[tuple[str, ...], int]:
    """Return only what each group cost, in units of 1e-12 US dollars; those that cost nothing may be left out."""
    found: dict[tuple[str, ...], int] = {}
    calendar = Calendar(question.zone)
    for row in connection.execute(_grouped(question, _money(_a.cost), attempts=True, calendar=calendar)):
        *keys, high, low = row
        for key in _keys(question, keys, calendar):
            found[key] = found.get(key, 0) + _joined(high, low)
    return found


def first_at(connection: Connection) -> int | None:
    """Return when the first call was made, in wall-clock ms; None when there was none."""
    found: int | None = connection.execute(select(func.min(_r.at))).scalar()
    return found


def vendors_of(connection: Connection, known: Mapping[str, str]) -> dict[str, str]:
    """Return the vendor of each provider, those that are configured no more too; ``known`` goes first."""
    query = select(_r.provider, func.max(_r.vendor)).where(_r.provider != "").group_by(_r.provider)
    return {str(row[0]): str(row[1]) for row in connection.execute(query)} | dict(known)


def conditions(question: Question, *, attempts: bool) -> ColumnElement[bool]:
    """Return what must hold of a record, and with ``attempts`` of the attempt beside it."""
    found: list[ColumnElement[bool]] = []
    if question.since is not None:
        found.append(_r.at >= question.since)
    if question.until is not None:
        found.append(_r.at < question.until)
    if question.teams is not None:
        found.append(_r.team.in_(question.teams))
    for name, values in question.where:
        if name not in DIMENSIONS or name in _SPANS:
            raise ValueError(f"nothing is spent by {name}")
        if name == "tag":
            found.append(or_(False, *(_has_tag(value) for value in values)))
        elif name == "vendor":
            known = [provider for provider, vendor in question.vendors.items() if vendor in values]
            found.append((_a if attempts else _r).provider.in_(known))
        elif name in _OF_ATTEMPT and attempts:
            found.append(_a[_OF_ATTEMPT[name]].in_(values))
        elif name != "priced":
            found.append(_r[_OF_ATTEMPT.get(name, name)].in_(values))
    return and_(True, *found)


def _has_tag(value: str) -> ColumnElement[bool]:
    # Not LIKE: SQLite takes capitals for small letters there, and PostgreSQL does not.
    listed = literal_column("','").concat(_r.tags).concat(literal_column("','"))
    return func.replace(listed, f",{value},", "") != listed


def _rows(connection: Connection, question: Question) -> dict[tuple[str, ...], Row]:
    single = question.of_attempts
    calendar = Calendar(question.zone)
    rows: dict[tuple[str, ...], Row] = {}
    for found in connection.execute(_grouped(question, _of_attempts(connection), attempts=True, calendar=calendar)):
        keys, values = found[: len(question.by)], found[len(question.by) :]
        high, low, count, calls, failed, unpriced, estimated, *tokens = (int(value or 0) for value in values)
        for key in _keys(question, keys, calendar):
            one = Row(key, attempts=count, picousd=_joined(high, low), unpriced=unpriced, estimated=estimated)
            one.tokens = dict(zip(TOKENS, tokens, strict=True))
            if single:
                one.calls, one.errors = calls, failed
            rows.setdefault(key, Row(key)).add(one)
    # The price is an attempt's; energy is a call's.
    if "priced" not in question.by:
        _add_records(connection, question, rows, single=single)
    return rows


def _add_records(connection: Connection, question: Question, rows: dict[tuple[str, ...], Row], *, single: bool) -> None:
    """Add to ``rows`` what records say; with ``single``, of their energy only, and to groups that are there."""
    calendar = Calendar(question.zone)
    for found in connection.execute(_grouped(question, _of_records(), attempts=False, calendar=calendar)):
        keys, values = found[: len(question.by)], found[len(question.by) :]
        for key in _keys(question, keys, calendar):
            if single and key not in rows:
                # It answered without asking this model.
                continue
            calls, errors, refused, known, *energy, carbons, carbon, market = (value or 0 for value in values)
            one = Row(key) if single else Row(key, int(calls), int(errors), int(refused))
            one.energy_calls, one.carbon_calls = int(known), int(carbons)
            one.energy_wh, one.energy_low_wh, one.energy_high_wh = map(float, energy)
            one.carbon_g, one.carbon_market_g = float(carbon), float(market)
            rows.setdefault(key, Row(key)).add(one)


def _of_its_attempts(row: Row) -> Row:
    """Return only what is added up over attempts."""
    only = Row((), attempts=row.attempts, picousd=row.picousd, unpriced=row.unpriced, estimated=row.estimated)
    only.tokens = row.tokens
    return only


def _grouped(question: Question, values: Iterable[Any], *, attempts: bool, calendar: Calendar) -> Any:
    groups = [_group(name, question, attempts, calendar) for name in question.by]
    source: Any = records_table
    if attempts:
        source = attempts_table.join(records_table, _a.record_id == _r.id)
    query = select(*groups, *values).select_from(source).where(conditions(question, attempts=attempts))
    return query.group_by(*groups) if groups else query


def _group(name: str, question: Question, attempts: bool, calendar: Calendar) -> ColumnElement[Any]:
    if name not in DIMENSIONS:
        raise ValueError(f"nothing is spent by {name}")
    if name in _SPANS:
        size: ColumnElement[int] = literal_column(
            str(calendar.step(Span(name), question.since, question.until)), BigInteger
        )
        return _r.at - _r.at % size
    if name in _OF_ATTEMPT:
        return (_a if attempts else _r)[_OF_ATTEMPT[name]]
    return _r[_OF_RECORD.get(name, name)]


def _keys(question: Question, found: Sequence[Any], calendar: Calendar) -> list[tuple[str, ...]]:
    """Return the groups that a row of the database counts in: several for one with several tags."""
    made: list[tuple[str, ...]] = [()]
    for name, value in zip(question.by, found, strict=True):
        if name == "tag":
            values = [tag for tag in value.split(",") if tag] or [""]
        elif name in _SPANS:
            values = [calendar.name(Span(name), int(value))]
        else:
            values = [question.vendors.get(value, "") if name == "vendor" else value]
        made = [(*before, one) for before in made for one in values]
    return made


def _money(amount: ColumnElement[int]) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """Return the sums of the high and the low parts of an amount: each far from what 64 bits hold."""
    size: ColumnElement[int] = literal_column(str(_PART), BigInteger)
    return func.sum(amount // size), func.sum(amount % size)


def _joined(high: Any, low: Any) -> int:
    return int(high or 0) * _PART + int(low or 0)


def _of_attempts(connection: Connection) -> list[ColumnElement[Any]]:
    failed = case((_a.outcome.in_(_FINE), 0), else_=1)
    unpriced = case((_a.priced == "ceiling", 1), else_=0)
    found = [*_money(_a.cost), func.count(), func.count(distinct(_a.record_id)), func.sum(failed), func.sum(unpriced)]
    return [*found, func.sum(_counted(connection, "estimated")), *(func.sum(_counted(connection, k)) for k in TOKENS)]


def _counted(connection: Connection, kind: str) -> ColumnElement[Any]:
    """Return a count of the usage, which stands in the database as JSON; NULL where it is 0."""
    # Both are columns and names of ours; nothing of it comes from outside.
    if connection.dialect.name == "sqlite":
        return literal_column(f"json_extract(nullif(attempts.usage, ''), '$.{kind}')")
    value = f"(nullif(attempts.usage, '')::json ->> '{kind}')"
    return literal_column(f"{value}::boolean::integer" if kind == "estimated" else f"{value}::bigint")


def _of_records() -> list[ColumnElement[Any]]:
    def number(outcome: str) -> ColumnElement[int]:
        return func.sum(case((_r.outcome == outcome, 1), else_=0))

    energy = [func.count(_r.energy_wh), *(func.sum(_r[f"energy_{part}wh"]) for part in ("", "low_", "high_"))]
    carbon = [func.count(_r.carbon_g), func.sum(_r.carbon_g), func.sum(_r.carbon_market_g)]
    return [func.count(), number("failed"), number("refused"), *energy, *carbon]
