"""What tests of the ledger share: a vendor whose answers have a known price, every endpoint, and the books."""

import asyncio
import json
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import httpx
from sqlalchemy import text

from mainstay.store.sql import reading
from support.gateway import Gateway, completion, sse_chunks
from support.upstream import Chunk, End, Head, Received, Step, json_reply

__all__ = [
    "COST",
    "ENDPOINTS",
    "PRICE",
    "Books",
    "answer",
    "ask",
    "books",
    "config_of",
    "error_of",
    "many",
    "models",
    "request_of",
    "settled",
]

#: US dollars per million tokens, input and output: an answer of :func:`answer` costs 9 * 0.00001 + 3 * 0.002.
PRICE = {"input": 10, "output": 2000}
COST = 0.00609


def answer(request: Received) -> Step | Iterable[Step]:
    """Answer as a vendor does: nine tokens in and three out, whatever was asked."""
    if request.path.endswith("/chat/completions"):
        if request.json().get("stream"):
            return [Head(), *map(Chunk, sse_chunks("one", " two", " three")), End()]
        return json_reply(completion("one two three"))
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    kind = request.path.rpartition("/v1/")[2]
    if kind == "completions":
        choice = {"index": 0, "text": "one two three", "finish_reason": "stop", "logprobs": None}
        return json_reply(
            {"id": "c", "object": "text_completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
        )
    if kind == "embeddings":
        rows = [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}]
        return json_reply(
            {"object": "list", "model": "m", "data": rows, "usage": {"prompt_tokens": 9, "total_tokens": 9}}
        )
    if kind == "moderations":
        return json_reply(
            {"id": "m", "model": "m", "results": [{"flagged": False, "categories": {}, "category_scores": {}}]}
        )
    if kind in ("images/generations", "images/edits"):
        return json_reply({"created": 1, "data": [{"b64_json": "AAAA"}]})
    if kind == "rerank":
        return json_reply({"id": "r", "results": [{"index": 0, "relevance_score": 0.5}], "usage": {"total_tokens": 9}})
    if kind.startswith(("audio/transcriptions", "audio/translations")):
        return json_reply({"text": "one two three"})
    return json_reply({})


def models(*names: str, **fields: Any) -> dict[str, Any]:
    """Return rows of models of the vendor ``vendor`` at the price above."""
    return {name: {"provider": "vendor", "price": PRICE, **fields} for name in names}


def config_of(url: str, cost: dict[str, Any], **sections: Any) -> dict[str, Any]:
    """Return a configuration with one vendor at ``url`` and the model ``m``."""
    base: dict[str, Any] = {
        "providers": {"vendor": {"kind": "openai", "base_url": f"{url}/v1", "api_key": "k"}},
        "models": models("m"),
        "cost": cost,
    }
    return {**base, **sections}


_HELLO = [{"role": "user", "content": "Hi"}]
_WAV = (
    b"RIFF"
    + struct.pack("<I", 36)
    + b"WAVEfmt "
    + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)
    + b"data\0\0\0\0"
)

#: How each endpoint is asked: path, and what httpx sends.
ENDPOINTS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", {"json": {"messages": _HELLO, "max_tokens": 3}}),
    "chat stream": ("/v1/chat/completions", {"json": {"messages": _HELLO, "max_tokens": 3, "stream": True}}),
    "completions": ("/v1/completions", {"json": {"prompt": "Hi", "max_tokens": 3}}),
    "responses": ("/v1/responses", {"json": {"input": "Hi", "max_output_tokens": 3, "store": False}}),
    "messages": ("/v1/messages", {"json": {"messages": _HELLO, "max_tokens": 3}}),
    "messages stream": ("/v1/messages", {"json": {"messages": _HELLO, "max_tokens": 3, "stream": True}}),
    "embeddings": ("/v1/embeddings", {"json": {"input": "Hi"}}),
    "moderations": ("/v1/moderations", {"json": {"input": "Hi"}}),
    "rerank": ("/v1/rerank", {"json": {"query": "Hi", "documents": ["one"]}}),
    "images": ("/v1/images/generations", {"json": {"prompt": "Hi"}}),
    "image edits": (
        "/v1/images/edits",
        {"data": {"prompt": "Hi"}, "files": {"image": ("a.png", b"\x89PNG", "image/png")}},
    ),
    "speech": ("/v1/audio/speech", {"json": {"input": "Hi", "voice": "alloy"}}),
    "transcriptions": ("/v1/audio/transcriptions", {"data": {}, "files": {"file": ("a.wav", _WAV, "audio/wav")}}),
    "translations": ("/v1/audio/translations", {"data": {}, "files": {"file": ("a.wav", _WAV, "audio/wav")}}),
}


