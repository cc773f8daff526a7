"""Puts the admin API together: the pages of every noun, errors in one envelope, the OpenAPI document.

A route that does not declare who may use it makes :func:`build` fail: nothing is open by oversight.
"""

from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

import msgspec
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from mainstay import __version__
from mainstay.api.admin import (
    batches,
    budgets,
    cache,
    config,
    entries,
    grants,
    keys,
    knowledge,
    models,
    organisations,
    people,
    processes,
    records,
    reviews,
    session,
    sign_in,
    spend,
    teams,
)
from mainstay.api.admin.access import Declared, public
from mainstay.api.admin.office import Office
from mainstay.core.errors import Internal, InvalidRequest, MainstayError, MethodNotAllowed, NotFound, Unavailable
from mainstay.core.record import Record
from mainstay.providers.openai.errors import render

__all__ = ["Admin", "build", "declared"]

_log = structlog.get_logger("mainstay.admin")
#: Every noun has one module with ``add_routes(app)``.
_NOUNS = (
    *(session, sign_in, organisations, teams, people, grants, keys, models, config, records, processes, batches),
    *(spend, budgets, entries, reviews, knowledge, cache),
)
_HEADERS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
_SAFE = ("GET", "HEAD", "OPTIONS")

Message = MutableMapping[str, Any]


def build(office: Office) -> FastAPI:
    """Return the app.

    Raises:
        LookupError: a route does not say who may use it.
    """
    app = FastAPI(
        title="Mainstay",
        version=__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        exception_handlers={
            MainstayError: _refused,
            RequestValidationError: _misread,
            HTTPException: _unknown,
            SQLAlchemyError: _database,
            Exception: _broken,
        },
    )
    app.state.office = office
    for noun in _NOUNS:
        noun.add_routes(app)
    _add_document(app)
    for route in app.routes:
        word = declared(route)
        if word is None:
            raise LookupError(f"{getattr(route, 'path', route)} does not say who may use it; see api/admin/access.py.")
        assert isinstance(route, APIRoute)
        route.openapi_extra = {**(route.openapi_extra or {}), **word.describe()}
    return app


def declared(route: object) -> Declared | None:
    """Return what a route says of who may use it; None when it says nothing, or more than one thing."""
    if not isinstance(route, APIRoute):
        return None
    words = [inner.call for inner in route.dependant.dependencies if isinstance(inner.call, Declared)]
    return words[0] if len(words) == 1 else None


class Admin:
    """The app as the server runs it: what every answer carries, and a line in the log for every change."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Answer one request. A fault of the app is told of by the server."""
        status = 0
        given = dict(scope["headers"])
        request_id = given.get(b"x-request-id", b"")

        async def carry(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", ()), *_HEADERS]
                if request_id:
                    headers.append((b"x-request-id", request_id))
                message = {**message, "headers": headers}
            await send(message)

        scope.setdefault("state", {})
        try:
            await self._app(scope, receive, carry)
        finally:
            by = scope["state"].get("principal")
            # What nobody in particular tried is in the counts of requests, and would fill the log.
            if by and scope["method"] not in _SAFE:
                _log.info(
                    "admin_change",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    by=by,
                    client=given.get(b"x-mainstay-client", b"").decode("latin-1"),
                    request_id=request_id.decode("latin-1"),
                )


def _add_document(app: FastAPI) -> None:
    document: dict[str, Any] = {}

    @app.get("/api/openapi.json", include_in_schema=False, dependencies=[public()])
    def openapi() -> Response:
        """Return this description."""
        if not document:
            document.update(_describe(app))
        return Response(msgspec.json.encode(document), media_type="application/json")


def _describe(app: FastAPI) -> dict[str, Any]:
    found = get_openapi(
        title="Mainstay admin API",
        version=__version__,
        description="Organisations, teams, people, roles, keys, records, spending and the running system. "
        'Every error has the envelope `{"error": {message, type, param, code}}`.',
        routes=app.routes,
    )
    components = found.setdefault("components", {})
    components["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key with roles, or a session's token."},
        "session": {"type": "apiKey", "in": "cookie", "name": "mainstay-session"},
    }
    found["security"] = [{"key": []}, {"session": []}]
    _, ours = msgspec.json.schema_components([Record], ref_template="#/components/schemas/{name}")
    components.setdefault("schemas", {}).update(ours)
    for operation in _operations(found):
        operation["responses"].pop("422", None)
        operation["responses"]["default"] = {"$ref": "#/components/responses/Error"}
    components["responses"] = {
        "Error": {"description": "An error.", "content": {"application/json": {"schema": _ERROR}}}
    }
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    return found


_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": "string"},
            },
        }
    },
}


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from path.values()


# Errors: whatever it was, one envelope.


def _answer(error: MainstayError) -> Response:
    headers = {}
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    if error.status in (429, 503):
        headers["retry-after"] = str(max(1, round(error.retry_after or 1)))
    if isinstance(error, MethodNotAllowed):
        headers["allow"] = error.allow
    return Response(render(error), error.status, headers, "application/json")


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, MainstayError)
    return _answer(error)


async def _misread(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    # The first part says where it was: body, query or path.
    where = ".".join(str(part) for part in first["loc"][1:] if not isinstance(part, int)) or None
    said = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "json_invalid":
        return _answer(InvalidRequest("The body is not valid JSON."))
    return _answer(InvalidRequest(f"{where or 'The body'}: {said[:1].lower()}{said[1:]}.", param=where))


async def _unknown(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        found = (route for route in request.app.routes if route.path_regex.match(request.url.path))
        return _answer(MethodNotAllowed(", ".join(sorted({method for route in found for method in route.methods}))))
    if error.status_code == 404:
        path = request.url.path[:200]
        return _answer(NotFound(f"There is nothing at {path}; GET /api/openapi.json lists every path."))
    return _answer(InvalidRequest("The request cannot be read.", status=error.status_code))


async def _database(_: Request, error: Exception) -> Response:
    _log.error("database_fails", reason=type(getattr(error, "orig", None) or error).__name__)
    return _answer(Unavailable("The database does not answer; try again shortly."))


async def _broken(_: Request, error: Exception) -> Response:
    return _answer(Internal("Mainstay failed to answer; try again, and report the request id if it persists."))
