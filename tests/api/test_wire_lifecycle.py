"""How calls end, over real sockets: callers who leave, records that are settled once, calls that share an answer."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from mainstay.core.errors import MainstayError
from mainstay.core.ports import Origin
from mainstay.core.record import Attempt, Record
from mainstay.core.target import Target
from mainstay.line.streaming import deliver
from mainstay.providers.http import Endpoint, HttpProvider
from mainstay.providers.openai import OpenAICodec, OpenAIStreamWriter
from mainstay.runtime.transport import open_transport
from support.gateway import Gateway, completion, sse_chunks
from support.routing import call_of_bytes
from support.upstream import Chunk, Cut, Head, Reply, Silence, Step, Upstream, Wait, json_reply

HELLO: Any = [{"role": "user", "content": "Hello? " * 20}]
PATHS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", {"messages": HELLO}),
    "messages": ("/v1/messages", {"messages": HELLO, "max_tokens": 9}),
    "responses": ("/v1/responses", {"input": "Hello?", "store": False}),
    "completions": ("/v1/completions", {"prompt": "Hello?"}),
}
WORDS = sse_chunks("One", " two")[:3]


@pytest.fixture(scope="module")
def vendor() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, vendor: Upstream) -> Iterator[Gateway]:
    models: dict[str, Any] = {f"m{n}": {"provider": "vendor"} for n in range(4)}
    # One call at a time: the next one shows that the one before let go of its place.
    models |= {f"one-{name}": {"provider": "talker", "concurrency": 1} for name in PATHS}
    routes: dict[str, Any] = {name: {"targets": [name], "attempts": 1} for name in models}
    config = {
        "providers": {
            "vendor": {"kind": "openai", "base_url": f"{vendor.url}/v1", "api_key": "k"},
            # It has no completions and is talked to instead.
            "talker": {"kind": "groq", "base_url": f"{vendor.url}/v1", "api_key": "k"},
        },
        "models": models,
        "routes": {
            **{f"only-{name}": row for name, row in routes.items()},
            "shared": {"targets": ["m0"], "attempts": 1, "single_flight": True},
            "consoled": {"targets": ["m1"], "attempts": 1, "last_resort": "Back in a minute."},
        },
    }
    running = Gateway(tmp_path_factory.mktemp("gateway"), config)
    running.teams = {  # type: ignore[attr-defined]  # a note for the tests
        name: running.keys.create(f"{name}-key", team=name.rstrip("0123456789")).key
        for name in ("red1", "red2", "blue")
    }
    with running:
        yield running


@pytest.fixture
def http(gateway: Gateway, vendor: Upstream) -> Iterator[httpx.Client]:
    vendor.forget()
    with httpx.Client(base_url=gateway.url, headers={"authorization": f"Bearer {gateway.key}"}, timeout=60) as client:
        yield client


def records(gateway: Gateway, name: str) -> list[Record]:
    return [record for record in gateway.journal() if record.request_id == name]


def begin(gateway: Gateway, path: str, body: dict[str, Any], name: str) -> socket.socket:
    """Send a request on a connection of its own; ``name`` becomes its id."""
    data = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {gateway.key}\r\n"
        f"x-request-id: {name}\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    )
    sock = socket.create_connection(("127.0.0.1", gateway.port), timeout=60)
    sock.sendall(head.encode() + data)
    return sock


def read_until(sock: socket.socket, word: bytes) -> None:
    received = b""
    while word not in received:
        received += sock.recv(65536)


def metric(gateway: Gateway, name: str, **labels: str) -> float:
    page = gateway.get("/metrics").decode()
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())


MOMENTS: dict[str, tuple[bool, list[Step], bytes]] = {
    "before-the-head-of-a-whole-answer": (False, [Silence()], b""),
    "before-the-head-of-a-stream": (True, [Silence()], b""),
    "before-the-first-token": (True, [Head(200), Chunk(WORDS[0]), Silence()], b""),
    "in-mid-stream": (True, [Head(200), *map(Chunk, WORDS), Silence()], b" two"),
    "in-a-whole-answer": (False, [Head(200, (("content-type", "application/json"),)), Chunk(b"{"), Silence()], b""),
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("dialect", PATHS)
def test_a_caller_who_leaves_lets_go_of_the_upstream_and_its_place(
    gateway: Gateway, vendor: Upstream, http: httpx.Client, dialect: str, moment: str
) -> None:
    (path, body), (stream, steps, word) = PATHS[dialect], MOMENTS[moment]
    name = f"left-{dialect}-{moment}"
    body = {"model": f"only-one-{dialect}", **body}
    vendor.script(steps)
    failed = metric(gateway, "mainstay_records_total", outcome="failed")
    sock = begin(gateway, path, {**body, "stream": stream}, name)
    (asked,) = vendor.wait_for(1)
    if word:
        read_until(sock, word)
    sock.close()
    assert asked.closed.wait(60)
    # Its place is free again: this one would wait for it.
    vendor.script(json_reply(completion("Hi!")))
    assert http.post(path, json=body).status_code == 200
    gateway.until(lambda: len(records(gateway, name)) == 1)
    (record,) = records(gateway, name)
    assert (record.outcome, record.error, record.status) == ("gone", "caller_gone", 499)
    assert [attempt.outcome for attempt in record.attempts] == ["caller_gone"]
    # What was said so far was used, and nobody counted it.
    assert (record.usage is not None) == bool(word)
    if record.usage is not None:
        assert record.usage.estimated
        assert record.usage.output > 0
    assert metric(gateway, "mainstay_records_total", outcome="failed") == failed
    assert metric(gateway, "http_server_request_duration_seconds_count", error_type="caller_gone") == 0
    assert metric(gateway, "mainstay_upstream_in_flight", model=f"one-{dialect}") == 0


def test_a_caller_who_leaves_while_it_waits_for_a_place_is_never_sent(
    gateway: Gateway, vendor: Upstream, http: httpx.Client
) -> None:
    path, body = PATHS["chat"]
    vendor.script([Head(200), *map(Chunk, WORDS), Silence()], json_reply(completion("Hi!")))
    holder = begin(gateway, path, {"model": "only-one-chat", **body, "stream": True}, "holder")
    read_until(holder, b" two")
    waiter = begin(gateway, path, {"model": "only-one-chat", **body}, "left-waiting")
    gateway.until(lambda: metric(gateway, "mainstay_upstream_waiting", model="one-chat") == 1)
    waiter.close()
    gateway.until(lambda: len(records(gateway, "left-waiting")) == 1)
    (record,) = records(gateway, "left-waiting")
    assert (record.outcome, record.attempts) == ("gone", [])
    holder.close()
    assert http.post(path, json={"model": "only-one-chat", **body}).status_code == 200
    assert len(vendor.requests) == 2


def test_a_record_is_written_once_however_a_call_ends(gateway: Gateway, vendor: Upstream, http: httpx.Client) -> None:
    cases: list[tuple[str, dict[str, Any], list[Any], str, str]] = [
        ("whole", {}, [json_reply(completion())], "ok", ""),
        ("stream", {"stream": True}, [[Head(200), *map(Chunk, sse_chunks("Hi!"))]], "ok", ""),
        ("refused-here", {"messages": []}, [], "refused", "invalid_request"),
        ("unknown", {"model": "nobody"}, [], "refused", "model_not_found"),
        ("no-json", {"content": b"{"}, [], "refused", "invalid_request"),
        ("no-key", {"key": "ms-wrong"}, [], "refused", "invalid_api_key"),
        ("refused-there", {}, [json_reply({"error": {"message": "no"}}, 400)], "refused", "upstream_refused"),
        ("failed", {}, [Reply(500)], "failed", "upstream_failed"),
        ("broken", {"stream": True}, [[Head(200), *map(Chunk, WORDS), Cut()]], "failed", "upstream_interrupted"),
        ("no-answer", {}, [json_reply({})], "failed", "upstream_broken"),
        ("last-words", {"model": "consoled"}, [Reply(500)], "ok", ""),
    ]
    for name, fields, answers, outcome, error in cases:
        vendor.forget()
        vendor.script(*answers)
        given = dict(fields)
        headers = {"x-request-id": f"once-{name}", "content-type": "application/json"}
        if key := given.pop("key", None):
            headers["authorization"] = f"Bearer {key}"
        content = given.pop("content", None) or json.dumps({"model": "only-m2", "messages": HELLO, **given}).encode()
        http.post(PATHS["chat"][0], content=content, headers=headers)
        found = records(gateway, f"once-{name}")
        assert [(record.outcome, record.error) for record in found] == [(outcome, error)], name
    # Nothing is written later either: what comes after is one more record and no second one of these.
    vendor.script(json_reply(completion()))
    http.post(PATHS["chat"][0], json={"model": "only-m2", "messages": HELLO}, headers={"x-request-id": "after"})
    names = [record.request_id for record in gateway.journal()]
    assert all(names.count(f"once-{name}") == 1 for name, *_ in cases)


def share(gateway: Gateway, key: str, name: str, *, stream: bool = False) -> httpx.Response:
    body = {"model": "shared", "messages": HELLO, "temperature": 0, "stream": stream}
    headers = {"authorization": f"Bearer {key}", "x-request-id": name}
    return httpx.post(f"{gateway.url}/v1/chat/completions", json=body, headers=headers, timeout=60)


def in_flight(gateway: Gateway) -> float:
    return metric(gateway, "mainstay_requests_in_flight")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_identical_calls_share_an_answer_within_a_team_and_never_across(
    gateway: Gateway, vendor: Upstream, stream: bool
) -> None:
    vendor.forget()
    open_up = threading.Event()

    def answer(text: str) -> list[Step]:
        if stream:
            return [Wait(open_up), Head(200), *map(Chunk, sse_chunks(text))]
        return [Wait(open_up), json_reply(completion(text))]

    vendor.script(answer("First."), answer("Second."))
    teams = gateway.teams  # type: ignore[attr-defined]  # set above
    with ThreadPoolExecutor() as threads:
        leader = threads.submit(share, gateway, teams["red1"], f"leader-{stream}", stream=stream)
        vendor.wait_for(1)
        follower = threads.submit(share, gateway, teams["red2"], f"follower-{stream}", stream=stream)
        gateway.until(lambda: in_flight(gateway) == 2)
        other = threads.submit(share, gateway, teams["blue"], f"other-{stream}", stream=stream)
        vendor.wait_for(2)
        open_up.set()
        answers = [future.result() for future in (leader, follower, other)]
    assert ["First." in answer.text for answer in answers] == [True, True, False]
    assert "Second." in answers[2].text
    assert len(vendor.requests) == 2
    counts = [len(records(gateway, f"{name}-{stream}")[0].attempts) for name in ("leader", "follower", "other")]
    assert counts == [1, 0, 1]


def test_a_follower_gets_its_answer_though_the_leader_has_left(gateway: Gateway, vendor: Upstream) -> None:
    vendor.forget()
    open_up = threading.Event()
    vendor.script([Wait(open_up), json_reply(completion("For whoever stayed."))])
    body = {"model": "shared", "messages": HELLO, "temperature": 0}
    leader = begin(gateway, PATHS["chat"][0], {**body, "stream": False}, "leaver")
    vendor.wait_for(1)
    with ThreadPoolExecutor() as threads:
        headers = {"authorization": f"Bearer {gateway.key}", "x-request-id": "stayer"}
        data = json.dumps({**body, "stream": False}).encode()
        headers["content-type"] = "application/json"
        url = f"{gateway.url}{PATHS['chat'][0]}"
        follower = threads.submit(lambda: httpx.post(url, content=data, headers=headers, timeout=60))
        gateway.until(lambda: in_flight(gateway) == 2)
        leader.close()
        gateway.until(lambda: len(records(gateway, "leaver")) == 1)
        assert not vendor.requests[0].closed.is_set()
        open_up.set()
        assert follower.result().json()["choices"][0]["message"]["content"] == "For whoever stayed."
    assert [records(gateway, name)[0].outcome for name in ("leaver", "stayer")] == ["gone", "ok"]
    assert len(vendor.requests) == 1


def test_a_stream_of_many_pieces_makes_no_task_and_no_thread_for_any(upstream: Upstream) -> None:
    def count(pieces: list[Step]) -> int:
        upstream.script(pieces)
        return asyncio.run(_tasks_of(upstream))

    few = count([Head(200), *map(Chunk, sse_chunks("One"))])
    many = count([Head(200), *map(Chunk, sse_chunks(*["x"] * 500))])
    assert many == few


async def _tasks_of(upstream: Upstream) -> int:
    """Return how many tasks and threads one streamed answer needs."""
    made: list[object] = []

    def factory(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> Any:
        made.append(coro)
        return asyncio.Task(coro, loop=loop, **options)

    transport = open_transport()
    body = json.dumps({"model": "m", "messages": HELLO, "stream": True}).encode()
    call = call_of_bytes(body)
    provider = HttpProvider(OpenAICodec(), Endpoint(Origin(upstream.host, upstream.port), b"/v1", ()), transport)
    asyncio.get_running_loop().set_task_factory(factory)
    threads = threading.active_count()
    answer = await provider.answer(call, Target("m", "v", "openai", "m"), Attempt())
    assert answer.frames is not None
    written: list[bytes] = []

    async def write(data: bytes) -> None:
        written.append(data)

    def settled(error: MainstayError | None) -> None:
        written.append(b"settled")

    writer = OpenAIStreamWriter(False, model="m", id="1", created=1)
    written.append(await deliver(answer.frames, writer, write, settled))
    assert b"settled" in written
    grown = threading.active_count() - threads
    await transport.aclose()
    return len(made) + grown
