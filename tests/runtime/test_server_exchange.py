"""One request and its response over a real socket: what the app receives and what its sends become."""

import asyncio
import json
import weakref
from typing import Any

import pytest

from mainstay.core.errors import InvalidRequest
from mainstay.runtime.http1 import Limits
from mainstay.runtime.server_exchange import Exchange, Runner, Site
from support.serving import mirror, respond, serving, soon, until, whole_body

pytestmark = pytest.mark.anyio

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module", params=[True, False], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Run on both loops."""
    return ("asyncio", {"use_uvloop": request.param})


async def test_the_app_sees_the_request_as_sent() -> None:
    async with serving(mirror) as served:
        answer = await served.ask(
            b"POST /v1/caf%C3%A9?x=1 HTTP/1.1\r\nHost: a\r\nX-Thing:  Two words \r\nContent-Length: 4\r\n\r\nbody"
        )
        assert json.loads(answer.body) == {
            "method": "POST",
            "path": "/v1/café",
            "query": "x=1",
            "headers": [["host", "a"], ["x-thing", "Two words"], ["content-length", "4"]],
            "version": "1.1",
            "body": "body",
        }


async def test_a_body_that_is_there_comes_in_one_message() -> None:
    messages = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        messages.append(await receive())
        await respond(send, b"ok")

    async with serving(app) as served, served.connect() as peer:
        await peer.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody" + GET)
        await peer.response()
        await peer.response()
        assert messages == [
            {"type": "http.request", "body": b"body", "more_body": False},
            {"type": "http.request", "body": b"", "more_body": False},
        ]


async def test_a_body_that_is_there_before_the_app_begins_lies_beside_the_scope_too() -> None:
    bodies = []
    begun = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        about = scope["extensions"]["mainstay"]
        begun.set()
        bodies.append((about.get("body"), await whole_body(receive)))
        await respond(send, b"ok")

    post = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b"
    async with serving(app) as served, served.connect() as peer:
        for wire in (GET, post % (4, b"body"), post % (3, b"two"), post % (100_000, b"x" * 100_000)):
            await peer.send(wire)
            await peer.response()
        begun.clear()
        await peer.send(post % (4, b""))
        await soon(begun.wait())
        await peer.send(b"late")
        await peer.response()
    assert bodies[:3] == [(b"", b""), (b"body", b"body"), (b"two", b"two")]
    # A larger one may come in several reads.
    assert bodies[3][1] == b"x" * 100_000
    assert bodies[3][0] in (None, bodies[3][1])
    assert bodies[4] == (None, b"late")


async def test_what_an_app_makes_of_a_head_is_there_when_the_connection_sends_it_again() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        notes = scope["extensions"]["mainstay"]["notes"]
        notes["seen"] = notes.get("seen", 0) + 1
        await respond(send, b"%d" % notes["seen"])

    post = b"POST / HTTP/1.1\r\nHost: %b\r\nContent-Length: %d\r\n\r\n%b"
    async with serving(app) as served, served.connect() as peer:
        seen = []
        for host, body in ((b"x", b"1"), (b"x", b"22"), (b"x", b""), (b"y", b"1"), (b"x", b"1")):
            await peer.send(post % (host, len(body), body))
            seen.append((await peer.response()).body)
        async with served.connect() as other:
            await other.send(post % (b"x", 1, b"1"))
            seen.append((await other.response()).body)
    assert seen == [b"1", b"2", b"3", b"1", b"1", b"1"]


async def test_a_body_in_pieces_is_whole_at_the_end_and_comes_as_it_arrives() -> None:
    first = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        assert message == {"type": "http.request", "body": b"one ", "more_body": True}
        first.set()
        await respond(send, message["body"] + await whole_body(receive))

    async with serving(app) as served, served.connect() as peer:
        await peer.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\none ")
        await soon(first.wait())
        await peer.send(b"two")
        assert (await peer.response()).body == b"one two"


