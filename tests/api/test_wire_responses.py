"""The Responses wire over real sockets: what each side of the gateway sends, held to the protocol by its rules."""

import itertools
import json
from collections.abc import Iterator
from typing import Any, get_args

import httpx
import openai
import pytest
from openai import OpenAI
from openai.types.responses import ResponseStreamEvent

from mainstay.core.sse import SseDecoder
from support import responses_vendor as wire
from support.gateway import Gateway, completion, sse_chunks
from support.responses_wire import check_response, read_response, read_stream
from support.upstream import Chunk, Cut, End, Head, Step, Upstream, json_reply

HELLO: Any = [{"role": "user", "content": "Hello?"}]
FLAT: Any = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}
OTHER: Any = {**FLAT, "name": "g"}
CUSTOM: Any = {"type": "custom", "name": "patch", "format": {"type": "text"}}
SEARCH: Any = {"type": "web_search"}
NUMBERS = itertools.count()
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@pytest.fixture(scope="module")
def vendor() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, vendor: Upstream) -> Iterator[Gateway]:
    keyed = {"api_key": "sk-upstream-0123456789"}
    config: dict[str, Any] = {
        "providers": {
            "same": {"kind": "openai-responses", "base_url": f"{vendor.url}/v1", **keyed},
            "chat": {"kind": "openai", "base_url": f"{vendor.url}/v1", **keyed},
            "claude": {"kind": "anthropic", "base_url": vendor.url, **keyed},
            "echo": {"kind": "echo"},
        },
        "models": {
            "gpt-5": {"provider": "same"},
            "chat": {"provider": "chat"},
            "haiku": {"provider": "claude"},
            "blind": {"provider": "chat", "lacks": ["images"]},
            "echo": {"provider": "echo"},
        },
        "routes": {
            "same": {"targets": ["gpt-5"], "attempts": 1},
            "other": {"targets": ["chat"], "attempts": 1},
            "blinds": {"targets": ["blind"], "fallback": ["echo"], "attempts": 1},
        },
    }
    with Gateway(tmp_path_factory.mktemp("gateway"), config) as running:
        yield running


@pytest.fixture
def http(gateway: Gateway, vendor: Upstream) -> Iterator[httpx.Client]:
    vendor.forget()
    with httpx.Client(base_url=gateway.url, headers={"authorization": f"Bearer {gateway.key}"}) as client:
        yield client


@pytest.fixture
def client(gateway: Gateway, vendor: Upstream) -> Iterator[OpenAI]:
    vendor.forget()
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as sdk:
        yield sdk


def ask(http: httpx.Client, *, stream: bool = False, **fields: Any) -> httpx.Response:
    return http.post("/v1/responses", json={"model": "gpt-5", "input": "Hello?", "stream": stream, **fields})


def answer(*items: wire.Json, **fields: Any) -> wire.Json:
    return wire.answer(*items, **{"id": f"resp_{next(NUMBERS)}", **fields})


def steps(stream: bytes) -> list[Step]:
    return [Head(200), Chunk(stream), End()]


def script(vendor: Upstream, said: wire.Json, stream: bool) -> None:
    vendor.script(steps(wire.sse(wire.events(said))) if stream else json_reply(said))


def result(http: httpx.Client, stream: bool, **fields: Any) -> Any:
    """Return the response, or the error that came in its place."""
    found = ask(http, stream=stream, **fields)
    if not stream or found.status_code != 200:
        return found.json()
    return read_stream(found.content)[-1]["response"]


TALK = wire.message(wire.part("Hi"))


# Streams.


def test_a_stream_of_the_same_wire_passes_byte_for_byte(http: httpx.Client, vendor: Upstream) -> None:
    said = answer(wire.reasoning("Hm"), TALK, wire.call("f", '{"a": 1.0}', "call_1"), novelty={"x": 1.0})
    stream = wire.sse(wire.events(said, list))
    vendor.script(steps(stream))
    assert ask(http, stream=True, tools=[FLAT]).content == stream


