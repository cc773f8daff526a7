"""Tools run for a model: official SDKs in front of a gateway, an official tool server beside it, a scripted model."""

import json
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from anthropic import Anthropic
from openai import OpenAI

from support import messages_wire as wire
from support.gateway import Gateway, completion
from support.tool_server import ToolServer
from support.upstream import Chunk, Cut, Head, Received, Reply, Silence, Upstream, Wait, json_reply

ASK: list[Any] = [{"role": "user", "content": "How is the weather in Köln?"}]
WEATHER = "tools__weather"
MINE: Any = {"name": "send_mail", "parameters": {"type": "object", "properties": {"text": {"type": "string"}}}}
FUNCTION: Any = {"type": "function", "function": MINE}
CLAUDES: Any = {"name": "send_mail", "input_schema": MINE["parameters"]}
PROGRAM = Path(__file__).parents[1] / "support" / "tool_program.py"
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
Call = tuple[str, str, str]


class Model:
    """Says the next of its turns, in the form that it is asked in."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.turns: list[Any] = []
        upstream.handler = self._answer

    def will(self, *turns: Any) -> None:
        """Say these: a text, or a text and calls (id, name, arguments), or steps of one's own."""
        self.upstream.forget()
        self.turns = list(turns)

    def heard(self, number: int = -1) -> Any:
        """Return the body of a request."""
        return self.upstream.requests[number].json()

    def _answer(self, request: Received) -> Any:
        turn = self.turns.pop(0)
        text, calls = (turn, []) if isinstance(turn, str) else turn if isinstance(turn, tuple) else (None, None)
        if text is None:
            return turn
        stream = request.json().get("stream")
        if request.path.endswith("/messages"):
            return self._claude(text, calls, stream)
        return self._chunks(text, calls) if stream else json_reply(self._completion(text, calls))

    def _claude(self, text: str, calls: list[Call], stream: bool) -> Any:
        blocks: list[Any] = [{"type": "text", "text": text}] if text else []
        blocks += [{"type": "tool_use", "id": i, "name": n, "input": json.loads(a)} for i, n, a in calls]
        said = wire.message(*blocks, stop_reason="tool_use" if calls else "end_turn")
        if not stream:
            return json_reply(said)
        return [Head(200), *(Chunk(wire.sse([event])) for event in wire.events(said, list))]

    def _completion(self, text: str, calls: list[Call]) -> dict[str, Any]:
        said = completion(text)
        if calls:
            tools = [{"id": i, "type": "function", "function": {"name": n, "arguments": a}} for i, n, a in calls]
            said["choices"][0]["message"] |= {"content": text or None, "tool_calls": tools}
            said["choices"][0]["finish_reason"] = "tool_calls"
        return said

    def _chunks(self, text: str, calls: list[Call]) -> Any:
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini"}
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        deltas += [{"content": letter} for letter in text]
        for index, (name, tool, arguments) in enumerate(calls):
            function: dict[str, Any] = {"name": tool, "arguments": ""}
            deltas.append({"tool_calls": [{"index": index, "id": name, "type": "function", "function": function}]})
            deltas += [{"tool_calls": [{"index": index, "function": {"arguments": a}}]} for a in arguments]
        steps: list[Any] = [Head(200)]
        ends = [(delta, None) for delta in deltas] + [({}, "tool_calls" if calls else "stop")]
        for delta, finish in ends:
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            steps.append(Chunk(b"data: " + json.dumps({**head, "choices": [choice]}).encode() + b"\n\n"))
        usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
        steps.append(Chunk(b"data: " + json.dumps({**head, "choices": [], "usage": usage}).encode() + b"\n\n"))
        return [*steps, Chunk(b"data: [DONE]\n\n")]


@pytest.fixture(scope="module")
def server() -> Iterator[ToolServer]:
    with ToolServer() as running:
        yield running


