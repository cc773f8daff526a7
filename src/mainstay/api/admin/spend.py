"""``/api/spend``: what was spent, what will be, and what is out of line; of the teams that one may see.

Amounts are decimal strings of US dollars, exact; times are wall-clock milliseconds.
"""

from datetime import datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import FastAPI, Query, Request

from mainstay.api.admin.access import Access, needs, office_of
from mainstay.api.admin.pages import moment
from mainstay.core.clock import wall_ms
from mainstay.core.errors import InvalidRequest
from mainstay.cost import service
from mainstay.cost.amounts import dollars
from mainstay.cost.anomalies import RATE
from mainstay.cost.audit import differences
from mainstay.cost.forecast import LEAST, Point
from mainstay.cost.periods import Calendar, Span
from mainstay.cost.reports import DIMENSIONS, Question
from mainstay.identity.roles import Permission, Scope
from mainstay.identity.service import key_names
from mainstay.store.sql import reading

__all__ = ["add_routes", "teams_seen"]

_By = Annotated[str, Query(description=f"Sums for each of these, with commas between: {', '.join(DIMENSIONS)}.")]
_Since = Annotated[str, Query(description="From then on: 12h, 30d, or a date or time in the zone.")]
_Until = Annotated[str | None, Query(description="Until then, which is left out.")]
_Zone = Annotated[str, Query(description="Where days begin, such as Europe/Zurich.")]
_Any = Annotated[list[str] | None, Query(description="Only this; may be repeated.")]
_Key = Annotated[list[str] | None, Query(description="Only this key, by its name or id; may be repeated.")]


def add_routes(app: FastAPI) -> None:
    """Add this noun's routes."""
    _add_sums(app)
    _add_forecast(app)
    _add_anomalies(app)
    _add_differences(app)


def _add_sums(app: FastAPI) -> None:
    @app.get("/api/spend", tags=["spend"])
    def get_spend(
        request: Request,
        access: Annotated[Access, needs(Permission.SPEND_READ, scoped=True)],
        by: _By = "model",
        since: _Since = "30d",
        until: _Until = None,
        zone: _Zone = "UTC",
        organisation: _Any = None,
        team: _Any = None,
        key: _Key = None,
        user: _Any = None,
        route: _Any = None,
        model: _Any = None,
        provider: _Any = None,
        vendor: _Any = None,
        tag: _Any = None,
        operation: _Any = None,
    ) -> dict[str, Any]:
        """Return what was spent: calls, tokens, cost, energy, carbon. A fall-back's cost is that of its model."""
        office = office_of(request)
        names = key_names(office.engine)
        where = {"organisation": organisation, "team": team, "key": _ids(key, names), "user": user, "route": route}
        where |= {"model": model, "provider": provider, "vendor": vendor, "tag": tag, "operation": operation}
        question = _question(request, access, by, since, until, zone, where)
        found = service.report(office.engine, question)
        rows = [service.row_as_json(found.by, row, names) for row in found.rows]
        total = service.row_as_json((), found.total, {})
        asked = {"by": found.by, "since": question.since, "until": question.until, "zone": zone}
        return {"object": "spend", **asked, "rows": rows, "total": total}


def _add_forecast(app: FastAPI) -> None:
    @app.get("/api/spend/forecast", tags=["spend"])
    def get_forecast(
        request: Request,
        access: Annotated[Access, needs(Permission.SPEND_READ, scoped=True)],
        days: Annotated[int, Query(ge=1, le=366, description="For so many days, this one among them.")] = 30,
        zone: _Zone = "UTC",
        team: _Any = None,
        key: _Key = None,
        route: _Any = None,
        model: _Any = None,
    ) -> dict[str, Any]:
        """Return what the days to come will likely cost, with 80 % intervals; null where too little is known."""
        office = office_of(request)
        where = {"team": team, "key": _ids(key, key_names(office.engine)), "route": route, "model": model}
        question = _question(request, access, "", "", None, zone, where)
        found = service.outlook(office.engine, question, wall_ms(), days)
        made: dict[str, Any] = {"object": "forecast", "zone": zone, "today_usd": dollars(found.today)}
        if found.forecast is None:
            return made | {"days": None, "total": None, "reason": f"A forecast needs {LEAST} days of history."}
        listed = [{"at": start, **_usd(point)} for start, point in zip(found.starts, found.forecast.days, strict=True)]
        return made | {"days": listed, "total": _usd(found.forecast.total), "reason": ""}


