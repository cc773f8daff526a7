"""What tests of the wires share: callers who see every byte of a stream, and streams as upstreams really send them.

A stream is taken apart here by rules of its own, stricter than any client's and not those of the code under test: what
it lets pass, every client reads.
"""

import json
import threading
from typing import Any

import httpx

from support.gateway import Gateway
from support.upstream import Chunk, End, Head, Step, Upstream

__all__ = ["HELLO", "Seen", "Talk", "chunk", "event", "finish", "pieces", "role", "said", "stream_of", "usage_chunk"]

HELLO: list[dict[str, Any]] = [{"role": "user", "content": "Hello?"}]
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def chunk(delta: dict[str, Any] | None = None, *, index: int = 0, finish: str | None = None, **top: Any) -> bytes:
    """Return the JSON of a chunk with one choice; ``top`` adds or replaces top-level fields."""
    choice = {"index": index, "delta": delta or {}, "finish_reason": finish}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "m-1"}
    return json.dumps({**head, "choices": [choice], **top}, ensure_ascii=False).encode()


def role(index: int = 0) -> bytes:
    """Return the chunk that opens a choice."""
    return chunk({"role": "assistant", "content": ""}, index=index)


def said(text: str, index: int = 0) -> bytes:
    """Return a chunk of text."""
    return chunk({"content": text}, index=index)


def finish(word: str = "stop", index: int = 0, **top: Any) -> bytes:
    """Return the chunk that ends a choice."""
    return chunk(index=index, finish=word, **top)


def usage_chunk(**counts: Any) -> bytes:
    """Return the chunk with usage alone."""
    return chunk(choices=[], usage={**USAGE, **counts})


def event(data: bytes) -> bytes:
    """Return a server-sent event as OpenAI writes it."""
    return b"data: " + data + b"\n\n"


def stream_of(*data: bytes, done: bool = True) -> list[Step]:
    """Return the steps of a stream whose events hold ``data``."""
    return pieces(*map(event, data), *([event(b"[DONE]")] if done else []))


def pieces(*writes: bytes) -> list[Step]:
    """Return the steps of a stream whose bytes are written as given."""
    return [Head(200), *map(Chunk, writes), End()]


class Seen:
    """What a caller got: ``blocks`` are the events as sent, ``data`` the JSON of those that hold some."""

    def __init__(self, response: httpx.Response, body: bytes) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.body = body
        self.blocks: list[bytes] = []
        self.data: list[dict[str, Any]] = []
        self.done = 0
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            self._take_apart(body)

    @property
    def json(self) -> Any:
        """The body of an answer that is no stream."""
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The error that the answer is, or that its stream ends in; {} where there is none."""
        last = self.data[-1] if self.data else {} if self.blocks else self.json
        return dict(last.get("error") or {})

    @property
    def chunks(self) -> list[dict[str, Any]]:
        """The events of a stream that are no error."""
        return [data for data in self.data if "error" not in data or data["error"] is None]

    def text(self, index: int = 0) -> str:
        """What one choice said."""
        return "".join(delta.get("content") or "" for delta in self.deltas(index))

    def deltas(self, index: int = 0) -> list[dict[str, Any]]:
        """The deltas of one choice."""
        return [c["delta"] for data in self.chunks for c in data["choices"] if c["index"] == index]

    def reasons(self, index: int = 0) -> list[str | None]:
        """The finish reason of every chunk of one choice."""
        return [c["finish_reason"] for data in self.chunks for c in data["choices"] if c["index"] == index]

    def calls(self, index: int = 0) -> list[tuple[str, str, str]]:
        """Id, name and arguments of each tool call, joined as clients join them: by index, string after string."""
        found: dict[int, list[str]] = {}
        for delta in self.deltas(index):
            for piece in delta.get("tool_calls") or ():
                call = found.setdefault(piece["index"], ["", "", ""])
                function = piece.get("function") or {}
                for place, text in enumerate((piece.get("id"), function.get("name"), function.get("arguments"))):
                    call[place] += text or ""
        return [(call[0], call[1], call[2]) for _, call in sorted(found.items())]

    def _take_apart(self, body: bytes) -> None:
        assert body.endswith(b"\n\n"), body[-80:]
        assert b"\r" not in body
        self.blocks = body[:-2].split(b"\n\n")
        for block in self.blocks:
            lines = block.split(b"\n")
            if all(line.startswith(b":") for line in lines):
                continue
            assert all(line.startswith(b"data: ") for line in lines), block
            data = b"\n".join(line[6:] for line in lines)
            if data == b"[DONE]":
                self.done += 1
            else:
                assert not self.done, "an event after [DONE]"
                self.data.append(json.loads(data))


class Talk:
    """A caller of chat completions who scripts the upstream and sees every byte of the answer."""

    def __init__(self, gateway: Gateway, upstream: Upstream, client: httpx.Client) -> None:
        self.gateway = gateway
        self.upstream = upstream
        self.client = client

    def post(self, body: bytes | dict[str, Any], path: str = "/v1/chat/completions", **headers: str) -> Seen:
        """Send a body and return all that came back."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        with self.client.stream("POST", path, content=data, headers=headers) as response:
            return Seen(response, b"".join(response.iter_raw()))

    def stream(self, *steps: Step, model: str = "plain", **fields: Any) -> Seen:
        """Return what a caller gets of a stream whose upstream does ``steps``."""
        self.upstream.script(list(steps))
        return self.post({"model": model, "messages": HELLO, "stream": True, **fields})

    def whole(self, answer: Step, model: str = "plain", **fields: Any) -> Seen:
        """Return what a caller gets of an answer that the upstream gives whole."""
        self.upstream.script(answer)
        return self.post({"model": model, "messages": HELLO, **fields})

    def watch(self, body: dict[str, Any], *moments: tuple[bytes, threading.Event]) -> Seen:
        """Read a stream to its end; each event is set the moment that the bytes beside it are here, one by one."""
        came, left = b"", list(moments)
        with self.client.stream("POST", "/v1/chat/completions", json=body) as response:
            for piece in response.iter_raw():
                came += piece
                while left and left[0][0] in came:
                    left.pop(0)[1].set()
            assert not left, came
            return Seen(response, came)

    @property
    def sent(self) -> Any:
        """The body of the last request that reached the upstream."""
        return self.upstream.requests[-1].json()

    def record(self) -> Any:
        """The record of the last call."""
        return self.gateway.journal()[-1]
