"""Security case by case, through a running gateway: who may call, what callers may steer, what is ever written down."""

import json
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from mainstay.api.asgi import Api
from mainstay.api.health import HealthEndpoints
from support.gateway import Gateway, completion
from support.upstream import Received, Reply, Upstream, json_reply

Json = dict[str, Any]
UPSTREAM_KEY = "sk-upstream-0123456789abcdef"
ASK: Json = {"model": "open", "messages": [{"role": "user", "content": "one two three"}]}
#: What answers without a key: whether the process lives, and counts.
OPEN = {"/health/live", "/health/ready", "/metrics"}
#: Enough for every endpoint to know which model is meant.
ANYTHING: Json = {**ASK, "prompt": "x", "input": "x", "max_tokens": 5, "query": "q", "documents": ["a"], "voice": "a"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")


def api() -> Any:
    """Return the application with nothing behind it, for its paths."""
    nothing: Any = SimpleNamespace(in_flight=None, unkept=None)
    health = HealthEndpoints(lambda: (True, {}), dict, bytes)
    return Api(lambda: nothing, nothing, health, None, nothing)


def sentence(body: bytes) -> str:
    """Return what an error says, in whichever dialect."""
    said = json.loads(body)
    return str(said.get("error", said)["message"])


def paths() -> list[str]:
    """Return every path there is, those with a name in them too."""
    app = api()
    below = [f"{top}{rest}" for top in app._below for rest in ("", "/name", "/name/content", "/name/cancel")]
    return [*app.calls, *app.pages, *below, "/v1/models", "/v1/models/open"]


@pytest.fixture(scope="module")
def vendor() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, vendor: Upstream) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("security")
    config: Json = {
        "telemetry": {"log": {"format": "json", "level": "debug", "access": True}},
        "providers": {
            "open": {"kind": "openai", "base_url": f"{vendor.url}/v1", "api_key": "${UPSTREAM_KEY}"},
            "echo": {"kind": "echo"},
        },
        # A row for each kind of trouble: what one test does to a model's standing is no other's.
        "models": {
            "open": {"provider": "open"},
            "echo": {"provider": "echo"},
            **{name: {"provider": "open"} for name in ("agent", "moved", "leaky")},
        },
        "routes": {"tenant": {"targets": ["echo"]}, "spoken": {"targets": ["echo"], "prompt": "greet"}},
        "prompts": {"greet": {"system": "Greet {{who}}.", "variables": {"who": {"default": "all"}}}},
    }
    running = Gateway(home, config, env={"UPSTREAM_KEY": UPSTREAM_KEY})
    (home / "own.key").write_text(running.key)
    # Two ways in which a gateway may come to call itself.
    config["providers"]["self"] = {"kind": "openai", "base_url": f"{running.url}/v1", "api_key": "file:own.key"}
    config["models"]["circle"] = {"provider": "self"}
    own = {"url": f"{running.url}/mcp", "headers": {"x-api-key": "file:own.key"}}
    config["mcp"] = {"servers": {"own": own}}
    config["routes"]["round"] = {"targets": ["agent"], "tools": {"mcp": ["own"], "rounds": 1}}
    running.config |= config
    running.write(running.config)
    running.narrow = running.keys.create("narrow", routes=["tenant"]).key  # type: ignore[attr-defined]  # a note for the tests
    with running:
        yield running


@pytest.fixture
def client(gateway: Gateway, vendor: Upstream) -> Iterator[httpx.Client]:
    vendor.forget()
    vendor.handler = lambda request: json_reply(completion("Hi."))
    with httpx.Client(base_url=gateway.url, timeout=60) as http:
        yield http


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


# Who may call.


def test_every_path_and_method_wants_a_key_but_for_the_few_that_are_named(
    client: httpx.Client, gateway: Gateway, vendor: Upstream
) -> None:
    listing = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    for path in paths():
        body = listing if path == "/mcp" else ANYTHING
        for method in METHODS:
            for given in ({}, bearer("ms-none-such"), {"x-api-key": gateway.key[:-1]}):
                answer = client.request(method, path, headers=given, json=body if method == "POST" else None)
                if path in OPEN and method in ("GET", "HEAD"):
                    assert answer.status_code == 200
                    continue
                assert answer.status_code in (401, 404, 405), (method, path, answer.status_code)
                if path in api().calls and method == "POST":
                    assert answer.status_code == 401, path
                kind = answer.headers["content-type"]
                assert kind == "application/json", (method, path)
                if method != "HEAD":
                    assert sentence(answer.content)
    assert not vendor.requests


