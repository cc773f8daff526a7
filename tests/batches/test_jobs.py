"""Batches from end to end: OpenAI's own SDK, a running gateway, scripted upstreams."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI
from openai.types import Batch
from prometheus_client.parser import text_string_to_metric_families

from support.gateway import Gateway, completion
from support.upstream import Received, Reply, Upstream, Wait, json_reply

KEY = "sk-0123456789abcdef"


class Script:
    """What the upstream does, by the text of the user's message; counts how often each was asked."""

    def __init__(self) -> None:
        self.asked: dict[str, int] = {}
        self.hold = threading.Event()
        self.hold.set()

    def __call__(self, request: Received) -> Any:
        body = json.loads(request.body)
        text = body["messages"][-1]["content"]
        self.asked[text] = self.asked.get(text, 0) + 1
        if text == "bad":
            yield json_reply({"error": {"message": "no", "type": "invalid_request_error"}}, 400)
        elif text == "busy once" and self.asked[text] == 1:
            yield Reply(429, (("retry-after", "1"),), b'{"error": {"message": "later"}}')
        elif text == "down once" and self.asked[text] == 1:
            yield json_reply({"error": {"message": "no"}}, 500)
        else:
            if text.startswith("held"):
                yield Wait(self.hold)
            yield json_reply(completion(f"You said {text}."))


@pytest.fixture(scope="module")
def script() -> Script:
    return Script()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, script: Script) -> Iterator[Gateway]:
    with Upstream(script) as upstream:
        config: dict[str, Any] = {
            "providers": {
                "up": {"kind": "openai", "base_url": f"{upstream.url}/v1", "api_key": "${UPSTREAM_KEY}"},
                "echo": {"kind": "echo"},
            },
            "models": {"model": {"provider": "up", "concurrency": "off"}, "echo": {"provider": "echo"}},
            "routes": {"route": {"targets": [{"model": "model"}], "attempts": 1}},
            "batches": {"concurrency": 4, "max_requests": 500, "max_line": "64KiB", "max_storage": "1MiB"},
        }
        with Gateway(tmp_path_factory.mktemp("batches"), config, env={"UPSTREAM_KEY": KEY}) as running:
            yield running


@pytest.fixture
def client(gateway: Gateway, script: Script) -> Iterator[OpenAI]:
    script.asked.clear()
    script.hold.set()
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as sdk:
        yield sdk


def line(custom_id: str, text: str = "", model: str = "route", **fields: Any) -> dict[str, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": text or custom_id}]}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body, **fields}


def upload(client: OpenAI, *lines: Any) -> str:
    data = b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in lines)
    return client.files.create(file=("in.jsonl", data), purpose="batch").id


def start(client: OpenAI, *lines: Any, **fields: Any) -> Batch:
    file = upload(client, *lines)
    asked: dict[str, Any] = {"endpoint": "/v1/chat/completions", "completion_window": "24h", **fields}
    return client.batches.create(input_file_id=file, **asked)


def finished(gateway: Gateway, client: OpenAI, batch: Batch, seconds: float = 30) -> Batch:
    ended = ("completed", "failed", "expired", "cancelled")
    gateway.until(lambda: client.batches.retrieve(batch.id).status in ended, seconds)
    return client.batches.retrieve(batch.id)


def rows(client: OpenAI, file: str | None) -> list[dict[str, Any]]:
    return [] if file is None else [json.loads(row) for row in client.files.content(file).text.splitlines()]


