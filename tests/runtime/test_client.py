"""The lean client's own rules; what every transport must do stands in test_transport.py."""

import asyncio
import gzip
import socket
import threading
import zlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainstay.core.errors import InvalidRequest, UpstreamBroken, UpstreamTimeout, UpstreamUnreachable
from mainstay.core.ports import Origin, Outgoing
from mainstay.core.timeouts import Timeouts
from mainstay.runtime.client import LeanTransport
from support.upstream import Chunk, Cut, End, Head, Reply, Silence, Step, Upstream, Wait

pytestmark = pytest.mark.anyio

LIMIT = 32 * 1024 * 1024


@pytest.fixture
async def client() -> AsyncIterator[LeanTransport]:
    transport = LeanTransport()
    yield transport
    await transport.aclose()


def post(body: bytes = b"{}", target: bytes = b"/v1", *headers: tuple[bytes, bytes]) -> Outgoing:
    return Outgoing(b"POST", target, headers, body)


def at(upstream: Upstream) -> Origin:
    return Origin(upstream.host, upstream.port)


async def body_of(client: LeanTransport, upstream: Upstream, request: Outgoing | None = None) -> bytes:
    answer = await client.send(at(upstream), request or post(), Timeouts())
    return await answer.read(LIMIT)


async def test_a_request_goes_out_as_it_should(client: LeanTransport, upstream: Upstream) -> None:
    await body_of(client, upstream, post(b'{"a":1}', b"/v1/x?y=1", (b"authorization", b"Bearer k")))
    [seen] = upstream.requests
    assert (seen.method, seen.path, seen.body) == ("POST", "/v1/x?y=1", b'{"a":1}')
    assert dict(seen.headers) == {
        "host": f"127.0.0.1:{upstream.port}",
        "accept-encoding": "identity",
        "authorization": "Bearer k",
        "content-length": "7",
    }


async def test_a_get_without_a_body_has_no_length(client: LeanTransport, upstream: Upstream) -> None:
    await body_of(client, upstream, Outgoing(b"GET", b"/models", (), b""))
    assert upstream.requests[0].header("content-length") is None


