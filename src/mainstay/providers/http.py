"""A provider behind HTTP: one codec, one origin, one credential.

Knows sending, waiting and giving up; what the bytes mean is the codec's. Used for every vendor and for local engines.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

import msgspec

from mainstay.core.answer import Answer, SingleFrame, Whole
from mainstay.core.call import Call
from mainstay.core.clock import monotonic
from mainstay.core.errors import MainstayError, Unavailable, UpstreamBroken, UpstreamTimeout, UpstreamUnreachable
from mainstay.core.events import (
    Event,
    Finished,
    Frame,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    ToolStarted,
)
from mainstay.core.fold import fold
from mainstay.core.ports import Incoming, Origin, Outgoing, Transport
from mainstay.core.record import Attempt
from mainstay.core.sse import SseDecoder, SseEvent
from mainstay.core.target import Target
from mainstay.providers.port import Codec, StreamReader

__all__ = ["Endpoint", "HttpProvider"]

_MAX_ANSWER = 64 * 1024 * 1024
_MAX_ERROR = 1024 * 1024
#: Headers of an upstream's answer that the caller may use.
_FORWARD = (b"x-ratelimit-", b"anthropic-ratelimit-", b"openai-", b"retry-after", b"request-id")
#: An event of one of these kinds commits the answer to this attempt.
_COMMITS = (TextDelta, ToolStarted, ToolDelta, ThinkingDelta, RefusalDelta, Finished)


class Endpoint(msgspec.Struct, frozen=True):
    """Where one provider is reached and with what.

    ``prefix`` is the base URL's path. ``headers`` stand whatever the caller sends (the credential among them);
    ``defaults`` give way to a caller of the same dialect. ``local`` marks an engine of our own: it is asked for a stream even for a caller
    who wants the answer whole, since it stops at once only while streaming, and one that cannot be reached is being
    restarted.
    """

    origin: Origin
    prefix: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    defaults: tuple[tuple[bytes, bytes], ...] = ()
    local: bool = False


class HttpProvider:
    """Answers attempts by calling one upstream."""

    def __init__(self, codec: Codec, endpoint: Endpoint, transport: Transport) -> None:
        self._codec = codec
        self._endpoint = endpoint
        self._transport = transport

    async def answer(self, call: Call, target: Target, attempt: Attempt) -> Answer:
        """Ask once; see :class:`~mainstay.providers.port.Provider`."""
        started = monotonic()
        endpoint = self._endpoint
        origin = endpoint.origin
        attempt.address, attempt.port = origin.host, origin.port
        stream = call.ask.stream or endpoint.local
        path, body = self._codec.request(call.ask, target, stream=stream)
        timeouts = call.timeouts
        left = call.deadline - started
        if left < timeouts.total:
            timeouts = msgspec.structs.replace(timeouts, total=left)
        incoming: Incoming | None = None
        try:
            request = Outgoing(b"POST", endpoint.prefix + path, self._headers(call), body)
            incoming = await self._transport.send(origin, request, timeouts)
            attempt.headers_ms = round((monotonic() - started) * 1000, 3)
            attempt.status = incoming.status
            return await self._read(call, target, attempt, incoming, stream, started)
        except UpstreamUnreachable as error:
            self._give_up(attempt, incoming, started, error)
            if not endpoint.local:
                raise
            raise Unavailable(
                f"The engine behind model '{target.model}' is starting or restarting; try again shortly.", retry_after=1
            ) from error
        except BaseException as error:
            # Also on cancellation: the upstream must stop the moment the caller has gone.
            self._give_up(attempt, incoming, started, error)
            raise

    async def aclose(self) -> None:
        """The transport is shared; its owner closes it."""

    def _give_up(self, attempt: Attempt, incoming: Incoming | None, started: float, error: BaseException) -> None:
        if incoming is not None:
            incoming.close()
        attempt.total_ms = round((monotonic() - started) * 1000, 3)
        attempt.outcome = error.code if isinstance(error, MainstayError) else "caller_gone"

    def _headers(self, call: Call) -> tuple[tuple[bytes, bytes], ...]:
        hops = (b"x-mainstay-hops", b"%d" % (call.hops + 1))
        endpoint = self._endpoint
        if call.ask.dialect is not self._codec.dialect:
            # A vendor's own headers mean nothing to another vendor.
            kept = tuple(pair for pair in call.headers if pair[0] == b"idempotency-key")
            return (*endpoint.headers, *endpoint.defaults, *kept, hops)
        if not call.headers:
            return (*endpoint.headers, *endpoint.defaults, hops)
        # The caller may say more than our defaults, and nothing against what the operator has fixed.
        merged = dict(endpoint.defaults) | dict(call.headers) | dict(endpoint.headers)
        return (*merged.items(), hops)

    async def _read(
        self, call: Call, target: Target, attempt: Attempt, incoming: Incoming, stream: bool, started: float
    ) -> Answer:
        kind, kept = _scan_headers(incoming.headers)
        if incoming.status >= 400:
            raise self._codec.error(incoming.status, incoming.headers, await incoming.read(_MAX_ERROR))
        if incoming.status >= 300:
            raise UpstreamBroken("The upstream answered with a redirect; its base_url is probably wrong.")
        whole: Whole
        if stream and kind.startswith(b"text/event-stream"):
            frames = _UpstreamFrames(self._codec.reader(), incoming, attempt, started)
            await frames.open(min(call.timeouts.first_token, call.deadline - started))
            if call.ask.stream:
                return Answer(target, kept, frames=frames)
            whole = await _collect(frames)
        else:
            if kind.startswith(b"text/html"):
                raise UpstreamBroken("The upstream answered with a web page; its base_url is probably wrong.")
            whole = self._codec.whole(await incoming.read(_MAX_ANSWER))
        attempt.total_ms = round((monotonic() - started) * 1000, 3)
        attempt.outcome = "ok"
        attempt.upstream_model, attempt.upstream_id = whole.model, whole.id
        if call.ask.stream:
            # Asked for a stream, got a whole answer: say it as a stream.
            return Answer(target, kept, frames=SingleFrame(Frame(whole.events)))
        return Answer(target, kept, whole=whole)


def _scan_headers(headers: Sequence[tuple[bytes, bytes]]) -> tuple[bytes, tuple[tuple[bytes, bytes], ...]]:
    kind = b""
    kept: list[tuple[bytes, bytes]] = []
    for pair in headers:
        name = pair[0]
        if name == b"content-type":
            kind = pair[1].lower()
        elif name.startswith(_FORWARD):
            kept.append((b"x-upstream-request-id", pair[1]) if name == b"request-id" else pair)
    return kind, tuple(kept)


async def _collect(frames: "_UpstreamFrames") -> Whole:
    events: list[Event] = []
    try:
        async for batch in frames:
            for frame in batch:
                events.extend(frame.events)
    finally:
        await frames.aclose()
    return fold(events)


class _UpstreamFrames:
    """The frames of one streamed answer, as they arrive."""

    __slots__ = ("_alive", "_attempt", "_broken", "_ended", "_held", "_incoming", "_reader", "_sse", "_started")

    def __init__(self, reader: StreamReader, incoming: Incoming, attempt: Attempt, started: float) -> None:
        self._reader = reader
        self._incoming = incoming
        self._attempt = attempt
        self._started = started
        self._sse = SseDecoder()
        self._held: list[Frame] = []
        self._ended = False
        self._broken: MainstayError | None = None
        self._alive = 0

    async def open(self, limit: float) -> None:
        """Read until the first event that commits the answer, within ``limit`` seconds of now."""
        try:
            async with asyncio.timeout(limit):
                while not self._ended:
                    batch = await self._more()
                    self._held.extend(batch)
                    if any(isinstance(event, _COMMITS) for frame in batch for event in frame.events):
                        break
        except TimeoutError as error:
            raise UpstreamTimeout("The model did not begin to answer in time (first_token limit).") from error
        self._attempt.first_ms = round((monotonic() - self._started) * 1000, 3)

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        if self._held:
            held, self._held = self._held, []
            return held
        if self._ended:
            raise StopAsyncIteration
        try:
            while not (batch := await self._more()):
                if self._ended:
                    raise StopAsyncIteration
            return batch
        except MainstayError as error:
            self._close(error.code)
            raise

    async def aclose(self) -> None:
        self._close("caller_gone")

    async def _more(self) -> list[Frame]:
        if self._broken is not None:
            raise self._broken
        chunk = await self._incoming.chunk()
        frames: list[Frame] = []
        try:
            if chunk:
                self._read(self._sse.feed(chunk), frames)
                if not frames and self._sse.alive != self._alive:
                    # Only comments came: the upstream lives, and the caller may want to know.
                    frames.append(Frame())
                self._alive = self._sse.alive
                return frames
            self._read(self._sse.close(), frames)
            tail = self._reader.finish()
        except MainstayError as error:
            if not frames:
                raise
            # What came before the break is the caller's; the break comes next.
            self._broken = error
            return frames
        if tail is not None:
            frames.append(tail)
        self._ended = True
        self._close("ok")
        return frames

    def _read(self, events: list[SseEvent], frames: list[Frame]) -> None:
        feed = self._reader.feed
        for event in events:
            frame = feed(event)
            if frame is not None:
                frames.append(frame)

    def _close(self, outcome: str) -> None:
        attempt = self._attempt
        if not attempt.outcome:
            attempt.outcome = outcome
            attempt.total_ms = round((monotonic() - self._started) * 1000, 3)
        self._incoming.close()
