"""The ASGI application: finds the endpoint for a path, and answers in JSON when there is none.

Pure ASGI, no middleware: one dictionary look-up stands between the server and the endpoint.
"""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from mainstay.api.anthropic import AnthropicPages, AnthropicWire, CountWire
from mainstay.api.audio import SpeechWire, TranscriptWire
from mainstay.api.batches import BatchesPages
from mainstay.api.calls import CallerWire, Calls, Keeper
from mainstay.api.completions import CompletionsWire
from mainstay.api.door import Receive, Request, Scope, Send
from mainstay.api.embeddings import EmbeddingsWire
from mainstay.api.files import FilesPages
from mainstay.api.gate import Gate
from mainstay.api.health import HealthEndpoints
from mainstay.api.images import ImageEditsWire, ImagesWire
from mainstay.api.knowledge import KnowledgePages, Reader
from mainstay.api.mcp import McpEndpoint
from mainstay.api.mcp_tool import AskWire
from mainstay.api.moderations import ModerationsWire
from mainstay.api.openai import OpenAIPages, OpenAIWire
from mainstay.api.passing import Passing
from mainstay.api.rerank import RerankWire
from mainstay.api.responses import ResponsesKeeper, ResponsesPages, ResponsesWire
from mainstay.api.reviews import ReviewsPages
from mainstay.batches.desk import Desk
from mainstay.core.clock import monotonic
from mainstay.core.errors import MainstayError, MethodNotAllowed, NotFound
from mainstay.core.events import Dialect
from mainstay.core.record import Record
from mainstay.core.target import Operation
from mainstay.governance.reviews import ReviewQueue
from mainstay.store.kv import KeyValues, NullKeyValues
from mainstay.telemetry.stage import Observer

__all__ = ["Api"]

