"""``/api/session/oidc``: to the provider, and back from it with a session."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Annotated

import structlog
from fastapi import FastAPI, Query, Request
from fastapi.responses import RedirectResponse

from mainstay.api.admin.access import cookie_name, office_of, origin_of, public
from mainstay.api.admin.session import set_cookie
from mainstay.core.errors import NotFound, Unauthenticated
from mainstay.identity.oidc import OidcProvider, new_flow, seal, unseal
from mainstay.identity.tokens import Claims, grants_from
from mainstay.runtime.client import LeanTransport

__all__ = ["add_routes"]

_log = structlog.get_logger("mainstay.admin")
_CALLBACK = "/api/session/oidc/callback"
_HOME = "/console"
_LONGEST = 255


def add_routes(app: FastAPI) -> None:
    """Add the pages of single sign-on."""
    provider = _keep()

    @app.get("/api/session/oidc", tags=["session"], dependencies=[public()], status_code=302)
    async def begin_sign_on(
        request: Request,
        return_to: Annotated[str, Query(description="Where to go afterwards: a path of this server.")] = _HOME,
    ) -> RedirectResponse:
        """Go to the provider of single sign-on."""
        flow = new_flow(_own_path(return_to), time.time())
        where = await (await provider(request)).address(flow, origin_of(request) + _CALLBACK)
        response = RedirectResponse(where, 302)
        secure = origin_of(request).startswith("https:")
        # Lax: the browser comes back from elsewhere, by a plain link.
        response.set_cookie(
            cookie_name(request, "login"),
            seal(office_of(request).pepper, flow),
            max_age=600,
            secure=secure,
            httponly=True,
            samesite="lax",
        )
        return response

    @app.get(_CALLBACK, tags=["session"], dependencies=[public()], status_code=302)
    async def finish_sign_on(request: Request) -> RedirectResponse:
        """Come back from the provider."""
        office, name = office_of(request), cookie_name(request, "login")
        flow = unseal(office.pepper, request.cookies.get(name, ""), time.time())
        if flow is None:
            raise Unauthenticated("This sign-in did not begin in this browser, or took too long: sign in again.")
        found = await provider(request)
        claims = await found.finish(flow, request.query_params, origin_of(request) + _CALLBACK)
        agent = request.headers.get("user-agent", "")

        def welcome() -> tuple[str, int]:
            grants = grants_from(claims, found.config)
            issuer, subject = found.config.issuer, claims["sub"]
            person = office.directory.welcome(issuer, subject, _text(claims, "email"), _text(claims, "name"), grants)
            token, row = office.doorkeeper.begin("person", person.id, agent)
            _log.info("signed_in", by=f"person:{person.id}", session=row.id)
            return token, (row.expires_at - row.created_at) // 1000

        token, lasts = await asyncio.to_thread(welcome)
        response = RedirectResponse(flow.return_to, 302)
        response.delete_cookie(name, secure=origin_of(request).startswith("https:"), httponly=True, samesite="lax")
        set_cookie(request, response, token, lasts)
        return response


def _keep() -> Callable[[Request], Awaitable[OidcProvider]]:
    """Return what finds the provider of the configuration in force; one that an edit replaced is let go of."""
    kept: list[OidcProvider] = []

    async def provider(request: Request) -> OidcProvider:
        config = office_of(request).loaded().config.identity.oidc
        if config is None:
            raise NotFound("There is no single sign-on: set identity.oidc in the configuration.")
        if not kept or kept[0].config != config:
            old = kept[:]
            kept[:] = [OidcProvider(config, lambda: LeanTransport(ca_file=config.ca_file), time.time)]
            for other in old:
                await other.aclose()
        return kept[0]

    return provider


def _own_path(path: str) -> str:
    """Return ``path`` if it is one of this server; a browser reads ``//`` and ``/\\`` as another server's."""
    plain = path.isascii() and path.isprintable() and "\\" not in path
    return path if plain and path.startswith("/") and not path.startswith("//") else _HOME


def _text(claims: Claims, name: str) -> str:
    value = claims.get(name)
    return "".join(c for c in value if c.isprintable())[:_LONGEST] if isinstance(value, str) else ""
