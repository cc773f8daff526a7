"""Bad input at the door: each ends in OpenAI's envelope with a status, a code and a sentence; nothing crashes."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.gateway import Gateway

PATH = "/v1/chat/completions"
GOOD = {"model": "echo", "messages": [{"role": "user", "content": "one two three"}]}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = {
        "server": {"head_timeout": "1s", "body_timeout": "1s"},
        "providers": {"echo": {"kind": "echo"}},
        "models": {"echo": {"provider": "echo"}},
    }
    with Gateway(tmp_path_factory.mktemp("door"), config) as running:
        yield running


class Answer:
    """A response read from a raw socket."""

    def __init__(self, raw: bytes) -> None:
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        self.status = int(lines[0].split(b" ")[1])
        self.headers = dict(line.lower().split(b": ", 1) for line in lines[1:])

    @property
    def error(self) -> dict[str, Any]:
        decoded = json.loads(self.body)
        assert set(decoded["error"]) >= {"message", "type", "param", "code"}
        return dict(decoded["error"])


def talk(gateway: Gateway, *pieces: bytes) -> Answer:
    """Send pieces, then read until the server closes."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as sock:
        try:
            for piece in pieces:
                sock.sendall(piece)
        except OSError:
            pass  # the server may have answered and closed already; what it said is still there to read
        received = b""
        while data := sock.recv(65536):
            received += data
    return Answer(received)


def post(
    gateway: Gateway, body: bytes, *headers: str, key: str | None = None, path: str = PATH, method: str = "POST"
) -> Answer:
    lines = [f"{method} {path} HTTP/1.1", "host: x", f"content-length: {len(body)}", "connection: close", *headers]
    if key is None:
        key = gateway.key
    if key:
        lines.append(f"authorization: Bearer {key}")
    if not any(h.lower().startswith("content-type") for h in headers):
        lines.append("content-type: application/json")
    return talk(gateway, "\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def test_good_input_is_answered(gateway: Gateway) -> None:
    answer = post(gateway, json.dumps(GOOD).encode())
    assert answer.status == 200
    assert json.loads(answer.body)["choices"][0]["message"]["content"] == "one two three"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"not json", None),
        (b"[]", None),
        (b'{"model": "echo"', None),
        (b'{"model": "echo", "messages": []}', "messages"),
        (b'{"messages": [{"role": "user", "content": "x"}]}', "model"),
        (b'{"model": 5, "messages": []}', "model"),
        (b'{"model": "echo", "messages": "hi"}', "messages"),
        (b'{"model": "echo", "messages": [{"role": 1, "content": "x"}]}', "messages[0].role"),
        (b'{"model": "echo", "messages": [{"role": "king", "content": "x"}]}', "messages[0].role"),
        (b'{"model": "echo", "messages": [{"role": "user", "content": "x"}], "stream": "yes"}', "stream"),
        (b'{"model": "echo", "messages": [{"role": "user", "content": "x"}], "temperature": "hot"}', "temperature"),
        (b'{"model": "echo", "messages": [{"role": "user", "content": "x"}], "n": 1.5}', "n"),
    ],
)
def test_a_wrong_body_is_a_400_that_names_the_field(gateway: Gateway, body: bytes, param: str | None) -> None:
    answer = post(gateway, body)
    assert answer.status == 400
    assert answer.error["param"] == param
    assert answer.error["type"] == "invalid_request_error"
    assert answer.headers[b"x-request-id"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"model": "echo", "messages": [{"role": "user", "content": "\xff\xfe"}]}',
        b'{"model": "echo", "messages": [{"role": "user", "content": "x"}], "unknown": "\xc3\x28"}',
        b'{"model": "echo", "messages": ' + b"[" * 200_000,
        b'{"model": "echo", "messages": [], "deep": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"model": "echo", "messages": [{"role": "user", "content": ['
        + b'{"a":' * 50_000
        + b"1"
        + b"}" * 50_000
        + b"]}]}",
    ],
    ids=["invalid utf-8", "invalid utf-8 in an unknown field", "endless", "deep", "deep content"],
)
def test_what_no_parser_should_choke_on_is_a_400(gateway: Gateway, body: bytes) -> None:
    assert post(gateway, body).status == 400
    assert gateway.status("/health/live") == 200


