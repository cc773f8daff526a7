"""Anthropic's Messages wire over real sockets: what each side of the gateway sends, held to its rules."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import pytest
from anthropic import Anthropic

from support import messages_wire as wire
from support import responses_vendor
from support.gateway import Gateway, completion
from support.messages_stream import read_events, read_message
from support.upstream import Chunk, End, Head, Step, Upstream, json_reply

HELLO: list[Any] = [{"role": "user", "content": "Hello?"}]
MARK = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
TEXT = {"type": "text", "text": "Hé \u2028"}
#: One answer of everything that only this wire has, with bytes that a decoder on the way could change.
EVERYTHING: list[Any] = [
    {"type": "thinking", "thinking": "Hm", "signature": "EqQB+/é=="},
    {"type": "redacted_thinking", "data": "EmwK+/=="},
    {**TEXT, "citations": [{"type": "char_location", "cited_text": "x", "document_index": 0}]},
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"q": "x"}},
    {
        "type": "web_search_tool_result",
        "tool_use_id": "srvtoolu_1",
        "content": [{"type": "web_search_result", "x": 1.0}],
    },
    {"type": "mcp_tool_use", "id": "m", "name": "f", "server_name": "s", "input": {}},
    {"type": "novelty", "x": {"y": [1.0, None]}},
    {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Köln", "n": 1.0}},
]
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@pytest.fixture(scope="module")
def vendor() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, vendor: Upstream) -> Iterator[Gateway]:
    keyed = {"api_key": "sk-ant-upstream-0123456789"}
    config: dict[str, Any] = {
        "providers": {
            "claude": {"kind": "anthropic", "base_url": vendor.url, **keyed},
            "open": {"kind": "openai", "base_url": f"{vendor.url}/v1", **keyed},
            "next": {"kind": "openai-responses", "base_url": f"{vendor.url}/v1", **keyed},
            "echo": {"kind": "echo"},
        },
        "models": {
            "haiku": {"provider": "claude", "name": "claude-haiku-4-5"},
            "newest": {"provider": "claude", "name": "claude-opus-5", "lacks": ["prefill"]},
            "gpt": {"provider": "open", "name": "gpt-5"},
            "next": {"provider": "next", "name": "gpt-5"},
            "echo": {"provider": "echo"},
        },
        "routes": {
            "once": {"targets": ["haiku"], "attempts": 1},
            "abilities": {"targets": ["newest", "haiku"], "attempts": 1},
            "prompted": {"targets": ["haiku"], "prompt": "polite@1", "attempts": 1},
            "german": {"targets": ["haiku"], "language": {"allow": ["de"]}, "attempts": 1},
        },
        "prompts": {"polite@1": {"system": "Be polite."}},
    }
    with Gateway(tmp_path_factory.mktemp("gateway"), config) as running:
        yield running


@pytest.fixture
def http(gateway: Gateway, vendor: Upstream) -> Iterator[httpx.Client]:
    vendor.forget()
    headers = {"x-api-key": gateway.key, "anthropic-version": "2023-06-01"}
    with httpx.Client(base_url=gateway.url, headers=headers) as client:
        yield client


def ask(http: httpx.Client, *, stream: bool = False, headers: Any = None, **fields: Any) -> httpx.Response:
    asked = {"model": "once", "max_tokens": 99, "messages": HELLO, "stream": stream, **fields}
    return http.post("/v1/messages", json=asked, headers=headers)


def says(stream: bytes) -> list[Step]:
    return [Head(200), Chunk(stream), End()]


def last_record(gateway: Gateway) -> Any:
    return gateway.journal()[-1]


# What comes down.


@pytest.mark.parametrize("model", ["once", "gpt", "next"])
def test_every_event_is_named_as_its_data_says_and_stands_in_its_order(
    http: httpx.Client, vendor: Upstream, model: str
) -> None:
    """``read_events`` holds a stream to the order: one block after the other, and an end with its counts."""
    use = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}
    if model == "once":
        said = wire.message({"type": "thinking", "thinking": "Hm", "signature": "s"}, TEXT, use, stop_reason="tool_use")
        # Events without a name, and pings between all of them.
        events = [one for event in wire.events(said, list) for one in (event, {"type": "ping"})][:-1]
        vendor.script(says(b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events)))
    elif model == "gpt":
        vendor.script(says(_interleaved()))
    else:
        one = responses_vendor
        items = (one.reasoning("Hm"), one.message(one.part(TEXT["text"])), one.call("f", '{"a":1}', "toolu_1"))
        vendor.script(says(one.sse(one.events(one.answer(*items), list))))
    answer = ask(http, stream=True, model=model, tools=[{"name": "f", "input_schema": {"type": "object"}}])
    assert answer.headers["content-type"].startswith("text/event-stream")
    message = read_message(answer.content)
    assert next(block["input"] for block in message["content"] if block["type"] == "tool_use") == {"a": 1}
    assert message["stop_reason"] == "tool_use"
    assert b"[DONE]" not in answer.content


def _interleaved() -> bytes:
    """Return a chat's stream in which the arguments of two calls and some text are mixed."""
    deltas: list[Any] = [
        {"role": "assistant", "reasoning_content": "Hm"},
        {"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": '{"a"'}}]},
        {"tool_calls": [{"index": 1, "id": "b", "type": "function", "function": {"name": "f", "arguments": '{"b'}}]},
        {"content": "So."},
        {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]},
        {"tool_calls": [{"index": 1, "function": {"arguments": '":2}'}}]},
    ]
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    choices: list[Any] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": "tool_calls"})
    events = [b"data: %b\n\n" % json.dumps({**head, "choices": [choice]}).encode() for choice in choices]
    return b"".join(events) + b"data: [DONE]\n\n"