def request_of(kind: str, model: str) -> tuple[str, dict[str, Any]]:
    """Return where and what to send to ask ``model``."""
    path, sent = ENDPOINTS[kind]
    sent = dict(sent)
    for place in ("json", "data"):
        if place in sent:
            sent[place] = {**sent[place], "model": model}
    return path, sent


def ask(gateway: Gateway, kind: str = "chat", model: str = "m", *, key: str = "", **fields: Any) -> httpx.Response:
    """Ask once; ``fields`` are added to a JSON body, and ``headers`` to the headers."""
    path, sent = request_of(kind, model)
    headers = {"authorization": f"Bearer {key or gateway.key}", **fields.pop("headers", {})}
    if "json" in sent:
        sent["json"] = {**sent["json"], **fields}
    return httpx.post(gateway.url + path, headers=headers, timeout=30, **sent)


def many(
    gateway: Gateway,
    count: int,
    kinds: Sequence[str] = ("chat",),
    *,
    model: str = "m",
    keys: Sequence[str] = (),
    at_once: int = 200,
    then: Callable[[httpx.Response], None] = lambda _: None,
) -> list[int]:
    """Ask ``count`` times, many at once; return the statuses, 0 where the connection broke."""

    async def main() -> list[int]:
        limits = httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once)
        async with httpx.AsyncClient(limits=limits, timeout=httpx.Timeout(60)) as client:

            async def one(number: int) -> int:
                path, sent = request_of(kinds[number % len(kinds)], model)
                key = keys[number % len(keys)] if keys else gateway.key
                try:
                    response = await client.post(gateway.url + path, headers={"authorization": f"Bearer {key}"}, **sent)
                except httpx.HTTPError:
                    return 0
                then(response)
                return response.status_code

            return await asyncio.gather(*(one(number) for number in range(count)))

    return asyncio.run(main())


class Books:
    """What the database says, in units of 1e-12 US dollars."""

    def __init__(self, gateway: Gateway) -> None:
        with reading(gateway.engine) as connection:

            def one(query: str) -> int:
                return int(connection.execute(text(query)).scalar() or 0)

            self.records = one("select count(*) from records")
            #: What attempts have cost; what entries say that is owed, and that budgets were charged; how budgets stand.
            self.cost = one("select sum(cost) from attempts")
            self.owed = one("select sum(picousd) from entries where credit like 'provider:%'")
            self.charged = one("select sum(picousd) from entries where credit = 'budgets'")
            self.balances = one("select sum(picousd) from balances")
            self.by_series: dict[str, int] = {}
            for series, amount in connection.execute(text("select series, picousd from balances")):
                self.by_series[series] = self.by_series.get(series, 0) + amount

    def check(self) -> None:
        """See that they balance."""
        assert self.cost == self.owed
        assert self.charged == self.balances


def settled(gateway: Gateway) -> None:
    """Return when every record that was written is in the database."""

    def done() -> bool:
        with reading(gateway.engine) as connection:
            known = int(connection.execute(text("select count(*) from records")).scalar() or 0)
        return known >= len(gateway.journal()) and _offsets(gateway)

    gateway.until(done)


def _offsets(gateway: Gateway) -> bool:
    values = gateway.get("/metrics").decode()
    lag = [line for line in values.splitlines() if line.startswith("mainstay_journal_lag_bytes")]
    return all(float(line.rpartition(" ")[2]) == 0 for line in lag)


def books(gateway: Gateway) -> Books:
    """Return what the books say once everything is in them, and that they balance."""
    settled(gateway)
    found = Books(gateway)
    found.check()
    return found


def error_of(response: httpx.Response) -> dict[str, Any]:
    """Return the error of an answer, whatever the dialect."""
    body = json.loads(response.content)
    return dict(body.get("error") or body)
