"""Limits of requests, tokens and calls at once, across workers: never more than they say, and callers are told when."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from support.gateway import Gateway
from support.ledger import answer, ask, config_of, many, models
from support.upstream import Chunk, End, Head, Received, Step, Upstream, Wait

NAMES = ("plain", "mine", "tokens", "open", "upstream", "user", "daily", "team")


@pytest.fixture(scope="module")
def vendor() -> Iterator[Upstream]:
    with Upstream(answer) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, vendor: Upstream) -> Iterator[Gateway]:
    cost: dict[str, Any] = {
        "limits": {
            "requests": {"rpm": 20, "per": "key", "route": "plain"},
            "tokens": {"tpm": 400, "route": "tokens"},
            "open": {"parallel": 3, "route": "open"},
            "upstream": {"rpm": 5, "model": "upstream"},
            "user": {"rpm": 3, "per": "user", "route": "user"},
            "daily": {"rpd": 7, "per": "team", "route": "daily"},
        }
    }
    routes = {"spare": {"targets": ["upstream"], "fallback": ["mine"]}}
    config = config_of(vendor.url, cost, models=models(*NAMES, "m"), routes=routes)
    running = Gateway(tmp_path_factory.mktemp("gateway"), config, workers=3)
    with running:
        yield running


def new_key(gateway: Gateway, name: str, **fields: Any) -> str:
    key = gateway.keys.create(name, **fields).key
    gateway.until(lambda: httpx.get(gateway.url + "/v1/models", headers={"authorization": f"Bearer {key}"}).is_success)
    return str(key)


def test_no_more_requests_a_minute_are_let_through_than_the_limit_says(gateway: Gateway, vendor: Upstream) -> None:
    vendor.forget()
    keys = [new_key(gateway, "rate-a"), new_key(gateway, "rate-b")]
    statuses = many(gateway, 150, ("chat", "chat stream", "messages"), model="plain", keys=keys, at_once=60)
    assert set(statuses) == {200, 429}
    # Twenty for each key, whatever worker they came to, and every one of them.
    assert statuses.count(200) == 40
    assert len(vendor.requests) == 40


def test_a_refusal_says_when_to_come_back_and_an_answer_what_is_left(gateway: Gateway) -> None:
    key = new_key(gateway, "told")
    first = ask(gateway, model="plain", key=key)
    assert first.headers["x-ratelimit-limit-requests"] == "20"
    assert 0 <= int(first.headers["x-ratelimit-remaining-requests"]) < 20
    assert first.headers["x-ratelimit-reset-requests"].endswith("s")
    many(gateway, 30, model="plain", keys=[key])
    refused = ask(gateway, model="plain", key=key)
    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert 1 <= int(refused.headers["retry-after"]) <= 62
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert "limit 'requests' of key told: 20 requests in any minute" in refused.json()["error"]["message"]


def test_tokens_are_counted_as_they_turn_out(gateway: Gateway) -> None:
    # Each takes twelve, and is let in by an estimate of about thirty.
    statuses = many(gateway, 80, model="tokens", at_once=4)
    answered = statuses.count(200)
    assert set(statuses) == {200, 429}
    assert 20 <= answered <= 400 // 12
    refused = ask(gateway, model="tokens")
    assert refused.headers["x-ratelimit-limit-tokens"] == "400"


def test_no_more_calls_run_at_once_than_the_limit_says_streams_included(gateway: Gateway, vendor: Upstream) -> None:
    vendor.forget()
    go_on = threading.Event()
    most, now, lock = [0], [0], threading.Lock()

    def slow(request: Received) -> Iterator[Step]:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        yield Head()
        yield Wait(go_on)
        with lock:
            now[0] -= 1
        yield from list(answer(request))[1:]  # type: ignore[arg-type]  # of a stream there are several

    vendor.handler = slow
    try:
        with ThreadPoolExecutor(12) as pool:
            asked = [pool.submit(ask, gateway, "chat stream", "open") for _ in range(12)]
            vendor.wait_for(3)
            gateway.until(lambda: sum(one.done() for one in asked) == 9)
            refused = next(one.result() for one in asked if one.done())
            assert refused.status_code == 429
            assert "calls at once" in refused.json()["error"]["message"]
            go_on.set()
            statuses = sorted(one.result().status_code for one in asked)
        assert statuses == [200] * 3 + [429] * 9
        assert most[0] == 3
        # Their places are free again at once.
        gateway.until(lambda: ask(gateway, "chat stream", "open").status_code == 200)
    finally:
        vendor.handler = answer


def test_a_place_is_free_again_when_its_caller_leaves(gateway: Gateway, vendor: Upstream) -> None:
    vendor.forget()
    forever = threading.Event()

    def stuck(_: Received) -> list[Step]:
        return [Head(), Chunk(b": wait\n\n"), Wait(forever), End()]

    vendor.handler = stuck
    try:
        with httpx.Client() as client:
            body = {"model": "open", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
            headers = {"authorization": f"Bearer {gateway.key}"}

            def came_and_left() -> bool:
                # A call that is let in finds an upstream that says nothing, and its caller leaves. The place of the one
                # before may be freed a moment after it left: until then there may be a refusal.
                already = len(vendor.requests)
                url = gateway.url + "/v1/chat/completions"
                try:
                    refused = client.post(url, json=body, headers=headers, timeout=0.3)
                except httpx.ReadTimeout:
                    return len(vendor.requests) > already
                assert refused.status_code == 429, refused.text
                return False

            for _ in range(8):
                gateway.until(came_and_left)
        vendor.handler = answer
        gateway.until(lambda: ask(gateway, "chat", "open").status_code == 200)
    finally:
        forever.set()
        vendor.handler = answer


def test_a_route_goes_on_to_its_next_model_when_one_may_not_be_asked(gateway: Gateway, vendor: Upstream) -> None:
    vendor.forget()
    statuses = many(gateway, 20, model="spare", at_once=5)
    assert statuses == [200] * 20
    asked = [request.json()["model"] for request in vendor.requests]
    assert asked.count("upstream") == 5
    assert asked.count("mine") == 15
    assert ask(gateway, model="upstream").status_code == 429


def test_each_user_has_a_limit_of_its_own_whatever_its_name(gateway: Gateway) -> None:
    names = ("anna", "b/c|d@e", "x" * 300, "#" + "0" * 32, "Zoë \u2603", "a\nb")
    for name in names:
        statuses = [ask(gateway, model="user", user=name).status_code for _ in range(4)]
        assert statuses == [200, 200, 200, 429], name
    # A call for nobody counts against nobody's limit.
    assert [ask(gateway, model="user").status_code for _ in range(4)] == [200] * 4


def test_a_team_shares_what_it_has_for_a_day(gateway: Gateway) -> None:
    keys = [new_key(gateway, f"of-team-{i}", team="shared") for i in range(3)]
    statuses = many(gateway, 30, model="daily", keys=keys, at_once=10)
    assert statuses.count(200) == 7


def test_what_stands_on_a_key_holds_for_it(gateway: Gateway) -> None:
    key = new_key(gateway, "own-rpm", rpm=4)
    assert many(gateway, 20, model="mine", keys=[key], at_once=10).count(200) == 4
    refused = ask(gateway, model="mine", key=key)
    assert "the key's limit: 4 requests in any minute" in refused.json()["error"]["message"]
    key = new_key(gateway, "own-tpm", tpm=100)
    assert 2 <= many(gateway, 20, model="mine", keys=[key], at_once=1).count(200) <= 9
    key = new_key(gateway, "own-budget", budget="0.05/month")
    assert 4 <= many(gateway, 20, model="mine", keys=[key], at_once=1).count(200) <= 8
    refused = ask(gateway, model="mine", key=key)
    assert refused.status_code == 402
    assert "the key's budget" in refused.json()["error"]["message"]
    # Another key of the same name begins anew.
    gateway.keys.revoke("own-rpm")
    key = new_key(gateway, "own-rpm", rpm=4)
    assert ask(gateway, model="mine", key=key).status_code == 200


@pytest.mark.slow
def test_no_minute_has_more_requests_than_the_limit_says(gateway: Gateway, vendor: Upstream) -> None:
    vendor.forget()
    key = new_key(gateway, "long", rpm=30)
    end = time.monotonic() + 75
    while time.monotonic() < end:
        many(gateway, 12, model="mine", keys=[key], at_once=12)
        # Far more than the limit still, and the processor is left to the tests beside this one.
        time.sleep(0.25)
    times = sorted(request.at for request in vendor.requests)
    assert len(times) > 30
    for place, start in enumerate(times):
        assert sum(start <= at < start + 59.5 for at in times[place:]) <= 30
