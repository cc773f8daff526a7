"""``/api/organisations``: what teams belong to."""

from typing import Annotated

from fastapi import FastAPI, Request
from pydantic import BaseModel

from mainstay.api.admin.access import Access, needs, office_of
from mainstay.api.admin.pages import Deleted, Page
from mainstay.identity.roles import Permission, Scope
from mainstay.identity.store import OrganisationRow

__all__ = ["Organisation", "OrganisationNew", "add_routes"]


class OrganisationNew(BaseModel, extra="forbid"):
    """An organisation to make."""

    name: str
    title: str = ""


class Organisation(BaseModel):
    """An organisation; times are milliseconds since 1970."""

    name: str
    title: str
    created_at: int


def add_routes(app: FastAPI) -> None:
    """Add this noun's routes."""

    @app.get("/api/organisations", tags=["organisations"])
    def list_organisations(
        request: Request, access: Annotated[Access, needs(Permission.ORGANISATIONS_READ, scoped=True)]
    ) -> Page[Organisation]:
        """List the organisations that you may see."""
        directory = office_of(request).directory
        # Whoever sees a team sees where it belongs.
        homes = {scope.organisation for scope in directory.scopes().values() if scope.team and access.sees(scope)}
        found = directory.organisations()
        return Page(data=[_shown(row) for row in found if row.name in homes or access.sees(Scope(row.name))])

    @app.post("/api/organisations", tags=["organisations"], status_code=201)
    def create_organisation(
        request: Request, new: OrganisationNew, access: Annotated[Access, needs(Permission.ORGANISATIONS_WRITE)]
    ) -> Organisation:
        """Make an organisation."""
        return _shown(office_of(request).directory.add_organisation(new.name, new.title, by=access.actor))

    @app.delete("/api/organisations/{name:path}", tags=["organisations"])
    def delete_organisation(
        request: Request, name: str, access: Annotated[Access, needs(Permission.ORGANISATIONS_WRITE)]
    ) -> Deleted:
        """Delete an organisation without teams, and the roles in it."""
        office_of(request).directory.remove_organisation(name, by=access.actor)
        return Deleted(id=name)


def _shown(row: OrganisationRow) -> Organisation:
    return Organisation(name=row.name, title=row.title, created_at=row.created_at)
