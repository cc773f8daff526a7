"""The server as a whole: sockets, TLS, and the graceful end."""

import asyncio
import contextlib
import gc
import json
import socket
import ssl
from pathlib import Path
from typing import Any

import openai
import pytest

from mainstay.runtime.server import Limits, Server
from support.serving import mirror, respond, serving, soon, until

pytestmark = pytest.mark.anyio

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module", params=[True, False], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Run on both loops."""
    return ("asyncio", {"use_uvloop": request.param})


class Held:
    """An app that waits with its answers, or in the middle of them, until let go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.cancelled: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            if scope["path"] == "/stream":
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": b"first ", "more_body": True})
                await self.go.wait()
                await send({"type": "http.response.body", "body": b"last"})
            else:
                await self.go.wait()
                await respond(send, b"whole")
        except asyncio.CancelledError as why:
            self.cancelled.append(str(why))
            raise


async def test_a_unix_socket_is_served(tmp_path: Path) -> None:
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(tmp_path / "s"))
    scopes = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await respond(send, b"ok")

    async with serving(app, sock=sock) as served:
        assert (await served.ask(GET)).body == b"ok"
        assert (scopes[0]["client"], scopes[0]["server"]) == (None, (str(tmp_path / "s"), None))


async def test_tls_is_served_and_refusals_reach_the_client(certificates: Any) -> None:
    context = ssl.create_default_context(cafile=certificates.ca_file)
    async with serving(mirror, tls=certificates.server) as served:
        async with served.connect(ssl=context, server_hostname="localhost") as peer:
            body = b"x" * 1_000_000
            await peer.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + body)
            assert json.loads((await peer.response()).body)["body"] == body.decode()
            await peer.send(b"nonsense\r\n\r\n")
            assert (await peer.response()).status == 400
        async with served.connect(ssl=context, server_hostname="localhost") as peer:
            await peer.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert (await peer.response()).status == 200
            assert await peer.rest() == b""
        await until(lambda: served.server.connections == 0)
        assert served.faults == []


async def test_several_sockets_are_served_at_once_without_delay() -> None:
    socks = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    server = Server(mirror, refuse=lambda error, path, shown: (500, b"{}", ()))
    await server.start(socks)
    for sock in socks:
        reader, writer = await asyncio.open_connection(*sock.getsockname())
        writer.write(GET)
        await soon(reader.readuntil(b"\r\n\r\n"))
        (connection,) = server._connections
        accepted = connection._transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        writer.close()
        await until(lambda: server.connections == 0)
    await server.drain(0)


async def test_the_official_sdk_streams_and_is_told_of_a_broken_stream() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        chunk["choices"] = [{"index": 0, "delta": {"content": "hi"}, "finish_reason": None}]
        await send({"type": "http.response.body", "body": f"data: {json.dumps(chunk)}\n\n".encode(), "more_body": True})
        if scope["headers"][-1] and (await receive())["body"].find(b"broken") > 0:
            raise RuntimeError("broken")
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})

    async with serving(app) as served, openai.AsyncOpenAI(base_url=served.url, api_key="k", max_retries=0) as sdk:
        for model in ("fine", "broken"):
            stream = await sdk.chat.completions.create(
                model=model, messages=[{"role": "user", "content": "x"}], stream=True
            )
            seen = []
            ended = "clean"
            try:
                async for event in stream:
                    seen.append(event.choices[0].delta.content)  # it breaks in the middle
            except openai.APIConnectionError:
                ended = "broken"
            assert (seen, ended) == (["hi"], "clean" if model == "fine" else "broken")


async def test_a_drain_lets_what_runs_finish_and_closes_the_rest() -> None:
    app = Held()
    async with (
        serving(app) as served,
        served.connect() as idle,
        served.connect() as fresh,
        served.connect() as whole,
        served.connect() as stream,
    ):
        app.go.set()
        await idle.send(GET)
        assert (await idle.response()).status == 200
        app.go.clear()
        await whole.send(GET)
        await stream.send(b"GET /stream" + GET[5:])
        await until(lambda: served.server.in_flight == 2 and served.server.connections == 4)
        draining = asyncio.ensure_future(served.server.drain(10))
        assert await idle.rest() == b""
        assert await fresh.rest() == b""
        with pytest.raises(OSError):
            async with served.connect():
                pass
        app.go.set()
        answer = await whole.response()
        assert (answer.body, answer.header(b"connection")) == (b"whole", b"close")
        assert (await stream.response()).body == b"first last"
        assert await stream.rest() == b""
        await soon(draining)
        assert (served.server.in_flight, served.server.connections) == (0, 0)
        assert app.cancelled == []


async def test_an_idle_connection_gets_one_more_answer_in_a_drain_and_is_told_to_go() -> None:
    async with serving(mirror) as served, served.connect() as peer, served.connect() as idle:
        for other in (peer, idle):
            await other.send(GET)
            assert (await other.response()).header(b"connection") != b"close"
        draining = asyncio.ensure_future(served.server.drain(30, patience=20))
        await asyncio.sleep(0)
        await peer.send(GET)
        assert (await peer.response()).header(b"connection") == b"close"
        assert await peer.rest() == b""
        # Nobody's patience ran out: the other may come yet.
        assert (served.server.connections, draining.done()) == (1, False)
        await idle.send(GET)
        assert (await idle.response()).status == 200
        await soon(draining)


async def test_a_stream_whose_head_promised_more_leaves_its_connection_open_in_a_drain() -> None:
    app = Held()
    async with serving(app) as served, served.connect() as peer:
        await peer.send(b"GET /stream" + GET[5:])
        await soon(peer.reader.readuntil(b"first "))
        draining = asyncio.ensure_future(served.server.drain(30, patience=20))
        await asyncio.sleep(0)
        app.go.set()
        assert b"last" in await soon(peer.reader.readuntil(b"0\r\n\r\n"))
        await peer.send(GET)
        assert (await peer.response()).header(b"connection") == b"close"
        await soon(draining)


async def test_a_request_that_had_begun_before_the_drain_is_answered() -> None:
    async with serving(mirror) as served, served.connect() as peer:
        await peer.send(GET[:10])
        await until(lambda: served.server.connections == 1)
        (connection,) = served.server._connections
        await until(lambda: connection._reader.in_head)
        draining = asyncio.ensure_future(served.server.drain(10))
        await asyncio.sleep(0)
        await peer.send(GET[10:])
        assert (await peer.response()).header(b"connection") == b"close"
        await soon(draining)


async def test_a_drain_that_runs_out_of_time_cuts_streams_uncleanly() -> None:
    app = Held()
    async with serving(app) as served, served.connect() as whole, served.connect() as stream:
        await whole.send(GET)
        await stream.send(b"GET /stream" + GET[5:])
        await soon(stream.reader.readuntil(b"first "))
        await until(lambda: served.server.in_flight == 2)
        await soon(served.server.drain(0.02))
        assert app.cancelled == ["the server stopped"] * 2
        assert (served.server.in_flight, served.server.connections) == (0, 0)
        for peer in (whole, stream):
            with contextlib.suppress(ConnectionResetError):
                assert b"0\r\n\r\n" not in await peer.rest()


async def test_a_drain_waits_for_work_behind_a_finished_response() -> None:
    go = asyncio.Event()
    settled = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, b"ok")
        await go.wait()
        settled.append(True)

    async with serving(app) as served:
        await served.ask(GET)
        draining = asyncio.ensure_future(served.server.drain(10))
        await until(lambda: served.server.connections == 0)
        assert not draining.done()
        go.set()
        await soon(draining)
        assert settled == [True]


async def test_thousands_of_requests_leave_nothing_behind() -> None:
    async def hammer(served: Any) -> None:
        async with served.connect() as peer:
            for _ in range(200):
                await peer.send(GET)
                await peer.response()

    async with serving(mirror) as served:
        await soon(asyncio.gather(*(hammer(served) for _ in range(20))))
        await until(lambda: served.server.connections == 0)
        assert (served.server.in_flight, served.faults) == (0, [])


async def test_requests_leave_no_reference_cycles() -> None:
    async with serving(mirror) as served, served.connect() as peer:
        for rounds in (20, 200):
            gc.collect()
            gc.disable()
            try:
                for _ in range(rounds):
                    await peer.send(GET)
                    await peer.response()
                left = gc.collect()
            finally:
                gc.enable()
        assert left < 200


async def test_a_drain_closes_a_connection_that_becomes_idle_in_it() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, b"x" * 8_000_000)

    async with serving(app, Limits(keep_alive=0.1)) as served, served.connect(limit=65536) as peer:
        await peer.send(GET)
        await until(lambda: served.server.connections == 1)
        (connection,) = served.server._connections
        await until(lambda: connection._stalled)
        draining = asyncio.ensure_future(served.server.drain(10))
        assert len((await peer.response()).body) == 8_000_000
        assert await peer.rest() == b""
        await soon(draining)


def test_the_sweep_is_as_fine_as_the_shortest_limit_wants() -> None:
    def interval(limits: Limits) -> float:
        return Server(mirror, limits, refuse=lambda error, path, shown: (500, b"", ()))._interval

    assert interval(Limits()) == 0.5
    assert interval(Limits(keep_alive=0.2)) == 0.05