def test_a_broken_order_is_mended_on_its_way(http: httpx.Client, vendor: Upstream) -> None:
    events = wire.events(wire.message(TEXT))
    for broken in ([events[0], *events], events[1:], [event for event in events if "stop" not in event["type"]]):
        vendor.script(says(wire.sse([*broken[:-1], broken[-1], events[-1]])))
        assert read_message(ask(http, stream=True).content)["content"][0]["text"] == TEXT["text"]


@BOTH
def test_what_only_this_wire_has_passes_byte_for_byte(http: httpx.Client, vendor: Upstream, stream: bool) -> None:
    said = wire.message(*EVERYTHING, stop_reason="tool_use", novelty=1.0)
    body = wire.sse(wire.events(said)) if stream else wire.body(said)
    vendor.script(says(body) if stream else json_reply(said))
    answer = ask(http, stream=stream)
    assert answer.content == (body if stream else json.dumps(said).encode())


@pytest.mark.parametrize(
    ("pieces", "said"), [([], {}), ([""], {}), (['{"a": ', "1.0}"], {"a": 1.0})], ids=["none", "empty", "two"]
)
def test_the_input_of_a_tool_comes_in_pieces_or_is_empty(
    http: httpx.Client, vendor: Upstream, pieces: list[str], said: Any
) -> None:
    for model in ("once", "gpt"):
        vendor.script(says(_called(model, pieces)))
        answer = ask(http, stream=True, model=model, tools=[{"name": "f", "input_schema": {"type": "object"}}])
        starts = [event for event in read_events(answer.content) if event["type"] == "content_block_start"]
        assert starts[-1]["content_block"]["input"] == {}, "arguments stand in deltas only"
        assert read_message(answer.content)["content"][-1]["input"] == said


@pytest.mark.parametrize("model", ["once", "gpt"])
def test_input_that_is_no_json_is_passed_as_sent(http: httpx.Client, vendor: Upstream, model: str) -> None:
    vendor.script(says(_called(model, ['{"a": tr', "ue, ]"])))
    answer = ask(http, stream=True, model=model, tools=[{"name": "f", "input_schema": {"type": "object"}}])
    deltas = [event["delta"] for event in read_events(answer.content) if event["type"] == "content_block_delta"]
    assert "".join(delta["partial_json"] for delta in deltas) == '{"a": true, ]'


def _called(model: str, pieces: list[str]) -> bytes:
    """Return the stream of a call whose arguments come in ``pieces``."""
    if model == "gpt":
        opening: Any = {"index": 0, "id": "t", "type": "function", "function": {"name": "f", "arguments": ""}}
        calls = [opening, *({"index": 0, "function": {"arguments": piece}} for piece in pieces)]
        head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        choices: list[Any] = [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None} for call in calls]
        choices.append({"index": 0, "delta": {}, "finish_reason": "tool_calls"})
        return b"".join(b"data: %b\n\n" % json.dumps({**head, "choices": [one]}).encode() for one in choices)
    use = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    events = wire.events(wire.message(use, stop_reason="tool_use"))
    delta = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    inside = [{"type": "content_block_delta", "index": 0, "delta": one} for one in delta]
    kept = [event for event in events if event["type"] != "content_block_delta"]
    return wire.sse([*kept[:2], *inside, *kept[2:]])


