"""What each method of the Open Inference Protocol does: the state of the server, and calls that go down the line.

A call is what it is over HTTP: the same keys, routes, limits and records, settled once on every path. What fails is a
status of gRPC with the sentence that HTTP's callers get; within a stream of requests it is the message of that
request's answer, as Triton has it, and the stream goes on.
"""

from asyncio import CancelledError
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import grpc
import msgspec
import structlog

from mainstay import __version__
from mainstay.api.door import Head, presented_key
from mainstay.api.gate import Gate
from mainstay.api.grpc.messages import SERVICE, Messages
from mainstay.api.grpc.tensors import Inference, describe, read_inference, write_inference
from mainstay.core.answer import Answer
from mainstay.core.call import Call
from mainstay.core.clock import monotonic
from mainstay.core.errors import CallerGone, Internal, MainstayError, Unauthenticated
from mainstay.core.events import Event, Finished, Metered, RefusalDelta, TextDelta
from mainstay.core.record import Content, Record
from mainstay.core.usage import Usage
from mainstay.providers.openai import read_ask
from mainstay.telemetry.stage import Observer

__all__ = ["InferenceService", "status_of"]

_log = structlog.get_logger("mainstay.api")
_MAX_CONTENT: Final = 4 * 1024 * 1024
_MAX_NAME: Final = 200
_STATUSES: Final = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    402: grpc.StatusCode.RESOURCE_EXHAUSTED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    499: grpc.StatusCode.CANCELLED,
    500: grpc.StatusCode.INTERNAL,
    502: grpc.StatusCode.UNAVAILABLE,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}


def status_of(error: MainstayError) -> grpc.StatusCode:
    """Return the status that tells of ``error``."""
    found = _STATUSES.get(error.status)
    if found is None:
        found = grpc.StatusCode.INVALID_ARGUMENT if error.status < 500 else grpc.StatusCode.INTERNAL
    # An answer that never had its form will not have it on another try either.
    return grpc.StatusCode.INTERNAL if error.code == "output_invalid" else found


