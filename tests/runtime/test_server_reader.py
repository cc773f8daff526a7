"""Bytes into requests: however they are cut, and whatever is wrong with them."""

import itertools
from typing import Any

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.core.errors import MainstayError
from mainstay.runtime.http1 import CHUNKED, Limits
from mainstay.runtime.server_exchange import Exchange, Site
from mainstay.runtime.server_reader import Address, RequestReader


class Taker:
    """Collects exchanges; never busy."""

    def __init__(self) -> None:
        self.seen: list[Exchange] = []
        self.whole: list[Exchange] = []

    def opened(self, exchange: Exchange) -> None:
        self.seen.append(exchange)

    def completed(self, exchange: Exchange) -> None:
        self.whole.append(exchange)

    def busy(self) -> bool:
        return False


def _reader(**limits: Any) -> tuple[RequestReader, Taker]:
    taker = Taker()
    site = Site(None, Limits(**limits), lambda error: b"", lambda *about: None)
    return RequestReader(taker, site, Address(("::1", 7, 0, 0), "/run/x", False)), taker


def _read(data: bytes, cuts: list[int] = [], **limits: Any) -> list[tuple[Any, ...]]:  # noqa: B006
    """Return what was read: the parts of each whole request, then the status of a refusal if there was one."""
    reader, taker = _reader(**limits)
    edges = [0, *sorted(cuts), len(data)]
    refusal = []
    try:
        for start, end in itertools.pairwise(edges):
            reader.feed(data[start:end], float(start))
    except MainstayError as error:
        refusal = [("refused", error.status, error.code)]
    return [_parts(exchange) for exchange in taker.whole] + refusal


def _parts(exchange: Exchange) -> tuple[Any, ...]:
    scope = exchange.scope
    head = (scope["method"], scope["path"], scope["query_string"], tuple(scope["headers"]), exchange.keep)
    return (*head, exchange.http10, b"".join(exchange.parts))