@pytest.fixture(scope="module")
def hostile() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def vendor() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, vendor: Upstream, server: ToolServer, hostile: Upstream
) -> Iterator[Gateway]:
    secret = {"headers": {"authorization": "Bearer ${TOOL_TOKEN}"}}
    only = {"mcp": ["tools"]}
    config: dict[str, Any] = {
        "providers": {
            "open": {"kind": "openai", "base_url": f"{vendor.url}/v1"},
            "claude": {"kind": "anthropic", "base_url": vendor.url, "api_key": "${TOOL_TOKEN}"},
        },
        "models": {"gpt": {"provider": "open"}, "haiku": {"provider": "claude"}},
        "mcp": {
            "servers": {
                "tools": {"url": server.url, "timeout": "1s", **secret},
                "team": {"url": server.url, "teams": ["red"], "keys": ["bob"], "tools": ["weather"], **secret},
                "away": {"url": "http://127.0.0.1:9/mcp", "timeout": "1s"},
                "hostile": {"url": f"{hostile.url}/mcp", "timeout": "1s", **secret},
                "program": {
                    "command": [sys.executable, str(PROGRAM)],
                    "environment": {"TOOL_TOKEN": "${TOOL_TOKEN}"},
                    "tools": ["add", "who"],
                    "keys": ["alice", "bob"],
                },
            }
        },
        "routes": {
            "agent": {"targets": ["gpt"], "tools": only},
            "claude": {"targets": ["haiku"], "tools": only},
            "terse": {"targets": ["gpt"], "tools": {**only, "words": False}},
            "one": {"targets": ["gpt"], "tools": {"mcp": ["tools/weather"], "rounds": 1}},
            "few": {"targets": ["gpt"], "tools": {**only, "calls": 2}},
            "frugal": {"targets": ["gpt"], "tools": {**only, "tokens": 5}},
            "forgetful": {"targets": ["gpt"], "tools": {**only, "remember": "0s"}},
            "teams": {"targets": ["gpt"], "tools": {"mcp": ["team"]}},
            "brave": {"targets": ["gpt"], "tools": {"mcp": ["away", "tools/weather"]}},
            "strict": {"targets": ["gpt"], "tools": {"mcp": ["away"], "required": True}},
            "hostile": {"targets": ["gpt"], "tools": {"mcp": ["hostile"]}},
            "hidden": {
                "targets": ["gpt"],
                "tools": only,
                "rails": {"words": {"what": "words", "words": ["Köln", "degrees"], "do": "pseudonymise"}},
            },
            "screened": {
                "targets": ["gpt"],
                "tools": only,
                "rails": {"never": {"what": "words", "words": ["degrees"], "do": "block", "where": "tool_result"}},
            },
            "programs": {"targets": ["gpt"], "tools": {"mcp": ["program"]}},
        },
    }
    env = {"TOOL_TOKEN": "tool-secret-0123456789"}
    running = Gateway(tmp_path_factory.mktemp("gateway"), config, workers=2, env=env)
    people = {"alice": "red", "bob": "", "eve": "blue"}
    running.people = {name: running.keys.create(name, team=team).key for name, team in people.items()}  # type: ignore[attr-defined]  # a note for the tests
    with running:
        yield running


@pytest.fixture
def model(vendor: Upstream) -> Model:
    return Model(vendor)


@pytest.fixture
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as sdk:
        yield sdk


@pytest.fixture
def claude(gateway: Gateway) -> Iterator[Anthropic]:
    with Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0) as sdk:
        yield sdk


def chat(client: OpenAI, stream: bool, **fields: Any) -> Any:
    """Return the complete answer, however it comes; a stream is put together by the SDK itself."""
    asked: dict[str, Any] = {"model": "agent", "messages": ASK, **fields}
    if not stream:
        return client.chat.completions.create(**asked)
    with client.chat.completions.stream(**asked, stream_options={"include_usage": True}) as events:
        for _ in events:
            pass
        return events.get_final_completion()


def message(claude: Anthropic, stream: bool, **fields: Any) -> Any:
    asked: dict[str, Any] = {"model": "claude", "messages": ASK, "max_tokens": 100, **fields}
    if not stream:
        return claude.messages.create(**asked)
    with claude.messages.stream(**asked) as events:
        return events.get_final_message()


def last(gateway: Gateway) -> Any:
    return max(gateway.journal(), key=lambda record: record.id)


