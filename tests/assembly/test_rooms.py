"""What is built of a configuration and learnt on the way, in a real server with scripted upstreams."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.gateway import Gateway, completion
from support.upstream import Head, Reply, Upstream, Wait, json_reply

ASK = {"messages": [{"role": "user", "content": "one two"}]}


@pytest.fixture
def vendors() -> Iterator[tuple[Upstream, Upstream]]:
    with Upstream() as first, Upstream(lambda _: json_reply(completion("second"))) as second:
        yield first, second


def config_of(vendors: tuple[Upstream, Upstream], **first: Any) -> dict[str, Any]:
    return {
        "providers": {
            name: {"kind": "openai", "base_url": f"{vendor.url}/v1", "api_key": "k"}
            for name, vendor in zip(("p1", "p2"), vendors, strict=True)
        },
        "models": {"one": {"provider": "p1", **first}, "two": {"provider": "p2"}},
        "routes": {"r": {"targets": ["one"], "fallback": ["two"], "attempts": 2}},
    }


def ask(gateway: Gateway, model: str = "r") -> httpx.Response:
    return httpx.post(
        f"{gateway.url}/v1/chat/completions",
        json={"model": model, **ASK},
        headers={"authorization": f"Bearer {gateway.key}"},
        timeout=30,
    )


def models(gateway: Gateway) -> dict[str, str]:
    return dict(json.loads(gateway.get("/health/ready"))["models"])


def probes(gateway: Gateway) -> dict[str, int]:
    """How many probes of the first model ended how."""
    prefix = 'mainstay_probes_total{model="one",outcome="'
    lines = [line for line in gateway.get("/metrics").decode().splitlines() if line.startswith(prefix)]
    return {line.removeprefix(prefix).partition('"')[0]: int(line.rpartition(" ")[2]) for line in lines}


def test_an_upstream_that_fails_is_left_and_probes_bring_its_traffic_back_without_a_callers_call(
    tmp_path: Path, vendors: tuple[Upstream, Upstream]
) -> None:
    first, second = vendors
    well = threading.Event()

    def answer(request: Any) -> Any:
        return json_reply(completion("first")) if well.is_set() else Reply(503)

    first.handler = answer
    with Gateway(tmp_path, config_of(vendors, probe="1s")) as gateway:
        gateway.until(lambda: ask(gateway).json() and models(gateway)["one"] != "up")
        seen, served = len(first.requests), len(second.requests)
        # Nobody calls from here on: what comes to the first upstream are probes.
        gateway.until(lambda: probes(gateway).get("upstream_failed", 0) > 0)
        assert models(gateway)["one"] != "up"
        well.set()
        gateway.until(lambda: models(gateway)["one"] == "up")
        assert all(request.json()["max_tokens"] == 1 for request in first.requests[seen:])
        assert len(second.requests) == served
        answered = ask(gateway)
        assert answered.json()["choices"][0]["message"]["content"] == "first"
        assert answered.headers["x-mainstay-attempts"] == "1"
        assert probes(gateway)["ok"] == 1
        assert {record.operation for record in gateway.journal()} == {"chat"}
        gateway.until(lambda: "upstream_well_again" in gateway.log())
        said = [json.loads(line)["event"] for line in gateway.log().splitlines()]
        assert said.index("upstream_failing") < said.index("upstream_well_again")
        assert "probe" in said


def test_an_edit_that_takes_probes_away_ends_them(tmp_path: Path, vendors: tuple[Upstream, Upstream]) -> None:
    first, _ = vendors
    go_on = threading.Event()
    first.handler = lambda request: [Head(200), Wait(go_on)]
    config = config_of(vendors, probe={"every": "1s", "idle": "10s", "timeout": "60s"})
    with Gateway(tmp_path, config) as gateway:
        # Idle from the start on: the first probe goes at once, and hangs.
        [probe] = first.wait_for(1)
        assert not probe.closed.is_set()
        gateway.write({**gateway.config, "models": {"one": {"provider": "p1"}, "two": {"provider": "p2"}}})
        assert probe.closed.wait(15)
        assert len(first.requests) == 1
        go_on.set()


@pytest.mark.parametrize("header", ["x-session-id", "x-claude-code-session-id"])
def test_a_session_header_keeps_a_conversation_at_one_upstream_and_stays_here(
    tmp_path: Path, vendors: tuple[Upstream, Upstream], header: str
) -> None:
    vendors[0].handler = lambda _: json_reply(completion("first"))
    config = config_of(vendors)
    config["routes"] = {"r": {"targets": ["one", "two"], "choose": "sticky"}}
    with Gateway(tmp_path, config) as gateway, httpx.Client(headers={"x-api-key": gateway.key}) as client:
        places = {}
        for session in range(12):
            said = set()
            for path, turn in (("/v1/chat/completions", "a"), ("/v1/messages", "b"), ("/v1/chat/completions", "c")):
                body = {"model": "r", "max_tokens": 9, "messages": [{"role": "user", "content": turn}]}
                answer = client.post(gateway.url + path, json=body, headers={header: f"session-{session}"})
                assert answer.status_code == 200
                said.add(answer.headers["x-mainstay-model"])
            [places[session]] = said
    assert set(places.values()) == {"one", "two"}
    sent = [request for vendor in vendors for request in vendor.requests]
    assert len(sent) == 36
    assert all(request.header(header) is None for request in sent)


def test_no_more_calls_than_allowed_are_at_a_model_and_the_others_wait(
    tmp_path: Path, vendors: tuple[Upstream, Upstream]
) -> None:
    first, _ = vendors
    go_on = threading.Event()

    def answer(request: Any) -> Any:
        return [Wait(go_on), json_reply(completion("first"))]

    first.handler = answer
    waiting = 'mainstay_upstream_waiting{worker="0",model="one"} 2'
    with Gateway(tmp_path, config_of(vendors, concurrency=1)) as gateway, ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(ask, gateway, "one") for _ in range(3)]
        gateway.until(lambda: waiting in gateway.get("/metrics").decode())
        assert len(first.requests) == 1
        go_on.set()
        assert [one.result().status_code for one in asked] == [200, 200, 200]
    assert len(first.requests) == 3