async def test_the_answer_to_head_has_no_body(client: LeanTransport, upstream: Upstream) -> None:
    upstream.script([b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"], Reply())
    assert await body_of(client, upstream, Outgoing(b"HEAD", b"/", (), b"")) == b""
    assert await body_of(client, upstream) == b""


@pytest.mark.parametrize(
    "request_",
    [
        post(b"", b"/a b"),
        post(b"", b"/a\r\nx: y"),
        post(b"", b"/a\0"),
        post(b"", b"/", (b"x", b"a\r\nb: c")),
        post(b"", b"/", (b"x", b"a\nb: c")),
        post(b"", b"/", (b"x", b"a\rb")),
        post(b"", b"/", (b"x\r\ny", b"a")),
        post(b"", b"/", (b"x", b"\0")),
    ],
)
async def test_what_would_break_out_of_a_line_is_never_sent(
    client: LeanTransport, upstream: Upstream, request_: Outgoing
) -> None:
    with pytest.raises(InvalidRequest):
        await client.send(at(upstream), request_, Timeouts())
    assert upstream.connections == 0


async def test_the_last_used_connection_is_reused_first(client: LeanTransport, upstream: Upstream) -> None:
    first, second = await asyncio.gather(*[client.send(at(upstream), post(), Timeouts()) for _ in range(2)])
    await first.read(LIMIT)
    await second.read(LIMIT)
    for _ in range(5):
        await body_of(client, upstream)
    assert upstream.connections == 2
    assert len({seen.connection for seen in upstream.requests[2:]}) == 1


async def test_idle_connections_are_bounded(upstream: Upstream) -> None:
    client = LeanTransport(idle_per_origin=1)
    answers = await asyncio.gather(*[client.send(at(upstream), post(), Timeouts()) for _ in range(3)])
    for answer in answers:
        await answer.read(LIMIT)
    closed = [seen for seen in upstream.requests if await asyncio.to_thread(seen.closed.wait, 0.5)]
    assert len(closed) == 2
    await client.aclose()


async def test_a_stale_connection_is_replaced_once(client: LeanTransport, upstream: Upstream) -> None:
    upstream.script(Reply(200, body=b"1"), Cut(), Reply(200, body=b"2"))
    assert await body_of(client, upstream) == b"1"
    assert await body_of(client, upstream) == b"2"
    assert [seen.connection for seen in upstream.requests] == [1, 1, 2]


async def test_a_fresh_connection_that_is_cut_is_not_tried_again(client: LeanTransport, upstream: Upstream) -> None:
    upstream.script(Reply(), Cut(), Cut())
    await body_of(client, upstream)
    with pytest.raises(UpstreamUnreachable):
        await client.send(at(upstream), post(), Timeouts())
    assert len(upstream.requests) == 3


async def test_a_reused_connection_that_breaks_after_a_byte_is_not_tried_again(
    client: LeanTransport, upstream: Upstream
) -> None:
    upstream.script(Reply(), [b"HTTP/1.1 2", Cut()])
    await body_of(client, upstream)
    with pytest.raises(UpstreamUnreachable):
        await client.send(at(upstream), post(), Timeouts())
    assert len(upstream.requests) == 2


async def test_a_connection_closed_while_unused_leaves_the_pool(client: LeanTransport, upstream: Upstream) -> None:
    await body_of(client, upstream)
    await asyncio.to_thread(upstream.close_idle)
    await asyncio.to_thread(upstream.requests[0].closed.wait, 60)
    await body_of(client, upstream)
    assert len(upstream.requests) == 2


@pytest.mark.parametrize(
    "answer",
    [
        Reply(200, (("connection", "close"),), b"ok"),
        [b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok"],
        [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokEXTRA"],
        [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n"],
    ],
)
async def test_a_connection_that_must_not_carry_another_request_does_not(
    client: LeanTransport, upstream: Upstream, answer: Step | list[Step]
) -> None:
    upstream.script(answer)
    assert await body_of(client, upstream) == b"ok"
    assert await asyncio.to_thread(upstream.requests[0].closed.wait, 60)
    await body_of(client, upstream)
    assert upstream.connections == 2


async def test_bytes_on_an_unused_connection_close_it(client: LeanTransport, upstream: Upstream) -> None:
    upstream.handler = lambda _: [Reply(200, body=b"ok"), b"HTTP/1.1 408 Too Slow\r\n\r\n"]
    assert await body_of(client, upstream) == b"ok"
    assert await asyncio.to_thread(upstream.requests[0].closed.wait, 60)


async def test_interim_answers_are_skipped(client: LeanTransport, upstream: Upstream) -> None:
    upstream.script(
        [b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\n", Reply(201, (("a", "b"),), b"ok")]
    )
    answer = await client.send(at(upstream), post(), Timeouts())
    assert (answer.status, answer.headers) == (201, [(b"a", b"b"), (b"content-length", b"2")])
    assert await answer.read(LIMIT) == b"ok"
    await body_of(client, upstream)
    assert upstream.connections == 1


async def test_trailers_do_not_become_headers(client: LeanTransport, upstream: Upstream) -> None:
    upstream.script([Head(200), Chunk(b"ok"), b"0\r\nx-late: 1\r\n\r\n"])
    answer = await client.send(at(upstream), post(), Timeouts())
    assert await answer.read(LIMIT) == b"ok"
    assert b"x-late" not in dict(answer.headers)


@pytest.mark.parametrize(
    "wire",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000 + b"\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000,
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 1\r\n\r\nx",
    ],
)
async def test_what_is_not_usable_http_is_broken(client: LeanTransport, upstream: Upstream, wire: bytes) -> None:
    upstream.script([wire, Silence()])
    with pytest.raises(UpstreamBroken):
        await client.send(at(upstream), post(), Timeouts(headers=5))


async def test_endless_trailers_are_broken(client: LeanTransport, upstream: Upstream) -> None:
    upstream.script([Head(200), Chunk(b"ok"), b"0\r\n", *[b"x: %b\r\n" % (b"y" * 1000)] * 200, Silence()])
    answer = await client.send(at(upstream), post(), Timeouts())
    with pytest.raises(UpstreamBroken):
        await answer.read(LIMIT)


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda data: zlib.compress(data, wbits=-15)),
        ("GZIP", lambda data: gzip.compress(data[:7]) + gzip.compress(data[7:])),
    ],
)
@pytest.mark.parametrize("piecewise", [True, False])
async def test_an_encoding_nobody_asked_for_is_undone(client, upstream, encoding, pack, piecewise) -> None:
    plain = b"the quick brown fox " * 5000
    packed = pack(plain)
    upstream.script(
        [
            Head(200, (("content-encoding", encoding),)),
            *[Chunk(packed[i : i + 50]) for i in range(0, len(packed), 50)],
        ]
    )
    answer = await client.send(at(upstream), post(), Timeouts())
    assert b"content-encoding" not in dict(answer.headers)
    assert await (all_chunks(answer) if piecewise else answer.read(LIMIT)) == plain


async def all_chunks(answer) -> bytes:
    pieces = []
    while piece := await answer.chunk():
        pieces.append(piece)
    return b"".join(pieces)


async def test_a_bomb_is_not_unpacked_beyond_the_limit(client: LeanTransport, upstream: Upstream) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    upstream.script(*[Reply(200, (("content-encoding", "gzip"),), bomb)] * 2)
    answer = await client.send(at(upstream), post(), Timeouts())
    with pytest.raises(UpstreamBroken):
        await answer.read(1_000_000)
    answer = await client.send(at(upstream), post(), Timeouts())
    assert len(await answer.chunk()) <= 256 * 1024
    answer.close()


@pytest.mark.parametrize("packed", [b"not gzip", gzip.compress(b"x" * 1000, mtime=0)[:-10]])
async def test_a_body_that_cannot_be_unpacked_is_broken(client, upstream, packed: bytes) -> None:
    upstream.script(*[Reply(200, (("content-encoding", "gzip"),), packed)] * 2)
    answer = await client.send(at(upstream), post(), Timeouts())
    with pytest.raises(UpstreamBroken):
        await answer.read(LIMIT)
    answer = await client.send(at(upstream), post(), Timeouts())
    with pytest.raises(UpstreamBroken):
        await all_chunks(answer)


async def test_a_slow_reader_holds_the_upstream_back(client: LeanTransport, upstream: Upstream) -> None:
    upstream.script([Head(200), *[Chunk(b"x" * 65536)] * 1000])
    answer = await client.send(at(upstream), post(), Timeouts())
    [seen] = upstream.requests
    while True:
        before = seen.written
        if await asyncio.to_thread(seen.answered.wait, 0.2) or seen.written == before:
            break
    assert seen.written < 20_000_000
    assert len(await all_chunks(answer)) == 65_536_000


async def test_an_upload_that_fills_the_socket_goes_out_whole(client: LeanTransport, upstream: Upstream) -> None:
    body = bytes(range(256)) * 65536
    await body_of(client, upstream, post(body))
    assert upstream.requests[0].body == body


async def test_an_answer_before_the_upload_is_whole_costs_the_connection(client: LeanTransport) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await reader.readexactly(20_000_000)
        writer.close()
        done.set()

    done = asyncio.Event()
    server = await asyncio.start_server(refuse, "127.0.0.1", 0, limit=1000)
    origin = Origin("127.0.0.1", server.sockets[0].getsockname()[1])
    answer = await client.send(origin, post(bytes(20_000_000)), Timeouts())
    assert (answer.status, await answer.read(LIMIT)) == (413, b"no")
    await asyncio.wait_for(done.wait(), 60)
    server.close()


async def test_the_total_limit_ends_an_answer_that_never_stops(client: LeanTransport, upstream: Upstream) -> None:
    upstream.script([Head(200), *[Chunk(b"x" * 65536)] * 100_000])
    answer = await client.send(at(upstream), post(), Timeouts(total=0.2))
    with pytest.raises(UpstreamTimeout, match="total"):
        await all_chunks(answer)
    assert await asyncio.to_thread(upstream.requests[0].closed.wait, 60)


async def test_idle_is_counted_from_the_last_byte(client: LeanTransport, upstream: Upstream) -> None:
    gate = threading.Event()
    upstream.script([Head(200), Chunk(b"a"), Wait(gate), Chunk(b"b"), Silence()])
    answer = await client.send(at(upstream), post(), Timeouts(idle=10))
    clock = asyncio.get_running_loop().time
    assert await answer.chunk() == b"a"
    for outcome in (b"b", None):
        reading = asyncio.create_task(answer.chunk())
        await asyncio.sleep(0)
        answer.expire(clock() + 9.9)
        if outcome is not None:
            gate.set()
            assert await reading == outcome
    answer.expire(clock() + 10.2)
    with pytest.raises(UpstreamTimeout, match="idle"):
        await reading


async def test_a_connect_that_hangs_is_timed_out(client: LeanTransport) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        with socket.socket() as one, socket.socket() as two:
            for filler in (one, two):
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", port))
            with pytest.raises(UpstreamTimeout, match="connect"):
                await client.send(Origin("127.0.0.1", port), post(), Timeouts(connect=0.1))


@pytest.mark.parametrize("host", ["no-such-name.invalid", "a" * 300, "a b", "x\r\ny", ""])
async def test_a_name_without_an_address_is_unreachable(client: LeanTransport, host: str) -> None:
    with pytest.raises(UpstreamUnreachable) as caught:
        await client.send(Origin(host, 80), post(), Timeouts())
    assert not host or host not in caught.value.message


@pytest.mark.parametrize("anyio_backend", ["asyncio", ("asyncio", {"use_uvloop": True})])
async def test_a_name_with_several_addresses_is_tried_through(client: LeanTransport, upstream: Upstream, monkeypatch):
    async def resolve(host: str, port: int, **_: object) -> list:
        dead = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0))
        alive = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        return [dead, alive]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    answer = await client.send(Origin("two.example", upstream.port), post(), Timeouts())
    assert await answer.read(LIMIT) == b"{}"


