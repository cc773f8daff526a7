"""``/api/keys``: what callers present. A key itself is in one answer only: when it is made or rotated."""

import difflib
from typing import Annotated

from fastapi import FastAPI, Query, Request
from pydantic import BaseModel

from mainstay.api.admin.access import Access, needs, office_of
from mainstay.api.admin.pages import Page, seconds
from mainstay.core.clock import wall_ms
from mainstay.core.errors import InvalidRequest, NotFound
from mainstay.identity.roles import DEFAULT_ORGANISATION, Grant, Permission, Scope, parse_grant
from mainstay.identity.store import KeyRow

__all__ = ["KeyChange", "KeyNew", "KeyRotation", "KeyShown", "add_routes"]


class KeyNew(BaseModel, extra="forbid"):
    """A key to make. ``expires`` is how long it works: ``90d``; ``budget`` US dollars per period: ``20/month``."""

    name: str
    team: str = ""
    routes: list[str] | None = None
    expires: str | None = None
    budget: str | None = None
    rpm: int | None = None
    tpm: int | None = None
    roles: list[str] = []
    """What it may do in the admin API: ``ROLE@SCOPE``, or ``ROLE`` in the key's team (without one, in the
    installation); nothing by default."""


class KeyChange(BaseModel, extra="forbid"):
    """What to change; what is left out stays, null takes a limit away."""

    routes: list[str] | None = None
    expires: str | None = None
    budget: str | None = None
    rpm: int | None = None
    tpm: int | None = None


class KeyRotation(BaseModel, extra="forbid"):
    """How long the old key still works: ``1h``; not at all by default."""

    grace: str | None = None


class KeyShown(BaseModel):
    """A key; times are milliseconds since 1970. ``key`` is there only when it was just made."""

    id: str
    name: str
    hint: str
    team: str
    organisation: str
    routes: list[str] | None
    state: str
    created_at: int
    rotated_at: int | None
    expires_at: int | None
    revoked_at: int | None
    budget: str | None
    rpm: int | None
    tpm: int | None
    key: str | None = None


def add_routes(app: FastAPI) -> None:
    """Add this noun's routes."""
    _add_reading(app)
    _add_changing(app)

    @app.post("/api/keys", tags=["keys"], status_code=201)
    def create_key(
        request: Request, new: KeyNew, access: Annotated[Access, needs(Permission.KEYS_WRITE, scoped=True)]
    ) -> KeyShown:
        """Make a key. The answer is the only one that holds it."""
        office = office_of(request)
        scope = _home(request, access, new.team)
        access.require(scope)
        grants = [parse_grant(text, Scope(team=new.team)) for text in new.roles]
        theirs: list[tuple[Grant, Scope]] = []
        for grant in grants:
            # The key's own team may only be made with it.
            own = new.team and grant.scope.team == new.team
            full = scope if own else office.directory.full(grant.scope)
            access.require(full, Permission.GRANTS_WRITE)
            theirs.append((grant, full))
        access.outrank(theirs)
        minted = office.keys.create(
            new.name,
            team=new.team,
            routes=_routes(request, new.routes),
            lasts=None if new.expires is None else seconds(new.expires, "expires"),
            budget=new.budget,
            rpm=new.rpm,
            tpm=new.tpm,
            grants=grants,
            by=access.actor,
        )
        return _shown(minted.row, scope, minted.key)


def _add_changing(app: FastAPI) -> None:
    @app.patch("/api/keys/{key}", tags=["keys"])
    def change_key(
        request: Request,
        key: str,
        change: KeyChange,
        access: Annotated[Access, needs(Permission.KEYS_WRITE, scoped=True)],
    ) -> KeyShown:
        """Change what a key may call, until when, and its limits."""
        row, scope = _mine(request, access, key)
        values = change.model_dump(exclude_unset=True)
        if "routes" in values:
            values["routes"] = _routes(request, change.routes)
        if "expires" in values:
            ends = values.pop("expires")
            values["expires_at"] = None if ends is None else wall_ms() + round(seconds(ends, "expires") * 1000)
        return _shown(office_of(request).keys.change(row.id, **values, by=access.actor), scope)

    @app.post("/api/keys/{key}/rotate", tags=["keys"])
    def rotate_key(
        request: Request,
        key: str,
        access: Annotated[Access, needs(Permission.KEYS_WRITE, scoped=True)],
        rotation: KeyRotation | None = None,
    ) -> KeyShown:
        """Replace a key by a fresh one of the same name and limits. The answer is the only one that holds it."""
        row, scope = _mine(request, access, key)
        grace = seconds(rotation.grace, "grace") if rotation is not None and rotation.grace else 0.0
        minted = office_of(request).keys.rotate(row.id, grace=grace, by=access.actor)
        return _shown(minted.row, scope, minted.key)

    @app.delete("/api/keys/{key}", tags=["keys"])
    def revoke_key(
        request: Request, key: str, access: Annotated[Access, needs(Permission.KEYS_WRITE, scoped=True)]
    ) -> KeyShown:
        """Revoke a key, for good. Every worker refuses it within a second."""
        row, scope = _mine(request, access, key)
        return _shown(office_of(request).keys.revoke(row.id, by=access.actor), scope)