def test_a_key_for_other_routes_reaches_a_model_by_no_endpoint(
    client: httpx.Client, gateway: Gateway, vendor: Upstream
) -> None:
    narrow: str = gateway.narrow  # type: ignore[attr-defined]  # made with the gateway
    for path in api().calls:
        if path == "/mcp":
            ask = {"name": "ask", "arguments": {"route": "open", "prompt": "x"}}
            answer = client.post(
                path, headers=bearer(narrow), json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": ask}
            )
            assert answer.json()["result"]["structuredContent"]["code"] == "route_not_allowed"
            continue
        body: Json = {"json": ANYTHING}
        if path in ("/v1/audio/transcriptions", "/v1/audio/translations", "/v1/images/edits"):
            name = "image" if "images" in path else "file"
            body = {"data": {"model": "open", "prompt": "x"}, "files": {name: ("a.wav", b"RIFF")}}
        answer = client.post(path, headers=bearer(narrow), **body)
        assert answer.status_code == 403, (path, answer.text)
        assert "open" not in client.get("/v1/models", headers=bearer(narrow)).text
    assert not vendor.requests


def test_who_one_is_follows_from_the_key_and_from_no_header(client: httpx.Client, gateway: Gateway) -> None:
    names = ("x-user-id", "x-team", "x-tenant-id", "x-mainstay-key", "x-mainstay-team", "x-forwarded-user")
    claims = dict.fromkeys(names, "admin")
    claims |= {"x-forwarded-for": "127.0.0.1", "x-real-ip": "127.0.0.1", "forwarded": "for=127.0.0.1"}
    narrow: str = gateway.narrow  # type: ignore[attr-defined]  # made with the gateway
    assert client.post("/v1/chat/completions", headers=claims, json=ASK).status_code == 401
    assert client.post("/v1/chat/completions", headers={**claims, **bearer(narrow)}, json=ASK).status_code == 403
    client.post("/v1/chat/completions", headers={**claims, **bearer(narrow)}, json={**ASK, "model": "tenant"})
    record = gateway.journal()[-1]
    assert (record.key, record.team) == ("narrow", "")


# What a caller may steer.


def test_the_upstreams_key_goes_to_its_own_host_whatever_a_caller_says(
    client: httpx.Client, gateway: Gateway, vendor: Upstream, make_upstream: Any
) -> None:
    evil = make_upstream()
    evil.handler = lambda request: json_reply(completion("Caught."))
    names = (
        "x-base-url",
        "x-api-base",
        "x-portkey-custom-host",
        "x-mainstay-base-url",
        "x-forwarded-host",
        "forwarded",
    )
    headers = {**dict.fromkeys(names, evil.url), **bearer(gateway.key), "host": f"127.0.0.1:{evil.port}"}
    fields = dict.fromkeys(("base_url", "api_base", "custom_host", "endpoint", "url", "proxy"), evil.url)
    query = {"base_url": evil.url, "api_base": evil.url}
    for extra in ({}, {"api_key": "sk-mine", "extra_headers": {"authorization": "Bearer sk-mine"}}):
        answer = client.post("/v1/chat/completions", headers=headers, params=query, json={**ASK, **fields, **extra})
        assert answer.json()["choices"][0]["message"]["content"] == "Hi."
    # A target in absolute form names a host that nobody asks.
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as raw:
        body = json.dumps(ASK).encode()
        head = f"POST {evil.url}/v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{evil.port}\r\nconnection: close\r\n"
        head += f"authorization: Bearer {gateway.key}\r\ncontent-type: application/json\r\n"
        raw.sendall(head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body)
        received = b""
        while data := raw.recv(65536):
            received += data
    assert received.startswith(b"HTTP/1.1 200")
    assert not evil.requests
    assert len(vendor.requests) == 3
    for request in vendor.requests:
        sent = dict(request.headers)
        assert sent["authorization"] == f"Bearer {UPSTREAM_KEY}"
        assert sent["host"] == f"127.0.0.1:{vendor.port}"
        assert not set(names) & sent.keys()
        assert request.path == "/v1/chat/completions"


