"""Sealed reasoning goes back to the account that made it, and to no other: over real sockets, two accounts a vendor.

Nothing is remembered between two requests but what the caller holds, so the second of each pair goes to another worker,
or to a gateway that was started anew, as well as to the same one.
"""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import pytest
from openai import OpenAI

from support import gemini_wire as google
from support import messages_wire as claude
from support import responses_vendor as wire
from support.gateway import Gateway
from support.upstream import Chunk, End, Head, Received, Step, Upstream, json_reply

#: As the service writes it, with every sign that it may have.
SEALED = "gAAAAABo-_x" + "Az09-_" * 40 + "=="
CALL = wire.call("weather", '{"city":"Köln"}', "call_1", id="fc_up")
THOUGHT = wire.reasoning("Hm.", encrypted=SEALED, id="rs_up")
ANSWERED = {"type": "function_call_output", "call_id": "call_1", "output": "rain"}
FLAT: Any = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}
ASKED: dict[str, Any] = {"role": "user", "content": "Weather?"}
KEYS = {"one": "sk-account-one-0123456789", "two": "sk-account-two-0123456789"}
NUMBERS = itertools.count()
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@pytest.fixture(scope="module")
def vendor() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def config(vendor: Upstream) -> dict[str, Any]:
    providers: dict[str, Any] = {}
    models: dict[str, Any] = {}
    for account, key in KEYS.items():
        providers[f"open.{account}"] = {"kind": "openai-responses", "base_url": f"{vendor.url}/v1", "api_key": key}
        providers[f"google:{account}"] = {"kind": "gemini", "base_url": vendor.url, "api_key": key}
        models[f"gpt-{account}"] = {"provider": f"open.{account}", "name": "gpt-5"}
        models[f"flash-{account}"] = {"provider": f"google:{account}", "name": "gemini-3-flash"}
    providers["claude"] = {"kind": "anthropic", "base_url": vendor.url, "api_key": "sk-claude-0123456789"}
    models["haiku"] = {"provider": "claude", "name": "claude-haiku-4-5"}
    once = {"attempts": 1}
    routes = {
        "one-first": {"targets": ["gpt-one", "gpt-two"], **once},
        "two-first": {"targets": ["gpt-two", "gpt-one"], **once},
        "fallback": {"targets": ["gpt-two"], "fallback": ["gpt-one"], **once},
        "flash-one-first": {"targets": ["flash-one", "flash-two"], **once},
        "flash-two-first": {"targets": ["flash-two", "flash-one"], **once},
    }
    return {"providers": providers, "models": models, "routes": routes}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, config: dict[str, Any]) -> Iterator[Gateway]:
    with Gateway(tmp_path_factory.mktemp("gateway"), config, workers=2) as running:
        yield running


@pytest.fixture
def client(gateway: Gateway, vendor: Upstream) -> Iterator[OpenAI]:
    vendor.forget()
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as sdk:
        yield sdk


def respond(client: OpenAI, stream: bool, **fields: Any) -> Any:
    if not stream:
        return client.responses.create(**fields)
    with client.responses.stream(**fields) as events:
        return events.get_final_response()


def says(*items: dict[str, Any], stream: bool = False) -> Any:
    """Return the steps of an upstream of the Responses wire that says ``items``."""
    said = wire.answer(*items, id=f"resp_{next(NUMBERS)}")
    steps: list[Step] = [Head(200), *(Chunk(wire.sse([event])) for event in wire.events(said)), End()]
    return steps if stream else json_reply(said)


def account(request: Received) -> str:
    """Return whose key came with a request."""
    key = request.header("authorization") or request.header("x-goog-api-key") or ""
    return next(name for name, own in KEYS.items() if own in key)


def begun(client: OpenAI, vendor: Upstream, stream: bool = False, **fields: Any) -> list[Any]:
    """Return what a caller holds after the first turn, which the first account answered."""
    vendor.script(says(THOUGHT, CALL, stream=stream))
    first = respond(client, stream, model="one-first", input=[ASKED], tools=[FLAT], store=False, **fields)
    assert account(vendor.requests[-1]) == "one"
    items = [item.to_dict() for item in first.output]
    for item in items:
        item.pop("parsed_arguments", None)  # the SDK's own
    return [ASKED, *items, ANSWERED]


