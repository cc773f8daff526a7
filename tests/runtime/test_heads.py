import httptools
from hypothesis import given
from hypothesis import strategies as st

from mainstay.runtime.heads import Heads

HEAD = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: %d\r\nContent-Type: application/json\r\n\r\n"


class Parsed:
    """What httptools makes of one answer."""

    def __init__(self, data: bytes) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.complete = False
        httptools.HttpResponseParser(self).feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


def answer(body: bytes, head: bytes = HEAD) -> bytes:
    return head % len(body) + body


def known(data: bytes) -> Heads:
    heads = Heads()
    assert heads.keep(data, Parsed(data).headers) is not None
    return heads


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_an_answer_with_a_known_head_is_read_as_the_parser_reads_it(first: bytes, second: bytes) -> None:
    data = answer(second)
    found = known(answer(first)).read(data)
    parsed = Parsed(data)
    assert found == (parsed.headers, parsed.body)


@given(st.binary(max_size=40), st.data())
def test_what_is_not_one_whole_answer_with_that_head_is_left_to_the_parser(body: bytes, data: st.DataObject) -> None:
    whole = answer(body)
    heads = known(answer(b"{}"))
    cut = data.draw(st.integers(0, len(whole) - 1))
    assert heads.read(whole[:cut]) is None
    assert heads.read(whole + b"x") is None
    assert heads.read(whole.replace(b"200 OK", b"500 No")) is None
    assert heads.read(whole.replace(b"Server: x", b"Server: y")) is None


def test_a_length_that_is_no_plain_number_is_left_to_the_parser() -> None:
    heads = known(answer(b"{}"))
    for length in (b"+2", b" 2", b"2 ", b"0x2", b"", b"-2", b"2,2"):
        assert heads.read(HEAD.replace(b"%d", length) + b"{}") is None, length


def test_only_plain_heads_are_kept() -> None:
    for name in (b"content-encoding", b"transfer-encoding", b"upgrade", b"trailer"):
        data = answer(b"{}", HEAD.replace(b"Server", name))
        heads = Heads()
        assert heads.keep(data, [(name, b"x"), (b"content-length", b"2")]) is None, name
        assert not heads.is_known
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    assert Heads().keep(chunked, Parsed(chunked).headers) is None
    interim = b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"{}")
    assert Heads().keep(interim, [(b"content-length", b"2")]) is None


def test_notes_belong_to_the_head() -> None:
    heads = known(answer(b"{}"))
    heads.notes["a"] = 1
    other = answer(b"{}", HEAD.replace(b"Server: x", b"Server: y"))
    assert heads.keep(other, Parsed(other).headers) == {}
    assert heads.notes == {}


def test_heads_that_never_come_again_are_no_longer_kept_for_a_while() -> None:
    heads = Heads()
    kept = []
    for number in range(270):
        data = answer(b"{}", HEAD.replace(b"Server: x", b"X-Request-Id: %d" % number))
        kept.append(heads.keep(data, Parsed(data).headers) is not None)
    assert all(kept[:8])
    assert not any(kept[8:200])
    assert kept[-1]
    assert heads.is_known