class InferenceService:
    """Answers the protocol's methods.

    Args:
        messages: the protocol's classes.
        gate: returns the generation in force.
        observer: settles records.
        ready: whether the gateway is ready.
    """

    def __init__(
        self, messages: Messages, gate: Callable[[], Gate], observer: Observer, ready: Callable[[], bool]
    ) -> None:
        self._messages = messages
        self._gate = gate
        self._observer = observer
        self._ready = ready

    def handler(self) -> Any:
        """Return the methods as grpc wants them."""
        behaviours: Mapping[str, Any] = {
            "ServerLive": self._live,
            "ServerReady": self._is_ready,
            "ServerMetadata": self._server,
            "ModelReady": self._model_ready,
            "ModelMetadata": self._model,
            "ModelInfer": self._infer,
        }
        methods = {}
        for name, asked, answered in self._messages.methods:
            reads = getattr(self._messages, asked).FromString
            writes = getattr(self._messages, answered).SerializeToString
            if name == "ModelStreamInfer":
                methods[name] = grpc.stream_stream_rpc_method_handler(self._stream, reads, writes)
            else:
                methods[name] = grpc.unary_unary_rpc_method_handler(behaviours[name], reads, writes)
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    async def _live(self, request: Any, context: Any) -> Any:
        return self._messages.ServerLiveResponse(live=True)

    async def _is_ready(self, request: Any, context: Any) -> Any:
        return self._messages.ServerReadyResponse(ready=self._ready())

    async def _server(self, request: Any, context: Any) -> Any:
        return self._messages.ServerMetadataResponse(name="mainstay", version=__version__, extensions=["model_stream"])

    async def _model_ready(self, request: Any, context: Any) -> Any:
        try:
            self._find(request.name, context)
        except Unauthenticated as error:
            await context.abort(status_of(error), error.message)
        except MainstayError:
            return self._messages.ModelReadyResponse(ready=False)
        return self._messages.ModelReadyResponse(ready=self._ready())

    async def _model(self, request: Any, context: Any) -> Any:
        try:
            self._find(request.name, context)
        except MainstayError as error:
            await context.abort(status_of(error), error.message)
        return describe(self._messages, request.name)

    def _find(self, name: str, context: Any) -> None:
        gate = self._gate()
        gate.find(name, gate.keys.find(presented_key(_headers(context))))

    async def _infer(self, request: Any, context: Any) -> Any:
        run = _Run(self._gate, self._observer, context, "ModelInfer")
        with run.counted():
            try:
                asked, answer = await run.ask(request, stream=False)
                assert answer.whole is not None
                run.take(answer.whole.events)
                response = write_inference(self._messages, request, "".join(run.said), run.parameters(), raw=asked.raw)
                run.settle()
            except MainstayError as error:
                run.settle(error)
                await run.abort(error)
            except CancelledError:
                run.left()
                raise
            except Exception:  # noqa: BLE001  # the outermost boundary: whatever broke, the caller gets an answer
                await run.abort(run.broke())
            context.set_trailing_metadata(run.trailing())
            return response

    async def _stream(self, requests: AsyncIterator[Any], context: Any) -> None:
        """Answer requests one after the other; each answer in pieces, the last of which says that it is."""
        async for request in requests:
            run = _Run(self._gate, self._observer, context, "ModelStreamInfer")
            with run.counted():
                try:
                    await self._pieces(run, request, context)
                except Unauthenticated as error:
                    # No request of this stream will do better.
                    run.settle(error)
                    await run.abort(error)
                except MainstayError as error:
                    run.settle(error)
                    await context.write(self._failed(request, error))
                except CancelledError:
                    run.left()
                    raise
                except Exception:  # noqa: BLE001  # the outermost boundary: whatever broke, the caller gets an answer
                    await context.write(self._failed(request, run.broke()))

    async def _pieces(self, run: "_Run", request: Any, context: Any) -> None:
        asked, answer = await run.ask(request, stream=True)
        frames = answer.frames
        more: dict[str, str | int | bool] = {"triton_final_response": False}
        text = ""
        if frames is None:
            assert answer.whole is not None
            run.take(answer.whole.events)
            text = "".join(run.said)
        else:
            try:
                async for batch in frames:
                    before = len(run.said)
                    for frame in batch:
                        run.take(frame.events)
                    if news := "".join(run.said[before:]):
                        response = write_inference(self._messages, request, news, more, raw=asked.raw)
                        await context.write(self._piece(response))
            finally:
                await frames.aclose()
        run.settle()
        last = {**run.parameters(), "triton_final_response": True}
        await context.write(self._piece(write_inference(self._messages, request, text, last, raw=asked.raw)))

    def _piece(self, response: Any) -> Any:
        return self._messages.ModelStreamInferResponse(infer_response=response)

    def _failed(self, request: Any, error: MainstayError) -> Any:
        about = self._messages.ModelInferResponse(model_name=request.model_name, id=request.id)
        about.parameters["code"].string_param = error.code
        return self._messages.ModelStreamInferResponse(error_message=error.message, infer_response=about)


