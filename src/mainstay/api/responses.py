"""OpenAI's Responses: calls that may continue earlier ones, and the pages that show what is kept.

A response is kept for the team of the key that asked, or for the key itself where it has no team; to everyone else it
does not exist. Workers keep it in key-values of their own, never in the main database.
"""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from urllib.parse import parse_qs

import msgspec
import structlog

from mainstay.api.door import Request, presented_key
from mainstay.api.gate import Gate
from mainstay.core.answer import Whole
from mainstay.core.call import Ask, Caller
from mainstay.core.errors import (
    BodyTooLarge,
    InvalidRequest,
    MainstayError,
    MethodNotAllowed,
    NotFound,
    Unavailable,
)
from mainstay.core.events import Dialect
from mainstay.core.record import Record
from mainstay.line.streaming import StreamWriter
from mainstay.providers.openai import render_error
from mainstay.providers.responses import ResponsesAsk, ResponsesStreamWriter, read_ask, write_whole
from mainstay.providers.responses.history import (
    Stored,
    expand,
    home_of,
    keep,
    output_of,
    references,
)
from mainstay.providers.responses.written import with_previous
from mainstay.store.kv import KeyValues
from mainstay.telemetry.metrics import Counter

__all__ = ["ResponsesKeeper", "ResponsesPages", "ResponsesWire"]

_log = structlog.get_logger("mainstay.api")
#: Bytes of a conversation that may be put together again, and responses of one.
_MOST = 64 * 1024 * 1024
_LONGEST = 2000
_PAGE = 20
_LARGEST_PAGE = 100

_stored = msgspec.json.Decoder(Stored)


class _Named(msgspec.Struct, gc=False):
    id: str = ""


_named = msgspec.json.Decoder(_Named)