async def test_a_plain_request_through_a_proxy_names_the_whole_url(client: LeanTransport, upstream: Upstream) -> None:
    origin = Origin("far.example", 8000, proxy=f"http://me:s%20t@127.0.0.1:{upstream.port}")
    answer = await client.send(origin, post(), Timeouts())
    assert await answer.read(LIMIT) == b"{}"
    [seen] = upstream.requests
    assert seen.path == "http://far.example:8000/v1"
    assert (seen.header("host"), seen.header("proxy-authorization")) == ("far.example:8000", "Basic bWU6cyB0")


@pytest.mark.parametrize("anyio_backend", ["asyncio", ("asyncio", {"use_uvloop": True})])
async def test_a_secure_request_through_a_proxy_is_tunnelled(upstream_tls: Upstream, certificates) -> None:
    asked: list[bytes] = []

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        there = await asyncio.open_connection("127.0.0.1", upstream_tls.port)
        writer.write(b"HTTP/1.1 200 Go on\r\n\r\n")

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
            sink.close()

        await asyncio.gather(pump(reader, there[1]), pump(there[0], writer), return_exceptions=True)
        ended.set()

    ended = asyncio.Event()
    proxy = await asyncio.start_server(tunnel, "127.0.0.1", 0)
    client = LeanTransport(ca_file=certificates.ca_file)
    address = f"http://me:pw@127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
    origin = Origin("localhost", upstream_tls.port, tls=True, proxy=address)
    for _ in range(2):
        answer = await client.send(origin, post(), Timeouts())
        assert await answer.read(LIMIT) == b"{}"
    assert len(asked) == 1
    assert asked[0].startswith(b"CONNECT localhost:%d HTTP/1.1\r\n" % upstream_tls.port)
    assert b"proxy-authorization: Basic bWU6cHc=\r\n" in asked[0]
    await client.aclose()
    await asyncio.wait_for(ended.wait(), 60)
    proxy.close()
    await proxy.wait_closed()


