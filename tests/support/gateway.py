"""A real ``mainstay serve`` in its own processes, for tests that drive it from outside."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import yaml

from mainstay.core.record import Record
from mainstay.identity.service import Keys
from mainstay.store.sql import migrate, open_engine
from support.mold import Cast, cast
from support.ports import free_port

__all__ = ["Gateway", "completion", "sse_chunks"]


class Gateway:
    """Runs ``mainstay serve`` on ``config`` (a mapping, written as YAML) in the folder ``home``.

    ``env`` is added to the environment. The key in ``key`` may call everything.
    """

    def __init__(
        self, home: Path, config: dict[str, Any], *, workers: int = 1, env: dict[str, str] | None = None
    ) -> None:
        self.home = home
        self.file = home / "mainstay.yaml"
        self.port: int = free_port()
        server = {"host": "127.0.0.1", "port": self.port, "workers": workers, **config.get("server", {})}
        self.config = {**config, "server": server}
        self.write(self.config)
        self._env = {**{k: v for k, v in os.environ.items() if not k.startswith("MAINSTAY")}, **(env or {})}
        self._process: Cast | subprocess.Popen[bytes] | None = None
        self.engine = open_engine(f"sqlite:///{self.var / 'mainstay.db'}")
        self.var.mkdir(mode=0o700, exist_ok=True)
        migrate(self.engine)
        self.keys: Keys = _Keys(self)
        self.key = self.keys.create("test").key

    @property
    def var(self) -> Path:
        return self.home / "var"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_serving(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def write(self, config: dict[str, Any]) -> None:
        """Replace the configuration file as an editor does: write beside it, rename."""
        beside = self.file.with_suffix(".new")
        beside.write_text(yaml.safe_dump(config, sort_keys=False))
        beside.replace(self.file)

    def __enter__(self) -> "Gateway":
        command = ["serve", "--config", str(self.file)]
        with open(self.home / "out.txt", "wb") as out, open(self.home / "log.txt", "wb") as log:
            self._process = cast(command, self._env, out.fileno(), log.fileno())
        self.until(lambda: self.status("/health/ready") == 200)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.engine.dispose()

    def stop(self, by: int = signal.SIGTERM) -> int:
        """Send ``by`` and return the exit code."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(by)
        try:
            return self._process.wait(40)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise

    def until(self, true: Any, seconds: float = 120) -> None:
        """Return once ``true()`` is; a time limit only keeps a broken test from hanging."""
        end = time.monotonic() + seconds
        while not true():
            assert self._process is None or self._process.poll() is None, f"serve ended:\n{self.log()}"
            assert time.monotonic() < end, f"not within {seconds} s:\n{self.log()}"
            time.sleep(0.02)

    def log(self) -> str:
        """What the server wrote to standard error so far."""
        return (self.home / "log.txt").read_text(errors="replace")[-6000:]

    def know_keys(self) -> None:
        """Return once every worker knows the keys as they are now."""
        version = json.loads((self.var / "run" / "keys.json").read_bytes())["version"]
        workers = self.config["server"]["workers"]

        def known() -> bool:
            lines = self.get("/metrics").decode().splitlines()
            versions = [float(line.split()[-1]) for line in lines if line.startswith("mainstay_keys_version{")]
            return sum(known >= version for known in versions) >= workers

        self.until(known)

    def status(self, path: str) -> int:
        """Return the status of a GET, 0 when nobody listens."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=60) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def get(self, path: str) -> bytes:
        """Return the body of a GET with the test's key."""
        request = urllib.request.Request(self.url + path, headers={"authorization": f"Bearer {self.key}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return bytes(answer.read())

    @contextmanager
    def asking(self, path: str, body: dict[str, Any], request_id: str) -> Iterator[socket.socket]:
        """Send a request; whoever leaves the block leaves the call, answered or not."""
        data = json.dumps(body).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {self.key}\r\n"
            f"x-request-id: {request_id}\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as sock:
            sock.sendall(head.encode() + data)
            yield sock

    def state(self) -> dict[str, Any]:
        """Return what the supervisor last published."""
        return dict(json.loads((self.var / "run" / "state.json").read_bytes()))

    def pids(self, kind: str) -> list[int]:
        """Return the process ids of every part of ``kind`` (worker, control, engine)."""
        return [part["pid"] for part in self.state()["parts"].values() if part["kind"] == kind]

    def journal(self) -> list[Record]:
        """Return the records that lie in journals, loaded or not."""
        records = []
        for path in sorted((self.var / "journal").glob("[0-9]*.jsonl")):
            records += [msgspec.json.decode(line, type=Record) for line in path.read_bytes().splitlines()]
        return records


class _Keys(Keys):
    """Keys that every worker of a running gateway knows once they are created."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway.engine, gateway.var)
        self._gateway = gateway

    def create(self, *args: Any, **fields: Any) -> Any:
        created = super().create(*args, **fields)
        if self._gateway.is_serving:
            self._gateway.know_keys()
        return created


def completion(text: str = "Hello.", **fields: Any) -> dict[str, Any]:
    """Return a chat completion as OpenAI's server writes one."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
        **fields,
    }


def sse_chunks(*words: str, finish: str | None = "stop", usage: bool = True, done: bool = True) -> list[bytes]:
    """Return a chat stream as OpenAI's server writes one: one event an item."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "gpt-4o-mini"}

    def event(choices: list[dict[str, Any]], **fields: Any) -> bytes:
        return b"data: " + json.dumps({**head, "choices": choices, **fields}).encode() + b"\n\n"

    events = [event([{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])]
    events += [event([{"index": 0, "delta": {"content": word}, "finish_reason": None}]) for word in words]
    if finish:
        events.append(event([{"index": 0, "delta": {}, "finish_reason": finish}]))
    if usage:
        counts = {"prompt_tokens": 9, "completion_tokens": len(words), "total_tokens": 9 + len(words)}
        events.append(event([], usage=counts))
    if done:
        events.append(b"data: [DONE]\n\n")
    return events