async def test_a_whole_response_is_one_write_with_its_length() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, b"hello", (b"x-a", b"b"))

    async with serving(app) as served:
        answer = await served.ask(GET)
        assert (answer.status, answer.body, answer.header(b"content-length")) == (200, b"hello", b"5")
        assert answer.header(b"x-a") == b"b"
        assert answer.header(b"date").endswith(b" GMT")
        assert answer.header(b"connection") is None


async def test_a_response_in_pieces_is_chunked_and_each_piece_leaves_at_once() -> None:
    go = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await go.wait()
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        await send({"type": "http.response.body", "body": b"second", "more_body": True})
        await send({"type": "http.response.body"})

    async with serving(app) as served, served.connect() as peer:
        await peer.send(GET)
        head = await soon(peer.reader.readuntil(b"5\r\nfirst\r\n"))
        assert b"transfer-encoding: chunked\r\n" in head
        go.set()
        assert await soon(peer.reader.readexactly(16)) == b"6\r\nsecond\r\n0\r\n\r\n"
        await peer.send(GET)
        assert (await peer.response()).body == b"firstsecond"


async def test_the_apps_content_length_is_kept_and_no_chunks_are_made() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"ab", "more_body": True})
        await send({"type": "http.response.body", "body": b"cd"})

    async with serving(app) as served:
        answer = await served.ask(GET)
        assert (answer.body, answer.header(b"transfer-encoding")) == (b"abcd", None)


async def test_head_gets_the_length_and_no_body_and_the_connection_lives() -> None:
    async with serving(mirror) as served, served.connect() as peer:
        await peer.send(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = await peer.response(head_only=True)
        assert int(answer.header(b"content-length")) > 10
        await peer.send(GET)
        assert (await peer.response()).status == 200


@pytest.mark.parametrize("status", [204, 304])
async def test_a_status_without_body_sends_none(status: int) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async with serving(app) as served, served.connect() as peer:
        for _ in range(2):
            await peer.send(GET)
            answer = await peer.response()
            assert (answer.status, answer.header(b"content-length")) == (status, None)


async def test_http_1_0_is_answered_without_chunks_and_closed() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ab", "more_body": True})
        await send({"type": "http.response.body", "body": b"cd"})

    async with serving(app) as served, served.connect() as peer:
        await peer.send(b"GET / HTTP/1.0\r\n\r\n")
        wire = await peer.rest()
        assert wire.startswith(b"HTTP/1.1 200 OK\r\n")
        assert wire.endswith(b"connection: close\r\n\r\nabcd")


async def test_http_1_0_keeps_the_connection_when_asked() -> None:
    async with serving(mirror) as served, served.connect() as peer:
        for _ in range(2):
            await peer.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert (await peer.response()).header(b"connection") == b"keep-alive"


async def test_100_continue_is_sent_when_the_app_wants_the_body_and_not_before() -> None:
    wanted = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await wanted.wait()
        await respond(send, await whole_body(receive))

    async with serving(app) as served, served.connect() as peer:
        await peer.send(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n")
        await until(lambda: served.server.in_flight == 1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await peer.reader.read(1)
        wanted.set()
        assert (await peer.response()).status == 100
        await peer.send(b"ok")
        assert (await peer.response()).body == b"ok"


async def test_a_body_that_was_waited_for_but_not_wanted_ends_the_connection() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, b"no")

    async with serving(app) as served, served.connect() as peer:
        await peer.send(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        answer = await peer.response()
        assert (answer.status, answer.header(b"connection")) == (200, b"close")
        assert await peer.rest() == b""


async def test_an_app_that_fails_before_it_answers_gives_a_500_that_says_nothing_inside() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("secret-detail")

    async with serving(app) as served:
        answer = await served.ask(b"GET / HTTP/1.1\r\nHost: x\r\nX-Request-Id: mine\r\n\r\n")
        assert (answer.status, answer.error["code"]) == (500, "internal_error")
        assert answer.header(b"x-request-id") == b"mine"
        assert b"secret-detail" not in answer.body
        assert (answer.header(b"x-mainstay-attempts"), answer.header(b"x-mainstay-route")) == (b"0", b"")
        assert [str(fault) for fault in served.faults] == ["secret-detail"]
        assert served.refused == []


async def test_an_error_the_app_raises_on_purpose_is_rendered() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise InvalidRequest("Do better.", param="model")

    async with serving(app) as served:
        answer = await served.ask(GET)
        assert (answer.status, answer.error["message"], answer.error["param"]) == (400, "Do better.", "model")
        assert served.faults == []


async def test_an_app_that_returns_without_answering_gives_a_500() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async with serving(app) as served:
        assert (await served.ask(GET)).status == 500
        assert len(served.faults) == 1


@pytest.mark.parametrize(
    "start",
    [
        {"status": 200, "headers": [(b"x", b"a\r\nset-cookie: b")]},
        {"status": 42, "headers": []},
        {"status": 200, "headers": [(b"content-length", b"9")]},
    ],
)
async def test_a_response_that_cannot_be_framed_becomes_a_500(start: dict[str, Any]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", **start})
        await send({"type": "http.response.body", "body": b"four"})

    async with serving(app) as served:
        answer = await served.ask(GET)
        assert (answer.status, answer.header(b"set-cookie")) == (500, None)


@pytest.mark.parametrize(
    ("version", "headers"),
    [(b"1.1", []), (b"1.1", [(b"content-length", b"99")]), (b"1.0", [])],
    ids=["chunked", "length", "until close"],
)
async def test_an_app_that_fails_after_it_began_ends_the_stream_uncleanly(version: bytes, headers: Any) -> None:
    seen = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"part", "more_body": True})
        await seen.wait()
        raise RuntimeError("broken")

    async with serving(app) as served, served.connect() as peer:
        await peer.send(b"GET / HTTP/%b\r\nHost: x\r\n\r\n" % version)
        await soon(peer.reader.readuntil(b"part"))
        if version == b"1.0":
            seen.set()
            with pytest.raises(ConnectionResetError):
                await peer.rest()
        else:
            seen.set()
            assert b"0\r\n\r\n" not in await peer.rest()
        assert len(served.faults) == 1


async def test_what_was_sent_before_a_failure_still_arrives() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"data: error\n\n", "more_body": True})
        raise RuntimeError("broken")

    async with serving(app) as served, served.connect() as peer:
        await peer.send(GET)
        assert (await peer.rest()).endswith(b"data: error\n\n\r\n")


