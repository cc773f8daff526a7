"""OpenAI's Files: what callers upload, and what batches wrote for them.

A file is its team's, or its key's where that has no team; to everyone else it does not exist.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO, NamedTuple
from urllib.parse import parse_qs

import msgspec

from mainstay.api.door import Request, presented_key
from mainstay.api.gate import Gate
from mainstay.batches.desk import Desk
from mainstay.batches.port import FileRow
from mainstay.core.call import Caller
from mainstay.core.errors import InvalidRequest, MethodNotAllowed, NotFound

__all__ = ["FilesPages", "Visit", "limit_of", "need", "owner_of", "page_of", "query_of", "visit_of"]

_PURPOSES = ("batch", "assistants", "fine-tune", "vision", "user_data", "evals", "batch_output")
_PAGE = _LARGEST_PAGE = 10_000
_LONGEST_NAME = 255
_PIECE = 512 * 1024


class Visit(NamedTuple):
    """Who asks for what below a path of their own: ``/v1/files/NAME/PAGE``; both are "" for the path itself."""

    caller: Caller
    owner: str
    method: str
    name: str
    page: str


class FilesPages:
    """``/v1/files`` and what is below it.

    Args:
        gate: returns the generation in force.
        desk: where files are kept.
    """

    def __init__(self, gate: Callable[[], Gate], desk: Desk) -> None:
        self._gate = gate
        self._desk = desk

    async def serve(self, request: Request, rest: str) -> None:
        """Answer a request for what follows ``/v1/files``, without its first slash.

        Raises:
            MainstayError: it cannot be done; the message says why.
        """
        _, owner, method, name, page = visit_of(self._gate(), request, rest)
        if not name:
            if method == "POST":
                await self._add(request, owner)
            else:
                need(method, "GET, POST")
                await self._list(request, owner)
        elif page == "content":
            need(method, "GET")
            await _send(request, await self._desk.do(lambda service: service.content(owner, name)))
        elif page:
            raise NotFound("There is nothing at this path; the HTTP reference lists every path.")
        elif method == "DELETE":
            await self._desk.do(lambda service: service.remove_file(owner, name))
            await request.respond(200, msgspec.json.encode({"id": name, "object": "file", "deleted": True}))
        else:
            need(method, "GET, DELETE")
            row = await self._desk.do(lambda service: service.file(owner, name))
            await request.respond(200, msgspec.json.encode(_shown(row)))

    async def _add(self, request: Request, owner: str) -> None:
        form = await request.form()
        purpose = form.field("purpose")
        if purpose not in _PURPOSES[:-1]:
            raise InvalidRequest(f"'purpose' must be one of: {', '.join(_PURPOSES[:-1])}.", param="purpose")
        parts = form.files("file")
        if len(parts) != 1 or parts[0].filename is None:
            raise InvalidRequest("Send one file, with its name, in the field 'file'.", param="file")
        if (form.field("expires_after[anchor]") or "created_at") != "created_at":
            raise InvalidRequest("'expires_after[anchor]' must be 'created_at'.", param="expires_after[anchor]")
        seconds = form.field("expires_after[seconds]")
        if seconds is not None and not (seconds.isdecimal() and len(seconds) < 12):
            raise InvalidRequest("'expires_after[seconds]' must be a whole number.", param="expires_after[seconds]")
        name = _plain(parts[0].filename)
        data = form.raw[parts[0].start : parts[0].end]
        lifetime = None if seconds is None else int(seconds)
        row = await self._desk.do(lambda service: service.add_file(owner, purpose, name, data, lifetime))
        await request.respond(200, msgspec.json.encode(_shown(row)))

    async def _list(self, request: Request, owner: str) -> None:
        query = query_of(request)
        order = query.get("order", "desc")
        if order not in ("asc", "desc"):
            raise InvalidRequest("'order' must be 'asc' or 'desc'.", param="order")
        limit = limit_of(query, _PAGE, _LARGEST_PAGE)
        purpose, after, newest = query.get("purpose"), query.get("after"), order == "desc"
        rows, more = await self._desk.do(
            lambda service: service.files(owner, purpose=purpose, after=after, limit=limit, newest=newest)
        )
        await request.respond(200, page_of([_shown(row) for row in rows], more))


def visit_of(gate: Gate, request: Request, rest: str) -> Visit:
    """Return who asks for what; ``rest`` is what follows the path, without its first slash.

    Raises:
        Unauthenticated: nobody we know.
    """
    caller = gate.keys.find(presented_key(request.headers))
    name, _, page = rest.partition("/")
    return Visit(caller, owner_of(caller), request.scope["method"], name, page)


def owner_of(caller: Caller) -> str:
    """Return whose everything is that ``caller`` makes: its team's, or its own."""
    return f"team/{caller.team}" if caller.team else f"key/{caller.key}"


def need(method: str, allowed: str) -> None:
    """See that ``method`` is one of ``allowed``, where HEAD is as GET.

    Raises:
        MethodNotAllowed: it is not.
    """
    if method not in allowed.split(", ") and not (method == "HEAD" and "GET" in allowed):
        raise MethodNotAllowed(allowed)


def query_of(request: Request) -> Mapping[str, str]:
    """Return the query's fields, the first value of each."""
    found = parse_qs(request.scope.get("query_string", b"").decode("latin-1"))
    return {name: values[0] for name, values in found.items()}


def limit_of(query: Mapping[str, str], usual: int, most: int) -> int:
    """Return how many items a page is to have.

    Raises:
        InvalidRequest: it is no number, or too large.
    """
    given = query.get("limit", str(usual))
    limit = int(given) if given.isdecimal() and len(given) < 7 else 0
    if not 1 <= limit <= most:
        raise InvalidRequest(f"'limit' must be from 1 to {most}.", param="limit")
    return limit


def page_of(items: Sequence[Mapping[str, object]], more: bool) -> bytes:
    """Return a page of a list."""
    first, last = (items[0]["id"], items[-1]["id"]) if items else (None, None)
    page = {"object": "list", "data": items, "first_id": first, "last_id": last, "has_more": more}
    return msgspec.json.encode(page)


def _shown(row: FileRow) -> dict[str, object]:
    return {
        "id": row.id,
        "object": "file",
        "bytes": row.bytes,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "filename": row.filename,
        "purpose": row.purpose,
        "status": "processed",
        "status_details": None,
    }


def _plain(name: str) -> str:
    """Return a file's name without folders and what cannot be shown. It is never the name of a file here."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(c for c in last if c.isprintable())[:_LONGEST_NAME] or "file"


async def _send(request: Request, file: BinaryIO) -> None:
    """Send a file piece by piece, and close it."""
    try:
        await request.open_stream((), b"application/octet-stream")
        while piece := await asyncio.to_thread(file.read, _PIECE):
            await request.write(piece)
        await request.close(b"")
    finally:
        file.close()
