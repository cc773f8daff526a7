"""Who may do what at each page: every route says so through one of three helpers, or the app refuses to start.

``needs`` asks for a permission, ``signed_in`` for anyone who is known, ``public`` for nobody. A page whose things lie
in teams says ``needs(…, scoped=True)``: whoever has the permission somewhere comes in, and the page asks ``Access`` of
each thing. Knows HTTP; what roles may do is ``identity.roles``.
"""

from typing import Any

import msgspec
from fastapi import Depends, Request

from mainstay.api.admin.office import Office
from mainstay.core.errors import Forbidden, NotFound, Unauthenticated
from mainstay.identity.roles import INSTALLATION, Grant, Permission, Scope, allowed, allowed_anywhere, dominates
from mainstay.identity.sessions import Principal

__all__ = [
    "Access",
    "Declared",
    "cookie_name",
    "needs",
    "needs_same_site",
    "office_of",
    "origin_of",
    "public",
    "signed_in",
]

_SAFE = ("GET", "HEAD", "OPTIONS")
#: Headers by which a worker says where the request went and came from; it lets no caller's own through.
_HOST = "x-mainstay-host"


class Access(msgspec.Struct, frozen=True):
    """Who asks, and what they may do."""

    principal: Principal
    permission: Permission | None = None

    @property
    def actor(self) -> str:
        """Who asks, as the audit log has it."""
        return f"{self.principal.kind}:{self.principal.id}"

    def may(self, permission: Permission, scope: Scope) -> bool:
        """Return whether ``permission`` is given at ``scope`` (in full)."""
        return allowed(self.principal.grants, permission, scope)

    def sees(self, scope: Scope) -> bool:
        """Return whether the page's own permission is given at ``scope``."""
        return self.permission is not None and self.may(self.permission, scope)

    def require(self, scope: Scope, permission: Permission | None = None) -> None:
        """Go on only if the page's permission (or another) is given at ``scope``.

        Raises:
            Forbidden: it is not.
        """
        wanted = permission or self.permission
        if wanted is None or not self.may(wanted, scope):
            raise _denied(wanted, scope)

    def find(self, scope: Scope, missing: NotFound) -> None:
        """Go on only if a thing at ``scope`` may be seen; else it is as if it were not there.

        Raises:
            NotFound: it may not; ``missing`` itself.
        """
        if not self.sees(scope):
            raise missing

    def outrank(self, theirs: list[tuple[Grant, Scope]]) -> None:
        """Go on only if whoever has ``theirs`` may do nothing that this one may not.

        Raises:
            Forbidden: they may.
        """
        if not dominates(self.principal.grants, theirs):
            raise Forbidden("Its roles reach further than yours; ask an owner.", code="permission_denied")


class Declared:
    """A route's word on who may use it; made by :func:`needs`, :func:`signed_in` and :func:`public`."""

    def __init__(self, permission: Permission | None, *, scoped: bool = False, known: bool = True) -> None:
        self.permission = permission
        self.scoped = scoped
        #: Whether one must be somebody.
        self.known = known

    def __call__(self, request: Request) -> Access | None:
        """Let the request in, and say who it is.

        Raises:
            Unauthenticated: nobody is presented, or nobody who is known.
            Forbidden: the permission is not given, or the request comes from another site's page.
        """
        if not self.known:
            return None
        principal = _principal(request)
        request.state.principal = f"{principal.kind}:{principal.id}"
        if self.permission is not None:
            held = principal.grants
            enough = allowed_anywhere(held, self.permission) if self.scoped else allowed(held, self.permission)
            if not enough:
                raise _denied(self.permission, INSTALLATION)
        return Access(principal, self.permission)

    def describe(self) -> dict[str, Any]:
        """Return what OpenAPI says of it."""
        if self.permission is not None:
            return {"x-mainstay-permission": self.permission.value}
        return {} if self.known else {"security": []}


def needs(permission: Permission, *, scoped: bool = False) -> Any:
    """Declare that a route needs a permission: for the whole installation, or somewhere (``scoped``)."""
    return Depends(Declared(permission, scoped=scoped))


def signed_in() -> Any:
    """Declare that a route is for everyone who is known, whatever their roles."""
    return Depends(Declared(None))


def public() -> Any:
    """Declare that a route is for everyone."""
    return Depends(Declared(None, known=False))


def office_of(request: Request) -> Office:
    """Return what the app works with."""
    office: Office = request.app.state.office
    return office


def origin_of(request: Request) -> str:
    """Return scheme, host and port at which the browser reaches Mainstay."""
    public_url = office_of(request).loaded().config.identity.public_url
    host = request.headers.get(_HOST) or request.headers.get("host") or ""
    return public_url or f"http://{host}"


def cookie_name(request: Request, name: str = "session") -> str:
    """Return the name of a cookie; over https one that browsers take from nobody else and send to nobody else."""
    return f"__Host-mainstay-{name}" if origin_of(request).startswith("https:") else f"mainstay-{name}"


def _principal(request: Request) -> Principal:
    doorkeeper = office_of(request).doorkeeper
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme and scheme.lower() != "bearer":
        raise Unauthenticated("Send the key as 'Authorization: Bearer ms-…' or 'x-api-key: ms-…'.")
    presented = given.strip() or request.headers.get("x-api-key", "").strip()
    if presented:
        return doorkeeper.find(presented)
    cookie = request.cookies.get(cookie_name(request), "")
    if not cookie.startswith("mss-"):
        # A cookie stands for a session; a key is never one.
        return doorkeeper.find("mss-")
    if request.method not in _SAFE:
        needs_same_site(request)
    return doorkeeper.find(cookie)


def needs_same_site(request: Request) -> None:
    """Refuse what a page of another site has the browser send.

    Raises:
        Forbidden: it comes from there, or the browser does not say where it comes from.
    """
    origin = request.headers.get("origin")
    # Browsers say one or the other with everything that changes something.
    same = origin == origin_of(request) if origin else request.headers.get("sec-fetch-site") == "same-origin"
    if not same:
        raise Forbidden(
            "The request comes from another site's page. Behind a proxy, set identity.public_url to the address that "
            "browsers use.",
            code="origin_not_allowed",
        )


def _denied(permission: Permission | None, scope: Scope) -> Forbidden:
    return Forbidden(
        f"This needs the permission '{permission}' ({scope}); ask an owner for a role that has it.",
        code="permission_denied",
    )
