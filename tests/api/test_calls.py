"""A call whose stages break in a way that nobody foresaw: the caller learns that, and nothing else."""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mainstay.api.anthropic import AnthropicWire
from mainstay.api.calls import CallerWire, Calls
from mainstay.api.door import Request
from mainstay.api.gate import Gate, Served
from mainstay.api.openai import OpenAIWire
from mainstay.api.rerank import RerankWire
from mainstay.api.responses import ResponsesWire
from mainstay.core.answer import Answer
from mainstay.core.call import Call
from mainstay.core.record import Record
from mainstay.core.timeouts import Timeouts
from mainstay.identity.null import NullKeyRing
from mainstay.telemetry.metrics import Slab
from mainstay.telemetry.stage import Observer

SECRET = "sk-upstream-0123456789 at /opt/mainstay/stage.py"
BODY = {"model": "m", "messages": [{"role": "user", "content": "x"}], "max_tokens": 9, "input": "x"}
BODY |= {"query": "q", "documents": ["a"]}


class Lines:
    """A journal in memory."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def append(self, line: bytes) -> bool:
        self.records.append(msgspec.json.decode(line, type=Record))
        return True


async def _break(call: Call) -> Answer:
    raise RuntimeError(SECRET)


@pytest.mark.parametrize(
    "wire", [OpenAIWire(), AnthropicWire(), ResponsesWire(), RerankWire()], ids=lambda w: w.dialect
)
def test_a_fault_of_ours_is_a_500_that_says_nothing_inside_in_every_dialect(tmp_path: Path, wire: CallerWire) -> None:
    journal = Lines()
    gate = Gate({"m": Served("m", _break, Timeouts(), False, "v")}, NullKeyRing(), "hash", 0)
    calls = Calls(lambda: gate, Observer(journal, Slab(tmp_path, "0"), 0), wire)
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": json.dumps(BODY).encode()}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"x-request-id", b"mine")]}
    asyncio.run(calls.serve(Request(scope, receive, send, "/", "chat", wire.dialect.value)))
    head, body = sent
    assert head["status"] == 500
    said = body["body"].decode() + str(head["headers"])
    assert "mine" in said
    assert not any(word in said for word in ("sk-", "/opt", ".py", "RuntimeError", "Traceback"))
    error = json.loads(body["body"])
    assert (error.get("error") or error)["code"] == "internal_error"
    assert [(record.outcome, record.error, record.status) for record in journal.records] == [
        ("failed", "internal_error", 500)
    ]