def weather(name: str = "call_1", city: str = "Köln") -> Call:
    return (name, WEATHER, json.dumps({"city": city}))


@BOTH
def test_a_tool_is_run_and_the_model_answers_with_what_it_gave(
    client: OpenAI, model: Model, gateway: Gateway, stream: bool
) -> None:
    model.will(("", [weather()]), "12 degrees.")
    answer = chat(client, stream)
    assert answer.choices[0].message.content == "12 degrees."
    assert answer.choices[0].finish_reason == "stop"
    assert not answer.choices[0].message.tool_calls
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (18, 6)
    told = {tool["function"]["name"]: tool["function"] for tool in model.heard(0)["tools"]}
    assert told[WEATHER]["description"] == "Tell the weather in a city."
    assert told[WEATHER]["parameters"]["required"] == ["city"]
    said = model.heard(1)["messages"]
    assert said[1]["tool_calls"][0]["function"]["name"] == WEATHER
    assert said[2] == {"role": "tool", "tool_call_id": "call_1", "content": "12 degrees in Köln."}
    record = last(gateway)
    assert [attempt.cause for attempt in record.attempts] == ["first", "tools"]
    assert record.steps.startswith("tool tools/weather ok ")
    assert "Köln" not in record.steps
    assert (record.usage.input, record.usage.output) == (18, 6)


@BOTH
def test_anthropics_callers_and_models_are_served_alike(
    claude: Anthropic, model: Model, gateway: Gateway, stream: bool
) -> None:
    model.will(("Let me see.", [weather("toolu_1")]), "12 degrees.")
    answer = message(claude, stream)
    texts = [block.text for block in answer.content]
    assert "".join(texts) == "Let me see.\n\n12 degrees."
    assert answer.stop_reason == "end_turn"
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (20, 10)
    said = model.heard(1)["messages"]
    assert said[1]["content"][1]["input"] == {"city": "Köln"}
    assert said[2]["content"][0]["type"] == "tool_result"
    assert last(gateway).outcome == "ok"


@BOTH
def test_words_before_a_call_are_part_of_the_answer_unless_the_route_says_otherwise(
    client: OpenAI, model: Model, stream: bool
) -> None:
    model.will(("I look.", [weather()]), "12.")
    assert chat(client, stream).choices[0].message.content == "I look.\n\n12."
    model.will(("I look.", [weather()]), "12.")
    assert chat(client, stream, model="terse").choices[0].message.content == "12."
    form: Any = {"type": "json_object"}
    model.will(("", [weather()]), '{"t": 12}')
    assert chat(client, stream, response_format=form).choices[0].message.content == '{"t": 12}'


@BOTH
def test_tools_get_values_that_the_model_never_sees(
    client: OpenAI, model: Model, gateway: Gateway, server: ToolServer, stream: bool
) -> None:
    def say(request: Received) -> Any:
        said = request.json()["messages"][-1]
        names = re.findall(r"WORD_[0-9a-z]{8}", said["content"])
        model.turns = [" ".join(names) if said["role"] == "tool" else ("", [weather(city=names[0])])]
        return model._answer(request)

    model.upstream.forget()
    model.upstream.handler = say
    assert chat(client, stream, model="hidden").choices[0].message.content == "degrees Köln"
    assert server.asked[-1] == "Köln"
    assert not any("Köln" in json.dumps(request.json(), ensure_ascii=False) for request in model.upstream.requests)
    assert {one.where: one.outcome for one in last(gateway).verdicts} == {
        "input": "pseudonymised",
        "tool_result": "pseudonymised",
    }


@BOTH
def test_a_result_that_a_rail_blocks_ends_the_call(
    client: OpenAI, model: Model, gateway: Gateway, stream: bool
) -> None:
    model.will(("", [weather()]), "12 degrees.")
    with pytest.raises(openai.APIError) as refused:
        chat(client, stream, model="screened")
    assert refused.value.code == "content_blocked"
    assert len(model.turns) == 1
    assert last(gateway).steps.startswith("tool tools/weather ok ")


