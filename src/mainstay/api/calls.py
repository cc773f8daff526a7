"""A call from the socket to the line and back, whatever the caller's dialect.

Reads what is asked, takes it down the line, sends the answer whole or as a stream, and settles the record exactly once
on every path. What a dialect's bytes look like is its :class:`CallerWire`'s.
"""

from asyncio import CancelledError
from collections.abc import Callable
from typing import Protocol

import structlog

from mainstay.api.door import Request, presented_key
from mainstay.api.gate import Gate
from mainstay.core.answer import Answer, Whole
from mainstay.core.call import Ask, Call
from mainstay.core.errors import CallerGone, Internal, MainstayError
from mainstay.core.events import Dialect
from mainstay.core.record import Content, Record
from mainstay.line.streaming import StreamWriter, deliver
from mainstay.telemetry.stage import Observer

__all__ = ["CallerWire", "Calls"]

_log = structlog.get_logger("mainstay.api")
_MAX_CONTENT = 4 * 1024 * 1024
#: What a record keeps of a name that a caller made up.
_MAX_NAME = 200


class CallerWire(Protocol):
    """A dialect as callers speak it: values in, bytes out."""

    @property
    def dialect(self) -> Dialect:
        """Answers of this dialect leave with the bytes they came with."""
        ...

    def read(self, body: bytes) -> Ask:
        """Return what the body of a request asks.

        Raises:
            InvalidRequest: it is not what the dialect allows; ``param`` names the field.
        """
        ...

    def whole(self, whole: Whole, ask: Ask, record: Record) -> bytes:
        """Return the body that says ``whole``, an answer made or changed here, or of another dialect."""
        ...

    def writer(self, ask: Ask, record: Record) -> StreamWriter:
        """Return what writes one streamed answer."""
        ...

    def error(self, error: MainstayError, record: Record) -> tuple[int, bytes]:
        """Return the HTTP status and the body that tell of ``error``."""
        ...


class Calls:
    """Serves calls of one dialect.

    Args:
        gate: returns the generation in force.
        observer: settles records.
        wire: the dialect.
    """

    def __init__(self, gate: Callable[[], Gate], observer: Observer, wire: CallerWire) -> None:
        self._gate = gate
        self._observer = observer
        self._wire = wire
        self._dialect = wire.dialect

    async def serve(self, request: Request) -> None:
        """Answer one request."""
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
        ask = self._wire.read(body)
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
            gate.priority(request.headers.get(b"x-mainstay-priority"), caller),
        )
        return await served.line(call), ask

    async def _send_whole(self, request: Request, answer: Answer, ask: Ask) -> None:
        record = request.record
        whole = answer.whole
        assert whole is not None
        passes = whole.wire and whole.dialect is self._dialect
        data = whole.wire if passes else self._wire.whole(whole, ask, record)
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

        writer = self._wire.writer(ask, record)
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
        record.status, body = self._wire.error(error, record)
        record.response_bytes = len(body)
        self._observer.settle(record, request.started, error)
        await request.respond(record.status, body, error=error)
