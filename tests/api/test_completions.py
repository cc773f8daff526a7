"""Legacy completions: the official OpenAI SDK against a gateway, with models that have them and models that talk."""

import json
from typing import Any

import openai
import pytest
from openai import OpenAI

from support.gateway import Gateway, completion, sse_chunks
from support.tasks import text_completion
from support.upstream import Chunk, Cut, End, Head, Upstream, json_reply, sse


def chunk(text: str, index: int = 0, finish: str | None = None, **fields: Any) -> dict[str, Any]:
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1700000000, "model": "gpt-3.5-turbo-instruct"}
    choice = {"text": text, "index": index, "logprobs": None, "finish_reason": finish}
    return {**head, "choices": [choice], **fields}


def test_a_model_with_completions_gets_and_gives_its_own_bytes(
    sdk: OpenAI, first: Upstream, task_gateway: Gateway
) -> None:
    body = text_completion(" blue.", novelty=1.0)
    first.script(json_reply(body))
    raw = sdk.completions.with_raw_response.create(
        model="assistant", prompt="The sky is", echo=True, logprobs=2, suffix="!", best_of=3, extra_body={"novel": [1]}
    )
    assert json.loads(raw.content) == body
    (request,) = first.requests
    assert request.path == "/v1/completions"
    sent = request.json()
    assert sent.pop("model") == "upstream-first"
    assert sent == {
        "prompt": "The sky is",
        "echo": True,
        "logprobs": 2,
        "suffix": "!",
        "best_of": 3,
        "novel": [1],
    }
    record = task_gateway.journal()[-1]
    assert (record.operation, record.dialect, record.finish) == ("text_completion", "openai", "stop")
    assert record.usage is not None
    assert (record.usage.input, record.usage.output) == (4, 3)


def test_its_stream_passes_with_the_usage_hidden_unless_asked_for(sdk: OpenAI, first: Upstream) -> None:
    usage = {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}
    events = [chunk("One"), chunk(" two"), chunk("", finish="length"), chunk("", usage=usage, choices=[])]
    for asked in (False, True):
        first.script(sse(*events))
        options: Any = {"stream_options": {"include_usage": True}} if asked else {}
        stream = sdk.completions.create(model="assistant", prompt="x", stream=True, **options)
        chunks = list(stream)
        assert [c.choices[0].text for c in chunks if c.choices] == ["One", " two", ""]
        assert chunks[2].choices[0].finish_reason == "length"
        assert [c.usage.total_tokens for c in chunks if c.usage] == ([6] if asked else [])
        assert all(c.choices for c in chunks) is not asked
    assert first.requests[0].json()["stream_options"] == {"include_usage": True}


def test_a_cut_stream_ends_in_an_error(sdk: OpenAI, first: Upstream) -> None:
    first.script([Head(), Chunk(b"data: " + json.dumps(chunk("One")).encode() + b"\n\n"), End()])
    stream = sdk.completions.create(model="assistant", prompt="x", stream=True)
    with pytest.raises(openai.APIError):
        list(stream)


def test_an_error_in_the_first_event_is_still_a_status(sdk: OpenAI, first: Upstream) -> None:
    first.script(sse({"error": {"message": "no", "type": "invalid_request_error", "code": 400}}, done=False))
    with pytest.raises(openai.BadRequestError):
        sdk.completions.create(model="assistant", prompt="x", stream=True)


def test_what_is_no_completion_is_not_handed_on(sdk: OpenAI, first: Upstream, second: Upstream) -> None:
    first.script(json_reply(completion("a chat")))
    second.script(json_reply(text_completion("right")))
    raw = sdk.completions.with_raw_response.create(model="rm6", prompt="x")
    assert raw.parse().choices[0].text == "right"
    assert raw.headers["x-mainstay-attempts"] == "2"


