"""A caller that writes down every byte."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from mainstay.drill.caller import Dialect, Heard, ask, request_body

pytestmark = pytest.mark.anyio


@contextlib.asynccontextmanager
async def saying(*pieces: bytes, stay: bool = False) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Serve one fixed answer, and close, or not; yield the port and what was asked."""
    asked: list[bytes] = []
    gone = asyncio.Event()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
        asked.append(head + await reader.readexactly(length))
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if stay:
            await gone.wait()
        writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], asked
    finally:
        gone.set()
        server.close()


async def listen(*pieces: bytes, limit: float = 10, stay: bool = False) -> Heard:
    async with saying(*pieces, stay=stay) as (port, _):
        return (await ask(port, "openai", "ms-key", "id-1", {}, limit))[1]


HEAD = b"HTTP/1.1 200 OK\r\nX-Case: Kept\r\n"


async def test_a_body_with_a_length_is_whole_at_its_length() -> None:
    got = await listen(HEAD + b"content-length: 5\r\n\r\nhe", b"llo", stay=True)
    assert (got.status, got.body, got.whole, got.header("x-case")) == (200, b"hello", True, "Kept")


async def test_a_chunked_body_is_whole_at_its_last_chunk() -> None:
    got = await listen(HEAD + b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", stay=True)
    assert ([piece for _, piece in got.pieces], got.whole) == ([b"abc", b"de"], True)


async def test_a_body_without_either_is_whole_at_the_end_of_the_connection() -> None:
    got = await listen(HEAD + b"\r\nhello")
    assert (got.body, got.whole) == (b"hello", True)


@pytest.mark.parametrize(
    "broken", [b"content-length: 9\r\n\r\nhello", b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"]
)
async def test_a_cut_body_is_kept_and_not_whole(broken: bytes) -> None:
    got = await listen(HEAD + broken)
    assert (got.status, got.body, got.whole, got.hung) == (200, b"hello", False, False)


async def test_an_answer_that_never_ends_is_given_up() -> None:
    got = await listen(HEAD + b"content-length: 9\r\n\r\nhello", limit=0.2, stay=True)
    assert (got.body, got.whole, got.hung) == (b"hello", False, True)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 nonsense\r\n\r\n"])
async def test_no_answer_has_no_status(said: bytes) -> None:
    got = await listen(said)
    assert (got.status, got.hung) == (0, False)


async def test_nobody_listening_has_no_status(refused_port: int) -> None:
    _, got = await ask(refused_port, "openai", "k", "i", {}, 5)
    assert (got.status, got.hung) == (0, False)


@pytest.mark.parametrize(
    ("dialect", "line", "key"),
    [
        ("openai", b"POST /v1/chat/completions HTTP/1.1", b"authorization: Bearer ms-key"),
        ("anthropic", b"POST /v1/messages HTTP/1.1", b"x-api-key: ms-key"),
    ],
)
async def test_each_dialect_is_asked_at_its_path_with_its_key(dialect: Dialect, line: bytes, key: bytes) -> None:
    async with saying(HEAD + b"\r\n") as (port, asked):
        await ask(port, dialect, "ms-key", "id-1", request_body(dialect, "r", "Hello.", stream=True), 10)
    lines = asked[0].split(b"\r\n")
    assert lines[0] == line
    assert key in lines
    assert b"x-request-id: id-1" in lines


def test_usage_is_asked_for_where_a_dialect_sends_it_only_then() -> None:
    assert request_body("openai", "r", "p", stream=True)["stream_options"] == {"include_usage": True}
    assert "stream_options" not in request_body("openai", "r", "p", stream=False)
    assert "stream_options" not in request_body("anthropic", "r", "p", stream=True)
