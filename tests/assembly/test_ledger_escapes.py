"""No endpoint, dialect or kind of key escapes a budget: with nothing left, each is refused before a model is asked."""

import json
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest

from mainstay.api.grpc.messages import SERVICE, load_messages
from mainstay.identity.roles import Grant, Role
from support.gateway import Gateway
from support.ledger import ENDPOINTS, PRICE, answer, ask, books, config_of, models
from support.ports import free_port
from support.upstream import Upstream

M = load_messages()


@pytest.fixture(scope="module")
def vendor() -> Iterator[Upstream]:
    with Upstream(answer) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, vendor: Upstream) -> Iterator[Gateway]:
    port = free_port()
    config = config_of(
        vendor.url,
        {"budgets": {"none": {"limit": "0.000001/day"}}},
        grpc={"port": port},
        models={
            **models("m"),
            "flat": {
                "provider": "vendor",
                "price": {**PRICE, "requests": 1, "image": 1, "audio_hour": 60, "rerank": 1},
            },
        },
    )
    with Gateway(tmp_path_factory.mktemp("gateway"), config, workers=2) as running:
        yield running


def body_of(response: httpx.Response) -> Any:
    return json.loads(response.content)


@pytest.mark.parametrize("model", ["m", "flat"])
@pytest.mark.parametrize("kind", ENDPOINTS)
def test_every_endpoint_refuses_in_its_own_words_and_asks_nobody(
    gateway: Gateway, vendor: Upstream, kind: str, model: str
) -> None:
    vendor.forget()
    response = ask(gateway, kind, model)
    assert response.status_code == 402, response.text
    body = body_of(response)
    error = body.get("error", body)
    assert "budget 'none'" in error["message"]
    if kind == "rerank":
        assert "error" not in body
    elif kind.startswith("messages"):
        assert body_of(response)["type"] == "error"
        assert error["type"] == "billing_error"
    else:
        assert error["code"] == "budget_exceeded"
        assert error["type"] == "insufficient_quota"
    assert vendor.requests == []


@pytest.mark.parametrize("role", ["owner", "admin"])
def test_the_keys_of_those_who_run_it_are_no_exception(gateway: Gateway, vendor: Upstream, role: str) -> None:
    vendor.forget()
    key = gateway.keys.create(f"a-{role}", grants=[Grant(Role(role))]).key
    seen: set[int] = set()

    def refused() -> bool:
        # Each worker learns of a new key by itself.
        seen.add(status := ask(gateway, key=key).status_code)
        return status == 402

    gateway.until(refused)
    assert seen <= {401, 402}
    assert vendor.requests == []


def test_grpc_is_no_exception(gateway: Gateway, vendor: Upstream) -> None:
    vendor.forget()
    with grpc.insecure_channel(f"127.0.0.1:{gateway.config['grpc']['port']}") as channel:
        call = channel.unary_unary(
            f"/{SERVICE}/ModelInfer",
            request_serializer=M.ModelInferRequest.SerializeToString,
            response_deserializer=M.ModelInferResponse.FromString,
        )
        request = M.ModelInferRequest(model_name="m")
        tensor = request.inputs.add(name="text_input", datatype="BYTES", shape=[1])
        tensor.contents.bytes_contents.append(b"Hi")
        with pytest.raises(grpc.RpcError) as refused:
            call(request, metadata=[("authorization", f"Bearer {gateway.key}")])
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "budget 'none'" in refused.value.details()
    assert vendor.requests == []


def test_a_call_of_the_mcp_tool_is_no_exception(gateway: Gateway, vendor: Upstream) -> None:
    vendor.forget()
    params = {"name": "ask", "arguments": {"prompt": "Hi", "route": "m"}}
    response = httpx.post(
        gateway.url + "/mcp",
        json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params},
        headers={
            "authorization": f"Bearer {gateway.key}",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": "2025-06-18",
        },
        timeout=30,
    )
    assert "budget 'none'" in response.text, response.text
    assert vendor.requests == []


def test_the_rows_of_a_batch_are_no_exception(gateway: Gateway, vendor: Upstream) -> None:
    vendor.forget()
    own = {"authorization": f"Bearer {gateway.key}"}
    chat = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    row = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": chat}
    sent = httpx.post(
        gateway.url + "/v1/files",
        headers=own,
        data={"purpose": "batch"},
        files={"file": ("rows.jsonl", json.dumps(row).encode() + b"\n")},
    ).json()
    asked = {"input_file_id": sent["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    batch = httpx.post(gateway.url + "/v1/batches", headers=own, json=asked).json()
    state: dict[str, Any] = {}

    def ended() -> bool:
        state.update(httpx.get(f"{gateway.url}/v1/batches/{batch['id']}", headers=own).json())
        return state["status"] in ("completed", "failed", "expired")

    gateway.until(ended)
    assert state["request_counts"]["failed"] == 1
    errors = httpx.get(f"{gateway.url}/v1/files/{state['error_file_id']}/content", headers=own).text
    assert "402" in errors
    assert "budget 'none'" in errors
    assert vendor.requests == []


def test_what_was_refused_cost_nothing(gateway: Gateway) -> None:
    found = books(gateway)
    assert (found.cost, found.balances) == (0, 0)
    assert found.records >= len(ENDPOINTS)