def test_words_stream_while_they_are_written(client: OpenAI, model: Model) -> None:
    release = threading.Event()
    first = [
        {"index": 0, "delta": {"role": "assistant", "content": "One "}, "finish_reason": None},
        {"index": 0, "delta": {"content": "two"}, "finish_reason": "stop"},
    ]
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    parts = [Chunk(b"data: " + json.dumps({**head, "choices": [choice]}).encode() + b"\n\n") for choice in first]
    model.will(("", [weather()]), [Head(200), parts[0], Wait(release), parts[1], Chunk(b"data: [DONE]\n\n")])
    with client.chat.completions.create(model="agent", messages=ASK, stream=True) as events:
        said = ""
        for event in events:
            said += (event.choices[0].delta.content or "") if event.choices else ""
            if said == "One ":
                release.set()
    assert said == "One two"


@BOTH
def test_several_calls_run_side_by_side(client: OpenAI, model: Model, server: ToolServer, stream: bool) -> None:
    server.asked.clear()
    model.will(("", [weather("a", "A"), weather("b", "B"), weather("c", "C")]), "Done.")
    assert chat(client, stream).choices[0].message.content == "Done."
    assert sorted(server.asked) == ["A", "B", "C"]
    assert [one["tool_call_id"] for one in model.heard(1)["messages"] if one["role"] == "tool"] == ["a", "b", "c"]


@BOTH
def test_a_callers_own_tool_is_the_callers(client: OpenAI, model: Model, gateway: Gateway, stream: bool) -> None:
    model.will(("", [("call_9", "send_mail", '{"text":"x"}')]))
    answer = chat(client, stream, tools=[FUNCTION])
    call = answer.choices[0].message.tool_calls[0]
    # Nothing was run: the provider's own id is kept.
    assert (call.id, call.function.name, call.function.arguments) == ("call_9", "send_mail", '{"text":"x"}')
    assert answer.choices[0].finish_reason == "tool_calls"
    assert len(model.upstream.requests) == 1
    assert last(gateway).steps == ""


@BOTH
def test_what_was_run_before_a_callers_tool_is_there_when_the_caller_comes_back(
    client: OpenAI, model: Model, stream: bool
) -> None:
    model.will(("", [weather()]), ("Now mail.", [("call_9", "send_mail", '{"text":"12"}')]))
    answer = chat(client, stream, tools=[FUNCTION])
    said = answer.choices[0].message
    assert [call.function.name for call in said.tool_calls] == ["send_mail"]
    mark = said.tool_calls[0].id
    assert mark.startswith("mst_")
    model.will("Sent.")
    history = [*ASK, said.model_dump(exclude_none=True), {"role": "tool", "tool_call_id": mark, "content": "OK"}]
    assert chat(client, stream, messages=history, tools=[FUNCTION]).choices[0].message.content == "Sent."
    turns = model.heard()["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "tool", "assistant", "tool"]
    assert turns[2]["content"] == "12 degrees in Köln."
    assert turns[3]["tool_calls"][0]["id"] == turns[4]["tool_call_id"] == "call_9"


@BOTH
def test_in_a_mixed_turn_ours_are_run_and_the_callers_are_returned(
    client: OpenAI, model: Model, server: ToolServer, stream: bool
) -> None:
    server.asked.clear()
    model.will(("", [("call_8", "send_mail", "{}"), weather("call_1"), ("call_9", "send_mail", "{}")]))
    answer = chat(client, stream, tools=[FUNCTION])
    said = answer.choices[0].message
    assert [call.function.name for call in said.tool_calls] == ["send_mail", "send_mail"]
    assert server.asked == ["Köln"]
    ids = [call.id for call in said.tool_calls]
    model.will("Done.")
    results = [{"role": "tool", "tool_call_id": name, "content": f"OK {name[-1]}"} for name in ids]
    history = [*ASK, said.model_dump(exclude_none=True), *results, {"role": "user", "content": "And?"}]
    assert chat(client, stream, messages=history, tools=[FUNCTION]).choices[0].message.content == "Done."
    turns = model.heard()["messages"]
    assert [call["id"] for call in turns[1]["tool_calls"]] == ["call_8", "call_1", "call_9"]
    assert {turn["tool_call_id"]: turn["content"] for turn in turns if turn["role"] == "tool"} == {
        "call_1": "12 degrees in Köln.",
        "call_8": "OK 0",
        "call_9": "OK 1",
    }


@BOTH
def test_a_mixed_turn_on_anthropics_wire_comes_back_as_one_turn_of_results(
    claude: Anthropic, model: Model, stream: bool
) -> None:
    model.will(("", [weather("toolu_1"), ("toolu_2", "send_mail", "{}")]))
    answer = message(claude, stream, tools=[CLAUDES])
    assert [block.name for block in answer.content if block.type == "tool_use"] == ["send_mail"]
    mark = answer.content[-1].id
    model.will("Done.")
    result = {"type": "tool_result", "tool_use_id": mark, "content": "OK"}
    history = [
        *ASK,
        {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in answer.content]},
        {"role": "user", "content": [result, {"type": "text", "text": "And?"}]},
    ]
    assert message(claude, stream, messages=history, tools=[CLAUDES]).content[0].text == "Done."
    turns = model.heard()["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert [block.get("tool_use_id") for block in turns[2]["content"]] == ["toolu_1", "toolu_2", None]


def test_what_was_kept_is_nobody_elses(client: OpenAI, gateway: Gateway, model: Model) -> None:
    model.will(("", [weather()]), ("", [("call_9", "send_mail", "{}")]))
    said = chat(client, False, tools=[FUNCTION]).choices[0].message
    mark = said.tool_calls[0].id
    history = [*ASK, said.model_dump(exclude_none=True), {"role": "tool", "tool_call_id": mark, "content": "OK"}]
    model.will("Hm.")
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.people["eve"], max_retries=0) as eve:  # type: ignore[attr-defined]  # set above
        chat(eve, False, messages=history, tools=[FUNCTION])
    assert [turn["role"] for turn in model.heard()["messages"]] == ["user", "assistant", "tool"]
    assert model.heard()["messages"][2]["tool_call_id"] == mark


