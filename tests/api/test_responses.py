"""The official OpenAI SDK's responses against a running gateway in front of every kind of model."""

import json
import sqlite3
import stat
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel

from support import messages_wire as wire
from support.gateway import Gateway, completion, sse_chunks
from support.responses_wire import check_response, read_response, read_stream
from support.upstream import Chunk, Cut, Head, Step, Upstream, json_reply

WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": False,
}
PATCH: Any = {"type": "custom", "name": "apply_patch", "description": "Edit files.", "format": {"type": "text"}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Köln"}'}}
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def called(*calls: dict[str, Any]) -> dict[str, Any]:
    """Return a chat completion that calls tools."""
    said = completion()
    said["choices"][0] = {
        "index": 0,
        "message": {"role": "assistant", "content": None, "tool_calls": list(calls)},
        "finish_reason": "tool_calls",
    }
    return said


def streamed(said: wire.Message) -> list[Step]:
    """Return the steps that stream a message of Anthropic's, one write an event."""
    return [Head(200), *(Chunk(wire.sse([event])) for event in wire.events(said, list))]


def chunks(*words: str, **options: Any) -> list[Step]:
    return [Head(200), *(Chunk(event) for event in sse_chunks(*words, **options))]


@pytest.fixture(scope="module")
def vendor() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, vendor: Upstream) -> Iterator[tuple[Gateway, tuple[str, ...]]]:
    config: dict[str, Any] = {
        "providers": {
            "claude": {"kind": "anthropic", "base_url": vendor.url, "api_key": "${UPSTREAM_KEY}"},
            "open": {"kind": "openai", "base_url": f"{vendor.url}/v1", "api_key": "${UPSTREAM_KEY}"},
            "echo": {"kind": "echo"},
        },
        "models": {
            "haiku": {"provider": "claude", "name": "claude-haiku-4-5"},
            "gpt": {"provider": "open", "name": "gpt-5"},
            "plain": {"provider": "open", "lacks": ["images", "tools"]},
            "echo": {"provider": "echo"},
        },
        "routes": {
            "forgetful": {"targets": ["echo"], "store_responses": False},
            "kept": {"targets": ["gpt"], "content": "full"},
            "once": {"targets": ["gpt"], "attempts": 1},
        },
    }
    home = tmp_path_factory.mktemp("gateway")
    gateway = Gateway(home, config, workers=2, env={"UPSTREAM_KEY": "sk-upstream-0123456789"})
    # Made before the start, so that every worker knows them.
    teams = {"alice": "red", "bob": "red", "eve": "blue"}
    keys = tuple(gateway.keys.create(name, team=team).key for name, team in teams.items())
    with gateway as running:
        yield running, keys


@pytest.fixture
def gateway(started: tuple[Gateway, tuple[str, ...]]) -> Gateway:
    return started[0]


