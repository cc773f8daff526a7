"""OpenAI's wire: chat completions and the list of models."""

from collections.abc import Callable

import msgspec

from mainstay.api.door import Request, presented_key
from mainstay.api.gate import Gate, Served
from mainstay.core.answer import Whole
from mainstay.core.call import Ask
from mainstay.core.errors import MainstayError, ModelNotFound
from mainstay.core.events import Dialect
from mainstay.core.record import Record
from mainstay.line.streaming import StreamWriter
from mainstay.providers.openai import OpenAIStreamWriter, read_ask, render_error, wants_legacy, write_whole

__all__ = ["OpenAIPages", "OpenAIWire"]


#: Asks some servers for the usage so far in every chunk.
_RUNNING = b'"continuous_usage_stats"'


class OpenAIWire:
    """Chat completions, as the official OpenAI SDKs speak them; see :class:`~mainstay.api.calls.CallerWire`."""

    dialect = Dialect.OPENAI

    def read(self, body: bytes) -> Ask:
        """Return what a request asks."""
        return read_ask(body)

    def whole(self, whole: Whole, ask: Ask, record: Record) -> bytes:
        """Return a chat completion."""
        created = record.at // 1000
        legacy = wants_legacy(ask)
        return write_whole(whole, model=record.target, id=record.id, created=created, legacy_functions=legacy)

    def writer(self, ask: Ask, record: Record) -> StreamWriter:
        """Return a writer of chunks."""
        return OpenAIStreamWriter(
            ask.include_usage,
            model=record.target,
            id=record.id,
            created=record.at // 1000,
            legacy_functions=wants_legacy(ask),
            running_usage=ask.include_usage and _RUNNING in ask.raw,
        )

    def error(self, error: MainstayError, record: Record) -> tuple[int, bytes]:
        """Return OpenAI's envelope."""
        return error.status, render_error(error)


class OpenAIPages:
    """What the official OpenAI SDKs ask beside calls.

    Args:
        gate: returns the generation in force.
    """

    def __init__(self, gate: Callable[[], Gate]) -> None:
        self._gate = gate

    async def models(self, request: Request) -> None:
        """``GET /v1/models``: what this key may call."""
        gate, visible = self._visible(request)
        data = [_model(served, gate.created) for served in visible]
        await request.respond(200, msgspec.json.encode({"object": "list", "data": data}))

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


def _model(served: Served, created: int) -> dict[str, object]:
    return {"id": served.name, "object": "model", "created": created, "owned_by": served.owned_by}