async def test_a_proxy_that_refuses_a_tunnel_is_unreachable(client: LeanTransport, upstream: Upstream) -> None:
    upstream.handler = lambda _: [b"HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n"]
    origin = Origin("localhost", 443, tls=True, proxy=upstream.url)
    with pytest.raises(UpstreamUnreachable, match="proxy"):
        await client.send(origin, post(), Timeouts())


@pytest.mark.parametrize("anyio_backend", ["asyncio", ("asyncio", {"use_uvloop": True})])
async def test_a_certificate_nobody_vouches_for_is_refused(client: LeanTransport, upstream_tls: Upstream) -> None:
    with pytest.raises(UpstreamUnreachable, match="certificate"):
        await client.send(Origin("localhost", upstream_tls.port, tls=True), post(), Timeouts())
    assert upstream_tls.requests == []


async def test_unused_connections_are_closed_in_time(upstream: Upstream) -> None:
    client = LeanTransport(idle_expiry=0.0)
    await body_of(client, upstream)
    assert await asyncio.to_thread(upstream.requests[0].closed.wait, 15)
    await client.aclose()


async def test_closing_ends_what_is_under_way_and_refuses_more(client: LeanTransport, upstream: Upstream) -> None:
    upstream.script(Reply(), Silence())
    await body_of(client, upstream)
    waiting = asyncio.create_task(body_of(client, upstream))
    await asyncio.to_thread(upstream.wait_for, 2)
    await client.aclose()
    with pytest.raises(UpstreamUnreachable):
        await waiting
    assert await asyncio.to_thread(upstream.requests[1].closed.wait, 60)
    with pytest.raises(UpstreamUnreachable):
        await client.send(at(upstream), post(), Timeouts())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), body=st.binary(min_size=1, max_size=300))
