import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from mainstay.identity.directory import Directory
from mainstay.identity.roles import parse_grant
from support.gateway import Gateway

CONFIG = {"providers": {"echo": {"kind": "echo"}}, "models": {"parrot": {"provider": "echo"}}}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with Gateway(tmp_path_factory.mktemp("admin"), CONFIG, workers=2) as running:
        Directory(running.engine).grant("key", "test", parse_grant("owner"))
        yield running


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.url, headers={"authorization": f"Bearer {gateway.key}"}, timeout=30) as client:
        yield client


def test_the_admin_api_is_at_the_gateways_own_address(client: httpx.Client) -> None:
    assert client.get("/api/session").json()["roles"] == ["owner@installation"]
    parts = client.get("/api/processes").json()
    assert parts["ready"] is True
    assert {part["name"] for part in parts["data"]} >= {"control", "worker-0", "worker-1"}
    refused = httpx.get(str(client.base_url) + "/api/keys")
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert client.get("/api").status_code == client.get("/api/nothing").status_code == 404


def test_a_key_made_there_calls_and_is_refused_once_revoked(gateway: Gateway, client: httpx.Client) -> None:
    made = client.post("/api/keys", json={"name": "shop", "team": "web"}).json()

    def call() -> int:
        body = {"model": "parrot", "messages": [{"role": "user", "content": "Hi"}]}
        headers = {"authorization": f"Bearer {made['key']}"}
        return httpx.post(gateway.url + "/v1/chat/completions", json=body, headers=headers).status_code

    gateway.until(lambda: call() == 200)
    gateway.until(lambda: client.get("/api/records", params={"key": "shop"}).json()["data"] != [])
    assert client.delete("/api/keys/shop").json()["state"] == "revoked"
    gateway.until(lambda: call() == 401)


def test_a_cookie_is_good_for_the_address_that_the_browser_uses(gateway: Gateway) -> None:
    with httpx.Client(base_url=gateway.url) as browser:
        begun = browser.post("/api/session", json={"key": gateway.key}, headers={"origin": gateway.url})
        assert begun.status_code == 201
        assert browser.post("/api/teams", json={"name": "a"}, headers={"origin": gateway.url}).status_code == 201
        assert browser.post("/api/teams", json={"name": "b"}, headers={"origin": "http://evil.test"}).status_code == 403
        # Who may say where a request went is the worker alone.
        lie = {"origin": "http://evil.test", "x-mainstay-host": "evil.test"}
        assert browser.post("/api/teams", json={"name": "b"}, headers=lie).status_code == 403


def test_an_edit_of_the_configuration_is_shown_there(gateway: Gateway, client: httpx.Client) -> None:
    before = client.get("/api/config").json()["hash"]
    gateway.write({**gateway.config, "models": {"parrot": {"provider": "echo"}, "other": {"provider": "echo"}}})
    gateway.until(lambda: client.get("/api/config").json()["hash"] != before)
    assert [row["name"] for row in client.get("/api/models").json()["data"]] == ["parrot", "other"]


def test_a_change_is_in_the_log_with_who_made_it(gateway: Gateway, client: httpx.Client) -> None:
    answer = client.post("/api/teams", json={"name": "logged"}, headers={"x-request-id": "req-logged"})
    assert answer.headers["x-request-id"] == "req-logged"
    gateway.until(lambda: "req-logged" in gateway.log())
    line = next(line for line in gateway.log().splitlines() if "req-logged" in line)
    assert '"by": "key:' in line
    assert gateway.key not in gateway.log()


def test_what_nobody_in_particular_tries_is_counted_and_fills_no_log(gateway: Gateway) -> None:
    refused = httpx.post(gateway.url + "/api/teams/x/y", json={}, headers={"x-request-id": "req-nobody"})
    assert refused.status_code in (401, 405)
    assert b'route="/api"' in gateway.get("/metrics")
    assert b"/api/teams" not in gateway.get("/metrics")
    assert "req-nobody" not in gateway.log()


def test_a_sign_in_is_in_the_log(gateway: Gateway) -> None:
    asked = {"key": gateway.key, "kind": "bearer"}
    session = httpx.post(gateway.url + "/api/session", json=asked).json()
    gateway.until(lambda: session["id"] in gateway.log())
    assert session["token"] not in gateway.log()


def test_without_the_control_process_calls_are_answered_and_the_admin_api_says_when_to_come_again(
    gateway: Gateway, client: httpx.Client
) -> None:
    os.kill(gateway.pids("control")[0], signal.SIGSTOP)
    pid = gateway.pids("control")[0]
    os.kill(pid, signal.SIGKILL)
    statuses = []
    gateway.until(lambda: statuses.append(client.get("/api/keys").status_code) or statuses[-1] == 200)
    assert set(statuses) <= {200, 503}
    assert gateway.status("/health/live") == 200


def test_a_rolling_restart_loses_no_request(gateway: Gateway, client: httpx.Client) -> None:
    number = gateway.state()["restart"]["number"]
    os.kill(gateway.pid, signal.SIGUSR2)
    statuses = set()

    def done() -> bool:
        statuses.add(client.get("/api/teams").status_code)
        restart = gateway.state()["restart"]
        return bool(restart["number"] > number and restart["state"] == "done")

    gateway.until(done)
    assert statuses == {200}


def test_nobody_else_on_the_machine_reaches_it(gateway: Gateway) -> None:
    path: Path = gateway.var / "run" / "admin.sock"
    assert path.stat().st_mode & 0o777 == 0o600
