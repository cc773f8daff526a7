"""Responses while their store is away, and with the settings that change what is kept and said."""

import os
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from support.gateway import Gateway

FUNCTION: Any = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": False}
STRICT: dict[str, Any] = {"done_marker": True, "hosted_tools": "refuse"}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config: dict[str, Any] = {
        "providers": {
            "echo": {"kind": "echo"},
            "away": {"kind": "openai", "base_url": "http://127.0.0.1:9/v1", "api_key": "${UPSTREAM_KEY}"},
        },
        "models": {"echo": {"provider": "echo"}, "away": {"provider": "away"}},
        "responses": STRICT,
    }
    with Gateway(tmp_path_factory.mktemp("gateway"), config, env={"UPSTREAM_KEY": "sk-0123456789"}) as running:
        yield running


@pytest.fixture
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as sdk:
        yield sdk


def counted(gateway: Gateway) -> float:
    lines = gateway.get("/metrics").decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("mainstay_responses_unkept_total"))


def test_without_its_store_calls_are_answered_and_only_what_needs_it_fails(gateway: Gateway, client: OpenAI) -> None:
    kept = client.responses.create(model="echo", input="before")
    file = gateway.var / "kv.db"
    aside = file.with_name("aside.db")
    os.replace(file, aside)
    unkept = counted(gateway)
    assert client.responses.create(model="echo", input="Hi").output_text == "Hi"
    with client.responses.stream(model="echo", input="Hi") as events:
        assert events.get_final_response().output_text == "Hi"
    assert counted(gateway) == unkept + 2
    for use in (
        lambda: client.responses.create(model="echo", input="x", previous_response_id=kept.id),
        lambda: client.responses.retrieve(kept.id),
        lambda: client.responses.delete(kept.id),
    ):
        with pytest.raises(openai.InternalServerError) as caught:
            use()
        assert caught.value.status_code == 503
        assert int(caught.value.response.headers["retry-after"]) >= 1
        assert "kv.db" not in str(caught.value)
    os.replace(aside, file)
    headers = {"authorization": f"Bearer {gateway.key}"}
    path = f"{gateway.url}/v1/responses/{kept.id}"
    gateway.until(lambda: httpx.get(path, headers=headers).status_code == 200)
    again = client.responses.create(model="echo", input="after", previous_response_id=kept.id)
    assert again.output_text == "after"


def test_a_stream_ends_in_done_where_the_configuration_says_so(gateway: Gateway) -> None:
    asked = {"model": "echo", "input": "Hi", "stream": True}
    answer = httpx.post(f"{gateway.url}/v1/responses", json=asked, headers={"authorization": f"Bearer {gateway.key}"})
    assert answer.content.endswith(b"data: [DONE]\n\n")


def test_hosted_tools_are_refused_where_the_configuration_says_so(client: OpenAI) -> None:
    tools: Any = [FUNCTION, {"type": "web_search"}]
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="away", input="Hi", tools=tools)
    assert caught.value.code == "unsupported_by_model"


def test_nothing_is_kept_and_nothing_continued_with_the_store_off(gateway: Gateway, client: OpenAI) -> None:
    kept = client.responses.create(model="echo", input="before")
    gateway.write({**gateway.config, "responses": {"store": False}})
    gateway.until(lambda: client.responses.create(model="echo", input="Hi").to_dict()["store"] is False)
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="echo", input="x", previous_response_id=kept.id)
    assert caught.value.param == "previous_response_id"
    reference: Any = [{"type": "item_reference", "id": kept.output[0].id}]
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="echo", input=reference)
    assert caught.value.param == "input"
    # What was kept before can still be seen, and deleted.
    assert client.responses.retrieve(kept.id).id == kept.id
    client.responses.delete(kept.id)