Endpoint = Callable[[Request], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]
_MODEL = "/v1/models/"
_MESSAGES = "/v1/messages"
_RESPONSES = "/v1/responses"
_FILES, _BATCHES, _REVIEWS, _KNOWLEDGE = "/v1/files", "/v1/batches", "/v1/reviews", "/v1/knowledge"
_MCP = "/mcp"
#: Paths with names below them, and the pages of each name.
_PAGES = {_RESPONSES: ("", "cancel", "input_items"), _FILES: ("", "content"), _BATCHES: ("", "cancel"), _REVIEWS: ("",)}
_PAGES[_KNOWLEDGE] = ()
#: What the control process answers, and all that is below.
_ADMIN = ("/api", "/console")
_RERANK = ("/v1/rerank", "/v2/rerank", "/rerank")


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
        values: where responses are kept.
        desk: where files and batches are kept, None where that is switched off.
        passing: passes on what the control process answers.
        reviews: knows how requests stand that wait for a person.
        knowledge: opens what answers cite.
    """

    def __init__(
        self,
        gate: Callable[[], Gate],
        observer: Observer,
        health: HealthEndpoints,
        values: KeyValues | None = None,
        desk: Desk | None = None,
        passing: Passing | None = None,
        reviews: ReviewQueue | None = None,
        knowledge: Reader | None = None,
    ) -> None:
        self._observer = observer
        self._passing = passing
        self._openai, self._anthropic = OpenAIPages(gate), AnthropicPages(gate)
        self._wires: dict[str, CallerWire] = {"openai": OpenAIWire(), "anthropic": AnthropicWire()}
        self._wires |= {"responses": ResponsesWire(), "cohere": RerankWire(), "mcp": AskWire(None)}
        values = values if values is not None else NullKeyValues()
        keeper = ResponsesKeeper(gate, values, observer.unkept)
        #: Who answers for what is below a path, and for the path itself unless it asks a model.
        self._below = {_RESPONSES: ResponsesPages(gate, values).serve}
        if desk is not None:
            self._below |= {_FILES: FilesPages(gate, desk).serve, _BATCHES: BatchesPages(gate, desk).serve}
        if reviews is not None:
            self._below[_REVIEWS] = ReviewsPages(gate, reviews).serve
        if knowledge is not None:
            self._below[_KNOWLEDGE] = KnowledgePages(gate, knowledge).serve

        def asked(operation: str, wire: CallerWire, keeper: Keeper | None = None) -> _Asked:
            # Completions are told from conversations by their operation.
            dialect = "openai" if wire.dialect is Dialect.COMPLETIONS else wire.dialect.value
            return _Asked(operation, dialect, Calls(gate, observer, wire, keeper).serve)

        self.calls = {
            "/v1/chat/completions": asked("chat", self._wires["openai"]),
            _MESSAGES: asked("chat", self._wires["anthropic"]),
            f"{_MESSAGES}/count_tokens": asked("count_tokens", CountWire()),
            _RESPONSES: asked("chat", self._wires["responses"], keeper),
            **{path: asked(operation, wire) for path, operation, wire in _other_wires(self._wires["cohere"])},
            _MCP: _Asked("chat", "mcp", McpEndpoint(gate, observer).serve),
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
        route = path if known else _route_of(path)
        request = Request(scope, receive, send, route, "page", "openai")
        request.record.dialect = "anthropic" if b"anthropic-version" in request.headers else _dialect_of(path)
        code = ""
        try:
            if path in self.calls:
                raise MethodNotAllowed("POST")
            if route in _ADMIN and self._passing is not None:
                request.record.status = await self._passing.serve(scope, receive, send, request.id_header)
                return
            top = _top_of(path)
            below = self._below.get(top)
            if below is not None:
                await below(request, path[len(top) + 1 :])
                return
            if route == "_OTHER" or route in _ADMIN or top in _PAGES:
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

    def refused(self, error: MainstayError, started: float, method: str, path: str, request_id: str) -> None:
        """Record a request that the server refused before there was a scope, if a call was meant: too large, say."""
        found = self.calls.get(path)
        if found is None:
            return
        record = Record.opened(found.operation, method, path)
        record.request_id = request_id
        record.dialect = found.dialect
        record.status, _ = self._wires[found.dialect].error(error, record)
        self._observer.settle(record, started, error)

    def refusal(self, error: MainstayError, path: str, request_id: str) -> tuple[int, bytes, Headers]:
        """Return status, body and further headers of what the server answers itself, in the dialect of ``path``."""
        dialect = _dialect_of(path)
        record = Record(request_id, request_id, 0, dialect=dialect)
        status, body = self._wires[dialect].error(error, record)
        # Where that vendor's SDK looks for it.
        return status, body, ((b"request-id", request_id.encode()),) if dialect == "anthropic" else ()


def _other_wires(rerank: CallerWire) -> tuple[tuple[str, Operation, CallerWire], ...]:
    """Return every path that asks a model for something else than a conversation."""
    return (
        ("/v1/completions", Operation.COMPLETION, CompletionsWire()),
        ("/v1/embeddings", Operation.EMBEDDING, EmbeddingsWire()),
        ("/v1/moderations", Operation.MODERATION, ModerationsWire()),
        ("/v1/audio/transcriptions", Operation.TRANSCRIPTION, TranscriptWire(Operation.TRANSCRIPTION)),
        ("/v1/audio/translations", Operation.TRANSLATION, TranscriptWire(Operation.TRANSLATION)),
        ("/v1/audio/speech", Operation.SPEECH, SpeechWire()),
        ("/v1/images/generations", Operation.IMAGE, ImagesWire()),
        ("/v1/images/edits", Operation.IMAGE_EDIT, ImageEditsWire()),
        *((path, Operation.RERANK, rerank) for path in _RERANK),
    )


def _route_of(path: str) -> str:
    """Return the pattern that a path with a name in it is of, for metrics; ``_OTHER`` when there is none."""
    top = _top_of(path)
    for admin in _ADMIN:
        if path == admin or path.startswith(f"{admin}/"):
            return admin
    if top in _PAGES:
        name, _, page = path[len(top) + 1 :].partition("/")
        if top == _KNOWLEDGE and page.startswith("passages/"):
            return f"{top}/{{base}}/passages/{{id}}"
        page = f"/{page}" if page in _PAGES[top] else "/_OTHER"
        return f"{top}/{{id}}{page.rstrip('/')}" if name or page != "/" else top
    return _MODEL + "{id}" if path.startswith(_MODEL) else "_OTHER"


def _top_of(path: str) -> str:
    """Return the first two parts of a path: ``/v1/files`` of ``/v1/files/ID/content``."""
    return "/".join(path.split("/", 3)[:3])


def _dialect_of(path: str) -> str:
    """Return the dialect that a path belongs to, whether there is such a path or not."""
    if path in _RERANK:
        return "cohere"
    if path == _MCP:
        return "mcp"
    return "anthropic" if path == _MESSAGES or path.startswith(f"{_MESSAGES}/") else "openai"