@pytest.fixture
def keys(started: tuple[Gateway, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the keys of two members of one team and of one of another."""
    return started[1]


def last_record(gateway: Gateway) -> Any:
    return max(gateway.journal(), key=lambda record: record.id)


@pytest.fixture
def client(gateway: Gateway, vendor: Upstream) -> Iterator[OpenAI]:
    vendor.forget()
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as sdk:
        yield sdk


def create(client: OpenAI, stream: bool, **fields: Any) -> Any:
    """Return the complete response, however it comes; a stream is put together by the SDK itself."""
    asked: dict[str, Any] = {"model": "gpt", "input": "Hello?", **fields}
    if not stream:
        return client.responses.create(**asked)
    with client.responses.stream(**asked) as events:
        return events.get_final_response()


def asked_last(vendor: Upstream) -> Any:
    return vendor.requests[-1].json()


@BOTH
def test_a_chat_upstream_answers_in_the_callers_wire(
    client: OpenAI, vendor: Upstream, gateway: Gateway, stream: bool
) -> None:
    vendor.script(chunks("Hel", "lo.") if stream else json_reply(completion("Hello.")))
    response = create(client, stream, instructions="Be brief.", max_output_tokens=20)
    assert response.output_text == "Hello."
    assert response.status == "completed"
    assert response.model.startswith("gpt-4o-mini")
    assert (response.usage.input_tokens, response.usage.total_tokens > 9) == (9, True)
    check_response(response.model_dump(mode="json", warnings=False))
    assert asked_last(vendor)["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello?"},
    ]
    record = last_record(gateway)
    assert (record.dialect, record.path, record.outcome, record.status) == ("responses", "/v1/responses", "ok", 200)


@BOTH
def test_an_anthropic_upstream_answers_with_reasoning_and_calls(client: OpenAI, vendor: Upstream, stream: bool) -> None:
    said = wire.message(
        {"type": "thinking", "thinking": "Hm", "signature": "sig=="},
        {"type": "text", "text": "Let me see."},
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Köln"}},
        {"type": "tool_use", "id": "toolu_2", "name": "apply_patch", "input": {"input": '*** Begin\n"é"'}},
        stop_reason="tool_use",
    )
    vendor.script(streamed(said) if stream else json_reply(said))
    response = create(client, stream, model="haiku", tools=[WEATHER, PATCH], reasoning={"summary": "auto"})
    kinds = [item.type for item in response.output]
    assert kinds == ["reasoning", "message", "function_call", "custom_tool_call"]
    assert response.output[0].summary[0].text == "Hm"
    assert json.loads(response.output[2].arguments) == {"city": "Köln"}
    assert response.output[2].call_id == "toolu_1"
    assert response.output[3].input == '*** Begin\n"é"'


@BOTH
def test_a_conversation_with_tools_goes_on_by_the_previous_response(
    client: OpenAI, vendor: Upstream, stream: bool
) -> None:
    thinking = {"type": "thinking", "thinking": "Hm", "signature": "sig=="}
    use = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Köln"}}
    said = wire.message(thinking, use, stop_reason="tool_use")
    rain = wire.message({"type": "text", "text": "Rain."})
    vendor.script(*[streamed(one) if stream else json_reply(one) for one in (said, rain)])
    first = create(client, stream, model="haiku", input="Weather in Köln?", tools=[WEATHER], instructions="One.")
    answer = {"type": "function_call_output", "call_id": "toolu_1", "output": "rain"}
    more = {"input": [answer], "previous_response_id": first.id, "instructions": "Two."}
    second = create(client, stream, model="haiku", tools=[WEATHER], **more)
    assert second.output_text == "Rain."
    assert second.previous_response_id == first.id
    sent = asked_last(vendor)
    assert sent["system"] == "Two.", "instructions are not carried over"
    assert [message["role"] for message in sent["messages"]] == ["user", "assistant", "user"]
    assert sent["messages"][1]["content"] == [thinking, use]
    (result,) = sent["messages"][2]["content"]
    assert (result["type"], result["tool_use_id"], result["content"]) == ("tool_result", "toolu_1", "rain")


def test_a_long_conversation_goes_on_at_any_worker_as_soon_as_it_was_answered(client: OpenAI) -> None:
    last: str | None = None
    for turn in range(40):
        response = client.responses.create(model="echo", input=f"turn {turn}", previous_response_id=last)
        last = response.id
    # The echo counts every word it was asked: two a turn, and two it said in each before.
    assert response.usage is not None
    assert response.usage.input_tokens == 40 * 2 + 39 * 2


def test_another_dialects_model_takes_the_conversation_over(client: OpenAI, vendor: Upstream) -> None:
    vendor.script(json_reply(called(CALL)))
    first = create(client, False, tools=[WEATHER])
    vendor.script(json_reply(wire.message({"type": "text", "text": "Rain."})))
    answer = {"type": "function_call_output", "call_id": "call_1", "output": "rain"}
    create(client, False, model="haiku", input=[answer], tools=[WEATHER], previous_response_id=first.id)
    assert [message["role"] for message in asked_last(vendor)["messages"]] == ["user", "assistant", "user"]


def test_parse_gives_back_the_callers_own_type(client: OpenAI, vendor: Upstream) -> None:
    class City(BaseModel):
        name: str

    vendor.script(json_reply(completion('{"name":"Köln"}')))
    parsed = client.responses.parse(model="gpt", input="Which?", text_format=City)
    assert parsed.output_parsed == City(name="Köln")
    form = asked_last(vendor)["response_format"]
    assert (form["type"], form["json_schema"]["strict"]) == ("json_schema", True)


def test_a_kept_response_is_shown_with_its_items_and_deleted(client: OpenAI) -> None:
    first = client.responses.create(model="echo", input="one", metadata={"a": "b"})
    content = [{"type": "input_text", "text": "two"}]
    items: Any = [{"role": "user", "content": content}, {"role": "user", "content": "three"}]
    second = client.responses.create(model="echo", input=items, previous_response_id=first.id)
    assert client.responses.retrieve(first.id).to_dict() == first.to_dict()
    listed = client.responses.input_items.list(second.id, order="asc").data
    assert [item.content[0].text for item in listed] == ["two", "three"]  # type: ignore[union-attr]  # messages, both
    page = client.responses.input_items.list(second.id, limit=1)
    assert (len(page.data), page.has_more) == (1, True)
    assert [item.content[0].text for item in client.responses.input_items.list(second.id, limit=1)] == ["three", "two"]  # type: ignore[union-attr]  # messages
    client.responses.delete(first.id)
    for use in (
        lambda: client.responses.retrieve(first.id),
        lambda: client.responses.delete(first.id),
        lambda: client.responses.create(model="echo", input="x", previous_response_id=first.id),
        lambda: client.responses.create(model="echo", input="x", previous_response_id=second.id),
    ):
        with pytest.raises(openai.NotFoundError) as caught:
            use()
        assert caught.value.code == "response_not_found"


def test_items_can_be_referred_to_by_their_ids(client: OpenAI, vendor: Upstream) -> None:
    vendor.script(json_reply(called(CALL)), json_reply(completion("Rain.")))
    first = create(client, False, tools=[WEATHER])
    again: Any = [
        {"role": "user", "content": "Weather?"},
        {"type": "item_reference", "id": first.output[0].id},
        {"type": "function_call_output", "call_id": "call_1", "output": "rain"},
    ]
    create(client, False, input=again, tools=[WEATHER])
    assert asked_last(vendor)["messages"][1]["tool_calls"] == [CALL]
    with pytest.raises(openai.NotFoundError) as caught:
        create(client, False, input=[{"type": "item_reference", "id": "msg_0"}])
    assert caught.value.param == "input[0]"


def test_what_is_kept_is_seen_only_by_the_same_team_or_key(keys: tuple[str, ...], client: OpenAI) -> None:
    alice, bob, eve = keys

    def as_(key: str) -> OpenAI:
        return client.with_options(api_key=key)

    kept = as_(alice).responses.create(model="echo", input="secret")
    assert as_(bob).responses.create(model="echo", input="x", previous_response_id=kept.id).output_text == "x"
    for other in (as_(eve), client):
        reference: Any = [{"type": "item_reference", "id": kept.output[0].id}]
        for use in (
            lambda sdk: sdk.responses.retrieve(kept.id),
            lambda sdk: sdk.responses.delete(kept.id),
            lambda sdk: sdk.responses.input_items.list(kept.id),
            lambda sdk: sdk.responses.create(model="echo", input="x", previous_response_id=kept.id),
            lambda sdk, reference=reference: sdk.responses.create(model="echo", input=reference),
        ):
            with pytest.raises(openai.NotFoundError):
                use(other)
    assert as_(bob).responses.retrieve(kept.id).id == kept.id


@pytest.mark.parametrize("fields", [{"store": False}, {"model": "forgetful"}])
def test_what_is_not_to_be_kept_is_not(client: OpenAI, gateway: Gateway, fields: dict[str, Any]) -> None:
    response = client.responses.create(**{"model": "echo", "input": "unspeakable words", **fields})
    assert response.model_extra is not None
    assert response.to_dict()["store"] is False
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)
    with sqlite3.connect(gateway.var / "kv.db") as database:
        assert database.execute("SELECT count(*) FROM kv WHERE value LIKE '%unspeakable%'").fetchone() == (0,)


def test_the_file_of_what_is_kept_is_the_owners_alone(client: OpenAI, gateway: Gateway) -> None:
    client.responses.create(model="echo", input="x")
    for path in gateway.var.glob("kv.db*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"background": True}, "background"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"input": []}, "input"),
        ({"input": 5}, "input"),
        ({"max_output_tokens": "many"}, "max_output_tokens"),
        ({"previous_response_id": "item/msg_1"}, "previous_response_id"),
        ({"model": "nothing"}, "model"),
    ],
)
def test_a_request_that_cannot_be_served_names_its_field(client: OpenAI, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        client.responses.create(**{"model": "echo", "input": "x", **fields})
    assert caught.value.status_code in (400, 404)
    assert caught.value.param == param
    assert set(caught.value.body) == {"message", "type", "param", "code"}  # type: ignore[arg-type]  # the error object


def test_a_feature_that_the_model_lacks_is_named_by_this_wires_field(client: OpenAI) -> None:
    image: Any = [{"role": "user", "content": [{"type": "input_image", "image_url": "https://example.org/a.png"}]}]
    for fields, param in (({"tools": [WEATHER]}, "tools"), ({"input": image}, "input[0].content[0]")):
        with pytest.raises(openai.BadRequestError) as caught:
            create(client, False, **{"model": "plain", **fields})
        assert (caught.value.code, caught.value.param) == ("unsupported_by_model", param)


def test_cancelling_and_streaming_again_are_refused_clearly(client: OpenAI) -> None:
    response = client.responses.create(model="echo", input="x")
    with pytest.raises(openai.BadRequestError, match="background"):
        client.responses.cancel(response.id)
    with pytest.raises(openai.BadRequestError, match="stream"):
        client.responses.retrieve(response.id, stream=True)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "", 405),
        ("PUT", "/resp_1", 405),
        ("POST", "/resp_1", 405),
        ("GET", "/resp_1/cancel", 405),
        ("GET", "/resp_1/other", 404),
        ("GET", "/item/msg_1", 404),
    ],
)
def test_other_methods_and_paths_are_refused_in_the_same_envelope(
    gateway: Gateway, method: str, path: str, status: int
) -> None:
    headers = {"authorization": f"Bearer {gateway.key}"}
    answer = httpx.request(method, f"{gateway.url}/v1/responses{path}", headers=headers)
    assert answer.status_code == status
    assert set(answer.json()["error"]) >= {"message", "type", "param", "code"}


def test_pages_want_a_key(gateway: Gateway) -> None:
    for method in ("GET", "DELETE"):
        assert httpx.request(method, f"{gateway.url}/v1/responses/resp_1").status_code == 401


def test_a_stream_that_breaks_ends_in_an_error_and_a_failed_response(
    client: OpenAI, vendor: Upstream, gateway: Gateway
) -> None:
    vendor.script([*chunks("Hel", finish=None, usage=False, done=False), Cut()])
    asked = {"model": "once", "input": "Hello?", "stream": True}
    headers = {"authorization": f"Bearer {gateway.key}"}
    answer = httpx.post(f"{gateway.url}/v1/responses", json=asked, headers=headers)
    events = read_stream(answer.content)
    assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
    assert events[-1]["response"]["status"] == "failed"
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(events[0]["response"]["id"])


def test_a_failure_before_the_first_event_is_a_status(client: OpenAI, vendor: Upstream) -> None:
    vendor.script(json_reply({"error": {"message": "Too long.", "code": "context_length_exceeded"}}, 400))
    with pytest.raises(openai.BadRequestError) as caught:
        create(client, True, model="once")
    assert caught.value.code == "context_length_exceeded"


def test_a_raw_stream_follows_the_protocol(gateway: Gateway, vendor: Upstream) -> None:
    vendor.forget()
    vendor.script(chunks("Hé", "!"))
    asked = {"model": "kept", "input": "Hello?", "stream": True}
    answer = httpx.post(f"{gateway.url}/v1/responses", json=asked, headers={"authorization": f"Bearer {gateway.key}"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert read_response(answer.content)["output"][0]["content"][0]["text"] == "Hé!"
    assert b"[DONE]" not in answer.content
    content = last_record(gateway).content
    assert content is not None
    assert answer.text.startswith(content.response)


def test_allowed_tools_are_all_that_is_offered(client: OpenAI, vendor: Upstream) -> None:
    vendor.script(json_reply(completion("Hi")))
    other = {**WEATHER, "name": "other"}
    choice: Any = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "other"}]}
    create(client, False, tools=[WEATHER, other], tool_choice=choice)
    assert [tool["function"]["name"] for tool in asked_last(vendor)["tools"]] == ["other"]
    vendor.script(json_reply(called(CALL)))
    with pytest.raises(openai.APIStatusError) as caught:
        create(client, False, tools=[WEATHER, other], tool_choice=choice)
    assert caught.value.status_code == 502


@pytest.mark.parametrize("model", ["gpt", "haiku"])
def test_a_coding_agents_turn_runs_over_either_wire(gateway: Gateway, vendor: Upstream, model: str) -> None:
    vendor.forget()
    patch = "*** Begin Patch\n*** End Patch"
    arguments = json.dumps({"input": patch})
    if model == "gpt":
        tool = {"index": 0, "id": "call_9", "type": "function", "function": {"name": "apply_patch", "arguments": ""}}
        opening = {"choices": [{"index": 0, "delta": {"role": "assistant", "tool_calls": [tool]}}]}
        pieces = [
            {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}}]}
            for piece in (arguments[:9], arguments[9:30], arguments[30:])
        ]
        end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        said = [f"data: {json.dumps({**head, **chunk})}\n\n".encode() for chunk in (opening, *pieces, end)]
        vendor.script([Head(200), *(Chunk(event) for event in said), Chunk(b"data: [DONE]\n\n")])
    else:
        use = {"type": "tool_use", "id": "call_9", "name": "apply_patch", "input": {"input": patch}}
        vendor.script(streamed(wire.message(use, stop_reason="tool_use")))
    asked = {
        "model": model,
        "instructions": "You are a coding agent.",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Fix it."}]}],
        "tools": [WEATHER, PATCH, {"type": "local_shell"}, {"type": "web_search", "external_web_access": False}],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "reasoning": None,
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "0190f3c2",
        "client_metadata": {"x": "y"},
    }
    headers = {"authorization": f"Bearer {gateway.key}", "originator": "an_agent", "session_id": "s"}
    answer = httpx.post(f"{gateway.url}/v1/responses", json=asked, headers=headers)
    assert answer.status_code == 200, answer.text
    response = read_response(answer.content)
    assert [(item["type"], item["call_id"], item["input"]) for item in response["output"]] == [
        ("custom_tool_call", "call_9", patch)
    ]
    assert [tool["type"] for tool in response["tools"]] == ["function", "custom", "local_shell"]
