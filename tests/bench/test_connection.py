import asyncio
from itertools import pairwise

from bench.connection import UNTOLD, Connection, StreamConnection
from bench.wire import DONE, MODEL_STREAM, Request, event
from hypothesis import given
from hypothesis import strategies as st

_EVENTS = 7
_BODY = b"".join(event(MODEL_STREAM, f"~w{index:03d} ") for index in range(_EVENTS)) + DONE
_ANSWER = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(_BODY), _BODY)


class _Sink(asyncio.Transport):
    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def abort(self) -> None:
        pass


def _feed(pieces: list[bytes], expected: int) -> Connection:
    ended: list[Connection] = []
    connection = StreamConnection(ended.append)
    connection.connection_made(_Sink())
    connection.send(Request("host", 1, b"", expected))
    for piece in pieces:
        connection.data_received(piece)
    connection.connection_lost(None)
    assert ended == [connection]
    return connection


@given(st.lists(st.integers(min_value=0, max_value=len(_ANSWER)), max_size=40))
def test_events_are_counted_alike_wherever_the_bytes_are_split(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(_ANSWER)]
    pieces = [_ANSWER[a:b] for a, b in pairwise(places)]
    connection = _feed([piece for piece in pieces if piece], _EVENTS)
    assert connection.failure is None
    assert len(connection.arrivals) == _EVENTS


def test_a_stream_short_of_one_event_is_incomplete() -> None:
    assert _feed([_ANSWER], _EVENTS + 1).failure == "incomplete stream"


def test_a_stream_without_its_end_mark_is_incomplete() -> None:
    body = _BODY.removesuffix(DONE)
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    assert _feed([answer], _EVENTS).failure == "incomplete stream"


def test_what_is_no_http_is_malformed() -> None:
    assert _feed([b"SSH-2.0-hello\r\n"], 0).failure == "malformed"


def test_a_connection_that_is_lost_before_any_answer_is_closed() -> None:
    connection = _feed([], 0)
    assert connection.failure == "closed"
    assert connection.status == 0


def test_a_refusal_that_does_not_say_when_to_come_again_is_told_apart() -> None:
    head = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n"
    assert _feed([head + b"Retry-After: 1\r\n\r\n{}"], _EVENTS).failure == "status 503"
    assert _feed([head + b"\r\n{}"], _EVENTS).failure == "status 503" + UNTOLD
    assert _feed([b"HTTP/1.1 500 Oh\r\ncontent-length: 2\r\n\r\n{}"], 0).failure == "status 500"