async def test_a_body_longer_or_shorter_than_its_length_is_cut() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"6")]})
        await send({"type": "http.response.body", "body": b"four", "more_body": True})
        await send({"type": "http.response.body", "body": b"" if scope["path"] == "/short" else b"more"})

    async with serving(app) as served:
        for path in (b"/short", b"/long"):
            with pytest.raises(asyncio.IncompleteReadError):
                await served.ask(b"GET " + path + GET[5:])
        assert [type(fault) for fault in served.faults] == [ValueError, ValueError]


async def test_messages_out_of_order_are_errors() -> None:
    caught = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": []}
        for wrong in ([{"type": "http.response.body"}], [{"type": "http.unheard"}], [start, start]):
            try:
                for message in wrong:
                    await send(message)
            except RuntimeError as error:
                caught.append(error)
        await send({"type": "http.response.body"})
        try:
            await send({"type": "http.response.body"})
        except RuntimeError as error:
            caught.append(error)

    async with serving(app) as served:
        assert (await served.ask(GET)).status == 200
        assert len(caught) == 4


async def test_receive_says_disconnect_once_the_response_is_complete() -> None:
    said: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await whole_body(receive)
        listening = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        await respond(send, b"ok")
        said.set_result(await listening)

    async with serving(app) as served:
        await served.ask(GET)
        assert await soon(said) == {"type": "http.disconnect"}