def test_a_redirect_takes_the_upstreams_key_nowhere(
    client: httpx.Client, gateway: Gateway, vendor: Upstream, make_upstream: Any
) -> None:
    evil = make_upstream()
    for status in (301, 302, 307, 308):
        vendor.handler = lambda request, status=status: Reply(status, (("location", f"{evil.url}/v1"),), b"")
        answer = client.post("/v1/chat/completions", headers=bearer(gateway.key), json={**ASK, "model": "moved"})
        assert answer.status_code >= 500
        assert evil.url not in answer.text
    assert not evil.requests


def test_addresses_in_a_request_are_passed_on_and_never_asked(
    client: httpx.Client, gateway: Gateway, vendor: Upstream, make_upstream: Any
) -> None:
    inside = make_upstream()
    image = {"type": "image_url", "image_url": {"url": f"{inside.url}/latest/meta-data"}}
    client.post(
        "/v1/chat/completions",
        headers=bearer(gateway.key),
        json={"model": "open", "messages": [{"role": "user", "content": [image]}]},
    )
    assert not inside.requests


def test_a_gateway_that_is_its_own_upstream_stops_after_few_calls(client: httpx.Client, gateway: Gateway) -> None:
    before = len(gateway.journal())
    answer = client.post("/v1/chat/completions", headers=bearer(gateway.key), json={**ASK, "model": "circle"})
    assert answer.status_code in (502, 503, 508)
    made = gateway.journal()[before:]
    assert "loop_detected" in {record.error for record in made}
    assert 5 <= len(made) <= 12


def test_a_gateway_that_is_its_own_tool_stops_after_few_calls(
    client: httpx.Client, gateway: Gateway, vendor: Upstream
) -> None:
    def model(request: Received) -> Any:
        asked = request.json()
        offered = [tool["function"]["name"] for tool in asked.get("tools", ())]
        last = asked["messages"][-1]
        if not offered or last["role"] == "tool":
            return json_reply(completion(f"Done: {last['content']}"[:400]))
        said = completion("")
        arguments = json.dumps({"route": "round", "prompt": "again"})
        call = {"id": "call_1", "type": "function", "function": {"name": offered[0], "arguments": arguments}}
        said["choices"][0] |= {"finish_reason": "tool_calls"}
        said["choices"][0]["message"] |= {"content": None, "tool_calls": [call]}
        return json_reply(said)

    vendor.handler = model
    before = len(gateway.journal())
    answer = client.post("/v1/chat/completions", headers=bearer(gateway.key), json={**ASK, "model": "round"})
    assert answer.status_code == 200
    made = gateway.journal()[before:]
    assert [record.error for record in made].count("loop_detected") == 1
    assert len(made) == 6


# What comes over the socket.


