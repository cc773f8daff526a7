"""HTTP/1.1 decisions as values."""

import pytest

from mainstay.core.errors import BodyTooLarge, InvalidRequest
from mainstay.runtime.http1 import (
    CHUNKED,
    NO_BODY,
    TO_CLOSE,
    refusal,
    request_body,
    request_id,
    request_target,
    response_head,
)


def _head(status=200, headers=(), *, whole=None, head_only=False, http10=False, keep=True):
    head, framing, keep = response_head(
        status, headers, whole=whole, head_only=head_only, http10=http10, keep=keep, date=b"date: now"
    )
    lines = head.split(b"\r\n")
    assert lines[-2:] == [b"", b""]
    return lines[0], lines[1:-2], framing, keep


def test_a_whole_response_gets_its_length():
    first, lines, framing, keep = _head(headers=[(b"a", b"b")], whole=5)
    assert first == b"HTTP/1.1 200 OK"
    assert lines == [b"date: now", b"a: b", b"content-length: 5"]
    assert (framing, keep) == (5, True)


def test_a_response_in_pieces_is_chunked():
    _, lines, framing, keep = _head()
    assert (b"transfer-encoding: chunked" in lines, framing, keep) == (True, CHUNKED, True)


def test_the_apps_length_is_the_framing_also_in_pieces():
    _, lines, framing, _ = _head(headers=[(b"content-length", b"7")])
    assert (lines[-1], framing) == (b"content-length: 7", 7)


def test_http_1_0_gets_no_chunks_and_ends_by_closing():
    _, lines, framing, keep = _head(http10=True)
    assert (lines, framing, keep) == ([b"date: now", b"connection: close"], TO_CLOSE, False)


def test_http_1_0_is_told_when_the_connection_is_kept():
    assert b"connection: keep-alive" in _head(http10=True, whole=1)[1]


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_a_body_get_no_framing(status):
    _, lines, framing, keep = _head(status, whole=0)
    assert (lines, framing, keep) == ([b"date: now"], NO_BODY, True)


def test_an_answer_to_head_keeps_the_length_but_has_no_body():
    _, lines, framing, _ = _head(headers=[(b"content-length", b"9")], head_only=True)
    assert (lines[-1], framing) == (b"content-length: 9", NO_BODY)


def test_an_answer_to_head_takes_the_length_of_a_body_but_not_of_none():
    assert _head(whole=5, head_only=True)[1:3] == ([b"date: now", b"content-length: 5"], NO_BODY)
    assert _head(whole=0, head_only=True)[1:3] == ([b"date: now"], NO_BODY)


def test_hop_by_hop_headers_of_the_app_are_dropped_and_close_is_obeyed():
    owned = [(b"connection", b"Close"), (b"transfer-encoding", b"gzip"), (b"keep-alive", b"x"), (b"date", b"old")]
    _, lines, _, keep = _head(headers=owned, whole=1)
    assert (lines, keep) == ([b"date: now", b"content-length: 1", b"connection: close"], False)


def test_an_unregistered_status_has_an_empty_reason():
    assert _head(529, whole=0)[0] == b"HTTP/1.1 529 "


@pytest.mark.parametrize(
    "header",
    [
        (b"a", b"b\r\nset-cookie: x"),
        (b"a", b"b\nc: d"),
        (b"a\r\nb", b"c"),
        (b"a", b"b\0"),
        (b"a", b"b\r"),
        (b"content-length", b"5\r\nx: y"),
        (b"content-length", b"-1"),
    ],
)
def test_a_header_that_would_break_the_head_is_refused(header):
    with pytest.raises(ValueError):
        _head(headers=[header], whole=1)


@pytest.mark.parametrize("status", [0, 101, 1000])
def test_only_final_statuses_are_sent(status):
    with pytest.raises(ValueError):
        _head(status, whole=0)


@pytest.mark.parametrize(
    ("target", "seen"),
    [
        (b"/v1/models?limit=1&x=?", ("/v1/models", b"/v1/models", b"limit=1&x=?")),
        (b"/caf%C3%A9/%2e", ("/café/.", b"/caf%C3%A9/%2e", b"")),
        (b"/%ff", ("/\ufffd", b"/%ff", b"")),
        (b"http://host:80/a?b", ("/a", b"/a", b"b")),
        (b"HTTPS://host", ("/", b"/", b"")),
        (b"http://host?q", ("/", b"/", b"q")),
        (b"//x/y", ("//x/y", b"//x/y", b"")),
        (b"*", ("*", b"*", b"")),
    ],
)
def test_every_form_of_target_yields_path_and_query(target, seen):
    assert request_target(target) == seen


@pytest.mark.parametrize("target", [b"host:443", b"ftp://x/y", b"models"])
def test_other_targets_are_refused(target):
    with pytest.raises(InvalidRequest):
        request_target(target)


def test_the_framing_of_a_request_is_its_length_or_chunked():
    assert request_body({}, False, 10) == 0
    assert request_body({b"content-length": b"10"}, False, 10) == 10
    assert request_body({b"transfer-encoding": b"Chunked"}, False, 10) == CHUNKED


@pytest.mark.parametrize(("coding", "http10"), [(b"gzip, chunked", False), (b"gzip", False), (b"chunked", True)])
def test_a_transfer_coding_we_do_not_speak_is_refused(coding, http10):
    with pytest.raises(InvalidRequest):
        request_body({b"transfer-encoding": coding}, http10, 10)


def test_an_announced_length_over_the_limit_is_refused():
    with pytest.raises(BodyTooLarge, match="10 bytes"):
        request_body({b"content-length": b"11"}, False, 10)


def test_the_callers_request_id_is_kept_only_when_sane():
    assert request_id({b"x-request-id": b"req-1.a"}) == "req-1.a"
    for bad in (b"", b"a b", b"x" * 129, b"\xff", b'"'):
        assert request_id({b"x-request-id": bad}) not in ("", bad.decode("latin-1"))


def test_a_refusal_says_what_it_took_in_milliseconds_and_ends_the_connection():
    extra = ((b"request-id", b"id-1"),)
    wire = refusal(413, "id-1", b"{}", extra=extra, spent=0.0123, head_only=False, date=b"date: now")
    head, body = wire.split(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert (lines[0], body) == (b"HTTP/1.1 413 Request Entity Too Large", b"{}")
    assert {b"x-request-id: id-1", b"request-id: id-1", b"x-mainstay-overhead-ms: 12.300", b"x-mainstay-route: "} < set(
        lines
    )
    assert lines[-2:] == [b"content-length: 2", b"connection: close"]


def test_a_refusal_of_head_has_the_length_of_a_body_it_does_not_send():
    wire = refusal(400, "id-1", b"{}", spent=0.0, head_only=True, date=b"date: now")
    assert wire.endswith(b"content-length: 2\r\nconnection: close\r\n\r\n")
