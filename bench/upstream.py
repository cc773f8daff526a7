"""A scripted OpenAI-compatible model server: fixed answers, latency, tokens at a pace, and faults on demand.

Runs as its own process: ``python -m bench.upstream --port 9000``. POST /script with fields of `Script` changes what it
does from the next request on. Streams go out one write per event, with Nagle's algorithm off, as a model server's
do. It knows no gateway and checks no key.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import signal
import socket
import struct
import time
from dataclasses import asdict, dataclass, fields, replace
from typing import cast

import httptools
import uvloop

from bench import wire
from bench.visitors import Line, Place, Visitor, Watch

__all__ = ["FAULTS", "Script", "Server", "serve"]

FAULTS = ("none", "429", "500", "503", "reset", "cut", "stall")
_STREAM = re.compile(rb'"stream"\s*:\s*true')
_USAGE = re.compile(rb'"include_usage"\s*:\s*true')
_LIMIT = re.compile(rb'"max_tokens"\s*:\s*(\d+)')


@dataclass(frozen=True, slots=True)
class Script:
    """What the upstream does with each request.

    latency: seconds before the first byte, drawn evenly from `spread` (a share of it) around it; a share `slow` of the
    requests waits `slow_latency` instead, by a draw that `seed` repeats. slots: so many requests are served at once and
    the others wait in line, 0 for all. tokens: content events of a stream. tokens_per_second: pace after the first
    event, 0 for as fast as it can. full: whole answers claim as many tokens as the request allows (`max_tokens`).
    fault: one of FAULTS, on every `fault_every`-th request: `reset` drops the connection before any answer, `cut` ends
    it half way, `stall` goes silent half way.
    """

    model: str = wire.MODEL_STREAM
    latency: float = 0.0
    tokens: int = 50
    tokens_per_second: float = 0.0
    fault: str = "none"
    fault_every: int = 1
    spread: float = 0.0
    slow: float = 0.0
    slow_latency: float = 0.0
    seed: int = 0
    full: bool = False
    slots: int = 0

    def __post_init__(self) -> None:
        if self.fault not in FAULTS:
            raise ValueError(f"fault must be one of {', '.join(FAULTS)}")
        if self.tokens < 1 or self.fault_every < 1 or self.latency < 0 or self.tokens_per_second < 0:
            raise ValueError("tokens and fault_every start at 1, latency and tokens_per_second at 0")
        if not (0 <= self.spread <= 1 and 0 <= self.slow <= 1) or self.slow_latency < 0 or self.slots < 0:
            raise ValueError("spread and slow lie between 0 and 1, slow_latency and slots start at 0")


class _Answers:
    """The bytes of one script, made once."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests = 0
        self._draw = random.Random(script.seed)
        model = script.model
        self.whole = _response(200, wire.completion(model))
        self.head = (
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        mark = wire.MARK.decode()
        self.events = [_chunk(wire.event(model, f"{mark}{index:03d} ")) for index in range(script.tokens)]
        self.events[0] = self.head + _chunk(wire.event(model, "", role=True)) + self.events[0]
        stop = wire.event(model, None, finish="stop")
        usage = wire.usage_event(model, script.tokens)
        self.end = _chunk(stop) + _chunk(wire.DONE) + b"0\r\n\r\n"
        self.end_with_usage = _chunk(stop) + _chunk(usage) + _chunk(wire.DONE) + b"0\r\n\r\n"

    def fault(self) -> str:
        """What goes wrong with the next request."""
        self.requests += 1
        return self.script.fault if self.requests % self.script.fault_every == 0 else "none"

    def latency(self) -> float:
        """How long the next request waits."""
        script = self.script
        if script.slow and self._draw.random() < script.slow:
            return script.slow_latency
        if script.spread:
            return script.latency * self._draw.uniform(1 - script.spread, 1 + script.spread)
        return script.latency

    def whole_for(self, body: bytes) -> bytes:
        """The answer in one piece."""
        if self.script.full and (limit := _LIMIT.search(body)) is not None:
            return _response(200, wire.completion(self.script.model, int(limit[1])))
        return self.whole


class _Shared:
    """What every connection of one server reads."""

    def __init__(self, script: Script, watch: Watch | None = None) -> None:
        self.watch = watch
        self.line = Line()
        self.follow(script)

    def follow(self, script: Script) -> None:
        """Do as this script says from the next request on."""
        self.answers = _Answers(script)
        self.line.slots = script.slots


class _Connection(asyncio.Protocol):
    """One connection: parses a request, then answers as the script says."""

    def __init__(self, shared: _Shared) -> None:
        self._shared = shared
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._descriptor = -1
        self._timer: asyncio.TimerHandle | None = None
        self._path = b""
        self._body: list[bytes] = []
        self._left: list[bytes] = []
        self._visitor: Visitor | None = None
        self._place: Place | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Turn Nagle's algorithm off (asyncio's hook)."""
        # A cast, not a check: uvloop's transports do not derive from asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        sock: socket.socket = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._descriptor = sock.fileno()

    def connection_lost(self, error: Exception | None) -> None:
        """Stop what is still to come (asyncio's hook)."""
        self._transport = None
        self._left = []
        self._bid_farewell(left=True)
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Feed the parser (asyncio's hook)."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            if self._transport is not None:
                self._transport.close()

    def on_message_begin(self) -> None:
        """Forget the last request (httptools' hook)."""
        self._path = b""
        self._body = []

    def on_url(self, url: bytes) -> None:
        """Note the path (httptools' hook)."""
        self._path += url

    def on_body(self, body: bytes) -> None:
        """Keep the body (httptools' hook)."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Answer (httptools' hook)."""
        body = b"".join(self._body)
        if self._parser.get_method() == b"GET":
            self._write(_response(*self._look_up()))
        elif self._path == b"/script":
            self._write(_response(*self._change(body)))
        else:
            if self._shared.watch is not None:
                self._visitor = Visitor(body, time.perf_counter())
                self._shared.watch(self._visitor)
            self._place = self._shared.line.enter(lambda: self._begin(body))

    def _begin(self, body: bytes) -> None:
        latency = self._shared.answers.latency()
        if latency:
            self._timer = self._loop.call_later(latency, self._answer, body)
        else:
            self._answer(body)

    def _bid_farewell(self, *, left: bool) -> None:
        visitor, self._visitor = self._visitor, None
        if visitor is not None:
            visitor.until = time.perf_counter()
            visitor.left = left
            visitor.ended.set()
        if self._place is not None:
            self._shared.line.leave(self._place)

    def _look_up(self) -> tuple[int, bytes]:
        script = self._shared.answers.script
        if self._path.endswith(b"/models"):
            row = {"id": script.model, "object": "model", "created": 0, "owned_by": "bench"}
            return 200, json.dumps({"object": "list", "data": [row]}).encode()
        if self._path == b"/script":
            return 200, json.dumps(asdict(script)).encode()
        if self._path == b"/health":
            return 200, b"{}"
        return 404, b"{}"

    def _change(self, body: bytes) -> tuple[int, bytes]:
        try:
            wanted = json.loads(body)
            known = {one.name for one in fields(Script)}
            if unknown := set(wanted) - known:
                raise ValueError(f"unknown fields: {', '.join(sorted(unknown))}")
            self._shared.follow(replace(self._shared.answers.script, **wanted))
        except (ValueError, TypeError) as error:
            return 400, json.dumps({"error": {"message": str(error)}}).encode()
        return 200, b"{}"

    def _answer(self, body: bytes) -> None:
        answers = self._shared.answers
        fault = answers.fault()
        if fault == "reset":
            self._reset()
        elif fault.isdigit():
            self._write(_refusal(int(fault)))
            self._bid_farewell(left=False)
        elif _STREAM.search(body):
            end = answers.end_with_usage if _USAGE.search(body) else answers.end
            self._stream([*answers.events, end], fault, answers.script.tokens_per_second)
        else:
            self._whole(answers.whole_for(body), fault)

    def _whole(self, answer: bytes, fault: str) -> None:
        if fault in ("cut", "stall"):
            self._write(answer[: len(answer) // 2])
            if fault == "cut" and self._transport is not None:
                self._transport.close()
        else:
            self._write(answer)
            self._bid_farewell(left=False)

    def _stream(self, pieces: list[bytes], fault: str, pace: float) -> None:
        if fault in ("cut", "stall"):
            pieces = pieces[: len(pieces) // 2]
        if pace:
            self._left = pieces[::-1]
            self._step(1 / pace, self._loop.time(), fault)
            return
        for piece in pieces:
            self._write(piece)
        self._over(fault)

    def _step(self, gap: float, due: float, fault: str) -> None:
        if not self._left:
            return
        self._write(self._left.pop())
        if self._left:
            # From the due time, not from now: a late timer must not slow the whole stream.
            self._timer = self._loop.call_at(due + gap, self._step, gap, due + gap, fault)
        else:
            self._over(fault)

    def _over(self, fault: str) -> None:
        if fault == "cut" and self._transport is not None:
            self._transport.close()
        elif fault != "stall":
            self._bid_farewell(left=False)

    def _write(self, data: bytes) -> None:
        """One system call for one piece: the loop's own transport would gather the pieces of one turn."""
        if self._transport is None:
            return
        sent = 0
        if not self._transport.get_write_buffer_size():
            with contextlib.suppress(BlockingIOError, ConnectionError):
                sent = os.write(self._descriptor, data)
        if sent < len(data):
            self._transport.write(data[sent:])

    def _reset(self) -> None:
        if self._transport is not None:
            sock: socket.socket = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _response(status: int, body: bytes, extra: bytes = b"") -> bytes:
    reason = {
        200: b"OK",
        400: b"Bad Request",
        404: b"Not Found",
        429: b"Too Many Requests",
        503: b"Service Unavailable",
    }
    return b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%b\r\n%b" % (
        status,
        reason.get(status, b"Internal Server Error"),
        len(body),
        extra,
        body,
    )


def _refusal(status: int) -> bytes:
    code = "rate_limit_exceeded" if status == 429 else "server_error"
    error = {"message": "The scripted upstream refuses.", "type": code, "param": None, "code": code}
    return _response(status, json.dumps({"error": error}).encode(), b"retry-after: 1\r\n" if status == 429 else b"")


class Server:
    """A scripted upstream that listens in this process."""

    def __init__(self, shared: _Shared, server: asyncio.Server) -> None:
        self._shared = shared
        self._server = server
        self.port: int = server.sockets[0].getsockname()[1]

    @property
    def base_url(self) -> str:
        """Where it is asked, ending in /v1."""
        return f"http://127.0.0.1:{self.port}/v1"

    def change(self, script: Script) -> None:
        """Follow another script from the next request on."""
        self._shared.follow(script)

    def close(self) -> None:
        """Listen no more."""
        self._server.close()


async def serve(script: Script, port: int, host: str = "127.0.0.1", *, watch: Watch | None = None) -> Server:
    """Start listening in this process; port 0 takes a free one. `watch` is told of each request as it comes."""
    shared = _Shared(script, watch)
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(shared), host, port, backlog=1024)
    return Server(shared, server)


async def _main(script: Script, port: int) -> None:
    server = await serve(script, port)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    print(f"listening on 127.0.0.1:{server.port}", flush=True)
    await stop.wait()
    server.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.upstream", description="A scripted model server.")
    parser.add_argument("--port", type=int, default=9000)
    for one in fields(Script):
        kind: type = type(one.default)
        if kind is bool:
            parser.add_argument(f"--{one.name.replace('_', '-')}", action="store_true")
            continue
        choices = FAULTS if one.name == "fault" else None
        parser.add_argument(f"--{one.name.replace('_', '-')}", type=kind, default=one.default, choices=choices)
    return parser.parse_args()


if __name__ == "__main__":
    chosen = vars(_arguments())
    listen = chosen.pop("port")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main(Script(**chosen), listen))