def test_events_and_items_of_every_kind_pass(http: httpx.Client, vendor: Upstream) -> None:
    """All kinds that the official SDK knows but those that begin and end a stream, and some that nobody knows."""
    kinds = [get_args(one.model_fields["type"].annotation)[0] for one in get_args(get_args(ResponseStreamEvent)[0])]
    assert len(kinds) > 50
    ends = ("response.created", "response.completed", "response.failed", "response.incomplete", "error")
    items = ("response.output_item", "response.content_part", "response.function_call_arguments")
    kept = [kind for kind in kinds if kind not in ends and not kind.startswith(items)]
    odd = {"type": "novelty_call", "id": "nv_1", "status": "completed", "x": {"y": [1.0, None]}}
    said = answer(odd, TALK)
    head, *rest = wire.events(said)
    between = [{"type": kind, "novelty": 1.0} for kind in [*kept, "response.novelty.delta", "novelty"]]
    between = [{**one, "response": said} if one["type"] == "response.in_progress" else one for one in between]
    events = [{**one, "sequence_number": number} for number, one in enumerate([head, *between, *rest])]
    vendor.script(steps(wire.sse(events)))
    assert ask(http, stream=True).content == wire.sse(events)
    vendor.script(json_reply(said))
    assert ask(http).json() == said


def test_numbers_rise_by_one_over_what_the_gateway_adds_and_leaves_out(http: httpx.Client, vendor: Upstream) -> None:
    said = answer(TALK)
    events = wire.events(said, list)
    # An upstream that numbers from one, and not every event.
    odd = [{**one, "sequence_number": one["sequence_number"] * 2 + 1} for one in events]
    vendor.script(steps(wire.sse(odd)), steps(wire.sse(odd) + b"data: [DONE]\n\n"))
    for _ in range(2):
        assert read_response(ask(http, stream=True).content)["output"] == [TALK]
    vendor.script([Head(200), Chunk(wire.sse(odd[:6])), Cut()])
    broken = read_stream(ask(http, stream=True, model="same").content)
    assert [event["type"] for event in broken[-2:]] == ["error", "response.failed"]


@pytest.mark.parametrize("model", ["gpt-5", "chat", "haiku", "echo"])
def test_a_stream_opens_fills_closes_and_repeats_whatever_the_model_speaks(
    http: httpx.Client, vendor: Upstream, model: str
) -> None:
    """``read_response`` holds a stream to the protocol level by level, and lets the official SDK follow it."""
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    if model == "gpt-5":
        vendor.script(steps(wire.sse(wire.events(answer(TALK, wire.call("f", '{"a": 1}', "call_1")), list))))
    elif model == "chat":
        words = sse_chunks("Hé", " \U0001f600", finish=None, usage=False, done=False)
        head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        choices: list[Any] = [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}]
        choices.append({"index": 0, "delta": {}, "finish_reason": "tool_calls"})
        tail = [b"data: %b\n\n" % json.dumps({**head, "choices": [choice]}).encode() for choice in choices]
        vendor.script(steps(b"".join([*words, *tail, b"data: [DONE]\n\n"])))
    elif model == "haiku":
        from support import messages_wire as claude

        use = {"type": "tool_use", "id": "call_1", "name": "f", "input": {"a": 1}}
        said = claude.message({"type": "thinking", "thinking": "Hm", "signature": "s"}, use, stop_reason="tool_use")
        vendor.script(steps(claude.sse(claude.events(said, list))))
    tools = {} if model == "echo" else {"tools": [FLAT]}
    found = ask(http, stream=True, model=model, **tools)
    response = read_response(found.content)
    assert response["usage"]["total_tokens"] == response["usage"]["input_tokens"] + response["usage"]["output_tokens"]
    assert b"[DONE]" not in found.content
    if model != "echo":
        item = next(item for item in response["output"] if item["type"] == "function_call")
        assert (item["call_id"], item["name"], json.loads(item["arguments"])) == ("call_1", "f", {"a": 1})
        assert item["id"] != item["call_id"]