REASONS = (
    "end_turn",
    "max_tokens",
    "stop_sequence",
    "tool_use",
    "pause_turn",
    "refusal",
    "model_context_window_exceeded",
)


@BOTH
@pytest.mark.parametrize("reason", [*REASONS, "model_context_window_exceeded", "a_reason_of_next_year"])
def test_every_reason_for_an_end_passes(http: httpx.Client, vendor: Upstream, reason: str, stream: bool) -> None:
    said = wire.message(TEXT, stop_reason=reason)
    vendor.script(says(wire.sse(wire.events(said))) if stream else json_reply(said))
    answer = ask(http, stream=stream)
    told = read_events(answer.content)[-2]["delta"] if stream else answer.json()
    assert told["stop_reason"] == reason


# What was used.


@pytest.mark.parametrize(
    ("start", "end", "counted"),
    [
        ({"input_tokens": 10, "output_tokens": 1}, {"output_tokens": 7}, (10, 7, 0, 0, 0)),
        ({"input_tokens": 10, "output_tokens": 5}, {"input_tokens": 12, "output_tokens": 7}, (12, 7, 0, 0, 0)),
        ({"input_tokens": 1, "cache_read_input_tokens": 20}, {"output_tokens": 7}, (21, 7, 20, 0, 0)),
        ({"input_tokens": 1}, {"output_tokens": 7, "cache_read_input_tokens": 20}, (21, 7, 20, 0, 0)),
        (
            {
                "input_tokens": 1,
                "cache_creation_input_tokens": 30,
                "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
            },
            {"output_tokens": 7},
            (31, 7, 0, 30, 20),
        ),
    ],
    ids=["cumulative", "input again", "cache at the start", "cache at the end", "two lives of a cache"],
)
def test_later_counts_replace_earlier_ones_and_are_never_added(
    http: httpx.Client, vendor: Upstream, gateway: Gateway, start: Any, end: Any, counted: tuple[int, ...]
) -> None:
    events = wire.events(wire.message(TEXT))
    events[0]["message"]["usage"] = start
    events[-2]["usage"] = end
    vendor.script(says(wire.sse(events)))
    assert ask(http, stream=True).content == wire.sse(events)
    usage = last_record(gateway).usage
    assert (usage.input, usage.output, usage.cache_read, usage.cache_write, usage.cache_write_1h) == counted
    assert last_record(gateway).operation == "chat"


def test_the_end_of_a_stream_always_says_what_was_used(http: httpx.Client, vendor: Upstream) -> None:
    events = wire.events(wire.message(TEXT))
    without = [{name: value for name, value in event.items() if name != "usage"} for event in events]
    vendor.script(says(wire.sse(without)))
    # The official SDK breaks on an end without it; ``read_message`` is that SDK.
    assert read_message(ask(http, stream=True).content)["stop_reason"] == "end_turn"


def test_a_streamed_message_meets_the_guards_that_others_meet(
    http: httpx.Client, vendor: Upstream, gateway: Gateway
) -> None:
    words = "Where is the next station, please? I would like to take the train to the city tomorrow morning."
    for stream in (False, True):
        answer = ask(http, stream=stream, model="german", messages=[{"role": "user", "content": words}])
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "language_not_allowed")
        assert last_record(gateway).outcome != "ok"
    assert vendor.requests == []


# What goes up.


def test_marks_of_a_cache_stay_wherever_they_stand(http: httpx.Client, vendor: Upstream) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}, **MARK}
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}, **MARK}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{**TEXT, **MARK}], **MARK}
    use = {"type": "tool_use", "id": "t", "name": "f", "input": {}, **MARK}
    fields: dict[str, Any] = {
        "system": [{"type": "text", "text": "First."}, {"type": "text", "text": "Then.", **MARK}],
        "tools": [{"name": "f", "input_schema": {"type": "object"}, **MARK}],
        "messages": [
            {"role": "user", "content": [image, document, {**TEXT, **MARK}]},
            {"role": "assistant", "content": [use]},
            {"role": "user", "content": [result]},
        ],
        **MARK,
    }
    vendor.script(*[json_reply(wire.message(TEXT))] * 2)
    assert ask(http, **fields).status_code == 200
    sent = vendor.requests[-1].json()
    assert {name: sent[name] for name in fields} == fields
    # Also where a step of the line has changed the request.
    assert ask(http, model="prompted", **fields).status_code == 200
    changed = vendor.requests[-1].json()
    assert changed["system"][-2:] == fields["system"]
    assert {name: changed[name] for name in fields if name != "system"} == {
        name: value for name, value in fields.items() if name != "system"
    }


