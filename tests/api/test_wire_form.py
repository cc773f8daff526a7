"""Structured output case by case, through a running gateway: every keyword, every dialect, whole and streamed."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support import messages_wire as wire
from support.callers import CALLERS
from support.gateway import Gateway, completion, sse_chunks
from support.schemas import KEYWORDS, STRANGE
from support.upstream import Chunk, Head, Step, Upstream, json_reply

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "multipleOf": 3}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
GOOD, BAD = '{"name": "Ada", "age": 36}', '{"name": "Zebedee", "age": 37}'
Json = dict[str, Any]
#: A form of a route's own, an answer that has not got it, one that has it in other clothes, and what is handed on.
KINDS: list[tuple[Json, str, str, str]] = [
    ({"kind": "enum", "values": ["glad", "sad"]}, "Both, I think.", "**Glad.**", "glad"),
    ({"kind": "regex", "pattern": r"[A-Z]{2}\d{3}"}, "AB12", "`AB123`", "AB123"),
    ({"kind": "number", "minimum": 0, "maximum": 10}, "eleven", "**7.5**", "7.5"),
    ({"kind": "list", "least": 2, "most": 3, "unique": True}, "- a\n- a", "1. a\n2. b", "a\nb"),
    ({"kind": "xml", "tags": ["answer"]}, "<answer>4", "So: <answer>4</answer>", "<answer>4</answer>"),
    ({"kind": "json", "json_schema": SCHEMA}, BAD, f"```\n{GOOD}\n```", GOOD),
]
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
DIALECTS = pytest.mark.parametrize("dialect", ["chat", "messages", "responses"])


@pytest.fixture(scope="module")
def vendor() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, vendor: Upstream) -> Iterator[Gateway]:
    names = ("able", "plain", "again", "held", "tools", "claude", "lenient", "kinds")
    once = {"reasks": 0}
    config: Json = {
        "providers": {
            "open": {"kind": "openai", "base_url": f"{vendor.url}/v1"},
            "claude": {"kind": "anthropic", "base_url": vendor.url, "api_key": "${UPSTREAM_KEY}"},
        },
        # A row for each kind of trouble: what one test does to a model's standing is no other's.
        "models": {
            **{f"m-{name}": {"provider": "open"} for name in names},
            "m-plain": {"provider": "open", "lacks": ["schema", "json"]},
            "m-claude": {"provider": "claude"},
        },
        "routes": {
            "able": {"targets": ["m-able"], "form": once, "attempts": 1},
            "plain": {"targets": ["m-plain"], "form": once, "attempts": 1},
            "again": {"targets": ["m-again"], "attempts": 2},
            "held": {"targets": ["m-held"], "form": {"stream": "hold"}, "attempts": 2},
            "tools": {"targets": ["m-tools"], "attempts": 2},
            "claude": {"targets": ["m-claude"], "attempts": 2},
            "lenient": {"targets": ["m-lenient"], "attempts": 2},
            **{
                f"kind-{kind['kind']}": {
                    "targets": ["m-kinds"],
                    "attempts": 2,
                    "form": {"output": kind, "stream": "hold"},
                }
                for kind, _, _, _ in KINDS
            },
        },
    }
    home = tmp_path_factory.mktemp("form")
    with Gateway(home, config, env={"UPSTREAM_KEY": "sk-ant-0123456789"}) as running:
        yield running


@pytest.fixture
def client(gateway: Gateway, vendor: Upstream) -> Iterator[httpx.Client]:
    vendor.forget()
    headers = {"authorization": f"Bearer {gateway.key}"}
    with httpx.Client(base_url=gateway.url, headers=headers, timeout=60) as http:
        yield http


def asked(
    dialect: str, model: str, schema: Any, *, stream: bool = False, strict: bool | None = True
) -> tuple[str, Json]:
    """Return the path and the body that ask for ``schema`` in a caller's dialect."""
    said = [{"role": "user", "content": "How old is Ada?"}]
    strictly = {} if strict is None else {"strict": strict}
    if dialect == "messages":
        form: Json = {"format": {"type": "json_schema", "schema": schema}}
        return "/v1/messages", {
            "model": model, "max_tokens": 100, "messages": said, "output_config": form, "stream": stream,
        }  # fmt: skip
    if dialect == "responses":
        text = {"format": {"type": "json_schema", "name": "x", "schema": schema, **strictly}}
        return "/v1/responses", {"model": model, "input": "How old is Ada?", "text": text, "stream": stream}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, **strictly}}
    return "/v1/chat/completions", {"model": model, "messages": said, "response_format": form, "stream": stream}


