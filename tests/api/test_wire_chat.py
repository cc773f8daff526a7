"""Chat chunks over real sockets: what a caller can rely on whatever the upstream sends, and what is never lost."""

import json
from typing import Any

import pytest
from openai import OpenAI

from support.gateway import completion
from support.upstream import Chunk, Cut, Head, Silence, json_reply
from support.wires import HELLO, Seen, Talk, chunk, event, finish, role, said, stream_of, usage_chunk

ASKED = {"stream_options": {"include_usage": True}}
KEYS = {"id", "object", "created", "model", "choices"}


def usage_of(seen: Seen) -> Any:
    """Return what the last event says was used."""
    return seen.data[-1]["usage"]


@pytest.mark.parametrize("content", [{"content": ""}, {"content": None}, {}])
def test_the_first_delta_has_the_role_and_an_empty_content_stays_what_it_was(
    talk: Talk, content: dict[str, Any]
) -> None:
    opening = {"role": "assistant", **content}
    seen = talk.stream(*stream_of(chunk(opening), said("Hi"), finish()))
    assert seen.deltas() == [opening, {"content": "Hi"}, {}]


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("tool_calls", "tool_calls"),
        ("function_call", "function_call"),
        # Words of other servers.
        ("eos_token", "stop"),
        ("end_turn", "stop"),
        ("max_tokens", "length"),
        ("model_length", "length"),
        ("refusal", "content_filter"),
        ("a_word_nobody_knows", "a_word_nobody_knows"),
    ],
)
def test_a_finish_reason_is_null_until_the_end_and_then_a_word_that_clients_know(
    talk: Talk, word: str, told: str
) -> None:
    empty = chunk({"content": "Hi"}, finish="")
    seen = talk.stream(*stream_of(role(), empty, finish(word), finish(word)))
    assert seen.reasons() == [None, None, told, None]
    answer = completion("Hi")
    answer["choices"][0]["finish_reason"] = word
    assert talk.whole(json_reply(answer)).json["choices"][0]["finish_reason"] == told


def test_a_whole_stream_has_one_id_one_time_and_one_model(talk: Talk) -> None:
    odd = [chunk({"content": str(i)}, id=f"chatcmpl-{i}", created=1700000000 + i, model=f"m-{i}") for i in range(3)]
    empty = chunk(choices=[], id="", object="", created=0, model="")
    data = [empty, role(), *odd, finish(id="x", object="chat.completion"), usage_chunk()]
    seen = talk.stream(*stream_of(*data), **ASKED)
    heads = {(data["id"], data["created"], data["model"], data["object"]) for data in seen.data}
    assert heads == {("chatcmpl-1", 1700000000, "m-1", "chat.completion.chunk")}
    assert seen.text() == "012"


def test_a_change_of_upstream_before_the_first_word_leaves_no_trace_in_the_stream(talk: Talk) -> None:
    broken = stream_of(chunk({"role": "assistant"}, id="chatcmpl-0", model="m-0"), done=False)
    second = [
        chunk({"role": "assistant", "content": "Hi"}, id="chatcmpl-2", model="m-2"),
        finish(id="chatcmpl-2", model="m-2"),
    ]
    talk.upstream.script(broken, stream_of(*second))
    seen = talk.post({"model": "backed", "messages": HELLO, "stream": True})
    assert {(data["id"], data["model"]) for data in seen.data} == {("chatcmpl-2", "m-2")}
    assert (seen.text(), seen.headers["x-mainstay-attempts"]) == ("Hi", "2")


def test_choices_interleave_and_end_alone(talk: Talk) -> None:
    data = [role(0), role(1), said("a", 1), said("x", 0), finish("length", 1), said("y", 0), finish("stop", 0)]
    seen = talk.stream(*stream_of(*data), n=2)
    assert (seen.text(0), seen.text(1)) == ("xy", "a")
    assert [word for word in seen.reasons(0) if word] == ["stop"]
    assert [word for word in seen.reasons(1) if word] == ["length"]


