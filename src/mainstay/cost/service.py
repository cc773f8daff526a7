"""Questions about money that both the command line and the admin API ask, over the database.

Every amount leaves here as a decimal string of US dollars, exact.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Engine

from mainstay.cost.amounts import dollars
from mainstay.cost.anomalies import RATE, Judged, find
from mainstay.cost.config import CostConfig
from mainstay.cost.forecast import Forecast, Point, forecast
from mainstay.cost.periods import Calendar, Span
from mainstay.cost.reports import Question, Report, Row, costs, spend, vendors_of
from mainstay.cost.standing import KeyBudget, Standing, daily, standings
from mainstay.identity import store as identity_store
from mainstay.store.sql import reading

__all__ = ["Outlook", "anomalies", "budgets", "outlook", "report", "row_as_json", "standing_as_json"]

#: Spans of history that those which are judged are compared with.
_BEFORE: Final = {Span.DAY: 45, Span.HOUR: 15 * 24}


class Outlook(msgspec.Struct, frozen=True):
    """A forecast: the ``starts`` of its days in wall-clock ms, and what it is; None where too little is known.

    ``history`` is what the whole days before cost, in units of 1e-12 US dollars, and ``today`` this one until now.
    """

    starts: tuple[int, ...]
    history: tuple[int, ...]
    today: int
    forecast: Forecast | None


def report(engine: Engine, question: Question) -> Report:
    """Return what was spent; see :func:`mainstay.cost.reports.spend`."""
    with reading(engine) as connection:
        return spend(connection, _with_vendors(connection, question))


def budgets(
    engine: Engine, config: CostConfig, used: Mapping[tuple[str, str], float], vendors: Mapping[str, str], now: int
) -> list[Standing]:
    """Return how every budget stands, those of keys too; ``used`` is what the ledger's process says of each."""
    with reading(engine) as connection:
        rows = identity_store.rows(connection, revoked=True)
        keys = [
            KeyBudget(row.id, row.name, row.budget, row.team)
            for row in rows
            if row.budget and row.revoked_at is None and (row.expires_at is None or row.expires_at > now)
        ]
        names = {row.id: row.name for row in rows}
        return standings(connection, config, keys, used, now, names=names, vendors=vendors)


def outlook(engine: Engine, question: Question, now: int, days: int) -> Outlook:
    """Return what ``days`` days from now on, this one among them, will likely cost."""
    calendar = Calendar(question.zone)
    with reading(engine) as connection:
        question = msgspec.structs.replace(_with_vendors(connection, question), by=())
        history = daily(connection, question, now)[0].get((), [])
        today = calendar.start(Span.DAY, now)
        asked = msgspec.structs.replace(question, since=today, until=None)
        so_far = sum(costs(connection, asked).values())
    starts = list(calendar.spans(Span.DAY, now, calendar.back(-days, now)))
    end = calendar.end(Span.DAY, now)
    shares = [(end - now) / (end - today), *[1.0] * (len(starts) - 1)]
    found = forecast(history, calendar.weekday(now), shares)
    if found is not None:
        # Of this day, what is spent already is certain.
        first, rest = found.days[0], found.days[1:]
        found = Forecast((_more(first, so_far), *rest), _more(found.total, so_far))
    return Outlook(tuple(starts), tuple(history), so_far, found)


def anomalies(
    engine: Engine, question: Question, span: Span, since: int, now: int, rate: float = RATE
) -> tuple[Judged, list[int]]:
    """Return which whole days or hours from ``since`` on are out of line, and the starts of all spans looked at."""
    calendar = Calendar(question.zone)
    first = calendar.start(span, since)
    before = calendar.back(_BEFORE[Span.DAY], first) if span is Span.DAY else first - _BEFORE[span] * 3_600_000
    starts = list(calendar.spans(span, before, calendar.start(span, now)))
    places = {calendar.name(span, start): place for place, start in enumerate(starts)}
    with reading(engine) as connection:
        asked = msgspec.structs.replace(
            _with_vendors(connection, question),
            by=(span.value, *question.by),
            since=calendar.start(span, before),
            until=calendar.start(span, now),
        )
        found = costs(connection, asked)
    series: dict[tuple[str, ...], list[float]] = {}
    for (name, *group), amount in found.items():
        series.setdefault(tuple(group), [0.0] * len(starts))[places[name]] += float(amount)
    phase = calendar.weekday if span is Span.DAY else calendar.hour
    judged = find(series, [phase(start) for start in starts], sum(start < first for start in starts), rate)
    return judged, starts


def row_as_json(by: Sequence[str], row: Row, names: Mapping[str, str]) -> dict[str, Any]:
    """Return a row of a report for a script; energy and carbon are None where they are known of no call."""
    made: dict[str, Any] = dict(zip(by, row.keys, strict=True)) if row.keys else {}
    if "key" in made:
        made["key_name"] = names.get(made["key"], "")
    made |= {"calls": row.calls, "errors": row.errors, "refused": row.refused, "attempts": row.attempts}
    made |= {"cost_usd": dollars(row.picousd), "unpriced": row.unpriced, "estimated": row.estimated}
    made |= {"tokens": dict(row.tokens), "energy_calls": row.energy_calls}
    for name in ("energy_wh", "energy_low_wh", "energy_high_wh"):
        made[name] = getattr(row, name) if row.energy_calls else None
    for name in ("carbon_g", "carbon_market_g"):
        made[name] = getattr(row, name) if row.carbon_calls else None
    return made


def standing_as_json(one: Standing) -> dict[str, Any]:
    """Return how a budget stands for a script."""
    made = {"budget": one.name, "of": one.member, "period": one.period, "zone": one.zone, "hard": one.hard}
    amounts = {"limit": one.limit, "used": one.used, "held": one.held, "left": one.left}
    made |= {f"{name}_usd": dollars(amount) for name, amount in amounts.items()}
    likely = (
        {name: dollars(round(getattr(one.likely, name))) for name in ("likely", "low", "high")} if one.likely else None
    )
    return made | {"starts_at": one.start, "ends_at": one.end, "at_end_usd": likely}


def _more(point: Point, amount: int) -> Point:
    return Point(point.likely + amount, point.low + amount, point.high + amount)


def _with_vendors(connection: Connection, question: Question) -> Question:
    if "vendor" not in {*question.by, *(name for name, _ in question.where)}:
        return question
    return msgspec.structs.replace(question, vendors=vendors_of(connection, question.vendors))