def script(vendor: Upstream, text: str, *, stream: bool, finish: str = "stop") -> None:
    """Have the upstream say ``text``, in three pieces where it streams."""
    if stream:
        third = len(text) // 3
        pieces = [piece for piece in (text[:third], text[third : 2 * third], text[2 * third :]) if piece]
        vendor.script([Head(200), *(Chunk(event) for event in sse_chunks(*pieces, finish=finish))])
    else:
        body = completion(text)
        body["choices"][0]["finish_reason"] = finish
        vendor.script(json_reply(body))


def sent(vendor: Upstream, number: int) -> Any:
    return json.loads(vendor.requests[number].body)


@pytest.mark.parametrize("model", ["able", "plain"])
@BOTH
def test_no_keyword_fails_open_whole_or_streamed_in_a_mode_or_in_words(
    client: httpx.Client, vendor: Upstream, model: str, stream: bool
) -> None:
    open_ones, shut_ones = [], []
    for keyword, (schema, good, bad) in KEYWORDS.items():
        for value, fits in ((good, True), (bad, False)):
            script(vendor, json.dumps(value), stream=stream)
            path, body = asked("chat", model, schema, stream=stream)
            answer = client.post(path, json=body)
            passed = answer.status_code == 200 and (not stream or answer.text.rstrip().endswith("data: [DONE]"))
            if passed and not fits:
                open_ones.append(keyword)
            elif not passed and fits:
                shut_ones.append((keyword, answer.text))
            if not fits:
                assert "output_invalid" in answer.text, keyword
    assert not open_ones
    assert not shut_ones


@DIALECTS
def test_a_schema_that_holds_nothing_is_the_callers_error_in_every_dialect(
    client: httpx.Client, vendor: Upstream, dialect: str
) -> None:
    for schema in STRANGE.values():
        path, body = asked(dialect, "able", schema)
        answer = client.post(path, json=body)
        assert answer.status_code == 400
        assert "The schema cannot be used" in answer.json()["error"]["message"]
    assert not vendor.requests


@DIALECTS
@BOTH
def test_what_does_not_fit_is_an_error_of_the_dialect_and_no_clean_end(
    client: httpx.Client, vendor: Upstream, dialect: str, stream: bool
) -> None:
    script(vendor, BAD, stream=stream)
    path, body = asked(dialect, "able", SCHEMA, stream=stream)
    answer = client.post(path, json=body)
    if not stream:
        assert answer.status_code == 502
        assert answer.json()["error"]["code"] == "output_invalid"
        assert answer.json()["error"]["best_attempt"] == BAD
        return
    code = CALLERS[dialect].error(answer.content)
    assert code in ("output_invalid", "api_error", "server_error")
    for clean in ("[DONE]", "message_stop", "response.completed"):
        assert clean not in answer.text


@pytest.mark.parametrize(("form", "wrong", "dressed", "said"), KINDS, ids=[kind["kind"] for kind, *_ in KINDS])
@pytest.mark.parametrize("dialect", ["chat", "messages", "responses", "completions"])
@BOTH
def test_a_routes_own_form_is_held_for_callers_of_every_dialect(
    client: httpx.Client, vendor: Upstream, form: Json, wrong: str, dialect: str, dressed: str, said: str, stream: bool
) -> None:
    for text in (wrong, dressed):
        script(vendor, text, stream=stream)
    caller = CALLERS[dialect]
    body = {**caller.question, "model": f"kind-{form['kind']}", **({"stream": True} if stream else {})}
    body |= caller.streaming if stream else {}
    paths = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}
    answer = client.post(paths.get(dialect, "/v1/completions"), json=body)
    assert answer.status_code == 200, answer.text
    assert len(vendor.requests) == 2
    assert (caller.stream if stream else caller.whole)(answer.content).text == said


@DIALECTS
def test_a_held_stream_shows_the_good_answer_only_in_every_dialect(
    client: httpx.Client, vendor: Upstream, dialect: str
) -> None:
    script(vendor, BAD, stream=True)
    script(vendor, GOOD, stream=True)
    path, body = asked(dialect, "held", SCHEMA, stream=True)
    body |= {"stream_options": {"include_usage": True}} if dialect == "chat" else {}
    answer = client.post(path, json=body)
    assert CALLERS[dialect].stream(answer.content).text == GOOD
    assert "Zebedee" not in answer.text