@pytest.mark.parametrize("length", [b"104857600", b"99999999999999999999"])
def test_a_body_too_large_is_refused_at_every_path_before_it_is_sent(gateway: Gateway, length: bytes) -> None:
    for path in api().calls:
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as raw:
            raw.sendall(b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-length: %b\r\n\r\n" % (path.encode(), length))
            answer = b""
            while data := raw.recv(65536):
                answer += data
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.split(b" ")[1] in (b"413", b"400"), path
        assert sentence(body), path


def test_what_is_long_and_allowed_is_served(client: httpx.Client, gateway: Gateway) -> None:
    # Limits of 32 KiB, and of fewer, have hurt people who sent what they may.
    text = "x" * 300_000
    headers = {**bearer(gateway.key), "x-long": "y" * 20_000, **{f"x-{number}": "z" for number in range(60)}}
    body = {"model": "echo", "messages": [{"role": "user", "content": text}]}
    answer = client.post("/v1/chat/completions", headers=headers, json=body)
    assert answer.json()["choices"][0]["message"]["content"] == text


@pytest.mark.parametrize(
    "framing",
    [
        b"content-length: 5\r\ntransfer-encoding: chunked\r\n",
        b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
        b"transfer-encoding: \tchunked, chunked\r\n",
        b"content-length: 5\r\ncontent-length: 6\r\n",
        b"content-length: +5\r\n",
        b"content-length : 5\r\n",
        b"transfer-encoding\x0b: chunked\r\n",
        b"x-a: b\r\n\tcontent-length: 5\r\n",
    ],
)
def test_a_request_hidden_in_another_reaches_nobody(gateway: Gateway, vendor: Upstream, framing: bytes) -> None:
    vendor.forget()
    before = len(gateway.journal())
    hidden = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %b\r\n" % gateway.key.encode()
    hidden += b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
    body = json.dumps(ASK).encode()
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as raw:
        raw.sendall(
            b"POST /v1/models HTTP/1.1\r\nhost: x\r\n" + framing + b"\r\n0\r\n\r\n" + hidden % (len(body), body)
        )
        answer = b""
        while data := raw.recv(65536):
            answer += data
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert not vendor.requests
    assert len(gateway.journal()) == before


def test_a_template_is_text_and_evaluates_nothing(client: httpx.Client, gateway: Gateway) -> None:
    said = "{{who}} ${UPSTREAM_KEY} {% for x in y %} {{7*7}} {0.__class__} file:own.key %s"
    body = {"model": "spoken", "messages": [{"role": "user", "content": said}]}
    body["prompt"] = {"id": "greet", "variables": {"who": said}}
    answer = client.post("/v1/chat/completions", headers=bearer(gateway.key), json=body)
    assert answer.json()["choices"][0]["message"]["content"] == said


# What is ever written down.


def test_no_credential_is_in_a_log_a_record_a_metric_or_an_answer(
    client: httpx.Client, gateway: Gateway, vendor: Upstream
) -> None:
    marks = {name: f"sk-{name}-0123456789abcdef" for name in ("query", "cookie", "bearer", "basic", "header", "echoed")}

    now = {"status": 0}

    def repeat(request: Received) -> Any:
        # An upstream that tells all it was told, and sets what no caller should get.
        told = json.dumps({"headers": request.headers, "key": marks["echoed"]})
        answer = {"error": {"message": f"Bad key {UPSTREAM_KEY} {told}", "code": UPSTREAM_KEY, "param": UPSTREAM_KEY}}
        return Reply(
            now["status"],
            (("content-type", "application/json"), ("set-cookie", UPSTREAM_KEY)),
            json.dumps(answer).encode(),
        )

    vendor.handler = repeat
    said = []
    for now["status"] in (400, 401, 403, 404, 429, 500):
        answer = client.post(
            "/v1/chat/completions",
            params={"key": marks["query"], "api_key": marks["query"], "access_token": marks["query"]},
            headers={
                **bearer(gateway.key),
                "cookie": f"session={marks['cookie']}",
                "proxy-authorization": f"Basic {marks['basic']}",
                "x-goog-api-key": marks["header"],
            },
            json={**ASK, "model": "leaky"},
        )
        assert answer.status_code >= 400
        said.append(answer.text + str(answer.headers))
    for path in ("/v1/models", f"/v1/{marks['query']}x", "/v1/chat/completions"):
        answer = client.get(path, params={"key": marks["query"]}, headers=bearer(marks["bearer"]))
        said.append(str(answer.headers))
    assert not any(UPSTREAM_KEY in text for text in said)
    gateway.until(lambda: len(list((gateway.var / "journal").glob("*"))) > 0)
    written = b"".join(file.read_bytes() for file in gateway.var.rglob("*") if file.is_file())
    written += (gateway.home / "log.txt").read_bytes() + (gateway.home / "out.txt").read_bytes()
    written += gateway.get("/metrics") + gateway.get("/health/ready")
    assert b"one two three" not in written
    for name, secret in {**marks, "upstream": UPSTREAM_KEY, "caller": gateway.key}.items():
        assert secret.encode() not in written, name
