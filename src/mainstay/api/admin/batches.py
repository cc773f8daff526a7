"""``/api/batches``: jobs that work through a file of requests, of every team that you may see."""

from typing import Annotated

from fastapi import FastAPI, Query, Request
from pydantic import BaseModel

from mainstay.api.admin.access import Access, needs, office_of
from mainstay.api.admin.pages import Page
from mainstay.batches.port import BatchRow
from mainstay.batches.store import list_all_batches
from mainstay.identity.roles import Permission, Scope
from mainstay.store.sql import reading

__all__ = ["BatchShown", "add_routes"]


class BatchShown(BaseModel):
    """A batch; times are seconds since 1970, as ``/v1/batches`` has them."""

    id: str
    team: str
    key: str
    endpoint: str
    status: str
    total: int
    completed: int
    failed: int
    created_at: int
    expires_at: int
    completed_at: int | None


def add_routes(app: FastAPI) -> None:
    """Add this noun's routes."""

    @app.get("/api/batches", tags=["batches"])
    def list_batches(
        request: Request,
        access: Annotated[Access, needs(Permission.BATCHES_READ, scoped=True)],
        status: str | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
        after: Annotated[str | None, Query(description="Go on after this batch's id.")] = None,
    ) -> Page[BatchShown]:
        """List batches, newest first."""
        office = office_of(request)
        scopes = office.directory.scopes()
        teams = {row.id: row.team for row in office.keys.list(revoked=True)}
        owners = None
        if not access.sees(Scope()):
            seen = {team for team, scope in scopes.items() if access.sees(scope)}
            owners = [f"team/{team}" for team in seen if team]
            owners += [f"key/{key}" for key, team in teams.items() if not team and "" in seen]
        with reading(office.engine) as connection:
            rows = list_all_batches(connection, owners=owners, status=status, after=after, limit=limit + 1)
        shown = [_shown(row) for row in rows[:limit]]
        return Page(data=shown, has_more=len(rows) > limit, last=shown[-1].id if shown else None)


def _shown(row: BatchRow) -> BatchShown:
    return BatchShown(
        id=row.id,
        team=row.owner.removeprefix("team/") if row.owner.startswith("team/") else "",
        key=row.key,
        endpoint=row.endpoint,
        status=row.status,
        total=row.total,
        completed=row.completed,
        failed=row.failed,
        created_at=row.created_at,
        expires_at=row.expires_at,
        completed_at=row.completed_at,
    )
