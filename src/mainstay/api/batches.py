"""OpenAI's Batches: jobs that work through a file of requests; see ``mainstay.batches`` for who does the work."""

from collections.abc import Callable
from typing import Literal

import msgspec

from mainstay.api.door import Request
from mainstay.api.files import limit_of, need, page_of, query_of, visit_of
from mainstay.api.gate import Gate
from mainstay.batches.desk import Desk
from mainstay.batches.port import BatchRow
from mainstay.core.errors import InvalidRequest, NotFound

__all__ = ["BatchesPages"]

#: What rows may ask: everything whose requests and answers are JSON.
_ENDPOINTS = (
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/messages",
    "/v1/embeddings",
    "/v1/completions",
    "/v1/moderations",
    "/v1/rerank",
    "/v1/images/generations",
)
_PAGE, _LARGEST_PAGE = 20, 100
_MOST_METADATA, _LONGEST_KEY, _LONGEST_VALUE = 16, 64, 512
_FINISHED = ("completed", "failed", "expired", "cancelled")
_TIMES = ("in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled")


class _Life(msgspec.Struct, frozen=True):
    anchor: Literal["created_at"]
    seconds: int


class _New(msgspec.Struct, frozen=True):
    input_file_id: str
    endpoint: str
    completion_window: str
    metadata: dict[str, str] | None = None
    output_expires_after: _Life | None = None


_new = msgspec.json.Decoder(_New)


class BatchesPages:
    """``/v1/batches`` and what is below it.

    Args:
        gate: returns the generation in force.
        desk: where batches are kept.
    """

    def __init__(self, gate: Callable[[], Gate], desk: Desk) -> None:
        self._gate = gate
        self._desk = desk

    async def serve(self, request: Request, rest: str) -> None:
        """Answer a request for what follows ``/v1/batches``, without its first slash.

        Raises:
            MainstayError: it cannot be done; the message says why.
        """
        caller, owner, method, name, page = visit_of(self._gate(), request, rest)
        if not name and method == "POST":
            asked = _read(await request.body())
            lifetime = asked.output_expires_after.seconds if asked.output_expires_after is not None else None
            row = await self._desk.do(
                lambda service: service.add_batch(
                    owner,
                    caller.key,
                    endpoint=asked.endpoint,
                    input_file_id=asked.input_file_id,
                    window=asked.completion_window,
                    metadata=asked.metadata,
                    lifetime=lifetime,
                )
            )
        elif not name:
            need(method, "GET, POST")
            query = query_of(request)
            limit, after = limit_of(query, _PAGE, _LARGEST_PAGE), query.get("after")
            rows, more = await self._desk.do(lambda service: service.batches(owner, after=after, limit=limit))
            await request.respond(200, page_of([_shown(row) for row in rows], more))
            return
        elif page == "cancel":
            need(method, "POST")
            row = await self._desk.do(lambda service: service.cancel(owner, name))
        elif page:
            raise NotFound("There is nothing at this path; the HTTP reference lists every path.")
        else:
            need(method, "GET")
            row = await self._desk.do(lambda service: service.batch(owner, name))
        await request.respond(200, msgspec.json.encode(_shown(row)))


def _read(body: bytes) -> _New:
    try:
        asked = _new.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"The batch cannot be read: {error}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidRequest("The body is not valid JSON.") from None
    if asked.endpoint not in _ENDPOINTS:
        raise InvalidRequest(f"'endpoint' must be one of: {', '.join(_ENDPOINTS)}.", param="endpoint")
    given = asked.metadata or {}
    if len(given) > _MOST_METADATA or any(
        len(key) > _LONGEST_KEY or len(value) > _LONGEST_VALUE for key, value in given.items()
    ):
        raise InvalidRequest(
            f"'metadata' has at most {_MOST_METADATA} entries, keys of {_LONGEST_KEY} and values of {_LONGEST_VALUE} "
            "characters.",
            param="metadata",
        )
    return asked


def _shown(row: BatchRow) -> dict[str, object]:
    finished = row.status in _FINISHED
    return {
        "id": row.id,
        "object": "batch",
        "endpoint": row.endpoint,
        "errors": None if row.errors is None else msgspec.Raw(row.errors.encode()),
        "input_file_id": row.input_file_id,
        "completion_window": row.completion_window,
        "status": row.status,
        # Named before they are there, so that a crash between cannot make two of one.
        "output_file_id": row.output_file_id if finished else None,
        "error_file_id": row.error_file_id if finished else None,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        **{f"{state}_at": getattr(row, f"{state}_at") for state in _TIMES},
        "request_counts": {"total": row.total, "completed": row.completed, "failed": row.failed},
        "metadata": None if row.metadata is None else msgspec.Raw(row.metadata.encode()),
    }
