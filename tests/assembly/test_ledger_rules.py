"""What budgets do: refuse and say what helps, ask a smaller model, send a route on; what an unknown price and a ledger
that is away do; and that an edit of the configuration forgets nothing."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.gateway import Gateway, completion
from support.ledger import COST, PRICE, answer, ask, books, config_of, many, models
from support.upstream import Upstream, json_reply


@pytest.fixture(scope="module")
def vendor() -> Iterator[Upstream]:
    with Upstream(answer) as upstream:
        yield upstream


@pytest.fixture(autouse=True)
def _forget(vendor: Upstream) -> None:
    vendor.forget()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, vendor: Upstream) -> Iterator[Gateway]:
    cost: dict[str, Any] = {
        "budgets": {
            "hard": {"limit": "0.03/day", "route": "m"},
            "soft": {"limit": "0.1/day", "route": "big", "soft": {"at": "50%", "model": "small"}},
            "only-soft": {"limit": "0.02/day", "route": "loose", "hard": False, "soft": {"at": "80%"}},
            "of-model": {"limit": "0.03/day", "model": "scarce"},
            "of-provider": {"limit": "0.02/day", "provider": "second"},
            "of-tag": {"limit": "0.02/day", "per": "tag", "route": "tagged"},
            "of-user": {"limit": "0.02/day", "per": ["team", "user"], "route": "users"},
            "hour": {"limit": "0.02/1h", "route": "rolling"},
            "writes": {"limit": "0.5/day", "route": "writes"},
        }
    }
    config = config_of(
        vendor.url,
        cost,
        providers={
            "vendor": {"kind": "openai", "base_url": f"{vendor.url}/v1", "api_key": "k"},
            "second": {"kind": "openai", "base_url": f"{vendor.url}/v1", "api_key": "k"},
        },
        models={
            **models("m", "large", "small", "loose", "scarce", "plenty", "tagged", "users", "rolling", "writes"),
            "elsewhere": {"provider": "second", "price": PRICE},
        },
        routes={
            "big": {"targets": ["large"], "fallback": ["small"]},
            "r-scarce": {"targets": ["scarce"], "fallback": ["plenty"]},
            "r-second": {"targets": ["elsewhere"], "fallback": ["plenty"]},
        },
    )
    with Gateway(tmp_path_factory.mktemp("gateway"), config, workers=2) as running:
        yield running


def asked(vendor: Upstream) -> list[str]:
    return [request.json()["model"] for request in vendor.requests]


def test_a_hard_budget_refuses_and_says_what_helps(gateway: Gateway, vendor: Upstream) -> None:
    statuses = [ask(gateway).status_code for _ in range(10)]
    answered = statuses.count(200)
    assert answered in (2, 3, 4)
    assert statuses == [200] * answered + [402] * (10 - answered)
    assert len(vendor.requests) == answered
    error = ask(gateway).json()["error"]
    assert "budget 'hard'" in error["message"]
    assert "0.03 US dollars a day" in error["message"]
    for advice in ("shorter answer", "next period", "raise"):
        assert advice in error["message"]


def test_a_smaller_model_is_asked_once_most_of_a_budget_is_used(gateway: Gateway, vendor: Upstream) -> None:
    # Few enough that what they hold counts for little, and on both workers.
    for _ in range(15):
        assert ask(gateway, model="big").status_code == 200
    names = asked(vendor)
    assert names[:3] == ["large"] * 3
    assert names[-3:] == ["small"] * 3
    # What is held counts as used, so that it comes a little early.
    assert 0.5 * 0.1 - 5 * COST <= names.count("large") * COST <= 0.5 * 0.1 + 2 * COST


def test_an_alert_is_given_once_and_a_soft_budget_refuses_nobody(gateway: Gateway, vendor: Upstream) -> None:
    assert [ask(gateway, model="loose").status_code for _ in range(8)] == [200] * 8
    gateway.until(lambda: "budget_nearly_used" in gateway.log() and "only-soft" in gateway.log())
    for _ in range(3):
        ask(gateway, model="loose")
    found = books(gateway)
    assert found.by_series["only-soft||usd|day"] == pytest.approx(11 * COST * 1e12)
    lines = [line for line in gateway.log().splitlines() if "budget_nearly_used" in line and "only-soft" in line]
    assert len(lines) == 1

    def ratio() -> float:
        for line in gateway.get("/metrics").decode().splitlines():
            if line.startswith('mainstay_budget_used_ratio{budget="only-soft"'):
                return float(line.rpartition(" ")[2])
        return 0.0

    gateway.until(lambda: ratio() > 3)


def test_a_route_goes_on_when_a_models_or_providers_budget_is_used_up(gateway: Gateway, vendor: Upstream) -> None:
    for route, first in (("r-scarce", "scarce"), ("r-second", "elsewhere")):
        vendor.forget()
        assert many(gateway, 12, model=route, at_once=4) == [200] * 12
        names = asked(vendor)
        assert 1 <= names.count(first) <= 4
        assert names.count("plenty") == 12 - names.count(first)
        gateway.until(lambda first=first: ask(gateway, model=first).status_code == 402)
        assert ask(gateway, model=first).json()["error"]["code"] == "model_budget_exceeded"


def test_each_tag_and_each_user_of_a_team_has_its_own(gateway: Gateway) -> None:
    def spent(model: str, **fields: Any) -> int:
        return [ask(gateway, model=model, **fields).status_code for _ in range(5)].count(200)

    for tags in ("a", "b"):
        assert 1 <= spent("tagged", headers={"x-mainstay-tags": tags}) <= 3
    # With both it counts against both, and those are used up.
    assert spent("tagged", headers={"x-mainstay-tags": "a,c"}) == 0
    assert spent("tagged") == 5
    red = gateway.keys.create("of-red", team="red").key
    gateway.until(lambda: ask(gateway, key=red, model="plenty").status_code == 200)
    for user in ("u1", "u/2|@", "ü" * 200):
        assert 1 <= spent("users", key=red, user=user) <= 3


def test_a_rolling_budget_is_kept(gateway: Gateway) -> None:
    statuses = many(gateway, 20, model="rolling", at_once=10)
    assert set(statuses) == {200, 402}
    assert statuses.count(200) * COST <= 0.02


def test_an_answer_without_a_limit_is_cut_to_what_is_left(gateway: Gateway, vendor: Upstream) -> None:
    # 4,096 tokens could cost more than eight dollars.
    response = ask(gateway, model="writes", max_tokens=None)
    assert response.status_code == 200
    sent = vendor.requests[-1].json()
    limit = sent.get("max_completion_tokens") or sent.get("max_tokens")
    assert 64 <= limit <= 250


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 10**15},
        {"max_tokens": 10**30},
        {"max_tokens": 10**30, "n": 10**30},
        {"best_of": 10**18},
    ],
    ids=str,
)
def test_a_request_for_everything_is_refused_and_harms_nobody(
    gateway: Gateway, vendor: Upstream, fields: dict[str, Any]
) -> None:
    response = ask(gateway, model="writes", **fields)
    assert 400 <= response.status_code < 500, response.text
    assert vendor.requests == []
    assert ask(gateway, model="writes").status_code == 200


@pytest.mark.parametrize("body", [b'{"max\\u005ftokens": 100000, %b}', b'{"max_tokens": 100000.0, %b}'])
def test_a_limit_in_other_letters_is_no_way_round(gateway: Gateway, vendor: Upstream, body: bytes) -> None:
    import httpx

    rest = b'"model": "writes", "messages": [{"role": "user", "content": "Hi"}]'
    headers = {"authorization": f"Bearer {gateway.key}", "content-type": "application/json"}
    response = httpx.post(gateway.url + "/v1/chat/completions", content=body % rest, headers=headers, timeout=30)
    assert response.status_code in (400, 402)
    assert vendor.requests == []


def unpriced(vendor: Upstream, how: str) -> dict[str, Any]:
    return config_of(
        vendor.url,
        {"budgets": {"b": {"limit": "100/day"}}, "unknown_price": how},
        providers={"vendor": {"kind": "openai", "base_url": "https://localhost:9/v1", "api_key": "k"}},
        models={"nobody-knows": {"provider": "vendor"}, **models("m")},
        routes={"r": {"targets": ["nobody-knows"], "fallback": ["m"]}},
    )


def test_a_price_that_nobody_knows_is_told_of_and_never_nothing(tmp_path: Path, vendor: Upstream) -> None:
    config = unpriced(vendor, "ceiling")
    config["providers"]["vendor"]["base_url"] = f"{vendor.url}/v1"
    with Gateway(tmp_path, config) as gateway:
        assert ask(gateway, model="nobody-knows").status_code == 200
        found = books(gateway)
        assert found.cost == found.balances > 0
        gateway.until(lambda: "price_unknown" in gateway.log())

        def counted() -> bool:
            lines = gateway.get("/metrics").decode().splitlines()
            return any(
                line.startswith("mainstay_unpriced_attempts_total") and line.endswith((" 1", " 1.0")) for line in lines
            )

        gateway.until(counted)


def test_a_model_without_a_price_can_be_refused_and_a_route_goes_on(tmp_path: Path, vendor: Upstream) -> None:
    config = unpriced(vendor, "refuse")
    config["providers"]["vendor"]["base_url"] = f"{vendor.url}/v1"
    with Gateway(tmp_path, config) as gateway:
        refused = ask(gateway, model="nobody-knows")
        assert (refused.status_code, refused.json()["error"]["code"]) == (402, "price_unknown")
        assert vendor.requests == []
        assert ask(gateway, model="r").status_code == 200
        assert asked(vendor) == ["m"]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["refuse", "allow"])
def test_while_the_ledger_is_silent_calls_do_as_it_is_set(tmp_path: Path, vendor: Upstream, how: str) -> None:
    # Every call must ask it: the budget is small beside what one may cost.
    cost = {"budgets": {"b": "0.05/day"}, "limits": {"r": {"rpm": 1000}}, "on_outage": how}
    with Gateway(tmp_path, config_of(vendor.url, cost)) as gateway:
        assert ask(gateway).status_code == 200
        ledger = int(gateway.state()["parts"]["ledger"]["pid"])
        os.kill(ledger, signal.SIGSTOP)
        try:
            statuses = many(gateway, 6, at_once=6) + many(gateway, 6, at_once=1)
        finally:
            os.kill(ledger, signal.SIGCONT)
        if how == "refuse":
            assert set(statuses) <= {200, 503}
            assert statuses.count(503) >= 6
        else:
            assert statuses == [200] * 12
        gateway.until(lambda: ask(gateway).status_code in (200, 402))
        found = books(gateway)
        # What went on without it is counted all the same.
        assert found.balances == found.cost
        if how == "allow":
            assert found.balances >= 13 * COST * 1e12
            assert ask(gateway).status_code == 402


def test_an_edit_changes_a_limit_and_forgets_nothing(tmp_path: Path, vendor: Upstream) -> None:
    with Gateway(tmp_path, config_of(vendor.url, {"budgets": {"b": "0.05/day"}}), workers=2) as gateway:
        first = many(gateway, 12, at_once=1).count(200)
        assert set(many(gateway, 3, at_once=1)) == {402}
        gateway.config["cost"]["budgets"]["b"] = "0.1/day"
        gateway.write(gateway.config)
        gateway.until(lambda: ask(gateway).status_code == 200)
        more = 1 + many(gateway, 24, at_once=1).count(200)
        assert 0.05 <= (first + more) * COST <= 0.1
        # Lowered below what is spent, nothing more is let through.
        gateway.config["cost"]["budgets"]["b"] = "0.02/day"
        gateway.write(gateway.config)
        gateway.until(lambda: set(many(gateway, 6, at_once=1)) == {402})
        found = books(gateway)
        assert found.balances == found.cost <= 0.1e12


def test_a_worker_that_only_just_came_knows_that_a_budget_is_nearly_used(tmp_path: Path, vendor: Upstream) -> None:
    budget = {"limit": "0.1/day", "soft": {"at": 0.5, "model": "small"}}
    config = config_of(
        vendor.url,
        {"budgets": {"b": budget}},
        models=models("large", "small"),
        routes={"big": {"targets": ["large"], "fallback": ["small"]}},
    )
    gateway = Gateway(tmp_path, config)
    with gateway:
        for _ in range(9):
            assert ask(gateway, model="big").status_code == 200
    vendor.forget()
    with gateway:
        assert ask(gateway, model="big").status_code == 200
        assert asked(vendor) == ["small"]


def test_a_call_whose_usage_is_far_beyond_its_hold_is_told_of(tmp_path: Path, vendor: Upstream) -> None:
    with Gateway(tmp_path, config_of(vendor.url, {"budgets": {"b": "1/day"}})) as gateway:
        body = completion("one")
        body["usage"] = {"prompt_tokens": 9, "completion_tokens": 600, "total_tokens": 609}
        vendor.script(json_reply(body))
        assert ask(gateway).status_code == 200

        def counted() -> bool:
            lines = gateway.get("/metrics").decode().splitlines()
            return any(
                line.startswith("mainstay_budget_overdrafts_total") and line.endswith((" 1", " 1.0")) for line in lines
            )

        gateway.until(counted)
        # All of the budget is gone, and a little more: nothing else is let through.
        assert ask(gateway).status_code == 402
