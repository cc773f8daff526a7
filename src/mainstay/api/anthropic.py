"""Anthropic's wire: messages, the counting of tokens, and the list of models."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qs

import msgspec

from mainstay.api.door import Request, presented_key
from mainstay.api.gate import Gate, Served
from mainstay.core.answer import Whole
from mainstay.core.call import Ask
from mainstay.core.errors import InvalidRequest, MainstayError, ModelNotFound
from mainstay.core.events import Dialect
from mainstay.core.prompt import ToolResultPart
from mainstay.core.record import Record
from mainstay.line.streaming import StreamWriter
from mainstay.providers.anthropic import (
    AnthropicStreamWriter,
    estimate,
    read_ask,
    read_count,
    render_error,
    status_of,
    write_count,
    write_whole,
)

__all__ = ["AnthropicPages", "AnthropicWire", "CountWire"]

_PAGE = 20
#: What a body has in it where documents are to be cited.
_CITED = b'"citations"'
_LARGEST_PAGE = 1000


class AnthropicWire:
    """Messages, as the official Anthropic SDKs speak them; see :class:`~mainstay.api.calls.CallerWire`."""

    dialect = Dialect.ANTHROPIC

    def read(self, body: bytes) -> Ask:
        """Return what a request asks."""
        return read_ask(body)

    def whole(self, whole: Whole, ask: Ask, record: Record) -> bytes:
        """Return a message."""
        return write_whole(whole, model=record.target, id=record.id, uncited=_is_uncited(ask, record))

    def writer(self, ask: Ask, record: Record) -> StreamWriter:
        """Return a writer of events."""
        uncited = _is_uncited(ask, record)
        return AnthropicStreamWriter(model=record.target, id=record.id, request_id=record.request_id, uncited=uncited)

    def error(self, error: MainstayError, record: Record) -> tuple[int, bytes]:
        """Return Anthropic's envelope."""
        return status_of(error), render_error(error, record.request_id)


def _is_uncited(ask: Ask, record: Record) -> bool:
    """Whether the caller's own documents are to be cited, and a vendor answers that was given them as text."""
    if record.vendor == "anthropic" or _CITED not in ask.raw:
        return False
    return any(
        b"true" in bytes(getattr(part, "extra", {}).get("citations", b""))
        for message in ask.prompt.messages
        for one in message.parts
        for part in (one.content if isinstance(one, ToolResultPart) else (one,))
    )


class CountWire(AnthropicWire):
    """The counting of tokens, whose answers are of this wire wherever they are made."""

    def read(self, body: bytes) -> Ask:
        """Return what a request asks: to count, and not to answer."""
        return read_count(body)

    def whole(self, whole: Whole, ask: Ask, record: Record) -> bytes:
        """Return an estimate: what answered in place of an upstream, a route's last words, is no count."""
        return write_count(estimate(ask.prompt))


class AnthropicPages:
    """What the official Anthropic SDKs ask beside calls.

    Args:
        gate: returns the generation in force.
    """

    def __init__(self, gate: Callable[[], Gate]) -> None:
        self._gate = gate

    async def models(self, request: Request) -> None:
        """``GET /v1/models``: what this key may call, in pages (``limit``, ``after_id``, ``before_id``)."""
        gate, visible = self._visible(request)
        page, more = _cut(visible, parse_qs(request.scope.get("query_string", b"").decode("latin-1")))
        body = {
            "data": [_model(served, gate.created) for served in page],
            "has_more": more,
            "first_id": page[0].name if page else None,
            "last_id": page[-1].name if page else None,
        }
        await request.respond(200, msgspec.json.encode(body))

    async def model(self, request: Request, name: str) -> None:
        """``GET /v1/models/{id}``."""
        gate, visible = self._visible(request)
        for served in visible:
            if served.name == name:
                await request.respond(200, msgspec.json.encode(_model(served, gate.created)))
                return
        raise ModelNotFound(f"There is no model or route named '{name[:200]}' for this key.", param="model")

    def _visible(self, request: Request) -> tuple[Gate, list[Served]]:
        gate = self._gate()
        caller = gate.keys.find(presented_key(request.headers))
        return gate, gate.visible(caller)


def _cut(served: Sequence[Served], query: dict[str, list[str]]) -> tuple[Sequence[Served], bool]:
    """Return the page that ``query`` asks for, and whether there are more in its direction."""
    given = query.get("limit", [str(_PAGE)])[0]
    limit = int(given) if given.isdecimal() and len(given) < 6 else 0
    if not 1 <= limit <= _LARGEST_PAGE:
        raise InvalidRequest(f"'limit' must be from 1 to {_LARGEST_PAGE}.", param="limit")
    names = [one.name for one in served]
    if "before_id" in query:
        before = served[: _place(names, query, "before_id")]
        return before[-limit:], len(before) > limit
    after = served[_place(names, query, "after_id") + 1 :] if "after_id" in query else served
    return after[:limit], len(after) > limit


def _place(names: Sequence[str], query: dict[str, list[str]], field: str) -> int:
    name = query[field][0]
    if name not in names:
        raise InvalidRequest(f"'{field}' is no model of this list; take one from an earlier page.", param=field)
    return names.index(name)


def _model(served: Served, created: int) -> dict[str, object]:
    return {
        "type": "model",
        "id": served.name,
        "display_name": served.name,
        "created_at": datetime.fromtimestamp(created, UTC).isoformat().replace("+00:00", "Z"),
        "lifecycle": "active",
    }