@pytest.mark.parametrize("text", ["", "  \n", "```json\n```", "```"], ids=["nothing", "space", "empty fence", "fence"])
@BOTH
def test_an_empty_answer_is_asked_for_again_and_never_a_success(
    client: httpx.Client, vendor: Upstream, gateway: Gateway, text: str, stream: bool
) -> None:
    model = "held" if stream else "again"
    script(vendor, text, stream=stream)
    script(vendor, GOOD, stream=stream)
    path, body = asked("chat", model, SCHEMA, stream=stream)
    answer = client.post(path, json=body)
    assert answer.status_code == 200
    assert [attempt.cause for attempt in gateway.journal()[-1].attempts] == ["first", "reask"]
    path, body = asked("chat", "able", SCHEMA, stream=stream)
    script(vendor, text, stream=stream)
    assert "output_invalid" in client.post(path, json=body).text


@pytest.mark.parametrize(
    "text", [f"Here it is:\n\n{GOOD}", f"{GOOD}\n\nAnything else?", f"So: ```json\n{GOOD}\n``` ok?"]
)
def test_prose_before_and_after_is_taken_off(client: httpx.Client, vendor: Upstream, text: str) -> None:
    script(vendor, text, stream=False)
    path, body = asked("chat", "able", SCHEMA)
    assert client.post(path, json=body).json()["choices"][0]["message"]["content"] == GOOD


@pytest.mark.parametrize("model", ["able", "plain", "held"])
@BOTH
def test_a_document_cut_at_any_place_is_never_closed_for_the_model(
    client: httpx.Client, vendor: Upstream, model: str, stream: bool
) -> None:
    schema = {"type": "object", "additionalProperties": {"type": "array", "items": {"type": ["integer", "string"]}}}
    whole = '{"a": [1, 2], "b": ["x, y"], "c": [345]}'
    for end in range(0, len(whole), 5):
        script(vendor, whole[:end], stream=stream, finish="length")
        script(vendor, whole[:end], stream=stream, finish="length")
        path, body = asked("chat", model, schema, stream=stream)
        assert "output_invalid" in client.post(path, json=body).text, whole[:end]
        vendor.forget()


@BOTH
def test_a_refusal_is_handed_on_as_one(client: httpx.Client, vendor: Upstream, gateway: Gateway, stream: bool) -> None:
    words = "I would rather not."
    if stream:
        said = [event.replace(b'{"content": "x"}', b'{"refusal": "%s"}' % words.encode()) for event in sse_chunks("x")]
        vendor.script([Head(200), *(Chunk(event) for event in said)])
    else:
        body = completion("")
        body["choices"][0]["message"] |= {"content": None, "refusal": words}
        vendor.script(json_reply(body))
    path, asking = asked("chat", "able", SCHEMA, stream=stream)
    answer = client.post(path, json=asking)
    assert answer.status_code == 200
    assert words in answer.text
    assert "output_invalid" not in answer.text
    assert gateway.journal()[-1].outcome == "ok"


def test_refusal_schema_and_upstream_are_three_different_errors(client: httpx.Client, vendor: Upstream) -> None:
    path, body = asked("chat", "able", {"type": "objct"})
    ours = client.post(path, json=body)
    assert (ours.status_code, ours.json()["error"]["code"]) == (400, "invalid_request")
    assert ours.json()["error"]["param"] == "response_format.json_schema.schema"
    # The upstream refuses something that asking in words does not change.
    path, body = asked("chat", "able", SCHEMA)
    refusal = {"error": {"message": "Invalid value for 'top_p'.", "type": "invalid_request_error", "param": "top_p"}}
    vendor.script(json_reply(refusal, 400))
    theirs = client.post(path, json=body)
    assert (theirs.status_code, theirs.json()["error"]["code"]) == (400, "upstream_refused")
    assert "top_p" in theirs.json()["error"]["message"]
    script(vendor, BAD, stream=False)
    models = client.post(path, json=body)
    assert (models.status_code, models.json()["error"]["code"]) == (502, "output_invalid")


def test_a_stream_that_goes_on_after_its_end_is_no_success(client: httpx.Client, vendor: Upstream) -> None:
    tool = {"type": "function", "function": {"name": "look_up", "strict": True, "parameters": SCHEMA}}
    late = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": BAD}}
    chunk: Json = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini"}
    chunk["choices"] = [{"index": 0, "delta": {"tool_calls": [late]}, "finish_reason": None}]
    events = sse_chunks("Hi", usage=False)
    events.insert(-1, b"data: " + json.dumps(chunk).encode() + b"\n\n")
    vendor.script([Head(200), *(Chunk(event) for event in events)])
    path, body = asked("chat", "able", SCHEMA, stream=True)
    del body["response_format"]
    answer = client.post(path, json={**body, "tools": [tool]})
    assert "[DONE]" not in answer.text
    assert "Zebedee" not in answer.text