async def test_an_app_may_go_on_after_its_response_while_the_next_request_runs() -> None:
    go = asyncio.Event()
    ended = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, scope["path"].encode())
        if scope["path"] == "/first":
            await go.wait()
            assert await receive() == {"type": "http.disconnect"}
            ended.set()

    async with serving(app) as served:
        async with served.connect() as peer:
            await peer.send(b"GET /first" + GET[5:])
            assert (await peer.response()).body == b"/first"
            await peer.send(GET)
            assert (await peer.response()).body == b"/"
            assert served.server.in_flight == 1
        await until(lambda: served.server.connections == 0)
        go.set()
        await soon(ended.wait())
        await until(lambda: served.server.in_flight == 0)


# The task that runs the app.


def _runners() -> set[Any]:
    return {task for task in asyncio.all_tasks() if task.get_coro().__qualname__.startswith("Runner.")}


async def test_requests_of_one_connection_share_a_task_that_ends_with_it() -> None:
    tasks = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        tasks.append(asyncio.current_task())
        await respond(send, b"ok")

    async with serving(app) as served:
        async with served.connect() as one, served.connect() as other:
            for peer in (one, other, one, other, one):
                await peer.send(GET)
                await peer.response()
            assert tasks == [tasks[0], tasks[1]] * 2 + [tasks[0]]
            assert _runners() == {tasks[0], tasks[1]}
        await until(lambda: not _runners())
        assert not any(task.cancelled() for task in tasks)


async def test_the_next_request_does_not_wait_for_an_app_that_goes_on() -> None:
    go = asyncio.Event()
    tasks = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        tasks.append(asyncio.current_task())
        await respond(send, b"ok")
        if len(tasks) == 1:
            await go.wait()

    async with serving(app) as served, served.connect() as peer:
        await peer.send(GET + GET)
        for _ in range(2):
            await peer.response()
        await peer.send(GET)
        await peer.response()
        assert tasks[0] is not tasks[1] is tasks[2]
        go.set()
        await until(tasks[0].done)
        assert served.server.in_flight == 0


async def test_an_app_that_fails_does_not_end_the_connections_task() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, b"ok")
        raise RuntimeError("too late to matter to the client")

    async with serving(app) as served, served.connect() as peer:
        for _ in range(3):
            await peer.send(GET)
            assert (await peer.response()).status == 200
        assert len(served.faults) == 3
        assert len(_runners()) == 1


async def test_nothing_of_a_request_is_held_between_requests() -> None:
    class Mark:
        """Lives as long as the scope it is put in."""

    marks = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["mark"] = Mark()
        marks.append(weakref.ref(scope["mark"]))
        await respond(send, await whole_body(receive))

    async with serving(app) as served, served.connect() as peer:
        for _ in range(3):
            await peer.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody")
            await peer.response()
            await until(lambda: served.server.in_flight == 0)
            assert [mark() for mark in marks] == [None] * len(marks)


async def test_an_app_whose_client_left_before_its_turn_is_not_begun() -> None:
    begun = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        begun.append(scope["path"])
        exchanges[scope["path"]].done = True

    site = Site(app, Limits(), lambda error: b"", lambda *about: None)
    site.loop = asyncio.get_running_loop()
    runner = Runner(site)
    exchanges = {path: Exchange(None, site, {"path": path}, 0, False, True) for path in ("/a", "/b", "/c")}
    for path in exchanges:
        runner.begin(exchanges[path])
        if path != "/b":
            exchanges[path].vanish("the client left")
        await until(lambda: not site.running)
    assert begun == ["/b"]
    runner.end()
    await until(lambda: not _runners())


LEAVING = ["close", "reset", "half-close"]


async def _leave(peer: Any, how: str) -> None:
    if how == "close":
        peer.leave()
    elif how == "reset":
        peer.reset()
    else:
        peer.writer.write_eof()