@pytest.mark.parametrize(
    "system", ["Be brief.", [{"type": "text", "text": "A"}, {"type": "text", "text": "B", **MARK}]]
)
def test_a_system_prompt_stays_a_string_or_a_list(http: httpx.Client, vendor: Upstream, system: Any) -> None:
    vendor.script(json_reply(wire.message(TEXT)))
    ask(http, system=system)
    assert vendor.requests[-1].json()["system"] == system


def test_versions_and_betas_go_up_as_they_came(http: httpx.Client, vendor: Upstream, gateway: Gateway) -> None:
    vendor.script(*[json_reply(wire.message(TEXT))] * 2)
    theirs = {"anthropic-version": "2024-01-01", "anthropic-beta": "a-2026-01-01,b-2026-02-02"}
    for key in ({"x-api-key": gateway.key}, {"authorization": f"Bearer {gateway.key}", "x-api-key": "sk-ant-other"}):
        ask(http, headers={**theirs, **key}, novel_beta_field={"x": 1.0})
        sent = vendor.requests[-1]
        assert {name: sent.header(name) for name in theirs} == theirs
        assert sent.json()["novel_beta_field"] == {"x": 1.0}
        assert sent.header("x-api-key") == "sk-ant-upstream-0123456789"
        assert sent.header("authorization") is None


@pytest.mark.parametrize("model", ["gpt", "next"])
def test_a_beta_and_its_fields_go_together_or_not_at_all(http: httpx.Client, vendor: Upstream, model: str) -> None:
    answer = responses_vendor.answer(responses_vendor.message(responses_vendor.part("Hi")))
    vendor.script(*[json_reply(completion() if model == "gpt" else answer)] * 2)
    fields = {"novel_beta_field": {"x": 1}, "top_k": 5, "context_management": {"edits": []}}
    assert ask(http, model=model, headers={"anthropic-beta": "novel-2026-01-01"}, **fields).status_code == 200
    sent = vendor.requests[-1]
    assert sent.header("anthropic-beta") is None
    assert sent.header("anthropic-version") is None
    assert "novel_beta_field" not in sent.json()
    assert "context_management" not in sent.json()
    assert sent.json()["top_k"] == 5
    # Without the header it is a field that the upstream may know.
    assert ask(http, model=model, **fields).status_code == 200
    assert vendor.requests[-1].json()["novel_beta_field"] == {"x": 1}


def test_the_beginning_of_an_answer_is_an_ability_that_a_model_may_lack(http: httpx.Client, vendor: Upstream) -> None:
    begun = [*HELLO, {"role": "assistant", "content": "{"}]
    vendor.script(*[json_reply(wire.message(TEXT))] * 2)
    assert ask(http, model="abilities", messages=begun).headers["x-mainstay-model"] == "haiku"
    assert vendor.requests[-1].json()["messages"] == begun
    assert ask(http, model="abilities").headers["x-mainstay-model"] == "newest"
    refused = ask(http, model="newest", messages=begun)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "messages[1]")
    assert len(vendor.requests) == 2


def test_turns_of_one_role_and_results_with_images_go_up_as_they_are(http: httpx.Client, vendor: Upstream) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
    pdf = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="}}
    use = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    failed = {"type": "tool_result", "tool_use_id": "t", "content": [TEXT, image], "is_error": True}
    messages = [
        *HELLO, *HELLO, {"role": "user", "content": [pdf]}, {"role": "assistant", "content": "Yes."},
        {"role": "assistant", "content": [use]}, {"role": "user", "content": [failed]},
    ]  # fmt: skip
    vendor.script(*[json_reply(wire.message(TEXT))] * 2)
    tools = [{"name": "f", "input_schema": {"type": "object"}}]
    for model in ("once", "prompted"):
        ask(http, model=model, messages=messages, tools=tools)
        assert vendor.requests[-1].json()["messages"] == messages


# Errors.


