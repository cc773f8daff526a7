import contextlib
import json
import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from mainstay.api.passing import Passing, admin_socket
from mainstay.core.errors import MainstayError
from mainstay.runtime.client import LeanTransport
from support.serving import Serving, serving
from support.upstream import Chunk, Cut, End, Head, Reply, Silence, Upstream, Wait

pytestmark = pytest.mark.anyio


@pytest.fixture
def home(tmp_path: Path, upstream_uds: Upstream) -> Path:
    """A home whose control process is a scripted one."""
    admin_socket(tmp_path).parent.mkdir()
    admin_socket(tmp_path).symlink_to(upstream_uds.uds)
    return tmp_path


@contextlib.asynccontextmanager
async def passing(home: Path) -> AsyncIterator[tuple[Serving, list[Any]]]:
    """Serve what passes everything on; yield the server, and how each request ended."""
    passer, ends = Passing(home, LeanTransport), []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            ends.append(await passer.serve(scope, receive, send, b"req-1"))
        except MainstayError as error:
            ends.append(error.code)
            raise

    async with serving(app) as running:
        yield running, ends
        await passer.aclose()


async def test_a_request_arrives_as_it_was_sent_but_for_what_belongs_to_the_connection(
    home: Path, upstream_uds: Upstream
) -> None:
    upstream_uds.script(Reply(201, (("content-type", "application/json"), ("set-cookie", "a=b")), b'{"id":1}'))
    async with passing(home) as (running, ends):
        answer = await running.ask(
            b"PATCH /api/teams/a%2Fb?x=1&y=%20 HTTP/1.1\r\nhost: ai.corp.test\r\ncookie: c=d\r\norigin: https://ai\r\n"
            b"x-mainstay-host: evil.test\r\nx-mainstay-client: 9.9.9.9\r\nx-request-id: mine\r\naccept-encoding: br\r\n"
            b'connection: close\r\ncontent-length: 7\r\n\r\n{"a":1}'
        )
    seen = upstream_uds.requests[0]
    assert (seen.method, seen.path, seen.body) == ("PATCH", "/api/teams/a%2Fb?x=1&y=%20", b'{"a":1}')
    headers = {name: [value for key, value in seen.headers if key == name] for name, _ in seen.headers}
    assert headers["x-mainstay-host"] == ["ai.corp.test"]
    assert headers["x-mainstay-client"] == ["127.0.0.1"]
    assert headers["x-request-id"] == ["req-1"]
    assert (headers["cookie"], headers["origin"], headers["accept-encoding"]) == (["c=d"], ["https://ai"], ["identity"])
    assert (answer.status, answer.body, answer.header(b"set-cookie")) == (201, b'{"id":1}', b"a=b")
    assert ends == [201]


async def test_an_answer_streams_as_it_comes(home: Path, upstream_uds: Upstream) -> None:
    go = threading.Event()
    upstream_uds.script([Head(200), Chunk(b"data: 1\n\n"), Wait(go), Chunk(b"data: 2\n\n"), End()])
    async with passing(home) as (running, _), running.connect() as peer:
        await peer.send(b"GET /api/tail HTTP/1.1\r\nhost: a\r\n\r\n")
        first = await peer.reader.readuntil(b"data: 1\n\n")
        assert b"data: 2" not in first
        go.set()
        await peer.reader.readuntil(b"data: 2\n\n")
        await peer.reader.readuntil(b"0\r\n\r\n")


async def test_an_answer_that_breaks_off_does_not_look_whole(home: Path, upstream_uds: Upstream) -> None:
    upstream_uds.script([Head(200), Chunk(b"data: 1\n\n"), Cut()])
    async with passing(home) as (running, _), running.connect() as peer:
        await peer.send(b"GET /api/tail HTTP/1.1\r\nhost: a\r\n\r\n")
        assert not (await peer.rest()).endswith(b"0\r\n\r\n")


async def test_a_caller_who_leaves_ends_what_was_passed_on(home: Path, upstream_uds: Upstream) -> None:
    upstream_uds.script([Head(200), Chunk(b"data: 1\n\n"), Silence()])
    async with passing(home) as (running, _):
        async with running.connect() as peer:
            await peer.send(b"GET /api/tail HTTP/1.1\r\nhost: a\r\n\r\n")
            await peer.reader.readuntil(b"data: 1\n\n")
        assert await anyio.to_thread.run_sync(upstream_uds.requests[0].closed.wait, 10)


@pytest.mark.parametrize("there", [True, False])
async def test_a_control_process_that_is_away_is_said_to_be(tmp_path: Path, there: bool) -> None:
    admin_socket(tmp_path).parent.mkdir()
    if there:
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(admin_socket(tmp_path)))
    async with passing(tmp_path) as (running, ends):
        answer = await running.ask(b"GET /api/keys HTTP/1.1\r\nhost: a\r\n\r\n")
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (503, "unavailable")
    assert str(tmp_path) not in answer.body.decode()
    assert ends == ["unavailable"]


async def test_head_is_passed_on_as_such(home: Path, upstream_uds: Upstream) -> None:
    upstream_uds.script([Head(200, (("content-length", "10"),), framing="raw")])
    async with passing(home) as (running, _):
        answer = await running.ask(b"HEAD /api/keys HTTP/1.1\r\nhost: a\r\n\r\n", head_only=True)
    assert (answer.status, answer.header(b"content-length")) == (200, b"10")