def test_a_route_that_remembers_nothing_leaves_the_providers_ids(client: OpenAI, model: Model) -> None:
    model.will(("", [weather()]), ("", [("call_9", "send_mail", "{}")]))
    said = chat(client, False, model="forgetful", tools=[FUNCTION]).choices[0].message
    assert said.tool_calls[0].id == "call_9"


@BOTH
def test_a_tool_that_fails_is_told_to_the_model(client: OpenAI, model: Model, gateway: Gateway, stream: bool) -> None:
    calls = [
        ("a", "tools__fail", '{"reason": "no gauge"}'),
        ("b", "tools__slow", "{}"),
        ("c", "tools__gone", "{}"),
        ("d", WEATHER, "not json"),
        ("e", "tools__secret", ""),
    ]
    model.will(("", calls), "It failed.")
    assert chat(client, stream).choices[0].message.content == "It failed."
    told = {one["tool_call_id"]: one["content"] for one in model.heard(1)["messages"] if one["role"] == "tool"}
    assert "no gauge" in told["a"]
    assert "within 1 seconds" in told["b"]
    assert "no tool of this name" in told["c"]
    assert "not one JSON object" in told["d"]
    assert "tool-secret" not in json.dumps(model.heard(1))
    steps = last(gateway).steps
    assert sorted(step.rpartition(" ")[0] for step in steps.split("; ")) == [
        "tool ? unknown",
        "tool tools/fail error",
        "tool tools/secret ok",
        "tool tools/slow timeout",
        "tool tools/weather invalid_arguments",
    ]


@BOTH
def test_a_model_that_goes_on_calling_must_answer_in_the_end(
    client: OpenAI, model: Model, gateway: Gateway, stream: bool
) -> None:
    model.will(("", [weather()]), "Enough.")
    assert chat(client, stream, model="one").choices[0].message.content == "Enough."
    assert model.heard(1)["tool_choice"] == "none"
    # One that calls all the same, and says nothing, has no answer.
    model.will(("", [weather()]), ("", [weather("call_2")]))
    with pytest.raises(openai.APIError) as caught:
        chat(client, stream, model="one")
    assert "goes on calling tools" in str(caught.value)
    model.will(("", [weather()]), ("So be it.", [weather("call_2")]))
    assert chat(client, stream, model="one").choices[0].message.content == "So be it."
    # With tools of the caller's own, these are what is left.
    model.will(("", [weather()]), ("", [("call_9", "send_mail", "{}")]))
    answer = chat(client, stream, model="one", tools=[FUNCTION])
    assert answer.choices[0].message.tool_calls[0].function.name == "send_mail"
    assert [tool["function"]["name"] for tool in model.heard(1)["tools"]] == ["send_mail"]