@pytest.mark.parametrize(
    "words",
    [
        "messages.1.content.0: Invalid `signature` in `thinking` block",
        "Expected `thinking` or `redacted_thinking`, but found `tool_use`.",
        "tools.0: Input tag 'web_search_20990101' found using 'type' does not match any of the expected tags",
        "prompt is too long: 212345 tokens > 200000 maximum",
    ],
)
@BOTH
def test_an_upstreams_words_stay_for_clients_that_match_on_them(
    http: httpx.Client, vendor: Upstream, words: str, stream: bool
) -> None:
    fault = {"type": "error", "error": {"type": "invalid_request_error", "message": words}, "request_id": "req_up"}
    vendor.script(json_reply(fault, 400))
    answer = ask(http, stream=stream)
    body = answer.json()
    assert (answer.status_code, body["type"], body["error"]["type"]) == (400, "error", "invalid_request_error")
    assert body["error"]["message"] == words
    assert body["request_id"] == answer.headers["request-id"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": [*HELLO, {"role": "user", "content": [TEXT, {"type": "novelty"}]}]}, "messages[1].content[1]"),
        ({"system": "x", "messages": [{"role": "user", "content": [{"type": "novelty"}]}]}, "messages[0].content[0]"),
        ({"system": [TEXT, {"type": "novelty"}]}, "system[1]"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
    ],
)
def test_a_fault_is_named_by_its_place_in_the_callers_request(
    http: httpx.Client, vendor: Upstream, fields: dict[str, Any], param: str
) -> None:
    for model in ("gpt", "next"):
        answer = ask(http, model=model, **fields)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert vendor.requests == []


# Claude Code.


def test_a_path_is_a_path_whatever_stands_behind_it(http: httpx.Client, vendor: Upstream) -> None:
    vendor.script(json_reply(wire.message(TEXT)))
    asked = {"model": "once", "max_tokens": 9, "messages": HELLO}
    assert http.post("/v1/messages?beta=true", json=asked).status_code == 200
    assert vendor.requests[-1].path == "/v1/messages"
    assert http.post("/v1/messages/count_tokens?beta=true", json={**asked, "model": "echo"}).json()["input_tokens"] > 0


def test_a_probe_of_the_vendors_own_is_refused_and_the_connection_stays(http: httpx.Client) -> None:
    answer = http.head("/api/hello")
    assert answer.status_code in (401, 404)
    assert answer.content == b""
    assert http.get("/health/live").status_code == 200


def test_the_models_come_at_once_and_without_a_redirect(http: httpx.Client) -> None:
    answer = http.get("/v1/models?limit=1000", follow_redirects=False)
    assert (answer.status_code, answer.json()["has_more"]) == (200, False)
    assert {"once", "haiku"} <= {model["id"] for model in answer.json()["data"]}


def test_the_session_of_an_agent_goes_to_no_upstream_and_is_nobodys_identity(
    http: httpx.Client, vendor: Upstream, gateway: Gateway
) -> None:
    vendor.script(json_reply(wire.message(TEXT)))
    session = {"x-claude-code-session-id": "0190-session", "x-claude-code-agent-id": "agent-7"}
    assert ask(http, headers=session).status_code == 200
    assert not [name for name, _ in vendor.requests[-1].headers if name.startswith("x-claude-code")]
    assert last_record(gateway).key == "test"
    with httpx.Client(base_url=gateway.url, headers=session) as stranger:
        assert ask(stranger).status_code == 401


def test_an_agents_request_runs_over_another_wire(gateway: Gateway, vendor: Upstream) -> None:
    vendor.forget()
    vendor.script(says(_interleaved()))
    tools: Any = [{"name": "f", "description": "d", "input_schema": {"type": "object"}, **MARK}]
    with (
        Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0) as sdk,
        sdk.beta.messages.stream(
            model="gpt",
            max_tokens=32000,
            betas=["claude-code-20250219", "interleaved-thinking-2025-05-14", "context-management-2025-06-27"],
            system=[{"type": "text", "text": "You are an agent.", "cache_control": {"type": "ephemeral"}}],
            messages=[{"role": "user", "content": [{"type": "text", "text": "Fix it.", **MARK}]}],  # type: ignore[list-item]  # a mark of ours
            tools=tools,
            thinking={"type": "enabled", "budget_tokens": 31999},
            metadata={"user_id": "user_" + "a" * 64 + "_account__session_0190"},
            context_management={"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        ) as events,
    ):
        message = events.get_final_message()
    assert isinstance(message, anthropic.types.beta.BetaMessage)
    assert [block.type for block in message.content].count("tool_use") == 2
    sent = vendor.requests[-1].json()
    assert sent["reasoning_effort"] == "high"
    assert not {"thinking", "context_management", "metadata", "system"} & sent.keys()
