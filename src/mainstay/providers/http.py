"""A provider behind HTTP: one codec, one origin, one credential.

Knows sending, waiting and giving up; what the bytes mean is the codec's. Used for every vendor and for local engines.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial

import msgspec

from mainstay.core.answer import Answer, SingleFrame, Whole
from mainstay.core.call import Call
from mainstay.core.clock import monotonic, since_ms
from mainstay.core.errors import (
    Internal,
    MainstayError,
    Unavailable,
    UpstreamBroken,
    UpstreamError,
    UpstreamFailed,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from mainstay.core.events import (
    Event,
    Finished,
    Frame,
    Piece,
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
from mainstay.core.target import Feature, Target
from mainstay.providers.anthropic import without_betas
from mainstay.providers.port import Codec, Decoder, Framed, Signer, StreamReader
from mainstay.providers.redaction import Redaction

__all__ = ["Endpoint", "HttpProvider"]

_MAX_ANSWER = 64 * 1024 * 1024
_MAX_ERROR = 1024 * 1024
#: Headers of an upstream's answer that the caller may use.
_FORWARD = (
    b"x-ratelimit-",
    b"anthropic-ratelimit-",
    b"openai-processing-ms",
    b"openai-version",
    b"retry-after",
    b"request-id",
    b"x-amzn-requestid",
)
#: What upstreams call the id that they know an answer by.
_REQUEST_ID = (b"request-id", b"x-amzn-requestid")
#: What their names begin with: most others are told by one byte.
_INITIALS = frozenset(name[:1] for name in _FORWARD)
#: Headers of a request whose values are no secret.
_PLAIN = frozenset((b"content-type", b"user-agent"))
#: What an answer may call itself and still be no stream, whatever was asked for.
_WHOLE = (b"application/json", b"text/html")
#: An event of one of these kinds commits the answer to this attempt.
_COMMITS = (TextDelta, ToolStarted, ToolDelta, ThinkingDelta, RefusalDelta, Piece, Finished)

#: Where a lost event would be a lost meaning: arguments and structured answers.
_STRICT = frozenset({Feature.TOOLS, Feature.JSON, Feature.SCHEMA})
#: Seconds that limits are no more exact than: a call that has just begun has all of its time left.
_MOMENT = 0.05
#: How many times the idle limit an upstream may send nothing but keep-alives.
_PATIENCE = 3.0


class Endpoint(msgspec.Struct, frozen=True):
    """Where one provider is reached and with what.

    ``prefix`` is the base URL's path. ``headers`` stand whatever the caller sends (the credential among them);
    ``defaults`` give way to them, and to a caller of the same dialect. ``local`` marks an engine of our own: it is
    asked for a stream even for a caller who wants the answer whole, since it stops at once only while streaming, and
    one that cannot be reached is being restarted. ``signer`` adds a credential made for each request.
    """

    origin: Origin
    prefix: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    defaults: tuple[tuple[bytes, bytes], ...] = ()
    local: bool = False
    signer: Signer | None = None


class HttpProvider:
    """Answers attempts by calling one upstream."""

    def __init__(self, codec: Codec, endpoint: Endpoint, transport: Transport) -> None:
        self._codec = codec
        self._endpoint = endpoint
        self._transport = transport
        self._defaults = dict(endpoint.defaults)
        self._fixed = dict(endpoint.headers)
        #: What goes up when the caller adds nothing.
        self._own = tuple((self._defaults | self._fixed).items())
        #: The same for a first hop, as one object, which the client then knows again.
        self._plain = (*self._own, (b"x-mainstay-hops", b"1"))
        values = [value.removeprefix(b"Bearer ") for name, value in endpoint.headers if name not in _PLAIN]
        self._signer = endpoint.signer
        values += self._signer.secrets if self._signer is not None else ()
        self._secrets = [value for value in values if len(value) >= 8]
        self._redaction = Redaction(self._secrets, endpoint.origin.host)
        self._decoder: Callable[[], Decoder] = codec.decoder if isinstance(codec, Framed) else SseDecoder

    async def answer(self, call: Call, target: Target, attempt: Attempt) -> Answer:
        """Ask once; see :class:`~mainstay.providers.port.Provider`."""
        started = monotonic()
        endpoint = self._endpoint
        origin = endpoint.origin
        attempt.address, attempt.port = origin.host, origin.port
        stream = call.ask.stream or endpoint.local or (call.paced and b'"audio"' not in call.ask.raw)
        ask = call.ask
        if call.headers and ask.dialect is not self._codec.dialect:
            ask = without_betas(ask, call.headers)
        path, body = self._codec.request(ask, target, stream=stream)
        timeouts = call.timeouts
        left = call.deadline - started
        # A stream's headers come at once; who is silent there has not begun either.
        head = min(timeouts.headers, timeouts.first_token) if stream else timeouts.headers
        if left < timeouts.total - _MOMENT or head < timeouts.headers:
            timeouts = msgspec.structs.replace(timeouts, total=min(left, timeouts.total), headers=head)
        incoming: Incoming | None = None
        try:
            request = Outgoing(b"POST", endpoint.prefix + path, self._headers(call), body)
            if self._signer is not None:
                request = self._signer.sign(request)
            incoming = await self._transport.send(origin, request, timeouts)
            attempt.headers_ms = since_ms(started)
            attempt.status = incoming.status
            return await self._read(call, target, attempt, incoming, stream, started)
        except (UpstreamUnreachable, UpstreamFailed) as error:
            self._give_up(attempt, incoming, started, error, target)
            # An engine that is loading its model says 503.
            if not endpoint.local or (isinstance(error, UpstreamFailed) and attempt.status != 503):
                raise
            raise Unavailable(
                f"The engine behind model '{target.model}' is starting or restarting; try again shortly.", retry_after=1
            ) from error
        except BaseException as error:
            # Also on cancellation: the upstream must stop the moment the caller has gone.
            self._give_up(attempt, incoming, started, error, target)
            raise

    async def aclose(self) -> None:
        """The transport is shared; its owner closes it."""

    def _give_up(
        self, attempt: Attempt, incoming: Incoming | None, started: float, error: BaseException, target: Target
    ) -> None:
        if incoming is not None:
            incoming.close()
        attempt.total_ms = since_ms(started)
        if isinstance(error, MainstayError):
            self._redaction.clean(error, target)
            attempt.outcome = error.code
        else:
            attempt.outcome = "caller_gone" if isinstance(error, asyncio.CancelledError) else Internal.code

    def _headers(self, call: Call) -> tuple[tuple[bytes, bytes], ...]:
        if not call.headers and not call.hops:
            return self._plain
        hops = (b"x-mainstay-hops", b"%d" % (call.hops + 1))
        if call.ask.dialect is not self._codec.dialect:
            # A vendor's own headers mean nothing to another vendor.
            kept = [pair for pair in call.headers if pair[0] == b"idempotency-key" and pair[0] not in self._fixed]
            return (*self._own, *kept, hops)
        # The caller may say more than our defaults, and nothing against what the operator has fixed.
        merged = self._defaults | dict(call.headers) | self._fixed
        return (*merged.items(), hops)

    async def _read(
        self, call: Call, target: Target, attempt: Attempt, incoming: Incoming, stream: bool, started: float
    ) -> Answer:
        notes = incoming.notes
        if (scanned := notes.get("http")) is None:
            scanned = notes["http"] = _scan_headers(incoming.headers)
        kind, kept = scanned
        if incoming.status >= 400:
            error = self._codec.error(incoming.status, incoming.headers, await self._error_body(incoming))
            error.headers = kept
            raise error
        if incoming.status >= 300:
            raise UpstreamBroken("The upstream answered with a redirect; its base_url is probably wrong.")
        whole: Whole
        # Some servers stream always, some never, and some stream without saying so.
        unsaid = stream and incoming.status == 200 and not kind.startswith(_WHOLE)
        if kind.startswith(b"text/event-stream") or unsaid:
            clean = partial(self._redaction.clean, target=target)
            frames = _UpstreamFrames(self._codec.reader(), self._decoder(), incoming, attempt, started, call, clean)
            await frames.open(call.timeouts.first_token, call.deadline)
            if call.ask.stream:
                return Answer(target, kept, frames=frames, kind=kind)
            whole = await _collect(frames)
        else:
            if kind.startswith(b"text/html"):
                raise UpstreamBroken("The upstream answered with a web page; its base_url is probably wrong.")
            whole = self._codec.whole(await incoming.read(_MAX_ANSWER))
        attempt.total_ms = since_ms(started)
        attempt.outcome = "ok"
        attempt.upstream_model, attempt.upstream_id = whole.model, whole.id
        if call.ask.stream:
            attempt.first_ms = attempt.total_ms
            return Answer(target, kept, frames=SingleFrame(Frame(whole.events, b"", whole.dialect)), kind=kind)
        return Answer(target, kept, whole=whole, kind=kind)

    async def _error_body(self, incoming: Incoming) -> bytes:
        """Return the body of an error without our credentials, should the upstream repeat them."""
        try:
            body = await incoming.read(_MAX_ERROR)
        except UpstreamError:
            # The status alone says more than how its body broke off.
            return b""
        for secret in self._secrets:
            body = body.replace(secret, b"[secret]")
        return body


def _scan_headers(headers: Sequence[tuple[bytes, bytes]]) -> tuple[bytes, tuple[tuple[bytes, bytes], ...]]:
    kind = b""
    kept: list[tuple[bytes, bytes]] = []
    for pair in headers:
        name = pair[0]
        if name == b"content-type":
            kind = pair[1].lower()
        elif name[:1] in _INITIALS and name.startswith(_FORWARD):
            kept.append((b"x-upstream-request-id", pair[1]) if name in _REQUEST_ID else pair)
    return kind, tuple(kept)


def _commits(frames: Sequence[Frame]) -> bool:
    return any(isinstance(event, _COMMITS) for frame in frames for event in frame.events)


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

    __slots__ = (
        "_alive",
        "_attempt",
        "_broken",
        "_call",
        "_clean",
        "_decoder",
        "_ended",
        "_held",
        "_incoming",
        "_quiet_since",
        "_reader",
        "_skipped",
        "_started",
    )

    def __init__(
        self,
        reader: StreamReader,
        decoder: Decoder,
        incoming: Incoming,
        attempt: Attempt,
        started: float,
        call: Call,
        clean: Callable[[MainstayError], None],
    ) -> None:
        self._call = call
        self._clean = clean
        #: Since when only keep-alives have come; 0 while the answer goes on.
        self._quiet_since = 0.0
        self._skipped = False
        self._reader = reader
        self._incoming = incoming
        self._attempt = attempt
        self._started = started
        self._decoder = decoder
        self._held: list[Frame] = []
        self._ended = False
        self._broken: MainstayError | None = None
        self._alive = 0

    async def open(self, limit: float, deadline: float) -> None:
        """Read until the first event that commits the answer: ``limit`` seconds from sending, or the call's end."""
        due = self._started + limit
        try:
            async with asyncio.timeout(min(due, deadline) - monotonic()):
                while not self._ended:
                    batch = await self._more()
                    self._held.extend(batch)
                    if _commits(batch):
                        break
        except TimeoutError as error:
            name = "first_token" if due < deadline else "total"
            raise UpstreamTimeout(f"The model did not begin to answer within its {name} limit; try again.") from error
        self._attempt.first_ms = since_ms(self._started)

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
            if batch[-1].events:
                self._quiet_since = 0.0
            else:
                self._check_progress()
            return batch
        except MainstayError as error:
            self._clean(error)
            self._close(error.code)
            raise

    async def aclose(self) -> None:
        self._close("caller_gone")

    def _check_progress(self) -> None:
        """Keep-alives show life, not progress: they are borne longer than silence, and not for ever."""
        now = monotonic()
        if not self._quiet_since:
            self._quiet_since = now
        elif now - self._quiet_since > _PATIENCE * self._call.timeouts.idle:
            raise UpstreamTimeout("The upstream sent only keep-alives beyond its idle limit; try again.")

    async def _more(self) -> list[Frame]:
        if self._broken is not None:
            raise self._broken
        chunk = await self._incoming.chunk()
        frames: list[Frame] = []
        try:
            if chunk:
                self._read(self._decoder.feed(chunk), frames)
                if not frames and self._decoder.alive != self._alive:
                    # Only comments came: the upstream lives, and the caller may want to know.
                    frames.append(Frame())
                self._alive = self._decoder.alive
                return frames
            self._read(self._decoder.close(), frames)
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
            try:
                frame = feed(event)
            except UpstreamBroken:
                if not self._may_skip(frames):
                    raise
                self._skipped = True
                self._attempt.detail = "skipped one unreadable event"
                continue
            if frame is not None:
                frames.append(frame)

    def _may_skip(self, frames: Sequence[Frame]) -> bool:
        """Whether one unreadable event may be left out: once, within plain text, after the answer has begun."""
        if self._skipped or self._call.ask.features & _STRICT:
            return False
        return self._attempt.first_ms is not None or _commits(self._held) or _commits(frames)

    def _close(self, outcome: str) -> None:
        attempt = self._attempt
        if not attempt.outcome:
            attempt.outcome = outcome
            attempt.total_ms = since_ms(self._started)
        self._incoming.close()