def test_a_model_that_only_talks_is_asked_by_one_message(sdk: OpenAI, first: Upstream) -> None:
    first.script(json_reply(completion("Blue.")))
    raw = sdk.completions.with_raw_response.create(
        model="groq", prompt="The sky is", max_tokens=7, stop=["x"], temperature=0.5, extra_body={"novel": 1}
    )
    answer = raw.parse()
    assert answer.object == "text_completion"
    assert answer.choices[0].text == "Blue."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 12
    (request,) = first.requests
    assert request.path == "/v1/chat/completions"
    sent = request.json()
    assert sent["messages"] == [{"role": "user", "content": "The sky is"}]
    assert (sent["stop"], sent["temperature"], sent["novel"]) == (["x"], 0.5, 1)


def test_its_stream_becomes_a_completions_stream(sdk: OpenAI, first: Upstream, task_gateway: Gateway) -> None:
    first.script([Head(), *map(Chunk, sse_chunks("One", " two"))])
    chunks = list(sdk.completions.create(model="groq", prompt="x", stream=True, stream_options={"include_usage": True}))
    assert [c.choices[0].text for c in chunks if c.choices] == ["One", " two", ""]
    assert all(c.object == "text_completion" for c in chunks)
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 11
    assert task_gateway.journal()[-1].usage is not None


def test_a_server_that_says_it_has_no_completions_is_talked_to_from_then_on(sdk: OpenAI, first: Upstream) -> None:
    missing = json_reply({"error": {"message": "This is a chat model", "type": "invalid_request_error"}}, 404)
    first.script(missing, json_reply(completion("One")), json_reply(completion("Two")))
    for word in ("One", "Two"):
        assert sdk.completions.create(model="m7", prompt="x").choices[0].text == word
    assert [request.path.rpartition("/v1/")[2] for request in first.requests] == [
        "completions",
        "chat/completions",
        "chat/completions",
    ]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"echo": True}, "echo"),
        ({"logprobs": 0}, "logprobs"),
        ({"suffix": "!"}, "suffix"),
        ({"best_of": 2}, "best_of"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": ["a", ["b"]]}, "prompt[1]"),
        ({"prompt": []}, "prompt"),
        ({"n": 0}, "n"),
    ],
)
def test_what_a_conversation_cannot_say_is_refused_with_the_field_named(
    sdk: OpenAI, fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.post("/completions", body={"model": "echo", "prompt": "x", **fields}, cast_to=object)
    assert caught.value.param == param


def test_each_prompt_of_a_list_has_its_choices_in_order(sdk: OpenAI) -> None:
    answer = sdk.completions.create(model="echo", prompt=["one", "two words", "three"], n=2)
    assert [(choice.index, choice.text) for choice in answer.choices] == [
        (0, "one"),
        (1, "one"),
        (2, "two words"),
        (3, "two words"),
        (4, "three"),
        (5, "three"),
    ]
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (4, 8)


def test_each_prompt_of_a_list_is_streamed_after_the_other(sdk: OpenAI) -> None:
    chunks = list(
        sdk.completions.create(
            model="echo", prompt=["one", "two words"], stream=True, stream_options={"include_usage": True}
        )
    )
    texts: dict[int, str] = {}
    for part in chunks:
        for choice in part.choices:
            texts[choice.index] = texts.get(choice.index, "") + choice.text
    assert texts == {0: "one", 1: "two words"}
    assert len({part.id for part in chunks}) == 1
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 3


def test_one_prompt_of_a_list_that_fails_fails_them_all(sdk: OpenAI, first: Upstream) -> None:
    refused = json_reply({"error": {"message": "too much", "type": "invalid_request_error"}}, 400)
    first.script(json_reply(completion("One")), refused)
    with pytest.raises(openai.BadRequestError, match="too much"):
        sdk.completions.create(model="groq", prompt=["a", "b"])


def test_too_many_prompts_for_a_model_that_talks_are_refused(sdk: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.completions.create(model="echo", prompt=["x"] * 33)
    assert caught.value.param == "prompt"


def test_a_connection_that_breaks_in_the_second_prompt_breaks_the_stream(sdk: OpenAI, first: Upstream) -> None:
    first.script([Head(), *map(Chunk, sse_chunks("One"))], [Head(), *map(Chunk, sse_chunks("Two")[:2]), Cut()])
    with pytest.raises(openai.APIError):
        list(sdk.completions.create(model="groq", prompt=["a", "b"], stream=True))
