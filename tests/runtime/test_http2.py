"""What only HTTP/2 has: shared connections, streams, windows, frames. The rest stands in test_transport.py."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.core.errors import (
    UpstreamBroken,
    UpstreamError,
    UpstreamInterrupted,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from mainstay.core.ports import Origin, Outgoing
from mainstay.core.timeouts import Timeouts
from mainstay.runtime.http2 import Http2Connection
from mainstay.runtime.http2_frames import DATA, HEADERS, PING, frame, literal
from mainstay.runtime.response import Response
from mainstay.runtime.timers import Sweep
from mainstay.runtime.transport import NegotiatedTransport
from support.upstream import Chunk, Goaway, Head, Refuse, Reply, Silence, Upstream, Wait

pytestmark = pytest.mark.anyio

LIMIT = 64 * 1024 * 1024
POST = Outgoing(b"POST", b"/v1", (), b"{}")


@pytest.fixture
async def transport(certificates: Any) -> AsyncIterator[NegotiatedTransport]:
    transport = NegotiatedTransport(ca_file=certificates.ca_file)
    yield transport
    await transport.aclose()


@pytest.fixture
def upstream(make_upstream: Callable[..., Upstream], certificates: Any) -> Upstream:
    return make_upstream(tls=certificates.server_http2, http2=True)


def at(upstream: Upstream) -> Origin:
    return Origin("localhost", upstream.port, tls=True)


async def ask(transport: NegotiatedTransport, upstream: Upstream, **limits: float) -> bytes:
    return await (await transport.send(at(upstream), POST, Timeouts(**limits))).read(LIMIT)


async def test_requests_at_once_share_one_connection(transport: NegotiatedTransport, upstream: Upstream) -> None:
    gate = threading.Event()
    upstream.handler = lambda seen: [Head(), Wait(gate), Chunk(b"done")]
    asking = [asyncio.create_task(ask(transport, upstream)) for _ in range(20)]
    await asyncio.to_thread(upstream.wait_for, 20)
    gate.set()
    assert await asyncio.gather(*asking) == [b"done"] * 20
    assert upstream.connections == 1


async def test_cancelling_one_request_leaves_the_others_be(transport: NegotiatedTransport, upstream: Upstream) -> None:
    gate = threading.Event()
    upstream.script(Silence(), [Wait(gate), Reply(200, (), b"fine")])
    first, second = (asyncio.create_task(ask(transport, upstream)) for _ in range(2))
    silent, kept = await asyncio.to_thread(upstream.wait_for, 2)
    first.cancel()
    assert await asyncio.to_thread(silent.closed.wait, 5)
    assert not kept.closed.is_set()
    gate.set()
    assert await second == b"fine"
    assert await ask(transport, upstream) == b"{}"
    assert upstream.connections == 1


async def test_more_requests_than_streams_get_another_connection(
    transport: NegotiatedTransport, make_upstream: Callable[..., Upstream], certificates: Any
) -> None:
    upstream = make_upstream(tls=certificates.server_http2, http2=True, max_streams=2)
    await ask(transport, upstream)
    gate = threading.Event()
    upstream.handler = lambda seen: [Wait(gate), Reply()]
    asking = [asyncio.create_task(ask(transport, upstream)) for _ in range(5)]
    await asyncio.to_thread(upstream.wait_for, 6)
    gate.set()
    await asyncio.gather(*asking)
    assert upstream.connections == 3


async def test_a_refused_request_is_asked_again_on_a_fresh_connection(
    transport: NegotiatedTransport, upstream: Upstream
) -> None:
    upstream.script(Reply(), [Refuse(), Silence()], Reply(200, (), b"fresh"))
    await ask(transport, upstream)
    assert await ask(transport, upstream) == b"fresh"
    assert [seen.connection for seen in upstream.requests] == [1, 1, 2]


@pytest.mark.parametrize("code", [1, 2, 8, 11])
async def test_a_request_given_up_after_work_began_is_not_asked_again(
    transport: NegotiatedTransport, upstream: Upstream, code: int
) -> None:
    upstream.script(Reply(), [Refuse(code), Silence()])
    await ask(transport, upstream)
    with pytest.raises(UpstreamUnreachable):
        await ask(transport, upstream)
    assert len(upstream.requests) == 2


async def test_a_stream_reset_in_its_body_is_interrupted(transport: NegotiatedTransport, upstream: Upstream) -> None:
    upstream.script([Head(), Chunk(b"a"), Refuse(2), Silence()])
    answer = await transport.send(at(upstream), POST, Timeouts())
    assert await answer.chunk() == b"a"
    with pytest.raises(UpstreamInterrupted):
        await answer.chunk()
    await ask(transport, upstream)
    assert upstream.connections == 1


async def test_a_connection_that_says_goodbye_finishes_and_gets_no_more(
    transport: NegotiatedTransport, upstream: Upstream
) -> None:
    gate = threading.Event()
    upstream.script([Head(), Goaway(2**31 - 1), Chunk(b"a"), Wait(gate), Chunk(b"b")], Reply(200, (), b"elsewhere"))
    first = await transport.send(at(upstream), POST, Timeouts())
    assert await first.chunk() == b"a"
    assert await ask(transport, upstream) == b"elsewhere"
    assert upstream.connections == 2
    gate.set()
    assert await first.read(LIMIT) == b"b"
    assert await asyncio.to_thread(upstream.requests[0].closed.wait, 5)


async def test_a_request_beyond_a_goodbye_is_asked_again(transport: NegotiatedTransport, upstream: Upstream) -> None:
    upstream.script(Reply(), [Goaway(1), Silence()], Reply(200, (), b"elsewhere"))
    await ask(transport, upstream)
    assert await ask(transport, upstream) == b"elsewhere"
    assert upstream.connections == 2


async def test_a_silent_connection_is_not_trusted_again(transport: NegotiatedTransport, upstream: Upstream) -> None:
    upstream.script(Reply(), Silence(), Reply(200, (), b"fresh"))
    await ask(transport, upstream)
    with pytest.raises(UpstreamTimeout, match="headers"):
        await ask(transport, upstream, headers=0.05)
    assert await ask(transport, upstream) == b"fresh"
    assert upstream.connections == 2


async def test_bodies_larger_than_every_window_pass_both_ways(
    transport: NegotiatedTransport, upstream: Upstream
) -> None:
    body = bytes(range(256)) * 20_000
    upstream.handler = lambda seen: Reply(200, (), seen.body)
    for _ in range(2):
        answer = await transport.send(at(upstream), Outgoing(b"POST", b"/", (), body), Timeouts())
        assert await answer.read(LIMIT) == body


async def test_long_headers_pass(transport: NegotiatedTransport, upstream: Upstream) -> None:
    request = Outgoing(b"POST", b"/" + b"p" * 20_000, ((b"X-Long", b"v" * 20_000),), b"{}")
    upstream.script(Reply(200, (("x-back", "w" * 20_000),)))
    answer = await transport.send(at(upstream), request, Timeouts())
    [seen] = upstream.requests
    assert (len(seen.path), len(seen.header("x-long") or "")) == (20_001, 20_000)
    assert len(dict(answer.headers)[b"x-back"]) == 20_000


async def test_a_head_over_the_limit_is_broken(transport: NegotiatedTransport, upstream: Upstream) -> None:
    upstream.script(Reply(200, tuple((f"x-{i}", "w" * 10_000) for i in range(9))))
    with pytest.raises(UpstreamBroken):
        await ask(transport, upstream)


@pytest.mark.parametrize(
    "wire",
    [
        frame(99, 0, 0, b"") + frame(HEADERS, 0, 1, b"\x88") + frame(PING, 0, 0, bytes(8)),
        frame(HEADERS, 0x5, 1, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
        frame(HEADERS, 0x4, 1, literal(b"x", b"y")),
        frame(DATA, 0, 1, b"early"),
        frame(DATA, 0x8, 1, b""),
        frame(5, 0, 1, bytes(4)),
        frame(9, 0, 1, b""),
        (1 << 20).to_bytes(3, "big") + bytes(6),
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
)
async def test_what_is_not_usable_http2_is_broken(
    transport: NegotiatedTransport, upstream: Upstream, wire: bytes
) -> None:
    upstream.script([wire, Silence()])
    with pytest.raises(UpstreamBroken):
        await ask(transport, upstream, headers=5)
    assert await asyncio.to_thread(upstream.requests[0].closed.wait, 5)
    assert await ask(transport, upstream) == b"{}"


async def test_an_encoding_that_cannot_be_undone_breaks_its_own_answer_only(
    transport: NegotiatedTransport, upstream: Upstream
) -> None:
    gate = threading.Event()
    upstream.script([Head(), Wait(gate), Chunk(b"ok")], Reply(200, (("content-encoding", "br"),), b"x"))
    other = await transport.send(at(upstream), POST, Timeouts())
    with pytest.raises(UpstreamBroken):
        await ask(transport, upstream)
    gate.set()
    assert await other.read(LIMIT) == b"ok"


async def test_what_an_upstream_speaks_is_learnt_once(transport: NegotiatedTransport, upstream_tls: Upstream) -> None:
    for _ in range(3):
        assert await ask(transport, upstream_tls) == b"{}"
    assert upstream_tls.connections == 1


class Wire(asyncio.Transport):
    """Collects what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.over = False

    def write(self, data: Any) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.over

    def abort(self) -> None:
        self.over = True

    close = abort