def test_runs_and_tokens_have_their_limits(client: OpenAI, model: Model, server: ToolServer) -> None:
    server.asked.clear()
    model.will(("", [weather(str(number), str(number)) for number in range(5)]), "Two.")
    chat(client, False, model="few")
    assert len(server.asked) == 2
    told = [one["content"] for one in model.heard(1)["messages"] if one["role"] == "tool"]
    assert sum("limit of tool runs" in content for content in told) == 3
    assert model.heard(1)["tool_choice"] == "none"
    model.will(("", [weather()]), "One.")
    chat(client, False, model="frugal")
    assert model.heard(1)["tool_choice"] == "none"


def test_only_those_named_get_a_servers_tools(gateway: Gateway, model: Model) -> None:
    for name, offered in (("alice", True), ("bob", True), ("eve", False)):
        key = gateway.people[name]  # type: ignore[attr-defined]  # set above
        with OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0) as client:
            model.will("Hi.")
            chat(client, False, model="teams")
        found = [tool["function"]["name"] for tool in model.heard().get("tools", [])]
        assert found == (["team__weather"] if offered else [])


def test_a_dead_server_fails_no_call_unless_the_route_says_so(client: OpenAI, model: Model) -> None:
    model.will("Hi.")
    assert chat(client, False, model="brave").choices[0].message.content == "Hi."
    assert [tool["function"]["name"] for tool in model.heard()["tools"]] == [WEATHER]
    with pytest.raises(openai.InternalServerError) as caught:
        chat(client, False, model="strict")
    assert caught.value.status_code == 503


def test_a_caller_may_do_without(client: OpenAI, model: Model) -> None:
    for fields in ({"tool_choice": "none", "tools": [FUNCTION]}, {"n": 2}):
        model.will("Hi.")
        chat(client, False, **fields)
        names = [tool["function"]["name"] for tool in model.heard().get("tools", [])]
        assert WEATHER not in names


def test_a_model_that_must_call_a_tool_may_answer_afterwards(client: OpenAI, model: Model) -> None:
    model.will(("", [weather()]), "12.")
    chat(client, False, tool_choice={"type": "function", "function": {"name": WEATHER}})
    assert model.heard(0)["tool_choice"]["function"]["name"] == WEATHER
    assert "tool_choice" not in model.heard(1)


def test_a_callers_tool_of_the_same_name_hides_ours(client: OpenAI, model: Model) -> None:
    own: Any = {"type": "function", "function": {"name": WEATHER, "parameters": {"type": "object", "properties": {}}}}
    model.will(("", [weather()]))
    answer = chat(client, False, tools=[own])
    assert answer.choices[0].message.tool_calls[0].id == "call_1"
    assert [tool["function"]["name"] for tool in model.heard()["tools"]].count(WEATHER) == 1


@BOTH
def test_a_model_that_fails_after_tools_were_run_is_an_error(
    client: OpenAI, model: Model, gateway: Gateway, stream: bool
) -> None:
    refusal = json_reply({"error": {"message": "No.", "type": "x", "code": None}}, 400)
    model.will(("", [weather()]), refusal)
    with pytest.raises(openai.APIError):
        chat(client, stream)
    record = last(gateway)
    assert record.outcome == "refused"
    # What was used is on the record all the same.
    assert record.usage.input == 9
    if stream:
        head = (
            b'data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":'
        )
        model.will(
            ("", [weather()]), [Head(200), Chunk(head + b'{"content":"12 de"},"finish_reason":null}]}\n\n'), Cut()]
        )
        with pytest.raises(openai.APIError):
            chat(client, stream)
        assert last(gateway).usage.input > 9
        assert last(gateway).usage.estimated


