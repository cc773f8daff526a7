"""Usage policies and notices in a real server: who reaches which upstream, what callers are told, what is logged."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest

from mainstay.store.audit import select_entries
from mainstay.store.sql import reading
from support.gateway import Gateway, completion, sse_chunks
from support.messages_wire import events as written
from support.messages_wire import message, sse
from support.upstream import Chunk, Head, Received, Upstream, json_reply

NOTICE = "You are talking with a machine."
POLICIES = """\
@id("everyone")
permit(principal, action, resource);

@id("kids-stay-near")
@advice("Ask the model 'near'.")
forbid(principal in Team::"kids", action, resource) unless { resource.local };

@id("research-only")
forbid(principal, action, resource == Model::"lab") unless { context.purpose == "research" };

@id("personal-stays-near")
forbid(principal, action, resource) when { context.data.contains("personal") && !resource.local };
"""


def answer(request: Received) -> Any:
    if "/messages" in request.path:
        thought = {"type": "thinking", "thinking": "Hm.", "signature": "c2VhbGVk"}
        said = message(thought, {"type": "text", "text": "Hello."})
        return [Head(200), Chunk(sse(written(said)))] if request.json().get("stream") else json_reply(said)
    if request.json().get("stream"):
        return [Head(200), *(Chunk(event) for event in sse_chunks("Hel", "lo."))]
    return json_reply(completion())


@pytest.fixture(scope="module")
def vendor() -> Iterator[Upstream]:
    with Upstream(answer) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, vendor: Upstream) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("gateway")
    (home / "policies").mkdir()
    (home / "policies" / "main.cedar").write_text(POLICIES)
    terms = {"local": False, "country": "US"}
    bought = {"kind": "openai", "base_url": f"{vendor.url}/v1", "api_key": "k", "terms": terms}
    other = {"kind": "anthropic", "base_url": vendor.url, "api_key": "k", "terms": terms}
    config: dict[str, Any] = {
        "policies": "policies/",
        "providers": {"here": {"kind": "echo"}, "bought": bought, "other": other},
        "models": {
            "near": {"provider": "here"},
            **{name: {"provider": "bought"} for name in ("far", "lab", "post", "told", "spare")},
            "claude": {"provider": "other"},
        },
        "routes": {
            "both": {"targets": ["far"], "fallback": ["near"], "attempts": 1},
            "away": {"targets": ["far"], "fallback": ["spare"], "attempts": 1},
            "resort": {"targets": ["spare"], "attempts": 1, "last_resort": {"model": "far"}},
            "study": {"targets": ["lab"], "purpose": "research", "attempts": 1},
            **{
                f"mail-{do}": {
                    "targets": ["post"],
                    "fallback": ["near"],
                    "attempts": 1,
                    "rails": {"pii": {"what": "personal", "kinds": ["email"], "do": do}},
                }
                for do in ("flag", "mask")
            },
            "shown": {"targets": ["told"], "attempts": 1, "disclosure": NOTICE},
            "claude-shown": {"targets": ["claude"], "attempts": 1, "disclosure": NOTICE},
        },
    }
    with Gateway(home, config) as running:
        yield running


def key_of(gateway: Gateway, name: str, team: str = "") -> str:
    key = str(gateway.keys.create(name, team=team).key)
    gateway.until(lambda: httpx.get(gateway.url + "/v1/models", headers={"authorization": f"Bearer {key}"}).is_success)
    return key


@pytest.fixture(scope="module")
def kid(gateway: Gateway) -> str:
    return key_of(gateway, "tim", "kids")


def ask(gateway: Gateway, model: str, key: str = "", path: str = "/v1/chat/completions", **more: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {key or gateway.key}", **more.pop("headers", {})}
    body = {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "one two"}], **more}
    return httpx.post(gateway.url + path, json=body, headers=headers, timeout=30)


def events(gateway: Gateway, action: str) -> list[dict[str, Any]]:
    with reading(gateway.engine) as connection:
        return [json.loads(entry.body) for entry in select_entries(connection, action=action)]


def test_a_model_that_is_forbidden_is_passed_over_and_the_next_answers(
    gateway: Gateway, vendor: Upstream, kid: str
) -> None:
    vendor.forget()
    assert ask(gateway, "both", kid).headers["x-mainstay-model"] == "near"
    assert not vendor.requests
    assert ask(gateway, "both").headers["x-mainstay-model"] == "far"
    assert len(vendor.requests) == 1
    gateway.until(lambda: events(gateway, "policy.diverted"))
    [event] = events(gateway, "policy.diverted")
    assert event["subject"] == "model:far"
    assert event["details"]["policies"] == ["kids-stay-near"]


@pytest.mark.parametrize("model", ["away", "far", "resort"])
def test_where_none_is_left_the_caller_is_told_by_which_policy_and_nothing_is_sent(
    gateway: Gateway, vendor: Upstream, kid: str, model: str
) -> None:
    vendor.forget()
    refused = ask(gateway, model, kid)
    assert refused.status_code == 403
    error = refused.json()["error"]
    assert (error["code"], error["type"]) == ("policy_denied", "permission_error")
    assert error["policies"] == ["kids-stay-near"]
    assert "'kids-stay-near'" in error["message"]
    assert error["message"].endswith("Ask the model 'near'.")
    assert not vendor.requests
    found = refused.headers["x-request-id"]
    gateway.until(lambda: any(event["details"]["record"] == _record(gateway, found) for event in _denied(gateway)))
    [event] = [one for one in _denied(gateway) if one["details"]["record"] == _record(gateway, found)]
    assert event["actor"].startswith("key:key_")
    assert event["subject"] == f"route:{model}"


def _denied(gateway: Gateway) -> list[dict[str, Any]]:
    return events(gateway, "policy.denied")


def _record(gateway: Gateway, request_id: str) -> str:
    [record] = [one for one in gateway.journal() if one.request_id == request_id]
    return record.id


def test_the_other_dialects_tell_of_it_in_their_own_words(gateway: Gateway, kid: str) -> None:
    with pytest.raises(anthropic.PermissionDeniedError) as refused:
        client = anthropic.Anthropic(base_url=gateway.url, api_key=kid, max_retries=0)
        client.messages.create(model="away", max_tokens=9, messages=[{"role": "user", "content": "x"}])
    assert "kids-stay-near" in str(refused.value)
    embedded = httpx.post(
        f"{gateway.url}/v1/embeddings",
        json={"model": "far", "input": "x"},
        headers={"authorization": f"Bearer {kid}"},
    )
    assert (embedded.status_code, embedded.json()["error"]["code"]) == (403, "policy_denied")


def test_a_purpose_is_the_routes_or_the_callers(gateway: Gateway, vendor: Upstream) -> None:
    vendor.forget()
    assert ask(gateway, "lab").status_code == 403
    assert ask(gateway, "lab", headers={"x-mainstay-purpose": "sales"}).status_code == 403
    assert not vendor.requests
    assert ask(gateway, "lab", headers={"x-mainstay-purpose": "research"}).status_code == 200
    assert ask(gateway, "study").status_code == 200
    assert ask(gateway, "study", headers={"x-mainstay-purpose": "sales"}).status_code == 400
    assert all("x-mainstay-purpose" not in request.headers for request in vendor.requests)


def test_where_a_call_goes_depends_on_what_the_rails_find_in_it(gateway: Gateway, vendor: Upstream) -> None:
    vendor.forget()
    mail = [{"role": "user", "content": "Write to ada.lovelace@example.org for me."}]
    assert ask(gateway, "mail-flag").headers["x-mainstay-model"] == "post"
    assert ask(gateway, "mail-flag", messages=mail).headers["x-mainstay-model"] == "near"
    assert ask(gateway, "mail-mask", messages=mail).headers["x-mainstay-model"] == "post"
    assert "lovelace" not in json.dumps([request.json() for request in vendor.requests])


def test_the_first_answer_tells_that_a_machine_answers_and_later_ones_are_marked(gateway: Gateway) -> None:
    first = ask(gateway, "shown")
    assert first.json()["choices"][0]["message"]["content"] == f"{NOTICE}\n\nHello."
    assert first.headers["x-mainstay-disclosure"] == "ai-generated"
    turns = [{"role": role, "content": "x"} for role in ("user", "assistant", "user")]
    later = ask(gateway, "shown", messages=turns)
    assert later.json()["choices"][0]["message"]["content"] == "Hello."
    assert later.headers["x-mainstay-disclosure"] == "ai-generated"
    formed = ask(gateway, "shown", response_format={"type": "json_object"})
    assert NOTICE not in formed.text
    assert "x-mainstay-disclosure" not in ask(gateway, "both").headers


def test_a_stream_begins_with_the_notice_in_every_dialect(gateway: Gateway) -> None:
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0)
    with client.chat.completions.create(
        model="shown", messages=[{"role": "user", "content": "x"}], stream=True
    ) as stream:
        pieces = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
    assert "".join(pieces) == f"{NOTICE}\n\nHello."
    other = anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0)
    with other.messages.stream(model="shown", max_tokens=9, messages=[{"role": "user", "content": "x"}]) as events:
        assert events.get_final_text() == f"{NOTICE}\n\nHello."
    said = client.responses.create(model="shown", input="x")
    assert said.output_text == f"{NOTICE}\n\nHello."
    again = client.responses.create(model="shown", input="y", previous_response_id=said.id)
    assert again.output_text == "Hello."


def test_an_answer_in_the_callers_own_dialect_keeps_its_reasoning_sealed(gateway: Gateway) -> None:
    client = anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0)
    asked: dict[str, Any] = {
        "model": "claude-shown",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "x"}],
    }
    whole = client.messages.create(**asked)
    with client.messages.stream(**asked) as stream:
        streamed = stream.get_final_message()
    for said in (whole, streamed):
        [thought, text] = said.content
        assert (thought.type, thought.signature) == ("thinking", "c2VhbGVk")
        assert text.text == f"{NOTICE}\n\nHello."


def test_an_edit_of_a_policy_is_in_force_without_a_restart_and_a_broken_one_is_not(gateway: Gateway, kid: str) -> None:
    file: Path = gateway.home / "policies" / "main.cedar"
    assert ask(gateway, "far", kid).status_code == 403
    file.write_text(POLICIES + "permit(;")
    gateway.until(lambda: "main.cedar:13" in gateway.log())
    assert ask(gateway, "far", kid).status_code == 403
    file.write_text(POLICIES.replace('Team::"kids"', 'Team::"babies"'))
    gateway.until(lambda: ask(gateway, "far", kid).status_code == 200)
    file.write_text(POLICIES)
    gateway.until(lambda: ask(gateway, "far", kid).status_code == 403)
