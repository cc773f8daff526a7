"""``/api/grants`` and ``/api/roles``: who may do what."""

from typing import Annotated, Literal

from fastapi import FastAPI, Request
from pydantic import BaseModel

from mainstay.api.admin.access import Access, needs, office_of, signed_in
from mainstay.api.admin.pages import Deleted, Page
from mainstay.core.errors import NotFound
from mainstay.identity.roles import PERMISSIONS, Permission, Role, Scope, parse_grant
from mainstay.identity.store import GrantRow

__all__ = ["GrantNew", "GrantShown", "RoleShown", "add_routes"]


class GrantNew(BaseModel, extra="forbid"):
    """A role to give to a person (by id or email) or a key (by id or name)."""

    kind: Literal["person", "key"]
    holder: str
    role: str
    """``ROLE@SCOPE``; a scope is ``installation``, ``organisation:NAME`` or ``team:NAME``."""


class GrantShown(BaseModel):
    """A role that somebody has; ``source`` is ``manual``, or ``oidc`` when the provider's groups give it."""

    id: str
    kind: str
    holder: str
    role: str
    scope: str
    source: str
    created_by: str
    created_at: int


class RoleShown(BaseModel):
    """A role and what it may do."""

    name: str
    permissions: list[str]


def add_routes(app: FastAPI) -> None:
    """Add this noun's routes."""

    @app.get("/api/roles", tags=["grants"])
    def list_roles(access: Annotated[Access, signed_in()]) -> Page[RoleShown]:
        """List the roles that there are."""
        return Page(data=[RoleShown(name=role, permissions=sorted(PERMISSIONS[role])) for role in Role])

    @app.get("/api/grants", tags=["grants"])
    def list_grants(
        request: Request, access: Annotated[Access, needs(Permission.GRANTS_READ, scoped=True)]
    ) -> Page[GrantShown]:
        """List who has which role, as far as you may see."""
        directory = office_of(request).directory
        scopes = directory.scopes()
        found = directory.grants()
        return Page(data=[_shown(row) for row in found if access.sees(_scope(row, scopes))])

    @app.post("/api/grants", tags=["grants"], status_code=201)
    def create_grant(
        request: Request, new: GrantNew, access: Annotated[Access, needs(Permission.GRANTS_WRITE, scoped=True)]
    ) -> GrantShown:
        """Give a role. Giving it again changes nothing."""
        directory = office_of(request).directory
        grant = parse_grant(new.role)
        scope = directory.full(grant.scope)
        access.require(scope)
        access.outrank([(grant, scope)])
        return _shown(directory.grant(new.kind, new.holder, grant, access.actor))

    @app.delete("/api/grants/{grant}", tags=["grants"])
    def delete_grant(
        request: Request, grant: str, access: Annotated[Access, needs(Permission.GRANTS_WRITE, scoped=True)]
    ) -> Deleted:
        """Take a role away; one that the provider's groups give comes back when the person signs in again."""
        directory = office_of(request).directory
        missing = NotFound(f"There is no grant '{grant[:128]}'.")
        row = next((row for row in directory.grants() if row.id == grant), None)
        if row is None:
            raise missing
        access.find(_scope(row, directory.scopes()), missing)
        directory.take(grant, by=access.actor)
        return Deleted(id=grant)


def _scope(row: GrantRow, scopes: dict[str, Scope]) -> Scope:
    return scopes.get(row.team, Scope("", row.team)) if row.team else Scope(row.organisation)


def _shown(row: GrantRow) -> GrantShown:
    return GrantShown(
        id=row.id,
        kind=row.holder_kind,
        holder=row.holder,
        role=row.role,
        scope=str(Scope(row.organisation, row.team)),
        source=row.source,
        created_by=row.created_by,
        created_at=row.created_at,
    )