def test_a_choice_of_several_that_never_ends_is_no_success(client: httpx.Client, vendor: Upstream) -> None:
    first, second = sse_chunks(GOOD), sse_chunks(BAD, finish=None, usage=False, done=False)
    other = [event.replace(b'"index": 0', b'"index": 1') for event in second]
    vendor.script([Head(200), *(Chunk(event) for event in (*first[:-2], *other, *first[-2:]))])
    path, body = asked("chat", "able", SCHEMA, stream=True)
    assert "[DONE]" not in client.post(path, json={**body, "n": 2}).text


def test_where_the_next_answer_fails_the_first_ones_fault_is_told(
    client: httpx.Client, vendor: Upstream, gateway: Gateway
) -> None:
    script(vendor, BAD, stream=False)
    vendor.script(json_reply({"error": {"message": "Slow down."}}, 429))
    path, body = asked("chat", "again", SCHEMA)
    answer = client.post(path, json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "output_invalid")
    assert answer.json()["error"]["best_attempt"] == BAD
    record = gateway.journal()[-1]
    assert [(one.cause, one.outcome) for one in record.attempts] == [
        ("first", "ok"),
        ("reask", "upstream_rate_limited"),
    ]
    assert record.usage is not None
    assert record.usage.input == 9


def test_where_the_next_answer_fails_a_best_effort_is_still_handed_on(client: httpx.Client, vendor: Upstream) -> None:
    script(vendor, BAD, stream=False)
    vendor.script(json_reply({"error": {"message": "It broke."}}, 500))
    path, body = asked("chat", "lenient", SCHEMA, strict=None)
    answer = client.post(path, json=body)
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"] == BAD
    assert answer.headers["x-mainstay-model"] == "m-lenient"
    assert answer.headers["x-mainstay-attempts"] == "2"


def test_arguments_that_are_no_json_are_asked_for_again_on_a_wire_that_takes_objects_only(
    client: httpx.Client, vendor: Upstream
) -> None:
    thought = {"type": "thinking", "thinking": "Look it up.", "signature": "c2ln"}
    call = {"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {}}
    first = wire.events(wire.message(thought, call, stop_reason="tool_use"))
    broken = {"type": "input_json_delta", "partial_json": '{"name": "Ada", "age"'}
    first.insert(-3, {"type": "content_block_delta", "index": 1, "delta": broken})
    good = {**call, "id": "toolu_2", "input": json.loads(GOOD)}
    second = wire.events(wire.message(good, stop_reason="tool_use"))
    steps: list[list[Step]] = [[Head(200), Chunk(wire.sse(events))] for events in (first, second)]
    vendor.script(*steps)
    body: Json = {
        "model": "claude",
        "max_tokens": 2000,
        "messages": [{"role": "user", "content": "How old is Ada?"}],
        "tools": [{"name": "look_up", "strict": True, "input_schema": SCHEMA}],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    }
    answer = client.post("/v1/messages", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["content"][-1]["input"] == json.loads(GOOD)
    _, said, told = sent(vendor, 1)["messages"]
    # Its reasoning comes first, sealed as it was: without it the wire takes no turn of calls back.
    assert said["content"][0] == thought
    assert (said["content"][1]["type"], said["content"][1]["input"]) == ("tool_use", {})
    assert '{"name": "Ada", "age"' in json.dumps(told["content"][0]["content"]).replace('\\"', '"')
    assert told["content"][0]["is_error"] is True


def test_each_answer_that_was_asked_for_again_is_counted_and_paid_for(
    client: httpx.Client, vendor: Upstream, gateway: Gateway
) -> None:
    def count() -> float:
        lines = gateway.get("/metrics").decode().splitlines()
        ours = [line for line in lines if line.startswith("mainstay_attempts_total{") and 'cause="reask"' in line]
        return sum(float(line.split()[-1]) for line in ours)

    before = count()
    script(vendor, BAD, stream=False)
    script(vendor, GOOD, stream=False)
    path, body = asked("chat", "again", SCHEMA)
    usage = client.post(path, json=body).json()["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (18, 6)
    assert count() == before + 1
