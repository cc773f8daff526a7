"""A kept answer is given again over real sockets: to whom it may, as it was, and without asking anybody."""

import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from anthropic import Anthropic
from openai import OpenAI

from support.gateway import Gateway, completion, sse_chunks
from support.upstream import Chunk, Cut, Head, Upstream, Wait, json_reply

CHAT = "/v1/chat/completions"
NAMES = [
    "plain",
    "kept",
    "shared",
    "team",
    "cool",
    "railed",
    "tooled",
    "broken",
    "single",
    "streamed",
    "crossing",
    "killed",
]


@pytest.fixture(scope="module")
def vendor() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, vendor: Upstream) -> Iterator[Gateway]:
    routes: dict[str, Any] = {f"r-{name}": {"targets": [name], "attempts": 1, "cache": "1h"} for name in NAMES}
    del routes["r-plain"]["cache"]
    routes["r-shared"]["cache"] = {"scope": "all"}
    routes["r-cool"]["cache"] = {"max_temperature": 0.2}
    routes["r-railed"]["rails"] = {
        "no-mail": {"where": ["output"], "what": "pattern", "patterns": [r"[a-z]{1,20}@example\.org"], "do": "mask"}
    }
    config = {
        "cache": {"wait": "60s"},
        "providers": {"vendor": {"kind": "openai", "base_url": f"{vendor.url}/v1", "api_key": "k"}},
        "models": {name: {"provider": "vendor", "concurrency": "off"} for name in NAMES},
        "routes": routes,
    }
    with Gateway(tmp_path_factory.mktemp("gateway"), config) as running:
        yield running


@pytest.fixture
def http(gateway: Gateway, vendor: Upstream) -> Iterator[httpx.Client]:
    vendor.forget()
    with caller(gateway, gateway.key) as client:
        yield client


def caller(gateway: Gateway, key: str) -> httpx.Client:
    return httpx.Client(base_url=gateway.url, headers={"authorization": f"Bearer {key}"}, timeout=60)


def ask(http: httpx.Client, route: str, text: str = "Capital?", control: str = "", **more: Any) -> httpx.Response:
    body = {"model": route, "messages": [{"role": "user", "content": text}], **more}
    return http.post(CHAT, json=body, headers={"cache-control": control} if control else None)


def said(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    text: str = answer.json()["choices"][0]["message"]["content"]
    return text


def found(answer: httpx.Response) -> str:
    return answer.headers["x-mainstay-cache"]


def kept(file: Path, route: str) -> int:
    with closing(sqlite3.connect(file, 60)) as db:
        return int(db.execute("SELECT count(*) FROM kept WHERE route = ?", (route,)).fetchone()[0])


def in_flight(gateway: Gateway) -> float:
    lines = gateway.get("/metrics").decode().splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith("mainstay_requests_in_flight "))


def words(*texts: str) -> list[list[Any]]:
    return [[json_reply(completion(text))] for text in texts]


def test_an_equal_request_is_answered_again_without_an_upstream(
    gateway: Gateway, http: httpx.Client, vendor: Upstream
) -> None:
    vendor.script(*words("Paris."))
    first, second = ask(http, "r-kept"), ask(http, "r-kept")
    assert said(first) == said(second) == "Paris."
    assert (found(first), found(second)) == ("miss", "hit")
    assert len(vendor.wait_for(1)) == 1
    head = second.headers
    assert (head["x-mainstay-attempts"], head["x-mainstay-cost-usd"], head["x-mainstay-model"]) == ("0", "0", "kept")
    assert int(head["age"]) >= 0
    assert second.json()["usage"]["total_tokens"] == first.json()["usage"]["total_tokens"] == 12
    assert second.json()["model"] == first.json()["model"]
    lines = gateway.get("/metrics").decode().splitlines()
    assert 'mainstay_cache_lookups_total{route="r-kept",result="hit"} 1' in lines
    assert 'mainstay_cache_lookups_total{route="r-kept",result="miss"} 1' in lines


def test_a_route_without_a_cache_says_off(http: httpx.Client, vendor: Upstream) -> None:
    vendor.script(*words("One.", "Two."))
    assert [(found(one), said(one)) for one in (ask(http, "r-plain"), ask(http, "r-plain"))] == [
        ("off", "One."),
        ("off", "Two."),
    ]