def test_a_big_body_is_served(gateway: Gateway) -> None:
    text = "x" * (30 * 1024 * 1024)
    answer = post(gateway, json.dumps({"model": "echo", "messages": [{"role": "user", "content": text}]}).encode())
    assert answer.status == 200
    assert json.loads(answer.body)["choices"][0]["message"]["content"] == text


def test_a_body_over_the_limit_is_a_413_and_a_record(gateway: Gateway) -> None:
    answer = post(gateway, b" " * (33 * 1024 * 1024))
    assert (answer.status, answer.error["code"]) == (413, "body_too_large")
    assert any(record.error == "body_too_large" for record in gateway.journal())


HEAD = b"POST %b HTTP/1.1\r\nhost: x\r\nx-request-id: mine\r\n"


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages?beta=true", "/v1/messages/count_tokens"])
@pytest.mark.parametrize(
    ("rest", "status", "kind", "code"),
    [
        (b"content-length: 999999999\r\n\r\n", 413, "request_too_large", "body_too_large"),
        (b"x-long: " + b"x" * 100_000 + b"\r\n\r\n", 431, "invalid_request_error", "head_too_large"),
        (b"x: y\r\n" * 101 + b"\r\n", 431, "invalid_request_error", "head_too_large"),
        (b"x-evil: a\0b\r\n\r\n", 400, "invalid_request_error", "invalid_request"),
        (b"transfer-encoding: gzip\r\n\r\n", 400, "invalid_request_error", "invalid_request"),
        (b"content-length: 9\r\nexpect: magic\r\n\r\n", 417, "invalid_request_error", "expectation_failed"),
        (b"x-slow: ", 408, "invalid_request_error", "request_timeout"),
    ],
    ids=["413", "long header", "many headers", "bad header", "coding", "expectation", "slow head"],
)
def test_what_the_server_itself_refuses_is_told_in_the_dialect_of_the_path(
    gateway: Gateway, path: str, rest: bytes, status: int, kind: str, code: str
) -> None:
    answer = talk(gateway, HEAD % path.encode() + rest)
    body = json.loads(answer.body)
    assert answer.status == status
    assert (body["type"], body["request_id"]) == ("error", "mine")
    assert answer.headers[b"x-request-id"] == answer.headers[b"request-id"] == b"mine"
    assert (body["error"]["type"], body["error"]["code"]) == (kind, code)
    if "?" not in path:
        record = gateway.journal()[-1]
        assert (record.request_id, record.dialect, record.status) == ("mine", "anthropic", status)


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/v1/messages", 405, "invalid_request_error"),
        ("PUT", "/v1/messages/count_tokens", 405, "invalid_request_error"),
        ("POST", "/v1/messages/none/such", 404, "not_found_error"),
        ("CONNECT", "/v1/messages", 405, "invalid_request_error"),
    ],
)
def test_wrong_methods_and_paths_below_messages_are_told_in_anthropics_envelope(
    gateway: Gateway, method: str, path: str, status: int, kind: str
) -> None:
    answer = post(gateway, b"", "x-request-id: mine", method=method, path=path)
    body = json.loads(answer.body)
    assert (answer.status, body["type"], body["error"]["type"]) == (status, "error", kind)
    assert body["request_id"] == "mine"


def test_a_path_that_only_begins_like_messages_is_not_anthropics(gateway: Gateway) -> None:
    assert post(gateway, b"", path="/v1/messagesx").error["code"] == "not_found"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", PATH, 405, "method_not_allowed"),
        ("DELETE", PATH, 405, "method_not_allowed"),
        ("POST", "/v1/models", 405, "method_not_allowed"),
        ("POST", "/v1/chat", 404, "not_found"),
        ("GET", "/", 404, "not_found"),
        ("GET", "/v1/models/none-such", 404, "model_not_found"),
        ("GET", "/../../etc/passwd", 404, "not_found"),
    ],
)
def test_wrong_methods_and_paths_are_told_in_the_dialect(
    gateway: Gateway, method: str, path: str, status: int, code: str
) -> None:
    answer = post(gateway, b"", method=method, path=path)
    assert (answer.status, answer.error["code"]) == (status, code)
    if status == 405:
        assert answer.headers[b"allow"] in (b"post", b"get")


