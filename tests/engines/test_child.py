"""One engine as a process: ready, answering on its own socket, gone with its parent."""

import http.client
import json
import os
import select
import signal
import socket
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mainstay.engines.llamacpp import LlamaCpp
from mainstay.runtime.children import Program, Start, execute
from mainstay.runtime.leash import Message

pytestmark = pytest.mark.usefixtures("needs_model")


class Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self._path)


def ask(engine: LlamaCpp, body: dict[str, Any], key: str | None = None) -> tuple[int, str]:
    address = engine.addresses()["house"]
    connection = Connection(address.origin.uds)
    headers = {"content-type": "application/json", "authorization": f"Bearer {key or address.api_key}"}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    response = connection.getresponse()
    answer = response.status, response.read().decode()
    connection.close()
    return answer


def wait_for(start: Start, kind: str, limit: float = 60) -> Message:
    """Return the first message of ``kind`` from the child."""
    until = time.monotonic() + limit
    while time.monotonic() < until and not start.leash.parted:
        select.select([start.leash], [], [], 1)
        for message in start.leash.receive():
            if message.kind == kind:
                return message
    raise AssertionError(f"no {kind!r} came")


def wait_gone(start: Start, limit: float = 20) -> int:
    """Return the exit status of the child."""
    until = time.monotonic() + limit
    while (status := start.wait()) is None:
        assert time.monotonic() < until, "the child lives on"
        select.select([], [], [], 0.01)
    return status


@pytest.fixture
def run() -> Iterator[Callable[[Program], Start]]:
    started: list[Start] = []

    def go(program: Program) -> Start:
        started.append(execute(program))
        return started[-1]

    yield go
    for start in started:
        if start.wait() is None:
            os.kill(start.pid, signal.SIGKILL)
            wait_gone(start)
        start.leash.close()


def test_an_engine_answers_streams_and_goes_with_its_parent(row, home, run) -> None:
    engine = LlamaCpp({"house": row}, home, home, b"secret")
    start = run(engine.programs()[0])
    wait_for(start, "ready")
    path = engine.addresses()["house"].origin.uds
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600

    body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4, "temperature": 0}
    status, whole = ask(engine, body)
    assert status == 200
    assert json.loads(whole)["model"] == "smollm2-135m-instruct"
    said = json.loads(whole)["choices"][0]["message"]["content"]
    assert said

    status, streamed = ask(engine, body | {"stream": True, "stream_options": {"include_usage": True}})
    events = [json.loads(line[6:]) for line in streamed.splitlines() if line.startswith("data: {")]
    pieces = [event["choices"][0]["delta"].get("content") or "" for event in events if event["choices"]]
    assert (status, "".join(pieces)) == (200, said)
    assert events[-1]["usage"]["completion_tokens"] == 4

    assert ask(engine, body, key="guessed")[0] == 401

    status, refusal = ask(engine, body | {"messages": [{"role": "user", "content": "word " * 600}]})
    assert status == 400
    # The whole window of the row belongs to every call, however many there may be at once.
    assert json.loads(refusal)["error"]["n_ctx"] == row.context

    wait_for(start, "beat")
    start.leash.close()
    assert wait_gone(start) == 0
    assert not Path(path).exists()


def test_no_word_of_a_prompt_is_printed(row, home, run, capfd) -> None:
    engine = LlamaCpp({"house": row}, home, home, b"secret")
    start = run(engine.programs()[0])
    wait_for(start, "ready")
    ask(engine, {"messages": [{"role": "user", "content": "xylophone"}], "max_tokens": 2})
    ask(engine, {"messages": "xylophone"})
    start.leash.close()
    wait_gone(start)
    printed = capfd.readouterr()
    assert "xylophone" not in printed.out + printed.err


def test_a_file_that_cannot_be_loaded_is_a_sentence(home, run, row, tmp_path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\x03\0\0\0" + bytes(4096))
    engine = LlamaCpp({"house": replace(row, model=str(broken))}, home, home, b"secret")
    start = run(engine.programs()[0])
    reason = wait_for(start, "failed").fields["reason"]
    assert str(broken) in reason
    assert "Download it again" in reason
    assert os.waitstatus_to_exitcode(wait_gone(start)) == 1