class ResponsesWire:
    """Responses, as the official OpenAI SDKs speak them; see :class:`~mainstay.api.calls.CallerWire`."""

    dialect = Dialect.RESPONSES

    def read(self, body: bytes) -> Ask:
        """Return what a request asks, without what it refers to."""
        return read_ask(body)

    def whole(self, whole: Whole, ask: Ask, record: Record) -> bytes:
        """Return a response."""
        assert isinstance(ask, ResponsesAsk)
        return write_whole(whole, ask, model=record.target, id=record.id, created=record.at // 1000)

    def writer(self, ask: Ask, record: Record) -> StreamWriter:
        """Return a writer of events."""
        assert isinstance(ask, ResponsesAsk)
        return ResponsesStreamWriter(ask, model=record.target, id=record.id, created=record.at // 1000)

    def error(self, error: MainstayError, record: Record) -> tuple[int, bytes]:
        """Return OpenAI's envelope."""
        return error.status, render_error(error)


class ResponsesKeeper:
    """Keeps responses and makes whole what refers to them; see :class:`~mainstay.api.calls.Keeper`.

    Args:
        gate: returns the generation in force.
        values: where they are kept.
        unkept: counts answers that could not be kept.
    """

    def __init__(self, gate: Callable[[], Gate], values: KeyValues, unkept: Counter) -> None:
        self._gate = gate
        self._values = values
        self._unkept = unkept

    async def read(self, body: bytes, caller: Caller) -> Ask:
        """Return what a request asks, with the responses and items it refers to in place.

        Raises:
            InvalidRequest: nothing is kept here, or it refers to what is not there.
            NotFound: it continues a response that this caller cannot see.
            Unavailable: what it refers to cannot be looked up now.
        """
        gate = self._gate()
        rules = gate.responses
        ask = read_ask(body, hosted=rules.hosted_tools)
        served = gate.served.get(ask.model)
        ask.stored = ask.stored and rules.store and (served is None or served.keep_responses)
        ask.done_marker = rules.done_marker
        referred = references(body)
        if ask.previous is None and not referred:
            return ask
        if not rules.store:
            raise InvalidRequest(
                "This gateway keeps no responses; send the whole conversation in 'input' instead of referring to it.",
                param="input" if ask.previous is None else "previous_response_id",
            )
        turns = await self._chain(ask.previous, caller) if ask.previous is not None else []
        found = await self._items(referred, turns, caller) if referred else {}
        ask.before = (*(turns[-1].before if turns else ()), *((ask.previous,) if ask.previous else ()))
        ask.raw = expand(body, turns, found)
        if len(ask.raw) > _MOST:
            raise BodyTooLarge(f"The conversation is longer than {_MOST} bytes; begin a new one.")
        return ask

    async def whole(self, ask: Ask, caller: Caller, whole: Whole, data: bytes) -> bytes:
        """Keep an answer before it is sent; see :class:`~mainstay.api.calls.Keeper`."""
        assert isinstance(ask, ResponsesAsk)
        if whole.wire and whole.dialect is Dialect.RESPONSES:
            if b'"allowed_tools"' in ask.raw:
                # Whoever writes an answer looks at this; here it passes.
                ResponsesStreamWriter(ask, model="", id="", created=0).check(whole.events)
            if ask.previous is not None:
                data = with_previous(data, ask.previous)
        await self._keep(ask, caller, data)
        return data

    async def stream(self, ask: Ask, caller: Caller, writer: StreamWriter) -> None:
        """Keep an answer whose stream is complete; one that broke off is not kept."""
        assert isinstance(ask, ResponsesAsk)
        assert isinstance(writer, ResponsesStreamWriter)
        if writer.said:
            await self._keep(ask, caller, writer.said)

    async def _keep(self, ask: ResponsesAsk, caller: Caller, said: bytes) -> None:
        if not ask.stored:
            return
        response_id = _named.decode(said).id
        home = _owner(caller)
        entries = {f"{home}/{response_id}": keep(ask.said, said, response_id, ask.before)}
        for raw in output_of(said):
            item = _named.decode(raw).id
            if item and home_of(item) != response_id:
                # An upstream's own items do not tell whose they are.
                entries[f"{home}/item/{item}"] = response_id.encode()
        try:
            await self._values.put(entries, self._gate().responses.expire, (caller.organisation, caller.team))
        except Unavailable:
            # The answer is good; only what builds on it will not find it.
            self._unkept.add()
            _log.warning("response_not_kept", response=response_id)

    async def _chain(self, last: str, caller: Caller) -> list[Stored]:
        """Return the responses up to ``last``, oldest first.

        Raises:
            NotFound: one of them is not there, or is someone else's.
        """
        home = _owner(caller)
        found: dict[str, Stored] = {}
        order: list[str] = []
        wanted: Sequence[str] = (last,)
        size = 0
        if "/" in last:
            raise _lost(last, "previous_response_id")
        while wanted:
            rows = await self._values.get([f"{home}/{name}" for name in wanted])
            for name in reversed(wanted):
                row = rows.get(f"{home}/{name}")
                if row is None:
                    raise _lost(name, "previous_response_id")
                size += len(row)
                found[name] = _stored.decode(row)
                order.append(name)
            if size > _MOST or len(order) > _LONGEST:
                raise BodyTooLarge("The conversation is too long to be put together again; begin a new one.")
            wanted = found[order[-1]].before
        return [found[name] for name in reversed(order)]

    async def _items(self, ids: Sequence[str], turns: Sequence[Stored], caller: Caller) -> dict[str, msgspec.Raw]:
        """Return those of the items ``ids`` that this caller can see."""
        found = {name: raw for turn in turns for name, raw in _by_id(turn).items()}
        missing = [name for name in dict.fromkeys(ids) if name not in found]
        if not missing:
            return found
        home = _owner(caller)
        homes = {name: own for name in missing if (own := home_of(name)) is not None}
        others = [name for name in missing if name not in homes]
        rows = await self._values.get([f"{home}/item/{name}" for name in others])
        homes |= {name: rows[key].decode() for name in others if (key := f"{home}/item/{name}") in rows}
        kept = await self._values.get(list({f"{home}/{own}" for own in homes.values()}))
        for row in kept.values():
            found |= _by_id(_stored.decode(row))
        return found


class ResponsesPages:
    """``GET``, ``DELETE`` and ``input_items`` of kept responses, and what is refused.

    Args:
        gate: returns the generation in force.
        values: where they are kept.
    """

    def __init__(self, gate: Callable[[], Gate], values: KeyValues) -> None:
        self._gate = gate
        self._values = values

    async def serve(self, request: Request, rest: str) -> None:
        """Answer a request for what follows ``/v1/responses/``.

        Raises:
            NotFound: there is no such response for this key, or no such path.
            InvalidRequest: it asks for what is not done here.
            Unavailable: what is kept cannot be reached.
        """
        caller = self._gate().keys.find(presented_key(request.headers))
        method: str = request.scope["method"]
        name, _, page = rest.partition("/")
        query = parse_qs(request.scope.get("query_string", b"").decode("latin-1"))
        if page == "cancel":
            _need(method, "POST")
            raise InvalidRequest("Only background responses can be cancelled, and nothing runs in the background here.")
        if page == "input_items":
            _need(method, "GET")
            await request.respond(200, _page_of((await self._find(name, caller)).input, query))
        elif page:
            raise NotFound("There is nothing at this path; the HTTP reference lists every path.")
        elif method == "DELETE":
            await self._delete(request, name, caller)
        else:
            _need(method, "GET")
            if query.get("stream", ["false"])[0] == "true":
                raise InvalidRequest("A kept response is not streamed again; leave out 'stream'.", param="stream")
            await request.respond(200, bytes((await self._find(name, caller)).response))

    async def _find(self, name: str, caller: Caller) -> Stored:
        key = f"{_owner(caller)}/{name}"
        row = (await self._values.get([key])).get(key)
        if row is None or "/" in name:
            raise _lost(name, "response_id")
        return _stored.decode(row)

    async def _delete(self, request: Request, name: str, caller: Caller) -> None:
        stored = await self._find(name, caller)
        home = _owner(caller)
        items = [_named.decode(raw).id for raw in output_of(stored.response)]
        await self._values.delete([f"{home}/{name}", *[f"{home}/item/{item}" for item in items if item]])
        await request.respond(200, msgspec.json.encode({"id": name, "object": "response", "deleted": True}))


def _owner(caller: Caller) -> str:
    """Return what the keys of everything kept for ``caller`` begin with: its team's, or its own."""
    said = f"team {caller.team}" if caller.team else f"key {caller.key}"
    # A digest: no name can be made up that reaches into another's.
    return f"response/{blake2b(said.encode(), digest_size=16).hexdigest()}"


def _lost(name: str, param: str) -> NotFound:
    return NotFound(
        f"There is no response '{name[:100]}' for this key; it was never kept, has expired or was deleted.",
        param=param,
        code="response_not_found",
    )


def _need(method: str, allowed: str) -> None:
    if method != allowed and (method, allowed) != ("HEAD", "GET"):
        raise MethodNotAllowed(allowed)


def _by_id(stored: Stored) -> dict[str, msgspec.Raw]:
    items = [*stored.input, *output_of(stored.response)]
    return {name: raw for raw in items if (name := _named.decode(raw).id)}


def _page_of(items: Sequence[msgspec.Raw], query: dict[str, list[str]]) -> bytes:
    """Return the page of ``items`` that ``query`` asks for: the newest first, unless it says otherwise."""
    given = query.get("limit", [str(_PAGE)])[0]
    limit = int(given) if given.isdecimal() and len(given) < 4 else 0
    if not 1 <= limit <= _LARGEST_PAGE:
        raise InvalidRequest(f"'limit' must be from 1 to {_LARGEST_PAGE}.", param="limit")
    order = query.get("order", ["desc"])[0]
    if order not in ("asc", "desc"):
        raise InvalidRequest("'order' must be 'asc' or 'desc'.", param="order")
    listed = [(_named.decode(raw).id, raw) for raw in (items if order == "asc" else reversed(items))]
    if "after" in query:
        names = [name for name, _ in listed]
        if query["after"][0] not in names:
            raise InvalidRequest("'after' is no item of this response; take one from an earlier page.", param="after")
        listed = listed[names.index(query["after"][0]) + 1 :]
    page = listed[:limit]
    body = {
        "object": "list",
        "data": [raw for _, raw in page],
        "first_id": page[0][0] if page else None,
        "last_id": page[-1][0] if page else None,
        "has_more": len(listed) > limit,
    }
    return msgspec.json.encode(body)