def test_any_cutting_of_the_bytes_gives_the_same_body(upstream: Upstream, data, body: bytes) -> None:
    chunked = data.draw(st.booleans())
    if chunked:
        cuts = sorted(data.draw(st.sets(st.integers(1, len(body)), max_size=5)) | {len(body)})
        pieces = [body[a:b] for a, b in zip([0, *cuts], cuts, strict=False)]
        wire = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        wire += b"".join(b"%x;ext=1\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nt: 1\r\n\r\n"
    else:
        wire = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(wire) - 1), max_size=12)) | {len(wire)})
    steps = [wire[a:b] for a, b in zip([0, *cuts], cuts, strict=False)]
    upstream.script(list(steps), list(steps))

    async def check() -> None:
        client = LeanTransport()
        assert await body_of(client, upstream) == body
        assert await all_chunks(await client.send(at(upstream), post(), Timeouts())) == body
        await client.aclose()

    before = upstream.connections
    asyncio.run(check())
    assert upstream.connections == before + 1


async def test_an_end_of_stream_with_a_body_that_ends_with_the_connection(client, upstream) -> None:
    upstream.script([Head(200, framing="eof"), Chunk(b"a"), Chunk(b"b"), End()])
    assert await all_chunks(await client.send(at(upstream), post(), Timeouts())) == b"ab"
