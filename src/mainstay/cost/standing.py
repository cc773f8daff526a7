"""How every budget stands: its limit, what is used and held of it, until when, and what is likely by then.

What is used stands in the books; what is held only the ledger's process knows, which says so while it runs. Budgets
come from the configuration and from keys; one with ``per`` has a line for each member that has spent anything.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection, select

from mainstay.cost.config import BudgetConfig, CostConfig, read_amount
from mainstay.cost.forecast import Point, forecast
from mainstay.cost.periods import Calendar, Span
from mainstay.cost.reports import Question, costs
from mainstay.cost.store import metadata, spent
from mainstay.cost.windows import Bucket, Window, describe

__all__ = ["KeyBudget", "Standing", "daily", "standings"]

#: Days of history that a forecast is made from.
_HISTORY: Final = 84
#: Windows that are worth a forecast by days.
_LONG: Final = frozenset({"week", "month", "year"})
_balances = metadata.tables["balances"]


class KeyBudget(msgspec.Struct, frozen=True):
    """The budget that stands on a key: ``20/month``."""

    id: str
    name: str
    budget: str
    team: str = ""


class Standing(msgspec.Struct, frozen=True):
    """One budget of one member; amounts in units of 1e-12 US dollars, times in wall-clock ms.

    ``held`` is reserved for calls under way, or lent to workers for the next ones; nothing while no gateway runs.
    ``likely`` is what will have been used at the end, with its 80 % interval; None where it cannot be said.
    """

    name: str
    member: str
    series: str
    #: The values of ``per``, and the teams that it is about, if that can be said.
    members: tuple[str, ...]
    period: str
    zone: str
    limit: int
    used: int
    held: int
    hard: bool
    start: int
    #: None for what has no end, or ends with each moment.
    end: int | None
    likely: Point | None = None
    #: Whom it is of, where it is of one team or one key.
    team: str | None = None
    key: str | None = None

    @property
    def left(self) -> int:
        """What may still be spent."""
        return max(0, self.limit - self.used - self.held)


class _Rule(msgspec.Struct, frozen=True):
    """A budget with the name that its accounts begin with."""

    name: str
    row: BudgetConfig
    key: KeyBudget | None = None


def standings(
    connection: Connection,
    config: CostConfig,
    keys: Sequence[KeyBudget],
    used: Mapping[tuple[str, str], float],
    now: int,
    *,
    names: Mapping[str, str],
    vendors: Mapping[str, str],
) -> list[Standing]:
    """Return how each budget stands at ``now``.

    ``used`` is the part of each account that is used or held, by name and members, as the ledger's process tells while
    it runs; ``names`` the name of each key by its id.
    """
    found = []
    rules = [_Rule(name, row) for name, row in config.budgets.items()]
    rules += [_Rule(f"key:{key.id}", _of_key(key), key) for key in keys]
    for rule in rules:
        window = rule.row.window
        bucket = window.bucket(now)
        buckets = _buckets(window, bucket)
        likely = _likely(connection, rule, window, bucket, now, names, vendors)
        for series in _series(connection, rule, window, buckets):
            parts = series.split("|")[1]
            amount = sum(spent(connection, series, buckets).values())
            held = _held(used.get((rule.name, parts), 0.0), rule.row.limit.picousd, amount)
            found.append(_standing(rule, series, window, bucket, amount, held, likely))
    return found


def daily(
    connection: Connection, question: Question, now: int, days: int = _HISTORY
) -> tuple[dict[tuple[str, ...], list[int]], list[int]]:
    """Return what each group of ``question`` cost on each of the whole days before the one of ``now``, and their
    starts; a day on which nothing was spent has 0."""
    calendar = Calendar(question.zone)
    today = calendar.start(Span.DAY, now)
    starts = list(calendar.spans(Span.DAY, calendar.back(days, now), today))
    place = {calendar.name(Span.DAY, start): n for n, start in enumerate(starts)}
    asked = msgspec.structs.replace(question, by=("day", *question.by), since=starts[0], until=today)
    found: dict[tuple[str, ...], list[int]] = {}
    for (day, *group), amount in costs(connection, asked).items():
        found.setdefault(tuple(group), [0] * len(starts))[place[day]] += amount
    return found, starts


def _held(ratio: float, limit: int, amount: int) -> int:
    held = round(ratio * limit) - amount
    # A ratio is only so exact.
    return held if held > limit // 10**12 else 0


def _of_key(key: KeyBudget) -> BudgetConfig:
    return BudgetConfig(limit=read_amount(key.budget), key=key.name)


def _buckets(window: Window, bucket: Bucket) -> tuple[str, ...]:
    if window.pieces == 1:
        return (bucket.name,)
    return tuple(str(int(bucket.name) - back) for back in range(window.pieces))


def _series(connection: Connection, rule: _Rule, window: Window, buckets: Iterable[str]) -> list[str]:
    """Return the accounts of a rule that anything was spent of; the one of a rule that all share, in any case."""
    over = f"{window.count}{window.period}" if window.rolling else window.period
    if not rule.row.per:
        return [f"{rule.name}||usd|{over}"]
    query = select(_balances.c.series).where(_balances.c.bucket.in_(list(buckets))).distinct()
    begin, end = f"{rule.name}|", f"|usd|{over}"
    every = connection.execute(query).scalars()
    return sorted(series for series in every if series.startswith(begin) and series.endswith(end))


def _standing(
    rule: _Rule,
    series: str,
    window: Window,
    bucket: Bucket,
    amount: int,
    held: int,
    likely: Mapping[tuple[str, ...], Point],
) -> Standing:
    row = rule.row
    parts = tuple(series.split("|")[1].split("/")) if row.per else ()
    of = dict(row.match) | dict(zip(row.per, parts, strict=False))
    to_come = likely.get(parts)
    if to_come is not None:
        to_come = Point(*(amount + getattr(to_come, name) for name in Point.__struct_fields__))
    ends = bool(window.period) and not window.rolling
    return Standing(
        name=rule.name if rule.key is None else "key",
        member=" of ".join(f"{name} {value}" for name, value in zip(row.per, parts, strict=False))
        or (f"key {rule.key.name}" if rule.key is not None else ""),
        series=series,
        members=parts,
        period=describe(window),
        zone=window.zone,
        limit=row.limit.picousd,
        used=amount,
        held=held,
        hard=row.hard,
        start=bucket.start - (bucket.end - bucket.start) * (window.pieces - 1),
        end=bucket.end if ends else None,
        likely=to_come,
        team=rule.key.team if rule.key is not None else of.get("team"),
        key=of.get("key"),
    )


def _likely(
    connection: Connection,
    rule: _Rule,
    window: Window,
    bucket: Bucket,
    now: int,
    names: Mapping[str, str],
    vendors: Mapping[str, str],
) -> dict[tuple[str, ...], Point]:
    """Return what each member will likely spend from now to the end of the period."""
    if window.rolling or window.period not in _LONG:
        return {}
    row = rule.row
    where: list[tuple[str, tuple[str, ...]]] = []
    for name, value in row.match:
        ids: list[str] = [value]
        if name == "key":
            ids = [rule.key.id] if rule.key is not None else [key for key, known in names.items() if known == value]
        where.append((name, tuple(ids)))
    question = Question(row.per, where=tuple(where), zone=window.zone, vendors=vendors)
    history, _ = daily(connection, question, now)
    joined: dict[tuple[str, ...], list[int]] = {}
    for group, amounts in history.items():
        member = tuple(names.get(v, v) if n == "key" else v for n, v in zip(row.per, group, strict=True))
        # A key that was made anew under its name counts with the old one.
        known = joined.setdefault(member, [0] * len(amounts))
        joined[member] = [one + other for one, other in zip(known, amounts, strict=True)]
    calendar = Calendar(window.zone)
    shares = []
    for start in calendar.spans(Span.DAY, now, bucket.end):
        end = calendar.end(Span.DAY, start)
        shares.append((end - max(start, now)) / (end - start))
    weekday = calendar.weekday(now)
    made = {member: forecast(amounts, weekday, shares) for member, amounts in joined.items()}
    return {member: one.total for member, one in made.items() if one is not None}