def test_a_batch_answers_every_row_and_says_what_went_wrong_with_which(
    gateway: Gateway, client: OpenAI, script: Script
) -> None:
    asked = [line("a"), line("b", "bad"), line("c", "busy once"), line("d", "down once"), line("e", model="none")]
    batch = start(client, *asked, metadata={"for": "tests"})
    assert (batch.object, batch.metadata) == ("batch", {"for": "tests"})
    ended = finished(gateway, client, batch)
    assert ended.status == "completed", ended
    assert ended.request_counts is not None
    assert ended.request_counts.model_dump() == {"total": 5, "completed": 3, "failed": 2}
    assert None not in (ended.in_progress_at, ended.finalizing_at, ended.completed_at, ended.expires_at)
    good = {row["custom_id"]: row for row in rows(client, ended.output_file_id)}
    assert set(good) == {"a", "c", "d"}
    assert set(good["a"]) == {"id", "custom_id", "response", "error"}
    assert good["a"]["error"] is None
    assert good["a"]["response"]["status_code"] == 200
    assert good["a"]["response"]["body"]["choices"][0]["message"]["content"] == "You said a."
    bad = {row["custom_id"]: row["response"] for row in rows(client, ended.error_file_id)}
    assert {name: row["status_code"] for name, row in bad.items()} == {"b": 400, "e": 404}
    assert bad["e"]["body"]["error"]["code"] == "model_not_found"
    assert script.asked == {"a": 1, "bad": 1, "busy once": 2, "down once": 2}
    output = client.files.retrieve(ended.output_file_id or "")
    assert (output.purpose, output.filename) == ("batch_output", f"{batch.id}_output.jsonl")


def metric(gateway: Gateway, name: str, **labels: str) -> float:
    page = gateway.get("/metrics").decode()
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())


def test_the_work_on_batches_is_counted(gateway: Gateway, client: OpenAI, script: Script) -> None:
    def counted() -> tuple[float, float]:
        return tuple(metric(gateway, "mainstay_batch_rows_total", outcome=o) for o in ("completed", "failed"))  # type: ignore[return-value]  # two of them

    completed, failed = counted()
    script.hold.clear()
    batch = start(client, line("held 1"), line("held 2"), line("bad"), line("good"))
    gateway.until(lambda: counted() == (completed + 1, failed + 1))
    gateway.until(lambda: metric(gateway, "mainstay_batch_rows_in_flight") == 2)
    gateway.until(lambda: metric(gateway, "mainstay_batches_unfinished") == 1)
    assert metric(gateway, "mainstay_batch_oldest_waiting_seconds") == 0
    script.hold.set()
    assert finished(gateway, client, batch).status == "completed"
    assert counted() == (completed + 3, failed + 1)
    assert metric(gateway, "mainstay_batch_rows_in_flight") == 0
    gateway.until(lambda: metric(gateway, "mainstay_batches_unfinished") == 0)


def test_rows_are_calls_of_the_batches_key_and_its_passes_are_kept_nowhere(gateway: Gateway, client: OpenAI) -> None:
    ended = finished(gateway, client, start(client, line("mine", model="echo")))
    (row,) = rows(client, ended.output_file_id)
    request_id = row["response"]["request_id"]
    query = f"SELECT key FROM records WHERE request_id = '{request_id}'"  # our own id
    gateway.until(lambda: select(gateway, query) != [])
    assert select(gateway, query) == [("test",)]
    for path in gateway.var.rglob("*"):
        if path.is_file() and path.suffix != ".db-shm":
            data = path.read_bytes()
            assert b"msp." not in data
            assert gateway.key.encode() not in data


@pytest.mark.parametrize("kill", ["control", "all", "nothing, restart"])
def test_after_kill_nine_a_batch_goes_on_and_answers_no_row_twice(
    gateway: Gateway, client: OpenAI, script: Script, kill: str
) -> None:
    script.hold.clear()
    count = 40
    batch = start(client, *(line(f"{kill}{n}", f"held {n}" if n >= 12 else f"at once {n}") for n in range(count)))
    gateway.until(lambda: sum(name.startswith("held") for name in script.asked) == 4)
    gateway.until(lambda: (client.batches.retrieve(batch.id).request_counts or batch).completed == 12)  # type: ignore[union-attr]  # counts are there
    if kill == "nothing, restart":
        old = gateway.pids("control")[0]
        os.kill(gateway.pid, signal.SIGUSR2)
        script.hold.set()
        gateway.until(lambda: gateway.pids("control") not in ([], [old], [None]))
    elif kill == "control":
        (old,) = gateway.pids("control")
        os.kill(old, signal.SIGKILL)
        gateway.until(lambda: gateway.pids("control") not in ([], [old], [None]))
    else:
        for pid in (gateway.pid, *gateway.pids("control"), *gateway.pids("worker")):
            os.kill(pid, signal.SIGKILL)
        gateway.stop(signal.SIGKILL)
        gateway.__enter__()
    script.hold.set()
    ended = finished(gateway, client, batch, 60)
    assert ended.status == "completed"
    names = [row["custom_id"] for row in rows(client, ended.output_file_id)]
    assert len(names) == len(set(names)) == count
    assert ended.error_file_id is None
    asked = script.asked
    assert all(asked[f"at once {n}"] == 1 for n in range(12))
    assert sum(asked.values()) <= count + 4, asked


