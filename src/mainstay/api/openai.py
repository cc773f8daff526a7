"""OpenAI's wire: chat completions and the list of models."""

from asyncio import CancelledError
from collections.abc import Callable

import msgspec
import structlog

from mainstay.api.door import Request, presented_key
from mainstay.api.gate import Gate, Served
from mainstay.core.answer import Answer
from mainstay.core.call import Ask, Call
from mainstay.core.errors import CallerGone, Internal, MainstayError, ModelNotFound
from mainstay.core.events import Dialect
from mainstay.core.record import Content
from mainstay.line.streaming import deliver
from mainstay.providers.openai import OpenAIStreamWriter, read_ask, render_error, wants_legacy, write_whole
from mainstay.telemetry.stage import Observer

__all__ = ["OpenAIEndpoints"]

_log = structlog.get_logger("mainstay.api")
_MAX_CONTENT = 4 * 1024 * 1024
#: What a record keeps of a name that a caller made up.
_MAX_NAME = 200


class OpenAIEndpoints:
    """Serves what the official OpenAI SDKs call.

    Args:
        gate: returns the generation in force.
        observer: settles records.
    """

    def __init__(self, gate: Callable[[], Gate], observer: Observer) -> None:
        self._gate = gate
        self._observer = observer

    async def chat(self, request: Request) -> None:
        """``POST /v1/chat/completions``."""
        try:
            answer, ask = await self._ask(request)
            if answer.whole is not None:
                await self._send_whole(request, answer, ask)
            else:
                await self._send_stream(request, answer, ask)
        except MainstayError as error:
            await self._refuse(request, error)
        except CancelledError:
            # The server cancels this task when the caller's connection is gone.
            request.record.status = 499
            self._observer.settle(request.record, request.started, CallerGone("The caller closed the connection."))
            raise
        except Exception:  # noqa: BLE001  # the outermost boundary: whatever broke, the caller gets an answer
            _log.exception("request_failed", request_id=request.record.request_id)
            await self._refuse(
                request, Internal("Something broke inside Mainstay; the operator finds it by the request id.")
            )

    async def _ask(self, request: Request) -> tuple[Answer, Ask]:
        record = request.record
        gate = self._gate()
        record.config = gate.config_hash
        caller = gate.keys.find(presented_key(request.headers))
        record.key, record.team = caller.name, caller.team
        body = await request.body()
        ask = read_ask(body)
        record.asked, record.stream = ask.model[:_MAX_NAME], ask.stream
        served = gate.find(ask.model, caller)
        record.route = served.name
        if served.keep_content:
            record.content = Content(body.decode("utf-8", "replace")[:_MAX_CONTENT])
        call = Call(
            ask,
            record,
            caller,
            served.name,
            request.upward(),
            request.started,
            request.started + served.timeouts.total,
            served.timeouts,
            request.hops(),
        )
        return await served.line(call), ask

    async def _send_whole(self, request: Request, answer: Answer, ask: Ask) -> None:
        record = request.record
        whole = answer.whole
        assert whole is not None
        if whole.wire and whole.dialect is Dialect.OPENAI:
            data = whole.wire
        else:
            created = record.at // 1000
            legacy = wants_legacy(ask)
            data = write_whole(whole, model=record.target, id=record.id, created=created, legacy_functions=legacy)
        record.status = 200
        record.response_bytes = len(data)
        if record.content is not None:
            record.content.response = data.decode("utf-8", "replace")[:_MAX_CONTENT]
        self._observer.settle(record, request.started)
        await request.respond(200, data, extra=answer.headers)

    async def _send_stream(self, request: Request, answer: Answer, ask: Ask) -> None:
        record = request.record
        assert answer.frames is not None
        record.status = 200
        kept: list[bytes] | None = [] if record.content is not None else None

        def settle(error: MainstayError | None) -> None:
            if kept is not None and record.content is not None:
                record.content.response = b"".join(kept).decode("utf-8", "replace")[:_MAX_CONTENT]
            self._observer.settle(record, request.started, error)

        async def write(data: bytes) -> None:
            if kept is not None:
                kept.append(data)
            await request.write(data)

        writer = OpenAIStreamWriter(
            ask.include_usage,
            model=record.target,
            id=record.id,
            created=record.at // 1000,
            legacy_functions=wants_legacy(ask),
        )
        try:
            await request.open_stream(answer.headers)
            last = await deliver(answer.frames, writer, request.write if kept is None else write, settle)
        finally:
            await answer.frames.aclose()
        await request.close(last)

    async def _refuse(self, request: Request, error: MainstayError) -> None:
        record = request.record
        if record.outcome:
            # Settled already: the answer was on its way when something broke; the connection is cut instead.
            raise error
        record.status = error.status
        body = render_error(error)
        record.response_bytes = len(body)
        self._observer.settle(record, request.started, error)
        await request.respond(error.status, body, error=error)

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
