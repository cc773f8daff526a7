"""A provider behind HTTP, asked directly: what it sends, how long it waits, what it makes of unusual answers."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.answer import Answer
from mainstay.core.call import Call, Caller
from mainstay.core.clock import monotonic
from mainstay.core.errors import (
    InvalidRequest,
    MainstayError,
    Unavailable,
    UpstreamBroken,
    UpstreamFailed,
    UpstreamInterrupted,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from mainstay.core.events import Finished, FinishReason, Frame, Metered, TextDelta
from mainstay.core.ports import Incoming, Origin, Outgoing, Transport
from mainstay.core.record import Attempt, Record
from mainstay.core.target import Target
from mainstay.core.timeouts import Timeouts
from mainstay.providers.anthropic import AnthropicCodec
from mainstay.providers.http import Endpoint, HttpProvider
from mainstay.providers.openai import OpenAICodec, read_ask
from mainstay.providers.port import Codec
from mainstay.runtime.transport import open_transport
from support import messages_wire as wire
from support.gateway import completion, sse_chunks
from support.upstream import Chunk, Cut, Head, Reply, Silence, Steps, Upstream, Wait, json_reply

TARGET = Target("m", "vendor", "openai", "upstream-name")
HEADERS = ((b"content-type", b"application/json"), (b"authorization", b"Bearer k"))
PATIENT = Timeouts(connect=5, headers=5, first_token=5, idle=5, total=10)


def make_call(
    stream: bool = False,
    timeouts: Timeouts = PATIENT,
    headers: tuple[tuple[bytes, bytes], ...] = (),
    left: float | None = None,
    **fields: Any,
) -> Call:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hello?"}], "stream": stream, **fields}
    started = monotonic()
    deadline = started + (timeouts.total if left is None else left)
    record = Record.opened("chat", "POST", "/v1/chat/completions")
    ask = read_ask(json.dumps(body).encode())
    return Call(ask, record, Caller("k"), "m", headers, started, deadline, timeouts)


def provider(
    origin: Origin, transport: Transport, codec: Codec | None = None, local: bool = False, **fields: Any
) -> HttpProvider:
    endpoint = Endpoint(origin, b"/v1", HEADERS, local=local, **fields)
    return HttpProvider(codec or OpenAICodec(), endpoint, transport)


class Asked:
    """What came of one attempt: the answer or the error, the batches of a stream, and the attempt itself."""

    def __init__(self) -> None:
        self.attempt = Attempt("m", "vendor", "first")
        self.answer: Answer | None = None
        self.error: BaseException | None = None
        self.batches: list[Sequence[Frame]] = []

    @property
    def text(self) -> str:
        if self.answer is not None and self.answer.whole is not None:
            return "".join(e.text for e in self.answer.whole.events if isinstance(e, TextDelta))
        return "".join(e.text for batch in self.batches for f in batch for e in f.events if isinstance(e, TextDelta))


async def drive(asked: Asked, answering: Awaitable[Answer]) -> None:
    """Take an answer to its end, noting what came."""
    try:
        asked.answer = await answering
        if asked.answer.frames is not None:
            async for batch in asked.answer.frames:
                asked.batches.append(batch)
    except MainstayError as error:
        asked.error = error


def ask(upstream: Upstream | Origin, call: Call, codec: Codec | None = None, **options: Any) -> Asked:
    """Ask a real upstream once."""
    origin = upstream if isinstance(upstream, Origin) else Origin(upstream.host, upstream.port)
    asked = Asked()

    async def main() -> None:
        transport = open_transport()
        try:
            await drive(asked, provider(origin, transport, codec, **options).answer(call, TARGET, asked.attempt))
        finally:
            await transport.aclose()

    asyncio.run(main())
    return asked


def test_a_stream_that_was_asked_for_and_came_whole_is_streamed(upstream: Upstream) -> None:
    upstream.script(json_reply(completion("Hi!")))
    asked = ask(upstream, make_call(stream=True))
    assert asked.text == "Hi!"
    events = [event for batch in asked.batches for frame in batch for event in frame.events]
    assert [event.reason for event in events if isinstance(event, Finished)] == [FinishReason.STOP]
    assert [event.usage.output for event in events if isinstance(event, Metered)] == [3]
    assert (asked.attempt.outcome, asked.attempt.upstream_id) == ("ok", "chatcmpl-1")
    assert asked.attempt.first_ms == asked.attempt.total_ms


def test_a_stream_that_came_though_the_whole_was_asked_for_is_put_together(upstream: Upstream) -> None:
    upstream.script([Head(200), *map(Chunk, sse_chunks("One", " two"))])
    asked = ask(upstream, make_call())
    assert asked.text == "One two"
    assert asked.answer is not None
    assert asked.answer.whole is not None
    assert asked.answer.whole.usage is not None
    assert asked.answer.whole.usage.output == 2
    assert asked.attempt.outcome == "ok"


def test_a_stream_put_together_breaks_off_as_an_error(upstream: Upstream) -> None:
    upstream.script([Head(200), *map(Chunk, sse_chunks("One")[:2]), Cut()])
    asked = ask(upstream, make_call())
    assert isinstance(asked.error, UpstreamInterrupted)
    assert (asked.attempt.outcome, asked.answer) == ("upstream_interrupted", None)


@pytest.mark.parametrize(
    "kind", [(), (("content-type", "text/plain"),), (("content-type", "application/octet-stream"),)]
)
def test_a_stream_need_not_say_that_it_is_one(upstream: Upstream, kind: Any) -> None:
    upstream.script([Head(200, kind), *map(Chunk, sse_chunks("One", " two"))])
    assert ask(upstream, make_call(stream=True)).text == "One two"


@pytest.mark.parametrize(
    ("steps", "error"),
    [
        ([b"HTTP/1.1 429 Slow\r\ncontent-length: 50\r\n\r\n{", Cut()], UpstreamRateLimited),
        ([b"HTTP/1.1 400 Bad\r\ncontent-length: 50\r\n\r\n{", Silence()], UpstreamRefused),
        ([Head(500, ()), Chunk(b"x" * 2_000_000)], UpstreamFailed),
    ],
    ids=["cut", "silent", "endless"],
)
def test_a_status_is_enough_when_the_body_of_an_error_is_not(
    upstream: Upstream, steps: Steps, error: type[MainstayError]
) -> None:
    upstream.script(steps)
    assert isinstance(ask(upstream, make_call(timeouts=Timeouts(idle=0.1))).error, error)


@pytest.mark.parametrize("codec", [OpenAICodec(), AnthropicCodec()], ids=["openai", "anthropic"])
def test_an_upstream_that_repeats_our_credentials_tells_the_caller_nothing(upstream: Upstream, codec: Codec) -> None:
    said = {"type": "invalid_request_error", "message": "no: unguessablekey7 (tenant hushhush) may not"}
    upstream.script(json_reply({"type": "error", "error": said}, 400))
    headers = ((b"authorization", b"Bearer unguessablekey7"), (b"x-tenant", b"hushhush"), (b"content-type", b"a/b"))

    async def main() -> Asked:
        asked, transport = Asked(), open_transport()
        endpoint = Endpoint(Origin(upstream.host, upstream.port), b"/v1", headers)
        await drive(asked, HttpProvider(codec, endpoint, transport).answer(make_call(), TARGET, asked.attempt))
        await transport.aclose()
        return asked

    error = asyncio.run(main()).error
    assert isinstance(error, UpstreamRefused)
    assert error.message == "no: [secret] (tenant [secret]) may not"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(upstream: Upstream, status: int) -> None:
    upstream.script(Reply(status, (("location", f"{upstream.url}/elsewhere"),)))
    asked = ask(upstream, make_call())
    assert isinstance(asked.error, UpstreamBroken)
    assert "base_url" in asked.error.message
    assert len(upstream.requests) == 1
    assert (asked.attempt.status, asked.attempt.outcome) == (status, "upstream_broken")


def test_keep_alives_between_words_are_pings(upstream: Upstream) -> None:
    first, word, *rest = sse_chunks("One", " two")
    # Each in its own turn: what is read at once leaves at once.
    gates = [threading.Event() for _ in range(2)]
    upstream.script(
        [
            Head(200),
            Chunk(b": early\n\n" + first + word),
            Wait(gates[0]),
            Chunk(b": keep-alive\n\n"),
            Wait(gates[1]),
            *map(Chunk, rest),
        ]
    )
    asked = Asked()

    async def main() -> None:
        transport = open_transport()
        origin = Origin(upstream.host, upstream.port)
        answer = await provider(origin, transport).answer(make_call(stream=True), TARGET, asked.attempt)
        assert answer.frames is not None
        opened = await anext(answer.frames)
        gates[0].set()
        ping = await anext(answer.frames)
        gates[1].set()
        asked.batches = [opened, ping] + [batch async for batch in answer.frames]
        await transport.aclose()

    asyncio.run(main())
    assert list(asked.batches[1]) == [Frame()]
    assert asked.text == "One two"


def test_every_limit_is_kept_and_named(upstream: Upstream) -> None:
    started, word, *_ = sse_chunks("One")
    calls: list[tuple[Steps, Timeouts, str]] = [
        (Silence(), Timeouts(headers=0.1), "headers"),
        ([Head(200), Chunk(started), Silence()], Timeouts(first_token=0.1), "first_token"),
        ([Head(200), Chunk(started + word), Silence()], Timeouts(idle=0.1), "idle"),
        (Silence(), Timeouts(total=0.1), "total"),
        ([Head(200), Chunk(started), Silence()], Timeouts(total=0.1), "total"),
        ([Head(200), Chunk(started + word), Silence()], Timeouts(total=0.1), "total"),
    ]
    for steps, timeouts, name in calls:
        upstream.script(steps)
        asked = ask(upstream, make_call(stream=True, timeouts=timeouts))
        assert isinstance(asked.error, UpstreamTimeout), name
        assert f"its {name} limit" in asked.error.message
        assert asked.attempt.outcome == "upstream_timeout"
        assert asked.attempt.total_ms > 0
        assert upstream.requests[-1].closed.wait(60)


def test_a_keep_alive_is_no_first_token(upstream: Upstream) -> None:
    def drip(_: Any) -> Any:
        yield Head(200)
        while True:
            yield Chunk(b": keep-alive\n\n" * 100)

    upstream.handler = drip
    asked = ask(upstream, make_call(stream=True, timeouts=Timeouts(first_token=0.2)))
    assert isinstance(asked.error, UpstreamTimeout)


def test_an_attempt_after_the_deadline_ends_at_once(upstream: Upstream) -> None:
    upstream.handler = lambda _: Silence()
    asked = ask(upstream, make_call(left=-1.0))
    assert isinstance(asked.error, UpstreamTimeout)


def test_of_the_upstreams_headers_only_what_helps_the_caller_is_kept(upstream: Upstream) -> None:
    helpful = {"x-ratelimit-limit-tokens": "9", "openai-processing-ms": "5", "request-id": "r"}
    ours = {"openai-organization": "org-1", "openai-project": "proj-1", "set-cookie": "a=b", "server": "x"}
    upstream.script(json_reply(completion(), **helpful, **ours))
    answer = ask(upstream, make_call()).answer
    assert answer is not None
    assert sorted(answer.headers) == [
        (b"openai-processing-ms", b"5"),
        (b"x-ratelimit-limit-tokens", b"9"),
        (b"x-upstream-request-id", b"r"),
    ]


def test_an_engine_of_ours_that_is_not_there_is_unavailable_for_a_moment(refused_port: int) -> None:
    origin = Origin("127.0.0.1", refused_port)
    asked = ask(origin, make_call(), local=True)
    assert isinstance(asked.error, Unavailable)
    assert (asked.error.status, asked.error.retry_after) == (503, 1)
    assert "'m'" in asked.error.message
    assert asked.attempt.outcome == "upstream_unreachable"
    assert isinstance(ask(origin, make_call()).error, UpstreamUnreachable)


def test_an_engine_of_ours_always_streams(upstream: Upstream) -> None:
    upstream.script([Head(200), *map(Chunk, sse_chunks("One", " two"))])
    asked = ask(upstream, make_call(), local=True)
    sent = upstream.requests[0].json()
    assert (sent["stream"], sent["stream_options"]) == (True, {"include_usage": True})
    assert asked.text == "One two"


@pytest.mark.parametrize("local", [False, True])
def test_a_caller_who_leaves_closes_the_upstream(upstream: Upstream, local: bool) -> None:
    upstream.script(Silence())
    asked = Asked()

    async def main() -> None:
        transport = open_transport()
        origin = Origin(upstream.host, upstream.port)
        answering = provider(origin, transport, local=local).answer(make_call(), TARGET, asked.attempt)
        task = asyncio.ensure_future(answering)
        await asyncio.to_thread(upstream.wait_for, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(upstream.requests[0].closed.wait, 10)
        await transport.aclose()

    asyncio.run(main())
    assert asked.attempt.outcome == "caller_gone"


def test_a_stream_that_is_left_closes_the_upstream_once(upstream: Upstream) -> None:
    upstream.script([Head(200), *map(Chunk, sse_chunks("One")[:2]), Silence()])
    asked = Asked()

    async def main() -> None:
        transport = open_transport()
        origin = Origin(upstream.host, upstream.port)
        answer = await provider(origin, transport).answer(make_call(stream=True), TARGET, asked.attempt)
        assert answer.frames is not None
        await anext(answer.frames)
        await answer.frames.aclose()
        await answer.frames.aclose()
        assert await asyncio.to_thread(upstream.requests[0].closed.wait, 10)
        await transport.aclose()

    asyncio.run(main())
    assert asked.attempt.outcome == "caller_gone"
    assert asked.attempt.total_ms > 0


def test_a_complete_answer_gives_its_connection_back(upstream: Upstream) -> None:
    upstream.script(json_reply(completion()), [Head(200), *map(Chunk, sse_chunks("One"))], json_reply(completion()))

    async def main() -> None:
        transport = open_transport()
        vendor = provider(Origin(upstream.host, upstream.port), transport)
        for stream in (False, True, False):
            await drive(Asked(), vendor.answer(make_call(stream), TARGET, Attempt("m", "vendor", "first")))
        await transport.aclose()

    asyncio.run(main())
    assert {request.connection for request in upstream.requests} == {1}


def test_a_fault_of_our_own_is_not_blamed_on_the_caller(upstream: Upstream) -> None:
    class Faulty(OpenAICodec):
        def whole(self, body: bytes) -> Any:
            raise ZeroDivisionError

    upstream.script(json_reply(completion()))
    attempt = Attempt("m", "vendor", "first")

    async def main() -> None:
        transport = open_transport()
        vendor = provider(Origin(upstream.host, upstream.port), transport, Faulty())
        with pytest.raises(ZeroDivisionError):
            await vendor.answer(make_call(), TARGET, attempt)
        await transport.aclose()

    asyncio.run(main())
    assert attempt.outcome == "internal_error"


# What goes up, with a transport that only listens.


class Ear:
    """A transport that keeps what it is given and answers with a whole completion."""

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []
        self.limits: list[Timeouts] = []

    async def send(self, origin: Origin, request: Outgoing, timeouts: Timeouts) -> Incoming:
        self.sent.append(request)
        self.limits.append(timeouts)
        return Pieces([json.dumps(completion()).encode()], b"application/json")

    async def aclose(self) -> None:
        """Nothing to close."""


class Pieces:
    """An upstream's body in the given pieces."""

    def __init__(self, pieces: Sequence[bytes], kind: bytes = b"text/event-stream") -> None:
        self.status = 200
        self.headers = ((b"content-type", kind),)
        self.notes: dict[str, Any] = {}
        self._pieces = [piece for piece in pieces if piece]

    async def read(self, limit: int) -> bytes:
        return b"".join(self._pieces)

    async def chunk(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    def close(self) -> None:
        """Nothing to close."""


def sent_headers(call: Call, codec: Codec, **fields: Any) -> list[tuple[bytes, bytes]]:
    ear = Ear()

    async def main() -> None:
        await drive(
            Asked(), provider(Origin("h", 1), ear, codec, **fields).answer(call, TARGET, Attempt("m", "v", "first"))
        )

    asyncio.run(main())
    return list(ear.sent[0].headers)


THEIRS = (
    (b"openai-beta", b"x"),
    (b"idempotency-key", b"i"),
    (b"authorization", b"Bearer theirs"),
    (b"x-version", b"9"),
)


def test_a_caller_of_the_same_dialect_may_replace_defaults_only() -> None:
    defaults = ((b"x-version", b"1"), (b"content-type", b"text/plain"))
    sent = sent_headers(make_call(headers=THEIRS), OpenAICodec(), defaults=defaults)
    assert sorted(sent) == [
        (b"authorization", b"Bearer k"),
        (b"content-type", b"application/json"),
        (b"idempotency-key", b"i"),
        (b"openai-beta", b"x"),
        (b"x-mainstay-hops", b"1"),
        (b"x-version", b"9"),
    ]


@pytest.mark.parametrize("theirs", [(), THEIRS])
def test_a_caller_of_another_dialect_keeps_its_headers_to_itself(theirs: tuple[tuple[bytes, bytes], ...]) -> None:
    sent = sent_headers(make_call(headers=theirs), AnthropicCodec(), defaults=((b"x-version", b"1"),))
    kept = [(b"idempotency-key", b"i")] if theirs else []
    assert sorted(sent) == sorted([*HEADERS, *kept, (b"x-version", b"1"), (b"x-mainstay-hops", b"1")])


def test_the_total_limit_of_an_attempt_is_what_is_left_of_the_calls() -> None:
    ear = Ear()
    call = make_call(left=3.0)

    async def main() -> None:
        await drive(Asked(), provider(Origin("h", 1), ear).answer(call, TARGET, Attempt("m", "v", "first")))

    asyncio.run(main())
    assert 0 < ear.limits[0].total <= 3.0
    assert ear.limits[0].idle == PATIENT.idle


def test_the_request_goes_below_the_base_url_with_the_models_own_name() -> None:
    ear = Ear()

    async def main() -> None:
        await drive(Asked(), provider(Origin("h", 1), ear).answer(make_call(), TARGET, Attempt("m", "v", "first")))

    asyncio.run(main())
    assert (ear.sent[0].method, ear.sent[0].target) == (b"POST", b"/v1/chat/completions")
    assert json.loads(ear.sent[0].body)["model"] == "upstream-name"


class Mouth(Ear):
    """A transport whose every answer is the given pieces."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        super().__init__()
        self._pieces = pieces

    async def send(self, origin: Origin, request: Outgoing, timeouts: Timeouts) -> Incoming:
        return Pieces(self._pieces)


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    marks = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[a:b] for a, b in pairwise(marks)]


def hear(pieces: Sequence[bytes], codec: Codec, stream: bool) -> Asked:
    asked = Asked()
    mouth = Mouth(pieces)
    answering = provider(Origin("h", 1), mouth, codec).answer(make_call(stream), TARGET, asked.attempt)
    asyncio.run(drive(asked, answering))
    return asked


OPENAI_STREAM = b": hello\n\n" + b"".join(sse_chunks("Hé", " 你好", " \U0001f600"))
ANTHROPIC_STREAM = wire.sse(wire.events(wire.message({"type": "text", "text": "Hé 你好 \U0001f600"}), list))
WIRES: list[tuple[Callable[[], Codec], bytes]] = [(OpenAICodec, OPENAI_STREAM), (AnthropicCodec, ANTHROPIC_STREAM)]


@given(st.sampled_from(WIRES), st.lists(st.integers(0, 10_000), max_size=12), st.booleans())
def test_an_answer_is_the_same_however_its_bytes_are_cut(
    known: tuple[Callable[[], Codec], bytes], places: list[int], stream: bool
) -> None:
    codec, data = known
    asked = hear(cut(data, places), codec(), stream)
    assert asked.error is None
    assert asked.text == "Hé 你好 \U0001f600"
    assert asked.attempt.outcome == "ok"


@given(st.sampled_from(WIRES), st.integers(0, 10_000), st.lists(st.integers(0, 10_000), max_size=6))
def test_an_answer_that_ends_too_early_is_never_complete_and_keeps_what_came(
    known: tuple[Callable[[], Codec], bytes], end: int, places: list[int]
) -> None:
    codec, data = known
    # Both end with the finish reason some events before the last: cut before it, nothing may pass as complete.
    whole = data[: data.index(b'finish_reason": "stop"' if codec is OpenAICodec else b"message_delta")]
    shorter = whole[: end % len(whole)]
    asked = hear(cut(shorter, places), codec(), True)
    assert isinstance(asked.error, UpstreamInterrupted | UpstreamBroken)
    assert asked.attempt.outcome == asked.error.code
    assert "Hé 你好 \U0001f600".startswith(asked.text)


ERROR_EVENT = {
    OpenAICodec: b'data: {"error": {"message": "overloaded", "type": "server_error", "code": 503}}\n\n',
    AnthropicCodec: wire.sse([{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}]),
}


@given(st.sampled_from(WIRES), st.lists(st.integers(0, 10_000), max_size=6))
def test_text_before_an_error_is_delivered_however_its_bytes_are_cut(
    known: tuple[Callable[[], Codec], bytes], places: list[int]
) -> None:
    codec, data = known
    events = data.split(b"\n\n")
    said = b"\n\n".join(events[:4]) + b"\n\n"
    said_text = hear([said], codec(), True).text
    asked = hear(cut(said + ERROR_EVENT[codec], places), codec(), True)  # type: ignore[index]  # both are keys
    assert isinstance(asked.error, UpstreamFailed)
    assert said_text
    assert asked.text == said_text


def test_what_the_codec_refuses_is_never_sent() -> None:
    ear = Ear()
    asked = Asked()
    call = make_call(tools=[{"type": "function", "function": {"name": "f", "parameters": 5}}])
    asyncio.run(drive(asked, provider(Origin("h", 1), ear, AnthropicCodec()).answer(call, TARGET, asked.attempt)))
    assert isinstance(asked.error, InvalidRequest)
    assert ear.sent == []