def _add_anomalies(app: FastAPI) -> None:
    @app.get("/api/spend/anomalies", tags=["spend"])
    def get_anomalies(
        request: Request,
        access: Annotated[Access, needs(Permission.SPEND_READ, scoped=True)],
        by: _By = "model",
        span: Literal["day", "hour"] = "day",
        since: _Since = "7d",
        zone: _Zone = "UTC",
        rate: Annotated[float, Query(gt=0, le=0.5, description="Share of those shown that may be chance.")] = RATE,
    ) -> dict[str, Any]:
        """Return days or hours whose spending is out of line with those before."""
        office = office_of(request)
        question = _question(request, access, by, since, None, zone, {})
        start, now = question.since or 0, wall_ms()
        judged, starts = service.anomalies(office.engine, question, Span(span), start, now, rate)
        listed = []
        for one in judged.found:
            amounts = {"spent_usd": dollars(round(one.spent)), "usual_usd": dollars(round(one.usual))}
            listed.append(
                {"at": starts[one.place], **dict(zip(question.by, one.keys, strict=True)), **amounts, "p": one.p}
            )
        return {"object": "list", "data": listed, "judged": judged.looked, "too_little_known": judged.silent}


def _add_differences(app: FastAPI) -> None:
    @app.get("/api/spend/differences", tags=["spend"])
    def get_differences(
        request: Request,
        access: Annotated[Access, needs(Permission.SPEND_READ, scoped=True)],
        since: _Since = "30d",
        until: _Until = None,
    ) -> dict[str, Any]:
        """Return how what providers report compares with the price list, by model."""
        question = _question(request, access, "", since, until, "UTC", {})
        with reading(office_of(request).engine) as connection:
            found = differences(connection, question)
        listed = [
            {
                "provider": one.provider,
                "model": one.model,
                "attempts": one.attempts,
                "reported_usd": dollars(one.reported),
                "computed_usd": dollars(one.computed),
                "difference_usd": dollars(one.reported - one.computed),
            }
            for one in found
        ]
        return {"object": "list", "data": listed}


def teams_seen(request: Request, access: Access) -> tuple[str, ...] | None:
    """Return the teams that may be seen; None for all, those that are gone and calls of no team among them."""
    if access.sees(Scope()):
        return None
    scopes = office_of(request).directory.scopes()
    return tuple(team for team, scope in scopes.items() if access.sees(scope))


def _question(
    request: Request,
    access: Access,
    by: str,
    since: str,
    until: str | None,
    zone: str,
    where: dict[str, list[str] | None],
) -> Question:
    names = tuple(dict.fromkeys(name.strip() for name in by.split(",") if name.strip()))
    for name in names:
        if name not in DIMENSIONS:
            raise InvalidRequest(f"'by' takes {', '.join(DIMENSIONS)}.", param="by")
    try:
        Calendar(zone)
    except ValueError as error:
        raise InvalidRequest(f"{error}.", param="zone") from None
    config = office_of(request).loaded().config
    return Question(
        names,
        _moment(since, "since", zone) if since else None,
        _moment(until, "until", zone) if until else None,
        tuple((name, tuple(values)) for name, values in where.items() if values),
        teams_seen(request, access),
        zone,
        {name: provider.kind for name, provider in config.providers.items()},
    )


def _moment(text: str, param: str, zone: str) -> int:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return moment(text, param)
    return round((found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))).timestamp() * 1000)


def _ids(keys: list[str] | None, names: dict[str, str]) -> list[str] | None:
    return None if keys is None else [*keys, *(id_ for id_, name in names.items() if name in keys)]


def _usd(point: Point) -> dict[str, str]:
    return {f"{part}_usd": dollars(round(getattr(point, part))) for part in point.__struct_fields__}