@pytest.mark.parametrize("how", LEAVING)
@pytest.mark.parametrize("stage", ["body", "running", "streaming"])
async def test_a_client_that_leaves_cancels_the_app_at_once(stage: str, how: str) -> None:
    running = asyncio.Event()
    cancelled = asyncio.Event()
    said: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            if stage == "streaming":
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": b"part", "more_body": True})
            running.set()
            if stage == "body":
                await whole_body(receive)
            else:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            said.append(await receive())
            with pytest.raises(ConnectionError):
                await respond(send, b"too late") if stage != "streaming" else await send({"type": "http.response.body"})
            cancelled.set()
            raise

    async with serving(app) as served, served.connect() as peer:
        await peer.send(
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n" + (b"o" if stage == "body" else b"ok")
        )
        await soon(running.wait())
        await _leave(peer, how)
        await soon(cancelled.wait())
        assert said == [{"type": "http.disconnect"}]
        await until(lambda: served.server.in_flight == 0)
        assert (served.faults, served.refused) == ([], [])


async def test_an_app_that_tidies_up_slowly_is_cancelled_only_once() -> None:
    running = asyncio.Event()
    tidy = asyncio.Event()
    go = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            running.set()
            await asyncio.Event().wait()
        finally:
            await go.wait()
            tidy.set()

    async with serving(app) as served:
        async with served.connect() as peer:
            await peer.send(GET)
            await soon(running.wait())
            peer.writer.write_eof()
            await until(lambda: served.server.connections == 0)
        go.set()
        await soon(tidy.wait())


async def test_a_client_that_leaves_after_its_answer_cancels_nothing() -> None:
    go = asyncio.Event()
    ended = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, b"ok")
        await go.wait()
        ended.set()

    async with serving(app) as served:
        await served.ask(GET)
        await until(lambda: served.server.connections == 0)
        go.set()
        await soon(ended.wait())


async def test_send_waits_for_a_slow_reader_and_memory_stays_bounded() -> None:
    largest = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal largest
        await send({"type": "http.response.start", "status": 200, "headers": []})
        (connection,) = served.server._connections
        for _ in range(300):
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            largest = max(largest, connection._transport.get_write_buffer_size())
        await send({"type": "http.response.body"})

    async with serving(app) as served, served.connect(limit=65536) as peer:
        await peer.send(GET)
        await until(lambda: served.server.in_flight == 1)
        (connection,) = served.server._connections
        await until(lambda: not connection.writable())
        assert len((await peer.response()).body) == 300 * 65536
        assert largest < 512 * 1024


async def test_a_body_the_app_does_not_read_stops_the_client() -> None:
    go = asyncio.Event()
    largest = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await go.wait()
        size = 0
        more = True
        while more:
            message = await receive()
            nonlocal largest
            largest = max(largest, len(message["body"]))
            size += len(message["body"])
            more = message["more_body"]
        await respond(send, b"%d" % size)

    async with serving(app) as served, served.connect() as peer:
        size = 30_000_000
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size
        sending = asyncio.ensure_future(peer.send(head + b"x" * size))
        await until(lambda: served.server.in_flight == 1)
        (connection,) = served.server._connections
        await until(lambda: connection._paused)
        assert not sending.done()
        go.set()
        await soon(sending)
        assert (await peer.response()).body == b"30000000"
        assert largest < 1_000_000


async def test_body_errors_reach_the_app_which_may_answer_them() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await whole_body(receive)
        except InvalidRequest as error:
            await respond(send, b"mine: " + error.code.encode())

    async with serving(app) as served, served.connect() as peer:
        await peer.send(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await until(lambda: served.server.in_flight == 1)
        await peer.send(b"zz\r\n")
        answer = await peer.response()
        assert (answer.body, answer.header(b"connection")) == (b"mine: invalid_request", b"close")
        assert await peer.rest() == b""
        assert served.refused == []


async def test_body_errors_the_app_lets_pass_are_answered_for_it() -> None:
    async with serving(mirror, Limits(max_body=4)) as served, served.connect() as peer:
        await peer.send(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await until(lambda: served.server.in_flight == 1)
        await peer.send(b"3\r\ndef\r\n")
        answer = await peer.response()
        assert (answer.status, answer.error["code"]) == (413, "body_too_large")
        assert (served.faults, served.refused) == ([], [])
