"""``/api/session``: signing in and out, and who one is.

A key is exchanged for a session, so that a browser need not keep it; single sign-on is in ``sign_in``. A session is a
cookie that scripts cannot read, or, when asked for, a bearer token.
"""

from typing import Annotated, Literal

import structlog
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel

from mainstay.api.admin.access import Access, cookie_name, needs_same_site, office_of, origin_of, public, signed_in
from mainstay.core.errors import Unauthenticated
from mainstay.identity.roles import PERMISSIONS, allowed

__all__ = ["Me", "SessionNew", "SessionShown", "SignedOut", "Way", "Ways", "add_routes", "set_cookie"]

_log = structlog.get_logger("mainstay.admin")


class SessionNew(BaseModel, extra="forbid"):
    """What to sign in with, and what to be given: a cookie, or a token to send as a key is sent."""

    key: str
    kind: Literal["cookie", "bearer"] = "cookie"


class SessionShown(BaseModel):
    """A session; ``token`` only if it was asked for. Times are milliseconds since 1970."""

    id: str
    expires_at: int
    token: str | None = None


class Me(BaseModel):
    """Who one is and what one may do; ``permissions`` are those for the whole installation."""

    kind: str
    id: str
    name: str
    email: str
    team: str
    roles: list[str]
    permissions: list[str]
    session: SessionShown | None


class Way(BaseModel):
    """A way to sign in: go to ``url``."""

    kind: Literal["key", "oidc"]
    name: str
    url: str


class Ways(BaseModel):
    """The ways to sign in."""

    data: list[Way]


class SignedOut(BaseModel):
    """Nobody any more."""

    signed_out: Literal[True] = True


def add_routes(app: FastAPI) -> None:
    """Add this noun's routes."""

    @app.get("/api/session", tags=["session"])
    def get_session(request: Request, access: Annotated[Access, signed_in()]) -> Me:
        """Return who you are and what you may do."""
        who = access.principal
        row = office_of(request).doorkeeper.session(who.session) if who.session else None
        held = {permission for grant in who.grants for permission in PERMISSIONS[grant.role]}
        return Me(
            kind=who.kind,
            id=who.id,
            name=who.name,
            email=who.email,
            team=who.team,
            roles=[str(grant) for grant in who.grants],
            permissions=sorted(permission for permission in held if allowed(who.grants, permission)),
            session=None if row is None else SessionShown(id=row.id, expires_at=row.expires_at),
        )

    @app.post("/api/session", tags=["session"], status_code=201, dependencies=[public()])
    def sign_in(request: Request, response: Response, new: SessionNew) -> SessionShown:
        """Sign in with a key that has roles."""
        if new.kind == "cookie":
            # Else a page elsewhere could sign its visitor in as somebody else.
            needs_same_site(request)
        doorkeeper = office_of(request).doorkeeper
        found = doorkeeper.find(new.key)
        if found.session:
            raise Unauthenticated("Sign in with a key: a session cannot begin another one.")
        token, row = doorkeeper.begin("key", found.id, request.headers.get("user-agent", ""))
        _log.info("signed_in", by=f"key:{found.id}", session=row.id)
        if new.kind == "bearer":
            return SessionShown(id=row.id, expires_at=row.expires_at, token=token)
        set_cookie(request, response, token, (row.expires_at - row.created_at) // 1000)
        return SessionShown(id=row.id, expires_at=row.expires_at)

    @app.delete("/api/session", tags=["session"])
    def sign_out(request: Request, response: Response, access: Annotated[Access, signed_in()]) -> SignedOut:
        """End this session. Ends nothing for a key that is used as such."""
        if access.principal.session:
            office_of(request).doorkeeper.end(access.principal.session, by=access.actor)
        response.delete_cookie(
            cookie_name(request), secure=origin_of(request).startswith("https:"), httponly=True, samesite="lax"
        )
        return SignedOut()

    @app.get("/api/session/ways", tags=["session"], dependencies=[public()])
    def list_ways(request: Request) -> Ways:
        """List the ways to sign in."""
        ways = [Way(kind="key", name="Key", url="/api/session")]
        oidc = office_of(request).loaded().config.identity.oidc
        if oidc is not None:
            ways.append(Way(kind="oidc", name=oidc.name, url="/api/session/oidc"))
        return Ways(data=ways)


def set_cookie(request: Request, response: Response, token: str, lasts: int) -> None:
    """Have the browser keep a session for ``lasts`` seconds, out of reach of scripts and of other sites' forms."""
    response.set_cookie(
        cookie_name(request),
        token,
        max_age=lasts,
        secure=origin_of(request).startswith("https:"),
        httponly=True,
        samesite="lax",
    )