def go_on(client: OpenAI, vendor: Upstream, model: str, items: list[Any], stream: bool = False) -> Received:
    vendor.script(says(wire.message(wire.part("Rain.")), stream=stream))
    answer = respond(client, stream, model=model, input=items, tools=[FLAT], store=False)
    assert answer.output_text == "Rain."
    return vendor.requests[-1]


@BOTH
def test_reasoning_goes_back_to_the_account_that_sealed_it(client: OpenAI, vendor: Upstream, stream: bool) -> None:
    held = begun(client, vendor, stream)
    assert held[1]["summary"] == [{"type": "summary_text", "text": "Hm."}], "what can be read stays as it is"
    for _ in range(4):  # by either worker
        sent = go_on(client, vendor, "two-first", held, stream)
        assert account(sent) == "one"
        assert sent.json()["input"] == [ASKED, THOUGHT, CALL, ANSWERED]


def test_all_but_the_mark_is_sent_up_byte_for_byte(gateway: Gateway, client: OpenAI, vendor: Upstream) -> None:
    held = begun(client, vendor)
    vendor.script(says(wire.message(wire.part("Rain."))))
    body = {"input": held, "model": "gpt-one", "n": 1.0}
    raw = json.dumps(body, indent=1).encode()
    vendor.forget()
    vendor.script(says(wire.message(wire.part("Rain."))))
    headers = {"authorization": f"Bearer {gateway.key}", "content-type": "application/json"}
    answer = httpx.post(f"{gateway.url}/v1/responses", content=raw, headers=headers)
    assert answer.status_code == 200, answer.text
    (sent,) = vendor.requests
    known = json.dumps({**body, "input": [ASKED, THOUGHT, CALL, ANSWERED], "model": "gpt-5"}, indent=1)
    assert sent.json() == json.loads(known)
    assert json.dumps(SEALED).encode() in sent.body


@pytest.mark.parametrize("model", ["gpt-two", "fallback"])
def test_another_account_is_asked_without_it(client: OpenAI, vendor: Upstream, model: str) -> None:
    held = begun(client, vendor)
    sent = go_on(client, vendor, model, held)
    assert account(sent) == "two"
    # The name of a call is the first account's own too: the other would look for the reasoning that belongs to it.
    call = {name: value for name, value in CALL.items() if name != "id"}
    assert sent.json()["input"] == [ASKED, call, ANSWERED]
    assert SEALED not in sent.body.decode()


def test_of_two_makers_the_latest_is_asked_and_hears_its_own(client: OpenAI, vendor: Upstream) -> None:
    held = begun(client, vendor)
    second = wire.reasoning("Hm again.", encrypted="gBBB", id="rs_two")
    vendor.script(says(second, wire.message(wire.part("Rain."), id="msg_two")))
    answer = respond(client, False, model="gpt-two", input=held, tools=[FLAT], store=False)
    held += [*(item.to_dict() for item in answer.output), ASKED]
    sent = go_on(client, vendor, "one-first", held)
    assert account(sent) == "two"
    assert [item.get("encrypted_content") for item in sent.json()["input"] if item.get("type") == "reasoning"] == [
        "gBBB"
    ]


@BOTH
def test_a_kept_response_is_continued_at_its_account(client: OpenAI, vendor: Upstream, stream: bool) -> None:
    vendor.script(says(THOUGHT, CALL, stream=stream))
    first = respond(client, stream, model="one-first", input=[ASKED], tools=[FLAT])
    for model, expected in (("two-first", "one"), ("gpt-two", "two")):
        vendor.script(says(wire.message(wire.part("Rain.")), stream=stream))
        more = {"previous_response_id": first.id, "input": [ANSWERED], "tools": [FLAT]}
        respond(client, stream, model=model, **more)
        sent = vendor.requests[-1]
        assert account(sent) == expected
        assert (SEALED in sent.body.decode()) == (expected == "one")
        assert "mainstay" not in sent.body.decode()