@settings(max_examples=80, deadline=None)
@given(data=st.data(), pieces=st.lists(st.binary(min_size=1, max_size=400), min_size=1, max_size=5))
def test_any_cutting_of_the_bytes_gives_the_same_body(data: Any, pieces: list[bytes]) -> None:
    async def check() -> None:
        loop = asyncio.get_running_loop()
        wire, sweep = Wire(), Sweep(loop, lambda now: False)
        connection = Http2Connection(loop, b"x", lambda _: None, lambda _: None)
        connection.connection_made(wire)
        stream = connection.open()
        response = Response(stream, Timeouts(), loop.time(), loop.time() + 60, sweep)
        connection.request(stream, POST, response)
        server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        server.initiate_connection()
        server.receive_data(bytes(wire.written))
        server.send_headers(1, [(":status", "103"), ("link", "x")])
        server.send_headers(1, [(":status", "200"), ("x-a", "b")])
        for piece in pieces:
            server.send_data(1, piece, pad_length=data.draw(st.none() | st.integers(0, 9)))
        server.send_headers(1, [("x-trailer", "1")], end_stream=True)
        sent = server.data_to_send()
        cuts = sorted(data.draw(st.sets(st.integers(1, len(sent) - 1), max_size=20)) | {len(sent)})
        for a, b in zip([0, *cuts], cuts, strict=False):
            connection.data_received(sent[a:b])
        assert (response.status, response.headers) == (200, [(b"x-a", b"b")])
        assert await response.read(LIMIT) == b"".join(pieces)
        assert not connection.busy
        sweep.stop()

    asyncio.run(check())


@settings(max_examples=100, deadline=None)
@given(noise=st.binary(min_size=1, max_size=300))
def test_no_bytes_break_the_parser(noise: bytes) -> None:
    async def check() -> None:
        loop = asyncio.get_running_loop()
        wire, sweep = Wire(), Sweep(loop, lambda now: False)
        connection = Http2Connection(loop, b"x", lambda _: None, lambda _: None)
        connection.connection_made(wire)
        stream = connection.open()
        response = Response(stream, Timeouts(), loop.time(), loop.time() + 60, sweep)
        connection.request(stream, POST, response)
        for kind in range(10):
            if not wire.over:
                connection.data_received(frame(kind, noise[0], kind % 2, noise))
        connection.connection_lost(None)
        with pytest.raises(UpstreamError):
            await response.read(LIMIT)
        sweep.stop()

    asyncio.run(check())