PLAIN = b"POST /v1/chat/completions?a=b HTTP/1.1\r\nHost: x\r\nX-A: one \r\nX-B:\r\nContent-Length: 5\r\n\r\nhello"
CHUNKS = (
    b"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;e=v\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nT: v\r\n\r\n"
)
UPGRADE = b"POST /u HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc"
UPGRADE_CHUNKS = (
    b"PUT /w HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n0\r\n\r\n"
)
SOCKET = b"GET /s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
GET = b"\r\nGET /g HTTP/1.1\r\nHost: x\r\n\r\n"
OLD = b"GET /o HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
PROXIED = b"GET http://h/p?q HTTP/1.1\r\nHost: x\r\n\r\n"
GOOD = [PLAIN, CHUNKS, UPGRADE, UPGRADE_CHUNKS, SOCKET, GET, OLD, PROXIED]
BAD = [
    b"\x16\x03\x01\x02\x00\x01",
    b"FOO / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nA b: c\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
]
SHREDS = [
    *(b"GET ", b"POST ", b"/ ", b"/a", b"HTTP/1.1", b"HTTP/1.0", b"\r\n", b"\n", b"\r", b" ", b"\t", b"\0", b"\xff"),
    *(b"Host: x", b"A: b", b"A : b", b":", b"Connection: close", b"Expect: 100-continue", b"Content-Length: 3"),
    *(b"Content-Length: 0x3", b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
    *(b"3\r\nabc\r\n", b"0\r\n\r\n", b"abc"),
]


def test_a_plain_request_is_read() -> None:
    headers = ((b"host", b"x"), (b"x-a", b"one"), (b"x-b", b""), (b"content-length", b"5"))
    assert _read(PLAIN) == [("POST", "/v1/chat/completions", b"a=b", headers, True, False, b"hello")]


def test_chunks_are_joined_and_trailers_dropped() -> None:
    headers = ((b"host", b"x"), (b"transfer-encoding", b"chunked"))
    assert _read(CHUNKS) == [("POST", "/c", b"", headers, True, False, b"abc0123456789abcdef")]


@pytest.mark.parametrize("data", [UPGRADE, UPGRADE_CHUNKS])
def test_an_upgrade_is_an_ordinary_request_with_its_body(data: bytes) -> None:
    first, second = _read(data + PLAIN)
    assert (first[-1], second[-1]) == (b"abc", b"hello")


def test_the_scope_names_both_ends_and_the_time_of_the_first_byte() -> None:
    reader, taker = _reader()
    reader.feed(b"GET / HT", 1.0)
    reader.feed(b"TP/1.1\r\nHost: x\r\n\r\n", 2.0)
    scope = taker.whole[0].scope
    assert (scope["client"], scope["server"], scope["scheme"]) == (("::1", 7), ("/run/x", None), "http")
    assert scope["extensions"]["mainstay"] == {"started": 1.0, "headers": {b"host": b"x"}, "notes": {}}


@given(st.lists(st.sampled_from(GOOD), min_size=1, max_size=4), st.data())
def test_any_cutting_of_the_bytes_reads_the_same(requests: list[bytes], data: st.DataObject) -> None:
    wire = b"".join(requests)
    cuts = data.draw(st.lists(st.integers(0, len(wire)), max_size=30))
    whole = _read(wire)
    assert len(whole) == len(requests)
    assert _read(wire, cuts) == whole


@given(st.lists(st.sampled_from(GOOD), max_size=2), st.sampled_from(BAD), st.data())
def test_any_cutting_refuses_the_same(requests: list[bytes], bad: bytes, data: st.DataObject) -> None:
    wire = b"".join(requests) + bad
    cuts = data.draw(st.lists(st.integers(0, len(wire)), max_size=30))
    assert _read(wire, cuts) == _read(wire) == [*_read(b"".join(requests)), ("refused", 400, "invalid_request")]


def test_one_byte_at_a_time_reads_the_same() -> None:
    wire = b"".join(GOOD)
    assert _read(wire, list(range(len(wire)))) == _read(wire)


@settings(max_examples=300)
@given(st.lists(st.sampled_from(SHREDS), max_size=16).map(b"".join))
def test_garbage_is_read_refused_or_waited_for_but_never_breaks(wire: bytes) -> None:
    _read(wire, list(range(0, len(wire), 3)))


@settings(max_examples=200)
@given(
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]),
    st.text("abcxyz/-._~%20", max_size=20),
    st.lists(
        st.tuples(st.from_regex(rb"\AX-[A-Za-z0-9-]{1,9}\Z"), st.from_regex(rb"\A[!-~]([ -~]{0,20}[!-~])?\Z")),
        max_size=5,
    ),
    st.binary(max_size=50),
    st.booleans(),
)
def test_what_h11_writes_is_what_we_read(
    method: str, path: str, headers: list[tuple[bytes, bytes]], body: bytes, chunked: bool
) -> None:
    client = h11.Connection(h11.CLIENT)
    framing = (b"transfer-encoding", b"chunked") if chunked else (b"content-length", b"%d" % len(body))
    fields = [(b"host", b"x"), *headers, framing]
    wire = client.send(h11.Request(method=method, target="/" + path, headers=fields)) or b""
    wire += client.send(h11.Data(data=body)) or b""
    wire += client.send(h11.EndOfMessage()) or b""
    (seen,) = _read(wire)
    assert seen[0] == method
    assert list(seen[3]) == [(name.lower(), value) for name, value in fields]
    assert seen[-1] == body