def test_a_cancelled_batch_keeps_what_was_answered_and_asks_no_more(
    gateway: Gateway, client: OpenAI, script: Script
) -> None:
    script.hold.clear()
    batch = start(client, line("first"), *(line(f"x{n}", f"held {n}") for n in range(30)))
    gateway.until(lambda: len(script.asked) == 5)
    assert client.batches.cancel(batch.id).status == "cancelling"
    assert client.batches.cancel(batch.id).status == "cancelling"
    # Once it has refused a later one, the runner has seen that this one is cancelled.
    finished(gateway, client, start(client, b"nonsense"))
    script.hold.set()
    ended = finished(gateway, client, batch)
    assert ended.status == "cancelled"
    assert ended.cancelled_at is not None
    assert len(script.asked) == 5
    assert len(rows(client, ended.output_file_id)) == 5
    with pytest.raises(openai.ConflictError):
        client.batches.cancel(start_and_finish(gateway, client).id)


def select(gateway: Gateway, query: str) -> list[Any]:
    with gateway.engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def start_and_finish(gateway: Gateway, client: OpenAI) -> Batch:
    return finished(gateway, client, start(client, line("one", model="echo")))


def test_rows_that_were_not_asked_in_time_are_told_of(gateway: Gateway, client: OpenAI, script: Script) -> None:
    script.hold.clear()
    batch = start(client, *(line(f"x{n}", f"held {n}") for n in range(10)))
    gateway.until(lambda: len(script.asked) == 4)
    with gateway.engine.begin() as connection:
        # As if a day had passed; the runner of the next control process reads it.
        connection.exec_driver_sql(f"UPDATE batches SET expires_at = 1 WHERE id = '{batch.id}'")  # our own id
    (old,) = gateway.pids("control")
    os.kill(old, signal.SIGKILL)
    script.hold.set()
    ended = finished(gateway, client, batch, 60)
    assert ended.status == "expired"
    errors = rows(client, ended.error_file_id)
    assert {row["error"]["code"] for row in errors} == {"batch_expired"}
    assert len(errors) + len(rows(client, ended.output_file_id)) == 10


def test_a_bad_file_is_refused_line_by_line(gateway: Gateway, client: OpenAI, script: Script) -> None:
    url = {"url": "/v1/embeddings"}
    batch = start(client, line("a"), b"{nonsense", line("a"), b"", line("b", **url), line("c", method="GET"), b"[]")
    ended = finished(gateway, client, batch)
    assert ended.status == "failed"
    assert ended.failed_at is not None
    assert ended.errors is not None
    found = [(error.line, error.code) for error in ended.errors.data or []]
    assert found == [
        (2, "invalid_json_line"),
        (3, "duplicate_custom_id"),
        (5, "mismatched_endpoint"),
        (6, "invalid_method"),
        (7, "invalid_request_line"),
    ]
    assert script.asked == {}


def test_limits_of_a_batch_and_of_storage_hold(gateway: Gateway, client: OpenAI) -> None:
    ended = finished(gateway, client, start(client, *(line(f"{n}", model="echo") for n in range(501))))
    assert [error.code for error in (ended.errors.data if ended.errors else None) or []] == ["too_many_requests"]
    ended = finished(gateway, client, start(client, line("long", "x" * 70_000)))
    assert [error.code for error in (ended.errors.data if ended.errors else None) or []] == ["line_too_long"]
    ended = finished(gateway, client, start(client, b" "))
    assert [error.code for error in (ended.errors.data if ended.errors else None) or []] == ["empty_file"]
    with pytest.raises(openai.APIStatusError) as caught:
        client.files.create(file=("big.jsonl", b"x" * (1024 * 1024)), purpose="batch")
    assert caught.value.status_code == 413