@pytest.mark.parametrize(
    "tail",
    [b"", b"data: [DONE]\n\n", b"data:[DONE]\n\ndata: [DONE]\n\n"],
    ids=["without done", "with done", "with two"],
)
@pytest.mark.parametrize("last", ["response.completed", "response.done"])
def test_an_upstream_may_end_its_stream_in_every_way(
    http: httpx.Client, vendor: Upstream, last: str, tail: bytes
) -> None:
    events = wire.events(answer(TALK))
    events[-1]["type"] = last
    vendor.script(steps(wire.sse(events) + tail))
    found = ask(http, stream=True).content
    assert read_response(found)["status"] == "completed"
    assert b"[DONE]" not in found


@BOTH
@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter", "a_reason_of_next_year"])
def test_an_answer_that_was_cut_stays_incomplete(
    http: httpx.Client, vendor: Upstream, reason: str, stream: bool
) -> None:
    script(vendor, answer(TALK, status="incomplete", incomplete_details={"reason": reason}), stream)
    found = ask(http, stream=stream)
    # The last event by hand: the SDK's types do not know the reasons of next year.
    response = json.loads(SseDecoder().feed(found.content)[-1].data)["response"] if stream else found.json()
    assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": reason})


@BOTH
@pytest.mark.parametrize(("theirs", "ours"), [("length", "max_output_tokens"), ("content_filter", "content_filter")])
def test_a_chats_cut_is_an_incomplete_response(
    http: httpx.Client, vendor: Upstream, theirs: str, ours: str, stream: bool
) -> None:
    whole = completion("Hal")
    whole["choices"][0]["finish_reason"] = theirs
    vendor.script(steps(b"".join(sse_chunks("Hal", finish=theirs))) if stream else json_reply(whole))
    found = result(http, stream, model="other")
    check_response(found)
    assert (found["status"], found["incomplete_details"]) == ("incomplete", {"reason": ours})


@pytest.mark.parametrize("model", ["same", "other"])
def test_a_break_is_an_error_without_levels_and_then_a_failed_response(
    http: httpx.Client, client: OpenAI, vendor: Upstream, model: str
) -> None:
    if model == "same":
        broken: list[Step] = [Head(200), Chunk(wire.sse(wire.events(answer(TALK))[:6])), Cut()]
    else:
        broken = [Head(200), *map(Chunk, sse_chunks("Hi", finish=None, usage=False, done=False)), Cut()]
    vendor.script(broken, broken)
    events = read_stream(ask(http, stream=True, model=model).content)
    told, failed = events[-2:]
    assert set(told) == {"type", "code", "message", "param", "sequence_number"}
    assert (told["type"], told["code"]) == ("error", "upstream_interrupted")
    assert (failed["type"], failed["response"]["status"]) == ("response.failed", "failed")
    assert failed["response"]["error"]["message"] == told["message"]
    kinds = [event.type for event in client.responses.create(model=model, input="Hello?", stream=True)]
    assert kinds[-1] == "response.failed", "the SDK yields the flat form and does not raise"


def test_a_response_that_failed_upstream_is_a_failed_one_here(http: httpx.Client, vendor: Upstream) -> None:
    said = answer(TALK, status="failed", error={"code": "server_error", "message": "It broke."})
    events = wire.events({**said, "error": None})
    events[-1]["response"] = said
    vendor.script(steps(wire.sse(events)))
    assert [event["type"] for event in read_stream(ask(http, stream=True, model="same").content)[-2:]] == [
        "error",
        "response.failed",
    ]


# What may be called.


