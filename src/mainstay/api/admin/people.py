"""``/api/people``: who has signed in."""

from typing import Annotated

from fastapi import FastAPI, Request
from pydantic import BaseModel

from mainstay.api.admin.access import Access, needs, office_of
from mainstay.api.admin.pages import Page
from mainstay.core.errors import InvalidRequest
from mainstay.identity.roles import Permission
from mainstay.identity.store import PersonRow

__all__ = ["Person", "add_routes"]


class Person(BaseModel):
    """A person, as the provider describes them; times are milliseconds since 1970."""

    id: str
    email: str
    name: str
    issuer: str
    state: str
    roles: list[str]
    created_at: int
    seen_at: int | None


def add_routes(app: FastAPI) -> None:
    """Add this noun's routes."""

    @app.get("/api/people", tags=["people"])
    def list_people(request: Request, access: Annotated[Access, needs(Permission.PEOPLE_READ)]) -> Page[Person]:
        """List the people who have signed in."""
        return Page(data=[_shown(request, row) for row in office_of(request).directory.people()])

    @app.get("/api/people/{person}", tags=["people"])
    def get_person(request: Request, person: str, access: Annotated[Access, needs(Permission.PEOPLE_READ)]) -> Person:
        """Return a person, by id or email."""
        return _shown(request, office_of(request).directory.person(person))

    @app.post("/api/people/{person}/disable", tags=["people"])
    def disable_person(
        request: Request, person: str, access: Annotated[Access, needs(Permission.PEOPLE_WRITE)]
    ) -> Person:
        """Let a person in no more and end their sessions."""
        return _shown(request, _changed(request, access, person, again=False))

    @app.post("/api/people/{person}/enable", tags=["people"])
    def enable_person(
        request: Request, person: str, access: Annotated[Access, needs(Permission.PEOPLE_WRITE)]
    ) -> Person:
        """Let a person in again."""
        return _shown(request, _changed(request, access, person, again=True))


def _changed(request: Request, access: Access, reference: str, *, again: bool) -> PersonRow:
    directory = office_of(request).directory
    row = directory.person(reference)
    if access.principal.kind == "person" and access.principal.id == row.id:
        raise InvalidRequest("You cannot do this to yourself; ask an owner.", code="own_account")
    access.outrank(directory.held("person", row.id))
    return directory.disable(row.id, again=again, by=access.actor)


def _shown(request: Request, row: PersonRow) -> Person:
    held = office_of(request).directory.held("person", row.id)
    return Person(
        id=row.id,
        email=row.email,
        name=row.name,
        issuer=row.issuer,
        state="disabled" if row.disabled_at is not None else "active",
        roles=[str(grant) for grant, _ in held],
        created_at=row.created_at,
        seen_at=row.seen_at,
    )