HOST = b" / HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    ("wire", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET" + HOST + b"Host: y\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        (b"GET /\r\n\r\n", 505),
        (b"GET / HTTP/1.1\nHost: x\n\n", 400),
        (b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"GET x HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET" + HOST + b"A: b\0c\r\n\r\n", 400),
        (b"GET" + HOST + b"A: b\rc\r\n\r\n", 400),
        (b"GET" + HOST + b"A: b\nc: d\r\n\r\n", 400),
        (b"GET" + HOST + b"A: b\r\n folded\r\n\r\n", 400),
        (b"GET" + HOST + b"A : b\r\n\r\n", 400),
        (b"GET" + HOST + b"\xc3\xa9: b\r\n\r\n", 400),
        (b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"POST" + HOST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST" + HOST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400),
        (b"POST" + HOST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n", 400),
        (b"POST" + HOST + b"Content-Length: 3, 3\r\n\r\n", 400),
        (b"POST" + HOST + b"Content-Length: -1\r\n\r\n", 400),
        (b"POST" + HOST + b"Content-Length: 1e3\r\n\r\n", 400),
        (b"POST" + HOST + b"Content-Length: 99999999999999999999\r\n\r\n", 400),
        (b"POST" + HOST + b"Content-Length: 33554433\r\n\r\n", 413),
        (b"POST" + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST" + HOST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST" + HOST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n", 400),
        (b"POST" + HOST + b"Transfer-Encoding: chunked\r\n\r\n-3\r\n", 400),
        (b"POST" + HOST + b"Transfer-Encoding: chunked\r\n\r\n3\nabc", 400),
        (b"POST" + HOST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", 400),
        (b"POST" + HOST + b"Content-Length: 3\r\nExpect: tea\r\n\r\n", 417),
    ],
)
def test_a_request_that_may_not_be_served_is_refused(wire: bytes, status: int) -> None:
    (refused,) = _read(wire)
    assert refused[:2] == ("refused", status)


def test_data_behind_a_connection_close_is_refused() -> None:
    first, refused = _read(b"GET" + HOST + b"Connection: close\r\n\r\n" + GET)
    assert (first[4], refused[1]) == (False, 400)


def test_a_head_over_the_limit_is_refused_while_it_comes() -> None:
    wire = b"GET" + HOST + b"A: " + b"x" * 3000
    assert _read(wire, list(range(0, len(wire), 100)), max_head=2048) == [("refused", 431, "head_too_large")]
    assert _read(wire, max_head=2048) == [("refused", 431, "head_too_large")]
    assert _read(b"GET /" + b"x" * 3000, max_head=2048) == [("refused", 431, "head_too_large")]
    assert len(_read(wire + b"\r\n\r\n", max_head=8192)) == 1


def test_too_many_headers_are_refused() -> None:
    lines = b"".join(b"A%d: b\r\n" % number for number in range(100))
    assert _read(b"GET" + HOST + lines + b"\r\n") == [("refused", 431, "head_too_large")]
    assert _read(b"GET" + HOST + lines.replace(b"A99: b\r\n", b"") + b"\r\n")[0][0] == "GET"


def test_endless_trailers_are_refused() -> None:
    wire = b"POST" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"T: v\r\n" * 2000
    assert _read(wire, max_head=4096)[0][:2] == ("refused", 400)


def test_chunk_extensions_without_content_are_refused() -> None:
    wire = b"POST" + HOST + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"e" * 9000
    assert _read(wire, max_head=4096)[0][:2] == ("refused", 400)


def test_many_small_chunks_are_fine() -> None:
    wire = b"POST" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 5000 + b"0\r\n\r\n"
    assert _read(wire, max_head=4096)[0][-1] == b"x" * 5000


def test_chunks_over_the_body_limit_are_refused_as_they_come() -> None:
    wire = b"POST" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + b"5\r\nhello\r\n" * 3
    assert _read(wire, max_body=14) == [("refused", 413, "body_too_large")]
    assert _read(wire + b"0\r\n\r\n", max_body=15)[0][-1] == b"hello" * 3


def test_a_refused_head_still_tells_method_and_path() -> None:
    reader, _ = _reader(max_head=2048)
    with pytest.raises(MainstayError):
        reader.feed(b"PUT /a?b" + HOST[2:] + b"X-Request-Id: r\r\nA: " + b"x" * 3000, 0.0)
    method, path, fields = reader.unfinished()
    assert (method, path, fields[b"x-request-id"]) == ("PUT", "/a", b"r")


def test_reading_stops_in_front_of_what_a_busy_taker_cannot_take() -> None:
    reader, taker = _reader()
    taker.busy = lambda: bool(taker.whole)  # type: ignore[method-assign]
    wire = PLAIN + GET * 1000
    rest = reader.feed(wire, 0.0)
    assert 0 < len(taker.whole) < 300
    assert wire.endswith(rest)
    assert len(rest) == len(wire) - 4096


def test_a_body_of_known_length_is_read_in_one_piece() -> None:
    reader, taker = _reader()
    head = b"POST" + HOST + b"Content-Length: 200000\r\n\r\n"
    reader.feed(head + b"x" * 200_000, 0.0)
    assert taker.whole[0].body != CHUNKED
    assert [len(part) for part in taker.whole[0].parts] == [4096 - len(head), 200_000 - 4096 + len(head)]


def test_a_fault_of_ours_is_not_blamed_on_the_client() -> None:
    reader, taker = _reader()

    def broken(exchange: Exchange) -> None:
        raise KeyError("ours")

    taker.opened = broken  # type: ignore[method-assign]
    with pytest.raises(Exception) as caught:
        reader.feed(PLAIN, 0.0)
    assert not isinstance(caught.value, MainstayError)
    assert isinstance(caught.value.__context__, KeyError)


# A head that was sent before.


class Parsers:
    """Stands in for the reader's parser and counts what it is given."""

    def __init__(self, reader: RequestReader) -> None:
        self.parser = reader._parser
        self.fed = 0
        reader._parser = self

    def feed_data(self, data: bytes) -> None:
        self.fed += 1
        self.parser.feed_data(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.parser, name)


def _post(body: bytes, *lines: bytes, length: bytes | None = None, name: bytes = b"Content-Length: ") -> bytes:
    own = b"%d" % len(body) if length is None else length
    head = (b"POST /v1/chat/completions?a=b HTTP/1.1", b"Host: x", b"A: b ", name + own, *lines, b"Last: a")
    return b"\r\n".join((*head, b"", body))


def _whole_scope(exchange: Exchange) -> tuple[Any, ...]:
    scope = dict(exchange.scope)
    about = scope.pop("extensions")["mainstay"]
    sizes = (exchange.body, exchange.received, exchange.buffered, exchange.complete, exchange.expects_continue)
    return (scope, about["headers"], sizes, exchange.keep, exchange.http10, b"".join(exchange.parts))


def _read_whole(wires: list[bytes], **limits: Any) -> list[Any]:
    """Return all there is to know of the requests in ``wires``, each fed at once, and the refusal if there was one."""
    reader, taker = _reader(**limits)
    refusal = []
    try:
        for wire in wires:
            reader.feed(wire, 0.0)
    except MainstayError as error:
        refusal = [("refused", error.status, error.code)]
    unfinished = [_whole_scope(exchange) for exchange in taker.seen if exchange not in taker.whole]
    return [_whole_scope(exchange) for exchange in taker.whole] + unfinished + refusal


def _bytewise(wire: bytes) -> list[bytes]:
    return [wire[at : at + 1] for at in range(len(wire))]


def test_a_head_sent_again_is_read_without_the_parser() -> None:
    reader, taker = _reader()
    parser = Parsers(reader)
    wires = [_post(b"x" * size, b"Z: y") for size in (5, 5, 0, 70_000, 123)]
    for wire in wires:
        assert reader.feed(wire, 0.0) == b""
    assert parser.fed == 1
    assert [_whole_scope(exchange) for exchange in taker.whole] == _read_whole(_bytewise(b"".join(wires)))


def test_a_request_whose_head_is_known_has_its_own_time_and_its_own_copies() -> None:
    reader, taker = _reader()
    for now in (1.0, 2.0, 3.0):
        reader.feed(_post(b"hello"), now)
        scope = taker.whole[-1].scope
        assert scope["extensions"]["mainstay"]["started"] == reader.began == now
        assert scope["headers"] == [(b"host", b"x"), (b"a", b"b"), (b"content-length", b"5"), (b"last", b"a")]
        assert scope["extensions"]["mainstay"]["headers"] == dict(scope["headers"])
        scope["headers"].append((b"mine", b"mine"))
        scope["extensions"]["mainstay"]["headers"][b"mine"] = b"mine"
        scope["mine"] = "mine"


SAME = _post(b"hello")
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "second",
    [
        SAME[:-1],
        SAME[:-5],
        SAME[:-7],
        SAME + b"\r\n",
        SAME + SMUGGLED,
        b"\r\n" + SAME,
        SAME.replace(b"Host: x", b"Host: y"),
        SAME.replace(b"Last: a", b"Last: b"),
        SAME.replace(b"Last: a", b"Las: ab"),
        SAME.replace(b"Last: a", b"Last a:"),
        SAME.replace(b"Last: a\r\n\r\n", b"Last: a\r\nB: "),
        SAME.replace(b"\r\nLast: a", b"\r\n\r\nast: a"),
        SAME.replace(b"POST", b"PUT "),
        SAME.replace(b"HTTP/1.1", b"HTTP/1.0"),
        SAME.replace(b"\r\n", b"\n"),
        _post(b"hello", b"Z: y"),
        _post(b"hello", b"Transfer-Encoding: chunked"),
        _post(b"hello", b"Content-Length: 5"),
        _post(b"hello", b"Connection: close"),
        _post(b"hello", b"Expect: 100-continue"),
        _post(b"hello", name=b"content-length:"),
        *[
            _post(b"hello" + SMUGGLED, length=length)
            for length in (
                *(b"", b" ", b"5", b"05", b"005", b"+5", b"-5", b"5 ", b"5\t", b" 5", b"5;", b"5, 5", b"0x5", b"5.0"),
                *(b"5_0", b"\xb2", b"1e1", b"5\r\nTransfer-Encoding: chunked", b"5\r\nContent-Length: 9", b"5\r\n b"),
                *(b"0000000000000000000000005", b"99999999999999999999", b"5\rX: y", b"5\nX: y", b"5\0", b"4", b"0"),
            )
        ],
    ],
)
def test_what_is_not_quite_the_known_head_is_read_as_by_the_parser_alone(second: bytes) -> None:
    for wires in ([SAME, second], [SAME, SAME, second], [second, SAME], [SAME, second, SAME]):
        assert _read_whole(wires) == _read_whole(_bytewise(b"".join(wires)))


@pytest.mark.parametrize(
    "plain",
    [
        _post(b"hello", b"Expect: 100-continue"),
        _post(b"hello", b"Connection: Upgrade", b"Upgrade: h2c"),
        _post(b"hello", b"Connection: close"),
        _post(b"hello").replace(b"HTTP/1.1", b"HTTP/1.0"),
        CHUNKS,
        GET.lstrip(),
        b"\r\n" + SAME,
        SAME + SAME,
        _post(b"hello", length=b"5 "),
        _post(b"hello", b"Z: " + b"z" * 5000),
    ],
)
def test_only_one_plain_request_alone_is_remembered(plain: bytes) -> None:
    reader, _ = _reader()
    reader.feed(plain, 0.0)
    assert reader._known is None


def test_what_looks_like_a_head_inside_a_head_is_not_remembered() -> None:
    fake = b"POST /fake: HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"
    real, refused = _read_whole([b"POST /real HTTP/1.1\r\nHost: x\r\nB: ", fake, fake])
    assert (real[0]["path"], real[-1]) == ("/real", b"hello")
    assert refused == ("refused", 400, "invalid_request")


def test_what_looks_like_a_head_inside_a_body_is_not_remembered() -> None:
    wires = [_post(b"", length=b"%d" % (3 * len(SAME))), SAME, SAME, SAME, SAME, SAME]
    read = _read_whole(wires)
    assert read == _read_whole(_bytewise(b"".join(wires)))
    assert len(read) == 3


def test_a_body_over_the_limit_is_refused_though_the_head_is_known() -> None:
    wires = [_post(b"x" * 10), _post(b"x" * 11)]
    assert _read_whole(wires, max_body=10)[1:] == [("refused", 413, "body_too_large")]


BODIES = st.sampled_from([b"", b"x", b"hello", SMUGGLED, SAME, CHUNKS, b"0\r\n\r\n", b"\r\n\r\n", b"y" * 5000])
LENGTHS = st.sampled_from([b"0", b"1", b"5", b"05", b"5 ", b"", b"9", b"60", b"+5", b"5,5", b"5\r\nX: y", b"4999"])
EXTRAS = st.sampled_from([b"Z: y", b"Z: z", b"Connection: keep-alive", b"Connection: close", b"Expect: 100-continue"])
POSTS = st.builds(
    lambda body, honest, length, lines: _post(body, *lines, length=None if honest else length),
    BODIES,
    st.sampled_from([True, True, True, False]),
    LENGTHS,
    st.lists(EXTRAS, max_size=1),
)


@settings(max_examples=300)
@given(st.lists(st.tuples(POSTS | st.sampled_from(GOOD), st.integers(1, 3)), min_size=1, max_size=4), st.data())
def test_requests_read_the_same_with_and_without_remembering(
    requests: list[tuple[bytes, int]], data: st.DataObject
) -> None:
    sent = [wire for wire, times in requests for _ in range(times)]
    wire = b"".join(sent)
    # Most reads bring one request; a few are cut elsewhere, or bring several.
    edges = {0, len(wire), *itertools.accumulate(map(len, sent))}
    edges |= set(data.draw(st.lists(st.integers(0, len(wire)), max_size=3)))
    edges -= set(data.draw(st.lists(st.sampled_from(sorted(edges)), max_size=2))) - {0, len(wire)}
    pieces = [wire[start:end] for start, end in itertools.pairwise(sorted(edges))]
    assert _read_whole(pieces) == _read_whole(_bytewise(wire))
