"""``mainstay spend budgets``, ``forecast`` and ``anomalies``: how it stands, where it goes, what is out of line."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from mainstay.cli.options import AsJson, ConfigOption
from mainstay.cli.output import print_json, print_rows
from mainstay.cli.spend_options import (
    By,
    Key,
    Model,
    Organisation,
    Provider,
    Route,
    Since,
    Tag,
    Team,
    User,
    Zone,
    dimensions,
    moment,
    opened_books,
    said,
    short,
)
from mainstay.core.clock import wall_ms
from mainstay.cost.periods import Span

if TYPE_CHECKING:  # loaded when the command runs: the others start without
    from mainstay.cost.anomalies import Judged

__all__ = ["anomalies", "budgets", "forecast"]


def budgets(config: ConfigOption = None, as_json: AsJson = False) -> None:
    """How each budget stands.

    Its limit, what is used, held and left of it, and what is likely at its end.

    Held is what is reserved for calls under way or lent to workers for the next ones. At its end is what a forecast
    from daily spending says, with an 80 % interval; it needs two weeks of history.

    \b
    Examples:
      mainstay spend budgets
      mainstay spend budgets --json
    """
    from mainstay.cost.service import budgets as list_budgets
    from mainstay.cost.service import standing_as_json
    from mainstay.telemetry.gauges import read_gauge

    with opened_books(config) as books:
        told = read_gauge(books.loaded.home / "run" / "metrics", "mainstay_budget_used_ratio")
        used = {(labels[0], labels[1]): ratio for labels, ratio in told.items()}
        found = list_budgets(books.engine, books.loaded.config.cost, used, books.vendors, wall_ms())
    if as_json:
        print_json([standing_as_json(one) for one in found])
        return
    none = "There are no budgets: set 'cost.budgets', or make a key with --budget."
    said(found, none)
    rows = []
    for one in found:
        likely = one.likely
        at_end = "" if likely is None else f"{short(likely.likely)} ({short(likely.low)} to {short(likely.high)})"
        rows.append(
            (
                one.name,
                one.member,
                f"{short(one.limit)} {one.period}",
                short(one.used),
                f"{100 * one.used / one.limit:.0f}%" if one.limit else "",
                short(one.held) if one.held else "",
                short(one.left),
                "" if one.end is None else _day(one.end, one.zone),
                at_end,
                "hard" if one.hard else "soft",
            )
        )
    columns = ("budget", "of", "USD", "used", "", "held", "left", "until", "at its end", "")
    if rows:
        print_rows(columns, rows, none)


def forecast(
    days: Annotated[int, typer.Option(min=1, max=366, help="For so many days, this one among them.")] = 30,
    zone: Zone = "UTC",
    organisation: Organisation = None,
    team: Team = None,
    key: Key = None,
    user: User = None,
    route: Route = None,
    model: Model = None,
    provider: Provider = None,
    tag: Tag = None,
    config: ConfigOption = None,
    as_json: AsJson = False,
) -> None:
    """What the days to come will likely cost.

    With 80 % intervals.

    Made from a level that follows the last weeks and the rhythm of the week. It knows of no launch, no holiday and no
    new price. Two weeks of history are needed.

    \b
    Examples:
      mainstay spend forecast --days 14
      mainstay spend forecast --team web --json
    """
    from mainstay.cost.amounts import dollars
    from mainstay.cost.forecast import LEAST
    from mainstay.cost.service import outlook

    where = {"organisation": organisation, "team": team, "key": key, "user": user, "route": route, "model": model}
    where |= {"provider": provider, "tag": tag}
    with opened_books(config) as books:
        found = outlook(books.engine, books.question((), "0d", "", zone, where), wall_ms(), days)
    points = list(zip(found.starts, found.forecast.days, strict=True)) if found.forecast is not None else []
    known = len(found.history) - next((n for n, amount in enumerate(found.history) if amount), len(found.history))
    reason = f"Spending is known for {known} whole days, and a forecast needs {LEAST}."
    if as_json:
        made: dict[str, Any] = {"zone": zone, "days_known": known, "today_usd": dollars(found.today), "days": None}
        made |= {"total": None, "reason": reason}
        if found.forecast is not None:
            made["days"] = [{"day": _day(start, zone), **_usd(point)} for start, point in points]
            made |= {"total": _usd(found.forecast.total), "reason": ""}
        print_json(made)
        return
    if found.forecast is None:
        typer.echo(reason, err=True)
        return
    rows = [(_day(start, zone), *(short(getattr(point, part)) for part in _PARTS)) for start, point in points]
    rows.append((f"{len(points)} days", *(short(getattr(found.forecast.total, part)) for part in _PARTS)))
    print_rows(("day", "likely USD", "80 %: from", "to"), rows, reason)


def anomalies(
    by: By = "model",
    span: Annotated[Span, typer.Option("--span", help="Judges each of these: day or hour.")] = Span.DAY,
    since: Since = "7d",
    rate: Annotated[float, typer.Option(min=0.0001, max=0.5, help="Share of those shown that may be chance.")] = 0.05,
    zone: Zone = "UTC",
    organisation: Organisation = None,
    team: Team = None,
    key: Key = None,
    route: Route = None,
    model: Model = None,
    provider: Provider = None,
    tag: Tag = None,
    config: ConfigOption = None,
    as_json: AsJson = False,
) -> None:
    """Days or hours that are out of line.

    With the spending of those before.

    Each is compared with the weeks before it, its weekday or hour taken into account, and only what is both unlikely
    and at least one and a half times the usual (or less by as much) is shown.

    \b
    Examples:
      mainstay spend anomalies
      mainstay spend anomalies --by team,model --since 30d
      mainstay spend anomalies --by key --span hour --since 24h --json
    """
    from mainstay.cost.amounts import dollars
    from mainstay.cost.service import anomalies as find_anomalies

    if span not in (Span.DAY, Span.HOUR):
        raise typer.BadParameter("write day or hour.", param_hint="--span")
    where = {"organisation": organisation, "team": team, "key": key, "route": route, "model": model}
    where |= {"provider": provider, "tag": tag}
    names = dimensions(by)
    now = wall_ms()
    start = moment(since, "--since", zone, now)
    with opened_books(config) as books:
        question = books.question(names, "", "", zone, where)
        judged, starts = find_anomalies(books.engine, question, span, start, now, rate)
    made = []
    for one in judged.found:
        when = _day(starts[one.place], zone) if span is Span.DAY else _hour(starts[one.place], zone)
        amounts = {"spent_usd": dollars(round(one.spent)), "usual_usd": dollars(round(one.usual))}
        made.append({str(span): when, **dict(zip(names, one.keys, strict=True)), **amounts, "p": one.p})
    if as_json:
        print_json({"anomalies": made, "judged": judged.looked, "too_little_known": judged.silent, "rate": rate})
        return
    _show(judged, made, [_named(names, one.keys, books.names) for one in judged.found], (str(span), *names))


def _show(judged: "Judged", made: list[dict[str, Any]], named: list[list[str]], columns: tuple[str, ...]) -> None:
    few = f" {judged.silent} groups have too little history to be judged." if judged.silent else ""
    none = f"None of {judged.looked} {columns[0]}s is out of line.{few}"
    said(made, none)
    rows = []
    for one, shown, who in zip(judged.found, made, named, strict=True):
        times = f"{one.spent / one.usual:.1f}" if one.usual else ""
        rows.append((str(shown[columns[0]]), *who, short(one.spent), short(one.usual), times))
    if rows:
        print_rows((*columns, "spent USD", "usual USD", "times"), rows, none)


_PARTS = ("likely", "low", "high")


def _named(by: Sequence[str], values: Sequence[str], names: dict[str, str]) -> list[str]:
    return [names.get(value, value) if name == "key" else value for name, value in zip(by, values, strict=True)]


def _usd(point: Any) -> dict[str, str]:
    from mainstay.cost.amounts import dollars

    return {f"{part}_usd": dollars(round(getattr(point, part))) for part in _PARTS}


def _day(at: int, zone: str) -> str:
    return datetime.fromtimestamp(at / 1000, UTC if zone == "UTC" else ZoneInfo(zone)).strftime("%Y-%m-%d")


def _hour(at: int, zone: str) -> str:
    moment_ = datetime.fromtimestamp(at / 1000, UTC if zone == "UTC" else ZoneInfo(zone))
    return moment_.isoformat(timespec="minutes")