def test_what_shapes_an_answer_is_not_passed_over(http: httpx.Client, vendor: Upstream) -> None:
    vendor.script(*words("One.", "Two.", "Three.", "Four."))
    answers = [
        ask(http, "r-team"),
        ask(http, "r-team", temperature=0.5),
        ask(http, "r-team", seed=1),
        ask(http, "r-team", user="ada"),
    ]
    assert [found(one) for one in answers] == ["miss"] * 4
    assert said(ask(http, "r-team", temperature=0.5)) == "Two."


def test_a_stream_is_kept_and_given_again_as_either(gateway: Gateway, vendor: Upstream) -> None:
    vendor.forget()
    long = "word " * 400
    chunks = sse_chunks("Paris", " is ", "it: ", long)
    vendor.script([Head(), *[Chunk(chunk) for chunk in chunks]])
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as client:
        told: list[tuple[str, str | None, int | None]] = []
        for _ in range(2):
            text, finish, total = "", None, None
            stream = client.chat.completions.create(
                model="r-streamed",
                messages=[{"role": "user", "content": "Capital?"}],
                stream=True,
                stream_options={"include_usage": True},
            )
            for chunk in stream:
                for choice in chunk.choices:
                    text += choice.delta.content or ""
                    finish = choice.finish_reason or finish
                total = chunk.usage.total_tokens if chunk.usage else total
            told.append((text, finish, total))
        whole = client.chat.completions.create(
            model="r-streamed", messages=[{"role": "user", "content": "Capital?"}], stream=False
        )
    assert told[0] == told[1] == (f"Paris is it: {long}", "stop", told[0][2])
    assert whole.choices[0].message.content == told[0][0]
    assert whole.choices[0].finish_reason == "stop"
    assert len(vendor.wait_for(1)) == 1


def test_one_wire_finds_what_another_filled(gateway: Gateway, http: httpx.Client, vendor: Upstream) -> None:
    vendor.script(*words("Paris."))
    with Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0) as client:
        asked: Any = {
            "model": "r-crossing",
            "max_tokens": 50,
            "system": "Be brief.",
            "messages": [{"role": "user", "content": "Capital?"}],
        }
        first = client.messages.create(**asked)
        second = client.messages.with_raw_response.create(**asked)
        with client.messages.stream(**asked) as stream:
            streamed = stream.get_final_message()
    texts = [message.content[0].text for message in (first, second.parse(), streamed)]
    assert texts == ["Paris."] * 3
    assert streamed.stop_reason == first.stop_reason == "end_turn"
    assert second.headers["x-mainstay-cache"] == "hit"
    body = {
        "model": "r-crossing",
        "max_tokens": 50,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Capital?"}],
    }
    third = http.post(CHAT, json=body)
    assert (found(third), said(third)) == ("hit", "Paris.")
    assert len(vendor.wait_for(1)) == 1


def test_a_stored_response_has_an_id_of_its_own_also_when_its_words_were_kept(
    gateway: Gateway, vendor: Upstream
) -> None:
    vendor.forget()
    vendor.script(*words("Paris.", "Since 987."))
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as client:
        first, second = [client.responses.create(model="r-kept", input="Its capital?") for _ in range(2)]
        assert first.output_text == second.output_text == "Paris."
        assert first.id != second.id
        then = client.responses.create(model="r-kept", input="Since when?", previous_response_id=second.id)
        assert then.output_text == "Since 987."
    assert len(vendor.wait_for(2)) == 2


def test_answers_stay_with_their_team_unless_the_route_says_otherwise(
    gateway: Gateway, http: httpx.Client, vendor: Upstream
) -> None:
    ours = [gateway.keys.create(name, team="blue").key for name in ("blue-1", "blue-2")]
    theirs = [gateway.keys.create("red-1", team="red").key, gateway.keys.create("loner").key]
    gateway.know_keys()
    vendor.script(*words("Blue.", "Red.", "Loner.", "All."))
    keys = {"blue-1": ours[0], "blue-2": ours[1], "red": theirs[0], "loner": theirs[1]}
    mine: list[httpx.Response] = []
    shared: list[httpx.Response] = []
    for key in keys.values():
        with caller(gateway, key) as client:
            mine.append(ask(client, "r-kept", "Whose?"))
    for key in (ours[0], *theirs):
        with caller(gateway, key) as client:
            shared.append(ask(client, "r-shared", "Whose?"))
    assert [said(one) for one in mine] == ["Blue.", "Blue.", "Red.", "Loner."]
    assert [said(one) for one in shared] == ["All."] * 3


