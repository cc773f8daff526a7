"""``mainstay replay``: a recorded call asked again, and what is different told."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from typer.testing import CliRunner

from mainstay.cli.main import build
from mainstay.core.errors import StartError
from support.gateway import Gateway, completion, sse_chunks
from support.upstream import Chunk, Head, Upstream, json_reply

ASK: list[Any] = [{"role": "user", "content": "Hello?"}]


@pytest.fixture(scope="module")
def vendor() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, vendor: Upstream) -> Iterator[Gateway]:
    config = {
        "providers": {"vendor": {"kind": "openai", "base_url": f"{vendor.url}/v1"}},
        "models": {"small": {"provider": "vendor"}, "other": {"provider": "vendor"}},
        "routes": {"kept": {"targets": ["small"], "content": "full"}, "bare": {"targets": ["small"]}},
    }
    with Gateway(tmp_path_factory.mktemp("gateway"), config) as running:
        yield running


@pytest.fixture
def client(gateway: Gateway, vendor: Upstream) -> Iterator[openai.OpenAI]:
    vendor.forget()
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as sdk:
        yield sdk


def replay(gateway: Gateway, *more: str) -> Any:
    record = gateway.journal()[-1].id
    arguments = ["replay", record, "--config", str(gateway.file), "--url", gateway.url, "--key", gateway.key, *more]
    return CliRunner().invoke(build(), arguments)


def test_the_same_words_are_told_and_end_well(client: openai.OpenAI, vendor: Upstream, gateway: Gateway) -> None:
    vendor.script(json_reply(completion("Hi.")), json_reply(completion("Hi.")))
    client.chat.completions.create(model="kept", messages=ASK, temperature=0)
    done = replay(gateway)
    assert (done.exit_code, done.stdout) == (0, "The words are the same.\n")
    assert json.loads(vendor.requests[1].body)["temperature"] == 0


def test_other_words_and_another_fingerprint_are_shown(
    client: openai.OpenAI, vendor: Upstream, gateway: Gateway
) -> None:
    vendor.script(
        [Head(200), *(Chunk(event) for event in sse_chunks("One", " two"))],
        json_reply(completion("One three", system_fingerprint="fp_2")),
    )
    list(client.chat.completions.create(model="kept", messages=ASK, stream=True))
    done = replay(gateway, "--model", "other")
    assert done.exit_code == 1
    assert "-One two\n+One three\n" in done.stdout
    assert "system_fingerprint: — → fp_2\n" in done.stdout
    assert "model: small → other\n" in done.stdout
    assert json.loads(vendor.requests[1].body)["stream"] is False


def test_a_script_reads_the_difference(client: openai.OpenAI, vendor: Upstream, gateway: Gateway) -> None:
    vendor.script(json_reply(completion("a")), json_reply(completion("b")))
    client.chat.completions.create(model="kept", messages=ASK)
    done = replay(gateway, "--json")
    said = json.loads(done.stdout)
    assert (done.exit_code, said["same"], said["before"]["words"], said["after"]["words"]) == (1, False, "a", "b")


def test_tool_calls_and_anthropics_streams_are_compared_too(vendor: Upstream, gateway: Gateway) -> None:
    vendor.forget()
    body = completion("")
    called = {"name": "look", "arguments": '{"x": 1}'}
    body["choices"][0]["message"] |= {
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": called}],
    }
    vendor.script(json_reply(body), json_reply(body))
    sdk = anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0)
    tool: Any = {"name": "look", "input_schema": {"type": "object"}}
    with sdk.messages.stream(model="kept", max_tokens=9, messages=ASK, tools=[tool]) as stream:
        stream.until_done()
    done = replay(gateway)
    assert (done.exit_code, done.stdout) == (0, "The words are the same.\n")


def test_a_record_without_content_says_what_to_do(client: openai.OpenAI, vendor: Upstream, gateway: Gateway) -> None:
    vendor.script(json_reply(completion()))
    client.chat.completions.create(model="bare", messages=ASK)
    assert isinstance(replay(gateway).exception, StartError)
    assert "content: full" in str(replay(gateway).exception)


def test_an_unknown_record_is_an_error(gateway: Gateway) -> None:
    done = CliRunner().invoke(build(), ["replay", "nope", "--config", str(gateway.file)])
    assert "no record" in str(done.exception)


def test_a_failed_call_has_nothing_to_compare(client: openai.OpenAI, vendor: Upstream, gateway: Gateway) -> None:
    vendor.script(json_reply({"error": {"message": "no"}}, 400))
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="kept", messages=ASK)
    assert "no answer to compare" in str(replay(gateway).exception)