def _add_reading(app: FastAPI) -> None:
    @app.get("/api/keys", tags=["keys"])
    def list_keys(
        request: Request,
        access: Annotated[Access, needs(Permission.KEYS_READ, scoped=True)],
        team: str | None = None,
        revoked: Annotated[bool, Query(description="Revoked keys too.")] = False,
    ) -> Page[KeyShown]:
        """List the keys that you may see."""
        office = office_of(request)
        scopes = office.directory.scopes()
        rows = ((row, _scope(row.team, scopes)) for row in office.keys.list(revoked=revoked))
        shown = [_shown(row, scope) for row, scope in rows if access.sees(scope) and team in (None, row.team)]
        return Page(data=shown)

    @app.get("/api/keys/{key}", tags=["keys"])
    def get_key(
        request: Request, key: str, access: Annotated[Access, needs(Permission.KEYS_READ, scoped=True)]
    ) -> KeyShown:
        """Return a key, by id or name."""
        return _shown(*_seen(request, access, key))


def _seen(request: Request, access: Access, reference: str) -> tuple[KeyRow, Scope]:
    office = office_of(request)
    missing = NotFound(f"There is no key '{reference[:128]}'.")
    try:
        row = office.keys.find(reference)
    except NotFound:
        raise missing from None
    scope = _scope(row.team, office.directory.scopes())
    access.find(scope, missing)
    return row, scope


def _mine(request: Request, access: Access, reference: str) -> tuple[KeyRow, Scope]:
    """Return a key that may be changed: one with roles only by who has them too, or a key would be a ladder."""
    row, scope = _seen(request, access, reference)
    access.outrank(office_of(request).directory.held("key", row.id))
    return row, scope


def _home(request: Request, access: Access, team: str) -> Scope:
    """Return where a new key will be. A team that is not there is made, by who may make teams."""
    scopes = office_of(request).directory.scopes()
    if team in scopes:
        return scopes[team]
    if not access.may(Permission.TEAMS_WRITE, scopes[""]):
        raise NotFound(f"There is no team '{team[:128]}'.", param="team")
    return Scope(DEFAULT_ORGANISATION, team)


def _scope(team: str, scopes: dict[str, Scope]) -> Scope:
    return scopes.get(team, Scope("", team))


def _routes(request: Request, wanted: list[str] | None) -> tuple[str, ...] | None:
    config = office_of(request).loaded().config
    known = {*config.routes, *config.models}
    for route in wanted or ():
        if route not in known:
            near = difflib.get_close_matches(route, known, 1)
            hint = f"; did you mean '{near[0]}'?" if near else "."
            raise InvalidRequest(f"There is no route '{route[:128]}'{hint}", param="routes")
    return None if wanted is None else tuple(wanted)


def _shown(row: KeyRow, scope: Scope, key: str | None = None) -> KeyShown:
    if row.revoked_at is not None:
        state = "revoked"
    else:
        state = "expired" if row.expires_at is not None and row.expires_at <= wall_ms() else "alive"
    return KeyShown(
        id=row.id,
        name=row.name,
        hint=row.hint,
        team=row.team,
        organisation=scope.organisation,
        routes=None if row.routes is None else list(row.routes),
        state=state,
        created_at=row.created_at,
        rotated_at=row.rotated_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        budget=row.budget,
        rpm=row.rpm,
        tpm=row.tpm,
        key=key,
    )