class _Run:
    """One call: its record, and what was said."""

    def __init__(self, gate: Callable[[], Gate], observer: Observer, context: Any, method: str) -> None:
        self._gate = gate
        self._observer = observer
        self._context = context
        self._headers = _headers(context)
        self._head = Head(self._headers, tuple(self._headers.items()))
        self.started = monotonic()
        self.record = record = Record.opened("chat", "POST", f"/{SERVICE}/{method}")
        record.dialect = "oip"
        given = self._head.request_id
        if given is not None:
            record.request_id = given.decode()
        self.said: list[str] = []
        self._finish = "stop"
        self._usage: Usage | None = None

    def counted(self) -> "_Counted":
        """Return what counts the call while it is under way."""
        return _Counted(self._observer)

    async def ask(self, request: Any, *, stream: bool) -> tuple[Inference, Answer]:
        """Take a request down the line.

        Raises:
            MainstayError: no answer came.
        """
        record, gate = self.record, self._gate()
        record.config = gate.config_hash
        caller = gate.keys.find(self._head.key)
        record.key, record.team, record.organisation = caller.name, caller.team, caller.organisation
        record.request_bytes = request.ByteSize()
        asked = read_inference(request)
        ask = read_ask(asked.body)
        if stream and asked.stream is not False:
            ask = msgspec.structs.replace(ask, raw=_streamed(asked.body), stream=True, include_usage=True)
        record.asked, record.stream = ask.model[:_MAX_NAME], ask.stream
        served = gate.find(ask.model, caller)
        record.route = served.name
        if served.keep_content:
            record.content = Content(asked.body.decode("utf-8", "replace")[:_MAX_CONTENT])
        left = self._context.time_remaining()
        timeouts = served.timeouts
        call = Call(
            ask,
            record,
            caller,
            served.name,
            (),
            self.started,
            self.started + min(timeouts.total, timeouts.total if left is None else left),
            timeouts,
            0,
            gate.priority(self._head.priority, caller),
            given=self._headers,
        )
        return asked, await served.line(call)

    def take(self, events: Sequence[Event]) -> None:
        """Note what was said."""
        for event in events:
            if isinstance(event, TextDelta | RefusalDelta):
                self.said.append(event.text)
            elif isinstance(event, Finished):
                self._finish = event.reason.value
            elif isinstance(event, Metered):
                self._usage = event.usage

    def parameters(self) -> dict[str, str | int | bool]:
        """Return what an answer says of itself."""
        found: dict[str, str | int | bool] = {"finish_reason": self._finish, "model": self.record.target}
        usage = self._usage or self.record.usage
        if usage is not None:
            found |= {"prompt_tokens": usage.input, "completion_tokens": usage.output}
        return found

    def trailing(self) -> tuple[tuple[str, str], ...]:
        """Return what HTTP's callers find in the headers of an answer."""
        record = self.record
        return (
            ("x-request-id", record.request_id),
            ("x-mainstay-route", record.route),
            ("x-mainstay-model", record.target),
            ("x-mainstay-provider", record.provider),
            ("x-mainstay-attempts", str(len(record.attempts))),
        )

    def settle(self, error: MainstayError | None = None) -> None:
        """Close the record."""
        record = self.record
        record.status = 200 if error is None else error.status
        if record.content is not None:
            record.content.response = "".join(self.said)[:_MAX_CONTENT]
        self._observer.settle(record, self.started, error)

    def left(self) -> None:
        """The caller is gone."""
        self.settle(CallerGone("The caller cancelled the call."))

    def broke(self) -> Internal:
        """Close the record over a fault of our own, which the log has."""
        _log.exception("request_failed", request_id=self.record.request_id)
        error = Internal("Something broke inside Mainstay; the operator finds it by the request id.")
        self.settle(error)
        return error

    def abort(self, error: MainstayError) -> Awaitable[None]:
        """End the call with the status that tells of ``error``."""
        trailing = (*self.trailing(), ("x-mainstay-code", error.code))
        if error.status in (429, 503) and error.retry_after:
            trailing = (*trailing, ("retry-after", str(max(1, round(error.retry_after)))))
        aborted: Awaitable[None] = self._context.abort(status_of(error), error.message, trailing)
        return aborted


class _Counted:
    """Counts a call while it is under way."""

    def __init__(self, observer: Observer) -> None:
        self._in_flight = observer.in_flight

    def __enter__(self) -> None:
        self._in_flight.add(1.0)

    def __exit__(self, *_: object) -> None:
        self._in_flight.add(-1.0)


def _headers(context: Any) -> Mapping[bytes, bytes]:
    """Return the metadata of a call as the headers of a request."""
    return {
        key.encode(): value.encode() if isinstance(value, str) else value
        for key, value in context.invocation_metadata() or ()
    }


def _streamed(body: bytes) -> bytes:
    """Return the body of a request that asks for its answer as a stream."""
    return body[:-1] + b',"stream":true,"stream_options":{"include_usage":true}}'