@pytest.mark.parametrize("key", ["", "ms-none-such", "ms-' OR 1=1 --", "sk-1234", "é" * 40, "x" * 8000])
def test_without_a_good_key_there_is_only_a_401(gateway: Gateway, key: str) -> None:
    answer = post(gateway, json.dumps(GOOD).encode(), key=key)
    assert (answer.status, answer.error["code"]) == (401, "invalid_api_key")
    assert key == "" or key not in answer.error["message"]
    assert gateway.journal()[-1].error == "invalid_api_key"


def test_the_key_may_come_as_x_api_key(gateway: Gateway) -> None:
    assert post(gateway, json.dumps(GOOD).encode(), f"x-api-key: {gateway.key}", key="").status == 200


def test_a_scheme_other_than_bearer_is_explained(gateway: Gateway) -> None:
    answer = post(gateway, json.dumps(GOOD).encode(), "authorization: Basic abc", key="")
    assert answer.status == 401
    assert "Bearer" in answer.error["message"]


@pytest.mark.parametrize("header", ["content-type: text/plain", "content-type: multipart/form-data; boundary=x"])
def test_another_content_type_is_a_415(gateway: Gateway, header: str) -> None:
    answer = post(gateway, json.dumps(GOOD).encode(), header)
    assert (answer.status, answer.error["code"]) == (415, "unsupported_media_type")


def test_a_compressed_body_is_a_415(gateway: Gateway) -> None:
    assert post(gateway, json.dumps(GOOD).encode(), "content-encoding: gzip").status == 415


@pytest.mark.parametrize(
    "header",
    [b"x-evil: a\rb", b"x-evil: a\0b", b"x evil: a", b": a"],
)
def test_broken_headers_are_refused(gateway: Gateway, header: bytes) -> None:
    answer = talk(
        gateway, b"POST " + PATH.encode() + b" HTTP/1.1\r\nhost: x\r\n" + header + b"\r\ncontent-length: 0\r\n\r\n"
    )
    assert answer.status == 400


def test_a_request_id_is_taken_only_if_sane(gateway: Gateway) -> None:
    body = json.dumps(GOOD).encode()
    assert post(gateway, body, "x-request-id: trace-42").headers[b"x-request-id"] == b"trace-42"
    assert post(gateway, body, "x-request-id: a b<script>").headers[b"x-request-id"] != b"a b<script>"
    assert len(post(gateway, body, "x-request-id: " + "a" * 129).headers[b"x-request-id"]) == 36


def test_a_gateway_that_calls_itself_is_stopped(gateway: Gateway) -> None:
    answer = post(gateway, json.dumps(GOOD).encode(), "x-mainstay-hops: 5")
    assert (answer.status, answer.error["code"]) == (508, "loop_detected")


def test_a_client_that_dribbles_is_cut_off(gateway: Gateway) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as sock:
        sock.sendall(b"POST " + PATH.encode() + b" HTTP/1.1\r\nhost: x\r\nx-slow: ")
        answer = Answer(sock.recv(65536))
    assert (answer.status, answer.error["code"]) == (408, "request_timeout")


@pytest.mark.parametrize(
    "sent", [b"", b"POST ", b"POST " + PATH.encode() + b" HTTP/1.1\r\ncontent-length: 100\r\n\r\n{"]
)
def test_a_client_that_vanishes_leaves_nothing_behind(gateway: Gateway, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port)) as sock:
        sock.sendall(sent)
    in_flight = b"mainstay_requests_in_flight 0\n"
    gateway.until(lambda: in_flight in gateway.get("/metrics"))
    assert gateway.status("/health/live") == 200


def test_no_error_shows_a_stack_or_a_path(gateway: Gateway, tmp_path: Path) -> None:
    for body in (b"{", b'{"model": "nope", "messages": [{"role": "user", "content": "x"}]}'):
        text = post(gateway, body).body.decode()
        assert "Traceback" not in text
        assert ".py" not in text
