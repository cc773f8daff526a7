"""Moderations: the official OpenAI SDK against a running gateway."""

import base64
import io
import json
from typing import Any

import openai
import pytest
from openai import OpenAI

from mainstay.encoders.minilm import is_installed
from support.gateway import Gateway
from support.upstream import Upstream, json_reply

guarded = pytest.mark.skipif(not is_installed(), reason="the extra 'guards' is not installed")
FINE = {"flagged": False, "categories": {"hate": False}, "category_scores": {"hate": 0.1}, "more": [1.0]}


def verdicts(*results: Any) -> dict[str, Any]:
    return {"id": "modr-1", "model": "omni-moderation", "results": list(results)}


@pytest.mark.parametrize(
    ("given", "count"),
    [("x", 1), (["x", "y"], 2), ([{"type": "text", "text": "x"}, {"type": "text", "text": "y"}], 1)],
)
def test_verdicts_come_back_as_written(
    sdk: OpenAI, first: Upstream, task_gateway: Gateway, given: Any, count: int
) -> None:
    body = verdicts(*[FINE] * count)
    first.script(json_reply(body))
    raw = sdk.moderations.with_raw_response.create(model="assistant", input=given)
    assert json.loads(raw.content) == body
    assert first.requests[0].path == "/v1/moderations"
    assert first.requests[0].json() == {"model": "upstream-first", "input": given}
    assert task_gateway.journal()[-1].operation == "moderation"


def test_a_wrong_number_of_verdicts_is_no_answer(sdk: OpenAI, first: Upstream) -> None:
    first.script(json_reply(verdicts(FINE)))
    with pytest.raises(openai.InternalServerError) as caught:
        sdk.moderations.create(model="assistant", input=["x", "y"])
    assert caught.value.code == "upstream_broken"


def test_without_a_model_the_official_default_is_meant(sdk: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="omni-moderation-latest"):
        sdk.moderations.create(input="x")


def test_the_echo_flags_nothing(sdk: OpenAI) -> None:
    answer = sdk.moderations.create(model="echo", input=["x", "y"])
    assert [result.flagged for result in answer.results] == [False, False]
    assert not any(vars(answer.results[0].categories).values())


@pytest.fixture(scope="module")
def grey() -> str:
    """A harmless picture, as a caller sends it."""
    image = pytest.importorskip("PIL.Image", reason="the extra 'guards' is not installed")
    buffer = io.BytesIO()
    image.new("RGB", (64, 64), "grey").save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


@guarded
def test_our_own_guards_answer_without_a_vendor(sdk: OpenAI, task_gateway: Gateway) -> None:
    kind, rude = sdk.moderations.create(model="guards", input=["How are you?", "you stupid fucking bitch"]).results
    assert (kind.flagged, rude.flagged) == (False, True)
    assert rude.categories.harassment
    assert rude.category_scores.harassment > 0.5 > kind.category_scores.harassment
    assert rude.category_applied_input_types.harassment == ["text"]
    assert rude.category_applied_input_types.sexual_minors == []
    record = task_gateway.journal()[-1]
    assert (record.outcome, record.provider, record.target) == ("ok", "guards", "guards")
    assert record.cost_usd == "0"
    assert (record.energy_wh, record.usage is not None and record.usage.input > 0) == (None, True)


@guarded
def test_an_image_in_the_request_is_looked_at(sdk: OpenAI, grey: str) -> None:
    parts: Any = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": grey}}]
    (result,) = sdk.moderations.create(model="guards", input=parts).results
    assert not result.flagged
    assert result.category_applied_input_types.sexual == ["text", "image"]
    assert result.category_applied_input_types.hate == ["text"]


@guarded
@pytest.mark.parametrize(
    ("url", "status", "words"),
    [
        ("https://example.com/x.png", 400, "nothing is fetched"),
        ("data:image/png;base64,!", 400, "no base64"),
        ("data:image/png;base64,AAAA", 422, "An image of 'input'"),
    ],
)
def test_an_image_that_cannot_be_looked_at_is_refused(sdk: OpenAI, url: str, status: int, words: str) -> None:
    with pytest.raises(openai.APIStatusError, match=words) as caught:
        sdk.moderations.create(model="guards", input=[{"type": "image_url", "image_url": {"url": url}}])
    assert caught.value.status_code == status


@guarded
def test_guards_do_not_talk(sdk: OpenAI) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        sdk.chat.completions.create(model="guards", messages=[{"role": "user", "content": "Hello"}])
    assert caught.value.code == "unsupported_by_model"
