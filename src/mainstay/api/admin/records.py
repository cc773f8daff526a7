"""``/api/records``: what was asked, of whom, and how it went. Content is for who may read content."""

from typing import Annotated, Any, Literal

import msgspec
from fastapi import FastAPI, Query, Request, Response

from mainstay.api.admin.access import Access, needs, office_of
from mainstay.api.admin.office import Office
from mainstay.api.admin.pages import moment
from mainstay.core.errors import NotFound
from mainstay.core.record import Record
from mainstay.governance.ring import SealRing
from mainstay.identity.roles import Permission, Scope
from mainstay.identity.service import key_names
from mainstay.telemetry import service
from mainstay.telemetry.store import RecordFilter

__all__ = ["add_routes"]

_ONE: dict[str, Any] = {"$ref": "#/components/schemas/Record"}
_MANY = {
    "type": "object",
    "properties": {
        "object": {"const": "list"},
        "data": {"type": "array", "items": _ONE},
        "has_more": {"type": "boolean"},
        "last": {"type": ["string", "null"]},
    },
}


def _answers(schema: dict[str, Any], what: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": what, "content": {"application/json": {"schema": schema}}}}


def add_routes(app: FastAPI) -> None:
    """Add this noun's routes."""

    @app.get("/api/records", tags=["records"], response_class=Response, responses=_answers(_MANY, "Newest first."))
    def list_records(
        request: Request,
        access: Annotated[Access, needs(Permission.RECORDS_READ, scoped=True)],
        since: Annotated[str | None, Query(description="Not older than this: 15m, 7d, or a time.")] = None,
        until: Annotated[str | None, Query(description="Older than this: 15m, 7d, or a time.")] = None,
        route: str | None = None,
        model: str | None = None,
        key: Annotated[str | None, Query(description="The key's name or id.")] = None,
        team: str | None = None,
        outcome: Literal["ok", "refused", "failed", "gone"] | None = None,
        status: int | None = None,
        error: str | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
        before: Annotated[str | None, Query(description="Go on after this record's id.")] = None,
    ) -> Response:
        """List records without content, newest first, of the teams that you may see."""
        office = office_of(request)
        where = RecordFilter(
            since=moment(since, "since") if since else None,
            until=moment(until, "until") if until else None,
            route=route,
            target=model,
            keys=_aliases(key, key_names(office.engine)) if key else (),
            team=team,
            teams=_teams(access, office.directory.scopes()),
            outcome=outcome,
            status=status,
            error=error,
        )
        found = service.list_records(office.engine, where, limit=limit + 1, before=before)
        shown = found[:limit]
        page = {
            "object": "list",
            "data": [_whole(record) for record in shown],
            "has_more": len(found) > limit,
            "last": shown[-1].id if shown else None,
        }
        return Response(msgspec.json.encode(page), media_type="application/json")

    @app.get(
        "/api/records/{record}", tags=["records"], response_class=Response, responses=_answers(_ONE, "The record.")
    )
    def get_record(
        request: Request, record: str, access: Annotated[Access, needs(Permission.RECORDS_READ, scoped=True)]
    ) -> Response:
        """Return a record by its id or request id; with its content if you may read content."""
        office = office_of(request)
        missing = NotFound(f"There is no record '{record[:128]}'.")
        found = service.get_record(office.engine, record, _ring(office).seal)
        if found is None:
            raise missing
        scope = office.directory.scopes().get(found.team, Scope("", found.team))
        access.find(scope, missing)
        if not access.may(Permission.CONTENT_READ, scope):
            found.content = None
        return Response(msgspec.json.encode(_whole(found)), media_type="application/json")


def _ring(office: Office) -> SealRing:
    """Return the keys that content is sealed with, as they are now."""
    ring = SealRing(office.home, office.loaded().config.governance.sealing)
    ring.refresh()
    return ring


def _teams(access: Access, scopes: dict[str, Scope]) -> tuple[str, ...] | None:
    """Return the teams whose records may be seen, None for all, those of teams that are gone too."""
    if access.sees(Scope()):
        return None
    return tuple(team for team, scope in scopes.items() if access.sees(scope))


def _aliases(key: str, names: dict[str, str]) -> tuple[str, ...]:
    return (key, *(id_ for id_, name in names.items() if name == key))


def _whole(record: Record) -> dict[str, Any]:
    """Return every field, defaults too: who reads it should not have to guess."""
    return {name: getattr(record, name) for name in record.__struct_fields__}
