"""Rails of a running gateway, under every wire: what the model gets, what the caller gets, and what is kept of it."""

import json
import re
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import openai
import pytest

from mainstay.core.record import Record
from support.gateway import Gateway, completion, sse_chunks
from support.upstream import Chunk, End, Head, Received, Step, Upstream, json_reply

MAIL = "jane.doe@acme.org"
NAME = re.compile(r"EMAIL_[0-9a-z]{8}")
_EMAIL = {"what": "personal", "kinds": ["email"]}


@pytest.fixture(scope="module")
def vendor() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, vendor: Upstream) -> Iterator[Gateway]:
    base = f"{vendor.url}/v1"
    rails: dict[str, dict[str, Any]] = {
        "hides": {"mail": {**_EMAIL, "do": "pseudonymise"}},
        "masks": {"mail": {**_EMAIL, "do": "mask", "where": ["input", "output"]}},
        "blocks": {"mail": {**_EMAIL, "do": "block"}},
        "watches": {"mail": {**_EMAIL, "do": "block", "mode": "monitor"}},
        "asks": {"mail": {**_EMAIL, "do": "human"}},
        "sends": {"mail": {**_EMAIL, "do": {"route": "calm"}}},
    }
    config = {
        "providers": {"vendor": {"kind": "openai", "base_url": base, "api_key": "sk-test"}},
        "models": {"usual": {"provider": "vendor"}, "calm": {"provider": "vendor"}},
        "routes": {name: {"targets": ["usual"], "attempts": 1, "rails": rows} for name, rows in rails.items()},
    }
    config["routes"]["redacted"] = {"targets": ["usual"], "attempts": 1, "content": "redacted"}
    with Gateway(tmp_path_factory.mktemp("rails"), config) as running:
        yield running


def streamed(*words: str) -> list[Step]:
    return [Head(), *map(Chunk, sse_chunks(*words)), End()]


def echo(request: Received) -> Any:
    """Answer with what was asked, in the form that was asked for."""
    asked = request.json()
    if "input" in asked:
        rows = [{"object": "embedding", "index": at, "embedding": [0.5]} for at, _ in enumerate(asked["input"])]
        return json_reply(
            {"object": "list", "model": "e", "data": rows, "usage": {"prompt_tokens": 1, "total_tokens": 1}}
        )
    said = asked["messages"][-1]["content"]
    said = said if isinstance(said, str) else "".join(part["text"] for part in said)
    if asked.get("stream"):
        return streamed(*[said[at : at + 3] for at in range(0, len(said), 3)])
    return json_reply(completion(said))


@pytest.fixture
def client(gateway: Gateway, vendor: Upstream) -> Iterator[openai.OpenAI]:
    vendor.requests.clear()
    vendor.handler = echo
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as sdk:
        yield sdk


def say(client: openai.OpenAI, route: str, *turns: str) -> str:
    roles = ("user", "assistant")
    messages: Any = [{"role": roles[at % 2], "content": text} for at, text in enumerate(turns)]
    return client.chat.completions.create(model=route, messages=messages).choices[0].message.content or ""


def last(gateway: Gateway) -> Record:
    return gateway.journal()[-1]


def test_two_turns_keep_their_pseudonyms_and_the_caller_its_values(client: openai.OpenAI, vendor: Upstream) -> None:
    first = say(client, "hides", f"Write to {MAIL}!")
    assert first == f"Write to {MAIL}!"
    assert say(client, "hides", f"Write to {MAIL}!", first, f"Is {MAIL} right?") == f"Is {MAIL} right?"
    bodies = [request.body.decode() for request in vendor.requests]
    assert not any(MAIL in body for body in bodies)
    assert len(set(NAME.findall("".join(bodies)))) == 1


def test_a_stream_gives_values_back_however_it_was_cut(client: openai.OpenAI, gateway: Gateway) -> None:
    asked: Any = [{"role": "user", "content": f"Write to {MAIL}, now."}]
    stream = client.chat.completions.create(model="hides", messages=asked, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices) == asked[0]["content"]
    assert [(one.rail, one.outcome) for one in last(gateway).verdicts] == [("mail", "pseudonymised")]


def test_every_wire_is_looked_at(client: openai.OpenAI, gateway: Gateway, vendor: Upstream) -> None:
    answer = client.responses.create(model="hides", input=f"Write to {MAIL}!")
    assert answer.output_text == f"Write to {MAIL}!"
    with anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0) as sdk:
        asked: Any = [{"role": "user", "content": f"Write to {MAIL}!"}]
        message = sdk.messages.create(model="hides", max_tokens=99, messages=asked)
    assert message.content[0].text == f"Write to {MAIL}!"  # type: ignore[union-attr]  # a text block
    client.embeddings.create(model="hides", input=[f"Write to {MAIL}!"], encoding_format="float")
    assert len(vendor.requests) == 3
    for request in vendor.requests:
        assert MAIL not in request.body.decode()
        assert NAME.search(request.body.decode())


