"""What every transport must do, whatever carries the bytes: one suite for all."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mainstay.core.errors import (
    InvalidRequest,
    StartError,
    UpstreamBroken,
    UpstreamError,
    UpstreamInterrupted,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from mainstay.core.ports import Incoming, Origin, Outgoing, Transport
from mainstay.core.timeouts import Timeouts
from mainstay.runtime.null import NullTransport
from mainstay.runtime.transport import open_transport
from support.upstream import Chunk, Cut, End, Head, Received, Reply, Reset, Silence, Upstream, Wait, sse

pytestmark = pytest.mark.anyio

LIMIT = 32 * 1024 * 1024
POST = Outgoing(b"POST", b"/v1/chat", ((b"content-type", b"application/json"),), b'{"a": 1}')


@dataclass
class Side:
    """A transport and the upstream it talks to."""

    transport: Transport
    upstream: Upstream
    origin: Origin

    async def send(self, request: Outgoing = POST, **limits: float) -> Incoming:
        return await self.transport.send(self.origin, request, Timeouts(**limits))


WIRES = [
    "uvloop tcp",
    "uvloop uds",
    "uvloop tls",
    "uvloop tls though http2 was wished",
    "uvloop http2",
    "asyncio tcp",
    "asyncio http2",
]


@pytest.fixture(params=WIRES)
def wire(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def anyio_backend(wire: str) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": wire.startswith("uvloop")}


@pytest.fixture
async def side(wire: str, make_upstream: Callable[..., Upstream], certificates: Any) -> AsyncIterator[Side]:
    kind = wire.split(" ", 1)[1]
    if kind == "http2":
        upstream = make_upstream(tls=certificates.server_http2, http2=True)
    else:
        upstream = make_upstream(tls=certificates.server if "tls" in kind else None, uds=kind == "uds")
    transport = open_transport(http2="http2" in kind, ca_file=certificates.ca_file)
    tls = kind not in ("tcp", "uds")
    host = "localhost" if tls else "127.0.0.1"
    yield Side(transport, upstream, Origin(host, upstream.port, tls=tls, uds=upstream.uds))
    await transport.aclose()


async def all_of(answer: Incoming) -> bytes:
    pieces = []
    while piece := await answer.chunk():
        pieces.append(piece)
    assert await answer.chunk() == b""
    return b"".join(pieces)


async def gone(request: Received) -> bool:
    return await asyncio.to_thread(request.closed.wait, 5)


async def arrived(side: Side, count: int) -> Received:
    return (await asyncio.to_thread(side.upstream.wait_for, count))[count - 1]


async def test_an_answer_comes_whole(side: Side) -> None:
    side.upstream.script(Reply(200, (("X-Thing", "one"), ("x-thing", "two")), b"hello"))
    answer = await side.send()
    assert answer.status == 200
    assert [value for name, value in answer.headers if name == b"x-thing"] == [b"one", b"two"]
    assert await answer.read(LIMIT) == b"hello"
    [seen] = side.upstream.requests
    assert (seen.method, seen.path, seen.body) == ("POST", "/v1/chat", b'{"a": 1}')
    assert seen.header("content-type") == "application/json"
    assert seen.header("accept-encoding") == "identity"
    assert seen.header("cookie") is None


async def test_an_answer_without_a_body_is_empty(side: Side) -> None:
    side.upstream.script(Reply(204), Reply(200), Reply(200))
    for _ in range(2):
        assert await (await side.send()).read(LIMIT) == b""
    assert await all_of(await side.send()) == b""


async def test_chunks_arrive_one_by_one(side: Side) -> None:
    gates = [threading.Event() for _ in range(3)]
    side.upstream.script([Head(), *[step for i, gate in enumerate(gates) for step in (Wait(gate), Chunk(b"%d" % i))]])
    answer = await side.send()
    for i, gate in enumerate(gates):
        gate.set()
        assert await answer.chunk() == b"%d" % i
    assert await answer.chunk() == b""


async def test_a_stream_can_be_read_whole(side: Side) -> None:
    side.upstream.script(sse({"a": 1}, {"b": 2}))
    assert await (await side.send()).read(LIMIT) == b'data: {"a": 1}\n\ndata: {"b": 2}\n\ndata: [DONE]\n\n'


async def test_a_body_may_end_with_the_connection(side: Side) -> None:
    side.upstream.script(*[[Head(framing="eof"), Chunk(b"a"), Chunk(b"b"), End()]] * 2)
    assert await (await side.send()).read(LIMIT) == b"ab"
    assert await all_of(await side.send()) == b"ab"


@pytest.mark.parametrize("status", [302, 400, 401, 429, 500, 503])
async def test_a_status_is_handed_on_and_nothing_is_done_about_it(side: Side, status: int) -> None:
    side.upstream.script(Reply(status, (("location", "/elsewhere"), ("retry-after", "1")), b"why"))
    answer = await side.send()
    assert (answer.status, await answer.read(LIMIT)) == (status, b"why")
    assert len(side.upstream.requests) == 1


async def test_a_large_body_comes_whole(side: Side) -> None:
    body = bytes(range(256)) * 40_000
    side.upstream.script(Reply(200, (), body), Reply(200, (), body))
    assert await (await side.send()).read(LIMIT) == body
    assert await all_of(await side.send()) == body


async def test_a_large_request_goes_whole(side: Side) -> None:
    body = bytes(range(256)) * 40_000
    await (await side.send(Outgoing(b"POST", b"/", (), body))).read(LIMIT)
    assert side.upstream.requests[0].body == body


async def test_connections_are_reused(side: Side) -> None:
    for _ in range(5):
        await (await side.send()).read(LIMIT)
        await all_of(await side.send())
    assert (len(side.upstream.requests), side.upstream.connections) == (10, 1)


async def test_many_requests_at_once_get_their_own_answers(side: Side) -> None:
    side.upstream.handler = lambda seen: [Head(), Chunk(seen.body), Chunk(seen.body)]

    async def ask(number: int) -> bytes:
        return await (await side.send(Outgoing(b"POST", b"/", (), b"%d" % number))).read(LIMIT)

    assert await asyncio.gather(*map(ask, range(40))) == [b"%d%d" % (n, n) for n in range(40)]


@pytest.mark.parametrize("end", [Reset(), Cut()])
async def test_a_connection_lost_before_the_head_is_unreachable(side: Side, end: Reset | Cut) -> None:
    side.upstream.script(end)
    with pytest.raises(UpstreamUnreachable):
        await side.send()
    assert len(side.upstream.requests) == 1


@pytest.mark.parametrize("end", [Reset(), Cut()])
async def test_a_stale_connection_is_replaced(side: Side, end: Reset | Cut) -> None:
    side.upstream.script(Reply(), end, Reply(200, (), b"fresh"))
    await (await side.send()).read(LIMIT)
    assert await (await side.send()).read(LIMIT) == b"fresh"
    assert side.upstream.connections == 2


async def test_a_refused_connection_is_unreachable(side: Side, refused_port: int) -> None:
    origin = Origin("127.0.0.1", refused_port, side.origin.tls, side.origin.uds and "/nowhere/at/all")
    with pytest.raises(UpstreamUnreachable) as caught:
        await side.transport.send(origin, POST, Timeouts())
    assert str(refused_port) not in caught.value.message


async def test_a_head_that_does_not_come_is_timed_out(side: Side) -> None:
    side.upstream.script(Silence())
    with pytest.raises(UpstreamTimeout, match="headers"):
        await side.send(headers=0.05)
    assert await gone(side.upstream.requests[0])


@pytest.mark.parametrize("whole", [True, False])
async def test_a_body_that_goes_silent_is_timed_out(side: Side, whole: bool) -> None:
    side.upstream.script([Head(), Chunk(b"a"), Silence()])
    answer = await side.send(idle=0.05)
    with pytest.raises(UpstreamTimeout, match="idle"):
        await (answer.read(LIMIT) if whole else all_of(answer))
    assert await gone(side.upstream.requests[0])


async def test_the_whole_has_a_limit_too(side: Side) -> None:
    # Over a connection that is open already: opening one may take a busy machine longer than that.
    side.upstream.script(Reply(), Silence())
    await (await side.send()).read(LIMIT)
    with pytest.raises(UpstreamTimeout, match="total"):
        await side.send(total=0.05)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("end", [Reset(), Cut()])
async def test_a_body_cut_short_is_interrupted(side: Side, whole: bool, end: Reset | Cut) -> None:
    head_came = threading.Event()
    side.upstream.script([Head(), Chunk(b"a"), Wait(head_came), end])
    answer = await side.send()
    head_came.set()
    with pytest.raises(UpstreamInterrupted):
        await (answer.read(LIMIT) if whole else all_of(answer))


async def test_what_came_before_a_cut_is_delivered(side: Side) -> None:
    side.upstream.script([Head(), Chunk(b"abc"), Cut()])
    answer = await side.send()
    assert await answer.chunk() == b"abc"
    with pytest.raises(UpstreamInterrupted):
        await answer.chunk()


async def test_less_than_the_announced_length_is_interrupted(side: Side) -> None:
    side.upstream.script([Head(200, (("content-length", "10"),), "raw"), Chunk(b"abc"), Cut()])
    with pytest.raises(UpstreamInterrupted):
        await (await side.send()).read(LIMIT)


async def test_a_body_over_the_limit_is_broken(side: Side) -> None:
    fits = Reply(200, (), b"y" * 1000)
    side.upstream.script(Reply(200, (), b"x" * 1001), [Head(), Chunk(b"x" * 1001), Silence()], fits)
    for _ in range(2):
        with pytest.raises(UpstreamBroken):
            await (await side.send()).read(1000)
    assert await (await side.send()).read(1000) == b"y" * 1000


async def test_cancelling_before_the_head_closes_the_upstream(side: Side) -> None:
    side.upstream.script(Silence())
    sending = asyncio.create_task(side.send())
    seen = await arrived(side, 1)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert await gone(seen)
    assert await (await side.send()).read(LIMIT) == b"{}"


@pytest.mark.parametrize("whole", [True, False])
async def test_cancelling_a_read_closes_the_upstream(side: Side, whole: bool) -> None:
    side.upstream.script([Head(), Chunk(b"a"), Silence()])
    answer = await side.send()
    if not whole:
        await answer.chunk()
    reading = asyncio.create_task(answer.read(LIMIT) if whole else answer.chunk())  # type: ignore[arg-type]
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await gone(side.upstream.requests[0])
    with pytest.raises(UpstreamError):
        await all_of(answer)


async def test_closing_an_unfinished_answer_closes_the_upstream(side: Side) -> None:
    side.upstream.script([Head(), Chunk(b"a"), Silence()])
    answer = await side.send()
    answer.close()
    answer.close()
    assert await gone(side.upstream.requests[0])


async def test_closing_a_finished_answer_keeps_the_connection(side: Side) -> None:
    answer = await side.send()
    await answer.read(LIMIT)
    answer.close()
    await (await side.send()).read(LIMIT)
    assert side.upstream.connections == 1


async def test_a_slow_reader_holds_the_upstream_back(side: Side) -> None:
    side.upstream.script([Head(), *[Chunk(b"x" * 65536)] * 1000])
    answer = await side.send()
    [seen] = side.upstream.requests
    while True:
        before = seen.written
        if await asyncio.to_thread(seen.answered.wait, 0.1) or seen.written == before:
            break
    assert seen.written < 30_000_000
    answer.close()


async def test_what_would_break_out_of_a_header_is_never_sent(side: Side) -> None:
    for header in ((b"x", b"a\r\nb: c"), (b"x\n", b"a"), (b"x", b"\0")):
        with pytest.raises(InvalidRequest):
            await side.send(Outgoing(b"POST", b"/", (header,), b""))
    assert side.upstream.requests == []


async def test_closing_the_transport_ends_what_is_under_way(side: Side) -> None:
    side.upstream.script(Reply(), [Head(), Silence()])
    await (await side.send()).read(LIMIT)
    answer = await side.send()
    await side.transport.aclose()
    assert await gone(side.upstream.requests[1])
    with pytest.raises(UpstreamError):
        await answer.read(LIMIT)
    with pytest.raises(UpstreamUnreachable):
        await side.send()


def test_the_null_transport_refuses() -> None:
    null: Transport = NullTransport()
    with pytest.raises(UpstreamUnreachable):
        asyncio.run(null.send(Origin("127.0.0.1", 1), POST, Timeouts()))
    asyncio.run(null.aclose())


@pytest.mark.parametrize("content", [None, "no certificate"])
@pytest.mark.parametrize("http2", [True, False])
def test_a_bad_file_of_authorities_is_found_at_once(tmp_path: Path, content: str | None, http2: bool) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(StartError, match=r"ca\.pem"):
        open_transport(http2=http2, ca_file=str(file))