def test_a_choice_that_never_ends_makes_the_answer_a_cut(talk: Talk) -> None:
    seen = talk.stream(*stream_of(role(0), role(1), said("a", 1), finish("stop", 0)), n=2)
    assert (seen.error["code"], seen.done) == ("upstream_interrupted", 0)


def test_log_probabilities_survive_in_every_form(talk: Talk) -> None:
    token = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": [{"token": "Ho", "logprob": -1.0}]}
    content = {"content": [token], "refusal": None}
    refusal = {"content": None, "refusal": [token]}
    data = [
        chunk(choices=[{"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": None}])
        for delta, logprobs in (({"content": "Hi"}, content), ({"refusal": "No"}, refusal))
    ]
    asked = {"logprobs": True, "top_logprobs": 1}
    seen = talk.stream(*stream_of(role(), *data, finish()), **asked)
    assert [c["logprobs"] for d in seen.chunks for c in d["choices"] if c.get("logprobs")] == [content, refusal]
    answer = completion("Hi")
    answer["choices"][0]["logprobs"] = content
    assert talk.whole(json_reply(answer), **asked).json["choices"][0]["logprobs"] == content


#: Fields of a delta, of a choice and of a chunk that are not everywhere, or nowhere yet.
DELTA: dict[str, Any] = {
    "refusal": "No.",
    "reasoning_content": "why",
    "reasoning": "why",
    "reasoning_details": [{"type": "reasoning.text", "text": "why"}],
    "thinking_blocks": [{"type": "thinking", "thinking": "why", "signature": "sig"}],
    "audio": {"id": "a", "data": "QUJD", "transcript": "a", "expires_at": 1},
    "annotations": [{"type": "url_citation", "url_citation": {"url": "https://a.example"}}],
    "nobody_knows": {"a": [1.0, None, {"b": 12345678901234567890}]},
}
TOP: dict[str, Any] = {
    "system_fingerprint": "fp_1",
    "service_tier": "default",
    "obfuscation": "xyz",
    "moderation": {"flagged": False},
    "nobody_knows": [1.0, {"a": None}],
}


@pytest.mark.parametrize("field", DELTA)
def test_a_field_of_a_message_passes_known_or_not(talk: Talk, field: str) -> None:
    given = {field: DELTA[field]}
    seen = talk.stream(*stream_of(role(), chunk(given), finish()))
    assert seen.deltas()[1] == given
    answer = completion("Hi")
    answer["choices"][0]["message"] |= given
    assert talk.whole(json_reply(answer)).json == answer


@pytest.mark.parametrize("field", TOP)
def test_a_field_of_a_chunk_passes_known_or_not(talk: Talk, field: str) -> None:
    given = {field: TOP[field]}
    seen = talk.stream(*stream_of(chunk({"role": "assistant", "content": "Hi"}, **given), finish(**given)))
    assert [{key: data[key] for key in data.keys() - KEYS} for data in seen.data] == [given, given]
    answer = completion("Hi", **given)
    assert talk.whole(json_reply(answer)).json == answer


@pytest.mark.parametrize("field", [*TOP, "reasoning_effort", "verbosity", "novel"])
def test_a_field_of_a_request_passes_known_or_not(talk: Talk, field: str) -> None:
    value = TOP.get(field, "low")
    talk.whole(json_reply(completion()), model="renamed", **{field: value})
    assert talk.sent == {"model": "up-name", "messages": HELLO, field: value}