def test_what_a_request_for_a_batch_may_not_say_is_named(client: OpenAI) -> None:
    file = upload(client, line("a"))
    for wrong, param in (
        ({"endpoint": "/v1/files"}, "endpoint"),
        ({"completion_window": "soon"}, "completion_window"),
        ({"input_file_id": "file-none"}, "input_file_id"),
        ({"metadata": {"k" * 65: "v"}}, "metadata"),
    ):
        asked: Any = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h", **wrong}
        with pytest.raises(openai.BadRequestError) as caught:
            client.batches.create(**asked)
        assert caught.value.param == param


@pytest.mark.parametrize(
    ("endpoint", "body", "answered"),
    [
        ("/v1/responses", {"input": "Hi", "store": False}, "response"),
        ("/v1/messages", {"max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}, "message"),
        ("/v1/embeddings", {"input": "Hi"}, "list"),
        ("/v1/completions", {"prompt": "Hi"}, "text_completion"),
    ],
)
def test_rows_may_ask_other_endpoints(
    gateway: Gateway, client: OpenAI, endpoint: Any, body: dict[str, Any], answered: str
) -> None:
    row = {"custom_id": "a", "method": "POST", "url": endpoint, "body": {"model": "echo", **body}}
    ended = finished(gateway, client, start(client, row, endpoint=endpoint))
    (said,) = rows(client, ended.output_file_id)
    found = said["response"]["body"]
    assert found.get("object", found.get("type")) == answered


def test_batches_are_listed_the_newest_first(gateway: Gateway, client: OpenAI) -> None:
    made = [start(client, line("a", model="echo")).id for _ in range(3)]
    assert [batch.id for batch in client.batches.list(limit=2)][:3] == made[::-1]


def test_another_teams_files_and_batches_do_not_exist(gateway: Gateway, client: OpenAI) -> None:
    batch = start(client, line("mine", model="echo"))
    ended = finished(gateway, client, batch)
    other = OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.keys.create("other").key, max_retries=0)
    for use in (
        lambda: other.files.retrieve(batch.input_file_id),
        lambda: other.files.content(ended.output_file_id or ""),
        lambda: other.files.delete(batch.input_file_id),
        lambda: other.batches.retrieve(batch.id),
        lambda: other.batches.cancel(batch.id),
    ):
        gateway.until(lambda: httpx.get(f"{gateway.url}/v1/models", headers=bearer(other)).status_code == 200)
        with pytest.raises(openai.NotFoundError):
            use()
    assert other.files.list().data == []
    assert other.batches.list().data == []
    with pytest.raises(openai.BadRequestError):
        other.batches.create(
            input_file_id=batch.input_file_id, endpoint="/v1/chat/completions", completion_window="24h"
        )


def bearer(client: OpenAI) -> dict[str, str]:
    return {"authorization": f"Bearer {client.api_key}"}


def test_a_key_that_was_revoked_asks_nothing_more(gateway: Gateway, client: OpenAI, script: Script) -> None:
    key = gateway.keys.create("short").key
    gateway.until(lambda: httpx.get(f"{gateway.url}/v1/models", headers={"authorization": f"Bearer {key}"}).is_success)
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0) as sdk:
        script.hold.clear()
        batch = start(sdk, *(line(f"x{n}", f"held {n}") for n in range(8)))
        gateway.until(lambda: len(script.asked) == 4)
    gateway.keys.revoke("short")
    headers = {"authorization": f"Bearer {key}"}
    gateway.until(lambda: httpx.get(f"{gateway.url}/v1/models", headers=headers).status_code == 401)
    script.hold.set()
    query = f"SELECT status, completed, failed FROM batches WHERE id = '{batch.id}'"  # our own id
    gateway.until(lambda: select(gateway, query)[0][0] == "completed")
    assert select(gateway, query) == [("completed", 4, 4)]
    assert len(script.asked) == 4
