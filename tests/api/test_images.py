"""Images: the official OpenAI SDK against a running gateway."""

import json

import openai
import pytest
from openai import OpenAI

from support.gateway import Gateway
from support.upstream import Upstream, json_reply, sse

USAGE = {"input_tokens": 5, "output_tokens": 272, "total_tokens": 277}
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


def test_an_image_comes_back_as_the_upstream_wrote_it(sdk: OpenAI, first: Upstream, task_gateway: Gateway) -> None:
    body = {"created": 1, "data": [{"b64_json": "AAAA"}, {"url": "https://example.com/x.png"}], "usage": USAGE}
    first.script(json_reply(body))
    raw = sdk.images.with_raw_response.generate(model="assistant", prompt="a river", n=2, size="1024x1024")
    assert json.loads(raw.content) == body
    assert first.requests[0].path == "/v1/images/generations"
    assert first.requests[0].json() == {
        "model": "upstream-first",
        "prompt": "a river",
        "n": 2,
        "size": "1024x1024",
    }
    record = task_gateway.journal()[-1]
    assert record.operation == "image_generation"
    assert record.usage is not None
    assert record.usage.output == 272


def test_an_answer_without_an_image_is_none(sdk: OpenAI, first: Upstream) -> None:
    for body in ({"data": []}, {"data": [{}]}, {"created": 1}):
        first.script(json_reply(body))
        with pytest.raises(openai.InternalServerError) as caught:
            sdk.images.generate(model="assistant", prompt="a river")
        assert caught.value.code == "upstream_broken"


def test_a_stream_of_an_image_keeps_its_events_names(sdk: OpenAI, first: Upstream, task_gateway: Gateway) -> None:
    partial = {"type": "image_generation.partial_image", "partial_image_index": 0, "b64_json": "AA" * 100_000}
    done = {"type": "image_generation.completed", "b64_json": "AAAA", "usage": USAGE}
    first.script(sse(partial, done, event_lines=True, done=False))
    events = list(sdk.images.generate(model="assistant", prompt="a river", stream=True, partial_images=1))
    assert [event.type for event in events] == ["image_generation.partial_image", "image_generation.completed"]
    usage = task_gateway.journal()[-1].usage
    assert usage is not None
    assert usage.output == 272


def test_a_stream_that_ends_without_its_image_is_an_error(sdk: OpenAI, first: Upstream) -> None:
    first.script(sse({"type": "image_generation.partial_image", "b64_json": "AA"}, done=False))
    with pytest.raises(openai.APIError):
        list(sdk.images.generate(model="assistant", prompt="a river", stream=True))


def test_an_image_to_change_goes_up_as_a_form(sdk: OpenAI, first: Upstream, task_gateway: Gateway) -> None:
    first.script(json_reply({"created": 1, "data": [{"b64_json": "AAAA"}]}))
    answer = sdk.images.edit(model="assistant", image=[("a.png", PICTURE), ("b.png", PICTURE)], prompt="bluer")
    assert answer.data is not None
    (request,) = first.requests
    assert request.path == "/v1/images/edits"
    assert request.body.count(PICTURE) == 2
    assert b"upstream-first" in request.body
    assert task_gateway.journal()[-1].operation == "image_edit"


def test_what_is_missing_is_named(sdk: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.images.generate(prompt="a river")
    assert caught.value.param == "model"
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.images.edit(image=("a.png", PICTURE), prompt="bluer")
    assert caught.value.param == "model"