def _calls(name: str) -> wire.Json:
    if name == "patch":
        item = {"id": "ctc_1", "type": "custom_tool_call", "status": "completed", "call_id": "call_1", "name": "patch"}
        return {**item, "input": "x"}
    if name == "search":
        return {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search"}}
    return wire.call(name, "{}", "call_1")


ALLOWED: dict[str, Any] = {
    "f": {"type": "function", "name": "f"},
    "patch": {"type": "custom", "name": "patch"},
    "search": {"type": "web_search"},
}


@BOTH
@pytest.mark.parametrize("allowed", ALLOWED)
@pytest.mark.parametrize("called", [*ALLOWED, "g"])
def test_only_an_allowed_tool_is_called_whatever_its_kind(
    http: httpx.Client, vendor: Upstream, called: str, allowed: str, stream: bool
) -> None:
    script(vendor, answer(_calls(called)), stream)
    choice = {"type": "allowed_tools", "mode": "auto", "tools": [ALLOWED[allowed]]}
    asked = {"tools": [FLAT, OTHER, CUSTOM, SEARCH], "tool_choice": choice, "model": "same"}
    found = result(http, stream, **asked)
    assert vendor.requests[-1].json()["tool_choice"] == choice, "the upstream is told as well"
    if called == allowed:
        assert found["output"] == [_calls(called)]
    else:
        assert "tool_choice" in found["error"]["message"]
        assert found.get("status") == ("failed" if stream else None)


def test_no_other_tool_is_offered_to_a_model_of_another_wire(http: httpx.Client, vendor: Upstream) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "g", "arguments": "{}"}}
    said = completion()
    said["choices"][0]["message"] = {"role": "assistant", "content": None, "tool_calls": [call]}
    vendor.script(json_reply(said))
    choice = {"type": "allowed_tools", "mode": "required", "tools": [ALLOWED["f"]]}
    found = ask(http, model="other", tools=[FLAT, OTHER], tool_choice=choice)
    assert [tool["function"]["name"] for tool in vendor.requests[-1].json()["tools"]] == ["f"]
    assert vendor.requests[-1].json()["tool_choice"] == "required"
    assert (found.status_code, found.json()["error"]["code"]) == (502, "upstream_broken")


# What is asked.


@pytest.mark.parametrize("given", ["Hello?", HELLO, [{"type": "message", **HELLO[0]}]], ids=["text", "short", "item"])
def test_an_input_is_a_text_or_a_list(http: httpx.Client, vendor: Upstream, given: Any) -> None:
    script(vendor, answer(TALK), stream=False)
    assert ask(http, input=given, instructions="Be brief.").status_code == 200
    sent = vendor.requests[-1].json()
    assert (sent["input"], sent["instructions"]) == (given, "Be brief.")
    vendor.script(json_reply(completion()))
    assert ask(http, input=given, instructions="Be brief.", model="other").status_code == 200
    assert vendor.requests[-1].json()["messages"] == [{"role": "system", "content": "Be brief."}, *HELLO]


def test_what_is_continued_is_put_in_its_place(http: httpx.Client, client: OpenAI, vendor: Upstream) -> None:
    script(vendor, answer(TALK), stream=False)
    first = ask(http, input=HELLO).json()
    for model in ("gpt-5", "other"):
        said = json_reply(answer(TALK)) if model == "gpt-5" else json_reply(completion())
        vendor.script(said)
        second = ask(http, model=model, input="More?", previous_response_id=first["id"]).json()
        assert second["previous_response_id"] == first["id"]
        sent = vendor.requests[-1].json()
        assert "previous_response_id" not in sent
        turns = sent["input" if model == "gpt-5" else "messages"]
        assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    client.responses.delete(first["id"])
    for lost in (first["id"], "resp_of_somebody_else", second["id"]):
        with pytest.raises(openai.NotFoundError) as caught:
            client.responses.create(model="gpt-5", input="x", previous_response_id=lost)
        assert (caught.value.param, caught.value.code) == ("previous_response_id", "response_not_found")