def test_callers_say_what_they_want_of_the_cache(http: httpx.Client, vendor: Upstream) -> None:
    vendor.script(*words("One.", "Two.", "Three.", "Four."))
    none = ask(http, "r-kept", "Control?", "only-if-cached")
    assert (none.status_code, none.json()["error"]["code"]) == (504, "not_cached")
    unkept = ask(http, "r-kept", "Control?", "no-store")
    assert (said(unkept), found(unkept)) == ("One.", "off")
    assert said(ask(http, "r-kept", "Control?")) == "Two."
    assert said(ask(http, "r-kept", "Control?", "no-cache")) == "Three."
    assert said(ask(http, "r-kept", "Control?", "max-age=3600, only-if-cached")) == "Three."
    assert said(ask(http, "r-kept", "Control?", "max-age=0")) == "Four."


def test_what_is_no_whole_answer_in_words_is_not_kept(http: httpx.Client, vendor: Upstream) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "now", "arguments": "{}"}}
    cut = completion("Par")
    cut["choices"][0]["finish_reason"] = "length"
    calling = completion("")
    calling["choices"][0] |= {"finish_reason": "tool_calls"}
    calling["choices"][0]["message"] |= {"content": None, "tool_calls": [call]}
    filtered = completion("No.")
    filtered["choices"][0]["finish_reason"] = "content_filter"
    first = sse_chunks("Par", finish=None, usage=False, done=False)
    vendor.script(
        [json_reply({"error": {"message": "down"}}, 500)],
        [json_reply(cut)],
        [json_reply(calling)],
        [json_reply(filtered)],
        [Head(), *[Chunk(chunk) for chunk in first], Cut()],
        *words("Paris."),
    )
    tools = [{"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}}]
    for stream in (False, False, False, False, True):
        answer = ask(http, "r-broken", tools=tools, stream=stream)
        assert found(answer) == "miss", answer.text
    last = ask(http, "r-broken", tools=tools)
    assert (found(last), said(last)) == ("miss", "Paris.")
    assert found(ask(http, "r-broken", tools=tools)) == "hit"


def test_what_a_rail_has_changed_is_not_kept(http: httpx.Client, vendor: Upstream) -> None:
    vendor.script(*words("Ask ada@example.org.", "Ask bob@example.org.", "Ask nobody."))
    answers = [ask(http, "r-railed", "Whom?") for _ in range(4)]
    assert [found(one) for one in answers] == ["miss", "miss", "miss", "hit"]
    assert "ada@" not in said(answers[0])
    assert said(answers[3]) == "Ask nobody."


def test_hot_calls_are_asked_anew_where_the_route_says_so(http: httpx.Client, vendor: Upstream) -> None:
    vendor.script(*words("One.", "Two.", "Three."))
    assert [found(ask(http, "r-cool", temperature=heat)) for heat in (None, 0.3, 0.2, 0.2)] == [
        "off",
        "off",
        "miss",
        "hit",
    ]


def test_twenty_equal_calls_at_once_are_one_upstream_call(
    gateway: Gateway, http: httpx.Client, vendor: Upstream
) -> None:
    go = threading.Event()
    vendor.script([Head(), Wait(go), *[Chunk(chunk) for chunk in sse_chunks("Paris", ".")]])

    def one(_: int) -> tuple[str, str]:
        answer = ask(http, "r-single", stream=True)
        return found(answer), answer.text

    with ThreadPoolExecutor(20) as pool:
        answers = pool.map(one, range(20))
        gateway.until(lambda: in_flight(gateway) >= 20)
        for _ in range(10):
            # By then each has looked for a kept answer and waits for the one call.
            in_flight(gateway)
        go.set()
        told = list(answers)
    assert sorted(result for result, _ in told) == ["hit"] * 19 + ["miss"]
    assert len(vendor.wait_for(1)) == 1
    assert all("Paris" in text and text.endswith("data: [DONE]\n\n") for _, text in told)


def test_a_worker_that_is_killed_leaves_what_was_kept(gateway: Gateway, http: httpx.Client, vendor: Upstream) -> None:
    vendor.script(*words("Paris."))
    assert found(ask(http, "r-killed")) == "miss"
    file = gateway.var / "cache.db"
    gateway.until(lambda: kept(file, "r-killed") == 1)
    worker = gateway.pids("worker")[0]
    os.kill(worker, signal.SIGKILL)
    gateway.until(lambda: worker not in gateway.pids("worker") and gateway.status("/health/ready") == 200)

    def again() -> bool:
        try:
            return found(ask(http, "r-killed")) == "hit"
        except httpx.TransportError:
            return False

    gateway.until(again)
    assert len(vendor.wait_for(1)) == 1
