"""The ASGI application: finds the endpoint for a path, and answers in JSON when there is none.

Pure ASGI, no middleware: one dictionary look-up stands between the server and the endpoint.
"""

from collections.abc import Awaitable, Callable

import msgspec

from mainstay.api.anthropic import AnthropicPages, AnthropicWire, CountWire
from mainstay.api.calls import CallerWire, Calls
from mainstay.api.door import Receive, Request, Scope, Send
from mainstay.api.gate import Gate
from mainstay.api.health import HealthEndpoints
from mainstay.api.openai import OpenAIPages, OpenAIWire
from mainstay.core.clock import monotonic
from mainstay.core.errors import MainstayError, MethodNotAllowed, NotFound
from mainstay.core.record import Record
from mainstay.telemetry.stage import Observer

__all__ = ["Api"]

Endpoint = Callable[[Request], Awaitable[None]]
_MODEL = "/v1/models/"
_MESSAGES = "/v1/messages"


class _Asked(msgspec.Struct, frozen=True):
    """A path that asks a model; what a record says of its calls, and who serves them."""

    operation: str
    dialect: str
    serve: Endpoint


class Api:
    """The gateway as an ASGI application.

    ``calls`` are endpoints that ask a model: they open and settle a record themselves. ``pages`` are all others.

    Args:
        gate: returns the generation in force.
        observer: settles records and counts pages.
        health: answers for the process.
    """

    def __init__(self, gate: Callable[[], Gate], observer: Observer, health: HealthEndpoints) -> None:
        self._observer = observer
        self._openai, self._anthropic = OpenAIPages(gate), AnthropicPages(gate)
        self._wires: dict[str, CallerWire] = {"openai": OpenAIWire(), "anthropic": AnthropicWire()}

        def asked(operation: str, wire: CallerWire) -> _Asked:
            return _Asked(operation, wire.dialect.value, Calls(gate, observer, wire).serve)

        self.calls = {
            "/v1/chat/completions": asked("chat", self._wires["openai"]),
            _MESSAGES: asked("chat", self._wires["anthropic"]),
            f"{_MESSAGES}/count_tokens": asked("count_tokens", CountWire()),
        }
        self.pages: dict[str, Endpoint] = {
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
                await found.serve(Request(scope, receive, send, path, found.operation, found.dialect))
            finally:
                in_flight.add(-1.0)
        else:
            await self._page(scope, receive, send, path)

    async def _page(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        page = self.pages.get(path)
        known = page is not None or path in self.calls or path == _MODEL[:-1]
        route = path if known else _MODEL + "{id}" if path.startswith(_MODEL) else "_OTHER"
        request = Request(scope, receive, send, route, "page", "openai")
        if b"anthropic-version" in request.headers or path.startswith(_MESSAGES):
            request.record.dialect = "anthropic"
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
                await self._models(request, path)
        except MainstayError as error:
            code = error.code
            allow = [(b"allow", error.allow.encode())] if isinstance(error, MethodNotAllowed) else []
            status, body = self._wires[request.record.dialect].error(error, request.record)
            await request.respond(status, body, extra=allow, error=error)
        finally:
            seconds = monotonic() - request.started
            self._observer.count_page(scope["method"], route, request.record.status, seconds, code)

    async def _models(self, request: Request, path: str) -> None:
        pages = self._anthropic if request.record.dialect == "anthropic" else self._openai
        if path == _MODEL[:-1]:
            await pages.models(request)
        else:
            await pages.model(request, path[len(_MODEL) :])

    def refused(self, error: MainstayError, started: float, method: str, path: str) -> str | None:
        """Record a request that the server refused before there was a scope: too large, too slow, not HTTP.

        Returns the record's request id, which goes out with the refusal, or None when no call was meant.
        """
        found = self.calls.get(path)
        if found is None:
            return None
        record = Record.opened(found.operation, method, path)
        record.dialect = found.dialect
        record.status = error.status
        self._observer.settle(record, started, error)
        return record.request_id