@pytest.mark.parametrize("fields", [{"background": True}, {"conversation": "conv_1"}])
def test_what_is_not_done_here_is_refused_before_anything_is_asked(
    http: httpx.Client, vendor: Upstream, fields: dict[str, Any]
) -> None:
    found = ask(http, **fields)
    assert (found.status_code, found.json()["error"]["param"]) == (400, next(iter(fields)))
    assert http.post("/v1/responses/resp_1/cancel").status_code == 400
    assert vendor.requests == []


@BOTH
def test_what_must_not_be_stored_is_kept_nowhere(http: httpx.Client, vendor: Upstream, stream: bool) -> None:
    said = answer(TALK)
    script(vendor, said, stream)
    assert result(http, stream, store=False)["id"] == said["id"]
    assert vendor.requests[-1].json()["store"] is False
    assert http.get(f"/v1/responses/{said['id']}").status_code == 404


# What is named when it is refused.


@pytest.mark.parametrize("model", ["other", "haiku"])
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": [*HELLO, {"role": "user", "content": [{"type": "novelty"}]}]}, "input[1].content[0]"),
        ({"input": [*HELLO, {"type": "novelty_call", "id": "x"}], "instructions": "x"}, "input[1]"),
        ({"input": [{"role": "nobody", "content": "x"}]}, "input[0].role"),
        ({"tools": [{"type": "novelty"}], "tool_choice": "required"}, "tools[0]"),
    ],
)
def test_a_fault_is_named_by_its_place_in_the_callers_request(
    http: httpx.Client, vendor: Upstream, fields: dict[str, Any], param: str, model: str
) -> None:
    found = ask(http, model=model, **fields)
    if (model, param) == ("haiku", "tools[0]"):
        # What type of tool there is on its own wire is for the vendor to say.
        assert vendor.requests
        return
    assert (found.status_code, found.json()["error"]["param"]) == (400, param)
    assert vendor.requests == []


@BOTH
def test_what_a_model_lacks_is_named_on_routes_of_one_model_and_of_several(http: httpx.Client, stream: bool) -> None:
    image = {"type": "input_image", "image_url": "https://example.org/a.png"}
    asked = {"input": [*HELLO, {"role": "user", "content": [image]}]}
    for model in ("blind", "blinds"):
        found = ask(http, model=model, stream=stream, **asked)
        assert (found.status_code, found.json()["error"]["param"]) == (400, "input[1].content[0]")


def test_an_upstreams_words_for_a_field_become_the_callers(http: httpx.Client, vendor: Upstream) -> None:
    theirs = "messages[0].content"
    fault = {"message": f"Invalid '{theirs}'.", "type": "invalid_request_error", "param": theirs}
    vendor.script(json_reply({"error": {**fault, "code": None}}, 400))
    error = ask(http, model="other").json()["error"]
    assert (error["param"], error["message"]) == ("input", "Invalid 'input'.")
    vendor.script(json_reply({"error": {**fault, "param": "input[0].content", "code": None}}, 400))
    asked = {"model": "same", "messages": HELLO}
    assert http.post("/v1/chat/completions", json=asked).json()["error"]["param"] == "messages"


def test_nothing_of_a_stream_is_more_than_one_event(http: httpx.Client, vendor: Upstream) -> None:
    """Events that came apart, or over several lines, are the same events to the caller."""
    stream = wire.sse(wire.events(answer(TALK)))
    spread = stream.replace(b'{"type"', b'{\ndata: "type"')
    vendor.script([Head(200), *[Chunk(spread[i : i + 7]) for i in range(0, len(spread), 7)], End()])
    found = ask(http, stream=True).content
    ours, theirs = (SseDecoder().feed(one) for one in (found, stream))
    assert [(event.name, json.loads(event.data)) for event in ours] == [
        (event.name, json.loads(event.data)) for event in theirs
    ]