def test_a_gateway_started_anew_knows_it_as_well(
    client: OpenAI, vendor: Upstream, config: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    held = begun(client, vendor)
    with (
        Gateway(tmp_path_factory.mktemp("another"), config) as other,
        OpenAI(base_url=f"{other.url}/v1", api_key=other.key, max_retries=0) as sdk,
    ):
        sent = go_on(sdk, vendor, "two-first", held)
    assert account(sent) == "one"
    assert sent.json()["input"][1] == THOUGHT


def test_what_has_no_mark_goes_where_the_call_goes(client: OpenAI, vendor: Upstream) -> None:
    sent = go_on(client, vendor, "two-first", [ASKED, THOUGHT, CALL, ANSWERED])
    assert account(sent) == "two"
    assert sent.json()["input"] == [ASKED, THOUGHT, CALL, ANSWERED]


@BOTH
def test_a_chat_callers_reasoning_goes_back_too(client: OpenAI, vendor: Upstream, stream: bool) -> None:
    tool: Any = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    asked: Any = {"messages": [ASKED], "tools": [tool]}
    vendor.script(says(THOUGHT, CALL, stream=stream))
    if stream:
        with client.chat.completions.stream(model="one-first", **asked) as events:
            said = events.get_final_completion().choices[0].message.to_dict()
        said.pop("parsed", None)
    else:
        said = client.chat.completions.create(model="one-first", **asked).choices[0].message.to_dict()
    messages: Any = [ASKED, said, {"role": "tool", "tool_call_id": "call_1", "content": "rain"}]
    for model, expected in (("two-first", "one"), ("gpt-two", "two")):
        vendor.script(says(wire.message(wire.part("Rain."))))
        client.chat.completions.create(model=model, messages=messages, tools=[tool])
        sent = vendor.requests[-1]
        assert account(sent) == expected
        found = [item["encrypted_content"] for item in sent.json()["input"] if item.get("type") == "reasoning"]
        assert found == ([SEALED] if expected == "one" else [])


@BOTH
def test_a_signature_of_geminis_goes_back_to_its_account(gateway: Gateway, vendor: Upstream, stream: bool) -> None:
    vendor.forget()
    call = google.call("weather", {"city": "Köln"}, id="toolu_1", signature="c2lnbmVk+/==")
    said = google.answer(google.thought("Hm."), call)
    if stream:
        events = [b"data: %b\n\n" % google.body(one) for one in google.chunks(said)]
        steps: Any = [Head(200), Chunk(b"".join(events)), End()]
    else:
        steps = json_reply(said)
    vendor.script(steps)
    tools: Any = [{"name": "weather", "input_schema": {"type": "object"}}]
    with anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0) as sdk:
        asked: Any = {"max_tokens": 99, "messages": [ASKED], "tools": tools}
        if stream:
            with sdk.messages.stream(model="flash-one-first", **asked) as talking:
                first = talking.get_final_message()
        else:
            first = sdk.messages.create(model="flash-one-first", **asked)
        held: Any = [block.to_dict() for block in first.content]
        result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "rain"}
        talk: Any = [ASKED, {"role": "assistant", "content": held}, {"role": "user", "content": [result]}]
        for model, expected in (("flash-two-first", "one"), ("flash-two", "two")):
            vendor.script(json_reply(google.answer(google.text("Rain."))))
            sdk.messages.create(**{**asked, "model": model, "messages": talk})
            sent = vendor.requests[-1]
            assert account(sent) == expected
            parts = [part for turn in sent.json()["contents"] for part in turn["parts"] if "functionCall" in part]
            # Without one a newer model refuses the call: another account gets what the vendor documents for that.
            own = "c2lnbmVk+/==" if expected == "one" else "skip_thought_signature_validator"
            assert [part["thoughtSignature"] for part in parts] == [own]


@BOTH
def test_a_signature_of_claudes_passes_byte_for_byte(gateway: Gateway, vendor: Upstream, stream: bool) -> None:
    vendor.forget()
    block = {"type": "thinking", "thinking": "Hm.", "signature": "EqQB+/é==" * 30}
    said = claude.message(block, {"type": "redacted_thinking", "data": "EmwK+/=="}, {"type": "text", "text": "Yes."})
    body = claude.sse(claude.events(said)) if stream else claude.body(said)
    vendor.script([Head(200), Chunk(body), End()] if stream else json_reply(said))
    asked = {"model": "haiku", "max_tokens": 9, "messages": [ASKED], "stream": stream}
    answer = httpx.post(f"{gateway.url}/v1/messages", json=asked, headers={"x-api-key": gateway.key})
    assert answer.content == body if stream else answer.json() == said
    assert b"mainstay" not in answer.content
