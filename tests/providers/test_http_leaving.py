"""Callers who leave, a hundred times each way: the upstream is let go, a record says so, and nothing stays behind."""

import json
import socket
import statistics
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support import messages_wire as wire
from support.gateway import Gateway
from support.upstream import Chunk, Head, Silence, Step, Upstream

TRIALS = 100
EVENTS = wire.events(wire.message({"type": "text", "text": "One."}))
MID_STREAM: list[Step] = [Head(200), *(Chunk(wire.sse([event])) for event in EVENTS[:3]), Silence()]
MID_BODY: list[Step] = [Head(200, (("content-type", "application/json"),)), Chunk(b'{"id": "msg_01", '), Silence()]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, vendor: Upstream) -> Iterator[Gateway]:
    config = {
        "providers": {"claude": {"kind": "anthropic", "base_url": vendor.url, "api_key": "k"}},
        "models": {"haiku": {"provider": "claude"}},
    }
    with Gateway(tmp_path_factory.mktemp("gateway"), config) as running:
        yield running


def ask(gateway: Gateway, name: str, stream: bool) -> socket.socket:
    """Send a request on a connection of its own; ``name`` becomes its id."""
    body = json.dumps({"model": "haiku", "messages": [{"role": "user", "content": "x"}], "stream": stream}).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {gateway.key}\r\n"
        f"x-request-id: {name}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    sock = socket.create_connection(("127.0.0.1", gateway.port), timeout=60)
    sock.sendall(head.encode() + body)
    return sock


def close(sock: socket.socket) -> None:
    sock.close()


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def read_a_word(sock: socket.socket) -> None:
    received = b""
    while b"One." not in received:
        received += sock.recv(65536)


def in_flight(gateway: Gateway) -> float:
    page = gateway.get("/metrics").decode()
    return float(next(line for line in page.splitlines() if line.startswith("mainstay_requests_in_flight")).split()[1])


WAYS: list[Any] = [
    pytest.param(False, [Silence()], None, close, id="before the head of a whole answer"),
    pytest.param(True, [Silence()], None, reset, id="before the head of a stream, by a reset"),
    pytest.param(False, MID_BODY, None, close, id="before the end of a whole answer"),
    pytest.param(True, MID_STREAM, read_a_word, close, id="in the middle of a stream"),
    pytest.param(True, MID_STREAM, read_a_word, reset, id="in the middle of a stream, by a reset"),
]


@pytest.mark.parametrize(("stream", "steps", "read", "leave"), WAYS)
def test_a_caller_who_leaves_lets_go_of_the_upstream_every_time(
    gateway: Gateway,
    vendor: Upstream,
    request: pytest.FixtureRequest,
    stream: bool,
    steps: list[Step],
    read: Callable[[socket.socket], None] | None,
    leave: Callable[[socket.socket], None],
) -> None:
    vendor.forget()
    vendor.script(*[steps] * TRIALS)
    kind = str(request.node.callspec.id).replace(" ", "-").replace(",", "")
    delays = []
    for trial in range(TRIALS):
        sock = ask(gateway, f"{kind}-{trial}", stream)
        asked = vendor.wait_for(trial + 1)[trial]
        if read is not None:
            read(sock)
        left = time.perf_counter()
        leave(sock)
        assert asked.closed.wait(60)
        delays.append((time.perf_counter() - left) * 1000)
    # For those who want to know (pytest -s); how busy the machine is decides it as much as we do.
    centiles = statistics.quantiles(delays, n=20)
    print(f"\n{kind}: median {centiles[9]:.2f} ms, 95 % {centiles[18]:.2f} ms, longest {max(delays):.2f} ms")
    records = wait_for_records(gateway, kind)
    assert {(r.outcome, r.error, r.status) for r in records} == {("gone", "caller_gone", 499)}
    assert {(len(r.attempts), r.attempts[0].outcome) for r in records} == {(1, "caller_gone")}
    assert all((r.first_ms is not None) == (read is not None) for r in records)
    gateway.until(lambda: in_flight(gateway) == 0)
    assert vendor.open == 0


def wait_for_records(gateway: Gateway, kind: str) -> list[Any]:
    def found() -> list[Any]:
        return [record for record in gateway.journal() if record.request_id.startswith(kind)]

    gateway.until(lambda: len(found()) >= TRIALS)
    records = found()
    assert len({record.request_id for record in records}) == len(records) == TRIALS
    return records


def test_nothing_was_logged_as_a_fault(gateway: Gateway) -> None:
    log = Path(gateway.home / "log.txt").read_text()
    assert "Traceback" not in log
    assert "request_failed" not in log