def test_legacy_functions_pass_in_request_answer_and_stream(talk: Talk) -> None:
    asked = {"functions": [{"name": "f", "parameters": {"type": "object"}}], "function_call": {"name": "f"}}
    data = [
        chunk({"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": ""}}),
        chunk({"function_call": {"arguments": '{"a"'}}),
        chunk({"function_call": {"arguments": ":1}"}}),
        finish("stop"),
    ]
    seen = talk.stream(*stream_of(*data), **asked)
    assert {key: talk.sent[key] for key in asked} == asked
    pieces = [delta["function_call"] for delta in seen.deltas() if delta]
    assert (pieces[0]["name"], "".join(piece["arguments"] for piece in pieces)) == ("f", '{"a":1}')
    assert seen.reasons()[-1] == "function_call"
    answer = completion()
    answer["choices"][0] |= {
        "message": {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    }
    whole = talk.whole(json_reply(answer), **asked).json["choices"][0]
    assert whole == {**answer["choices"][0], "finish_reason": "function_call"}


def test_an_error_of_null_is_no_error(talk: Talk) -> None:
    seen = talk.stream(*stream_of(chunk({"role": "assistant", "content": "Hi"}, error=None), finish(error=None)))
    assert (seen.text(), seen.done) == ("Hi", 1)
    assert talk.whole(json_reply(completion("Hi", error=None))).status == 200


@pytest.mark.parametrize("options", [{}, {"stream_options": None}, {"stream_options": {"include_usage": False}}])
def test_usage_is_always_asked_for_and_shown_only_to_who_asked(talk: Talk, options: dict[str, Any]) -> None:
    data = [chunk({"role": "assistant", "content": "Hi"}, usage=None), finish(usage=None), usage_chunk()]
    seen = talk.stream(*stream_of(*data), **options)
    assert talk.sent["stream_options"]["include_usage"] is True
    assert all("usage" not in d and d["choices"] for d in seen.data)
    assert (talk.record().usage.input, talk.record().usage.output) == (7, 3)
    seen = talk.stream(*stream_of(*data), **ASKED)
    assert [(len(d["choices"]), d["usage"]) for d in seen.data[:-1]] == [(1, None), (1, None)]
    assert (seen.data[-1]["choices"], usage_of(seen)["total_tokens"]) == ([], 10)


COUNTS = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
LESS = {"prompt_tokens": 7, "completion_tokens": 1, "total_tokens": 8}
METERED = {
    "beside the end": [role(), said("Hi"), finish(usage=COUNTS)],
    "twice": [role(), said("Hi"), finish(), usage_chunk(**LESS), usage_chunk(**COUNTS)],
    "beside the end and alone": [role(), said("Hi"), finish(usage=COUNTS), usage_chunk(**COUNTS)],
    "so far, in every chunk": [
        chunk({"role": "assistant", "content": ""}, usage=LESS),
        chunk({"content": "Hi"}, usage=LESS),
        finish(usage=COUNTS),
    ],
    "without choices": [role(), said("Hi"), finish(), json.dumps({"id": "x", "usage": COUNTS}).encode()],
}


@pytest.mark.parametrize("data", METERED.values(), ids=METERED)
def test_usage_comes_once_and_last_wherever_the_upstream_has_it(talk: Talk, data: list[bytes]) -> None:
    seen = talk.stream(*stream_of(*data), **ASKED)
    assert [d["usage"] for d in seen.data[:-1] if d.get("usage")] == []
    assert seen.data[-1]["choices"] == []
    assert {key: usage_of(seen)[key] for key in COUNTS} == COUNTS
    assert (talk.record().usage.input, talk.record().usage.output) == (7, 3)
    hidden = talk.stream(*stream_of(*data))
    assert all("usage" not in d for d in hidden.data)
    assert hidden.text() == seen.text() == "Hi"


def test_usage_so_far_is_left_in_every_chunk_for_who_asked_for_just_that(talk: Talk) -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    data = [chunk({"role": "assistant", "content": "Hi"}, usage=LESS), finish(usage=COUNTS)]
    seen = talk.stream(*stream_of(*data), stream_options=options)
    assert talk.sent["stream_options"] == options
    assert [d["usage"]["completion_tokens"] for d in seen.data] == [1, 3, 3]


def test_an_answer_left_or_cut_is_metered_by_what_was_seen_and_marked_as_estimated(talk: Talk) -> None:
    words = [said("word " * 20) for _ in range(3)]
    talk.stream(Head(200), *map(Chunk, map(event, [role(), *words])), Cut())
    cut = talk.record().usage
    assert cut.estimated
    assert cut.input > 0
    assert 50 < cut.output < 200
    talk.upstream.script([Head(200), *map(Chunk, map(event, [role(), *words])), Silence()])
    body = {"model": "plain", "messages": HELLO, "stream": True}
    count = len(talk.gateway.journal())
    with talk.client.stream("POST", "/v1/chat/completions", json=body) as response:
        came = b""
        for piece in response.iter_raw():
            came += piece
            if came.count(b"word ") == 60:
                break
    talk.gateway.until(lambda: len(talk.gateway.journal()) > count)
    left = talk.record()
    assert (left.outcome, left.usage.estimated, left.usage.output) == ("gone", True, cut.output)


def test_an_upstream_that_never_says_what_it_used_is_estimated_for(talk: Talk) -> None:
    seen = talk.stream(*stream_of(role(), said("word " * 20), finish()), **ASKED)
    assert usage_of(seen)["completion_tokens"] > 0
    assert talk.record().usage.estimated


KINDS = {
    "prompt_tokens": 100,
    "completion_tokens": 50,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10, "audio_tokens": 5},
    "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 4},
}


