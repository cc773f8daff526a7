"""The ASGI application: finds the endpoint for a path, and answers in JSON when there is none.

Pure ASGI, no middleware: one dictionary look-up stands between the server and the endpoint.
"""

from collections.abc import Awaitable, Callable

from mainstay.api.door import Receive, Request, Scope, Send
from mainstay.api.health import HealthEndpoints
from mainstay.api.openai import OpenAIEndpoints
from mainstay.core.clock import monotonic
from mainstay.core.errors import MainstayError, MethodNotAllowed, NotFound
from mainstay.core.record import Record
from mainstay.providers.openai import render_error
from mainstay.telemetry.stage import Observer

__all__ = ["Api"]

Endpoint = Callable[[Request], Awaitable[None]]
_MODEL = "/v1/models/"


class Api:
    """The gateway as an ASGI application.

    ``calls`` are endpoints that ask a model: they open and settle a record themselves. ``pages`` are all others.
    """

    def __init__(self, openai: OpenAIEndpoints, health: HealthEndpoints, observer: Observer) -> None:
        self._openai = openai
        self._observer = observer
        self.calls: dict[str, tuple[str, Endpoint]] = {"/v1/chat/completions": ("chat", openai.chat)}
        self.pages: dict[str, Endpoint] = {
            "/v1/models": openai.models,
            "/health/live": health.live,
            "/health/ready": health.ready,
            "/metrics": health.metrics,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        found = self.calls.get(path)
        if found is not None and scope["method"] == "POST":
            in_flight = self._observer.in_flight
            in_flight.add(1.0)
            try:
                await found[1](Request(scope, receive, send, path, found[0], "openai"))
            finally:
                in_flight.add(-1.0)
        else:
            await self._page(scope, receive, send, path)

    async def _page(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        page = self.pages.get(path)
        known = page is not None or path in self.calls
        route = path if known else _MODEL + "{id}" if path.startswith(_MODEL) else "_OTHER"
        request = Request(scope, receive, send, route, "page", "openai")
        code = ""
        try:
            if path in self.calls:
                raise MethodNotAllowed("POST")
            if route == "_OTHER":
                raise NotFound(f"There is nothing at {path[:200]}; the HTTP reference lists every path.")
            if scope["method"] not in ("GET", "HEAD"):
                raise MethodNotAllowed("GET")
            if page is not None:
                await page(request)
            else:
                await self._openai.model(request, path[len(_MODEL) :])
        except MainstayError as error:
            code = error.code
            allow = [(b"allow", error.allow.encode())] if isinstance(error, MethodNotAllowed) else []
            await request.respond(error.status, render_error(error), extra=allow, error=error)
        finally:
            seconds = monotonic() - request.started
            self._observer.count_page(scope["method"], route, request.record.status, seconds, code)

    def refused(self, error: MainstayError, started: float, method: str, path: str) -> str | None:
        """Record a request that the server refused before there was a scope: too large, too slow, not HTTP.

        Returns the record's request id, which goes out with the refusal, or None when no call was meant.
        """
        found = self.calls.get(path)
        if found is None:
            return None
        record = Record.opened(found[0], method, path)
        record.status = error.status
        self._observer.settle(record, started, error)
        return record.request_id