def test_a_caller_who_leaves_stops_the_tools(client: OpenAI, model: Model, server: ToolServer) -> None:
    server.slow_began.clear()
    server.slow_ended.clear()
    model.will(("Wait.", [("a", "tools__slow", "{}")]), "Never.")
    with client.chat.completions.create(model="agent", messages=ASK, stream=True) as events:
        next(iter(events))
        assert server.slow_began.wait(60)
    assert server.slow_ended.wait(60)


def test_a_hostile_server_hurts_nobody(client: OpenAI, model: Model, hostile: Upstream) -> None:
    listed = {"tools": [{"name": "bad", "inputSchema": {"type": "object"}}]}
    answers: dict[str, Any] = {
        "server/discover": {"supportedVersions": ["2026-07-28"]},
        "tools/list": listed,
    }
    steps: list[Any] = [
        Reply(200, (("content-type", "application/json"),), b'"' + b"x" * 9_000_000),
        Silence(),
        json_reply({"jsonrpc": "2.0", "id": -1, "result": {"content": []}}),
    ]

    def answer(request: Received) -> Any:
        said = request.json()
        if said["method"] == "tools/call":
            return steps.pop(0)
        return json_reply({"jsonrpc": "2.0", "id": said["id"], "result": answers[said["method"]]})

    hostile.handler = answer
    model.will(
        ("", [("a", "hostile__bad", "{}")]),
        ("", [("b", "hostile__bad", "{}")]),
        ("", [("c", "hostile__bad", "{}")]),
        "So.",
    )
    assert chat(client, False, model="hostile").choices[0].message.content == "So."
    told = [one["content"] for one in model.heard()["messages"] if one["role"] == "tool"]
    assert "too large" in told[0]
    assert "did not answer within" in told[1]
    assert "answered another request" in told[2]


def test_the_count_of_a_prompt_has_the_tools_in_it(claude: Anthropic, model: Model) -> None:
    model.will(json_reply({"input_tokens": 77}))
    assert claude.messages.count_tokens(model="claude", messages=ASK).input_tokens == 77
    assert WEATHER in [tool["name"] for tool in model.heard()["tools"]]


def test_responses_and_tools_go_together(client: OpenAI, model: Model) -> None:
    model.will(("", [weather()]), "12 degrees.")
    answer = client.responses.create(model="agent", input="How is it?")
    assert answer.output_text == "12 degrees."
    assert answer.usage is not None
    assert answer.usage.input_tokens == 18
    model.will("Yes.")
    assert client.responses.create(model="agent", input="Sure?", previous_response_id=answer.id).output_text == "Yes."


def test_anthropics_errors_are_anthropics(claude: Anthropic, model: Model) -> None:
    model.will(("", [weather("toolu_1")]), Reply(500), Reply(500), Reply(500), Reply(500), Reply(500))
    with pytest.raises(anthropic.APIStatusError):
        message(claude, False)


@BOTH
def test_a_programs_tools_are_run_for_those_who_may(gateway: Gateway, model: Model, stream: bool) -> None:
    people: dict[str, str] = gateway.people  # type: ignore[attr-defined]  # made with the gateway
    served = set()
    for name in ("alice", "bob"):
        model.will(("", [("call_1", "program__add", '{"a": 2, "b": 3}'), ("call_2", "program__who", "{}")]), "Five.")
        with OpenAI(base_url=f"{gateway.url}/v1", api_key=people[name], max_retries=0) as sdk:
            answer = chat(sdk, stream, model="programs")
        assert answer.choices[0].message.content == "Five."
        assert [tool["function"]["name"] for tool in model.heard(0)["tools"]] == ["program__add", "program__who"]
        told = [turn["content"] for turn in model.heard()["messages"] if turn["role"] == "tool"]
        assert told[0] == "5"
        served.add(told[1].split()[0])
        assert last(gateway).steps.count(" ok ") == 2
    # A process for each, and in each worker.
    assert len(served) == 2
    model.will("Nothing to call.")
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=people["eve"], max_retries=0) as sdk:
        chat(sdk, stream, model="programs")
    assert "tools" not in model.heard()
