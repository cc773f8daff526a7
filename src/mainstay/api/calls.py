"""A call from the socket to the line and back, whatever the caller's dialect.

Reads what is asked, takes it down the line, sends the answer whole or as a stream, and settles the record exactly once
on every path. What a dialect's bytes look like is its :class:`CallerWire`'s.
"""

from asyncio import CancelledError
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import structlog

from mainstay.api.door import Request
from mainstay.api.gate import Gate
from mainstay.core.answer import Answer, Whole
from mainstay.core.call import Ask, Call, Caller
from mainstay.core.errors import CallerGone, Internal, MainstayError
from mainstay.core.events import Dialect
from mainstay.core.record import Content, Record
from mainstay.line.streaming import StreamWriter, deliver
from mainstay.providers.tasks.form import Form
from mainstay.telemetry.stage import Observer

__all__ = ["CallerWire", "Calls", "Keeper", "MediaWire"]

_log = structlog.get_logger("mainstay.api")
_EVENTS = b"text/event-stream; charset=utf-8"
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


@runtime_checkable
class MediaWire(Protocol):
    """A dialect whose requests may be forms with files, and whose answers need not be JSON."""

    def read_form(self, form: Form) -> Ask:
        """Return what a form asks. Raises as :meth:`CallerWire.read`."""
        ...

    def kind(self, answer: Answer, ask: Ask) -> bytes:
        """Return the content type of an answer."""
        ...


class Keeper(Protocol):
    """Keeps answers, for a dialect whose callers come back to them."""

    async def read(self, body: bytes, caller: Caller) -> Ask:
        """Return what a request asks, with what it only refers to in place. Raises as :meth:`CallerWire.read`."""
        ...

    async def whole(self, ask: Ask, caller: Caller, whole: Whole, data: bytes) -> bytes:
        """Keep an answer before it is sent; return the body to send.

        Raises:
            UpstreamBroken: the answer is not one that was asked for.
        """
        ...

    async def stream(self, ask: Ask, caller: Caller, writer: StreamWriter) -> None:
        """Keep an answer whose stream is complete, before its end is sent."""
        ...


class Calls:
    """Serves calls of one dialect.

    Args:
        gate: returns the generation in force.
        observer: settles records.
        wire: the dialect.
        keeper: keeps answers, where the dialect's callers come back to them.
    """

    def __init__(
        self, gate: Callable[[], Gate], observer: Observer, wire: CallerWire, keeper: Keeper | None = None
    ) -> None:
        self._gate = gate
        self._keeper = keeper
        self._observer = observer
        self._wire = wire
        self._dialect = wire.dialect
        self._media = wire if isinstance(wire, MediaWire) else None

    async def serve(self, request: Request) -> None:
        """Answer one request."""
        try:
            answer, ask, caller = await self._ask(request)
            if answer.whole is not None:
                await self._send_whole(request, answer, ask, caller)
            else:
                await self._send_stream(request, answer, ask, caller)
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

    async def _ask(self, request: Request) -> tuple[Answer, Ask, Caller]:
        record, head = request.record, request.head
        gate = self._gate()
        record.config = gate.config_hash
        caller = gate.keys.find(head.key)
        record.key, record.team, record.organisation = caller.name, caller.team, caller.organisation
        if self._media is not None and request.is_form:
            ask = self._media.read_form(await request.form())
        else:
            body = await request.body()
            ask = self._wire.read(body) if self._keeper is None else await self._keeper.read(body, caller)
        record.asked, record.stream, record.user = ask.model[:_MAX_NAME], ask.stream, ask.user
        if head.tags:
            record.tags = list(head.tags)
        served = gate.find(ask.model, caller)
        record.route = served.name
        if served.keep_content:
            shown = ask.found.describe() if isinstance(ask.found, Form) else body.decode("utf-8", "replace")
            record.content = Content(shown[:_MAX_CONTENT])
        call = Call(
            ask,
            record,
            caller,
            served.name,
            head.upward,
            request.started,
            request.started + served.timeouts.total,
            served.timeouts,
            head.hops,
            gate.priority(head.priority, caller),
            given=request.headers,
            tags=head.tags,
        )
        return await served.line(call), ask, caller

    async def _send_whole(self, request: Request, answer: Answer, ask: Ask, caller: Caller) -> None:
        record = request.record
        whole = answer.whole
        assert whole is not None
        passes = whole.wire and whole.dialect is self._dialect
        data = whole.wire if passes else self._wire.whole(whole, ask, record)
        if self._keeper is not None:
            data = await self._keeper.whole(ask, caller, whole, data)
        record.status = 200
        record.response_bytes = len(data)
        if record.content is not None:
            record.content.response = data.decode("utf-8", "replace")[:_MAX_CONTENT]
        self._observer.settle(record, request.started)
        kind = b"application/json" if self._media is None else self._media.kind(answer, ask)
        await request.respond(200, data, extra=answer.headers, kind=kind)

    async def _send_stream(self, request: Request, answer: Answer, ask: Ask, caller: Caller) -> None:
        record = request.record
        assert answer.frames is not None
        record.status = 200
        kind = _EVENTS if self._media is None else self._media.kind(answer, ask)
        # Media are told of by their type and size, and not kept.
        kept: list[bytes] | None = [] if record.content is not None and kind == _EVENTS else None

        def settle(error: MainstayError | None) -> None:
            if kind != _EVENTS and record.content is not None:
                record.content.response = f"{record.response_bytes} bytes of {kind.decode('latin-1')}"
            if kept is not None and record.content is not None:
                record.content.response = b"".join(kept).decode("utf-8", "replace")[:_MAX_CONTENT]
            self._observer.settle(record, request.started, error)

        async def write(data: bytes) -> None:
            if kept is not None:
                kept.append(data)
            await request.write(data)

        writer = self._wire.writer(ask, record)
        try:
            await request.open_stream(answer.headers, kind)
            last = await deliver(answer.frames, writer, request.write if kept is None else write, settle)
        finally:
            await answer.frames.aclose()
        if self._keeper is not None:
            await self._keeper.stream(ask, caller, writer)
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