def test_what_is_blocked_reaches_no_model_and_is_counted(
    client: openai.OpenAI, gateway: Gateway, vendor: Upstream
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        say(client, "blocks", MAIL)
    assert refused.value.code == "content_blocked"
    assert refused.value.body["kinds"] == ["email"]  # type: ignore[index]  # a mapping here
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model="blocks", input=[MAIL])
    assert not vendor.requests
    record = last(gateway)
    assert (record.outcome, record.error, record.verdicts[0].outcome) == ("refused", "content_blocked", "blocked")
    metrics = gateway.get("/metrics").decode()
    assert 'mainstay_rail_verdicts_total{route="blocks",rail="mail",outcome="blocked"} 2' in metrics
    assert 'mainstay_rail_seconds_count{rail="mail"}' in metrics


def test_answers_are_masked_whole_and_streamed_alike(client: openai.OpenAI, vendor: Upstream) -> None:
    words = ["Ask ", "bob@", "acme", ".org", " then."]
    vendor.handler = lambda request: (
        streamed(*words) if request.json().get("stream") else json_reply(completion("".join(words)))
    )
    asked: Any = [{"role": "user", "content": "Who?"}]
    stream = client.chat.completions.create(model="masks", messages=asked, stream=True)
    said = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    assert said == say(client, "masks", "Who?") == "Ask [EMAIL] then."


def test_a_monitored_rail_changes_nothing_and_tells(client: openai.OpenAI, gateway: Gateway) -> None:
    assert say(client, "watches", MAIL) == MAIL
    (verdict,) = last(gateway).verdicts
    assert (verdict.outcome, verdict.enforced, verdict.kinds) == ("blocked", False, {"email": 1})


def test_another_model_answers_and_a_person_is_asked(client: openai.OpenAI, vendor: Upstream) -> None:
    say(client, "sends", MAIL)
    say(client, "sends", "Hello.")
    assert [request.json()["model"] for request in vendor.requests] == ["calm", "usual"]
    with pytest.raises(openai.PermissionDeniedError) as held:
        say(client, "asks", MAIL)
    assert held.value.code == "needs_review"


def test_redacted_content_holds_no_personal_data(client: openai.OpenAI, gateway: Gateway) -> None:
    say(client, "redacted", f"Write to {MAIL} with AKIAIOSFODNN7QZJ4TKL!")
    content = last(gateway).content
    assert content is not None
    assert json.loads(content.request)["messages"][0]["content"] == "Write to [EMAIL] with [API_KEY]!"
    assert "Write to [EMAIL] with [API_KEY]!" in content.response
    asked: Any = [{"role": "user", "content": f"Write to {MAIL}!"}]
    for _ in client.chat.completions.create(model="redacted", messages=asked, stream=True):
        pass
    content = last(gateway).content
    assert content is not None
    assert "Write to [EMAIL]!" in content.response


def test_a_tool_of_the_gateway_asks_under_the_rails_of_its_route(
    client: openai.OpenAI, gateway: Gateway, vendor: Upstream
) -> None:
    def ask(route: str) -> dict[str, Any]:
        called = {"name": "ask", "arguments": {"route": route, "prompt": f"Write to {MAIL}!"}}
        answer = httpx.post(
            f"{gateway.url}/mcp",
            json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": called},
            headers={"authorization": f"Bearer {gateway.key}", "accept": "application/json, text/event-stream"},
        )
        found: dict[str, Any] = answer.json()
        return found

    assert ask("hides")["result"]["content"][0]["text"] == f"Write to {MAIL}!"
    (request,) = vendor.requests
    assert MAIL not in request.body.decode()
    assert MAIL not in json.dumps(ask("blocks"))
    assert last(gateway).error == "content_blocked"
    assert len(vendor.requests) == 1


def test_the_rows_of_a_batch_are_looked_at(client: openai.OpenAI, gateway: Gateway, vendor: Upstream) -> None:
    asked = [{"role": "user", "content": f"Write to {MAIL}!"}]
    rows = [
        {"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": {"model": name, "messages": asked}}
        for name in ("hides", "blocks")
    ]
    file = client.files.create(file=("in.jsonl", "\n".join(map(json.dumps, rows)).encode()), purpose="batch")
    batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    gateway.until(lambda: client.batches.retrieve(batch.id).status == "completed")
    done = client.batches.retrieve(batch.id)
    assert done.output_file_id is not None
    assert done.error_file_id is not None
    answered = json.loads(client.files.content(done.output_file_id).text)
    assert answered["response"]["body"]["choices"][0]["message"]["content"] == f"Write to {MAIL}!"
    assert "content_blocked" in client.files.content(done.error_file_id).text
    assert [MAIL in request.body.decode() for request in vendor.requests] == [False]


def test_rails_are_renewed_while_it_serves(client: openai.OpenAI, gateway: Gateway) -> None:
    config = json.loads(json.dumps(gateway.config))
    config["routes"]["watches"]["rails"] = {"new": {"what": "words", "do": "block", "words": ["forbidden"]}}
    gateway.write(config)

    def refused() -> bool:
        try:
            say(client, "watches", "This is forbidden.")
        except openai.BadRequestError as error:
            return error.code == "content_blocked"
        return False

    gateway.until(refused)
    assert [(one.rail, one.outcome) for one in last(gateway).verdicts] == [("new", "blocked")]