@pytest.mark.parametrize("stream", [False, True])
def test_parts_of_the_usage_are_parts_and_the_same_streamed_or_not(talk: Talk, stream: bool) -> None:
    if stream:
        seen = talk.stream(*stream_of(role(), said("Hi"), finish(), chunk(choices=[], usage=KINDS)), **ASKED)
        assert usage_of(seen) == KINDS
    else:
        assert talk.whole(json_reply(completion("Hi", usage=KINDS))).json["usage"] == KINDS
    found = talk.record().usage
    assert (found.input, found.output, found.estimated) == (100, 50, False)
    assert (found.cache_read, found.cache_write, found.audio_input) == (60, 10, 5)
    assert (found.reasoning, found.audio_output) == (20, 4)


def test_the_same_usage_costs_the_same_streamed_or_not(talk: Talk) -> None:
    talk.whole(json_reply(completion("Hi", usage=KINDS)), model="priced")
    whole = talk.record().cost_usd
    for data in (
        [role(), said("Hi"), finish(usage=KINDS)],
        [role(), said("Hi"), finish(), chunk(choices=[], usage=KINDS), chunk(choices=[], usage=KINDS)],
        [chunk({"role": "assistant", "content": "Hi"}, usage=KINDS), finish(usage=KINDS)],
    ):
        talk.stream(*stream_of(*data), model="priced")
        assert talk.record().cost_usd == whole
    assert whole is not None
    assert float(whole) > 0


def test_the_sdk_sees_the_role_the_text_the_end_and_the_usage(talk: Talk) -> None:
    talk.upstream.script(stream_of(role(), said("One"), said(" two"), finish(), usage_chunk()))
    with OpenAI(base_url=f"{talk.gateway.url}/v1", api_key=talk.gateway.key, max_retries=0) as sdk:
        options: Any = {"model": "plain", "messages": HELLO, **ASKED}
        with sdk.chat.completions.stream(**options) as stream:
            final = stream.get_final_completion()
    assert (final.choices[0].message.content, final.choices[0].finish_reason) == ("One two", "stop")
    assert final.usage is not None
    assert final.usage.total_tokens == 10


def test_a_whole_answer_in_one_event_is_no_empty_stream(talk: Talk) -> None:
    seen = talk.stream(*stream_of(json.dumps(completion("Hi!")).encode()))
    assert (seen.text(), seen.reasons()[-1], seen.done) == ("Hi!", "stop", 1)
