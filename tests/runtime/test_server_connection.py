"""One connection over a real socket: order, refusals, and the clocks."""

import asyncio
import http.client
import json
import re
from typing import Any

import httpx2
import openai
import pytest

from mainstay.core.errors import MainstayError
from mainstay.runtime.http1 import Limits
from support.serving import mirror, respond, serving, soon, until, whole_body

pytestmark = pytest.mark.anyio

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
TOO_LARGE = 33 * 1024 * 1024


@pytest.fixture(scope="module", params=[True, False], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Run on both loops."""
    return ("asyncio", {"use_uvloop": request.param})


async def _path(scope: Any, receive: Any, send: Any) -> None:
    await whole_body(receive)
    await respond(send, scope["path"].encode())


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


# Order.


async def test_a_connection_is_used_again_and_again() -> None:
    async with serving(_path) as served, served.connect() as peer:
        for number in range(5):
            await peer.send(_get(f"/{number}"))
            assert (await peer.response()).body == b"/%d" % number
        assert served.server.connections == 1


async def test_connection_close_is_obeyed() -> None:
    async with serving(_path) as served, served.connect() as peer:
        await peer.send(POST + b"Connection: close\r\nContent-Length: 2\r\n\r\nok")
        assert (await peer.response()).header(b"connection") == b"close"
        assert await peer.rest() == b""


async def test_pipelined_requests_are_run_one_at_a_time_and_answered_in_order() -> None:
    running = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal running
        running += 1
        assert running == 1
        await asyncio.sleep(0)
        body = await whole_body(receive)
        running -= 1
        await respond(send, scope["path"].encode() + body)

    async with serving(app) as served, served.connect() as peer:
        wire = b""
        expected = []
        for number in range(500):
            wire += _get(f"/{number}") + POST + b"Content-Length: 3\r\n\r\nabc"
            wire += POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n"
            expected += [b"/%d" % number, b"/abc", b"/de"]
        await peer.send(wire)
        assert [(await peer.response()).body for _ in expected] == expected
        assert served.faults == []


async def test_a_client_that_pipelines_without_end_is_held_back() -> None:
    go = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await go.wait()
        await respond(send, b"")

    async with serving(app) as served, served.connect() as peer:
        count = 400_000
        sending = asyncio.ensure_future(peer.send(GET * count))
        await until(lambda: served.server.connections == 1)
        (connection,) = served.server._connections
        await until(lambda: connection._paused)
        assert connection._held_size <= 64 * 1024 + 256 * 1024
        assert len(connection._queue) < 300
        assert not sending.done()
        peer.reset()
        sending.cancel()
        go.set()


async def test_a_pipelined_request_waits_while_the_client_does_not_take_the_answers() -> None:
    started = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal started
        started += 1
        await respond(send, b"x" * 8_000_000)

    async with serving(app) as served, served.connect(limit=65536) as peer:
        await peer.send(GET * 5)
        await until(lambda: started > 0)
        (connection,) = served.server._connections
        await until(lambda: connection._stalled)
        assert started < 5
        for _ in range(5):
            assert len((await peer.response()).body) == 8_000_000


async def test_an_early_answer_keeps_the_connection_when_little_of_the_body_is_left() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, scope["path"].encode())

    async with serving(app) as served, served.connect() as peer:
        await peer.send(POST + b"Content-Length: 1000\r\n\r\nsome")
        assert (await peer.response()).header(b"connection") is None
        await peer.send(b"x" * 996 + _get("/next"))
        assert (await peer.response()).body == b"/next"


async def test_an_early_answer_to_a_long_body_arrives_and_ends_the_connection() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, b"unauthorised")

    async with serving(app) as served, served.connect() as peer:
        size = 20_000_000
        sending = asyncio.ensure_future(peer.send(POST + b"Content-Length: %d\r\n\r\n" % size + b"x" * size))
        answer = await peer.response()
        assert (answer.body, answer.header(b"connection")) == (b"unauthorised", b"close")
        await soon(sending)
        assert await peer.rest() == b""


async def test_an_upgrade_request_is_served_as_any_other() -> None:
    async with serving(mirror) as served, served.connect() as peer:
        head = (
            POST
            + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"
        )
        await peer.send(head + b"Content-Length: 4\r\n\r\n")
        await peer.send(b"body" + GET)
        assert json.loads((await peer.response()).body)["body"] == "body"
        assert (await peer.response()).status == 200


# Refusals.


async def _refused(wire: bytes, limits: Limits | None = None, *, head_only: bool = False) -> tuple[Any, Any]:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("the app must not see this")

    async with serving(app, limits) as served, served.connect() as peer:
        await peer.send(wire)
        answer = await peer.response(head_only=head_only)
        assert await peer.rest() == b""
        (refused,) = served.refused
        assert (served.faults, served.server.in_flight) == ([], 0)
        return answer, refused


#: What every answer of Mainstay says about itself, when no route was found yet; the last is a number.
NOTHING_SERVED = {
    b"x-mainstay-route": b"",
    b"x-mainstay-model": b"",
    b"x-mainstay-provider": b"",
    b"x-mainstay-cache": b"off",
    b"x-mainstay-cost-usd": b"unknown",
    b"x-mainstay-attempts": b"0",
}


def _reasons(answer: Any) -> dict[bytes, bytes]:
    found = {name: value for name, value in answer.headers if name.startswith(b"x-mainstay-")}
    assert re.fullmatch(rb"[0-9]+\.[0-9]{3}", found.pop(b"x-mainstay-overhead-ms"))
    return found


@pytest.mark.parametrize(
    ("wire", "status", "code", "method", "path"),
    [
        (b"nonsense\r\n\r\n", 400, "invalid_request", "", ""),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400, "invalid_request", "", ""),
        (b"GET /a?b HTTP/1.1\r\nA: b\0\r\n\r\n", 400, "invalid_request", "GET", "/a"),
        (b"GET /a HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400, "invalid_request", "GET", "/a"),
        (b"PUT /%20 HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 70_000, 431, "head_too_large", "PUT", "/%20"),
        (POST + b"Content-Length: %d\r\n\r\n" % TOO_LARGE, 413, "body_too_large", "POST", "/"),
        (POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "invalid_request", "POST", "/"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "invalid_request", "POST", "/"),
        (POST + b"Content-Length: 3\r\nExpect: tea\r\n\r\n", 417, "expectation_failed", "POST", "/"),
        (b"GET / HTTP/3.0\r\n\r\n", 400, "invalid_request", "GET", "/"),
    ],
)
async def test_what_cannot_be_served_is_answered_closed_and_reported(
    wire: bytes, status: int, code: str, method: str, path: str
) -> None:
    answer, refused = await _refused(wire)
    assert (answer.status, answer.error["code"]) == (status, code)
    assert set(answer.error) == {"message", "type", "param", "code"}
    assert answer.header(b"connection") == b"close"
    assert answer.header(b"content-type") == b"application/json"
    assert len(answer.header(b"x-request-id")) == 36
    assert _reasons(answer) == NOTHING_SERVED
    assert (refused.error.status, refused.method, refused.path) == (status, method, path)
    assert refused.started > 0


async def test_a_refusal_carries_the_callers_request_id() -> None:
    answer, refused = await _refused(POST + b"X-Request-Id: mine\r\nContent-Length: 99999999\r\n\r\n")
    assert answer.header(b"x-request-id") == b"mine"
    assert refused.shown == "mine"


async def test_a_refusal_carries_the_id_that_its_record_gets() -> None:
    async with serving(mirror) as served:
        answer = await served.ask(b"nonsense\r\n\r\n")
        assert answer.header(b"x-request-id") == served.refused[0].shown.encode()


async def test_a_refusal_is_rendered_for_its_path() -> None:
    async with serving(mirror) as served:
        long = b"x-long: " + b"x" * 100_000
        for path in (b"/v1/messages", b"/v1/chat"):
            for rest in (
                b"Host: x\r\nContent-Length: 99999999\r\n\r\n",
                long,
                b"Host: x\r\nTransfer-Encoding: x\r\n\r\n",
            ):
                answer = await served.ask(b"POST %b?beta=true HTTP/1.1\r\n%b" % (path, rest))
                assert answer.header(b"x-refused") == path
        assert (await served.ask(b"nonsense\r\n\r\n")).header(b"x-refused") == b""


async def test_a_refused_head_request_gets_no_body() -> None:
    answer, _ = await _refused(b"HEAD / HTTP/1.1\r\n\r\n", head_only=True)
    assert answer.status == 400
    assert _reasons(answer) == NOTHING_SERVED


async def test_an_announced_body_that_is_too_long_is_refused_before_100_continue() -> None:
    answer, _ = await _refused(POST + b"Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n")
    assert answer.status == 413


async def test_requests_before_a_bad_one_are_answered_first() -> None:
    go = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await go.wait()
        await respond(send, scope["path"].encode())

    async with serving(app) as served, served.connect() as peer:
        await peer.send(_get("/1") + _get("/2") + POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n")
        await until(lambda: served.server.in_flight == 1)
        go.set()
        assert [(await peer.response()).body for _ in range(2)] == [b"/1", b"/2"]
        answer = await peer.response()
        assert (answer.status, answer.header(b"connection")) == (400, b"close")
        assert [refused.path for refused in served.refused] == ["/"]


def _with_http_client(port: int, chunked: bool) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    body = b"x" * TOO_LARGE
    connection.request("POST", "/", iter([body]) if chunked else body, encode_chunked=chunked)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer["error"]["code"]


def _with_httpx(port: int, chunked: bool) -> tuple[int, Any]:
    body = b"x" * TOO_LARGE
    with httpx2.Client(timeout=60, trust_env=False) as client:
        response = client.post(f"http://127.0.0.1:{port}/", content=iter([body]) if chunked else body)
    return response.status_code, response.json()["error"]["code"]


def _with_openai(port: int, chunked: bool) -> tuple[int, Any]:
    message = {"role": "user", "content": "x" * TOO_LARGE}
    with (
        httpx2.Client(trust_env=False) as client,
        openai.OpenAI(
            base_url=f"http://127.0.0.1:{port}/v1", api_key="k", max_retries=0, timeout=60, http_client=client
        ) as sdk,
    ):
        try:
            sdk.chat.completions.create(model="m", messages=[message])
        except openai.APIStatusError as error:
            return error.status_code, error.code
    raise AssertionError("it was accepted")


@pytest.mark.parametrize(
    ("post", "chunked"),
    [
        (_with_http_client, False),
        (_with_http_client, True),
        (_with_httpx, False),
        (_with_httpx, True),
        (_with_openai, False),
    ],
)
async def test_413_reaches_a_client_that_sends_33_mib(post: Any, chunked: bool) -> None:
    async with serving(mirror) as served:
        assert await asyncio.to_thread(post, served.port, chunked) == (413, "body_too_large")


async def test_a_refused_client_that_never_stops_sending_is_cut() -> None:
    async with serving(mirror, Limits(max_discard=1_000_000)) as served, served.connect() as peer:
        with pytest.raises(ConnectionError):
            await soon(peer.send(b"nonsense" + b"x" * 30_000_000))
        await until(lambda: served.server.connections == 0)


async def test_a_refused_client_that_neither_sends_nor_leaves_is_cut() -> None:
    async with serving(mirror, Limits(linger=0.05)) as served, served.connect() as peer:
        await peer.send(b"nonsense")
        assert (await peer.response()).status == 400
        await until(lambda: served.server.connections == 0)


# Clocks.


async def test_a_client_that_sends_its_head_byte_by_byte_is_refused() -> None:
    async with serving(mirror, Limits(head_timeout=0.15)) as served, served.connect() as peer:
        answering = asyncio.ensure_future(peer.response())
        for byte in POST * 100:
            if answering.done():
                break
            peer.writer.write(bytes([byte]))
            await asyncio.sleep(0.01)
        answer = await answering
        assert (answer.status, answer.error["code"]) == (408, "request_timeout")
        assert _reasons(answer) == NOTHING_SERVED
        assert [(r.method, r.path) for r in served.refused] == [("POST", "/")]


async def test_a_client_that_sends_nothing_is_closed_without_a_word() -> None:
    async with serving(mirror, Limits(head_timeout=0.05)) as served, served.connect() as peer:
        assert await peer.rest() == b""
        assert served.refused == []


async def test_an_idle_connection_is_closed_without_a_word() -> None:
    async with serving(mirror, Limits(keep_alive=0.05)) as served, served.connect() as peer:
        await peer.send(GET)
        assert (await peer.response()).status == 200
        await peer.send(b"\r\n\r\n")
        assert await peer.rest() == b""
        assert served.refused == []


async def _slow_body(limits: Limits, gap: float) -> None:
    caught: list[MainstayError] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await whole_body(receive)
        except MainstayError as error:
            caught.append(error)
            raise

    async with serving(app, limits) as served, served.connect() as peer:
        await peer.send(POST + b"Content-Length: 1000\r\n\r\n")
        answering = asyncio.ensure_future(peer.response())
        while not answering.done():
            peer.writer.write(b"x")
            await asyncio.sleep(gap)
        answer = await answering
        assert (answer.status, answer.error["code"]) == (408, "request_timeout")
        assert [error.status for error in caught] == [408]
        assert served.refused == []


async def test_a_body_that_stops_coming_is_refused() -> None:
    await _slow_body(Limits(body_timeout=0.05), 0.2)


async def test_a_body_that_dribbles_is_refused() -> None:
    await _slow_body(Limits(body_grace=0.1, linger=0.1, min_body_rate=1000), 0.01)


async def test_a_body_that_waits_for_us_is_not_late() -> None:
    go = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await go.wait()
        await respond(send, b"%d" % len(await whole_body(receive)))

    limits = Limits(body_timeout=0.1, body_grace=0.1, min_body_rate=4_000_000)
    async with serving(app, limits) as served, served.connect() as peer:
        size = 20_000_000
        sending = asyncio.ensure_future(peer.send(POST + b"Content-Length: %d\r\n\r\n" % size + b"x" * size))
        await until(lambda: served.server.in_flight == 1)
        (connection,) = served.server._connections
        await until(lambda: connection._paused)
        await asyncio.sleep(0.25)
        go.set()
        assert (await peer.response()).body == b"20000000"
        await sending


async def test_a_client_that_waits_for_100_continue_is_not_late() -> None:
    go = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await go.wait()
        await respond(send, await whole_body(receive))

    async with serving(app, Limits(body_timeout=0.25)) as served, served.connect() as peer:
        await peer.send(POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        await until(lambda: served.server.in_flight == 1)
        await asyncio.sleep(0.4)
        go.set()
        assert (await peer.response()).status == 100
        await peer.send(b"ok")
        assert (await peer.response()).body == b"ok"


async def test_a_request_that_takes_long_to_answer_is_not_late() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.4)
        await respond(send, b"ok")

    limits = Limits(head_timeout=0.25, body_timeout=0.1, keep_alive=0.1, write_timeout=0.1)
    async with serving(app, limits) as served, served.connect() as peer:
        await peer.send(GET + GET[:10])
        assert (await peer.response()).body == b"ok"
        await peer.send(GET[10:])
        assert (await peer.response()).body == b"ok"


async def test_a_reader_that_stops_is_cut_and_the_app_cancelled() -> None:
    cancelled = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while True:
                await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with serving(app, Limits(write_timeout=0.1)) as served, served.connect(limit=1024) as peer:
        await peer.send(GET)
        await soon(cancelled.wait())
        await until(lambda: served.server.connections == 0)


async def test_a_reader_that_stops_after_the_last_byte_was_written_is_cut() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, b"x" * 20_000_000)

    async with serving(app, Limits(write_timeout=0.1)) as served, served.connect(limit=1024) as peer:
        await peer.send(GET)
        await until(lambda: served.server.connections == 1)
        await until(lambda: served.server.connections == 0)


async def test_a_reader_that_is_slow_but_reads_is_not_cut() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, b"x" * 20_000_000)

    async with serving(app, Limits(write_timeout=2.0)) as served, served.connect(limit=200_000) as peer:
        await peer.send(GET)
        head = await soon(peer.reader.readuntil(b"\r\n\r\n"))
        assert b"content-length: 20000000" in head
        size = 0
        while size < 20_000_000:
            size += len(await soon(peer.reader.read(1_000_000)))
            await asyncio.sleep(0.002)


@pytest.mark.parametrize("wire", [b"", b"POST / HT", POST, POST + b"Content-Length: 9\r\n\r\nhal"])
async def test_a_client_that_vanishes_at_any_stage_leaves_nothing_behind(wire: bytes) -> None:
    async with serving(mirror) as served:
        async with served.connect() as peer:
            await peer.send(wire)
            await until(lambda: served.server.connections == 1)
        await until(lambda: served.server.connections == 0 and served.server.in_flight == 0)
        assert (served.refused, served.faults) == ([], [])
