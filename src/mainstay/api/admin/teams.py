"""``/api/teams``: what keys belong to."""

from typing import Annotated

from fastapi import FastAPI, Request
from pydantic import BaseModel

from mainstay.api.admin.access import Access, needs, office_of
from mainstay.api.admin.pages import Deleted, Page
from mainstay.core.errors import NotFound
from mainstay.identity.roles import DEFAULT_ORGANISATION, Permission, Scope
from mainstay.identity.store import TeamRow

__all__ = ["Team", "TeamNew", "add_routes"]


class TeamNew(BaseModel, extra="forbid"):
    """A team to make."""

    name: str
    organisation: str = DEFAULT_ORGANISATION
    title: str = ""


class Team(BaseModel):
    """A team; times are milliseconds since 1970."""

    name: str
    organisation: str
    title: str
    created_at: int


def add_routes(app: FastAPI) -> None:
    """Add this noun's routes."""

    @app.get("/api/teams", tags=["teams"])
    def list_teams(
        request: Request, access: Annotated[Access, needs(Permission.TEAMS_READ, scoped=True)]
    ) -> Page[Team]:
        """List the teams that you may see."""
        found = office_of(request).directory.teams()
        return Page(data=[_shown(row) for row in found if access.sees(_scope(row))])

    @app.post("/api/teams", tags=["teams"], status_code=201)
    def create_team(
        request: Request, new: TeamNew, access: Annotated[Access, needs(Permission.TEAMS_WRITE, scoped=True)]
    ) -> Team:
        """Make a team in an organisation."""
        # By a role for the organisation: one for a team of that name, left from elsewhere, is not enough.
        access.require(Scope(new.organisation))
        return _shown(office_of(request).directory.add_team(new.name, new.organisation, new.title, by=access.actor))

    @app.get("/api/teams/{name:path}", tags=["teams"])
    def get_team(
        request: Request, name: str, access: Annotated[Access, needs(Permission.TEAMS_READ, scoped=True)]
    ) -> Team:
        """Return a team."""
        return _shown(_found(request, access, name))

    @app.delete("/api/teams/{name:path}", tags=["teams"])
    def delete_team(
        request: Request, name: str, access: Annotated[Access, needs(Permission.TEAMS_WRITE, scoped=True)]
    ) -> Deleted:
        """Delete a team without living keys, and the roles in it."""
        row = _found(request, access, name)
        access.require(Scope(row.organisation))
        office_of(request).directory.remove_team(name, by=access.actor)
        return Deleted(id=name)


def _found(request: Request, access: Access, name: str) -> TeamRow:
    row = office_of(request).directory.team(name)
    access.find(_scope(row), NotFound(f"There is no team '{name[:128]}'.", param="team"))
    return row


def _scope(row: TeamRow) -> Scope:
    return Scope(row.organisation, row.name)


def _shown(row: TeamRow) -> Team:
    return Team(name=row.name, organisation=row.organisation, title=row.title, created_at=row.created_at)
